//! The folder of all objects, and the links from it and into it.

use super::digest::Digest;
use super::error::StoreError;
use super::frame::{self, Frame, Packer, Unpacker};
use crate::library::layout::new_id;
use crate::publish::PRIVATE;
use crate::{files, home};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder of all objects, in the library.
const STORE: &str = "store/objects";
/// The folder of a snapshot's objects, in its folder.
pub const OBJECTS: &str = "objects";

/// The folder of all objects.
#[derive(Debug, Clone)]
pub struct Objects {
    folder: PathBuf,
}

/// What became of a new object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The store has it now.
    New,
    /// The store had it already: this one was replaced by a link to it.
    Known,
    /// The file system has no hard links: it stays outside.
    Unshared,
}

impl Objects {
    /// Opens the folder to write; created if it is missing.
    ///
    /// # Errors
    /// The library cannot be written.
    pub fn create() -> Result<Self, StoreError> {
        home::folder(STORE).map(Self::at).map_err(StoreError::closed(STORE))
    }

    /// Opens the folder, if there is one.
    pub fn existing() -> io::Result<Option<Self>> {
        Ok(home::existing(STORE)?.map(Self::at))
    }

    /// The folder with this path.
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The path of the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of the object with that name.
    pub fn path(&self, name: &Digest) -> PathBuf {
        self.folder.join(name.to_string())
    }

    /// Links the object into the folder `into`, if there is one with this content: its frame is the `recorded` one, which was
    /// compared before, or it is decompressed and compared. The frame is read into `buffer`.
    pub fn link(
        &self,
        name: &Digest,
        content: &[u8],
        recorded: Option<Frame>,
        into: &Path,
        packer: &mut Packer,
        buffer: &mut Vec<u8>,
    ) -> Option<Frame> {
        let link = into.join(name.to_string());
        match fs::hard_link(self.path(name), &link) {
            // Without hard links, an earlier writer in this folder may have left it.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !link.exists() => return None,
            _ => {}
        }
        // The link is compared, not what it was made from: that may be replaced at any time.
        if read_own(&link, buffer).is_ok() {
            let frame = Frame::of(buffer);
            if recorded == Some(frame) || packer.is_frame_of(buffer, content) {
                return Some(frame);
            }
        }
        let _ = fs::remove_file(&link);
        None
    }

    /// Gives the finished, flushed object `from` its name in the store. An object of that name that is there is used, if it
    /// has the same bytes, or else replaced.
    ///
    /// # Errors
    /// The system refuses.
    pub fn put(&self, name: &Digest, from: &Path) -> io::Result<Put> {
        let stored = self.path(name);
        match fs::hard_link(from, &stored) {
            Ok(()) => Ok(Put::New),
            Err(error) if cannot_link(&error) => Ok(Put::Unshared),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Err(_) if is_one_file(from, &stored) => Ok(Put::Known),
            Err(_) if are_same(from, &stored) && link_over(&stored, from).is_ok() => Ok(Put::Known),
            Err(_) => link_over(from, &stored).map(|()| Put::New),
        }
    }

    /// Replaces the `object` of a snapshot, which is missing or damaged, by that of the store, if that is whole. Creates the
    /// folder of the object if it is missing. Returns whether the object is whole now.
    pub fn heal(&self, name: &Digest, length: u32, object: &Path, unpacker: &mut Unpacker) -> bool {
        let (stored, mut frame) = (self.path(name), Vec::new());
        if frame::read(&stored, &mut frame).is_err() || !unpacker.is_object(&frame, name, length) {
            return false;
        }
        let _ = object.parent().map(|folder| DirBuilder::new().mode(0o700).create(folder));
        link_over(&stored, object).is_ok()
    }

    /// Removes the object, if no snapshot has it. Returns the bytes that this frees.
    ///
    /// # Errors
    /// The system refuses.
    pub fn release(&self, name: &Digest) -> io::Result<u64> {
        let path = self.path(name);
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() && meta.nlink() == 1 && files::is_own(&meta) => {
                remove_file(&path).map(|()| meta.len())
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(0),
        }
    }
}

/// Creates the file of an object that is not yet flushed.
///
/// # Errors
/// It exists, or the system refuses.
pub fn create(path: &Path, frame: &[u8]) -> io::Result<File> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(frame)?;
    Ok(file)
}

/// Links an object from one folder to another, or copies it where that is not possible.
///
/// # Errors
/// It is missing, or the system refuses.
pub fn link_or_copy(from: &Path, to: &Path, buffer: &mut Vec<u8>) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if cannot_link(&error) => {
            frame::read(from, buffer)?;
            unless_there(create(to, buffer).and_then(|file| file.sync_data()))
        }
        linked => unless_there(linked),
    }
}

fn unless_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Reads the file of an object into `buffer`, if this user owns it.
///
/// # Errors
/// It belongs to another user, or see [`frame::open`].
pub fn read_own(path: &Path, buffer: &mut Vec<u8>) -> io::Result<()> {
    let (file, meta) = frame::open(path)?;
    if !files::is_own(&meta) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it belongs to another user"));
    }
    frame::read_open(&file, buffer)
}

/// Removes a file that may be gone.
///
/// # Errors
/// The system refuses.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes `to` a link to the file `from`, in one step.
///
/// # Errors
/// The system refuses.
pub fn link_over(from: &Path, to: &Path) -> io::Result<()> {
    loop {
        // Not beside `to`, which may be in a snapshot: no sweep looks there.
        let new = from.with_file_name(format!("{PRIVATE}{:.6}", new_id()));
        fs::hard_link(from, &new)?;
        // After the rename it is still there if both are the same file already, or if the folder of `to` is missing.
        match (fs::rename(&new, to), fs::remove_file(&new)) {
            // A sweep of another run removed it.
            (Err(error), Err(gone)) if [error.kind(), gone.kind()] == [io::ErrorKind::NotFound; 2] => {}
            (renamed, _) => return renamed,
        }
    }
}

/// Whether both are names of one file.
pub fn is_one_file(one: &Path, other: &Path) -> bool {
    let inode = |path| fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    inode(one).is_some_and(|one| inode(other) == Some(one))
}

fn are_same(one: &Path, other: &Path) -> bool {
    let (mut bytes, mut others) = (Vec::new(), Vec::new());
    frame::read(one, &mut bytes).is_ok() && frame::read(other, &mut others).is_ok() && bytes == others
}

/// Whether the file system makes no hard links, or no more of this file.
fn cannot_link(error: &io::Error) -> bool {
    let refusals = [Errno::PERM, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::XDEV, Errno::MLINK];
    error.raw_os_error().is_some_and(|error| refusals.iter().any(|one| one.raw_os_error() == error))
}
