//! Warnings are values: one is printed when it comes up, and belongs to the result of what it is about.

use super::handle::Terminal;
use std::sync::{Mutex, PoisonError};

/// The warnings about one thing: a VM, a snapshot, or a command as a whole. There is no other way to print one.
#[derive(Debug)]
pub struct Warnings {
    terminal: Terminal,
    /// Named before each warning, where people read those of several things.
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

    /// Prints something to know that is no failure, and keeps it for the result.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let name = self.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        self.terminal.message("warning", &text, &format!("warning: {name}{text}"));
        self.keep([text]);
    }

    /// Adds what was printed as warnings about something that this is about too.
    pub fn keep(&self, printed: impl IntoIterator<Item = String>) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).extend(printed);
    }

    /// All of them so far, for the result.
    pub fn list(&self) -> Vec<String> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
