//! Questions, asked by dialoguer, and only where a user can answer.

use super::handle::Terminal;
use super::keyboard::Keyboard;
use super::text::one_line;
use crate::signals::{Interrupted, Signals};
use dialoguer::console::{Term, is_dumb, measure_text_width, strip_ansi_codes};
use dialoguer::theme::Theme;
use dialoguer::{Confirm, Select};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsRawFd, RawFd};

impl Terminal {
    /// Asks a yes-or-no question whose default is No.
    ///
    /// # Errors
    /// Why the answer is not yes.
    pub fn confirm(&self, question: &str, signals: &Signals) -> Result<(), Unconfirmed> {
        self.asked(b'n', signals, || Ok(ask(&one_line(question))?.filter(|yes| *yes))).map(drop)
    }

    /// Asks which of `answers` is right, the first unless the user moves on. Its number.
    ///
    /// # Errors
    /// Why none was chosen.
    pub fn choose(&self, question: &str, answers: &[String], signals: &Signals) -> Result<usize, Unconfirmed> {
        if is_dumb() {
            return Err(Unconfirmed::NotAsked);
        }
        let answers: Vec<String> = answers.iter().map(|answer| one_line(answer)).collect();
        let select = || Select::new().with_prompt(one_line(question)).items(&answers).default(0);
        self.asked(b'q', signals, || unless_closed(select().interact_on_opt(&screen())))
    }

    /// Runs `ask` where a user can answer; it returns nothing for No, and reads Ctrl-D as the key `ctrl_d`.
    fn asked<T: Send>(
        &self,
        ctrl_d: u8,
        signals: &Signals,
        ask: impl FnOnce() -> io::Result<Option<T>> + Send,
    ) -> Result<T, Unconfirmed> {
        if self.has_events() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Unconfirmed::NotAsked);
        }
        let answer = Keyboard::take().and_then(|keyboard| {
            let restore = keyboard.restore()?;
            let _question = signals.question(move || {
                restore();
                end_line();
            });
            keyboard.during(ask, ctrl_d, signals)
        });
        // A closed terminal ends the input, and sends SIGHUP just before.
        match (answer, signals.arrived()) {
            (Ok(Some(answer)), _) => Ok(answer),
            (_, Some(interrupted)) => Err(Unconfirmed::Interrupted(interrupted)),
            (Ok(_), None) => Err(Unconfirmed::Declined),
            (Err(error), None) => Err(Unconfirmed::Failed(error.to_string())),
        }
    }
}

/// Why a question was not answered with yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unconfirmed {
    /// No, or the end of the input.
    Declined,
    /// Ctrl-C, or this signal.
    Interrupted(Interrupted),
    /// Stdin or stderr is no terminal, or stderr is for a program.
    NotAsked,
    /// The terminal could not be used, for this reason.
    Failed(String),
}

/// The answer; `None` is a key that cancels.
fn ask(question: &str) -> io::Result<Option<bool>> {
    let term = screen();
    let theme = InPlace { columns: term.size_checked().map_or(usize::MAX, |(_, columns)| columns.into()) };
    let answer = Confirm::with_theme(&theme).with_prompt(question).default(false).interact_on_opt(&term);
    unless_closed(answer)
}

/// The answer, on a line of its own whatever came.
fn unless_closed<T>(answer: dialoguer::Result<T>) -> io::Result<T> {
    if answer.is_err() {
        end_line();
    }
    answer.map_err(|dialoguer::Error::IO(error)| error)
}

/// Leaves a question without an answer. dialoguer has hidden the cursor. The terminal may be gone.
fn end_line() {
    let term = screen();
    let _ = term.show_cursor().and_then(|()| term.write_line(""));
}

/// What the question is drawn on.
fn screen() -> Term {
    if is_dumb() { Term::read_write_pair(io::stdin(), Plain(io::stderr())) } else { Term::stderr() }
}

/// Stderr without control codes, which a dumb terminal would show.
#[derive(Debug)]
struct Plain(io::Stderr);

impl Write for Plain {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write_all(strip_ansi_codes(&String::from_utf8_lossy(text)).as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl AsRawFd for Plain {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// dialoguer's look, with the answer at the end of the question. dialoguer clears only the last row of the question before
/// that, so only that row is written again.
struct InPlace {
    columns: usize,
}

impl Theme for InPlace {
    fn format_confirm_prompt_selection(
        &self,
        f: &mut dyn fmt::Write,
        prompt: &str,
        selection: Option<bool>,
    ) -> fmt::Result {
        let mut question = String::new();
        self.format_confirm_prompt(&mut question, prompt, Some(false))?;
        let answer = if selection == Some(true) { "yes" } else { "no" };
        write!(f, "{}{answer}", last_row(&question, self.columns))
    }
}

/// The part of a text that is on its last row on a terminal.
fn last_row(text: &str, columns: usize) -> String {
    let (row, _) = text.chars().fold((String::new(), 0), |(mut row, used), c| {
        let width = measure_text_width(c.encode_utf8(&mut [0; 4]));
        if used + width > columns {
            return (c.to_string(), width);
        }
        row.push(c);
        (row, used + width)
    });
    row
}

#[cfg(test)]
mod tests {
    use super::last_row;

    #[test]
    fn a_row_that_is_full_is_the_last_one() {
        for (text, row) in [("abc", "abc"), ("abcd", "abcd"), ("abcde", "e"), ("ab日日", "日"), ("abcdefgh", "efgh")]
        {
            assert_eq!(last_row(text, if text.contains('日') { 5 } else { 4 }), row);
        }
    }
}
