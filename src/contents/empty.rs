//! Makes files of a snapshot empty: what is to be written to the members of its artifact for that.

use super::error::ContentsError;
use super::layer::{Key, Layer};
use super::tar::Tar;
use super::tree::{Contents, Item};
use crate::ext4::{Edits, ReadAt};
use std::collections::BTreeMap;

/// Bytes of a header of a tar; what follows it is a multiple of that.
const BLOCK: usize = 512;
/// The most blocks of a comment with its header: programs keep a comment in memory, and some refuse one of more than 1 MiB.
const COMMENT: u64 = 1 << 10;

/// The most pieces that are written to a tar: for 64 GiB of files. In an artifact, a tar may have holes of any size.
const MOST_WRITES: usize = 1 << 18;

/// The saved `/workspace` that is a file beside the artifact. No member of an artifact has such a path.
pub const WORKSPACE: &str = "/workspace.tar";

/// What is to be written to each member of an artifact, by its path, and to the saved `/workspace`.
pub type MemberEdits = BTreeMap<String, Edits>;

impl Contents {
    /// Adds to `edits` what makes a file empty, under all its names.
    ///
    /// # Errors
    /// It cannot be made empty.
    pub fn empty(&self, item: &Item, edits: &mut MemberEdits) -> Result<(), ContentsError> {
        let (number, layer, key) = self.first_of(item)?;
        let edits = edits.entry(self.member(number)?.to_owned()).or_default();
        match (layer, key) {
            (Layer::Disk(disk, name), Key::Inode(inode)) => {
                disk.empty(inode, edits).map_err(|error| ContentsError::of_disk(name, error))
            }
            (Layer::Tar(tar), Key::Number(number)) => empty_in_tar(tar, *number, edits),
            _ => Err(ContentsError::damaged("a layer", "does not have this file")),
        }
    }

    /// Adds to `edits` what removes the rests of deleted files from all disks.
    ///
    /// # Errors
    /// A disk was not unmounted cleanly, or is unknown.
    pub fn clear_unused(&self, edits: &mut MemberEdits) -> Result<(), ContentsError> {
        for (number, layer) in self.read_layers().enumerate() {
            if let Some(Layer::Disk(disk, name)) = layer {
                let edits = edits.entry(self.member(number)?.to_owned()).or_default();
                disk.clear_unused(edits).map_err(|error| ContentsError::of_disk(name, error))?;
            }
        }
        Ok(())
    }
}

/// Gives the header of a file the size 0, and puts headers with comments in the place of its content: so nothing in the tar
/// moves.
fn empty_in_tar(tar: &Tar, number: u32, edits: &mut Edits) -> Result<(), ContentsError> {
    let size = tar.file(number)?.metadata.size;
    let unknown = || ContentsError::damaged("its tar", "has it in pieces, or its size in an extended header");
    let [content] = tar.extents(number)? else { return Err(unknown()) };
    let at = Some(content.on_disk).filter(|_| content.bytes == size).ok_or_else(unknown)?;
    let header_at = at.checked_sub(BLOCK as u64).ok_or_else(unknown)?;
    let mut header = ::tar::Header::new_old();
    tar.bytes.read_at(header_at, header.as_mut_bytes())?;
    // A size in an extended header would stay.
    let is_plain = header.entry_type().is_file() && header.entry_size().is_ok_and(|other| other == size);
    if !is_plain {
        return Err(unknown());
    }
    header.set_size(0);
    header.set_cksum();
    edits.writes.insert(header_at, header.as_bytes().to_vec());
    fill(at, size.div_ceil(BLOCK as u64), edits)
}

/// Fills so many blocks with comments of zeros.
fn fill(mut at: u64, mut blocks: u64, edits: &mut Edits) -> Result<(), ContentsError> {
    while blocks > 0 {
        if edits.writes.len() > MOST_WRITES {
            return Err(ContentsError::damaged("its tar", "has too much in the files that are to be emptied"));
        }
        let count = blocks.min(COMMENT);
        let end = at.saturating_add(count.saturating_mul(BLOCK as u64));
        let bytes = end.saturating_sub(at).saturating_sub(BLOCK as u64);
        edits.zeros.push(at..end);
        let mut begin = comment(bytes);
        if bytes > 0 {
            begin.extend(format!("{bytes} comment=").bytes());
            edits.writes.insert(end.saturating_sub(1), b"\n".to_vec());
        }
        edits.writes.insert(at, begin);
        (at, blocks) = (end, blocks.saturating_sub(count));
    }
    Ok(())
}

/// A global extended header, which so many bytes follow.
fn comment(bytes: u64) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    let _ = header.set_path("pax_global_header");
    header.set_entry_type(::tar::EntryType::XGlobalHeader);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes);
    header.set_cksum();
    header.as_bytes().to_vec()
}
