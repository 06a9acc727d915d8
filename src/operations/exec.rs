//! Runs a command in a guest, as if it ran here.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::operations::state::unreachable;
use crate::smolvm::{EnvVar, Exec, ExecEnd, Name, Smolvm, State};
use std::process::ExitCode;

/// Runs a command with these variables. Its exit status.
///
/// # Errors
/// [`Status::NoSuchCommand`]; a signal; [`Status::ExecFailed`] for everything else.
pub fn exec(app: &App, name: &Name, exec: &Exec, env: &[EnvVar]) -> Result<ExitCode> {
    let engine = app.engine().map_err(exec_failed)?;
    let failed = |what: &str| Err(Failure::new(Status::ExecFailed, what));
    match engine.machine_exec_streamed(name, exec, env).map_err(|error| exec_failed(error.into()))? {
        ExecEnd::Guest(status) => Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))),
        ExecEnd::NoSuchCommand => {
            Err(Failure::new(Status::NoSuchCommand, "the guest has no such command (or no such --workdir)"))
        }
        ExecEnd::Misunderstood => failed("the engine did not understand the request"),
        ExecEnd::Crashed => failed("the engine crashed"),
        ExecEnd::NotRun(said) => Err(why_not(&engine, name, &said)),
        ExecEnd::Killed(signal) => {
            // A signal for this program ends the engine too: it is passed on, or the terminal sends it to both.
            let is_ours = app.signals.was_passed_on(signal);
            let status = if is_ours { Status::Interrupted(signal) } else { Status::ExecFailed };
            Err(Failure::new(status, "a signal ended the engine"))
        }
    }
}

/// Why the engine, which `said` this, ran nothing.
fn why_not(engine: &Smolvm, name: &Name, said: &str) -> Failure {
    match engine.machine_listed(name) {
        Ok(machine) if machine.state == State::Unreachable => exec_failed(unreachable(name)),
        Ok(machine) if machine.state == State::Running => {
            Failure::new(Status::ExecFailed, format!("the engine failed to run the command: {said}"))
                .state(format!("'{name}' is {}", machine.state))
        }
        Ok(machine) => Failure::new(Status::ExecFailed, format!("'{name}' is not running: it is {}", machine.state))
            .hint(format!("start it with `bottle-freeze start {name}`")),
        Err(error) => exec_failed(error.into()),
    }
}

/// The failure with the status that no command of a guest has, unless a signal caused it.
pub fn exec_failed(failure: Failure) -> Failure {
    if failure.is_interrupted() {
        return failure;
    }
    Failure { status: Status::ExecFailed, ..failure }
}

/// The same for a failure of what a command line names; a wrong command line has the same status as for every command.
pub fn not_begun(failure: Failure) -> Failure {
    if failure.status == Status::Usage { failure } else { exec_failed(failure) }
}
