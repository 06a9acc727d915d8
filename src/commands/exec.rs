//! `exec`: a command in a guest, as if it ran here.

use crate::app::App;
use crate::commands::args::duration;
use crate::commands::env;
use crate::commands::env::Env;
use crate::error::{Failure, Result, Status};
use crate::smolvm::{Exec, Name, Outcome, Smolvm, State, says_engine_failed, says_no_such_command};
use crate::{signals, terminal};
use clap::ValueHint;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;
use std::time::Duration;

/// Run a command in a VM
///
/// Exits with the command's own status: 128 + N if signal N killed it, 124 if --timeout passed, 127 if the guest has no
/// such command, 125 if bottle-freeze or the engine failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze exec dev -- uname -a\n  bottle-freeze exec -it dev -- sh\n  \
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
    pub name: Name,
    /// Command and arguments
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// An engine that does not know an option, or takes no such value for it.
const USAGE: i32 = 2;
/// A Rust program that panicked.
const PANIC: i32 = 101;

pub fn run(app: &App, args: &Args) -> Result<ExitCode> {
    terminal::about("vm", &args.name);
    let exec = Exec {
        command: args.command.clone(),
        stdin: args.interactive,
        tty: args.tty,
        workdir: args.workdir.clone(),
        timeout: args.timeout,
    };
    let env = env::read(&args.env)?;
    let engine = app.engine().map_err(exec_failed)?;
    let outcome = engine.machine_exec_streamed(&args.name, &exec, &env).map_err(|error| exec_failed(error.into()))?;
    match (outcome.status.code(), outcome.status.signal()) {
        (Some(0), _) => Ok(ExitCode::SUCCESS),
        (Some(code), _) => guest_status(&engine, &args.name, &outcome, code),
        (None, signal) => Err(Failure::new(ended_by(signal.unwrap_or(0)), "the engine was ended by a signal")),
    }
}

/// A signal that was meant for us ends the engine too: passed on, or sent by the terminal to both.
fn ended_by(signal: i32) -> Status {
    if signals::was_passed_on(signal) { Status::Interrupted(signal) } else { Status::ExecFailed }
}

/// The guest command's own status, or what failed instead: the engine says 1 and 255 for its own failures too.
fn guest_status(engine: &Smolvm, name: &Name, outcome: &Outcome, code: i32) -> Result<ExitCode> {
    if says_no_such_command(&outcome.stderr) {
        return Err(Failure::new(Status::NoSuchCommand, "the guest has no such command (or no such --workdir)"));
    }
    if code == USAGE && outcome.stderr.ends_with("For more information, try '--help'.") {
        return Err(Failure::new(Status::ExecFailed, "the engine does not understand what it was asked"));
    }
    if code == PANIC && outcome.stderr.contains("panicked at") {
        return Err(Failure::new(Status::ExecFailed, "the engine crashed"));
    }
    if code == 1 && says_engine_failed(&outcome.stderr) {
        return Err(why_not(engine, name));
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Why the engine executed nothing. It has said so in its own words on stderr already.
fn why_not(engine: &Smolvm, name: &Name) -> Failure {
    match engine.machine_listed(name) {
        Ok(machine) if machine.state == State::Unreachable => exec_failed(unreachable(name)),
        Ok(machine) if machine.state == State::Running => {
            Failure::new(Status::ExecFailed, "the engine failed to run the command")
                .state(format!("'{name}' is {}", machine.state))
        }
        Ok(machine) => Failure::new(Status::ExecFailed, format!("'{name}' is not running, but {}", machine.state))
            .hint(format!("start it with `bottle-freeze start {name}`")),
        Err(error) => exec_failed(error.into()),
    }
}

/// The guest did not answer the engine, which said that the VM does not run, and that a start helps. That would end it.
pub fn unreachable(name: &Name) -> Failure {
    Failure::new(Status::BadState, format!("'{name}' is unreachable: its guest did not answer in time"))
        .hint("it may be busy: try again in a moment")
}

fn exec_failed(failure: Failure) -> Failure {
    if matches!(failure.status, Status::Interrupted(_)) {
        return failure;
    }
    Failure { status: Status::ExecFailed, ..failure }
}
