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

/// Finds what `text` names: what looks like a path, or is a file, is one. (A tag may have dots, a VM's name has none.)
pub fn find(text: &OsStr) -> Result<Found> {
    let path = Path::new(text);
    let looks_like_path = |text: &str| text.contains('/') || (text.contains('.') && !text.contains('@'));
    match text.to_str() {
        Some(reference) if !looks_like_path(reference) && !path.is_file() => {
            Ok(Found::Stored(Box::new(stored(reference)?)))
        }
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
