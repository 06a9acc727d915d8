//! The line about VMs that are down while a process writes to their disks.

use super::check::Check;
use crate::report::{Details, UsedVm};
use crate::smolvm::{CAN_SEE, Machine, process_with_open_disk};
use std::path::PathBuf;

/// Looks for processes that have the disks of VMs open, which are in that folder. `None`: no engine lists the VMs.
pub fn check(disks: Option<&[(&Machine, PathBuf)]>) -> Check {
    let Some(disks) = disks else {
        return Check::warning("vms", "unknown, because no engine lists them", "bottle-freeze ls");
    };
    let in_use = |(vm, folder): &(&Machine, PathBuf)| {
        let pid = if vm.state.is_up() { None } else { process_with_open_disk(folder) };
        pid.map(|pid| UsedVm { vm: vm.name.clone(), state: vm.state.to_string(), pid })
    };
    let used: Vec<UsedVm> = disks.iter().filter_map(in_use).collect();
    let check = if used.is_empty() {
        let what =
            if CAN_SEE { "no process uses a VM that is down" } else { "only Linux shows which processes use a VM" };
        Check::ok("vms", what)
    } else {
        let list = used
            .iter()
            .map(|UsedVm { vm, state, pid }| format!("process {pid} has the disks of '{vm}' open ({state})"));
        let names: Vec<&str> = used.iter().map(|used| used.vm.as_str()).collect();
        let hint = format!("bottle-freeze stop {}", names.join(" "));
        Check::warning("vms", list.collect::<Vec<_>>().join(", "), hint)
    };
    check.details(Details::Vms { used })
}
