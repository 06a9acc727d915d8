//! Steps 1 and 2 of a freeze: whether it can be done at all, before anything is changed.

use super::context::{Context, Freeze, Job};
use super::pattern::{Key, known_record, pattern};
use super::plan::{Plan, Step, reads_disks};
use super::take::checkpoint_path;
use super::unread::{Unread, only_engine};
use crate::error::{Failure, Result, Status};
use crate::library::{Lock, Staging, Target, Way, catalog, layout};
use crate::operations::state::asked_again;
use crate::operations::tags::free_tags;
use crate::operations::{configuration, disks, lock, start, workspace};
use crate::report::Planned;
use crate::smolvm::{
    Call, CheckpointOptions, Command, EngineError, Exec, Fact, Machine, MissingBase, Name, Record, Smolvm, check_bare,
    check_down, check_image, missing_base,
};
use std::time::Instant;

const UNCHANGED: &str = "nothing was changed";

/// A function that says whether a VM can be frozen without the engine, or else why not, as a sentence.
type Check<'c> = &'c dyn Fn(&Smolvm, &Name, &Machine) -> Result<(), String>;

/// What the freeze of each VM would do. Locks nothing, changes nothing, and reports each failure at once.
///
/// # Errors
/// The request makes no sense, or the engine does not list its VMs.
pub fn plans<'a>(cx: Context<'a>, jobs: &'a [Job]) -> Result<Vec<Result<Planned>>> {
    cx.request.check(jobs.len())?;
    let key = Key::of(cx.app, cx.engine);
    let machines = cx.engine.machine_ls()?;
    let trial = known_record(cx.engine, key);
    let check = |engine: &Smolvm, name: &Name, vm: &Machine| check_on_disk(engine, name, vm, trial.as_ref());
    let look = |job: &'a Job| {
        let looked = Freeze::look(cx, job, &machines, &check);
        looked.and_then(|freeze| freeze.check_base().map(|()| freeze)).map_err(|failure| cx.failed(job, failure))
    };
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
        let check = |engine: &Smolvm, name: &Name, vm: &Machine| check_known(engine, name, vm).map(drop);
        match lock.and_then(|lock| Freeze::look(cx, job, &machines, &check)?.preflight(lock)) {
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

/// Whether the record of the VM shows nothing that only the engine can pack. Returns the record, which is read again when the
/// VM is stopped.
///
/// # Errors
/// What it shows, as a sentence.
pub fn check_known(engine: &Smolvm, name: &Name, vm: &Machine) -> Result<Record, String> {
    let record = engine.record(name).ok_or("what smolvm recorded of it cannot be read")?;
    if vm.image.is_some() { check_image(engine.version()) } else { check_bare(engine.version()) }?;
    Ok(record)
}

/// The same for a dry run, which also looks at the disks of a VM that is not up. A freeze finds that out when it reads them.
fn check_on_disk(engine: &Smolvm, name: &Name, vm: &Machine, trial: Option<&Record>) -> Result<(), String> {
    let record = check_known(engine, name, vm)?;
    if vm.state.is_up() {
        return Ok(());
    }
    let folder = engine.machine_data_dir(name).map_err(|_| "its disks were not found")?;
    check_down(vm, &record, trial, &folder)
}

impl<'a> Freeze<'a> {
    /// 1. Look: the VM is there, and in a state that can be frozen; `check` says whether it can be read without the engine.
    fn look(cx: Context<'a>, job: &'a Job, machines: &[Machine], check: Check) -> Result<Self> {
        let cx = Context { app: &job.app, engine: &job.engine, ..cx };
        let (request, name, version) = (cx.request, &job.name, cx.engine.version());
        let found = machines.iter().find(|machine| machine.name == name.as_str());
        let vm = found.ok_or_else(|| EngineError::no_such_vm(name, machines))?.clone();
        // Printed with --verbose.
        let print = |unread: &Unread| cx.app.terminal.detail(&only_engine(name, &unread.why));
        let known = reads_disks(request).then(|| check(cx.engine, name, &vm).map_err(Unread::from).inspect_err(print));
        let is_known = matches!(known, Some(Ok(())));
        let has_image = request.live.is_some() && vm.image.is_some();
        let is_packed = has_image && cx.engine.record(name).is_some_and(|record| record.is_of_artifact());
        let plan = Plan::make(request, &vm, configuration::of(&vm, version), (is_known, is_packed), version)?;
        let unread = known.and_then(Result::err);
        let id = layout::new_id();
        let artifact = if plan.is_live() { layout::CHECKPOINT } else { layout::ARTIFACT };
        let target = match &request.output {
            Some(out) => Target::new(out, request.force)?,
            None => Target::in_library(name.as_str(), &id, artifact, request.launcher)?,
        };
        let (began, locks) = (Instant::now(), Vec::new());
        Ok(Self { cx, job, began, vm, plan, unread, id, target, disks: None, pattern: None, locks })
    }

    /// Checks that nothing of its image is missing that the VM needs to start again, and to be frozen.
    ///
    /// # Errors
    /// Something is missing, or a signal came.
    fn check_base(&self) -> Result<()> {
        let (engine, name) = (self.cx.engine, &self.job.name);
        let is_asked = self.vm.image.is_some() && !self.plan.is_live();
        let Some(record) = is_asked.then(|| engine.record(name)).flatten() else { return Ok(()) };
        let found = if self.disks.is_none() { disks::folder(engine, name)? } else { None };
        let Some(folder) = self.disks.as_ref().or(found.as_ref()) else { return Ok(()) };
        let starts = [Step::Stop, Step::Pack].iter().any(|step| self.plan.has(step));
        let Some(MissingBase { folder, hint }) = missing_base(&record, folder, starts) else { return Ok(()) };
        let what = format!("the image of '{name}' is missing: there is no folder {}", folder.display());
        Err(Failure::new(Status::BadState, what).state(UNCHANGED).hint(hint))
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
            start::check_packing(self.cx.engine).map_err(|failure| {
                let failure = failure.and_state(UNCHANGED);
                self.unread.iter().fold(failure, |failure, unread| unread.explain(&self.job.name, failure))
            })?;
        }
        if request.output.is_none() {
            self.draft().check_before_packing().map_err(|error| {
                Failure { status: Status::BadState, ..error.into() }.hint("freeze it into a file, with -o")
            })?;
        }
        self.locks.push(vm);
        self.locks.extend(lock::output(self.cx.app, &self.target, request.wait)?);
        self.target.preflight()?;
        if !request.moves_tags() {
            free_tags(self.job.name.as_str(), &self.id, &request.tags, false)?;
        }
        self.disks = disks::folder(self.cx.engine, &self.job.name)?;
        self.check_base()?;
        if let Some(folder) = &self.disks {
            disks::check_unused(self.cx.engine, &self.job.name, &self.vm.state, folder)
                .map_err(|failure| failure.and_state(UNCHANGED))?;
        }
        self.check_room()?;
        Ok(self)
    }
}
