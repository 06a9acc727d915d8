//! `create`: a VM, bare, from an image, or from a snapshot that was checked first.

use super::{App, Result, configuration, each, env, fidelity, found};
use crate::clock;
use crate::smolvm::{EngineError, Name, Recipe, Smolvm, Source};
use crate::snapshot::Stored;
use crate::ui::Warnings;
use crate::{cli, interrupt, ui};
use serde::Serialize;
use std::time::SystemTime;

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
    // Held until the VM is made.
    let checked;
    let source = match (&args.image, &args.from) {
        (Some(image), _) => Source::Image(image.clone()),
        (None, Some(snapshot)) => {
            let found = found::find(app, snapshot)?;
            if found.stored().and_then(Stored::workspace).is_some() {
                warnings.warn("its /workspace lies beside the artifact: only `bottle-freeze thaw` puts it back");
            }
            let text = format!("checking {}", found.name());
            checked = app.ui.during("check", &text, || found.check())?;
            fidelity::check_host(&checked.artifact.manifest)?;
            fidelity::warn_of_missing_secrets(&args.name, &checked.artifact.manifest, warnings);
            checked.check_network(args.net || !args.allow_cidr.is_empty())?;
            // A live one brings its network along: --net only agrees to that.
            net &= !checked.artifact.manifest.is_live();
            Source::Artifact(checked.path().to_owned())
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
        allow_cidrs: each::distinct(&args.allow_cidr),
        env: env::read(&args.env)?,
        volumes: each::distinct(&args.volume),
        ports: each::distinct(&args.port),
        labels: each::distinct(&args.label),
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
        let is_new = |at| at >= clock::seconds(began);
        if engine.machine_listed(name).is_ok_and(|vm| vm.created_at.is_some_and(is_new)) {
            engine.machine_delete(name)?;
        }
    }
    created.map(|()| configuration::remember(name, known, began, warnings))
}
