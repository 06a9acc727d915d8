//! `rm`: delete VMs and their disks, after confirmation.

use crate::app::App;
use crate::clock;
use crate::commands::args::Wait;
use crate::commands::batch;
use crate::commands::snapshot;
use crate::commands::vms::{Vms, select};
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{self, Creation, Stored, catalog};
use crate::operations::state::asked_again;
use crate::operations::{disks, lock};
use crate::report::Change;
use crate::smolvm::{EngineError, Machine, Name};
use std::time::{Duration, SystemTime};

/// Delete VMs and their disks
///
/// Snapshots stay.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze rm dev\n  bottle-freeze rm --label scratch=yes")]
#[command(mut_arg("names", |names| names.add(Offer::Vms(|_| true))))]
pub struct Args {
    #[command(flatten)]
    pub vms: Vms,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub wait: Wait,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let engine = app.engine()?;
    let machines = engine.machine_ls()?;
    let vms = &args.vms;
    let names = select(app, &vms.names, vms.all, &vms.label, || Ok(machines.clone()), |_| None)?;
    let is_meant = |vm: &Machine| !args.yes && names.iter().any(|name| name.as_str() == vm.name);
    let machines = asked_again(app, &engine, machines, is_meant)?;
    let find = |name: &Name| machines.iter().find(|machine| machine.name == name.as_str());
    let listed = |name: &Name| find(name).ok_or_else(|| EngineError::no_such_vm(name, &machines).into());
    let found = batch::all_or_none(app, names.iter().map(listed), "nothing was deleted")?;
    // A library that cannot be read does not keep a VM from being deleted.
    let snapshots = catalog::list(None).map(|(all, _)| all).unwrap_or_default();
    if !found.is_empty() {
        let list: Vec<_> = found.iter().map(|machine| described(machine)).collect();
        let question = format!("Delete {}, disks and all? {}", list.join(", "), what_stays(&snapshots, &found));
        app.confirm(&question, args.yes, "nothing was deleted")?;
    }
    vms.change_each(app, &engine, &names, |app, engine, name, _| {
        let shown = find(name).ok_or_else(|| EngineError::no_such_vm(name, &machines))?;
        let _lock = lock::vm_shared(app, engine, name, args.wait.wait)?;
        let now = engine.machine_listed(name)?;
        still_as_shown(shown, &now)?;
        app.terminal.during("delete", &format!("deleting {name}"), || {
            disks::free(engine, name, &now.state).map_err(|failure| failure.and_state(not_deleted(&now)))?;
            Ok::<_, Failure>(engine.machine_delete(name)?)
        })?;
        Creation::forget(name.as_str());
        library::remove_artifact(name.as_str());
        app.terminal.result(
            name.as_str(),
            &format!("deleted {name}; {}", stays_of(&snapshots, name.as_str(), Stored::reference)),
        );
        Ok(Change::Deleted)
    })
}

/// A VM in the question: with its state and its age.
fn described(vm: &Machine) -> String {
    let made = vm.created_at.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let age = made.and_then(clock::age).map(|age| format!(", {age} old")).unwrap_or_default();
    format!("{} ({}{age})", vm.name, vm.state)
}

/// The user confirmed the VM that was shown: not a newer one of that name, nor one that runs now.
fn still_as_shown(shown: &Machine, now: &Machine) -> Result<()> {
    let how = if shown.created_at != now.created_at {
        "replaced"
    } else if now.state.is_up() && !shown.state.is_up() {
        "started"
    } else {
        return Ok(());
    };
    let what = format!("'{}' was {how} in the meantime", now.name);
    let failure = Failure::new(Status::BadState, what).state(not_deleted(now));
    Err(failure.hint(format!("bottle-freeze rm {}", now.name)))
}

/// Which snapshots stay, of each VM.
fn what_stays(all: &[Stored], vms: &[&Machine]) -> String {
    let each = vms.iter().map(|vm| match vms {
        [_] => stays_of(all, &vm.name, snapshot::described),
        _ => format!("{}: {}", vm.name, stays_of(all, &vm.name, snapshot::described)),
    });
    let text = each.collect::<Vec<_>>().join("; ");
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}.", if vms.len() == 1 { first.to_uppercase() } else { first.to_owned() })
}

/// Which snapshots of a VM stay; `named` is how one is named.
fn stays_of(all: &[Stored], vm: &str, named: fn(&Stored) -> String) -> String {
    let mut snapshots = all.iter().filter(|one| one.metadata.vm == vm);
    match (snapshots.clone().count(), snapshots.next_back()) {
        (1, Some(only)) => format!("its snapshot {} stays", named(only)),
        (count, Some(newest)) => format!("its {count} snapshots stay, the newest is {}", named(newest)),
        (_, None) => "it has no snapshot".to_owned(),
    }
}

fn not_deleted(vm: &Machine) -> String {
    format!("it is {}, and was not deleted", vm.state)
}
