//! What may be replaced: a regular file, or the one that a symbolic link leads to, and nothing else. Looked at before
//! anything is stopped for it, and once more when it is replaced.

use super::{Existing, PublishError, Result, parent};
use crate::home::Home;
use rustix::fs::{Access, access};
use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How many symbolic links a path may lead through, as for the kernel.
const LINKS: usize = 40;

/// The file that is meant by `path`: where it is a symbolic link to a regular file, that file. The link stays a link.
pub fn meant(path: &Path) -> PathBuf {
    let target = if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) { follow(path) } else { None };
    target.filter(|target| is_regular(target)).unwrap_or_else(|| path.to_owned())
}

/// Link by link, because `/dev/stdout` and all else in `/proc` leads to files that it does not mean.
fn follow(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder = fs::canonicalize(parent(&path)).ok().filter(|folder| !holds_descriptors(folder))?;
        path = folder.join(path.file_name()?);
        let Ok(next) = fs::read_link(&path) else { return Some(path) };
        path = folder.join(next);
    }
    None
}

fn holds_descriptors(folder: &Path) -> bool {
    folder.starts_with("/proc") || folder.starts_with("/dev/fd")
}

fn is_regular(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Whether a file can be published as `path`, as far as can be seen now. `path` is a [`meant`] one.
///
/// # Errors
/// Something is there that stays, or the folder takes nothing.
pub fn preflight(path: &Path, existing: Existing) -> Result<()> {
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(PublishError::IsFolder(path.to_owned()));
    }
    if is_in_library(path) {
        return Err(PublishError::InLibrary(path.to_owned()));
    }
    let not_writable = PublishError::not_writable(path);
    let there = match fs::symlink_metadata(path) {
        Ok(meta) => Some(meta),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(not_writable(error)),
    };
    if let Some(meta) = &there {
        may_be_replaced(path, meta.file_type(), existing)?;
    }
    let folder = File::open(parent(path)).and_then(|folder| folder.metadata()).map_err(not_writable)?;
    let why =
        flaw::of_folder(parent(path)).or_else(|| there.and_then(|meta| why_not_replaceable(path, &meta, &folder)));
    why.map_or(Ok(()), |why| Err(PublishError::Irreplaceable { path: path.to_owned(), why }))
}

/// What lies in the library is written by what knows it: anything else would damage a snapshot, or keep it from being
/// removed.
fn is_in_library(path: &Path) -> bool {
    let root = Home::open().ok().and_then(|home| fs::canonicalize(home.root()).ok());
    let folder = fs::canonicalize(parent(path)).ok();
    root.is_some_and(|root| folder.is_some_and(|folder| folder.starts_with(root)))
}

/// Whether the files in a folder can be removed, as far as can be seen now.
///
/// # Errors
/// Why not.
pub fn may_be_emptied(folder: &Path) -> io::Result<()> {
    access(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(why) = flaw::of_file(&path) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{name}: {why}")));
        }
    }
    flaw::of_folder(folder).map_or(Ok(()), |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why)))
}

/// Whether what is there, of this kind, may be replaced by a regular file.
pub(super) fn may_be_replaced(path: &Path, there: FileType, existing: Existing) -> Result<()> {
    if there.is_dir() {
        return Err(PublishError::IsFolder(path.to_owned()));
    }
    let is_of_the_kernel = fs::canonicalize(parent(path)).is_ok_and(|folder| holds_descriptors(&folder));
    if !there.is_file() || is_of_the_kernel {
        return Err(PublishError::NotRegular { path: path.to_owned(), what: kind(there) });
    }
    match existing {
        Existing::Keep => Err(PublishError::Exists(path.to_owned())),
        Existing::Replace => Ok(()),
    }
}

fn kind(there: FileType) -> &'static str {
    if there.is_symlink() {
        "a symlink that does not lead to a regular file"
    } else if there.is_fifo() {
        "a fifo, not a regular file"
    } else if there.is_socket() {
        "a socket, not a regular file"
    } else if there.is_char_device() || there.is_block_device() {
        "a device, not a regular file"
    } else {
        "an open file of a process, not a regular file"
    }
}

/// Why the system would refuse to replace a file that may be replaced.
fn why_not_replaceable(path: &Path, there: &Metadata, folder: &Metadata) -> Option<&'static str> {
    let me = rustix::process::geteuid().as_raw();
    let is_sticky = folder.mode() & 0o1000 != 0;
    if is_sticky && there.uid() != me && folder.uid() != me && !owns(path) {
        return Some("it belongs to another user, and its folder is sticky");
    }
    flaw::of_file(path)
}

/// Whether the system takes this process for the owner of a file, which is not only a question of its user.
#[cfg(target_os = "linux")]
fn owns(path: &Path) -> bool {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    // Only an owner may leave the time of the last access as it is.
    let flags = OFlags::RDONLY | OFlags::NOATIME | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn owns(_path: &Path) -> bool {
    rustix::process::geteuid().is_root()
}

/// Attributes that keep even an owner from replacing a file.
#[cfg(target_os = "linux")]
mod flaw {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    use std::path::Path;

    pub fn of_file(path: &Path) -> Option<&'static str> {
        let attributes = attributes(path, AtFlags::SYMLINK_NOFOLLOW);
        let flaws = [
            (StatxAttributes::IMMUTABLE, "it is immutable (chattr -i changes that)"),
            (StatxAttributes::APPEND, "it is append-only (chattr -a changes that)"),
            (StatxAttributes::MOUNT_ROOT, "something is mounted there"),
        ];
        flaws.into_iter().find(|(flaw, _)| attributes.contains(*flaw)).map(|(_, why)| why)
    }

    pub fn of_folder(path: &Path) -> Option<&'static str> {
        let attributes = attributes(path, AtFlags::empty());
        let flaws = [
            (StatxAttributes::IMMUTABLE, "its folder is immutable (chattr -i changes that)"),
            (StatxAttributes::APPEND, "its folder is append-only (chattr -a changes that)"),
        ];
        flaws.into_iter().find(|(flaw, _)| attributes.contains(*flaw)).map(|(_, why)| why)
    }

    fn attributes(path: &Path, flags: AtFlags) -> StatxAttributes {
        let answer = statx(CWD, path, flags, StatxFlags::empty());
        answer.map_or(StatxAttributes::empty(), |answer| answer.stx_attributes)
    }
}

/// The same on macOS: `chflags`.
#[cfg(target_os = "macos")]
mod flaw {
    use std::os::macos::fs::MetadataExt;
    use std::path::Path;

    pub fn of_file(path: &Path) -> Option<&'static str> {
        has(path, libc::UF_IMMUTABLE | libc::SF_IMMUTABLE | libc::UF_APPEND | libc::SF_APPEND)
            .then_some("it is immutable or append-only (chflags nouchg,nouappnd changes that)")
    }

    pub fn of_folder(path: &Path) -> Option<&'static str> {
        has(path, libc::UF_APPEND | libc::SF_APPEND)
            .then_some("its folder is append-only (chflags nouappnd changes that)")
    }

    fn has(path: &Path, flags: u32) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|meta| meta.st_flags() & flags != 0)
    }
}
