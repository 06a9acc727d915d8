//! Where the content of a file is on the disk.

use super::checksum::crc32c;
use super::error::Ext4Error;
use super::fields::{u16_at, u32_at, u64_of};
use super::source::ReadAt;
use std::io;

const MAGIC: u16 = 0xf30a;
/// Bytes of a header, and of an entry.
const ENTRY: usize = 12;
/// The most levels.
const DEPTH: u16 = 5;
/// A longer extent has room, but no data.
const LONGEST: u16 = 1 << 15;
/// The most extents of a file, so that they fit into memory: 16 GiB, as fragmented as can be.
const MOST: usize = 1 << 22;

/// A part of a file that has data on the disk. All else in a file is zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it is in the file.
    pub at: u64,
    /// Where it is on the disk.
    pub on_disk: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Fills the buffer with the content of a file at this place. What is in no extent is zeros.
///
/// # Errors
/// It cannot be read.
pub fn read(source: &impl ReadAt, extents: &[Extent], at: u64, buffer: &mut [u8]) -> io::Result<()> {
    buffer.fill(0);
    let end = at.saturating_add(buffer.len() as u64);
    let first = extents.partition_point(|extent| extent.at.saturating_add(extent.bytes) <= at);
    for extent in extents.iter().skip(first).take_while(|extent| extent.at < end) {
        let start = extent.at.max(at);
        let stop = extent.at.saturating_add(extent.bytes).min(end);
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(part) = buffer.get_mut(place(start - at)..place(stop - at)) {
            source.read_at(extent.on_disk.saturating_add(start - extent.at), part)?;
        }
    }
    Ok(())
}

/// Whether a list in a block of its own fits its checksum, which is after its last possible entry.
pub fn is_whole(list: &[u8], seed: u32) -> bool {
    let tail = tail_of(list);
    list.get(..tail).is_some_and(|begin| crc32c(seed, &[begin]) == u32_at(list, tail))
}

/// Where that checksum is.
pub fn tail_of(list: &[u8]) -> usize {
    ENTRY.saturating_mul(usize::from(u16_at(list, 4)).saturating_add(1))
}

/// Reads the extents of a file.
pub struct Reader<'a> {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks of the disk.
    pub blocks: u64,
    /// Reads a block.
    pub read: &'a dyn Fn(u64) -> Result<Vec<u8>, Ext4Error>,
    /// Whether those with data are read, or those that have room only.
    pub has_data: bool,
    /// The byte of the file from which on none are needed.
    pub end: u64,
    /// All so far, in order.
    pub extents: Vec<Extent>,
    /// The first block of the file that may come next.
    pub next: u64,
}

impl Reader<'_> {
    /// Adds the extents below this node, the root if there is no `depth` yet.
    ///
    /// # Errors
    /// They contradict themselves, or cannot be read.
    pub fn add(&mut self, node: &[u8], depth: Option<u16>) -> Result<(), Ext4Error> {
        let wrong = |why| Err(Ext4Error::Unknown(why));
        let (count, most, level) = (u16_at(node, 2), u16_at(node, 4), u16_at(node, 6));
        if u16_at(node, 0) != MAGIC || count > most || usize::from(count) > node.len() / ENTRY {
            return wrong("has an invalid list of extents");
        }
        if level > DEPTH || depth.is_some_and(|depth| depth != level) || depth.is_some() && count == 0 {
            return wrong("has lists of extents that contradict each other");
        }
        let mut entries = node.chunks_exact(ENTRY).skip(1).take(count.into());
        if level == 0 {
            return entries.try_for_each(|entry| self.leaf(entry));
        }
        for (place, entry) in entries.enumerate() {
            let first = u64::from(u32_at(entry, 0));
            if first < self.next {
                return wrong("has a file whose extents overlap");
            }
            // Linux follows the first entry, wherever the entry says that it begins.
            if place > 0 && first.saturating_mul(self.block_bytes) >= self.end {
                self.next = first;
                continue;
            }
            let below = (self.read)(u64_of(u32_at(entry, 4), u16_at(entry, 8).into()))?;
            self.add(&below, level.checked_sub(1))?;
        }
        Ok(())
    }

    fn leaf(&mut self, entry: &[u8]) -> Result<(), Ext4Error> {
        let (first, length, on_disk) =
            (u64::from(u32_at(entry, 0)), u16_at(entry, 4), u64_of(u32_at(entry, 8), u16_at(entry, 6).into()));
        let (blocks, is_written) = if length > LONGEST { (length - LONGEST, false) } else { (length, true) };
        if blocks == 0 || first < self.next {
            return Err(Ext4Error::Unknown("has a file whose extents overlap"));
        }
        if on_disk == 0 || on_disk.checked_add(blocks.into()).is_none_or(|end| end > self.blocks) {
            return Err(Ext4Error::Unknown("has a file with an extent outside of it"));
        }
        self.next = first.saturating_add(blocks.into());
        if self.extents.len() == MOST {
            return Err(Ext4Error::Unknown("has a file with too many extents"));
        }
        let bytes = |blocks: u64| blocks.saturating_mul(self.block_bytes);
        let (at, on_disk, length) = (bytes(first), bytes(on_disk), bytes(blocks.into()));
        match self.extents.last_mut().filter(|_| is_written == self.has_data) {
            Some(last) if last.at + last.bytes == at && last.on_disk + last.bytes == on_disk => last.bytes += length,
            _ if is_written == self.has_data => self.extents.push(Extent { at, on_disk, bytes: length }),
            _ => {}
        }
        Ok(())
    }
}
