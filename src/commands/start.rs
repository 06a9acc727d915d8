//! `start`: start VMs, and wait until they run commands.

use crate::app::App;
use crate::commands::args::{Wait, duration};
use crate::commands::vms::{Vms, running};
use crate::completion::Offer;
use crate::error::Result;
use crate::operations::start::start;
use crate::report::Change;
use crate::smolvm::State;
use std::time::Duration;

/// Start VMs and wait until they run commands
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze start dev\n  bottle-freeze start --no-wait web db\n  bottle-freeze start --label team=a"
)]
#[command(mut_arg("names", |names| names.add(Offer::Vms(|state| !state.is_up()))))]
pub struct Args {
    #[command(flatten)]
    pub vms: Vms,
    /// Do not wait until the VM runs commands
    #[arg(long)]
    pub no_wait: bool,
    /// Longest time to wait until the VM runs commands; includes pulling an image
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub wait: Wait,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let fits = |state: &State| *state != State::Paused;
    args.vms.change(app, &args.wait, fits, |app, engine, name, warnings| {
        app.terminal.during("start", &format!("starting {name}"), || match engine.machine(name)? {
            // A start would end a VM that the engine has given up.
            vm if vm.given_up => {
                warnings.warn(format!("'{name}' runs, although smolvm lists it as unreachable until it is stopped"));
                Ok(())
            }
            vm if vm.state == State::Running && args.no_wait => Ok(()),
            vm if vm.state == State::Running => Ok(engine.wait_exec_ready(name, args.timeout)?),
            _ => start(engine, name, args.timeout, !args.no_wait, warnings),
        })?;
        app.terminal.result(name.as_str(), &running(name));
        Ok(Change::Running)
    })
}
