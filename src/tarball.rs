//! Reads tars that others have written: what their headers claim takes neither memory nor time.

use crate::chunk;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// How much is read from the end of one entry to the beginning of the next: headers, long names, attributes. `tar` keeps
/// all of it in memory.
const HEADERS: u64 = 1 << 20;

/// An entry of a tar that is read from an `R`.
pub type Entry<'a, R> = tar::Entry<'a, Metered<R>>;

/// Gives `each` every entry of the tar that `from` gives, in their order; `broken` makes an error of what is wrong with the
/// tar.
///
/// # Errors
/// It is not a tar, its headers are too long, or those of `each`.
pub fn for_each<R: Read, E>(
    from: R,
    broken: impl Fn(io::Error) -> E,
    mut each: impl FnMut(&mut Entry<'_, R>) -> Result<(), E>,
) -> Result<(), E> {
    let budget = Rc::new(Cell::new(HEADERS));
    let mut archive = tar::Archive::new(Metered { from, budget: budget.clone() });
    archive.set_preserve_permissions(true);
    let mut entries = archive.entries().map_err(&broken)?;
    loop {
        budget.set(HEADERS);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|error| broken(no_tar(error)))?;
        // It may claim any size, and hold nothing.
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

/// How many zeros may follow the end.
const PADDING: u64 = 64 << 20;

/// What follows the end is zeros: a second tar that was appended would be passed over without a word. It is read, so that
/// who writes into a pipe can end.
fn expect_padding(rest: impl Read) -> io::Result<()> {
    let (mut rest, mut buffer) = (rest.take(PADDING), vec![0; 64 << 10]);
    loop {
        match chunk::read(&mut rest, &mut buffer)? {
            [] if rest.limit() > 0 => return Ok(()),
            read if read.is_empty() || read.iter().any(|byte| *byte != 0) => {
                return Err(io::Error::other("something follows its end"));
            }
            _ => {}
        }
    }
}

/// `tar` repeats what it did not understand, which may be anything.
fn no_tar(error: io::Error) -> io::Error {
    let is_header = error.get_ref().is_some() && error.to_string().contains("when getting cksum");
    if is_header { io::Error::other("it is not a tar; is it compressed?") } else { error }
}

/// Reads no more than its budget.
pub struct Metered<R> {
    from: R,
    budget: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.get();
        if left == 0 {
            return Err(io::Error::other(format!("its headers are longer than {HEADERS} bytes")));
        }
        let count = (&mut self.from).take(left).read(buffer)?;
        self.budget.set(left - count as u64);
        Ok(count)
    }
}
