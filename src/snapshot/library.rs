//! The library: plain files, `snapshots/VM/ID/` in the home folder, each with its `snapshot.json`. No database.

use super::home;
use super::metadata::{Metadata, MetadataError, Tag};
use crate::publish::withdraw;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The artifact's name in its folder.
pub const ARTIFACT: &str = "vm.smolmachine";
/// The artifact's, if it holds a running VM.
pub const CHECKPOINT: &str = "vm.checkpoint";
/// The launcher's, where one is kept.
pub const LAUNCHER: &str = "vm";

/// The saved `/workspace`, where the engine's pack cannot carry it.
pub const WORKSPACE: &str = "workspace.tar";

/// A snapshot of the library.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its folder.
    pub folder: PathBuf,
    /// What its `snapshot.json` says.
    pub metadata: Metadata,
}

/// A folder of the library that is no snapshot.
#[derive(Debug, Error)]
#[error("{} is no snapshot: {why}", folder.display())]
pub struct Broken {
    /// The folder.
    pub folder: PathBuf,
    /// Why.
    pub why: MetadataError,
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
    /// Its artifact.
    pub fn artifact(&self) -> PathBuf {
        self.folder.join(self.metadata.artifact().unwrap_or(ARTIFACT))
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

    /// Removes it: out of sight in one instant, then file by file.
    pub fn remove(&self) -> io::Result<()> {
        let gone = tempfile::Builder::new().prefix(super::work::PRIVATE).tempdir_in(parent(&self.folder))?;
        withdraw(&self.folder, &gone.path().join("removed"))?;
        gone.close()?;
        // What a removal that was killed has left.
        super::work::sweep_folder(parent(&self.folder), &|_| ());
        // The last one of a VM takes the VM's folder with it.
        let _ = fs::remove_dir(parent(&self.folder));
        Ok(())
    }
}

/// Where a VM's snapshots are.
pub fn vm_path(vm: &str) -> PathBuf {
    home::path("snapshots").join(vm)
}

/// The folder of a VM's snapshots, made if it is missing.
pub fn vm_folder(vm: &str) -> io::Result<PathBuf> {
    let folder = home::folder(&format!("snapshots/{vm}"))?;
    // A link that leads out of the library is not followed.
    if fs::symlink_metadata(&folder)?.is_dir() { Ok(folder) } else { Err(io::ErrorKind::NotADirectory.into()) }
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
    let root = home::path("snapshots");
    let unreadable = |folder: &Path| {
        let folder = folder.to_owned();
        move |source| FindError::Unreadable { folder, source }
    };
    // The library as a whole may be a link: its owner has made it.
    let root = fs::canonicalize(&root).unwrap_or(root);
    let vms = match vm {
        Some(vm) => vec![root.join(vm)],
        None => folders(&root).map_err(unreadable(&root))?,
    };
    let (mut stored, mut broken) = (Vec::new(), Vec::new());
    for vm in vms {
        for folder in folders(&vm).map_err(unreadable(&vm))? {
            match Metadata::read(&folder).and_then(|metadata| metadata.of(&folder)) {
                Ok(metadata) => stored.push(Stored { folder, metadata }),
                Err(why) => broken.push(Broken { folder, why }),
            }
        }
    }
    stored.sort_by_cached_key(|one| (one.metadata.order(), one.metadata.time(), one.metadata.id.clone()));
    Ok((stored, broken))
}

/// The snapshot that `VM` (its newest), `VM@TAG` or `VM@ID-PREFIX` names.
///
/// # Errors
/// None or several, or the library cannot be read.
pub fn find(reference: &str) -> Result<Stored, FindError> {
    let not_found = || FindError::NotFound(reference.to_owned());
    let (vm, which) = reference.split_once('@').map_or((reference, None), |(vm, which)| (vm, Some(which)));
    if vm.is_empty() || vm.contains('/') || vm.starts_with('.') {
        return Err(not_found());
    }
    let (mut all, _) = list(Some(vm))?;
    let Some(which) = which else { return all.pop().ok_or_else(not_found) };
    let tagged = all.iter().rposition(|one| one.metadata.tags.iter().any(|tag| tag.as_str() == which));
    if let Some(at) = tagged {
        return Ok(all.swap_remove(at));
    }
    all.retain(|one| !which.is_empty() && one.metadata.id.starts_with(which));
    if all.len() > 1 {
        let candidates = all.iter().map(Stored::reference).collect();
        return Err(FindError::Ambiguous { reference: reference.to_owned(), candidates });
    }
    all.pop().ok_or_else(not_found)
}

/// Who of `all` but `id` has one of these tags.
pub fn tagged<'a>(all: &'a [Stored], id: &str, tags: &[Tag]) -> Vec<&'a Stored> {
    let has_one = |one: &&Stored| one.metadata.id != id && one.metadata.tags.iter().any(|tag| tags.contains(tag));
    all.iter().filter(has_one).collect()
}

/// The folders in `folder`, symbolic links and hidden ones left out; none if it is missing.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_folder = fs::symlink_metadata(folder).map(|meta| meta.is_dir());
    match is_folder {
        Ok(true) => {}
        Ok(false) => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && !entry.file_name().to_string_lossy().starts_with('.') {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn parent(folder: &Path) -> &Path {
    folder.parent().unwrap_or(Path::new("/"))
}
