//! `thaw`: snapshot → VM, as it was frozen.

use crate::app::App;
use crate::commands::args::duration;
use crate::commands::freeze;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{Configuration, Creation, Lock, Metadata, Stored};
use crate::operations::consent::{self, Words};
use crate::operations::make::{self, Reach, make_vm};
use crate::operations::resolve::{self, Checked};
use crate::operations::start::start;
use crate::operations::state::state_now;
use crate::operations::stop::stop;
use crate::operations::{configuration, fidelity, lock, workspace};
use crate::smolvm::{CreateOptions, EngineError, Machine, Name, Smolvm, Source};
use crate::terminal::{About, Warnings};
use clap::ValueHint;
use serde::Serialize;
use std::ffi::OsString;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// Make a VM from a snapshot, as it was frozen, and start it
///
/// The snapshot is checked first. The VM gets the cpus, memory, disk sizes, environment, labels and ports that it was
/// frozen with. It gets its network if all of its limits are known, as they are for VMs that bottle-freeze made.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools)]
#[command(
    after_help = "Examples:\n  bottle-freeze thaw dev\n  bottle-freeze thaw dev@ready dev-tuesday --no-start\n  \
    bottle-freeze thaw dev@ready --replace\n  \
    bottle-freeze thaw dev.smolmachine"
)]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file
    #[arg(value_hint = ValueHint::FilePath, add = Offer::AnySnapshots)]
    pub snapshot: OsString,
    /// Name of the new VM [default: the frozen VM's name if that is free, or NAME-2, NAME-3 …]
    pub name: Option<Name>,
    /// Start it and wait until it runs commands (the default)
    #[arg(long, conflicts_with = "no_start")]
    pub start: bool,
    /// Do not start it
    #[arg(long)]
    pub no_start: bool,
    /// Replace the VM of that name; it is frozen into the library first (asks for confirmation)
    #[arg(long)]
    pub replace: bool,
    /// With --replace, do not ask
    #[arg(short, long, requires = "replace")]
    pub yes: bool,
    /// Virtual CPUs [default: as frozen]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory in MiB [default: as frozen]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub mem: Option<u64>,
    /// Enable the network, without limits
    #[arg(long)]
    pub net: bool,
    /// Enable the network, limited to this CIDR block (repeatable) [default: as frozen]
    #[arg(long, value_name = "CIDR")]
    pub allow_cidr: Vec<String>,
    /// Publish this port, and none of the recorded ones (repeatable) [default: as frozen]
    #[arg(short, long, value_name = "HOST[:GUEST]")]
    pub port: Vec<String>,
    /// Longest time to wait until the VM runs commands
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
}

/// What was made, as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    vm: &'a Name,
    /// `VM@ID`, if it is of the library.
    reference: Option<String>,
    sidecar: String,
    state: &'static str,
    /// What the VM is kept as that was there before.
    replaced: Option<String>,
    seconds: f64,
    warnings: Vec<String>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    app.on_snapshot(&args.snapshot.to_string_lossy(), |app| thaw(app, args))
}

