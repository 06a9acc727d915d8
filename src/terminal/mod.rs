//! The terminal: results on stdout; questions, progress, warnings and errors on stderr, for people or for programs.
//! Nothing that came from outside reaches a terminal unescaped. Knows neither the engine nor snapshots.

mod events;
mod progress;
mod prompt;
mod results;
mod screen;
mod warnings;

pub use events::{Problem, about, about_all, speak_json};
pub use progress::Progress;
pub use prompt::{Unconfirmed, confirm};
pub use results::{JsonPath, check, json, lines, printed_all, table, with};
pub use screen::is_utf8;
pub use warnings::Warnings;

use crate::signals::signal_name;
use std::borrow::Cow;
use std::io::{self, Write};

/// How talkative to be.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Bare results and errors only.
    pub quiet: bool,
    /// Results for programs.
    pub json: bool,
    verbose: bool,
}

impl Terminal {
    /// From `--quiet`, `--json` and `--verbose`.
    pub fn new(quiet: bool, json: bool, verbose: bool) -> Self {
        Self { quiet, json, verbose }
    }

    /// Shows an engine command as it is run.
    pub fn command(self, line: &str) {
        if self.verbose && events::are_events() {
            events::message("command", line);
        } else if self.verbose {
            say(&format!("+ {line}"));
        }
    }

    /// What a command printed that ran for `whom`.
    pub fn said(self, whom: &str, text: &str) {
        for line in text.lines().filter(|_| !self.quiet) {
            if events::are_events() {
                events::message("output", line);
            } else {
                say(&format!("{whom}: {}", one_line(line)));
            }
        }
    }

    /// Draws progress on a terminal, or one line in a log. `phase` is its word for programs, `text` that for people.
    pub fn progress(self, phase: &'static str, text: &str, folder: Option<&std::path::Path>) -> Progress {
        Progress::start(phase, text, folder, self.quiet, true)
    }

    /// Does `work`, one of several phases: under a spinner on a terminal, after one line in a log.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn phase<T, E>(self, phase: &'static str, text: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        Self::finish(self.progress(phase, text, None), work)
    }

    /// Does `work` that a log need not tell of: its result does.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn during<T, E>(self, phase: &'static str, text: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        Self::finish(Progress::start(phase, text, None, self.quiet, false), work)
    }

    fn finish<T, E>(progress: Progress, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let result = work();
        progress.end(result.is_ok());
        result
    }
}

/// An error: what failed, how things stand now, what mends it.
pub fn error(problem: &Problem) {
    if events::are_errors() {
        return events::error(problem);
    }
    say(&format!("error: {}", problem.message));
    for (label, text) in [("now", problem.state), ("help", problem.hint)] {
        if let Some(text) = text {
            say(&format!("  {label}: {text}"));
        }
    }
}

/// Says at once that a signal was heard; or, when the process ends at once, what that leaves.
pub fn interrupted(signal: i32, leaves: Option<&[String]>) {
    let Some(leaves) = leaves else {
        let text = format!("interrupted by {}; cleaning up (press Ctrl-C again to stop at once)", signal_name(signal));
        return if events::are_events() { events::message("interrupted", &text) } else { say(&text) };
    };
    let what = ["stopped at once".to_owned()].into_iter().chain((!leaves.is_empty()).then(|| leaves.join("; ")));
    let what = what.collect::<Vec<_>>().join(": ");
    if events::are_errors() {
        let exit_status = u8::try_from(128 + signal).unwrap_or(1);
        error(&Problem { code: "interrupted", exit_status, message: &what, state: None, hint: None, warnings: &[] });
    } else {
        say(&what);
    }
}

/// An error of no kind of its own.
pub fn failed(message: &str) {
    error(&Problem { code: "failed", exit_status: 1, message, state: None, hint: None, warnings: &[] });
}

/// The same JSON value, with the characters escaped that a terminal would obey: outside of strings there are none.
fn json_escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        if is_harmful(c) {
            let mut units = [0; 2];
            all.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            all.push(c);
        }
        all
    })
}

/// Prints a line on stderr, above any progress.
fn say(text: &str) {
    progress::above(|| {
        // There is nobody to tell that stderr is closed.
        let _ = writeln!(io::stderr(), "{}", under(text));
    });
}

/// The text, of which only the first line begins at the margin: what came from outside cannot pass for a line of ours.
fn under(text: &str) -> String {
    let text = printable(text);
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| all + "\n    " + line.trim_start_matches(' '))
}

/// The text as one line: a table's cell, a name in a list.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// The text with its control characters, but for line breaks and tabs, made visible and harmless. Invisible
/// characters that reorder a line count as well.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        if is_harmful(c) {
            all.extend(c.escape_default());
        } else {
            all.push(c);
        }
        all
    }))
}

fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_could_move_the_cursor_is_shown_not_sent() {
        assert_eq!(super::printable("a\x1b[2Jb\r\u{202e}c\n"), "a\\u{1b}[2Jb\\r\\u{202e}c\n");
    }

    #[test]
    fn a_second_line_is_none_of_ours() {
        assert_eq!(super::under("error: a\nerror: forged\n  engine"), "error: a\n    error: forged\n    engine");
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let value = serde_json::json!({"a": "\u{9b}2J\u{7f}\u{202e}ä\n"});
        let text = super::json_escaped(&value.to_string());
        assert!(text.is_ascii() || !text.contains(super::is_harmful), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
