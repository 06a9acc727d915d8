//! What a file system says of itself.

use super::checksum::crc32c;
use super::error::Ext4Error;
use super::fields::{u16_at, u32_at, u64_of};
use super::source::ReadAt;

/// Where the superblock is, and its bytes.
const AT: u64 = 1024;
const BYTES: usize = 1024;
const MAGIC: u16 = 0xef53;
/// The largest file system. Larger than any that the engine makes.
const LARGEST: u64 = 16 << 40;
/// The most groups of blocks: as many as in the largest one with blocks of 4 KiB.
const MOST_GROUPS: u64 = 1 << 17;

/// Features that a reader must know.
pub mod incompatible {
    pub const RECOVER: u32 = 0x4;
    pub const META_BG: u32 = 0x10;
    pub const BITS_64: u32 = 0x80;
    pub const CHECKSUM_SEED: u32 = 0x2000;
    /// Of those that are known: file types in folders, extents, groups that share their tables, values of attributes in
    /// inodes, large folders, data in inodes, encryption, folders that ignore case; and those above.
    pub const KNOWN: u32 = 0x2 | 0x40 | 0x200 | 0x400 | 0x4000 | 0x8000 | 0x1_0000 | 0x2_0000;
}
/// Features that a writer must know.
pub mod read_only {
    pub const SPARSE_SUPER: u32 = 0x1;
    pub const GDT_CHECKSUM: u32 = 0x10;
    pub const BIGALLOC: u32 = 0x200;
    pub const METADATA_CHECKSUM: u32 = 0x400;
    /// Large files, folders in trees, huge files, many links, large inodes, quotas, read-only, projects, verity.
    pub const KNOWN: u32 = 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x100 | 0x1000 | 0x2000 | 0x8000;
}
/// Features that need not be known.
pub mod compatible {
    pub const HAS_JOURNAL: u32 = 0x4;
    pub const SPARSE_SUPER2: u32 = 0x200;
}

/// The superblock of a file system whose layout is known.
#[derive(Debug, Clone)]
pub struct Superblock {
    /// Bytes of a block: a power of two from 1 KiB to 64 KiB.
    pub block_size: u64,
    /// The number of blocks, at most [`LARGEST`] bytes.
    pub blocks: u64,
    /// The first block of the first group.
    pub first_block: u64,
    /// Blocks of a group; the last one may have fewer.
    pub blocks_per_group: u64,
    /// Blocks of a bit of a bitmap.
    pub blocks_per_cluster: u64,
    /// The number of groups.
    pub groups: u32,
    /// Inodes of a group: at least one.
    pub inodes_per_group: u32,
    /// Bytes of an inode.
    pub inode_size: u64,
    /// Bytes of the description of a group: a power of two.
    pub(super) descriptor_size: u64,
    /// The bits of features.
    pub compatible: u32,
    /// Those that a reader must know: they are known, but for [`incompatible::RECOVER`].
    pub incompatible: u32,
    /// Those that a writer must know.
    pub read_only: u32,
    /// What all checksums begin with.
    pub seed: u32,
    pub(super) uuid: [u8; 16],
    pub(super) reserved_descriptor_blocks: u64,
    pub(super) first_meta_group: u64,
    pub(super) backups: [u32; 2],
    /// The inode of the journal; 0: none.
    pub(super) journal: u32,
    /// Whether the last unmount was clean, without an error and without files that were still being deleted.
    is_clean: bool,
}

impl Superblock {
    /// Reads and checks the superblock.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or has an unknown layout.
    pub fn read(source: &dyn ReadAt) -> Result<Self, Ext4Error> {
        let mut bytes = [0; BYTES];
        source.read_at(AT, &mut bytes)?;
        Self::parse(&bytes).map_err(Ext4Error::Unknown)
    }

    fn parse(bytes: &[u8; BYTES]) -> Result<Self, &'static str> {
        let [compatible, incompatible, read_only] = [0x5c, 0x60, 0x64].map(|at| u32_at(bytes, at));
        let is_64 = incompatible & incompatible::BITS_64 != 0;
        let uuid = bytes.get(0x68..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        let seed = match incompatible & incompatible::CHECKSUM_SEED {
            0 => crc32c(!0, &[&uuid]),
            _ => u32_at(bytes, 0x270),
        };
        let (block_log, cluster_log) = (u32_at(bytes, 0x18), u32_at(bytes, 0x1c));
        check_kind(bytes)?;
        let high = if is_64 { u32_at(bytes, 0x150) } else { 0 };
        let has_journal = compatible & compatible::HAS_JOURNAL != 0;
        Self {
            block_size: 1024 << block_log,
            blocks: u64_of(u32_at(bytes, 0x4), high),
            first_block: u32_at(bytes, 0x14).into(),
            blocks_per_group: u32_at(bytes, 0x20).into(),
            blocks_per_cluster: 1 << cluster_log.saturating_sub(block_log),
            groups: 0,
            inodes_per_group: u32_at(bytes, 0x28),
            inode_size: u16_at(bytes, 0x58).into(),
            descriptor_size: if is_64 { u16_at(bytes, 0xfe).into() } else { 32 },
            compatible,
            incompatible,
            read_only,
            seed,
            uuid,
            reserved_descriptor_blocks: u16_at(bytes, 0xce).into(),
            first_meta_group: u32_at(bytes, 0x104).into(),
            backups: [0x24c, 0x250].map(|at| u32_at(bytes, at)),
            journal: if has_journal { u32_at(bytes, 0xe0) } else { 0 },
            // Unmounted without an error, and no inode waits to be deleted.
            is_clean: u16_at(bytes, 0x3a) == 1 && u32_at(bytes, 0xe8) == 0,
        }
        .check(u32_at(bytes, 0), u32_at(bytes, 0x24), has_journal)
    }

