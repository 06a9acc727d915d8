//! `rm`: VMs and their disks, gone after a question.

use super::{App, Result, each, lock};
use crate::cli;
use crate::smolvm::{EngineError, Machine, Name};
use crate::snapshot::Record;

pub fn run(app: &App, args: &cli::Rm) -> Result<()> {
    let engine = app.engine()?;
    let machines = engine.machine_ls()?;
    let vms = &args.vms;
    let names = each::select(app, &vms.names, vms.all, &vms.label, || Ok(machines.clone()))?;
    let find = |name: &Name| machines.iter().find(|machine| machine.name == name.as_str());
    let found: Vec<&Machine> = names.iter().filter_map(find).collect();
    if !found.is_empty() {
        let list: Vec<_> = found.iter().map(|machine| format!("{} ({})", machine.name, machine.state)).collect();
        let question = format!("Delete {}, disks and all?", list.join(", "));
        app.confirm(&question, args.yes, "nothing was deleted")?;
    }
    each::vm(app, vms, &names, |name, _| {
        find(name).ok_or_else(|| EngineError::no_such_vm(name, &machines))?;
        let _lock = lock::vm_shared(app, name, args.wait.wait)?;
        app.ui.during("delete", &format!("deleting {name}"), || engine.machine_delete(name))?;
        Record::forget(name.as_str());
        app.ui.result(name.as_str(), &format!("deleted {name}"));
        Ok("deleted")
    })
}
