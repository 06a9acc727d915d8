//! Writes files of a snapshot into a private folder of the host. Nothing is written through a symbolic link: each folder is
//! opened by its name in the one above, and each file is new.

use crate::contents::{Contents, ContentsError, Item, Seen};
use crate::ext4::Kind;
use crate::signals::{Interrupted, Signals};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, AtFlags, Mode, OFlags, Timespec, Timestamps};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::vec;

/// Bytes that are copied at once.
const WINDOW: u64 = 256 << 10;
/// A copy that replaces a hard link counts as this part of its data: a file system of the host may have no links.
const COPIES: u64 = 16;
/// The longest path that the system takes.
const LONGEST: usize = 4095;
/// The most bytes of paths that are remembered, so that they fit into memory.
const MEMORY: usize = 256 << 20;

/// Why files are not written.
#[derive(Debug)]
pub enum ExtractError {
    /// They cannot be read.
    Contents(ContentsError),
    /// They cannot be written.
    Unwritten(io::Error),
    /// A signal arrived.
    Interrupted(Interrupted),
}

impl From<ContentsError> for ExtractError {
    fn from(error: ContentsError) -> Self {
        Self::Contents(error)
    }
}

impl From<io::Error> for ExtractError {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

impl From<rustix::io::Errno> for ExtractError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Unwritten(error.into())
    }
}

impl From<Interrupted> for ExtractError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// What was written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Extracted {
    /// Bytes of the content of files.
    pub bytes: u64,
    /// Devices, FIFOs and sockets, which are left out.
    pub skipped: u64,
}

/// Writes a file, a link, or a folder with all that is in it, which has the path `from` in the guest, as the new `name` in the
/// private folder. It gets mode and times, and the extended attributes of users; the owner is this user, so the bits for
/// set-user-id and set-group-id are left out.
///
/// # Errors
/// It cannot be read or written, or a signal arrived.
pub fn extract(
    contents: &Contents,
    (from, item): (&[u8], &Item),
    private: &Path,
    name: &OsStr,
    signals: &Signals,
) -> Result<Extracted, ExtractError> {
    let folder = open_folder(rustix::fs::CWD, private.as_os_str())?;
    let left = contents.data().saturating_mul(2).max(1 << 30);
    let mut extraction = Extraction {
        contents,
        from: from.strip_suffix(b"/").unwrap_or(from),
        above: name.len(),
        signals,
        written: HashMap::new(),
        done: Extracted::default(),
        left,
        memory: MEMORY,
        top: &folder,
        closed: Vec::new(),
    };
    if item.kind() == Kind::Folder {
        extraction.folder(item, name)?;
    } else {
        extraction.add(&folder, name, name.as_bytes(), item)?;
    }
    extraction.close()?;
    Ok(extraction.done)
}

struct Extraction<'a> {
    contents: &'a Contents,
    /// The path in the guest of what is written.
    from: &'a [u8],
    /// Bytes of its name in the private folder.
    above: usize,
    signals: &'a Signals,
    /// The paths of files that have more names, by what they are; empty if it is too long for a link.
    written: HashMap<(usize, u32), Vec<u8>>,
    done: Extracted,
    /// Bytes of data that may still be written: files that claim the same parts of a disk would have no end.
    left: u64,
    /// Bytes of paths that may still be remembered.
    memory: usize,
    /// The private folder.
    top: &'a OwnedFd,
    /// Folders that this user could not enter or change: they get their modes last, or they could not be removed after a failure.
    /// What is in a folder comes before it.
    closed: Vec<(Vec<u8>, Mode)>,
}

/// A folder that is being written.
struct Open {
    item: Item,
    /// The length of its path.
    length: usize,
    /// Bytes that its files take in memory.
    bytes: usize,
    rest: vec::IntoIter<(Box<[u8]>, Item)>,
}

