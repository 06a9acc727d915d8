//! `doctor`: would a freeze work here, and what mends what would not? One line for each thing that it needs.

use super::completed::{self, Completed};
use super::{App, Failure, Result, Status, output};
use crate::smolvm::{Hypervisor, Leftover, Smolvm, Version, hypervisor, leftovers};
use crate::snapshot::{Health, Trouble};
use crate::{cli, ui};
use serde::Serialize;
use serde_json::{Value, json};
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
    fn new(name: &'static str, verdict: Verdict, what: impl Into<String>) -> Self {
        Self { name, verdict, what: what.into(), mend: None, details: Value::Null, status: Status::Failed }
    }

    fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    fn details(self, details: Value) -> Self {
        Self { details, ..self }
    }

    fn status(self, status: Status) -> Self {
        Self { status, ..self }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// Whether a freeze would work.
    ok: bool,
    checks: &'a [Check],
}

pub fn run(app: &App, args: &cli::Doctor) -> Result<ExitCode> {
    let health = Health::look();
    let mut checks = vec![engine(app), virtualisation(), library(&health), space(&health)];
    checks.push(left_behind(args.fix)?);
    checks.push(completion());
    let problem = checks.iter().find(|check| check.verdict == Verdict::Problem);
    if args.json {
        ui::json(&Report { ok: problem.is_none(), checks: &checks });
    } else {
        let is_told = |check: &&Check| !app.ui.quiet || check.verdict == Verdict::Problem;
        ui::lines(checks.iter().filter(is_told).map(line));
    }
    Ok(problem.map_or(ExitCode::SUCCESS, |check| check.status.into()))
}

/// One line, with the command that mends it.
fn line(check: &Check) -> String {
    let marks = if is_utf8() { ["✓", "!", "✗"] } else { ["ok", "!", "x"] };
    let mark = marks[check.verdict as usize];
    let mend = check.mend.as_ref().map(|mend| format!(": {mend}")).unwrap_or_default();
    ui::one_line(&format!("{mark:width$} {:<11} {}{mend}", check.name, check.what, width = marks[0].chars().count()))
}

/// Whether the locale's characters are UTF-8, as `setlocale` reads the environment.
fn is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let locale = named.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

