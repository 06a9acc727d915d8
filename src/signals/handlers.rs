//! The signals that this program handles, and their handler.
//!
//! signal-hook copies all that it knows for each signal that is added, and cannot return a fault to the handler before.

use super::arrivals::Reporter;
use libc::{
    SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGPROF, SIGQUIT, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP,
    SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use std::io;
use std::ptr::null;
use std::sync::OnceLock;

/// Every signal that ends a process and can be caught (signal(7)), except [`FAULTS`]. Rust ignores SIGPIPE.
const FATAL: [i32; 13] = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGABRT, SIGTRAP,
];
/// Those that a fault of this program raises, and that another process can send as well. If one is sent, it is handled like
/// any other signal. A fault ends this program, as it does without this handler.
const FAULTS: [i32; 5] = [SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGSYS];

/// A signal that `kill` sent. (For macOS, `libc` does not name it: <sys/signal.h> does.)
#[cfg(not(target_os = "macos"))]
const SI_USER: i32 = libc::SI_USER;
#[cfg(target_os = "macos")]
const SI_USER: i32 = 0x1_0001;

/// What the handler needs. It is global, and set once, because the system passes a handler nothing but the signal.
static HANDLER: OnceLock<Handler> = OnceLock::new();

struct Handler {
    reporter: Reporter,
    /// What handled each signal before, such as Rust's report of a stack that overflows.
    before: Vec<(i32, libc::sigaction)>,
}

/// Reports from now on every signal that would end this process, except those that the parent ignores.
pub fn install(reporter: Reporter) -> io::Result<()> {
    let mut before = Vec::new();
    for signal in FATAL.into_iter().chain(FAULTS).chain(of_this_system()) {
        let present = action(signal, None)?;
        // A shell without job control starts `command &` with these two ignored: `kill -INT` must work there.
        if present.sa_sigaction != libc::SIG_IGN || [SIGINT, SIGQUIT].contains(&signal) {
            before.push((signal, present));
        }
    }
    // Set once: a program listens once.
    let handler = HANDLER.get_or_init(|| Handler { reporter, before });
    let on_signal: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = answer;
    // SAFETY: all zeros is a valid value of this struct.
    #[allow(unsafe_code)]
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = on_signal as libc::sighandler_t;
    new.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    handler.before.iter().try_for_each(|(signal, _)| action(*signal, Some(&new)).map(drop))
}

/// Reads a clock, stores a number and sends a datagram without waiting: no lock, no memory.
extern "C" fn answer(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let errno = errno::errno();
    // SAFETY: the kernel calls a handler with SA_SIGINFO with a valid pointer.
    #[allow(unsafe_code)]
    if let (Some(info), Some(handler)) = (unsafe { info.as_ref() }, HANDLER.get()) {
        handler.answer(signal, info);
    }
    errno::set_errno(errno);
}

impl Handler {
    fn answer(&self, signal: i32, info: &libc::siginfo_t) {
        if FAULTS.contains(&signal) && info.si_code > 0 && info.si_code != SI_USER {
            return self.put_back(signal);
        }
        // SAFETY: every signal that a process sends has the field, and it is only a number in any case.
        #[allow(unsafe_code)]
        let sender = unsafe { info.si_pid() };
        // A write beyond the limit of a file's size fails, and is reported like any other; an abort goes on.
        if [SIGXFSZ, SIGABRT].contains(&signal) && u32::try_from(sender) == Ok(std::process::id()) {
            return;
        }
        self.reporter.report(signal, info);
    }

    /// The instruction runs again, and the handler before this one handles the fault.
    fn put_back(&self, signal: i32) {
        if let Some((_, before)) = self.before.iter().find(|(of, _)| *of == signal) {
            let _ = action(signal, Some(before));
        }
        if signal == SIGSYS {
            // Only a refused system call does not run again.
            let _ = signal_hook::low_level::raise(signal);
        }
    }
}

/// The signals that only Linux has, among them the real-time signals.
#[cfg(target_os = "linux")]
fn of_this_system() -> impl Iterator<Item = i32> {
    [libc::SIGIO, libc::SIGPWR, libc::SIGSTKFLT].into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}

/// None elsewhere: macOS ignores SIGIO, and has no others.
#[cfg(not(target_os = "linux"))]
fn of_this_system() -> impl Iterator<Item = i32> {
    std::iter::empty()
}

/// Handles `signal` with `new`, if there is one; returns what handled it before.
fn action(signal: i32, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: the call reads the new action, if any, and writes the present one into memory of ours.
    #[allow(unsafe_code)]
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        match libc::sigaction(signal, new.map_or_else(null, std::ptr::from_ref), &raw mut before) {
            0 => Ok(before),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
