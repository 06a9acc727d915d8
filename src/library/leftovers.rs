//! Finds what killed runs left, and removes it if its name, content and owner show that bottle-freeze wrote it.

use super::lock;
use super::parts;
use super::staging::{ALIVE, SIGN, Staging, WorkEntry, clear, object_parents, parse_entry};
use super::store;
use crate::files;
use crate::home::{self, Home};
use crate::publish::PRIVATE;
use crate::smolvm::end_helpers;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a new private folder may be without its lock file.
const START_TIME: Duration = Duration::from_secs(60);
/// The most bytes of a file in `work`: the longest path, and a line.
const LIMIT: u64 = 8 << 10;

/// A file or folder that a killed run left.
#[derive(Debug)]
pub struct Leftover {
    /// Its path.
    pub path: PathBuf,
    /// Bytes of the disk that its removal frees.
    pub bytes: u64,
    /// How many of them are chunks that the store has, too.
    pub chunk_bytes: u64,
    /// Whether it is the folder of the store, in which only chunks of no snapshot are left over.
    pub is_store: bool,
}

impl Leftover {
    fn new(path: PathBuf) -> Self {
        let chunk_bytes = object_parents(&path).iter().map(|folder| store::unshared_bytes(folder)).sum();
        Self { bytes: chunk_bytes + files::disk_usage(&path), chunk_bytes, path, is_store: false }
    }
}

/// All files and folders that killed runs left, and the folder of the store if it has chunks of no snapshot.
pub fn leftovers() -> Vec<Leftover> {
    let register = Register::read();
    let registered = register.dead.iter().filter_map(Entry::folder).map(Path::to_owned);
    let mut folders: Vec<PathBuf> = known_folders().into_iter().chain(registered).collect();
    folders.sort();
    folders.dedup();
    let privates = folders.iter().flat_map(|folder| private_entries(folder));
    let dead = privates.filter(|entry| matches!(register.owner(entry), Owner::Dead(_) | Owner::Empty));
    let unowned = store::unowned().map(|(path, bytes)| Leftover { path, bytes, chunk_bytes: bytes, is_store: true });
    dead.map(|entry| Leftover::new(entry.path())).chain(unowned).collect()
}

/// Removes what killed runs left, also in `beside`, where a run with another library may have worked. What cannot be removed
/// stays for the next run.
pub fn sweep(beside: &Path) {
    Register::read().sweep_folder(beside);
    sweep_library();
}

/// The same, and removes chunks that no snapshot has, wherever they come from.
pub fn sweep_all() {
    sweep_library();
    // What cannot be removed stays for the next run.
    let _ = store::sweep();
}

/// Removes what killed runs of this library left.
pub fn sweep_library() {
    lock::sweep();
    let register = Register::read();
    for folder in known_folders() {
        register.sweep_folder(&folder);
    }
    for entry in &register.dead {
        if entry.folder().is_none_or(|folder| register.sweep_folder(folder)) {
            let _ = fs::remove_file(&entry.path);
        }
    }
}

impl Staging {
    /// Sweeps, then creates a private folder in `beside`: see [`sweep`] and [`Staging::new`].
    pub fn after_sweep(beside: &Path) -> io::Result<Self> {
        sweep(beside);
        Self::new(beside)
    }
}

/// The folders in which runs create private folders: those of the library, and the temporary folder.
fn known_folders() -> Vec<PathBuf> {
    let known = |name: &str| home::existing(name).ok().flatten();
    let snapshots: Vec<PathBuf> = known("snapshots").into_iter().collect();
    let vms: Vec<PathBuf> = snapshots.iter().flat_map(|folder| folders_in(folder)).collect();
    let stored: Vec<PathBuf> = vms.iter().flat_map(|folder| folders_in(folder)).collect();
    let others = ["engines", "vms", "store", store::RUNTIMES, ""].into_iter().filter_map(known);
    [snapshots, vms, stored].into_iter().flatten().chain(others).chain([std::env::temp_dir()]).collect()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_visible = |entry: &DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let is_folder = |entry: &DirEntry| entry.metadata().is_ok_and(|meta| meta.is_dir() && files::is_own(&meta));
    entries.filter(|entry| is_visible(entry) && is_folder(entry)).map(|entry| entry.path()).collect()
}

/// The file in `work` of a run that has ended.
struct Entry {
    path: PathBuf,
    content: WorkEntry,
    /// Held so that no other run uses it for a sweep.
    _lock: File,
}

impl Entry {
    /// The folder in which the run worked.
    fn folder(&self) -> Option<&Path> {
        match &self.content {
            WorkEntry::Nothing => None,
            WorkEntry::In(folder) => Some(folder),
            WorkEntry::Private(private) => private.parent(),
        }
    }
}

/// The files in `work`.
struct Register {
    dead: Vec<Entry>,
    /// The private folders of running runs.
    living: Vec<PathBuf>,
}

impl Register {
    fn read() -> Self {
        let mut register = Self { dead: Vec::new(), living: Vec::new() };
        let folder = home::existing("work").ok().flatten();
        for file in folder.into_iter().flat_map(fs::read_dir).flatten().flatten() {
            let path = file.path();
            let Ok(open) = files::open_own(&path) else { continue };
            let is_dead = files::try_lock(&open, false).unwrap_or(false);
            let mut text = Vec::new();
            let read = (&open).take(LIMIT).read_to_end(&mut text).ok();
            match read.and_then(|_| parse_entry(&file.file_name(), &text)) {
                Some(content) if is_dead => register.dead.push(Entry { path, content, _lock: open }),
                Some(WorkEntry::Private(private)) => register.living.push(private),
                _ => {}
            }
        }
        register
    }

