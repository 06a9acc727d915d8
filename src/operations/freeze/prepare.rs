//! Steps 1 and 2 of a freeze: whether it can be done at all, before anything is changed.

use super::context::{Context, Freeze, Job};
use super::disks::only_engine;
use super::pattern::{Key, pattern};
use super::plan::{Plan, Step, reads_disks};
use super::take::checkpoint_path;
use crate::error::{Failure, Result, Status};
use crate::files::free_bytes;
use crate::library::{Lock, Staging, Target, Way, catalog, layout};
use crate::operations::state::asked_again;
use crate::operations::tags::free_tags;
use crate::operations::{configuration, disks, lock, packed, start, workspace};
use crate::report::Planned;
use crate::smolvm::{
    Call, CheckpointOptions, Command, Disks, EngineError, Exec, Fact, Machine, Name, Smolvm, check_bare, check_image,
};
use std::path::Path;
use std::time::Instant;

/// What the freeze of each VM would do. Locks nothing, changes nothing, and reports each failure at once.
///
/// # Errors
/// The request makes no sense, or the engine does not list its VMs.
pub fn plans<'a>(cx: Context<'a>, jobs: &'a [Job]) -> Result<Vec<Result<Planned>>> {
    cx.request.check(jobs.len())?;
    let machines = cx.engine.machine_ls()?;
    let look = |job: &'a Job| Freeze::look(cx, job, &machines).map_err(|failure| cx.failed(job, failure));
    let looked: Vec<Result<Freeze>> = jobs.iter().map(look).collect();
    looked.iter().flatten().for_each(Freeze::warn);
    Ok(looked.iter().map(|looked| looked.as_ref().map(Freeze::planned).map_err(Failure::clone)).collect())
}

/// The VMs that can be frozen, locked; `refuse` gets the others.
///
/// # Errors
/// The engine does not list its VMs, or a signal came.
pub fn prepare<'a>(
    cx: Context<'a>,
    jobs: &[&'a Job],
    mut refuse: impl FnMut(&Job, Failure),
) -> Result<Vec<Freeze<'a>>> {
    let key = Key::of(cx.app, cx.engine);
    let lock = |job: &&Job| lock::vm_alone(cx.app, cx.engine, &job.name, cx.request.wait);
    let locks: Vec<Result<Lock>> = jobs.iter().map(lock).collect();
    let is_meant = |vm: &Machine| jobs.iter().any(|job| job.name.as_str() == vm.name);
    let machines = asked_again(cx.app, cx.engine, cx.engine.machine_ls()?, is_meant)?;
    let mut ready = Vec::new();
    for (job, lock) in jobs.iter().zip(locks) {
        match lock.and_then(|lock| Freeze::look(cx, job, &machines)?.preflight(lock)) {
            Ok(freeze) => ready.push(freeze),
            Err(failure) => refuse(job, failure),
        }
    }
    // Now, because it takes seconds: later the VMs are down. Once for all of them.
    if ready.iter().any(|freeze| freeze.plan.has(&Step::ReadDisks)) {
        let pattern = pattern(cx.app, cx.engine, key)?;
        for freeze in &mut ready {
            freeze.pattern = Some(pattern.clone());
        }
    }
    ready.iter().for_each(Freeze::warn);
    Ok(ready)
}

impl Freeze<'_> {
    /// What it would do.
    pub fn planned(&self) -> Planned {
        let calls = self.plan.steps.iter().filter_map(|step| self.call(step));
        let commands = calls.map(|call| call.shell_line()).collect();
        let way = if self.plan.has(&Step::ReadDisks) { Way::Disks } else { Way::Engine };
        Planned {
            vm: self.vm.name.clone(),
            way,
            commands,
            warnings: [&self.plan.warnings[..], &self.plan.losses].concat(),
        }
    }

    /// The engine command of a step, if it has one.
    fn call(&self, step: &Step) -> Option<Call> {
        let (engine, name) = (self.cx.engine, &self.job.name);
        let exec = |command: &Exec| engine.command_line(Command::Exec(name, command));
        let folder = Staging::example_path(self.target.folder());
        Some(match step {
            Step::ReadDisks => return None,
            Step::List => engine.command_line(Command::List),
            Step::FindDisks => engine.command_line(Command::DataDir(name)),
            Step::PreFreeze(hook) => self.hook_call(hook, ("".as_ref(), "")),
            Step::SaveWorkspace => exec(&workspace::save_command()),
            Step::Trim => exec(&Exec::trim()),
            Step::Sync => exec(&Exec::of("sync")),
            Step::Stop => engine.command_line(Command::Stop(name)),
            Step::Pack => {
                let (launcher, smolfile) = (folder.join("snapshot"), self.smolfile(&folder));
                let options = self.pack_options(&folder, &launcher, smolfile.as_deref());
                engine.command_line(Command::Pack(name, &options))
            }
            Step::Checkpoint => {
                let (output, store) = (checkpoint_path(&folder), self.engine_store(&folder));
                let options = CheckpointOptions { folder: &folder, output: &output, store: store.as_deref() };
                engine.command_line(Command::Checkpoint(name, options))
            }
            Step::Start => engine.command_line(Command::Start(name)),
            Step::AwaitReady => exec(&Exec::of("true")),
            // Of a freeze that succeeds.
            Step::PostFreeze(hook) => match &self.cx.request.output {
                Some(_) => self.hook_call(hook, (self.target.sidecar().as_os_str(), "0")),
                None => self.hook_call(hook, (format!("{name}@ID").as_ref(), "0")),
            },
        })
    }
}

