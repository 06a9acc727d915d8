//! The journal: whether there is anything in it that has to be replayed.

use super::error::Ext4Error;
use super::fields::{be32_at, u16_at, u32_at};
use super::groups::Group;
use super::source::ReadAt;
use super::superblock::Superblock;

/// The inode of every journal that is in the file system itself.
const INODE: u32 = 8;
/// The flag of an inode whose blocks are in extents, and how these begin.
const EXTENTS: u32 = 0x8_0000;
const EXTENT_MAGIC: u16 = 0xf30a;
/// How a journal begins; the two kinds of its first block.
const MAGIC: u32 = 0xc03b_3998;
const KINDS: [u32; 2] = [3, 4];

impl Superblock {
    /// Checks that nothing is in the journal, if there is one.
    ///
    /// # Errors
    /// Something is, the journal cannot be read, or it is not known.
    pub(super) fn check_journal(&self, source: &dyn ReadAt, groups: &[Group]) -> Result<(), Ext4Error> {
        if self.journal == 0 {
            return Ok(());
        }
        let unknown = Ext4Error::Unknown("has a journal that is not known");
        let (INODE, Some(group)) = (self.journal, groups.first()) else { return Err(unknown) };
        let mut inode = [0; 128];
        let at = u64::from(INODE.saturating_sub(1)).saturating_mul(self.inode_size);
        source.read_at(group.inode_table.saturating_mul(self.block_size).saturating_add(at), &mut inode)?;
        let Some(first) = first_block(&inode).filter(|block| (1..self.blocks).contains(block)) else {
            return Err(unknown);
        };
        let mut begin = [0; 1024];
        source.read_at(first.saturating_mul(self.block_size), &mut begin)?;
        if be32_at(&begin, 0) != MAGIC || !KINDS.contains(&be32_at(&begin, 4)) {
            return Err(unknown);
        }
        // Where the first transaction is, and the error that the journal was closed with.
        match (be32_at(&begin, 0x1c), be32_at(&begin, 0x20)) {
            (0, 0) => Ok(()),
            _ => Err(Ext4Error::Unknown("has a journal that must be replayed")),
        }
    }
}

/// The first block of the file of an inode, where the inode itself says which.
fn first_block(inode: &[u8]) -> Option<u64> {
    if u32_at(inode, 0x20) & EXTENTS == 0 {
        return Some(u32_at(inode, 0x28).into());
    }
    let [magic, entries, depth] = [0x28, 0x2a, 0x2e].map(|at| u16_at(inode, at));
    let (begins_at, high, low) = (u32_at(inode, 0x34), u16_at(inode, 0x3a), u32_at(inode, 0x3c));
    let is_plain = magic == EXTENT_MAGIC && entries > 0 && depth == 0 && begins_at == 0;
    is_plain.then_some(u64::from(high) << 32 | u64::from(low))
}
