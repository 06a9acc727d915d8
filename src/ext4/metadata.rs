//! The blocks that describe the file system itself: superblocks, descriptions of groups, bitmaps, tables of inodes.

use super::error::Ext4Error;
use super::groups::Group;
use super::superblock::{Superblock, compatible, incompatible, read_only};
use std::ops::Range;

impl Superblock {
    /// All of these blocks, in order.
    ///
    /// # Errors
    /// Some lie over others.
    pub(super) fn metadata(&self, groups: &[Group]) -> Result<Vec<Range<u64>>, Ext4Error> {
        let mut all = Vec::new();
        for (number, group) in (0..).zip(groups) {
            let Range { start, end } = self.blocks_of(number);
            // With blocks of 1 KiB in clusters, the first superblock is in the second block.
            let shift = u64::from(number == 0 && self.block_size == 1024 && self.first_block == 0);
            all.push(start..start.saturating_add(self.leading_blocks(number)).saturating_add(shift).min(end));
            all.push(group.block_bitmap..group.block_bitmap.saturating_add(1));
            all.push(group.inode_bitmap..group.inode_bitmap.saturating_add(1));
            all.push(group.inode_table..group.inode_table.saturating_add(self.inode_table_blocks()));
        }
        all.retain(|blocks| !blocks.is_empty());
        all.sort_by_key(|blocks| blocks.start);
        let is_apart = all.iter().zip(all.iter().skip(1)).all(|(one, next)| one.end <= next.start);
        if is_apart { Ok(all) } else { Err(Ext4Error::Unknown("has tables that lie over one another")) }
    }

    /// The blocks at the beginning of a group with a superblock and descriptions of groups, or room for more of these.
    fn leading_blocks(&self, group: u32) -> u64 {
        let superblock = u64::from(self.has_backup(group));
        let per_block = self.groups_per_block();
        let has_meta = self.has(incompatible::META_BG);
        let meta_group = u64::from(group).checked_div(per_block).unwrap_or(0);
        if has_meta && meta_group >= self.first_meta_group {
            let place = u64::from(group).checked_rem(per_block).unwrap_or(0);
            let has_descriptions = place <= 1 || place.saturating_add(1) == per_block;
            return superblock.saturating_add(u64::from(has_descriptions));
        }
        let all = u64::from(self.groups).div_ceil(per_block);
        let descriptions = if has_meta { self.first_meta_group } else { all };
        superblock.saturating_mul(1_u64.saturating_add(descriptions).saturating_add(self.reserved_descriptor_blocks))
    }

    /// Whether a group begins with a superblock.
    pub(super) fn has_backup(&self, group: u32) -> bool {
        if group == 0 {
            return true;
        }
        if self.compatible & compatible::SPARSE_SUPER2 != 0 {
            return self.backups.contains(&group);
        }
        let is_power = |base: u32| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        self.read_only & read_only::SPARSE_SUPER == 0 || group == 1 || [3, 5, 7].into_iter().any(is_power)
    }
}
