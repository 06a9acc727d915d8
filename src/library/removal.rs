//! Removes the folder of a snapshot, but no file that a user put into it.

use super::layout::{FILES, INDEX, METADATA, OBJECTS, new_id};
use super::lock::{Lock, LockError, Sharing};
use super::store;
use crate::publish::{self, PRIVATE, withdraw};
use crate::{files, home};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// Why a snapshot is not removed.
#[derive(Debug, Error)]
pub enum RemoveError {
    /// The snapshot no longer exists, or another one has its name.
    #[error("{0} was removed or replaced in the meantime")]
    Gone(String),
    /// The snapshot is being read, or cannot be locked.
    #[error(transparent)]
    Locked(LockError),
    /// Its folder holds files that bottle-freeze did not write.
    #[error("{} holds files that are not part of a snapshot: {}", folder.display(), names.join(", "))]
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
        /// The system's error.
        source: io::Error,
    },
}

/// Identifies a folder by device, inode, and creation time if the file system records it (inodes are reused). Nothing if
/// the folder could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(Option<(u64, u64, Option<SystemTime>)>);

impl From<&fs::Metadata> for Identity {
    fn from(meta: &fs::Metadata) -> Self {
        Self(Some((meta.dev(), meta.ino(), meta.created().ok())))
    }
}

impl Identity {
    /// The identity of a folder.
    pub fn of(folder: &Path) -> Self {
        fs::symlink_metadata(folder).map_or(Self(None), |meta| Self::from(&meta))
    }

    /// Whether the folder at this path is the same one.
    pub fn matches(self, folder: &Path) -> bool {
        self.0.is_some() && self == Self::of(folder)
    }

    /// Locks the folder for removal.
    ///
    /// # Errors
    /// It is not the same folder any more, or another run is reading it.
    pub fn lock(self, reference: &str, folder: &Path) -> Result<Lock, RemoveError> {
        let gone = || RemoveError::Gone(reference.to_owned());
        match Lock::folder(reference, folder, Sharing::Alone) {
            Ok(_) if !self.matches(folder) => Err(gone()),
            Err(LockError::Gone(_)) => Err(gone()),
            result => result.map_err(RemoveError::Locked),
        }
    }
}

/// Removes the folder `VM/ID` of a snapshot, with the lock `_alone` on it: hides it in one step, then removes its files. If
/// the run is killed, the next one knows the rest by the names of the files, which needs no disk space. `is_recorded`
/// says which other files belong to the snapshot. Returns the bytes that this frees: other snapshots keep the chunks that they
/// share.
///
/// # Errors
/// It holds other files, or the system refuses.
pub fn remove(folder: &Path, _alone: &Lock, is_recorded: &dyn Fn(&str) -> bool) -> Result<u64, RemoveError> {
    let refused = |source| RemoveError::Io { folder: folder.to_owned(), source };
    let meta = fs::symlink_metadata(folder).map_err(refused)?;
    if !meta.is_dir() || !files::is_own(&meta) {
        return Err(refused(io::Error::other("it is a link, or not a folder of this user")));
    }
    let names = foreign(folder, is_recorded).map_err(refused)?;
    if !names.is_empty() {
        return Err(RemoveError::Foreign { folder: folder.to_owned(), names });
    }
    // Checked before it is hidden: a snapshot that cannot be removed stays whole.
    publish::check_removable(folder).map_err(refused)?;
    let objects = folder.join(OBJECTS);
    if objects.is_dir() {
        publish::check_removable(&objects).map_err(refused)?;
    }
    // Still locked while its files are removed, so that no other run sweeps it.
    let gone = folder.with_file_name(format!("{PRIVATE}{:.6}", new_id()));
    match withdraw(folder, &gone) {
        // The disk has no space even for the longer name. Without this file it is no longer a snapshot.
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            publish::remove(&folder.join(METADATA)).map_err(refused)?;
            clear(folder).map_err(refused)
        }
        result => result.and_then(|()| clear(&gone)).map_err(refused),
    }
}

/// The names in it that do not belong to a snapshot.
fn foreign(folder: &Path, is_recorded: &dyn Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (name, path, meta) = entry.and_then(|entry| Ok((entry.file_name(), entry.path(), entry.metadata()?)))?;
        let is_known = name.to_str().is_some_and(|name| FILES.contains(&name) || name == INDEX || is_recorded(name))
            || ([PRIVATE, home::TEMPORARY].iter().any(|prefix| files::is_private_name(&name, prefix))
                && (meta.is_dir() || is_of_record(&path)));
        if name == OBJECTS && meta.is_dir() && files::is_own(&meta) {
            names.extend(store::foreign(&path)?);
            continue;
        }
        let is_full_folder = meta.is_dir() && fs::read_dir(&path)?.next().is_some();
        if !is_known || is_full_folder || !files::is_own(&meta) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a file may be a `snapshot.json` of a run that was killed before it had its name.
fn is_of_record(path: &Path) -> bool {
    let mut head = Vec::new();
    let is_read = files::open_own(path).is_ok_and(|file| file.take(1).read_to_end(&mut head).is_ok());
    is_read && (head.is_empty() || head == [0] || head == *b"{")
}

fn clear(folder: &Path) -> io::Result<u64> {
    let mut freed = store::remove_objects(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, meta) = (entry.path(), entry.metadata()?);
        match if meta.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) } {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => freed += meta.len(),
        }
    }
    fs::remove_dir(folder).map(|()| freed)
}
