//! Where this program keeps what it must remember: `$BOTTLE_FREEZE_HOME`, or the platform's data folder.

use crate::publish;
use rustix::fs::{self, FlockOperation, Mode, OFlags, flock};
use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The path of `name` in it.
pub fn path(name: &str) -> PathBuf {
    let home = std::env::var_os("BOTTLE_FREEZE_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let data = home.or_else(|| Some(dirs::data_dir()?.join("bottle-freeze"))).unwrap_or_default();
    std::path::absolute(&data).unwrap_or(data).join(name)
}

/// The folder `name` in it, made if it is missing; nobody else can look into it.
pub fn folder(name: &str) -> io::Result<PathBuf> {
    let folder = path(name);
    if folder.is_relative() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no home folder"));
    }
    publish::make_folder(&folder, 0o700)?;
    for part in Path::new(name).ancestors().filter(|part| !part.as_os_str().is_empty()) {
        close(&path("").join(part));
    }
    Ok(folder)
}

/// Closes a folder that was made otherwise to others, if it is ours to close; a link is left as it is.
fn close(folder: &Path) {
    if std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o077 != 0) {
        let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    }
}

/// Opens a file of ours, made if it is missing: never through a symbolic link.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Opens a regular file of ours that is there: no link is followed, and no FIFO waited for.
pub fn open_existing(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Locks the open file for this process alone (or `shared` with others of that mind), if nobody else holds it. The
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
    let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let open = file.metadata().map(id).ok();
    open.is_some() && open == std::fs::symlink_metadata(path).map(id).ok()
}
