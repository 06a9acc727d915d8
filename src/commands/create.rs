//! `create`: make a VM: bare, from an image, or from a snapshot.

use crate::app::App;
use crate::commands::args::{gibibytes, mebibytes};
use crate::commands::env::{self, Env};
use crate::completion::Offer;
use crate::error::Result;
use crate::library::Stored;
use crate::operations::consent::{self, Access, Ports};
use crate::operations::make::{self, Reach, make_vm};
use crate::operations::resolve::{self, Checked};
use crate::operations::several::distinct;
use crate::operations::{configuration, fidelity};
use crate::report::{Change, Changed, Done};
use crate::smolvm::{CreateOptions, Name, Source};
use crate::terminal::Warnings;
use clap::ValueHint;
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

/// Make a VM: bare, from an image, or from a snapshot
///
/// A snapshot is checked before the engine is called. The VM gets the snapshot's cpus and memory, but no network unless
/// you enable it here.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze create dev --cpus 2 --mem 2048\n  \
    bottle-freeze create web --image alpine:3.20 --allow-cidr 10.0.0.0/8\n  \
    bottle-freeze create dev2 --from dev.smolmachine --net")]
pub struct Args {
    /// Name of the new VM
    pub name: Name,
    /// OCI image, `docker save` archive or rootfs folder
    #[arg(short = 'I', long, conflicts_with = "from", add = Offer::Images)]
    pub image: Option<String>,
    /// Snapshot: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file
    #[arg(long, value_name = "SNAPSHOT", value_hint = ValueHint::FilePath, add = Offer::AnySnapshots)]
    pub from: Option<OsString>,
    /// Virtual CPUs [default: the engine's or the snapshot's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory, in MiB or with a unit (2G) [default: the engine's or the snapshot's]
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    pub mem: Option<u64>,
    /// Size of the storage disk, in GiB or with a unit (20G) [default: the engine's, 20]
    #[arg(long, value_name = "SIZE", value_parser = gibibytes, hide_short_help = true)]
    pub storage: Option<u64>,
    /// Size of the overlay disk, in GiB or with a unit (20G) [default: the engine's, 10]
    #[arg(long, value_name = "SIZE", value_parser = gibibytes, hide_short_help = true)]
    pub overlay: Option<u64>,
    /// Enable the network, without limits
    #[arg(long)]
    pub net: bool,
    /// Enable the network, limited to this CIDR block (repeatable)
    #[arg(long, value_name = "CIDR", hide_short_help = true)]
    pub allow_cidr: Vec<String>,
    #[command(flatten)]
    pub env: Env,
    /// Mount a host folder (repeatable)
    #[arg(long, value_name = "HOST:GUEST[:ro]", hide_short_help = true)]
    pub volume: Vec<String>,
    /// Publish a port (repeatable)
    #[arg(short, long, value_name = "HOST[:GUEST]")]
    pub port: Vec<String>,
    /// Attach a label (repeatable)
    #[arg(long, value_name = "KEY=VALUE", hide_short_help = true)]
    pub label: Vec<String>,
    /// Folder in the guest in which its commands start
    #[arg(short, long, value_name = "DIR", hide_short_help = true)]
    pub workdir: Option<String>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    app.on_vm(&args.name, |app| app.with_warnings(|warnings| create(app, args, warnings)))
}

fn create(app: &App, args: &Args, warnings: &Warnings) -> Result<()> {
    let (mut options, mut live_reach, mut from) = (options(args), None, None);
    // A snapshot is held until the VM is made.
    let checked;
    match (&args.image, &args.from) {
        (Some(image), _) => options.source = Source::Image(image.clone()),
        (None, Some(snapshot)) => {
            let opens_network;
            (checked, opens_network) = check(app, args, snapshot, warnings)?;
            options.source = Source::Artifact(checked.path().to_owned());
            from = Some(&checked);
            if checked.artifact.manifest.is_live() {
                // It has its own network and ports: the options only confirm them.
                (options.net, options.ports, live_reach) = (false, Vec::new(), Some(Reach::of_live(&checked)));
            } else {
                options.net |= opens_network && args.allow_cidr.is_empty();
            }
        }
        (None, None) => {}
    }
    options.env = env::read(&args.env, &app.signals)?;
    configuration::check(&options)?;
    let engine = app.engine()?;
    let began = SystemTime::now();
    let _lock = make::lock_name(app, &engine, &args.name)?;
    let reach = live_reach.unwrap_or_else(|| Reach::asked_by(&options));
    app.terminal.during("create", &format!("creating {}", args.name), || {
        make_vm(&engine, &args.name, &options, &options, &reach, from, warnings)
    })?;
    let text = format!("created {0}; start it with: bottle-freeze start {0}", args.name);
    app.terminal.result(args.name.as_str(), &text);
    let seconds = began.elapsed().unwrap_or_default().as_secs_f64();
    let created = Changed { vm: args.name.to_string(), state: Change::Created, seconds };
    app.terminal.report(&Done { result: created, warnings: warnings.list() });
    Ok(())
}

/// A bare VM with these options.
fn options(args: &Args) -> CreateOptions {
    CreateOptions {
        cpus: args.cpus,
        memory_mib: args.mem,
        storage_gb: args.storage,
        overlay_gb: args.overlay,
        net: args.net,
        allow_cidrs: distinct(&args.allow_cidr),
        volumes: distinct(&args.volume),
        ports: distinct(&args.port),
        labels: distinct(&args.label),
        workdir: args.workdir.clone(),
        ..CreateOptions::default()
    }
}

/// Checks the snapshot, and asks for what a VM made from it may reach. Also returns whether its artifact opens the network.
fn check(app: &App, args: &Args, snapshot: &OsStr, warnings: &Warnings) -> Result<(Checked, bool)> {
    let found = resolve::find(app, snapshot)?;
    if found.stored().and_then(Stored::workspace).is_some() {
        warnings.warn("its /workspace is a separate file: only `bottle-freeze thaw` restores it");
    }
    let checked = found.check(app)?;
    fidelity::check_host(&checked.artifact.manifest)?;
    fidelity::warn_of_missing_secrets(&args.name, &checked.artifact.manifest, warnings);
    let (net, allow_cidrs, ports) = (args.net, distinct(&args.allow_cidr), Ports::Given(distinct(&args.port)));
    let asked = Access { net, allow_cidrs, ports, volumes: None };
    let opens_network = consent::check(app, &checked, &asked, false)?;
    Ok((checked, opens_network))
}
