//! Steps 1 and 2 of a freeze: whether it can be done at all, seen before anything is changed.

use super::args::{Args, Live};
use super::{Freeze, FreezeTarget};
use crate::error::{Failure, Result, Status};
use crate::files;
use crate::library::{Lock, Target, store};
use crate::operations::tags::free_tags;
use crate::operations::{configuration, lock, packed};
use crate::smolvm::{Disks, EngineError, Machine, Name, State, Version};
use std::path::Path;
use std::time::Instant;

impl<'a> Freeze<'a> {
    /// 1. Look: the VM is there, and in a state that can be frozen.
    pub fn look(args: &'a Args, target: &'a FreezeTarget, machines: &[Machine], lock: Option<Lock>) -> Result<Self> {
        let FreezeTarget { app, engine, name, .. } = target;
        let found = machines.iter().find(|machine| machine.name == name.as_str());
        let vm = found.ok_or_else(|| EngineError::no_such_vm(name, machines))?.clone();
        can_be_frozen(&vm)?;
        let not_live = args.live.and_then(|_| why_not_live(&vm, engine.version()));
        let live = args.live.is_some() && not_live.is_none();
        if let (Some(Live::Always), Some(why)) = (args.live, &not_live) {
            return Err(not_live_failure(name, why));
        }
        let id = store::new_id();
        let artifact = if live { store::CHECKPOINT } else { store::ARTIFACT };
        let output = match &args.output {
            Some(out) => Target::new(out, args.force)?,
            None => Target::in_library(name.as_str(), &id, artifact, args.launcher)?,
        };
        let mut known = configuration::of(&vm, engine.version());
        // Only of these versions it was seen that a live artifact carries an allow list.
        known.network_known &= !live || !vm.network || engine.version().reports_allow_list();
        let (started, locks) = (Instant::now(), [lock, None]);
        let mut freeze = Self {
            app,
            args,
            engine,
            target,
            name,
            started,
            id,
            output,
            vm,
            known,
            is_agreed: false,
            live,
            foreseen: Vec::new(),
            disks: None,
            locks,
        };
        let fallback = not_live.map(|why| in_the_ordinary_way(&why));
        freeze.foreseen = fallback.into_iter().chain(freeze.losses()).collect();
        Ok(freeze)
    }

    /// Warns of what the user should know before.
    pub fn warn(&self) {
        self.foreseen.iter().for_each(|text| self.target.warnings.warn(text));
    }

    /// What the snapshot will not hold, and who cannot thaw it.
    fn losses(&self) -> Vec<String> {
        if self.live {
            return Vec::new();
        }
        let (vm, version, mut warnings) = (&self.vm, self.engine.version(), Vec::new());
        if vm.image.is_some() && self.args.no_workspace {
            warnings.push("the snapshot will not hold /workspace: left out by --no-workspace".into());
        } else if !self.packs_workspace() && !self.saves_workspace() {
            let packs = if vm.image.is_some() { "1.14.1" } else { "1.9.0" };
            let lost =
                format!("the snapshot will not hold /workspace: smolvm {version} does not pack it; {packs} does");
            warnings.push(format!("{lost} (freezing it while it runs, without -o, saves it)"));
        }
        warnings.extend(configuration::losses(vm, &self.known, self.args.output.is_none()));
        if vm.image.is_none() && !version.thaws_bare() {
            warnings.push(format!("smolvm {version} cannot run a VM made from this snapshot; 1.2.2 and later can"));
        }
        if vm.image.is_some() && !version.repacks_image_layers() {
            let what = "if it was itself made from a snapshot, what that one held is lost";
            warnings.push(format!("smolvm {version} packs the image anew: {what}; 1.3.4 keeps it"));
        }
        if vm.state == State::Unreachable {
            let lost = "the snapshot will not hold what its guest has not written to disk";
            warnings.push(format!("'{}' does not answer: {lost}", vm.name));
        }
        warnings
    }

    fn packs_workspace(&self) -> bool {
        let version = self.engine.version();
        if self.vm.image.is_some() { version.packs_image_workspace() } else { version.packs_bare_workspace() }
    }

    /// Whether `/workspace` is saved beside the artifact: the guest must run for that, and a library hold it.
    pub fn saves_workspace(&self) -> bool {
        let wanted = !self.args.no_workspace && self.args.output.is_none();
        wanted && !self.live && !self.packs_workspace() && self.vm.state == State::Running
    }

