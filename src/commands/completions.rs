//! `completions`: what a shell's user sources, so that the shell asks this program what may stand where TAB is pressed.

use crate::cli::Completions;
use crate::completion::shells;
use crate::error::{Failure, Result, Status};
use crate::terminal;

pub fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    shells::write_script(&args.shell.to_string(), &mut script)
        .map_err(|error| Failure::new(Status::Failed, format!("the script cannot be made: {error}")))?;
    terminal::lines([String::from_utf8_lossy(&script).trim_end().to_owned()]);
    Ok(())
}
