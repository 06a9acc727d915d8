//! The thread that waits for signals and answers them.

use super::arrivals::{self, Arrival};
use super::children::is_of_terminal;
use super::handlers;
use super::token::{Signals, lock};
use crate::threads;
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGVTALRM, SIGXCPU};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};
use std::{io, process, thread};

/// How long after the first signal all others count as the same.
const ONE_CAUSE: Duration = Duration::from_secs(1);
/// The kernel repeats these by itself: over a limit of processor time each second, the others by a timer.
const REPEATED: [i32; 4] = [SIGXCPU, SIGALRM, SIGVTALRM, SIGPROF];
/// How long a question may take to end by itself when a signal interrupted it.
const END_OF_QUESTION: Duration = Duration::from_secs(1);

impl Signals {
    /// Begins to listen for signals. In another thread, `report` gets the first one; and a later one, just before the
    /// process ends at once, with what that leaves behind.
    ///
    /// # Errors
    /// This process cannot handle signals, or start a thread.
    pub fn listen(report: impl Fn(i32, Option<&[String]>) + Send + 'static) -> io::Result<Self> {
        // A parent may ignore it: then neither this program nor the engine could wait for a child.
        signal_hook::flag::register(SIGCHLD, Arc::default())?;
        let signals = Self::default();
        let (reporter, arrivals) = arrivals::channel(&signals.0.arrived)?;
        handlers::install(reporter)?;
        let listening = signals.clone();
        let wait = move || {
            let mut first = None;
            while let Some(arrival) = arrivals.next() {
                match listening.0.children.forwarded() {
                    Some(pid) => listening.pass_on(pid, arrival, &mut first),
                    None => listening.answer(arrival, &mut first, &report),
                }
            }
        };
        threads::start(wait)?;
        Ok(signals)
    }

    /// Passes a signal on to a child, unless the child got it already: from the terminal, or for the same cause.
    fn pass_on(&self, pid: i32, arrival: Arrival, last: &mut Option<Duration>) {
        let Arrival { signal, at, from_kernel } = arrival;
        let is_new = last.is_none_or(|last| at.saturating_sub(last) >= ONE_CAUSE);
        let ends = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(&signal);
        if ends && is_new {
            *last = Some(at);
        }
        let child_has_it = ends && (!is_new || (from_kernel && is_of_terminal(signal)));
        if !child_has_it {
            self.0.children.pass_on(pid, signal);
        }
    }

    /// Makes this process clean up; or ends it, if the first signal came some time ago.
    fn answer(&self, arrival: Arrival, first: &mut Option<Duration>, report: &dyn Fn(i32, Option<&[String]>)) {
        let Arrival { signal, at, .. } = arrival;
        let again = self.caught().is_some();
        if again {
            let is_same_cause = first.is_some_and(|first| at.saturating_sub(first) < ONE_CAUSE);
            if is_same_cause || REPEATED.contains(&signal) {
                return;
            }
        } else {
            *first = Some(at);
            self.0.caught.store(signal, SeqCst);
        }
        let is_asking = self.is_asking();
        if !is_asking {
            report(signal, again.then(|| self.notes()).as_deref());
        }
        self.0.children.end(again);
        // Most likely the signal woke the thread of the question, which puts the terminal back itself.
        if again || (is_asking && !self.question_ends()) {
            let restore = lock(&self.0.question).take();
            if let Some(restore) = restore {
                restore();
            }
            process::exit(128 + signal);
        }
    }

    fn is_asking(&self) -> bool {
        lock(&self.0.question).is_some()
    }

    fn question_ends(&self) -> bool {
        let began = Instant::now();
        while self.is_asking() && began.elapsed() < END_OF_QUESTION {
            thread::sleep(Duration::from_millis(5));
        }
        !self.is_asking()
    }
}
