//! `start`: VMs that execute commands when this returns.

use super::{App, Result, for_each};
use crate::cli;
use std::time::Duration;

/// How long a started VM is polled until it executes a command. The engine's own limit for a boot is 30 s.
pub const READY: Duration = Duration::from_secs(60);

pub fn run(app: &App, args: &cli::Start) -> Result<()> {
    let engine = app.engine()?;
    for_each(&args.names, |name| {
        app.ui.during(&format!("starting {name}"), || {
            engine.machine_start(name)?;
            if args.no_wait { Ok(()) } else { engine.wait_exec_ready(name, READY) }
        })?;
        app.ui.success(&format!("{name} is running"));
        Ok(())
    })
}
