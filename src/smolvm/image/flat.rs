//! The files of a guest as one tar, as GNU tar writes it for the engine: without extended attributes, and with holes as zeros.

use super::file::File;
use super::layer::Layer;
use super::listing::{Host, Listing};
use super::merged::{Seen, walk};
use crate::ext4::Kind;
use crate::signals::{Interrupted, Signals};
use crate::smolvm::disk::DiskError;
use std::collections::HashMap;
use tar::{EntryType, Header};

/// The most files that are listed, which takes 32 MiB: others are read again.
const MOST_LISTED: usize = 1 << 20;
/// Bytes of a header, of which all else is a multiple.
const BLOCK: u64 = 512;
/// A tar is a multiple of this.
const RECORD: u64 = 20 * BLOCK;
/// The bytes that a header has for a path, and for a target.
const FIELD: usize = 100;
/// The most bytes. The disk of the VM with which the engine packs does not hold more.
const MOST: u64 = 64 << 30;
/// The most bytes of paths that are kept for files with several names: those of millions of files.
const MOST_NAMES: usize = 512 << 20;
const ZEROS: [u8; 4096] = [0; 4096];

/// A part of a tar.
#[derive(Debug)]
pub enum Flat<'f> {
    /// These bytes.
    Data(&'f [u8]),
    /// So many bytes of the known tar, from this place on.
    Same { at: u64, bytes: u64 },
}

/// A tar that was written.
#[derive(Debug)]
pub struct Written {
    /// Its bytes.
    pub bytes: u64,
    /// Where its files are.
    pub files: Listing,
}

/// Passes the tar of what a guest sees of these layers, the uppermost first, to `on_part`. Files that are in a `known` tar, as
/// the `host` says that they are, are not read.
///
/// # Errors
/// A layer cannot be read, has something unknown, a signal came, or `on_part` failed.
pub fn flatten<E: From<DiskError> + From<Interrupted>>(
    layers: &[Layer<'_>],
    known: &Listing,
    host: Host,
    signals: &Signals,
    on_part: &mut dyn FnMut(Flat<'_>) -> Result<(), E>,
) -> Result<Written, E> {
    let (header, names, files) = (Vec::new(), HashMap::new(), Vec::new());
    let mut tar = Tar { layers, known, host, signals, on_part, bytes: 0, header, names, name_bytes: 0, files };
    walk(layers, signals, &mut |seen| tar.add(seen))?;
    tar.zeros(2 * BLOCK)?;
    tar.pad(RECORD)?;
    Ok(Written { bytes: tar.bytes, files: Listing::new(tar.files) })
}

/// A tar that is written.
struct Tar<'a, E> {
    layers: &'a [Layer<'a>],
    known: &'a Listing,
    host: Host,
    signals: &'a Signals,
    on_part: &'a mut dyn FnMut(Flat<'_>) -> Result<(), E>,
    bytes: u64,
    /// The header of the file at hand.
    header: Vec<u8>,
    /// The first path of each file that has several names in its layer: by its device and its number there.
    names: HashMap<(usize, i128, u64), Vec<u8>>,
    /// The bytes of those paths.
    name_bytes: usize,
    /// What each file is, its place and its length.
    files: Vec<([u8; 16], u64, u64)>,
}

