//! Several at once: which VMs, and one after the other or side by side.

use crate::app::App;
use crate::commands::args::label;
use crate::error::{Failure, Result, Status};
use crate::operations::several::{in_parallel, jobs};
use crate::operations::state::state_now;
use crate::smolvm::{EngineError, Machine, Name, Smolvm};
use crate::terminal::{About, Warnings};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Instant;

/// Several VMs.
#[derive(Debug, Args)]
pub struct Vms {
    /// Names of VMs
    #[arg(required_unless_present_any = ["all", "label"])]
    pub names: Vec<Name>,
    /// All VMs
    #[arg(long, conflicts_with_all = ["names", "label"])]
    pub all: bool,
    /// Select VMs with this label (repeatable; a VM must have all of them)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "names")]
    pub label: Vec<(String, String)>,
    /// Number of VMs to work on at the same time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// What is printed where there is no VM.
pub const NO_VMS: &str = "no VMs; make one with: bottle-freeze create NAME";

/// The VMs that were meant, each once, by their names: those that are named, or all that the engine lists, or those with all these labels.
///
/// # Errors
/// None has the labels, or the list, which is read only if it is needed, cannot be.
pub fn select(
    app: &App,
    names: &[Name],
    all: bool,
    labels: &[(String, String)],
    list: impl FnOnce() -> Result<Vec<Machine>, EngineError>,
) -> Result<Vec<Name>> {
    let mut names = names.to_vec();
    if all || !labels.is_empty() {
        let has = |vm: &Machine| labels.iter().all(|(key, value)| vm.labels.get(key) == Some(value));
        let machines = list()?;
        names.extend(machines.iter().filter(|vm| has(vm)).filter_map(|vm| vm.name.parse().ok()));
        if names.is_empty() && !all {
            return Err(
                Failure::new(Status::NotFound, "no VM has that label").hint("list them with `bottle-freeze ls --json`")
            );
        }
        if names.is_empty() {
            app.terminal.note(NO_VMS);
        }
    }
    // In one order for everybody: two runs that wait for each other's VMs would wait for ever.
    names.sort();
    names.dedup();
    Ok(names)
}

/// Things of which there may be several.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The word for them.
    plural: &'static str,
    /// The key of one in a result.
    key: &'static str,
    /// How an error or an event names one, if it does.
    about: Option<fn(String) -> About>,
}

/// VMs, by name.
pub const VMS: Kind = Kind { plural: "VMs", key: "vm", about: Some(About::Vm) };
/// Snapshots of the library, `VM@ID`.
pub const SNAPSHOTS: Kind = Kind { plural: "snapshots", key: "reference", about: Some(About::Snapshot) };
/// Engines, by version.
pub const ENGINES: Kind = Kind { plural: "engines", key: "version", about: None };

/// A VM that was changed, as `--json` prints it.
#[derive(Serialize)]
struct Changed {
    vm: String,
    /// How it is now.
    state: &'static str,
    seconds: f64,
}

/// What was done for one thing, and the warnings about it.
#[derive(Serialize)]
pub struct Done<R> {
    /// What was done.
    #[serde(flatten)]
    pub result: R,
    /// What was printed as a warning meanwhile.
    pub warnings: Vec<String>,
}

/// Does `each`, which tells the state that it leaves the VM in, for every VM, as many at a time as was asked, reports
/// every failure, and fails with the only one, or with a summary.
pub fn vm(
    app: &App,
    engine: &Smolvm,
    vms: &Vms,
    names: &[Name],
    each: impl Fn(&App, &Smolvm, &Name, &Warnings) -> Result<&'static str> + Sync,
) -> Result<()> {
    let results = all(app, VMS, jobs(vms.jobs, names.len()), names, |app, name, warnings| {
        let (began, engine) = (Instant::now(), &app.share(engine));
        let state = each(app, engine, name, warnings).map_err(|failure| with_state(engine, name, failure))?;
        Ok(Changed { vm: name.to_string(), state, seconds: began.elapsed().as_secs_f64() })
    });
    report(app, VMS, vms.names.len() == 1, names, &results);
    verdict(VMS, names, results)
}

