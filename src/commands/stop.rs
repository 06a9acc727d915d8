//! `stop`: shut down VMs.

use crate::app::App;
use crate::commands::args::Wait;
use crate::commands::vms::Vms;
use crate::completion::Offer;
use crate::error::{Failure, Result};
use crate::operations::disks::end_left;
use crate::operations::stop::stop;
use crate::report::Change;
use crate::smolvm::{Fact, State};

/// Stop VMs
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze stop dev\n  bottle-freeze stop --all")]
#[command(mut_arg("names", |names| names.add(Offer::Vms(State::is_up))))]
pub struct Args {
    #[command(flatten)]
    pub vms: Vms,
    #[command(flatten)]
    pub wait: Wait,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let fits = |state: &State| *state != State::Paused;
    args.vms.change(app, &args.wait, fits, |app, engine, name, warnings| {
        let was_ended = app.terminal.during("stop", &format!("stopping {name}"), || {
            let vm = engine.machine(name)?;
            let is_flushed = engine.version().has(Fact::StopFlushes) && !vm.given_up;
            let was_ended = stop(engine, name, vm.state == State::Running && !is_flushed, None, warnings)?;
            // A start of it that was ended early.
            if !vm.state.is_up() {
                end_left(engine, name, &vm.state)?;
            }
            Ok::<_, Failure>(was_ended)
        })?;
        if was_ended {
            warnings.warn(format!("'{name}' did not answer: what its guest had not written to disk is lost"));
        }
        let text = format!("{name} is stopped; start it with: bottle-freeze start {name}");
        app.terminal.result(name.as_str(), &text);
        Ok(Change::Stopped)
    })
}
