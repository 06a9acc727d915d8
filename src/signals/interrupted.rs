//! The error of work that a signal ends.

use std::io;
use thiserror::Error;

/// A signal arrived: this is its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("interrupted by {}", signal_name(*.0))]
pub struct Interrupted(pub i32);

impl From<Interrupted> for io::Error {
    fn from(interrupted: Interrupted) -> Self {
        Self::other(interrupted)
    }
}

/// A signal as people know it.
pub fn signal_name(signal: i32) -> String {
    use signal_hook::low_level::signal_name;
    match signal {
        // The crate has no names for these.
        #[cfg(target_os = "linux")]
        libc::SIGPWR => "SIGPWR".to_owned(),
        #[cfg(target_os = "linux")]
        libc::SIGSTKFLT => "SIGSTKFLT".to_owned(),
        _ => signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned),
    }
}
