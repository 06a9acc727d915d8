//! `engine rm`: remove installed engines.

use crate::app::App;
use crate::commands::args::engine_version;
use crate::commands::batch;
use crate::error::{Failure, Result, Status};
use crate::install;
use crate::operations::engines::{find_or_fail, staging};
use crate::operations::lock;
use crate::operations::several::once;
use crate::report::RemovedEngine;
use crate::smolvm::installed::installed;
use crate::smolvm::{Version, processes_using};

/// Remove installed engines
///
/// VMs and snapshots stay. A running engine is not removed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze engine rm 1.4.0\n  bottle-freeze engine rm 1.4.0 1.19.0")]
pub struct Args {
    /// Versions to remove
    #[arg(value_name = "VERSION", required = true, value_parser = engine_version)]
    pub versions: Vec<Version>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let versions = once(args.versions.iter().copied(), |version| *version);
    if let [_, _, ..] = versions[..] {
        batch::all_or_none(app, versions.iter().map(|version| find_or_fail(*version)), "nothing was removed")?;
    }
    let results = batch::each(app, &batch::ENGINES, 1, &versions, |app, version, _| remove(app, *version));
    batch::finish(app, &batch::ENGINES, args.versions.len() == 1, &versions, results)
}

fn remove(app: &App, version: Version) -> Result<RemovedEngine> {
    let _lock = lock::engines(app)?;
    let engine = find_or_fail(version)?;
    if let Some(pid) = processes_using(&engine.folder).first() {
        let what = format!("smolvm {version} is running (process {pid})");
        return Err(Failure::new(Status::BadState, what).hint("stop its VMs with `bottle-freeze stop`"));
    }
    install::remove(&engine, staging()?.path())?;
    let others = installed();
    let next = others
        .last()
        .filter(|_| engine.in_use)
        .map(|other| format!("; none is in use now, choose one with: bottle-freeze engine use {}", other.version));
    app.terminal.result(version.to_string(), &format!("removed smolvm {version}{}", next.unwrap_or_default()));
    Ok(RemovedEngine { version: version.to_string(), removed: true })
}
