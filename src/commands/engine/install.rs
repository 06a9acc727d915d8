//! `engine install`: download an engine from PyPI.

use super::r#use::CHECK;
use crate::app::App;
use crate::commands::args::engine_version;
use crate::error::{Failure, Result};
use crate::install::{self, InstallError};
use crate::operations::engines::{find, staging};
use crate::operations::lock;
use crate::report::InstalledEngine;
use crate::smolvm::Version;
use crate::smolvm::installed::Installed;

/// Download an engine from PyPI
///
/// It comes with the package `smolmachines`, whose SHA-256 is checked. The first engine you install is chosen for use.
/// $PIP_INDEX_URL names a mirror (with the JSON API of PEP 691), $HTTPS_PROXY a proxy, $SSL_CERT_FILE the certificates to
/// trust.
#[allow(clippy::doc_markdown, reason = "variables, in a help text")]
#[derive(Debug, clap::Args)]
#[command(
    disable_version_flag = true,
    after_long_help = "Examples:\n  bottle-freeze engine install\n  bottle-freeze engine install --version 1.32.2"
)]
pub struct Args {
    /// Version to install [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = engine_version)]
    pub version: Option<Version>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let _lock = lock::engines(app)?;
    let is_there = |there: &Installed| {
        let text = format!("smolvm {} is already installed: {}", there.version, there.executable().display());
        app.terminal.result(there.version.to_string(), &text);
        app.terminal.report(&InstalledEngine::from(there));
    };
    if let Some(there) = args.version.and_then(find) {
        is_there(&there);
        return Ok(());
    }
    let work = staging()?;
    let _note = app.signals.note(format!("{} stays until the next run removes it", work.path().display()));
    let unchanged = |error: InstallError| Failure::from(error).state("nothing was installed");
    let mut progress = app.terminal.progress("install", "downloading an engine", Some(work.path()));
    let fetched = install::fetch(args.version, work.path(), &app.signals, &mut |phase| {
        progress.step(phase);
        progress.tick();
    });
    progress.end(fetched.is_ok());
    let version = fetched.map_err(unchanged)?;
    if let Some(there) = find(version) {
        is_there(&there);
        return Ok(());
    }
    let engine = install::publish(version, work.path()).map_err(unchanged)?;
    let use_it = format!("use it with: bottle-freeze engine use {version}");
    let hint = if engine.in_use { CHECK } else { &use_it };
    let text = format!("installed smolvm {version}: {}; {hint}", engine.executable().display());
    app.terminal.result(version.to_string(), &text);
    app.terminal.report(&InstalledEngine::from(&engine));
    Ok(())
}
