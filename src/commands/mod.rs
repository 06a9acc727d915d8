//! One file per subcommand: reads its arguments, calls the rooms below, reports.

pub mod batch;
mod completions;
mod consent;
mod cp;
mod create;
mod doctor;
pub mod engine;
mod env;
mod exec;
mod freeze;
mod ls;
mod pack;
mod pause;
mod prune;
mod registry;
mod rm;
pub mod snapshot;
mod start;
mod stop;
mod thaw;
mod transport;
pub mod verify;

use crate::app::App;
use crate::cli::{Cli, Command, Deferred};
use crate::error::{Failure, Result, Status};
use crate::home::Home;
use crate::terminal::Terminal;
use std::process::ExitCode;

/// Whether a command is of no use without the library.
fn uses_library(command: &Command) -> bool {
    use Command::{Create, Engine, Freeze, Pack, Snapshot, Thaw};
    matches!(command, Create(_) | Engine(_) | Freeze(_) | Pack(_) | Snapshot(_) | Thaw(_))
}

/// Runs the subcommand that was asked for.
///
/// # Errors
/// A [`Failure`], with the exit status that belongs to it.
pub fn run(cli: Cli) -> Result<ExitCode> {
    let app = App::new(Terminal::new(cli.quiet, cli.json, cli.verbose), cli.smolvm, cli.no_input);
    if cli.json && matches!(cli.command, Command::Exec(_) | Command::Completions(_)) {
        return Err(Failure::new(Status::Usage, "this command prints no result that could be JSON"));
    }
    // Before anything is done, and before a VM is made that would not be recorded.
    if uses_library(&cli.command) {
        Home::open()?;
    }
    match cli.command {
        Command::Create(Deferred(args)) => create::run(&app, &args),
        Command::Start(Deferred(args)) => start::run(&app, &args),
        Command::Stop(Deferred(args)) => stop::run(&app, &args),
        Command::Exec(Deferred(args)) => return exec::run(&app, &args),
        Command::Cp(Deferred(args)) => cp::run(&app, &args),
        Command::Ls(Deferred(_)) => ls::run(&app),
        Command::Freeze(Deferred(args)) => freeze::run(&app, &args),
        Command::Thaw(Deferred(args)) => thaw::run(&app, &args),
        Command::Pause(Deferred(args)) => pause::pause(&app, &args),
        Command::Resume(Deferred(args)) => pause::resume(&app, &args),
        Command::Snapshot(Deferred(command)) => snapshot::run(&app, &command),
        Command::Rm(Deferred(args)) => rm::run(&app, &args),
        Command::Pack(Deferred(args)) => pack::run(&app, &args),
        Command::Verify(Deferred(args)) => verify::run(&app, &args),
        Command::Doctor(Deferred(args)) => return Ok(doctor::run(&app, &args)),
        Command::Engine(Deferred(command)) => engine::run(&app, &command),
        Command::Completions(Deferred(args)) => completions::run(&args),
    }?;
    Ok(ExitCode::SUCCESS)
}