    /// Removes the private folders in `folder` whose runs have ended. Returns whether all of them are gone.
    fn sweep_folder(&self, folder: &Path) -> bool {
        let mut all_gone = fs::read_dir(folder).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |_| true);
        for entry in private_entries(folder) {
            let path = entry.path();
            all_gone &= match self.owner(&entry) {
                Owner::Alive | Owner::Foreign => true,
                Owner::Starting => false,
                // Fails if a run that has just started creates its lock file in it: then it stays.
                Owner::Empty => fs::remove_dir(&path).is_ok(),
                Owner::Dead(_lock) => {
                    end_helpers(&path);
                    let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                    let has_objects = !object_parents(&path).is_empty();
                    let is_gone = if is_folder { clear(&path) } else { fs::remove_file(&path) }.is_ok();
                    // Its objects may be without an owner now.
                    is_gone && (!has_objects || store::sweep().is_ok())
                }
            };
        }
        all_gone
    }

    fn owner(&self, entry: &DirEntry) -> Owner {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            return match unpublished(&path) {
                None => Owner::Foreign,
                // 0.1.0 locked none of these.
                Some(_) if is_temporary(entry) && is_new(&path) => Owner::Starting,
                Some(file) if files::try_lock(&file, false).unwrap_or(false) => Owner::Dead(file),
                Some(_) => Owner::Alive,
            };
        }
        match files::open_own(&path.join(ALIVE)) {
            Ok(alive) if files::try_lock(&alive, false).unwrap_or(false) => self.with_alive(&path, alive),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.without_alive(&path),
            // Locked, or it cannot be known.
            _ => Owner::Alive,
        }
    }

    /// A folder with an unlocked lock file: dead, if bottle-freeze created it. Anyone may use these names.
    fn with_alive(&self, folder: &Path, alive: File) -> Owner {
        let mut text = Vec::new();
        let is_read = (&alive).take(LIMIT).read_to_end(&mut text).is_ok();
        // 0.1.0 wrote nothing into it, and a power cut may empty it.
        let is_ours = text == SIGN || (text.is_empty() && (self.is_registered(folder) || parts::are_all(folder)));
        if is_read && is_ours { Owner::Dead(alive) } else { Owner::Foreign }
    }

    /// Whether a run of this library that has ended registered that it worked there.
    fn is_registered(&self, folder: &Path) -> bool {
        let named = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        self.dead.iter().any(|entry| match &entry.content {
            WorkEntry::Nothing => false,
            WorkEntry::In(parent) => named.parent() == Some(parent),
            WorkEntry::Private(private) => *private == named,
        })
    }

    /// A folder without a lock file. A run that removes a snapshot locks the folder itself.
    fn without_alive(&self, folder: &Path) -> Owner {
        let Ok(lock) = File::open(folder) else { return Owner::Foreign };
        if !files::try_lock(&lock, false).unwrap_or(false) {
            return Owner::Alive;
        }
        let Ok(entries) = fs::read_dir(folder) else { return Owner::Foreign };
        if entries.flatten().next().is_none() {
            return if self.may_be_starting(folder) { Owner::Starting } else { Owner::Empty };
        }
        let are_parts = parts::are_all(folder);
        // A run that started after the first check has created it by now: it is the first file that a run creates.
        if fs::symlink_metadata(folder.join(ALIVE)).is_ok() {
            return Owner::Alive;
        }
        if are_parts { Owner::Dead(lock) } else { Owner::Foreign }
    }

    /// Whether a run may be about to create its lock file in this empty folder. A run of this library has registered the
    /// folder before; a run of another library creates the file at once.
    fn may_be_starting(&self, folder: &Path) -> bool {
        let named = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let is = |private: &Path| private == named;
        let is_dead =
            self.dead.iter().any(|entry| matches!(&entry.content, WorkEntry::Private(private) if is(private)));
        let is_living = self.living.iter().any(|private| is(private));
        is_living || (!is_dead && !is_in_library(folder) && is_new(folder))
    }
}

/// The files and folders with private names that belong to this user. In a shared folder, anyone may use such a name.
fn private_entries(folder: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| {
        let is_named = files::is_private_name(&entry.file_name(), PRIVATE);
        entry.metadata().is_ok_and(|meta| {
            files::is_own(&meta)
                && ((meta.is_dir() && is_named) || (meta.is_file() && (is_named || is_temporary(entry))))
        })
    })
}

/// Whether it has the name of a file that 0.1.0 had not yet published.
fn is_temporary(entry: &DirEntry) -> bool {
    files::is_private_name(&entry.file_name(), home::TEMPORARY)
}

/// Opens a private file, if it is one in the library that its run did not publish: JSON, or the beginning of it.
fn unpublished(path: &Path) -> Option<File> {
    let file = files::open_own(path).ok().filter(|_| is_in_library(path))?;
    let mut begin = Vec::new();
    (&file).take(1).read_to_end(&mut begin).ok()?;
    (begin.is_empty() || begin == b"{").then_some(file)
}

fn is_in_library(path: &Path) -> bool {
    Home::open().is_ok_and(|home| path.starts_with(home.root()))
}

/// The run of a private file or folder.
enum Owner {
    /// It is running, or this is not known.
    Alive,
    /// So new that its run may be about to create its lock file.
    Starting,
    /// Empty: its run was killed before it created the lock file, or after it had removed the rest.
    Empty,
    /// Its run has ended. Holds its lock, so that no other run sweeps it.
    Dead(File),
    /// Not created by bottle-freeze.
    Foreign,
}

fn is_new(path: &Path) -> bool {
    let made = fs::symlink_metadata(path).and_then(|meta| meta.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < START_TIME))
}
