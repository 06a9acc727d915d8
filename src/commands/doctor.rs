//! `doctor`: would a freeze work here, and what mends what would not? One line for each thing that it needs.

use super::completed::{self, Completed};
use super::{App, Failure, Status, output};
use crate::smolvm::{Leftover, Smolvm, Whence, end_helpers, hypervisor, leftovers};
use crate::snapshot::{self, Health};
use crate::ui::Warnings;
use crate::{cli, ui};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// Room that the pack of an empty VM takes at its peak (1.32.2: 125 MB); less than the second is tight for any VM.
const LEAST_ROOM: u64 = 125 << 20;
const FAIR_ROOM: u64 = 2 << 30;

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
    mend: Option<String>,
    /// The same for programs.
    details: Value,
    /// What a freeze would exit with.
    #[serde(skip)]
    status: Status,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        let (verdict, details) = (Verdict::Ok, Value::Null);
        Self { name, verdict, what: what.into(), mend: None, details, status: Status::Failed }
    }

    fn warning(name: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, mend: Some(mend.into()), ..Self::ok(name, what) }
    }

    fn problem(name: &'static str, status: Status, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, status, ..Self::warning(name, what, mend) }
    }

    fn details(self, details: Value) -> Self {
        Self { details, ..self }
    }
}

pub fn run(app: &App, args: &cli::Doctor) -> ExitCode {
    let warnings = Warnings::new();
    // First what is removed: the size of the library is that without it.
    let leftovers = left_behind(args.fix, &warnings);
    let health = Health::look();
    let checks = [engine(app), virtualisation(), library(&health), space(&health), leftovers, completion()];
    let problem = checks.iter().find(|check| check.verdict == Verdict::Problem);
    if app.ui.json {
        ui::json(&json!({ "ok": problem.is_none(), "checks": checks, "warnings": warnings.list() }));
    } else {
        let is_told = |check: &&Check| !app.ui.quiet || check.verdict == Verdict::Problem;
        ui::lines(checks.iter().filter(is_told).map(line));
    }
    problem.map_or(ExitCode::SUCCESS, |check| check.status.into())
}

/// One line, with the command that mends it.
fn line(check: &Check) -> String {
    let (marks, arrow) = if ui::is_utf8() { (["✓", "!", "✗"], "→") } else { (["ok", "! ", "x "], "->") };
    let mark = marks[check.verdict as usize];
    let mend = check.mend.as_ref().map(|mend| format!(" {arrow} {mend}")).unwrap_or_default();
    ui::one_line(&format!("{mark} {:<10}  {}{mend}", check.name, check.what))
}

