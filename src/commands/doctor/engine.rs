//! The line about the engine: it packs a VM, as a trial.

use super::check::{Check, LEAST_ROOM};
use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{Health, Staging};
use crate::operations::verify;
use crate::report::Details;
use crate::smolvm::{ABILITIES, EngineError, EngineSource, Fact, Machine, Smolvm, broken_files, empty_program};

/// An engine that works, and its VMs.
pub struct Working {
    pub engine: Smolvm,
    pub machines: Vec<Machine>,
}

/// Finds the engine and tries it. Also returns the engine, if it lists VMs.
pub fn check(app: &App, health: &Health) -> (Check, Option<Working>) {
    let engine = match app.engine() {
        Ok(engine) => engine,
        Err(failure) => return (failed(String::new(), failure), None),
    };
    let (version, path, source) = (engine.version(), engine.path(), engine.source());
    let abilities = |can: bool| {
        let those = ABILITIES.iter().filter(|fact| version.has(**fact) == can);
        those.map(|fact| fact.ability().to_owned()).collect::<Vec<_>>()
    };
    let (can, cannot) = (abilities(true), abilities(false));
    let dialect = if version.has(Fact::NameFlags) { "--name NAME" } else { "positional NAME" };
    let what = format!("smolvm {version}, {} (from {source}), speaks {dialect}", path.display());
    let details = Details::Engine {
        version: version.to_string(),
        path: path.display().to_string(),
        from: source.to_string(),
        dialect: dialect.to_owned(),
        can,
        cannot: cannot.clone(),
    };
    let machines = match engine.machine_ls() {
        Ok(machines) => machines,
        Err(error) => return (failed(format!("{what}, but: "), error.into()).details(details), None),
    };
    let check = of_engine(app, &engine, health, &what, &cannot).details(details);
    (check, Some(Working { engine, machines }))
}

fn of_engine(app: &App, engine: &Smolvm, health: &Health, what: &str, cannot: &[String]) -> Check {
    if let Some((folder, error)) = engine.unwritable_cache() {
        let (what, shown) = (format!("{what}, but cannot write into {}: {error}", folder.display()), folder.display());
        return Check::problem("engine", Status::Failed, what, format!("ls -ld {shown}, and make it writable"));
    }
    let Ok(scratch) = health.trial_folder(LEAST_ROOM) else {
        return Check::warning("engine", format!("{what}, not tried: too little free space"), "df -h");
    };
    if let Err(failure) = app.terminal.during("check", "trying the engine", || try_to_freeze(app, engine, &scratch)) {
        return failed(format!("{what}, but a trial freeze failed: "), failure);
    }
    drop(scratch);
    if let Some(file) = broken_files(engine.path()).first() {
        let what = format!("{what}, freezes, but starts no VM: {} is not whole", file.display());
        return Check::warning("engine", what, install_again(engine));
    }
    if cannot.is_empty() {
        return Check::ok("engine", format!("{what}, can do all that bottle-freeze asks"));
    }
    let hint = match engine.source() {
        EngineSource::Installed => "bottle-freeze engine install",
        EngineSource::Path => "upgrade it, or `bottle-freeze engine install` and name that one in $SMOLVM",
        EngineSource::Flag | EngineSource::Variable => "bottle-freeze engine install, and name no other",
    };
    Check::warning("engine", format!("{what}, cannot {}", cannot.join(", ")), hint)
}

/// Freezes an empty VM into a folder that is then removed, and checks the artifact.
fn try_to_freeze(app: &App, engine: &Smolvm, scratch: &Staging) -> Result<()> {
    let try_it = || {
        let artifact = engine.try_to_pack(scratch.path()).map_err(shorten)?.artifact;
        verify::check(app, &artifact)?;
        match empty_program(&artifact) {
            None => Ok(()),
            Some(program) => {
                let what = format!("/{} of the guest's system is an empty file: no VM boots", program.display());
                Err(Failure::new(Status::BadEngine, what))
            }
        }
    };
    try_it().map_err(|failure: Failure| match failure.hint {
        None => failure.hint(install_again(engine)),
        Some(_) => failure,
    })
}

/// The last line of the engine, without the command: one line of `doctor` has no room for it.
fn shorten(error: EngineError) -> Failure {
    let said = match &error {
        EngineError::Failed { stderr, .. } => stderr.lines().last().map(str::to_owned),
        _ => None,
    };
    let failure = Failure::from(error);
    match said {
        Some(said) => Failure { what: said.trim_start_matches("Error: ").to_owned(), ..failure },
        None => failure,
    }
}

fn install_again(engine: &Smolvm) -> String {
    let version = engine.version();
    match engine.source() {
        EngineSource::Installed => {
            format!("bottle-freeze engine rm {version} && bottle-freeze engine install --version {version}")
        }
        EngineSource::Flag | EngineSource::Variable | EngineSource::Path => {
            let set =
                ["SMOLVM_AGENT_ROOTFS", "SMOLVM_LIB_DIR"].into_iter().filter(|key| std::env::var_os(key).is_some());
            match set.collect::<Vec<_>>().join(" ") {
                none if none.is_empty() => "install smolvm again, or name another one in $SMOLVM".to_owned(),
                set => format!("unset {set}"),
            }
        }
    }
}

fn failed(before: String, failure: Failure) -> Check {
    let hint = failure.hint.unwrap_or_else(|| "install smolvm again, or name another one in $SMOLVM".into());
    Check::problem("engine", failure.status, before + &failure.what, hint)
}
