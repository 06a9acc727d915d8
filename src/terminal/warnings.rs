//! Warnings are values: each is printed at once, and belongs to the result of what it is about.

use super::handle::Terminal;
use std::sync::{Mutex, PoisonError};

/// The warnings about one thing: a VM, a snapshot, or a command as a whole. Only this prints warnings.
#[derive(Debug)]
pub struct Warnings {
    terminal: Terminal,
    /// The name that people read before each warning, if there are several things.
    name: Option<String>,
    list: Mutex<Vec<String>>,
}

impl Warnings {
    /// About the only thing that a command is about.
    pub fn new(terminal: &Terminal) -> Self {
        Self { terminal: terminal.clone(), name: None, list: Mutex::default() }
    }

    /// About one of several things.
    pub fn about(terminal: &Terminal, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::new(terminal) }
    }

    /// Prints a warning, and keeps it for the result.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let name = self.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        self.terminal.warning(&text, &format!("{name}{text}"));
        self.keep([text]);
    }

    /// Keeps a warning for the result that was printed when the same was done before: programs read it again, people only with
    /// `--verbose`.
    pub fn repeat(&self, text: &str) {
        if self.terminal.json || self.terminal.has_events() {
            return self.warn(text);
        }
        self.terminal.detail(&format!("warning, as before: {text}"));
        self.keep([text.to_owned()]);
    }

    /// Adds warnings that were printed elsewhere about the same thing.
    pub fn keep(&self, printed: impl IntoIterator<Item = String>) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).extend(printed);
    }

    /// All of them so far, for the result.
    pub fn list(&self) -> Vec<String> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