fn engine(app: &App) -> Check {
    let engine = match app.engine() {
        Ok(engine) => engine,
        Err(failure) => return failed("engine", String::new(), failure),
    };
    let (version, (path, whence)) = (engine.version(), engine.place());
    let (can, cannot): (Vec<_>, Vec<_>) = version.abilities().into_iter().partition(|(_, can)| *can);
    let names = |all: &[(&'static str, bool)]| all.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let (can, cannot) = (names(&can), names(&cannot));
    let dialect = if version.names_are_flags() { "--name NAME" } else { "positional NAME" };
    let what = format!("smolvm {version}, {} (from {whence}), speaks {dialect}", path.display());
    of_engine(&engine, &what, &cannot).details(json!({
        "version": version.to_string(), "path": path.display().to_string(), "from": whence.to_string(),
        "dialect": dialect, "can": can, "cannot": cannot,
    }))
}

/// Its list of VMs is the least that it must give.
fn of_engine(engine: &Smolvm, what: &str, cannot: &[&str]) -> Check {
    if let Err(error) = engine.machine_ls() {
        return failed("engine", format!("{what}, but: "), error.into());
    }
    if cannot.is_empty() {
        return Check::ok("engine", format!("{what}, can do all that bottle-freeze asks"));
    }
    let mend = match engine.place().1 {
        Whence::Installed => "bottle-freeze engine install",
        Whence::Path => "upgrade it, or `bottle-freeze engine install` and name that one in $SMOLVM",
        Whence::Flag | Whence::Variable => "bottle-freeze engine install, and name no other",
    };
    Check::warning("engine", format!("{what}, cannot {}", cannot.join(", ")), mend)
}

fn failed(name: &'static str, before: String, failure: Failure) -> Check {
    let mend = failure.mend.unwrap_or_else(|| "smolvm machine ls".into());
    Check::problem(name, failure.status, before + &failure.what, mend)
}

/// Without one a stopped VM can still be frozen, though not one that a helper VM must export.
fn virtualisation() -> Check {
    match hypervisor() {
        Ok(what) => Check::ok("hypervisor", what),
        Err(none) => {
            let what = format!("{}; no VM starts, but a stopped one without an image can be frozen", none.what);
            Check::warning("hypervisor", what, none.mend)
        }
    }
}

fn library(health: &Health) -> Check {
    let folder = health.folder.display().to_string();
    let plural = if health.snapshots == 1 { "" } else { "s" };
    let contents = format!("{} snapshot{plural}, {}, in {folder}", health.snapshots, output::size(health.bytes));
    let check = match &health.trouble {
        Some((trouble, mend)) => Check::problem("library", Status::NotWritable, trouble, *mend),
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

fn space(health: &Health) -> Check {
    let Some(free) = health.free else {
        return Check::warning("space", "how much is free cannot be told", "df -h");
    };
    let what = format!("{} free for the library", output::size(free));
    let mend = if health.snapshots == 0 { "df -h" } else { "bottle-freeze snapshot prune --keep-last 3 --dry-run" };
    let check = match free {
        ..LEAST_ROOM => Check::problem("space", Status::NotWritable, what, mend),
        LEAST_ROOM..FAIR_ROOM => Check::warning("space", what, mend),
        _ => Check::ok("space", what),
    };
    check.details(json!({ "free_bytes": free }))
}

fn left_behind(fix: bool, warnings: &Warnings) -> Check {
    let removed = if fix { remove_leftovers(warnings) } else { 0 };
    let (ours, engines) = (snapshot::leftovers(), leftovers());
    let folder = |path: &Path, bytes: u64, ownerless: bool| json!({ "path": path.display().to_string(), "bytes": bytes, "ownerless": ownerless });
    let of_ours = ours.iter().map(|one| folder(&one.path, one.bytes, true));
    let folders: Vec<_> =
        of_ours.chain(engines.iter().map(|one| folder(&one.path, one.bytes, one.is_ownerless))).collect();
    of_leftovers(&ours, &engines, removed).details(json!({ "removed_bytes": removed, "folders": folders }))
}

/// Removes what no run uses. How many bytes that were.
fn remove_leftovers(warnings: &Warnings) -> u64 {
    let size = || snapshot::leftovers().iter().map(|one| one.bytes).sum::<u64>();
    let before = size();
    snapshot::sweep_library(&end_helpers);
    let mut removed = before.saturating_sub(size());
    for one in leftovers().iter().filter(|one| one.is_ownerless) {
        match one.remove() {
            Ok(()) => removed += one.bytes,
            Err(error) => warnings.warn(format!("{} cannot be removed: {error}", one.path.display())),
        }
    }
    removed
}

fn of_leftovers(ours: &[snapshot::Leftover], engines: &[Leftover], removed: u64) -> Check {
    let list = |all: Vec<(&Path, u64)>| {
        all.iter()
            .map(|(path, bytes)| format!("{} ({})", path.display(), output::size(*bytes)))
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
    let what = if removed == 0 { "none".to_owned() } else { format!("removed {}", output::size(removed)) };
    Check::ok("leftovers", what + &alive)
}

fn completion() -> Check {
    match completed::look() {
        Completed::By(file) => Check::ok("completion", format!("installed: {}", file.display())),
        Completed::Missing { shell, mend } => Check::warning("completion", format!("not installed for {shell}"), mend),
        Completed::Unknown => {
            Check::warning("completion", "$SHELL names no shell that is known", "bottle-freeze help completions")
        }
    }
}
