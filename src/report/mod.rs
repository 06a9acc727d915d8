//! What is printed for programs: each shape once. `cargo xtask docs` makes the JSON Schemas in `schemas/` from these types
//! and their comments; the tests check what every command prints against them.
//!
//! Within a major version no key is removed, and none changes its meaning.

mod doctor;
mod engines;
mod files;
mod schemas;
mod snapshots;

pub use crate::terminal::Error;
pub use doctor::{Check, Details, Diagnosis, Folder, UsedVm, Verdict};
pub use engines::{InstalledEngine, RemovedEngine};
pub use files::{Compared, DifferentFile, FileChange, FileState, GuestPath, ListedFile, NoPatch, Totals, time};
pub use schemas::schemas;
pub use snapshots::{
    Arrived, Emptied, Exported, Listed, Pruned, Pushed, RemovedSnapshot, Searched, Tagged, Verified, Whole,
};

use crate::error::Failure;
use crate::library::{Metadata, Trim, Way};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::path::PathBuf;

/// A path. JSON is UTF-8: what is not UTF-8 in a path is printed as U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(pub PathBuf);

impl Serialize for JsonPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

impl JsonSchema for JsonPath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

// ---------------------------------------------------------------------------------------------- one or several results

/// One object for a single name, otherwise an array with an entry for each.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Results<D, S> {
    /// The only one that was named.
    One(D),
    /// All of them.
    All(Vec<Entry<D, S>>),
}

/// One of several.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Entry<D, S> {
    /// It was done.
    Done(D),
    /// It failed.
    Failed(Failed<S>),
}

/// An entry that failed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failed<S> {
    /// What failed.
    #[serde(flatten)]
    pub subject: S,
    /// Why it failed.
    pub error: Error,
    /// The warnings about it.
    pub warnings: Vec<String>,
}

impl<S> Failed<S> {
    /// `subject` failed.
    pub fn new(subject: S, failure: &Failure) -> Self {
        Self { subject, error: failure.error(), warnings: failure.warnings.clone() }
    }
}

/// A VM.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Vm {
    /// The VM's name.
    pub vm: String,
}

/// A snapshot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Snapshot {
    /// The snapshot, VM@ID, or as it was named on the command line.
    pub reference: String,
}

/// An engine.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Engine {
    /// Its version.
    pub version: String,
}

/// What was done, and the warnings about it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Done<D> {
    /// What was done.
    #[serde(flatten)]
    pub result: D,
    /// The warnings about it.
    pub warnings: Vec<String>,
}

// ------------------------------------------------------------------------------------------------------------------ VMs

/// A VM that was changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changed {
    /// The VM's name.
    pub vm: String,
    /// The state of the VM now.
    pub state: Change,
    /// Duration in seconds.
    #[schemars(range(min = 0))]
    pub seconds: f64,
}

/// The state in which a command leaves a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum Change {
    Created,
    Running,
    Stopped,
    Paused,
    Deleted,
}

/// The VM that was made from the snapshot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Thawed {
    /// The VM's name.
    pub vm: String,
    /// The snapshot, VM@ID; null if it is a file outside the library.
    pub reference: Option<String>,
    /// The path of the artifact; null if the library holds it in chunks.
    pub sidecar: Option<JsonPath>,
    /// The state of the VM now.
    pub state: Change,
    /// The ports that it publishes, HOST:GUEST.
    pub ports: Vec<String>,
    /// With --replace: the snapshot (VM@ID) that holds the VM that was replaced.
    pub replaced: Option<String>,
    /// Duration in seconds.
    #[schemars(range(min = 0))]
    pub seconds: f64,
    /// The warnings that were printed.
    pub warnings: Vec<String>,
    /// The name that it did not get, because another VM has it; for people only.
    #[serde(skip)]
    pub taken: Option<String>,
}

/// The VM that was made, or with --count all of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ThawedVms {
    /// The only one.
    One(Thawed),
    /// All of them.
    All(Vec<Thawed>),
}

/// A VM that was frozen.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Frozen {
    /// The VM's name.
    pub vm: String,
    /// The snapshot, VM@ID; null if it was written with -o.
    pub reference: Option<String>,
    /// Whether nothing was made, because this snapshot, the newest of the VM, holds the same (--if-changed).
    pub unchanged: bool,
    /// The contents of its snapshot.json; null if it was written with -o.
    pub snapshot: Option<Metadata>,
    /// The path of the artifact; null if the library holds it in chunks.
    pub sidecar: Option<JsonPath>,
    /// The launcher; null if there is none.
    pub launcher: Option<JsonPath>,
    /// Size in bytes.
    pub bytes: u64,
    /// CRC-32 of the artifact, eight hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{8}$"))]
    pub crc32: String,
    /// Duration in seconds.
    #[schemars(range(min = 0))]
    pub seconds: f64,
    /// Whether it holds the VM's RAM (--live).
    pub live: bool,
    /// Seconds that the VM was stopped until the snapshot was on disk, or paused for a live snapshot; null if it was not
    /// running.
    #[schemars(range(min = 0))]
    pub downtime_seconds: Option<f64>,
    /// What became of what was deleted.
    #[serde(flatten)]
    pub trim: Trim,
    /// The version of the engine that packed it.
    pub engine_version: String,
    /// The snapshots (VM@ID) that were removed afterwards, because no --keep option keeps them; missing without such an option.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Vec<String>>,
    /// The warnings about it; those printed before it was published are in its snapshot.json too.
    pub warnings: Vec<String>,
    /// What failed after the snapshot was published: the restart, a hook, or a signal that arrived too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// What a freeze would do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Planned {
    /// The VM's name.
    pub vm: String,
    /// Whether it would be made from the VM's disks, or by the engine.
    pub way: Way,
    /// The engine commands, in order, quoted for a shell.
    pub commands: Vec<String>,
    /// The warnings that were printed.
    pub warnings: Vec<String>,
}

/// A freeze at regular times.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Scheduled {
    /// The VM's name.
    pub vm: String,
    /// Seconds between two freezes.
    pub every_seconds: u64,
    /// What runs it: `systemd --user`, `launchd`, or `crontab`, where a line must be added by hand.
    pub scheduler: String,
    /// Whether its files are in place; true for a crontab.
    pub enabled: bool,
    /// What it runs.
    pub command: Vec<String>,
    /// The files that the scheduler reads.
    pub files: Vec<JsonPath>,
    /// The line for the crontab, if there is no scheduler; else null.
    pub crontab: Option<String>,
    /// When it last froze the VM or found it unchanged, in RFC 3339; null: never.
    pub last_success: Option<String>,
    /// Whether two of its times have passed since then, or since it was set up.
    pub overdue: bool,
}

/// A file that was copied.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Copied {
    /// The source, VM:PATH, SNAPSHOT:PATH or an absolute path.
    pub from: String,
    /// The target, VM:PATH or an absolute path.
    pub to: String,
    /// Size of the file in bytes; of a folder, the sizes of all files in it.
    pub bytes: u64,
    /// How many devices, FIFOs and sockets of a folder were not copied.
    pub left_out: u64,
}

/// An image that was packed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Packed {
    /// The image.
    pub image: String,
    /// The path of the artifact.
    pub sidecar: JsonPath,
    /// The launcher; null if there is none.
    pub launcher: Option<JsonPath>,
    /// Size in bytes.
    pub bytes: u64,
    /// CRC-32 of the artifact, eight hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{8}$"))]
    pub crc32: String,
    /// Duration in seconds.
    #[schemars(range(min = 0))]
    pub seconds: f64,
}
