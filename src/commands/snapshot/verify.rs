//! `snapshot verify`: check that snapshots in the library are whole.

use super::print::no_snapshots;
use crate::app::App;
use crate::commands::batch;
use crate::completion::Offer;
use crate::error::Result;
use crate::library::store::Seen;
use crate::library::{Stored, catalog};
use crate::operations::resolve::{self, Asked};
use crate::operations::{lock, verify};
use crate::report::Whole;

/// Check that snapshots are whole: SHA-256, footer, CRC-32, manifest
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze snapshot verify dev@ready\n  bottle-freeze snapshot verify --all"
)]
pub struct Args {
    /// Snapshots: VM (its newest), VM@TAG or VM@ID
    #[arg(required_unless_present = "all", conflicts_with = "all", add = Offer::Snapshots)]
    pub snapshots: Vec<String>,
    /// Check all snapshots in the library
    #[arg(long)]
    pub all: bool,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let all = if args.all {
        let (all, broken) = catalog::list(None)?;
        if all.is_empty() && broken.is_empty() {
            app.terminal.note(&no_snapshots(None));
        }
        all.into_iter().map(Asked::from).chain(broken.into_iter().map(Asked::from)).collect()
    } else {
        resolve::several(&args.snapshots, resolve::readable, Stored::reference)
    };
    // Snapshots share chunks: each is read once.
    let seen = Seen::default();
    let results = batch::each(app, &batch::SNAPSHOTS, 1, &all, |app, asked, _| {
        let one = asked.get()?;
        let _reading = lock::reading(app, one)?;
        let check = || verify::snapshot(app, &one.folder, &one.metadata, &seen);
        let artifact = app.terminal.during("check", &format!("checking {asked}"), check)?;
        app.terminal.result(asked, &format!("{asked} is whole"));
        let crc32 = format!("{:08x}", artifact.crc32);
        Ok(Whole { reference: one.reference(), whole: true, bytes: artifact.bytes, crc32 })
    });
    let checked = all.into_iter().zip(results);
    let is_meant = |(asked, result): &(Asked<Stored>, Result<_>)| result.is_ok() || !args.all || !is_gone(asked);
    let (all, results): (Vec<_>, Vec<_>) = checked.filter(is_meant).unzip();
    batch::finish(app, &batch::SNAPSHOTS, args.snapshots.len() == 1, &all, results)
}

/// Whether it was removed after the library was listed: then it does not count.
fn is_gone(asked: &Asked<Stored>) -> bool {
    asked.get().is_ok_and(Stored::is_gone)
}
