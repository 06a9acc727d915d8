//! A member of the tar in an artifact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A member of an artifact's tar, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// Its path in the tar.
    pub path: String,
    /// What it is.
    pub kind: MemberKind,
    /// The mode field of its header: permissions and, as the engine writes it, the type of file.
    pub mode: u32,
    /// When it was changed, in seconds since 1970.
    pub mtime: u64,
    /// Bytes of its content. A sparse file ends after its last data: how long the disk is, the manifest says.
    pub size: u64,
}

/// What a member of an artifact's tar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A file with holes: a disk.
    Sparse,
}

/// The next part of an artifact's tar.
#[derive(Debug)]
pub enum Part<'a> {
    /// A member begins. Its content follows, in order.
    Member(&'a Member),
    /// Bytes of its content.
    Data(&'a [u8]),
    /// This many bytes of its content are zeros: a hole.
    Zeros(u64),
}
