//! A member of the tar in an artifact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The bytes that a tar header has for a path.
const PATH_LIMIT: usize = 100;

/// The most members. An artifact has four, or one more for each layer of an image.
pub const MEMBERS: usize = 10_000;
/// The most bytes of a member, and of all together; the default size of a disk is 20 GiB.
pub const CONTENT_LIMIT: u64 = 16 << 40;

/// A member of an artifact's tar, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// Its path in the tar.
    pub path: String,
    /// What it is.
    pub kind: MemberKind,
    /// The mode field of its header: permissions and, as the engine writes it, the type of file.
    pub mode: u32,
    /// The user and the group that the engine ran as.
    pub uid: u32,
    /// See `uid`.
    pub gid: u32,
    /// When it was changed, in seconds since 1970.
    pub mtime: u64,
    /// Bytes of its content. A sparse file ends after its last data: how long the disk is, the manifest says.
    pub size: u64,
}

impl Member {
    /// Checks what a hostile tar or index could claim: its path stays inside its folder, and its header can hold it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_folder = self.kind == MemberKind::Folder;
        // The engine writes some folders with a slash at the end.
        let path = self.path.strip_suffix('/').filter(|_| is_folder).unwrap_or(&self.path);
        let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if !path.split('/').all(is_plain) {
            return Err("a path in it is not a plain relative path");
        }
        if self.path.len() > PATH_LIMIT {
            return Err("a path in it is too long");
        }
        if self.size > CONTENT_LIMIT || is_folder && self.size > 0 {
            return Err("a size in it cannot be true");
        }
        Ok(())
    }
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
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// A member begins. Its content follows, in order.
    Member(&'a Member),
    /// Bytes of its content.
    Data(&'a [u8]),
    /// This many bytes of its content are zeros: a hole.
    Zeros(u64),
}
