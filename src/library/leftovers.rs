//! What killed runs left: found, and removed where its name, its content and its owner say that bottle-freeze wrote it.

use super::lock;
use super::parts;
use super::staging::{ALIVE, Entered, SIGN, clear, entered};
use crate::files;
use crate::home;
use crate::home::Home;
use crate::publish::PRIVATE;
use crate::smolvm::end_helpers;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a private folder may be without its lock file.
const BORN: Duration = Duration::from_secs(60);
/// More than this no entry of `work` has: the longest path, and a line.
const LIMIT: u64 = 8 << 10;

/// What a killed run left.
#[derive(Debug)]
pub struct Leftover {
    /// The folder, or the file.
    pub path: PathBuf,
    /// What it takes on the disk.
    pub bytes: u64,
}

/// All that killed runs left, wherever they worked.
pub fn leftovers() -> Vec<Leftover> {
    let register = Register::read();
    let registered = register.dead.iter().filter_map(Entry::folder).map(Path::to_owned);
    let mut folders: Vec<PathBuf> = known_folders().into_iter().chain(registered).collect();
    folders.sort();
    folders.dedup();
    let privates = folders.iter().flat_map(|folder| privates(folder));
    let dead = privates.filter(|entry| matches!(register.life(entry), Life::Dead(_) | Life::Empty));
    dead.map(|entry| Leftover { bytes: files::disk_usage(&entry.path()), path: entry.path() }).collect()
}

/// Removes what killed runs left, wherever they worked; and in `beside`, where a run with another library may have worked.
/// What cannot be removed stays for the next run.
pub fn sweep(beside: &Path) {
    Register::read().sweep_folder(beside);
    sweep_library();
}

/// Removes what killed runs left, wherever they worked.
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

/// The folders of the library in which runs make what is private, and that for temporary files.
fn known_folders() -> Vec<PathBuf> {
    let known = |name: &str| home::existing(name).ok().flatten();
    let snapshots: Vec<PathBuf> = known("snapshots").into_iter().collect();
    let vms: Vec<PathBuf> = snapshots.iter().flat_map(|folder| folders_in(folder)).collect();
    let stored: Vec<PathBuf> = vms.iter().flat_map(|folder| folders_in(folder)).collect();
    let others = ["engines", "vms", ""].into_iter().filter_map(known);
    [snapshots, vms, stored].into_iter().flatten().chain(others).chain([std::env::temp_dir()]).collect()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_shown = |entry: &DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let is_folder = |entry: &DirEntry| entry.metadata().is_ok_and(|meta| meta.is_dir() && files::is_own(&meta));
    entries.filter(|entry| is_shown(entry) && is_folder(entry)).map(|entry| entry.path()).collect()
}

/// What a dead run wrote down.
struct Entry {
    path: PathBuf,
    entered: Entered,
    /// Held so that no other run sweeps by it meanwhile.
    _lock: File,
}

impl Entry {
    /// In which folder it made private ones.
    fn folder(&self) -> Option<&Path> {
        match &self.entered {
            Entered::Nothing => None,
            Entered::In(folder) => Some(folder),
            Entered::Private(private) => private.parent(),
        }
    }
}

