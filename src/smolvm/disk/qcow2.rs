//! A disk in a qcow2 file, version 3, as the engine writes it: clusters of 64 KiB, uncompressed, in the clear, over a file of
//! the engine's own. Anything else is refused, so that what is read is what the VM sees.

use super::error::DiskError;
use super::source::{Run, Source};
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const MAGIC: u32 = u32::from_be_bytes(*b"QFI\xfb");
/// Bytes of the header, without extensions.
const HEADER: usize = 104;
const CLUSTER_BITS: u32 = 16;
/// Bytes of a cluster.
pub const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Bytes of an entry of a table.
pub const ENTRY: u64 = 8;
/// Bytes of the disk that one table of the second level maps.
pub const TABLE: u64 = CLUSTER / ENTRY * CLUSTER;

/// The bits of an entry that hold an offset in the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// The cluster or table has one user, so that it is changed in place.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
/// All bytes of the cluster are zero, whatever lies below.
pub const ZEROS: u64 = 1;

/// The types of header extensions.
const END: u32 = 0;
const BACKING_FORMAT: u32 = 0xe279_2aca;
const FEATURE_NAMES: u32 = 0x6803_f857;

/// A qcow2 file.
#[derive(Debug)]
pub(super) struct Qcow2 {
    pub source: Source,
    /// Bytes of the disk.
    pub size: u64,
    /// The file that has what clusters hold that are not in this one, and whether it is a qcow2 file.
    pub below: Option<(PathBuf, bool)>,
    /// Where the table of the first level is.
    table: u64,
}

/// A function that adds the data of what lies below.
type Below<'a, 'b> = &'b dyn Fn(Range<u64>, &mut Vec<Run<'a>>) -> Result<(), DiskError>;

impl Qcow2 {
    /// Reads the header.
    pub fn open(source: Source) -> Result<Self, DiskError> {
        let mut bytes = vec![0; usize::try_from(CLUSTER.min(source.bytes)).unwrap_or(0)];
        source.read(&mut bytes, 0)?;
        let Header { size, table, entries, below } = Header::read(&bytes).map_err(|why| source.unknown(why))?;
        let end = table.checked_add(u64::from(entries).saturating_mul(ENTRY));
        if end.is_none_or(|end| end > source.bytes) || u64::from(entries).saturating_mul(TABLE) < size {
            return Err(source.unknown("has a first table that is not whole"));
        }
        let folder = source.path.parent().unwrap_or(Path::new(""));
        let below = below.map(|(path, is_qcow2)| (folder.join(path), is_qcow2));
        Ok(Self { source, size, below, table })
    }

    /// Adds the data in the range.
    pub fn add_runs<'a>(
        &'a self,
        range: &Range<u64>,
        runs: &mut Vec<Run<'a>>,
        add_below: Below<'a, '_>,
    ) -> Result<(), DiskError> {
        let mut start = range.start;
        while start < range.end {
            let number = start / TABLE;
            let end = number.saturating_add(1).saturating_mul(TABLE).min(range.end);
            let mut entry = [0; 8];
            self.source.read(&mut entry, self.table.saturating_add(number.saturating_mul(ENTRY)))?;
            match self.offset(u64::from_be_bytes(entry))? {
                None => add_below(start..end, runs)?,
                Some(table) => self.add_clusters(table, start..end, runs, add_below)?,
            }
            start = end;
        }
        Ok(())
    }

    /// Adds the data of clusters that are listed in the table of the second level at this offset.
    fn add_clusters<'a>(
        &'a self,
        table: u64,
        range: Range<u64>,
        runs: &mut Vec<Run<'a>>,
        add_below: Below<'a, '_>,
    ) -> Result<(), DiskError> {
        let mut entries = vec![0; usize::try_from(CLUSTER).unwrap_or(0)];
        self.source.read(&mut entries, table)?;
        // From `below` to `start` nothing is in this file.
        let (mut below, mut start) = (range.start, range.start);
        for entry in entries.chunks_exact(8).skip(usize::try_from(start % TABLE / CLUSTER).unwrap_or(0)) {
            if start >= range.end {
                break;
            }
            let end = (start / CLUSTER).saturating_add(1).saturating_mul(CLUSTER).min(range.end);
            let entry = u64::from_be_bytes(entry.first_chunk().copied().unwrap_or_default());
            let offset = self.offset(entry & !ZEROS)?;
            if offset.is_some() || entry & ZEROS != 0 {
                add_below(below..start, runs)?;
                below = end;
            }
            if let Some(offset) = offset.filter(|_| entry & ZEROS == 0) {
                let offset = offset.saturating_add(start % CLUSTER);
                // A file may end in its last cluster; the rest of that is zeros.
                let bytes = end.saturating_sub(start).min(self.source.bytes.saturating_sub(offset));
                self.source.add_runs(start, offset, bytes, runs);
            }
            start = end;
        }
        add_below(below..range.end, runs)
    }

    fn offset(&self, entry: u64) -> Result<Option<u64>, DiskError> {
        offset(entry, self.source.bytes).map_err(|why| self.source.unknown(why))
    }
}

