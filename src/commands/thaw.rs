//! `thaw`: snapshot → VM, as it was frozen.

use crate::app::App;
use crate::commands::access::Reaches;
use crate::commands::args::{duration, gibibytes, label, mebibytes};
use crate::commands::env::{self, Env};
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::operations::consent::Ports;
use crate::operations::exec::{exec, exec_failed, not_begun};
use crate::operations::thaw::{self, Request, Several};
use crate::report::{Change, Thawed};
use crate::smolvm::{Exec, Name};
use clap::ValueHint;
use clap::builder::NonEmptyStringValueParser;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// Make a VM from a snapshot, as it was frozen, and start it
///
/// The snapshot is checked first. The VM gets the cpus, memory, disk sizes, environment, labels, ports and host folders that
/// it was frozen with. It gets its network if all of its limits are known, as they are for VMs that bottle-freeze made.
///
/// With --count, it is checked once, and all the VMs are made and started, or none.
///
/// With a command, the exit status is the command's own, 127 if the guest has no such command, and 125 if bottle-freeze or the
/// engine failed.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze thaw dev\n  bottle-freeze thaw dev@ready dev-tuesday --no-start\n  \
    bottle-freeze thaw dev@ready --replace\n  \
    bottle-freeze thaw dev@ready worker -n 8 -j 4 -p auto\n  \
    bottle-freeze thaw dev --volume ~/src:/src -p 9090:80 -e TOKEN\n  \
    bottle-freeze thaw --key setup-v7 -- make test\n  \
    bottle-freeze thaw dev.smolmachine"
)]
#[command(mut_arg("env", |env| env.hide_short_help(true)))]
#[command(mut_arg("env_file", |env_file| env_file.hide_short_help(true)))]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file. With --key: only snapshots of this VM
    #[arg(value_hint = ValueHint::FilePath, add = Offer::AnySnapshots, required_unless_present = "key")]
    pub snapshot: Option<OsString>,
    /// Name of the new VM [default: the frozen VM's name if that is free, or NAME-2, NAME-3 …]
    pub name: Option<Name>,
    /// The newest snapshot that was frozen here with this --key; exit 4 if there is none, or 125 with a command
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub key: Option<String>,
    /// Make that many VMs (at most 100), NAME-1, NAME-2 …: all of them or none, each with its own machine id and SSH host keys
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    #[arg(conflicts_with_all = ["replace", "keep"])]
    pub count: Option<u16>,
    /// With --count: number of VMs to make at the same time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true)]
    #[arg(env = "BOTTLE_FREEZE_JOBS")]
    pub jobs: Option<u16>,
    /// With --count: keep the machine id and the SSH host keys of the frozen VM
    #[arg(long, requires = "count", hide_short_help = true)]
    pub same_identity: bool,
    /// Start it and wait until it runs commands (the default)
    #[arg(long, hide_short_help = true, conflicts_with = "no_start")]
    pub start: bool,
    /// Do not start it
    #[arg(long)]
    pub no_start: bool,
    /// Replace the VM of that name, which is frozen first (asks)
    #[arg(long)]
    pub replace: bool,
    /// With --replace, do not ask
    #[arg(short, long, requires = "replace")]
    pub yes: bool,
    /// Keep the new VM even if it does not start
    #[arg(long, hide_short_help = true)]
    pub keep: bool,
    /// Virtual CPUs [default: as frozen]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory, in MiB or with a unit (2G) [default: as frozen]
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    pub mem: Option<u64>,
    /// Size of the storage disk, in GiB or with a unit (20G), at least as frozen [default: as frozen]
    #[arg(long, value_name = "SIZE", value_parser = gibibytes, hide_short_help = true)]
    pub storage: Option<u64>,
    #[command(flatten)]
    pub reaches: Reaches,
    #[command(flatten)]
    pub env: Env,
    /// Attach a label, beside the recorded ones (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, hide_short_help = true)]
    pub label: Vec<(String, String)>,
    /// Folder in the guest in which its commands start [default: as frozen]
    #[arg(short, long, value_name = "DIR", hide_short_help = true)]
    pub workdir: Option<String>,
    /// Run this command in it, with its exit status, as `exec` does
    #[arg(last = true, conflicts_with = "no_start", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
    /// Longest time to wait until the VM runs commands
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration, hide_short_help = true)]
    pub timeout: Duration,
}

