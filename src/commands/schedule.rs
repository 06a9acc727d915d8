//! `schedule`: freeze a VM at regular times.

use crate::app::App;
use crate::clock;
use crate::commands::retention::Retention;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::home;
use crate::quoted::quoted;
use crate::report::{JsonPath, Scheduled};
use crate::schedule::{self, Earlier, Every, Schedule, Scheduler};
use crate::smolvm::{Name, Smolvm};
use crate::terminal::Warnings;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What says where the library and the engines are.
const VARIABLES: [&str; 9] = [
    "PATH",
    "BOTTLE_FREEZE_HOME",
    "SMOLVM_AGENT_ROOTFS",
    "SMOLVM_DATA_DIR",
    "SMOLVM_LIB_DIR",
    "SMOLVM_PACK_STAGING",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
];

/// Freeze a VM at regular times, or list what is scheduled
///
/// A systemd user timer (on macOS, a launchd agent) runs `freeze --if-changed --restart`: no snapshot is made if nothing has
/// changed, and a running VM is down for a few seconds. Where neither is there, a line for your crontab is printed. The --keep
/// options remove older snapshots after each freeze. `doctor` reports the last success of each schedule.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze schedule dev --every 1d --keep-daily 7 --keep-weekly 4\n  \
    bottle-freeze schedule\n  bottle-freeze schedule dev --remove")]
pub struct Args {
    /// The VM; without one, all schedules are listed
    #[arg(value_name = "NAME", add = Offer::Vms(|_| true))]
    pub vm: Option<Name>,
    /// How often: 15m, 1h, 6h, 1d, 7d; minutes divide an hour, hours divide a day
    #[arg(long, value_name = "PERIOD", requires = "vm")]
    pub every: Option<Every>,
    /// Remove the schedule of the VM
    #[arg(long, requires = "vm", conflicts_with_all = ["every", "Retention"])]
    pub remove: bool,
    #[command(flatten)]
    pub keep: Retention,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    match (&args.vm, args.every) {
        (Some(vm), Some(every)) => add(app, vm, every, &args.keep),
        (Some(vm), None) if args.remove => remove(app, vm),
        (_, None) if !args.keep.words().is_empty() => {
            let failure = Failure::new(Status::Usage, "the --keep options belong to a schedule");
            Err(failure.hint("say how often too, such as --every 1d"))
        }
        (vm, _) => list(app, vm.as_ref()),
    }
}

fn add(app: &App, vm: &Name, every: Every, keep: &Retention) -> Result<()> {
    let engine = app.engine()?;
    engine.machine(vm)?;
    let scheduler = schedule::of_session();
    let (command, variables) = (command(app, &engine, vm, keep)?, variables());
    let schedule = Schedule { vm: vm.clone(), scheduler, every, command, variables };
    schedule::enable(&schedule).map_err(|(error, earlier)| not_set_up(vm, &error, earlier))?;
    if scheduler == Scheduler::Crontab {
        let line = schedule.crontab().map_err(|error| Failure::unwritten(error.to_string(), &error))?;
        app.terminal.note("neither systemd --user nor launchd runs here; add this line to your crontab (crontab -e):");
        app.terminal.result(&line, &line);
    } else {
        let stops = "a running VM is stopped for it and started again";
        app.terminal.result(vm.as_str(), &format!("{vm} is frozen every {every} by {}; {stops}", name(scheduler)));
    }
    if schedule::ends_with_session(&schedule) {
        app.terminal.note("it runs only while you are logged in; to run it always: loginctl enable-linger");
    }
    app.terminal.report(&report(&schedule));
    Ok(())
}

fn not_set_up(vm: &Name, error: &io::Error, earlier: Earlier) -> Failure {
    let failure = Failure::unwritten(format!("the schedule of '{vm}' cannot be set up: {error}"), error);
    let failure = match earlier {
        Earlier::None => failure,
        Earlier::GoesOn => failure.state("its earlier schedule goes on"),
        Earlier::Gone => failure.state(format!("'{vm}' has no schedule now")),
    };
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure { status: Status::OutputExists, ..failure }.hint("move that file elsewhere")
        }
        io::ErrorKind::Other => Failure { status: Status::Failed, ..failure },
        _ => failure,
    }
}

/// What the scheduler runs.
fn command(app: &App, engine: &Smolvm, vm: &Name, keep: &Retention) -> Result<Vec<String>> {
    let unusable = |what: &str| Failure::new(Status::Usage, format!("{what} cannot be named in a schedule"));
    let text = |path: &Path, what| path.to_str().map(str::to_owned).ok_or_else(|| unusable(what));
    let program = std::env::current_exe().map_err(|_| unusable("the path of bottle-freeze"))?;
    let mut words = vec![text(&program, "the path of bottle-freeze")?];
    if let Some(folder) = home::chosen() {
        words.push(format!("--home={}", text(&folder, "the folder of the library")?));
    }
    // Whatever was chosen for this command is meant.
    if app.chosen_engine().is_some() || std::env::var_os("SMOLVM").is_some_and(|engine| !engine.is_empty()) {
        let engine = std::path::absolute(engine.path()).map_err(|_| unusable("the path of the engine"))?;
        words.push(format!("--smolvm={}", text(&engine, "the path of the engine")?));
    }
    let options = ["--if-changed", "--restart", "--yes", "--quiet", "--wait=10m"].map(str::to_owned);
    words.extend(["freeze".to_owned(), vm.to_string()].into_iter().chain(options).chain(keep.words()));
    Ok(words)
}

