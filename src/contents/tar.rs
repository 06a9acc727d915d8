//! The files in a tar: the engine's small system, the layers of an image, a saved `/workspace`.

use super::bytes::Bytes;
use super::error::ContentsError;
use crate::ext4::{Attribute, Extent, Kind, Metadata, ReadAt};
use ::tar::{GnuExtSparseHeader, GnuSparseHeader};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

/// The most bytes of the headers of an entry: `tar` keeps all of them in memory.
const HEADERS: u64 = 1 << 20;
/// The most bytes of the files, paths and attributes in all tars of a snapshot, so that they fit into memory.
pub const MEMORY: usize = 768 << 20;
/// The most files, so that they fit into memory.
const MOST: usize = 2 << 20;
/// Bytes of a header, and the most pieces of a sparse file.
const BLOCK: u64 = 512;
const MOST_PIECES: usize = 1 << 18;
/// How the keys of a sparse file begin whose content is condensed.
const SPARSE: &[u8] = b"GNU.sparse.";
/// How an extended attribute begins in the headers.
const ATTRIBUTE: &str = "SCHILY.xattr.";

/// A name, and the number of the file that has it.
pub type Name = (Box<[u8]>, u32);

/// The files in a tar.
pub struct Tar {
    /// Its bytes.
    pub bytes: Bytes,
    /// The first is the uppermost folder.
    files: Vec<File>,
}

/// A file in a tar.
#[derive(Debug, Clone)]
pub struct File {
    /// What is known of it.
    pub metadata: Metadata,
    /// Where its content is in the tar.
    extents: Vec<Extent>,
    /// The target of a symbolic link.
    pub target: Box<[u8]>,
    /// Whether its content is that of a sparse file of a kind that is not known here.
    is_condensed: bool,
    /// Its extended attributes, by name.
    pub attributes: Vec<Attribute>,
    names: BTreeMap<Box<[u8]>, u32>,
}

impl File {
    /// A folder that the tar does not list.
    fn folder() -> Self {
        Self {
            metadata: Metadata::FOLDER,
            extents: Vec::new(),
            target: Box::default(),
            is_condensed: false,
            attributes: Vec::new(),
            names: BTreeMap::new(),
        }
    }
}

impl Tar {
    /// Reads the headers of a tar. What it keeps may have so many bytes as are `left`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn open(bytes: Bytes, left: &Cell<usize>) -> Result<Self, ContentsError> {
        let mut tar = Self { bytes, files: vec![File::folder()] };
        let budget = Rc::new(Cell::new(HEADERS));
        let files = {
            let reader = Reader { bytes: &tar.bytes, at: 0, budget: budget.clone() };
            let mut archive = ::tar::Archive::new(reader);
            let mut files = Builder { files: vec![File::folder()], bytes: &tar.bytes, left };
            for entry in archive.entries_with_seek().map_err(damaged)? {
                budget.set(HEADERS);
                files.add(&mut entry.map_err(damaged)?)?;
            }
            files.files
        };
        tar.files = files;
        Ok(tar)
    }

    /// A file by its number: 0 is the uppermost folder.
    ///
    /// # Errors
    /// There is none.
    pub fn file(&self, number: u32) -> Result<&File, ContentsError> {
        self.files
            .get(number as usize)
            .ok_or_else(|| ContentsError::damaged("a tar in it", "has a file that is not there"))
    }

    /// Where the content of a file is.
    ///
    /// # Errors
    /// There is none, or its content is of a kind that is not known.
    pub fn extents(&self, number: u32) -> Result<&[Extent], ContentsError> {
        let file = self.file(number)?;
        if file.is_condensed {
            return Err(ContentsError::damaged("a tar in it", "has a sparse file of a kind that is not known here"));
        }
        Ok(&file.extents)
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// There is none.
    pub fn entries(&self, folder: u32) -> Result<Vec<Name>, ContentsError> {
        Ok(self.file(folder)?.names.iter().map(|(name, number)| (name.clone(), *number)).collect())
    }

    /// The file with this name in a folder.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn lookup(&self, folder: u32, name: &[u8]) -> Result<Option<u32>, ContentsError> {
        Ok(self.file(folder)?.names.get(name).copied())
    }
}

/// What goes wrong in reading a tar is damage, unless it comes from its source.
fn damaged(error: io::Error) -> ContentsError {
    match ContentsError::from(error) {
        ContentsError::Io(error) => ContentsError::damaged("a tar in it", format!("is damaged: {error}")),
        error => error,
    }
}

