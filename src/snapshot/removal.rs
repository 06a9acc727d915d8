//! How the folder of a snapshot is removed, and nothing that somebody put into it.

use super::home;
use super::library::FILES;
use crate::publish::{PRIVATE, withdraw};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How 0.1.0 named a snapshot.json that it had not yet published.
const TEMPORARY: &str = ".tmp";

/// Why a snapshot is not removed.
#[derive(Debug, Error)]
pub enum RemoveError {
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

/// Removes the folder of a snapshot, `VM/ID`: out of sight in one instant, then file by file. What a kill leaves of it is
/// known by the names of its files: this needs no room on the disk. `is_recorded` says which other files it has.
///
/// # Errors
/// It holds anything else, or the system refuses.
pub fn remove(folder: &Path, is_recorded: &dyn Fn(&str) -> bool) -> Result<(), RemoveError> {
    let refused = |source| RemoveError::Io { folder: folder.to_owned(), source };
    let meta = fs::symlink_metadata(folder).map_err(refused)?;
    if !meta.is_dir() || !home::is_own(&meta) {
        return Err(refused(io::Error::other("it is a link, or not a folder of this user")));
    }
    let names = foreign(folder, is_recorded).map_err(refused)?;
    if !names.is_empty() {
        return Err(RemoveError::Foreign { folder: folder.to_owned(), names });
    }
    let beside = folder.parent().unwrap_or(Path::new("/"));
    let gone = beside.join(format!("{PRIVATE}{}", &super::library::new_id()[..6]));
    // Held while the hidden folder goes: nobody else sweeps it meanwhile.
    let lock = File::open(folder).map_err(refused)?;
    let _ = home::lock(&lock, false);
    withdraw(folder, &gone).map_err(refused)?;
    clear(&gone).map_err(refused)?;
    // The last one of a VM takes the VM's folder with it.
    let _ = fs::remove_dir(beside);
    Ok(())
}

/// What is in it that no snapshot has.
fn foreign(folder: &Path, is_recorded: &dyn Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (name, path, meta) = entry.and_then(|entry| Ok((entry.file_name(), entry.path(), entry.metadata()?)))?;
        let is_known = name.to_str().is_some_and(|name| FILES.contains(&name) || is_recorded(name))
            || home::is_private(&name, PRIVATE)
            || home::is_private(&name, TEMPORARY);
        let is_full_folder = meta.is_dir() && fs::read_dir(&path)?.next().is_some();
        if !is_known || is_full_folder || !home::is_own(&meta) {
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
