//! Why the files in a snapshot cannot be read.

use super::bytes::Contradiction;
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
    /// A file or folder cannot be read.
    #[error("{:?}: {error}", String::from_utf8_lossy(path))]
    File {
        /// Its path in the guest.
        path: Vec<u8>,
        /// Which of two snapshots has it, if that is known.
        side: Option<Side>,
        /// Why.
        error: Box<Self>,
    },
    /// A signal arrived.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// One of two snapshots that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The earlier one.
    Old,
    /// The later one.
    New,
}

impl ContentsError {
    /// The same, of the file with this path. An error that names a file already stays as it is.
    #[must_use]
    pub fn of_file(self, path: &[u8]) -> Self {
        self.on_side(path, None)
    }

    /// The same, of the file with this path in one of two snapshots.
    #[must_use]
    pub fn on_side(self, path: &[u8], side: impl Into<Option<Side>>) -> Self {
        let path = if path.is_empty() { b"/" } else { path }.to_vec();
        match self {
            Self::File { path, side: None, error } => Self::File { path, side: side.into(), error },
            Self::File { .. } | Self::Interrupted(_) => self,
            error => Self::File { path, side: side.into(), error: Box::new(error) },
        }
    }

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
        let error = match error.downcast() {
            Ok(Contradiction(why)) => return Self::damaged("a disk", why),
            Err(error) => error,
        };
        error.downcast::<Interrupted>().map_or_else(Self::Io, Self::Interrupted)
    }
}
