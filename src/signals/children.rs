//! The running engine commands, and what a signal does to each.

use super::processes::end_group;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::collections::BTreeMap;
use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a signal does to a running engine command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The signal ends its process group.
    Ended,
    /// Only a second signal does.
    Spared,
    /// The signal is passed on.
    Forwarded,
}

/// The running engine commands.
#[derive(Debug, Default)]
pub struct Children {
    /// By their process numbers.
    running: Mutex<BTreeMap<i32, Kind>>,
    /// The last signal that was passed on to one.
    passed_on: AtomicI32,
}

impl Children {
    /// Adds the command with the process number `pid`.
    pub fn add(&self, pid: i32, kind: Kind) {
        self.running().insert(pid, kind);
    }

    /// Starts a command to which signals are passed on: those that come from now on. They wait while it starts.
    pub fn start(&self, start: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, i32)> {
        let mut running = self.running();
        let child = start()?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        running.insert(pid, Kind::Forwarded);
        Ok((child, pid))
    }

    /// Removes a command that ended.
    pub fn remove(&self, pid: i32) {
        self.running().remove(&pid);
    }

    /// The command to which signals are passed on, if one runs.
    pub fn forwarded(&self) -> Option<i32> {
        self.running().iter().find_map(|(pid, kind)| (*kind == Kind::Forwarded).then_some(*pid))
    }

    /// Ends the commands that a first signal ends, or kills all.
    pub fn end(&self, all: bool) {
        self.running()
            .iter()
            .filter(|(_, kind)| all || **kind == Kind::Ended)
            .for_each(|(pid, _)| end_group(*pid, all));
    }

    /// Whether a child got the signal: it was passed on, or sent to the whole process group, as a terminal does.
    pub fn got(&self, signal: i32) -> bool {
        self.passed_on.load(SeqCst) == signal || is_of_terminal(signal) || signal == SIGTERM
    }

    /// Passes a signal on to a child. It is no error if the child is gone already.
    pub fn pass_on(&self, pid: i32, signal: i32) {
        self.passed_on.store(signal, SeqCst);
        // SAFETY: two numbers; rustix has no name for a real-time signal.
        #[allow(unsafe_code)]
        unsafe {
            libc::kill(pid, signal);
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<i32, Kind>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a terminal sends this signal to the whole foreground, and so to a child too.
pub fn is_of_terminal(signal: i32) -> bool {
    [SIGINT, SIGQUIT, SIGHUP].contains(&signal)
}
