//! The groups of blocks: where their tables are, and which of their blocks are in use.

use super::checksum::{crc16, crc32c};
use super::error::Ext4Error;
use super::fields::{u16_at, u32_at, u64_of};
use super::source::ReadAt;
use super::superblock::{Superblock, incompatible, read_only};
use std::ops::Range;

/// The flags of a group whose inodes were never used, and of one whose bitmap of blocks was never written.
const NO_INODES: u16 = 0x1;
const NO_BLOCK_BITMAP: u16 = 0x2;
/// Where the checksum is in a description.
const CHECKSUM: usize = 0x1e;

/// A group of blocks.
#[derive(Debug, Clone)]
pub struct Group {
    /// The block with the bitmap of its blocks.
    pub block_bitmap: u64,
    /// The block with the bitmap of its inodes.
    pub inode_bitmap: u64,
    /// The first block of the table of its inodes, all of which is in the file system.
    pub inode_table: u64,
    /// How many inodes in the table may be in use: what follows was perhaps never written.
    pub inodes: u32,
    /// The number of clusters that are free.
    pub free_clusters: u32,
    /// Whether its bitmap of blocks was written; otherwise only what describes the file system is in use.
    pub has_block_bitmap: bool,
    checksum: u32,
}

impl Superblock {
    /// Reads and checks the descriptions of all groups.
    ///
    /// # Errors
    /// They cannot be read, or one is damaged.
    pub fn read_groups(&self, source: &dyn ReadAt) -> Result<Vec<Group>, Ext4Error> {
        let mut block = vec![0; usize::try_from(self.block_size).unwrap_or(0)];
        let size = usize::try_from(self.descriptor_size).unwrap_or(usize::MAX);
        let mut groups = Vec::with_capacity(usize::try_from(self.groups).unwrap_or(0));
        for number in 0..u64::from(self.groups).div_ceil(self.groups_per_block()) {
            self.read_block(source, self.descriptor_block(number), &mut block)?;
            for bytes in block.chunks_exact(size) {
                let number = u32::try_from(groups.len()).unwrap_or(u32::MAX);
                if number < self.groups {
                    groups.push(self.group(number, bytes).map_err(Ext4Error::Unknown)?);
                }
            }
        }
        Ok(groups)
    }

    /// The bitmap of the blocks of a group that has one. A bit stands for a cluster.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read_block_bitmap(&self, source: &dyn ReadAt, group: &Group) -> Result<Vec<u8>, Ext4Error> {
        let mut block = vec![0; usize::try_from(self.block_size).unwrap_or(0)];
        self.read_block(source, group.block_bitmap, &mut block)?;
        block.truncate(usize::try_from(self.clusters_per_group() / 8).unwrap_or(0));
        // The upper half of the checksum is only in a long description.
        let mask = if self.descriptor_size >= 64 { u32::MAX } else { u16::MAX.into() };
        if self.has_checksums() && crc32c(self.seed, &[&block]) & mask != group.checksum & mask {
            return Err(Ext4Error::Unknown("has a damaged bitmap"));
        }
        Ok(block)
    }

    /// The blocks of a group.
    pub fn blocks_of(&self, group: u32) -> Range<u64> {
        let start = u64::from(group).saturating_mul(self.blocks_per_group).saturating_add(self.first_block);
        start..start.saturating_add(self.blocks_per_group).min(self.blocks)
    }

    /// The blocks of the table of the inodes of a group.
    pub fn inode_table_blocks(&self) -> u64 {
        u64::from(self.inodes_per_group).saturating_mul(self.inode_size).div_ceil(self.block_size)
    }

    /// Bits of a whole bitmap of blocks.
    pub(super) fn clusters_per_group(&self) -> u64 {
        self.blocks_per_group.checked_div(self.blocks_per_cluster).unwrap_or(0)
    }

    /// How many descriptions are in a block.
    pub(super) fn groups_per_block(&self) -> u64 {
        self.block_size.checked_div(self.descriptor_size).unwrap_or(1).max(1)
    }

    /// Reads a block.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_block(&self, source: &dyn ReadAt, number: u64, block: &mut [u8]) -> Result<(), Ext4Error> {
        Ok(source.read_at(number.saturating_mul(self.block_size), block)?)
    }

    /// Where this block with descriptions is.
    fn descriptor_block(&self, number: u64) -> u64 {
        // With blocks of 1 KiB, the superblock is in block 1.
        let after = 1_u64.saturating_add(u64::from(self.block_size == 1024));
        if !self.has(incompatible::META_BG) || number < self.first_meta_group {
            return after.saturating_add(number);
        }
        let group = u32::try_from(number.saturating_mul(self.groups_per_block())).unwrap_or(u32::MAX);
        let first = self.blocks_of(group).start;
        match group {
            0 => after,
            _ => first.saturating_add(u64::from(self.has_backup(group))),
        }
    }

    fn group(&self, number: u32, bytes: &[u8]) -> Result<Group, &'static str> {
        let is_long = self.descriptor_size >= 64;
        let high = |at: usize| if is_long { u32_at(bytes, at) } else { 0 };
        let high16 = |at: usize| if is_long { u32::from(u16_at(bytes, at)) << 16 } else { 0 };
        let has_flags = self.read_only & (read_only::METADATA_CHECKSUM | read_only::GDT_CHECKSUM) != 0;
        let flags = if has_flags { u16_at(bytes, 0x12) } else { 0 };
        let unused = if has_flags { u32::from(u16_at(bytes, 0x1c)) | high16(0x32) } else { 0 };
        let group = Group {
            block_bitmap: u64_of(u32_at(bytes, 0), high(0x20)),
            inode_bitmap: u64_of(u32_at(bytes, 0x4), high(0x24)),
            inode_table: u64_of(u32_at(bytes, 0x8), high(0x28)),
            inodes: if flags & NO_INODES == 0 { self.inodes_per_group.saturating_sub(unused) } else { 0 },
            free_clusters: u32::from(u16_at(bytes, 0xc)) | high16(0x2c),
            has_block_bitmap: flags & NO_BLOCK_BITMAP == 0,
            checksum: u32::from(u16_at(bytes, 0x18)) | high16(0x38),
        };
        let is_inside = |block: u64, count: u64| {
            block > self.first_block && block.checked_add(count).is_some_and(|end| end <= self.blocks)
        };
        if has_flags && u16_at(bytes, CHECKSUM) != self.group_checksum(number, bytes) {
            Err("has a damaged description of a group")
        } else if is_inside(group.block_bitmap, 1)
            && is_inside(group.inode_bitmap, 1)
            && is_inside(group.inode_table, self.inode_table_blocks())
        {
            Ok(group)
        } else {
            Err("has a group with tables outside of it")
        }
    }

    fn group_checksum(&self, number: u32, bytes: &[u8]) -> u16 {
        let number = number.to_le_bytes();
        let (before, rest) = bytes.split_at_checked(CHECKSUM).unwrap_or((bytes, &[]));
        let after = rest.get(2..).unwrap_or_default();
        if self.has_checksums() {
            let checksum = crc32c(self.seed, &[&number, before, &[0; 2], after]);
            return u16::try_from(checksum & 0xffff).unwrap_or(0);
        }
        crc16(&[&self.uuid, &number, before, after])
    }
}