/// Thaws a snapshot, and prints what was made; or runs the command in it, whose exit status it returns.
pub fn run(app: &App, args: Args) -> Result<ExitCode> {
    if args.count.is_some() {
        return run_several(app, args);
    }
    if !args.command.is_empty() {
        return run_command(app, args);
    }
    let request = request(app, args)?;
    let thawed = thaw::thaw(app, &request)?;
    let name = &thawed.vm;
    let next = match thawed.state {
        Change::Running => format!("it is running; a shell in it: bottle-freeze exec -it {name} -- sh"),
        _ => format!("start it with: bottle-freeze start {name}"),
    };
    app.terminal.result(name, &format!("{}; {next}", made(&request, &thawed)));
    app.terminal.report(&thawed);
    Ok(ExitCode::SUCCESS)
}

/// Thaws a snapshot, and runs the command in it. As with `exec`, every other failure has a status of its own.
fn run_command(app: &App, mut args: Args) -> Result<ExitCode> {
    if app.terminal.json {
        return Err(Failure::new(
            Status::Usage,
            "--json cannot be used with a command, whose own output is the result",
        ));
    }
    let command = Exec { command: std::mem::take(&mut args.command), ..Exec::default() };
    let request = request(app, args).map_err(not_begun)?;
    let mut app = app.clone();
    app.terminal = app.terminal.sparing_stdout();
    let thawed = thaw::thaw(&app, &request).map_err(exec_failed)?;
    let name: Name = thawed.vm.parse().map_err(|why: &str| Failure::new(Status::ExecFailed, why))?;
    app.terminal.result(&thawed.vm, &made(&request, &thawed));
    app.on_vm(&name, |app| exec(app, &name, &command, &[]))
}

/// Makes several VMs of a snapshot, and prints which.
fn run_several(app: &App, args: Args) -> Result<ExitCode> {
    let refused = |what: &str| Failure::new(Status::Usage, what);
    if !args.command.is_empty() {
        return Err(refused("several VMs cannot run a command, which has one exit status")
            .hint("make them first, and run it in each with `bottle-freeze exec NAME -- COMMAND`"));
    }
    if args.no_start && !args.same_identity {
        return Err(refused("VMs get an identity of their own while they run, so --no-start requires --same-identity")
            .hint("leave out --no-start, or give both"));
    }
    let several = Several { count: args.count.unwrap_or(1), jobs: args.jobs, same_identity: args.same_identity };
    let request = request(app, args)?;
    let thawed = thaw::several(app, &request, several)?;
    for one in &thawed {
        let state = if one.state == Change::Running { "; it is running" } else { "" };
        app.terminal.result(&one.vm, &format!("{}{state}", made(&request, one)));
    }
    app.terminal.report(&thawed);
    Ok(ExitCode::SUCCESS)
}

/// What was made, as people read it.
fn made(request: &Request, thawed: &Thawed) -> String {
    let (name, file) = (&thawed.vm, thawed.sidecar.as_ref().map(|sidecar| sidecar.0.display().to_string()));
    let source = thawed.reference.clone().or(file).unwrap_or_default();
    let why = thawed.taken.as_ref();
    let why = why.map(|taken| format!(", because there is a VM '{taken}' already (--replace replaces it)"));
    let is_auto = request.access.ports == Ports::Free && !thawed.ports.is_empty();
    let ports = is_auto.then(|| format!(", which publishes {}", thawed.ports.join(", ")));
    // The bare name means the newest snapshot.
    let kept = thawed.replaced.as_ref();
    let kept = kept.map(|kept| format!("; the VM that it replaced is {kept}, now the newest snapshot of {name}"));
    [Some(format!("thawed {source} as {name}")), why, ports, kept].into_iter().flatten().collect()
}

fn request(app: &App, args: Args) -> Result<Request> {
    Ok(Request {
        snapshot: args.snapshot.unwrap_or_default(),
        key: args.key,
        name: args.name,
        start: !args.no_start,
        replace: args.replace,
        yes: args.yes,
        undoable: false,
        keep: args.keep,
        cpus: args.cpus,
        memory_mib: args.mem,
        storage_gb: args.storage,
        access: args.reaches.access()?,
        env: env::read(&args.env, &app.signals)?,
        labels: args.label.into_iter().collect(),
        workdir: args.workdir,
        timeout: args.timeout,
    })
}
