//! Locks. VMs and output files are locked by a file in this host's [`runtime`] folder; snapshots by their own folder,
//! opened read-only, so that they can be locked on a full or read-only disk.

use super::{holder, runtime};
use crate::{files, home};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Why it cannot be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{what} is in use by {owner}")]
    Held {
        /// What is locked.
        what: String,
        /// Who locked it.
        owner: String,
    },
    /// The folder to lock was removed or replaced.
    #[error("{0} was removed in the meantime")]
    Gone(String),
    /// The lock cannot be created.
    #[error("{what} cannot be locked in {}: {source}", folder.display())]
    Unlockable {
        /// What to lock.
        what: String,
        /// The folder of the lock.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// How long to wait for another run's sweep of an abandoned lock.
const SWEEP_TIME: Duration = Duration::from_millis(50);
/// How long to wait for an owner to write its name on a busy machine, or for a sweep to end, which writes none.
const OWNER_TIME: Duration = Duration::from_secs(2);

/// The pause between attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// Who else may hold the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// No other process.
    Alone,
    /// Other processes that share it.
    Shared,
}

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    on_drop: OnDrop,
}

/// What to do when the lock is dropped, while it is still held alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDrop {
    /// Remove the lock file.
    RemoveFile,
    /// Remove the folder if it is empty.
    RemoveEmptyFolder,
    /// Nothing.
    Nothing,
}

impl Lock {
    /// Locks by a file in the runtime folder that is named by `key`. `what` describes it in messages. Takes over the lock of
    /// a process that has ended.
    ///
    /// # Errors
    /// A running process holds it, or the lock file cannot be created.
    pub fn take(what: &str, key: &str, sharing: Sharing) -> Result<Self, LockError> {
        let unlockable = |source| unlockable(what, &runtime::path(), source);
        let path = runtime::folder().map_err(unlockable)?.join(format!("{key}{SUFFIX}"));
        let began = Instant::now();
        loop {
            let file = files::open_or_create(&path).map_err(unlockable)?;
            if !files::try_lock(&file, sharing == Sharing::Shared).map_err(unlockable)? {
                let owner = owner(&file);
                if began.elapsed() < if owner.is_some() { SWEEP_TIME } else { OWNER_TIME } {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                return Err(held(what, owner.or_else(|| holder::of(&file))));
            }
            // Its last owner may have removed it before it was locked.
            if files::is_same_file(&path, &file) {
                let mut lock = Self { file, path, on_drop: OnDrop::RemoveFile };
                // On a full disk this fails, but the lock holds.
                let _ = write_owner(&mut lock.file);
                return Ok(lock);
            }
        }
    }

    /// Locks a folder itself. Writes nothing.
    ///
    /// # Errors
    /// A running process holds it, it is gone, or the file system has no locks.
    pub fn folder(what: &str, folder: &Path, sharing: Sharing) -> Result<Self, LockError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = || {
            let file = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
            Ok((files::try_lock(&file, sharing == Sharing::Shared)?, file))
        };
        let (is_locked, file) = lock().map_err(|source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => LockError::Gone(what.to_owned()),
            _ => unlockable(what, folder, source),
        })?;
        // It may have been removed or replaced before it was locked.
        if !files::is_same_file(folder, &file) {
            return Err(LockError::Gone(what.to_owned()));
        }
        if !is_locked {
            return Err(held(what, holder::of(&file)));
        }
        Ok(Self { file, path: folder.to_owned(), on_drop: OnDrop::Nothing })
    }

    /// The same lock; dropping it removes its folder if it is empty.
    #[must_use]
    pub fn removing_if_empty(mut self) -> Self {
        self.on_drop = OnDrop::RemoveEmptyFolder;
        self
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is locked alone: a process that has it open sees that, and creates a new one.
        if self.on_drop != OnDrop::Nothing
            && files::try_lock(&self.file, false).unwrap_or(false)
            && files::is_same_file(&self.path, &self.file)
        {
            let _ = if self.on_drop == OnDrop::RemoveFile {
                fs::remove_file(&self.path)
            } else {
                fs::remove_dir(&self.path)
            };
        }
    }
}

fn unlockable(what: &str, folder: &Path, source: io::Error) -> LockError {
    LockError::Unlockable { what: what.to_owned(), folder: folder.to_owned(), source }
}

fn held(what: &str, owner: Option<String>) -> LockError {
    let owner = owner.map_or_else(String::new, |owner| format!(" ({owner})"));
    LockError::Held { what: what.to_owned(), owner: format!("another bottle-freeze{owner}") }
}

/// The suffix and prefixes of the names of lock files.
const SUFFIX: &str = ".lock";
const PREFIXES: [&str; 3] = ["vm-", "output-", "ports."];
/// The most bytes that are read of a lock file.
const LIMIT: u64 = 4 << 10;

/// Removes the locks of processes that have ended: files with the name and content of a lock file.
pub(super) fn sweep() {
    let is_named = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    // Not created just to sweep it.
    let runtime = fs::symlink_metadata(runtime::path()).and_then(|_| runtime::folder());
    if let Ok(folder) = runtime {
        sweep_folder(&folder, &is_named);
    }
    // 0.1.0 kept them in the library.
    if let Ok(Some(folder)) = home::existing("locks") {
        sweep_folder(&folder, &|_| true);
    }
}

fn sweep_folder(folder: &Path, is_named: &dyn Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let Some(file) = files::open_own(&path).ok().filter(|_| name.ends_with(SUFFIX) && is_named(&name)) else {
            continue;
        };
        let mut text = Vec::new();
        let is_ours = (&file).take(LIMIT).read_to_end(&mut text).is_ok() && home::is_introduction(&text);
        if is_ours && files::try_lock(&file, false).unwrap_or(false) {
            // Another run that finds it locked now must not report the old owner.
            let _ = file.set_len(0);
            drop(Lock { file, path, on_drop: OnDrop::RemoveFile });
        }
    }
}

/// The key of a VM: from its name, and the folder of the engine that holds it.
pub fn vm_key(state: &Path, name: &str) -> String {
    format!("vm-{name}-{}", digest(state.as_os_str()))
}

/// The key of an output file: from its path without links.
pub fn file_key(path: &Path) -> io::Result<String> {
    let folder = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
    let path = folder.join(path.file_name().unwrap_or_default());
    Ok(format!("output-{}", digest(path.as_os_str())))
}

/// Enough digits of a hash to be unique.
fn digest(text: &OsStr) -> String {
    let mut digest = base16ct::lower::encode_string(&Sha256::digest(text.as_bytes()));
    digest.truncate(32);
    digest
}

/// Writes who holds the lock: one line, in one write.
fn write_owner(file: &mut File) -> io::Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = crate::clock::rfc3339_seconds(std::time::SystemTime::now());
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("process {} on {host}, since {now}\n", std::process::id()).as_bytes())
}

/// Who holds the lock, if the file says so yet.
fn owner(file: &File) -> Option<String> {
    let mut text = [0; 400];
    let count = file.read_at(&mut text, 0).ok()?;
    let (line, _) = std::str::from_utf8(text.get(..count)?).ok()?.split_once('\n')?;
    Some(line.to_owned())
}
