//! What programs read on stderr: errors (`--error-format json`) and events (`--progress=json`), one JSON object a line,
//! each written in one go.

use crate::clock;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

static ERRORS: AtomicBool = AtomicBool::new(false);
static EVENTS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What this thread is at work on: the key and the name of it.
    static ABOUT: RefCell<Option<(&'static str, String)>> = const { RefCell::new(None) };
}

/// From here on errors, or events and warnings, are JSON.
pub fn speak_json(errors: bool, events: bool) {
    ERRORS.store(errors, Relaxed);
    EVENTS.store(events, Relaxed);
}

/// Whether errors are JSON.
pub fn are_errors() -> bool {
    ERRORS.load(Relaxed)
}

/// Whether progress and warnings are JSON.
pub fn are_events() -> bool {
    EVENTS.load(Relaxed)
}

/// From here on what this thread says is about this one: of `vm` or of `snapshot`.
pub fn about(key: &'static str, name: impl Display) {
    ABOUT.set(Some((key, name.to_string())));
}

/// From here on what this thread says is about all of them.
pub fn about_all() {
    ABOUT.set(None);
}

/// An error, as programs read it.
#[derive(Debug, Clone, Serialize)]
pub struct Problem<'a> {
    /// A word for each kind, which does not change.
    pub code: &'static str,
    /// The exit status of that kind.
    pub exit_status: u8,
    /// What failed.
    pub message: &'a str,
    /// How things stand now.
    #[serde(rename = "now")]
    pub state: Option<&'a str>,
    /// What mends it.
    pub hint: Option<&'a str>,
    /// The warnings that were printed before it failed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub warnings: &'a [String],
}

/// The VM or the snapshot that it is about, if it is about one.
#[derive(Serialize, Default)]
pub struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    vm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
}

impl About {
    fn this() -> Self {
        match ABOUT.with_borrow(Clone::clone) {
            Some(("vm", name)) => Self { vm: Some(name), ..Self::default() },
            Some(("snapshot", name)) => Self { snapshot: Some(name), ..Self::default() },
            _ => Self::default(),
        }
    }
}

/// Prints an error.
pub fn error(problem: &Problem) {
    #[derive(Serialize)]
    struct Line<'a> {
        error: Told<'a>,
    }
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        problem: &'a Problem<'a>,
        #[serde(flatten)]
        about: About,
    }
    print(&Line { error: Told { problem, about: About::this() } });
}

/// Something that happens, as programs read it.
#[derive(Serialize, Default)]
pub struct Event<'a> {
    /// A word, which does not change.
    #[serde(rename = "event")]
    pub kind: &'static str,
    /// RFC 3339.
    pub time: String,
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
    /// A word for what is done, which does not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<&'static str>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
    /// Since the phase began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// Written so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether the phase did what it was to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
}

impl Event<'_> {
    /// That happens now.
    pub fn now(kind: &'static str) -> Self {
        let time = clock::rfc3339_millis(SystemTime::now());
        Self { kind, time, about: About::this(), ..Self::default() }
    }

    /// Prints it.
    pub fn print(&self) {
        print(self);
    }
}

/// Prints what has only a message.
pub fn message(event: &'static str, text: &str) {
    Event { message: Some(text), ..Event::now(event) }.print();
}

/// Whole milliseconds.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn print(value: &impl Serialize) {
    let Ok(text) = serde_json::to_string(value) else { return };
    let line = super::json_escaped(&text) + "\n";
    super::progress::above(|| {
        // There is nobody to tell that stderr is closed.
        let _ = io::stderr().write_all(line.as_bytes());
    });
}
