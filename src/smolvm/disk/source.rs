//! The open files of a disk, and where its data is in them.

use super::error::DiskError;
use crate::files::{Stamp, stamp};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of a part of a disk. Each begins at a multiple of it.
pub(super) const PART: u64 = 1 << 20;

/// An open file that has data of a disk.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    pub file: File,
    pub bytes: u64,
    /// What it was when it was opened.
    pub stamp: Stamp,
}

/// Bytes of a disk that are in a file. They lie in one [`PART`].
#[derive(Debug, Clone)]
pub(super) struct Run<'a> {
    /// Where they are on the disk.
    pub at: u64,
    pub bytes: u64,
    source: &'a Source,
    /// Where they are in the file.
    offset: u64,
}

impl Source {
    /// Opens a regular file to read.
    pub fn open(path: &Path, flags: OFlags) -> Result<Self, DiskError> {
        let unreadable = |source| DiskError::Unreadable { path: path.to_owned(), source };
        let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| unreadable(error.into()))?);
        let meta = file.metadata().map_err(unreadable)?;
        let source = Self { path: path.to_owned(), file, bytes: meta.len(), stamp: stamp(&meta) };
        if meta.is_file() { Ok(source) } else { Err(source.unknown("is not a regular file")) }
    }

    pub fn unknown(&self, why: impl Into<String>) -> DiskError {
        DiskError::Unknown { path: self.path.clone(), why: why.into() }
    }

    /// Reads the bytes at this offset.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), DiskError> {
        self.file.read_exact_at(buffer, offset).map_err(|error| self.unreadable(error))
    }

    pub fn unreadable(&self, source: io::Error) -> DiskError {
        DiskError::Unreadable { path: self.path.clone(), source }
    }

    /// Whether it is still what it was when it was opened.
    pub fn is_as_opened(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| stamp(&meta) == self.stamp)
    }

    /// Adds the bytes at `offset` of this file as those of a disk at `at`.
    pub fn add_runs<'a>(&'a self, mut at: u64, mut offset: u64, mut bytes: u64, runs: &mut Vec<Run<'a>>) {
        while bytes > 0 {
            let here = bytes.min(PART.saturating_sub(at % PART));
            match runs.last_mut() {
                Some(last) if last.continues(self, at, offset) => last.bytes = last.bytes.saturating_add(here),
                _ => runs.push(Run { at, bytes: here, source: self, offset }),
            }
            (at, offset, bytes) = (at.saturating_add(here), offset.saturating_add(here), bytes.saturating_sub(here));
        }
    }
}

impl Run<'_> {
    /// The part of the disk in which it lies.
    pub fn part(&self) -> Range<u64> {
        let start = self.at.saturating_sub(self.at % PART);
        start..start.saturating_add(PART)
    }

    /// Reads its first bytes: as many as the buffer takes.
    pub fn read(&self, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.source.read(buffer, self.offset)
    }

    /// Adds what remains of it without these ranges of the disk, which are in order.
    pub fn add_without(mut self, out: &[Range<u64>], runs: &mut Vec<Self>) {
        let end = self.at.saturating_add(self.bytes);
        let first = out.partition_point(|range| range.end <= self.at);
        for range in out.iter().skip(first).take_while(|range| range.start < end) {
            if range.start > self.at {
                runs.push(Self { bytes: range.start.saturating_sub(self.at), ..self.clone() });
            }
            let step = range.end.min(end).saturating_sub(self.at);
            self.at = self.at.saturating_add(step);
            self.offset = self.offset.saturating_add(step);
            self.bytes = self.bytes.saturating_sub(step);
        }
        if self.bytes > 0 {
            runs.push(self);
        }
    }

    /// Reads its bytes from this place of the disk on.
    pub fn read_from(&self, at: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.source.read(buffer, self.offset.saturating_add(at.saturating_sub(self.at)))
    }

    /// Whether bytes of that file, at those places in the disk's part and in the file, follow.
    fn continues(&self, source: &Source, at: u64, offset: u64) -> bool {
        std::ptr::eq(self.source, source)
            && self.part().contains(&at)
            && at == self.at.saturating_add(self.bytes)
            && offset == self.offset.saturating_add(self.bytes)
    }
}