/// A signal may have ended the engine before or after it changed the VM: says how the VM is now.
fn with_state(engine: &Smolvm, name: &Name, failure: Failure) -> Failure {
    if failure.state.is_some() || !matches!(failure.status, Status::Interrupted(_)) {
        return failure;
    }
    match state_now(engine, name) {
        Some(now) => failure.state(now),
        None => failure,
    }
}

/// Does `each` for every thing, one after the other, and reports every failure of several.
pub fn one_by_one<T: ToString + Sync, R: Send>(
    app: &App,
    kind: Kind,
    items: &[T],
    each: impl Fn(&App, &T, &Warnings) -> Result<R> + Sync,
) -> Vec<Result<Done<R>>> {
    all(app, kind, 1, items, each)
}

fn all<T: ToString + Sync, R: Send>(
    app: &App,
    kind: Kind,
    jobs: usize,
    items: &[T],
    each: impl Fn(&App, &T, &Warnings) -> Result<R> + Sync,
) -> Vec<Result<Done<R>>> {
    let is_one = items.len() == 1;
    let work = |item: &T| {
        let name = item.to_string();
        app.on(kind.about.map(|about| about(name.clone())), |app| {
            let terminal = &app.terminal;
            let warnings = if is_one { Warnings::new(terminal) } else { Warnings::about(terminal, &name) };
            let result = each(app, item, &warnings).map_err(|failure| failure.after(warnings.list()))?;
            Ok(Done { result, warnings: warnings.list() })
        })
    };
    if is_one {
        return items.iter().map(work).collect();
    }
    in_parallel(jobs, items, |item| {
        app.signals.check()?;
        work(item).inspect_err(|failure| print_failure(app, failure))
    })
}

/// For programs: the result of the only one that was named, if there is one; otherwise an array with an entry of each.
pub fn report<T: ToString, R: Serialize>(app: &App, kind: Kind, is_one: bool, items: &[T], results: &[Result<R>]) {
    if is_one {
        results.iter().flatten().for_each(|result| app.terminal.report(result));
        return;
    }
    let entry = |(item, result): (&T, &Result<R>)| match result {
        Ok(result) => json!(result),
        Err(failure) => failed(kind.key, &item.to_string(), failure),
    };
    app.terminal.report(&items.iter().zip(results).map(entry).collect::<Vec<_>>());
}

/// For programs: one of several that failed.
pub fn failed(key: &str, item: &str, failure: &Failure) -> Value {
    let error = failure.error();
    json!({key: item, "error": error, "warnings": failure.warnings})
}

/// Prints the failure of one of several. An interrupt fails all of them alike: then the summary says it once.
pub fn print_failure(app: &App, failure: &Failure) {
    if !matches!(failure.status, Status::Interrupted(_)) || failure.state.is_some() {
        failure.print(&app.terminal);
    }
}

/// The only failure, or a summary of them.
///
/// # Errors
/// If there is one at all.
pub fn verdict<T: ToString, R>(kind: Kind, items: &[T], results: Vec<Result<R>>) -> Result<()> {
    if items.len() == 1 {
        return results.into_iter().try_for_each(|result| result.map(drop));
    }
    let failures = items.iter().zip(results).filter_map(|(item, result)| Some((item.to_string(), result.err()?)));
    summary(kind.plural, items.len(), &failures.collect::<Vec<_>>())
}

/// What is left to say when each failure of several was reported: how many, who and why.
///
/// # Errors
/// If there is a failure at all.
fn summary(kind: &str, of: usize, failures: &[(String, Failure)]) -> Result<()> {
    let interrupted = failures.iter().find(|(_, failure)| matches!(failure.status, Status::Interrupted(_)));
    if let Some((_, failure)) = interrupted {
        return Err(Failure::new(failure.status, failure.what.clone()));
    }
    if failures.is_empty() {
        return Ok(());
    }
    let first_line = |failure: &Failure| failure.what.lines().next().unwrap_or_default().to_owned();
    let list: Vec<String> = failures.iter().map(|(who, failure)| format!("{who} ({})", first_line(failure))).collect();
    let what = format!("{} of {of} {kind} failed: {}", failures.len(), list.join("; "));
    Err(Failure::new(Status::SomeFailed, what))
}
