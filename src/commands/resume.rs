//! `resume`: continue paused VMs.

use crate::app::App;
use crate::commands::args::Wait;
use crate::commands::vms::{Vms, running};
use crate::completion::Offer;
use crate::error::Result;
use crate::report::Change;
use crate::smolvm::State;

/// Continue paused VMs
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze resume dev\n  bottle-freeze resume --label team=a")]
#[command(mut_arg("names", |names| names.add(Offer::Vms(|state| *state == State::Paused))))]
pub struct Args {
    #[command(flatten)]
    pub vms: Vms,
    #[command(flatten)]
    pub wait: Wait,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let fits = |state: &State| *state == State::Paused;
    args.vms.change(app, &args.wait, fits, |app, engine, name, _| {
        app.terminal.during("resume", &format!("resuming {name}"), || engine.machine_resume(name))?;
        app.terminal.result(name.as_str(), &running(name));
        Ok(Change::Running)
    })
}
