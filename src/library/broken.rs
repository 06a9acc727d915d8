//! Folders in the library that should be snapshots, and cannot be read as such.

use super::lock::Lock;
use super::metadata::{Metadata as Snapshot, MetadataError};
use super::removal::{self, Identity, RemoveError};
use super::store::{Removal, Stored};
use crate::files;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// A folder of the library that is no snapshot.
#[derive(Debug, Error)]
#[error("{} is no snapshot: {why}", self.reference())]
pub struct Broken {
    /// The folder.
    pub folder: PathBuf,
    /// Why.
    pub why: MetadataError,
    /// Which folder was read.
    identity: Identity,
}

impl Broken {
    /// A folder, and why it is no snapshot.
    pub fn new(folder: PathBuf, why: MetadataError) -> Self {
        let identity = Identity::of(&folder);
        Self { folder, why, identity }
    }

    /// How it is named: `VM@ID`, or `VM` if that is the folder of all of a VM's snapshots.
    pub fn reference(&self) -> String {
        let name =
            |path: Option<&Path>| path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let (id, parent) = (name(Some(&self.folder)), self.folder.parent());
        let is_vm = parent.is_some_and(|parent| parent.ends_with(super::store::SNAPSHOTS));
        if is_vm { id } else { format!("{}@{id}", name(parent)) }
    }

    /// Whether it can be removed by that name: a link is not ours, and a command line may not hold every name.
    pub fn is_removable(&self) -> bool {
        is_folder(&self.folder) && self.folder.to_str().is_some()
    }

    /// Bytes that it takes on the disk.
    pub fn bytes(&self) -> u64 {
        files::disk_usage(&self.folder)
    }

    /// Whether it may have been made after `moment`: its oldest file was. The artifact is written once, before the
    /// snapshot is published, and another freeze of that VM does not begin before that.
    pub fn may_be_newer_than(&self, moment: SystemTime) -> bool {
        let modified = |meta: Metadata| meta.modified().ok();
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let oldest = files.filter_map(|file| file.metadata().ok().and_then(modified)).min();
        let time = oldest.or_else(|| fs::symlink_metadata(&self.folder).ok().and_then(modified));
        time.is_none_or(|time| time > moment)
    }

    /// Removes it, under the lock of its VM's snapshots, if it still is no snapshot, and all that it holds has the name of
    /// a snapshot's file.
    ///
    /// # Errors
    /// It holds something else, was replaced meanwhile, or the system refuses.
    pub fn remove(&self, _library: &Lock) -> Result<(), RemoveError> {
        if !is_folder(&self.folder) {
            let source = io::Error::other("it is a link, or no folder");
            return Err(RemoveError::Io { folder: self.folder.clone(), source });
        }
        let alone = self.identity.lock(&self.reference(), &self.folder)?;
        if Snapshot::of_folder(&self.folder).is_ok() {
            return Err(RemoveError::Gone(self.reference()));
        }
        removal::remove(&self.folder, &alone, &|_| false)
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// What a reference names.
#[derive(Debug)]
pub enum Entry {
    /// A snapshot.
    Whole(Box<Stored>),
    /// What should be one.
    Broken(Broken),
}

impl Entry {
    /// How it is named: `VM@ID`.
    pub fn reference(&self) -> String {
        match self {
            Self::Whole(stored) => stored.reference(),
            Self::Broken(broken) => broken.reference(),
        }
    }

    /// The VM that it is of.
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
    /// It holds what is not of a snapshot, was replaced meanwhile, or is being read; or the system refuses.
    pub fn remove(&self, library: &Lock) -> Result<Removal, RemoveError> {
        match self {
            Self::Whole(stored) => stored.remove(library),
            Self::Broken(broken) => broken.remove(library).map(|()| Removal::Removed),
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
