//! Several VMs of one snapshot: it is checked once, and all of them are made and started, or none.

use super::names;
use super::plan::{Host, Plan};
use super::ports::HostPorts;
use super::request::Request;
use super::{Thaw, check, find};
use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::Lock;
use crate::operations::consent::Ports;
use crate::operations::resolve::Checked;
use crate::operations::several::{in_parallel, jobs};
use crate::operations::{configuration, make};
use crate::report::Thawed;
use crate::smolvm::{Fact, Name, Smolvm, Source};
use crate::terminal::{About, Warnings};
use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// How many VMs are made, and how.
#[derive(Debug, Clone, Copy)]
pub struct Several {
    /// How many.
    pub count: u16,
    /// How many of them at a time; `None`: half of the cores.
    pub jobs: Option<u16>,
    /// Whether they keep the machine id and the SSH host keys of the frozen VM.
    pub same_identity: bool,
}

/// One of them.
struct Job {
    plan: Plan,
    app: App,
    warnings: Warnings,
}

/// Makes VMs from a snapshot, `NAME-1`, `NAME-2` …, and starts them.
///
/// # Errors
/// There is none of them, unless the failure says otherwise.
pub fn several(app: &App, request: &Request, several: Several) -> Result<Vec<Thawed>> {
    app.on_snapshot(&request.snapshot.to_string_lossy(), |app| {
        let count = several.count;
        let (found, engine) = find(app, request)?;
        let names = names::several(request, &found, count)?;
        // Held until the VMs are made.
        let lock = |name: &Name| make::lock_name(app, &engine, name);
        let _locks: Vec<Option<Lock>> = names.iter().map(lock).collect::<Result<_>>()?;
        let machines = engine.machine_ls()?;
        names::check_free(&names, &machines)?;
        let (snapshot, opens) = check(app, request, found)?;
        check_each(request, several, &snapshot)?;
        let ports = HostPorts::of(app, &engine, request, &machines, None)?;
        let mut host = Host { machines: &machines, version: engine.version(), ports, is_several: count > 1 };
        let plans = names.into_iter().map(|name| Plan::make(name, request, opens, &snapshot, &mut host));
        let mut plans: Vec<Plan> = plans.collect::<Result<_>>()?;
        link_artifacts(&engine, &snapshot, &mut plans)?;
        let jobs = plans.into_iter().map(|plan| prepared(app, &engine, plan));
        let jobs: Vec<Job> = jobs.collect::<Result<_>>()?;
        let thaws = jobs.iter().map(|Job { plan, app, warnings }| {
            let (engine, snapshot, several) = (app.share(&engine), &snapshot, Some(several));
            Thaw { app, engine, request, snapshot, plan, several, warnings, made: OnceLock::new() }
        });
        make_all(app, &thaws.collect::<Vec<_>>(), several.jobs)
    })
    .map_err(|failure| match failure.state {
        None if failure.is_interrupted() => failure.state("no VM was made"),
        _ => failure,
    })
}

/// Checks that each of the VMs can have ports and an identity of its own.
fn check_each(request: &Request, several: Several, snapshot: &Checked) -> Result<()> {
    let (count, manifest) = (several.count, &snapshot.artifact.manifest);
    let refused = |what: &str| Err(Failure::new(Status::Usage, what).state("no VM was made"));
    if manifest.is_live() {
        if count > 1 && !manifest.live_ports().is_empty() {
            return refused(
                "each VM of a live snapshot publishes the same ports, so this host can have only one of them",
            );
        }
        // All of their kernels continue with the same state of the random number generator.
        let what =
            "guests of a live snapshot continue with the same random numbers, so new SSH host keys could be equal";
        let hint = "--same-identity keeps those of the frozen VM";
        return if several.same_identity { Ok(()) } else { refused(what).map_err(|failure| failure.hint(hint)) };
    }
    let recorded = snapshot.stored().and_then(|stored| stored.metadata.machine.ports.as_deref());
    let ports = match &request.access.ports {
        Ports::Recorded => recorded.unwrap_or_default(),
        Ports::Given(ports) => ports,
        Ports::Free => &[],
    };
    if count < 2 || ports.is_empty() {
        return Ok(());
    }
    let hint = "--no-ports publishes none, -p auto publishes the recorded ones at ports that are free";
    let what = format!("{count} VMs cannot publish the same ports: {}", ports.join(", "));
    refused(&what).map_err(|failure| failure.hint(hint))
}

