//! `create`: a VM, bare, from an image, or from a snapshot that was checked first.

use crate::app::App;
use crate::commands::consent::{self, Words};
use crate::commands::{batch, env};
use crate::error::Result;
use crate::library::Stored;
use crate::operations::make::{self, Reach, make_vm};
use crate::operations::{configuration, fidelity, resolve};
use crate::smolvm::{CreateOptions, Name, Source};
use crate::terminal::Warnings;
use crate::{cli, terminal};
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
    terminal::about("vm", &args.name);
    let (mut net, mut ports, mut live_reach) = (args.net, args.port.clone(), None);
    // Held until the VM is made.
    let checked;
    let source = match (&args.image, &args.from) {
        (Some(image), _) => Source::Image(image.clone()),
        (None, Some(snapshot)) => {
            let found = resolve::find(app, snapshot)?;
            if found.stored().and_then(Stored::workspace).is_some() {
                warnings.warn("its /workspace lies beside the artifact: only `bottle-freeze thaw` puts it back");
            }
            let text = format!("checking {}", found.name());
            checked = app.terminal.during("check", &text, || found.check())?;
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
    let recipe = CreateOptions {
        source,
        cpus: args.cpus,
        memory_mib: args.mem,
        storage_gb: args.storage,
        overlay_gb: args.overlay,
        net,
        allow_cidrs: batch::distinct(&args.allow_cidr),
        env: env::read(&args.env)?,
        volumes: batch::distinct(&args.volume),
        ports: batch::distinct(&ports),
        labels: batch::distinct(&args.label),
        workdir: args.workdir.clone(),
        settings: Vec::new(),
    };
    configuration::check(&recipe)?;
    let engine = app.engine()?;
    let began = SystemTime::now();
    let _lock = make::lock_name(app, &engine, &args.name)?;
    let reach = live_reach.unwrap_or_else(|| Reach::asked_by(&recipe));
    app.terminal.during("create", &format!("creating {}", args.name), || {
        make_vm(&engine, &args.name, &recipe, &recipe, &reach, warnings)
    })?;
    let text = format!("created {0}; start it with: bottle-freeze start {0}", args.name);
    app.terminal.result(args.name.as_str(), &text);
    let seconds = began.elapsed().unwrap_or_default().as_secs_f64();
    app.terminal.report(&Created { vm: &args.name, state: "created", seconds, warnings: warnings.list() });
    Ok(())
}
