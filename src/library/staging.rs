//! The private folder of a run.

use crate::files;
use crate::home;
use crate::publish::PRIVATE;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};

/// The file in it that its run keeps locked, and what it says: by that the folder is known as ours.
pub(super) const ALIVE: &str = "alive";
pub(super) const SIGN: &[u8] = b"bottle-freeze works in this folder, and removes it afterwards\n";
/// The launcher's name in it, and the sidecar's.
const LAUNCHER: &str = "snapshot";
const SIDECAR: &str = "snapshot.smolmachine";
/// How the files in `work` are named, and what they say before the path of a folder.
const ENTRY: &str = "run-";
const WORKS_IN: &[u8] = b"a bottle-freeze works in this folder:\n";

/// A private folder beside the output, in which the engine writes all that it writes: staging, temporary files, the
/// result. Gone when dropped; what a killed run left is gone when the next one begins, wherever that works.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    /// Locked as long as this run lives: tells everybody that the folder is in use.
    _alive: File,
    /// Locked as long as this run lives: tells our own next run where to sweep.
    _entry: Option<NamedTempFile>,
}

impl Staging {
    /// Makes it in the folder `beside`, and enters it in the library. One that is full or read-only forbids nothing
    /// elsewhere: then only a run that works in the same folder finds what a killed one left.
    pub fn new(beside: &Path) -> io::Result<Self> {
        // So it is named everywhere and at all times.
        let named = fs::canonicalize(beside)?;
        let root = home::Home::open().ok().and_then(|home| fs::canonicalize(home.root()).ok());
        let is_in_library = root.is_some_and(|root| named.starts_with(root));
        loop {
            let name = format!("{PRIVATE}{:.6}", super::store::new_id());
            let entry = match home::folder("work").and_then(|entries| enter(&entries, &named.join(&name))) {
                Err(error) if is_in_library || home::HomeError::in_error(&error).is_some() => return Err(error),
                entry => entry.ok(),
            };
            if let Some((folder, alive)) = make(beside, &name)? {
                return Ok(Self { folder, _alive: alive, _entry: entry });
            }
        }
    }

    /// One in `$TMPDIR`, which is looked through for what a killed run left: it needs no entry, and no library.
    pub fn temporary() -> io::Result<Self> {
        loop {
            let name = format!("{PRIVATE}{:.6}", super::store::new_id());
            if let Some((folder, alive)) = make(&std::env::temp_dir(), &name)? {
                return Ok(Self { folder, _alive: alive, _entry: None });
            }
        }
    }

    /// The same, when what dead runs left is swept: see [`super::sweep`].
    pub fn after_sweep(beside: &Path) -> io::Result<Self> {
        super::sweep(beside);
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

/// Makes the private folder of that name, and the file in it that its run keeps locked. Nothing if another run has come in
/// between.
fn make(beside: &Path, name: &str) -> io::Result<Option<(TempDir, File)>> {
    // The engine's files in it are readable for all: they hold the whole VM.
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
    // Another run's sweep may have come between the two steps. A file system without locks does without: there no run takes
    // a folder for dead either.
    let is_ours = files::try_lock(&alive, false).unwrap_or(true) && files::is_same_file(&path, &alive);
    if is_ours {
        // On a full disk it stays empty: then the folder is known by what else lies in it.
        let _ = (&alive).write_all(SIGN);
    }
    Ok(is_ours.then_some((folder, alive)))
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What this cannot remove, the `TempDir` tries once more.
        let _ = clear(self.path());
    }
}

/// Removes a private folder. The file by which it is known goes last: what a kill leaves of it is known too.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    let mut done = Ok(());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != ALIVE {
            let is_folder = entry.file_type()?.is_dir();
            let path = entry.path();
            done = done.and(if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) });
        }
    }
    done?;
    match fs::remove_file(folder.join(ALIVE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir(folder),
    }
}

/// Writes down that a run works in the folder `private`, before that is made: so none is forgotten.
fn enter(entries: &Path, private: &Path) -> io::Result<NamedTempFile> {
    loop {
        let mut entry = tempfile::Builder::new().prefix(ENTRY).tempfile_in(entries)?;
        // A sweep that came between the two steps holds the lock, or has removed the file.
        if files::try_lock(entry.as_file(), false)? && files::is_same_file(entry.path(), entry.as_file()) {
            entry.write_all(&[WORKS_IN, private.as_os_str().as_bytes()].concat())?;
            return Ok(entry);
        }
    }
}

/// What an entry in `work` says.
pub(super) enum Entered {
    /// Nothing: its run was killed before it wrote.
    Nothing,
    /// Its run made private folders in this folder, as 0.1.0 wrote it.
    In(PathBuf),
    /// Its run made this private folder.
    Private(PathBuf),
}

/// What an entry of that name that holds this text says; nothing, if bottle-freeze did not write it.
pub(super) fn entered(name: &OsStr, text: &[u8]) -> Option<Entered> {
    let path = |text: &[u8]| PathBuf::from(OsString::from_vec(text.to_vec()));
    let (is_old, is_new) = (home::is_work_entry(name, text), files::is_private_name(name, ENTRY));
    match text.strip_prefix(WORKS_IN) {
        _ if is_old && !text.is_empty() => Some(Entered::In(path(text))),
        _ if text.is_empty() => (is_old || is_new).then_some(Entered::Nothing),
        Some(private) if is_new => Some(Entered::Private(path(private))),
        _ => None,
    }
}
