//! The names in a folder.

use super::checksum::crc32c;
use super::error::Ext4Error;
use super::fields::{byte_at, u16_at, u32_at};

/// Bytes of an entry, without its name.
const ENTRY: usize = 8;

/// Bytes at the end of a block with a checksum of names, and how they begin: as an unused entry.
const TAIL: usize = 12;
const TAIL_BEGIN: [u8; 8] = [0, 0, 0, 0, 12, 0, 0, 0xde];

/// Gets a name, and the number of its inode.
pub type OnEntry<'a> = &'a mut dyn FnMut(&[u8], u32) -> Result<(), Ext4Error>;

/// Calls `on_entry` for each name in a block of a folder, with the number of its inode. An index in the folder looks like
/// unused entries.
///
/// # Errors
/// The block contradicts itself, a name cannot be one, or `on_entry` failed.
pub fn entries(mut block: &[u8], on_entry: OnEntry<'_>) -> Result<(), Ext4Error> {
    while !block.is_empty() {
        let (inode, length, name) = (u32_at(block, 0), usize::from(u16_at(block, 4)), usize::from(byte_at(block, 6)));
        if length < ENTRY + 4 || length % 4 != 0 || name + ENTRY > length {
            return Err(Ext4Error::Unknown("has a folder with an entry of an impossible length"));
        }
        let entry = block.get(..length);
        let name = entry.and_then(|entry| entry.get(ENTRY..ENTRY + name));
        let name = name.ok_or(Ext4Error::Unknown("has a folder with an entry beyond its end"))?;
        if inode != 0 && name != b"." && name != b".." {
            if name.is_empty() || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
                return Err(Ext4Error::Unknown("has a folder with a name that cannot be one"));
            }
            on_entry(name, inode)?;
        }
        block = block.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// Whether a block of a folder fits its checksum. `seed` is that of the folder.
pub fn is_whole(block: &[u8], seed: u32) -> bool {
    if let Some(limits) = index_of(block) {
        let (most, count) = (usize::from(u16_at(block, limits)), usize::from(u16_at(block, limits + 2)));
        let (end, tail) = (limits + ENTRY * count, limits + ENTRY * most);
        let entries = block.get(..end).filter(|_| count <= most && tail + ENTRY <= block.len());
        let reserved = block.get(tail..tail + 4).unwrap_or_default();
        return entries.is_some_and(|entries| crc32c(seed, &[entries, reserved, &[0; 4]]) == u32_at(block, tail + 4));
    }
    let (names, tail) = block.split_at_checked(block.len().saturating_sub(TAIL)).unwrap_or_default();
    tail.starts_with(&TAIL_BEGIN) && crc32c(seed, &[names]) == u32_at(tail, ENTRY)
}

/// Where the limits of an index are, if the block is one: its unused entries reach to its end.
fn index_of(block: &[u8]) -> Option<usize> {
    let length = |at: usize| usize::from(u16_at(block, at + 4));
    match length(0) {
        first if first == block.len() => Some(8),
        12 if length(12) + 12 == block.len() => Some(32),
        _ => None,
    }
}
