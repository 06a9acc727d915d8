//! The VMs that a command is for: those that are named, all, or those with a label.

use crate::app::App;
use crate::commands::args::{Wait, label};
use crate::commands::batch::{self, VMS};
use crate::error::{Failure, Result, Status};
use crate::operations::lock;
use crate::operations::several::jobs;
use crate::operations::state::{asked_again, state_now};
use crate::report::{Change, Changed};
use crate::smolvm::{Machine, Name, Smolvm, State};
use crate::terminal::Warnings;
use clap::Args;
use std::time::Instant;

/// What is printed if there is no VM.
pub const NO_VMS: &str = "no VMs; make one with: bottle-freeze create NAME";

/// One or several VMs.
#[derive(Debug, Args)]
pub struct Vms {
    /// Names of VMs
    #[arg(required_unless_present_any = ["all", "label"])]
    pub names: Vec<Name>,
    /// All VMs
    #[arg(long, conflicts_with_all = ["names", "label"])]
    pub all: bool,
    /// Select VMs with this label (repeatable; a VM must have all of them)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "names")]
    pub label: Vec<(String, String)>,
    /// Number of VMs to work on at the same time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    #[arg(env = "BOTTLE_FREEZE_JOBS")]
    pub jobs: Option<u16>,
}

impl Vms {
    /// Does `each`, which returns the state that it leaves the VM in, for every VM, while no freeze of that VM runs. Those in
    /// another state than it `fits` are skipped, unless they are named.
    ///
    /// # Errors
    /// The only failure, or a summary of them.
    pub fn change(
        &self,
        app: &App,
        wait: &Wait,
        fits: fn(&State) -> bool,
        each: impl Fn(&App, &Smolvm, &Name, &Warnings) -> Result<Change> + Sync,
    ) -> Result<()> {
        let engine = app.engine()?;
        let why_not = |vm: &Machine| (!fits(&vm.state)).then(|| format!("it is {}", vm.state));
        // A VM that is listed as unreachable may run: its guest is asked.
        let is_asked = |vm: &Machine| !fits(&State::Unreachable) && fits(&State::Running) && has_all(vm, &self.label);
        let list = || asked_again(app, &engine, engine.machine_ls()?, is_asked);
        let names = select(app, &self.names, self.all, &self.label, list, why_not)?;
        self.change_each(app, &engine, &names, |app, engine, name, warnings| {
            let _lock = lock::vm_shared(app, engine, name, wait.wait)?;
            each(app, engine, name, warnings)
        })
    }

    /// The same with the VMs of these names, which `each` locks.
    ///
    /// # Errors
    /// The only failure, or a summary of them.
    pub fn change_each(
        &self,
        app: &App,
        engine: &Smolvm,
        names: &[Name],
        each: impl Fn(&App, &Smolvm, &Name, &Warnings) -> Result<Change> + Sync,
    ) -> Result<()> {
        let results = batch::each(app, &VMS, jobs(self.jobs, names.len()), names, |app, name, warnings| {
            let (began, engine) = (Instant::now(), &app.share(engine));
            let state = each(app, engine, name, warnings).map_err(|failure| with_state(engine, name, failure))?;
            Ok(Changed { vm: name.to_string(), state, seconds: began.elapsed().as_secs_f64() })
        });
        batch::finish(app, &VMS, self.names.len() == 1, names, results)
    }
}

/// The names of the VMs to work on, each once: those in `names`, or all that the engine lists, or those with all these
/// labels, except for those that `why_not` has a reason to skip. `list` is called only if it is needed.
///
/// # Errors
/// None has the labels, or the list cannot be read.
pub fn select(
    app: &App,
    names: &[Name],
    all: bool,
    labels: &[(String, String)],
    list: impl FnOnce() -> Result<Vec<Machine>>,
    why_not: impl Fn(&Machine) -> Option<String>,
) -> Result<Vec<Name>> {
    let mut names = names.to_vec();
    if all || !labels.is_empty() {
        let machines: Vec<Machine> = list()?.into_iter().filter(|vm| has_all(vm, labels)).collect();
        if machines.is_empty() && !all {
            let failure = Failure::new(Status::NotFound, "no VM has that label");
            return Err(failure.hint("list them with `bottle-freeze ls --json`"));
        }
        if machines.is_empty() {
            app.terminal.note(NO_VMS);
        }
        for vm in machines {
            match why_not(&vm) {
                Some(why) => app.terminal.note(&format!("skipped {}: {why}", vm.name)),
                None => names.extend(vm.name.parse()),
            }
        }
    }
    // Always in the same order: two runs that wait for each other's VMs would wait forever.
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether a VM has all these labels.
fn has_all(vm: &Machine, labels: &[(String, String)]) -> bool {
    labels.iter().all(|(key, value)| vm.labels.get(key) == Some(value))
}

/// Adds the state of the VM to an interrupt: the signal may have ended the engine before or after it changed the VM.
fn with_state(engine: &Smolvm, name: &Name, failure: Failure) -> Failure {
    if failure.state.is_some() || !failure.is_interrupted() {
        return failure;
    }
    state_now(engine, name).into_iter().fold(failure, Failure::state)
}

/// What is printed about a VM that runs now.
pub fn running(name: &Name) -> String {
    format!("{name} is running; a shell in it: bottle-freeze exec -it {name} -- sh")
}
