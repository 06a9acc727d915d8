//! `stop`: VMs, shut down.

use super::{App, Result, each, lock};
use crate::cli;
use crate::smolvm::{EngineError, Name, Smolvm, State};
use crate::ui::Warnings;

pub fn run(app: &App, args: &cli::Stop) -> Result<()> {
    let engine = app.engine()?;
    let vms = &args.vms;
    let names = each::select(app, &vms.names, vms.all, &vms.label, || engine.machine_ls())?;
    each::vm(app, vms, &names, |name, warnings| {
        let _lock = lock::vm_shared(app, &engine, name, args.wait.wait)?;
        app.ui.during("stop", &format!("stopping {name}"), || {
            if !engine.version().stop_flushes() && engine.machine(name)?.state == State::Running {
                sync(&engine, name, warnings)?;
            }
            engine.machine_stop(name, None)
        })?;
        let text = format!("{name} is stopped; start it with: bottle-freeze start {name}");
        app.ui.result(name.as_str(), &text);
        Ok("stopped")
    })
}

/// Has the guest write its files to disk. One that cannot is stopped all the same.
pub fn sync(engine: &Smolvm, name: &Name, warnings: &Warnings) -> Result<(), EngineError> {
    match engine.machine_sync(name) {
        Err(EngineError::TimedOut { .. }) => {
            warnings.warn(format!("the guest of '{name}' did not write its files to disk in time"));
            Ok(())
        }
        result => result,
    }
}
