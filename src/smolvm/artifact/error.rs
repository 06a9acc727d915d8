//! Why a file is not a whole artifact.

use crate::signals::Interrupted;
use std::io;
use thiserror::Error;

/// Why a file is not a whole artifact.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// It cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is another kind of file.
    #[error("is not a .smolmachine file: {0}")]
    NotArtifact(String),
    /// It was whole once.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// It is whole, and the engine makes no VM from it.
    #[error("cannot become a VM: {0}")]
    Refused(String),
    /// It may be whole, but is not made of what this program knows: it cannot be taken apart.
    #[error("cannot be taken apart: {0}")]
    Unknown(String),
    /// Its copy cannot be written.
    #[error("cannot be copied: {0}")]
    Copy(io::Error),
    /// The user ended this run with a signal.
    #[error("was not checked to its end: {0}")]
    Interrupted(#[from] Interrupted),
}
