//! Writes a member that is mostly the same as one that was written before: the chunks of what is the same are linked, and only
//! where others meet them is it read again.

use super::content::{Content, Kept, Source};
use super::error::StoreError;
use super::feed::Feed;
use super::frame::CHUNK;
use super::index::{Chunk, Entry};
use crate::ext4::ReadAt;
use crate::signals::Signals;
use crate::smolvm::artifact::{Member, Part};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A member that was written before.
pub struct Before {
    /// The folder with its objects.
    folder: PathBuf,
    content: Content,
}

impl Before {
    /// The member with this entry, whose objects are in this folder.
    pub fn new(folder: &Path, entry: &Entry, signals: &Signals) -> Self {
        let content = Source::new(folder, &Kept::default(), signals).content(entry);
        Self { folder: folder.to_owned(), content }
    }

    /// The chunk that begins at this place, if it ends before `end`. The last one of all is cut where it ends only there.
    fn chunk(&self, at: u64, end: u64) -> Option<Chunk> {
        let (start, chunk) = self.content.chunk(at)?;
        let chunk_end = start.checked_add(chunk.length())?;
        (start == at && chunk_end <= end && chunk_end < self.content.size()).then_some(*chunk)
    }

    /// Where the chunk ends that has the byte at this place.
    fn next_cut(&self, at: u64) -> u64 {
        let (_, left) = self.content.place(at);
        at.saturating_add(left)
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        self.content.read_at(at, buffer).map_err(StoreError::of_read)
    }

    /// Adds the bytes of this range to the hash, in parts: zeros may go on for longer than the memory does.
    fn hash(&self, range: Range<u64>, sha256: &mut Sha256, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let Range { start: mut at, end } = range;
        while at < end {
            let to = at.saturating_add(CHUNK as u64).min(end);
            buffer.resize(usize::try_from(to.saturating_sub(at)).unwrap_or_default(), 0);
            self.read(at, buffer)?;
            sha256.update(&*buffer);
            at = to;
        }
        Ok(())
    }
}

/// Writes a member.
pub struct Splice<'s, 'w> {
    feed: &'s mut Feed<'w>,
    before: Option<Before>,
    /// What is the same, and is not written yet.
    same: Range<u64>,
    /// Of all bytes so far, if it is asked for.
    sha256: Option<Sha256>,
    buffer: Vec<u8>,
}

impl<'s, 'w> Splice<'s, 'w> {
    /// Begins a member, parts of which are the same as in the one `before`.
    ///
    /// # Errors
    /// See [`Feed::part`].
    pub fn new(feed: &'s mut Feed<'w>, member: &Member, before: Option<Before>) -> Result<Self, StoreError> {
        feed.part(Part::Member(member))?;
        Ok(Self { feed, before, same: 0..0, sha256: None, buffer: Vec::new() })
    }

    /// Also takes the SHA-256 of the member, for which what is the same is decompressed.
    pub fn hashed(self) -> Self {
        Self { sha256: Some(Sha256::new()), ..self }
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// See [`Feed::part`].
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_same()?;
        self.sha256.iter_mut().for_each(|sha256| sha256.update(bytes));
        self.feed.part(Part::Data(bytes))
    }

    /// Adds so many bytes of the one before, from this place on.
    ///
    /// # Errors
    /// See [`Feed::part`]; the one before is damaged.
    pub fn same(&mut self, at: u64, bytes: u64) -> Result<(), StoreError> {
        if self.same.end != at {
            self.write_same()?;
            self.same = at..at;
        }
        self.same.end = at.saturating_add(bytes);
        Ok(())
    }

    /// Ends the member, which gets this path.
    ///
    /// # Errors
    /// See [`Feed::part`]; the one before is damaged.
    pub fn end_as(mut self, path: String) -> Result<(), StoreError> {
        self.write_same()?;
        self.feed.end_as(path)
    }

    /// The same; the path follows from the SHA-256, if that is [taken](Self::hashed). Returns that.
    ///
    /// # Errors
    /// See [`Self::end_as`].
    pub fn end_by(mut self, path: impl FnOnce(&str) -> String) -> Result<String, StoreError> {
        self.write_same()?;
        let sha256 = self.sha256.unwrap_or_default().finalize();
        let sha256 = base16ct::lower::encode_string(&sha256);
        self.feed.end_as(path(&sha256))?;
        Ok(sha256)
    }

    fn write_same(&mut self) -> Result<(), StoreError> {
        let Range { start, end } = std::mem::take(&mut self.same);
        // The cutter looks through all that is not cut yet, which is too slow for each of many small files.
        let Some(before) = self.before.as_ref().filter(|_| start < end) else { return Ok(()) };
        let (mut at, mut rest) = (start, self.feed.cut()?);
        while at < end {
            // All bytes that are not cut yet are of this range: where they begin may be a cut of the one before.
            let cut = at.checked_sub(rest).filter(|cut| *cut >= start);
            let same = cut.and_then(|cut| Some((cut, before.chunk(cut, end)?)));
            let same = same.map(|(cut, chunk)| (cut.saturating_add(chunk.length()), chunk));
            // Another version may have cut shorter chunks.
            if let Some((end, chunk)) = same.filter(|(end, _)| *end > at) {
                if let Some(sha256) = &mut self.sha256 {
                    before.hash(at..end, sha256, &mut self.buffer)?;
                }
                self.feed.drop_rest();
                self.feed.chunk(&chunk, &before.folder, &mut self.buffer)?;
                (at, rest) = (end, 0);
                continue;
            }
            let to = before.next_cut(at).min(at.saturating_add(CHUNK as u64)).min(end);
            let bytes = usize::try_from(to.saturating_sub(at)).unwrap_or_default();
            self.buffer.resize(bytes, 0);
            before.read(at, &mut self.buffer)?;
            self.sha256.iter_mut().for_each(|sha256| sha256.update(&self.buffer));
            self.feed.part(Part::Data(&self.buffer))?;
            (at, rest) = (to, self.feed.cut()?);
        }
        Ok(())
    }
}