/// The offset in an entry of a table, if it has one, in a file of so many bytes.
///
/// # Errors
/// It has none that is possible. Completes a sentence that begins with the file.
pub fn offset(entry: u64, bytes: u64) -> Result<Option<u64>, &'static str> {
    let offset = entry & OFFSET;
    if entry & COMPRESSED != 0 {
        Err("has compressed clusters")
    } else if entry & !(OFFSET | COPIED) != 0 {
        Err("has an unknown mark in a table")
    } else if offset % CLUSTER != 0 || offset >= bytes {
        Err("has a table that points outside of it")
    } else {
        Ok((offset != 0).then_some(offset))
    }
}

/// What a header says.
#[derive(Debug)]
pub struct Header {
    /// Bytes of the disk.
    pub size: u64,
    /// Where the table of the first level is.
    pub table: u64,
    /// Entries of the first table.
    pub entries: u32,
    /// The file below, and whether it is a qcow2 file.
    pub below: Option<(PathBuf, bool)>,
}

impl Header {
    /// Reads the header in the first cluster of a file. An error completes a sentence that begins with the file.
    ///
    /// # Errors
    /// It is not the header of a file that the engine writes.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let cut = "is too short";
        let word = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        let word = |at| word(at).ok_or(cut);
        let long = |at| long(at).ok_or(cut);
        let features = long(72)?;
        let refused = [
            (word(0)? != MAGIC, "is not a qcow2 file"),
            (word(4)? != 3, "is another version of qcow2 than 3"),
            (word(20)? != CLUSTER_BITS, "has clusters of another size than 64 KiB"),
            (word(32)? != 0, "is encrypted"),
            (word(60)? != 0, "has snapshots inside"),
            (features & 2 != 0, "is marked as corrupt"),
            (features != 0, "has an unknown feature"),
            (long(40)? % CLUSTER != 0, "has a first table in an odd place"),
        ];
        if let Some((_, why)) = refused.iter().find(|(is_so, _)| *is_so) {
            return Err(why);
        }
        let format = backing_format(bytes, word(100)?)?;
        let (at, length) = (long(8)?, word(16)?);
        let below = match (at, format) {
            (0, _) => None,
            (_, None) => return Err("does not say what lies below it"),
            (at, Some(is_qcow2)) => {
                let start = usize::try_from(at).map_err(|_| cut)?;
                let end = start.saturating_add(usize::try_from(length).map_err(|_| cut)?);
                let path = bytes.get(start..end).ok_or(cut)?;
                Some((PathBuf::from(OsStr::from_bytes(path)), is_qcow2))
            }
        };
        Ok(Self { size: long(24)?, table: long(40)?, entries: word(36)?, below })
    }
}

/// Whether the file below is qcow2, if an extension of the header says what it is.
fn backing_format(bytes: &[u8], header: u32) -> Result<Option<bool>, &'static str> {
    let cut = "has a header that is not whole";
    let mut rest = bytes.get(usize::try_from(header).map_err(|_| cut)?.max(HEADER)..).ok_or(cut)?;
    let mut format = None;
    loop {
        let (kind, after) = rest.split_first_chunk().ok_or(cut)?;
        let (length, after) = after.split_first_chunk().ok_or(cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| cut)?;
        let (content, _) = after.split_at_checked(length).ok_or(cut)?;
        match (u32::from_be_bytes(*kind), content) {
            (END, _) => return Ok(format),
            (BACKING_FORMAT, b"raw") => format = Some(false),
            (BACKING_FORMAT, b"qcow2") => format = Some(true),
            (FEATURE_NAMES, _) => {}
            _ => return Err("has an unknown extension"),
        }
        rest = after.get(length.next_multiple_of(8)..).ok_or(cut)?;
    }
}