/// Gives each VM an artifact that it can keep, where the engine reads it at every start and it is only there for this run.
fn link_artifacts(engine: &Smolvm, snapshot: &Checked, plans: &mut [Plan]) -> Result<()> {
    if engine.version().has(Fact::FreeArtifacts) || snapshot.file().is_some() {
        return Ok(());
    }
    for plan in plans {
        let link = snapshot.path().with_file_name(format!("{}.smolmachine", plan.name));
        fs::hard_link(snapshot.path(), &link).map_err(|error| Failure::not_writable(&link, &error))?;
        plan.options.source = Source::Artifact(link);
    }
    Ok(())
}

/// Checks a plan, and prints what is foreseen.
fn prepared(app: &App, engine: &Smolvm, plan: Plan) -> Result<Job> {
    configuration::check(&plan.known)?;
    engine.can_create(&plan.name, &plan.options)?;
    let app = app.about(Some(About::Vm(plan.name.to_string())));
    let warnings = Warnings::about(&app.terminal, plan.name.as_str());
    plan.warnings.iter().for_each(|foreseen| warnings.warn(foreseen));
    Ok(Job { plan, app, warnings })
}

/// Makes all of them, some at a time. After the first failure none is begun, and those that are there are removed.
fn make_all(app: &App, thaws: &[Thaw], at_a_time: Option<u16>) -> Result<Vec<Thawed>> {
    let at_a_time = jobs(at_a_time, thaws.len());
    let names = thaws.iter().map(|thaw| thaw.plan.name.as_str()).collect::<Vec<_>>().join(" ");
    let _note = app.signals.note(format!("some of these VMs may be there (`bottle-freeze rm` removes them): {names}"));
    let has_failed = AtomicBool::new(false);
    let made = in_parallel(at_a_time, thaws, |thaw| {
        if has_failed.load(Relaxed) {
            return Ok(None);
        }
        let began = Instant::now();
        let state = app.signals.check().map_err(Failure::from).and_then(|()| thaw.make());
        state.map(|state| Some(thaw.report(state, began))).map_err(|failure| {
            has_failed.store(true, Relaxed);
            failure.about(Some(About::Vm(thaw.plan.name.to_string()))).after(thaw.warnings.list())
        })
    });
    if !has_failed.load(Relaxed) {
        return Ok(made.into_iter().flatten().flatten().collect());
    }
    let left = in_parallel(at_a_time, thaws, Thaw::remove).into_iter().filter_map(Result::err).collect::<Vec<_>>();
    let failures = thaws.iter().zip(made).filter_map(|(thaw, made)| Some((thaw, made.err()?)));
    let failures = failures.map(|(thaw, failure)| match thaw.made.get() {
        Some(_) => thaw.without_vm(failure),
        None => failure,
    });
    Err(none_is_left(app, &failures.collect::<Vec<_>>(), &left, thaws.len()))
}

/// The failure of all, because of these, of which others are printed. Those of the VMs that are still there are `left`.
fn none_is_left(app: &App, failures: &[Failure], left: &[Failure], count: usize) -> Failure {
    let all = failures.iter().chain(left);
    let mut states: Vec<String> = all.clone().filter_map(|failure| failure.state.clone()).collect();
    let hint = all.filter(|failure| failure.state.is_some()).find_map(|failure| failure.hint.clone());
    match (states.len(), count.saturating_sub(states.len())) {
        (0, _) => states.push(format!("none of the {count} VMs is there")),
        (_, 0) => {}
        (_, 1) => states.push("the other one is not there".into()),
        (_, others) => states.push(format!("the other {others} are not there")),
    }
    // A signal says why all of them failed.
    let cause = failures.iter().find(|failure| failure.is_interrupted()).or(failures.first()).cloned();
    let cause = cause.unwrap_or_else(|| Failure::new(Status::Failed, "the VMs could not be made"));
    let others = failures.iter().filter(|other| other.what != cause.what && !other.is_interrupted());
    others.for_each(|other| Failure { state: None, ..other.clone() }.print(&app.terminal));
    let hint = hint.or(cause.hint.clone());
    Failure { state: Some(states.join("; ")), hint, ..cause }
}
