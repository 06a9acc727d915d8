//! `pause` and `resume`: VMs that are put aside with their RAM, and go on.

use crate::app::App;
use crate::cli;
use crate::commands::batch;
use crate::commands::start::running;
use crate::error::Result;
use crate::operations::lock;
use crate::smolvm::{EngineError, Name, Smolvm};

pub fn pause(app: &App, args: &cli::Pause) -> Result<()> {
    let done = |name: &Name| format!("{name} is paused; it goes on with: bottle-freeze resume {name}");
    change(app, &args.vms, &args.wait, ("pause", "pausing", "paused", done), Smolvm::machine_pause)
}

pub fn resume(app: &App, args: &cli::Resume) -> Result<()> {
    change(app, &args.vms, &args.wait, ("resume", "resuming", "running", running), Smolvm::machine_resume)
}

fn change(
    app: &App,
    vms: &cli::Vms,
    wait: &cli::Wait,
    (phase, doing, state, done): (&'static str, &str, &'static str, fn(&Name) -> String),
    change: fn(&Smolvm, &Name) -> Result<(), EngineError>,
) -> Result<()> {
    let engine = app.engine()?;
    let names = batch::select(app, &vms.names, vms.all, &vms.label, || engine.machine_ls())?;
    batch::vm(app, &engine, vms, &names, |name, _| {
        let _lock = lock::vm_shared(app, &engine, name, wait.wait)?;
        app.terminal.during(phase, &format!("{doing} {name}"), || change(&engine, name))?;
        app.terminal.result(name.as_str(), &done(name));
        Ok(state)
    })
}
