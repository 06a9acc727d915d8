//! Recognizes a private folder by the names of its contents, if its lock file does not: 0.1.0 left the lock files empty,
//! and the rest of a removed snapshot has none.

use super::layout::{FILES, INDEX, OBJECTS, RECORD};
use super::staging::ALIVE;
use super::store;
use crate::publish::PRIVATE;
use crate::{files, home};
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

/// Files that a run creates.
const RUN_FILES: [&str; 13] = [
    ALIVE,
    "snapshot",
    "snapshot.smolmachine",
    "closed.smolfile",
    "old-launcher",
    "replaced",
    "export",
    "file",
    "page",
    "wheel",
    "in-use",
    "live.checkpoint",
    "live.smolcheckpoint",
];
/// Folders with the files of a snapshot, and of an engine.
const SNAPSHOT_FOLDERS: [&str; 3] = ["new", "removed", "replaced"];
const ENGINE: &str = "engine";
/// The prefix of the folder in which the engine packs.
const STAGING: &str = "pack-staging-";
/// The folders that the engine writes of a running VM: the checkpoint and its store.
const CHECKPOINT_PARTS: [(&str, &[&str]); 2] = [
    ("live.smolcheckpoint", &["checkpoint.json", "objects", "generations", ".capture-owner"]),
    ("store", &["objects", "staging", "lineage", ".lock"]),
];

/// Whether a folder holds only such files and folders.
pub fn are_all(folder: &Path) -> bool {
    all(folder, is_part)
}

fn all(folder: &Path, is: impl Fn(&str, &DirEntry) -> bool) -> bool {
    let check = || {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let is_ours =
                files::is_own(&entry.metadata()?) && entry.file_name().to_str().is_some_and(|name| is(name, &entry));
            if !is_ours {
                return Ok(false);
            }
        }
        io::Result::Ok(true)
    };
    check().unwrap_or(false)
}

fn is_part(name: &str, entry: &DirEntry) -> bool {
    if !is_folder(entry) {
        return RUN_FILES.contains(&name) || is_snapshot_file(name, entry);
    }
    let path = entry.path();
    let is_temporary = [STAGING, home::TEMPORARY].iter().any(|prefix| files::is_private_name(name.as_ref(), prefix));
    is_temporary
        || is_snapshot_file(name, entry)
        || (SNAPSHOT_FOLDERS.contains(&name) && all(&path, is_snapshot_file))
        || (name == ENGINE && all(&path, |name, _| home::is_engine_part(name)))
        || CHECKPOINT_PARTS.iter().any(|(folder, parts)| name == *folder && all(&path, |name, _| parts.contains(&name)))
}

/// A file of a snapshot, or an empty folder with its name; the folder of its objects.
fn is_snapshot_file(name: &str, entry: &DirEntry) -> bool {
    if name == OBJECTS && is_folder(entry) {
        return store::foreign(&entry.path()).is_ok_and(|names| names.is_empty());
    }
    let is_known =
        FILES.contains(&name) || [INDEX, RECORD].contains(&name) || files::is_private_name(name.as_ref(), PRIVATE);
    is_known && (!is_folder(entry) || fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_none()))
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}
