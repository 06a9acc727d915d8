//! The file of a disk, and those below it.

use super::clone::clone;
use super::error::DiskError;
use super::qcow2::Qcow2;
use super::raw::Raw;
use super::source::{Run, Source};
use crate::ext4::ReadAt;
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// The most files. The engine makes two: the disk, and a template or the disk of an artifact. Each branch of a running VM adds
/// one, and a checkpoint has at most 64.
pub const LONGEST_CHAIN: usize = 65;
/// The largest disk. Larger than any that the engine makes, and small enough to look up all of it.
const LARGEST: u64 = 16 << 40;
/// Bytes of a disk that are looked up at once, so that no disk needs much memory: one table of a qcow2 file has so many.
pub(super) const WINDOW: u64 = 512 << 20;

/// The files of a disk: its own, the one below that, and so on.
#[derive(Debug)]
pub(super) struct Image(Vec<Layer>);

/// A file of a disk.
#[derive(Debug)]
enum Layer {
    Raw(Raw),
    Qcow2(Qcow2),
}

impl Image {
    /// Opens the file of a VM's disk, `*.raw` or `*.qcow2`, and those below it, which must be the engine's own.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let is_qcow2 = path.extension() == Some(OsStr::new("qcow2"));
        let mut layers = vec![Layer::open(Source::open(path, OFlags::NOFOLLOW)?, is_qcow2)?];
        while let Some((path, is_qcow2)) = layers.last().and_then(Layer::below) {
            let is_beside = is_beside(path, &layers);
            let source = Source::open(path, if is_beside { OFlags::NOFOLLOW } else { OFlags::empty() })?;
            if !is_beside && !is_engines_own(path) {
                return Err(source.unknown("is not a file of the engine"));
            }
            if layers.len() == LONGEST_CHAIN {
                return Err(source.unknown("lies below too many files"));
            }
            let layer = Layer::open(source, *is_qcow2)?;
            layers.push(layer);
        }
        Ok(Self(layers))
    }

    /// Reads from now on from a clone of the disk's own file. Those below are never changed, and stay open.
    pub fn clone_into(&mut self, folder: &Path) -> io::Result<()> {
        let source = self.0.first_mut().map(Layer::source_mut).ok_or(io::ErrorKind::NotFound)?;
        source.file = clone(&source.file, folder)?;
        Ok(())
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        self.0.first().map_or(0, Layer::size)
    }

    /// The lowest file.
    pub fn lowest(&self) -> &Path {
        self.0.last().map_or(Path::new(""), |layer| &layer.source().path)
    }

    /// Its files.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().map(Layer::source)
    }

    /// Bytes of its files.
    pub fn file_bytes(&self) -> u64 {
        self.sources().map(|source| source.bytes).fold(0, u64::saturating_add)
    }

    /// The data in a window of the disk. All other bytes in it are zeros. `room` is what the data of all windows may take: a
    /// small file whose tables name one cluster again and again is not read for days.
    pub fn runs(&self, window: &Range<u64>, room: &mut u64) -> Result<Vec<Run<'_>>, DiskError> {
        let mut runs = Vec::new();
        add_runs(&self.0, window, &mut runs)?;
        let bytes = runs.iter().map(|run| run.bytes).fold(0, u64::saturating_add);
        match (room.checked_sub(bytes), self.0.first()) {
            (None, Some(layer)) => return Err(layer.source().unknown("has more data than its files")),
            (rest, _) => *room = rest.unwrap_or(0),
        }
        Ok(runs)
    }
}

impl ReadAt for Image {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let range = at..at.saturating_add(buffer.len() as u64);
        if range.end > self.size() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        let mut room = u64::MAX;
        for run in self.runs(&range, &mut room).map_err(io::Error::other)? {
            let start = usize::try_from(run.at.saturating_sub(at)).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(run.bytes).unwrap_or(usize::MAX));
            run.read(buffer.get_mut(start..end).unwrap_or_default()).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Adds the data that these layers have in the range.
fn add_runs<'a>(layers: &'a [Layer], range: &Range<u64>, runs: &mut Vec<Run<'a>>) -> Result<(), DiskError> {
    let Some((layer, below)) = layers.split_first() else { return Ok(()) };
    let range = range.start..range.end.min(layer.size());
    match layer {
        Layer::Raw(raw) => raw.add_runs(&range, runs),
        Layer::Qcow2(qcow2) => qcow2.add_runs(&range, runs, &|range, runs| add_runs(below, &range, runs)),
    }
}

impl Layer {
    fn open(source: Source, is_qcow2: bool) -> Result<Self, DiskError> {
        let layer = if is_qcow2 { Self::Qcow2(Qcow2::open(source)?) } else { Self::Raw(Raw(source)) };
        if layer.size() > LARGEST { Err(layer.source().unknown("is too large")) } else { Ok(layer) }
    }

    fn source(&self) -> &Source {
        match self {
            Self::Raw(raw) => &raw.0,
            Self::Qcow2(qcow2) => &qcow2.source,
        }
    }

    fn source_mut(&mut self) -> &mut Source {
        match self {
            Self::Raw(raw) => &mut raw.0,
            Self::Qcow2(qcow2) => &mut qcow2.source,
        }
    }

    /// Bytes of the disk.
    fn size(&self) -> u64 {
        match self {
            Self::Raw(raw) => raw.0.bytes,
            Self::Qcow2(qcow2) => qcow2.size,
        }
    }

    /// The file below, and whether it is a qcow2 file.
    fn below(&self) -> Option<&(PathBuf, bool)> {
        match self {
            Self::Raw(_) => None,
            Self::Qcow2(qcow2) => qcow2.below.as_ref(),
        }
    }
}

/// The file name of the engine's template for the disk `storage`.
pub const STORAGE_TEMPLATE: &str = "storage-template.ext4";
/// Where the engine has the disks of artifacts that it unpacked, and of images that it pulled.
const BASES: [&str; 2] = ["_cow-bases", "image-seeds"];

/// What the names of the disks begin with that a thaw of a running VM puts below those of the new one, in its folder.
const CHECKPOINT: &str = ".smolcheckpoint-";

/// Whether a file in the folder of a VM is a disk of the checkpoint that it was made from, by its name: `…ROLE-N.raw`; or, where
/// each VM is a user of its own, `…ROLE-base.raw` and `…ROLE-layerN.qcow2` (names in the program of 1.32.2).
pub fn is_of_checkpoint(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.strip_prefix(CHECKPOINT)?.split_once('-'));
    let Some((role, (which, ending))) = parts.and_then(|(role, rest)| Some((role, rest.rsplit_once('.')?))) else {
        return false;
    };
    let number = which.strip_prefix("layer").unwrap_or(which);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    ["overlay", "storage"].contains(&role) && ["raw", "qcow2"].contains(&ending) && (is_number || which == "base")
}

/// Whether a file is a disk of the checkpoint that the VM with these disks was made from.
fn is_beside(path: &Path, layers: &[Layer]) -> bool {
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    let own = layers.first().and_then(|layer| folder(&layer.source().path));
    path.file_name().is_some_and(is_of_checkpoint) && own.is_some() && folder(path) == own
}

/// Whether a file is a template of the engine, or the disk of an artifact or image that it unpacked.
fn is_engines_own(path: &Path) -> bool {
    let is_plain = path.components().all(|part| part != Component::ParentDir);
    let is_template =
        matches!(path.file_name().and_then(OsStr::to_str), Some("overlay-template.ext4" | STORAGE_TEMPLATE));
    is_template || is_plain && path.components().any(|part| BASES.iter().any(|base| part.as_os_str() == *base))
}
