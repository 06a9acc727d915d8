//! The bytes of a disk in any order.

use super::error::DiskError;
use super::image::Image;
use super::source::Run;
use super::{Disk, windows};
use crate::ext4::ReadAt;
use std::io;

/// A disk whose bytes are read in any order: all tables of its files were read.
#[derive(Debug)]
pub struct Random<'d> {
    runs: Vec<Run<'d>>,
    size: u64,
}

impl Disk {
    /// The disk, to read its bytes in any order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn random(&self) -> Result<Random<'_>, DiskError> {
        let image: &Image = &self.image;
        let (mut all, mut room) = (Vec::new(), image.file_bytes());
        for window in windows(self.size) {
            all.extend(image.runs(&window, &mut room)?);
        }
        Ok(Random { runs: all, size: image.size() })
    }
}

impl Random<'_> {
    /// How many of its bytes are in its files: no more can be data.
    pub fn data(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).fold(0, u64::saturating_add)
    }
}

impl ReadAt for Random<'_> {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = at.saturating_add(buffer.len() as u64);
        if end > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        let first = self.runs.partition_point(|run| run.at.saturating_add(run.bytes) <= at);
        for run in self.runs.iter().skip(first).take_while(|run| run.at < end) {
            let (start, stop) = (run.at.max(at), run.at.saturating_add(run.bytes).min(end));
            let place = |of: u64| usize::try_from(of.saturating_sub(at)).unwrap_or(usize::MAX);
            if let Some(part) = buffer.get_mut(place(start)..place(stop)) {
                run.read_from(start, part).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }
}
