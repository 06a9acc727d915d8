//! Questions, asked only where a user can answer.

use super::handle::Terminal;
use super::text::one_line;
use crate::signals::{Interrupted, Signals};
use dialoguer::console::{Key, Term};
use dialoguer::theme::{SimpleTheme, Theme};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::SIGINT;
use std::io::{self, IsTerminal, Write};

impl Terminal {
    /// Asks a yes-or-no question whose default is No.
    ///
    /// # Errors
    /// Why the answer is not yes.
    pub fn confirm(&self, question: &str, signals: &Signals) -> Result<(), Unconfirmed> {
        if self.has_events() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Unconfirmed::NotAsked);
        }
        let answer = KeyByKey::begin().and_then(|keys| {
            let before = keys.0.clone();
            let _question = signals.question(move || leave(&before));
            ask(&one_line(question))
        });
        match answer {
            Ok(true) => Ok(()),
            // A ^C is a key here; a signal from elsewhere interrupts the reading.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                Err(Unconfirmed::Interrupted(signals.arrived().unwrap_or(Interrupted(SIGINT))))
            }
            // A terminal that is closed ends the input too, and says so by SIGHUP just before.
            Ok(false) | Err(_) => Err(signals.arrived().map_or(Unconfirmed::Declined, Unconfirmed::Interrupted)),
        }
    }
}

/// Why a question was not answered with yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfirmed {
    /// No, or the end of the input.
    Declined,
    /// ^C, or this signal.
    Interrupted(Interrupted),
    /// Stdin or stderr is no terminal, or stderr is for a program.
    NotAsked,
}

/// The terminal gives each key as it is pressed, until this is dropped. It begins before the question is seen: a ^D
/// that a terminal takes while it still reads lines is lost, and what was typed earlier answers no question.
struct KeyByKey(Termios);

impl KeyByKey {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut keys = before.clone();
        keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &keys)?;
        Ok(Self(before))
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Leaves the question of another thread.
fn leave(before: &Termios) {
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    // The terminal may be gone.
    let _ = io::stderr().write_all(b"\n");
}

/// dialoguer's look with keys of our own: its `Confirm` ignores ^D, and hides the cursor when a signal ends it.
fn ask(question: &str) -> io::Result<bool> {
    let (term, theme, mut text) = (Term::stderr(), SimpleTheme, String::new());
    theme.format_confirm_prompt(&mut text, question, Some(false)).map_err(io::Error::other)?;
    term.write_str(&text)?;
    let answer = loop {
        match term.read_key_raw() {
            Ok(Key::Char('y' | 'Y')) => break Ok(true),
            Ok(Key::Char('n' | 'N' | 'q' | '\x04') | Key::Enter | Key::Escape) => break Ok(false),
            Ok(Key::CtrlC) => break Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    term.write_line(if matches!(answer, Ok(true)) { "yes" } else { "no" })?;
    answer
}
