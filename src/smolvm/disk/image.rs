//! The file of a disk, and those below it.

use super::error::DiskError;
use super::qcow2::Qcow2;
use super::raw::Raw;
use super::{PART, WINDOW};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

/// The longest chain of files. The engine makes two: a disk, and a template or the disk of an artifact.
const DEEPEST: usize = 4;
/// The largest disk. Larger than any that the engine makes, and small enough to look up all of it.
const LARGEST: u64 = 16 << 40;

/// A file of a disk.
#[derive(Debug)]
pub(super) enum Image {
    Raw(Raw),
    Qcow2(Qcow2),
}

/// An open file that has data of a disk.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    pub file: File,
    pub bytes: u64,
}

/// Bytes of a disk that are in a file. They lie in one [`PART`].
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// Where they are on the disk.
    pub at: u64,
    pub bytes: u64,
    source: &'a Source,
    /// Where they are in the file.
    offset: u64,
}

impl Image {
    /// Opens the file of a VM's disk, `*.raw` or `*.qcow2`.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let is_qcow2 = path.extension() == Some(OsStr::new("qcow2"));
        Self::of(Source::open(path, OFlags::NOFOLLOW)?, is_qcow2, DEEPEST)
    }

    /// The file that lies below a qcow2 file: one of the engine's own, whatever the qcow2 file says.
    pub fn below(path: &Path, is_qcow2: bool, deepest: usize) -> Result<Self, DiskError> {
        let source = Source::open(path, OFlags::empty())?;
        if !is_engines_own(path) {
            return Err(source.unknown("is not a file of the engine"));
        }
        Self::of(source, is_qcow2, deepest)
    }

    fn of(source: Source, is_qcow2: bool, deepest: usize) -> Result<Self, DiskError> {
        let Some(deepest) = deepest.checked_sub(1) else { return Err(source.unknown("has too many files below it")) };
        let image = if is_qcow2 { Self::Qcow2(Qcow2::open(source, deepest)?) } else { Self::Raw(Raw(source)) };
        if image.size() > LARGEST {
            return Err(image.source().unknown("is too large"));
        }
        Ok(image)
    }

    fn source(&self) -> &Source {
        match self {
            Self::Raw(raw) => &raw.0,
            Self::Qcow2(qcow2) => qcow2.source(),
        }
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        match self {
            Self::Raw(raw) => raw.0.bytes,
            Self::Qcow2(qcow2) => qcow2.size(),
        }
    }

    /// The data in a range of the disk, which is at most one [`WINDOW`]. All other bytes in it are zeros.
    pub fn runs(&self, range: &Range<u64>) -> Result<Vec<Run<'_>>, DiskError> {
        debug_assert!(range.end.saturating_sub(range.start) <= WINDOW);
        let mut runs = Vec::new();
        self.add_runs(range, &mut runs)?;
        Ok(runs)
    }

    pub fn add_runs<'a>(&'a self, range: &Range<u64>, runs: &mut Vec<Run<'a>>) -> Result<(), DiskError> {
        let range = range.start..range.end.min(self.size());
        match self {
            Self::Raw(raw) => raw.add_runs(&range, runs),
            Self::Qcow2(qcow2) => qcow2.add_runs(&range, runs),
        }
    }
}

impl Source {
    fn open(path: &Path, flags: OFlags) -> Result<Self, DiskError> {
        let unreadable = |source| DiskError::Unreadable { path: path.to_owned(), source };
        let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| unreadable(error.into()))?);
        let meta = file.metadata().map_err(unreadable)?;
        let source = Self { path: path.to_owned(), file, bytes: meta.len() };
        if meta.is_file() { Ok(source) } else { Err(source.unknown("is not a regular file")) }
    }

    pub fn unknown(&self, why: impl Into<String>) -> DiskError {
        DiskError::Unknown { path: self.path.clone(), why: why.into() }
    }

    pub fn unreadable(&self, source: io::Error) -> DiskError {
        DiskError::Unreadable { path: self.path.clone(), source }
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
        self.source.file.read_exact_at(buffer, self.offset).map_err(|error| self.source.unreadable(error))
    }

    /// Whether bytes of that file, at those places in the disk's part and in the file, follow.
    fn continues(&self, source: &Source, at: u64, offset: u64) -> bool {
        std::ptr::eq(self.source, source)
            && self.part().contains(&at)
            && at == self.at.saturating_add(self.bytes)
            && offset == self.offset.saturating_add(self.bytes)
    }
}

/// Whether a file is a template of the engine, or the disk of an artifact that it unpacked.
fn is_engines_own(path: &Path) -> bool {
    let is_plain = path.components().all(|part| part != Component::ParentDir);
    let is_template =
        matches!(path.file_name().and_then(OsStr::to_str), Some("overlay-template.ext4" | "storage-template.ext4"));
    is_template || is_plain && path.components().any(|part| part.as_os_str() == "_cow-bases")
}
