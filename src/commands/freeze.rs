//! `freeze`: VM → snapshot, in eight steps, and nothing lost whatever happens on the way.

use super::snapshot::free_tags;
use super::start::{START_AGAIN, start};
use super::stop::sync;
use super::{App, Failure, Result, Status, confirm, lock, output};
use crate::interrupt::{self, Leaving};
use crate::smolvm::artifact::Artifact;
use crate::smolvm::{Call, Disks, EngineError, Machine, Packing, Smolvm, State, end_helpers};
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
    let warnings = freeze.warnings(&vm);
    let (_output_lock, disks) = freeze.preflight(&vm)?;
    freeze.ask(&vm, &warnings)?;
    let _leaves = vm.state.is_up().then(|| Leaving::new(format!("'{}' may be stopped", vm.name)));
    let stopped = freeze.stop(&vm)?;
    let snapshot = freeze.pack(&vm, disks.as_deref()).and_then(|packed| {
        let (artifact, sha256) = freeze.check(&vm, &packed)?;
        let metadata = freeze.publish(&vm, &packed.work, &artifact, sha256, stopped, &warnings)?;
        Ok((artifact, metadata))
    });
    let (artifact, metadata) = match snapshot {
        Ok(snapshot) => snapshot,
        Err(failure) => return Err(freeze.put_back(&vm, stopped, failure)),
    };
    let restarted = freeze.restart(stopped);

    freeze.report(&vm, &artifact, metadata, started, stopped, warnings);
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

