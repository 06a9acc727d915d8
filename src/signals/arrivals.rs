//! Signals on their way from the handlers to the thread that answers them.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Both ends of the way. `arrived` becomes the first signal the moment it arrives.
pub fn channel(arrived: &Arc<AtomicI32>) -> io::Result<(Reporter, Arrivals)> {
    let (receiver, sender) = UnixDatagram::pair()?;
    sender.set_nonblocking(true)?;
    let reporter = Reporter { sender: Arc::new(sender), began: Instant::now(), arrived: arrived.clone() };
    Ok((reporter, Arrivals(receiver)))
}

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number.
    pub signal: i32,
    /// When, since this program began to listen for signals.
    pub at: Duration,
    /// Whether the kernel sent it, as a terminal does on Ctrl-C to all processes in the foreground.
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

/// Signals, in the order in which they arrive.
#[derive(Debug)]
pub struct Arrivals(UnixDatagram);

impl Arrivals {
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
