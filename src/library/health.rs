//! Checks the library for `doctor`, by using it without leaving files behind.

use super::leftovers::leftovers;
use super::staging::Staging;
use super::{broken, catalog, layout, runtime, store, stored};
use crate::files;
use crate::home::{self, HomeError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The state of the library.
#[derive(Debug)]
pub struct Health {
    /// Its folder.
    pub folder: PathBuf,
    /// The number of snapshots in it.
    pub snapshots: usize,
    /// The number of folders in it that are not valid snapshots.
    pub broken: usize,
    /// Bytes of all chunks, each once, of the other files of snapshots, of damaged ones, and of leftovers of killed runs.
    pub bytes: u64,
    /// Bytes that are free for this user, if the system says so.
    pub free: Option<u64>,
    /// Folders of VMs in it that are not writable.
    pub unwritable: Vec<PathBuf>,
    /// Why it cannot be used, and how to fix that, if so.
    pub problem: Option<(String, &'static str)>,
}

/// How to fix a library that is not writable.
const USE_ANOTHER: &str = "export BOTTLE_FREEZE_HOME=FOLDER, with a folder that you can write to";

/// Why VMs and output files cannot be locked, if so.
fn locks() -> Option<(String, &'static str)> {
    let refused = |error: io::Error| format!("{} cannot hold locks: {error}", runtime::path().display());
    runtime::folder().err().map(|error| (refused(error), "remove it; bottle-freeze creates a new one"))
}

impl Health {
    /// Checks the library: lists it, and writes and locks in it.
    pub fn check() -> Self {
        match home::planned(layout::SNAPSHOTS) {
            Ok(folder) => Self::of(folder),
            Err(error) => match HomeError::in_error(&error) {
                Some(refused) => Self::refused(refused),
                None => Self::of(home::shown_path(layout::SNAPSHOTS).into()),
            },
        }
    }

    /// Creates a private folder with `bytes` free for a trial: in the library, if it exists and can be used, or else in the
    /// temporary folder.
    ///
    /// # Errors
    /// Neither works.
    pub fn trial_folder(&self, bytes: u64) -> io::Result<Staging> {
        let has_space = |folder: &Path| files::free_bytes(folder).is_none_or(|free| free >= bytes);
        if self.problem.is_none() && self.folder.is_dir() && has_space(&self.folder) {
            return Staging::new(&self.folder);
        }
        if has_space(&std::env::temp_dir()) { Staging::temporary() } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn refused(why: &HomeError) -> Self {
        let folder = home::shown_path(layout::SNAPSHOTS).into();
        let problem = Some((why.to_string(), why.hint()));
        Self { folder, snapshots: 0, broken: 0, bytes: 0, free: None, unwritable: Vec::new(), problem }
    }

    fn of(folder: PathBuf) -> Self {
        let unusable = |what: &str, error: io::Error| format!("{} cannot be {what}: {error}", folder.display());
        let existing = existing_ancestor(&folder);
        let write = || {
            if folder.is_dir() { Staging::new(&folder).map(drop) } else { tempfile::tempfile_in(existing).map(drop) }
        };
        let written = write().map_err(|error| unusable("written", error));
        let locked = || {
            File::open(existing)
                .and_then(|file| files::try_lock(&file, true))
                .map_err(|error| unusable("locked", error))
        };
        let listed = catalog::list(None).map_err(|error| error.to_string());
        let problem = written.and_then(|()| locked()).err().or_else(|| listed.as_ref().err().cloned());
        let (all, broken) = listed.unwrap_or_default();
        let free = files::free_bytes(existing);
        let root = folder.parent().unwrap_or(&folder);
        let left = leftovers().into_iter().filter(|left| left.path.starts_with(root));
        let left = left.map(|left| left.bytes - left.chunk_bytes);
        let own = all.iter().map(stored::Stored::own_bytes);
        let broken_bytes = broken.iter().map(broken::Broken::own_bytes);
        let chunks = chunk_bytes(&all, &broken);
        let bytes = own.chain(broken_bytes).chain(left).fold(chunks, u64::saturating_add);
        let problem = problem.map(|problem| (problem, USE_ANOTHER)).or_else(locks);
        let unwritable = unwritable(&folder);
        Self { snapshots: all.len(), broken: broken.len(), bytes, free, unwritable, problem, folder }
    }
}

/// Bytes of all chunks, each file once: those of the store, and those that a snapshot, also a damaged one, or a runtime has for
/// itself.
fn chunk_bytes(all: &[stored::Stored], broken: &[broken::Broken]) -> u64 {
    let runtimes = store::runtime_indexes().into_iter().map(|(folder, _)| folder);
    let broken = broken.iter().filter(|one| one.is_folder()).map(|one| one.folder.clone());
    let folders = all.iter().map(|one| one.folder.clone()).chain(broken).chain(runtimes);
    let own = folders.flat_map(|folder| store::own_objects(&folder).into_values());
    own.fold(store::bytes(), u64::saturating_add)
}

/// The folder, or the nearest existing one above it.
fn existing_ancestor(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

/// The folders of VMs in which no snapshot can be created.
fn unwritable(library: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(library).into_iter().flatten().flatten();
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut all: Vec<_> = folders.filter(|path| !is_hidden(path) && tempfile::tempfile_in(path).is_err()).collect();
    all.sort();
    all
}
