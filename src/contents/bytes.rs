//! The bytes of a disk or a tar in a snapshot.

use super::sparse;
use crate::ext4::ReadAt;
use crate::library::store::{Content, Digest};
use crate::signals::Signals;
use crate::smolvm::qcow2::{CLUSTER, ENTRY, Header, TABLE, ZEROS, offset};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// The most tables that are kept, of 64 KiB each.
const KEPT: usize = 64;

/// The bytes of a disk or a tar in a snapshot.
pub enum Bytes {
    /// In chunks.
    Chunks(Content),
    /// In a file.
    File(Plain),
    /// In chunks of a qcow2 file, over others.
    Qcow2(Box<Qcow2>),
}

/// Bytes in a file.
pub struct Plain {
    /// The file.
    pub file: File,
    /// How many there are, with holes.
    pub size: u64,
    /// How many of them were written.
    pub data: u64,
    /// What ends the reading.
    pub signals: Signals,
}

/// What is known of bytes without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// They are in this object, after so many others.
    Object(Digest, u64),
    /// They are zeros.
    Zeros,
    /// Nothing.
    Nothing,
}

impl Bytes {
    /// How many there are; after these there are zeros.
    pub fn size(&self) -> u64 {
        match self {
            Self::Chunks(content) => content.size(),
            Self::File(plain) => plain.size,
            Self::Qcow2(disk) => disk.size(),
        }
    }

    /// How many of them are stored: no more can be data.
    pub fn data(&self) -> u64 {
        match self {
            Self::Chunks(content) => content.data(),
            Self::File(plain) => plain.data,
            Self::Qcow2(disk) => disk.data(),
        }
    }

    /// A name for their content, if all of it is in chunks.
    pub fn digest(&self) -> Option<Digest> {
        if let Self::Chunks(content) = self { Some(content.digest()) } else { None }
    }

    /// What is known of the bytes at this place, and for how many.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn known(&self, at: u64) -> io::Result<(Known, u64)> {
        match self {
            Self::Chunks(content) => {
                let (object, left) = content.place(at);
                Ok((object.map_or(Known::Zeros, |(name, before)| Known::Object(name, before)), left))
            }
            Self::File(plain) => plain.known(at),
            Self::Qcow2(disk) => disk.known(at),
        }
    }

    /// Whether its bytes at a place are those of `other` at another one, without reading them.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn is_known_same(&self, mut at: u64, other: &Self, mut other_at: u64, mut bytes: u64) -> io::Result<bool> {
        while bytes > 0 {
            let ((one, left), (two, other_left)) = (self.known(at)?, other.known(other_at)?);
            if one != two || one == Known::Nothing {
                return Ok(false);
            }
            let step = left.min(other_left).min(bytes).max(1);
            (at, other_at, bytes) =
                (at.saturating_add(step), other_at.saturating_add(step), bytes.saturating_sub(step));
        }
        Ok(true)
    }

    /// Whether the first of so many bytes at a place are zeros, as far as it is known without reading them, and for how many
    /// that is so. What is known of a disk in a qcow2 file ends with each cluster.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn known_zeros(&self, at: u64, bytes: u64) -> io::Result<(bool, u64)> {
        let (mut are_zeros, mut count) = (None, 0_u64);
        while count < bytes {
            let (known, left) = self.known(at.saturating_add(count))?;
            let is_next = known == Known::Zeros;
            if are_zeros.is_some_and(|are_zeros| are_zeros != is_next) {
                break;
            }
            are_zeros = Some(is_next);
            count = count.saturating_add(left.max(1));
        }
        Ok((are_zeros == Some(true), count.min(bytes)))
    }
}

impl ReadAt for Bytes {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Chunks(content) => content.read_at(at, buffer),
            Self::Qcow2(disk) => disk.read_at(at, buffer),
            Self::File(plain) => plain.read_at(at, buffer),
        }
    }
}

impl Plain {
    /// See [`Bytes::known`]: holes are zeros.
    fn known(&self, at: u64) -> io::Result<(Known, u64)> {
        match sparse::next_data(&self.file, at..self.size)? {
            None => Ok((Known::Zeros, u64::MAX)),
            Some(data) if data.start > at => Ok((Known::Zeros, data.start.saturating_sub(at))),
            Some(data) => Ok((Known::Nothing, data.end.saturating_sub(at))),
        }
    }
}

impl ReadAt for Plain {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.signals.check()?;
        let inside = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX).min(buffer.len());
        let (inside, after) = buffer.split_at_mut_checked(inside).ok_or(io::ErrorKind::InvalidInput)?;
        after.fill(0);
        self.file.read_exact_at(inside, at)
    }
}

