//! The options that a VM was created with and the engine does not report, and the artifact that some engines need at every
//! start. Stored when bottle-freeze creates a VM, and deleted when it removes it.

use super::disks_read::DisksRead;
use super::layout::VMS;
use super::limits::LIMIT;
use crate::publish::{self, Existing, publish, publish_text};
use crate::smolvm::artifact;
use crate::{files, home};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The options of `create` for one VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// The Unix seconds before and after the engine created it, to distinguish it from a later VM with the same name.
    pub made: (u64, u64),
    /// Whether it has a network.
    pub net: bool,
    /// The only networks that it may reach; empty: all.
    pub allow_cidrs: Vec<String>,
    /// Published ports, `HOST:GUEST`.
    pub ports: Vec<String>,
    /// Mounted host folders, `HOST:GUEST`.
    pub volumes: Vec<String>,
    /// The snapshot that it was made from, `VM@ID`; missing: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The least `sequence` of its own snapshots: an earlier VM of that name may have others; missing: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sequence: Option<u64>,
}

impl Creation {
    /// The record of the VM with that name and creation time in Unix seconds; nothing if it was created elsewhere.
    pub fn of(vm: &str, created_at: Option<u64>) -> Option<Self> {
        let record = Self::read(&home::existing(VMS).ok()??.join(file(vm)))?;
        created_at.filter(|at| (record.made.0..=record.made.1).contains(at)).map(|_| record)
    }

    fn read(path: &Path) -> Option<Self> {
        let mut text = Vec::new();
        files::open_own(path).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Stores it for the VM with that name, over the record of an earlier one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, vm: &str) -> io::Result<()> {
        let path = home::folder(VMS)?.join(file(vm));
        if Self::is_foreign(&path) {
            return Err(io::Error::other(format!("{} is not a record of bottle-freeze", path.display())));
        }
        Ok(publish_text(&self.text()?, &path, Existing::Replace)?)
    }

    /// Its text, short enough to be read again.
    ///
    /// # Errors
    /// It is too long.
    pub fn text(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec_pretty(self)?;
        if text.len() as u64 <= LIMIT {
            return Ok(text);
        }
        let why =
            format!("the networks, ports and volumes have {} bytes as JSON; at most {LIMIT} are allowed", text.len());
        Err(io::Error::new(io::ErrorKind::InvalidData, why))
    }

    /// Whether the file holds something else than a record, or than the nothing that a power cut may leave.
    fn is_foreign(path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file() || (meta.len() > 0 && Self::read(path).is_none()))
    }

    /// Deletes the record of a VM, and that of its disks. A file that holds no record stays.
    pub fn forget(vm: &str) {
        DisksRead::forget(vm);
        remove(&file(vm), |path| Self::read(path).is_some());
    }
}

/// Moves the private file `from` beside the record of a VM, whose engine needs it at every start. Its path.
///
/// # Errors
/// It cannot be written.
pub fn keep_artifact(vm: &str, from: &Path) -> io::Result<PathBuf> {
    let path = home::folder(VMS)?.join(artifact_file(vm));
    publish(from, &path, Existing::Replace)?;
    Ok(path)
}

/// Deletes the artifact that was kept for a VM. A file that holds none stays.
pub fn remove_artifact(vm: &str) {
    remove(&artifact_file(vm), |path| artifact::details(path).is_ok());
}

/// Removes a file of this user, if it `is_ours`. What cannot be removed stays.
fn remove(name: &str, is_ours: impl Fn(&Path) -> bool) {
    let path = home::existing(VMS).ok().flatten().map(|folder| folder.join(name));
    if let Some(path) = path.filter(|path| files::open_own(path).is_ok() && is_ours(path)) {
        let _ = publish::remove(&path);
    }
}

fn file(vm: &str) -> String {
    format!("{vm}.json")
}

fn artifact_file(vm: &str) -> String {
    format!("{vm}.smolmachine")
}
