//! What programs read on stderr: errors (`--error-format json`) and events (`--progress=json`), one JSON object a line.

use crate::clock;
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// The VM or the snapshot that an error or an event is about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// A VM, by name.
    Vm(String),
    /// A snapshot, as it was given: a reference or a file.
    Snapshot(String),
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
    /// How to fix it.
    pub hint: Option<&'a str>,
    /// The warnings that were printed before it failed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub warnings: &'a [String],
}

impl<'a> Problem<'a> {
    /// An error of no kind of its own.
    pub fn failed(message: &'a str) -> Self {
        Self { code: "failed", exit_status: 1, message, state: None, hint: None, warnings: &[] }
    }
}

/// The line of an error.
#[derive(Serialize)]
pub struct ErrorLine<'a> {
    /// Its only entry.
    pub error: ErrorAbout<'a>,
}

/// An error, and what it is about.
#[derive(Serialize)]
pub struct ErrorAbout<'a> {
    /// The error.
    #[serde(flatten)]
    pub problem: &'a Problem<'a>,
    /// What it is about.
    #[serde(flatten)]
    pub about: &'a Option<About>,
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
    pub about: Option<About>,
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
    /// Whether the phase succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
}

impl Event<'_> {
    /// That happens now.
    pub fn now(kind: &'static str) -> Self {
        Self { kind, time: clock::rfc3339_millis(SystemTime::now()), ..Self::default() }
    }
}

/// Whole milliseconds.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
