//! Files with holes.

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::iter;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes that are data or a hole together, as in most file systems.
const BLOCK: usize = 4096;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Whether all bytes of a block, or of a part of one, are zero.
fn is_zero(block: &[u8]) -> bool {
    ZEROS.get(..block.len()) == Some(block)
}

/// How many of these bytes are in blocks with anything but zeros.
pub fn count(bytes: &[u8]) -> u64 {
    bytes.chunks(BLOCK).filter(|block| !is_zero(block)).map(|block| block.len() as u64).sum()
}

/// Writes bytes to a place in a file, but for blocks of zeros: what was not written there is a hole. Its end must be set.
/// Returns how many were written.
///
/// # Errors
/// They cannot be written.
pub fn write(file: &File, mut at: u64, bytes: &[u8]) -> io::Result<u64> {
    let before = usize::try_from(at % BLOCK as u64).unwrap_or(0);
    let (first, rest) = bytes.split_at_checked(BLOCK.saturating_sub(before)).unwrap_or((bytes, &[]));
    let blocks = iter::once(first).chain(rest.chunks(BLOCK)).map(|block| (block.len(), is_zero(block)));
    let (blocks, mut left, mut written): (Vec<_>, _, _) = (blocks.collect(), bytes, 0_u64);
    for same in blocks.chunk_by(|(_, one), (_, next)| one == next) {
        let length = same.iter().map(|(length, _)| length).sum();
        let (part, after) = left.split_at_checked(length).unwrap_or((left, &[]));
        if same.iter().any(|(_, is_zero)| !is_zero) {
            file.write_all_at(part, at)?;
            written = written.saturating_add(part.len() as u64);
        }
        (at, left) = (at.saturating_add(part.len() as u64), after);
    }
    Ok(written)
}

/// Where the next data in this range of a file is: as far as its file system knows of holes.
///
/// # Errors
/// It cannot be read.
pub fn next_data(file: &File, range: Range<u64>) -> io::Result<Option<Range<u64>>> {
    let start = match seek(file, SeekFrom::Data(range.start)) {
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => range.start,
        found => found?.max(range.start),
    };
    let hole = seek(file, SeekFrom::Hole(start)).ok().filter(|hole| *hole > start);
    let end = hole.unwrap_or(range.end).min(range.end);
    Ok((start < end).then_some(start..end))
}
