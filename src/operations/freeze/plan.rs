//! What the freeze of a VM does, and what the user should know first: decided before anything is changed.

use super::request::{Hook, Live, Request, Restart};
use crate::error::{Failure, Result, Status};
use crate::library::Configuration;
use crate::operations::configuration;
use crate::smolvm::{Fact, Machine, State, Version};

/// One engine command of a freeze, or one of the user's own. `--dry-run` prints them, the freeze runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// List the VMs: is this one there, and as it was?
    List,
    /// Find the VM's disks.
    FindDisks,
    /// Run a command of the user's before the freeze.
    PreFreeze(Hook),
    /// Save `/workspace`, which the engine does not pack.
    SaveWorkspace,
    /// Have the guest drop from its disks what was deleted.
    Trim,
    /// Have the guest write its files to disk.
    Sync,
    /// Stop the VM.
    Stop,
    /// Read its disks, and have the engine pack them only if something in them is new to bottle-freeze.
    ReadDisks,
    /// Have the engine pack its disks.
    Pack,
    /// Save its disks and its RAM while it runs.
    Checkpoint,
    /// Start the VM again.
    Start,
    /// Wait until it runs commands.
    AwaitReady,
    /// Run a command of the user's after the freeze.
    PostFreeze(Hook),
}

/// Why a VM whose image is in an artifact cannot be frozen live.
pub const IN_ARTIFACT: &str = "its image is in the artifact that it was made from, which a live snapshot does not hold";
/// What to do with a VM that cannot be frozen live.
pub const ORDINARY: &str = "freeze it in the ordinary way, without --live, or let --live=auto decide";

/// What the freeze of one VM does.
#[derive(Debug)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// What the user should know first.
    pub warnings: Vec<String>,
    /// The same about the VM, each time that it is frozen: what the snapshot will not hold, and which engines cannot thaw it.
    pub losses: Vec<String>,
    /// The VM's configuration, as far as it is known.
    pub known: Configuration,
}

impl Plan {
    /// Plans the freeze of `vm` by an engine of this version; `known` is the configuration that was found. `is_known` says
    /// whether its disks can be read without the engine, as far as its record shows, and `is_packed` whether its image is in an
    /// artifact.
    ///
    /// # Errors
    /// The VM cannot be frozen, or not in this way.
    pub fn make(
        request: &Request,
        vm: &Machine,
        known: Configuration,
        (is_known, is_packed): (bool, bool),
        version: Version,
    ) -> Result<Self> {
        can_be_frozen(vm)?;
        let not_live = request.live.and_then(|_| why_not_live(vm, is_packed, version));
        if let (Some(Live::Always), Some(why)) = (request.live, &not_live) {
            return Err(Failure::new(Status::BadState, format!("'{}' cannot be frozen live: {why}", vm.name))
                .state("nothing was changed")
                .hint(ORDINARY));
        }
        let live = request.live.is_some() && not_live.is_none();
        // Only of these versions it was seen that a live artifact carries an allow list.
        let is_carried = !live || !vm.network || version.has(Fact::ListsAllowList);
        let known = Configuration { network_known: known.network_known && is_carried, ..known };
        let reads_disks = !live && is_known && reads_disks(request);
        let steps = steps(request, vm, live, reads_disks, version);
        let mut warnings: Vec<String> = not_live.map(|why| in_the_ordinary_way(&why)).into_iter().collect();
        if !live && vm.state == State::Unreachable {
            let lost = "the snapshot will not hold what its guest has not written to disk";
            warnings.push(format!("'{}' does not answer: {lost}", vm.name));
        }
        let losses = if live { Vec::new() } else { losses(request, vm, &known, version) };
        Ok(Self { steps, warnings, losses, known })
    }

    /// Whether it has this step.
    pub fn has(&self, step: &Step) -> bool {
        self.steps.contains(step)
    }

    /// Whether the VM goes on running, and its RAM is in the snapshot.
    pub fn is_live(&self) -> bool {
        self.has(&Step::Checkpoint)
    }
}

/// Whether the user lets the disks of a VM be read without the engine.
pub fn reads_disks(request: &Request) -> bool {
    !request.keeps_whole() && !request.engine_pack
}

