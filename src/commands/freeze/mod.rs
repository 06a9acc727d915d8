//! `freeze`: VM → snapshot, in eight steps, and nothing lost whatever happens on the way.

mod args;
mod ask;
mod hooks;
mod look;
mod report;

use crate::app::App;
use crate::clock;
use crate::commands::batch;
use crate::error::{Failure, Result, Status};
use crate::library::{Configuration, FORMAT, FileHash, Lock, Metadata, Origin, Staging, Target, check_words, store};
use crate::operations::several::{in_parallel, jobs, once};
use crate::operations::start::{START_AGAIN, start};
use crate::operations::state::asked_again;
use crate::operations::stop::stop;
use crate::operations::tags::free_tags;
use crate::operations::{fidelity, lock, packed, workspace};
use crate::signals::{self, ExitNote};
use crate::smolvm::secrets::Finished;
use crate::smolvm::{
    CHECKPOINT_SUFFIX, Disks, EngineError, Machine, Name, PackOptions, PackStep, Reason, Smolvm, State, StreamedHash,
    end_helpers, follow,
};
use crate::terminal::{About, Terminal, Warnings};
pub use args::Args;
use args::Live;
use look::in_the_ordinary_way;
use report::{Outcome, Report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How long the VMM may outlive the engine's `stop` (20 ms were seen in 1.16). Then the pack goes on: in a
/// container without an init the process number of a dead VMM stays.
const VMM_EXIT: Duration = Duration::from_secs(2);
/// How long a VM whose stop was given up is watched: does its guest still execute commands?
const SETTLING: Duration = Duration::from_secs(5);
/// How long its VMM may live on after a signal that an ended `stop` has sent it.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub fn run(app: &App, args: &Args) -> Result<()> {
    args.output.as_deref().map_or(Ok(()), packed::refuse_stream)?;
    let engine = app.engine()?;
    let names = batch::select(app, &args.names, args.all, &args.vm_label, || engine.machine_ls())?;
    let tell = |report: &Report| report.print(app, args);
    let targets = FreezeTarget::each(app, &engine, names);
    let outcomes = freeze(app, args, &engine, &targets.iter().collect::<Vec<_>>(), &tell)
        .map_err(|failure| failure.after(targets.iter().flat_map(|target| target.warnings.list()).collect()))?;
    if app.terminal.json && !args.dry_run {
        report::print_json(app, &outcomes, args.names.len() == 1);
    }
    report::verdict(outcomes)
}

/// Freezes a VM into the library, without a question. The snapshot's `VM@ID`.
pub fn into_library(app: &App, engine: &Smolvm, name: &Name, note: String, warnings: &Warnings) -> Result<String> {
    let args = Args { note: Some(note), yes: true, ..Args::of(name.clone()) };
    let target = FreezeTarget::new(app, engine, name.clone(), Warnings::new);
    let frozen = freeze(app, &args, engine, &[&target], &|_| {});
    warnings.keep(target.warnings.list());
    let mut outcomes = frozen?;
    let reference = outcomes.iter_mut().find_map(|outcome| outcome.report.as_mut()?.reference.take());
    report::verdict(outcomes)?;
    let reference = reference.unwrap_or_default();
    app.terminal.note(&format!("froze {name} as {reference}"));
    Ok(reference)
}

/// A VM to freeze, and the warnings about it.
struct FreezeTarget {
    app: App,
    engine: Smolvm,
    name: Name,
    warnings: Warnings,
}

impl FreezeTarget {
    fn each(app: &App, engine: &Smolvm, names: Vec<Name>) -> Vec<Self> {
        let is_one = names.len() == 1;
        let target = |name: Name| {
            let text = name.to_string();
            Self::new(app, engine, name, |terminal| {
                if is_one { Warnings::new(terminal) } else { Warnings::about(terminal, &text) }
            })
        };
        names.into_iter().map(target).collect()
    }

