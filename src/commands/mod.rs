//! One file per subcommand: reads its arguments, calls the rooms below, reports.

mod complete;
mod completed;
mod completions;
mod configuration;
mod consent;
mod cp;
mod create;
mod doctor;
mod each;
mod engine;
mod env;
mod exec;
mod failure;
mod fidelity;
mod found;
mod freeze;
mod lock;
mod ls;
mod make;
mod output;
mod pack;
mod pause;
mod prune;
mod registry;
mod rm;
mod shells;
mod snapshot;
mod start;
mod stop;
mod thaw;
mod transport;
mod verify;
mod workspace;

pub use complete::complete;
pub use failure::{Failure, Status, misused};

use crate::cli::{Cli, Command, Deferred};
use crate::home::Home;
use crate::smolvm::Smolvm;
use crate::ui::{self, Ui, Unconfirmed};
use std::path::PathBuf;
use std::process::ExitCode;

type Result<T, E = Failure> = std::result::Result<T, E>;

/// What every subcommand is given: the terminal, and how to get at the engine.
struct App {
    ui: Ui,
    smolvm: Option<PathBuf>,
    no_input: bool,
}

impl App {
    /// The engine, found and recognised.
    fn engine(&self) -> Result<Smolvm> {
        let ui = self.ui;
        let tell = move |call: &crate::smolvm::Call| ui.command(&call.shell_line());
        Ok(Smolvm::is_available(self.smolvm.as_deref(), Box::new(tell))?)
    }

    /// Asks `question`, unless `yes` has answered it; `now` is how things stand if the answer is no.
    fn confirm(&self, question: &str, yes: bool, now: &str) -> Result<()> {
        if yes { Ok(()) } else { self.ask(question, "--yes answers this question", now) }
    }

    /// Asks `question`, which `hint` names an option for.
    fn ask(&self, question: &str, hint: &str, now: &str) -> Result<()> {
        let refused = |why: &str| Failure::new(Status::NotConfirmed, why).now(now);
        let unasked = |why: &str| refused(&format!("{why}: {question}")).mend(hint);
        if self.no_input {
            return Err(unasked("not asked, because of --no-input"));
        }
        ui::confirm(question).map_err(|why| match why {
            Unconfirmed::Declined => refused("not confirmed"),
            Unconfirmed::Interrupted(signal) => {
                Failure { status: Status::Interrupted(signal), ..refused("interrupted") }
            }
            Unconfirmed::NobodyThere => unasked("there is no terminal to ask on"),
        })
    }
}

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
    let app = App { ui: Ui::new(cli.quiet, cli.json, cli.verbose), smolvm: cli.smolvm, no_input: cli.no_input };
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