fn steps(request: &Request, vm: &Machine, live: bool, reads_disks: bool, version: Version) -> Vec<Step> {
    let (runs, is_stopped) = (vm.state == State::Running, vm.state.is_up() && !live);
    let restarts = is_stopped && request.restart == Restart::Always;
    let mut steps = vec![Step::List, Step::FindDisks];
    let is_run = |hook: &&Hook| runs || matches!(hook, Hook::Host(_));
    steps.extend(request.before.iter().filter(is_run).cloned().map(Step::PreFreeze));
    let looks_again = is_stopped && !version.has(Fact::ReportsMissing);
    for (is_needed, step) in [
        (runs && !live && saves_workspace(request, vm, version), Step::SaveWorkspace),
        (runs && trims(request, vm, reads_disks, version), Step::Trim),
        (runs && is_stopped, Step::Sync),
        (is_stopped, Step::Stop),
        (looks_again, Step::List),
        (reads_disks, Step::ReadDisks),
        (!live && !reads_disks, Step::Pack),
        (live, Step::Checkpoint),
        (true, Step::List),
        (restarts, Step::Start),
        (restarts, Step::AwaitReady),
    ] {
        steps.extend(is_needed.then_some(step));
    }
    for hook in &request.after {
        let in_guest = matches!(hook, Hook::Guest(_));
        // Whether it runs then is not known before.
        steps.extend(in_guest.then_some(Step::List));
        steps.extend((live || restarts || !in_guest).then(|| Step::PostFreeze(hook.clone())));
    }
    steps
}

/// Whether a guest drops what was deleted, because the engine takes its disks as they are. The engine packs the files of an
/// image VM, and a read of the disks leaves out by itself what is free. In a VM of 1.4.0, a trim destroyed files (seen in real
/// VMs): only engines that freeze the file systems at a stop are asked.
fn trims(request: &Request, vm: &Machine, reads_disks: bool, version: Version) -> bool {
    vm.image.is_none() && !request.no_trim && !reads_disks && version.has(Fact::StopFlushes)
}

/// What an ordinary snapshot will not hold, and who cannot thaw it.
fn losses(request: &Request, vm: &Machine, known: &Configuration, version: Version) -> Vec<String> {
    let mut warnings = Vec::new();
    let is_saved = vm.state == State::Running && saves_workspace(request, vm, version);
    if vm.image.is_some() && request.no_workspace {
        warnings.push("the snapshot will not hold /workspace: left out by --no-workspace".into());
    } else if !version.has(packs_workspace(vm)) && !is_saved {
        let packs = packs_workspace(vm).since();
        let lost = format!("the snapshot will not hold /workspace: smolvm {version} does not pack it; {packs} does");
        warnings.push(format!("{lost} (freezing it while it runs, without -o, saves it)"));
    }
    warnings.extend(configuration::losses(vm, known, request.output.is_none()));
    if vm.image.is_none() && !version.has(Fact::ThawsBare) {
        let since = Fact::ThawsBare.since();
        warnings.push(format!("smolvm {version} cannot run a VM made from this snapshot; {since} and later can"));
    }
    if vm.image.is_some() && !version.has(Fact::RepacksLayers) {
        let what = "if it was itself made from a snapshot, what that one held is lost";
        let keeps = Fact::RepacksLayers.since();
        warnings.push(format!("smolvm {version} packs the image anew: {what}; {keeps} keeps it"));
    }
    warnings
}

/// What an engine must be able to do to pack the VM's `/workspace`.
fn packs_workspace(vm: &Machine) -> Fact {
    if vm.image.is_some() { Fact::ImageWorkspace } else { Fact::BareWorkspace }
}

/// Whether `/workspace` is saved beside the artifact, if the guest runs: only a snapshot in the library has room for it.
fn saves_workspace(request: &Request, vm: &Machine, version: Version) -> bool {
    !request.no_workspace && request.output.is_none() && !version.has(packs_workspace(vm))
}

