//! What a VM was made with and the engine does not report: kept beside the library when a VM is made here, and forgotten
//! when it is removed here.

use super::metadata::LIMIT;
use crate::files;
use crate::home;
use crate::publish::{self, Existing, publish_text};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Where the records are.
const FOLDER: &str = "vms";

/// What `create` was told of one VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// The Unix seconds between which the engine made it: tells the VM from a later one of the same name.
    pub made: (u64, u64),
    /// Whether it got a network.
    pub net: bool,
    /// The only networks that it may reach; empty: all.
    pub allow_cidrs: Vec<String>,
    /// Published ports, `HOST:GUEST`.
    pub ports: Vec<String>,
    /// Mounted host folders, `HOST:GUEST`.
    pub volumes: Vec<String>,
}

impl Creation {
    /// What is recorded of the VM of that name that was created at that Unix second; nothing if it was made elsewhere.
    pub fn of(vm: &str, created_at: Option<u64>) -> Option<Self> {
        let record = Self::read(&home::existing(FOLDER).ok()??.join(file(vm)))?;
        created_at.filter(|at| (record.made.0..=record.made.1).contains(at)).map(|_| record)
    }

    fn read(path: &Path) -> Option<Self> {
        let mut text = Vec::new();
        files::open_own(path).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Keeps it for the VM of that name, in place of what was recorded of an earlier one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, vm: &str) -> io::Result<()> {
        let path = home::folder(FOLDER)?.join(file(vm));
        if Self::is_foreign(&path) {
            return Err(io::Error::other(format!("{} is not a record of bottle-freeze", path.display())));
        }
        Ok(publish_text(&self.text()?, &path, Existing::Replace)?)
    }

    /// Its text, which can be read again.
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

    /// Whether a file is there that holds no record, nor the nothing that a power cut may have left of one.
    fn is_foreign(path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file() || (meta.len() > 0 && Self::read(path).is_none()))
    }

    /// Forgets what is recorded of a VM of that name. A file that holds no record stays.
    pub fn forget(vm: &str) {
        let path = home::existing(FOLDER).ok().flatten().map(|folder| folder.join(file(vm)));
        if let Some(path) = path.filter(|path| Self::read(path).is_some()) {
            let _ = publish::remove(&path);
        }
    }
}

fn file(vm: &str) -> String {
    format!("{vm}.json")
}
