//! What a killed `pack create` leaves behind: folders `pack-staging-XXXXXX` in the engine's cache, which no later pack removes
//! (or only after two minutes), and folders `.tmpXXXXXX` in `$TMPDIR` with only an `assets.tar.zst` or a `libs.tar.zst`, which
//! none removes.

use super::processes;
use crate::files;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use zstd::zstd_safe::MAGICNUMBER;

/// A folder that was changed more recently may be in use.
const FRESH: Duration = Duration::from_secs(60);
/// The files in the first kind of folder, beside copies of disks.
const STAGED: [&str; 2] = ["staging", ".in-use"];
const DISK_COPY: &str = "-flat.raw";
/// The only file in the second kind of folder is one of these, compressed with Zstandard.
const COMPRESSED: [&str; 2] = ["assets.tar.zst", "libs.tar.zst"];

/// A folder that an engine left behind, or works in.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// The folder.
    pub path: PathBuf,
    /// Bytes that it takes on the disk.
    pub bytes: u64,
    /// Whether nothing seems to use it, and it was not changed for a while.
    pub is_ownerless: bool,
}

/// All leftovers of this user.
pub fn leftovers() -> Vec<Leftover> {
    let [cache, temporary] = places();
    let staged = named(&cache, "pack-staging-").filter(|folder| holds_what_is_staged(folder));
    let compressed = named(&temporary, ".tmp").filter(|folder| holds_what_is_compressed(folder));
    staged
        .chain(compressed)
        .map(|path| Leftover { bytes: files::disk_usage(&path), is_ownerless: is_ownerless(&path), path })
        .collect()
}

fn places() -> [PathBuf; 2] {
    [dirs::cache_dir().unwrap_or_default().join("smolvm"), std::env::temp_dir()]
}

impl Leftover {
    /// Removes it, if still nothing uses it.
    ///
    /// # Errors
    /// It is in use, or cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        if is_ownerless(&self.path) { fs::remove_dir_all(&self.path) } else { Err(io::ErrorKind::ResourceBusy.into()) }
    }
}

/// The folders of this user in `folder`, not links, with a name of `prefix` and six letters or digits.
fn named(folder: &Path, prefix: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let fits = move |entry: &fs::DirEntry| {
        files::is_private_name(&entry.file_name(), prefix)
            && entry.metadata().is_ok_and(|meta| meta.is_dir() && files::is_own(&meta))
    };
    entries.filter(fits).map(|entry| entry.path())
}

fn holds_what_is_staged(folder: &Path) -> bool {
    let is_staged = |name: &String| STAGED.contains(&name.as_str()) || name.ends_with(DISK_COPY);
    names(folder).iter().all(is_staged)
}

fn holds_what_is_compressed(folder: &Path) -> bool {
    let names = names(folder);
    let [name] = names.as_slice() else { return false };
    let mut begin = Vec::new();
    let file = files::open_own(&folder.join(name)).ok().filter(|_| COMPRESSED.contains(&name.as_str()));
    let read = file.and_then(|file| file.take(4).read_to_end(&mut begin).ok());
    // The file may be empty: the engine may have been killed before it wrote.
    read.is_some() && MAGICNUMBER.to_le_bytes().starts_with(&begin)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn is_ownerless(folder: &Path) -> bool {
    let is_old = |at: SystemTime| at.elapsed().is_ok_and(|age| age >= FRESH);
    processes::CAN_SEE
        && newest_change(folder).is_ok_and(is_old)
        && !processes::pack_works_in(&places())
        && processes::processes_using(folder).is_empty()
}

/// When something in it was last changed.
fn newest_change(folder: &Path) -> io::Result<SystemTime> {
    let mut newest = fs::symlink_metadata(folder)?.modified()?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        newest = newest.max(if meta.is_dir() { newest_change(&entry.path())? } else { meta.modified()? });
    }
    Ok(newest)
}
