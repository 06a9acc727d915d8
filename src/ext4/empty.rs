//! Makes files of a file system empty, without mounting it: what is to be written to the disk for that.
//!
//! The blocks of a file stay its own, as after `fallocate --keep-size`: they become zeros, its extents are marked as unwritten,
//! and its size is 0. So no bitmap and no counter changes.

use super::checksum::crc32c;
use super::error::Ext4Error;
use super::extents;
use super::fields::{put, u16_at, u32_at, u64_of};
use super::free::{MOST, free};
use super::inode::{self, Inode, Kind};
use super::source::ReadAt;
use super::tree::FileSystem;
use std::collections::BTreeMap;
use std::iter::once;
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

/// What is to be written to a disk.
#[derive(Debug, Default)]
pub struct Edits {
    /// Bytes, by their place.
    pub writes: BTreeMap<u64, Vec<u8>>,
    /// Places that become zeros.
    pub zeros: Vec<Range<u64>>,
}

impl Edits {
    /// Changes what was read from this place of the disk. They are sorted.
    pub fn apply(&self, at: u64, bytes: &mut [u8]) {
        let end = at.saturating_add(bytes.len() as u64);
        let place = |from: u64| usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX);
        let first = self.zeros.partition_point(|zeros| zeros.end <= at);
        for zeros in self.zeros.iter().skip(first).take_while(|zeros| zeros.start < end) {
            let (start, stop) = (zeros.start.max(at), zeros.end.min(end));
            if let Some(part) = bytes.get_mut(place(start)..place(stop)).filter(|_| start < stop) {
                part.fill(0);
            }
        }
        // They lie apart: those before the first one that ends too early do, too.
        let reaches = |(start, new): &(&u64, &Vec<u8>)| start.saturating_add(new.len() as u64) > at;
        for (start, new) in self.writes.range(..end).rev().take_while(reaches) {
            let skipped = usize::try_from(at.saturating_sub(*start)).unwrap_or(usize::MAX);
            let new = new.get(skipped..).unwrap_or_default();
            let part = bytes.get_mut(place(*start)..).unwrap_or_default();
            part.iter_mut().zip(new).for_each(|(to, from)| *to = *from);
        }
    }

    /// Whether anything but zeros is written to so many bytes at this place.
    pub fn writes_in(&self, at: u64, bytes: u64) -> bool {
        let end = at.saturating_add(bytes);
        let last = self.writes.range(..end).next_back();
        last.is_some_and(|(start, new)| start.saturating_add(new.len() as u64) > at)
    }

    /// Adds places that become zeros. Files may share theirs, so they are merged before there are too many.
    ///
    /// # Errors
    /// There are too many that lie apart.
    pub fn add(&mut self, zeros: impl IntoIterator<Item = Range<u64>>) -> Result<(), Ext4Error> {
        for place in zeros {
            if self.zeros.len() >= 2 * MOST {
                self.sort();
                // Then there is room for as many again: they are not sorted for each one.
                if self.zeros.len() > MOST {
                    return Err(Ext4Error::Unknown("has too many pieces to be cleared"));
                }
            }
            self.zeros.push(place);
        }
        Ok(())
    }

    /// Sorts what becomes zeros, so that [`Self::apply`] finds it.
    pub fn sort(&mut self) {
        self.zeros.sort_by_key(|zeros| zeros.start);
        self.zeros.dedup_by(|next, last| {
            let touches = next.start <= last.end;
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
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
        // Checks the lists of extents, which `mark` follows, also behind the end of the file.
        self.all_extents(file, true)?;
        let mut raw = file.raw.to_vec();
        let seed = file.seed(self.superblock().seed);
        let mut root = raw.get(ROOT).unwrap_or_default().to_vec();
        let metadata = self.superblock().metadata(self.groups())?;
        Emptying { system: self, seed, metadata, edits }.mark(&mut root, None)?;
        put(&mut raw, ROOT.start, &root);
        for at in SIZE {
            put(&mut raw, at, &[0; 4]);
        }
        if self.superblock().has_checksums() {
            inode::seal(file.number, &mut raw, self.superblock().seed);
        }
        edits.writes.insert(self.place_of(file.number)?, raw);
        Ok(())
    }

    /// Adds to `edits` what removes the rests of deleted and changed files: free blocks, those that files have reserved and not
    /// written, and the journal, which is not needed after a clean unmount.
    ///
    /// # Errors
    /// The file system was not unmounted cleanly, is damaged or unknown.
    pub fn clear_unused(&self, edits: &mut Edits) -> Result<(), Ext4Error> {
        edits.add(free(self.source(), self.superblock().bytes())?)?;
        self.for_each_used(&mut |file| {
            if !file.has_extents() || file.is_unknown() {
                return Ok(());
            }
            let unwritten = self.all_extents(file, false)?;
            edits.add(unwritten.into_iter().map(|one| one.on_disk..one.on_disk.saturating_add(one.bytes)))
        })?;
        let (journal, block) = (self.superblock().journal, self.superblock().block_size);
        if journal == 0 {
            return Ok(());
        }
        // Its first block describes it.
        let blocks = self.extents(&self.inode(journal)?)?;
        edits.add(blocks.into_iter().map(|extent| {
            let skipped = if extent.at == 0 { block } else { 0 };
            extent.on_disk.saturating_add(skipped)..extent.on_disk.saturating_add(extent.bytes)
        }))
    }
}

/// A file that is made empty.
struct Emptying<'a, S> {
    system: &'a FileSystem<S>,
    /// What the checksums of its lists begin with.
    seed: u32,
    /// Blocks that no file has.
    metadata: Vec<Range<u64>>,
    edits: &'a mut Edits,
}

