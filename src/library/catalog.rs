//! Lists and finds the snapshots of the library: folders `snapshots/VM/ID/`, each with a `snapshot.json`. No database.

use super::broken::{Broken, Entry};
use super::layout::{ID_BEGIN, METADATA, SNAPSHOTS};
use super::lock::{Lock, LockError, Sharing};
use super::metadata::MetadataError;
use super::stored::Stored;
use super::tag::{LATEST, Tag};
use crate::home;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// Why no snapshot was found.
#[derive(Debug, Error)]
pub enum FindError {
    /// There is no such snapshot.
    #[error("there is no snapshot '{0}'")]
    NotFound(String),
    /// There are several.
    #[error("'{reference}' is ambiguous: {}", candidates.join(", "))]
    Ambiguous {
        /// The reference.
        reference: String,
        /// The snapshots that it matches.
        candidates: Vec<String>,
    },
    /// The snapshot is damaged.
    #[error(transparent)]
    Broken(Broken),
    /// The newest snapshot is unknown, because this damaged one may be newer.
    #[error("{}, which may be the newest snapshot of that VM, is damaged: {}", .0.reference(), .0.why)]
    NewestBroken(Broken),
    /// The library cannot be read.
    #[error("the library {} cannot be read: {source}", folder.display())]
    Unreadable {
        /// Its folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Locks a snapshot against removal, if this file is one of its files.
pub fn hold_file(path: &Path) -> Option<Lock> {
    let folder = fs::canonicalize(path).ok()?.parent()?.to_owned();
    let is_snapshot = folder.join(METADATA).is_file();
    is_snapshot.then(|| Lock::folder(&path.display().to_string(), &folder, Sharing::Shared).ok()).flatten()
}

/// Locks the snapshots of a VM for a change. Creates their folder if it is missing; dropping the lock removes it if it is
/// empty.
///
/// # Errors
/// Another run holds the lock, or the folder cannot be created or locked.
pub fn lock(vm: &str) -> Result<Lock, LockError> {
    let what = format!("the library of '{vm}'");
    loop {
        let shown = || home::shown_path(&format!("{SNAPSHOTS}/{vm}")).into();
        let unlockable = |source| LockError::Unlockable { what: what.clone(), folder: shown(), source };
        let folder = vm_folder(vm).map_err(unlockable)?;
        match Lock::folder(&what, &folder, Sharing::Alone) {
            // Its last holder has removed it: create it again.
            Err(LockError::Gone(_)) => {}
            result => return result.map(Lock::removing_if_empty),
        }
    }
}

/// Removes the folder of a VM's snapshots, if it is empty and no run is using it.
pub(super) fn remove_if_empty(folder: &Path) {
    let lock = Lock::folder("the library", folder, Sharing::Alone);
    drop(lock.map(Lock::removing_if_empty));
}

/// The folder of a VM's snapshots, which may not exist yet.
///
/// # Errors
/// The library or that folder cannot be used.
pub fn vm_path(vm: &str) -> io::Result<PathBuf> {
    home::planned(&format!("{SNAPSHOTS}/{vm}"))
}

/// The folder of a VM's snapshots, created if it is missing.
///
/// # Errors
/// It cannot be created or used.
pub fn vm_folder(vm: &str) -> io::Result<PathBuf> {
    home::folder(&format!("{SNAPSHOTS}/{vm}"))
}

/// The `sequence` of the next snapshot of a VM that has these: the milliseconds since 1970, or more if the clock has gone
/// back. The caller holds the lock of that VM's snapshots.
pub fn next_sequence(all: &[Stored]) -> u64 {
    let now = jiff::Timestamp::now().as_millisecond().try_into().unwrap_or(0);
    all.last().map_or(now, |last| now.max(last.metadata.order().saturating_add(1)))
}

/// The snapshots of `vm`, or of all VMs, oldest first; and the folders that are not valid snapshots.
///
/// # Errors
/// The library cannot be read.
pub fn list(vm: Option<&str>) -> Result<(Vec<Stored>, Vec<Broken>), FindError> {
    let name = vm.map_or_else(|| SNAPSHOTS.to_owned(), |vm| format!("{SNAPSHOTS}/{vm}"));
    let unreadable = |source| FindError::Unreadable { folder: home::shown_path(&name).into(), source };
    let Some(folder) = home::existing(&name).map_err(unreadable)? else { return Ok((Vec::new(), Vec::new())) };
    let entries = visible_folders(&folder).map_err(unreadable)?;
    let (mut folders, mut stored, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    if vm.is_some() {
        folders = entries;
    } else {
        for vm in entries {
            // An unreadable folder of one VM does not hide those of others.
            match visible_folders(&vm) {
                Ok(entries) => folders.extend(entries),
                Err(error) => broken.push(Broken::new(vm, MetadataError::new(error.to_string()))),
            }
        }
    }
    for folder in folders {
        match Stored::read(folder.clone()) {
            Ok(one) => stored.push(one),
            // Removed after it was listed.
            Err(_) if is_gone(&folder) => {}
            Err(why) => broken.push(Broken::new(folder, why)),
        }
    }
    // A snapshot comes after copies of it.
    stored.sort_by_cached_key(|one| {
        let metadata = &one.metadata;
        (metadata.order(), metadata.time(), metadata.scrubbed.is_empty(), metadata.id.clone())
    });
    Ok((stored, broken))
}

/// The snapshot that `VM` or `VM@latest` (its newest), `VM@ID`, `VM@TAG` or `VM@ID-PREFIX` names. A whole id comes before a
/// tag, and a tag before a prefix of fewer than four digits. A longer one that is also a tag is ambiguous if it names two
/// snapshots.
///
/// # Errors
/// There is none or more than one, it is damaged, or the library cannot be read.
pub fn find(reference: &str) -> Result<Stored, FindError> {
    match find_entry(reference)? {
        Entry::Whole(stored) => Ok(*stored),
        Entry::Broken(broken) => Err(FindError::Broken(broken)),
    }
}

/// The same; or, if no VM of that name has a snapshot, the one that `ID`, `ID-PREFIX` or `TAG` alone names. Only for what
/// reads: nothing of another VM is changed or removed because a name fits.
///
/// # Errors
/// See [`find`].
pub fn find_of_any_vm(reference: &str) -> Result<Stored, FindError> {
    match find(reference) {
        Err(FindError::NotFound(_)) if !reference.is_empty() && !reference.contains(['@', '/']) => {
            match only(of_any_vm(reference)?, reference)? {
                Entry::Whole(stored) => Ok(*stored),
                Entry::Broken(broken) => Err(FindError::Broken(broken)),
            }
        }
        found => found,
    }
}

/// The same as [`find`], but also finds a damaged snapshot by its id.
///
/// # Errors
/// There is none or more than one, the library cannot be read, or the newest may be a damaged one.
pub fn find_entry(reference: &str) -> Result<Entry, FindError> {
    let not_found = || FindError::NotFound(reference.to_owned());
    let (vm, which) = reference.split_once('@').map_or((reference, None), |(vm, which)| (vm, Some(which)));
    if vm.is_empty() || vm.contains('/') || vm.starts_with('.') {
        return Err(not_found());
    }
    let (all, broken) = list(Some(vm))?;
    match which {
        None => newest(all, broken)?.ok_or_else(not_found),
        Some(LATEST) if !all.iter().any(|one| has_tag(one, LATEST)) => newest(all, broken)?.ok_or_else(not_found),
        Some(which) => only(matching(all, broken, which, 1), reference),
    }
}

/// The only one that was found.
fn only(mut found: Vec<Entry>, reference: &str) -> Result<Entry, FindError> {
    if found.len() > 1 {
        let candidates = found.iter().map(Entry::reference).collect();
        return Err(FindError::Ambiguous { reference: reference.to_owned(), candidates });
    }
    found.pop().ok_or_else(|| FindError::NotFound(reference.to_owned()))
}

/// The snapshots of all VMs that have this id or tag.
fn of_any_vm(which: &str) -> Result<Vec<Entry>, FindError> {
    let (all, broken) = list(None)?;
    let mut vms: BTreeMap<String, (Vec<Stored>, Vec<Broken>)> = BTreeMap::new();
    for one in all {
        vms.entry(one.metadata.vm.clone()).or_default().0.push(one);
    }
    for one in broken {
        vms.entry(one.reference().split('@').next().unwrap_or_default().to_owned()).or_default().1.push(one);
    }
    // Fewer digits are more likely a typo.
    let found = vms.into_values().flat_map(|(all, broken)| matching(all, broken, which, ID_BEGIN));
    Ok(whole_ids_first(found.collect(), which))
}

/// The snapshots of one VM that have this tag, this id, or an id that begins with it, if it has at least so many digits.
fn matching(all: Vec<Stored>, broken: Vec<Broken>, which: &str, digits: usize) -> Vec<Entry> {
    // If a killed run left the same tag on two snapshots, the newer one counts.
    let tagged = all.iter().rposition(|one| has_tag(one, which));
    // More digits may be meant as an id: `git rev-parse --short` makes tags that look like one.
    let digits = if tagged.is_some() { ID_BEGIN } else { digits };
    let all = all.into_iter().map(Entry::from).chain(broken.into_iter().map(Entry::Broken)).enumerate();
    let has_id = |one: &Entry| which.len() >= digits && one.id().starts_with(which);
    let found = all.filter(|(at, one)| Some(*at) == tagged || has_id(one)).map(|(_, one)| one);
    whole_ids_first(found.collect(), which)
}

/// Only those with exactly this id, if there are any.
fn whole_ids_first(mut found: Vec<Entry>, id: &str) -> Vec<Entry> {
    if found.iter().any(|one| one.id() == id) {
        found.retain(|one| one.id() == id);
    }
    found
}

fn has_tag(one: &Stored, tag: &str) -> bool {
    one.metadata.tags.iter().any(|one| one.as_str() == tag)
}

/// The newest of these snapshots, or an error if a damaged one may be newer.
///
/// # Errors
/// A damaged one may be newer.
pub fn newest(mut all: Vec<Stored>, broken: Vec<Broken>) -> Result<Option<Entry>, FindError> {
    let newest = all.pop();
    // A time in the future (the clock went back) says nothing about the age of others.
    let created = newest.as_ref().map(|newest| newest.metadata.time().into()).filter(|time| *time <= SystemTime::now());
    match broken.into_iter().find(|one| created.is_none_or(|created| one.may_be_newer_than(created))) {
        Some(broken) => Err(FindError::NewestBroken(broken)),
        None => Ok(newest.map(Entry::from)),
    }
}

/// The snapshots, other than `id`, that have one of these tags.
pub fn tagged<'a>(all: &'a [Stored], id: &str, tags: &[Tag]) -> Vec<&'a Stored> {
    let has_one = |one: &&Stored| one.metadata.id != id && one.metadata.tags.iter().any(|tag| tags.contains(tag));
    all.iter().filter(has_one).collect()
}

fn is_gone(folder: &Path) -> bool {
    matches!(fs::symlink_metadata(folder), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// The visible folders (and links) in a folder that is not a link itself; none if it was just removed.
fn visible_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
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
    let is_visible = |entry: &fs::DirEntry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        !is_file && !entry.file_name().to_string_lossy().starts_with('.')
    };
    Ok(entries.into_iter().filter(is_visible).map(|entry| entry.path()).collect())
}
