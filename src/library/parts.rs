//! What runs put into their private folders, where nothing else says that such a folder is ours: 0.1.0 removed them in no
//! order and left their lock files empty, and what is left of a removed snapshot has its files and nothing else.

use super::staging::ALIVE;
use super::store::{CHECKPOINT, FILES};
use crate::files;
use crate::home;
use crate::publish::PRIVATE;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

/// Files.
const SINGLE: [&str; 12] = [
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
];
/// Folders of snapshots, and of an engine.
const SNAPSHOTS: [&str; 3] = ["new", "removed", "replaced"];
const ENGINE: &str = "engine";
/// Where the engine puts what it packs, and its temporary files.
const STAGING: &str = "pack-staging-";
/// What a live snapshot is made of.
const OF_CHECKPOINT: [&str; 2] = ["checkpoint.json", "objects"];

/// Whether a folder holds such things and nothing else.
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
        return SINGLE.contains(&name) || is_of_a_snapshot(name, entry);
    }
    let path = entry.path();
    let is_temporary = [STAGING, home::TEMPORARY].iter().any(|prefix| files::is_private_name(name.as_ref(), prefix));
    let is_checkpoint = Path::new(name).extension() == Path::new(CHECKPOINT).extension();
    is_temporary
        || is_of_a_snapshot(name, entry)
        || (SNAPSHOTS.contains(&name) && all(&path, is_of_a_snapshot))
        || (name == ENGINE && all(&path, |name, _| home::is_engine_part(name)))
        || (is_checkpoint && all(&path, |name, _| OF_CHECKPOINT.contains(&name)))
}

/// A file of a snapshot. A folder in its place is ours only when it is empty.
fn is_of_a_snapshot(name: &str, entry: &DirEntry) -> bool {
    let is_known = FILES.contains(&name) || files::is_private_name(name.as_ref(), PRIVATE);
    is_known && (!is_folder(entry) || fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_none()))
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}
