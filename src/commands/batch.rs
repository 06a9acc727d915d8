//! One or several of one kind: each is done, each failure is printed, and the command fails with the only failure or with a
//! summary.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::operations::several::in_parallel;
use crate::report::{Done, Engine, Entry, Failed, Snapshot, Vm};
use crate::terminal::{About, Warnings};
use serde::Serialize;

/// What there may be several of; `S` names one of them in JSON.
pub struct Kind<S> {
    /// The word for them.
    plural: &'static str,
    /// How an error or an event names one, if it does.
    about: Option<fn(String) -> About>,
    /// How the entry of one that failed names it.
    subject: fn(String) -> S,
}

/// VMs, by name.
pub const VMS: Kind<Vm> = Kind { plural: "VMs", about: Some(About::Vm), subject: |vm| Vm { vm } };
/// Snapshots, by `VM@ID` or file.
pub const SNAPSHOTS: Kind<Snapshot> =
    Kind { plural: "snapshots", about: Some(About::Snapshot), subject: |reference| Snapshot { reference } };
/// Engines, by version.
pub const ENGINES: Kind<Engine> = Kind { plural: "engines", about: None, subject: |version| Engine { version } };

/// Does `each` for every item, `jobs` at a time. The results are in the order of the items; the failure of one of several is
/// printed at once.
pub fn each<T: ToString + Sync, R: Send, S>(
    app: &App,
    kind: &Kind<S>,
    jobs: usize,
    items: &[T],
    each: impl Fn(&App, &T, &Warnings) -> Result<R> + Sync,
) -> Vec<Result<Done<R>>> {
    let (is_one, about) = (items.len() == 1, kind.about);
    let work = |item: &T| {
        let name = item.to_string();
        app.on(about.map(|about| about(name.clone())), |app| {
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

/// Prints the results as JSON (see [`report`]).
///
/// # Errors
/// One or more failed (see [`verdict`]).
pub fn finish<T: ToString, R: Serialize, S: Serialize>(
    app: &App,
    kind: &Kind<S>,
    is_one: bool,
    items: &[T],
    results: Vec<Result<R>>,
) -> Result<()> {
    report(app, kind, is_one, items, &results);
    verdict(kind, items, results)
}

/// Prints as JSON: the result of the only one that was named, if there is one; otherwise an array with an entry for each.
pub fn report<T: ToString, R: Serialize, S: Serialize>(
    app: &App,
    kind: &Kind<S>,
    is_one: bool,
    items: &[T],
    results: &[Result<R>],
) {
    if is_one {
        return results.iter().flatten().for_each(|result| app.terminal.report(result));
    }
    let entries = items.iter().zip(results).map(|(item, result)| match result {
        Ok(result) => Entry::Done(result),
        Err(failure) => Entry::Failed(Failed::new((kind.subject)(item.to_string()), failure)),
    });
    app.terminal.report(&entries.collect::<Vec<_>>());
}

/// All of them, if each was found: one that cannot be undone begins only then.
///
/// # Errors
/// One was not. The others that were not are printed.
pub fn all_or_none<T>(app: &App, all: impl Iterator<Item = Result<T>>, state: &str) -> Result<Vec<T>> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(one) => found.push(one),
            Err(failure) => failures.push(failure),
        }
    }
    let Some(last) = failures.pop() else { return Ok(found) };
    for failure in &failures {
        print_failure(app, failure);
    }
    Err(last.and_state(state))
}

/// Prints the failure of one of several. An interrupt fails all of them alike: then the summary says it once.
pub fn print_failure(app: &App, failure: &Failure) {
    if !failure.is_interrupted() || failure.state.is_some() {
        failure.print(&app.terminal);
    }
}

/// # Errors
/// The failure of the only item, or how many of several failed, which and why.
pub fn verdict<T: ToString, R, S>(kind: &Kind<S>, items: &[T], results: Vec<Result<R>>) -> Result<()> {
    let of = items.len();
    let failures = items.iter().zip(results).filter_map(|(item, result)| Some((item, result.err()?)));
    let mut failures: Vec<(&T, Failure)> = failures.collect();
    if failures.is_empty() {
        return Ok(());
    }
    if of == 1 {
        return failures.pop().map_or(Ok(()), |(_, failure)| Err(failure));
    }
    let interrupted = failures.iter().find(|(_, failure)| failure.is_interrupted());
    if let Some((_, failure)) = interrupted {
        return Err(Failure::new(failure.status, failure.what.clone()));
    }
    let first_line = |failure: &Failure| failure.what.lines().next().unwrap_or_default().to_owned();
    let list = failures.iter().map(|(item, failure)| format!("{} ({})", item.to_string(), first_line(failure)));
    let list = list.collect::<Vec<_>>().join("; ");
    Err(Failure::new(Status::SomeFailed, format!("{} of {of} {} failed: {list}", failures.len(), kind.plural)))
}
