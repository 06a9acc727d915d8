//! `exec`: run a command in a guest, as if it ran here.

use crate::app::App;
use crate::commands::args::duration;
use crate::commands::env::{self, Env};
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::operations::state::unreachable;
use crate::smolvm::{Exec, ExecEnd, Name, Smolvm, State};
use clap::ValueHint;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// Run a command in a VM
///
/// Exits with the command's own status: 128 + N if signal N killed it, 124 if --timeout passed, 127 if the guest has no
/// such command, 125 if bottle-freeze or the engine failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze exec dev -- uname -a\n  bottle-freeze exec -it dev -- sh\n  \
    bottle-freeze exec -e TOKEN --timeout 5m dev -- ./deploy.sh\n  tar -c src | bottle-freeze exec -i dev -- tar -x -C /root")]
pub struct Args {
    /// Pass standard input to the command
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Folder in the guest in which to run the command
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    #[command(flatten)]
    pub env: Env,
    /// Kill the command after this time (2s, 5m …)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// VM in which to run the command
    #[arg(add = Offer::Vms(|state| *state == State::Running))]
    pub name: Name,
    /// Command and arguments; `--` before it is needed only if it begins with `-`
    #[arg(trailing_var_arg = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

pub fn run(app: &App, args: &Args) -> Result<ExitCode> {
    app.on_vm(&args.name, |app| exec(app, args))
}

fn exec(app: &App, args: &Args) -> Result<ExitCode> {
    let exec = Exec {
        command: args.command.clone(),
        stdin: args.interactive,
        tty: args.tty,
        workdir: args.workdir.clone(),
        timeout: args.timeout,
    };
    let env = env::read(&args.env)?;
    let engine = app.engine().map_err(exec_failed)?;
    let failed = |what: &str| Err(Failure::new(Status::ExecFailed, what));
    match engine.machine_exec_streamed(&args.name, &exec, &env).map_err(|error| exec_failed(error.into()))? {
        ExecEnd::Guest(status) => Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))),
        ExecEnd::NoSuchCommand => {
            Err(Failure::new(Status::NoSuchCommand, "the guest has no such command (or no such --workdir)"))
        }
        ExecEnd::Misunderstood => failed("the engine did not understand the request"),
        ExecEnd::Crashed => failed("the engine crashed"),
        ExecEnd::NotRun(said) => Err(why_not(&engine, &args.name, &said)),
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

fn exec_failed(failure: Failure) -> Failure {
    if failure.is_interrupted() {
        return failure;
    }
    Failure { status: Status::ExecFailed, ..failure }
}
