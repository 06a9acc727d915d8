//! Why a file or folder cannot be published.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a file or folder cannot be published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The path exists, and was not to be replaced.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// The path is a folder: a folder is never replaced.
    #[error("{} is a folder", .0.display())]
    IsFolder(PathBuf),
    /// The path is neither a file nor a folder: it is never replaced.
    #[error("{} is {what}", path.display())]
    NotRegular { path: PathBuf, what: &'static str },
    /// The path is inside the library.
    #[error("{} is inside the bottle-freeze library", .0.display())]
    InLibrary(PathBuf),
    /// The system would not allow the file to be replaced.
    #[error("{} cannot be replaced: {why}", path.display())]
    Irreplaceable { path: PathBuf, why: &'static str },
    /// The folder is missing or read-only, the disk is full …
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
}

pub(super) type Result<T> = std::result::Result<T, PublishError>;

impl PublishError {
    /// Makes an error of the system into one that names `path`.
    pub fn not_writable(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::NotWritable { path: path.to_owned(), source }
    }
}

impl From<PublishError> for io::Error {
    /// The system's error, for callers that name the path themselves.
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NotWritable { source, .. } => source,
            exists => Self::new(io::ErrorKind::AlreadyExists, exists),
        }
    }
}

/// What to do if the path exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Keep it, and fail.
    Keep,
    /// Replace it by the same kind: a file by a file, a link by a link. Nothing else is ever replaced.
    Replace,
}

impl Existing {
    /// The meaning of `--force`.
    pub fn forced(force: bool) -> Self {
        if force { Self::Replace } else { Self::Keep }
    }
}
