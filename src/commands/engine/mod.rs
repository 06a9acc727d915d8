//! `engine`: install smolvm engines and choose one.

use crate::app::App;
use crate::error::Result;
use clap::Subcommand;

mod install;
mod ls;
mod rm;
mod r#use;

/// Install smolvm engines and choose one
///
/// The chosen engine is used unless --smolvm or $SMOLVM names another, or one is on PATH.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "Examples:\n  bottle-freeze engine install\n  bottle-freeze engine ls\n  \
    bottle-freeze engine use 1.32.2")]
pub enum Command {
    Install(install::Args),
    #[command(visible_alias = "list")]
    Ls(ls::Args),
    Use(r#use::Args),
    Rm(rm::Args),
}

pub fn run(app: &App, command: &Command) -> Result<()> {
    match command {
        Command::Install(args) => install::run(app, args),
        Command::Ls(_) => {
            ls::run(app);
            Ok(())
        }
        Command::Use(args) => r#use::run(app, args),
        Command::Rm(args) => rm::run(app, args),
    }
}
