//! The runtime members of artifacts, once for each engine: so that a VM can be frozen from its disks.

use super::error::StoreError;
use super::index::Index;
use super::sweep;
use crate::library::hash::FileHash;
use crate::library::layout::new_id;
use crate::publish::{self, Existing, publish_text};
use crate::{files, home};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::cmp::Reverse;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The folder of all runtimes, in the library.
const RUNTIMES: &str = "store/runtimes";
/// The file beside the index.
const RECORD: &str = "record.json";
/// The most bytes of that file.
const LIMIT: u64 = 4 << 20;
/// How many are kept: of the engine in use, and of the one before.
const KEPT: usize = 2;
/// The prefix of one that is being removed.
const REMOVED: &str = ".removed-";

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
        let folder = home::existing(RUNTIMES).ok()??.join(plain(key)?);
        let mut text = Vec::new();
        files::open_existing(&folder.join(RECORD)).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
        let Record { index, record } = serde_json::from_slice(&text).ok()?;
        Some(Self { index: Index::read(&folder, &index).ok()?, folder, record })
    }

    /// Keeps the private folder `from`, with an index and its objects, as the runtime with this key, unless there is one.
    /// Removes old ones.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(key: &str, from: &Path, index: FileHash, record: Box<RawValue>) -> Result<(), StoreError> {
        let all = home::folder(RUNTIMES).map_err(StoreError::closed(RUNTIMES))?;
        let not_writable = StoreError::not_writable(&all);
        let key = plain(key).ok_or_else(|| not_writable(io::ErrorKind::InvalidInput.into()))?;
        let write = || {
            let text = serde_json::to_vec(&Record { index, record })?;
            publish_text(&text, &from.join(RECORD), Existing::Replace)?;
            publish::flush_alone(from)?;
            match fs::rename(from, all.join(key)) {
                // Another run was quicker.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
                renamed => renamed,
            }
        };
        write().and_then(|()| publish::flush_alone(&all)).map_err(&not_writable)?;
        remove_old(&all).map_err(&not_writable)
    }

    /// Removes it: it is damaged, or another engine has its key.
    ///
    /// # Errors
    /// The system refuses.
    pub fn remove(key: &str) -> io::Result<()> {
        match (home::existing(RUNTIMES)?, plain(key)) {
            (Some(all), Some(key)) => remove(&all.join(key)),
            _ => Ok(()),
        }
    }
}

/// Whether a key can be the name of a folder.
fn plain(key: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    Some(key).filter(|key| !key.is_empty() && key.len() < 100 && key.bytes().all(is_plain))
}

/// Removes all but the newest, and those whose removal was killed.
fn remove_old(all: &Path) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        let (name, meta) = (entry.file_name(), entry.metadata()?);
        let Some(name) = name.to_str().filter(|_| meta.is_dir() && files::is_own(&meta)) else { continue };
        if name.starts_with(REMOVED) {
            clear(&entry.path())?;
        } else if plain(name).is_some() {
            kept.push((Reverse(meta.modified()?), entry.path()));
        }
    }
    kept.sort();
    kept.iter().skip(KEPT).try_for_each(|(_, path)| remove(path))
}

fn remove(folder: &Path) -> io::Result<()> {
    let removed = folder.with_file_name(format!("{REMOVED}{}", new_id()));
    match fs::rename(folder, &removed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.and_then(|()| clear(&removed)),
    }
}

/// Another run may do the same at the same time.
fn clear(folder: &Path) -> io::Result<()> {
    sweep::remove_objects(folder)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
