//! What may have been meant by a SNAPSHOT that was not found, or is none.

use crate::encryption;
use crate::error::{Failure, Result, Status};
use crate::library::{Tag, catalog, layout, store};
use crate::nearest::nearest;
use crate::quoted::quoted;
use crate::smolvm::artifact::{self, ArtifactError};
use crate::smolvm::{Name, Reference};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where a tar has the word `ustar`.
const TAR_MAGIC: Range<usize> = 257..262;

/// The command that imports an exported snapshot, if this is the name of one.
pub fn import(text: &OsStr) -> Option<String> {
    let text = text.to_string_lossy();
    let file = quoted(&text);
    match () {
        () if text.ends_with(".tar") => Some(format!("bottle-freeze snapshot import {file}")),
        () if text.ends_with(".age") => Some(format!("bottle-freeze snapshot import {file} --identity KEY_FILE")),
        () if text.ends_with(".tar.zst") => Some(format!("zstd -dc {file} | bottle-freeze snapshot import -")),
        () if text.ends_with(".tar.gz") || text.ends_with(".tgz") => {
            Some(format!("gzip -dc {file} | bottle-freeze snapshot import -"))
        }
        () => None,
    }
}

/// Refuses what is no artifact, and not damaged: an exported snapshot, and a folder.
///
/// # Errors
/// It is one of them.
pub fn check_file(path: &Path) -> Result<()> {
    let refused = |is: &str| Failure::new(Status::NotFound, format!("{} is {is}", path.display()));
    if path.is_dir() {
        let hint = "name a .smolmachine file, or a snapshot in the library (`bottle-freeze snapshot ls` lists them)";
        return Err(with_hint_at_file(path, refused("a folder, not a snapshot").hint(hint)));
    }
    check_exported(path)
}

/// Refuses an exported snapshot, whose files are read when it is in the library.
///
/// # Errors
/// It is one.
pub fn check_exported(path: &Path) -> Result<()> {
    let Some(import) = exported(path) else { return Ok(()) };
    let what = format!("{} is an exported snapshot, not a .smolmachine file", path.display());
    Err(Failure::new(Status::NotFound, what).hint(format!("an exported snapshot is imported first: {import}")))
}

/// The command that imports the file, if its first bytes or its name are those of an exported snapshot.
pub fn exported(path: &Path) -> Option<String> {
    // Opening a FIFO waits for a writer.
    let file = path.is_file().then(|| File::open(path).ok()).flatten()?;
    let mut start = Vec::new();
    file.take(TAR_MAGIC.end as u64).read_to_end(&mut start).ok()?;
    let command = format!("bottle-freeze snapshot import {}", quoted(&path.to_string_lossy()));
    let import = match start.get(TAR_MAGIC) {
        Some(b"ustar") => Some(command),
        _ if encryption::is_encrypted(&start) => Some(format!("{command} --identity KEY_FILE")),
        _ => import(path.as_os_str()),
    };
    import.filter(|_| matches!(artifact::details(path), Err(ArtifactError::NotArtifact(_))))
}

/// Adds a hint to the failure if `path` is the folder of a checkpoint, or a launcher with an artifact beside it.
pub fn with_hint_at_file(path: &Path, failure: Failure) -> Failure {
    if path.join(store::CHECKPOINT_INDEX).is_file() {
        let import = format!("bottle-freeze snapshot import {}", quoted(&path.to_string_lossy()));
        return failure.hint(format!("import it into the library first: {import}"));
    }
    if let Some(reference) = in_registry(path) {
        return failure.hint(format!("if it is in a registry, pull it first: bottle-freeze snapshot pull {reference}"));
    }
    let mut sidecar = path.as_os_str().to_owned();
    sidecar.push(".smolmachine");
    let sidecar = PathBuf::from(sidecar);
    if sidecar.is_file() { failure.hint(format!("did you mean {}?", sidecar.display())) } else { failure }
}

/// The name in a registry that a missing file may be: one with a host, but no path of this machine.
fn in_registry(path: &Path) -> Option<Reference> {
    let text = path.to_str().filter(|text| !text.starts_with(['.', '/']) && !path.exists())?;
    let (host, _) = text.split_once('/')?;
    text.parse().ok().filter(|_| host.contains(['.', ':']))
}

/// An existing file with that name, in the form that names a file on a command line.
pub fn similar_file(text: &OsStr) -> Option<String> {
    let to_path = |suffix: &str| {
        let mut path = OsString::from("./");
        path.push(text);
        path.push(suffix);
        path
    };
    let all = layout::SUFFIXES.into_iter().chain([""]).map(to_path);
    let mut files = all.filter(|path| !text.is_empty() && Path::new(path).is_file());
    files.next().map(|path| quoted(&path.to_string_lossy()))
}

/// A name that may have been meant: with an `@` for a `:`, or a similar one.
pub fn similar(reference: &str) -> Option<String> {
    let with_at = reference.replacen(':', "@", 1);
    if with_at != reference && catalog::find(&with_at).is_ok() { Some(with_at) } else { nearest_stored(&with_at) }
}

/// A snapshot with a similar name: that of its VM, or its tag.
fn nearest_stored(reference: &str) -> Option<String> {
    let (all, _) = catalog::list(None).ok()?;
    let vms = || all.iter().map(|one| one.metadata.vm.as_str()).filter(|vm| vm.parse::<Name>().is_ok());
    let Some((vm, tag)) = reference.split_once('@') else { return nearest(reference, vms()).map(str::to_owned) };
    let vm = nearest(vm, vms())?;
    let tags = || all.iter().filter(|one| one.metadata.vm == vm).flat_map(|one| &one.metadata.tags).map(Tag::as_str);
    Some(nearest(tag, tags()).map_or_else(|| vm.to_owned(), |tag| format!("{vm}@{tag}")))
}
