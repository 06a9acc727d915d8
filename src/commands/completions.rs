//! `completions`: what a shell's user sources, so that the shell asks this program what may stand where TAB is pressed.

use super::{Failure, Result, Status, shells};
use crate::cli::Completions;
use crate::ui;

pub fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    shells::write_script(&args.shell.to_string(), &mut script)
        .map_err(|error| Failure::new(Status::Failed, format!("the script cannot be made: {error}")))?;
    ui::lines([String::from_utf8_lossy(&script).trim_end().to_owned()]);
    Ok(())
}
