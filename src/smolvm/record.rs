//! What the engine's database holds of a VM: more than any list reports.

use super::engine::Smolvm;
use super::machine::Name;
use rusqlite::{Connection, OpenFlags};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The database in the folder of the engine's state, in every engine from 1.4.0 on.
const DATABASE: &str = "server/smolvm.db";
/// How long to wait for a command of the engine that changes it.
const BUSY: Duration = Duration::from_secs(2);

/// What the engine recorded of a VM. A key that is missing means the same as null.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(Map<String, Value>);

impl Smolvm {
    /// What the engine recorded of the VM, if that can be read.
    pub fn record(&self, name: &Name) -> Option<Record> {
        Record::read(&self.state_folder(), name)
    }
}

impl Record {
    /// Reads the record in the database of that state folder, and changes nothing there.
    pub(super) fn read(state: &Path, name: &Name) -> Option<Self> {
        let database = fs::canonicalize(state.join(DATABASE)).ok()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags).ok()?;
        connection.busy_timeout(BUSY).ok()?;
        let query = "select cast(data as text) from vms where name = ?1";
        let data: String = connection.query_row(query, [name.as_str()], |row| row.get(0)).ok()?;
        Self::parse(&data)
    }

    /// Parses a record.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }

    /// The record as it is stored.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Its settings of one kind.
    pub(super) fn settings<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.0).map_err(|error| format!("what smolvm recorded of it is new to bottle-freeze: {error}"))
    }

    /// Its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of a key; null if it has none.
    pub(super) fn get(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Null)
    }
}
