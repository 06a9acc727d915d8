//! The supervisor of a guest command, a process between `exec` and the command.
//!
//! It runs the command in its own process group, and kills that group when `exec` has died or the time is up, as the
//! agent in a real VM does. It polls for the death itself because only Linux can send a signal.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

static TIMED_OUT: AtomicBool = AtomicBool::new(false);

/// `_guest PARENT TIMEOUT_MS report|255 COMMAND…`; exits with the status of the command.
pub fn run(args: &[String]) -> i32 {
    let [parent, timeout, signals, program, rest @ ..] = args else {
        return 2;
    };
    let (Ok(parent), Ok(timeout)) = (parent.parse(), timeout.parse()) else {
        return 2;
    };
    let spawned = Command::new(program).args(rest).process_group(0).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            eprintln!("Error: agent operation failed: vm exec: failed to spawn command: {error}");
            return 1;
        }
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    std::thread::spawn(move || watch(parent, Duration::from_millis(timeout), group));
    match child.wait() {
        _ if TIMED_OUT.load(Ordering::SeqCst) => 124,
        Ok(status) => encode(status, signals == "report"),
        Err(_) => 255,
    }
}

fn watch(parent: i32, timeout: Duration, group: Option<Pid>) {
    let began = Instant::now();
    loop {
        let orphaned = rustix::process::getppid().is_none_or(|now| now.as_raw_nonzero().get() != parent);
        let late = !timeout.is_zero() && began.elapsed() >= timeout;
        if orphaned || late {
            TIMED_OUT.store(late, Ordering::SeqCst);
            let _gone = group.map(|group| rustix::process::kill_process_group(group, Signal::KILL));
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn encode(status: ExitStatus, tells_signals: bool) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) if tells_signals => 128 + signal,
        (None, _) => 255,
    }
}
