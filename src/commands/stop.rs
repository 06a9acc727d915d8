//! `stop`: VMs, shut down.

use crate::app::App;
use crate::cli;
use crate::commands::batch;
use crate::error::Result;
use crate::operations::lock;
use crate::smolvm::{EngineError, Name, Smolvm, State};
use crate::terminal::Warnings;
use std::time::Duration;

pub fn run(app: &App, args: &cli::Stop) -> Result<()> {
    let engine = app.engine()?;
    let vms = &args.vms;
    let names = batch::select(app, &vms.names, vms.all, &vms.label, || engine.machine_ls())?;
    batch::vm(app, &engine, vms, &names, |name, warnings| {
        let _lock = lock::vm_shared(app, &engine, name, args.wait.wait)?;
        let was_ended = app.terminal.during("stop", &format!("stopping {name}"), || {
            let vm = engine.machine(name)?;
            let is_flushed = engine.version().stop_flushes() && !vm.given_up;
            stop(&engine, name, vm.state == State::Running && !is_flushed, None, warnings)
        })?;
        if was_ended {
            warnings.warn(format!("'{name}' did not answer: what its guest had not written to disk is lost"));
        }
        let text = format!("{name} is stopped; start it with: bottle-freeze start {name}");
        app.terminal.result(name.as_str(), &text);
        Ok("stopped")
    })
}

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
