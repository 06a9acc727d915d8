//! The library: plain files, `snapshots/VM/ID/` in the library's folder, each with its `snapshot.json`. No database.

use super::broken::{Broken, Entry};
use super::home;
use super::metadata::{self, Metadata, MetadataError, Tag};
use super::removal::{self, RemoveError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// The artifact's name in its folder.
pub const ARTIFACT: &str = "vm.smolmachine";
/// The artifact's, if it holds a running VM.
pub const CHECKPOINT: &str = "vm.checkpoint";
/// The launcher's, where one is kept.
pub const LAUNCHER: &str = "vm";

/// The saved `/workspace`, where the engine's pack cannot carry it.
pub const WORKSPACE: &str = "workspace.tar";

/// All files that a snapshot may have.
pub const FILES: [&str; 5] = [metadata::FILE, ARTIFACT, CHECKPOINT, LAUNCHER, WORKSPACE];

/// Where they are, in the library.
pub const SNAPSHOTS: &str = "snapshots";

/// A snapshot of the library.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its folder.
    pub folder: PathBuf,
    /// What its `snapshot.json` says.
    pub metadata: Metadata,
}

/// Why no snapshot was found.
#[derive(Debug, Error)]
pub enum FindError {
    /// There is none.
    #[error("there is no snapshot '{0}'")]
    NotFound(String),
    /// There are several.
    #[error("'{reference}' may be any of {}", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        reference: String,
        /// What it may mean.
        candidates: Vec<String>,
    },
    /// It is damaged.
    #[error(transparent)]
    Broken(Broken),
    /// The newest is meant, and this one may be it.
    #[error("{}, which may be the newest snapshot of that VM, is none: {}", .0.reference(), .0.why)]
    NewestBroken(Broken),
    /// The library cannot be read.
    #[error("the library {} cannot be read: {source}", folder.display())]
    Unreadable {
        /// Its folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Stored {
    /// Its saved `/workspace`, if it has one beside the artifact.
    pub fn workspace(&self) -> Option<PathBuf> {
        self.metadata.files.contains_key(WORKSPACE).then(|| self.folder.join(WORKSPACE))
    }

    /// How it is named: `VM@ID`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.metadata.vm, self.metadata.id)
    }

    /// Bytes of all its files, as recorded.
    pub fn bytes(&self) -> u64 {
        self.metadata.files.values().map(|file| file.bytes).sum()
    }

    /// Takes these tags from it.
    pub fn untag(&self, tags: &[Tag]) -> io::Result<()> {
        let mut metadata = self.metadata.clone();
        metadata.tags.retain(|tag| !tags.contains(tag));
        metadata.write(&self.folder)
    }

    /// Removes it: out of sight in one instant, then file by file.
    ///
    /// # Errors
    /// It holds what is not of a snapshot, or the system refuses.
    pub fn remove(&self) -> Result<(), RemoveError> {
        removal::remove(&self.folder, &|name| self.metadata.files.contains_key(name))
    }
}

/// Where a VM's snapshots are, or will be.
///
/// # Errors
/// The library is not ours to use, or that folder is not.
pub fn vm_path(vm: &str) -> io::Result<PathBuf> {
    home::planned(&format!("{SNAPSHOTS}/{vm}"))
}

/// The folder of a VM's snapshots, made if it is missing.
///
/// # Errors
/// It cannot be made, or is not ours to use.
pub fn vm_folder(vm: &str) -> io::Result<PathBuf> {
    home::folder(&format!("{SNAPSHOTS}/{vm}"))
}

/// An id that no snapshot has yet.
pub fn new_id() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:08x}", random >> 32)
}

/// The `sequence` of a snapshot of `vm` that is made now: the milliseconds since 1970, or more where the clock has gone
/// back. The library must be locked.
///
/// # Errors
/// The library cannot be read.
pub fn next_sequence(vm: &str) -> Result<u64, FindError> {
    let now = jiff::Timestamp::now().as_millisecond().try_into().unwrap_or(0);
    let (all, _) = list(Some(vm))?;
    Ok(all.last().map_or(now, |last| now.max(last.metadata.order().saturating_add(1))))
}

