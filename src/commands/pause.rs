//! `pause`: save the RAM of VMs, and shut them down.

use crate::app::App;
use crate::commands::args::Wait;
use crate::commands::vms::Vms;
use crate::completion::Offer;
use crate::error::Result;
use crate::report::Change;
use crate::smolvm::State;

/// Save the RAM of running VMs and shut them down until you resume them
///
/// A paused VM cannot be frozen: its RAM would be lost.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze pause dev\n  bottle-freeze pause --all")]
#[command(mut_arg("names", |names| names.add(Offer::Vms(|state| *state == State::Running))))]
pub struct Args {
    #[command(flatten)]
    pub vms: Vms,
    #[command(flatten)]
    pub wait: Wait,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let fits = |state: &State| *state == State::Running;
    args.vms.change(app, &args.wait, fits, |app, engine, name, _| {
        app.terminal.during("pause", &format!("pausing {name}"), || engine.machine_pause(name))?;
        app.terminal.result(name.as_str(), &format!("{name} is paused; resume it with: bottle-freeze resume {name}"));
        Ok(Change::Paused)
    })
}