fn thaw(app: &App, args: &Args) -> Result<()> {
    let began = Instant::now();
    let found = resolve::find(app, &args.snapshot)?;
    let checked = app.terminal.phase("check", "checking the snapshot", || found.check())?;
    let artifact = checked.path();
    let live = checked.artifact.manifest.is_live();
    fidelity::check_host(&checked.artifact.manifest)?;
    let words = Words { net: args.net, allow_cidrs: &args.allow_cidr, ports: &args.port };
    let opens = consent::check(app, &checked, &words, true)?;
    let has_other_port = || args.port.iter().any(|port| !checked.artifact.manifest.live_ports().contains(port));
    if live && (args.cpus.is_some() || args.mem.is_some() || !args.allow_cidr.is_empty() || has_other_port()) {
        let what = "a live snapshot goes on with the cpus, the memory, the network and the ports that it had";
        return Err(Failure::new(Status::Usage, what).hint("thaw it without these options"));
    }
    let metadata = checked.stored().map(|stored| &stored.metadata);
    let engine = app.engine()?;
    let machines = engine.machine_ls()?;
    let name = name(args, metadata, artifact, &machines)?;
    let warnings = Warnings::new(&app.terminal.about(Some(About::Vm(name.to_string()))));
    let thaw = |app: &App| {
        let (warnings, engine) = (&warnings, app.share(&engine));
        let frozen = metadata.map(|metadata| &metadata.machine);
        let net = args.net || (opens && args.allow_cidr.is_empty());
        let mut recipe =
            if live { live_recipe(artifact, frozen) } else { recipe(args, net, artifact, frozen, &engine, warnings) };
        if let Some(metadata) = metadata.filter(|_| !live) {
            let others: Vec<&Machine> = machines.iter().filter(|machine| machine.name != name.as_str()).collect();
            recipe.settings = fidelity::options(metadata, engine.version(), &recipe, &others);
        }
        let known = if live { frozen.map_or_else(|| recipe.clone(), carried) } else { recipe.clone() };
        configuration::check(&known)?;
        let reach = if live { Reach::of_live(&checked) } else { Reach::asked_by(&recipe) };
        // Held until the VM is made, and has all that was frozen.
        let (kept, _lock) = match machines.iter().find(|machine| machine.name == name.as_str()) {
            None => (None, make::lock_name(app, &engine, &name)?),
            Some(there) if args.replace => {
                // The freeze asks it again, too; here it is for the question.
                let there = if args.yes { there.clone() } else { engine.ask_again(there.clone())? };
                let (kept, lock) = keep(app, args, &engine, &name, &there, warnings)?;
                (Some(kept), Some(lock))
            }
            Some(_) => return Err(EngineError::NameTaken(name.to_string()).into()),
        };
        let making = Making { name: &name, recipe: &recipe, known: &known, reach: &reach, checked: &checked, warnings };
        let state = make(app, args, &engine, &making).map_err(|failure| match &kept {
            Some(kept) => failure.and_state(format!("the VM that was there is kept as {kept}")),
            None => failure,
        })?;
        app.terminal.report(&Report {
            vm: &name,
            reference: checked.stored().map(Stored::reference),
            sidecar: artifact.to_string_lossy().into_owned(),
            state,
            replaced: kept,
            seconds: began.elapsed().as_secs_f64(),
            warnings: warnings.list(),
        });
        Ok(())
    };
    app.on_vm(&name, thaw).map_err(|failure| failure.after(warnings.list()))
}

/// The VM to be made.
struct Making<'a> {
    name: &'a Name,
    /// What the engine is told.
    recipe: &'a CreateOptions,
    /// What it will have, told or from the artifact.
    known: &'a CreateOptions,
    reach: &'a Reach,
    checked: &'a Checked,
    warnings: &'a Warnings,
}

/// Makes the VM, starts it, and gives it what the artifact does not hold. How it is then.
fn make(app: &App, args: &Args, engine: &Smolvm, making: &Making) -> Result<&'static str> {
    let Making { name, checked, .. } = making;
    app.terminal.phase("create", &format!("creating {name}"), || {
        make_vm(engine, name, making.recipe, making.known, making.reach, making.warnings)
    })?;
    fidelity::warn_of_missing_secrets(name, &checked.artifact.manifest, making.warnings);
    if let Some(stored) = checked.stored() {
        fidelity::warn_of_differences(&stored.metadata.machine, &engine.machine(name)?, making.warnings);
    }
    let saved = checked.stored().and_then(Stored::workspace);
    if args.no_start && saved.is_none() {
        app.terminal.result(name.as_str(), &format!("thawed {name}; start it with: bottle-freeze start {name}"));
        return Ok("created");
    }
    app.terminal
        .phase("start", &format!("starting {name}"), || start(engine, name, args.timeout, true, making.warnings))
        .map_err(|error| {
            let unknown = || format!("'{name}' is created");
            Failure::from(error)
                .state(state_now(engine, name).unwrap_or_else(unknown))
                .hint(format!("bottle-freeze start {name}"))
        })?;
    if let Some(saved) = &saved {
        workspace::restore(app, engine, name, saved).map_err(|failure| {
            let again = format!("remove it with `bottle-freeze rm {name}`, and thaw again");
            failure.state(format!("'{name}' runs without its whole /workspace")).hint(again)
        })?;
    }
    if args.no_start {
        // What was put back a moment ago is not on its disk yet.
        let writes = !engine.version().stop_flushes();
        app.terminal
            .phase("stop", &format!("stopping {name}"), || stop(engine, name, writes, None, making.warnings))?;
        app.terminal.result(name.as_str(), &format!("thawed {name}; start it with: bottle-freeze start {name}"));
        Ok("stopped")
    } else {
        app.terminal.result(
            name.as_str(),
            &format!("thawed {name}; it is running; a shell in it: bottle-freeze exec -it {name} -- sh"),
        );
        Ok("running")
    }
}

