//! What a file system is read from.

use std::io;

/// Bytes that can be read in any order: a disk, or the chunks of one.
pub trait ReadAt {
    /// Fills the buffer with the bytes from `at` on.
    ///
    /// # Errors
    /// They cannot be read, or there are not so many.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
}
