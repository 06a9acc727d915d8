//! Thaws a snapshot: a new VM, as the old one was frozen.

mod plan;
mod volumes;

pub use plan::Request;

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{self, Creation, Lock, Stored, undo};
use crate::operations::make::{self, make_vm};
use crate::operations::resolve::{self, Checked};
use crate::operations::start::{check_host, start};
use crate::operations::state::state_now;
use crate::operations::stop::stop;
use crate::operations::{configuration, consent, disks, fidelity, freeze, lock, workspace};
use crate::report::{Change, JsonPath, Thawed};
use crate::smolvm::{EngineError, Fact, Machine, Smolvm};
use crate::terminal::Warnings;
use plan::Plan;
use std::time::{Duration, Instant};

/// The thaw of one snapshot into one VM.
struct Thaw<'a> {
    app: &'a App,
    engine: Smolvm,
    request: &'a Request,
    snapshot: &'a Checked,
    plan: &'a Plan,
    warnings: &'a Warnings,
}

/// Makes a VM from a snapshot, and starts it.
///
/// # Errors
/// There is no VM, unless the failure says otherwise.
pub fn thaw(app: &App, request: &Request) -> Result<Thawed> {
    let began = Instant::now();
    app.on_snapshot(&request.snapshot.to_string_lossy(), |app| {
        let found = match &request.key {
            Some(key) => resolve::with_key(app, &request.snapshot.to_string_lossy(), key)?,
            None if request.undoable => resolve::of_its_vm(app, &request.snapshot.to_string_lossy())?,
            None => resolve::find(app, &request.snapshot)?,
        };
        let engine = app.engine()?;
        if request.start {
            check_host(&engine)?;
        }
        let snapshot = found.check(app)?;
        fidelity::check_host(&snapshot.artifact.manifest)?;
        let opens = consent::check(app, &snapshot, &request.access, true)?;
        check_options(request, &snapshot)?;
        let machines = engine.machine_ls()?;
        let request = &ask_about_name(app, request, &snapshot, &machines)?;
        let plan = Plan::make(request, opens, &snapshot, &machines, engine.version())?;
        let thaw = |app: &App, warnings: &Warnings| {
            let (engine, snapshot) = (app.share(&engine), &snapshot);
            let (state, replaced) = Thaw { app, engine, request, snapshot, plan: &plan, warnings }.run(&machines)?;
            Ok(Thawed {
                vm: plan.name.to_string(),
                reference: snapshot.stored().map(Stored::reference),
                sidecar: snapshot.file().map(|file| JsonPath(file.into())),
                state,
                replaced,
                seconds: began.elapsed().as_secs_f64(),
                warnings: warnings.list(),
            })
        };
        app.on_vm(&plan.name, |app| app.with_warnings(|warnings| thaw(app, warnings)))
    })
}

/// Asks what to do about a VM that has the name already, where there is a user to answer.
fn ask_about_name(app: &App, request: &Request, snapshot: &Checked, machines: &[Machine]) -> Result<Request> {
    let wanted = plan::wanted_name(request, snapshot);
    let there = machines.iter().find(|machine| machine.name == wanted && !request.replace);
    let Some(there) = there else { return Ok(request.clone()) };
    let free = plan::free_name(&wanted, machines)?;
    let question = format!("There is a VM '{wanted}' already, which is {}", there.state);
    let answers = [
        format!("Make the new one '{free}'"),
        format!("Replace '{wanted}', which is frozen into the library first"),
        "Cancel".to_owned(),
    ];
    match app.choose(&question, &answers, "nothing was changed")? {
        Some(0) => Ok(Request { name: Some(free), ..request.clone() }),
        Some(1) => Ok(Request { replace: true, yes: true, ..request.clone() }),
        Some(_) => Err(Failure::new(Status::NotConfirmed, "not confirmed").state("nothing was changed")),
        None => Ok(request.clone()),
    }
}

