//! Locks. Each belongs to what it protects: a VM and an output are locked in this host's [`runtime`] folder, a part of
//! the library by its own folder, opened read-only, so that a full or read-only disk forbids no lock.

use super::{holder, runtime};
use crate::files;
use crate::home;
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

/// Why there is no lock.
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
    /// The folder that was to be locked was removed or replaced.
    #[error("{0} was removed meanwhile")]
    Gone(String),
    /// The lock cannot be made.
    #[error("{what} cannot be locked in {}: {source}", folder.display())]
    Unlockable {
        /// What was to be locked.
        what: String,
        /// The folder of the lock.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How long another run's sweep may hold a lock that it finds to be abandoned.
const MOMENT: Duration = Duration::from_millis(50);
/// How long an owner may take to write who it is on a busy machine, and a sweep, which writes nothing, to end.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// How often it is tried meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// Who else may hold a lock meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// No other process.
    Alone,
    /// All who share it.
    Shared,
}

/// A held lock, until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    end: End,
}

/// What is done at the end of a lock, while it is still held alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The lock file is removed.
    RemoveFile,
    /// The folder is removed if it is empty.
    RemoveEmptyFolder,
    Nothing,
}

impl Lock {
    /// Locks `what`, a word for people, by a file in the runtime folder; `key` identifies it. A dead owner's
    /// lock is taken over.
    ///
    /// # Errors
    /// A living process holds it, or no lock file can be made.
    pub fn take(what: &str, key: &str, sharing: Sharing) -> Result<Self, LockError> {
        let unlockable = |source| unlockable(what, &runtime::path(), source);
        let path = runtime::folder().map_err(unlockable)?.join(format!("{key}{SUFFIX}"));
        let began = Instant::now();
        loop {
            let file = files::open_or_create(&path).map_err(unlockable)?;
            if !files::try_lock(&file, sharing == Sharing::Shared).map_err(unlockable)? {
                let owner = owner(&file);
                if began.elapsed() < if owner.is_some() { MOMENT } else { INTRODUCTION } {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                return Err(held(what, owner.or_else(|| holder::of(&file))));
            }
            // Its last owner may have removed it between the two steps.
            if files::is_same_file(&path, &file) {
                let mut lock = Self { file, path, end: End::RemoveFile };
                // Without it, on a full disk, the lock still holds.
                let _ = introduce(&mut lock.file);
                return Ok(lock);
            }
        }
    }

    /// Locks a folder by itself. Nothing is written.
    ///
    /// # Errors
    /// A living process holds it, it is gone, or the file system has no locks.
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
        // Removed or replaced between the two steps.
        if !files::is_same_file(folder, &file) {
            return Err(LockError::Gone(what.to_owned()));
        }
        if !is_locked {
            return Err(held(what, holder::of(&file)));
        }
        Ok(Self { file, path: folder.to_owned(), end: End::Nothing })
    }

    /// The same lock, which removes its folder in the end if that is empty then.
    #[must_use]
    pub fn removing_if_empty(mut self) -> Self {
        self.end = End::RemoveEmptyFolder;
        self
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is ours alone: whoever has it open by now sees that, and makes a new one.
        if self.end != End::Nothing
            && files::try_lock(&self.file, false).unwrap_or(false)
            && files::is_same_file(&self.path, &self.file)
        {
            let _ = if self.end == End::RemoveFile { fs::remove_file(&self.path) } else { fs::remove_dir(&self.path) };
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

/// The prefix and suffix of lock files' names.
const SUFFIX: &str = ".lock";
const PREFIXES: [&str; 2] = ["vm-", "output-"];
/// More than this no lock file holds.
const LIMIT: u64 = 4 << 10;

/// Removes the locks of dead owners: files that are named as locks and hold what a lock holds. No run waits for one.
pub(super) fn sweep() {
    let is_named = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    // Not made for this.
    let runtime = fs::symlink_metadata(runtime::path()).and_then(|_| runtime::folder());
    if let Ok(folder) = runtime {
        sweep_folder(&folder, &is_named);
    }
    // 0.1.0 had them in the library.
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
            // A run that finds it locked meanwhile does not blame the dead owner.
            let _ = file.set_len(0);
            drop(Lock { file, path, end: End::RemoveFile });
        }
    }
}

/// What identifies a VM: its name, and the folder of the engine's state that it lies in.
pub fn vm_key(state: &Path, name: &str) -> String {
    format!("vm-{name}-{}", digest(state.as_os_str()))
}

/// What tells a file from all others, whatever way its folder was named.
pub fn file_key(path: &Path) -> io::Result<String> {
    let folder = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
    let path = folder.join(path.file_name().unwrap_or_default());
    Ok(format!("output-{}", digest(path.as_os_str())))
}

/// So many digits that no two texts have the same.
fn digest(text: &OsStr) -> String {
    let mut digest = base16ct::lower::encode_string(&Sha256::digest(text.as_bytes()));
    digest.truncate(32);
    digest
}

/// Writes who holds the lock: one line, in one piece.
fn introduce(file: &mut File) -> io::Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = crate::clock::rfc3339_seconds(std::time::SystemTime::now());
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("process {} on {host}, since {now}\n", std::process::id()).as_bytes())
}

/// Who holds the lock, if it has written that by now.
fn owner(file: &File) -> Option<String> {
    let mut text = [0; 400];
    let count = file.read_at(&mut text, 0).ok()?;
    let (line, _) = std::str::from_utf8(text.get(..count)?).ok()?.split_once('\n')?;
    Some(line.to_owned())
}
