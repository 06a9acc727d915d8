//! The runtime members of artifacts, once for each engine: so that a VM can be frozen from its disks.

use super::error::StoreError;
use super::index::Index;
use super::objects::{OBJECTS, Objects};
use super::sweep;
use crate::library::hash::FileHash;
use crate::library::layout::{INDEX, RECORD, new_id};
use crate::publish::{self, Existing, PRIVATE, publish_text};
use crate::{files, home};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::cmp::Reverse;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The folder of all runtimes, in the library.
pub const RUNTIMES: &str = "store/runtimes";
/// The most bytes of that file.
const LIMIT: u64 = 4 << 20;
/// How many are kept: of the engine in use, and of the one before.
const KEPT: usize = 2;

/// An artifact of an engine, as a pattern for others.
#[derive(Debug)]
pub struct Runtime {
    /// Its folder, with its objects.
    pub folder: PathBuf,
    /// Its members, and its manifest.
    pub index: Index,
    /// What the engine says of the VM in it.
    pub record: Box<RawValue>,
}

/// `record.json`.
#[derive(Serialize, Deserialize)]
struct Record {
    index: FileHash,
    record: Box<RawValue>,
}

impl Runtime {
    /// The runtime with this key; nothing if there is none, or it is damaged.
    pub fn find(key: &str) -> Option<Self> {
        Self::find_in(&home::existing(RUNTIMES).ok()??, key)
    }

    /// Keeps the private folder `from`, with an index and its objects, as the runtime with this key, unless there is one that
    /// can be used. Removes old ones.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(key: &str, from: &Path, index: FileHash, record: Box<RawValue>) -> Result<(), StoreError> {
        let all = home::folder(RUNTIMES).map_err(StoreError::closed(RUNTIMES))?;
        let store = Objects::create()?;
        Self::add_in(&all, &store, key, from, &Record { index, record }).map_err(StoreError::not_writable(&all))
    }

    /// Its key.
    pub fn key(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Removes it, because it cannot be used: the next freeze makes it again.
    pub fn remove(&self) {
        if let Ok(Some(store)) = Objects::existing() {
            let _ = remove(&store, &self.folder);
        }
    }

    fn find_in(all: &Path, key: &str) -> Option<Self> {
        let folder = all.join(plain(key)?);
        let Record { index, record } = read_record(&folder)?;
        Some(Self { index: Index::read(&folder, &index).ok()?, folder, record })
    }

    fn add_in(all: &Path, store: &Objects, key: &str, from: &Path, record: &Record) -> io::Result<()> {
        let key = plain(key).ok_or(io::ErrorKind::InvalidInput)?;
        publish_text(&serde_json::to_vec(record)?, &from.join(RECORD), Existing::Replace)?;
        publish::flush_alone(from)?;
        let folder = all.join(key);
        if !move_to(from, &folder)? && Self::find_in(all, key).is_none() {
            // It is damaged, or of another version of bottle-freeze.
            if !is_written_by_us(&folder)? {
                let what = format!("{} has files that bottle-freeze did not write", folder.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
            }
            remove(store, &folder)?;
            move_to(from, &folder)?;
        }
        publish::flush_alone(all)?;
        remove_old(store, all)
    }
}

/// Moves a folder, unless there is one: another run was quicker then.
fn move_to(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        // XFS returns the second.
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
            Ok(false)
        }
        renamed => renamed.map(|()| true),
    }
}

/// The folders of all, and what is recorded of their indexes.
pub fn runtime_indexes() -> Vec<(PathBuf, FileHash)> {
    let all = home::existing(RUNTIMES).ok().flatten().and_then(|all| fs::read_dir(all).ok());
    let entries = all.into_iter().flatten().flatten();
    let folders =
        entries.filter(|entry| entry.file_name().to_str().and_then(plain).is_some()).map(|entry| entry.path());
    folders.filter_map(|folder| read_record(&folder).map(|record| (folder, record.index))).collect()
}

fn read_record(folder: &Path) -> Option<Record> {
    let mut text = Vec::new();
    files::open_existing(&folder.join(RECORD)).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whether a key can be the name of a folder.
fn plain(key: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    Some(key).filter(|key| !key.is_empty() && key.len() < 100 && key.bytes().all(is_plain))
}

/// Removes all but the newest.
fn remove_old(store: &Objects, all: &Path) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        let (name, meta) = (entry.file_name(), entry.metadata()?);
        let is_plain = name.to_str().and_then(plain).is_some();
        if meta.is_dir() && files::is_own(&meta) && is_plain && is_written_by_us(&entry.path())? {
            kept.push((Reverse(meta.modified()?), entry.path()));
        }
    }
    kept.sort();
    kept.iter().skip(KEPT).try_for_each(|(_, path)| remove(store, path))
}

