//! Publishing: how every lasting file and folder gets its name.
//!
//! A file that must survive a power cut is written under a private name, on the file system of its target, and goes
//! through [`publish`]: its content is flushed, it is renamed in one step, and the name is flushed. A file that it
//! replaces is complete until that step.

mod error;
mod target;

pub use error::{Existing, PublishError};
pub use target::{check_removable, preflight, resolve_link};

use crate::files;
use error::Result;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, FileType};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use target::parent;

/// Renames `from`, a file, a folder with its contents, or a symbolic link, to `to` on the same file system. Then it
/// survives a power cut.
///
/// # Errors
/// `to` exists and is not replaced, or the system refuses. Then `from` is unchanged.
pub fn publish(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    flush(from).map_err(PublishError::not_writable(to))?;
    publish_flushed(from, to, existing)
}

/// The same for a folder of any number of files: its file system is flushed once, and not each file.
///
/// # Errors
/// See [`publish`].
pub fn publish_folder(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    // Through the folder that holds it: this user may not be allowed to read `from`.
    flush_file_system(parent(from)).map_err(PublishError::not_writable(to))?;
    publish_flushed(from, to, existing)
}

/// The same for what is flushed already, with all its contents.
///
/// # Errors
/// See [`publish`].
pub fn publish_flushed(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    let not_writable = PublishError::not_writable(to);
    // Opened before the rename: nothing may fail after it.
    let folder = File::open(parent(to)).map_err(&not_writable)?;
    let kind = fs::symlink_metadata(from).map_err(&not_writable)?.file_type();
    match existing {
        Existing::Keep => rename_new(from, to, kind),
        Existing::Replace => rename_over(from, to, kind),
    }?;
    flush_name(&folder);
    Ok(())
}

/// Publishes a file with this content, which only this user can read.
pub fn publish_text(text: &[u8], to: &Path, existing: Existing) -> Result<()> {
    let write = || {
        loop {
            let mut file = tempfile::Builder::new().prefix(PRIVATE).tempfile_in(parent(to))?;
            // Locked until it is renamed: a sweep removes one without a lock, which a killed run left.
            if files::try_lock(file.as_file(), false).unwrap_or(true)
                && files::is_same_file(file.path(), file.as_file())
            {
                file.write_all(text)?;
                return io::Result::Ok(file);
            }
        }
    };
    let file = write().map_err(PublishError::not_writable(to))?;
    publish(file.path(), to, existing)
}

/// The prefix of files and folders that are not published yet.
pub const PRIVATE: &str = ".bottle-freeze-";

/// Renames a published file or folder to the private name `to`, so that it can be removed. It stays hidden after a power
/// cut.
pub fn withdraw(from: &Path, to: &Path) -> io::Result<()> {
    let folder = File::open(parent(from))?;
    fs::rename(from, to)?;
    flush_name(&folder);
    Ok(())
}

/// Removes a published file or link. It stays removed after a power cut.
pub fn remove(path: &Path) -> io::Result<()> {
    let folder = File::open(parent(path))?;
    fs::remove_file(path)?;
    flush_name(&folder);
    Ok(())
}

/// Creates a folder, and missing folders above it, with this mode. They survive a power cut.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.parent().is_some() => {
            make_folder(parent(path), mode)?;
            match DirBuilder::new().mode(mode).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        // Whatever the reason is, an existing folder is enough.
        Err(_) if path.is_dir() => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Ok(folder) = File::open(parent(path)) {
        flush_name(&folder);
    }
    Ok(())
}

/// Flushes a file, or a folder with its contents, to the disk. The time depends on its size.
///
/// # Errors
/// It cannot be read, or the disk refuses.
pub fn flush(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_file() {
        return flush_alone(path);
    }
    if !kind.is_dir() {
        // Links, devices and the like have no content.
        return Ok(());
    }
    match fs::read_dir(path) {
        Ok(entries) => entries.into_iter().try_for_each(|entry| flush(&entry?.path()))?,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) => return Err(error),
    }
    flush_alone(path)
}

/// Flushes a file, or the names in a folder, to the disk.
///
/// # Errors
/// It cannot be read, or the disk refuses.
pub fn flush_alone(path: &Path) -> io::Result<()> {
    let open = |write: bool| {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        File::options().read(!write).write(write).custom_flags(flags).open(path)
    };
    match open(false).or_else(|error| open(true).map_err(|_| error)) {
        Ok(file) => match file.sync_all() {
            // Some file systems (CIFS, FUSE) cannot flush folders.
            Err(error) if is_unsupported(error.raw_os_error()) => Ok(()),
            flushed => flushed,
        },
        // A file without permissions cannot be opened: flush everything instead.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            rustix::fs::sync();
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Flushes the file system of a folder to the disk. The time depends on what other programs have written there, too.
fn flush_file_system(folder: &Path) -> io::Result<()> {
    let folder = File::open(folder)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder)?;
    #[cfg(not(target_os = "linux"))]
    {
        // This only begins to write, and the flush of a file waits for all that was begun.
        rustix::fs::sync();
        folder.sync_all()?;
    }
    Ok(())
}

/// Flushes the names in a folder. A failure is ignored: the file is in place, and may only not survive a power cut.
fn flush_name(folder: &File) {
    let _ = folder.sync_all();
}

/// Renames in one step, so that a file that another program creates in the meantime is kept.
fn rename_new(from: &Path, to: &Path, kind: FileType) -> Result<()> {
    let renamed = match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(error) if is_unsupported(Some(error.raw_os_error())) => rename_new_in_steps(from, to, kind),
        renamed => renamed.map_err(io::Error::from),
    };
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => PublishError::Exists(to.to_owned()),
        _ => PublishError::not_writable(to)(error),
    })
}

/// The same on a file system without that call (NFS, old FUSE).
fn rename_new_in_steps(from: &Path, to: &Path, kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        match fs::hard_link(from, to) {
            Ok(()) => {
                // The old name is removed with the private folder at the latest.
                let _ = fs::remove_file(from);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // The file system has no hard links either.
            Err(_) => {}
        }
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

fn rename_over(from: &Path, to: &Path, kind: FileType) -> Result<()> {
    loop {
        match fs::symlink_metadata(to).map(|meta| meta.file_type()) {
            Ok(current) if current.is_symlink() && kind.is_symlink() => break,
            Ok(current) => {
                target::check_replaceable(to, current, Existing::Replace)?;
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match rename_new(from, to, kind) {
                // Another run was quicker: check what it made.
                Err(PublishError::Exists(_)) => {}
                renamed => return renamed,
            },
            Err(error) => return Err(PublishError::not_writable(to)(error)),
        }
    }
    fs::rename(from, to).map_err(PublishError::not_writable(to))
}

/// Whether the file system does not support the call.
fn is_unsupported(error: Option<i32>) -> bool {
    let unsupported = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP];
    error.is_some_and(|error| unsupported.iter().any(|one| one.raw_os_error() == error))
}
