//! `freeze`: VM → snapshot, in eight steps, and nothing lost whatever happens on the way.

use super::snapshot::free_tags;
use super::start::{START_AGAIN, start};
use super::stop::sync;
use super::{App, Failure, Result, Status, configuration, confirm, lock, output, workspace};
use crate::interrupt::{self, Leaving};
use crate::smolvm::artifact::Artifact;
use crate::smolvm::{Call, Disks, EngineError, Exec, Machine, Name, Packing, Smolvm, State, end_helpers};
use crate::snapshot::{Configuration, FORMAT, Lock, Metadata, Output, Recorded, Work, library};
use crate::{cli, ui};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How long the VMM may outlive the engine's `stop` (20 ms were seen in 1.16). Then the pack goes on: in a
/// container without an init the process number of a dead VMM stays.
const VMM_EXIT: Duration = Duration::from_secs(2);
/// How long a VM whose stop was given up is watched: does its guest still execute commands?
const SETTLING: Duration = Duration::from_secs(5);

pub fn run(app: &App, args: &cli::Freeze) -> Result<()> {
    freeze(app, args, |report| report.print(app, args))
}

/// Freezes a VM into the library, without a question. The snapshot's `VM@ID`.
pub fn into_library(app: &App, name: &Name, note: String) -> Result<String> {
    let args = cli::Freeze { note: Some(note), yes: true, ..cli::Freeze::of(name.clone()) };
    let mut reference = None;
    freeze(app, &args, |report| reference = report.reference)?;
    let reference = reference.unwrap_or_default();
    app.ui.success(&format!("froze {name} as {reference}"));
    Ok(reference)
}

fn freeze(app: &App, args: &cli::Freeze, tell: impl FnOnce(Report)) -> Result<()> {
    let started = Instant::now();
    let id = library::new_id();
    let output = match &args.output {
        Some(out) => Output::new(out, args.force)?,
        None => Output::in_library(args.name.as_str(), &id, args.launcher),
    };
    let engine = app.engine()?;
    let freeze = Freeze { app, args, engine: &engine, output: &output, id };
    if args.dry_run {
        freeze.show_plan(&freeze.look()?);
        return Ok(());
    }

    let _vm_lock = lock::vm_alone(app, &args.name, args.wait.wait)?;
    let vm = freeze.look()?;
    let known = configuration::of(&vm, engine.version());
    let warnings = freeze.warnings(&vm, &known);
    let (_output_lock, disks) = freeze.preflight(&vm)?;
    freeze.ask(&vm, &warnings)?;
    let _leaves = vm.state.is_up().then(|| Leaving::new(format!("'{}' may be stopped", vm.name)));
    let work = output.work()?;
    let left = output::leaves(&work);
    let workspace = freeze.save_workspace(&vm, &work)?;
    let stopped = freeze.stop(&vm)?;
    let snapshot = freeze.pack(&vm, &work, disks.as_deref()).and_then(|packed| {
        let (artifact, sha256) = freeze.check(&vm, &work, &packed)?;
        let metadata = freeze.metadata(&vm, known, stopped, &warnings);
        let metadata = freeze.publish(&work, &artifact, sha256, workspace, metadata)?;
        Ok((artifact, metadata))
    });
    drop((work, left));
    let (artifact, metadata) = match snapshot {
        Ok(snapshot) => snapshot,
        Err(failure) => return Err(freeze.put_back(&vm, stopped, failure)),
    };
    let restarted = freeze.restart(stopped);

    tell(freeze.report(&vm, &artifact, metadata, started, stopped, warnings));
    restarted.and_then(|()| output::answer_signal(&output))
}

/// One freeze: what was asked, of which engine, into which files.
struct Freeze<'a> {
    app: &'a App,
    args: &'a cli::Freeze,
    engine: &'a Smolvm,
    output: &'a Output,
    /// Of the snapshot, if it is for the library.
    id: String,
}

/// The folder of the disks that the engine packed, and how they were just before; none if the engine does not tell.
type Packed<'a> = Option<(&'a Path, Disks)>;

/// What a freeze made, as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    vm: &'a str,
    /// `VM@ID`, if it is in the library, and all that is recorded of it.
    reference: Option<String>,
    snapshot: Option<Metadata>,
    sidecar: &'a Path,
    launcher: Option<&'a Path>,
    bytes: u64,
    crc32: String,
    seconds: f64,
    /// How long the VM was down; null if it was not running.
    downtime_seconds: Option<f64>,
    engine_version: String,
    warnings: Vec<String>,
}

