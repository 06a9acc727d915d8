//! How the folder of a snapshot is removed, and nothing that a user put into it.

use super::lock::{Lock, LockError, Sharing};
use super::metadata;
use super::store::FILES;
use crate::files;
use crate::home;
use crate::publish::{self, PRIVATE, withdraw};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// Why a snapshot is not removed.
#[derive(Debug, Error)]
pub enum RemoveError {
    /// There is no such snapshot any more, or another one has its name.
    #[error("{0} was removed or replaced meanwhile")]
    Gone(String),
    /// It is being read, or cannot be locked.
    #[error(transparent)]
    Locked(LockError),
    /// Files lie in its folder that bottle-freeze did not write.
    #[error("{} holds what is not part of a snapshot: {}", folder.display(), names.join(", "))]
    Foreign {
        /// Its folder.
        folder: PathBuf,
        /// The names of the files.
        names: Vec<String>,
    },
    /// The system refuses.
    #[error("{} cannot be removed: {source}", folder.display())]
    Io {
        /// Its folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What identifies a folder: device, inode, and when it was made, where the file system records that (an
/// inode is used again). Nothing, if it could not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(Option<(u64, u64, Option<SystemTime>)>);

impl Identity {
    /// That of a folder.
    pub fn of(folder: &Path) -> Self {
        Self(fs::symlink_metadata(folder).map(|meta| (meta.dev(), meta.ino(), meta.created().ok())).ok())
    }

    /// Whether the folder of that name is the same one.
    pub fn is_that_of(self, folder: &Path) -> bool {
        self.0.is_some() && self == Self::of(folder)
    }

    /// Locks that folder alone, to be removed: if it still is the same one, and no run reads it.
    ///
    /// # Errors
    /// It is not, or one does.
    pub fn lock(self, reference: &str, folder: &Path) -> Result<Lock, RemoveError> {
        let gone = || RemoveError::Gone(reference.to_owned());
        match Lock::folder(reference, folder, Sharing::Alone) {
            Ok(_) if !self.is_that_of(folder) => Err(gone()),
            Err(LockError::Gone(_)) => Err(gone()),
            result => result.map_err(RemoveError::Locked),
        }
    }
}

/// Removes the folder of a snapshot, `VM/ID`, that is locked alone: out of sight in one instant, then file by file. What a kill leaves of it is
/// known by the names of its files: this needs no room on the disk. `is_recorded` says which other files it has.
///
/// # Errors
/// It holds anything else, or the system refuses.
pub fn remove(folder: &Path, _alone: &Lock, is_recorded: &dyn Fn(&str) -> bool) -> Result<(), RemoveError> {
    let refused = |source| RemoveError::Io { folder: folder.to_owned(), source };
    let meta = fs::symlink_metadata(folder).map_err(refused)?;
    if !meta.is_dir() || !files::is_own(&meta) {
        return Err(refused(io::Error::other("it is a link, or not a folder of this user")));
    }
    let names = foreign(folder, is_recorded).map_err(refused)?;
    if !names.is_empty() {
        return Err(RemoveError::Foreign { folder: folder.to_owned(), names });
    }
    // Seen before it is out of sight: what cannot be removed stays a snapshot.
    publish::check_removable(folder).map_err(refused)?;
    // Locked while the hidden folder goes: no other run sweeps it meanwhile.
    let gone = folder.with_file_name(format!("{PRIVATE}{:.6}", super::store::new_id()));
    match withdraw(folder, &gone) {
        // Not even the longer name has room. Without this file it is no snapshot any more.
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            publish::remove(&folder.join(metadata::FILE)).map_err(refused)?;
            clear(folder).map_err(refused)
        }
        result => result.and_then(|()| clear(&gone)).map_err(refused),
    }
}

/// What is in it that no snapshot has.
fn foreign(folder: &Path, is_recorded: &dyn Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (name, path, meta) = entry.and_then(|entry| Ok((entry.file_name(), entry.path(), entry.metadata()?)))?;
        let is_known = name.to_str().is_some_and(|name| FILES.contains(&name) || is_recorded(name))
            || files::is_private_name(&name, PRIVATE)
            || files::is_private_name(&name, home::TEMPORARY);
        let is_full_folder = meta.is_dir() && fs::read_dir(&path)?.next().is_some();
        if !is_known || is_full_folder || !files::is_own(&meta) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        match if entry.file_type()?.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) } {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(folder)
}
