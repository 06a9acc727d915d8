//! Warnings are values: one is printed when it comes up, and belongs to the result of what it is about.

use super::{events, say};
use std::sync::{Mutex, PoisonError};

/// The warnings about one thing: a VM, a snapshot, or a command as a whole. There is no other way to print one.
#[derive(Debug, Default)]
pub struct Warnings {
    /// Named before each warning, where people read those of several things.
    about: Option<String>,
    list: Mutex<Vec<String>>,
}

impl Warnings {
    /// About the only thing that a command is about.
    pub fn new() -> Self {
        Self::default()
    }

    /// About one of several things.
    pub fn about(name: &str) -> Self {
        Self { about: Some(name.to_owned()), ..Self::default() }
    }

    /// Something to know that is no failure: prints it, and keeps it for the result.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        if events::are_events() {
            events::message("warning", &text);
        } else {
            let about = self.about.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            say(&format!("warning: {about}{text}"));
        }
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