/// The name that was asked for; or the frozen VM's own, or the file's, with a number when that is taken and not to be
/// replaced.
fn name(args: &Args, metadata: Option<&Metadata>, artifact: &Path, machines: &[Machine]) -> Result<Name> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let stem = artifact.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let own = metadata.map(|metadata| metadata.vm.clone()).or(stem).unwrap_or_default();
    let is_free = |name: &Name| args.replace || !machines.iter().any(|machine| machine.name == name.as_str());
    let names = (1..1000).map(|number| if number == 1 { own.clone() } else { format!("{own}-{number}") });
    names.filter_map(|name| name.parse().ok()).find(is_free).ok_or_else(|| {
        let what = format!("no VM can be named after {}", artifact.display());
        Failure::new(Status::Usage, what).hint("give the new VM a NAME")
    })
}

/// Freezes the VM that is in the way, and deletes it. The snapshot that it is kept as, and the lock of its name.
fn keep(
    app: &App,
    args: &Args,
    engine: &Smolvm,
    name: &Name,
    there: &Machine,
    warnings: &Warnings,
) -> Result<(String, Lock)> {
    let steps = if there.state.is_up() { "Stop it, freeze it" } else { "Freeze it" };
    let question = format!("'{name}' is {}. {steps} into the library and replace it?", there.state);
    app.confirm(&question, args.yes, &format!("'{name}' is {}; nothing was changed", there.state))?;
    let replaced = |now: &Machine| {
        let what = format!("'{name}' was started or replaced by another command meanwhile");
        Failure::new(Status::Failed, what).hint("try again").state(format!("it is {}", now.state))
    };
    let now = engine.machine_listed(name)?;
    if now.created_at != there.created_at || (now.state.is_up() && !there.state.is_up()) {
        return Err(replaced(&now).and_state("nothing was changed"));
    }
    let note = format!("replaced by a thaw of {}", args.snapshot.to_string_lossy());
    let kept = freeze::into_library(app, engine, name, note, warnings).map_err(|failure| {
        let is_silent = failure.status == Status::NotConfirmed;
        if is_silent { failure.hint(format!("stop it first, with `bottle-freeze stop {name}`")) } else { failure }
    })?;
    let lock = lock::vm_alone(app, engine, name, Duration::ZERO)?;
    let now = engine.machine_listed(name)?;
    if now.state.is_up() || now.created_at != there.created_at {
        return Err(replaced(&now).and_state(format!("it was frozen as {kept}")));
    }
    app.terminal.phase("delete", &format!("deleting {name}"), || engine.machine_delete(name)).map_err(|error| {
        let failure = Failure::from(error);
        let failure = state_now(engine, name).into_iter().fold(failure, Failure::state);
        failure.and_state(format!("it was frozen as {kept}"))
    })?;
    Creation::forget(name.as_str());
    Ok((kept, lock))
}

/// A VM that goes on where it was frozen: its artifact has all of it but the labels, and the engine takes nothing else
/// (1.32.2: "topology-changing create flags are not supported").
fn live_recipe(artifact: &Path, frozen: Option<&Configuration>) -> CreateOptions {
    let labels = frozen.map(labels).unwrap_or_default();
    CreateOptions { labels, ..CreateOptions::of(Source::Artifact(artifact.to_owned())) }
}

