//! Signals: which one came, and what it does.
//!
//! A thread of its own waits for every signal that would end this process (unless the parent has it ignored, as `nohup`
//! does). It ends the engine commands that run, each in a process group of its own, or passes the signal on to a guest's
//! `exec`; the commands that run in this process see [`pending`] and clean up.
//!
//! One cause may send several signals: npm and `timeout` pass on the ^C that the terminal has sent already, and a terminal
//! that closes sends SIGHUP and SIGTERM. So all that arrive within [`ONE_CAUSE`] of the first are one. A later one ends
//! this process at once.

mod arrivals;
mod children;
mod faults;

pub use arrivals::arrived;
pub use children::{Registered, end_group, is_alive, stop_group, was_passed_on};

use crate::threads;
use arrivals::{Arrival, Arrivals};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGVTALRM, SIGXCPU};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{io, process, thread};

/// How long after the first signal all others have the same cause.
const ONE_CAUSE: Duration = Duration::from_secs(1);
/// The kernel repeats these by itself: over a limit of processor time each second, the others by a timer.
const REPEATED: [i32; 4] = [SIGXCPU, SIGALRM, SIGVTALRM, SIGPROF];
/// How long a question that a signal has interrupted may take to be put away.
const LEAVING_PROMPT: Duration = Duration::from_millis(200);

static CAUGHT: AtomicI32 = AtomicI32::new(0);
static AT_PROMPT: AtomicBool = AtomicBool::new(false);
/// How the terminal was before the question: a signal finds it in raw mode.
static TERMINAL: Mutex<Option<Termios>> = Mutex::new(None);
/// What would stay if this process ended at once.
static LEAVINGS: Mutex<BTreeMap<usize, String>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Whether this thread is putting things back.
    static RECOVERING: Cell<bool> = const { Cell::new(false) };
}

/// Begins to listen. In another thread, `report` is given the first signal; and a later one, after which the process ends
/// at once, with what that leaves behind.
pub fn listen(report: impl Fn(i32, Option<&[String]>) + Send + 'static) -> io::Result<()> {
    // A parent may have it ignored: then neither this program nor the engine could wait for a child.
    signal_hook::flag::register(SIGCHLD, Arc::default())?;
    let arrivals = Arrivals::listen()?;
    let wait = move || {
        let mut first = None;
        while let Some(arrival) = arrivals.next() {
            match children::forwarded() {
                Some(pid) => pass_on(pid, arrival, &mut first),
                None => answer(arrival, &mut first, &report),
            }
        }
    };
    threads::start(wait).map(drop)
}

/// Has a child hear of it as often as its cause is new; a terminal has sent it to the child already.
fn pass_on(pid: i32, arrival: Arrival, last: &mut Option<Duration>) {
    let Arrival { signal, at, from_kernel } = arrival;
    let is_new = last.is_none_or(|last| at.saturating_sub(last) >= ONE_CAUSE);
    let ends = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(&signal);
    if ends && is_new {
        *last = Some(at);
    }
    let child_has_it = ends && (!is_new || (from_kernel && children::is_of_terminal(signal)));
    if !child_has_it {
        children::pass_on(pid, signal);
    }
}

/// Has this process clean up; or ends it, when the first one came some time ago.
fn answer(arrival: Arrival, first: &mut Option<Duration>, report: &dyn Fn(i32, Option<&[String]>)) {
    let Arrival { signal, at, .. } = arrival;
    let again = CAUGHT.load(SeqCst) != 0;
    if again {
        let same_cause = first.is_some_and(|first| at.saturating_sub(first) < ONE_CAUSE) || REPEATED.contains(&signal);
        if same_cause {
            return;
        }
    } else {
        *first = Some(at);
        CAUGHT.store(signal, SeqCst);
    }
    if !AT_PROMPT.load(SeqCst) {
        report(signal, again.then(leavings).as_deref());
    }
    children::end(again);
    // The question's own thread was most likely woken by the signal, and puts the terminal back itself.
    if again || (AT_PROMPT.load(SeqCst) && !prompt_is_left()) {
        restore_terminal();
        process::exit(128 + signal);
    }
}

/// The signal that came and was not yet answered, if any.
pub fn pending() -> Option<i32> {
    caught().filter(|_| !RECOVERING.get())
}

/// The signal that came, answered or not, if any.
pub fn caught() -> Option<i32> {
    Some(CAUGHT.load(SeqCst)).filter(|signal| *signal != 0)
}

/// What stays if a second signal ends this process at once; until it is dropped.
#[derive(Debug)]
pub struct ExitNote(usize);

impl ExitNote {
    /// `what` stays.
    pub fn new(what: String) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, SeqCst);
        if let Ok(mut all) = LEAVINGS.lock() {
            all.insert(number, what);
        }
        Self(number)
    }
}

impl Drop for ExitNote {
    fn drop(&mut self) {
        if let Ok(mut all) = LEAVINGS.lock() {
            all.remove(&self.0);
        }
    }
}

fn leavings() -> Vec<String> {
    LEAVINGS.lock().map(|all| all.values().cloned().collect()).unwrap_or_default()
}

/// From here on this thread does something new: nothing that it is putting back.
pub fn begin() {
    RECOVERING.set(false);
}

fn is_recovering() -> bool {
    RECOVERING.get()
}

/// From here on this thread is putting things back: its engine commands run although a signal came.
pub fn recover() {
    RECOVERING.set(true);
}

/// While a question is open nothing was changed yet: a signal ends the process at once.
pub fn at_prompt(open: bool) {
    if let (true, Ok(mut before)) = (open, TERMINAL.lock()) {
        *before = tcgetattr(io::stdin()).ok();
    }
    AT_PROMPT.store(open, SeqCst);
}

fn prompt_is_left() -> bool {
    let began = Instant::now();
    while AT_PROMPT.load(SeqCst) && began.elapsed() < LEAVING_PROMPT {
        thread::sleep(Duration::from_millis(5));
    }
    !AT_PROMPT.load(SeqCst)
}

fn restore_terminal() {
    if let Some(before) = TERMINAL.lock().ok().and_then(|mut before| before.take()) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        // The terminal may be gone.
        let _ = io::stderr().write_all(b"\n");
    }
}

/// A signal as people know it.
pub fn signal_name(signal: i32) -> String {
    use signal_hook::low_level::signal_name;
    match signal {
        // What the crate does not name.
        #[cfg(target_os = "linux")]
        libc::SIGPWR => "SIGPWR".to_owned(),
        #[cfg(target_os = "linux")]
        libc::SIGSTKFLT => "SIGSTKFLT".to_owned(),
        _ => signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned),
    }
}
