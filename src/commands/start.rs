//! `start`: VMs that execute commands when this returns.

use crate::app::App;
use crate::cli;
use crate::commands::batch;
use crate::error::Result;
use crate::operations::lock;
use crate::smolvm::{EngineError, Name, Smolvm, State};
use crate::terminal::Warnings;
use std::time::{Duration, Instant};

/// How long a VM that ran a moment ago may take until it executes a command. The engine gives up a boot after 30 s.
pub const START_AGAIN: Duration = Duration::from_secs(120);

pub fn run(app: &App, args: &cli::Start) -> Result<()> {
    let engine = app.engine()?;
    let vms = &args.vms;
    let names = batch::select(app, &vms.names, vms.all, &vms.label, || engine.machine_ls())?;
    batch::vm(app, &engine, vms, &names, |name, warnings| {
        let _lock = lock::vm_shared(app, &engine, name, args.wait.wait)?;
        app.terminal.during("start", &format!("starting {name}"), || match engine.machine(name)? {
            // To start one that the engine has given up would end it first.
            vm if vm.given_up => {
                warnings.warn(format!("'{name}' runs, although smolvm lists it as unreachable until it is stopped"));
                Ok(())
            }
            vm if vm.state == State::Running && args.no_wait => Ok(()),
            vm if vm.state == State::Running => engine.wait_exec_ready(name, args.timeout),
            _ => start(&engine, name, args.timeout, !args.no_wait, warnings),
        })?;
        app.terminal.result(name.as_str(), &running(name));
        Ok("running")
    })
}

/// What is said of a VM that runs now.
pub fn running(name: &Name) -> String {
    format!("{name} is running; a shell in it: bottle-freeze exec -it {name} -- sh")
}

/// Starts a VM and, if `ready`, waits until it executes a command, all of it within `limit`.
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
