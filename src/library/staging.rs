//! The private folder of a run.

use super::layout::{OBJECTS, SNAPSHOTS, new_id};
use super::store;
use crate::publish::PRIVATE;
use crate::{files, home};
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};

/// The file in it that its run keeps locked, and its content, by which later runs recognize the folder.
pub(super) const ALIVE: &str = "alive";
pub(super) const SIGN: &[u8] = b"bottle-freeze works in this folder, and removes it afterwards\n";
/// The names of the launcher and the artifact in it.
const LAUNCHER: &str = "snapshot";
const SIDECAR: &str = "snapshot.smolmachine";
/// The name of the folder in it that becomes a snapshot of the library.
pub(super) const NEW: &str = "new";
/// The prefix of the files in `work`, and their text before the path of a folder.
const ENTRY: &str = "run-";
const WORKS_IN: &[u8] = b"a bottle-freeze works in this folder:\n";

/// A private folder beside the output, in which the engine writes its temporary files and the result. Removed when
/// dropped; if the run is killed, the next run removes it, wherever it works.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    /// Locked while this run lives: the folder is in use.
    _alive: File,
    /// Locked while this run lives: where the next run of this library sweeps.
    _entry: Option<NamedTempFile>,
}

impl Staging {
    /// Creates it in the folder `beside`, and registers it in the library. If the library is full or read-only, it is not
    /// registered: then only a run in the same folder removes it after a kill.
    pub fn new(beside: &Path) -> io::Result<Self> {
        // The same path, whatever links lead to it.
        let path = fs::canonicalize(beside)?;
        let is_in_library = home::canonical_root().is_some_and(|root| path.starts_with(root));
        loop {
            let name = format!("{PRIVATE}{:.6}", new_id());
            let entry = match home::folder("work").and_then(|entries| register(&entries, &path.join(&name))) {
                Err(error) if is_in_library || home::HomeError::in_error(&error).is_some() => return Err(error),
                entry => entry.ok(),
            };
            if let Some((folder, alive)) = create(beside, &name)? {
                return Ok(Self { folder, _alive: alive, _entry: entry });
            }
        }
    }

    /// Creates one in `$TMPDIR`. It is not registered and needs no library: every run sweeps that folder.
    pub fn temporary() -> io::Result<Self> {
        loop {
            let name = format!("{PRIVATE}{:.6}", new_id());
            if let Some((folder, alive)) = create(&std::env::temp_dir(), &name)? {
                return Ok(Self { folder, _alive: alive, _entry: None });
            }
        }
    }

