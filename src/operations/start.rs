//! Starts a VM, and waits until it runs commands.

use crate::smolvm::{EngineError, Name, Smolvm};
use crate::terminal::Warnings;
use std::time::{Duration, Instant};

/// The time limit to start a VM again that was running before. The engine gives up a boot after 30 s.
pub const START_AGAIN: Duration = Duration::from_secs(120);

/// Starts a VM and, if `ready`, waits until it runs commands; both within `limit`.
pub fn start(
    engine: &Smolvm,
    name: &Name,
    limit: Duration,
    ready: bool,
    warnings: &Warnings,
) -> Result<(), EngineError> {
    let began = Instant::now();
    if engine.machine_start(name, limit)? {
        let lost = "what its guest had not written to disk is lost";
        warnings.warn(format!("'{name}' did not answer, so smolvm ended it and started it again: {lost}"));
    }
    if ready { engine.wait_exec_ready(name, limit.saturating_sub(began.elapsed())) } else { Ok(()) }
}
