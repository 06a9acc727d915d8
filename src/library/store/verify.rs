//! Checks the objects of a snapshot, and replaces damaged ones by those of the store.

use super::digest::Digest;
use super::error::{Bad, StoreError};
use super::frame::{self, Unpacker};
use super::index::Index;
use super::objects::{OBJECTS, Objects};
use crate::signals::Signals;
use crate::{publish, threads};
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The objects that this run has read and found whole. Snapshots share objects: each is read once.
#[derive(Debug, Default)]
pub struct Seen(Mutex<HashMap<(u64, u64), (Digest, u32)>>);

/// Reads the objects of the snapshot in that folder, and compares them with their names. One that is missing or damaged is
/// replaced by that of the store, if that one is whole: a later freeze may have written it anew.
///
/// # Errors
/// Objects are missing or damaged; one cannot be read; a signal arrived.
pub fn verify(folder: &Path, index: &Index, seen: &Seen, signals: &Signals) -> Result<(), StoreError> {
    verify_in(Objects::existing().ok().flatten(), folder, index, seen, signals)
}

pub(super) fn verify_in(
    store: Option<Objects>,
    folder: &Path,
    index: &Index,
    seen: &Seen,
    signals: &Signals,
) -> Result<(), StoreError> {
    let check = Check {
        store,
        folder: folder.join(OBJECTS),
        objects: index.objects(),
        seen,
        signals,
        next: AtomicUsize::new(0),
        found: Mutex::default(),
    };
    threads::side_by_side(frame::threads() - 1, || check.run());
    let Found { bad, has_healed, failure } = check.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if has_healed {
        publish::flush_alone(&check.folder).map_err(StoreError::not_writable(&check.folder))?;
    }
    match failure {
        Some(failure) => Err(failure),
        None if bad.is_empty() => Ok(()),
        None => Err(StoreError::Damaged { folder: folder.to_owned(), bad }),
    }
}

/// What the threads of a check share.
struct Check<'v> {
    store: Option<Objects>,
    folder: PathBuf,
    objects: Vec<(Digest, u32, u32)>,
    seen: &'v Seen,
    signals: &'v Signals,
    next: AtomicUsize,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    bad: Bad,
    has_healed: bool,
    failure: Option<StoreError>,
}

impl Check<'_> {
    fn run(&self) {
        let (mut unpacker, mut buffer) = (Unpacker::new(), Vec::new());
        while let Some((name, length, _)) = self.objects.get(self.next.fetch_add(1, Relaxed)) {
            let checked = self.signals.check().map_err(StoreError::from);
            if let Err(failure) = checked.and_then(|()| self.check(name, *length, &mut unpacker, &mut buffer)) {
                self.next.store(self.objects.len(), Relaxed);
                self.found().failure.get_or_insert(failure);
            }
        }
    }

    fn check(
        &self,
        name: &Digest,
        length: u32,
        unpacker: &mut Unpacker,
        buffer: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let path = self.folder.join(name.to_string());
        let is_missing = match self.is_whole(&path, name, length, unpacker, buffer) {
            Ok(true) => return Ok(()),
            Ok(false) => false,
            Err(error) if frame::is_damage(&error) => error.kind() == io::ErrorKind::NotFound,
            Err(error) => return Err(StoreError::unreadable(&path)(error)),
        };
        let is_healed = self.store.as_ref().is_some_and(|store| store.heal(name, length, &path, unpacker));
        let mut found = self.found();
        if is_healed {
            found.has_healed = true;
        } else {
            found.bad.add(*name, is_missing);
        }
        Ok(())
    }

    fn is_whole(
        &self,
        path: &Path,
        name: &Digest,
        length: u32,
        unpacker: &mut Unpacker,
        buffer: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let (file, meta) = frame::open(path)?;
        let seen = || self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inode = (meta.dev(), meta.ino());
        if seen().get(&inode) == Some(&(*name, length)) {
            return Ok(true);
        }
        frame::read_open(&file, buffer)?;
        let is_whole = unpacker.is_object(buffer, name, length);
        if is_whole {
            seen().insert(inode, (*name, length));
        }
        Ok(is_whole)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
