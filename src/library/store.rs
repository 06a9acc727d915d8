//! The library: plain files, `snapshots/VM/ID/` in the library's folder, each with its `snapshot.json`. No database.

use super::broken::{Broken, Entry};
use super::lock::{Lock, LockError, Sharing};
use super::metadata::{self, Metadata, MetadataError, Tag};
use super::removal::{self, Identity, RemoveError};
use crate::home;
use std::collections::HashSet;
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
    /// Which folder was read: another one may get its name.
    identity: Identity,
}

/// What became of a snapshot that was to be removed.
#[derive(Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is removed.
    Removed,
    /// It stays: it was given these tags since it was looked at.
    Tagged(Vec<Tag>),
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
    /// The snapshot in that folder, which says this of itself.
    pub fn new(folder: PathBuf, metadata: Metadata) -> Self {
        let identity = Identity::of(&folder);
        Self { folder, metadata, identity }
    }

    /// It, as it is now: only tags, note and labels may have changed.
    ///
    /// # Errors
    /// It was removed, or another snapshot has its name.
    pub fn again(&self) -> Result<Self, FindError> {
        let gone = || FindError::NotFound(self.reference());
        let now = Self::new(self.folder.clone(), Metadata::of_folder(&self.folder).map_err(|_| gone())?);
        let same = |one: &Self| (one.metadata.created.clone(), one.metadata.files.clone());
        if self.identity.is_that_of(&self.folder) && same(self) == same(&now) { Ok(now) } else { Err(gone()) }
    }

    /// Whether it was removed since it was looked at, or replaced.
    pub fn is_gone(&self) -> bool {
        !self.identity.is_that_of(&self.folder)
    }

    /// Keeps it from being removed for as long as its files are read. Nothing is written; where nothing can be locked,
    /// nothing is removed either.
    ///
    /// # Errors
    /// It is being removed, or is gone.
    pub fn hold(&self) -> Result<Option<Lock>, LockError> {
        match Lock::folder(&self.reference(), &self.folder, Sharing::Shared) {
            Err(LockError::Unlockable { .. }) => Ok(None),
            result => result.map(Some),
        }
    }

    /// The SHA-256 of its artifact, as recorded.
    pub fn sha256(&self) -> Option<String> {
        self.metadata.files.get(self.metadata.artifact()?).map(|file| file.sha256.clone())
    }

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

    /// Removes it, under the lock of its VM's snapshots, if it still is what was looked at: out of sight in one instant,
    /// then file by file.
    ///
    /// # Errors
    /// It was replaced or removed meanwhile, or is being read; it holds what is not of a snapshot; or the system refuses.
    pub fn remove(&self, _library: &Lock) -> Result<Removal, RemoveError> {
        let alone = self.identity.lock(&self.reference(), &self.folder)?;
        let mut tags = self.again().map_err(|_| RemoveError::Gone(self.reference()))?.metadata.tags;
        // One from elsewhere may have tens of thousands.
        let seen: HashSet<&str> = self.metadata.tags.iter().map(Tag::as_str).collect();
        tags.retain(|tag| !seen.contains(tag.as_str()));
        if !tags.is_empty() {
            return Ok(Removal::Tagged(tags));
        }
        removal::remove(&self.folder, &alone, &|name| self.metadata.files.contains_key(name))?;
        Ok(Removal::Removed)
    }
}

/// Keeps the snapshot in whose folder this file lies from being removed, if it lies in one.
pub fn hold_file(path: &Path) -> Option<Lock> {
    let folder = fs::canonicalize(path).ok()?.parent()?.to_owned();
    let is_snapshot = folder.join(metadata::FILE).is_file();
    is_snapshot.then(|| Lock::folder(&path.display().to_string(), &folder, Sharing::Shared).ok()).flatten()
}

/// Locks the snapshots of a VM for a change. Their folder is made if it is missing, and removed in the end if it is
/// empty then.
///
/// # Errors
/// Another run changes them, or they cannot be changed.
pub fn lock(vm: &str) -> Result<Lock, LockError> {
    let what = format!("the library of '{vm}'");
    loop {
        let shown = || home::shown_path(&format!("{SNAPSHOTS}/{vm}")).into();
        let unlockable = |source| LockError::Unlockable { what: what.clone(), folder: shown(), source };
        let folder = vm_folder(vm).map_err(unlockable)?;
        match Lock::folder(&what, &folder, Sharing::Alone) {
            // Removed by the one that held it.
            Err(LockError::Gone(_)) => {}
            result => return result.map(Lock::removing_if_empty),
        }
    }
}

/// Removes a VM's folder if there is nothing in it, and no run that is about to change that.
pub(super) fn remove_if_empty(folder: &Path) {
    let lock = Lock::folder("the library", folder, Sharing::Alone);
    drop(lock.map(Lock::removing_if_empty));
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
                Err(error) => broken.push(Broken::new(vm, MetadataError::new(error.to_string()))),
            }
        }
    }
    for folder in folders {
        match Metadata::of_folder(&folder) {
            Ok(metadata) => stored.push(Stored::new(folder, metadata)),
            // Removed between the two steps.
            Err(_) if is_gone(&folder) => {}
            Err(why) => broken.push(Broken::new(folder, why)),
        }
    }
    stored.sort_by_cached_key(|one| (one.metadata.order(), one.metadata.time(), one.metadata.id.clone()));
    Ok((stored, broken))
}

/// The snapshot that `VM` (its newest), `VM@ID`, `VM@TAG` or `VM@ID-PREFIX` names. An id goes before a tag: a tag that
/// could be one was taken by older versions. What is the tag of one and the beginning of another's id is ambiguous.
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
    let (all, broken) = list(Some(vm))?;
    let Some(which) = which else { return newest(all, broken).transpose().ok_or_else(not_found)? };
    // A tag of two was left by a move that was killed: the newer one has it.
    let tagged = all.iter().rposition(|one| one.metadata.tags.iter().any(|tag| tag.as_str() == which));
    let all = all.into_iter().map(Entry::from).chain(broken.into_iter().map(Entry::Broken)).enumerate();
    let is_meant = |at: usize, one: &Entry| Some(at) == tagged || (!which.is_empty() && one.id().starts_with(which));
    let mut all: Vec<Entry> = all.filter(|(at, one)| is_meant(*at, one)).map(|(_, one)| one).collect();
    if let Some(at) = all.iter().position(|one| one.id() == which) {
        return Ok(all.swap_remove(at));
    }
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

fn is_gone(folder: &Path) -> bool {
    matches!(fs::symlink_metadata(folder), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// What is in a folder that is no link, but for files and for what is hidden; nothing, if it was just removed.
fn shown(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let list = || {
        if fs::symlink_metadata(folder)?.file_type().is_symlink() {
            return Err(io::Error::other("it is a symbolic link"));
        }
        fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()
    };
    let entries = match list() {
        Err(_) if is_gone(folder) => Vec::new(),
        entries => entries?,
    };
    let is_shown = |entry: &fs::DirEntry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        !is_file && !entry.file_name().to_string_lossy().starts_with('.')
    };
    Ok(entries.into_iter().filter(is_shown).map(|entry| entry.path()).collect())
}
