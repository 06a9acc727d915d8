//! What a VM was made with and the engine does not report: kept beside the library when a VM is made here, and forgotten
//! when it is removed here.

use super::home;
use super::metadata::LIMIT;
use crate::publish::{self, Existing, publish_text};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::path::PathBuf;

/// What `create` was told of one VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
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

impl Record {
    /// What is recorded of the VM of that name that was created at that Unix second; nothing if it was made elsewhere.
    pub fn of(vm: &str, created_at: Option<u64>) -> Option<Self> {
        let mut text = Vec::new();
        home::open_existing(&path(vm)).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        created_at.filter(|at| (record.made.0..=record.made.1).contains(at)).map(|_| record)
    }

    /// Keeps it for the VM of that name, in place of what was recorded of an earlier one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, vm: &str) -> io::Result<()> {
        home::folder("vms")?;
        Ok(publish_text(&self.text()?, &path(vm), Existing::Replace)?)
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
        let why = format!("the networks, ports and volumes have {} bytes as JSON, {LIMIT} at most", text.len());
        Err(io::Error::new(io::ErrorKind::InvalidData, why))
    }

    /// Forgets what is recorded of a VM of that name.
    pub fn forget(vm: &str) {
        let _ = publish::remove(&path(vm));
    }
}

fn path(vm: &str) -> PathBuf {
    home::path("vms").join(format!("{vm}.json"))
}
