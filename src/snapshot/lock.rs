//! Locks: one freeze of a VM, or to an output, at a time.

use super::home;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Why there is no lock.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{what} is in use by {owner}")]
    Held {
        /// What is locked.
        what: String,
        /// Who locked it, as it told of itself.
        owner: String,
    },
    /// The lock file cannot be made.
    #[error("{what} cannot be locked in {}: {source}", folder.display())]
    Unlockable {
        /// What was to be locked.
        what: String,
        /// The folder of the locks.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How long another run's sweep may hold a lock that it finds to be nobody's.
const MOMENT: Duration = Duration::from_millis(50);

/// Who else may hold a lock meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Alone,
    /// All who share it.
    Shared,
}

/// A held lock, until dropped. It lies beside the library, not beside an output, which may be on a file system
/// without locks; its file tells its owner.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks `what`, a word for people; `key` tells it from all others. A dead owner's lock is taken over.
    ///
    /// # Errors
    /// Held by a living process, or no lock file can be made.
    pub fn take(what: &str, key: &str, sharing: Sharing) -> Result<Self, LockError> {
        let unlockable = |source| LockError::Unlockable { what: what.to_owned(), folder: home::path("locks"), source };
        let path = home::folder("locks").map_err(unlockable)?.join(format!("{key}.lock"));
        let began = Instant::now();
        loop {
            let file = home::open(&path).map_err(unlockable)?;
            if !home::lock(&file, sharing == Sharing::Shared).map_err(unlockable)? {
                if began.elapsed() < MOMENT {
                    std::thread::sleep(MOMENT / 10);
                    continue;
                }
                return Err(LockError::Held { what: what.to_owned(), owner: owner(&file) });
            }
            // Its last owner may have removed it between the two steps.
            if home::is_still(&path, &file) {
                let mut lock = Self { file, path };
                introduce(&mut lock.file).map_err(unlockable)?;
                return Ok(lock);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is ours alone: whoever has it open by now sees that, and makes a new one.
        if home::lock(&self.file, false).unwrap_or(false) && home::is_still(&self.path, &self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the locks of dead owners. Best effort: nobody is kept by one.
pub fn sweep() {
    let Ok(folder) = home::folder("locks") else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if let Ok(file) = home::open(&entry.path()) {
            // Dropped, it is removed if it is nobody's.
            drop(Lock { file, path: entry.path() });
        }
    }
}

/// What tells a VM from all others.
pub fn vm_key(name: &str) -> String {
    format!("vm-{name}")
}

/// What tells a file from all others, whatever way its folder was named.
pub fn file_key(path: &Path) -> io::Result<String> {
    use std::os::unix::ffi::OsStrExt;
    let folder = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
    let path = folder.join(path.file_name().unwrap_or_default());
    Ok(format!("output-{:08x}", crc32fast::hash(path.as_os_str().as_bytes())))
}

fn introduce(file: &mut File) -> io::Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {} on {host}, since {now}", std::process::id())
}

fn owner(file: &File) -> String {
    let mut owner = String::new();
    match file.take(400).read_to_string(&mut owner) {
        Ok(1..) => format!("another bottle-freeze ({owner})"),
        _ => "another bottle-freeze".to_owned(),
    }
}
