//! `stop`: VMs, shut down.

use super::{App, Result, for_each};
use crate::cli;

pub fn run(app: &App, args: &cli::Stop) -> Result<()> {
    let engine = app.engine()?;
    for_each(&args.names, |name| {
        app.ui.during(&format!("stopping {name}"), || engine.machine_stop(name, None))?;
        app.ui.success(&format!("{name} is stopped"));
        Ok(())
    })
}