impl<E: From<DiskError> + From<Interrupted>> Tar<'_, E> {
    fn add(&mut self, seen: &Seen<'_>) -> Result<(), E> {
        self.signals.check()?;
        let (file, Some(layer)) = (seen.file, self.layers.get(seen.layer)) else { return Ok(()) };
        // A tar has none.
        if file.metadata.kind == Kind::Socket {
            return Ok(());
        }
        let is_folder = file.metadata.kind == Kind::Folder;
        let mut path = [b"./", seen.path].concat();
        if is_folder && !seen.path.is_empty() {
            path.push(b'/');
        }
        if !is_folder && file.metadata.links > 1 {
            let [device, ..] = file.stamp;
            if let Some(first) = self.names.get(&(seen.layer, device, file.number)) {
                let first = first.clone();
                self.set_header(file, EntryType::Link, &path, &first, 0);
                return self.put(file, layer, 0);
            }
            self.name_bytes = self.name_bytes.saturating_add(path.len());
            if self.name_bytes > MOST_NAMES {
                return Err(layer.unknown("has too many files with several names").into());
            }
            self.names.insert((seen.layer, device, file.number), path.clone());
        }
        let (kind, size) = match file.metadata.kind {
            Kind::File => (EntryType::Regular, file.metadata.size),
            Kind::Folder => (EntryType::Directory, 0),
            Kind::Link => (EntryType::Symlink, 0),
            Kind::CharacterDevice => (EntryType::Char, 0),
            Kind::BlockDevice => (EntryType::Block, 0),
            Kind::Fifo => (EntryType::Fifo, 0),
            Kind::Socket => return Ok(()),
        };
        if self.bytes.saturating_add(size) > MOST {
            return Err(layer.unknown(format!("has more than {MOST} bytes of files")).into());
        }
        let target = if kind == EntryType::Symlink { layer.link(file)? } else { Vec::new() };
        self.set_header(file, kind, &path, &target, size);
        self.put(file, layer, size)
    }

    /// Writes a file with its header, unless the known tar has it.
    fn put(&mut self, file: &File, layer: &Layer<'_>, size: u64) -> Result<(), E> {
        let (at, id) = (self.bytes, self.host.id(&self.header, file, size > 0));
        let bytes = (self.header.len() as u64).saturating_add(size.next_multiple_of(BLOCK));
        let known = id.and_then(|id| self.known.find(&id, bytes));
        let id = id.filter(|_| known.is_some() || size == 0 || Host::notes_changes(file));
        self.files.extend(id.filter(|_| self.files.len() < MOST_LISTED).map(|id| (id, at, bytes)));
        if let Some(at) = known {
            self.bytes = self.bytes.saturating_add(bytes);
            return (self.on_part)(Flat::Same { at, bytes });
        }
        let header = std::mem::take(&mut self.header);
        self.data(&header)?;
        self.header = header;
        if size > 0 {
            layer.read(file, &mut |data| self.data(data))?;
            self.pad(BLOCK)?;
        }
        Ok(())
    }

    /// Makes the header of a file, after the texts that are too long for it.
    fn set_header(&mut self, file: &File, kind: EntryType, path: &[u8], target: &[u8], size: u64) {
        self.header.clear();
        for (text, kind) in [(target, EntryType::GNULongLink), (path, EntryType::GNULongName)] {
            if text.len() > FIELD {
                let mut long = header(kind, b"././@LongLink", b"", text.len() as u64 + 1);
                long.set_mode(0o644);
                self.add_block(long);
                self.header.extend(text);
                let length = self.header.len().saturating_add(1).next_multiple_of(size_of::<Header>());
                self.header.resize(length, 0);
            }
        }
        let mut header = header(kind, path, target, size);
        header.set_mode(file.metadata.mode);
        header.set_uid(file.metadata.uid.into());
        header.set_gid(file.metadata.gid.into());
        set_time(&mut header, file.metadata.modified.0);
        if matches!(kind, EntryType::Char | EntryType::Block) {
            // Fails for other formats only.
            let _ = header.set_device_major(file.metadata.device.0);
            let _ = header.set_device_minor(file.metadata.device.1);
        }
        self.add_block(header);
    }

    fn add_block(&mut self, mut header: Header) {
        header.set_cksum();
        self.header.extend(header.as_bytes());
    }

    fn data(&mut self, data: &[u8]) -> Result<(), E> {
        self.signals.check()?;
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        (self.on_part)(Flat::Data(data))
    }

    fn zeros(&mut self, mut count: u64) -> Result<(), E> {
        while count > 0 {
            let some = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
            self.data(ZEROS.get(..some).unwrap_or(&ZEROS))?;
            count = count.saturating_sub(some as u64);
        }
        Ok(())
    }

    /// Adds zeros up to a multiple.
    fn pad(&mut self, multiple: u64) -> Result<(), E> {
        self.zeros(self.bytes.next_multiple_of(multiple).saturating_sub(self.bytes))
    }
}

/// A header with all but what belongs to a file.
fn header(kind: EntryType, path: &[u8], target: &[u8], size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.name.iter_mut().zip(path).for_each(|(to, byte)| *to = *byte);
        gnu.linkname.iter_mut().zip(target).for_each(|(to, byte)| *to = *byte);
    }
    header
}

/// Sets when a file was changed. Before 1970 it is a negative number of 12 bytes.
fn set_time(header: &mut Header, modified: i64) {
    match (u64::try_from(modified), header.as_gnu_mut()) {
        (Err(_), Some(gnu)) => {
            gnu.mtime = [0xff; 12];
            gnu.mtime.iter_mut().skip(4).zip(modified.to_be_bytes()).for_each(|(to, byte)| *to = byte);
        }
        (modified, _) => header.set_mtime(modified.unwrap_or(0)),
    }
}
