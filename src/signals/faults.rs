//! The signals that a fault of this program raises, and that another process can send as well. If one is sent, it is
//! handled like any other signal. A fault ends this program, as it does without this handler.

use super::arrivals::Reporter;
use libc::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS};
use std::io;
use std::ptr::null;
use std::sync::OnceLock;

/// A signal that `kill` sent. (For macOS, `libc` does not name it: <sys/signal.h> does.)
#[cfg(not(target_os = "macos"))]
const SI_USER: i32 = libc::SI_USER;
#[cfg(target_os = "macos")]
const SI_USER: i32 = 0x1_0001;

const SIGNALS: [i32; 5] = [SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGSYS];

/// What the handler needs. It is global, and set once, because the system passes a handler nothing but the signal.
/// (signal-hook does without for the other signals, but cannot return a fault to the handler before.)
static HANDLER: OnceLock<Handler> = OnceLock::new();

struct Handler {
    reporter: Reporter,
    /// What handled each signal before, such as Rust's report of a stack that overflows.
    before: Vec<(i32, libc::sigaction)>,
}

/// Reports each of them that another process sends. One that the parent ignores stays ignored.
pub fn install(reporter: Reporter) -> io::Result<()> {
    let mut before = Vec::new();
    for signal in SIGNALS {
        before.push((signal, action(signal, None)?));
    }
    let handled = before.iter().filter(|(_, before)| before.sa_sigaction != libc::SIG_IGN);
    let handled: Vec<i32> = handled.map(|(signal, _)| *signal).collect();
    // Set once: a program listens once.
    let _ = HANDLER.set(Handler { reporter, before });
    let on_signal: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = answer;
    // SAFETY: all zeros is a valid value of this struct.
    #[allow(unsafe_code)]
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = on_signal as libc::sighandler_t;
    new.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    for signal in handled {
        action(signal, Some(&new))?;
    }
    Ok(())
}

extern "C" fn answer(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel calls a handler with SA_SIGINFO with a valid pointer.
    #[allow(unsafe_code)]
    let (Some(info), Some(handler)) = (unsafe { info.as_ref() }, HANDLER.get()) else { return };
    if info.si_code <= 0 || info.si_code == SI_USER {
        return handler.reporter.report(signal, info);
    }
    // The instruction runs again, and the handler before this one handles the fault.
    if let Some((_, before)) = handler.before.iter().find(|(of, _)| *of == signal) {
        let _ = action(signal, Some(before));
    }
    if signal == SIGSYS {
        // Only a refused system call does not run again.
        let _ = signal_hook::low_level::raise(signal);
    }
}

/// Handles `signal` with `new`, if there is one; returns what handled it before.
pub fn action(signal: i32, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
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
