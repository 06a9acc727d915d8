//! Where the files are in a tar that was written, so that the next one need not read what is the same.

use super::file::{File, Place};
use crate::files;
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// Bytes of an entry: what it is, its place and its length.
const ENTRY: usize = 32;

/// What a file is in a tar: a part of the SHA-256 of its header and, if it has content, of what this host changes with that.
type Id = [u8; 16];

/// The files in a tar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Each with its place and its length, with header and padding. Sorted.
    files: Vec<(Id, u64, u64)>,
}

/// What this host says of its files, as far as it can be trusted: see `library::DisksRead`, which has the same rules.
pub struct Host {
    began: SystemTime,
    boot: Option<String>,
}

impl Host {
    /// For files that are read from this time on.
    pub fn at(began: SystemTime) -> Self {
        Self { began, boot: files::boot() }
    }

    /// What a file is; nothing if that shows only when it is read: the guest writes its disks itself.
    pub fn id(&self, header: &[u8], file: &File, has_content: bool) -> Option<Id> {
        let mut hash = Sha256::new_with_prefix(header);
        if has_content {
            let [.., changed, _] = file.stamp;
            if !matches!(file.place, Place::Host(_)) || !files::is_settled(changed, self.began) {
                return None;
            }
            hash.update(self.boot.as_ref()?);
            file.stamp.iter().for_each(|number| hash.update(number.to_le_bytes()));
        }
        hash.finalize().first_chunk().copied()
    }

    /// Whether its id will differ after each change from now on.
    pub fn notes_changes(file: &File) -> bool {
        let Place::Host(path) = &file.place else { return false };
        files::open_existing(path).is_ok_and(|open| files::notes_changes(&open, &file.stamp))
    }
}

impl Listing {
    /// The listing with these files.
    pub fn new(mut files: Vec<(Id, u64, u64)>) -> Self {
        files.sort_unstable();
        Self { files }
    }

    /// The place of a file that was of this length.
    pub fn find(&self, id: &Id, bytes: u64) -> Option<u64> {
        let at = self.files.binary_search_by(|(other, ..)| other.cmp(id)).ok()?;
        self.files.get(at).filter(|(_, _, length)| *length == bytes).map(|(_, at, _)| *at)
    }

    /// Bytes of it.
    pub fn size(&self) -> u64 {
        (self.files.len() as u64).saturating_mul(ENTRY as u64)
    }

    /// It, in parts.
    pub fn parts(&self) -> impl Iterator<Item = [u8; ENTRY]> + '_ {
        self.files.iter().map(|(id, at, bytes)| {
            let all = id.iter().copied().chain(at.to_le_bytes()).chain(bytes.to_le_bytes());
            let mut part = [0; ENTRY];
            part.iter_mut().zip(all).for_each(|(to, from)| *to = from);
            part
        })
    }

    /// Reads it again. What does not belong to it, or is not in its tar of this size, is dropped.
    pub fn read(bytes: &[u8], size: u64) -> Self {
        let entry = |part: &[u8]| {
            let (id, rest) = part.split_first_chunk()?;
            let (at, rest) = rest.split_first_chunk()?;
            let (at, bytes) = (u64::from_le_bytes(*at), u64::from_le_bytes(*rest.first_chunk()?));
            at.checked_add(bytes).filter(|end| *end <= size).map(|_| (*id, at, bytes))
        };
        Self::new(bytes.chunks_exact(ENTRY).filter_map(entry).collect())
    }
}
