//! What the commands print that act on snapshots.

use super::{Error, JsonPath};
use crate::leaks::Finding;
use crate::library::{Metadata, Sizes, Stored};
use schemars::JsonSchema;
use serde::Serialize;

/// A snapshot in the library: the contents of its snapshot.json, and its sizes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed<'a> {
    /// The contents of its snapshot.json.
    #[serde(flatten)]
    pub snapshot: &'a Metadata,
    /// Bytes of all its files, with its artifact in one piece: what a thaw of it needs, and its records.
    pub bytes: u64,
    /// Bytes that its removal frees: other snapshots keep the chunks that they share with it. They include what is kept of the
    /// image of its VM for the next freeze, which no thaw needs: so they may be more than `bytes`.
    pub unique_bytes: u64,
}

impl<'a> Listed<'a> {
    /// This snapshot, in a library with these sizes.
    pub fn new(one: &'a Stored, sizes: &Sizes) -> Self {
        let unique_bytes = sizes.unique(&one.reference()).saturating_add(one.own_bytes());
        Self { snapshot: &one.metadata, bytes: one.bytes(), unique_bytes }
    }
}

/// A snapshot that is intact.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Whole {
    /// The snapshot, VM@ID.
    pub reference: String,
    /// True: one that is not intact is a failure.
    pub whole: bool,
    /// Size of the artifact in bytes.
    pub bytes: u64,
    /// CRC-32 of the artifact, eight hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{8}$"))]
    pub crc32: String,
}

/// A snapshot that was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RemovedSnapshot {
    /// The snapshot, VM@ID.
    pub reference: String,
    /// Bytes of all its files, with its artifact in one piece: what a thaw of it needed, and its records.
    pub bytes: u64,
    /// Bytes that its removal freed: other snapshots keep the chunks that they share with it.
    pub freed: u64,
    /// True: one that is still there is a failure.
    pub removed: bool,
}

/// A snapshot or file that was checked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verified {
    /// The path of the file, or the snapshot as it was named.
    pub path: String,
    /// Whether it is an intact snapshot.
    pub whole: bool,
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// CRC-32 of the artifact, eight hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{8}$"))]
    pub crc32: Option<String>,
    /// SHA-256, if a snapshot.json beside it records one.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
    /// Why it is damaged or cannot be read.
    pub error: Option<Error>,
    /// The warnings about it.
    pub warnings: Vec<String>,
}

/// A snapshot that `prune` considered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pruned {
    /// The snapshot, VM@ID.
    pub reference: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Whether it is kept.
    pub keep: bool,
    /// Why it is kept, for people to read; empty if it is not kept.
    pub reasons: Vec<String>,
    /// Whether it was removed; always false with --dry-run.
    pub removed: bool,
    /// Bytes that its removal freed; null if it was not removed.
    pub freed: Option<u64>,
    /// The warnings about its removal.
    pub warnings: Vec<String>,
    /// Why it could not be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

impl Pruned {
    /// A snapshot that is kept for these reasons.
    #[must_use]
    pub fn kept(reference: String, bytes: u64, reasons: Vec<String>) -> Self {
        Self { reference, bytes, keep: true, reasons, removed: false, freed: None, warnings: Vec::new(), error: None }
    }
}

/// A snapshot and its tags.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tagged {
    /// The snapshot, VM@ID.
    pub reference: String,
    /// All tags it has now.
    pub tags: Vec<String>,
}

/// A file that --scrub made empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Emptied {
    /// The kind of --scrub: `history`, `machine-id` and so on.
    pub kind: &'static str,
    /// Its path in the VM.
    pub path: String,
}

/// What may be secret in a snapshot that left this machine, and what --scrub kept back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Searched {
    /// What may be secret in it: at most 1000 findings.
    pub findings: Vec<Finding>,
    /// How many findings there are.
    pub found: u64,
    /// The snapshot, VM@ID, of which it is a copy that --scrub made; null: it is none.
    pub parent: Option<String>,
    /// How many files --scrub made empty in the copy that left.
    pub scrubbed: u64,
    /// Those files: at most 1000.
    pub emptied: Vec<Emptied>,
}

/// A snapshot that was exported.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Exported {
    /// The snapshot in the file, VM@ID: with --scrub, the copy, which has an id of its own.
    pub reference: String,
    /// The file that was written.
    pub to: String,
    /// Size of all its files in bytes.
    pub bytes: u64,
    /// Whether it was encrypted.
    pub encrypted: bool,
    /// What it holds, and what it does not.
    #[serde(flatten)]
    pub searched: Searched,
    /// The warnings that were printed.
    pub warnings: Vec<String>,
}

/// A snapshot that was imported or pulled into the library.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Arrived {
    /// The snapshot, VM@ID.
    pub reference: String,
    /// The file, or the name in the registry.
    pub from: String,
    /// The contents of its snapshot.json.
    pub snapshot: Metadata,
    /// The snapshots, VM@ID, that were made of what its VM was saved as before, the oldest first; missing: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
    /// The warnings that were printed.
    pub warnings: Vec<String>,
}

/// A snapshot that was pushed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pushed {
    /// The snapshot, VM@ID; null if it is a file outside the library.
    pub reference: Option<String>,
    /// The path of the artifact; null if the library holds it in chunks.
    pub sidecar: Option<JsonPath>,
    /// Its name in the registry.
    pub to: String,
    /// The digest of its manifest there, which can be signed and pulled; null if the engine does not print it.
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
    /// Size of the artifact in bytes.
    pub bytes: u64,
    /// What it holds, and what it does not.
    #[serde(flatten)]
    pub searched: Searched,
    /// The warnings that were printed.
    pub warnings: Vec<String>,
}
