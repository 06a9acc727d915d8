//! `engine`: engines of our own, installed, listed, chosen and removed. Nothing is downloaded unless it is asked for.

use super::{App, Failure, Result, Status, each, lock};
use crate::cli;
use crate::interrupt::Leaving;
use crate::smolvm::install::{self, InstallError, Installed};
use crate::smolvm::{Version, end_helpers, users_of};
use crate::snapshot::Work;
use crate::ui::{self, JsonPath};
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
            let versions = each::once(args.versions.iter().copied(), |version| *version);
            let results = each::one_by_one(each::ENGINES, &versions, |version, _| rm(app, *version));
            each::report(app, each::ENGINES, args.versions.len() == 1, &versions, &results);
            each::verdict(each::ENGINES, &versions, results)
        }
    }
}

/// How to come by an engine on this platform.
pub fn ways_to_get_one() -> String {
    let name_it = "or name one with --smolvm PATH or in $SMOLVM";
    if let Some(newest) = install::installed().last() {
        return format!("use an installed one with `bottle-freeze engine use {}`, {name_it}", newest.version);
    }
    let from_pypi = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64" | "aarch64") | ("macos", "aarch64") => "`bottle-freeze engine install` gets one from PyPI, ",
        _ => "PyPI has none for this platform, ",
    };
    format!("{from_pypi}https://github.com/smol-machines/smolvm has it too, {name_it}")
}

/// A private folder among the engines: what is made there is renamed into place, what is renamed into it is gone.
fn private() -> Result<Work> {
    let folder = install::folder()?;
    Work::after_sweep(&folder, &end_helpers).map_err(|error| Failure::not_writable(&folder, &error))
}

/// What is likely to be done with an engine that is in use now.
const CHECK: &str = "see whether it can run VMs here with: bottle-freeze doctor";

fn install(app: &App, args: &cli::EngineInstall) -> Result<()> {
    let _lock = lock::engines(app)?;
    let is_there = |there: &Installed| {
        let text = format!("smolvm {} is installed already: {}", there.version, there.executable().display());
        app.ui.result(there.version.to_string(), &text);
        app.ui.report(&Listed::of(there));
    };
    if let Some(there) = args.version.and_then(find) {
        is_there(&there);
        return Ok(());
    }
    let work = private()?;
    let _leaving = Leaving::new(format!("{} stays until the next run removes it", work.path().display()));
    let unchanged = |error: InstallError| Failure::from(error).now("nothing was installed");
    let mut progress = app.ui.progress("install", "getting an engine", Some(work.path()));
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
    app.ui.result(version.to_string(), &text);
    app.ui.report(&Listed::of(&engine));
    Ok(())
}

fn find(version: Version) -> Option<Installed> {
    install::installed().into_iter().find(|one| one.version == version)
}

fn find_or_fail(version: Version) -> Result<Installed> {
    find(version).ok_or_else(|| {
        let get = format!("`bottle-freeze engine install --version {version}` gets it");
        Failure::new(Status::BadEngine, format!("smolvm {version} is not installed")).mend(get)
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
    let all = install::installed();
    if app.ui.json {
        ui::json(&all.iter().map(Listed::of).collect::<Vec<_>>());
    } else if app.ui.quiet {
        ui::lines(all.iter().map(|one| one.version.to_string()));
    } else if all.is_empty() {
        app.ui.note("no engines of our own; get one with: bottle-freeze engine install");
    } else {
        let used = |one: &Installed| if one.in_use { "yes" } else { "no" }.to_owned();
        let row = |one: &Installed| vec![one.version.to_string(), used(one), one.executable().display().to_string()];
        ui::table(&["VERSION", "IN USE", "PATH"], all.iter().map(row));
    }
}

fn choose(app: &App, version: Version) -> Result<()> {
    let _lock = lock::engines(app)?;
    let engine = find_or_fail(version)?;
    install::set_in_use(version, private()?.path())?;
    app.ui.result(version.to_string(), &format!("smolvm {version} is in use; {CHECK}"));
    app.ui.report(&Listed { in_use: true, ..Listed::of(&engine) });
    Ok(())
}

fn rm(app: &App, version: Version) -> Result<Value> {
    let _lock = lock::engines(app)?;
    let engine = find_or_fail(version)?;
    if let Some(pid) = users_of(&engine.folder).first() {
        let what = format!("smolvm {version} runs (process {pid})");
        return Err(Failure::new(Status::BadState, what).mend("stop its VMs with `bottle-freeze stop`"));
    }
    install::remove(&engine, private()?.path())?;
    let others = install::installed();
    let next = others
        .last()
        .filter(|_| engine.in_use)
        .map(|other| format!("; none is in use now, choose one with: bottle-freeze engine use {}", other.version));
    app.ui.result(version.to_string(), &format!("removed smolvm {version}{}", next.unwrap_or_default()));
    Ok(json!({"version": version.to_string(), "removed": true}))
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let what = error.to_string();
        match error {
            InstallError::NoSuchEngine(_) => Self::new(Status::BadEngine, what),
            InstallError::Download { .. } => Self::new(Status::Failed, what).mend(
                "$PIP_INDEX_URL names another index, $HTTPS_PROXY a proxy, $SSL_CERT_FILE the certificates to trust",
            ),
            InstallError::Strange { .. } => {
                Self::new(Status::Failed, what).mend("try again; $PIP_INDEX_URL names another index")
            }
            InstallError::NotWritable { source, .. } => Self::unwritten(what, &source)
                .or_mend("free some disk space, or name another folder in $BOTTLE_FREEZE_HOME"),
            InstallError::Foreign { .. } => Self::new(Status::NotWritable, what)
                .now("nothing was removed")
                .mend("move that elsewhere, and try again"),
            InstallError::DoesNotRun { .. } => Self::new(Status::BadEngine, what)
                .mend("an older one may run here: `bottle-freeze engine install --version VERSION`"),
            InstallError::Interrupted(signal) => Self::new(Status::Interrupted(signal), what),
        }
    }
}
