//! Damaged snapshots: folders in the library whose `snapshot.json` cannot be used.

use super::layout::{OBJECTS, SNAPSHOTS};
use super::lock::Lock;
use super::metadata::MetadataError;
use super::removal::{self, Identity, RemoveError};
use super::store;
use super::stored::{Removal, Stored};
use crate::files;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// A folder in the library that is not a valid snapshot.
#[derive(Debug, Clone, Error)]
#[error("{} is not a valid snapshot: {why}", self.reference())]
pub struct Broken {
    /// The folder.
    pub folder: PathBuf,
    /// Why it is not one.
    pub why: MetadataError,
    /// The folder that was read: another one may get its name later.
    identity: Identity,
}

impl Broken {
    /// A folder, and why it is not a valid snapshot.
    pub fn new(folder: PathBuf, why: MetadataError) -> Self {
        let identity = Identity::of(&folder);
        Self { folder, why, identity }
    }

    /// Its name: `VM@ID`, or `VM` if it is the folder of all snapshots of a VM.
    pub fn reference(&self) -> String {
        let name =
            |path: Option<&Path>| path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let (id, parent) = (name(Some(&self.folder)), self.folder.parent());
        let is_vm = parent.is_some_and(|parent| parent.ends_with(SNAPSHOTS));
        if is_vm { id } else { format!("{}@{id}", name(parent)) }
    }

    /// Whether `snapshot rm` can remove it: not if it is a link, or has a name that no argument can hold.
    pub fn is_removable(&self) -> bool {
        self.is_folder() && self.folder.to_str().is_some()
    }

    /// Whether it is a folder, and no link to one.
    pub(super) fn is_folder(&self) -> bool {
        fs::symlink_metadata(&self.folder).is_ok_and(|meta| meta.is_dir())
    }

    /// Bytes of all its files, with its chunks, which others may have too.
    pub fn bytes(&self) -> u64 {
        let present = self.is_folder().then(|| store::present(&self.folder).unwrap_or_default());
        let chunks = present.into_iter().flatten().map(|chunk| chunk.bytes);
        chunks.fold(self.own_bytes(), u64::saturating_add)
    }

    /// Bytes of the files that it shares with no other snapshot: all but its chunks.
    pub fn own_bytes(&self) -> u64 {
        let entries = self.is_folder().then(|| fs::read_dir(&self.folder).into_iter().flatten().flatten());
        let own = entries.into_iter().flatten().filter(|entry| entry.file_name() != OBJECTS);
        let bytes = |entry: fs::DirEntry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => files::disk_usage(&entry.path()),
            meta => meta.map_or(0, |meta| meta.len()),
        };
        own.map(bytes).fold(0, u64::saturating_add)
    }

    /// Whether it may have been made after `moment`: if its oldest file was. The artifact is written once, before the
    /// snapshot is published, and the next freeze of that VM starts only after that.
    pub fn may_be_newer_than(&self, moment: SystemTime) -> bool {
        let modified = |meta: Metadata| meta.modified().ok();
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let oldest = files.filter_map(|file| file.metadata().ok().and_then(modified)).min();
        let time = oldest.or_else(|| fs::symlink_metadata(&self.folder).ok().and_then(modified));
        time.is_none_or(|time| time > moment)
    }

    /// Removes it, if it is still not a valid snapshot and holds only files with the names of a snapshot's files. The lock
    /// is that of its VM's snapshots.
    ///
    /// # Errors
    /// It holds other files, was replaced in the meantime, or the system refuses.
    pub fn remove(&self, _library: &Lock) -> Result<u64, RemoveError> {
        if !self.is_folder() {
            let source = io::Error::other("it is a link, or not a folder");
            return Err(RemoveError::Io { folder: self.folder.clone(), source });
        }
        let alone = self.identity.lock(&self.reference(), &self.folder)?;
        if Stored::read(self.folder.clone()).is_ok() {
            return Err(RemoveError::Gone(self.reference()));
        }
        removal::remove(&self.folder, &alone, &|_| false)
    }
}

/// A snapshot in the library, valid or damaged.
#[derive(Debug)]
pub enum Entry {
    /// A valid snapshot.
    Whole(Box<Stored>),
    /// A damaged snapshot.
    Broken(Broken),
}

impl Entry {
    /// Its name: `VM@ID`.
    pub fn reference(&self) -> String {
        match self {
            Self::Whole(stored) => stored.reference(),
            Self::Broken(broken) => broken.reference(),
        }
    }

    /// The VM that was frozen.
    pub fn vm(&self) -> &str {
        let folder = self.folder().parent().and_then(Path::file_name);
        folder.and_then(OsStr::to_str).unwrap_or_default()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Whole(stored) => &stored.folder,
            Self::Broken(broken) => &broken.folder,
        }
    }

    /// Its id.
    pub fn id(&self) -> std::borrow::Cow<'_, str> {
        self.folder().file_name().map(OsStr::to_string_lossy).unwrap_or_default()
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Whole(stored) => stored.bytes(),
            Self::Broken(broken) => broken.bytes(),
        }
    }

    /// Removes it: see [`Stored::remove`] and [`Broken::remove`].
    ///
    /// # Errors
    /// It holds other files, was replaced in the meantime, or is being read; or the system refuses.
    pub fn remove(&self, library: &Lock) -> Result<Removal, RemoveError> {
        match self {
            Self::Whole(stored) => stored.remove(library),
            Self::Broken(broken) => broken.remove(library).map(Removal::Removed),
        }
    }
}

impl From<Stored> for Entry {
    fn from(stored: Stored) -> Self {
        Self::Whole(Box::new(stored))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reference())
    }
}
