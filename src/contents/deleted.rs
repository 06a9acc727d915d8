//! What deleted files left on the disks of a snapshot.

use super::bytes::{Bytes, Known};
use super::error::ContentsError;
use super::layer::Layer;
use super::sparse;
use super::tree::Contents;
use crate::ext4::{Ext4Error, ReadAt, free};
use std::fs::File;
use std::io;
use std::ops::Range;

/// Bytes that are read at once.
const WINDOW: u64 = 256 << 10;

/// What deleted files left on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// So many bytes, at least.
    Bytes(u64),
    /// The disk was not unmounted cleanly: what is free on it is not known.
    Unclean,
    /// What is free on it is not known: why, as a sentence.
    Unknown(String),
}

impl Contents {
    /// What deleted files left on each disk. In chunks, those count in which nothing else is, so that none is read; in a file,
    /// all blocks with anything but zeros.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn deleted(&self) -> Result<Vec<(&'static str, Deleted)>, ContentsError> {
        let mut all = Vec::new();
        for layer in self.read_layers().flatten() {
            let Layer::Disk(disk, name) = layer else { continue };
            let deleted = match free(disk.source(), u64::MAX) {
                Ok(ranges) => Deleted::Bytes(stored(disk.source(), &ranges)?),
                Err(Ext4Error::Unknown(_)) if !disk.is_clean() => Deleted::Unclean,
                Err(error @ Ext4Error::Unknown(_)) => Deleted::Unknown(error.to_string()),
                Err(error) => return Err(ContentsError::of_disk(name, error)),
            };
            all.push((*name, deleted));
        }
        Ok(all)
    }

    /// Whether all disks were unmounted cleanly.
    pub fn is_clean(&self) -> bool {
        self.read_layers().flatten().all(|layer| !matches!(layer, Layer::Disk(disk, _) if !disk.is_clean()))
    }
}

/// The bytes that are stored in these ranges.
fn stored(disk: &Bytes, ranges: &[Range<u64>]) -> io::Result<u64> {
    let sum = |sum: u64, bytes: io::Result<u64>| Ok(sum.saturating_add(bytes?));
    match disk {
        Bytes::File(plain) => {
            let each = |range: &Range<u64>| written(disk, &plain.file, range.start..range.end.min(plain.size));
            ranges.iter().map(each).try_fold(0, sum)
        }
        _ => ranges.iter().map(|range| in_chunks(disk, range)).try_fold(0, sum),
    }
}

/// The bytes in this range of a disk in a file, in blocks with anything but zeros.
fn written(disk: &Bytes, file: &File, mut range: Range<u64>) -> io::Result<u64> {
    let (mut sum, mut buffer) = (0_u64, Vec::new());
    while let Some(data) = sparse::next_data(file, range.clone())? {
        let end = data.end.min(data.start.saturating_add(WINDOW));
        buffer.resize(usize::try_from(end.saturating_sub(data.start)).unwrap_or(0), 0);
        disk.read_at(data.start, &mut buffer)?;
        sum = sum.saturating_add(sparse::count(&buffer));
        range.start = end;
    }
    Ok(sum)
}

/// The bytes of the chunks that lie in this range.
fn in_chunks(disk: &Bytes, range: &Range<u64>) -> io::Result<u64> {
    let (mut sum, mut at) = (0_u64, range.start);
    while at < range.end {
        let (known, left) = disk.known(at)?;
        let end = at.saturating_add(left.max(1));
        if matches!(known, Known::Object(_, 0)) && end <= range.end {
            sum = sum.saturating_add(left);
        }
        at = end;
    }
    Ok(sum)
}
