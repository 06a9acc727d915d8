//! Whether the library can be used: looked at by using it, as far as that leaves nothing behind.

use super::{Staging, leftovers, runtime, store};
use crate::files;
use crate::home;
use crate::home::{Home, HomeError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// How the library stands.
#[derive(Debug)]
pub struct Health {
    /// Its folder.
    pub folder: PathBuf,
    /// How many snapshots are in it.
    pub snapshots: usize,
    /// How many things lie there that are none.
    pub broken: usize,
    /// Bytes of all snapshots, as recorded; of what is damaged; and of what killed runs left.
    pub bytes: u64,
    /// Bytes that are free for this user, if that can be told.
    pub free: Option<u64>,
    /// Folders of VMs in it that cannot be written.
    pub unwritable: Vec<PathBuf>,
    /// Why it is of no use, and how to fix that, if so.
    pub trouble: Option<(String, &'static str)>,
}

/// How a library that cannot be written is fixed.
const NAME_ANOTHER: &str = "export BOTTLE_FREEZE_HOME=FOLDER, one that can be written";

/// Why VMs and outputs cannot be locked, if so.
fn locks() -> Option<(String, &'static str)> {
    let refused = |error: io::Error| format!("{} cannot hold locks: {error}", runtime::path().display());
    runtime::folder().err().map(|error| (refused(error), "remove it; a new one is made"))
}

impl Health {
    /// Lists it, and writes and locks a file without a name in it.
    pub fn look() -> Self {
        match Home::open().map(|home| home.planned(store::SNAPSHOTS)) {
            Err(refused) => Self::refused(&refused),
            Ok(Err(error)) => match HomeError::in_error(&error) {
                Some(refused) => Self::refused(refused),
                None => Self::of(home::shown_path(store::SNAPSHOTS).into()),
            },
            Ok(Ok(folder)) => Self::of(folder),
        }
    }

    /// A private folder with `room` for a trial: in the library, if that is there and can be used, else a temporary one.
    ///
    /// # Errors
    /// There is none.
    pub fn scratch(&self, room: u64) -> io::Result<Staging> {
        let has_room = |folder: &Path| files::free_bytes(folder).is_none_or(|free| free >= room);
        if self.trouble.is_none() && self.folder.is_dir() && has_room(&self.folder) {
            return Staging::new(&self.folder);
        }
        if has_room(&std::env::temp_dir()) { Staging::temporary() } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn refused(why: &HomeError) -> Self {
        let folder = home::shown_path(store::SNAPSHOTS).into();
        let trouble = Some((why.to_string(), why.hint()));
        Self { folder, snapshots: 0, broken: 0, bytes: 0, free: None, unwritable: Vec::new(), trouble }
    }

    fn of(folder: PathBuf) -> Self {
        let unusable = |what: &str, error: io::Error| format!("{} cannot be {what}: {error}", folder.display());
        let there = nearest(&folder);
        let write =
            || if folder.is_dir() { Staging::new(&folder).map(drop) } else { tempfile::tempfile_in(there).map(drop) };
        let written = write().map_err(|error| unusable("written", error));
        let locked = || {
            File::open(there).and_then(|file| files::try_lock(&file, true)).map_err(|error| unusable("locked", error))
        };
        let listed = store::list(None).map_err(|error| error.to_string());
        let trouble = written.and_then(|()| locked()).err().or_else(|| listed.as_ref().err().cloned());
        let (all, broken) = listed.unwrap_or_default();
        let free = files::free_bytes(there);
        let root = folder.parent().unwrap_or(&folder);
        let left = leftovers().into_iter().filter(|left| left.path.starts_with(root)).map(|left| left.bytes);
        let bytes =
            all.iter().map(store::Stored::bytes).chain(broken.iter().map(super::Broken::bytes)).chain(left).sum();
        let trouble = trouble.map(|trouble| (trouble, NAME_ANOTHER)).or_else(locks);
        let unwritable = unwritable(&folder);
        Self { snapshots: all.len(), broken: broken.len(), bytes, free, unwritable, trouble, folder }
    }
}

/// The folder, or the nearest one above it that is there.
fn nearest(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

/// The folders in the library in which nothing can be made, as a new snapshot of that VM must be.
fn unwritable(library: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(library).into_iter().flatten().flatten();
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut all: Vec<_> = folders.filter(|path| !is_hidden(path) && tempfile::tempfile_in(path).is_err()).collect();
    all.sort();
    all
}
