//! `rm`: VMs and their disks, gone after a question.

use super::{App, Failure, Result, Status, each, lock};
use crate::cli;
use crate::smolvm::{EngineError, Machine, Name};
use crate::snapshot::Record;

pub fn run(app: &App, args: &cli::Rm) -> Result<()> {
    let engine = app.engine()?;
    let (machines, vms) = (engine.machine_ls()?, &args.vms);
    let names = each::select(app, &vms.names, vms.all, &vms.label, || Ok(machines.clone()))?;
    let is_meant = |vm: &Machine| !args.yes && names.iter().any(|name| name.as_str() == vm.name);
    let machines = each::asked_again(app, &engine, machines, is_meant)?;
    let find = |name: &Name| machines.iter().find(|machine| machine.name == name.as_str());
    let found: Vec<&Machine> = names.iter().filter_map(find).collect();
    if !found.is_empty() {
        let list: Vec<_> = found.iter().map(|machine| format!("{} ({})", machine.name, machine.state)).collect();
        let question = format!("Delete {}, disks and all?", list.join(", "));
        app.confirm(&question, args.yes, "nothing was deleted")?;
    }
    each::vm(app, &engine, vms, &names, |name, _| {
        let shown = find(name).ok_or_else(|| EngineError::no_such_vm(name, &machines))?;
        let _lock = lock::vm_shared(app, &engine, name, args.wait.wait)?;
        still_as_shown(shown, &engine.machine_listed(name)?)?;
        app.ui.during("delete", &format!("deleting {name}"), || engine.machine_delete(name))?;
        Record::forget(name.as_str());
        app.ui.result(name.as_str(), &format!("deleted {name}"));
        Ok("deleted")
    })
}

/// The answer was about the VM that was shown: not about a later one of its name, nor one that runs by now.
fn still_as_shown(shown: &Machine, now: &Machine) -> Result<()> {
    let how = if shown.created_at != now.created_at {
        "replaced"
    } else if now.state.is_up() && !shown.state.is_up() {
        "started"
    } else {
        return Ok(());
    };
    let what = format!("'{}' was {how} meanwhile", now.name);
    let failure = Failure::new(Status::BadState, what).now(format!("it is {}, and was not deleted", now.state));
    Err(failure.mend(format!("bottle-freeze rm {}", now.name)))
}
