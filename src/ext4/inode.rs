//! Inodes: what a file system knows of a file, but for its names.

use super::checksum::crc32c;
use super::fields::{put, u16_at, u32_at, u64_of};
use schemars::JsonSchema;
use serde::Serialize;
use std::ops::Range;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum Kind {
    File,
    Folder,
    Link,
    CharacterDevice,
    BlockDevice,
    Fifo,
    Socket,
}

impl Kind {
    /// The kind in the mode of a file; `None` if it is unknown.
    pub fn of_mode(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o010_000 => Self::Fifo,
            0o020_000 => Self::CharacterDevice,
            0o040_000 => Self::Folder,
            0o060_000 => Self::BlockDevice,
            0o100_000 => Self::File,
            0o120_000 => Self::Link,
            0o140_000 => Self::Socket,
            _ => return None,
        })
    }
}

/// Bytes of the part that every inode has.
const LEAST: usize = 128;
/// Where its generation is, and the halves of its checksum: not each inode has room for the second one.
const GENERATION: Range<usize> = 100..104;
const CHECKSUM: [usize; 2] = [124, 130];
/// A file whose blocks are found by extents.
const EXTENTS: u32 = 0x8_0000;
/// What a user may set: `EXT4_FL_USER_MODIFIABLE`, without what follows from the content.
const USER: u32 = 0x0003_80ff;
/// A file whose content lies in the inode.
const INLINE: u32 = 0x1000_0000;
/// An encrypted file, or a folder whose names are.
const ENCRYPTED: u32 = 0x800;

/// What is known of a file, but for its names and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Permissions, with the bits for set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Bytes of its content.
    pub size: u64,
    /// When its content was changed: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    /// How many names it has in its file system.
    pub links: u64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
}

impl Metadata {
    /// Of a folder that only its names speak for.
    pub const FOLDER: Self =
        Self { kind: Kind::Folder, mode: 0o755, uid: 0, gid: 0, size: 0, modified: (0, 0), links: 1, device: (0, 0) };
}

/// An inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// Its number.
    pub number: u32,
    /// What it is.
    pub kind: Kind,
    /// Its bytes on the disk: the same ones stand for the same file, as far as the file system knows.
    pub raw: Box<[u8]>,
}

impl Inode {
    /// The inode in these bytes; nothing if it is unused, or no inode.
    pub fn parse(number: u32, raw: Box<[u8]>) -> Option<Self> {
        let kind = Kind::of_mode(u16_at(&raw, 0).into())?;
        let inode = Self { number, kind, raw };
        (inode.links() > 0).then_some(inode)
    }

    /// What is known of its file.
    pub fn metadata(&self) -> Metadata {
        let is_device = matches!(self.kind, Kind::CharacterDevice | Kind::BlockDevice);
        Metadata {
            kind: self.kind,
            mode: self.mode(),
            uid: self.uid(),
            gid: self.gid(),
            size: self.size(),
            modified: self.modified(),
            links: self.links().into(),
            device: if is_device { self.device() } else { (0, 0) },
        }
    }

    /// Permissions, with the bits for set-user-id, set-group-id and sticky.
    pub fn mode(&self) -> u32 {
        u32::from(u16_at(&self.raw, 0)) & 0o7777
    }

    /// Its owner.
    pub fn uid(&self) -> u32 {
        u32::from(u16_at(&self.raw, 120)) << 16 | u32::from(u16_at(&self.raw, 2))
    }

    /// Its group.
    pub fn gid(&self) -> u32 {
        u32::from(u16_at(&self.raw, 122)) << 16 | u32::from(u16_at(&self.raw, 24))
    }

    /// Bytes of its content.
    pub fn size(&self) -> u64 {
        u64_of(u32_at(&self.raw, 4), u32_at(&self.raw, 108))
    }

    /// How many names it has.
    pub fn links(&self) -> u16 {
        u16_at(&self.raw, 26)
    }

