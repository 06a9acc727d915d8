//! Makes files of a file system empty, without mounting it: what is to be written to the disk for that.
//!
//! The blocks of a file stay its own, as after `fallocate --keep-size`: they become zeros, its extents are marked as unwritten,
//! and its size is 0. So no bitmap and no counter changes.

use super::checksum::crc32c;
use super::error::Ext4Error;
use super::fields::{u16_at, u32_at, u64_of};
use super::free::free;
use super::inode::{Inode, Kind};
use super::source::ReadAt;
use super::tree::FileSystem;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of a header, and of an entry of a list of extents.
const ENTRY: usize = 12;
/// The most blocks of an extent with data; one more bit marks it as unwritten.
const WRITTEN: u16 = 1 << 15;
/// The most levels of lists.
const DEPTH: u16 = 5;
/// Where parts of an inode are.
const SIZE: [usize; 2] = [4, 108];
const ROOT: Range<usize> = 40..100;
const GENERATION: Range<usize> = 100..104;
const CHECKSUM: [usize; 2] = [124, 130];

/// What is to be written to a disk.
#[derive(Debug, Default)]
pub struct Edits {
    /// Bytes, by their place.
    pub writes: BTreeMap<u64, Vec<u8>>,
    /// Places that become zeros.
    pub zeros: Vec<Range<u64>>,
}

impl Edits {
    /// Changes what was read from this place of the disk.
    pub fn apply(&self, at: u64, bytes: &mut [u8]) {
        let end = at.saturating_add(bytes.len() as u64);
        let place = |from: u64| usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX);
        for zeros in &self.zeros {
            let (start, stop) = (zeros.start.max(at), zeros.end.min(end));
            if let Some(part) = bytes.get_mut(place(start)..place(stop)).filter(|_| start < stop) {
                part.fill(0);
            }
        }
        for (start, new) in self.writes.range(..end) {
            let skipped = usize::try_from(at.saturating_sub(*start)).unwrap_or(usize::MAX);
            let new = new.get(skipped..).unwrap_or_default();
            let part = bytes.get_mut(place(*start)..).unwrap_or_default();
            part.iter_mut().zip(new).for_each(|(to, from)| *to = *from);
        }
    }

    /// Sorts what becomes zeros, so that it can be found.
    pub fn sort(&mut self) {
        self.zeros.sort_by_key(|zeros| zeros.start);
    }
}

impl<S: ReadAt> FileSystem<S> {
    /// Adds to `edits` what makes a file empty.
    ///
    /// # Errors
    /// It is no regular file, or one whose content is not found by extents.
    pub fn empty(&self, file: &Inode, edits: &mut Edits) -> Result<(), Ext4Error> {
        if file.kind != Kind::File || file.is_unknown() || !file.has_extents() {
            return Err(Ext4Error::Unknown("has a file that cannot be made empty"));
        }
        // Checks the lists of extents, which `mark` follows.
        self.extents(file)?;
        let mut raw = file.raw.to_vec();
        let number = file.number.to_le_bytes();
        let generation = raw.get(GENERATION).unwrap_or_default().to_vec();
        let seed = crc32c(self.superblock().seed, &[&number, &generation]);
        let mut root = raw.get(ROOT).unwrap_or_default().to_vec();
        self.mark(&mut root, None, seed, edits)?;
        put(&mut raw, ROOT.start, &root);
        for at in SIZE {
            put(&mut raw, at, &[0; 4]);
        }
        if self.superblock().has_checksums() {
            let has_high = raw.len() > 128 && usize::from(u16_at(&raw, 128)) >= 4;
            for at in CHECKSUM.into_iter().take(if has_high { 2 } else { 1 }) {
                put(&mut raw, at, &[0; 2]);
            }
            let [a, b, c, d] = crc32c(seed, &[&raw]).to_le_bytes();
            put(&mut raw, CHECKSUM[0], &[a, b]);
            if has_high {
                put(&mut raw, CHECKSUM[1], &[c, d]);
            }
        }
        edits.writes.insert(self.place_of(file.number)?, raw);
        Ok(())
    }

    /// Adds to `edits` what removes the rests of deleted and changed files: free blocks, and the journal, which is not needed
    /// after a clean unmount.
    ///
    /// # Errors
    /// The file system was not unmounted cleanly, is damaged or unknown.
    pub fn clear_unused(&self, edits: &mut Edits) -> Result<(), Ext4Error> {
        edits.zeros.extend(free(self.source(), self.superblock().bytes())?);
        let (journal, block) = (self.superblock().journal, self.superblock().block_size);
        if journal == 0 {
            return Ok(());
        }
        // Its first block describes it.
        let blocks = self.extents(&self.inode(journal)?)?;
        edits.zeros.extend(blocks.iter().map(|extent| {
            let skipped = if extent.at == 0 { block } else { 0 };
            extent.on_disk.saturating_add(skipped)..extent.on_disk.saturating_add(extent.bytes)
        }));
        Ok(())
    }

    /// Marks the extents in a list, and in those below it, as unwritten.
    fn mark(&self, list: &mut [u8], level: Option<u16>, seed: u32, edits: &mut Edits) -> Result<(), Ext4Error> {
        let (count, most, depth) = (u16_at(list, 2), u16_at(list, 4), u16_at(list, 6));
        if depth > DEPTH || level.is_some_and(|level| level != depth) {
            return Err(Ext4Error::Unknown("has lists of extents that contradict each other"));
        }
        let block = self.superblock().block_size;
        for entry in list.chunks_exact_mut(ENTRY).skip(1).take(count.into()) {
            if depth == 0 {
                let length = u16_at(entry, 4);
                if length == WRITTEN {
                    return Err(Ext4Error::Unknown("has a file that is too long to be made empty"));
                }
                let start = u64_of(u32_at(entry, 8), u16_at(entry, 6).into()).saturating_mul(block);
                let bytes = u64::from(length & !WRITTEN).saturating_mul(block);
                edits.zeros.push(start..start.saturating_add(bytes));
                put(entry, 4, &(length | WRITTEN).to_le_bytes());
                continue;
            }
            let number = u64_of(u32_at(entry, 4), u16_at(entry, 8).into());
            let mut below = self.read_block(number)?;
            self.mark(&mut below, depth.checked_sub(1), seed, edits)?;
            edits.writes.insert(number.saturating_mul(block), below);
        }
        // A list in a block of its own has a checksum after its last possible entry.
        if level.is_some() && self.superblock().has_checksums() {
            let tail = ENTRY.saturating_mul(usize::from(most).saturating_add(1));
            let sum = crc32c(seed, &[list.get(..tail).unwrap_or_default()]);
            put(list, tail, &sum.to_le_bytes());
        }
        Ok(())
    }
}

/// Writes these bytes there.
fn put(to: &mut [u8], at: usize, new: &[u8]) {
    if let Some(part) = to.get_mut(at..).and_then(|rest| rest.get_mut(..new.len())) {
        part.copy_from_slice(new);
    }
}
