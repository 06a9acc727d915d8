//! The bytes of an artifact around the content of its members, as the engine writes them.

use super::content::{FOOTER, FORMAT_VERSION, MAGIC};
use super::member::{Member, MemberKind};
use tar::{EntryType, GnuExtSparseHeader, GnuSparseHeader, Header};

/// The bytes of a header, of which all else is a multiple.
pub const BLOCK: usize = 512;

/// The end of the tar.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The header of a member that passes [`Member::check`]; of a sparse file with the map of its data: offsets and lengths, in
/// order, the lengths multiples of 512 except for the last.
pub fn headers(member: &Member, data: &[(u64, u64)]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_mode(member.mode);
    header.set_uid(member.uid.into());
    header.set_gid(member.gid.into());
    header.set_mtime(member.mtime);
    header.set_size(stored(member, data));
    header.set_entry_type(match member.kind {
        MemberKind::File => EntryType::Regular,
        MemberKind::Folder => EntryType::Directory,
        MemberKind::Sparse => EntryType::GNUSparse,
    });
    let is_sparse = member.kind == MemberKind::Sparse;
    // The engine's last entry in a map is an empty one at the end of the file.
    let map = data.iter().copied().chain([(member.size, 0)]);
    let mut map = map.take(if is_sparse { usize::MAX } else { 0 }).peekable();
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.name.iter_mut().zip(member.path.bytes()).for_each(|(to, byte)| *to = byte);
        gnu.set_device_major(0);
        gnu.set_device_minor(0);
        if is_sparse {
            gnu.set_real_size(member.size);
            gnu.sparse.iter_mut().zip(&mut map).for_each(set);
            gnu.set_is_extended(map.peek().is_some());
        }
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    while map.peek().is_some() {
        let mut more = GnuExtSparseHeader::new();
        more.sparse_mut().iter_mut().zip(&mut map).for_each(set);
        more.set_is_extended(map.peek().is_some());
        bytes.extend(more.as_bytes());
    }
    bytes
}

fn set((entry, (offset, length)): (&mut GnuSparseHeader, (u64, u64))) {
    entry.set_offset(offset);
    entry.set_length(length);
}

/// The zeros after the content of a member, in bytes.
pub fn padding(member: &Member, data: &[(u64, u64)]) -> usize {
    let last = usize::try_from(stored(member, data) % BLOCK as u64).unwrap_or_default();
    (BLOCK - last) % BLOCK
}

/// The bytes of its content in the tar.
fn stored(member: &Member, data: &[(u64, u64)]) -> u64 {
    match member.kind {
        MemberKind::Sparse => data.iter().fold(0, |sum, (_, length)| sum.wrapping_add(*length)),
        MemberKind::File | MemberKind::Folder => member.size,
    }
}

/// The footer, from the bytes of assets and manifest, and the CRC-32 of both.
pub fn footer(assets: u64, manifest: u64, crc32: u32) -> [u8; FOOTER] {
    let mut footer = [0; FOOTER];
    let numbers = [0, 0, assets, assets, manifest].into_iter().flat_map(u64::to_le_bytes);
    let fields = MAGIC.iter().copied().chain(FORMAT_VERSION.to_le_bytes()).chain(numbers).chain(crc32.to_le_bytes());
    footer.iter_mut().zip(fields).for_each(|(to, byte)| *to = byte);
    footer
}