/// What the engine packed, and the disks that it packed.
struct Packed<'a> {
    work: Work,
    /// The folder of the disks, and how they were just before; none if the engine does not tell.
    disks: Option<(&'a Path, Disks)>,
    _leaves: Leaving,
}

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
    fn warnings(&self, vm: &Machine) -> Vec<String> {
        let (version, mut warnings) = (self.engine.version(), Vec::new());
        if vm.image.is_none() && !version.packs_bare_workspace() {
            warnings
                .push(format!("the snapshot will not hold /workspace: smolvm {version} does not pack it; 1.9.0 does"));
        } else if vm.image.is_some() && self.args.no_workspace {
            warnings.push("the snapshot will not hold /workspace: left out by --no-workspace".into());
        } else if vm.image.is_some() && !version.packs_image_workspace() {
            warnings
                .push(format!("the snapshot will not hold /workspace: smolvm {version} does not pack it; 1.14.3 does"));
        }
        if vm.mounts > 0 {
            warnings.push(format!("the snapshot will not hold {} mounted host folder(s)", vm.mounts));
        }
        if vm.network {
            // The engine's list tells `--allow-cidr`, but no other limit (`--block-private`, `--deny-cidr` …).
            warnings.push(
                "the snapshot will not hold the network: a VM made from it has none until `create` gives it one".into(),
            );
        }
        if vm.image.is_none() && !version.thaws_bare() {
            warnings.push(format!("smolvm {version} cannot run a VM made from this snapshot; 1.2.2 and later can"));
        }
        if vm.image.is_some() && !version.repacks_image_layers() {
            let what = "if it was itself made from a snapshot, what that one held is lost";
            warnings.push(format!("smolvm {version} packs the image anew: {what}; 1.3.4 keeps it"));
        }
        warnings
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
            .mend("free some space, choose another -o, or try it all the same with --no-space-check"))
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
    fn pack<'d>(&self, vm: &Machine, disks: Option<&'d Path>) -> Result<Packed<'d>> {
        let work = self.output.work()?;
        let leaves = output::leaves(&work);
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
            Ok(()) => Ok(Packed { work, disks, _leaves: leaves }),
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
    fn check(&self, vm: &Machine, packed: &Packed) -> Result<(Artifact, String)> {
        let (artifact, sha256) = self.app.ui.during("checking the snapshot", || output::check(&packed.work))?;
        let recorded = &artifact.manifest;
        if recorded.network || (recorded.cpus, recorded.mem) != (vm.cpus, vm.memory_mib) {
            let what = "the engine recorded another network, other cpus or another memory than it was told";
            return Err(Failure::new(Status::Failed, what));
        }
        let now = self.engine.machine(&self.args.name).map_err(|error| {
            Failure::from(error).now("the snapshot was thrown away, for the VM may have changed while it was packed")
        })?;
        let written =
            packed.disks.as_ref().is_some_and(|(folder, before)| Disks::read(folder).ok().as_ref() != Some(before));
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
        vm: &Machine,
        work: &Work,
        artifact: &Artifact,
        sha256: String,
        stopped: Option<Instant>,
        warnings: &[String],
    ) -> Result<Option<Metadata>> {
        self.app.ui.during("writing the snapshot to disk", || self.output.flush(work))?;
        let mut metadata = self.args.output.is_none().then(|| self.metadata(vm, stopped, warnings));
        if let Some(metadata) = &mut metadata {
            metadata.files.insert(library::ARTIFACT.to_owned(), Recorded { bytes: artifact.bytes, sha256 });
            if self.args.launcher {
                let launcher = output::record(&work.launcher())?;
                metadata.files.insert(library::LAUNCHER.to_owned(), launcher);
            }
        }
        if let Some(signal) = interrupt::pending() {
            return Err(EngineError::Interrupted(signal).into());
        }
        match &metadata {
            Some(metadata) => {
                let _lock = lock::library(self.app, &vm.name)?;
                free_tags(&vm.name, &self.id, &self.args.tag, self.args.force)?;
                self.output.publish_snapshot(work, metadata)?;
            }
            None => self.output.publish(work)?,
        }
        Ok(metadata)
    }

    /// What the library records of the snapshot, but for its files.
    fn metadata(&self, vm: &Machine, stopped: Option<Instant>, warnings: &[String]) -> Metadata {
        let machine = Configuration {
            cpus: vm.cpus,
            memory_mib: vm.memory_mib,
            storage_gb: vm.storage_gb,
            overlay_gb: vm.overlay_gb,
            network: vm.network,
            allowed_cidrs: vm.allowed_cidrs.clone(),
            image: vm.image.clone(),
            labels: vm.labels.clone(),
        };
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
        let name = &self.args.name;
        let folder = Work::future(self.output.folder());
        let (launcher, smolfile) = (folder.join("snapshot"), smolfile(vm, &folder));
        let packing = self.packing(vm, &folder, &launcher, smolfile.as_deref());
        let stop = vm.state.is_up().then(|| self.engine.machine_stop_call(name));
        let pack = self.engine.pack_create_from_vm_call(name, &packing);
        let start = (vm.state.is_up() && self.args.restart).then(|| self.engine.machine_start_call(name));
        ui::lines(stop.iter().chain([&pack]).chain(&start).map(Call::shell_line));
    }

    fn report(
        &self,
        vm: &Machine,
        artifact: &Artifact,
        snapshot: Option<Metadata>,
        started: Instant,
        stopped: Option<Instant>,
        warnings: Vec<String>,
    ) {
        let reference = snapshot.as_ref().map(|snapshot| format!("{}@{}", vm.name, snapshot.id));
        let report = Report {
            vm: &vm.name,
            reference,
            snapshot,
            sidecar: self.output.sidecar(),
            launcher: self.output.launcher(),
            bytes: artifact.bytes,
            crc32: format!("{:08x}", artifact.crc32),
            seconds: started.elapsed().as_secs_f64(),
            downtime_seconds: stopped.map(|down| down.elapsed().as_secs_f64()),
            engine_version: self.engine.version().to_string(),
            warnings,
        };
        if self.args.json {
            ui::json(&report);
            return;
        }
        let name = report.reference.clone().unwrap_or_else(|| report.sidecar.display().to_string());
        let hint = match stopped {
            Some(_) if !self.args.restart => format!("; it is stopped, start it with: bottle-freeze start {}", vm.name),
            _ => String::new(),
        };
        let size = output::size(report.bytes);
        let down = report.downtime_seconds.map(|down| format!(", down for {down:.1} s")).unwrap_or_default();
        let text = format!("froze {} as {name} ({size}, {:.1} s{down}){hint}", vm.name, report.seconds);
        self.app.ui.success(&text);
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
