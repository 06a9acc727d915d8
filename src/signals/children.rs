//! The engine commands that run, and what a signal does to each.

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
    /// It ends its process group.
    Ended,
    /// Only a second one does.
    Spared,
    /// It is passed on to it.
    Forwarded,
}

/// The engine commands that run.
#[derive(Debug, Default)]
pub struct Children {
    /// By their process numbers.
    running: Mutex<BTreeMap<i32, Kind>>,
    /// The last signal that was passed on to one.
    passed_on: AtomicI32,
}

impl Children {
    pub fn add(&self, pid: i32, kind: Kind) {
        self.running().insert(pid, kind);
    }

    /// Starts a command to which signals are passed on. They wait meanwhile: one that was handled before is not the
    /// child's, one that comes later is.
    pub fn start(&self, start: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, i32)> {
        let mut running = self.running();
        let child = start()?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        running.insert(pid, Kind::Forwarded);
        Ok((child, pid))
    }

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

    /// Whether the signal was passed on to a child, or sent to it too, as a terminal does and whoever ends a whole group.
    pub fn got(&self, signal: i32) -> bool {
        self.passed_on.load(SeqCst) == signal || is_of_terminal(signal) || signal == SIGTERM
    }

    /// Sends a child the signal that this process was sent. That it is gone already is no error.
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

/// Whether a terminal sends this signal to the whole foreground, so to our child too.
pub fn is_of_terminal(signal: i32) -> bool {
    [SIGINT, SIGQUIT, SIGHUP].contains(&signal)
}
