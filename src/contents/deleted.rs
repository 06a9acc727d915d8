//! What deleted files left on the disks of a snapshot.

use super::bytes::{Bytes, Known};
use super::error::ContentsError;
use super::layer::Layer;
use super::tree::Contents;
use crate::ext4::{Ext4Error, free};
use std::io;
use std::ops::Range;

impl Contents {
    /// How many bytes of deleted files are on each disk, at least: those of chunks in which nothing else is, so that none is
    /// read. Nothing is known of a disk that was not unmounted cleanly; other file systems that are unknown are left out.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn deleted(&self) -> Result<Vec<(&'static str, Option<u64>)>, ContentsError> {
        let mut all = Vec::new();
        for layer in self.read_layers().flatten() {
            let Layer::Disk(disk, name) = layer else { continue };
            match free(disk.source(), u64::MAX) {
                Ok(ranges) => all.push((*name, Some(stored(disk.source(), &ranges)?))),
                Err(Ext4Error::Unknown(_)) if !disk.is_clean() => all.push((*name, None)),
                Err(Ext4Error::Unknown(_)) => {}
                Err(error) => return Err(ContentsError::of_disk(name, error)),
            }
        }
        Ok(all)
    }
}

/// The bytes of the chunks that lie in these ranges.
fn stored(disk: &Bytes, ranges: &[Range<u64>]) -> io::Result<u64> {
    let mut sum = 0_u64;
    for range in ranges {
        let mut at = range.start;
        while at < range.end {
            let (known, left) = disk.known(at)?;
            let end = at.saturating_add(left.max(1));
            if matches!(known, Known::Object(_, 0)) && end <= range.end {
                sum = sum.saturating_add(left);
            }
            at = end;
        }
    }
    Ok(sum)
}