    /// Creates one for a file of so many bytes: in the library, or in `$TMPDIR` if the library is full or read-only.
    pub fn for_artifact(bytes: u64) -> io::Result<Self> {
        let has_room = |folder: &Path| files::free_bytes(folder).is_none_or(|free| free >= bytes);
        let in_library =
            || home::folder(SNAPSHOTS).ok().filter(|folder| has_room(folder)).map(|folder| Self::new(&folder));
        match in_library() {
            Some(Ok(staging)) => Ok(staging),
            _ if has_room(&std::env::temp_dir()) => Self::temporary(),
            _ => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    /// The form of its path, for a dry run.
    pub fn example_path(beside: &Path) -> PathBuf {
        beside.join(format!("{PRIVATE}XXXXXX"))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether it is in the library.
    pub fn is_in_library(&self) -> bool {
        let path = fs::canonicalize(self.path());
        path.is_ok_and(|path| home::canonical_root().is_some_and(|root| path.starts_with(root)))
    }

    /// The path of the launcher that the engine writes.
    pub fn launcher(&self) -> PathBuf {
        self.path().join(LAUNCHER)
    }

    /// The path of the folder that becomes a snapshot of the library.
    pub fn snapshot(&self) -> PathBuf {
        self.path().join(NEW)
    }

    /// Creates that folder.
    pub fn make_snapshot(&self) -> io::Result<PathBuf> {
        let folder = self.snapshot();
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(folder)
    }

    /// Whether the file system can link a file of the private folder into that folder.
    pub fn can_link(&self, into: &Path) -> bool {
        let link = into.join(ALIVE);
        fs::hard_link(self.path().join(ALIVE), &link).and_then(|()| fs::remove_file(link)).is_ok()
    }

    /// The path of the artifact that the engine writes beside the launcher.
    pub fn sidecar(&self) -> PathBuf {
        self.path().join(SIDECAR)
    }
}

/// Creates the private folder with that name, and the locked file in it. Nothing if another run interfered.
fn create(beside: &Path, name: &str) -> io::Result<Option<(TempDir, File)>> {
    // Closed to other users: the engine's files in it hold the whole VM, and are readable for all.
    let mode = fs::Permissions::from_mode(0o700);
    let folder = match tempfile::Builder::new().prefix(name).rand_bytes(0).permissions(mode).tempdir_in(beside) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        folder => folder?,
    };
    let path = folder.path().join(ALIVE);
    let alive = match files::open_or_create(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && beside.is_dir() => return Ok(None),
        alive => alive?,
    };
    // Another run may have swept it before it was locked. On a file system without locks, no run sweeps.
    let is_ours = files::try_lock(&alive, false).unwrap_or(true) && files::is_same_file(&path, &alive);
    if is_ours {
        // On a full disk it stays empty: then the other files identify the folder.
        let _ = (&alive).write_all(SIGN);
    }
    Ok(is_ours.then_some((folder, alive)))
}

impl Drop for Staging {
    fn drop(&mut self) {
        // `TempDir` tries again to remove the rest.
        let _ = clear(self.path());
    }
}

/// Removes a private folder: the locked file last, so that the rest is recognized if the run is killed.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    let mut done = Ok(());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != ALIVE {
            let is_folder = entry.file_type()?.is_dir();
            let path = entry.path();
            // The store may have the objects of a snapshot that is not published, or not any more.
            if is_folder && entry.file_name() == OBJECTS {
                done = done.and(store::remove_objects(folder).map(drop));
                continue;
            }
            if is_folder {
                // Fails if the engine left other files: they are removed next.
                let _ = store::remove_objects(&path);
            }
            done = done.and(if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) });
        }
    }
    done?;
    match fs::remove_file(folder.join(ALIVE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir(folder),
    }
}

/// The private folder, and those in it, that have a folder of objects: of a snapshot, of the engine's store.
pub(super) fn object_parents(private: &Path) -> Vec<PathBuf> {
    let inner = fs::read_dir(private).into_iter().flatten().flatten().map(|entry| entry.path());
    inner.chain([private.to_owned()]).filter(|path| path.join(OBJECTS).is_dir()).collect()
}

/// Records that a run works in the folder `private`, before the folder is created.
fn register(entries: &Path, private: &Path) -> io::Result<NamedTempFile> {
    loop {
        let mut entry = tempfile::Builder::new().prefix(ENTRY).tempfile_in(entries)?;
        // Another run's sweep may hold the lock, or have removed the file.
        if files::try_lock(entry.as_file(), false)? && files::is_same_file(entry.path(), entry.as_file()) {
            entry.write_all(&[WORKS_IN, private.as_os_str().as_bytes()].concat())?;
            return Ok(entry);
        }
    }
}

/// The content of a file in `work`.
pub(super) enum WorkEntry {
    /// Nothing: its run was killed before it wrote.
    Nothing,
    /// The folder in which its run created private folders, as 0.1.0 wrote it.
    In(PathBuf),
    /// The private folder of its run.
    Private(PathBuf),
}

/// Parses a file in `work` with this name and text. Nothing if bottle-freeze did not write it.
pub(super) fn parse_entry(name: &OsStr, text: &[u8]) -> Option<WorkEntry> {
    let path = |text: &[u8]| PathBuf::from(OsString::from_vec(text.to_vec()));
    let (is_old, is_new) = (home::is_work_entry(name, text), files::is_private_name(name, ENTRY));
    match text.strip_prefix(WORKS_IN) {
        _ if is_old && !text.is_empty() => Some(WorkEntry::In(path(text))),
        _ if text.is_empty() => (is_old || is_new).then_some(WorkEntry::Nothing),
        Some(private) if is_new => Some(WorkEntry::Private(path(private))),
        _ => None,
    }
}
