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
    /// Reads the record in the database of that state folder. Nothing there is changed or created.
    pub fn read(state: &Path, name: &Name) -> Option<Self> {
        let database = fs::canonicalize(state.join(DATABASE)).ok()?;
        let path = database.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        // SQLite reads a log through a file of its own, which it creates if it is missing. Without a log it needs none.
        let has_log = || fs::metadata(database.with_extension("db-wal")).is_ok_and(|log| log.len() > 0);
        let before = has_log();
        let how = if before { "readonly_shm=1" } else { "immutable=1" };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(format!("file:{path}?{how}"), flags).ok()?;
        connection.busy_timeout(BUSY).ok()?;
        let query = "select cast(data as text) from vms where name = ?1";
        let data: String = connection.query_row(query, [name.as_str()], |row| row.get(0)).ok()?;
        // If a command of the engine began meanwhile, what was read may be torn.
        if has_log() == before { Self::parse(&data) } else { None }
    }

    /// Parses a record.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }

    /// The record as it is stored.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Whether the VM was made from an artifact. If it has an image, that lies in it: a live snapshot names the artifact, and
    /// does not hold it (`packed_layers` in its manifest, from 1.18.2 on).
    pub fn is_of_artifact(&self) -> bool {
        self.get("source_smolmachine").is_string()
    }

    /// Its settings of one kind.
    pub(super) fn settings<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.0).map_err(|error| format!("bottle-freeze does not know its settings: {error}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    /// The engine's way: it leaves its log behind.
    fn database(folder: &Path) -> Connection {
        fs::create_dir_all(folder.join("server")).unwrap();
        let database = Connection::open(folder.join(DATABASE)).unwrap();
        let schema =
            "pragma journal_mode = wal; create table vms (name text primary key not null, data blob not null);";
        database.execute_batch(schema).unwrap();
        let row = "insert into vms values ('dev', cast('{\"name\":\"dev\",\"cpus\":2}' as blob)), ('odd', x'ff00')";
        database.execute_batch(row).unwrap();
        database
    }

    fn files(folder: &Path) -> BTreeMap<String, (SystemTime, Vec<u8>)> {
        let entries = fs::read_dir(folder.join("server")).unwrap().map(Result::unwrap);
        let file = |entry: fs::DirEntry| {
            let modified = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), (modified, fs::read(entry.path()).unwrap()))
        };
        entries.map(file).collect()
    }

    #[test]
    fn a_record_is_read_with_or_without_a_log_and_nothing_is_changed() {
        let (name, folder) = ("dev".parse().unwrap(), tempfile::tempdir().unwrap());
        let folder = folder.path().join("a?b#c%d");
        let open = database(&folder);
        // As an engine leaves it that was killed. (Connections of one process share what they know of the log.)
        let left_behind = files(&folder);
        drop(open);
        let read_unchanged = |count: usize| {
            let (before, record) = (files(&folder), Record::read(&folder, &name));
            assert_eq!(files(&folder), before);
            assert_eq!(before.len(), count);
            record
        };
        let expected = Record::parse(r#"{"name":"dev","cpus":2}"#);
        assert_eq!(read_unchanged(1), expected);
        for (file, (_, bytes)) in left_behind {
            fs::write(folder.join("server").join(file), bytes).unwrap();
        }
        assert_eq!(read_unchanged(3), expected);
        fs::remove_file(folder.join("server/smolvm.db-shm")).unwrap();
        assert_eq!(read_unchanged(2), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_record() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| Record::read(folder.path(), &name.parse().unwrap());
        assert_eq!(read("dev"), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let open = database(folder.path());
        assert_eq!(read("odd"), None);
        assert_eq!(read("missing"), None);
        open.execute_batch("drop table vms").unwrap();
        assert_eq!(read("dev"), None);
        drop(open);
        fs::write(folder.path().join(DATABASE), "no database").unwrap();
        assert_eq!(read("dev"), None);
    }
}
