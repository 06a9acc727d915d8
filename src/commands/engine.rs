//! `engine`: engines of our own, installed, listed, chosen and removed. Nothing is downloaded unless it is asked for.

use crate::app::App;
use crate::cli;
use crate::commands::batch;
use crate::error::{Failure, Result, Status};
use crate::install::{self, InstallError};
use crate::library::Staging;
use crate::operations::lock;
use crate::signals::ExitNote;
use crate::smolvm::installed::{Installed, installed};
use crate::smolvm::{Version, end_helpers, processes_using};
use crate::terminal::{self, JsonPath};
use serde::Serialize;
use serde_json::{Value, json};

pub fn run(app: &App, command: &cli::Engine) -> Result<()> {
    match command {
        cli::Engine::Install(args) => install(app, args),
        cli::Engine::Ls(_) => {
            ls(app);
            Ok(())
        }
        cli::Engine::Use(args) => choose(app, args.version),
        cli::Engine::Rm(args) => {
            let versions = batch::once(args.versions.iter().copied(), |version| *version);
            let results = batch::one_by_one(batch::ENGINES, &versions, |version, _| rm(app, *version));
            batch::report(app, batch::ENGINES, args.versions.len() == 1, &versions, &results);
            batch::verdict(batch::ENGINES, &versions, results)
        }
    }
}

/// How to come by an engine on this platform.
pub fn ways_to_get_one() -> String {
    let name_it = "or name one with --smolvm PATH or in $SMOLVM";
    if let Some(newest) = installed().last() {
        return format!("use an installed one with `bottle-freeze engine use {}`, {name_it}", newest.version);
    }
    let from_pypi = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64" | "aarch64") | ("macos", "aarch64") => "`bottle-freeze engine install` gets one from PyPI, ",
        _ => "PyPI has none for this platform, ",
    };
    format!("{from_pypi}https://github.com/smol-machines/smolvm has it too, {name_it}")
}

/// A private folder among the engines: what is made there is renamed into place, what is renamed into it is gone.
fn private() -> Result<Staging> {
    let folder = install::folder()?;
    Staging::after_sweep(&folder, &end_helpers).map_err(|error| Failure::not_writable(&folder, &error))
}

/// What is likely to be done with an engine that is in use now.
const CHECK: &str = "see whether it can run VMs here with: bottle-freeze doctor";

fn install(app: &App, args: &cli::EngineInstall) -> Result<()> {
    let _lock = lock::engines(app)?;
    let is_there = |there: &Installed| {
        let text = format!("smolvm {} is installed already: {}", there.version, there.executable().display());
        app.terminal.result(there.version.to_string(), &text);
        app.terminal.report(&Listed::of(there));
    };
    if let Some(there) = args.version.and_then(find) {
        is_there(&there);
        return Ok(());
    }
    let work = private()?;
    let _leaving = ExitNote::new(format!("{} stays until the next run removes it", work.path().display()));
    let unchanged = |error: InstallError| Failure::from(error).state("nothing was installed");
    let mut progress = app.terminal.progress("install", "getting an engine", Some(work.path()));
    let fetched = install::fetch(args.version, work.path(), &mut |phase| {
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
    app.terminal.report(&Listed::of(&engine));
    Ok(())
}

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

fn ls(app: &App) {
    let all = installed();
    if app.terminal.json {
        terminal::json(&all.iter().map(Listed::of).collect::<Vec<_>>());
    } else if app.terminal.quiet {
        terminal::lines(all.iter().map(|one| one.version.to_string()));
    } else if all.is_empty() {
        app.terminal.note("no engines of our own; get one with: bottle-freeze engine install");
    } else {
        let used = |one: &Installed| if one.in_use { "yes" } else { "no" }.to_owned();
        let row = |one: &Installed| vec![one.version.to_string(), used(one), one.executable().display().to_string()];
        terminal::table(&["VERSION", "IN USE", "PATH"], all.iter().map(row));
    }
}

fn choose(app: &App, version: Version) -> Result<()> {
    let _lock = lock::engines(app)?;
    let engine = find_or_fail(version)?;
    install::set_in_use(version, private()?.path())?;
    app.terminal.result(version.to_string(), &format!("smolvm {version} is in use; {CHECK}"));
    app.terminal.report(&Listed { in_use: true, ..Listed::of(&engine) });
    Ok(())
}

fn rm(app: &App, version: Version) -> Result<Value> {
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
            InstallError::Interrupted(signal) => Self::new(Status::Interrupted(signal), what),
        }
    }
}
