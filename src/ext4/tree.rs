//! The files of a file system: inodes, names, content, attributes.

use super::attributes::{self, Attribute};
use super::error::Ext4Error;
use super::extents::{self, Extent};
use super::fields::u16_at;
use super::folder::{self, OnEntry};
use super::groups::Group;
use super::inode::{self, Inode, Kind};
use super::replay::Replayed;
use super::source::ReadAt;
use super::superblock::{Superblock, incompatible};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// The inode of the uppermost folder.
pub const ROOT: u32 = 2;
/// The most blocks of a journal, as mke2fs has it.
const LARGEST_JOURNAL: u64 = 10_240_000;
/// The largest inode: the engine's have 256 bytes.
const LARGEST_INODE: u64 = 1024;
/// The most bytes of the target of a link.
const LONGEST_LINK: u64 = 4096;
/// The most bytes that the names of folders may take in memory, but for one folder.
const MOST_NAMES: usize = 16 << 20;
/// The bytes that a name takes besides its letters.
const NAME: usize = 64;

/// The files of a file system, as a mount would show them: a journal that must be replayed is.
#[derive(Debug)]
pub struct FileSystem<S> {
    disk: Replayed<S>,
    superblock: Superblock,
    groups: Vec<Group>,
    /// Bytes of folders that may still be read: a small disk may claim endless ones.
    folder_bytes: Cell<u64>,
    /// Bytes of lists of extents that may still be read: many files may claim the same ones.
    pub(super) list_bytes: Cell<u64>,
    /// The names in the folders that were looked at last: many paths lead through the same.
    names: RefCell<Names>,
}

/// The names in folders, by the inode of the folder, and the bytes that they take.
#[derive(Debug, Default)]
struct Names {
    of: HashMap<u32, HashMap<Box<[u8]>, u32>>,
    bytes: usize,
}

impl<S: ReadAt> FileSystem<S> {
    /// Opens the file system on a disk that has so many bytes that are not zeros.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or has features that are unknown here.
    pub fn open(source: S, data: u64) -> Result<Self, Ext4Error> {
        let superblock = Superblock::read(&source)?;
        if superblock.inode_size > LARGEST_INODE {
            return Err(Ext4Error::Unknown("has inodes of an unknown size"));
        }
        let groups = superblock.read_groups(&source)?;
        let disk = Replayed::new(source, superblock.block_size);
        // A folder is read for each path that is looked up, and for a list; the lists of a file for each of its names.
        let most = |least| Cell::new(data.saturating_mul(8).max(least));
        let (folder_bytes, list_bytes) = (most(64 << 20), most(1 << 30));
        let mut opened = Self { disk, superblock, groups, folder_bytes, list_bytes, names: RefCell::default() };
        if opened.superblock.has(incompatible::RECOVER) && opened.superblock.journal != 0 {
            let places = opened.blocks_of(&opened.inode(opened.superblock.journal)?)?;
            opened.disk.replay(&places)?;
            opened.superblock = Superblock::read(&opened.disk)?;
            if opened.superblock.inode_size > LARGEST_INODE {
                return Err(Ext4Error::Unknown("has inodes of an unknown size"));
            }
            opened.groups = opened.superblock.read_groups(&opened.disk)?;
        }
        Ok(opened)
    }

    /// Where the bytes of the disk come from, without its journal.
    pub fn source(&self) -> &S {
        self.disk.source()
    }