impl Extraction<'_> {
    fn folder(&mut self, item: &Item, name: &OsStr) -> Result<(), ExtractError> {
        let mut seen = Seen::default();
        let mut at = enter(self.top, name)?;
        let mut path = name.as_bytes().to_vec();
        let mut stack = vec![self.open(item.clone(), &path, &mut seen)?];
        while let Some(last) = stack.last_mut() {
            self.signals.check()?;
            path.truncate(last.length);
            if let Some((name, item)) = last.rest.next() {
                path.push(b'/');
                path.extend(&*name);
                let name = OsStr::from_bytes(&name);
                if item.kind() == Kind::Folder {
                    at = enter(&at, name)?;
                    stack.push(self.open(item, &path, &mut seen)?);
                } else {
                    self.add(&at, name, &path, &item)?;
                }
            } else if let Some(done) = stack.pop() {
                // Above first: without permissions, nothing in it can be opened.
                let above = open_folder(&at, OsStr::new(".."))?;
                seen.close(done.bytes);
                let mode = self.finish(&at, &path, &done.item, Mode::RWXU)?;
                // The first one is renamed, for which this user must be able to write it.
                if !mode.contains(Mode::RWXU) && !stack.is_empty() {
                    let many = || ContentsError::damaged("the folder", "has too many folders that cannot be changed");
                    let has_room = self.remember(path.len());
                    has_room.ok_or_else(|| many().of_file(&self.guest_path(&path)))?;
                    self.closed.push((path.clone(), mode));
                }
                at = above;
            }
        }
        Ok(())
    }

    fn open(&self, item: Item, path: &[u8], seen: &mut Seen) -> Result<Open, ExtractError> {
        let (rest, bytes) = self.contents.open(&self.guest_path(path), &item, seen)?;
        Ok(Open { item, length: path.len(), bytes, rest: rest.into_iter() })
    }

    /// Counts a path that is remembered; nothing if they are too many.
    fn remember(&mut self, bytes: usize) -> Option<()> {
        self.memory = self.memory.checked_sub(bytes.saturating_add(size_of::<(Vec<u8>, Mode)>()))?;
        Some(())
    }

    /// Gives the closed folders their modes, each by its own descriptor: a path may be longer than the system takes.
    fn close(&self) -> Result<(), ExtractError> {
        let mut at = open_folder(self.top, OsStr::new("."))?;
        let mut here: Vec<&[u8]> = Vec::new();
        for (path, mode) in &self.closed {
            let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
            let shared = here.iter().zip(&parts).take_while(|(one, other)| one == other).count();
            for _ in here.drain(shared..) {
                at = open_folder(&at, OsStr::new(".."))?;
            }
            for part in parts.iter().skip(shared) {
                at = open_folder(&at, OsStr::from_bytes(part))?;
            }
            // Above first, as in [`Self::folder`].
            let above = open_folder(&at, OsStr::new(".."))?;
            fs::fchmod(&at, *mode)?;
            (at, here) = (above, parts);
            here.pop();
        }
        Ok(())
    }

    /// The path in the guest of what has this path from the private folder.
    fn guest_path(&self, path: &[u8]) -> Vec<u8> {
        [self.from, path.get(self.above..).unwrap_or_default()].concat()
    }

    /// Writes what is no folder; its path is that from the private folder.
    fn add(&mut self, folder: &OwnedFd, name: &OsStr, path: &[u8], item: &Item) -> Result<(), ExtractError> {
        match item.kind() {
            Kind::File => self.file(folder, name, path, item),
            Kind::Link => {
                let target = self.contents.link(item).map_err(|error| error.of_file(&self.guest_path(path)))?;
                fs::symlinkat(OsStr::from_bytes(&target), folder, name)?;
                // Not all file systems keep the time of a link.
                let _ = fs::utimensat(folder, name, &times(item), AtFlags::SYMLINK_NOFOLLOW);
                Ok(())
            }
            _ => {
                self.done.skipped = self.done.skipped.saturating_add(1);
                Ok(())
            }
        }
    }

    fn file(&mut self, folder: &OwnedFd, name: &OsStr, path: &[u8], item: &Item) -> Result<(), ExtractError> {
        let identity = item.identities().next().filter(|_| item.metadata.links > 1);
        let first = identity.and_then(|identity| self.written.get(&identity)).filter(|first| !first.is_empty());
        if let Some(first) = first {
            // The file system may have no such links, or no more: then it is copied.
            if fs::linkat(self.top, OsStr::from_bytes(first), folder, name, AtFlags::empty()).is_ok() {
                return Ok(());
            }
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?);
        let is_copy = identity.is_some_and(|identity| self.written.contains_key(&identity));
        self.content(&file, path, item, is_copy)?;
        self.finish(&file, path, item, Mode::empty())?;
        // What is not remembered is copied again.
        let path = if path.len() > LONGEST { &[] } else { path };
        if let Some(identity) = identity.filter(|_| self.remember(path.len()).is_some()) {
            self.written.insert(identity, path.to_vec());
        }
        self.done.bytes = self.done.bytes.saturating_add(item.metadata.size);
        Ok(())
    }

    /// Writes the data of a file; holes stay holes. It `is_copy` if the same file was written under another name.
    fn content(&mut self, file: &File, path: &[u8], item: &Item, is_copy: bool) -> Result<(), ExtractError> {
        let from = self.guest_path(path);
        let failed = |error: ContentsError| error.of_file(&from);
        let content = self.contents.content(item).map_err(failed)?;
        let mut buffer = Vec::new();
        for extent in &content.extents {
            let (mut at, end) = (extent.at, extent.at.saturating_add(extent.bytes));
            while at < end {
                self.signals.check()?;
                let (are_zeros, bytes) = content.next_zeros(at, end.saturating_sub(at), WINDOW).map_err(failed)?;
                if !are_zeros {
                    let endless =
                        || ContentsError::damaged("a file system in it", "has files with more data than itself");
                    let counted = if is_copy { bytes / COPIES } else { bytes };
                    self.left = self.left.checked_sub(counted).ok_or_else(endless).map_err(failed)?;
                    buffer.resize(usize::try_from(bytes).unwrap_or(0), 0);
                    content.read_at(at, &mut buffer).map_err(failed)?;
                    file.write_all_at(&buffer, at)?;
                }
                at = at.saturating_add(bytes);
            }
        }
        Ok(file.set_len(content.size)?)
    }

    /// Sets attributes, mode and times. Returns the mode, to which `least` was added.
    fn finish(&self, file: impl AsFd, path: &[u8], item: &Item, least: Mode) -> Result<Mode, ExtractError> {
        let (mut mode, attributes) = (mode(item), self.contents.attributes(item));
        for (name, value) in attributes.map_err(|error| error.of_file(&self.guest_path(path)))? {
            if name.starts_with(b"user.") {
                // The host may have none, or no room for so many.
                let _ = fs::fsetxattr(&file, OsStr::from_bytes(&name), &value, fs::XattrFlags::empty());
            } else if name == b"system.posix_acl_access" {
                // Where there is a list, the mode of the group is that of all who are named in it.
                mode &= !Mode::RWXG | of_group(&value);
            }
        }
        fs::fchmod(&file, mode | least)?;
        // A file system may not have such times.
        let _ = fs::futimens(&file, &times(item));
        Ok(mode)
    }
}