/// A disk in a qcow2 file, over another one: that of a live snapshot.
pub struct Qcow2 {
    file: Bytes,
    below: Option<Bytes>,
    header: Header,
    tables: RefCell<HashMap<u64, Rc<[u8]>>>,
}

/// Where bytes of a disk are.
enum Place {
    File(u64),
    Below,
    Zeros,
}

impl Qcow2 {
    /// A disk in this file, over what lies below.
    ///
    /// # Errors
    /// It is not such a file, or cannot be read.
    pub fn open(file: Bytes, below: Option<Bytes>) -> io::Result<Self> {
        let mut bytes = vec![0; usize::try_from(CLUSTER.min(file.size())).unwrap_or(0)];
        file.read_at(0, &mut bytes)?;
        let header = Header::read(&bytes).map_err(invalid)?;
        let end = header.table.saturating_add(u64::from(header.entries).saturating_mul(ENTRY));
        if end > file.size() || u64::from(header.entries).saturating_mul(TABLE) < header.size {
            return Err(invalid("has a first table that is not whole"));
        }
        Ok(Self { file, below, header, tables: RefCell::default() })
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        self.header.size
    }

    /// Bytes that are stored.
    pub fn data(&self) -> u64 {
        self.file.data().saturating_add(self.below.as_ref().map_or(0, Bytes::data))
    }

    /// See [`Bytes::known`].
    pub fn known(&self, at: u64) -> io::Result<(Known, u64)> {
        let (place, left) = self.place(at)?;
        let (known, further) = match (place, &self.below) {
            (Place::File(offset), _) => self.file.known(offset)?,
            (Place::Below, Some(below)) => below.known(at)?,
            (Place::Below | Place::Zeros, _) => (Known::Zeros, left),
        };
        Ok((known, further.min(left)))
    }

    /// Where the bytes at this place are, and for how many.
    fn place(&self, at: u64) -> io::Result<(Place, u64)> {
        if at >= self.header.size {
            return Ok((Place::Zeros, u64::MAX));
        }
        let mut entry = [0; 8];
        let number = (at / TABLE).saturating_mul(ENTRY);
        self.file.read_at(self.header.table.saturating_add(number), &mut entry)?;
        let Some(table) = offset(u64::from_be_bytes(entry), self.file.size()).map_err(invalid)? else {
            return Ok((Place::Below, TABLE - at % TABLE));
        };
        let table = self.table(table)?;
        let (number, left) = (usize::try_from(at % TABLE / CLUSTER).unwrap_or(0), CLUSTER - at % CLUSTER);
        let entry = table.chunks_exact(8).nth(number).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        let entry = u64::from_be_bytes(entry);
        let place = match offset(entry & !ZEROS, self.file.size()).map_err(invalid)? {
            _ if entry & ZEROS != 0 => Place::Zeros,
            Some(offset) => Place::File(offset.saturating_add(at % CLUSTER)),
            None => Place::Below,
        };
        Ok((place, left))
    }

    fn table(&self, offset: u64) -> io::Result<Rc<[u8]>> {
        let mut tables = self.tables.try_borrow_mut().map_err(io::Error::other)?;
        if let Some(table) = tables.get(&offset) {
            return Ok(table.clone());
        }
        if tables.len() == KEPT {
            tables.clear();
        }
        let mut bytes = vec![0; usize::try_from(CLUSTER).unwrap_or(0)];
        self.file.read_at(offset, &mut bytes)?;
        let table: Rc<[u8]> = bytes.into();
        tables.insert(offset, table.clone());
        Ok(table)
    }
}

impl ReadAt for Qcow2 {
    fn read_at(&self, mut at: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let (place, left) = self.place(at)?;
            let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let (part, rest) = buffer.split_at_mut_checked(bytes).ok_or(io::ErrorKind::InvalidInput)?;
            match (place, &self.below) {
                (Place::File(offset), _) => self.file.read_at(offset, part)?,
                (Place::Below, Some(below)) => below.read_at(at, part)?,
                (Place::Below | Place::Zeros, _) => part.fill(0),
            }
            (at, buffer) = (at.saturating_add(bytes as u64), rest);
        }
        Ok(())
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Contradiction(why))
}

/// A disk contradicts itself, or is of a kind that is not known: completes a sentence that begins with it.
#[derive(Debug, thiserror::Error)]
#[error("a disk {0}")]
pub struct Contradiction(pub &'static str);
