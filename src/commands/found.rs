//! SNAPSHOT on a command line: a file, or one of the library.

use super::{Failure, Result, Status};
use crate::snapshot::{FindError, Stored, library};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What a SNAPSHOT names.
pub enum Found {
    /// A file, wherever it came from.
    File(PathBuf),
    /// A snapshot of the library.
    Stored(Box<Stored>),
}

impl Found {
    /// Its artifact.
    pub fn artifact(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Stored(stored) => stored.artifact(),
        }
    }
}

/// Finds what `text` names. What looks like a path, or is a file, is one.
pub fn find(text: &OsStr) -> Result<Found> {
    let path = Path::new(text);
    let is_path = path.components().count() > 1 || path.extension().is_some() || path.is_file();
    match text.to_str() {
        Some(reference) if !is_path => Ok(Found::Stored(Box::new(stored(reference)?))),
        _ => Ok(Found::File(path.to_owned())),
    }
}

/// Finds a snapshot of the library.
pub fn stored(reference: &str) -> Result<Stored> {
    Ok(library::find(reference)?)
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let what = error.to_string();
        match error {
            FindError::NotFound(_) => {
                Self::new(Status::NoSuchVm, what).mend("list them with `bottle-freeze snapshot ls`")
            }
            FindError::Ambiguous { .. } => Self::new(Status::Usage, what).mend("give more digits of its id"),
            FindError::Unreadable { .. } => Self::new(Status::NotWritable, what),
        }
    }
}