fn variables() -> BTreeMap<String, String> {
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok().filter(|value| !value.is_empty())?));
    VARIABLES.into_iter().filter_map(value).collect()
}

fn remove(app: &App, vm: &Name) -> Result<()> {
    let failed = |error: io::Error| {
        let failure = Failure::unwritten(format!("the schedule of '{vm}' cannot be removed: {error}"), &error);
        let status = if error.kind() == io::ErrorKind::Other { Status::Failed } else { failure.status };
        Failure { status, ..failure.state("it is still there") }
    };
    let schedule = Schedule::of(vm).ok().flatten();
    let was_run = schedule::remove(vm).map_err(failed)?;
    if !Schedule::forget(vm).map_err(failed)? && !was_run {
        let failure = Failure::new(Status::NotFound, format!("'{vm}' has no schedule"));
        return Err(failure.hint("list them with `bottle-freeze schedule`"));
    }
    let is_in_crontab = schedule.as_ref().is_some_and(|schedule| schedule.scheduler == Scheduler::Crontab);
    let rest = if is_in_crontab { "; remove its line from your crontab too" } else { "" };
    app.terminal.result(vm.as_str(), &format!("removed the schedule of {vm}; its snapshots stay{rest}"));
    if let Some(schedule) = schedule {
        app.terminal.report(&Scheduled { enabled: false, ..report(&schedule) });
    }
    Ok(())
}

fn list(app: &App, vm: Option<&Name>) -> Result<()> {
    let (mut all, mut is_known) = (Vec::new(), false);
    for (name, schedule) in Schedule::all().into_iter().filter(|(name, _)| vm.is_none_or(|vm| name == vm)) {
        is_known = true;
        match schedule {
            Ok(schedule) => all.push(schedule),
            Err(error) => {
                let fix = format!("bottle-freeze schedule {name} --remove");
                Warnings::new(&app.terminal).warn(format!("the schedule of '{name}' cannot be read: {error}; `{fix}`"));
            }
        }
    }
    if let (Some(vm), false) = (vm, is_known) {
        let failure = Failure::new(Status::NotFound, format!("'{vm}' has no schedule"));
        let is_word = ["ls", "list", "show", "status"].contains(&vm.as_str());
        let list = || "`bottle-freeze schedule` lists all".to_owned();
        let make = || format!("make one with `bottle-freeze schedule {vm} --every 1d`");
        return Err(failure.hint(if is_word { list() } else { make() }));
    }
    if app.terminal.json {
        let all: Vec<Scheduled> = all.iter().map(report).collect();
        app.terminal.print_json(&all);
    } else if app.terminal.quiet {
        app.terminal.lines(all.iter().map(|schedule| schedule.vm.to_string()));
    } else if all.is_empty() {
        app.terminal.note("no schedules; make one with: bottle-freeze schedule NAME --every 1d");
    } else {
        let row = |schedule: &Schedule| {
            let state = match (schedule::is_enabled(schedule), schedule.is_overdue()) {
                (_, false) if schedule.scheduler == Scheduler::Crontab => "if its line is in your crontab",
                (false, _) => "not enabled",
                (true, true) => "overdue",
                (true, false) => "enabled",
            };
            let age = schedule.last_success().and_then(clock::age);
            let success = age.map_or_else(|| "never".to_owned(), |age| format!("{age} ago"));
            let command = schedule.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            vec![schedule.vm.to_string(), schedule.every.to_string(), success, state.to_owned(), command]
        };
        app.terminal.table(&["NAME", "EVERY", "LAST SUCCESS", "STATE", "COMMAND"], all.iter().map(row));
    }
    Ok(())
}

fn name(scheduler: Scheduler) -> &'static str {
    match scheduler {
        Scheduler::Systemd => "systemd --user",
        Scheduler::Launchd => "launchd",
        Scheduler::Crontab => "crontab",
    }
}

fn report(schedule: &Schedule) -> Scheduled {
    let files = schedule::paths(schedule.scheduler, &schedule.vm).unwrap_or_default();
    Scheduled {
        vm: schedule.vm.to_string(),
        every_seconds: schedule.every.period().as_secs(),
        scheduler: name(schedule.scheduler).to_owned(),
        enabled: schedule::is_enabled(schedule),
        command: schedule.command.clone(),
        files: files.into_iter().map(JsonPath).collect(),
        crontab: schedule.crontab().ok().filter(|_| schedule.scheduler == Scheduler::Crontab),
        last_success: schedule.last_success().map(clock::rfc3339_seconds),
        overdue: schedule.is_overdue(),
    }
}
