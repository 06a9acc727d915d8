//! `engine`: install smolvm engines and choose one.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::install::InstallError;
use crate::library::Staging;
use crate::smolvm::Version;
use crate::smolvm::installed::{Installed, installed};
use crate::terminal::JsonPath;
use clap::Subcommand;
use serde::Serialize;

mod install;
mod ls;
mod rm;
mod r#use;

/// Install smolvm engines and choose one
///
/// The chosen engine is used unless --smolvm or $SMOLVM names another, or one is on PATH.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  bottle-freeze engine install\n  bottle-freeze engine ls\n  \
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

/// A private folder among the engines: what is made there is renamed into place, what is renamed into it is gone.
fn private() -> Result<Staging> {
    let folder = crate::install::folder()?;
    Staging::after_sweep(&folder).map_err(|error| Failure::not_writable(&folder, &error))
}

/// What is likely to be done with an engine that is in use now.
const CHECK: &str = "see whether it can run VMs here with: bottle-freeze doctor";

fn find(version: Version) -> Option<Installed> {
    installed().into_iter().find(|one| one.version == version)
}

fn find_or_fail(version: Version) -> Result<Installed> {
    find(version).ok_or_else(|| {
        let get = format!("`bottle-freeze engine install --version {version}` gets it");
        Failure::new(Status::BadEngine, format!("smolvm {version} is not installed")).hint(get)
    })
}

/// An engine, as `--json` prints it.
#[derive(Serialize)]
struct Listed {
    version: String,
    in_use: bool,
    path: JsonPath,
}

impl Listed {
    fn of(one: &Installed) -> Self {
        Self { version: one.version.to_string(), in_use: one.in_use, path: JsonPath(one.executable()) }
    }
}

/// Reads `1.32.2`.
fn engine_version(text: &str) -> Result<Version, &'static str> {
    let version = text.parse::<Version>().ok().filter(|version| version.to_string() == text);
    version.ok_or("a version is three numbers, such as 1.32.2")
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let what = error.to_string();
        match error {
            InstallError::NoSuchEngine(_) => Self::new(Status::BadEngine, what),
            InstallError::Download { .. } => Self::new(Status::Failed, what).hint(
                "$PIP_INDEX_URL names another index, $HTTPS_PROXY a proxy, $SSL_CERT_FILE the certificates to trust",
            ),
            InstallError::Untrusted { .. } => {
                Self::new(Status::Failed, what).hint("try again; $PIP_INDEX_URL names another index")
            }
            InstallError::NotWritable { source, .. } => Self::unwritten(what, &source)
                .or_hint("free some disk space, or name another folder in $BOTTLE_FREEZE_HOME"),
            InstallError::Foreign { .. } => Self::new(Status::NotWritable, what)
                .state("nothing was removed")
                .hint("move that elsewhere, and try again"),
            InstallError::DoesNotRun { .. } => Self::new(Status::BadEngine, what)
                .hint("an older one may run here: `bottle-freeze engine install --version VERSION`"),
            InstallError::Interrupted(interrupted) => interrupted.into(),
        }
    }
}
