//! `doctor`: check each thing that a freeze needs, and print how to fix what does not work.

use crate::app::App;
use crate::completion::installed::{self, Completed};
use crate::error::Status;
use crate::library::Health;
use crate::operations::packed;
use crate::quoted::quoted;
use crate::report::{Details, Diagnosis};
use crate::smolvm::{Machine, hypervisor};
use crate::terminal::Warnings;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod check;
mod engine;
mod leftovers;
mod schedules;
mod space;
mod vms;

use check::Check;
use engine::Working;

/// Check that freezing works here, and print how to fix what does not
///
/// Reports on the engine, KVM, the VMs, the library, free space, leftovers of killed commands, shell completion,
/// and schedules, if there are any. Each is tried: the engine freezes an empty VM in a temporary home, which is then removed
/// (1 s, 125 MiB), and your shell completes a command. Exits with 0 if a freeze would work, otherwise with the status that it
/// would fail with. Without KVM no VM starts, but stopped VMs can be frozen: that is a warning.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze doctor\n  bottle-freeze doctor --fix\n  \
    bottle-freeze doctor --json | jq '.checks[] | select(.verdict != \"ok\")'")]
pub struct Args {
    /// Remove leftovers of killed commands that no process uses
    ///
    /// bottle-freeze leaves private folders .bottle-freeze-XXXXXX, in the library and wherever a command worked. smolvm leaves
    /// folders pack-staging-XXXXXX in its cache, and folders .tmpXXXXXX in $TMPDIR that hold only an assets.tar.zst or a
    /// libs.tar.zst. A folder is removed only if it was untouched for a minute, no process has a file in it open, works in it
    /// or has it as TMPDIR, and no pack is running that could use it.
    #[arg(long)]
    pub fix: bool,
}

pub fn run(app: &App, args: &Args) -> ExitCode {
    let warnings = Warnings::new(&app.terminal);
    // First, because it changes the size of the library.
    let leftovers = leftovers::check(args.fix, &warnings);
    let health = Health::check();
    let (engine, working) = engine::check(app, &health);
    let disks = working.as_ref().map(disks);
    let used = working.as_ref().map(|working| &working.engine);
    let space = space::check(&health, used, disks.as_deref().unwrap_or_default());
    let vms = vms::check(disks.as_deref());
    let kvm = virtualization(working.as_ref().map(|working| working.engine.path()));
    let checks = [engine, kvm, vms, library(&health), space, leftovers, completion()];
    let checks: Vec<Check> = checks.into_iter().chain(schedules::check()).collect();
    let problem = checks.iter().find(|check| check.is_problem());
    let status = problem.map_or(ExitCode::SUCCESS, |check| check.status.into());
    if app.terminal.json {
        let ok = problem.is_none();
        let checks = checks.into_iter().map(|check| check.report).collect();
        app.terminal.print_json(&Diagnosis { ok, checks, warnings: warnings.list() });
    } else {
        let is_printed = |check: &&Check| !app.terminal.quiet || check.is_problem();
        app.terminal.lines(checks.iter().filter(is_printed).flat_map(Check::lines));
    }
    status
}

/// The VMs whose disks have a folder, and that folder.
fn disks(working: &Working) -> Vec<(&Machine, PathBuf)> {
    let folder = |vm: &Machine| working.engine.machine_data_dir(&vm.name.parse().ok()?).ok();
    working.machines.iter().filter_map(|vm| Some((vm, folder(vm)?))).collect()
}

/// Without a hypervisor a stopped VM can still be frozen, unless a helper VM must export its image.
fn virtualization(engine: Option<&Path>) -> Check {
    match hypervisor::check(engine) {
        Ok(what) => Check::ok("hypervisor", what),
        Err(none) => {
            let what = format!("{}; no VM starts, but a stopped one without an image can be frozen", none.what);
            Check::warning("hypervisor", what, none.hint)
        }
    }
}

fn library(health: &Health) -> Check {
    let folder = health.folder.display().to_string();
    let plural = if health.snapshots == 1 { "" } else { "s" };
    let contents = format!("{} snapshot{plural}, {}, in {folder}", health.snapshots, packed::size(health.bytes));
    let check = match &health.problem {
        Some((problem, hint)) => Check::problem("library", Status::NotWritable, problem, *hint),
        None if !health.unwritable.is_empty() => {
            let list: Vec<String> = health.unwritable.iter().map(|folder| folder.display().to_string()).collect();
            let what = format!("{contents}, but these folders are not writable: {}", list.join(", "));
            let quoted: Vec<String> = list.iter().map(|folder| quoted(folder)).collect();
            Check::warning("library", what, format!("chmod u+rwx {}", quoted.join(" ")))
        }
        None if health.broken == 0 => Check::ok("library", contents),
        None => {
            let what = format!("{contents}, and {} damaged", health.broken);
            Check::warning("library", what, "bottle-freeze snapshot verify --all")
        }
    };
    let (snapshots, damaged, bytes) = (health.snapshots, health.broken, health.bytes);
    check.details(Details::Library { folder, snapshots, damaged, bytes })
}

fn completion() -> Check {
    const HELP: &str = "bottle-freeze help completions";
    match installed::check() {
        Completed::Works { shell } => Check::ok("completion", format!("works in {shell}")),
        Completed::Missing { shell, hint } => {
            Check::warning("completion", format!("TAB completes nothing in {shell}"), hint)
        }
        Completed::Broken { path, error } => {
            let what = format!("$SHELL names {}, which cannot be run: {error}", path.display());
            Check::warning("completion", what, HELP)
        }
        Completed::Silent { shell } => {
            let what = format!("{shell} did not answer in {} s", installed::LIMIT.as_secs());
            Check::warning("completion", what, HELP)
        }
        Completed::Unknown => Check::warning("completion", "$SHELL names no supported shell", HELP),
    }
}
