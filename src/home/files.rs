//! Files that only bottle-freeze writes: opened through no link, and locked.

use rustix::fs::{self, FlockOperation, Mode, OFlags, flock};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Opens a file of ours, made if it is missing: never through a symbolic link.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Opens a regular file of ours that is there: no link is followed, and no FIFO waited for.
pub fn open_existing(path: &Path) -> io::Result<File> {
    open_regular(path, OFlags::RDONLY)
}

/// The same of a file of this user, to be locked: NFS locks only what may be written.
pub fn open_own(path: &Path) -> io::Result<File> {
    let file = open_regular(path, OFlags::RDWR).or_else(|_| open_existing(path))?;
    if is_own(&file.metadata()?) { Ok(file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

fn open_regular(path: &Path, access: OFlags) -> io::Result<File> {
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    let file = match fs::open(path, flags, Mode::empty()) {
        // A link, or a socket.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Err(not_regular()),
        file => File::from(file?),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

/// Whether this user owns it.
pub fn is_own(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// Locks the open file for this process alone (or `shared` with other readers), if no other process holds it. The
/// kernel drops the lock of a process that ends, whatever way it ends.
pub fn lock(file: &File, shared: bool) -> io::Result<bool> {
    let kind = if shared { FlockOperation::NonBlockingLockShared } else { FlockOperation::NonBlockingLockExclusive };
    match flock(file, kind) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether `path` is still the open file, not removed or replaced since it was opened.
pub fn is_still(path: &Path, file: &File) -> bool {
    let id = |meta: Metadata| (meta.dev(), meta.ino());
    let open = file.metadata().map(id).ok();
    open.is_some() && open == std::fs::symlink_metadata(path).map(id).ok()
}

/// Whether a name is `prefix` and six letters or digits, as temporary files and folders are named.
pub fn is_private(name: &OsStr, prefix: &str) -> bool {
    let ending = name.as_bytes().strip_prefix(prefix.as_bytes());
    ending.is_some_and(|ending| ending.len() == 6 && ending.iter().all(u8::is_ascii_alphanumeric))
}

/// What a file, or a folder with all that is in it, takes on the disk. No link is followed.
pub fn bytes_in(path: &Path) -> u64 {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| bytes_in(&entry.path())).sum()
        }
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    }
}
