//! Whether the library can be used: looked at by really using it.

use super::{Lock, LockError, Sharing, home, library};
use std::path::PathBuf;

/// How the library stands.
#[derive(Debug)]
pub struct Health {
    /// Its folder.
    pub folder: PathBuf,
    /// How many snapshots are in it.
    pub snapshots: usize,
    /// How many things lie there that are none.
    pub broken: usize,
    /// Bytes of all snapshots, as recorded.
    pub bytes: u64,
    /// Bytes that are free for this user, if that can be told.
    pub free: Option<u64>,
    /// Why it is of no use, if so.
    pub trouble: Option<String>,
}

impl Health {
    /// Lists it, writes a file that is gone again, and takes a lock.
    pub fn look() -> Self {
        let folder = home::path("snapshots");
        let unwritable = |error| format!("{} cannot be written: {error}", folder.display());
        let written = home::folder("snapshots").and_then(tempfile::tempfile_in).map(drop).map_err(unwritable);
        let locked = || match Lock::take("the library", "doctor", Sharing::Shared) {
            Ok(_) | Err(LockError::Held { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        let listed = library::list(None).map_err(|error| error.to_string());
        let trouble = written.and_then(|()| locked()).err().or_else(|| listed.as_ref().err().cloned());
        let (all, broken) = listed.unwrap_or_default();
        let free = rustix::fs::statvfs(&folder).ok().map(|told| told.f_bavail.saturating_mul(told.f_frsize));
        let bytes = all.iter().map(library::Stored::bytes).sum();
        Self { snapshots: all.len(), broken: broken.len(), bytes, free, trouble, folder }
    }
}
