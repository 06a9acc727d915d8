//! `engine use`: choose the installed engine to use.

use crate::app::App;
use crate::commands::args::engine_version;
use crate::error::Result;
use crate::install;
use crate::operations::engines::{find_or_fail, staging};
use crate::operations::lock;
use crate::report::InstalledEngine;
use crate::smolvm::Version;

/// What a user of a chosen engine is likely to do next.
pub const CHECK: &str = "check that it can run VMs here with: bottle-freeze doctor";

/// Choose the installed engine to use
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze engine use 1.32.2")]
pub struct Args {
    /// Version to use
    #[arg(id = "engine", value_name = "VERSION", value_parser = engine_version)]
    pub version: Version,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let version = args.version;
    let _lock = lock::engines(app)?;
    let engine = find_or_fail(version)?;
    install::set_in_use(version, staging()?.path())?;
    app.terminal.result(version.to_string(), &format!("smolvm {version} is in use; {CHECK}"));
    app.terminal.report(&InstalledEngine { in_use: true, ..InstalledEngine::from(&engine) });
    Ok(())
}
