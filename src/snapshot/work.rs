//! The private folder of a run, and the removal of what dead runs left.

use super::{home, lock};
use crate::publish;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::{NamedTempFile, TempDir};

/// How private folders are named, and the file in them that their run keeps locked.
pub const PRIVATE: &str = publish::PRIVATE;
const ALIVE: &str = "alive";
/// How long a private folder may be without its lock file.
const BORN: Duration = Duration::from_secs(60);
/// The launcher's name in it, and the sidecar's.
const LAUNCHER: &str = "snapshot";
const SIDECAR: &str = "snapshot.smolmachine";

/// A private folder beside the output, in which the engine writes all that it writes: staging, temporary files, the
/// result. Gone when dropped; what a killed run left is gone when the next one begins, wherever that works.
#[derive(Debug)]
pub struct Work {
    folder: TempDir,
    /// Locked as long as this run lives: tells everybody that the folder is in use.
    _alive: File,
    /// Locked as long as this run lives: tells our own next run where to sweep.
    _entry: NamedTempFile,
}

impl Work {
    /// Makes it in the folder `beside`.
    pub fn new(beside: &Path) -> io::Result<Self> {
        let entry = enter(&home::folder("work")?, beside)?;
        loop {
            // The engine's files in it are readable for all: they hold the whole VM.
            let mode = fs::Permissions::from_mode(0o700);
            let folder = tempfile::Builder::new().prefix(PRIVATE).permissions(mode).tempdir_in(beside)?;
            let path = folder.path().join(ALIVE);
            let alive = home::open(&path)?;
            // Another run's sweep may have come between the two steps. A file system without locks does without: there
            // nobody takes a folder for dead either.
            if home::lock(&alive, false).unwrap_or(true) && home::is_still(&path, &alive) {
                return Ok(Self { folder, _alive: alive, _entry: entry });
            }
        }
    }

    /// The same, when what dead runs left is swept: see [`sweep`].
    pub fn after_sweep(beside: &Path, dead: &dyn Fn(&Path)) -> io::Result<Self> {
        sweep(beside, dead);
        Self::new(beside)
    }

    /// Where the folder of a run that has not begun would be.
    pub fn future(beside: &Path) -> PathBuf {
        beside.join(format!("{PRIVATE}XXXXXX"))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The launcher that the engine is asked to write.
    pub fn launcher(&self) -> PathBuf {
        self.path().join(LAUNCHER)
    }

    /// The sidecar that it writes beside the launcher.
    pub fn sidecar(&self) -> PathBuf {
        self.path().join(SIDECAR)
    }
}

/// Writes down that a run works in the folder `beside`.
fn enter(entries: &Path, beside: &Path) -> io::Result<NamedTempFile> {
    loop {
        let mut entry = NamedTempFile::new_in(entries)?;
        // A sweep that came between the two steps holds the lock, or has removed the file.
        if home::lock(entry.as_file(), false)? && home::is_still(entry.path(), entry.as_file()) {
            entry.write_all(beside.as_os_str().as_bytes())?;
            return Ok(entry);
        }
    }
}

/// Removes what dead runs left, locks too: in all the folders where they worked, and in `beside`, where a run with
/// another home folder may have worked. `dead` is told each folder before it is removed. Best effort: the next run tries
/// again.
pub fn sweep(beside: &Path, dead: &dyn Fn(&Path)) {
    lock::sweep();
    sweep_folder(beside, dead);
    for entry in home::folder("work").and_then(fs::read_dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(mut file) = home::open(&path) else { continue };
        if !home::lock(&file, false).unwrap_or(false) {
            continue;
        }
        let mut folder = Vec::new();
        let read = file.read_to_end(&mut folder);
        if read.is_ok() && (folder.is_empty() || sweep_folder(Path::new(OsStr::from_bytes(&folder)), dead)) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Removes the private folders in `folder` whose runs are dead. Whether none of them is left.
pub(super) fn sweep_folder(folder: &Path, dead: &dyn Fn(&Path)) -> bool {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    let mut all_gone = true;
    for entry in entries.flatten() {
        if is_private(&entry.file_name()) && is_ours(&entry) {
            all_gone &= match life(&entry.path()) {
                Life::Alive => true,
                Life::Unborn => false,
                Life::Dead(_lock) => {
                    dead(&entry.path());
                    fs::remove_dir_all(entry.path()).is_ok()
                }
            };
        }
    }
    all_gone
}

/// Whether a folder is named as private ones are: with six letters and digits at the end.
fn is_private(name: &OsStr) -> bool {
    let ending = name.as_bytes().strip_prefix(PRIVATE.as_bytes());
    ending.is_some_and(|ending| ending.len() == 6 && ending.iter().all(u8::is_ascii_alphanumeric))
}

/// A folder that this user has made: in a shared folder anybody may make one of that name.
fn is_ours(entry: &fs::DirEntry) -> bool {
    entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw())
}

enum Life {
    Alive,
    /// Empty, and so young that its run may be about to make its lock file, which is the first one.
    Unborn,
    /// With its lock, held so that nobody begins to live in it meanwhile.
    Dead(Option<File>),
}

fn life(folder: &Path) -> Life {
    match home::open_existing(&folder.join(ALIVE)) {
        Ok(alive) if home::lock(&alive, false).unwrap_or(false) => Life::Dead(Some(alive)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
            let made = fs::metadata(folder).and_then(|meta| meta.modified());
            let is_young = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < BORN));
            if is_empty && is_young { Life::Unborn } else { Life::Dead(None) }
        }
        // Locked, or not to be told.
        _ => Life::Alive,
    }
}