/// Whether a folder has the files of a runtime, and no others.
fn is_written_by_us(folder: &Path) -> io::Result<bool> {
    let mut names = 0;
    for entry in fs::read_dir(folder)? {
        let (path, name, meta) = entry.and_then(|entry| Ok((entry.path(), entry.file_name(), entry.metadata()?)))?;
        let is_known = match name.to_str() {
            Some(OBJECTS) => meta.is_dir() && sweep::foreign(&path)?.is_empty(),
            Some(INDEX | RECORD) => meta.is_file(),
            _ => false,
        };
        if !is_known || !files::is_own(&meta) {
            return Ok(false);
        }
        names += 1;
    }
    Ok(names > 0)
}

/// Hides it in one step. If the run is killed then, the next one sweeps the rest. Another run may do the same at the same time.
fn remove(store: &Objects, folder: &Path) -> io::Result<()> {
    let removed = folder.with_file_name(format!("{PRIVATE}{:.6}", new_id()));
    let remove = || {
        // Locked, so that no other run takes it for a leftover.
        let lock = fs::File::open(folder)?;
        let _ = files::try_lock(&lock, false);
        fs::rename(folder, &removed)?;
        sweep::remove_objects_in(Some(store), &removed)?;
        fs::remove_dir_all(&removed)
    };
    match remove() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::store::Writer;
    use crate::library::store::index::Entry;
    use crate::signals::Signals;
    use crate::smolvm::artifact::{Member, MemberKind, Part};
    use std::time::{Duration, SystemTime};

    /// A library without snapshots.
    struct Library(tempfile::TempDir);

    impl Library {
        fn new() -> Self {
            let library = Self(tempfile::tempdir().unwrap());
            fs::create_dir(library.folder("store")).unwrap();
            fs::create_dir(library.folder("runtimes")).unwrap();
            library
        }

        fn folder(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn add(&self, key: &str, content: &[u8]) -> io::Result<()> {
            let (from, store) = (self.folder("new"), Objects::at(self.folder("store")));
            let size = content.len() as u64;
            let kind = MemberKind::File;
            let member = Member { path: "agent-rootfs.tar".into(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, size };
            let written = Writer::run_in(store.clone(), &from, &Signals::default(), |feed| {
                feed.part(Part::Member(&member)).and_then(|()| feed.part(Part::Data(content)))
            });
            let (members, ..): (Vec<Entry>, _, _) = written.unwrap();
            let index = Index::new("{}".into(), members).unwrap().write(&from).unwrap();
            let record = RawValue::from_string(format!("{key:?}")).unwrap();
            Runtime::add_in(&self.folder("runtimes"), &store, key, &from, &Record { index, record })
        }

        fn find(&self, key: &str) -> Option<Runtime> {
            Runtime::find_in(&self.folder("runtimes"), key)
        }

        /// Makes it older than it is.
        fn age(&self, key: &str) {
            let then = SystemTime::now() - Duration::from_secs(100);
            fs::File::open(self.folder("runtimes").join(key)).unwrap().set_modified(then).unwrap();
        }
    }

    #[test]
    fn the_two_newest_are_kept_and_what_only_the_others_had_is_removed() {
        let library = Library::new();
        library.add("a", b"a").unwrap();
        library.add("b", b"b").unwrap();
        library.age("a");
        library.add("c", b"c").unwrap();
        assert!(library.find("a").is_none());
        assert_eq!(library.find("b").unwrap().record.get(), "\"b\"");
        assert_eq!(library.find("c").unwrap().index.members.len(), 1);
        assert_eq!(fs::read_dir(library.folder("store")).unwrap().count(), 2);
        assert_eq!(fs::read_dir(library.folder("runtimes")).unwrap().count(), 2);
    }

    #[test]
    fn one_that_another_run_added_stays() {
        let library = Library::new();
        library.add("a", b"first").unwrap();
        library.add("a", b"second").unwrap();
        assert_eq!(library.find("a").unwrap().index.members[0].member.size, 5);
    }

    #[test]
    fn one_that_is_damaged_or_leads_elsewhere_is_not_found() {
        let library = Library::new();
        library.add("a", b"first").unwrap();
        fs::write(library.folder("runtimes/a/index.json"), "{}").unwrap();
        assert!(library.find("a").is_none());
        for key in ["", "..", "a/b", ".a"] {
            assert!(library.find(key).is_none() && library.add(key, b"x").is_err());
            fs::remove_dir_all(library.folder("new")).unwrap();
        }
    }

    #[test]
    fn one_that_cannot_be_used_is_replaced() {
        let library = Library::new();
        for file in ["index.json", "record.json"] {
            library.add("a", b"first").unwrap();
            fs::write(library.folder("runtimes/a").join(file), "{}").unwrap();
            library.add("a", b"second").unwrap();
            assert_eq!(library.find("a").unwrap().index.members[0].member.size, 6, "{file}");
            fs::remove_dir_all(library.folder("runtimes/a")).unwrap();
        }
    }
}
