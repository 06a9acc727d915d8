//! Why a disk is not read.

use std::io;
use std::path::PathBuf;

/// Why a disk is not read. Reads as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not as the engine writes it, or damaged.
    #[error("{} {why}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What is unknown: completes a sentence that begins with the file.
        why: String,
    },
}
