//! The global options, and one line for each subcommand.

mod groups;
mod usage;
mod words;

use groups::grouped;
pub use usage::misused;

use crate::app::App;
use crate::commands::{
    completions, cp, create, doctor, engine, exec, freeze, ls, pack, pause, resume, rm, rollback, schedule, snapshot,
    start, stop, thaw, verify,
};
use crate::deferred::{Deferred, described};
use crate::error::{Failure, Result, Status};
use crate::home::Home;
use crate::signals::Signals;
use crate::terminal::{Format, Phases, Terminal};
use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use std::process::ExitCode;

/// The heading of the options that every command has.
const GLOBAL: &str = "Global options";

/// Freeze smolvm microVMs into snapshots, and thaw them again
///
/// A snapshot is one frozen state of one VM. It never changes after it is written, and an old snapshot stays until the new
/// one is whole and verified.
#[derive(Debug, Parser)]
#[allow(clippy::struct_excessive_bools)]
#[command(name = "bottle-freeze", version, propagate_version = true, max_term_width = 100)]
#[command(disable_help_flag = true)]
#[command(after_long_help = "Examples:\n  bottle-freeze create dev\n  bottle-freeze start dev\n  \
    bottle-freeze exec -it dev -- sh\n  bottle-freeze freeze dev -t ready\n  bottle-freeze thaw dev@ready tuesday")]
pub struct Cli {
    /// The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]
    #[arg(long, global = true, help_heading = GLOBAL, hide_short_help = true, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub smolvm: Option<PathBuf>,
    /// The folder of the library [default: `$BOTTLE_FREEZE_HOME`, then `bottle-freeze` in the platform's data folder]
    #[arg(long, global = true, help_heading = GLOBAL, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub home: Option<PathBuf>,
    /// Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line
    #[arg(short, long, global = true, help_heading = GLOBAL, hide_short_help = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print each engine command before it runs, with environment values masked
    #[arg(short, long, global = true, help_heading = GLOBAL, hide_short_help = true)]
    pub verbose: bool,
    /// Print the result as a single JSON value (see bottle-freeze-json(7))
    #[arg(long, global = true, help_heading = GLOBAL, hide_short_help = true)]
    pub json: bool,
    /// Print errors as text, or as JSON, one object per line
    #[arg(long, global = true, help_heading = GLOBAL, hide_short_help = true, value_enum, value_name = "text|json", default_value_t = ErrorFormat::Text)]
    #[arg(env = "BOTTLE_FREEZE_ERROR_FORMAT")]
    #[arg(hide_possible_values = true)]
    pub error_format: ErrorFormat,
    /// Draw progress on a terminal and print none elsewhere (auto), print a line for each phase (plain), or print progress
    /// and warnings as JSON, one object per line (json)
    #[arg(long, global = true, help_heading = GLOBAL, hide_short_help = true, value_enum, value_name = "auto|plain|json", default_value_t = ProgressFormat::Auto)]
    #[arg(hide_possible_values = true, conflicts_with = "quiet")]
    pub progress: ProgressFormat,
    /// Never prompt; behave as if there were no terminal
    #[arg(long, global = true, help_heading = GLOBAL, hide_short_help = true, env = "BOTTLE_FREEZE_NO_INPUT", value_parser = FalseyValueParser::new())]
    pub no_input: bool,
    /// Print help; with --help all commands and options, and examples
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Help)]
    pub help: Option<bool>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ErrorFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressFormat {
    /// Drawn on a terminal.
    Auto,
    /// In lines.
    Plain,
    /// For programs.
    Json,
}

/// One subcommand each. Their arguments and help texts are in `commands`.
#[derive(Debug, Subcommand)]
pub enum Command {
    Create(Deferred<create::Args>),
    Start(Deferred<start::Args>),
    Stop(Deferred<stop::Args>),
    Exec(Deferred<exec::Args>),
    Cp(Deferred<cp::Args>),
    #[command(visible_alias = "list")]
    Ls(Deferred<ls::Args>),
    Freeze(Deferred<freeze::Args>),
    Thaw(Deferred<thaw::Args>),
    Rollback(Deferred<rollback::Args>),
    Pause(Deferred<pause::Args>),
    Resume(Deferred<resume::Args>),
    #[command(subcommand)]
    Snapshot(Deferred<snapshot::Command>),
    Schedule(Deferred<schedule::Args>),
    Rm(Deferred<rm::Args>),
    Pack(Deferred<pack::Args>),
    Verify(Deferred<verify::Args>),
    Doctor(Deferred<doctor::Args>),
    #[command(subcommand)]
    Engine(Deferred<engine::Command>),
    Completions(Deferred<completions::Args>),
}

