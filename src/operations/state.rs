//! The state of VMs before a decision and after a failure.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::operations::several::in_parallel;
use crate::smolvm::{EngineError, Machine, Name, Smolvm, State};

/// Asks selected VMs again, at the same time, if the engine lists them as unreachable. Returns all VMs.
///
/// # Errors
/// A signal arrived, or the VMs can no longer be listed.
pub fn asked_again(
    app: &App,
    engine: &Smolvm,
    machines: Vec<Machine>,
    is_selected: impl Fn(&Machine) -> bool,
) -> Result<Vec<Machine>> {
    let is_silent = |vm: &Machine| vm.state == State::Unreachable && is_selected(vm);
    let (silent, mut machines): (Vec<Machine>, Vec<Machine>) = machines.into_iter().partition(is_silent);
    if silent.is_empty() {
        return Ok(machines);
    }
    let names: Vec<&str> = silent.iter().map(|vm| vm.name.as_str()).collect();
    let text = format!("waiting for an answer of {}", names.join(", "));
    let asked = app.terminal.during("wait", &text, || {
        let ask = |vm: &Machine| match engine.ask_again(vm.clone()) {
            // It was deleted: the next step reports that.
            Err(EngineError::NoSuchVm(_)) => Ok(vm.clone()),
            asked => asked,
        };
        in_parallel(silent.len(), &silent, ask).into_iter().collect::<Result<Vec<Machine>, EngineError>>()
    })?;
    machines.extend(asked);
    Ok(machines)
}

/// The state of a VM after a failure or a signal, as a sentence; `None` if the engine does not report it.
pub fn state_now(engine: &Smolvm, name: &Name) -> Option<String> {
    let _cleanup = engine.signals().recovering();
    match engine.machine_listed(name) {
        Ok(vm) => Some(format!("'{name}' is {}", vm.state)),
        Err(EngineError::NoSuchVm(_)) => Some(format!("the VM '{name}' no longer exists")),
        Err(_) => None,
    }
}

/// The failure for a running VM whose guest does not answer. The engine suggests to start it, but that would end it.
pub fn unreachable(name: &Name) -> Failure {
    Failure::new(Status::BadState, format!("'{name}' is unreachable: its guest did not answer in time"))
        .hint("it may be busy: try again in a moment")
}
