//! Streams: what may keep one waiting is read and written so that the first signal ends it.

use crate::signals::Signals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How often a signal is looked for while nothing comes.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Whether a path stands for the standard input or output: `-`. A file of that name is `./-`.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// How a file to read is called in a message.
pub fn source_name(path: &Path) -> String {
    if is_stream(path) { "the standard input".to_owned() } else { path.display().to_string() }
}

/// A read that failed, and of which file. Where bytes go from one file into another, every other error is of the one that is
/// written.
#[derive(Debug, Error)]
#[error("{source}")]
pub struct Unread {
    /// The file that cannot be read.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Unread {
    /// A read of `path` failed.
    pub fn of(path: &Path) -> impl Fn(io::Error) -> io::Error {
        let path = PathBuf::from(source_name(path));
        move |source| io::Error::new(source.kind(), Self { path: path.clone(), source })
    }
}

/// What is read: a file, a fifo, the standard input.
#[derive(Debug)]
pub struct Source {
    file: File,
    path: PathBuf,
    /// Whether a read may wait for another process.
    waits: bool,
    signals: Signals,
}

impl Source {
    /// Opens the file, or for `-` the standard input. A fifo without a writer is not waited for here, but when it
    /// is read.
    pub fn open(path: &Path, signals: &Signals) -> io::Result<Self> {
        let open = || {
            let file = if is_stream(path) {
                io::stdin().as_fd().try_clone_to_owned()?.into()
            } else {
                let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
                File::options().read(true).custom_flags(flags).open(path)?
            };
            Ok(Self { waits: !file.metadata()?.is_file(), path: path.to_owned(), file, signals: signals.clone() })
        };
        open().map_err(Unread::of(path))
    }

    /// What the file is.
    pub fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata().map_err(Unread::of(&self.path))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.signals.check()?;
            if !self.waits || is_ready(&self.file, PollFlags::IN)? {
                match self.file.read(buffer) {
                    Err(error) if is_momentary(&error) => {}
                    read => return read.map_err(Unread::of(&self.path)),
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
    signals: Signals,
}

impl Sink {
    /// The standard output of this process.
    pub fn stdout(signals: &Signals) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let kind = file.metadata()?.file_type();
        let piece = if kind.is_fifo() || kind.is_socket() { libc::PIPE_BUF } else { usize::MAX };
        Ok(Self { file, piece, signals: signals.clone() })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.signals.check()?;
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
