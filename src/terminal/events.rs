//! What programs read on stderr: errors (`--error-format json`) and events (`--progress=json`), one JSON object a line.

use crate::clock;
use crate::status::Status;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::borrow::Cow;
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

/// The keys that one of these adds to an object, or none.
impl JsonSchema for About {
    fn schema_name() -> Cow<'static, str> {
        "About".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "properties": {
            "vm": { "type": "string", "description": "The VM concerned, if any." },
            "snapshot": {
                "type": "string",
                "description": "The snapshot concerned, if any: a reference, a path, or its name in a registry."
            },
        }})
    }
}

/// Why something failed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Error {
    /// The kind of error: a word that does not change.
    #[schemars(extend("enum" = Status::words()))]
    pub code: &'static str,
    /// The exit status for this kind of error. When some of several VMs, snapshots or engines fail, the command
    /// itself exits with 3.
    #[schemars(range(min = 1))]
    pub exit_status: u8,
    /// What failed, for people to read.
    pub message: String,
    /// The state things are in now.
    pub state: Option<String>,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Error {
    /// An error with this message, and no more to say.
    #[must_use]
    pub fn new(status: Status, message: &str) -> Self {
        let (code, exit_status) = (status.word(), status.code());
        Self { code, exit_status, message: message.to_owned(), state: None, hint: None }
    }
}

/// One object per line: one for each VM or snapshot that failed, and a last one for the whole command.
#[derive(Serialize, JsonSchema)]
pub struct ErrorLine<'a> {
    /// Why something failed.
    pub error: PrintedError<'a>,
}

/// An error, and what it is about.
#[derive(Serialize, JsonSchema)]
pub struct PrintedError<'a> {
    /// The error.
    #[serde(flatten)]
    pub error: &'a Error,
    /// What it is about.
    #[serde(flatten)]
    #[schemars(with = "About")]
    pub about: &'a Option<About>,
    /// The warnings that were printed before the failure, if any.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub warnings: &'a [String],
}

/// One object per line. Each phase is reported when it starts, when it finishes, and once a second or at each step in between.
#[derive(Serialize, Default, JsonSchema)]
pub struct Event<'a> {
    /// started, progress and finished report a phase; warning: a warning; interrupted: a signal arrived, cleaning up; command:
    /// an engine command, with --verbose; detail: something else, most of it only with --verbose; output: a line printed by a hook.
    #[serde(rename = "event")]
    #[schemars(extend("enum" = KINDS))]
    pub kind: &'static str,
    /// Time of the event, in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// What it is about.
    #[serde(flatten)]
    #[schemars(with = "About")]
    pub about: Option<About>,
    /// The phase of the work: a word that does not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "&str", extend("enum" = PHASES))]
    pub phase: Option<&'static str>,
    /// For people to read: the work, its current step, the warning, the command or the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "&str")]
    pub message: Option<&'a str>,
    /// Milliseconds since the phase began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub elapsed_ms: Option<u64>,
    /// Bytes written to disk so far, if they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub bytes: Option<u64>,
    /// Whether the phase succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub ok: Option<bool>,
}

/// The phases.
const PHASES: [&str; 26] = [
    "create",
    "check",
    "trial",
    "trim",
    "read",
    "store",
    "start",
    "stop",
    "delete",
    "pause",
    "resume",
    "copy",
    "pack",
    "checkpoint",
    "write",
    "restart",
    "save-workspace",
    "restore-workspace",
    "identify",
    "push",
    "pull",
    "export",
    "import",
    "install",
    "hook",
    "wait",
];

/// The kinds of events.
const KINDS: [&str; 8] = ["started", "progress", "finished", "warning", "interrupted", "command", "detail", "output"];

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