/// Why a VM cannot be frozen while it runs. (The engine refuses image layers and folders of the host, and other kinds of VM
/// in its own words.)
fn why_not_live(vm: &Machine, is_packed: bool, version: Version) -> Option<String> {
    let reasons = [
        (!version.has(Fact::Live), Fact::Live.missing_in(version)),
        (vm.given_up, "smolvm lists it as unreachable, although it answers, until it is stopped and started".into()),
        (vm.state == State::Unreachable, "it does not answer".into()),
        (vm.state != State::Running, format!("it is {}", vm.state)),
        (vm.has_local_image(), "its image is on this host".into()),
        (is_packed, IN_ARTIFACT.into()),
        (vm.mounts > 0, "folders of this host are mounted in it".into()),
    ];
    reasons.into_iter().find_map(|(is_one, why)| is_one.then_some(why))
}

/// The warning where `--live=auto` does not freeze live.
pub fn in_the_ordinary_way(why: &str) -> String {
    format!("it cannot be frozen live: {why}. It is frozen in the ordinary way")
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
        State::Other(_) => refused("bottle-freeze does not know this state", "update bottle-freeze".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NEWEST: Version = Version(1, 32, 2);

    fn configuration() -> Configuration {
        let known = json!({"cpus": 2, "memory_mib": 512, "network": false, "network_known": true});
        serde_json::from_value(known).unwrap()
    }

    fn plan(state: &str, request: &Request, has_record: bool, version: Version) -> Result<Plan> {
        let vm = json!({"name": "dev", "state": state, "cpus": 2, "memory_mib": 512, "network": false});
        let (vm, known) = (serde_json::from_value(vm).unwrap(), configuration());
        Plan::make(request, &vm, known, (has_record, false), version)
    }

    #[test]
    fn the_steps_follow_from_the_request_the_vm_and_the_engine() {
        use Step::{AwaitReady, Checkpoint, FindDisks, List, Pack, ReadDisks, SaveWorkspace, Start, Stop, Sync, Trim};
        let plain = Request::default();
        let restart = Request { restart: Restart::Always, ..Request::default() };
        let live = Request { live: Some(Live::Always), ..Request::default() };
        let no_trim = Request { no_trim: true, ..Request::default() };
        let engine_pack = Request { engine_pack: true, ..Request::default() };
        for (state, request, version, steps) in [
            ("stopped", &restart, NEWEST, vec![Pack, List]),
            ("stopped", &engine_pack, NEWEST, vec![Pack, List]),
            ("running", &plain, NEWEST, vec![Trim, Sync, Stop, Pack, List]),
            ("running", &plain, Version(1, 4, 0), vec![SaveWorkspace, Sync, Stop, Pack, List]),
            ("running", &restart, NEWEST, vec![Trim, Sync, Stop, Pack, List, Start, AwaitReady]),
            ("running", &no_trim, NEWEST, vec![Sync, Stop, Pack, List]),
            ("unreachable", &plain, NEWEST, vec![Stop, Pack, List]),
            ("running", &live, NEWEST, vec![Trim, Checkpoint, List]),
        ] {
            let planned = |has_record| plan(state, request, has_record, version).unwrap().steps;
            let steps = [vec![List, FindDisks], steps].concat();
            assert_eq!(planned(false), steps, "{state}, {version}");
            let reads = steps.contains(&Pack) && !request.engine_pack;
            let read = |step| if step == Pack && reads { ReadDisks } else { step };
            let steps: Vec<_> = steps.into_iter().map(read).filter(|step| !(reads && *step == Trim)).collect();
            assert_eq!(planned(true), steps, "{state}, {version}");
        }
    }

    #[test]
    fn a_vm_that_cannot_be_frozen_live_is_refused_or_frozen_in_the_ordinary_way() {
        let live = |live| Request { live: Some(live), ..Request::default() };
        assert_eq!(plan("stopped", &live(Live::Always), true, NEWEST).unwrap_err().status, Status::BadState);
        let vm = json!({"name": "dev", "state": "running", "cpus": 2, "memory_mib": 512, "network": false});
        let (vm, known) = (serde_json::from_value(vm).unwrap(), configuration());
        let failure = Plan::make(&live(Live::Always), &vm, known, (true, true), NEWEST).unwrap_err();
        assert!(failure.what.contains("its image is in the artifact"), "{failure:?}");
        let ordinary = plan("stopped", &live(Live::Auto), true, NEWEST).unwrap();
        assert!(!ordinary.is_live() && ordinary.warnings[0].contains("it is stopped"), "{ordinary:?}");
    }
}