/// Whether the record of the VM shows nothing that only the engine can pack.
///
/// # Errors
/// What it shows, as a sentence.
pub fn check_known(engine: &Smolvm, name: &Name, vm: &Machine) -> Result<(), String> {
    // It is read again when the VM is stopped.
    engine.record(name).ok_or("what smolvm recorded of it cannot be read")?;
    if vm.image.is_some() { check_image(engine.version()) } else { check_bare(engine.version()) }
}

impl<'a> Freeze<'a> {
    /// 1. Look: the VM is there, and in a state that can be frozen.
    fn look(cx: Context<'a>, job: &'a Job, machines: &[Machine]) -> Result<Self> {
        let cx = Context { app: &job.app, engine: &job.engine, ..cx };
        let (request, name, version) = (cx.request, &job.name, cx.engine.version());
        let found = machines.iter().find(|machine| machine.name == name.as_str());
        let vm = found.ok_or_else(|| EngineError::no_such_vm(name, machines))?.clone();
        // Printed with --verbose.
        let why_not = |why: &String| cx.app.terminal.detail(&only_engine(name, why));
        let is_known = reads_disks(request) && check_known(cx.engine, name, &vm).inspect_err(why_not).is_ok();
        let plan = Plan::make(request, &vm, configuration::of(&vm, version), is_known, version)?;
        let id = layout::new_id();
        let artifact = if plan.is_live() { layout::CHECKPOINT } else { layout::ARTIFACT };
        let target = match &request.output {
            Some(out) => Target::new(out, request.force)?,
            None => Target::in_library(name.as_str(), &id, artifact, request.launcher)?,
        };
        Ok(Self { cx, job, began: Instant::now(), vm, plan, id, target, disks: None, pattern: None, locks: Vec::new() })
    }

    /// Warns of what the user should know first.
    fn warn(&self) {
        self.plan.warnings.iter().for_each(|foreseen| self.job.warnings.warn(foreseen));
        self.plan.losses.iter().for_each(|foreseen| self.warn_once(foreseen));
    }

    /// Warns of what the snapshot will lack. People see it only once, if the VM's newest one lacks the same: a freeze of every
    /// night would print it every night.
    pub fn warn_once(&self, foreseen: &str) {
        let newest = || catalog::find(self.job.name.as_str()).ok();
        let is_known = self.cx.request.output.is_none()
            && newest().is_some_and(|newest| newest.metadata.warnings.iter().any(|known| known == foreseen));
        if is_known {
            self.job.warnings.repeat(foreseen);
        } else {
            self.job.warnings.warn(foreseen);
        }
    }

    /// 2. Check, before anything is stopped: the engine can do it, no other run writes the target, and it has room.
    fn preflight(mut self, vm: Lock) -> Result<Self> {
        let request = self.cx.request;
        if !self.plan.is_live() && self.vm.has_local_image() {
            self.cx.engine.require(Fact::LocalImages)?;
        }
        if self.plan.has(&Step::Pack) && self.vm.image.is_some() {
            start::check_packing(self.cx.engine).map_err(|failure| failure.and_state("nothing was changed"))?;
        }
        if request.output.is_none() {
            self.draft().check_before_packing().map_err(|error| {
                Failure { status: Status::BadState, ..error.into() }.hint("freeze it into a file, with -o")
            })?;
        }
        self.locks.push(vm);
        self.locks.extend(lock::output(self.cx.app, &self.target, request.wait)?);
        self.target.preflight()?;
        if !request.force {
            // With --if-changed, the newest one may be the one that is to have them.
            let newest = request.if_changed.then(|| catalog::find(self.job.name.as_str()).ok()).flatten();
            let id = newest.as_ref().map_or(&self.id, |newest| &newest.metadata.id);
            free_tags(self.job.name.as_str(), id, &request.tags, false)?;
        }
        self.disks = disks::folder(self.cx.engine, &self.job.name)?;
        if let Some(folder) = &self.disks {
            disks::check_unused(self.cx.engine, &self.job.name, &self.vm.state, folder)
                .map_err(|failure| failure.and_state("nothing was changed"))?;
            if !request.no_space_check {
                self.check_room(folder)?;
            }
        }
        Ok(self)
    }

    /// An engine that runs out of space fails only when the VM was stopped, and leaves what it has written.
    fn check_room(&self, disks: &Path) -> Result<()> {
        let vm = &self.vm;
        let (Ok(disks), Some(free)) = (Disks::read(disks), free_bytes(self.target.folder())) else { return Ok(()) };
        // Of a live one the RAM as well: as it is, and compressed.
        let ram = if self.plan.is_live() { vm.memory_mib.saturating_mul(2 << 20) } else { 0 };
        let reads = self.plan.has(&Step::ReadDisks);
        let needed = if reads { disks.room_to_read() } else { disks.room_to_pack().saturating_add(ram) };
        if needed <= free {
            return Ok(());
        }
        let folder = self.target.folder().display();
        let (needed, free) = (packed::size(needed), packed::size(free));
        let how = if reads { "freezing" } else { "packing" };
        let what = format!("{how} '{}' may take {needed} in {folder}, where {free} are free", vm.name);
        Err(Failure::new(Status::NotWritable, what)
            .state(format!("'{}' is {} as before", vm.name, vm.state))
            .hint("free some space, choose another place with -o, or skip this check with --no-space-check"))
    }
}
