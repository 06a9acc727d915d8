//! What may be replaced: only a regular file, or the one that a symbolic link leads to. Checked before a VM is stopped,
//! and again when the file is replaced.

use super::error::{Existing, PublishError, Result};
use rustix::fs::{Access, access};
use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How many symbolic links a path may lead through: the limit of the kernel.
const LINKS: usize = 40;

/// The folder of `path`.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

/// The file to write for `path`: the target, if `path` is a symbolic link to a regular file. The link stays a link.
pub fn resolve_link(path: &Path) -> PathBuf {
    let target = if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) { follow(path) } else { None };
    target
        .filter(|target| fs::symlink_metadata(target).is_ok_and(|meta| meta.is_file()))
        .unwrap_or_else(|| path.to_owned())
}

/// Follows one link at a time, because `/dev/stdout` and other links into `/proc` must not be resolved.
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

/// Checks that a file can be published as `path`, which comes from [`resolve_link`]. `library` is a folder in which only
/// bottle-freeze itself may write: another file would damage a snapshot, or prevent its removal.
///
/// # Errors
/// `path` exists and cannot be replaced, lies in `library`, or its folder cannot be written.
pub fn preflight(path: &Path, existing: Existing, library: Option<&Path>) -> Result<()> {
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(PublishError::IsFolder(path.to_owned()));
    }
    let folder = fs::canonicalize(parent(path)).ok();
    if library.is_some_and(|library| folder.is_some_and(|folder| folder.starts_with(library))) {
        return Err(PublishError::InLibrary(path.to_owned()));
    }
    let not_writable = PublishError::not_writable(path);
    let current = match fs::symlink_metadata(path) {
        Ok(meta) => Some(meta),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(not_writable(error)),
    };
    if let Some(meta) = &current {
        check_replaceable(path, meta.file_type(), existing)?;
    }
    let folder = File::open(parent(path)).and_then(|folder| folder.metadata()).map_err(not_writable)?;
    let why =
        flaw::of_folder(parent(path)).or_else(|| current.and_then(|meta| why_not_replaceable(path, &meta, &folder)));
    why.map_or(Ok(()), |why| Err(PublishError::Irreplaceable { path: path.to_owned(), why }))
}

/// Checks that the files in a folder can be removed.
///
/// # Errors
/// The folder, or a file in it, is protected.
pub fn check_removable(folder: &Path) -> io::Result<()> {
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

/// Checks that an existing file of this kind may be replaced by a regular file.
pub(super) fn check_replaceable(path: &Path, current: FileType, existing: Existing) -> Result<()> {
    if current.is_dir() {
        return Err(PublishError::IsFolder(path.to_owned()));
    }
    let is_kernel_file = fs::canonicalize(parent(path)).is_ok_and(|folder| holds_descriptors(&folder));
    if !current.is_file() || is_kernel_file {
        return Err(PublishError::NotRegular { path: path.to_owned(), what: kind_name(current) });
    }
    match existing {
        Existing::Keep => Err(PublishError::Exists(path.to_owned())),
        Existing::Replace => Ok(()),
    }
}

fn kind_name(current: FileType) -> &'static str {
    if current.is_symlink() {
        "a symlink that does not lead to a regular file"
    } else if current.is_fifo() {
        "a fifo, not a regular file"
    } else if current.is_socket() {
        "a socket, not a regular file"
    } else if current.is_char_device() || current.is_block_device() {
        "a device, not a regular file"
    } else {
        "an open file of a process, not a regular file"
    }
}

/// Why the system would refuse to replace a file.
fn why_not_replaceable(path: &Path, current: &Metadata, folder: &Metadata) -> Option<&'static str> {
    let me = rustix::process::geteuid().as_raw();
    let is_sticky = folder.mode() & 0o1000 != 0;
    if is_sticky && current.uid() != me && folder.uid() != me && !owns(path) {
        return Some("it belongs to another user, and its folder is sticky");
    }
    flaw::of_file(path)
}

/// Whether the system treats this process as the owner of a file. (A capability can make it one.)
#[cfg(target_os = "linux")]
fn owns(path: &Path) -> bool {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    // Only an owner may use NOATIME.
    let flags = OFlags::RDONLY | OFlags::NOATIME | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn owns(_path: &Path) -> bool {
    rustix::process::geteuid().is_root()
}

/// Attributes that prevent even the owner from replacing a file.
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
