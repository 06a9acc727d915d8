//! `snapshot`: the snapshots in the library.

use crate::app::App;
use crate::error::Result;
use crate::library::{Broken, Stored, Tag};
use crate::smolvm::Name;
use crate::terminal::Warnings;
use clap::Subcommand;
use serde_json::json;

mod export;
mod import;
mod ls;
mod prune;
mod pull;
mod push;
mod rm;
mod show;
mod tag;
mod verify;

/// List, check, tag, remove and share the snapshots in the library
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot ls\n  bottle-freeze snapshot verify --all\n  \
    bottle-freeze snapshot prune dev --keep-last 3 --dry-run")]
pub enum Command {
    Ls(ls::Args),
    Show(show::Args),
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

/// What is printed where there is no snapshot, or none of that VM.
pub fn no_snapshots(vm: Option<&Name>) -> String {
    let of = vm.map(|vm| format!(" of {vm}")).unwrap_or_default();
    format!("no snapshots{of}; make one with: bottle-freeze freeze {}", vm.map_or("VM", Name::as_str))
}

/// Warns of each folder in the library that is no snapshot; for programs, the entry of each.
pub fn warn_of<T>(app: &App, broken: Vec<Broken>, entry: impl Fn(Broken, Vec<String>) -> T) -> Vec<T> {
    let each = |one: Broken| {
        let warnings = Warnings::new(&app.terminal);
        warnings.warn(one.to_string());
        entry(one, warnings.list())
    };
    broken.into_iter().map(each).collect()
}

/// Tags, as people read them.
pub fn list_tags(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",")
}

/// Tells programs of a snapshot that came from elsewhere.
pub fn report_arrival(app: &App, one: &Stored, from: &str, warnings: &Warnings) {
    let (reference, snapshot) = (one.reference(), &one.metadata);
    app.terminal.report(&json!({
        "reference": reference, "from": from, "snapshot": snapshot, "warnings": warnings.list(),
    }));
}
