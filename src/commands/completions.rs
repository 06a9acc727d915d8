//! `completions`: a shell's script, for the user to source.

use super::Result;
use crate::cli::{Cli, Completions};
use crate::ui;
use clap::CommandFactory;

// Every subcommand may fail, this one cannot.
#[allow(clippy::unnecessary_wraps)]
pub fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bottle-freeze", &mut script);
    ui::lines([String::from_utf8_lossy(&script).into_owned()]);
    Ok(())
}