impl Freeze<'_> {
    /// 1. Look: the VM is there, and in a state that can be frozen.
    fn look(&self) -> Result<Machine> {
        let vm = self.engine.machine(&self.args.name)?;
        let name = &vm.name;
        let refused = |why: &str, mend: String| {
            Err(Failure::new(Status::BadState, format!("'{name}' cannot be frozen: {why}"))
                .now(format!("it is {}", vm.state))
                .mend(mend))
        };
        if vm.ephemeral {
            return refused(
                "it is ephemeral, and stopping it would delete it",
                format!("keep its files with `bottle-freeze cp {name}:PATH .`"),
            );
        }
        match &vm.state {
            State::Created | State::Running | State::Stopped | State::Failed | State::Unreachable => Ok(vm),
            State::Paused => refused(
                "it is paused, and its saved RAM would be lost",
                format!("wake it with `smolvm machine resume --name {name}`, then freeze it"),
            ),
            State::Pausing => refused("it is being paused", "try again in a moment".into()),
            State::Frozen => refused("it is the base of live branches", "delete the branches first".into()),
            State::Other(_) => refused("this state is not known to bottle-freeze", "update bottle-freeze".into()),
        }
    }

    /// What the user should know before: what the snapshot will not hold, and who cannot thaw it.
    fn warnings(&self, vm: &Machine, known: &Configuration) -> Vec<String> {
        let (version, mut warnings) = (self.engine.version(), Vec::new());
        if vm.image.is_some() && self.args.no_workspace {
            warnings.push("the snapshot will not hold /workspace: left out by --no-workspace".into());
        } else if !self.packs_workspace(vm) && !self.saves_workspace(vm) {
            let packs = if vm.image.is_some() { "1.14.3" } else { "1.9.0" };
            let lost =
                format!("the snapshot will not hold /workspace: smolvm {version} does not pack it; {packs} does");
            warnings.push(format!("{lost} (freezing it while it runs, without -o, saves it)"));
        }
        warnings.extend(configuration::losses(vm, known, self.args.output.is_none()));
        if vm.image.is_none() && !version.thaws_bare() {
            warnings.push(format!("smolvm {version} cannot run a VM made from this snapshot; 1.2.2 and later can"));
        }
        if vm.image.is_some() && !version.repacks_image_layers() {
            let what = "if it was itself made from a snapshot, what that one held is lost";
            warnings.push(format!("smolvm {version} packs the image anew: {what}; 1.3.4 keeps it"));
        }
        warnings
    }

    fn packs_workspace(&self, vm: &Machine) -> bool {
        let version = self.engine.version();
        if vm.image.is_some() { version.packs_image_workspace() } else { version.packs_bare_workspace() }
    }

    /// Whether `/workspace` is saved beside the artifact: the guest must run for that, and a library hold it.
    fn saves_workspace(&self, vm: &Machine) -> bool {
        let wanted = !self.args.no_workspace && self.args.output.is_none();
        wanted && !self.packs_workspace(vm) && vm.state == State::Running
    }

    /// 2. Pre-flight, before anything is stopped: the engine can do it, and nobody else writes the output, which takes
    ///    it and has room. The folder of the VM's disks, if the engine tells.
    fn preflight(&self, vm: &Machine) -> Result<(Lock, Option<PathBuf>)> {
        let version = self.engine.version();
        if vm.has_local_image() && !version.packs_local_images() {
            let cannot = "cannot pack a VM of a local image; 1.12.0 can".to_owned();
            return Err(EngineError::TooOld { version, cannot }.into());
        }
        let lock = lock::output(self.app, self.output, self.args.wait.wait)?;
        self.output.preflight(&end_helpers)?;
        if !self.args.force {
            free_tags(&vm.name, &self.id, &self.args.tag, false)?;
        }
        let disks = match self.engine.machine_data_dir(&self.args.name) {
            Err(error @ EngineError::Interrupted(_)) => return Err(error.into()),
            told => told.ok(),
        };
        if let Some(folder) = disks.as_deref().filter(|_| !self.args.no_space_check) {
            self.check_room(vm, folder)?;
        }
        Ok((lock, disks))
    }

    /// An engine that runs out of space says so only when the VM was stopped, and leaves what it has written.
    fn check_room(&self, vm: &Machine, disks: &Path) -> Result<()> {
        let (Ok(disks), Some(free)) = (Disks::read(disks), self.output.free_bytes()) else { return Ok(()) };
        let needed = disks.room_to_pack();
        if needed <= free {
            return Ok(());
        }
        let folder = self.output.folder().display();
        let (needed, free) = (output::size(needed), output::size(free));
        let what = format!("packing '{}' may take {needed} in {folder}, where {free} are free", vm.name);
        Err(Failure::new(Status::NotWritable, what)
            .now(format!("'{}' is {} as before", vm.name, vm.state))
            .mend("free some space, choose another place with -o, or try it all the same with --no-space-check"))
    }

    /// 3. Ask, before a VM is stopped.
    fn ask(&self, vm: &Machine, warnings: &[String]) -> Result<()> {
        for warning in warnings {
            ui::warning(warning);
        }
        if !vm.state.is_up() {
            return Ok(());
        }
        if vm.state == State::Unreachable {
            ui::warning(&format!("'{}' does not answer: what its guest has not written to disk is lost", vm.name));
        }
        let question =
            format!("'{}' is {}. Stop it and freeze it? RAM and tmpfs (/tmp, /run) are not kept.", vm.name, vm.state);
        confirm(&question, self.args.yes, &format!("'{}' is {}; nothing was changed", vm.name, vm.state))
    }

    /// Before the stop, what the engine's pack cannot carry: nothing was changed if that fails.
    fn save_workspace(&self, vm: &Machine, work: &Work) -> Result<Option<Recorded>> {
        if !self.saves_workspace(vm) {
            return Ok(None);
        }
        let saved = workspace::save(self.app, self.engine, &self.args.name, work);
        saved.map(Some).map_err(|failure| self.put_back(vm, None, failure))
    }

    /// 4. Stop it, in time or not at all. The moment it went down, if it was up.
    fn stop(&self, vm: &Machine) -> Result<Option<Instant>> {
        if !vm.state.is_up() {
            return Ok(None);
        }
        let began = Instant::now();
        let limit = self.args.stop_timeout;
        let stopped = self.app.ui.during(&format!("stopping {}", vm.name), || {
            if vm.state == State::Running {
                sync(self.engine, &self.args.name)?;
            }
            self.engine.machine_stop(&self.args.name, Some(limit))?;
            wait_for_exit(vm.pid);
            Ok(())
        });
        stopped.map(|()| Some(began)).map_err(|error| self.not_stopped(vm, began, error))
    }

    /// A stop that was refused, too slow or interrupted: only the engine's list tells whether the VM is down.
    fn not_stopped(&self, vm: &Machine, began: Instant, error: EngineError) -> Failure {
        interrupt::recover();
        let late = matches!(error, EngineError::TimedOut { .. });
        let failure = Failure::from(error);
        let failure = if late { Failure { status: Status::NotStopped, ..failure } } else { failure };
        // It may have heard the engine, and be about to go down: then it executes nothing any more.
        if vm.state == State::Running {
            let _ = self.engine.wait_exec_ready(&self.args.name, SETTLING);
        }
        match self.engine.machine(&self.args.name) {
            Ok(now) if now.state.is_up() => self.put_back(vm, None, failure),
            // Also when the list cannot be read: a start of a running VM does nothing.
            _ => self.put_back(vm, Some(began), failure),
        }
    }

    /// 5. Pack, into a private folder beside the target.
    fn pack<'d>(&self, vm: &Machine, work: &Work, disks: Option<&'d Path>) -> Result<Packed<'d>> {
        let disks = disks.and_then(|folder| Some((folder, Disks::read(folder).ok()?)));
        let smolfile = smolfile(vm, work.path());
        if let Some(path) = &smolfile {
            std::fs::write(path, "net = false\n").map_err(|error| Failure::not_writable(path, &error))?;
        }
        let launcher = work.launcher();
        let packing = self.packing(vm, work.path(), &launcher, smolfile.as_deref());
        let mut progress = self.app.ui.progress(&format!("packing {}", vm.name), Some(work.path()));
        let packed =
            self.engine.pack_create_from_vm(&self.args.name, &packing, &mut |line| output::tell(&mut progress, line));
        drop(progress);
        if packed.is_err() {
            end_helpers(work.path());
        }
        match packed {
            Ok(()) => Ok(disks),
            Err(error) if error.is_never_started() => {
                let what = format!("'{}' has no disk yet: it was never started", vm.name);
                Err(Failure::new(Status::BadState, what)
                    .mend(format!("start it with `bottle-freeze start {}`", vm.name)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn packing<'p>(
        &self,
        vm: &Machine,
        folder: &'p Path,
        launcher: &'p Path,
        smolfile: Option<&'p Path>,
    ) -> Packing<'p> {
        Packing {
            folder,
            launcher,
            cpus: Some(vm.cpus),
            memory_mib: Some(vm.memory_mib),
            smolfile,
            include_workspace: vm.image.is_some() && !self.args.no_workspace,
        }
    }

    /// 6. Check: the artifact is whole, and nobody touched the VM while it was packed.
    fn check(&self, vm: &Machine, work: &Work, packed: &Packed) -> Result<(Artifact, String)> {
        let (artifact, sha256) = self.app.ui.during("checking the snapshot", || output::check(work))?;
        let recorded = &artifact.manifest;
        if recorded.network || (recorded.cpus, recorded.mem) != (vm.cpus, vm.memory_mib) {
            let what = "the engine recorded another network, other cpus or another memory than it was told";
            return Err(Failure::new(Status::Failed, what));
        }
        let now = self.engine.machine(&self.args.name).map_err(|error| {
            Failure::from(error).now("the snapshot was thrown away, for the VM may have changed while it was packed")
        })?;
        let written = packed.as_ref().is_some_and(|(folder, before)| Disks::read(folder).ok().as_ref() != Some(before));
        if written || !vm.is_untouched_in(&now) {
            let what = format!("'{}' was started or replaced while it was packed", vm.name);
            return Err(Failure::new(Status::Failed, what)
                .now(format!("the snapshot was thrown away; it is {}", now.state))
                .mend("freeze it again"));
        }
        Ok((artifact, sha256))
    }

    /// 7. Publish: from one instant to the next, the new snapshot stands where the old one stood, or in the library.
    fn publish(
        &self,
        work: &Work,
        artifact: &Artifact,
        sha256: String,
        workspace: Option<Recorded>,
        mut metadata: Metadata,
    ) -> Result<Option<Metadata>> {
        self.app.ui.during("writing the snapshot to disk", || self.output.flush(work))?;
        let in_library = self.args.output.is_none();
        if in_library {
            metadata.platform.clone_from(&artifact.manifest.host_platform);
            metadata.machine.env = artifact.manifest.env_names();
            metadata.files.insert(library::ARTIFACT.to_owned(), Recorded { bytes: artifact.bytes, sha256 });
            metadata.files.extend(workspace.map(|saved| (library::WORKSPACE.to_owned(), saved)));
            if self.args.launcher {
                metadata.files.insert(library::LAUNCHER.to_owned(), output::record(&work.launcher())?);
            }
        }
        if let Some(signal) = interrupt::pending() {
            return Err(EngineError::Interrupted(signal).into());
        }
        if !in_library {
            self.output.publish(work)?;
            return Ok(None);
        }
        let _lock = lock::library(self.app, &metadata.vm)?;
        free_tags(&metadata.vm, &self.id, &self.args.tag, self.args.force)?;
        self.output.publish_snapshot(work, &metadata)?;
        Ok(Some(metadata))
    }

    /// What the library records of the snapshot, but for what its files tell.
    fn metadata(
        &self,
        vm: &Machine,
        machine: Configuration,
        stopped: Option<Instant>,
        warnings: &[String],
    ) -> Metadata {
        Metadata {
            format: FORMAT,
            id: self.id.clone(),
            vm: vm.name.clone(),
            created: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            tags: self.args.tag.clone(),
            note: self.args.note.clone(),
            labels: self.args.label.iter().cloned().collect(),
            engine_version: self.engine.version().to_string(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: None,
            machine,
            files: BTreeMap::new(),
            downtime_seconds: stopped.map(|down| down.elapsed().as_secs_f64()),
            warnings: warnings.to_vec(),
            other: serde_json::Map::new(),
        }
    }

    /// 8. Restart, if asked and if this freeze stopped it.
    fn restart(&self, stopped: Option<Instant>) -> Result<()> {
        if stopped.is_none() || !self.args.restart {
            return Ok(());
        }
        interrupt::recover();
        let name = &self.args.name;
        self.start_again().map_err(|error| {
            Failure::new(Status::NotRestarted, format!("'{name}' was frozen, but does not start again: {error}"))
                .now(format!("the snapshot {} is whole", self.output.sidecar().display()))
                .mend(format!("start it with `bottle-freeze start {name}`"))
        })
    }

    fn start_again(&self) -> std::result::Result<(), EngineError> {
        let name = &self.args.name;
        self.app.ui.during(&format!("starting {name} again"), || start(self.engine, name, START_AGAIN, true))
    }

    /// A VM is left as it was found unless the freeze succeeded. Adds how things stand now to `failure`.
    fn put_back(&self, vm: &Machine, stopped: Option<Instant>, failure: Failure) -> Failure {
        interrupt::recover();
        let name = &vm.name;
        let state = match stopped {
            None if failure.now.is_some() => format!("'{name}' was not stopped by this freeze"),
            None => format!("'{name}' is {} as before", vm.state),
            Some(_) if self.args.no_restart => format!("'{name}' is stopped"),
            Some(_) => self.start_what_was_stopped(vm),
        };
        let state = match &self.args.output {
            Some(_) => format!("{state}; {} is as it was", self.output.sidecar().display()),
            None => format!("{state}; the library is as it was"),
        };
        let now = failure.now.as_ref().map_or(state.clone(), |now| format!("{now}; {state}"));
        Failure { now: Some(now), ..failure }
    }

    /// Starts the VM again, if it is still the one that was stopped; says how it is then.
    fn start_what_was_stopped(&self, vm: &Machine) -> String {
        let name = &vm.name;
        match self.engine.machine(&self.args.name) {
            Err(EngineError::NoSuchVm(_)) => return format!("'{name}' was deleted by somebody else"),
            Ok(now) if now.created_at != vm.created_at => {
                return format!("'{name}' was replaced by somebody else; it is {}", now.state);
            }
            _ => {}
        }
        match self.start_again() {
            Ok(()) => format!("'{name}' is running again"),
            Err(error) => format!("'{name}' is stopped, and does not start again: {error}"),
        }
    }

    /// The engine commands that would run, one a line.
    fn show_plan(&self, vm: &Machine) {
        let (engine, name, is_up) = (self.engine, &self.args.name, vm.state.is_up());
        let exec = |command: &Exec| engine.machine_exec_call(name, command);
        let folder = Work::future(self.output.folder());
        let (launcher, smolfile) = (folder.join("snapshot"), smolfile(vm, &folder));
        let packing = self.packing(vm, &folder, &launcher, smolfile.as_deref());
        let looks = || Some(engine.machine_ls_call());
        let restarts = is_up && self.args.restart;
        let plan = [
            looks(),
            Some(engine.machine_data_dir_call(name)),
            self.saves_workspace(vm).then(|| exec(&workspace::save_command())),
            (vm.state == State::Running).then(|| exec(&Exec::of("sync"))),
            is_up.then(|| engine.machine_stop_call(name)),
            (is_up && !engine.version().stop_tells_the_truth()).then(looks).flatten(),
            Some(engine.pack_create_from_vm_call(name, &packing)),
            looks(),
            restarts.then(|| engine.machine_start_call(name)),
            restarts.then(|| exec(&Exec::of("true"))),
        ];
        ui::lines(plan.iter().flatten().map(Call::shell_line));
    }

    fn report<'r>(
        &'r self,
        vm: &'r Machine,
        artifact: &Artifact,
        snapshot: Option<Metadata>,
        started: Instant,
        stopped: Option<Instant>,
        warnings: Vec<String>,
    ) -> Report<'r> {
        Report {
            vm: &vm.name,
            reference: snapshot.as_ref().map(|snapshot| format!("{}@{}", vm.name, snapshot.id)),
            snapshot,
            sidecar: self.output.sidecar(),
            launcher: self.output.launcher(),
            bytes: artifact.bytes,
            crc32: format!("{:08x}", artifact.crc32),
            seconds: started.elapsed().as_secs_f64(),
            downtime_seconds: stopped.map(|down| down.elapsed().as_secs_f64()),
            engine_version: self.engine.version().to_string(),
            warnings,
        }
    }
}

