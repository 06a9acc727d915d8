//! The one thing here that only Linux has: a child that dies with its parent, even when that is killed by
//! SIGKILL. Elsewhere an orphaned engine command runs to its end in a folder that the next freeze sweeps.

use std::process::Command;

/// Has the kernel end the child when the thread that spawns it is gone.
#[cfg(target_os = "linux")]
pub fn die_with_parent(command: &mut Command) {
    use rustix::process::{Signal, set_parent_process_death_signal};
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// Not possible here.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_command: &mut Command) {}
