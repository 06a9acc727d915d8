//! The token that shows whether a signal arrived.

use super::children::{Children, Kind};
use super::interrupted::Interrupted;
use super::processes::end_group;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::process::Child;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// Shows whether a signal arrived. A copy is cheap, and shows the same. Without [`Signals::listen`] none ever arrives.
#[derive(Clone, Default)]
pub struct Signals(pub(super) Arc<State>);

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signals").field(&self.caught()).finish()
    }
}

/// What the copies of a token share.
#[derive(Default)]
pub(super) struct State {
    /// The first signal that arrived, from that moment on: a system call that it interrupts returns before the listening
    /// thread wakes. 0: none.
    pub arrived: Arc<AtomicI32>,
    /// The signal that this process is to answer; 0: none.
    pub caught: AtomicI32,
    pub children: Children,
    /// The threads that clean up.
    recovering: Mutex<Vec<ThreadId>>,
    /// What stays behind if this process ends at once.
    notes: Mutex<BTreeMap<usize, String>>,
    next_note: AtomicUsize,
    /// While a question is open: what puts the terminal back.
    pub question: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Signals {
    /// Fails if a signal arrived, except while this thread cleans up.
    pub fn check(&self) -> Result<(), Interrupted> {
        let is_recovering = || lock(&self.0.recovering).contains(&thread::current().id());
        match self.caught() {
            Some(interrupted) if !is_recovering() => Err(interrupted),
            _ => Ok(()),
        }
    }

    /// The signal that arrived, if any; also while this thread cleans up.
    pub fn caught(&self) -> Option<Interrupted> {
        Some(self.0.caught.load(SeqCst)).filter(|signal| *signal != 0).map(Interrupted)
    }

    /// The signal that may just have interrupted a system call, if any.
    pub fn arrived(&self) -> Option<Interrupted> {
        Some(self.0.arrived.load(SeqCst)).filter(|signal| *signal != 0).map(Interrupted)
    }

    /// Until the guard is dropped, this thread cleans up: its engine commands run although a signal arrived.
    #[must_use]
    pub fn recovering(&self) -> Recovering {
        let this = thread::current().id();
        lock(&self.0.recovering).push(this);
        Recovering { signals: self.clone(), thread: this, not_send: PhantomData }
    }

    /// Notes `what` stays behind if a second signal ends this process at once, until the guard is dropped.
    #[must_use]
    pub fn note(&self, what: String) -> ExitNote {
        let number = self.0.next_note.fetch_add(1, SeqCst);
        lock(&self.0.notes).insert(number, what);
        ExitNote(self.clone(), number)
    }

    pub(super) fn notes(&self) -> Vec<String> {
        lock(&self.0.notes).values().cloned().collect()
    }

    /// While a question is open nothing was changed yet: a signal ends the process, if the question does not end by
    /// itself in a moment. `restore` puts the terminal back before.
    #[must_use]
    pub fn question(&self, restore: impl FnOnce() + Send + 'static) -> Question {
        *lock(&self.0.question) = Some(Box::new(restore));
        Question(self.clone())
    }

    /// A running command in the process group `pid`, which a signal ends; while this thread cleans up, only a second one.
    #[must_use]
    pub fn ending(&self, pid: i32) -> Registered {
        let is_recovering = lock(&self.0.recovering).contains(&thread::current().id());
        self.0.children.add(pid, if is_recovering { Kind::Spared } else { Kind::Ended });
        if self.check().is_err() {
            end_group(pid, false);
        }
        Registered(self.clone(), pid)
    }

    /// The same, but the first signal is left to the caller.
    #[must_use]
    pub fn sparing(&self, pid: i32) -> Registered {
        self.0.children.add(pid, Kind::Spared);
        Registered(self.clone(), pid)
    }

    /// Starts a command to which signals are passed on.
    pub fn forwarding(&self, start: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, Registered)> {
        let (child, pid) = self.0.children.start(start)?;
        if let Err(Interrupted(signal)) = self.check() {
            self.0.children.pass_on(pid, signal);
        }
        Ok((child, Registered(self.clone(), pid)))
    }

    /// Whether the command to which signals are passed on got this one too.
    pub fn was_passed_on(&self, signal: i32) -> bool {
        self.0.children.got(signal)
    }
}

#[cfg(test)]
impl Signals {
    /// As if this signal had arrived.
    pub fn arrive(&self, signal: i32) {
        self.0.caught.store(signal, SeqCst);
    }
}

/// See [`Signals::recovering`].
#[derive(Debug)]
pub struct Recovering {
    signals: Signals,
    thread: ThreadId,
    /// It belongs to the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl Drop for Recovering {
    fn drop(&mut self) {
        let mut all = lock(&self.signals.0.recovering);
        if let Some(at) = all.iter().position(|thread| *thread == self.thread) {
            all.swap_remove(at);
        }
    }
}

/// See [`Signals::note`].
#[derive(Debug)]
pub struct ExitNote(Signals, usize);

impl Drop for ExitNote {
    fn drop(&mut self) {
        lock(&self.0.0.notes).remove(&self.1);
    }
}

/// See [`Signals::question`].
#[derive(Debug)]
pub struct Question(Signals);

impl Drop for Question {
    fn drop(&mut self) {
        *lock(&self.0.0.question) = None;
    }
}

/// A running engine command, until it is dropped.
#[derive(Debug)]
pub struct Registered(Signals, i32);

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.0.children.remove(self.1);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
