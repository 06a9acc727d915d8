//! Reads tar files from untrusted sources: false claims in their headers cost neither memory nor time.

use crate::chunk;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The most bytes between two entries: headers, long names, attributes. `tar` keeps all of them in memory.
const HEADER_LIMIT: u64 = 1 << 20;

/// An entry of a tar file that is read from an `R`.
pub type Entry<'a, R> = tar::Entry<'a, LimitedReader<R>>;

/// Reads a tar file from `from`, and calls `each` for every entry. `broken` makes the error for a damaged file.
///
/// # Errors
/// It is not a tar file, its headers are too long, or `each` fails.
pub fn for_each<R: Read, E>(
    from: R,
    broken: impl Fn(io::Error) -> E,
    mut each: impl FnMut(&mut Entry<'_, R>) -> Result<(), E>,
) -> Result<(), E> {
    let budget = Rc::new(Cell::new(HEADER_LIMIT));
    let mut archive = tar::Archive::new(LimitedReader { from, budget: budget.clone() });
    archive.set_preserve_permissions(true);
    let mut entries = archive.entries().map_err(&broken)?;
    loop {
        budget.set(HEADER_LIMIT);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|error| broken(explain_checksum(error)))?;
        // A sparse file can claim any size, and hold nothing.
        if entry.header().entry_type().is_gnu_sparse() {
            return Err(broken(io::Error::other("it holds a sparse file")));
        }
        budget.set(u64::MAX);
        each(&mut entry)?;
        io::copy(&mut entry, &mut io::sink()).map_err(&broken)?;
    }
    budget.set(u64::MAX);
    expect_padding(archive.into_inner()).map_err(broken)
}

/// The most zeros after the end.
const PADDING: u64 = 64 << 20;

/// Checks that only zeros follow the end: an appended second tar file must not be skipped silently. Reads to the end, so
/// that the writer of a pipe can finish.
fn expect_padding(rest: impl Read) -> io::Result<()> {
    let (mut rest, mut buffer) = (rest.take(PADDING), vec![0; 64 << 10]);
    loop {
        match chunk::read(&mut rest, &mut buffer)? {
            [] if rest.limit() > 0 => return Ok(()),
            read if read.is_empty() || read.iter().any(|byte| *byte != 0) => {
                return Err(io::Error::other("there is data after its end"));
            }
            _ => {}
        }
    }
}

/// The message of `tar` repeats bytes from the file: replaces it.
fn explain_checksum(error: io::Error) -> io::Error {
    let is_header = error.get_ref().is_some() && error.to_string().contains("when getting cksum");
    if is_header { io::Error::other("it is not a tar file; is it compressed?") } else { error }
}

/// A reader that fails after its budget of bytes.
pub struct LimitedReader<R> {
    from: R,
    budget: Rc<Cell<u64>>,
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.get();
        if left == 0 {
            return Err(io::Error::other(format!("its headers are longer than {HEADER_LIMIT} bytes")));
        }
        let count = (&mut self.from).take(left).read(buffer)?;
        self.budget.set(left - count as u64);
        Ok(count)
    }
}
