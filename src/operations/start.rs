//! Starts a VM, and waits until it runs commands.

use crate::error::{Failure, Result, Status};
use crate::operations::disks::end_start;
use crate::operations::state::state_now;
use crate::smolvm::{EngineError, Name, Smolvm, State, has_libkrun, hypervisor, is_being_started};
use crate::terminal::Warnings;
use std::time::{Duration, Instant};

/// The time limit to start a VM again that was running before. The engine gives up a boot after 30 s.
pub const START_AGAIN: Duration = Duration::from_secs(120);

/// Checks that this host runs VMs, as `doctor` does: the engine would only wait, and say nothing for 30 s.
///
/// # Errors
/// No VM starts here.
pub fn check_host(engine: &Smolvm) -> Result<()> {
    if !has_libkrun(engine.path()) {
        return Ok(());
    }
    hypervisor::check(Some(engine.path()))
        .map(drop)
        .map_err(|none| Failure::new(Status::Failed, format!("no VM starts here: {}", none.what)).hint(none.hint))
}

/// Checks the same before an image is packed, or a VM made from one: the engine does that in a VM.
///
/// # Errors
/// No VM starts here.
pub fn check_packing(engine: &Smolvm) -> Result<()> {
    let explained =
        |failure: Failure| Failure { what: format!("smolvm packs an image in a VM, and {}", failure.what), ..failure };
    check_host(engine).map_err(explained)
}

/// Starts a VM and, if `ready`, waits until it runs commands; both within `limit`. A start that is ended early, by `limit`
/// or a signal, ends what it started.
///
/// # Errors
/// It does not start, or is not ready in time. If its start was ended early, the failure says how the VM is now.
pub fn start(engine: &Smolvm, name: &Name, limit: Duration, ready: bool, warnings: &Warnings) -> Result<()> {
    let began = Instant::now();
    check_host(engine)?;
    if boot(engine, name, limit)? {
        let lost = "what its guest had not written to disk is lost";
        warnings.warn(format!("'{name}' did not answer, so smolvm ended it and started it again: {lost}"));
    }
    if ready {
        engine.wait_exec_ready(name, limit.saturating_sub(began.elapsed()))?;
    }
    Ok(())
}

/// Returns whether the engine ended a VMM first.
fn boot(engine: &Smolvm, name: &Name, limit: Duration) -> Result<bool> {
    let _note = engine.signals().note(may_be_starting(name));
    engine.machine_start(name, limit).map_err(|error| match error {
        EngineError::TimedOut { limit, .. } => {
            let time = |limit| humantime::format_duration(limit).to_string().replace(' ', "");
            let what = format!("'{name}' did not start within {}", time(limit));
            let again =
                format!("give it more time: `bottle-freeze start {name} --timeout {}`", time(limit.saturating_mul(2)));
            end(engine, name, Failure::new(Status::Failed, what).hint(again))
        }
        // The engine was ended, and left the VMM that it had started.
        EngineError::Interrupted(_) | EngineError::Unreadable { .. } => end(engine, name, error.into()),
        _ => error.into(),
    })
}

/// Ends what a start left that was ended early, unless the VM runs by now or another command starts it. Adds to `failure` how
/// the VM is then.
fn end(engine: &Smolvm, name: &Name, failure: Failure) -> Failure {
    let _cleanup = engine.signals().recovering();
    if is_being_started(name.as_str()) {
        return failure.state(format!("another command is starting '{name}'"));
    }
    let ended = match engine.machine_listed(name) {
        Ok(vm) if vm.state == State::Running => Ok(()),
        Ok(vm) => end_start(engine, name, &vm.state),
        Err(EngineError::NoSuchVm(_)) => Ok(()),
        Err(error) => Err(error.into()),
    };
    match ended.map(|()| state_now(engine, name)) {
        Ok(Some(state)) => failure.state(state),
        ended => {
            let hint =
                ended.err().filter(|failure| failure.status == Status::BadState).and_then(|failure| failure.hint);
            let stop = || format!("end it with `bottle-freeze stop {name}`");
            failure.state(may_be_starting(name)).hint(hint.unwrap_or_else(stop))
        }
    }
}

fn may_be_starting(name: &Name) -> String {
    format!("'{name}' may still be starting")
}
