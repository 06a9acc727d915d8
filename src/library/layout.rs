//! Names: of the files of a snapshot, of its folder, of its id.

/// The folder of all snapshots, in the library.
pub const SNAPSHOTS: &str = "snapshots";

/// The folder of what is recorded of VMs, in the library.
pub const VMS: &str = "vms";

/// What the snapshot is, as JSON.
pub const METADATA: &str = "snapshot.json";
/// The artifact of a stopped VM.
pub const ARTIFACT: &str = "vm.smolmachine";
/// The artifact of a running VM.
pub const CHECKPOINT: &str = "vm.checkpoint";
/// The artifact as a list of chunks, instead of the artifact itself.
pub const INDEX: &str = "index.json";
/// The folder of these chunks.
pub const OBJECTS: &str = "objects";
/// What an engine says of an empty VM, beside the index of what it adds to every artifact.
pub const RECORD: &str = "record.json";
/// The launcher, if there is one.
pub const LAUNCHER: &str = "vm";
/// The saved `/workspace`, if the artifact does not hold it.
pub const WORKSPACE: &str = "workspace.tar";
/// All files that an exported snapshot may have, and those of one in the library that is not in chunks.
pub const FILES: [&str; 5] = [METADATA, ARTIFACT, CHECKPOINT, LAUNCHER, WORKSPACE];

/// The mode of a file of a snapshot.
pub fn mode(name: &str) -> u32 {
    if name == LAUNCHER { 0o700 } else { 0o600 }
}

/// The endings of files that hold a snapshot: ours, and those of the engine's `machine checkpoint`.
pub const SUFFIXES: [&str; 3] = [".smolmachine", ".checkpoint", ".smolcheckpoint"];

/// Hexadecimal digits of an id.
pub const ID_DIGITS: usize = 8;

/// Whether this is an id in the form that every version writes.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The fewest digits that are taken for the beginning of an id, where a tag or another VM could be meant.
pub const ID_BEGIN: usize = 4;

/// A new, random id.
pub fn new_id() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:08x}", random >> 32)
}
