//! Signals: which one came, and who must hear of it.
//!
//! A thread of its own waits for SIGINT, SIGTERM and SIGHUP (unless `nohup` has that ignored). It ends the engine commands
//! that run, each in a process group of its own, or passes the signal on to a guest's `exec`; the commands that run in
//! this process see [`pending`] and clean up.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{io, process, thread};

static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// The engine commands that run, by their process numbers.
static CHILDREN: Mutex<BTreeMap<i32, Child>> = Mutex::new(BTreeMap::new());
/// The last signal, known the moment it arrives: a system call that it interrupts returns before the thread wakes.
static ARRIVED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
static AT_PROMPT: AtomicBool = AtomicBool::new(false);
/// How the terminal was before the question: a signal finds it in raw mode.
static TERMINAL: Mutex<Option<Termios>> = Mutex::new(None);
/// What would stay if this process ended at once.
static LEAVINGS: Mutex<BTreeMap<usize, String>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Whether this thread is putting things back.
    static RECOVERING: Cell<bool> = const { Cell::new(false) };
}

/// What a signal does to a running engine command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Child {
    /// It ends its process group.
    Ended,
    /// Only a second one does: it puts things back.
    Spared,
    /// It is passed on to it.
    Told,
}

/// How long a question that a signal has interrupted may take to be put away.
const LEAVING_PROMPT: Duration = Duration::from_millis(200);

/// Begins to listen. `told` is called, in another thread, at the first signal with nothing, and at the second one,
/// after which the process ends at once, with what this leaves, and its exit status.
pub fn listen(told: fn(leaves: Option<&[String]>, exit_status: u8)) -> io::Result<()> {
    let arrived = ARRIVED.get_or_init(Arc::default);
    // Not SIGINT: a shell without job control has all that it starts by `&` ignore that, `kill -INT` or not.
    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| *signal != SIGHUP || !is_ignored(*signal));
    for signal in heard.clone() {
        signal_hook::flag::register_usize(signal, arrived.clone(), usize::try_from(signal).unwrap_or_default())?;
    }
    // A parent may have it ignored: then nobody could wait for a child, neither this program nor the engine.
    signal_hook::flag::register(SIGCHLD, Arc::default())?;
    let mut signals = signal_hook::iterator::Signals::new(heard)?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let children = CHILDREN.lock().map(|children| children.clone()).unwrap_or_default();
            let told_child = children.iter().find(|(_, child)| **child == Child::Told);
            if let Some((pid, _)) = told_child {
                pass_on(*pid, signal);
                continue;
            }
            let again = CAUGHT.swap(signal, SeqCst) != 0;
            if !AT_PROMPT.load(SeqCst) {
                told(again.then(leavings).as_deref(), u8::try_from(128 + signal).unwrap_or(1));
            }
            for (pid, _) in children.iter().filter(|(_, child)| again || **child == Child::Ended) {
                end_group(*pid, again);
            }
            // The question's own thread was most likely woken by the signal, and puts the terminal back itself.
            if again || (AT_PROMPT.load(SeqCst) && !prompt_is_left()) {
                restore_terminal();
                process::exit(128 + signal);
            }
        }
    });
    Ok(())
}

/// Whether this process was started with the signal ignored, as by `nohup`.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: without a new action, the call does nothing but write the present one into memory of ours.
    #[allow(unsafe_code)]
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
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
pub struct Leaving(usize);

impl Leaving {
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

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Ok(mut all) = LEAVINGS.lock() {
            all.remove(&self.0);
        }
    }
}

fn leavings() -> Vec<String> {
    LEAVINGS.lock().map(|all| all.values().cloned().collect()).unwrap_or_default()
}

/// The signal that interrupted a system call a moment ago, if any did.
pub fn arrived() -> Option<i32> {
    let signal = ARRIVED.get()?.load(SeqCst);
    i32::try_from(signal).ok().filter(|signal| *signal != 0)
}

/// From here on this thread does something new: nothing that it is putting back.
pub fn begin() {
    RECOVERING.set(false);
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

/// Remembers an engine command that runs, until dropped.
#[derive(Debug)]
pub struct Registered(i32);

impl Registered {
    /// A command in a process group of its own, which a signal ends.
    pub fn group(pid: i32) -> Self {
        let this = Self::new(pid, if RECOVERING.get() { Child::Spared } else { Child::Ended });
        if pending().is_some() {
            end_group(pid, false);
        }
        this
    }

    /// A command to which signals are passed on.
    pub fn forward(pid: i32) -> Self {
        let this = Self::new(pid, Child::Told);
        // One that came before anybody could be told.
        if let Some(signal) = pending() {
            pass_on(pid, signal);
        }
        this
    }

    fn new(pid: i32, child: Child) -> Self {
        if let Ok(mut children) = CHILDREN.lock() {
            children.insert(pid, child);
        }
        Self(pid)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Ok(mut children) = CHILDREN.lock() {
            children.remove(&self.0);
        }
    }
}

/// Asks a process group to end, or kills it. That it is gone already is no error.
pub fn end_group(pid: i32, kill: bool) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process_group(pid, if kill { Signal::KILL } else { Signal::TERM });
    }
}

/// Whether a process of that number lives.
pub fn is_alive(pid: i32) -> bool {
    // No permission to signal it (the engine gives each VMM a user of its own) means that it lives.
    Pid::from_raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn pass_on(pid: i32, signal: i32) {
    if let (Some(pid), Some(signal)) = (Pid::from_raw(pid), Signal::from_named_raw(signal)) {
        let _ = kill_process(pid, signal);
    }
}

/// A signal as people know it.
pub fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}
