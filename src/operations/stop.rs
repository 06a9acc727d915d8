//! A VM that is shut down, its files written.

use crate::smolvm::{EngineError, Name, Smolvm};
use crate::terminal::Warnings;
use std::time::Duration;

/// Stops a VM, and has its guest write its files to disk before, if `writes`. Whether the engine took it for dead and
/// ended it as it was, without that.
pub fn stop(
    engine: &Smolvm,
    name: &Name,
    writes: bool,
    limit: Option<Duration>,
    warnings: &Warnings,
) -> Result<bool, EngineError> {
    let has_written = writes && engine.machine_sync(name)?;
    let was_ended = engine.machine_stop(name, limit)?;
    if writes && !has_written {
        warnings.warn(format!("the guest of '{name}' did not write its files to disk in time"));
    }
    Ok(was_ended && !writes)
}