impl Cli {
    /// Reads the command line of this process. Only the subcommand that is called has a description then, so a line that
    /// asks for help is read again with all of them.
    ///
    /// # Errors
    /// It asks for help or for the version, or is wrong.
    pub fn read() -> Result<Self, clap::Error> {
        use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
        Self::try_parse().or_else(|error| match error.kind() {
            DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand => {
                let is_short = !std::env::args_os().any(|word| word == "--help" || word == "help");
                Self::from_arg_matches(&grouped(described(Self::command()), GLOBAL, is_short).try_get_matches()?)
            }
            _ => Err(error),
        })
    }

    /// The terminal, as these options say.
    pub fn terminal(&self) -> Terminal {
        let errors = match self.error_format {
            ErrorFormat::Text => Format::Text,
            ErrorFormat::Json => Format::Json,
        };
        let phases = match self.progress {
            ProgressFormat::Auto => Phases::Auto,
            ProgressFormat::Plain => Phases::Plain,
            ProgressFormat::Json => Phases::Json,
        };
        Terminal::new(self.quiet, self.json, self.verbose, errors, phases)
    }

    /// Runs the subcommand.
    ///
    /// # Errors
    /// A [`Failure`], with the exit status that belongs to it.
    pub fn run(self, terminal: &Terminal, signals: Signals) -> Result<ExitCode> {
        let app = App::new(terminal.clone(), signals, self.smolvm, self.no_input);
        let is_content = matches!(self.command, Command::Snapshot(Deferred(snapshot::Command::Cat(_))));
        if self.json && (is_content || matches!(self.command, Command::Exec(_) | Command::Completions(_))) {
            return Err(Failure::new(Status::Usage, "this command prints no result that could be JSON"));
        }
        if let Some(folder) = self.home {
            Home::choose(folder);
        }
        // Before anything is done, and before a VM is made that would not be recorded.
        if self.command.uses_library() {
            Home::open()?;
        }
        match self.command {
            Command::Create(Deferred(args)) => create::run(&app, &args),
            Command::Start(Deferred(args)) => start::run(&app, &args),
            Command::Stop(Deferred(args)) => stop::run(&app, &args),
            Command::Exec(Deferred(args)) => return exec::run(&app, &args),
            Command::Cp(Deferred(args)) => cp::run(&app, &args),
            Command::Ls(Deferred(_)) => ls::run(&app),
            Command::Freeze(Deferred(args)) => freeze::run(&app, args),
            Command::Thaw(Deferred(args)) => return thaw::run(&app, args),
            Command::Rollback(Deferred(args)) => rollback::run(&app, args),
            Command::Pause(Deferred(args)) => pause::run(&app, &args),
            Command::Resume(Deferred(args)) => resume::run(&app, &args),
            Command::Snapshot(Deferred(command)) => snapshot::run(&app, &command),
            Command::Schedule(Deferred(args)) => schedule::run(&app, &args),
            Command::Rm(Deferred(args)) => rm::run(&app, &args),
            Command::Pack(Deferred(args)) => pack::run(&app, &args),
            Command::Verify(Deferred(args)) => verify::run(&app, &args),
            Command::Doctor(Deferred(args)) => return Ok(doctor::run(&app, &args)),
            Command::Engine(Deferred(command)) => engine::run(&app, &command),
            Command::Completions(Deferred(args)) => completions::run(&app, &args),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Command {
    /// Whether it is of no use without the library.
    fn uses_library(&self) -> bool {
        use Command::{Create, Engine, Freeze, Pack, Rollback, Snapshot, Thaw};
        matches!(self, Create(_) | Engine(_) | Freeze(_) | Pack(_) | Rollback(_) | Snapshot(_) | Thaw(_))
    }
}
