//! One line of `doctor`.

use crate::error::Status;
use crate::report::{self, Details, Verdict};
use crate::smolvm::Disks;
use crate::terminal::{self, Color};

/// The width of the lines, and where what was found begins.
const COLUMNS: usize = 80;
const INDENT: usize = 14;

/// With less free space, in bytes, no freeze starts.
pub const LEAST_ROOM: u64 = Disks::BESIDES;

/// What was found, and what a freeze would exit with if it is a problem.
pub struct Check {
    pub report: report::Check,
    pub status: Status,
}

impl Check {
    pub fn ok(name: &'static str, what: impl Into<String>) -> Self {
        let report = report::Check { name, verdict: Verdict::Ok, what: what.into(), hint: None, details: None };
        Self { report, status: Status::Failed }
    }

    pub fn warning(name: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        let mut check = Self::ok(name, what);
        (check.report.verdict, check.report.hint) = (Verdict::Warning, Some(hint.into()));
        check
    }

    pub fn problem(name: &'static str, status: Status, what: impl Into<String>, hint: impl Into<String>) -> Self {
        let mut check = Self::warning(name, what, hint);
        (check.report.verdict, check.status) = (Verdict::Problem, status);
        check
    }

    pub fn details(mut self, details: Details) -> Self {
        self.report.details = Some(details);
        self
    }

    pub fn is_problem(&self) -> bool {
        self.report.verdict == Verdict::Problem
    }

    /// Its lines, of at most 80 columns; how to fix what it reports is one of its own, to be copied.
    pub fn lines(&self) -> Vec<String> {
        let report::Check { name, verdict, what, hint, .. } = &self.report;
        let (ascii, drawn, color) = match verdict {
            Verdict::Ok => ("ok", "✓", Color::Green),
            Verdict::Warning => ("! ", "!", Color::Yellow),
            Verdict::Problem => ("x ", "✗", Color::Red),
        };
        let (mark, arrow) = if terminal::is_utf8() { (drawn, "→") } else { (ascii, "->") };
        let mut rows = terminal::wrapped(&terminal::one_line(what), COLUMNS - INDENT).into_iter();
        let mark = terminal::painted(mark, color);
        let mut lines = vec![format!("{mark} {name:<10}  {}", rows.next().unwrap_or_default())];
        lines.extend(rows.map(|row| format!("{:INDENT$}{row}", "")));
        lines.extend(hint.iter().map(|hint| format!("  {arrow} {}", terminal::one_line(hint))));
        lines
    }
}
