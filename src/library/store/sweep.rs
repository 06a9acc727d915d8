//! Removes objects that no snapshot has.

use super::digest::Digest;
use super::objects::{OBJECTS, Objects, is_one_file, remove_file};
use crate::files;
use crate::publish::PRIVATE;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zstd::zstd_safe::MAGICNUMBER;

/// Whether a file of this name in the folder of a snapshot's objects was written by bottle-freeze.
fn is_object_name(name: &str) -> bool {
    Digest::parse(name).is_some() || files::is_private_name(name.as_ref(), PRIVATE)
}

/// Removes the objects of a snapshot that was removed: those in its `folder`, which has a private name by now, and then
/// those of the store that no other snapshot has. The folder of the objects goes last, so that the next sweep knows of a
/// removal that was killed. Returns the bytes that this frees.
///
/// # Errors
/// The folder holds other files, or the system refuses.
pub fn remove_objects(folder: &Path) -> io::Result<u64> {
    remove_objects_in(Objects::existing()?.as_ref(), folder)
}

pub(super) fn remove_objects_in(store: Option<&Objects>, folder: &Path) -> io::Result<u64> {
    let folder = folder.join(OBJECTS);
    let mut freed = 0;
    // Listed before: what a folder returns while files are removed from it is not defined everywhere.
    for (path, name) in objects(&folder)? {
        let meta = match fs::symlink_metadata(&path) {
            // Another run removes them, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            meta => meta?,
        };
        remove_file(&path)?;
        if meta.nlink() == 1 {
            freed += meta.len();
        } else if let (Some(store), Some(name)) = (store, name) {
            freed += store.release(&name)?;
        }
    }
    match fs::remove_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(freed),
    }
}

/// Removes all objects of the store that no snapshot has, which killed runs left. Returns the bytes that this frees.
///
/// # Errors
/// The system refuses.
pub fn sweep() -> io::Result<u64> {
    Objects::existing()?.map_or(Ok(0), |store| sweep_in(&store))
}

pub(super) fn sweep_in(store: &Objects) -> io::Result<u64> {
    let mut freed = 0;
    for (path, name) in objects(store.folder())? {
        match name {
            Some(name) => freed += store.release(&name)?,
            // A second name of an object. A run that is using it makes another.
            None if is_of_object(&path) => remove_file(&path)?,
            None => {}
        }
    }
    Ok(freed)
}

/// Whether a file with a private name holds an object, or what a run that was killed or a power cut left of one.
fn is_of_object(path: &Path) -> bool {
    let Ok(mut file) = files::open_own(path) else { return false };
    let mut head = Vec::new();
    let is_read = file.by_ref().take(4).read_to_end(&mut head).is_ok();
    let is_frame = MAGICNUMBER.to_le_bytes().starts_with(&head);
    is_read && (is_frame || head == [0; 4] || file.metadata().is_ok_and(|meta| meta.nlink() > 1))
}

/// The names in the folder of a snapshot's objects of what bottle-freeze did not write.
///
/// # Errors
/// It cannot be read.
pub fn foreign(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, meta) = (entry.file_name(), entry.metadata()?);
        let is_known =
            |name: &str| Digest::parse(name).is_some() || (is_object_name(name) && is_of_object(&entry.path()));
        if !meta.is_file() || !files::is_own(&meta) || !name.to_str().is_some_and(is_known) {
            names.push(format!("{OBJECTS}/{}", name.to_string_lossy()));
        }
    }
    Ok(names)
}

/// An object in the folder of a snapshot.
pub struct Present {
    /// Its name.
    pub name: Digest,
    /// Bytes of its file.
    pub bytes: u64,
    /// Whether the file has no other name.
    pub is_own: bool,
}

/// The objects in the folder of a snapshot, whatever its index says. A link to another folder is not followed.
///
/// # Errors
/// The system refuses.
pub fn present(folder: &Path) -> io::Result<Vec<Present>> {
    let folder = folder.join(OBJECTS);
    if fs::symlink_metadata(&folder).is_ok_and(|meta| !meta.is_dir()) {
        return Ok(Vec::new());
    }
    let present = |(path, name): (PathBuf, Option<Digest>)| {
        let meta = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(Present { name: name?, bytes: meta.len(), is_own: meta.nlink() < 2 })
    };
    Ok(objects(&folder)?.into_iter().filter_map(present).collect())
}

/// The objects in the folder of a snapshot whose files have no other name, and their bytes: the file system has no hard links, or
/// the library was copied without them. Where the first has another name, none is looked for: there may be thousands.
pub fn own_objects(folder: &Path) -> HashMap<Digest, u64> {
    let first = fs::read_dir(folder.join(OBJECTS)).ok().and_then(|mut entries| entries.next()?.ok()?.metadata().ok());
    if first.is_none_or(|meta| meta.nlink() > 1) {
        return HashMap::new();
    }
    let all = present(folder).unwrap_or_default().into_iter();
    all.filter(|one| one.is_own).map(|one| (one.name, one.bytes)).collect()
}

/// Bytes of all objects of the store.
pub fn bytes() -> u64 {
    let folder = Objects::existing().ok().flatten().and_then(|store| fs::read_dir(store.folder()).ok());
    folder.into_iter().flatten().flatten().filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

/// The folder of the store, if it has objects that no snapshot has, and their bytes.
pub fn unowned() -> Option<(PathBuf, u64)> {
    let store = Objects::existing().ok()??;
    let metas = objects(store.folder()).ok()?.into_iter();
    let metas = metas.filter(|(path, name)| name.is_some() || is_of_object(path));
    let metas = metas.filter_map(|(path, name)| Some((name.is_some(), fs::symlink_metadata(path).ok()?)));
    // A second name of an object is left, too, but takes nothing.
    let bytes: Vec<u64> = metas
        .filter_map(|(is_object, meta)| match meta.nlink() {
            0 | 1 => Some(meta.blocks() * 512),
            _ => (!is_object).then_some(0),
        })
        .collect();
    (!bytes.is_empty()).then(|| (store.folder().to_owned(), bytes.into_iter().sum()))
}

/// Bytes of the objects in a private folder that only it and the store have.
pub fn unshared_bytes(folder: &Path) -> u64 {
    let Some(store) = Objects::existing().ok().flatten() else { return 0 };
    let objects = objects(&folder.join(OBJECTS)).unwrap_or_default();
    let bytes = |(path, name): (PathBuf, Option<Digest>)| {
        let meta = fs::symlink_metadata(&path).ok().filter(|meta| meta.nlink() == 2)?;
        is_one_file(&path, &store.path(&name?)).then_some(meta.blocks() * 512)
    };
    objects.into_iter().filter_map(bytes).sum()
}

/// The files in a folder that bottle-freeze wrote, and the names of the objects among them. Those without one come first.
fn objects(folder: &Path) -> io::Result<Vec<(PathBuf, Option<Digest>)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().filter(|name| is_object_name(name));
        if let (Some(name), false) = (name, entry.file_type()?.is_dir()) {
            all.push((entry.path(), Digest::parse(name)));
        }
    }
    // A second name, which a killed run left, would keep its object.
    all.sort_by_key(|(_, name)| name.is_some());
    Ok(all)
}