    /// When its content was changed: seconds since 1970, and nanoseconds.
    pub fn modified(&self) -> (i64, u32) {
        let seconds = i64::from(i32::from_le_bytes(u32_at(&self.raw, 16).to_le_bytes()));
        let has_extra = self.extra() >= 0x8c - LEAST;
        let extra = if has_extra { u32_at(&self.raw, 0x88) } else { 0 };
        // The two lowest bits count times 2^32 seconds.
        (seconds.saturating_add(i64::from(extra & 3) << 32), extra >> 2)
    }

    /// Major and minor number of a device.
    pub fn device(&self) -> (u32, u32) {
        let (old, new) = (u32_at(self.block(), 0), u32_at(self.block(), 4));
        if old != 0 {
            return (old >> 8 & 0xff, old & 0xff);
        }
        (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xf_ff00)
    }

    /// Bytes after the part that every inode has, before its attributes.
    pub fn extra(&self) -> usize {
        if self.raw.len() > LEAST { usize::from(u16_at(&self.raw, LEAST)) } else { 0 }
    }

    /// The attributes that are in the inode, if it has room for any.
    pub fn attributes(&self) -> &[u8] {
        self.raw.get(LEAST.saturating_add(self.extra())..).unwrap_or_default()
    }

    /// The block with more attributes; 0 if there is none.
    pub fn attribute_block(&self) -> u64 {
        u64_of(u32_at(&self.raw, 104), u16_at(&self.raw, 118).into())
    }

    /// The root of its extents, or the target of a short link.
    pub fn block(&self) -> &[u8] {
        self.raw.get(40..100).unwrap_or_default()
    }

    /// Whether its blocks are found by extents.
    pub fn has_extents(&self) -> bool {
        self.flags() & EXTENTS != 0
    }

    /// Whether its content is not read: it is encrypted, or in the inode.
    pub fn is_unknown(&self) -> bool {
        self.flags() & (INLINE | ENCRYPTED) != 0
    }

    /// What the checksums of its own blocks begin with, if those of the file system begin with `seed`.
    pub fn seed(&self, seed: u32) -> u32 {
        self::seed(self.number, &self.raw, seed)
    }

    /// The flags that `chattr` sets.
    pub fn user_flags(&self) -> u32 {
        self.flags() & USER
    }

    fn flags(&self) -> u32 {
        u32_at(&self.raw, 32)
    }
}

fn seed(number: u32, raw: &[u8], seed: u32) -> u32 {
    crc32c(seed, &[&number.to_le_bytes(), raw.get(GENERATION).unwrap_or_default()])
}

/// Whether an inode fits its checksum. `seed` is that of the file system.
pub fn is_whole(number: u32, raw: &[u8], seed: u32) -> bool {
    let (sum, [low, high]) = (checksum(number, raw, seed), CHECKSUM);
    u16_at(raw, low) == half(sum) && (!has_high(raw) || u16_at(raw, high) == half(sum >> 16))
}

/// Gives an inode the checksum that fits.
pub fn seal(number: u32, raw: &mut [u8], seed: u32) {
    let (sum, [low, high]) = (checksum(number, raw, seed), CHECKSUM);
    put(raw, low, &half(sum).to_le_bytes());
    if has_high(raw) {
        put(raw, high, &half(sum >> 16).to_le_bytes());
    }
}

fn half(sum: u32) -> u16 {
    u16::try_from(sum & 0xffff).unwrap_or(0)
}

/// Whether an inode has room for the upper half of its checksum.
fn has_high(raw: &[u8]) -> bool {
    raw.len() > LEAST && u16_at(raw, LEAST) >= 4
}

fn checksum(number: u32, raw: &[u8], seed: u32) -> u32 {
    let [low, high] = CHECKSUM;
    let part = |range: Range<usize>| raw.get(range).unwrap_or_default();
    let begin = [part(0..low), &[0; 2]];
    let seed = crc32c(self::seed(number, raw, seed), &begin);
    if has_high(raw) {
        crc32c(seed, &[part(low + 2..high), &[0; 2], part(high + 2..raw.len())])
    } else {
        crc32c(seed, &[part(low + 2..raw.len())])
    }
}
