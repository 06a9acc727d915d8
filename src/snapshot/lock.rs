//! Locks: one freeze of a VM, or to an output, at a time.

use super::home;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
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
/// How long an owner may take to tell of itself on a busy machine, and a sweep, which tells nothing, to let go.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// How the name of a lock ends.
const ENDING: &str = ".lock";
/// More than this no lock file holds.
const LIMIT: u64 = 1 << 10;

/// How often it is tried meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

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
        let unlockable =
            |source| LockError::Unlockable { what: what.to_owned(), folder: home::shown_path("locks").into(), source };
        let path = home::folder("locks").map_err(unlockable)?.join(format!("{key}{ENDING}"));
        let began = Instant::now();
        loop {
            let file = home::open(&path).map_err(unlockable)?;
            if !home::lock(&file, sharing == Sharing::Shared).map_err(unlockable)? {
                let owner = owner(&file);
                if began.elapsed() < if owner.is_some() { MOMENT } else { INTRODUCTION } {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                let owner = owner.map_or_else(String::new, |owner| format!(" ({owner})"));
                return Err(LockError::Held { what: what.to_owned(), owner: format!("another bottle-freeze{owner}") });
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

/// Removes the locks of dead owners: files that are named as locks and hold what a lock holds. No run waits for one.
pub(super) fn sweep() {
    let folder = home::existing("locks").ok().flatten();
    for entry in folder.into_iter().flat_map(fs::read_dir).flatten().flatten() {
        let path = entry.path();
        let Some(file) =
            home::open_own(&path).ok().filter(|_| path.as_os_str().as_bytes().ends_with(ENDING.as_bytes()))
        else {
            continue;
        };
        let mut text = Vec::new();
        let is_ours = (&file).take(LIMIT).read_to_end(&mut text).is_ok() && home::is_introduction(&text);
        if is_ours && home::lock(&file, false).unwrap_or(false) {
            // Whoever finds it held meanwhile does not read of a dead owner.
            let _ = file.set_len(0);
            drop(Lock { file, path });
        }
    }
}

/// What tells a VM from all others.
pub fn vm_key(name: &str) -> String {
    format!("vm-{name}")
}

/// What tells a file from all others, whatever way its folder was named.
pub fn file_key(path: &Path) -> io::Result<String> {
    let folder = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
    let path = folder.join(path.file_name().unwrap_or_default());
    Ok(format!("output-{:08x}", crc32fast::hash(path.as_os_str().as_bytes())))
}

/// Writes who holds the lock: one line, in one piece.
fn introduce(file: &mut File) -> io::Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("process {} on {host}, since {now}\n", std::process::id()).as_bytes())
}

/// Who holds the lock, if it has told so by now.
fn owner(file: &File) -> Option<String> {
    let mut text = [0; 400];
    let count = file.read_at(&mut text, 0).ok()?;
    let (line, _) = std::str::from_utf8(&text[..count]).ok()?.split_once('\n')?;
    Some(line.to_owned())
}
