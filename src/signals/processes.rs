//! Processes and process groups, by number.

use rustix::process::{Pid, Signal, kill_process_group};

/// Asks a process group to end, or kills it. It is no error if it is gone already.
pub fn end_group(pid: i32, kill: bool) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process_group(pid, if kill { Signal::KILL } else { Signal::TERM });
    }
}

/// Stops a process group where it is, until it is killed.
pub fn stop_group(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process_group(pid, Signal::STOP);
    }
}

/// Whether a process with this number is alive.
pub fn is_alive(pid: i32) -> bool {
    // Without permission to signal it (the engine gives each VMM a user of its own), it is alive.
    Pid::from_raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
