//! A disk in a raw file, which has holes.

use super::error::DiskError;
use super::source::{Run, Source};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::ops::Range;

/// A raw file.
#[derive(Debug)]
pub(super) struct Raw(pub Source);

impl Raw {
    /// Adds the data in the range. Where the file system reports no holes, all is data.
    pub fn add_runs<'a>(&'a self, range: &Range<u64>, runs: &mut Vec<Run<'a>>) -> Result<(), DiskError> {
        let mut at = range.start;
        while at < range.end {
            let data = match seek(&self.0.file, SeekFrom::Data(at)) {
                Err(Errno::NXIO) => break,
                Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
                found => found.map_err(|error| self.0.unreadable(error.into()))?.max(at),
            };
            if data >= range.end {
                break;
            }
            // Even a file system without holes has one at the end of a file.
            let hole = seek(&self.0.file, SeekFrom::Hole(data)).unwrap_or(range.end);
            let end = hole.min(range.end);
            if end <= data {
                return Err(self.0.unknown("was changed while it was read"));
            }
            self.0.add_runs(data, data, end.saturating_sub(data), runs);
            at = end;
        }
        Ok(())
    }
}
