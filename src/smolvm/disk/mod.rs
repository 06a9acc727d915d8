//! The content of a VM's disk, read from its file.
//!
//! A pack holds a disk from its first byte to the last one that is not zero; so does a [`Disk`]. A disk that is trimmed has
//! zeros where its file system is free: what was deleted, for the most part.

mod clone;
mod error;
mod image;
pub mod qcow2;
mod random;
mod raw;
mod source;
#[cfg(test)]
mod tests;

pub use error::DiskError;
pub use image::{LONGEST_CHAIN, STORAGE_TEMPLATE, is_of_checkpoint};
pub use random::Random;

use super::artifact::Part;
use crate::ext4::{Ext4Error, free};
use crate::files::{Stamp, notes_changes};
use crate::signals::{Interrupted, Signals};
use image::{Image, WINDOW};
use source::{PART, Run, Source};
use std::io;
use std::ops::Range;
use std::path::Path;

/// A disk that can be read.
#[derive(Debug)]
pub struct Disk {
    image: Image,
    size: u64,
    /// The bytes that nothing on it uses, in order; none until it is trimmed.
    free: Vec<Range<u64>>,
}

impl Disk {
    /// Opens the file of a disk, and finds its last data. No process may change it until it is read.
    ///
    /// # Errors
    /// It cannot be read, or it is not as the engine writes it.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let mut disk = Self { image: Image::open(path)?, size: 0, free: Vec::new() };
        disk.size = disk.last_data()?;
        Ok(disk)
    }

    /// Reads from now on from a clone of its file, which is made in `folder`: the file may change then.
    ///
    /// # Errors
    /// The file system cannot do that, or the folder is on another one.
    pub fn clone_into(&mut self, folder: &Path) -> io::Result<()> {
        self.image.clone_into(folder)
    }

    /// Leaves out what its file system does not use. Returns the bytes of data that are left out.
    ///
    /// # Errors
    /// It cannot be read, or it is not known what is free: then nothing is left out.
    pub fn trim(&mut self) -> Result<u64, Ext4Error> {
        let free = free(&self.image, self.image.size())?;
        let (before, size) = (self.run_bytes()?, self.size);
        self.free = free;
        let trimmed = self.last_data().map_err(io::Error::other).and_then(|size| {
            self.size = size;
            self.run_bytes()
        });
        if trimmed.is_err() {
            (self.free, self.size) = (Vec::new(), size);
        }
        Ok(before.saturating_sub(trimmed?))
    }

    /// Whether something is left out.
    pub fn is_trimmed(&self) -> bool {
        !self.free.is_empty()
    }

    /// The file that has what lies lowest of it: its own, or that of the disk that it is based on.
    pub fn lowest(&self) -> &Path {
        self.image.lowest()
    }

    /// What its files were when they were opened, its own first; nothing if a change of one may leave no trace.
    pub fn stamps(&self) -> Option<Vec<Stamp>> {
        let stamp = |source: &Source| notes_changes(&source.file, &source.stamp).then_some(source.stamp);
        self.image.sources().map(stamp).collect()
    }

    /// Whether its files are still what they were when they were opened.
    pub fn is_as_opened(&self) -> bool {
        self.image.sources().all(Source::is_as_opened)
    }

    /// The first part of its content.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn head(&self) -> Result<Vec<u8>, DiskError> {
        let (mut buffer, mut room, part) = (Vec::new(), self.image.file_bytes(), 0..PART.min(self.size));
        read_part(&mut buffer, &part, &self.runs(&part, &mut room)?)?;
        Ok(buffer)
    }

    /// Bytes of the disk, as the VM sees it.
    pub fn logical_size(&self) -> u64 {
        self.image.size()
    }

    /// Bytes from its beginning to the end of its last data.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the data that [`read`](Self::read) passes on.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn data_bytes(&self) -> Result<u64, DiskError> {
        let (mut bytes, mut room) = (0_u64, self.image.file_bytes());
        for window in windows(self.size) {
            for runs in self.runs(&window, &mut room)?.chunk_by(|a, b| a.part() == b.part()) {
                let Some(part) = runs.first().map(Run::part) else { continue };
                bytes = bytes.saturating_add(part.end.min(self.size).saturating_sub(part.start));
            }
        }
        Ok(bytes)
    }

    /// Passes its content, up to [`size`](Self::size), to `on_part`: 1 MiB as one part of data, or as part of a hole.
    ///
    /// # Errors
    /// It cannot be read, a signal came, or `on_part` failed.
    pub fn read<E>(&self, signals: &Signals, on_part: &mut dyn FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E>
    where
        E: From<DiskError> + From<Interrupted>,
    {
        let (mut buffer, mut done) = (Vec::new(), 0);
        let mut room = self.image.file_bytes();
        for window in windows(self.size) {
            let runs = self.runs(&window, &mut room)?;
            for runs in runs.chunk_by(|a, b| a.part() == b.part()) {
                signals.check()?;
                let Some(part) = runs.first().map(Run::part) else { continue };
                let part = part.start..part.end.min(self.size);
                if part.start > done {
                    on_part(Part::Zeros(part.start.saturating_sub(done)))?;
                }
                read_part(&mut buffer, &part, runs)?;
                on_part(Part::Data(&buffer))?;
                done = part.end;
            }
        }
        Ok(())
    }

    /// Bytes of data.
    fn run_bytes(&self) -> io::Result<u64> {
        let (mut bytes, mut room) = (0_u64, self.image.file_bytes());
        for window in windows(self.size) {
            let runs = self.runs(&window, &mut room).map_err(io::Error::other)?;
            bytes = runs.iter().map(|run| run.bytes).fold(bytes, u64::saturating_add);
        }
        Ok(bytes)
    }

    /// The data in a window of the disk, without what is free.
    fn runs(&self, window: &Range<u64>, room: &mut u64) -> Result<Vec<Run<'_>>, DiskError> {
        let runs = self.image.runs(window, room)?;
        if self.free.is_empty() {
            return Ok(runs);
        }
        let mut rest = Vec::with_capacity(runs.len());
        for run in runs {
            run.add_without(&self.free, &mut rest);
        }
        Ok(rest)
    }

    /// The end of the last byte that is not zero; 0 if there is none.
    fn last_data(&self) -> Result<u64, DiskError> {
        let mut buffer = Vec::new();
        let mut room = self.image.file_bytes();
        for window in windows(self.image.size()).rev() {
            for run in self.runs(&window, &mut room)?.iter().rev() {
                buffer.resize(usize::try_from(run.bytes).unwrap_or(0), 0);
                run.read(&mut buffer)?;
                let bytes = before_zeros(&buffer);
                if bytes > 0 {
                    return Ok(run.at.saturating_add(bytes));
                }
            }
        }
        Ok(0)
    }
}

