//! `create`: a VM, bare, from an image, or from a snapshot that was checked first.

use super::{App, Failure, Result, configuration, env, found};
use crate::smolvm::artifact::{self, Artifact};
use crate::smolvm::{EngineError, Name, Recipe, Smolvm, Source};
use crate::snapshot::Stored;
use crate::ui::Warnings;
use crate::{cli, interrupt, ui};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What was made, as `--json` prints it.
#[derive(Serialize)]
struct Created<'a> {
    vm: &'a Name,
    state: &'static str,
    seconds: f64,
    warnings: Vec<String>,
}

pub fn run(app: &App, args: &cli::Create) -> Result<()> {
    let warnings = Warnings::new();
    create(app, args, &warnings).map_err(|failure| failure.after(warnings.list()))
}

fn create(app: &App, args: &cli::Create, warnings: &Warnings) -> Result<()> {
    ui::about("vm", &args.name);
    let mut net = args.net;
    let source = match (&args.image, &args.from) {
        (Some(image), _) => Source::Image(image.clone()),
        (None, Some(snapshot)) => {
            let found = found::find(snapshot)?;
            if found.stored().and_then(Stored::workspace).is_some() {
                warnings.warn("its /workspace lies beside the artifact: only `bottle-freeze thaw` puts it back");
            }
            let (artifact, path) = whole_artifact(app, &found.artifact())?;
            found.check_network(&artifact, args.net || !args.allow_cidr.is_empty())?;
            // A live one brings its network along: --net only agrees to that.
            net &= !artifact.manifest.is_live();
            Source::Artifact(path)
        }
        (None, None) => Source::Bare,
    };
    let recipe = Recipe {
        source,
        cpus: args.cpus,
        memory_mib: args.mem,
        storage_gb: args.storage,
        overlay_gb: args.overlay,
        net,
        allow_cidrs: args.allow_cidr.clone(),
        env: env::read(&args.env)?,
        volumes: args.volume.clone(),
        ports: args.port.clone(),
        labels: args.label.clone(),
        workdir: args.workdir.clone(),
    };
    configuration::check(&recipe)?;
    let engine = app.engine()?;
    let began = SystemTime::now();
    let text = format!("creating {}", args.name);
    app.ui.during("create", &text, || make_vm(&engine, &args.name, &recipe, &recipe, warnings))?;
    let text = format!("created {0}; start it with: bottle-freeze start {0}", args.name);
    app.ui.result(args.name.as_str(), &text);
    let seconds = began.elapsed().unwrap_or_default().as_secs_f64();
    app.ui.report(&Created { vm: &args.name, state: "created", seconds, warnings: warnings.list() });
    Ok(())
}

/// Makes a VM, and remembers what is `known` of it. One that an interrupted engine has half made is deleted.
pub fn make_vm(
    engine: &Smolvm,
    name: &Name,
    recipe: &Recipe,
    known: &Recipe,
    warnings: &Warnings,
) -> Result<(), EngineError> {
    let began = SystemTime::now();
    let created = engine.machine_create(name, recipe);
    if matches!(created, Err(EngineError::Interrupted(_))) {
        interrupt::recover();
        // Not one of that name that was there before: the engine would have refused it. It counts in whole seconds.
        let is_new = |at| SystemTime::UNIX_EPOCH + Duration::from_secs(at + 1) > began;
        if engine.machine(name).is_ok_and(|vm| vm.created_at.is_some_and(is_new)) {
            engine.machine_delete(name)?;
        }
    }
    created.map(|()| configuration::remember(name, known, began, warnings))
}

/// The engine believes a damaged file up to 1.14.3, so no engine is asked to.
fn whole_artifact(app: &App, path: &Path) -> Result<(Artifact, PathBuf)> {
    let checked = app.ui.during("check", &format!("checking {}", path.display()), || artifact::verify(path));
    let artifact = checked.map_err(|error| {
        let mut sidecar = path.as_os_str().to_owned();
        sidecar.push(".smolmachine");
        let failure = Failure::artifact(path, &error);
        let sidecar = PathBuf::from(sidecar);
        if sidecar.is_file() { failure.mend(format!("did you mean {}?", sidecar.display())) } else { failure }
    })?;
    let path = std::path::absolute(path).map_err(|error| Failure::artifact(path, &error.into()))?;
    Ok((artifact, path))
}