/// The files so far.
struct Builder<'a> {
    files: Vec<File>,
    /// The tar.
    bytes: &'a Bytes,
    /// Bytes that may still be kept.
    left: &'a Cell<usize>,
}

impl Builder<'_> {
    fn add<R: Read>(&mut self, entry: &mut ::tar::Entry<'_, R>) -> Result<(), ContentsError> {
        let path = entry.path_bytes().into_owned();
        let mut parts: Vec<&[u8]> =
            path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
        if parts.iter().any(|part| *part == b".." || part.contains(&0)) {
            return Err(ContentsError::damaged("a tar in it", "has a path that leads out of it"));
        }
        let name = parts.pop();
        let folder = self.folder(&parts)?;
        let Some(name) = name else {
            return self.put_folder(0, entry);
        };
        let known = self.files.get(folder as usize).and_then(|folder| folder.names.get(name)).copied();
        match (entry.header().entry_type(), known) {
            (::tar::EntryType::Link, _) => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let number = self.find(&target)?;
                self.change(number, |file| file.metadata.links = file.metadata.links.saturating_add(1))?;
                self.name(folder, name, number)
            }
            (::tar::EntryType::Directory, Some(number)) if self.is_folder(number) => self.put_folder(number, entry),
            _ => match file(entry, self.bytes)? {
                Some(file) => {
                    let number = self.push(file)?;
                    self.name(folder, name, number)
                }
                None => Ok(()),
            },
        }
    }

    /// The folder with this path, which is made if it is missing.
    fn folder(&mut self, parts: &[&[u8]]) -> Result<u32, ContentsError> {
        let mut at = 0_u32;
        for part in parts {
            let known = self.files.get(at as usize).and_then(|folder| folder.names.get(*part)).copied();
            at = if let Some(number) = known.filter(|number| self.is_folder(*number)) {
                number
            } else {
                let number = self.push(File::folder())?;
                self.name(at, part, number)?;
                number
            };
        }
        Ok(at)
    }

    /// The file that a hard link names.
    fn find(&self, path: &[u8]) -> Result<u32, ContentsError> {
        let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
        let found =
            parts.into_iter().try_fold(0, |at: u32, part| self.files.get(at as usize)?.names.get(part).copied());
        let found = found.filter(|number| !self.is_folder(*number));
        found.ok_or_else(|| ContentsError::damaged("a tar in it", "has a link to a file that is not there"))
    }

    fn put_folder<R: Read>(&mut self, number: u32, entry: &mut ::tar::Entry<'_, R>) -> Result<(), ContentsError> {
        let Some(new) = file(entry, self.bytes)?.filter(|new| new.metadata.kind == Kind::Folder) else { return Ok(()) };
        self.change(number, |old| {
            let names = std::mem::take(&mut old.names);
            *old = File { names, ..new };
        })
    }

    fn is_folder(&self, number: u32) -> bool {
        self.files.get(number as usize).is_some_and(|file| file.metadata.kind == Kind::Folder)
    }

    fn push(&mut self, file: File) -> Result<u32, ContentsError> {
        if self.files.len() == MOST {
            return Err(ContentsError::damaged("a tar in it", "has too many files"));
        }
        let attributes = file.attributes.iter().map(|(name, value)| name.len().saturating_add(value.len()));
        let pieces = file.extents.len().saturating_mul(size_of::<Extent>());
        let all = attributes.sum::<usize>().saturating_add(file.target.len()).saturating_add(pieces);
        self.charge(all.saturating_add(size_of::<File>()))?;
        self.files.push(file);
        Ok(u32::try_from(self.files.len().saturating_sub(1)).unwrap_or(u32::MAX))
    }

    /// Counts bytes that are kept.
    fn charge(&self, bytes: usize) -> Result<(), ContentsError> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or_else(|| ContentsError::damaged("a tar in it", "has too many files and attributes"))?);
        Ok(())
    }

    fn name(&mut self, folder: u32, name: &[u8], number: u32) -> Result<(), ContentsError> {
        self.charge(name.len())?;
        self.change(folder, |folder| {
            folder.names.insert(name.into(), number);
        })
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut File)) -> Result<(), ContentsError> {
        let file = self.files.get_mut(number as usize);
        file.map(change).ok_or_else(|| ContentsError::damaged("a tar in it", "has a file that is not there"))
    }
}

