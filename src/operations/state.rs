//! The state of VMs: before a decision, and after a failure.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::operations::several::in_parallel;
use crate::smolvm::{EngineError, Machine, Name, Smolvm, State};

/// The VMs, for a decision: those that `is_meant` and that the engine lists as unreachable are asked again, all at once.
///
/// # Errors
/// A signal came, or the list can no longer be read.
pub fn asked_again(
    app: &App,
    engine: &Smolvm,
    machines: Vec<Machine>,
    is_meant: impl Fn(&Machine) -> bool,
) -> Result<Vec<Machine>> {
    let is_silent = |vm: &Machine| vm.state == State::Unreachable && is_meant(vm);
    let (silent, mut machines): (Vec<Machine>, Vec<Machine>) = machines.into_iter().partition(is_silent);
    if silent.is_empty() {
        return Ok(machines);
    }
    let names: Vec<&str> = silent.iter().map(|vm| vm.name.as_str()).collect();
    let text = format!("waiting for an answer of {}", names.join(", "));
    let asked = app.terminal.during("wait", &text, || {
        let ask = |vm: &Machine| match engine.ask_again(vm.clone()) {
            // The step that looks for it fails by itself.
            Err(EngineError::NoSuchVm(_)) => Ok(vm.clone()),
            asked => asked,
        };
        in_parallel(silent.len(), &silent, ask).into_iter().collect::<Result<Vec<Machine>, EngineError>>()
    })?;
    machines.extend(asked);
    Ok(machines)
}

/// How a VM is after something failed or was interrupted; `None` if the engine does not say.
pub fn state_now(engine: &Smolvm, name: &Name) -> Option<String> {
    let _cleanup = engine.signals().recovering();
    match engine.machine_listed(name) {
        Ok(vm) => Some(format!("'{name}' is {}", vm.state)),
        Err(EngineError::NoSuchVm(_)) => Some(format!("there is no VM '{name}' now")),
        Err(_) => None,
    }
}

/// The guest of a running VM did not answer. The engine says that the VM does not run and must be started; but a start would
/// end it.
pub fn unreachable(name: &Name) -> Failure {
    Failure::new(Status::BadState, format!("'{name}' is unreachable: its guest did not answer in time"))
        .hint("it may be busy: try again in a moment")
}
