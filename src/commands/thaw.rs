//! `thaw`: snapshot → VM, as it was frozen.

use super::found::{self, Found};
use super::start::start;
use super::{App, Failure, Result, Status, verify};
use crate::smolvm::{EngineError, Machine, Name, Recipe, Smolvm, Source};
use crate::snapshot::Metadata;
use crate::{cli, interrupt, ui};
use std::path::Path;

pub fn run(app: &App, args: &cli::Thaw) -> Result<()> {
    let found = found::find(&args.snapshot)?;
    let artifact = std::path::absolute(found.artifact())
        .map_err(|error| Failure::new(Status::Failed, format!("{}: {error}", found.artifact().display())))?;
    app.ui.during("checking the snapshot", || verify::check(&artifact))?;
    let metadata = match &found {
        Found::Stored(stored) => Some(&stored.metadata),
        Found::File(_) => None,
    };
    let engine = app.engine()?;
    let machines = engine.machine_ls()?;
    let name = match &args.name {
        Some(name) if machines.iter().any(|machine| machine.name == name.as_str()) => {
            return Err(EngineError::NameTaken(name.to_string()).into());
        }
        Some(name) => name.clone(),
        None => free_name(metadata, &artifact, &machines)?,
    };
    let recipe = recipe(args, &artifact, metadata, &engine);
    app.ui.during(&format!("creating {name}"), || create(&engine, &name, &recipe))?;
    if args.no_start {
        app.ui.success(&format!("thawed {name}; start it with: bottle-freeze start {name}"));
        return Ok(());
    }
    app.ui.during(&format!("starting {name}"), || start(&engine, &name, args.timeout, true)).map_err(|error| {
        Failure::from(error)
            .now(format!("'{name}' is created, and does not run"))
            .mend(format!("bottle-freeze start {name}"))
    })?;
    app.ui.success(&format!("thawed {name}; it is running"));
    Ok(())
}

/// Makes the VM, of which there was none. One that an interrupted engine has half made is deleted.
fn create(engine: &Smolvm, name: &Name, recipe: &Recipe) -> Result<(), EngineError> {
    let created = engine.machine_create(name, recipe);
    if matches!(created, Err(EngineError::Interrupted(_))) {
        interrupt::recover();
        if engine.machine(name).is_ok() {
            engine.machine_delete(name)?;
        }
    }
    created
}

/// The frozen VM's own name, or the file's; with a number when that is taken.
fn free_name(metadata: Option<&Metadata>, artifact: &Path, machines: &[Machine]) -> Result<Name> {
    let stem = artifact.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let own = metadata.map(|metadata| metadata.vm.clone()).or(stem).unwrap_or_default();
    let is_free = |name: &Name| !machines.iter().any(|machine| machine.name == name.as_str());
    let names = (1..1000).map(|number| if number == 1 { own.clone() } else { format!("{own}-{number}") });
    names.filter_map(|name| name.parse().ok()).find(is_free).ok_or_else(|| {
        let what = format!("no VM can be named after {}", artifact.display());
        Failure::new(Status::Usage, what).mend("give the new VM a NAME")
    })
}

/// The VM as it was frozen, but for what was asked otherwise.
fn recipe(args: &cli::Thaw, artifact: &Path, metadata: Option<&Metadata>, engine: &Smolvm) -> Recipe {
    let frozen = metadata.map(|metadata| &metadata.machine);
    let asked = args.net || !args.allow_cidr.is_empty();
    let recorded = frozen.and_then(|frozen| frozen.allowed_cidrs.clone()).unwrap_or_default();
    let cidrs = if asked { args.allow_cidr.clone() } else { recorded };
    if frozen.is_some_and(|frozen| frozen.network) && !asked && cidrs.is_empty() {
        ui::warning(
            "the frozen VM had a network, of which not every limit is known: this one has none (--net gives it)",
        );
    }
    let labels = frozen.map(|frozen| frozen.labels.iter().map(|(key, value)| format!("{key}={value}")).collect());
    Recipe {
        source: Source::Artifact(artifact.to_owned()),
        cpus: args.cpus.or(frozen.map(|frozen| frozen.cpus)),
        memory_mib: args.mem.or(frozen.map(|frozen| frozen.memory_mib)),
        storage_gb: frozen.and_then(|frozen| frozen.storage_gb),
        overlay_gb: frozen.and_then(|frozen| frozen.overlay_gb),
        net: args.net,
        allow_cidrs: cidrs,
        env: Vec::new(),
        volumes: Vec::new(),
        ports: Vec::new(),
        labels: labels.filter(|_| engine.version().takes_labels()).unwrap_or_default(),
        workdir: None,
    }
}
