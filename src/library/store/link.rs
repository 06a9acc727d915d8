//! Takes over what another snapshot has: its objects are linked, not made again.

use super::digest::Digest;
use super::error::{Bad, StoreError};
use super::frame::{self, Frame, Unpacker};
use super::objects::{self, OBJECTS};
use super::work::Work;
use crate::threads::side_by_side;
use std::io;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// An object of another snapshot.
pub struct Object {
    pub name: Digest,
    /// The bytes of its content.
    pub length: u32,
    /// Its frame, which was compared with the content when that snapshot was written.
    pub frame: Frame,
}

impl Work<'_> {
    /// Links claimed objects from the folder `from`, on all cores.
    ///
    /// # Errors
    /// See [`Self::link`].
    pub fn link_all(&self, objects: &[Object], from: &Path) -> Result<(), StoreError> {
        let (left, failure) = (Mutex::new(objects.iter()), OnceLock::new());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        side_by_side(frame::threads().min(objects.len()).saturating_sub(1), || {
            let mut buffer = Vec::new();
            while let (None, Some(object)) = (failure.get(), next()) {
                if let Err(error) = self.link(object, from, &mut buffer) {
                    let _ = failure.set(error);
                }
            }
        });
        failure.into_inner().map_or(Ok(()), Err)
    }

    /// Links a claimed object from the folder `from`, and into the store if that does not have it.
    ///
    /// # Errors
    /// It is missing or damaged, or cannot be linked; a signal arrived.
    pub fn link(&self, object: &Object, from: &Path, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        self.signals.check()?;
        let Object { name, length, frame: recorded } = object;
        let (there, here) = (from.join(OBJECTS).join(name.to_string()), self.folder.join(name.to_string()));
        let damaged = |is_missing: bool| {
            let mut bad = Bad::default();
            bad.add(*name, is_missing);
            StoreError::Damaged { folder: from.to_owned(), bad }
        };
        objects::link_or_copy(&there, &here, buffer).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged(true),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => damaged(false),
            _ => StoreError::not_writable(&here)(error),
        })?;
        objects::read_own(&here, buffer).map_err(|error| {
            if frame::is_damage(&error) { damaged(false) } else { StoreError::unreadable(&here)(error) }
        })?;
        let frame = Frame::of(buffer);
        // What is recorded was compared with the content when the other folder was written.
        if frame != *recorded && !Unpacker::new().is_object(buffer, name, *length) {
            return Err(damaged(false));
        }
        self.put(name, &here, frame.bytes.into())?;
        self.made(*name, frame);
        Ok(())
    }
}
