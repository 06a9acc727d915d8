//! Recognizes a library without a marker, of 0.1.0 or after a power cut, by the names and contents of its files.

use super::names::{MARKER, TEMPORARY};
use crate::files;
use crate::publish::PRIVATE;
use serde_json::Value;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The most bytes that are read of a file.
const LIMIT: u64 = 1 << 20;

/// What a folder without a marker holds.
pub enum Contents {
    /// Nothing.
    Nothing,
    /// A library.
    Library,
    /// This file or folder, which bottle-freeze did not write.
    Foreign(PathBuf),
}

/// What is in `root`.
///
/// # Errors
/// It cannot be read.
pub fn contents(root: &Path) -> io::Result<Contents> {
    if let Some(path) = first_foreign(root, &in_root)? {
        return Ok(Contents::Foreign(path));
    }
    let is_ours = |entry: &fs::DirEntry| !is_from_system(&entry.file_name().to_string_lossy());
    let is_empty = !fs::read_dir(root)?.flatten().any(|entry| is_ours(&entry));
    Ok(if is_empty { Contents::Nothing } else { Contents::Library })
}

/// One entry of a folder.
struct Entry<'a> {
    path: &'a Path,
    name: &'a str,
    meta: &'a fs::Metadata,
}

/// The first file or folder that bottle-freeze did not write.
type Foreign = io::Result<Option<PathBuf>>;

impl Entry<'_> {
    fn is_file(&self) -> bool {
        self.meta.is_file()
    }

    fn is_folder(&self) -> bool {
        self.meta.is_dir()
    }

    /// A private folder, or a file that was not published.
    fn is_private(&self) -> bool {
        !self.meta.file_type().is_symlink()
            && (files::is_private_name(self.name.as_ref(), PRIVATE)
                || (self.is_file() && files::is_private_name(self.name.as_ref(), TEMPORARY)))
    }

    fn ends_in(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|ending| ending == extension)
    }

    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let _ = files::open_existing(self.path).and_then(|file| file.take(LIMIT).read_to_end(&mut text));
        text
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.text()).ok()
    }

    /// The path, unless this is `ours`.
    fn unless(&self, ours: bool) -> Option<PathBuf> {
        (!ours).then(|| self.path.to_owned())
    }
}

