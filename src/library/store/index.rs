//! `index.json`: the artifact of a snapshot, as a list of chunks.

use super::digest::Digest;
use crate::smolvm::artifact::Member;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The only version so far.
pub const VERSION: u32 = 1;

/// An artifact: the members of its tar, in order, and its manifest.
#[derive(Debug, Serialize, Deserialize)]
pub struct Index {
    /// The version of this format.
    pub version: u32,
    /// The manifest, as the engine wrote it.
    pub manifest: Box<RawValue>,
    /// The members of the tar.
    pub members: Vec<Entry>,
}

/// A member of the tar, and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The member.
    #[serde(flatten)]
    pub member: Member,
    /// Its content; folders have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
}

/// A part of a member's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Chunk {
    /// `[SHA256, LENGTH, FRAME_BYTES, CRC32]`: its name in the store, its bytes, and the size and CRC-32 of its compressed
    /// frame, by which a thaw knows a frame without decompressing it.
    Object(Digest, u32, u32, u32),
    /// `[null, LENGTH]`: so many zeros. They are not stored.
    Zeros((), u64),
}
