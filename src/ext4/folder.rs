//! The names in a folder.

use super::error::Ext4Error;
use super::fields::{byte_at, u16_at, u32_at};

/// Bytes of an entry, without its name.
const ENTRY: usize = 8;

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
