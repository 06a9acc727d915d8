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
    /// The index or a file cannot be downloaded; the URL is without its password.
    #[error("{url} cannot be downloaded: {why}")]
    Download { url: String, why: String },
    /// The file is not the one that the index promises, or not an engine.
    #[error("{name} is not an engine to be trusted: {why}")]
    Untrusted { name: String, why: String },
    /// A file or folder cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    /// The folder to remove holds files that bottle-freeze did not put there.
    #[error("{} holds what is not part of an engine: {}", folder.display(), names.join(", "))]
    Foreign { folder: PathBuf, names: Vec<String> },
    /// The engine is complete, and does not run here.
    #[error("smolvm {version} does not run on this machine: {source}")]
    DoesNotRun { version: Version, source: EngineError },
    /// A signal came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