    fn new(app: &App, engine: &Smolvm, name: Name, warnings: impl FnOnce(&Terminal) -> Warnings) -> Self {
        let app = app.about(Some(About::Vm(name.to_string())));
        Self { warnings: warnings(&app.terminal), engine: app.share(engine), name, app }
    }
}

/// The eight steps: all VMs take the first three together, and then each the others by itself.
fn freeze(
    app: &App,
    args: &Args,
    engine: &Smolvm,
    targets: &[&FreezeTarget],
    tell: &(dyn Fn(&Report) + Sync),
) -> Result<Vec<Outcome>> {
    if args.output.as_deref().is_some_and(|out| Target::is_live(out) != args.live.is_some()) {
        let what = "a live snapshot, and no other, is named X.checkpoint";
        return Err(Failure::new(Status::Usage, what).hint("--live -o X.checkpoint, or -o X.smolmachine"));
    }
    if args.output.is_some() && args.live == Some(Live::Auto) {
        return Err(
            Failure::new(Status::Usage, "--live=auto does not know what -o will be").hint("leave one of them out")
        );
    }
    if targets.len() > 1 && args.output.is_some() {
        let what = "-o names the output of one VM, and there are several";
        return Err(Failure::new(Status::Usage, what).hint("without -o, all are kept in the library"));
    }
    check_words(&args.tag, args.note.as_deref(), &args.label.iter().cloned().collect())?;
    let lock = |name| if args.dry_run { Ok(None) } else { lock::vm_alone(app, engine, name, args.wait.wait).map(Some) };
    let locks: Vec<Result<Option<Lock>>> = targets.iter().map(|target| lock(&target.name)).collect();
    let is_meant = |vm: &Machine| !args.dry_run && targets.iter().any(|target| target.name.as_str() == vm.name);
    let machines = asked_again(app, engine, engine.machine_ls()?, is_meant)?;
    let (mut ready, mut outcomes) = (Vec::new(), Vec::new());
    for (target, lock) in targets.iter().zip(locks) {
        let looked = lock.and_then(|lock| Freeze::look(args, target, &machines, lock));
        match looked.and_then(|freeze| if args.dry_run { Ok(freeze) } else { freeze.preflight() }) {
            Ok(freeze) => ready.push(freeze),
            Err(failure) => outcomes.push(Outcome::failed(target, failure, targets.len())),
        }
    }
    ready.iter().for_each(Freeze::warn);
    if args.dry_run {
        report::show_plans(app, &ready, &outcomes, args.names.len() == 1);
        outcomes.extend(ready.iter().map(|freeze| Outcome::planned(freeze.target)));
        return Ok(outcomes);
    }
    let ready = ask::about_silent_ones(app, args, ready, |target, failure| {
        outcomes.push(Outcome::failed(target, failure, targets.len()));
    })?;
    ask::about_stopping(app, &ready, args.yes)?;
    let results = in_parallel(jobs(args.jobs, ready.len()), &ready, |freeze| {
        // Whatever this thread has put back before was another VM's.
        signals::begin();
        freeze.between_hooks(|| freeze.run()).map(|(report, restarted)| {
            tell(&report);
            let failure = restarted.and_then(|()| packed::answer_signal(&freeze.output)).err();
            Outcome { report: Some(report), failure, ..Outcome::planned(freeze.target) }
        })
    });
    let mut refused = Vec::new();
    for (freeze, result) in ready.iter().zip(results) {
        match result {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) if freeze.live && failure.status == Status::BadState && args.live == Some(Live::Auto) => {
                freeze.target.warnings.warn(in_the_ordinary_way(&failure.what));
                refused.push(freeze.target);
            }
            Err(failure) => outcomes.push(Outcome::failed(freeze.target, failure, targets.len())),
        }
    }
    drop(ready);
    if !refused.is_empty() {
        let args = Args { live: None, ..args.clone() };
        outcomes.extend(freeze(app, &args, engine, &refused, tell)?);
    }
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(outcomes)
}

