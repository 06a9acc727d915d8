//! What the disks of a VM were when a freeze read them. Those that still are the same are not read again: their chunks are those
//! of the snapshot that the freeze made. Kept beside the options of the VM, on this host only.
//!
//! # Rules
//! - A disk is the same if none of its files, down to the lowest, has another device, inode, size or time. No program can set
//!   the time of a file's last change; file systems that may not note each change are not trusted.
//! - It is another one after a start of this computer: a power cut may keep what was written, and lose the time of it.
//! - What changed less than two seconds before it was read, may have changed again at the same time, as the clock of a file
//!   system counts it.
//! - It is another one for another version of bottle-freeze, or if what is free is now left out, or is not any more.

use super::layout::{INDEX, VMS};
use super::limits::LIMIT;
use super::metadata::Metadata;
use super::stored::Stored;
use crate::files::{self, Stamp};
use crate::home;
use crate::publish::{self, Existing, publish_text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// What the disks of a VM were when they were read, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisksRead {
    /// The version of bottle-freeze.
    version: String,
    /// The start of this computer.
    boot: String,
    /// By their paths in the artifact.
    disks: BTreeMap<String, DiskRead>,
}

/// What a disk was when it was read, and how it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRead {
    /// Whether what is free was left out.
    pub is_trimmed: bool,
    /// Its files, down to the lowest.
    pub files: Vec<Stamp>,
}

/// The record of a VM.
#[derive(Serialize, Deserialize)]
struct Record {
    /// The snapshot that was made, and the hash of its index.
    snapshot: String,
    index: String,
    read: DisksRead,
}

impl DisksRead {
    /// Disks that are read now; nothing if the system does not say when it was started.
    pub fn now(disks: BTreeMap<String, DiskRead>) -> Option<Self> {
        Some(Self { version: env!("CARGO_PKG_VERSION").to_owned(), boot: files::boot()?, disks })
    }

    /// What the disks of its VM were when this snapshot was made, if that is known.
    pub fn of(snapshot: &Stored) -> Option<Self> {
        let record = Record::read(&home::existing(VMS).ok()??.join(file(&snapshot.metadata.vm)))?;
        let index = snapshot.metadata.files.get(INDEX)?;
        (record.snapshot == snapshot.reference() && record.index == index.sha256).then_some(record.read)
    }

    /// Whether a file of a disk is what it was then, when the disk was read `trimmed`, or not.
    pub fn has(&self, file: &Stamp, trimmed: bool) -> bool {
        self.disks.values().any(|disk| disk.is_trimmed == trimmed && disk.files.contains(file))
    }

    /// The disks that are the same in both.
    pub fn same_in<'d>(&'d self, now: &'d Self) -> impl Iterator<Item = &'d str> {
        let is_known = (&self.version, &self.boot) == (&now.version, &now.boot);
        let is_same = move |(path, disk): &(&String, &DiskRead)| is_known && now.disks.get(*path) == Some(disk);
        self.disks.iter().filter(is_same).map(|(path, _)| path.as_str())
    }

    /// Without the disks that were changed just before `began`, when they were opened; nothing if that is all.
    pub fn settled(mut self, began: SystemTime) -> Option<Self> {
        let is_settled = |[.., changed, _]: &Stamp| files::is_settled(*changed, began);
        self.disks.retain(|_, disk| disk.files.iter().all(is_settled));
        (!self.disks.is_empty()).then_some(self)
    }

    /// Stores it for the VM of the snapshot that has what was read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, snapshot: &Metadata) -> io::Result<()> {
        let index = snapshot.files.get(INDEX).ok_or(io::ErrorKind::InvalidInput)?.sha256.clone();
        let (vm, name) = (&snapshot.vm, format!("{}@{}", snapshot.vm, snapshot.id));
        let text = serde_json::to_vec(&Record { snapshot: name, index, read: self.clone() })?;
        Ok(publish_text(&text, &home::folder(VMS)?.join(file(vm)), Existing::Replace)?)
    }

    /// Deletes the record of a VM. A file that holds none stays.
    pub fn forget(vm: &str) {
        let path = home::existing(VMS).ok().flatten().map(|folder| folder.join(file(vm)));
        if let Some(path) = path.filter(|path| Record::read(path).is_some()) {
            let _ = publish::remove(&path);
        }
    }
}

impl Record {
    fn read(path: &Path) -> Option<Self> {
        let mut text = Vec::new();
        files::open_own(path).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

fn file(vm: &str) -> String {
    format!("{vm}.disks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DISK: &str = "overlay.raw";

    /// A disk of one file that was changed at this second.
    fn read(changed: i128) -> DisksRead {
        let disk = DiskRead { is_trimmed: true, files: vec![[1, 2, 3, 4, 5, changed, 6]] };
        DisksRead { version: "1".into(), boot: "a".into(), disks: BTreeMap::from([(DISK.to_owned(), disk)]) }
    }

    fn is_same(now: &DisksRead) -> bool {
        read(100).same_in(now).eq([DISK])
    }

    #[test]
    fn a_disk_is_the_same_if_nothing_differs() {
        assert!(is_same(&read(100)));
        let is_other = |change: &dyn Fn(&mut DisksRead, &mut DiskRead)| {
            let mut now = read(100);
            let mut disk = now.disks.remove(DISK).unwrap();
            change(&mut now, &mut disk);
            now.disks.insert(DISK.to_owned(), disk);
            !is_same(&now)
        };
        for number in 0..7 {
            assert!(is_other(&|_, disk| disk.files[0][number] += 1), "{number}");
        }
        assert!(is_other(&|_, disk| disk.files.push([0; 7])));
        assert!(is_other(&|_, disk| disk.is_trimmed = false));
        assert!(is_other(&|now, _| now.version = "2".into()));
        assert!(is_other(&|now, _| now.boot = "b".into()));
    }

    #[test]
    fn what_changed_just_before_it_was_read_is_not_known() {
        let began = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (seconds, is_known) in [(99, false), (100, false), (102, false), (103, true)] {
            assert_eq!(read(100).settled(began(seconds)), is_known.then(|| read(100)), "{seconds}");
        }
    }
}
