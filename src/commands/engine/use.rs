//! `engine use`: choose the installed engine to use.

use super::{CHECK, Listed, engine_version, find_or_fail, private};
use crate::app::App;
use crate::error::Result;
use crate::install;
use crate::operations::lock;
use crate::smolvm::Version;

/// Choose the installed engine to use
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze engine use 1.32.2")]
pub struct Args {
    /// Version to use
    #[arg(id = "engine", value_name = "VERSION", value_parser = engine_version)]
    pub version: Version,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let version = args.version;
    let _lock = lock::engines(app)?;
    let engine = find_or_fail(version)?;
    install::set_in_use(version, private()?.path())?;
    app.terminal.result(version.to_string(), &format!("smolvm {version} is in use; {CHECK}"));
    app.terminal.report(&Listed { in_use: true, ..Listed::of(&engine) });
    Ok(())
}
