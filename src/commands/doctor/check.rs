//! One line of `doctor`.

use crate::error::Status;
use crate::report::{self, Details, Verdict};
use crate::smolvm::Disks;
use crate::terminal;

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

    /// The line, with how to fix what it reports.
    pub fn line(&self) -> String {
        let report::Check { name, verdict, what, hint, .. } = &self.report;
        let (ascii, drawn) = match verdict {
            Verdict::Ok => ("ok", "✓"),
            Verdict::Warning => ("! ", "!"),
            Verdict::Problem => ("x ", "✗"),
        };
        let (mark, arrow) = if terminal::is_utf8() { (drawn, "→") } else { (ascii, "->") };
        let hint = hint.as_ref().map(|hint| format!(" {arrow} {hint}")).unwrap_or_default();
        terminal::one_line(&format!("{mark} {name:<10}  {what}{hint}"))
    }
}
