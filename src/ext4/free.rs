//! The blocks that no file uses.

use super::error::Ext4Error;
use super::groups::Group;
use super::source::ReadAt;
use super::superblock::{Superblock, compatible, read_only};
use super::tree::FileSystem;
use std::ops::Range;

/// Compatible features whose blocks are marked as in use like all others: preallocated folders, journals, attributes, room for
/// more groups, indexes of folders, other backups, fast commits, stable inodes, a file of orphans.
const COMPATIBLE: u32 =
    0x1 | 0x8 | 0x10 | 0x20 | 0x400 | 0x800 | 0x1000 | compatible::HAS_JOURNAL | compatible::SPARSE_SUPER2;
const READ_ONLY: u32 = read_only::KNOWN
    | read_only::SPARSE_SUPER
    | read_only::GDT_CHECKSUM
    | read_only::BIGALLOC
    | read_only::METADATA_CHECKSUM;
/// The most pieces of free space, or of what is to be cleared, which bounds the memory. No file system in use comes near.
pub(super) const MOST: usize = 1 << 20;

/// The bytes of a disk of that size that nothing on it uses, in order. Nothing is assumed to be free unless the file system
/// was unmounted cleanly, has nothing unknown, and agrees with itself in all that is looked at.
///
/// # Errors
/// It is not so, or the disk cannot be read.
pub fn free(source: &dyn ReadAt, disk: u64) -> Result<Vec<Range<u64>>, Ext4Error> {
    let mut before = [0; 1024];
    source.read_at(0, &mut before)?;
    let superblock = Superblock::read(source)?;
    let refused = [
        // A disk that got partitions has the rest of the file system that was on it.
        (before.iter().any(|byte| *byte != 0), "is not at the beginning of its disk"),
        (!superblock.is_clean(), "was not unmounted cleanly"),
        (superblock.read_only & !READ_ONLY != 0, "has an unknown feature"),
        (superblock.compatible & !COMPATIBLE != 0, "has an unknown feature"),
        (superblock.bytes() > disk, "is larger than its disk"),
    ];
    if let Some((_, why)) = refused.iter().find(|(is_so, _)| *is_so) {
        return Err(Ext4Error::Unknown(why));
    }
    let groups = superblock.read_groups(source)?;
    superblock.check_journal(source, &groups)?;
    let metadata = superblock.metadata(&groups)?;
    let mut free = Vec::new();
    for (number, group) in (0..).zip(&groups) {
        let blocks = superblock.blocks_of(number);
        let bitmap = superblock.used(source, group, &blocks, &metadata)?;
        let mut count = 0_u64;
        for clusters in unused(&bitmap, superblock.clusters(&blocks)) {
            count = count.saturating_add(clusters.end.saturating_sub(clusters.start));
            superblock.add(&mut free, &blocks, &clusters);
        }
        if count != u64::from(group.free_clusters) {
            return Err(Ext4Error::Unknown("has a group that does not agree with its bitmap"));
        }
        if free.len() > MOST {
            return Err(Ext4Error::Unknown("has its free space in too many pieces"));
        }
    }
    Ok(free)
}

impl<S: ReadAt> FileSystem<S> {
    /// Whether it was unmounted cleanly.
    pub fn is_clean(&self) -> bool {
        self.superblock().is_clean()
    }
}

impl Superblock {
    /// The bitmap of the clusters of a group that are in use.
    fn used(
        &self,
        source: &dyn ReadAt,
        group: &Group,
        blocks: &Range<u64>,
        metadata: &[Range<u64>],
    ) -> Result<Vec<u8>, Ext4Error> {
        let mut bitmap = if group.has_block_bitmap {
            self.read_block_bitmap(source, group)?
        } else {
            vec![0; usize::try_from(self.clusters_per_group() / 8).unwrap_or(0)]
        };
        let first = metadata.partition_point(|one| one.start.saturating_add(self.blocks_per_group) <= blocks.start);
        for one in metadata.iter().skip(first).take_while(|one| one.start < blocks.end) {
            for block in one.start.max(blocks.start)..one.end.min(blocks.end) {
                let cluster = block.saturating_sub(blocks.start).checked_div(self.blocks_per_cluster).unwrap_or(0);
                let Some(byte) = bitmap.get_mut(usize::try_from(cluster / 8).unwrap_or(usize::MAX)) else { continue };
                let bit = 1 << (cluster % 8);
                if group.has_block_bitmap && *byte & bit == 0 {
                    return Err(Ext4Error::Unknown("has a bitmap that calls its own tables free"));
                }
                *byte |= bit;
            }
        }
        Ok(bitmap)
    }

    /// The number of clusters in these blocks of a group.
    fn clusters(&self, blocks: &Range<u64>) -> u64 {
        let blocks = blocks.end.saturating_sub(blocks.start);
        blocks.div_ceil(self.blocks_per_cluster.max(1))
    }

    /// Adds the bytes of clusters of a group with these blocks.
    fn add(&self, free: &mut Vec<Range<u64>>, blocks: &Range<u64>, clusters: &Range<u64>) {
        let place = |cluster: u64| blocks.start.saturating_add(cluster.saturating_mul(self.blocks_per_cluster));
        let (start, end) = (place(clusters.start), place(clusters.end).min(blocks.end));
        let bytes = start.saturating_mul(self.block_size)..end.saturating_mul(self.block_size);
        match free.last_mut() {
            Some(last) if last.end == bytes.start => last.end = bytes.end,
            _ => free.push(bytes),
        }
    }
}

/// The clusters that are free in a bitmap of so many, in order. Where eight are the same, as most are, they are one step.
fn unused(bitmap: &[u8], clusters: u64) -> impl Iterator<Item = Range<u64>> {
    bitmap.iter().zip((0..clusters).step_by(8)).flat_map(move |(byte, first)| {
        let (steps, length) = if matches!(*byte, 0 | u8::MAX) { (1_u64, 8_u64) } else { (8, 1) };
        let free = (0..steps).filter(move |bit| *byte >> *bit & 1 == 0).map(move |bit| first.saturating_add(bit));
        let ranges = free.map(move |start| start..start.saturating_add(length).min(clusters));
        ranges.filter(|range| !range.is_empty())
    })
}
