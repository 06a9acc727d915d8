//! The file of a disk, and those below it.

use super::error::DiskError;
use super::qcow2::Qcow2;
use super::raw::Raw;
use super::source::{Run, Source};
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Component, Path};

/// Bytes of a disk that are looked up at once, so that no disk needs much memory: one table of a qcow2 file has so many.
pub(super) const WINDOW: u64 = 512 << 20;
/// The longest chain of files. The engine makes two: a disk, and a template or the disk of an artifact.
const DEEPEST: usize = 4;
/// The largest disk. Larger than any that the engine makes, and small enough to look up all of it.
const LARGEST: u64 = 16 << 40;

/// A file of a disk.
#[derive(Debug)]
pub(super) enum Image {
    Raw(Raw),
    /// And the file below it.
    Qcow2(Qcow2, Option<Box<Image>>),
}

impl Image {
    /// Opens the file of a VM's disk, `*.raw` or `*.qcow2`.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let is_qcow2 = path.extension() == Some(OsStr::new("qcow2"));
        Self::of(Source::open(path, OFlags::NOFOLLOW)?, is_qcow2, DEEPEST)
    }

    /// The file that lies below a qcow2 file: one of the engine's own, whatever the qcow2 file says.
    fn below(path: &Path, is_qcow2: bool, deepest: usize) -> Result<Self, DiskError> {
        let source = Source::open(path, OFlags::empty())?;
        if !is_engines_own(path) {
            return Err(source.unknown("is not a file of the engine"));
        }
        Self::of(source, is_qcow2, deepest)
    }

    fn of(source: Source, is_qcow2: bool, deepest: usize) -> Result<Self, DiskError> {
        let Some(deepest) = deepest.checked_sub(1) else { return Err(source.unknown("has too many files below it")) };
        let image = if is_qcow2 {
            let (qcow2, below) = Qcow2::open(source)?;
            let below = below.map(|(path, is_qcow2)| Self::below(&path, is_qcow2, deepest)).transpose()?;
            Self::Qcow2(qcow2, below.map(Box::new))
        } else {
            Self::Raw(Raw(source))
        };
        if image.size() > LARGEST {
            return Err(image.source().unknown("is too large"));
        }
        Ok(image)
    }

    fn source(&self) -> &Source {
        match self {
            Self::Raw(raw) => &raw.0,
            Self::Qcow2(qcow2, _) => qcow2.source(),
        }
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        match self {
            Self::Raw(raw) => raw.0.bytes,
            Self::Qcow2(qcow2, _) => qcow2.size(),
        }
    }

    /// Bytes of its files.
    pub fn file_bytes(&self) -> u64 {
        match self {
            Self::Raw(raw) => raw.0.bytes,
            Self::Qcow2(qcow2, below) => {
                let below = below.as_ref().map_or(0, |below| below.file_bytes());
                qcow2.source().bytes.saturating_add(below)
            }
        }
    }

    /// The data in a window of the disk. All other bytes in it are zeros. `room` is what the data of all windows may take: a
    /// small file whose tables name one cluster again and again is not read for days.
    pub fn runs(&self, window: &Range<u64>, room: &mut u64) -> Result<Vec<Run<'_>>, DiskError> {
        debug_assert!(window.end.saturating_sub(window.start) <= WINDOW);
        let mut runs = Vec::new();
        self.add_runs(window, &mut runs)?;
        let bytes = runs.iter().map(|run| run.bytes).fold(0, u64::saturating_add);
        *room = room.checked_sub(bytes).ok_or_else(|| self.source().unknown("has more data than its files"))?;
        Ok(runs)
    }

    fn add_runs<'a>(&'a self, range: &Range<u64>, runs: &mut Vec<Run<'a>>) -> Result<(), DiskError> {
        let range = range.start..range.end.min(self.size());
        match self {
            Self::Raw(raw) => raw.add_runs(&range, runs),
            Self::Qcow2(qcow2, below) => qcow2.add_runs(&range, runs, &|range, runs| {
                below.as_ref().map_or(Ok(()), |below| below.add_runs(range, runs))
            }),
        }
    }
}

/// Whether a file is a template of the engine, or the disk of an artifact that it unpacked.
fn is_engines_own(path: &Path) -> bool {
    let is_plain = path.components().all(|part| part != Component::ParentDir);
    let is_template =
        matches!(path.file_name().and_then(OsStr::to_str), Some("overlay-template.ext4" | "storage-template.ext4"));
    is_template || is_plain && path.components().any(|part| part.as_os_str() == "_cow-bases")
}
