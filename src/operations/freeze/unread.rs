//! Why the disks of a VM are not read.

use crate::error::{Failure, Status};
use crate::smolvm::Name;

/// Why disks are not read, so that only the engine can pack them.
pub struct Unread {
    /// As a sentence.
    pub why: String,
    /// What the user can do about it.
    pub hint: Option<&'static str>,
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self { why, hint: None }
    }
}

impl Unread {
    /// The failure of the engine's pack, of a VM that would have been frozen without it but for this. Failures that have a
    /// cause of their own stay as they are.
    pub fn explain(&self, name: &Name, failure: Failure) -> Failure {
        if failure.status != Status::Failed {
            return failure;
        }
        let what = format!("only the engine can pack '{name}' ({}): {}", self.why, failure.what);
        let hint = match (self.hint, &failure.hint) {
            (Some(hint), Some(other)) => Some(format!("{hint}; or {other}")),
            (hint, other) => hint.map(str::to_owned).or_else(|| other.clone()),
        };
        Failure { what, hint, ..failure }
    }
}

/// The message that a VM is packed by the engine after all, and why.
pub fn only_engine(name: &Name, why: &str) -> String {
    format!("the engine packs '{name}': {why}")
}