    /// 2. Pre-flight, before anything is stopped: the engine can do it, and nobody else writes the output, which takes
    ///    it and has room.
    pub fn preflight(mut self) -> Result<Self> {
        let (vm, version) = (&self.vm, self.engine.version());
        if !self.live && vm.has_local_image() && !version.packs_local_images() {
            let cannot = "cannot pack a VM of a local image; 1.12.0 can".to_owned();
            return Err(EngineError::TooOld { version, cannot }.into());
        }
        if self.args.output.is_none() {
            self.draft().check_before_packing().map_err(|error| {
                Failure { status: Status::BadState, ..error.into() }.hint("freeze it into a file, with -o")
            })?;
        }
        self.locks[1] = lock::output(self.app, &self.output, self.args.wait.wait)?;
        self.output.preflight()?;
        if !self.args.force {
            free_tags(&vm.name, &self.id, &self.args.tag, false)?;
        }
        self.disks = match self.engine.machine_data_dir(self.name) {
            Err(error @ EngineError::Interrupted(_)) => return Err(error.into()),
            told => told.ok(),
        };
        if let Some(folder) = self.disks.as_deref().filter(|_| !self.args.no_space_check) {
            self.check_room(folder)?;
        }
        Ok(self)
    }

    /// An engine that runs out of space says so only when the VM was stopped, and leaves what it has written.
    fn check_room(&self, disks: &Path) -> Result<()> {
        let vm = &self.vm;
        let (Ok(disks), Some(free)) = (Disks::read(disks), files::free_bytes(self.output.folder())) else {
            return Ok(());
        };
        // Of a live one the RAM as well: as it is, and compressed.
        let ram = if self.live { vm.memory_mib.saturating_mul(2 << 20) } else { 0 };
        let needed = disks.room_to_pack().saturating_add(ram);
        if needed <= free {
            return Ok(());
        }
        let folder = self.output.folder().display();
        let (needed, free) = (packed::size(needed), packed::size(free));
        let what = format!("packing '{}' may take {needed} in {folder}, where {free} are free", vm.name);
        Err(Failure::new(Status::NotWritable, what)
            .state(format!("'{}' is {} as before", vm.name, vm.state))
            .hint("free some space, choose another place with -o, or try it all the same with --no-space-check"))
    }
}

/// Why a VM cannot be frozen while it runs. (1.32.2 was seen to refuse image layers and folders of the host; a VM of a
/// kind that is not known here it refuses itself, in its own words.)
fn why_not_live(vm: &Machine, version: Version) -> Option<String> {
    if !version.checkpoints() {
        return Some(format!("smolvm {version} cannot do it; 1.13.1 can"));
    }
    if vm.given_up {
        return Some("smolvm lists it as unreachable, although it answers, until it is stopped and started".into());
    }
    if vm.state == State::Unreachable {
        return Some("it does not answer".into());
    }
    if vm.state != State::Running {
        return Some(format!("it is {}", vm.state));
    }
    if vm.has_local_image() {
        return Some("its image lies on this host".into());
    }
    (vm.mounts > 0).then(|| "folders of this host are mounted in it".into())
}

/// What is said where `--live=auto` does not freeze live.
pub fn in_the_ordinary_way(why: &str) -> String {
    format!("it cannot be frozen live: {why}. It is frozen in the ordinary way")
}

fn not_live_failure(name: &Name, why: &str) -> Failure {
    Failure::new(Status::BadState, format!("'{name}' cannot be frozen live: {why}"))
        .state("nothing was changed")
        .hint("freeze it in the ordinary way, without --live, or let --live=auto decide")
}

/// Whether a VM in this state can be frozen, or why not.
fn can_be_frozen(vm: &Machine) -> Result<()> {
    let name = &vm.name;
    let refused = |why: &str, hint: String| {
        Err(Failure::new(Status::BadState, format!("'{name}' cannot be frozen: {why}"))
            .state(format!("it is {}", vm.state))
            .hint(hint))
    };
    if vm.ephemeral {
        return refused(
            "it is ephemeral, and stopping it would delete it",
            format!("keep its files with `bottle-freeze cp {name}:PATH .`"),
        );
    }
    match &vm.state {
        State::Created | State::Running | State::Stopped | State::Failed | State::Unreachable => Ok(()),
        State::Paused => refused(
            "it is paused, and its saved RAM would be lost",
            format!("wake it with `bottle-freeze resume {name}`, then freeze it"),
        ),
        State::Pausing => refused("it is being paused", "try again in a moment".into()),
        State::Frozen => refused("it is the base of live branches", "delete the branches first".into()),
        State::Other(_) => refused("this state is not known to bottle-freeze", "update bottle-freeze".into()),
    }
}
