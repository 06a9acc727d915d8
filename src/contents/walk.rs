//! Goes through all files below a folder.

use super::error::ContentsError;
use super::tree::{Contents, Entry, Item};
use crate::ext4::Kind;
use std::collections::HashSet;

/// The most bytes of the files in a folder and those above it: they are in memory.
const MOST: usize = 768 << 20;
/// The longest path.
const LONGEST: usize = 64 << 10;

/// The folders that a walk has seen: one that it meets again would lead it in a circle, or through endless copies.
#[derive(Default)]
pub struct Seen {
    folders: HashSet<(usize, u32)>,
    /// Bytes of the files in the folders that are open.
    open: usize,
}

impl Seen {
    /// Notes a folder with this path.
    ///
    /// # Errors
    /// It was seen before, or lies too deep.
    fn folder(&mut self, path: &[u8], folder: &Item) -> Result<(), ContentsError> {
        if path.len() > LONGEST {
            return Err(ContentsError::damaged("the folder", "lies too deep"));
        }
        let is_new = folder.identities().all(|one| self.folders.insert(one));
        if is_new { Ok(()) } else { Err(ContentsError::damaged("the folder", "has several places")) }
    }

    /// Counts the bytes of the files in a folder that is open from now on.
    ///
    /// # Errors
    /// They are too many.
    fn open(&mut self, bytes: usize) -> Result<(), ContentsError> {
        self.open = self.open.saturating_add(bytes);
        if self.open > MOST { Err(ContentsError::damaged("the folder", "has too many files")) } else { Ok(()) }
    }

    /// The same when it is closed.
    pub fn close(&mut self, bytes: usize) {
        self.open = self.open.saturating_sub(bytes);
    }
}

/// Bytes of these files in memory.
fn memory(entries: &[Entry]) -> usize {
    entries.iter().map(|(name, item)| name.len().saturating_add(item.memory())).fold(0, usize::saturating_add)
}

/// Gets the path of a file, and what is known of it.
pub type OnItem<'a, E> = &'a mut dyn FnMut(&[u8], &Item) -> Result<(), E>;

impl Contents {
    /// The files in the folder with this path, and the bytes that they take in memory while it is open.
    ///
    /// # Errors
    /// They cannot be read, are damaged or too many; a walk was here before.
    pub fn open(&self, path: &[u8], folder: &Item, seen: &mut Seen) -> Result<(Vec<Entry>, usize), ContentsError> {
        let files = seen.folder(path, folder).and_then(|()| self.entries(folder)).and_then(|files| {
            let bytes = memory(&files);
            seen.open(bytes).map(|()| (files, bytes))
        });
        files.map_err(|error| error.of_file(path))
    }

    /// Calls `on_item` for each file below the folder with this path, in order: a folder before its files, names by their
    /// bytes.
    ///
    /// # Errors
    /// They cannot be read, are damaged, or `on_item` failed.
    pub fn walk<E: From<ContentsError>>(&self, path: &[u8], folder: &Item, on_item: OnItem<'_, E>) -> Result<(), E> {
        let (mut seen, mut path) = (Seen::default(), path.strip_suffix(b"/").unwrap_or(path).to_vec());
        let (first, bytes) = self.open(&path, folder, &mut seen)?;
        let mut stack = vec![(path.len(), bytes, first.into_iter())];
        while let Some((length, bytes, rest)) = stack.last_mut() {
            path.truncate(*length);
            let Some((name, item)) = rest.next() else {
                seen.close(*bytes);
                stack.pop();
                continue;
            };
            self.check()?;
            path.push(b'/');
            path.extend(&*name);
            on_item(&path, &item)?;
            if item.kind() == Kind::Folder {
                let (files, bytes) = self.open(&path, &item, &mut seen)?;
                stack.push((path.len(), bytes, files.into_iter()));
            }
        }
        Ok(())
    }
}