/// What an entry says; nothing if it is no file.
fn file<R: Read>(entry: &mut ::tar::Entry<'_, R>, bytes: &Bytes) -> Result<Option<File>, ContentsError> {
    use ::tar::EntryType;
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => Kind::Link,
        EntryType::Char => Kind::CharacterDevice,
        EntryType::Block => Kind::BlockDevice,
        EntryType::Fifo => Kind::Fifo,
        _ => return Ok(None),
    };
    // Some programs leave these fields empty.
    let id = |id: io::Result<u64>| u32::try_from(id.unwrap_or(0)).unwrap_or(u32::MAX);
    let device = |number: io::Result<Option<u32>>| number.ok().flatten().unwrap_or(0);
    let target: Box<[u8]> = entry.link_name_bytes().unwrap_or_default().into();
    let metadata = Metadata {
        kind,
        mode: header.mode().map_err(damaged)? & 0o7777,
        uid: id(header.uid()),
        gid: id(header.gid()),
        size: match kind {
            Kind::File => entry.size(),
            Kind::Link => target.len() as u64,
            _ => 0,
        },
        // A time before 1970 is a negative number of 64 bits.
        modified: (i64::from_ne_bytes(header.mtime().unwrap_or(0).to_ne_bytes()), 0),
        links: 1,
        device: (device(header.device_major()), device(header.device_minor())),
    };
    let mut file = File {
        metadata,
        extents: if kind == Kind::File { extents(entry, bytes)? } else { Vec::new() },
        target,
        ..File::folder()
    };
    for extension in entry.pax_extensions().map_err(damaged)?.into_iter().flatten() {
        let extension = extension.map_err(damaged)?;
        file.is_condensed |= extension.key_bytes().starts_with(SPARSE);
        if let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix(ATTRIBUTE)) {
            file.attributes.push((name.as_bytes().to_vec(), extension.value_bytes().to_vec()));
        }
    }
    file.attributes.sort();
    Ok(Some(file))
}

/// Where the content of a file is. That of a sparse one is in pieces, which its header lists, and blocks after that.
fn extents<R: Read>(entry: &::tar::Entry<'_, R>, bytes: &Bytes) -> Result<Vec<Extent>, ContentsError> {
    let header = entry.header();
    let Some(gnu) = header.as_gnu().filter(|_| header.entry_type().is_gnu_sparse()) else {
        let content = Extent { at: 0, on_disk: entry.raw_file_position(), bytes: entry.size() };
        return if content.bytes == 0 { Ok(Vec::new()) } else { inside(bytes, vec![content]) };
    };
    let wrong = || ContentsError::damaged("a tar in it", "has a sparse file that contradicts itself");
    let (mut pieces, mut is_extended) = (Vec::new(), gnu.is_extended());
    let mut add = |entries: &[GnuSparseHeader]| -> Result<(), ContentsError> {
        for piece in entries.iter().filter(|piece| !piece.is_empty()) {
            pieces.push((piece.offset().map_err(damaged)?, piece.length().map_err(damaged)?));
        }
        if pieces.len() > MOST_PIECES { Err(wrong()) } else { Ok(()) }
    };
    add(&gnu.sparse)?;
    let mut on_disk = entry.raw_header_position().saturating_add(BLOCK);
    while is_extended {
        let mut block = GnuExtSparseHeader::new();
        bytes.read_at(on_disk, block.as_mut_bytes())?;
        add(block.sparse())?;
        is_extended = block.is_extended();
        on_disk = on_disk.saturating_add(BLOCK);
    }
    let (mut all, mut end) = (Vec::new(), 0);
    for (at, bytes) in pieces {
        let piece_end = at.checked_add(bytes).filter(|piece_end| at >= end && *piece_end <= entry.size());
        end = piece_end.ok_or_else(wrong)?;
        if bytes > 0 {
            all.push(Extent { at, on_disk, bytes });
        }
        on_disk = on_disk.saturating_add(bytes);
    }
    inside(bytes, all)
}

/// These extents, if they are in the tar: after its end there would be zeros without an end.
fn inside(tar: &Bytes, all: Vec<Extent>) -> Result<Vec<Extent>, ContentsError> {
    if all.last().is_some_and(|last| last.on_disk.saturating_add(last.bytes) > tar.size()) {
        return Err(ContentsError::damaged("a tar in it", "ends before a file in it does"));
    }
    Ok(all)
}

/// Reads bytes in order. Fails after its budget.
struct Reader<'a> {
    bytes: &'a Bytes,
    at: u64,
    budget: Rc<Cell<u64>>,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.size().saturating_sub(self.at);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let budget = self.budget.get().checked_sub(count as u64);
        self.budget.set(budget.ok_or_else(|| io::Error::other("its headers are too long"))?);
        self.bytes.read_at(self.at, buffer.get_mut(..count).unwrap_or_default())?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.bytes.size().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