fn first_foreign(folder: &Path, foreign: &dyn Fn(&Entry) -> Foreign) -> Foreign {
    for entry in fs::read_dir(folder)? {
        let (entry, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let name = entry.to_string_lossy();
        if is_from_system(&name) {
            continue;
        }
        let meta = match fs::symlink_metadata(&path) {
            // Another run has removed it in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            meta => meta?,
        };
        let entry = Entry { path: &path, name: &name, meta: &meta };
        if !files::is_own(&meta) {
            return Ok(Some(path));
        }
        if let Some(path) = foreign(&entry)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The first entry of a folder that is not `ours`.
fn first_except(folder: &Path, ours: &dyn Fn(&Entry) -> bool) -> Foreign {
    first_foreign(folder, &|entry| Ok(entry.unless(ours(entry))))
}

/// Files that file systems and desktops put into folders.
fn is_from_system(name: &str) -> bool {
    ["lost+found", ".DS_Store"].contains(&name)
}

fn in_root(entry: &Entry) -> Foreign {
    match entry.name {
        MARKER => Ok(entry.unless(entry.is_file())),
        _ if entry.is_file() => Ok(entry.unless(entry.is_private())),
        _ if !entry.is_folder() => Ok(entry.unless(false)),
        "snapshots" => first_foreign(entry.path, &in_snapshots),
        "locks" => first_except(entry.path, &is_lock),
        "work" => first_except(entry.path, &|file| file.is_file() && is_work_entry(file.name.as_ref(), &file.text())),
        "vms" => first_except(entry.path, &is_record),
        "engines" => first_foreign(entry.path, &in_engines),
        "store" => first_foreign(entry.path, &in_store),
        _ => Ok(entry.unless(false)),
    }
}

fn in_snapshots(entry: &Entry) -> Foreign {
    if entry.is_private() {
        return Ok(None);
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !entry.is_folder() || !entry.name.bytes().all(is_name) {
        return Ok(entry.unless(false));
    }
    first_foreign(entry.path, &in_vm_folder)
}

fn in_vm_folder(entry: &Entry) -> Foreign {
    let is_id = entry.name.len() <= 64 && entry.name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if entry.is_private() {
        return Ok(None);
    }
    if !entry.is_folder() || !is_id {
        return Ok(entry.unless(false));
    }
    match first_foreign(entry.path, &in_snapshot) {
        // It cannot be read, and so is never removed.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        foreign => foreign,
    }
}

fn in_snapshot(entry: &Entry) -> Foreign {
    const FILES: [&str; 5] = ["vm.smolmachine", "vm.checkpoint", "index.json", "vm", "workspace.tar"];
    match entry.name {
        "snapshot.json" => {
            // A damaged file may hold anything, but valid JSON must have these keys.
            let is_ours = |json: Value| ["format", "id", "vm"].iter().all(|key| json.get(key).is_some());
            Ok(entry.unless(entry.json().is_none_or(is_ours)))
        }
        "objects" if entry.is_folder() => first_except(entry.path, &is_object),
        name => Ok(entry.unless(entry.is_private() || FILES.contains(&name))),
    }
}

fn in_store(entry: &Entry) -> Foreign {
    match entry.name {
        _ if !entry.is_folder() => Ok(entry.unless(entry.is_private() || entry.name == "sizes.json")),
        "objects" => first_except(entry.path, &is_object),
        "runtimes" => first_foreign(entry.path, &in_runtimes),
        _ => Ok(entry.unless(false)),
    }
}

fn in_runtimes(entry: &Entry) -> Foreign {
    if entry.is_folder() { first_foreign(entry.path, &in_runtime) } else { Ok(entry.unless(false)) }
}

fn in_runtime(entry: &Entry) -> Foreign {
    match entry.name {
        "objects" if entry.is_folder() => first_except(entry.path, &is_object),
        name => Ok(entry.unless(entry.is_private() || ["index.json", "record.json"].contains(&name))),
    }
}

fn is_object(entry: &Entry) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    entry.is_private() || (entry.is_file() && entry.name.len() == 64 && entry.name.bytes().all(is_digit))
}

fn is_lock(entry: &Entry) -> bool {
    entry.is_file() && entry.ends_in("lock") && is_introduction(&entry.text())
}

/// Whether this is the content of a lock file: nothing, or the line about its owner.
pub fn is_introduction(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let line = text.strip_suffix('\n').and_then(|text| text.strip_prefix("process "));
    text.is_empty()
        || line.is_some_and(|line| !line.contains('\n') && line.contains(" on ") && line.contains(", since "))
}

/// Whether a file with this name and text is an entry that 0.1.0 wrote into `work`: an absolute path.
pub fn is_work_entry(name: &std::ffi::OsStr, text: &[u8]) -> bool {
    files::is_private_name(name, TEMPORARY) && (text.is_empty() || (text.starts_with(b"/") && !text.contains(&b'\n')))
}

fn is_record(entry: &Entry) -> bool {
    let has_keys = |json: Value| ["made", "net", "ports"].iter().all(|key| json.get(key).is_some());
    let is_ours = |entry: &Entry| {
        entry.ends_in("smolmachine")
            || entry.ends_in("disks")
            || (entry.ends_in("json") && entry.json().is_some_and(has_keys))
    };
    entry.is_private() || (entry.is_file() && is_ours(entry))
}

fn in_engines(entry: &Entry) -> Foreign {
    if entry.name == "in-use" {
        return Ok(entry.unless(fs::read_link(entry.path).is_ok_and(|to| is_version(to.as_os_str().as_bytes()))));
    }
    if entry.is_folder() && is_version(entry.name.as_bytes()) {
        return first_except(entry.path, &|part| is_engine_part(part.name));
    }
    Ok(entry.unless(entry.is_private()))
}

fn is_version(name: &[u8]) -> bool {
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

/// Whether a file or folder with this name belongs to an installed engine.
pub fn is_engine_part(name: &str) -> bool {
    const PARTS: [&str; 5] = ["bin", "smolvm", "agent-rootfs", "overlay-template.ext4", "storage-template.ext4"];
    let is_library = name.contains(".so") || Path::new(name).extension().is_some_and(|ending| ending == "dylib");
    PARTS.contains(&name) || is_library
}
