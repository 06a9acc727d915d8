//! Whether the library can be used: looked at by really using it.

use super::{Lock, LockError, Sharing, home, library};
use std::io;
use std::path::PathBuf;

/// How the library stands.
#[derive(Debug)]
pub struct Health {
    /// Its folder.
    pub folder: PathBuf,
    /// How many snapshots are in it, and what lies there and is none.
    pub snapshots: usize,
    /// The others.
    pub broken: usize,
    /// Bytes of all snapshots, as recorded.
    pub bytes: u64,
    /// Bytes that are free for this user.
    pub free: Option<u64>,
    /// Why it is of no use, if so.
    pub trouble: Option<Trouble>,
}

/// Why the library is of no use.
#[derive(Debug)]
pub enum Trouble {
    /// It cannot be read.
    Unreadable(String),
    /// Nothing can be written.
    ReadOnly(io::Error),
    /// Nothing can be locked beside it.
    Unlockable(String),
}

impl Health {
    /// Lists it, writes a file that is gone again, and takes a lock.
    pub fn look() -> Self {
        let folder = home::path("snapshots");
        let (all, broken, unreadable) = match library::list(None) {
            Ok((all, broken)) => (all, broken.len(), None),
            Err(error) => (Vec::new(), 0, Some(Trouble::Unreadable(error.to_string()))),
        };
        let written = home::folder("snapshots").and_then(tempfile::tempfile_in).err().map(Trouble::ReadOnly);
        let locked = || match Lock::take("the library", "doctor", Sharing::Shared) {
            Ok(_) | Err(LockError::Held { .. }) => None,
            Err(error) => Some(Trouble::Unlockable(error.to_string())),
        };
        let free = rustix::fs::statvfs(&folder).ok().map(|told| told.f_bavail.saturating_mul(told.f_frsize));
        let bytes = all.iter().map(library::Stored::bytes).sum();
        let trouble = unreadable.or(written).or_else(locked);
        Self { folder, snapshots: all.len(), broken, bytes, free, trouble }
    }
}
