//! `engine rm`: remove installed engines.

use super::{engine_version, find_or_fail, private};
use crate::app::App;
use crate::commands::batch;
use crate::error::{Failure, Result, Status};
use crate::install;
use crate::operations::lock;
use crate::operations::several::once;
use crate::smolvm::installed::installed;
use crate::smolvm::{Version, processes_using};
use serde_json::{Value, json};

/// Remove installed engines
///
/// VMs and snapshots stay. A running engine is not removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze engine rm 1.4.0\n  bottle-freeze engine rm 1.4.0 1.19.0")]
pub struct Args {
    /// Versions to remove
    #[arg(value_name = "VERSION", required = true, value_parser = engine_version)]
    pub versions: Vec<Version>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let versions = once(args.versions.iter().copied(), |version| *version);
    let results = batch::one_by_one(app, batch::ENGINES, &versions, |app, version, _| remove(app, *version));
    batch::report(app, batch::ENGINES, args.versions.len() == 1, &versions, &results);
    batch::verdict(batch::ENGINES, &versions, results)
}

fn remove(app: &App, version: Version) -> Result<Value> {
    let _lock = lock::engines(app)?;
    let engine = find_or_fail(version)?;
    if let Some(pid) = processes_using(&engine.folder).first() {
        let what = format!("smolvm {version} runs (process {pid})");
        return Err(Failure::new(Status::BadState, what).hint("stop its VMs with `bottle-freeze stop`"));
    }
    install::remove(&engine, private()?.path())?;
    let others = installed();
    let next = others
        .last()
        .filter(|_| engine.in_use)
        .map(|other| format!("; none is in use now, choose one with: bottle-freeze engine use {}", other.version));
    app.terminal.result(version.to_string(), &format!("removed smolvm {version}{}", next.unwrap_or_default()));
    Ok(json!({"version": version.to_string(), "removed": true}))
}
