//! The freeze of VMs, in eight steps. Interrupted or failed anywhere, it leaves nothing half-written, and each VM as it was.

use super::ask::ask;
use super::context::{Context, Freeze, Frozen, Job};
use super::hooks::Hooks;
use super::plan::in_the_ordinary_way;
use super::prepare::prepare;
use super::publish::Published;
use super::request::{Live, Request};
use super::stopped::Stopped;
use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::Tag;
use crate::operations::{packed, several};
use crate::report;
use crate::smolvm::{Disks, Name, Smolvm};
use crate::terminal::Warnings;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a VM may take to stop when it is frozen to be replaced.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Freezes VMs: all of them take steps 1 to 3 together, and each takes the others by itself. Each VM's result, which was
/// reported by then.
///
/// # Errors
/// The request makes no sense, the user does not confirm it, or the engine does not list its VMs.
pub fn freeze(cx: Context, jobs: &[&Job]) -> Result<BTreeMap<Name, Result<Frozen>>> {
    cx.request.check(jobs.len())?;
    let mut results = BTreeMap::new();
    let mut refuse = |job: &Job, failure| drop(results.insert(job.name.clone(), Err(cx.failed(job, failure))));
    let ready = prepare(cx, jobs, &mut refuse)?; // 1. Look, 2. Check
    let ready = ask(cx, ready, &mut refuse)?; // 3. Ask
    let frozen = several::in_parallel(several::jobs(cx.request.jobs, ready.len()), &ready, Freeze::run_one);
    let mut refused_live = Vec::new();
    for (job, result) in ready.iter().map(|freeze| freeze.job).zip(frozen) {
        match result {
            Some(result) => drop(results.insert(job.name.clone(), result)),
            None => refused_live.push(job),
        }
    }
    drop(ready);
    if !refused_live.is_empty() {
        let request = Request { live: None, ..cx.request.clone() };
        match freeze(Context { request: &request, ..cx }, &refused_live) {
            Ok(more) => results.extend(more),
            Err(failure) => refused_live.iter().for_each(|job| {
                results.insert(job.name.clone(), Err(cx.failed(job, failure.clone())));
            }),
        }
    }
    Ok(results)
}

/// Freezes a VM into the library under these tags, without a question. The snapshot's `VM@ID`, and the disks that are in it.
///
/// # Errors
/// There is no snapshot, or a signal came after it was made.
pub fn into_library(
    app: &App,
    engine: &Smolvm,
    name: &Name,
    (note, tags): (String, Vec<Tag>),
    warnings: &Warnings,
) -> Result<(String, Option<Disks>)> {
    let request = Request { note: Some(note), tags, yes: true, stop_timeout: STOP_TIMEOUT, ..Request::default() };
    let job = Job::new(app, engine, name.clone(), true);
    let results = freeze(Context { app, engine, request: &request, report: &|_| {} }, &[&job]);
    warnings.keep(job.warnings.list());
    let (mut reference, mut of_vm) = (String::new(), None);
    for frozen in results?.into_values() {
        let Frozen { report, failure, disks } = frozen?;
        failure.map_or(Ok(()), Err)?;
        (reference, of_vm) = (report.reference.unwrap_or_default(), disks);
    }
    app.terminal.note(&format!("froze {name} as {reference}"));
    Ok((reference, of_vm))
}

impl Freeze<'_> {
    /// Steps 4 to 8 in a thread of their own, and the report. `None`: the engine refused to freeze the VM live, and it is
    /// to be frozen in the ordinary way.
    fn run_one(&self) -> Option<Result<Frozen>> {
        match self.run() {
            Ok(frozen) => {
                let frozen = self.finished(frozen);
                (self.cx.report)(Ok(&frozen));
                Some(Ok(frozen))
            }
            Err(failure) if self.is_refused_live(&failure) => {
                self.job.warnings.warn(in_the_ordinary_way(&failure.what));
                None
            }
            Err(failure) => Some(Err(self.cx.failed(self.job, failure))),
        }
    }

    /// Whether the engine refused to freeze it live, and it may be frozen in the ordinary way.
    fn is_refused_live(&self, failure: &Failure) -> bool {
        self.plan.is_live() && failure.status == Status::BadState && self.cx.request.live == Some(Live::Auto)
    }

    /// The whole result: a signal that came late is a failure, but the work is done.
    fn finished(&self, frozen: Frozen) -> Frozen {
        let name = frozen.name().to_string_lossy().into_owned();
        let Frozen { report, failure, disks } = frozen;
        let failure = failure.or_else(|| packed::answer_signal(self.cx.app, &name).err());
        let failure = failure.map(|failure| self.job.about(failure));
        let error = failure.as_ref().map(Failure::error);
        // One that was there before keeps the warnings of its own freeze.
        let record = |snapshot| if report.unchanged { snapshot } else { self.record_late_warnings(snapshot) };
        let (snapshot, warnings) = (report.snapshot.map(record), self.job.warnings.list());
        Frozen { report: report::Frozen { snapshot, warnings, error, ..report }, failure, disks }
    }

    /// Steps 4 to 8, between the user's own commands.
    fn run(&self) -> Result<Frozen> {
        let hooks = Hooks::of(self);
        let mut vm = Stopped::not_yet(self);
        hooks.after(match self.take_snapshot(&hooks, &mut vm) {
            Ok((published, disks)) => {
                let frozen = published.frozen(self);
                let failure = vm.keep(&frozen.name().to_string_lossy()).err(); // 8. Restart
                Ok(Frozen { failure, disks, ..frozen })
            }
            Err(failure) => Err(vm.put_back(failure)),
        })
    }

    fn take_snapshot(&self, hooks: &Hooks, vm: &mut Stopped) -> Result<(Published, Option<Disks>)> {
        self.check_room()?;
        hooks.before()?;
        vm.may_stop();
        // Dropped after the folder that it names.
        let _note;
        let staging = self.target.staging()?;
        _note = packed::leaves(self.cx.app, &staging);
        let workspace = self.save_workspace(&staging)?;
        let is_trimmed = self.trim_guest()?;
        vm.stop()?; // 4. Stop
        let taken = self.take(&staging, vm, is_trimmed)?; // 5. Take the disks
        let (paused, disks) = (taken.paused, taken.disks.as_ref().map(|(_, disks)| disks.clone()));
        let finished = self.check(&staging, taken)?; // 6. Verify
        self.flush(&staging)?;
        let same = self.find_same(&staging, &finished, workspace.as_ref())?;
        // From here on only names change: the VM could run again.
        let downtime = paused.or_else(|| vm.downtime());
        Ok((self.publish(&staging, finished, workspace, downtime, same)?, disks)) // 7. Publish
    }
}
