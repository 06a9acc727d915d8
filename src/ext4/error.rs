//! Why a file system is not read.

use std::io;

/// Why a file system is not read. Reads as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum Ext4Error {
    /// Its disk cannot be read.
    #[error("its file system cannot be read: {0}")]
    Unreadable(io::Error),
    /// It contradicts itself, it has what is not known, or it is in use: completes the sentence.
    #[error("its file system {0}")]
    Unknown(&'static str),
    /// A part of it does not fit its checksum: what it is, and its number.
    #[error("its file system has a damaged {0}: number {1}")]
    Damaged(&'static str, u64),
}

/// A source of bytes passes on its own errors in one of the system.
impl From<io::Error> for Ext4Error {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Unreadable)
    }
}
