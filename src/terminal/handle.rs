//! The handle through which everything is printed and asked.

use super::events::{About, Error, ErrorLine, Event, PrintedError};
use super::screen::painted_label;
use super::spinners::Spinners;
use super::text::{indent_rest, json_escaped, one_line};
use crate::signals::signal_name;
use crate::status::Status;
use dialoguer::console::Color;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// People.
    Text,
    /// Programs: JSON, one object a line.
    Json,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phases {
    /// Drawn on a terminal; elsewhere only with `--verbose`, in lines.
    Auto,
    /// In lines.
    Plain,
    /// As JSON, one object a line, and so are warnings.
    Json,
}

/// Prints and asks, as the global options say, and about one thing. A copy is cheap, and belongs to the same run.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)]
pub struct Terminal {
    /// Bare results and errors only.
    pub quiet: bool,
    /// Results for programs.
    pub json: bool,
    verbose: bool,
    errors: Format,
    phases: Phases,
    about: Option<About>,
    /// Whether results go to stderr.
    pub(super) spares_stdout: bool,
    pub(super) run: Arc<Run>,
}

/// What all handles of one run share.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub spinners: Spinners,
    /// Whether a result could not be printed.
    pub is_unprinted: AtomicBool,
    /// What was done, and will be printed as JSON. If that fails, the user must still know it.
    pub done: Mutex<Vec<String>>,
}

impl Terminal {
    /// From `--quiet`, `--json`, `--verbose`, `--error-format` and `--progress`.
    pub fn new(quiet: bool, json: bool, verbose: bool, errors: Format, phases: Phases) -> Self {
        Self { quiet, json, verbose, errors, phases, about: None, spares_stdout: false, run: Arc::default() }
    }

    /// For what is printed before the options are understood.
    pub fn before_options(errors: Format) -> Self {
        Self::new(false, false, false, errors, Phases::Auto)
    }

    /// The same terminal; programs read that what it prints is about this.
    pub fn about(&self, about: Option<About>) -> Self {
        Self { about, ..self.clone() }
    }

    /// The same terminal; results go to stderr, because stdout belongs to the user's command.
    pub fn sparing_stdout(&self) -> Self {
        Self { spares_stdout: true, ..self.clone() }
    }

    /// Whether errors are JSON.
    pub fn has_json_errors(&self) -> bool {
        self.errors == Format::Json
    }

    /// Whether progress and warnings are JSON.
    pub(super) fn has_events(&self) -> bool {
        self.phases == Phases::Json
    }

    /// Whether progress is drawn, if this is a terminal.
    pub(super) fn draws(&self) -> bool {
        self.phases == Phases::Auto && !self.quiet
    }

    /// Whether progress that is not drawn is printed in lines.
    pub(super) fn prints_phases(&self) -> bool {
        !self.quiet && (self.phases == Phases::Plain || (self.phases == Phases::Auto && self.verbose))
    }

    /// Prints an engine command before it runs.
    pub fn command(&self, line: &str) {
        if self.verbose {
            self.message("command", line, &format!("+ {line}"));
        }
    }

    /// Prints something that only --verbose asks for.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.message("detail", text, text);
        }
    }

    /// Prints the output of a command that ran for `whom`.
    pub fn output(&self, whom: &str, text: &str) {
        for line in text.lines().filter(|_| !self.quiet) {
            self.message("output", line, &format!("{whom}: {}", one_line(line)));
        }
    }

    /// Prints an error: what failed, how things stand now, how to fix it. The warnings that were printed before are for
    /// programs only.
    pub fn error(&self, error: &Error, warnings: &[String]) {
        if self.has_json_errors() {
            return self.json_line(&ErrorLine { error: PrintedError { error, about: &self.about, warnings } });
        }
        self.say_labelled("error:", Color::Red, &error.message);
        for (label, color, text) in [("  now:", Color::Yellow, &error.state), ("  help:", Color::Green, &error.hint)] {
            if let Some(text) = text {
                self.say_labelled(label, color, text);
            }
        }
    }

    /// Prints a warning.
    pub(super) fn warning(&self, message: &str, text: &str) {
        if self.has_events() {
            self.message("warning", message, text);
        } else {
            self.say_labelled("warning:", Color::Yellow, text);
        }
    }

    /// Prints that a signal arrived; or, when the process ends at once, what that leaves behind.
    pub fn interrupted(&self, signal: i32, left: Option<&[String]>) {
        let Some(left) = left else {
            let text =
                format!("interrupted by {}; cleaning up (press Ctrl-C again to stop at once)", signal_name(signal));
            return self.message("interrupted", &text, &text);
        };
        let what = if left.is_empty() {
            "stopped at once".to_owned()
        } else {
            format!("stopped at once: {}", left.join("; "))
        };
        if self.has_json_errors() {
            self.error(&Error::new(Status::Interrupted(signal), &what), &[]);
        } else {
            self.say(&what);
        }
    }

    /// Prints something that happens: an event with this message, or a line of text.
    pub(super) fn message(&self, kind: &'static str, message: &str, line: &str) {
        if self.has_events() {
            self.event(Event { message: Some(message), ..Event::now(kind) });
        } else {
            self.say(line);
        }
    }

    /// Prints an event.
    pub(super) fn event(&self, event: Event) {
        self.json_line(&Event { about: self.about.clone(), ..event });
    }

    /// Prints one line of JSON on stderr, written in one go.
    fn json_line(&self, value: &impl Serialize) {
        let Ok(text) = serde_json::to_string(value) else { return };
        let line = json_escaped(&text) + "\n";
        self.run.spinners.above(|| {
            // A closed stderr cannot be reported.
            let _ = io::stderr().write_all(line.as_bytes());
        });
    }

    /// Prints a line on stderr, above any progress.
    pub(super) fn say(&self, text: &str) {
        self.print_line(&indent_rest(text));
    }

    /// The same, after a label in color.
    fn say_labelled(&self, label: &str, color: Color, text: &str) {
        self.print_line(&format!("{} {}", painted_label(label, color), indent_rest(text)));
    }

    fn print_line(&self, line: &str) {
        self.run.spinners.above(|| {
            // A closed stderr cannot be reported.
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}
