//! When the folders of an image were changed. The engine does not keep that when it unpacks an image.

use super::bytes::Bytes;
use super::error::ContentsError;
use super::tar::{MEMORY, Tar};
use crate::ext4::{Kind, ReadAt};
use crate::library::store::{Index, Kept, Source};
use crate::signals::Signals;
use std::cell::Cell;
use std::path::Path;

/// The names of the folders in a folder, and when they were changed.
pub type Inside = [(Box<[u8]>, i64)];

/// The folders of an image.
pub struct Folders(Bytes);

impl Folders {
    /// Those of the only layer of the snapshot in this folder; nothing if it is not of an image, or has several.
    pub fn of_layer(folder: &Path, index: &Index, signals: &Signals) -> Option<Self> {
        let name = |path: &'_ str| path.strip_prefix("layers/")?.strip_suffix(".tar").map(|name| !name.contains('/'));
        let is_layer = |path: &str| name(path) == Some(true);
        let mut layers = index.members.iter().filter(|entry| is_layer(&entry.member.path));
        let layer = layers.next().filter(|_| layers.next().is_none())?;
        Some(Self(Bytes::Chunks(Source::new(folder, &Kept::default(), signals).content(layer))))
    }

    /// When the uppermost one was changed, in seconds since 1970; nothing if the layer does not begin with that.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn top(&self) -> Result<Option<i64>, ContentsError> {
        let mut header = tar::Header::new_old();
        self.0.read_at(0, header.as_mut_bytes())?;
        let is_top = header.entry_type().is_dir() && *header.path_bytes() == *b"./";
        Ok(header.mtime().ok().filter(|_| is_top).and_then(|modified| i64::try_from(modified).ok()))
    }

    /// Passes the path of each to `on_folder`, from the uppermost one, whose path is empty; and the names of the folders in it,
    /// with when they were changed.
    ///
    /// # Errors
    /// They cannot be read, or are damaged.
    pub fn each(self, on_folder: &mut dyn FnMut(&[u8], &Inside)) -> Result<(), ContentsError> {
        let tar = Tar::open(self.0, &Cell::new(MEMORY))?;
        let mut open = vec![(Vec::new(), 0)];
        while let Some((path, number)) = open.pop() {
            let mut folders = Vec::new();
            for (name, number) in tar.entries(number)? {
                let file = tar.file(number)?;
                if file.metadata.kind == Kind::Folder {
                    let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
                    open.push(([&path, slash, &name].concat(), number));
                    folders.push((name, file.metadata.modified.0));
                }
            }
            on_folder(&path, &folders);
        }
        Ok(())
    }
}