fn engine(app: &App) -> Check {
    let engine = match app.engine() {
        Ok(engine) => engine,
        Err(failure) => {
            let check = Check::new("engine", Verdict::Problem, failure.what).status(failure.status);
            return Check { mend: failure.mend, ..check };
        }
    };
    let version = engine.version();
    let (can, cannot): (Vec<_>, Vec<_>) = version.abilities().into_iter().partition(|(_, can)| *can);
    let names = |all: &[(&'static str, bool)]| all.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let (can, cannot) = (names(&can), names(&cannot));
    let (path, whence) = engine.place();
    let what = format!("smolvm {version}, {} (from {whence}), speaks {}", path.display(), dialect(version));
    let details = json!({
        "version": version.to_string(), "path": path.display().to_string(), "from": whence.to_string(),
        "dialect": dialect(version), "can": can, "cannot": cannot,
    });
    answers(&engine, what, &cannot).details(details)
}

/// Its list of VMs is the least that it must give.
fn answers(engine: &Smolvm, what: String, cannot: &[&str]) -> Check {
    match engine.machine_ls() {
        Err(error) => {
            let failure = Failure::from(error);
            let check = Check::new("engine", Verdict::Problem, format!("{what}, but: {}", failure.what));
            check.status(failure.status).mend(failure.mend.unwrap_or_else(|| "smolvm machine ls".into()))
        }
        Ok(_) if cannot.is_empty() => Check::new("engine", Verdict::Ok, what),
        Ok(_) => Check::new("engine", Verdict::Warning, format!("{what}; it cannot {}", cannot.join(", ")))
            .mend("bottle-freeze engine install"),
    }
}

fn dialect(version: Version) -> &'static str {
    if version.names_are_flags() { "--name NAME" } else { "positional NAME (before 1.0.2)" }
}

fn virtualisation() -> Check {
    let name = if cfg!(target_os = "macos") { "hypervisor" } else { "kvm" };
    match hypervisor() {
        Hypervisor::Works(what) => Check::new(name, Verdict::Ok, what),
        Hypervisor::Doubtful(what) => {
            let mend = "switch virtualisation on in the firmware, or nested virtualisation on this VM's host";
            Check::new(name, Verdict::Warning, what).mend(mend)
        }
        Hypervisor::Fails(what, mend) => Check::new(name, Verdict::Problem, what).mend(mend),
    }
}

fn library(health: &Health) -> Check {
    let folder = health.folder.display().to_string();
    let details = json!({
        "folder": folder, "snapshots": health.snapshots, "broken": health.broken, "bytes": health.bytes,
    });
    let check = match &health.trouble {
        None if health.broken == 0 => Check::new("library", Verdict::Ok, contents(health)),
        None => {
            let what = format!("{}, and {} that are damaged", contents(health), health.broken);
            Check::new("library", Verdict::Warning, what).mend("bottle-freeze snapshot verify --all")
        }
        Some(trouble) => {
            let what = match trouble {
                Trouble::Unreadable(why) | Trouble::Unlockable(why) => why.clone(),
                Trouble::ReadOnly(error) => format!("{folder} cannot be written: {error}"),
            };
            Check::new("library", Verdict::Problem, what)
                .status(Status::NotWritable)
                .mend("export BOTTLE_FREEZE_HOME=FOLDER, one that can be written")
        }
    };
    check.details(details)
}

fn contents(health: &Health) -> String {
    let plural = if health.snapshots == 1 { "" } else { "s" };
    let size = output::size(health.bytes);
    format!("{} snapshot{plural}, {size}, in {}", health.snapshots, health.folder.display())
}

fn space(health: &Health) -> Check {
    let Some(free) = health.free else {
        return Check::new("space", Verdict::Warning, "how much is free cannot be told").mend("df -h");
    };
    let what = format!("{} free for the library", output::size(free));
    let mend = "bottle-freeze snapshot prune --keep-last 3 --dry-run";
    let check = match free {
        ..LEAST_ROOM => Check::new("space", Verdict::Problem, what).status(Status::NotWritable).mend(mend),
        LEAST_ROOM..FAIR_ROOM => Check::new("space", Verdict::Warning, what).mend(mend),
        _ => Check::new("space", Verdict::Ok, what),
    };
    check.details(json!({ "free_bytes": free }))
}

fn left_behind(fix: bool) -> Result<Check> {
    let mut all = leftovers();
    let mut removed = 0;
    if fix {
        for one in all.iter().filter(|one| one.is_ownerless) {
            one.remove().map_err(|error| Failure::not_writable(&one.path, &error))?;
            removed += one.bytes;
        }
        all.retain(|one| !one.is_ownerless);
    }
    let details = json!({ "removed_bytes": removed, "folders": all.iter().map(|one| json!({
        "path": one.path.display().to_string(), "bytes": one.bytes, "ownerless": one.is_ownerless,
    })).collect::<Vec<_>>() });
    Ok(of_leftovers(&all, removed).details(details))
}

fn of_leftovers(all: &[Leftover], removed: u64) -> Check {
    let (dead, alive): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.is_ownerless);
    let size = |all: &[&Leftover]| output::size(all.iter().map(|one| one.bytes).sum()).to_string();
    let used = match alive.len() {
        0 => String::new(),
        count => format!("; {count} folders ({}) may be in use", size(&alive)),
    };
    if !dead.is_empty() {
        let paths: Vec<_> = dead.iter().map(|one| one.path.display().to_string()).collect();
        let what = format!("ended smolvm commands left {} in {}{used}", size(&dead), paths.join(", "));
        return Check::new("leftovers", Verdict::Warning, what).mend("bottle-freeze doctor --fix");
    }
    let what = if removed == 0 { "none".to_owned() } else { format!("removed {}", output::size(removed)) };
    Check::new("leftovers", Verdict::Ok, what + &used)
}

fn completion() -> Check {
    match completed::look() {
        Completed::By(file) => Check::new("completion", Verdict::Ok, format!("installed: {}", file.display())),
        Completed::Missing { shell, mend } => {
            Check::new("completion", Verdict::Warning, format!("not installed for {shell}")).mend(mend)
        }
        Completed::Unknown => Check::new("completion", Verdict::Warning, "$SHELL is none that is known here")
            .mend("bottle-freeze completions bash|zsh|fish|elvish|powershell"),
    }
}
