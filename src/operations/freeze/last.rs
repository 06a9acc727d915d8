//! The snapshot that a VM was frozen as before, and which disks are the same since then.

use super::context::Freeze;
use crate::library::store::{self, Chunk, Digest, Entry, Index, StoreError};
use crate::library::{self, DisksRead, Stored, catalog};
use crate::smolvm::artifact::Member;
use crate::smolvm::{Disk, Disks, Machine};
use std::path::{Path, PathBuf};

/// The snapshot that a VM was frozen as before, or made from: most of the next one is the same.
pub struct Last {
    /// Its folder.
    pub folder: PathBuf,
    /// The list of its chunks.
    pub index: Index,
    /// The paths in it of the disks that need not be read again.
    pub unchanged: Vec<String>,
}

impl Last {
    /// This member with the chunks that it had.
    pub fn entry(&self, member: &Member) -> Option<Entry> {
        let before = self.index.member(&member.path)?;
        Some(Entry { member: member.clone(), ..before.clone() })
    }
}

/// The snapshot that a VM was frozen as before, or made from.
fn last(vm: &Machine) -> Option<Stored> {
    let (all, _) = catalog::list(Some(&vm.name)).ok()?;
    let last = library::parent(&all, &vm.name, vm.created_at)?;
    let found = all.into_iter().find(|one| one.reference() == last);
    found.or_else(|| catalog::find(&last).ok())
}

/// Bytes that it takes at most to read these disks of a VM into the library, if there are `free` bytes. A disk that is what it
/// was at the last freeze takes none, if what is free on it is left out again, or again not.
pub fn room_to_read(vm: &Machine, disks: &Disks, free: u64, trims: bool) -> u64 {
    let needed = disks.room_to_read(&|_| false);
    if needed <= free {
        return needed;
    }
    let before = last(vm).as_ref().and_then(DisksRead::of);
    disks.room_to_read(&|file| before.as_ref().is_some_and(|before| before.has(file, trims)))
}

impl Freeze<'_> {
    /// The list of chunks of the snapshot that the VM comes from: most of it is the same.
    pub fn last_index(&self) -> Option<Index> {
        self.last().and_then(|last| last.index())
    }

    /// See [`last`].
    pub fn last(&self) -> Option<Stored> {
        last(&self.vm)
    }

    /// The same, and which of the `disks` are what they were then: `now` is what they are.
    pub fn last_with_disks(&self, disks: &[(Member, Disk)], now: Option<&DisksRead>) -> Option<Last> {
        let stored = self.last()?;
        let index = stored.index()?;
        let before = DisksRead::of(&stored).zip(now);
        let is_same =
            |path: &str| disks.iter().any(|(member, disk)| member.path == path && holds(&index, member, disk));
        let paths = before.iter().flat_map(|(before, now)| before.same_in(now)).filter(|path| is_same(path));
        let unchanged: Vec<String> = paths.map(str::to_owned).collect();
        for path in &unchanged {
            let text = format!("{path} is what it was in {}, and is not read again", stored.reference());
            self.cx.app.terminal.detail(&text);
        }
        Some(Last { folder: stored.folder, index, unchanged })
    }
}

/// Writes the chunks of a new snapshot to its folder, over those in the folder `last`. If those are damaged, what was written is
/// removed, and `write` gets `false`: it must not read them again.
///
/// # Errors
/// As `write`, or what was written cannot be removed.
pub fn over_last<T>(
    folder: &Path,
    last: Option<&Path>,
    write: impl Fn(bool) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match write(true) {
        Err(StoreError::Damaged { folder: damaged, .. }) if last == Some(&*damaged) => {
            store::remove_objects(folder)
                .map_err(|source| StoreError::NotWritable { path: folder.to_owned(), source })?;
            write(false)
        }
        written => written,
    }
}

/// Whether the index has the disk with its size, and with its first MiB: each mount changes that, so it is read all the same.
fn holds(index: &Index, member: &Member, disk: &Disk) -> bool {
    let Some(entry) = index.member(&member.path) else { return false };
    let is_same_head = |head: Vec<u8>| match entry.chunks.first() {
        Some(Chunk::Object(name, length, ..)) => head.len() == *length as usize && Digest::of(&head) == *name,
        _ => false,
    };
    (entry.member.kind, entry.member.size) == (member.kind, member.size) && disk.head().is_ok_and(is_same_head)
}