/// What the runs of this library wrote down.
struct Register {
    dead: Vec<Entry>,
    /// The private folders of those that live.
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
            match read.and_then(|_| entered(&file.file_name(), &text)) {
                Some(entered) if is_dead => register.dead.push(Entry { path, entered, _lock: open }),
                Some(Entered::Private(private)) => register.living.push(private),
                _ => {}
            }
        }
        register
    }

    /// Removes the private folders in `folder` whose runs are dead. Whether none of them is left.
    fn sweep_folder(&self, folder: &Path) -> bool {
        let mut all_gone = fs::read_dir(folder).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |_| true);
        for entry in privates(folder) {
            let path = entry.path();
            all_gone &= match self.life(&entry) {
                Life::Alive | Life::Foreign => true,
                Life::Unborn => false,
                // A run that has just begun may put its lock file there: then it stays.
                Life::Empty => fs::remove_dir(&path).is_ok(),
                Life::Dead(_lock) => {
                    end_helpers(&path);
                    let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                    if is_folder { clear(&path) } else { fs::remove_file(&path) }.is_ok()
                }
            };
        }
        all_gone
    }

    fn life(&self, entry: &DirEntry) -> Life {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            return match unpublished(&path) {
                None => Life::Foreign,
                // 0.1.0 locked none of these.
                Some(_) if is_temporary(entry) && is_young(&path) => Life::Unborn,
                Some(file) if files::try_lock(&file, false).unwrap_or(false) => Life::Dead(file),
                Some(_) => Life::Alive,
            };
        }
        match files::open_own(&path.join(ALIVE)) {
            Ok(alive) if files::try_lock(&alive, false).unwrap_or(false) => self.with_alive(&path, alive),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.without_alive(&path),
            // Locked, or it cannot be known.
            _ => Life::Alive,
        }
    }

    /// A folder whose run is dead, if it was a run that made it: anybody may use these names.
    fn with_alive(&self, folder: &Path, alive: File) -> Life {
        let mut text = Vec::new();
        let is_read = (&alive).take(LIMIT).read_to_end(&mut text).is_ok();
        // 0.1.0 wrote nothing into it, and a power cut may take what was written.
        let is_ours = text == SIGN || (text.is_empty() && (self.is_entered(folder) || parts::are_all(folder)));
        if is_read && is_ours { Life::Dead(alive) } else { Life::Foreign }
    }

    /// Whether a dead run of this library wrote down that it worked there.
    fn is_entered(&self, folder: &Path) -> bool {
        let named = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        self.dead.iter().any(|entry| match &entry.entered {
            Entered::Nothing => false,
            Entered::In(parent) => named.parent() == Some(parent),
            Entered::Private(private) => *private == named,
        })
    }

    /// A run that removes a snapshot locks its folder itself.
    fn without_alive(&self, folder: &Path) -> Life {
        let Ok(lock) = File::open(folder) else { return Life::Foreign };
        if !files::try_lock(&lock, false).unwrap_or(false) {
            return Life::Alive;
        }
        let Ok(entries) = fs::read_dir(folder) else { return Life::Foreign };
        if entries.flatten().next().is_none() {
            return if self.may_be_born(folder) { Life::Unborn } else { Life::Empty };
        }
        let are_parts = parts::are_all(folder);
        // It is the first file that a run makes: one that has begun since it was looked for has it by now.
        if fs::symlink_metadata(folder.join(ALIVE)).is_ok() {
            return Life::Alive;
        }
        if are_parts { Life::Dead(lock) } else { Life::Foreign }
    }

    /// Whether a run may be about to make its lock file in an empty folder. One of this library has written that down
    /// before; one of another library makes it at once.
    fn may_be_born(&self, folder: &Path) -> bool {
        let named = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let is = |private: &Path| private == named;
        let is_dead = self.dead.iter().any(|entry| matches!(&entry.entered, Entered::Private(private) if is(private)));
        let is_living = self.living.iter().any(|private| is(private));
        is_living || (!is_dead && !is_in_library(folder) && is_young(folder))
    }
}

/// What is named as private, and is this user's: in a shared folder anybody may use such a name.
fn privates(folder: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| {
        let is_named = files::is_private_name(&entry.file_name(), PRIVATE);
        entry.metadata().is_ok_and(|meta| {
            files::is_own(&meta)
                && ((meta.is_dir() && is_named) || (meta.is_file() && (is_named || is_temporary(entry))))
        })
    })
}

/// Whether it is named as a file that 0.1.0 had not yet published.
fn is_temporary(entry: &DirEntry) -> bool {
    files::is_private_name(&entry.file_name(), home::TEMPORARY)
}

/// A private file, if it is a small one of the library that its run was killed before it could publish: JSON, or the
/// beginning of it.
fn unpublished(path: &Path) -> Option<File> {
    let file = files::open_own(path).ok().filter(|_| is_in_library(path))?;
    let mut begin = Vec::new();
    (&file).take(1).read_to_end(&mut begin).ok()?;
    (begin.is_empty() || begin == b"{").then_some(file)
}

fn is_in_library(path: &Path) -> bool {
    Home::open().is_ok_and(|home| path.starts_with(home.root()))
}

enum Life {
    Alive,
    /// So young that its run may be about to make its lock file, which is the first one.
    Unborn,
    /// Its run was killed before it made the lock file, or when it had removed all else.
    Empty,
    /// With its lock, held so that no run begins in it meanwhile.
    Dead(File),
    /// Only its name is ours.
    Foreign,
}

fn is_young(path: &Path) -> bool {
    let made = fs::symlink_metadata(path).and_then(|meta| meta.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < BORN))
}
