//! A layer of the files of a VM: on a disk, or in a tar.

use super::bytes::Bytes;
use super::error::ContentsError;
use super::tar::{Name, Tar};
use crate::ext4::{self, Attribute, Ext4Error, Extent, FileSystem, Inode, Kind, Metadata};
use crate::overlay::{self, Below, TRUSTED};
use std::cell::{Cell, OnceCell};
use std::rc::Rc;

/// The disk that is a layer: what overlayfs marks counts there only.
pub const OVERLAY: &str = "the disk 'overlay'";
/// The most names in a folder, so that they fit into memory.
const MOST: usize = 2 << 20;

/// A layer of the files of a VM.
pub enum Layer {
    /// The file system of a disk, and how it is called in messages.
    Disk(Box<FileSystem<Bytes>>, &'static str),
    /// A tar.
    Tar(Box<Tar>),
}

/// A file of a layer.
#[derive(Debug, Clone)]
pub enum Key {
    /// On a disk.
    Inode(Rc<Inode>),
    /// In a tar: its number.
    Number(u32),
}

/// A layer that is read when it is needed: to find a file in an upper one, the list of those below is not needed.
pub struct Lazy {
    layer: OnceCell<Layer>,
    tar: Cell<Option<(Bytes, Rc<Cell<usize>>)>>,
    /// Bytes of its data.
    data: u64,
}

impl Lazy {
    /// A tar that is not yet read. What all tars keep may have so many bytes as are `left`.
    pub fn tar(bytes: Bytes, left: &Rc<Cell<usize>>) -> Self {
        let data = bytes.data();
        Self { layer: OnceCell::new(), tar: Cell::new(Some((bytes, left.clone()))), data }
    }

    /// A layer that is read.
    pub fn ready(layer: Layer) -> Self {
        let data = layer.bytes().data();
        Self { layer: layer.into(), tar: Cell::new(None), data }
    }

    /// The layer.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn get(&self) -> Result<&Layer, ContentsError> {
        if let Some(layer) = self.layer.get() {
            return Ok(layer);
        }
        let (bytes, left) = self.tar.take().ok_or_else(|| ContentsError::damaged("a tar in it", "is damaged"))?;
        let tar = Tar::open(bytes, &left)?;
        Ok(self.layer.get_or_init(|| Layer::Tar(Box::new(tar))))
    }

    /// The layer, if it was read.
    pub fn known(&self) -> Option<&Layer> {
        self.layer.get()
    }

    /// Bytes of its data.
    pub fn data(&self) -> u64 {
        self.data
    }
}