/// Its permissions; of a folder also that others may not remove files in it, as in /tmp.
fn mode(item: &Item) -> Mode {
    let kept = if item.kind() == Kind::Folder { 0o1777 } else { 0o777 };
    Mode::from_raw_mode((item.metadata.mode & kept) as fs::RawMode)
}

/// What an access control list lets the group of the file do: nothing if it does not say.
fn of_group(list: &[u8]) -> Mode {
    const GROUP: [u8; 2] = [4, 0];
    let entry = list.get(4..).unwrap_or_default().chunks_exact(8).find(|entry| entry.starts_with(&GROUP));
    let may = entry.and_then(|entry| entry.get(2)).map_or(0, |may| may & 7);
    Mode::from_raw_mode(fs::RawMode::from(may) << 3)
}

fn times(item: &Item) -> Timestamps {
    let (seconds, nanoseconds) = item.metadata.modified;
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.min(999_999_999).into() };
    Timestamps { last_access: time, last_modification: time }
}

/// Makes a folder, and opens it.
fn enter(above: &OwnedFd, name: &OsStr) -> Result<OwnedFd, ExtractError> {
    fs::mkdirat(above, name, Mode::RWXU)?;
    open_folder(above, name)
}

fn open_folder(above: impl AsFd, name: &OsStr) -> Result<OwnedFd, ExtractError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(above, name, flags, Mode::empty())?)
}
