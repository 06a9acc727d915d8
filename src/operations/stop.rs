//! Stops a VM.

use crate::smolvm::{EngineError, Name, Smolvm};
use crate::terminal::Warnings;
use std::time::Duration;

/// Stops a VM. If `writes`, its guest first writes its files to disk. Returns whether the engine ended the VM without that,
/// because it did not answer.
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
