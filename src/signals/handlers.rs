//! The signals that this program handles.

use super::arrivals::Reporter;
use super::faults;
use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGTRAP, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use std::io;

/// Every signal that ends a process and can be caught (signal(7)), except those in `faults`. Rust ignores SIGPIPE.
const FATAL: [i32; 13] = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGABRT, SIGTRAP,
];

/// Reports from now on every signal that would end this process, except those that the parent ignores.
pub fn install(reporter: Reporter) -> io::Result<()> {
    for signal in FATAL.into_iter().chain(of_this_system()) {
        // A shell without job control starts `command &` with these two ignored: `kill -INT` must work there.
        if [SIGINT, SIGQUIT].contains(&signal) || !is_ignored(signal) {
            handle(signal, reporter.clone())?;
        }
    }
    faults::install(reporter)
}

/// Reports each arrival of `signal`.
fn handle(signal: i32, reporter: Reporter) -> io::Result<()> {
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let answer = move |info: &libc::siginfo_t| {
        // SAFETY: every signal that a process sends has the field, and it is only a number in any case.
        #[allow(unsafe_code)]
        let sender = unsafe { info.si_pid() };
        // A write beyond the limit of a file's size fails, and is reported like any other; an abort goes on.
        if [SIGXFSZ, SIGABRT].contains(&signal) && sender == me {
            return;
        }
        reporter.report(signal, info);
    };
    // SAFETY: the action reads a clock, stores a number and sends a datagram without waiting: no lock, no memory.
    #[allow(unsafe_code)]
    unsafe {
        signal_hook_registry::register_sigaction(signal, answer)?;
    }
    Ok(())
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

/// Whether this process was started with the signal ignored, as by `nohup`.
fn is_ignored(signal: i32) -> bool {
    faults::action(signal, None).is_ok_and(|present| present.sa_sigaction == libc::SIG_IGN)
}
