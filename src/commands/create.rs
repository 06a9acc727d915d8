//! `create`: a VM, bare, from an image, or from a snapshot that was checked first.

use super::consent::{self, Words};
use super::make::{self, Reach, make_vm};
use super::{App, Result, configuration, each, env, fidelity, found};
use crate::smolvm::{Name, Recipe, Source};
use crate::snapshot::Stored;
use crate::ui::Warnings;
use crate::{cli, ui};
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
    let (mut net, mut ports, mut live_reach) = (args.net, args.port.clone(), None);
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
            let words = Words { net, allow_cidrs: &args.allow_cidr, ports: &ports };
            let opens = consent::check(app, &checked, &words, false)?;
            if checked.artifact.manifest.is_live() {
                // It brings its network and its ports along: the words only agree to them.
                (net, ports, live_reach) = (false, Vec::new(), Some(Reach::of_live(&checked)));
            } else {
                net |= opens && args.allow_cidr.is_empty();
            }
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
        ports: each::distinct(&ports),
        labels: each::distinct(&args.label),
        workdir: args.workdir.clone(),
        settings: Vec::new(),
    };
    configuration::check(&recipe)?;
    let engine = app.engine()?;
    let began = SystemTime::now();
    let _lock = make::lock_name(app, &engine, &args.name)?;
    let reach = live_reach.unwrap_or_else(|| Reach::asked_by(&recipe));
    app.ui.during("create", &format!("creating {}", args.name), || {
        make_vm(&engine, &args.name, &recipe, &recipe, &reach, warnings)
    })?;
    let text = format!("created {0}; start it with: bottle-freeze start {0}", args.name);
    app.ui.result(args.name.as_str(), &text);
    let seconds = began.elapsed().unwrap_or_default().as_secs_f64();
    app.ui.report(&Created { vm: &args.name, state: "created", seconds, warnings: warnings.list() });
    Ok(())
}
