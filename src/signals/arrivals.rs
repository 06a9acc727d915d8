//! Which signals this program handles, and the order and the time in which they arrive.

use super::faults;
use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGTRAP, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// All that would end this process and can be caught (signal(7)), but for those in `faults`. Rust ignores SIGPIPE.
const FATAL: [i32; 13] = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGABRT, SIGTRAP,
];

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number.
    pub signal: i32,
    /// When, since this program began to listen.
    pub at: Duration,
    /// The kernel sent it, as a terminal does on ^C to all processes in the foreground.
    pub from_kernel: bool,
}

impl Arrival {
    /// As one number: the milliseconds above, nine bits for the rest.
    fn written(self) -> u64 {
        let signal = u64::try_from(self.signal).unwrap_or_default() & 0xff;
        let at = u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX);
        at << 9 | u64::from(self.from_kernel) << 8 | signal
    }

    fn read(written: u64) -> Self {
        let signal = i32::try_from(written & 0xff).unwrap_or_default();
        Self { signal, at: Duration::from_millis(written >> 9), from_kernel: written & 0x100 != 0 }
    }
}

/// Signals, in the order in which they arrive.
#[derive(Debug)]
pub struct Arrivals(UnixDatagram);

impl Arrivals {
    /// Handles from now on every signal that would end this process, but for those that the parent has ignored.
    /// `arrived` becomes the first one the moment it arrives.
    pub fn listen(arrived: &Arc<AtomicI32>) -> io::Result<Self> {
        let (receiver, sender) = UnixDatagram::pair()?;
        sender.set_nonblocking(true)?;
        let reporter = Reporter { sender: Arc::new(sender), began: Instant::now(), arrived: arrived.clone() };
        for signal in FATAL.into_iter().chain(of_this_system()) {
            // A shell without job control has all that it starts by `&` ignore these two: `kill -INT` must work there.
            if [SIGINT, SIGQUIT].contains(&signal) || !is_ignored(signal) {
                handle(signal, reporter.clone())?;
            }
        }
        faults::listen(reporter)?;
        Ok(Self(receiver))
    }

    /// Waits for the next one.
    pub fn next(&self) -> Option<Arrival> {
        let mut message = [0; 8];
        loop {
            match self.0.recv(&mut message) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        Some(Arrival::read(u64::from_le_bytes(message)))
    }
}

/// Reports each arrival of `signal`.
fn handle(signal: i32, reporter: Reporter) -> io::Result<()> {
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let answer = move |info: &libc::siginfo_t| {
        // SAFETY: the field is there for every signal that a process sends, and only a number in any case.
        #[allow(unsafe_code)]
        let sender = unsafe { info.si_pid() };
        // A write over the limit of a file's size fails, and is reported as any write that fails; an abort goes on.
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

/// What a signal handler writes to.
#[derive(Debug, Clone)]
pub struct Reporter {
    sender: Arc<UnixDatagram>,
    /// What the times of arrival count from.
    began: Instant,
    arrived: Arc<AtomicI32>,
}

impl Reporter {
    /// Reports that `signal` arrived. A signal handler may call this.
    pub fn report(&self, signal: i32, info: &libc::siginfo_t) {
        let _ = self.arrived.compare_exchange(0, signal, SeqCst, SeqCst);
        let arrival = Arrival { signal, at: self.began.elapsed(), from_kernel: info.si_code > 0 };
        let _ = self.sender.send(&arrival.written().to_le_bytes());
    }
}

/// What Linux has beside those of every system, among them the real-time signals.
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
    // SAFETY: without a new action, the call does nothing but write the present one into memory of ours.
    #[allow(unsafe_code)]
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}