impl<S: ReadAt> Emptying<'_, S> {
    /// Marks the extents in a list, and in those below it, as unwritten.
    fn mark(&mut self, list: &mut [u8], level: Option<u16>) -> Result<(), Ext4Error> {
        let (count, depth) = (u16_at(list, 2), u16_at(list, 6));
        if depth > DEPTH || level.is_some_and(|level| level != depth) {
            return Err(Ext4Error::Unknown("has lists of extents that contradict each other"));
        }
        if depth == 0 {
            self.mark_leaf(list, level.is_none())?;
        }
        let block = self.system.superblock().block_size;
        for entry in list.chunks_exact(ENTRY).skip(1).take(count.into()).filter(|_| depth > 0) {
            let number = u64_of(u32_at(entry, 4), u16_at(entry, 8).into());
            self.check(number..number.saturating_add(1))?;
            let mut below = self.system.read_block(number)?;
            self.mark(&mut below, depth.checked_sub(1))?;
            self.edits.writes.insert(number.saturating_mul(block), below);
        }
        if level.is_some() {
            self.seal(list);
        }
        Ok(())
    }

    /// Marks the extents in a list without lists below it. If it is in the inode, and has no room for one more, they move into
    /// a block of the file.
    fn mark_leaf(&mut self, list: &mut [u8], is_in_inode: bool) -> Result<(), Ext4Error> {
        let count = u16_at(list, 2);
        let room = usize::from(u16_at(list, 4)).min((list.len() / ENTRY).saturating_sub(1));
        let (mut extents, mut spare) = (Vec::new(), None);
        let block = self.system.superblock().block_size;
        for entry in list.chunks_exact(ENTRY).skip(1).take(count.into()) {
            let (first, length) = (u32_at(entry, 0), u16_at(entry, 4));
            let start = u64_of(u32_at(entry, 8), u16_at(entry, 6).into());
            let blocks = if length == WRITTEN { WRITTEN } else { length & !WRITTEN };
            let end = start.saturating_add(blocks.into());
            self.check(start..end)?;
            self.edits.add(once(start.saturating_mul(block)..end.saturating_mul(block)))?;
            // One bit less is left for the length: the last block of the longest extent is one of its own.
            let marked = blocks.min(WRITTEN - 1);
            extents.push(extent(first, marked, start));
            if marked < blocks {
                spare = Some((extents.len(), end.saturating_sub(1)));
                extents.push(extent(first.saturating_add(marked.into()), 1, end.saturating_sub(1)));
            }
        }
        match spare {
            _ if extents.len() <= room => fill(list, &extents),
            // In a cluster of several blocks, none can be of another kind.
            Some((number, at)) if is_in_inode && self.system.superblock().blocks_per_cluster == 1 => {
                extents.remove(number);
                self.move_into(at, list, &extents);
            }
            _ => return Err(Ext4Error::Unknown("has a file that is too long to be made empty")),
        }
        Ok(())
    }

    /// Puts the extents into a list in this block, which is the only one in the list of an inode from now on.
    fn move_into(&mut self, block: u64, list: &mut [u8], extents: &[[u8; ENTRY]]) {
        let bytes = self.system.superblock().block_size;
        let mut below = vec![0; usize::try_from(bytes).unwrap_or(0)];
        put(&mut below, 0, list.get(..ENTRY).unwrap_or_default());
        let most = below.len() / ENTRY - 1;
        put(&mut below, 4, &u16::try_from(most).unwrap_or(0).to_le_bytes());
        // Those of an inode, and one more for each, are few.
        fill(&mut below, extents);
        self.seal(&mut below);
        self.edits.writes.insert(block.saturating_mul(bytes), below);
        let mut entry = [0; ENTRY];
        let [b0, b1, b2, b3, b4, b5, ..] = block.to_le_bytes();
        put(&mut entry, 0, extents.first().and_then(|first| first.get(..4)).unwrap_or_default());
        put(&mut entry, 4, &[b0, b1, b2, b3, b4, b5]);
        fill(list, &[entry]);
        put(list, 6, &1_u16.to_le_bytes());
    }

    /// Writes the checksum of a list in a block of its own.
    fn seal(&self, list: &mut [u8]) {
        if self.system.superblock().has_checksums() {
            let tail = extents::tail_of(list);
            let sum = crc32c(self.seed, &[list.get(..tail).unwrap_or_default()]);
            put(list, tail, &sum.to_le_bytes());
        }
    }

    /// Checks that these blocks can be those of a file.
    fn check(&self, blocks: Range<u64>) -> Result<(), Ext4Error> {
        let next = self.metadata.partition_point(|one| one.end <= blocks.start);
        let is_over = self.metadata.get(next).is_some_and(|one| one.start < blocks.end);
        if is_over { Err(Ext4Error::Unknown("has a file that lies over its tables")) } else { Ok(()) }
    }
}

/// An entry for a part of a file that is reserved and not written: its first block, how many they are, where on the disk.
fn extent(first: u32, blocks: u16, start: u64) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    let [b0, b1, b2, b3, b4, b5, ..] = start.to_le_bytes();
    put(&mut entry, 0, &first.to_le_bytes());
    put(&mut entry, 4, &(blocks | WRITTEN).to_le_bytes());
    put(&mut entry, 6, &[b4, b5, b0, b1, b2, b3]);
    entry
}

/// Puts entries into a list, which has room for them.
fn fill(list: &mut [u8], entries: &[[u8; ENTRY]]) {
    put(list, 2, &u16::try_from(entries.len()).unwrap_or(0).to_le_bytes());
    list.chunks_exact_mut(ENTRY).skip(1).zip(entries).for_each(|(to, from)| to.copy_from_slice(from));
}
