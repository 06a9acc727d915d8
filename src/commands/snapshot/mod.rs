//! `snapshot`: the snapshots in the library.

use crate::app::App;
use crate::error::Result;
use clap::Subcommand;

mod cat;
mod diff;
mod export;
mod files;
mod import;
mod ls;
mod patch;
mod print;
mod prune;
mod pull;
mod push;
mod rm;
mod show;
mod tag;
mod tree;
mod verify;

pub use print::described;

/// List, check, tag, remove and share the snapshots in the library
#[derive(Debug, Subcommand)]
// `help snapshot` does the same, and the list fits a screen.
#[command(disable_help_subcommand = true)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot ls\n  bottle-freeze snapshot verify --all\n  \
    bottle-freeze snapshot prune dev --keep-last 3 --dry-run")]
pub enum Command {
    Ls(ls::Args),
    Show(show::Args),
    Files(files::Args),
    Cat(cat::Args),
    Diff(diff::Args),
    Verify(verify::Args),
    Tag(tag::Args),
    Rm(rm::Args),
    Prune(prune::Args),
    Push(push::Args),
    Pull(pull::Args),
    Export(export::Args),
    Import(import::Args),
}

pub fn run(app: &App, command: &Command) -> Result<()> {
    match command {
        Command::Ls(args) => ls::run(app, args),
        Command::Show(args) => show::run(app, args),
        Command::Files(args) => files::run(app, args),
        Command::Cat(args) => cat::run(app, args),
        Command::Diff(args) => diff::run(app, args),
        Command::Verify(args) => verify::run(app, args),
        Command::Tag(args) => tag::run(app, args),
        Command::Rm(args) => rm::run(app, args),
        Command::Prune(args) => prune::run(app, args),
        Command::Push(args) => push::run(app, args),
        Command::Pull(args) => pull::run(app, args),
        Command::Export(args) => export::run(app, args),
        Command::Import(args) => import::run(app, args),
    }
}
