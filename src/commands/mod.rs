//! One file per subcommand: reads its arguments, calls the rooms below, reports.

mod completed;
mod completions;
mod configuration;
mod cp;
mod create;
mod doctor;
mod engine;
mod env;
mod exec;
mod failure;
mod found;
mod freeze;
mod lock;
mod ls;
mod output;
mod pack;
mod prune;
mod rm;
mod snapshot;
mod start;
mod stop;
mod thaw;
mod transport;
mod verify;
mod workspace;

pub use failure::{Failure, Status};

use crate::cli::{Cli, Command};
use crate::smolvm::{Name, Smolvm};
use crate::ui::{self, Ui, Unconfirmed};
use std::path::PathBuf;
use std::process::ExitCode;

type Result<T, E = Failure> = std::result::Result<T, E>;

/// What every subcommand is given: the terminal, and how to get at the engine.
struct App {
    ui: Ui,
    smolvm: Option<PathBuf>,
}

impl App {
    /// The engine, found and recognised.
    fn engine(&self) -> Result<Smolvm> {
        let ui = self.ui;
        let tell = move |call: &crate::smolvm::Call| ui.command(&call.shell_line());
        Ok(Smolvm::is_available(self.smolvm.as_deref(), Box::new(tell))?)
    }
}

/// Asks `question`, unless `yes` has answered it; `now` is how things stand if the answer is no.
fn confirm(question: &str, yes: bool, now: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    let refused = |why: &str| Failure::new(Status::NotConfirmed, why).now(now);
    ui::confirm(question).map_err(|why| match why {
        Unconfirmed::Declined => refused("not confirmed"),
        Unconfirmed::Interrupted(signal) => Failure { status: Status::Interrupted(signal), ..refused("interrupted") },
        Unconfirmed::NobodyThere => {
            refused(&format!("there is no terminal to ask on: {question}")).mend("--yes answers this question")
        }
    })
}

/// Runs the subcommand that was asked for.
///
/// # Errors
/// A [`Failure`], with the exit status that belongs to it.
pub fn run(cli: Cli) -> Result<ExitCode> {
    let app = App { ui: Ui::new(cli.quiet, cli.verbose), smolvm: cli.smolvm };
    match cli.command {
        Command::Create(args) => create::run(&app, &args),
        Command::Start(args) => start::run(&app, &args),
        Command::Stop(args) => stop::run(&app, &args),
        Command::Exec(args) => return exec::run(&app, &args),
        Command::Cp(args) => cp::run(&app, &args),
        Command::Ls(args) => ls::run(&app, &args),
        Command::Freeze(args) => freeze::run(&app, &args),
        Command::Thaw(args) => thaw::run(&app, &args),
        Command::Snapshot(command) => snapshot::run(&app, &command),
        Command::Rm(args) => rm::run(&app, &args),
        Command::Pack(args) => pack::run(&app, &args),
        Command::Verify(args) => verify::run(&app, &args),
        Command::Doctor(args) => return doctor::run(&app, &args),
        Command::Engine(command) => engine::run(&app, &command),
        Command::Completions(args) => completions::run(&args),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Does `each` for every VM, reports every failure, and fails with the only one, or with the number of them.
fn for_each(names: &[Name], each: impl Fn(&Name) -> Result<()>) -> Result<()> {
    for_each_of("VMs", names, each)
}

/// The same for other things, of which `kind` is the plural.
fn for_each_of<T: ToString>(kind: &str, names: &[T], each: impl Fn(&T) -> Result<()>) -> Result<()> {
    if let [name] = names {
        return each(name);
    }
    let mut failed = Vec::new();
    for name in names {
        match each(name) {
            Ok(()) => {}
            Err(failure) if matches!(failure.status, Status::Interrupted(_)) => return Err(failure),
            Err(failure) => {
                ui::error(&failure.what, failure.now.as_deref(), failure.mend.as_deref());
                failed.push(name.to_string());
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let what = format!("{} of {} {kind} failed: {}", failed.len(), names.len(), failed.join(", "));
    Err(Failure::new(Status::SomeFailed, what))
}
