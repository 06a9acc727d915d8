//! Takes the members of an artifact, in order, and hands their chunks to the threads of a writer.

use super::cut::{Cutter, Piece};
use super::digest::Digest;
use super::error::StoreError;
use super::frame::Frame;
use super::index::{Chunk, Entry, Index, too_many};
use super::link::Object;
use super::work::{Job, Place, Storing, Work};
use crate::smolvm::artifact::{MEMBERS, Member, Part};
use std::path::Path;

/// Takes the members of an artifact, in order.
pub struct Feed<'w> {
    cutter: Cutter,
    /// Bytes of the last member so far.
    bytes: u64,
    chunks: Chunks<'w>,
}

impl<'w> Feed<'w> {
    /// Hands the chunks to the `threads` that work, or stores them itself if there are none.
    pub(super) fn new(work: &'w Work<'w>, has_threads: bool, has_flushers: bool) -> Self {
        let chunks = Chunks { work, entries: Vec::new(), has_threads, has_flushers, storing: None };
        Self { cutter: Cutter::default(), bytes: 0, chunks }
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// There are too many members, or one that no artifact has, or that does not have the size that it says; the objects cannot
    /// be written; a signal arrived.
    pub fn part(&mut self, part: Part<'_>) -> Result<(), StoreError> {
        self.chunks.work.signals.check()?;
        match part {
            Part::Member(member) => {
                self.end_member()?;
                self.begin(member)
            }
            Part::Data(data) => {
                self.count(data.len() as u64)?;
                self.cutter.add(data, &mut |piece| self.chunks.add(piece))
            }
            Part::Zeros(count) => {
                self.count(count)?;
                self.cutter.add_zeros(count, &mut |piece| self.chunks.add(piece))
            }
        }
    }

    /// Knows the frames that this index has by their size and CRC-32 from now on: the freeze that wrote it compared them with
    /// their content. Decompressing them again takes longer than all else that a freeze does with what did not change.
    pub fn trust(&mut self, index: &Index) {
        self.chunks.work.record(index.frames());
    }

    /// Takes a whole member whose objects are in the folder `from`: they are linked, not read again.
    ///
    /// # Errors
    /// An object is missing or damaged, or cannot be linked.
    pub fn known(&mut self, entry: &Entry, from: &Path) -> Result<(), StoreError> {
        self.end_member()?;
        self.begin(&entry.member)?;
        self.bytes = entry.member.size;
        let mut objects = Vec::new();
        for chunk in &entry.chunks {
            objects.extend(self.claim(chunk)?);
        }
        self.chunks.work.link_all(&objects, from)
    }

    /// Adds a chunk to the last member. Returns its object, if that is not in this folder yet.
    fn claim(&mut self, chunk: &Chunk) -> Result<Option<Object>, StoreError> {
        let Chunk::Object(name, length, bytes, crc32) = *chunk else {
            return self.chunks.add(Piece::Zeros(chunk.length())).map(|()| None);
        };
        let is_new = self.chunks.work.claim(self.chunks.push(*chunk), name);
        Ok(is_new.then_some(Object { name, length, frame: Frame { bytes, crc32 } }))
    }

    /// Adds a chunk where all before it is cut: as `part` would if it got its content.
    ///
    /// # Errors
    /// An object is missing or damaged, or cannot be linked.
    pub(super) fn chunk(&mut self, chunk: &Chunk, from: &Path, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        self.count(chunk.length())?;
        let object = self.claim(chunk)?;
        object.map_or(Ok(()), |object| self.chunks.work.link(&object, from, buffer))
    }

    /// Whether the content of the last member decides where it is cut. If not, each whole MiB becomes an object.
    pub(super) fn is_by_content(&self) -> bool {
        self.cutter.is_by_content()
    }

    /// Cuts the last member here, and from here on at each MiB.
    ///
    /// # Errors
    /// The objects cannot be written.
    pub(super) fn end_by_content(&mut self) -> Result<(), StoreError> {
        self.cutter.end_by_content(&mut |piece| self.chunks.add(piece))
    }

    /// Adds an object where all before it is cut. Its content was added before, and became one object, with this name.
    ///
    /// # Errors
    /// The member has more bytes than it says, or a signal arrived.
    pub(super) fn repeat(&mut self, name: Digest, length: u64) -> Result<(), StoreError> {
        self.chunks.work.signals.check()?;
        self.count(length)?;
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.chunks.work.repeat(self.chunks.push(Chunk::Object(name, length, 0, 0)), name);
        Ok(())
    }

    /// Makes the cuts that do not depend on what follows. Returns how many bytes are left.
    ///
    /// # Errors
    /// The objects cannot be written.
    pub(super) fn cut(&mut self) -> Result<u64, StoreError> {
        self.cutter.cut_now(&mut |piece| self.chunks.add(piece))?;
        Ok(self.cutter.rest() as u64)
    }

    /// Drops what is left.
    pub(super) fn drop_rest(&mut self) {
        self.bytes = self.bytes.saturating_sub(self.cutter.rest() as u64);
        self.cutter.drop_rest();
    }

    /// Ends the last member here: its path and its size follow from its content.
    ///
    /// # Errors
    /// Its objects cannot be written.
    pub fn end_as(&mut self, path: String) -> Result<(), StoreError> {
        self.cutter.end(&mut |piece| self.chunks.add(piece))?;
        if let Some(entry) = self.chunks.entries.last_mut() {
            (entry.member.path, entry.member.size) = (path, self.bytes);
        }
        Ok(())
    }

    /// Ends the last member.
    pub(super) fn finish(mut self) -> Result<Vec<Entry>, StoreError> {
        self.end_member()?;
        Ok(self.chunks.entries)
    }

    /// Begins a member, if an artifact can have it: what claims more would fill the memory before there is an index to check.
    fn begin(&mut self, member: &Member) -> Result<(), StoreError> {
        member.check().map_err(|why| StoreError::Content(why.to_owned()))?;
        if self.chunks.entries.len() == MEMBERS {
            return Err(StoreError::Content(too_many()));
        }
        self.cutter.begin(member);
        self.bytes = 0;
        self.chunks.entries.push(Entry { member: member.clone(), chunks: Vec::new() });
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.chunks.entries.last() {
            Some(entry) if self.bytes <= entry.member.size => Ok(()),
            Some(entry) => Err(uneven(&entry.member, "has more bytes than its header says")),
            None => Err(StoreError::Content("it has bytes before its first member".into())),
        }
    }

    fn end_member(&mut self) -> Result<(), StoreError> {
        self.cutter.end(&mut |piece| self.chunks.add(piece))?;
        match self.chunks.entries.last() {
            Some(entry) if self.bytes != entry.member.size => {
                Err(uneven(&entry.member, "has fewer bytes than its header says"))
            }
            _ => Ok(()),
        }
    }
}

fn uneven(member: &Member, what: &str) -> StoreError {
    StoreError::Content(format!("{} {what} ({})", member.path, member.size))
}

/// The members so far, and where their chunks go.
struct Chunks<'w> {
    work: &'w Work<'w>,
    entries: Vec<Entry>,
    has_threads: bool,
    has_flushers: bool,
    storing: Option<Storing>,
}

