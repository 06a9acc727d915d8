//! Streams: what may keep one waiting is read and written so that the first signal ends it.

use crate::interrupt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// How often a signal is looked for while nothing comes.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Whether a path stands for the standard input or output: `-`. A file of that name is `./-`.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What is read: a file, a fifo, the standard input.
#[derive(Debug)]
pub struct Source {
    file: File,
    /// Whether a read may wait for another process.
    waits: bool,
}

impl Source {
    /// Opens the file, or for `-` the standard input. A fifo without a writer is not waited for here, but when it
    /// is read.
    pub fn open(path: &Path) -> io::Result<Self> {
        if is_stream(path) {
            return Self::of(io::stdin().as_fd().try_clone_to_owned()?.into());
        }
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        Self::of(File::options().read(true).custom_flags(flags).open(path)?)
    }

    /// An open file.
    pub fn of(file: File) -> io::Result<Self> {
        let waits = !file.metadata()?.is_file();
        Ok(Self { file, waits })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            heed()?;
            if !self.waits || is_ready(&self.file, PollFlags::IN)? {
                match self.file.read(buffer) {
                    Err(error) if is_momentary(&error) => {}
                    read => return read,
                }
            }
        }
    }
}

/// The standard output, for bytes.
#[derive(Debug)]
pub struct Sink {
    file: File,
    /// What a pipe that has room takes without waiting.
    piece: usize,
}

impl Sink {
    /// The standard output of this process.
    pub fn stdout() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let kind = file.metadata()?.file_type();
        let piece = if kind.is_fifo() || kind.is_socket() { libc::PIPE_BUF } else { usize::MAX };
        Ok(Self { file, piece })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            heed()?;
            if is_ready(&self.file, PollFlags::OUT)? {
                match self.file.write(bytes.get(..self.piece).unwrap_or(bytes)) {
                    Err(error) if is_momentary(&error) => {}
                    written => return written,
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fails when a signal has come.
pub fn heed() -> io::Result<()> {
    if interrupt::pending().is_some() { Err(io::Error::other("interrupted")) } else { Ok(()) }
}

/// Whether something can be read or written now, or never again: then the read or the write says so.
fn is_ready(file: &File, flags: PollFlags) -> io::Result<bool> {
    match poll(&mut [PollFd::new(file, flags)], Some(&TICK)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