/// What a live artifact carries of a VM's configuration: all of it.
fn carried(frozen: &Configuration) -> CreateOptions {
    CreateOptions {
        net: frozen.network && frozen.network_known,
        allow_cidrs: frozen.allowed_cidrs.clone().filter(|_| frozen.network_known).unwrap_or_default(),
        ports: frozen.ports.clone().unwrap_or_default(),
        ..CreateOptions::of(Source::Bare)
    }
}

fn labels(frozen: &Configuration) -> Vec<String> {
    frozen.labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// The VM as it was frozen, but for what was asked otherwise.
fn recipe(
    args: &Args,
    net: bool,
    artifact: &Path,
    frozen: Option<&Configuration>,
    engine: &Smolvm,
    warnings: &Warnings,
) -> CreateOptions {
    let (net, allow_cidrs) = network(net, &args.allow_cidr, frozen, warnings);
    CreateOptions {
        cpus: args.cpus.or(frozen.map(|frozen| frozen.cpus)),
        memory_mib: args.mem.or(frozen.map(|frozen| frozen.memory_mib)),
        storage_gb: frozen.and_then(|frozen| frozen.storage_gb),
        overlay_gb: frozen.and_then(|frozen| frozen.overlay_gb),
        net,
        allow_cidrs,
        ports: ports(args, frozen, warnings),
        labels: frozen.filter(|_| engine.version().takes_labels()).map(labels).unwrap_or_default(),
        // The environment, values and all, is in the artifact.
        ..CreateOptions::of(Source::Artifact(artifact.to_owned()))
    }
}

/// What was asked for; or what the frozen VM had, if it is known for sure that it had no less.
fn network(
    net: bool,
    allow_cidr: &[String],
    frozen: Option<&Configuration>,
    warnings: &Warnings,
) -> (bool, Vec<String>) {
    if net || !allow_cidr.is_empty() {
        return (net, allow_cidr.to_vec());
    }
    let Some(frozen) = frozen.filter(|frozen| frozen.network) else { return (false, Vec::new()) };
    let cidrs = frozen.allowed_cidrs.clone().unwrap_or_default();
    if frozen.network_known {
        return (true, cidrs);
    }
    let flags: Vec<String> = cidrs.iter().map(|cidr| format!("--allow-cidr {cidr}")).collect();
    let give = if flags.is_empty() { "--net".to_owned() } else { flags.join(" ") };
    warnings.warn(format!(
        "the frozen VM had a network, of which not every limit is known: this one has none ({give} gives it)"
    ));
    (false, Vec::new())
}

/// The ports that the frozen VM published, but for those that somebody uses here: with them it would not start.
fn ports(args: &Args, frozen: Option<&Configuration>, warnings: &Warnings) -> Vec<String> {
    if !args.port.is_empty() {
        return args.port.clone();
    }
    let Some(frozen) = frozen else { return Vec::new() };
    let ports = frozen.ports.clone().unwrap_or_else(|| {
        warnings.warn("the frozen VM published ports that are not known: this one publishes none");
        Vec::new()
    });
    let (free, used): (Vec<_>, Vec<_>) = ports.into_iter().partition(|port| args.no_start || is_free(port));
    if !used.is_empty() {
        warnings.warn(format!("in use here, and so not published: {}", used.join(", ")));
    }
    free
}

/// Whether the host's side of `HOST[:GUEST][/udp]` can be had. Of a range, as of what is not understood, the engine judges.
fn is_free(port: &str) -> bool {
    let (ports, is_udp) = port.strip_suffix("/udp").map_or((port, false), |ports| (ports, true));
    let host = ports.split(':').next().unwrap_or_default();
    let Ok(host) = host.parse::<u16>() else { return true };
    let in_use = |error: std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    if is_udp {
        !UdpSocket::bind(("127.0.0.1", host)).is_err_and(in_use)
    } else {
        !TcpListener::bind(("127.0.0.1", host)).is_err_and(in_use)
    }
}
