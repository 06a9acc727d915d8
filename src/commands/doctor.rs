//! `doctor`: does a freeze work here, and how to fix what does not? One line for each thing that it needs.

use crate::app::App;
use crate::completion::installed::{self, Completed};
use crate::error::Status;
use crate::library::{self, Health};
use crate::operations::packed;
use crate::quoted::quoted;
use crate::smolvm::{Disks, Leftover, hypervisor, leftovers};
use crate::terminal;
use crate::terminal::Warnings;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

mod engine;
mod space;

/// Check that freezing works here, and print how to fix what does not
///
/// Prints one line each for the engine, KVM, the library, free space, leftovers of killed commands, and shell completion.
/// Each is tried: the engine freezes an empty VM in a temporary home, which is then removed (1 s, 125 MB), and your shell
/// completes a command. Exits with 0 if a freeze would work, otherwise with the status that it would fail with. Without
/// KVM no VM starts, but stopped VMs can be frozen: that is a warning.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze doctor\n  bottle-freeze doctor --fix\n  \
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

/// Without this room no freeze begins.
const LEAST_ROOM: u64 = Disks::BESIDES;

/// What was found of one thing.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// A freeze works without it.
    Warning,
    /// No freeze works.
    Problem,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    what: String,
    /// The command that mends it.
    hint: Option<String>,
    /// The same for programs.
    details: Value,
    /// What a freeze would exit with.
    #[serde(skip)]
    status: Status,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        let (verdict, details) = (Verdict::Ok, Value::Null);
        Self { name, verdict, what: what.into(), hint: None, details, status: Status::Failed }
    }

    fn warning(name: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, hint: Some(hint.into()), ..Self::ok(name, what) }
    }

    fn problem(name: &'static str, status: Status, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, status, ..Self::warning(name, what, hint) }
    }

    fn details(self, details: Value) -> Self {
        Self { details, ..self }
    }
}

pub fn run(app: &App, args: &Args) -> ExitCode {
    let warnings = Warnings::new(&app.terminal);
    // First what is removed: the size of the library is that without it.
    let leftovers = left_behind(args.fix, &warnings);
    let health = Health::check();
    let (engine, working) = engine::check(app, &health);
    let space = space::check(&health, working.as_ref());
    let kvm = virtualisation(working.as_ref().map(|working| working.engine.path()));
    let checks = [engine, kvm, library(&health), space, leftovers, completion()];
    let problem = checks.iter().find(|check| check.verdict == Verdict::Problem);
    if app.terminal.json {
        app.terminal.print_json(&json!({ "ok": problem.is_none(), "checks": checks, "warnings": warnings.list() }));
    } else {
        let is_told = |check: &&Check| !app.terminal.quiet || check.verdict == Verdict::Problem;
        app.terminal.lines(checks.iter().filter(is_told).map(line));
    }
    problem.map_or(ExitCode::SUCCESS, |check| check.status.into())
}

/// One line, with the command that mends it.
fn line(check: &Check) -> String {
    let (ascii, drawn) = match check.verdict {
        Verdict::Ok => ("ok", "✓"),
        Verdict::Warning => ("! ", "!"),
        Verdict::Problem => ("x ", "✗"),
    };
    let (mark, arrow) = if terminal::is_utf8() { (drawn, "→") } else { (ascii, "->") };
    let hint = check.hint.as_ref().map(|hint| format!(" {arrow} {hint}")).unwrap_or_default();
    terminal::one_line(&format!("{mark} {:<10}  {}{hint}", check.name, check.what))
}

/// Without one a stopped VM can still be frozen, though not one that a helper VM must export.
fn virtualisation(engine: Option<&Path>) -> Check {
    match hypervisor(engine) {
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
            let what = format!("{contents}, but nothing can be written into {}", list.join(", "));
            let quoted: Vec<String> = list.iter().map(|folder| quoted(folder)).collect();
            Check::warning("library", what, format!("chmod u+rwx {}", quoted.join(" ")))
        }
        None if health.broken == 0 => Check::ok("library", contents),
        None => {
            let what = format!("{contents}, and {} that are damaged", health.broken);
            Check::warning("library", what, "bottle-freeze snapshot verify --all")
        }
    };
    check.details(json!({
        "folder": folder, "snapshots": health.snapshots, "damaged": health.broken, "bytes": health.bytes,
    }))
}

fn left_behind(fix: bool, warnings: &Warnings) -> Check {
    let removed = if fix { remove_leftovers(warnings) } else { 0 };
    let (ours, engines) = (library::leftovers(), leftovers());
    let folder = |path: &Path, bytes: u64, ownerless: bool| json!({ "path": path.display().to_string(), "bytes": bytes, "ownerless": ownerless });
    let of_ours = ours.iter().map(|one| folder(&one.path, one.bytes, true));
    let folders: Vec<_> =
        of_ours.chain(engines.iter().map(|one| folder(&one.path, one.bytes, one.is_ownerless))).collect();
    of_leftovers(&ours, &engines, removed).details(json!({ "removed_bytes": removed, "folders": folders }))
}

/// Removes what no run uses. How many bytes that were.
fn remove_leftovers(warnings: &Warnings) -> u64 {
    let size = || library::leftovers().iter().map(|one| one.bytes).sum::<u64>();
    let before = size();
    library::sweep_library();
    let mut removed = before.saturating_sub(size());
    for one in leftovers().iter().filter(|one| one.is_ownerless) {
        match one.remove() {
            Ok(()) => removed += one.bytes,
            Err(error) => warnings.warn(format!("{} cannot be removed: {error}", one.path.display())),
        }
    }
    removed
}

fn of_leftovers(ours: &[library::Leftover], engines: &[Leftover], removed: u64) -> Check {
    let list = |all: Vec<(&Path, u64)>| {
        all.iter()
            .map(|(path, bytes)| format!("{} ({})", path.display(), packed::size(*bytes)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let of_engines = |ownerless: bool| {
        list(engines.iter().filter(|one| one.is_ownerless == ownerless).map(|one| (&*one.path, one.bytes)).collect())
    };
    let ours = list(ours.iter().map(|one| (&*one.path, one.bytes)).collect());
    let parts = [
        ("of bottle-freeze commands that were killed: ", ours),
        ("of smolvm commands that were killed: ", of_engines(true)),
    ];
    let dead: Vec<String> =
        parts.into_iter().filter(|(_, list)| !list.is_empty()).map(|(of, list)| format!("{of}{list}")).collect();
    let alive = of_engines(false);
    let alive = if alive.is_empty() { alive } else { format!("; perhaps in use: {alive}") };
    if !dead.is_empty() {
        return Check::warning("leftovers", format!("{}{alive}", dead.join("; ")), "bottle-freeze doctor --fix");
    }
    let what = if removed == 0 { "none".to_owned() } else { format!("removed {}", packed::size(removed)) };
    Check::ok("leftovers", what + &alive)
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
        Completed::Unknown => Check::warning("completion", "$SHELL names no shell that is known", HELP),
    }
}
