//! Extended attributes.

use super::checksum::{crc32c, crc32c_without};
use super::error::Ext4Error;
use super::fields::{byte_at, u16_at, u32_at};

/// The name of an attribute, and its value.
pub type Attribute = (Vec<u8>, Vec<u8>);

/// How a list of attributes begins.
const MAGIC: u32 = 0xea02_0000;
/// Bytes of the header of a block of attributes.
const HEADER: usize = 32;
/// Where the checksum of a block of attributes is.
const CHECKSUM: usize = 16;
/// Bytes of an entry, without its name.
const ENTRY: usize = 16;
/// The kinds of entries of an access control list that have a number: those of a named user and of a named group.
const NAMED: [u16; 2] = [2, 8];

/// Adds the attributes in an inode.
///
/// # Errors
/// They contradict themselves.
pub fn add_of_inode(bytes: &[u8], all: &mut Vec<Attribute>) -> Result<(), Ext4Error> {
    let entries = bytes.get(4..).unwrap_or_default();
    if u32_at(bytes, 0) == MAGIC { add(entries, entries, all) } else { Ok(()) }
}

/// Adds the attributes in a block of them.
///
/// # Errors
/// It is not such a block, or they contradict themselves.
pub fn add_of_block(bytes: &[u8], all: &mut Vec<Attribute>) -> Result<(), Ext4Error> {
    if u32_at(bytes, 0) != MAGIC {
        return Err(Ext4Error::Unknown("has an invalid block of attributes"));
    }
    add(bytes.get(HEADER..).unwrap_or_default(), bytes, all)
}

/// Whether a block of attributes fits its checksum. `seed` is that of the file system.
pub fn is_whole(number: u64, block: &[u8], seed: u32) -> bool {
    crc32c_without(crc32c(seed, &[&number.to_le_bytes()]), block, CHECKSUM) == u32_at(block, CHECKSUM)
}

/// Adds these entries, whose values are at places in `values`.
fn add(mut entries: &[u8], values: &[u8], all: &mut Vec<Attribute>) -> Result<(), Ext4Error> {
    let wrong = || Ext4Error::Unknown("has an attribute outside of its place");
    // No two of them share a value.
    let mut left = values.len();
    while u32_at(entries, 0) != 0 {
        let name = usize::from(byte_at(entries, 0));
        let (at, size) = (usize::from(u16_at(entries, 2)), u32_at(entries, 8) as usize);
        if u32_at(entries, 4) != 0 {
            return Err(Ext4Error::Unknown("has an attribute whose value is in another file"));
        }
        let value = at.checked_add(size).and_then(|end| values.get(at..end)).ok_or_else(wrong)?;
        left = left.checked_sub(value.len()).ok_or_else(wrong)?;
        let suffix = entries.get(ENTRY..ENTRY + name).ok_or_else(wrong)?;
        let (prefix, is_acl) = prefix(byte_at(entries, 1));
        let value = if is_acl { as_read(value) } else { value.to_vec() };
        all.push(([prefix, suffix].concat(), value));
        entries = entries.get((ENTRY + name).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}

/// What a name begins with, and whether the value is an access control list.
fn prefix(index: u8) -> (&'static [u8], bool) {
    match index {
        1 => (b"user.", false),
        2 => (b"system.posix_acl_access", true),
        3 => (b"system.posix_acl_default", true),
        4 => (b"trusted.", false),
        6 => (b"security.", false),
        7 => (b"system.", false),
        8 => (b"system.richacl", false),
        _ => (b"", false),
    }
}

/// An access control list as a program in the guest reads it: on the disk, an entry has a number only if it names a user or a
/// group (`linux/posix_acl_xattr.h`, `fs/ext4/acl.h`).
fn as_read(mut list: &[u8]) -> Vec<u8> {
    let mut read = 2_u32.to_le_bytes().to_vec();
    list = list.get(4..).unwrap_or_default();
    while !list.is_empty() {
        let has_number = NAMED.contains(&u16_at(list, 0));
        read.extend(list.get(..4).unwrap_or_default());
        read.extend(if has_number { u32_at(list, 4) } else { u32::MAX }.to_le_bytes());
        list = list.get(if has_number { 8 } else { 4 }..).unwrap_or_default();
    }
    read
}
