//! Where a file is cut into chunks: the same content is cut the same way, in whatever parts it arrives.

use super::frame::CHUNK;
use crate::smolvm::artifact::{Member, MemberKind};
use fastcdc::v2020::{MASKS, cut};
use std::path::Path;

/// The folder of the RAM and the disks in the artifact of a running VM.
const LIVE: &str = "checkpoint";
/// The least and the average bytes of a chunk that is cut by content.
const LEAST: usize = 64 << 10;
const AVERAGE: usize = 256 << 10;
/// What makes chunks of less, and of more, than this average: its number of bits (18), and one more or less.
const STRICT: u64 = MASKS[19];
const LOOSE: u64 = MASKS[17];
/// Content that is collected before it is cut: what remains of it is moved to the front.
const WINDOW: usize = 4 * CHUNK;

/// A part of a file.
#[derive(Debug)]
pub enum Piece<'c> {
    /// A chunk. Whoever takes it leaves an empty buffer.
    Chunk(&'c mut Vec<u8>),
    /// Zeros.
    Zeros(u64),
}

/// Cuts one file.
#[derive(Debug, Default)]
pub struct Cutter {
    is_by_content: bool,
    /// What is not cut yet.
    rest: Vec<u8>,
    /// A chunk that was cut out of it.
    chunk: Vec<u8>,
}

impl Cutter {
    /// Begins a file. A disk changes in place: it is cut at each MiB. A tar, or another file of more than a chunk, is cut by
    /// its content, so that what is the same is found again after something longer.
    pub fn begin(&mut self, member: &Member) {
        let path = Path::new(&member.path);
        let ends_in =
            |endings: &[&str]| path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one));
        // A disk without a hole is a regular file. So are the RAM and the disks of a running VM.
        let is_disk = member.kind == MemberKind::Sparse || ends_in(&["raw", "ext4"]) || path.starts_with(LIVE);
        self.is_by_content = !is_disk && (member.size > CHUNK as u64 || ends_in(&["tar"]));
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn add<E>(&mut self, mut bytes: &[u8], emit: &mut dyn FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        let limit = if self.is_by_content { WINDOW } else { CHUNK };
        while let Some((now, later)) = bytes.split_at_checked(limit.saturating_sub(self.rest.len())) {
            self.rest.extend_from_slice(now);
            bytes = later;
            self.cut(emit)?;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    /// Adds zeros.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn add_zeros<E>(&mut self, count: u64, emit: &mut dyn FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let (chunk, mut left) = (CHUNK as u64, count);
        while left > 0 {
            if left >= chunk && self.rest.is_empty() && !self.is_by_content {
                let whole = left - left % chunk;
                emit(Piece::Zeros(whole))?;
                left -= whole;
                continue;
            }
            let to_end = if self.is_by_content { WINDOW } else { CHUNK }.saturating_sub(self.rest.len()) as u64;
            let some = left.min(to_end).min(ZEROS.len() as u64);
            self.add(ZEROS.get(..usize::try_from(some).unwrap_or_default()).unwrap_or(&ZEROS), emit)?;
            left -= some;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn end<E>(&mut self, emit: &mut dyn FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        self.cut_now(emit)?;
        if self.rest.is_empty() { Ok(()) } else { emit_chunk(&mut self.rest, emit) }
    }

    /// Bytes that are not cut yet.
    pub fn rest(&self) -> usize {
        self.rest.len()
    }

    /// Whether it is cut by its content.
    pub fn is_by_content(&self) -> bool {
        self.is_by_content
    }

    /// Cuts here, and from here on at each MiB.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn end_by_content<E>(&mut self, emit: &mut dyn FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        self.end(emit)?;
        self.is_by_content = false;
        Ok(())
    }

    /// Drops what is not cut yet.
    pub fn drop_rest(&mut self) {
        self.rest.clear();
    }

    fn cut<E>(&mut self, emit: &mut dyn FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.is_by_content { self.cut_now(emit) } else { emit_chunk(&mut self.rest, emit) }
    }

    /// Makes all cuts by content that do not depend on what follows.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn cut_now<E>(&mut self, emit: &mut dyn FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut start = 0;
        while let Some(rest) = self.rest.get(start..).filter(|rest| self.is_by_content && !rest.is_empty()) {
            let (_, length) = cut(rest, LEAST, AVERAGE, CHUNK, STRICT, LOOSE, STRICT << 1, LOOSE << 1);
            let Some(chunk) = rest.get(..length).filter(|chunk| chunk.len() < rest.len()) else { break };
            self.chunk.extend_from_slice(chunk);
            emit_chunk(&mut self.chunk, emit)?;
            start += length;
        }
        self.rest.drain(..start.min(self.rest.len()));
        Ok(())
    }
}

fn emit_chunk<E>(chunk: &mut Vec<u8>, emit: &mut dyn FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
    if !is_zero(chunk) {
        return emit(Piece::Chunk(chunk));
    }
    let zeros = chunk.len() as u64;
    chunk.clear();
    emit(Piece::Zeros(zeros))
}

/// Whether all bytes are zero. Stops soon where they are not.
pub fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|part| ZEROS.starts_with(part))
}
