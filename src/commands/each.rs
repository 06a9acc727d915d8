//! Several at once: which VMs, and one after the other or side by side.

use super::{Failure, Result, Status};
use crate::interrupt;
use crate::smolvm::{EngineError, Machine, Name};
use crate::ui;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The VMs that were meant, each once, by their names: those that are named, or all that the engine lists, or those with all these labels.
///
/// # Errors
/// None has the labels, or the list, which is read only if it is needed, cannot be.
pub fn select(
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
                Failure::new(Status::NoSuchVm, "no VM has that label").mend("list them with `bottle-freeze ls --json`")
            );
        }
    }
    // In one order for everybody: two runs that wait for each other's VMs would wait for ever.
    names.sort();
    names.dedup();
    Ok(names)
}

/// Does `each` for every item, `jobs` at a time, and gives the results in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(jobs: usize, items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let work = || {
        loop {
            let at = next.fetch_add(1, Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = each(item);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        let helpers = jobs.clamp(1, items.len().max(1)) - 1;
        (0..helpers).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many of `count` at a time when nothing was asked: half of the cores.
pub fn jobs(asked: Option<u16>, count: usize) -> usize {
    let half = || std::thread::available_parallelism().map_or(1, |cores| usize::from(cores) / 2).max(1);
    // For one VM the cores, a dozen system calls, are not counted.
    if count < 2 { 1 } else { asked.map_or_else(half, usize::from) }
}

/// Does `each` for every VM, `jobs` at a time, reports every failure, and fails with the only one, or with a summary.
pub fn vm(jobs: usize, names: &[Name], each: impl Fn(&Name) -> Result<()> + Sync) -> Result<()> {
    all("VMs", jobs, names, each)
}

/// The same for other things, of which `kind` is the plural, one after the other.
pub fn one_by_one<T: ToString + Sync>(kind: &str, items: &[T], each: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    all(kind, 1, items, each)
}

/// The same for a list of things.
fn all<T: ToString + Sync>(kind: &str, jobs: usize, items: &[T], each: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    if let [item] = items {
        return each(item);
    }
    let results = in_parallel(jobs, items, |item| match interrupt::pending() {
        Some(signal) => Err(EngineError::Interrupted(signal).into()),
        None => each(item).inspect_err(tell),
    });
    let failures = items.iter().zip(results).filter_map(|(item, result)| Some((item.to_string(), result.err()?)));
    summary(kind, items.len(), &failures.collect::<Vec<_>>())
}

/// Reports a failure of one of several, but for that of a signal, of which all fail alike.
pub fn tell(failure: &Failure) {
    if !matches!(failure.status, Status::Interrupted(_)) || failure.now.is_some() {
        ui::error(&failure.what, failure.now.as_deref(), failure.mend.as_deref());
    }
}

/// What is left to say when each failure of several was reported: how many, who and why.
///
/// # Errors
/// If there is a failure at all.
pub fn summary(kind: &str, of: usize, failures: &[(String, Failure)]) -> Result<()> {
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
