//! Why the files in a snapshot cannot be read.

use crate::ext4::Ext4Error;
use crate::library::store::StoreError;
use crate::signals::Interrupted;
use crate::smolvm::artifact::ArtifactError;
use std::io;
use std::path::PathBuf;

/// Why the files in a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// A part of the snapshot is damaged, or it has what is unknown here.
    #[error("{what} {why}")]
    Damaged {
        /// The part.
        what: String,
        /// Completes a sentence that begins with it.
        why: String,
    },
    /// Its chunks cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its artifact cannot be read.
    #[error("{} {error}", path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ArtifactError,
    },
    /// The system refuses.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    /// A signal arrived.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl ContentsError {
    /// This part of the snapshot is damaged: `why` completes the sentence.
    pub fn damaged(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), why: why.into() }
    }

    /// What went wrong with the file system in this part.
    pub fn of_disk(what: &str, error: Ext4Error) -> Self {
        match error {
            Ext4Error::Unreadable(error) => Self::from(error),
            error => Self::damaged(what, format!("is damaged, or unknown here: {error}")),
        }
    }
}

/// A source of bytes passes on its own errors in one of the system.
impl From<io::Error> for ContentsError {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<StoreError>() {
            Ok(StoreError::Interrupted(interrupted)) => return Self::Interrupted(interrupted),
            Ok(error) => return Self::Store(error),
            Err(error) => error,
        };
        error.downcast::<Interrupted>().map_or_else(Self::Io, Self::Interrupted)
    }
}