/// The windows of a disk up to that size.
fn windows(size: u64) -> impl DoubleEndedIterator<Item = Range<u64>> {
    (0..size.div_ceil(WINDOW)).map(move |number| {
        let start = number.saturating_mul(WINDOW);
        start..start.saturating_add(WINDOW).min(size)
    })
}

/// Reads the part of a disk that has these runs of data.
fn read_part(buffer: &mut Vec<u8>, part: &Range<u64>, runs: &[Run<'_>]) -> Result<(), DiskError> {
    let bytes = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    let mut end = part.start;
    buffer.resize(bytes(part.start, part.end), 0);
    for run in runs {
        let (start, run_end) = (run.at, run.at.saturating_add(run.bytes).min(part.end));
        if let Some(hole) = buffer.get_mut(bytes(part.start, end)..bytes(part.start, start)) {
            hole.fill(0);
        }
        let Some(data) = buffer.get_mut(bytes(part.start, start)..bytes(part.start, run_end)) else { break };
        run.read(data)?;
        end = run_end;
    }
    buffer.get_mut(bytes(part.start, end)..).unwrap_or_default().fill(0);
    Ok(())
}

/// The number of bytes before the zeros at the end.
fn before_zeros(mut bytes: &[u8]) -> u64 {
    // Without an early exit, the compiler makes a loop over vectors of it.
    let is_zero = |block: &[u8]| block.iter().fold(0, |all, byte| all | byte) == 0;
    while let Some((rest, block)) = bytes.split_last_chunk::<4096>() {
        if !is_zero(block) {
            break;
        }
        bytes = rest;
    }
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last as u64).saturating_add(1))
}