impl Layer {
    /// The bytes that it is read from.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Disk(disk, _) => disk.source(),
            Self::Tar(tar) => &tar.bytes,
        }
    }

    /// Whether there is data on its disk behind the file system.
    pub fn is_more_than_files(&self) -> bool {
        matches!(self, Self::Disk(disk, _) if disk.source().size() > disk.bytes())
    }

    /// The file with this number.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn key(&self, number: u32) -> Result<Key, ContentsError> {
        match self {
            Self::Disk(disk, name) => disk
                .inode(number)
                .map(|inode| Key::Inode(Rc::new(inode)))
                .map_err(|error| ContentsError::of_disk(name, error)),
            Self::Tar(tar) => tar.file(number).map(|_| Key::Number(number)),
        }
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn entries(&self, folder: &Key) -> Result<Vec<Name>, ContentsError> {
        match (self, folder) {
            (Self::Disk(disk, name), Key::Inode(inode)) => {
                let mut all: Vec<Name> = Vec::new();
                let read = disk.entries(inode, &mut |name, number| {
                    if all.len() == MOST {
                        return Err(Ext4Error::Unknown("has a folder with too many files"));
                    }
                    all.push((name.into(), number));
                    Ok(())
                });
                read.map_err(|error| ContentsError::of_disk(name, error))?;
                all.sort();
                let is_twice = all.windows(2).any(|pair| matches!(pair, [one, two] if one.0 == two.0));
                if is_twice { Err(ContentsError::damaged(*name, "has a folder with a name twice")) } else { Ok(all) }
            }
            (Self::Tar(tar), Key::Number(number)) => tar.entries(*number),
            _ => Err(mixed()),
        }
    }

    /// The file with this name in a folder.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn lookup(&self, folder: &Key, name: &[u8]) -> Result<Option<u32>, ContentsError> {
        match (self, folder) {
            (Self::Disk(disk, what), Key::Inode(inode)) => {
                disk.lookup(inode, name).map_err(|error| ContentsError::of_disk(what, error))
            }
            (Self::Tar(tar), Key::Number(number)) => tar.lookup(*number, name),
            _ => Err(mixed()),
        }
    }

    /// Whether a file only hides those of its name in the layers below.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_whiteout(&self, file: &Key) -> Result<bool, ContentsError> {
        match (self, file) {
            // The engine takes those of an image as files.
            (Self::Tar(_), Key::Number(_)) => Ok(false),
            (Self::Disk(_, name), Key::Inode(inode)) => {
                Ok(*name == OVERLAY && overlay::is_whiteout(inode.kind, inode.device()))
            }
            _ => Err(mixed()),
        }
    }

    /// What a file lies over: nothing, unless it is a folder.
    ///
    /// # Errors
    /// It cannot be read, or has an attribute of overlayfs that is not known.
    pub fn below(&self, file: &Key) -> Result<Below, ContentsError> {
        match (self, file) {
            (Self::Tar(tar), Key::Number(number)) => {
                Ok(if tar.file(*number)?.metadata.kind == Kind::Folder { Below::There } else { Below::Nowhere })
            }
            (Self::Disk(disk, name), Key::Inode(inode)) if *name == OVERLAY => {
                let all = disk.attributes(inode).map_err(|error| ContentsError::of_disk(name, error))?;
                let below = Below::of(&all, TRUSTED).map_err(|why| ContentsError::damaged(*name, why))?;
                Ok(if inode.kind == Kind::Folder { below } else { Below::Nowhere })
            }
            _ => Ok(Below::Nowhere),
        }
    }

    /// What is known of a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn metadata(&self, file: &Key) -> Result<Metadata, ContentsError> {
        match (self, file) {
            (_, Key::Inode(inode)) => Ok(inode.metadata()),
            (Self::Tar(tar), Key::Number(number)) => Ok(tar.file(*number)?.metadata),
            _ => Err(mixed()),
        }
    }

    /// Where the content of a file is in the bytes of the layer.
    ///
    /// # Errors
    /// It cannot be read, or is no file.
    pub fn extents(&self, file: &Key) -> Result<Vec<Extent>, ContentsError> {
        match (self, file) {
            (Self::Disk(disk, name), Key::Inode(inode)) => {
                disk.extents(inode).map_err(|error| ContentsError::of_disk(name, error))
            }
            (Self::Tar(tar), Key::Number(number)) => Ok(tar.extents(*number)?.to_vec()),
            _ => Err(mixed()),
        }
    }

    /// Fills the buffer with the content that has these extents, at this place. All else is zeros.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, extents: &[Extent], at: u64, buffer: &mut [u8]) -> Result<(), ContentsError> {
        match self {
            Self::Disk(disk, name) => {
                disk.read(extents, at, buffer).map_err(|error| ContentsError::of_disk(name, error))
            }
            Self::Tar(tar) => Ok(ext4::read(&tar.bytes, extents, at, buffer)?),
        }
    }

    /// Whether the bytes of an extent are those of one in another layer, as far as it is known without reading them.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn is_known_same(&self, one: &Extent, other: &Self, two: &Extent) -> Result<bool, ContentsError> {
        let is_newer = |layer: &Self, extent: &Extent| match layer {
            Self::Disk(disk, _) => disk.has_newer(extent.on_disk, extent.bytes),
            Self::Tar(_) => false,
        };
        if is_newer(self, one) || is_newer(other, two) {
            return Ok(false);
        }
        Ok(self.bytes().is_known_same(one.on_disk, other.bytes(), two.on_disk, one.bytes)?)
    }

    /// Whether the first bytes of an extent are zeros, as far as it is known without reading them, and for how many that is so.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn known_zeros(&self, extent: &Extent) -> Result<(bool, u64), ContentsError> {
        if matches!(self, Self::Disk(disk, _) if disk.has_newer(extent.on_disk, extent.bytes)) {
            return Ok((false, extent.bytes));
        }
        Ok(self.bytes().known_zeros(extent.on_disk, extent.bytes)?)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn link(&self, link: &Key) -> Result<Vec<u8>, ContentsError> {
        match (self, link) {
            (Self::Disk(disk, name), Key::Inode(inode)) => {
                disk.link(inode).map_err(|error| ContentsError::of_disk(name, error))
            }
            (Self::Tar(tar), Key::Number(number)) => Ok(tar.file(*number)?.target.to_vec()),
            _ => Err(mixed()),
        }
    }

    /// The extended attributes of a file, by name, without those of overlayfs.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn attributes(&self, file: &Key) -> Result<Vec<Attribute>, ContentsError> {
        let mut all = match (self, file) {
            (Self::Disk(disk, name), Key::Inode(inode)) => {
                disk.attributes(inode).map_err(|error| ContentsError::of_disk(name, error))?
            }
            (Self::Tar(tar), Key::Number(number)) => tar.file(*number)?.attributes.clone(),
            _ => return Err(mixed()),
        };
        if matches!(self, Self::Disk(_, OVERLAY)) {
            all.retain(|(name, _)| !name.starts_with(TRUSTED));
        }
        Ok(all)
    }
}

/// A file was looked for in a layer that it is not from.
fn mixed() -> ContentsError {
    ContentsError::damaged("a layer", "does not have this file")
}