impl Chunks<'_> {
    /// Adds a chunk to the last member. Returns its place.
    fn push(&mut self, chunk: Chunk) -> Place {
        let member = self.entries.len().saturating_sub(1);
        let Some(entry) = self.entries.last_mut() else { return Place(member, 0) };
        entry.chunks.push(chunk);
        Place(member, entry.chunks.len().saturating_sub(1))
    }

    fn add(&mut self, piece: Piece<'_>) -> Result<(), StoreError> {
        let chunk = match piece {
            Piece::Zeros(more) => {
                match self.entries.last_mut().and_then(|entry| entry.chunks.last_mut()) {
                    Some(Chunk::Zeros((), count)) => *count = count.saturating_add(more),
                    _ => drop(self.push(Chunk::Zeros((), more))),
                }
                return Ok(());
            }
            Piece::Chunk(chunk) => chunk,
        };
        let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        // Its name follows when a thread has made the object.
        let place = self.push(Chunk::Object(Digest([0; 32]), length, 0, 0));
        let job = Job { place, content: std::mem::replace(chunk, self.work.buffer()) };
        if self.has_threads {
            let is_added = self.work.jobs.push(job);
            // What failed there is what the writer returns.
            return if is_added { Ok(()) } else { Err(StoreError::Content("it was not stored to its end".into())) };
        }
        self.work.store(job, &mut self.storing, !self.has_flushers)
    }
}
