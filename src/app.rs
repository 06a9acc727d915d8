//! What every subcommand and operation is given: the terminal, and how to get at the engine.

use crate::error::{Failure, Result, Status};
use crate::smolvm::Smolvm;
use crate::terminal::{self, Terminal, Unconfirmed};
use std::path::PathBuf;

/// What every subcommand is given: the terminal, and how to get at the engine.
pub struct App {
    /// Where it prints and asks.
    pub terminal: Terminal,
    smolvm: Option<PathBuf>,
    no_input: bool,
}

impl App {
    /// For a run with these global options.
    pub fn new(terminal: Terminal, smolvm: Option<PathBuf>, no_input: bool) -> Self {
        Self { terminal, smolvm, no_input }
    }

    /// The engine, found and recognised.
    pub fn engine(&self) -> Result<Smolvm> {
        let terminal = self.terminal;
        let tell = move |call: &crate::smolvm::Call| terminal.command(&call.shell_line());
        Ok(Smolvm::find(self.smolvm.as_deref(), Box::new(tell))?)
    }

    /// Asks `question`, unless `yes` has answered it; `now` is how things stand if the answer is no.
    pub fn confirm(&self, question: &str, yes: bool, now: &str) -> Result<()> {
        if yes { Ok(()) } else { self.ask(question, "--yes answers this question", now) }
    }

    /// Asks `question`, which `hint` names an option for.
    pub fn ask(&self, question: &str, hint: &str, now: &str) -> Result<()> {
        let refused = |why: &str| Failure::new(Status::NotConfirmed, why).state(now);
        let unasked = |why: &str| refused(&format!("{why}: {question}")).hint(hint);
        if self.no_input {
            return Err(unasked("not asked, because of --no-input"));
        }
        terminal::confirm(question).map_err(|why| match why {
            Unconfirmed::Declined => refused("not confirmed"),
            Unconfirmed::Interrupted(signal) => {
                Failure { status: Status::Interrupted(signal), ..refused("interrupted") }
            }
            Unconfirmed::NobodyThere => unasked("there is no terminal to ask on"),
        })
    }
}
