//! Files with holes.

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;

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
