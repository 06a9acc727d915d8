//! Reads that return the bytes instead of their number, so that no index can be wrong.

use std::io::{self, Read};

/// Reads once into `buffer`. Returns the bytes that were read; empty at the end.
pub fn read<'b>(from: &mut (impl Read + ?Sized), buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let count = from.read(buffer)?;
    buffer.get(..count).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
