//! Reads the objects of a snapshot one by one.

use super::digest::Digest;
use super::error::{Bad, StoreError};
use super::frame::{self, Frame, Unpacker};
use super::objects::{self, OBJECTS, Objects};
use std::io;
use std::path::{Path, PathBuf};

/// Reads the objects of a snapshot.
pub struct Reader {
    store: Option<Objects>,
    folder: PathBuf,
    frame: Vec<u8>,
    unpacker: Unpacker,
}

impl Reader {
    /// Reads those of the snapshot in this folder; a damaged one from the `store`.
    pub fn new(store: Option<Objects>, folder: &Path) -> Self {
        Self { store, folder: folder.to_owned(), frame: Vec::new(), unpacker: Unpacker::new() }
    }

    /// The frame of an object that was read last.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Reads the frame of an object, from the store if that in the folder is damaged. It is known by its size and CRC-32;
    /// another frame is accepted if its content is right.
    ///
    /// # Errors
    /// The object is missing or damaged, also in the store, or cannot be read.
    pub fn read(&mut self, name: &Digest, length: u32, recorded: Frame) -> Result<Frame, StoreError> {
        let path = self.folder.join(OBJECTS).join(name.to_string());
        let error = match self.check(&path, name, length, recorded) {
            Ok(frame) => return Ok(frame),
            Err(error) => error,
        };
        if let Some(stored) = self.store.as_ref().map(|store| store.path(name)) {
            if let Ok(frame) = self.check(&stored, name, length, recorded) {
                // Other readers need it whole, too; but the library may be read-only.
                let _ = objects::link_over(&stored, &path);
                return Ok(frame);
            }
        }
        if !frame::is_damage(&error) {
            return Err(StoreError::unreadable(&path)(error));
        }
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        Err(self.damaged(name, is_missing))
    }

    /// Reads the content of an object.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub fn content(&mut self, name: &Digest, length: u32, recorded: Frame) -> Result<Vec<u8>, StoreError> {
        self.read(name, length, recorded)?;
        self.unpacker.unpacked(&self.frame, length as usize).ok_or_else(|| self.damaged(name, false))
    }

    fn damaged(&self, name: &Digest, is_missing: bool) -> StoreError {
        let mut bad = Bad::default();
        bad.add(*name, is_missing);
        StoreError::Damaged { folder: self.folder.clone(), bad }
    }

    fn check(&mut self, path: &Path, name: &Digest, length: u32, recorded: Frame) -> io::Result<Frame> {
        frame::read(path, &mut self.frame)?;
        let frame = Frame::of(&self.frame);
        if frame == recorded || self.unpacker.is_object(&self.frame, name, length) {
            return Ok(frame);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "it does not hold what its name says"))
    }
}
