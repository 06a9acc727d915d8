//! The engine commands that run, and what a signal does to each.

use super::{is_recovering, pending};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::collections::BTreeMap;
use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

/// By their process numbers.
static RUNNING: Mutex<BTreeMap<i32, Kind>> = Mutex::new(BTreeMap::new());

/// The last signal that was passed on to a child.
static PASSED_ON: AtomicI32 = AtomicI32::new(0);

/// What a signal does to a running engine command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It ends its process group.
    Ended,
    /// Only a second one does: it puts things back.
    Spared,
    /// It is passed on to it.
    Forwarded,
}

/// Remembers an engine command that runs, until dropped.
#[derive(Debug)]
pub struct Registered(i32);

impl Registered {
    /// A command in a process group of its own, which a signal ends.
    pub fn group(pid: i32) -> Self {
        let this = Self::new(pid, if is_recovering() { Kind::Spared } else { Kind::Ended });
        if pending().is_some() {
            end_group(pid, false);
        }
        this
    }

    /// The same, but the first signal is left to whoever runs it.
    pub fn spared(pid: i32) -> Self {
        Self::new(pid, Kind::Spared)
    }

    /// Starts a command to which signals are passed on.
    pub fn forward(start: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, Self)> {
        // The signals wait meanwhile: one that is handled before is not the child's, one that comes later is.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = start()?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        running.insert(pid, Kind::Forwarded);
        drop(running);
        if let Some(signal) = pending() {
            pass_on(pid, signal);
        }
        Ok((child, Self(pid)))
    }

    fn new(pid: i32, kind: Kind) -> Self {
        if let Ok(mut running) = RUNNING.lock() {
            running.insert(pid, kind);
        }
        Self(pid)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Ok(mut running) = RUNNING.lock() {
            running.remove(&self.0);
        }
    }
}

fn running() -> BTreeMap<i32, Kind> {
    RUNNING.lock().map(|running| running.clone()).unwrap_or_default()
}

/// The command to which signals are passed on, if one runs.
pub fn forwarded() -> Option<i32> {
    running().into_iter().find_map(|(pid, kind)| (kind == Kind::Forwarded).then_some(pid))
}

/// Ends the commands that a first signal ends, or kills all.
pub fn end(all: bool) {
    running().into_iter().filter(|(_, kind)| all || *kind == Kind::Ended).for_each(|(pid, _)| end_group(pid, all));
}

/// Asks a process group to end, or kills it. That it is gone already is no error.
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

/// Whether a terminal sends this signal to the whole foreground, so to our child too.
pub fn is_of_terminal(signal: i32) -> bool {
    [SIGINT, SIGQUIT, SIGHUP].contains(&signal)
}

/// Whether a process of that number lives.
pub fn is_alive(pid: i32) -> bool {
    // No permission to signal it (the engine gives each VMM a user of its own) means that it lives.
    Pid::from_raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Whether the signal was passed on to a child, or sent to it too, as a terminal does and whoever ends a whole group.
pub fn was_passed_on(signal: i32) -> bool {
    PASSED_ON.load(SeqCst) == signal || is_of_terminal(signal) || signal == SIGTERM
}

/// Sends a child the signal that this process was sent. That it is gone already is no error.
pub fn pass_on(pid: i32, signal: i32) {
    PASSED_ON.store(signal, SeqCst);
    // SAFETY: two numbers; rustix has no name for a real-time signal.
    #[allow(unsafe_code)]
    unsafe {
        libc::kill(pid, signal);
    }
}
