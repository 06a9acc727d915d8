//! The files of a guest as one tar, as GNU tar writes it for the engine: without extended attributes, and with holes as zeros.

use super::file::File;
use super::layer::Layer;
use super::merged::{Seen, walk};
use crate::ext4::Kind;
use crate::signals::{Interrupted, Signals};
use crate::smolvm::artifact::Part;
use crate::smolvm::disk::DiskError;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tar::{EntryType, Header};

/// Bytes of a header, of which all else is a multiple.
const BLOCK: u64 = 512;
/// A tar is a multiple of this.
const RECORD: u64 = 20 * BLOCK;
/// The bytes that a header has for a path, and for a target.
const FIELD: usize = 100;
/// The most bytes. The disk of the VM with which the engine packs does not hold more.
const MOST: u64 = 64 << 30;
const ZEROS: [u8; 4096] = [0; 4096];

/// A tar that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its bytes.
    pub bytes: u64,
}

/// Passes the tar of what a guest sees of these layers, the uppermost first, to `on_part`.
///
/// # Errors
/// A layer cannot be read, has something unknown, a signal came, or `on_part` failed.
pub fn flatten<E: From<DiskError> + From<Interrupted>>(
    layers: &[Layer<'_>],
    signals: &Signals,
    on_part: &mut dyn FnMut(Part<'_>) -> Result<(), E>,
) -> Result<Written, E> {
    let mut tar = Tar { layers, signals, on_part, sha256: Sha256::new(), bytes: 0, names: HashMap::new() };
    walk(layers, &mut |seen| tar.add(seen))?;
    tar.zeros(2 * BLOCK)?;
    tar.pad(RECORD)?;
    Ok(Written { sha256: base16ct::lower::encode_string(&tar.sha256.finalize()), bytes: tar.bytes })
}

/// A tar that is written.
struct Tar<'a, E> {
    layers: &'a [Layer<'a>],
    signals: &'a Signals,
    on_part: &'a mut dyn FnMut(Part<'_>) -> Result<(), E>,
    sha256: Sha256,
    bytes: u64,
    /// The first path of each file that has several names in its layer.
    names: HashMap<(usize, u64), Vec<u8>>,
}

impl<E: From<DiskError> + From<Interrupted>> Tar<'_, E> {
    fn add(&mut self, seen: &Seen<'_>) -> Result<(), E> {
        self.signals.check()?;
        let (file, Some(layer)) = (seen.file, self.layers.get(seen.layer)) else { return Ok(()) };
        let is_folder = file.kind == Kind::Folder;
        let mut path = [b"./", seen.path].concat();
        if is_folder && !seen.path.is_empty() {
            path.push(b'/');
        }
        if !is_folder && file.links > 1 {
            if let Some(first) = self.names.get(&(seen.layer, file.number)) {
                let first = first.clone();
                return self.header(file, EntryType::Link, &path, &first, 0);
            }
            self.names.insert((seen.layer, file.number), path.clone());
        }
        let (kind, size) = match file.kind {
            Kind::File => (EntryType::Regular, file.size),
            Kind::Folder => (EntryType::Directory, 0),
            Kind::Link => (EntryType::Symlink, 0),
            Kind::CharacterDevice => (EntryType::Char, 0),
            Kind::BlockDevice => (EntryType::Block, 0),
            Kind::Fifo => (EntryType::Fifo, 0),
            // A tar has none.
            Kind::Socket => return Ok(()),
        };
        if self.bytes.saturating_add(size) > MOST {
            return Err(layer.unknown(format!("has more than {MOST} bytes of files")).into());
        }
        let target = if kind == EntryType::Symlink { layer.link(file)? } else { Vec::new() };
        self.header(file, kind, &path, &target, size)?;
        if size > 0 {
            layer.read(file, &mut |data| self.data(data))?;
            self.pad(BLOCK)?;
        }
        Ok(())
    }

    /// Writes the header of a file, after the texts that are too long for it.
    fn header(&mut self, file: &File, kind: EntryType, path: &[u8], target: &[u8], size: u64) -> Result<(), E> {
        for (text, kind) in [(target, EntryType::GNULongLink), (path, EntryType::GNULongName)] {
            if text.len() > FIELD {
                let mut long = header(kind, b"././@LongLink", b"", text.len() as u64 + 1);
                long.set_mode(0o644);
                self.block(long)?;
                self.data(text)?;
                self.zeros(1)?;
                self.pad(BLOCK)?;
            }
        }
        let mut header = header(kind, path, target, size);
        header.set_mode(file.mode);
        header.set_uid(file.uid.into());
        header.set_gid(file.gid.into());
        set_time(&mut header, file.modified);
        if matches!(kind, EntryType::Char | EntryType::Block) {
            // Fails for other formats only.
            let _ = header.set_device_major(file.device.0);
            let _ = header.set_device_minor(file.device.1);
        }
        self.block(header)
    }

    fn block(&mut self, mut header: Header) -> Result<(), E> {
        header.set_cksum();
        self.data(header.as_bytes())
    }

    fn data(&mut self, data: &[u8]) -> Result<(), E> {
        self.signals.check()?;
        self.sha256.update(data);
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        (self.on_part)(Part::Data(data))
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
