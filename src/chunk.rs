//! Reads that cannot go wrong by a number: what was read, not how much of the buffer it is.

use std::io::{self, Read};

/// Reads once into `buffer`. What was read; nothing at the end.
pub fn read<'b>(from: &mut (impl Read + ?Sized), buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let count = from.read(buffer)?;
    buffer.get(..count).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
