//! Thaws a snapshot: a new VM, as the old one was frozen, or several.

mod identity;
mod names;
mod plan;
mod ports;
mod replace;
mod request;
mod several;
mod volumes;

pub use request::Request;
pub use several::{Several, several};

use crate::app::App;
use crate::clock;
use crate::error::{Failure, Result, Status};
use crate::library::{self, Creation, Stored};
use crate::operations::consent::{self, Ports};
use crate::operations::make::{self, make_vm};
use crate::operations::resolve::{self, Checked, SnapshotSource};
use crate::operations::start::{check_host, start};
use crate::operations::state::state_now;
use crate::operations::stop::stop;
use crate::operations::{configuration, disks, fidelity, workspace};
use crate::report::{Change, JsonPath, Thawed};
use crate::smolvm::{EngineError, Fact, Machine, Smolvm};
use crate::terminal::Warnings;
use names::Chosen;
use plan::{Host, Plan};
use ports::HostPorts;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

/// The thaw of one snapshot into one VM.
struct Thaw<'a> {
    app: &'a App,
    engine: Smolvm,
    request: &'a Request,
    snapshot: &'a Checked,
    plan: &'a Plan,
    /// If it is one of several, of which all are made or none.
    several: Option<Several>,
    warnings: &'a Warnings,
    /// The Unix seconds before and after the engine created the VM.
    made: OnceLock<(u64, u64)>,
}

/// Makes a VM from a snapshot, and starts it.
///
/// # Errors
/// There is no VM, unless the failure says otherwise.
pub fn thaw(app: &App, request: &Request) -> Result<Thawed> {
    let began = Instant::now();
    app.on_snapshot(&request.snapshot.to_string_lossy(), |app| {
        let (found, engine) = find(app, request)?;
        let machines = engine.machine_ls()?;
        let Chosen { name, taken, replaces } = names::choose(app, &engine, request, &found, &machines)?;
        let (snapshot, opens) = check(app, request, found)?;
        let (version, is_several) = (engine.version(), false);
        let ports = HostPorts::of(app, &engine, request, &machines, replaces.as_ref())?;
        let mut host = Host { machines: &machines, version, ports, is_several };
        let plan = Plan::make(name, request, opens, &snapshot, &mut host)?;
        let thaw = |app: &App, warnings: &Warnings| {
            let (engine, snapshot, plan) = (app.share(&engine), &snapshot, &plan);
            let thaw = Thaw { app, engine, request, snapshot, plan, several: None, warnings, made: OnceLock::new() };
            let (state, replaced) = thaw.run(replaces.as_ref())?;
            Ok(Thawed { replaced, taken, ..thaw.report(state, began) })
        };
        app.on_vm(&plan.name, |app| app.with_warnings(|warnings| thaw(app, warnings)))
    })
}

/// The snapshot that the request means, not checked yet, and the engine.
fn find(app: &App, request: &Request) -> Result<(SnapshotSource, Smolvm)> {
    let found = match &request.key {
        Some(key) => resolve::with_key(app, &request.snapshot.to_string_lossy(), key)?,
        None if request.undoable => resolve::of_its_vm(app, &request.snapshot.to_string_lossy())?,
        None => resolve::find(app, &request.snapshot)?,
    };
    if !found.path().exists() {
        // Before a name is chosen: this fails, and says what may be meant.
        found.whole(app)?;
    }
    let engine = app.engine()?;
    if request.start {
        check_host(&engine)?;
    }
    Ok((found, engine))
}

/// Checks the snapshot, and that the user agrees to what it opens; whether that is a network that its artifact opens by itself.
fn check(app: &App, request: &Request, found: SnapshotSource) -> Result<(Checked, bool)> {
    let snapshot = found.check(app)?;
    fidelity::check_host(&snapshot.artifact.manifest)?;
    let opens = consent::check(app, &snapshot, &request.access, true)?;
    check_options(request, &snapshot)?;
    Ok((snapshot, opens))
}