/// One freeze: of which VM, by which engine, into which files.
struct Freeze<'a> {
    app: &'a App,
    args: &'a Args,
    engine: &'a Smolvm,
    target: &'a FreezeTarget,
    name: &'a Name,
    started: Instant,
    /// Of the snapshot, if it is for the library.
    id: String,
    output: Target,
    vm: Machine,
    /// Its configuration, and what will be lost of it.
    known: Configuration,
    /// Whether its user has agreed to stop it although it does not answer.
    is_agreed: bool,
    /// Whether it goes on running, and its RAM is in the snapshot.
    live: bool,
    /// What its user should know before: a warning each.
    foreseen: Vec<String>,
    /// The folder of the VM's disks, if the engine tells.
    disks: Option<PathBuf>,
    /// Of the VM, and of the output.
    locks: [Option<Lock>; 2],
}

/// What the engine packed.
struct Packed<'a> {
    /// The folder of the disks, and how they were just before; none if the engine does not tell, or they change on.
    disks: Option<(&'a Path, Disks)>,
    /// How long the VM was paused, if it went on.
    paused: Option<Duration>,
    /// What was read of it while it was written.
    followed: Option<StreamedHash>,
}

impl Freeze<'_> {
    /// Steps 4 to 8: the snapshot, and whether the VM runs again.
    fn run(&self) -> Result<(Report, Result<()>)> {
        let _leaves = self.stops().then(|| ExitNote::new(format!("'{}' may be stopped", self.vm.name)));
        let work = self.output.work()?;
        let left = packed::leaves(&work);
        let workspace = self.save_workspace(&work)?;
        let stopped = self.stop()?;
        let snapshot = if self.live { self.checkpoint(&work) } else { self.pack(&work) }.and_then(|packed| {
            let paused = packed.paused;
            let finished = self.check(&work, packed)?;
            if !finished.secrets.is_empty() {
                self.target.warnings.warn(fidelity::secrets_left_out(&finished.secrets));
            }
            self.flush(&work)?;
            // From here on nothing but the names changes: the VM could run again.
            let down = paused.or_else(|| Some(stopped?.elapsed()));
            let metadata = self.publish(&work, &finished, workspace, down)?;
            Ok((finished.artifact, metadata, down))
        });
        drop((work, left));
        let (artifact, metadata, down) = snapshot.map_err(|failure| self.put_back(stopped, failure))?;
        let restarted = self.restart(stopped);
        Ok((self.report(&artifact, metadata, down), restarted))
    }

    /// Whether the VM is up, and stopped for the freeze.
    fn stops(&self) -> bool {
        self.vm.state.is_up() && !self.live
    }

    /// Before the stop, what the engine's pack cannot carry: nothing was changed if that fails.
    fn save_workspace(&self, work: &Staging) -> Result<Option<FileHash>> {
        if !self.saves_workspace() {
            return Ok(None);
        }
        let saved = workspace::save(self.app, self.engine, self.name, work);
        saved.map(Some).map_err(|failure| self.put_back(None, failure))
    }

    /// 4. Stop it, in time or not at all. The moment it went down, if it was up.
    fn stop(&self) -> Result<Option<Instant>> {
        if !self.stops() {
            return Ok(None);
        }
        let began = Instant::now();
        let limit = self.args.stop_timeout;
        let stopped = self.app.terminal.phase("stop", &format!("stopping {}", self.vm.name), || {
            let writes = self.vm.state == State::Running;
            stop(self.engine, self.name, writes, Some(limit), &self.target.warnings)?;
            wait_for_exit(self.vm.pid, VMM_EXIT);
            Ok(())
        });
        stopped.map(|()| Some(began)).map_err(|error| self.not_stopped(began, error))
    }

    /// A stop that was refused, too slow or interrupted: only the engine's list tells whether the VM is down.
    fn not_stopped(&self, began: Instant, error: EngineError) -> Failure {
        signals::recover();
        let late = matches!(error, EngineError::TimedOut { .. });
        let failure = Failure::from(error);
        let failure = if late { Failure { status: Status::NotStopped, ..failure } } else { failure };
        // It may have heard the engine, and be about to go down: then it executes nothing any more.
        let was_running = self.vm.state == State::Running;
        let answers = was_running && self.engine.wait_exec_ready(self.name, SETTLING).is_ok();
        // One that still answers may have been told to end a moment ago.
        wait_for_exit(self.vm.pid, LAST_WORDS);
        match self.engine.machine_listed(self.name) {
            Ok(now) if now.state.is_up() && was_running && !answers => {
                self.put_back(None, failure.and_state(format!("'{}' does not answer any more", self.name)))
            }
            Ok(now) if now.state.is_up() => self.put_back(None, failure),
            // Also when the list cannot be read: a start of a running VM does nothing.
            _ => self.put_back(Some(began), failure),
        }
    }

    /// 5. Pack, into a private folder beside the target.
    fn pack(&self, work: &Staging) -> Result<Packed<'_>> {
        let disks = self.disks.as_deref().and_then(|folder| Some((folder, Disks::read(folder).ok()?)));
        let smolfile = smolfile(&self.vm, work.path());
        if let Some(path) = &smolfile {
            std::fs::write(path, "net = false\n").map_err(|error| Failure::not_writable(path, &error))?;
        }
        let launcher = work.launcher();
        let packing = self.packing(work.path(), &launcher, smolfile.as_deref());
        let mut progress = self.app.terminal.progress("pack", &format!("packing {}", self.vm.name), Some(work.path()));
        let (packed, followed) = follow(&work.sidecar(), || {
            self.engine.pack_create_from_vm(self.name, &packing, &mut |step| packed::show_step(&mut progress, step))
        });
        progress.end(packed.is_ok());
        if packed.is_err() {
            end_helpers(work.path());
        }
        match packed {
            Ok(()) => Ok(Packed { disks, paused: None, followed }),
            Err(error) if error.reason() == Reason::NeverStarted => {
                let what = format!("'{}' has no disk yet: it was never started", self.vm.name);
                Err(Failure::new(Status::BadState, what)
                    .hint(format!("start it with `bottle-freeze start {}`", self.vm.name)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// 5. The same of a VM that goes on running: its RAM too, and no stop before.
    fn checkpoint(&self, work: &Staging) -> Result<Packed<'_>> {
        let saved = work.path().join("live").with_extension(CHECKPOINT_SUFFIX);
        let text = format!("saving {}, which is paused", self.name);
        let mut progress = self.app.terminal.progress("checkpoint", &text, Some(work.path()));
        let mut on_step = |step: Option<PackStep>| {
            packed::show_step(&mut progress, step.filter(|step| *step == PackStep::Resumed));
        };
        let (paused, followed) =
            follow(&saved, || self.engine.machine_checkpoint(self.name, work.path(), &saved, &mut on_step));
        progress.end(paused.is_ok());
        let paused = paused?;
        // If there is nothing after all, the check tells.
        let _ = std::fs::rename(&saved, work.sidecar());
        Ok(Packed { disks: None, paused, followed })
    }

    fn packing<'p>(&self, folder: &'p Path, launcher: &'p Path, smolfile: Option<&'p Path>) -> PackOptions<'p> {
        PackOptions {
            folder,
            launcher,
            cpus: Some(self.vm.cpus),
            memory_mib: Some(self.vm.memory_mib),
            smolfile,
            include_workspace: self.vm.image.is_some() && !self.args.no_workspace,
        }
    }

    /// 6. Check: the artifact is whole, and nobody touched the VM while it was packed.
    fn check(&self, work: &Staging, packed: Packed) -> Result<Finished> {
        let finished = self.app.terminal.phase("check", &format!("checking the snapshot of {}", self.name), || {
            packed::check(work, packed.followed)
        })?;
        let recorded = &finished.artifact.manifest;
        // A live one has the network that the VM had, and all its limits.
        let opens = recorded.network && !self.live;
        if opens
            || (u32::from(recorded.cpus), recorded.mem) != (self.vm.cpus, self.vm.memory_mib)
            || recorded.is_live() != self.live
        {
            let what = "the engine recorded another network, other cpus or another memory than it was told";
            return Err(Failure::new(Status::Failed, what));
        }
        let now = self.engine.machine_listed(self.name).map_err(|error| {
            let failure = match error {
                EngineError::NoSuchVm(_) => {
                    Failure::new(Status::Failed, format!("'{}' was deleted while it was packed", self.name))
                }
                error => error.into(),
            };
            failure.state("the snapshot was thrown away, for the VM may have changed while it was packed")
        })?;
        let untouched =
            |(folder, before): &(&Path, Disks)| Disks::read(folder).is_ok_and(|now| before.are_untouched_in(&now));
        let is_same = if self.live { self.vm.goes_on_in(&now) } else { self.vm.is_untouched_in(&now) };
        if !is_same || !packed.disks.as_ref().is_none_or(untouched) {
            let how = if self.live { "stopped" } else { "started" };
            let what = format!("'{}' was {how} or replaced while it was packed", self.vm.name);
            return Err(Failure::new(Status::Failed, what)
                .state(format!("the snapshot was thrown away; it is {}", now.state))
                .hint("freeze it again"));
        }
        Ok(finished)
    }

    /// 7. Publish: its files are on the disk before it stands anywhere.
    fn flush(&self, work: &Staging) -> Result<()> {
        let text = format!("writing the snapshot of {} to disk", self.name);
        Ok(self.app.terminal.phase("write", &text, || self.output.flush(work))?)
    }

    /// From one instant to the next, the new snapshot stands where the old one stood, or in the library.
    fn publish(
        &self,
        work: &Staging,
        finished: &Finished,
        workspace: Option<FileHash>,
        down: Option<Duration>,
    ) -> Result<Option<Metadata>> {
        let metadata = match self.args.output {
            Some(_) => None,
            None => Some(self.metadata(work, finished, workspace, down)?),
        };
        if let Some(signal) = signals::pending() {
            return Err(EngineError::Interrupted(signal).into());
        }
        let Some(mut metadata) = metadata else {
            self.output.publish(work)?;
            return Ok(None);
        };
        let _lock = lock::library(self.app, &metadata.vm)?;
        metadata.sequence = Some(store::next_sequence(&metadata.vm)?);
        if !self.args.force {
            free_tags(&metadata.vm, &self.id, &self.args.tag, false)?;
        }
        self.output.publish_snapshot(work, &metadata)?;
        // Only now: a tag of two snapshots is the newer one's, a tag of none would be lost.
        if self.args.force {
            if let Err(failure) = free_tags(&metadata.vm, &self.id, &self.args.tag, true) {
                self.target.warnings.warn(format!("an older snapshot keeps its tag: {failure}"));
            }
        }
        Ok(Some(metadata))
    }

    /// What the library records of the snapshot.
    fn metadata(
        &self,
        work: &Staging,
        finished: &Finished,
        workspace: Option<FileHash>,
        down: Option<Duration>,
    ) -> Result<Metadata> {
        let artifact = &finished.artifact;
        let launcher = self.args.launcher.then(|| packed::record(&work.launcher())).transpose()?;
        let files = [
            (
                if self.live { store::CHECKPOINT } else { store::ARTIFACT },
                Some(FileHash { bytes: artifact.bytes, sha256: finished.sha256.clone() }),
            ),
            (store::LAUNCHER, launcher),
            (store::WORKSPACE, workspace),
        ];
        Ok(Metadata {
            platform: artifact.manifest.host_platform().map(str::to_owned),
            machine: Configuration {
                env: artifact.manifest.env_names(),
                secrets: finished.secrets.clone(),
                ..self.known.clone()
            },
            files: files.into_iter().filter_map(|(name, file)| Some((name.to_owned(), file?))).collect(),
            downtime_seconds: down.map(|down| down.as_secs_f64()),
            ..self.draft()
        })
    }

    /// What is known of it before the VM is packed.
    fn draft(&self) -> Metadata {
        Metadata {
            format: FORMAT,
            id: self.id.clone(),
            vm: self.vm.name.clone(),
            created: clock::rfc3339_millis(SystemTime::now()),
            sequence: None,
            tags: once(self.args.tag.iter().cloned(), |tag| tag.as_str().to_owned()),
            note: self.args.note.clone(),
            labels: self.args.label.iter().cloned().collect(),
            engine_version: self.engine.version().to_string(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: None,
            machine: self.known.clone(),
            files: BTreeMap::new(),
            downtime_seconds: None,
            warnings: self.target.warnings.list(),
            origin: Some(Origin::here()),
            other: serde_json::Map::new(),
        }
    }

    /// 8. Restart, if asked and if this freeze stopped it.
    fn restart(&self, stopped: Option<Instant>) -> Result<()> {
        if stopped.is_none() || !self.args.restart {
            return Ok(());
        }
        signals::recover();
        let name = self.name;
        self.start_again().map_err(|error| {
            Failure::new(Status::NotRestarted, format!("'{name}' was frozen, but does not start again: {error}"))
                .state(format!("the snapshot {} is whole", self.output.sidecar().display()))
                .hint(format!("start it with `bottle-freeze start {name}`"))
        })
    }

    fn start_again(&self) -> std::result::Result<(), EngineError> {
        let name = self.name;
        self.app.terminal.phase("restart", &format!("starting {name} again"), || {
            start(self.engine, name, START_AGAIN, true, &self.target.warnings)
        })
    }

    /// A VM is left as it was found unless the freeze succeeded. Adds how things stand now to `failure`.
    fn put_back(&self, stopped: Option<Instant>, failure: Failure) -> Failure {
        signals::recover();
        let name = &self.vm.name;
        let state = match stopped {
            None if failure.state.is_some() || self.live => format!("'{name}' was not stopped by this freeze"),
            None => format!("'{name}' is {} as before", self.vm.state),
            Some(_) if self.args.no_restart => format!("'{name}' is stopped"),
            Some(_) => self.start_what_was_stopped(),
        };
        let state = match &self.args.output {
            Some(_) => format!("{state}; {} is as it was", self.output.sidecar().display()),
            None => format!("{state}; the library is as it was"),
        };
        failure.and_state(state)
    }

    /// Starts the VM again, if it is still the one that was stopped; says how it is then.
    fn start_what_was_stopped(&self) -> String {
        let name = &self.vm.name;
        match self.engine.machine(self.name) {
            Err(EngineError::NoSuchVm(_)) => return format!("'{name}' was deleted by somebody else"),
            Ok(now) if now.created_at != self.vm.created_at => {
                return format!("'{name}' was replaced by somebody else; it is {}", now.state);
            }
            // A start would end it first.
            Ok(now) if now.state == State::Unreachable || now.given_up => return format!("'{name}' is {}", now.state),
            _ => {}
        }
        match self.start_again() {
            Ok(()) => format!("'{name}' is running again"),
            Err(error) => format!("'{name}' is stopped, and does not start again: {error}"),
        }
    }
}

/// A pack says only "network: yes or no": one that says yes would open all of it to a VM that had limits.
fn smolfile(vm: &Machine, folder: &Path) -> Option<PathBuf> {
    vm.network.then(|| folder.join("closed.smolfile"))
}

/// Waits until the VMM has let go of the disks, but not longer than `limit`.
fn wait_for_exit(pid: Option<i32>, limit: Duration) {
    let Some(pid) = pid.filter(|pid| *pid > 0) else { return };
    let began = Instant::now();
    while signals::is_alive(pid) && began.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
}