impl Report<'_> {
    fn print(self, app: &App, args: &cli::Freeze) {
        if args.json {
            ui::json(&self);
            return;
        }
        let (vm, size) = (self.vm, output::size(self.bytes));
        let name = self.reference.clone().unwrap_or_else(|| self.sidecar.display().to_string());
        let hint = match self.downtime_seconds {
            Some(_) if !args.restart => format!("; it is stopped, start it with: bottle-freeze start {vm}"),
            _ => String::new(),
        };
        let down = self.downtime_seconds.map(|down| format!(", down for {down:.1} s")).unwrap_or_default();
        app.ui.success(&format!("froze {vm} as {name} ({size}, {:.1} s{down}){hint}", self.seconds));
    }
}

/// A pack says only "network: yes or no": one that says yes would open all of it to a VM that had limits.
fn smolfile(vm: &Machine, folder: &Path) -> Option<PathBuf> {
    vm.network.then(|| folder.join("closed.smolfile"))
}

/// Waits until the VMM has let go of the disks.
fn wait_for_exit(pid: Option<i32>) {
    let Some(pid) = pid.filter(|pid| *pid > 0) else { return };
    let began = Instant::now();
    while interrupt::is_alive(pid) && began.elapsed() < VMM_EXIT {
        std::thread::sleep(Duration::from_millis(5));
    }
}
