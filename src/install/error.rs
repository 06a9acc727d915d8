//! Why an engine was not installed.

use crate::signals::Interrupted;
use crate::smolvm::{EngineError, Version};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// A result with an [`InstallError`].
pub type Result<T, E = InstallError> = std::result::Result<T, E>;

/// Why an engine was not installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The index has no engine, or not this version, for this platform.
    #[error("{0}")]
    NoSuchEngine(String),
    /// The index or a file cannot be downloaded.
    #[error("{url} cannot be downloaded: {why}")]
    Download {
        /// The URL, without its password.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The file is not the one that the index promises, or not an engine.
    #[error("{name} is not an engine to be trusted: {why}")]
    Untrusted {
        /// The file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder to remove holds files that bottle-freeze did not put there.
    #[error("{} holds what is not part of an engine: {}", folder.display(), names.join(", "))]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// Those files.
        names: Vec<String>,
    },
    /// The engine is complete, and does not run here.
    #[error("smolvm {version} does not run on this machine: {source}")]
    DoesNotRun {
        /// Its version.
        version: Version,
        /// Why.
        source: EngineError,
    },
    /// A signal came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
