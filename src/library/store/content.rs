//! The content of a member, read at any place.

use super::digest::Digest;
use super::frame::Frame;
use super::index::{Chunk, Entry, Index};
use super::objects::Objects;
use super::reader::Reader;
use crate::ext4::ReadAt;
use crate::signals::Signals;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// The most bytes of objects that are kept after they were read.
const KEPT: usize = 32 << 20;

/// The objects of a snapshot, to be read at any place. Those that were read last are kept, for other snapshots too.
#[derive(Clone)]
pub struct Source {
    reader: Rc<RefCell<Reader>>,
    kept: Kept,
    signals: Signals,
}

/// Objects that were read last.
#[derive(Clone, Default)]
pub struct Kept(Rc<RefCell<VecDeque<Object>>>);

/// The name of an object, and its content.
type Object = (Digest, Rc<Vec<u8>>);

impl Kept {
    /// Returns the content of an object, and puts it in front.
    fn get(&self, name: &Digest) -> Option<Rc<Vec<u8>>> {
        let mut all = self.0.try_borrow_mut().ok()?;
        let at = all.iter().position(|(kept, _)| kept == name)?;
        if at > 0 {
            let found = all.remove(at)?;
            all.push_front(found);
        }
        all.front().map(|(_, content)| content.clone())
    }

    fn put(&self, name: Digest, content: &Rc<Vec<u8>>) {
        let Ok(mut all) = self.0.try_borrow_mut() else { return };
        all.push_front((name, content.clone()));
        while all.iter().map(|(_, content)| content.len()).sum::<usize>() > KEPT && all.len() > 1 {
            all.pop_back();
        }
    }
}

impl Source {
    /// The objects of the snapshot in this folder.
    pub fn new(folder: &Path, kept: &Kept, signals: &Signals) -> Self {
        let reader = Reader::new(Objects::existing().ok().flatten(), folder);
        Self { reader: Rc::new(RefCell::new(reader)), kept: kept.clone(), signals: signals.clone() }
    }

    /// The content of a member.
    pub fn content(&self, entry: &Entry) -> Content {
        let mut end = 0_u64;
        let start = |chunk: &Chunk| {
            let start = end;
            end = end.saturating_add(chunk.length());
            (start, *chunk)
        };
        let chunks = entry.chunks.iter().map(start).collect();
        Content { source: self.clone(), chunks, size: entry.member.size, digest: entry.digest() }
    }

    fn object(&self, name: &Digest, length: u32, recorded: Frame) -> io::Result<Rc<Vec<u8>>> {
        if let Some(content) = self.kept.get(name) {
            return Ok(content);
        }
        let mut reader = self.reader.try_borrow_mut().map_err(io::Error::other)?;
        let content = Rc::new(reader.content(name, length, recorded).map_err(io::Error::other)?);
        self.kept.put(*name, &content);
        Ok(content)
    }
}

/// The content of a member, in chunks.
pub struct Content {
    source: Source,
    /// Each with its place, in order.
    chunks: Vec<(u64, Chunk)>,
    size: u64,
    digest: Digest,
}

impl Content {
    /// Bytes of it, with zeros.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of it that are in objects.
    pub fn data(&self) -> u64 {
        let objects = self.chunks.iter().filter(|(_, chunk)| matches!(chunk, Chunk::Object(..)));
        objects.map(|(_, chunk)| chunk.length()).fold(0, u64::saturating_add)
    }

    /// See [`Entry::digest`].
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The object at this place, and how many bytes of it are before; nothing: zeros. And how many bytes of the same follow.
    pub fn place(&self, at: u64) -> (Option<(Digest, u64)>, u64) {
        match self.chunk(at) {
            Some((start, chunk)) => {
                let before = at.saturating_sub(start);
                let name = if let Chunk::Object(name, ..) = chunk { Some((*name, before)) } else { None };
                (name, chunk.length().saturating_sub(before))
            }
            None => (None, u64::MAX),
        }
    }

    /// The chunk with the byte at this place, and where it begins.
    pub(super) fn chunk(&self, at: u64) -> Option<(u64, &Chunk)> {
        let number = self.chunks.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        let (start, chunk) = self.chunks.get(number)?;
        (at < start.saturating_add(chunk.length())).then_some((*start, chunk))
    }
}

impl ReadAt for Content {
    fn read_at(&self, mut at: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            self.source.signals.check()?;
            let (object, left) = self.place(at);
            let before = object.map_or(0, |(_, before)| before);
            let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let (part, rest) = buffer.split_at_mut_checked(bytes).ok_or(io::ErrorKind::InvalidInput)?;
            match self.chunk(at) {
                Some((_, Chunk::Object(name, length, bytes, crc32))) => {
                    let object = self.source.object(name, *length, Frame { bytes: *bytes, crc32: *crc32 })?;
                    let content = object.get(usize::try_from(before).unwrap_or(usize::MAX)..).unwrap_or_default();
                    let count = part.len().min(content.len());
                    if let (Some(to), Some(from)) = (part.get_mut(..count), content.get(..count)) {
                        to.copy_from_slice(from);
                    }
                }
                _ => part.fill(0),
            }
            (at, buffer) = (at.saturating_add(bytes as u64), rest);
        }
        Ok(())
    }
}

impl Index {
    /// The member with this path, if it has one.
    pub fn member(&self, path: &str) -> Option<&Entry> {
        self.members.iter().find(|entry| entry.member.path == path)
    }
}