/// The snapshots of `vm`, or of all VMs, those made first coming first; and what else lies there.
///
/// # Errors
/// The library cannot be read.
pub fn list(vm: Option<&str>) -> Result<(Vec<Stored>, Vec<Broken>), FindError> {
    let name = vm.map_or_else(|| SNAPSHOTS.to_owned(), |vm| format!("{SNAPSHOTS}/{vm}"));
    let unreadable = |source| FindError::Unreadable { folder: home::shown_path(&name).into(), source };
    let Some(folder) = home::existing(&name).map_err(unreadable)? else { return Ok((Vec::new(), Vec::new())) };
    let entries = shown(&folder).map_err(unreadable)?;
    let (mut folders, mut stored, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    if vm.is_some() {
        folders = entries;
    } else {
        for vm in entries {
            // The folder of one VM that cannot be read hides no other.
            match shown(&vm) {
                Ok(entries) => folders.extend(entries),
                Err(error) => broken.push(Broken { folder: vm, why: MetadataError::new(error.to_string()) }),
            }
        }
    }
    for folder in folders {
        match Metadata::of_folder(&folder) {
            Ok(metadata) => stored.push(Stored { folder, metadata }),
            Err(why) => broken.push(Broken { folder, why }),
        }
    }
    stored.sort_by_cached_key(|one| (one.metadata.order(), one.metadata.time(), one.metadata.id.clone()));
    Ok((stored, broken))
}

/// The snapshot that `VM` (its newest), `VM@TAG` or `VM@ID-PREFIX` names.
///
/// # Errors
/// None or several, or it is damaged, or the library cannot be read.
pub fn find(reference: &str) -> Result<Stored, FindError> {
    match find_entry(reference)? {
        Entry::Whole(stored) => Ok(*stored),
        Entry::Broken(broken) => Err(FindError::Broken(broken)),
    }
}

/// The same, when it may also be one that is damaged, by its id.
///
/// # Errors
/// None or several, or the library cannot be read; or it is the newest that is meant, and that one may be damaged.
pub fn find_entry(reference: &str) -> Result<Entry, FindError> {
    let not_found = || FindError::NotFound(reference.to_owned());
    let (vm, which) = reference.split_once('@').map_or((reference, None), |(vm, which)| (vm, Some(which)));
    if vm.is_empty() || vm.contains('/') || vm.starts_with('.') {
        return Err(not_found());
    }
    let (mut all, broken) = list(Some(vm))?;
    let Some(which) = which else { return newest(all, broken).transpose().ok_or_else(not_found)? };
    let tagged = all.iter().rposition(|one| one.metadata.tags.iter().any(|tag| tag.as_str() == which));
    if let Some(at) = tagged {
        return Ok(all.swap_remove(at).into());
    }
    let all = all.into_iter().map(Entry::from).chain(broken.into_iter().map(Entry::Broken));
    let mut all: Vec<Entry> = all.filter(|one| !which.is_empty() && one.id().starts_with(which)).collect();
    if all.len() > 1 {
        let candidates = all.iter().map(Entry::reference).collect();
        return Err(FindError::Ambiguous { reference: reference.to_owned(), candidates });
    }
    all.pop().ok_or_else(not_found)
}

/// The newest, unless one that is damaged may be newer: which state of the VM that was cannot be known.
fn newest(mut all: Vec<Stored>, broken: Vec<Broken>) -> Result<Option<Entry>, FindError> {
    let newest = all.pop();
    // One from the future, before the clock went back, says nothing of when another was made.
    let created = newest.as_ref().map(|newest| newest.metadata.time().into()).filter(|time| *time <= SystemTime::now());
    match broken.into_iter().find(|one| created.is_none_or(|created| one.may_be_newer_than(created))) {
        Some(broken) => Err(FindError::NewestBroken(broken)),
        None => Ok(newest.map(Entry::from)),
    }
}

/// Who of `all` but `id` has one of these tags.
pub fn tagged<'a>(all: &'a [Stored], id: &str, tags: &[Tag]) -> Vec<&'a Stored> {
    let has_one = |one: &&Stored| one.metadata.id != id && one.metadata.tags.iter().any(|tag| tags.contains(tag));
    all.iter().filter(has_one).collect()
}

/// What is in a folder that is no link, but for files and for what is hidden.
fn shown(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if fs::symlink_metadata(folder)?.file_type().is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    Ok(entries)
}