    /// Checks that the numbers fit together.
    fn check(self, inodes: u32, clusters_per_group: u32, has_journal: bool) -> Result<Self, &'static str> {
        let bits = self.block_size.saturating_mul(8);
        let clusters = u64::from(clusters_per_group);
        let is_size = |size: u64, least: u64, most: u64| size.is_power_of_two() && (least..=most).contains(&size);
        let groups = self.blocks.saturating_sub(self.first_block).div_ceil(self.blocks_per_group.max(1));
        let is_known = clusters % 8 == 0
            && (8..=bits).contains(&clusters)
            && clusters.saturating_mul(self.blocks_per_cluster) == self.blocks_per_group
            && (1..=bits).contains(&self.inodes_per_group.into())
            && is_size(self.inode_size, 128, self.block_size)
            && is_size(self.descriptor_size, if self.has(incompatible::BITS_64) { 64 } else { 32 }, 1024)
            && self.first_block == u64::from(self.block_size == 1024 && self.blocks_per_cluster == 1)
            && self.blocks.checked_mul(self.block_size).is_some_and(|bytes| bytes <= LARGEST)
            && (1..=MOST_GROUPS).contains(&groups)
            && groups.checked_mul(self.inodes_per_group.into()) == Some(inodes.into())
            && (self.journal != 0) == has_journal;
        let groups = u32::try_from(groups).unwrap_or(0);
        if is_known { Ok(Self { groups, ..self }) } else { Err("has a layout that is not known") }
    }

    /// Whether it has an incompatible feature.
    pub fn has(&self, feature: u32) -> bool {
        self.incompatible & feature != 0
    }

    /// Whether groups and their bitmaps have checksums of 32 bits.
    pub fn has_checksums(&self) -> bool {
        self.read_only & read_only::METADATA_CHECKSUM != 0
    }

    /// Whether the file system was unmounted cleanly, as far as its superblock says: see [`free`](super::free()).
    pub fn is_clean(&self) -> bool {
        self.is_clean && !self.has(incompatible::RECOVER)
    }

    /// Bytes of the file system.
    pub fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size)
    }
}

/// The known features that decide where things are, and whether the journal is to be replayed.
const KNOWN_LAYOUT: u32 =
    incompatible::RECOVER | incompatible::META_BG | incompatible::BITS_64 | incompatible::CHECKSUM_SEED;

/// Checks that the bytes are a superblock of a known kind, and its checksum, if it has one.
fn check_kind(bytes: &[u8; BYTES]) -> Result<(), &'static str> {
    let [incompatible, read_only, block_log, cluster_log] = [0x60, 0x64, 0x18, 0x1c].map(|at| u32_at(bytes, at));
    let has = |feature: u32| read_only & feature != 0;
    let checksum = || bytes.split_last_chunk::<4>().map(|(rest, sum)| (crc32c(!0, &[rest]), u32::from_le_bytes(*sum)));
    let refused = [
        (u16_at(bytes, 0x38) != MAGIC, "is not ext4"),
        (u32_at(bytes, 0x4c) != 1, "has an unknown revision"),
        (incompatible & !(incompatible::KNOWN | KNOWN_LAYOUT) != 0, "has an unknown feature"),
        (has(read_only::METADATA_CHECKSUM) && bytes.get(0x175) != Some(&1), "has an unknown kind of checksum"),
        (
            has(read_only::METADATA_CHECKSUM) && checksum().is_none_or(|(real, recorded)| real != recorded),
            "has a damaged superblock",
        ),
        (block_log > 6, "has blocks of an unknown size"),
        (
            cluster_log < block_log || cluster_log > 20 || (cluster_log > block_log && !has(read_only::BIGALLOC)),
            "has clusters of an unknown size",
        ),
    ];
    match refused.iter().find(|(is_so, _)| *is_so) {
        Some((_, why)) => Err(why),
        None => Ok(()),
    }
}