    /// Its bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.superblock.blocks.saturating_mul(self.superblock.block_size)
    }

    /// Whether some of these bytes of the disk are newer in its journal.
    pub fn has_newer(&self, at: u64, bytes: u64) -> bool {
        self.disk.has_newer(at, bytes)
    }

    /// Reads an inode.
    ///
    /// # Errors
    /// It cannot be read, or there is no file with this number.
    pub fn inode(&self, number: u32) -> Result<Inode, Ext4Error> {
        let none = || Ext4Error::Unknown("has a name for a file that is not there");
        let mut raw = vec![0; usize::try_from(self.superblock.inode_size).unwrap_or(0)].into_boxed_slice();
        self.disk.read_at(self.place_of(number)?, &mut raw)?;
        // One that was never used has no checksum.
        if raw.iter().any(|byte| *byte != 0) {
            self.check("inode", number.into(), || inode::is_whole(number, &raw, self.superblock.seed))?;
        }
        Inode::parse(number, raw).ok_or_else(none)
    }

    /// Calls `on_inode` for each inode that is in use.
    pub(super) fn for_each_used(
        &self,
        on_inode: &mut dyn FnMut(&Inode) -> Result<(), Ext4Error>,
    ) -> Result<(), Ext4Error> {
        let size = usize::try_from(self.superblock.inode_size).unwrap_or(usize::MAX);
        for (group, number) in self.groups.iter().zip(0..) {
            let mut inodes = 0..group.inodes;
            for block in 0..self.superblock.inode_table_blocks() {
                if inodes.is_empty() {
                    break;
                }
                let block = self.read_block(group.inode_table.saturating_add(block))?;
                for (raw, index) in block.chunks_exact(size).zip(inodes.by_ref()) {
                    let number = u32::saturating_mul(number, self.superblock.inodes_per_group);
                    let number = number.saturating_add(index).saturating_add(1);
                    // Without a mode it is none, and most are: they are not copied.
                    if u16_at(raw, 0) != 0 && Inode::parse(number, raw.into()).is_some() {
                        on_inode(&self.inode(number)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Calls `on_entry` for each name in a folder, in the order of the disk, with the number of its inode.
    ///
    /// # Errors
    /// It cannot be read, is damaged or no folder; or `on_entry` failed.
    pub fn entries(&self, folder: &Inode, on_entry: OnEntry<'_>) -> Result<(), Ext4Error> {
        if folder.kind != Kind::Folder {
            return Err(Ext4Error::Unknown("has an invalid folder"));
        }
        let (mut block, seed) = (self.block(), folder.seed(self.superblock.seed));
        for extent in self.extents(folder)? {
            take(&self.folder_bytes, extent.bytes, "has folders that are larger than itself")?;
            for offset in (0..extent.bytes).step_by(block.len().max(1)) {
                let at = extent.on_disk.saturating_add(offset);
                self.disk.read_at(at, &mut block)?;
                self.check("block of a folder", at / self.superblock.block_size, || folder::is_whole(&block, seed))?;
                folder::entries(&block, on_entry)?;
            }
        }
        Ok(())
    }

    /// The number of the file with this name in a folder.
    ///
    /// # Errors
    /// The folder cannot be read, is damaged or none.
    pub fn lookup(&self, folder: &Inode, name: &[u8]) -> Result<Option<u32>, Ext4Error> {
        if let Some(names) = self.names.borrow().of.get(&folder.number) {
            return Ok(names.get(name).copied());
        }
        let (mut names, mut bytes) = (HashMap::new(), 0_usize);
        self.entries(folder, &mut |entry, number| {
            bytes = bytes.saturating_add(entry.len()).saturating_add(NAME);
            names.insert(entry.into(), number);
            Ok(())
        })?;
        let found = names.get(name).copied();
        let mut kept = self.names.borrow_mut();
        if kept.bytes.saturating_add(bytes) > MOST_NAMES {
            *kept = Names::default();
        }
        kept.bytes = kept.bytes.saturating_add(bytes);
        kept.of.insert(folder.number, names);
        Ok(found)
    }

    /// Where the content of a file is, up to its size. What lies between are zeros.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn extents(&self, file: &Inode) -> Result<Vec<Extent>, Ext4Error> {
        let size = file.size();
        let mut all = self.extents_before(size, file, true)?;
        all.retain_mut(|extent| {
            extent.bytes = extent.bytes.min(size.saturating_sub(extent.at));
            extent.bytes > 0
        });
        Ok(all)
    }

    /// The extents of a file that have data, or those that have room only.
    pub(super) fn all_extents(&self, file: &Inode, has_data: bool) -> Result<Vec<Extent>, Ext4Error> {
        self.extents_before(u64::MAX, file, has_data)
    }

    /// The same, without lists that begin at this byte of the file or behind it: they are not read.
    fn extents_before(&self, end: u64, file: &Inode, has_data: bool) -> Result<Vec<Extent>, Ext4Error> {
        if file.is_unknown() {
            return Err(Ext4Error::Unknown("has a file that is encrypted or in its inode"));
        }
        if !file.has_extents() {
            let is_empty = file.block().iter().all(|byte| *byte == 0);
            let unknown = Ext4Error::Unknown("has a file without extents, as in ext2");
            return if is_empty { Ok(Vec::new()) } else { Err(unknown) };
        }
        let seed = file.seed(self.superblock.seed);
        let (block_bytes, blocks) = (self.superblock.block_size, self.superblock.blocks);
        let read = |number| {
            take(&self.list_bytes, block_bytes, "has lists of extents that are larger than itself")?;
            let list = self.read_block(number)?;
            self.check("list of extents", number, || extents::is_whole(&list, seed))?;
            Ok(list)
        };
        let extents = Vec::new();
        let mut reader = extents::Reader { block_bytes, blocks, read: &read, has_data, end, extents, next: 0 };
        reader.add(file.block(), None)?;
        Ok(reader.extents)
    }

    /// Fills the buffer with the content of a file at this place. After its end there are zeros.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, extents: &[Extent], at: u64, buffer: &mut [u8]) -> Result<(), Ext4Error> {
        Ok(extents::read(&self.disk, extents, at, buffer)?)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// It cannot be read, or is no link.
    pub fn link(&self, link: &Inode) -> Result<Vec<u8>, Ext4Error> {
        let size = link.size();
        if link.kind != Kind::Link || size > LONGEST_LINK {
            return Err(Ext4Error::Unknown("has an invalid link"));
        }
        let bytes = usize::try_from(size).unwrap_or(0);
        if !link.has_extents() {
            let target = link.block().get(..bytes).filter(|_| !link.is_unknown());
            return target.map(<[u8]>::to_vec).ok_or(Ext4Error::Unknown("has an invalid link"));
        }
        let mut target = vec![0; bytes];
        self.read(&self.extents(link)?, 0, &mut target)?;
        Ok(target)
    }

    /// The extended attributes of a file, by name.
    ///
    /// # Errors
    /// They cannot be read, or are damaged.
    pub fn attributes(&self, file: &Inode) -> Result<Vec<Attribute>, Ext4Error> {
        let mut all = Vec::new();
        attributes::add_of_inode(file.attributes(), &mut all)?;
        let number = file.attribute_block();
        if number != 0 {
            let block = self.read_block(number)?;
            self.check("block of attributes", number, || attributes::is_whole(number, &block, self.superblock.seed))?;
            attributes::add_of_block(&block, &mut all)?;
        }
        all.sort();
        Ok(all)
    }

    /// Fails if a part of the file system has a checksum that it does not fit.
    fn check(&self, what: &'static str, number: u64, is_whole: impl FnOnce() -> bool) -> Result<(), Ext4Error> {
        if self.superblock.has_checksums() && !is_whole() { Err(Ext4Error::Damaged(what, number)) } else { Ok(()) }
    }

    fn block(&self) -> Vec<u8> {
        vec![0; usize::try_from(self.superblock.block_size).unwrap_or(0)]
    }

    pub(super) fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Where an inode is on the disk.
    pub(super) fn place_of(&self, number: u32) -> Result<u64, Ext4Error> {
        let none = || Ext4Error::Unknown("has a name for a file that is not there");
        let index = number.checked_sub(1).ok_or_else(none)?;
        let per_group = self.superblock.inodes_per_group.max(1);
        let group = self.groups.get((index / per_group) as usize).ok_or_else(none)?;
        let at = group.inode_table.saturating_mul(self.superblock.block_size);
        Ok(at.saturating_add(u64::from(index % per_group).saturating_mul(self.superblock.inode_size)))
    }

    pub(super) fn read_block(&self, number: u64) -> Result<Vec<u8>, Ext4Error> {
        let mut block = self.block();
        if number == 0 || number >= self.superblock.blocks {
            return Err(Ext4Error::Unknown("has a block outside of it"));
        }
        self.superblock.read_block(&self.disk, number, &mut block)?;
        Ok(block)
    }

    /// Where the blocks of a file are, in order. It must have all.
    fn blocks_of(&self, file: &Inode) -> Result<Vec<u64>, Ext4Error> {
        let (mut places, block) = (Vec::new(), self.superblock.block_size);
        if file.size() / block > LARGEST_JOURNAL {
            return Err(Ext4Error::Unknown("has a journal that is too large"));
        }
        for extent in self.extents(file)? {
            if extent.at != (places.len() as u64).saturating_mul(block) {
                break;
            }
            places.extend((0..extent.bytes / block).map(|number| extent.on_disk.saturating_add(number * block)));
        }
        Ok(places)
    }
}

/// Takes bytes from those that may still be read, or fails: why completes the sentence of an [`Ext4Error::Unknown`].
fn take(left: &Cell<u64>, bytes: u64, why: &'static str) -> Result<(), Ext4Error> {
    left.set(left.get().checked_sub(bytes).ok_or(Ext4Error::Unknown(why))?);
    Ok(())
}