/// A live snapshot takes no options: it goes on as it was.
fn check_options(request: &Request, snapshot: &Checked) -> Result<()> {
    let (manifest, access) = (&snapshot.artifact.manifest, &request.access);
    // The options that confirm its ports are repeated; no other is possible.
    let has_other_ports = || match &access.ports {
        Ports::Recorded => false,
        Ports::Given(ports) if !ports.is_empty() => ports.iter().any(|port| !manifest.live_ports().contains(port)),
        Ports::Given(_) | Ports::Free => !manifest.live_ports().is_empty(),
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
    /// Makes the VM, in place of the one that it `replaces`. Its state, and the snapshot that holds the replaced one.
    fn run(&self, replaces: Option<&Machine>) -> Result<(Change, Option<String>)> {
        let name = &self.plan.name;
        self.plan.warnings.iter().for_each(|foreseen| self.warnings.warn(foreseen));
        configuration::check(&self.plan.known)?;
        // Before the VM of that name is removed.
        self.engine.can_create(name, &self.plan.options)?;
        self.snapshot.check_same()?;
        // Held until the VM is made, and has all that was frozen.
        let Some(there) = replaces else {
            let _lock = make::lock_name(self.app, &self.engine, name)?;
            return Ok((self.make_or_remove()?, None));
        };
        let (kept, _lock) = self.replace(there)?;
        match self.make_or_remove() {
            Ok(state) => Ok((state, Some(kept))),
            Err(failure) => Err(self.with_way_back(failure, &kept)),
        }
    }

    /// What was made, since `began`.
    fn report(&self, state: Change, began: Instant) -> Thawed {
        Thawed {
            vm: self.plan.name.to_string(),
            reference: self.snapshot.stored().map(Stored::reference),
            sidecar: self.snapshot.file().map(|file| JsonPath(file.into())),
            state,
            ports: self.plan.known.ports.clone(),
            replaced: None,
            seconds: began.elapsed().as_secs_f64(),
            warnings: self.warnings.list(),
            taken: None,
        }
    }

    /// Makes the VM. If that fails, the VM is removed, unless it is to be kept.
    fn make_or_remove(&self) -> Result<Change> {
        self.make().map_err(|failure| match self.made.get() {
            Some(_) if !self.leaves(&failure) => self.removed(failure),
            _ => failure,
        })
    }

    /// Makes the VM, starts it, and gives it what the artifact does not hold. Its state then. If that fails, it is left.
    fn make(&self) -> Result<Change> {
        let Self { app, engine, plan, warnings, .. } = self;
        let (name, began) = (&plan.name, SystemTime::now());
        app.terminal.phase("create", &format!("creating {name}"), || {
            make_vm(engine, name, &plan.options, &plan.known, &plan.reach, Some(self.snapshot), warnings)
        })?;
        self.made.get_or_init(|| (clock::seconds(began), clock::seconds(SystemTime::now())));
        self.finish()
    }

    /// Whether the new VM stays after this failure. After a signal there is time to remove it only if it is one of several.
    fn leaves(&self, failure: &Failure) -> bool {
        self.several.is_none() && (self.request.keep || failure.is_interrupted())
    }

    /// Removes the VM that was just made, and adds to `failure` how things stand then.
    fn removed(&self, failure: Failure) -> Failure {
        if let Err(left) = self.remove() {
            return Failure { state: left.state, hint: left.hint, ..failure };
        }
        let failure = self.without_vm(failure).state(format!("'{}' was removed again", self.plan.name));
        failure.or_hint("--keep leaves the VM there, and --timeout gives it more time")
    }

    /// The failure without what it says about the VM, which is removed.
    fn without_vm(&self, failure: Failure) -> Failure {
        let hint = failure.hint.clone().filter(|hint| !hint.contains(self.plan.name.as_str()));
        Failure { state: None, hint, ..failure }
    }

    /// Removes the VM, if one was made and it is still that one.
    ///
    /// # Errors
    /// It is still there, and the failure says so.
    fn remove(&self) -> Result<()> {
        let (engine, name) = (&self.engine, &self.plan.name);
        let Some((first, last)) = self.made.get() else { return Ok(()) };
        let _cleanup = engine.signals().recovering();
        let removed = || {
            match engine.machine_listed(name) {
                Ok(vm) if vm.created_at.is_some_and(|at| at < *first || at > *last) => return Ok(()),
                Ok(vm) => disks::free(engine, name, &vm.state)?,
                Err(EngineError::NoSuchVm(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            engine.machine_delete(name)?;
            Creation::forget(name.as_str());
            library::remove_artifact(name.as_str());
            Ok::<_, Failure>(())
        };
        removed().map_err(|failure| {
            let state = format!("'{name}' could not be removed: {failure}");
            failure.state(state).hint(format!("remove it with `bottle-freeze rm {name}`"))
        })
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
        if self.several.is_some_and(|several| !several.same_identity) {
            identity::renew(app, engine, name, warnings)?;
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
        let (name, limit, began) = (&self.plan.name, self.request.timeout, Instant::now());
        let start = || start(&self.engine, name, limit, true, self.warnings);
        self.app.terminal.phase("start", &format!("starting {name}"), start).map_err(|failure| {
            if !self.leaves(&failure) {
                // The wait for the guest ends before a pause that would exceed the limit.
                let is_late = self.several.is_some() && began.elapsed() > limit / 2;
                return if is_late { failure.hint("--timeout gives each more time") } else { failure };
            }
            let again = format!("bottle-freeze start {name}");
            if failure.state.is_some() {
                return failure.or_hint(&again);
            }
            let created = || format!("'{name}' is created");
            failure.state(state_now(&self.engine, name).unwrap_or_else(created)).hint(again)
        })
    }
}
