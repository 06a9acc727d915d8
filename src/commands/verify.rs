//! `verify`: check that snapshots are whole, without an engine.

use crate::app::App;
use crate::commands::batch;
use crate::completion::Offer;
use crate::error::Result;
use crate::operations::packed;
use crate::operations::resolve::{self, Asked, SnapshotSource, Whole};
use crate::report::{Done, Verified};
use clap::ValueHint;
use std::ffi::OsString;

/// Check that snapshots are whole
///
/// Reads each file once and checks its footer, CRC-32 and manifest, and the SHA-256 recorded in a snapshot.json beside it.
/// Needs no engine.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze verify dev.smolmachine\n  bottle-freeze verify --json *.smolmachine"
)]
pub struct Args {
    /// Snapshots to check: .smolmachine files, or from the library VM (its newest), VM@TAG or VM@ID
    #[arg(required = true, value_name = "SNAPSHOT", value_hint = ValueHint::FilePath, add = Offer::AnySnapshots)]
    pub snapshots: Vec<OsString>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let all = resolve::several_of_any_kind(app, &args.snapshots);
    let results = batch::each(app, &batch::SNAPSHOTS, 1, &all, |app, asked, _| {
        let found = asked.get()?;
        let whole = app.terminal.during("check", &format!("checking {asked}"), || found.whole(app))?;
        let size = packed::size(whole.artifact.bytes);
        let text = format!("{asked} is whole ({size}, CRC-32 {:08x})", whole.artifact.crc32);
        app.terminal.result(asked, &text);
        Ok(whole)
    });
    let reports = all.iter().zip(&results).map(|(asked, checked)| verified(asked, checked));
    app.terminal.report(&reports.collect::<Vec<_>>());
    batch::verdict(&batch::SNAPSHOTS, &all, results)
}

fn verified(asked: &Asked<SnapshotSource>, checked: &Result<Done<Whole>>) -> Verified {
    match checked {
        Ok(Done { result: Whole { artifact, path, sha256 }, warnings }) => Verified {
            path: path.display().to_string(),
            whole: true,
            bytes: Some(artifact.bytes),
            crc32: Some(format!("{:08x}", artifact.crc32)),
            sha256: sha256.clone(),
            error: None,
            warnings: warnings.clone(),
        },
        Err(failure) => Verified {
            path: asked.get().map_or_else(|_| asked.to_string(), |found| found.path().display().to_string()),
            whole: false,
            bytes: None,
            crc32: None,
            sha256: None,
            error: Some(failure.error()),
            warnings: failure.warnings.clone(),
        },
    }
}
