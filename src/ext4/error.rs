//! Why a file system is not read.

use std::io;

/// Why a file system is not read. Reads as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum Ext4Error {
    /// Its disk cannot be read.
    #[error("its file system cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is damaged, it has what is not known, or it is in use: completes the sentence.
    #[error("its file system {0}")]
    Unknown(&'static str),
}
