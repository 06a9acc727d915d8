//! What the user asks a thaw for.

use crate::operations::consent::Access;
use crate::smolvm::{EnvVar, Name};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

/// What to thaw, and how. `None` and empty: as it was frozen.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct Request {
    /// The snapshot, as the user names it.
    pub snapshot: OsString,
    /// The key of the snapshot; then `snapshot` is its VM, or empty.
    pub key: Option<String>,
    /// The name of the new VM.
    pub name: Option<Name>,
    /// Start it.
    pub start: bool,
    /// Replace the VM of that name, which is frozen into the library first.
    pub replace: bool,
    /// Replace it without asking.
    pub yes: bool,
    /// Tag the VM that it replaces, so that `rollback --undo` finds it.
    pub undoable: bool,
    /// Keep the new VM even if it does not start.
    pub keep: bool,
    /// Virtual CPUs.
    pub cpus: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Its storage disk in GiB.
    pub storage_gb: Option<u64>,
    /// Its network, ports and host folders.
    pub access: Access,
    /// Variables for its commands, beside those that it was frozen with.
    pub env: Vec<EnvVar>,
    /// Labels, beside those that it was frozen with.
    pub labels: BTreeMap<String, String>,
    /// The working folder of its commands.
    pub workdir: Option<String>,
    /// How long to wait until it runs commands.
    pub timeout: Duration,
}