/// A live snapshot takes no options: it goes on as it was.
fn check_options(request: &Request, snapshot: &Checked) -> Result<()> {
    let (manifest, access) = (&snapshot.artifact.manifest, &request.access);
    // The options that confirm its ports are repeated; no other is possible.
    let has_other_ports = || match &access.ports {
        Some(ports) if ports.is_empty() => !manifest.live_ports().is_empty(),
        ports => ports.iter().flatten().any(|port| !manifest.live_ports().contains(port)),
    };
    let is_sized = request.cpus.is_some() || request.memory_mib.is_some() || request.storage_gb.is_some();
    let is_bound = access.volumes.is_some() || !request.env.is_empty() || request.workdir.is_some();
    if manifest.is_live() && (is_sized || is_bound || !access.allow_cidrs.is_empty() || has_other_ports()) {
        let what = "a live snapshot continues with the cpus, memory, network and ports that it was frozen with";
        return Err(Failure::new(Status::Usage, what).hint("thaw it without these options"));
    }
    Ok(())
}

impl Thaw<'_> {
    /// The state of the new VM, and the snapshot that holds the one that it replaces.
    fn run(&self, machines: &[Machine]) -> Result<(Change, Option<String>)> {
        let name = &self.plan.name;
        self.plan.warnings.iter().for_each(|foreseen| self.warnings.warn(foreseen));
        configuration::check(&self.plan.known)?;
        // Before the VM of that name is removed.
        self.engine.can_create(name, &self.plan.options)?;
        // Held until the VM is made, and has all that was frozen.
        let (replaced, _lock) = match machines.iter().find(|machine| machine.name == name.as_str()) {
            None => (None, make::lock_name(self.app, &self.engine, name)?),
            Some(listed) if self.request.replace => {
                let (kept, lock) = self.replace(listed)?;
                (Some(kept), Some(lock))
            }
            Some(_) => return Err(EngineError::NameTaken(name.to_string()).into()),
        };
        match self.make() {
            Ok(state) => Ok((state, replaced)),
            Err(failure) => Err(match replaced {
                Some(kept) => {
                    let failure = failure.and_state(format!("the VM that was there is kept as {kept}"));
                    let back = if self.request.undoable {
                        format!("bring it back with `bottle-freeze rollback {} --undo`", self.plan.name)
                    } else {
                        format!("bring it back with `bottle-freeze thaw {kept}`")
                    };
                    // The engine is asked after a signal, too.
                    let _cleanup = self.engine.signals().recovering();
                    let is_there = self.leaves(&failure) && self.engine.machine_listed(name).is_ok();
                    match failure.hint.clone().filter(|_| is_there) {
                        Some(hint) if self.request.undoable => failure.hint(format!("{hint}, or {back}")),
                        Some(_) => failure,
                        None => failure.hint(back),
                    }
                }
                None => failure,
            }),
        }
    }

    /// Freezes the VM of that name and deletes it. The snapshot that holds it now, and the lock of its name.
    ///
    /// # Errors
    /// The VM is still there, in the state that the failure says.
    fn replace(&self, listed: &Machine) -> Result<(String, Lock)> {
        let Self { app, engine, request, warnings, .. } = self;
        let name = &self.plan.name;
        // For the question; the freeze asks the guest again.
        let there = if request.yes { listed.clone() } else { engine.ask_again(listed.clone())? };
        let steps = if there.state.is_up() { "Stop it, freeze it" } else { "Freeze it" };
        let question = format!("'{name}' is {}. {steps} into the library and replace it?", there.state);
        app.confirm(&question, request.yes, &format!("'{name}' is {}; nothing was changed", there.state))?;
        let replaced = |now: &Machine| {
            let what = format!("'{name}' was started or replaced by another command in the meantime");
            Failure::new(Status::Failed, what).hint("try again").state(format!("it is {}", now.state))
        };
        let now = engine.machine_listed(name)?;
        if now.created_at != there.created_at || (now.state.is_up() && !there.state.is_up()) {
            return Err(replaced(&now).and_state("nothing was changed"));
        }
        let snapshot = request.snapshot.to_string_lossy();
        let described = if request.undoable {
            (format!("replaced by a rollback to {snapshot}"), undo::new_tag(name.as_str())?.into_iter().collect())
        } else {
            (format!("replaced by a thaw of {snapshot}"), Vec::new())
        };
        let kept = freeze::into_library(app, engine, name, described, warnings).map_err(|failure| {
            let is_silent = failure.status == Status::NotConfirmed;
            if is_silent { failure.hint(format!("stop it first, with `bottle-freeze stop {name}`")) } else { failure }
        })?;
        let lock = lock::vm_alone(app, engine, name, Duration::ZERO)?;
        let now = engine.machine_listed(name)?;
        if now.state.is_up() || now.created_at != there.created_at {
            return Err(replaced(&now).and_state(format!("it was frozen as {kept}")));
        }
        app.terminal.phase("delete", &format!("deleting {name}"), || engine.machine_delete(name)).map_err(|error| {
            let failure = Failure::from(error);
            let failure = state_now(engine, name).into_iter().fold(failure, Failure::state);
            failure.and_state(format!("it was frozen as {kept}"))
        })?;
        Creation::forget(name.as_str());
        library::remove_artifact(name.as_str());
        Ok((kept, lock))
    }

    /// Makes the VM, starts it, and gives it what the artifact does not hold. Its state then. If that fails, the VM is
    /// removed, unless it is to be kept; after a signal there is no time for that.
    fn make(&self) -> Result<Change> {
        let Self { app, engine, plan, warnings, .. } = self;
        let (name, stored) = (&plan.name, self.snapshot.stored());
        app.terminal.phase("create", &format!("creating {name}"), || {
            make_vm(engine, name, &plan.options, &plan.known, &plan.reach, stored, warnings)
        })?;
        self.finish().map_err(|failure| if self.leaves(&failure) { failure } else { self.removed(failure) })
    }

    /// Whether the new VM stays after this failure.
    fn leaves(&self, failure: &Failure) -> bool {
        self.request.keep || failure.is_interrupted()
    }

    /// Removes the VM that was just made, and adds to `failure` how things stand then.
    fn removed(&self, failure: Failure) -> Failure {
        let (engine, name) = (&self.engine, &self.plan.name);
        let _cleanup = engine.signals().recovering();
        let remove = || {
            disks::free(engine, name, &engine.machine_listed(name)?.state)?;
            Ok::<_, Failure>(engine.machine_delete(name)?)
        };
        if let Err(error) = remove() {
            let hint = format!("remove it with `bottle-freeze rm {name}`");
            return failure.state(format!("'{name}' could not be removed: {error}")).hint(hint);
        }
        Creation::forget(name.as_str());
        library::remove_artifact(name.as_str());
        let is_full = failure.status == Status::NotWritable;
        let hint = failure.hint.clone().filter(|_| is_full);
        let hint = hint.unwrap_or_else(|| "--keep leaves the VM there, and --timeout gives it more time".to_owned());
        failure.state(format!("'{name}' was removed again")).hint(hint)
    }

    /// What follows the creation of the VM.
    fn finish(&self) -> Result<Change> {
        let Self { app, engine, request, plan, warnings, .. } = self;
        let (name, terminal, stored) = (&plan.name, &app.terminal, self.snapshot.stored());
        fidelity::warn_of_missing_secrets(name, &self.snapshot.artifact.manifest, warnings);
        if let Some(stored) = stored {
            // What the user asks for instead is no difference.
            let mut expected = stored.metadata.machine.clone();
            expected.storage_gb = request.storage_gb.or(expected.storage_gb);
            expected.labels.extend(request.labels.clone());
            fidelity::warn_of_differences(&expected, &engine.machine(name)?, warnings);
        }
        let saved = stored.and_then(Stored::workspace);
        if !request.start && saved.is_none() {
            return Ok(Change::Created);
        }
        self.start()?;
        if let Some(saved) = &saved {
            workspace::restore(app, engine, name, saved).map_err(|failure| {
                let again = format!("remove it with `bottle-freeze rm {name}`, and thaw again");
                failure.state(format!("'{name}' is running, but its /workspace is incomplete")).hint(again)
            })?;
        }
        if request.start {
            return Ok(Change::Running);
        }
        // What was put back a moment ago is not on its disk yet.
        let writes = !engine.version().has(Fact::StopFlushes);
        terminal.phase("stop", &format!("stopping {name}"), || stop(engine, name, writes, None, warnings))?;
        Ok(Change::Stopped)
    }

    fn start(&self) -> Result<()> {
        let (name, limit) = (&self.plan.name, self.request.timeout);
        let start = || start(&self.engine, name, limit, true, self.warnings);
        self.app.terminal.phase("start", &format!("starting {name}"), start).map_err(|failure| {
            let again = format!("bottle-freeze start {name}");
            if failure.state.is_some() {
                return failure.or_hint(&again);
            }
            let created = || format!("'{name}' is created");
            failure.state(state_now(&self.engine, name).unwrap_or_else(created)).hint(again)
        })
    }
}
