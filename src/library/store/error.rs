//! Why objects or an index cannot be written or read.

use super::digest::Digest;
use crate::home;
use crate::signals::Interrupted;
use crate::smolvm::DiskError;
use crate::smolvm::artifact::ArtifactError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why objects or an index cannot be written or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Objects of a snapshot are missing, or do not hold what their names say.
    #[error("{} is damaged: {bad}", folder.display())]
    Damaged {
        /// The folder of the snapshot.
        folder: PathBuf,
        /// The objects.
        bad: Bad,
    },
    /// The index is damaged, or not one that this version reads.
    #[error("{} is not valid: {why}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The artifact does not have the content that its own headers promise.
    #[error("the content of the artifact is not what it says: {0}")]
    Content(String),
    /// The disk is full, the folder is read-only …
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system refuses to read it.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The artifact that is put together cannot be written.
    #[error("the artifact cannot be written: {0}")]
    Output(io::Error),
    /// This file is not an artifact, or not one that can be stored as chunks.
    #[error("{} {error}", path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ArtifactError,
    },
    /// A disk of the VM is not one that can be read without the engine, or cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The user ended this run with a signal.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl StoreError {
    pub(super) fn not_writable(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::NotWritable { path: path.to_owned(), source }
    }

    pub(super) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Unreadable { path: path.to_owned(), source }
    }

    /// What a source of bytes passes on in an error of the system.
    pub fn of_read(error: io::Error) -> Self {
        match error.downcast::<Self>().map_err(io::Error::downcast::<Interrupted>) {
            Ok(error) => error,
            Err(Ok(interrupted)) => interrupted.into(),
            Err(Err(source)) => Self::Content(source.to_string()),
        }
    }

    /// The same for a folder of the library that cannot even be opened.
    pub(super) fn closed(name: &str) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::NotWritable { path: home::shown_path(name).into(), source }
    }
}

/// Objects that are missing or damaged.
#[derive(Debug, Default)]
pub struct Bad {
    /// How many are missing.
    pub missing: usize,
    /// How many do not hold what their names say.
    pub damaged: usize,
    /// The names of some of them.
    pub names: Vec<Digest>,
}

impl Bad {
    /// The most names that are kept.
    const NAMES: usize = 3;

    pub(super) fn add(&mut self, name: Digest, is_missing: bool) {
        let count = if is_missing { &mut self.missing } else { &mut self.damaged };
        *count = count.saturating_add(1);
        if self.names.len() < Self::NAMES {
            self.names.push(name);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.missing == 0 && self.damaged == 0
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = |count: usize| format!("{count} object{}", if count == 1 { "" } else { "s" });
        let are = |count: usize| if count == 1 { "is" } else { "are" };
        let Self { missing, damaged, names } = self;
        if *missing > 0 {
            write!(f, "{} {} missing", objects(*missing), are(*missing))?;
        }
        if *damaged > 0 {
            let and = if *missing > 0 { ", " } else { "" };
            write!(f, "{and}{} {} damaged", objects(*damaged), are(*damaged))?;
        }
        let more = missing.saturating_add(*damaged) > names.len();
        let names: Vec<String> = names.iter().map(Digest::to_string).collect();
        write!(f, " ({}{})", names.join(", "), if more { ", …" } else { "" })
    }
}
