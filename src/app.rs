//! What every subcommand and operation gets: the terminal, the signals, and how to find the engine.

use crate::error::{Failure, Result, Status};
use crate::signals::{Interrupted, Signals};
use crate::smolvm::{Call, OnCall, Smolvm};
use crate::terminal::{About, Terminal, Unconfirmed, Warnings};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What every subcommand gets: the terminal, the signals, and how to find the engine. A copy is cheap.
#[derive(Clone)]
pub struct App {
    /// Where it prints and asks.
    pub terminal: Terminal,
    /// Whether a signal arrived.
    pub signals: Signals,
    smolvm: Option<PathBuf>,
    no_input: bool,
}

impl App {
    /// For a run with these global options.
    pub fn new(terminal: Terminal, signals: Signals, smolvm: Option<PathBuf>, no_input: bool) -> Self {
        Self { terminal, signals, smolvm, no_input }
    }

    /// Does `work` on one VM: programs read that what it prints, and its failure, is about that VM.
    pub fn on_vm<T>(&self, name: &impl Display, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.on(Some(About::Vm(name.to_string())), work)
    }

    /// The same with one snapshot: a reference or a file.
    pub fn on_snapshot<T>(&self, snapshot: &impl Display, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.on(Some(About::Snapshot(snapshot.to_string())), work)
    }

    /// The same with anything, or nothing in particular.
    pub fn on<T>(&self, about: Option<About>, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        work(&self.about(about.clone())).map_err(|failure| failure.about(about))
    }

    /// Does `work` with an empty list of warnings; its failure gets those that came before.
    pub fn with_warnings<T>(&self, work: impl FnOnce(&Warnings) -> Result<T>) -> Result<T> {
        let warnings = Warnings::new(&self.terminal);
        work(&warnings).map_err(|failure| failure.after(warnings.list()))
    }

    /// The same app; programs read that what it prints is about this.
    pub fn about(&self, about: Option<About>) -> Self {
        Self { terminal: self.terminal.about(about), ..self.clone() }
    }

    /// The engine that `--smolvm` names, if it does.
    pub fn chosen_engine(&self) -> Option<&Path> {
        self.smolvm.as_deref()
    }

    /// The engine, found and recognized.
    ///
    /// # Errors
    /// There is none, or it is no smolvm that can be used.
    pub fn engine(&self) -> Result<Smolvm> {
        Ok(Smolvm::find(self.smolvm.as_deref(), self.on_call(), self.signals.clone())?)
    }

    /// The same engine, whose commands are printed by this terminal.
    pub fn share(&self, engine: &Smolvm) -> Smolvm {
        engine.calling(self.on_call())
    }

    fn on_call(&self) -> OnCall {
        let terminal = self.terminal.clone();
        Arc::new(move |call: &Call| terminal.command(&call.shell_line()))
    }

    /// Asks `question`, unless `yes` has answered it, and fails if the answer is not yes; `state` is how things stand then.
    pub fn confirm(&self, question: &str, yes: bool, state: &str) -> Result<()> {
        if yes { Ok(()) } else { self.ask(question, "--yes answers this question", state) }
    }

    /// Asks which of `answers` the user chooses: its number, or nothing where no user can answer.
    ///
    /// # Errors
    /// The user chooses none of them; `state` is how things stand then.
    pub fn choose(&self, question: &str, answers: &[String], state: &str) -> Result<Option<usize>> {
        if self.no_input {
            return Ok(None);
        }
        match self.terminal.choose(question, answers, &self.signals) {
            Ok(answer) => Ok(Some(answer)),
            Err(Unconfirmed::NotAsked | Unconfirmed::Failed(_)) => Ok(None),
            Err(Unconfirmed::Declined) => Err(Failure::new(Status::NotConfirmed, "not confirmed").state(state)),
            Err(Unconfirmed::Interrupted(Interrupted(signal))) => {
                Err(Failure::new(Status::Interrupted(signal), "interrupted").state(state))
            }
        }
    }

    /// The same as [`Self::confirm`]; `hint` names the option that answers it.
    pub fn ask(&self, question: &str, hint: &str, state: &str) -> Result<()> {
        let refused = |why: &str| Failure::new(Status::NotConfirmed, why).state(state);
        let not_asked = |why: &str| refused(&format!("{why}: {question}")).hint(hint);
        if self.no_input {
            return Err(not_asked("not asked, because of --no-input"));
        }
        self.terminal.confirm(question, &self.signals).map_err(|why| match why {
            Unconfirmed::Declined => refused("not confirmed"),
            Unconfirmed::Interrupted(Interrupted(signal)) => {
                Failure { status: Status::Interrupted(signal), ..refused("interrupted") }
            }
            Unconfirmed::NotAsked => not_asked("there is no terminal to ask on"),
            Unconfirmed::Failed(why) => not_asked(&format!("the terminal could not be asked ({why})")),
        })
    }
}
