//! Standard input, standard output and FIFOs. A signal ends a read or write that waits.

use crate::signals::Signals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How often to check for a signal while waiting.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Whether a path is `-`, for standard input or output. A file with that name is `./-`.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name of a source file in messages.
pub fn source_name(path: &Path) -> String {
    if is_stream(path) { "the standard input".to_owned() } else { path.display().to_string() }
}

/// A failure to read a file, with its path. When bytes are copied, all other errors come from the file that is written.
#[derive(Debug, Error)]
#[error("{source}")]
pub struct ReadError {
    /// The file that cannot be read.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

impl ReadError {
    /// Makes an error of the system into one that names `path`.
    pub fn of(path: &Path) -> impl Fn(io::Error) -> io::Error {
        let path = PathBuf::from(source_name(path));
        move |source| io::Error::new(source.kind(), Self { path: path.clone(), source })
    }
}

/// A file, FIFO or standard input to read.
#[derive(Debug)]
pub struct Source {
    file: File,
    path: PathBuf,
    /// Whether a read may wait for another process.
    waits: bool,
    signals: Signals,
}

impl Source {
    /// Opens the file, or standard input for `-`. Does not wait for the writer of a FIFO; the first read does.
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
        open().map_err(ReadError::of(path))
    }

    /// The type, size and mode of the file.
    pub fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata().map_err(ReadError::of(&self.path))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.signals.check()?;
            if !self.waits || is_ready(&self.file, PollFlags::IN)? {
                match self.file.read(buffer) {
                    Err(error) if is_temporary(&error) => {}
                    read => return read.map_err(ReadError::of(&self.path)),
                }
            }
        }
    }
}

/// The most bytes of a file that is kept in memory, as of one with keys for age.
const LIMIT: u64 = 16 << 20;

/// Reads the whole file that a user named, which may be a FIFO: that of `<(curl …)` is one. `-` is a file here: the standard
/// input has another use.
pub fn read_whole(path: &Path, signals: &Signals) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Source::open(&Path::new(".").join(path), signals)?.take(LIMIT.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has more than 16 MiB"));
    }
    Ok(bytes)
}

/// Standard output, for bytes.
#[derive(Debug)]
pub struct Sink {
    file: File,
    /// The most bytes that a pipe with free space takes without waiting.
    max_write: usize,
    signals: Signals,
}

impl Sink {
    /// The standard output of this process.
    pub fn stdout(signals: &Signals) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let kind = file.metadata()?.file_type();
        let max_write = if kind.is_fifo() || kind.is_socket() { libc::PIPE_BUF } else { usize::MAX };
        Ok(Self { file, max_write, signals: signals.clone() })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.signals.check()?;
            if is_ready(&self.file, PollFlags::OUT)? {
                match self.file.write(bytes.get(..self.max_write).unwrap_or(bytes)) {
                    Err(error) if is_temporary(&error) => {}
                    written => return written,
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits briefly until the file can be read or written. Also true at its end or on an error, which the call reports.
fn is_ready(file: &File, flags: PollFlags) -> io::Result<bool> {
    match poll(&mut [PollFd::new(file, flags)], Some(&TICK)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
