//! Publishing: how every lasting file and folder gets its name.
//!
//! Whatever must outlive a power cut is written under a private name on the file system of its target and goes through
//! [`publish`]: its content is flushed, it gets its name in one instant, and the name is flushed. What it replaces is
//! whole until that instant.

mod target;

pub use target::{may_be_emptied, meant, preflight};

use crate::home;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, FileType};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why something did not get its name.
#[derive(Debug, Error)]
pub enum PublishError {
    /// Something has that name, and was not to be replaced.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// A folder has that name: a folder is never replaced.
    #[error("{} is a folder", .0.display())]
    IsFolder(PathBuf),
    /// Something else than a regular file has that name: it is never replaced.
    #[error("{} is {what}", path.display())]
    NotRegular {
        /// Its path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It would lie among what bottle-freeze keeps.
    #[error("{} lies in the library of bottle-freeze", .0.display())]
    InLibrary(PathBuf),
    /// A file has that name, and the system does not allow to replace it.
    #[error("{} cannot be replaced: {why}", path.display())]
    Irreplaceable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// The folder is missing or read-only, the disk is full …
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

type Result<T> = std::result::Result<T, PublishError>;

impl PublishError {
    /// `path` cannot be written, for the reason that the system gives.
    pub fn not_writable(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::NotWritable { path: path.to_owned(), source }
    }
}

impl From<PublishError> for io::Error {
    /// What the system said, for callers that name the path themselves.
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NotWritable { source, .. } => source,
            exists => Self::new(io::ErrorKind::AlreadyExists, exists),
        }
    }
}

/// What happens to something that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is published.
    Keep,
    /// It is replaced, if it is of the same kind: a file by a file, a link by a link. Nothing else ever is.
    Replace,
}

impl Existing {
    /// What `--force` says.
    pub fn forced(force: bool) -> Self {
        if force { Self::Replace } else { Self::Keep }
    }
}

/// Gives `from`, a file, a folder with all that is in it, or a symbolic link, the name `to` on the same file system.
/// Afterwards it is there also after a power cut.
///
/// # Errors
/// Something else has that name, or the system refuses. Then `from` is still where it was.
pub fn publish(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    let not_writable = PublishError::not_writable(to);
    // Opened now: once the name is given, nothing may fail.
    let folder = File::open(parent(to)).map_err(&not_writable)?;
    flush(from).map_err(&not_writable)?;
    let kind = fs::symlink_metadata(from).map_err(&not_writable)?.file_type();
    match existing {
        Existing::Keep => rename_new(from, to, kind),
        Existing::Replace => rename_over(from, to, kind),
    }?;
    flush_name(&folder);
    Ok(())
}

/// Publishes a file with this content, readable for its user alone.
///
/// # Errors
/// See [`publish`].
pub fn publish_text(text: &[u8], to: &Path, existing: Existing) -> Result<()> {
    let write = || {
        loop {
            let mut file = tempfile::Builder::new().prefix(PRIVATE).tempfile_in(parent(to))?;
            // Locked until it has its name: one that is not was left by a killed run, and a sweep removes it.
            if home::lock(file.as_file(), false).unwrap_or(true) && home::is_still(file.path(), file.as_file()) {
                file.write_all(text)?;
                return io::Result::Ok(file);
            }
        }
    };
    let file = write().map_err(PublishError::not_writable(to))?;
    publish(file.path(), to, existing)
}

/// How the names of files and folders begin that are not published.
pub const PRIVATE: &str = ".bottle-freeze-";

/// Takes a published file or folder out of sight, for good: it gets the name `to`, in a private folder that is about to be
/// removed.
///
/// # Errors
/// The system refuses.
pub fn withdraw(from: &Path, to: &Path) -> io::Result<()> {
    let folder = File::open(parent(from))?;
    fs::rename(from, to)?;
    flush_name(&folder);
    Ok(())
}

/// Removes a published file or link, for good.
///
/// # Errors
/// The system refuses.
pub fn remove(path: &Path) -> io::Result<()> {
    let folder = File::open(parent(path))?;
    fs::remove_file(path)?;
    flush_name(&folder);
    Ok(())
}

/// Makes a folder, and those above it that are missing, with this mode; they are there also after a power cut.
///
/// # Errors
/// The system refuses.
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
        // Whatever the reason is, a folder that is there will do.
        Err(_) if path.is_dir() => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Ok(folder) = File::open(parent(path)) {
        flush_name(&folder);
    }
    Ok(())
}

/// Has a file, or a folder with all that is in it, on the disk. This takes as long as it is large.
///
/// # Errors
/// It cannot be read, or the disk refuses.
pub fn flush(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_file() {
        return flush_open(path);
    }
    if !kind.is_dir() {
        // Links, devices and the like are names and nothing else.
        return Ok(());
    }
    match fs::read_dir(path) {
        Ok(entries) => entries.into_iter().try_for_each(|entry| flush(&entry?.path()))?,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) => return Err(error),
    }
    flush_open(path)
}

fn flush_open(path: &Path) -> io::Result<()> {
    let open = |write: bool| {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        File::options().read(!write).write(write).custom_flags(flags).open(path)
    };
    match open(false).or_else(|error| open(true).map_err(|_| error)) {
        Ok(file) => supported(file.sync_all()),
        // A file without permissions cannot be opened to be flushed alone.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            rustix::fs::sync();
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Some file systems (CIFS, FUSE) flush no folders: they say that they know no such thing.
fn supported(flushed: io::Result<()>) -> io::Result<()> {
    match flushed {
        Err(error) if is_unknown(error.raw_os_error()) => Ok(()),
        flushed => flushed,
    }
}

/// Has the names in a folder on the disk. What has them is there by now, for everyone to see: that it may not outlive a
/// power cut is no failure of the command that made it.
fn flush_name(folder: &File) {
    let _ = folder.sync_all();
}

/// In one step, so that nothing that appears meanwhile is lost.
fn rename_new(from: &Path, to: &Path, kind: FileType) -> Result<()> {
    let renamed = match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(error) if is_unknown(Some(error.raw_os_error())) => rename_new_in_steps(from, to, kind),
        renamed => renamed.map_err(io::Error::from),
    };
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => PublishError::Exists(to.to_owned()),
        _ => PublishError::not_writable(to)(error),
    })
}

/// The same on a file system that has no such call (NFS, old FUSE).
fn rename_new_in_steps(from: &Path, to: &Path, kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        match fs::hard_link(from, to) {
            Ok(()) => {
                // It has its name: the other one goes with the private folder at the latest.
                let _ = fs::remove_file(from);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // No links either.
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
            Ok(there) if there.is_symlink() && kind.is_symlink() => break,
            Ok(there) => {
                target::may_be_replaced(to, there, Existing::Replace)?;
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match rename_new(from, to, kind) {
                // Another run was quicker: look at what it made.
                Err(PublishError::Exists(_)) => {}
                renamed => return renamed,
            },
            Err(error) => return Err(PublishError::not_writable(to)(error)),
        }
    }
    fs::rename(from, to).map_err(PublishError::not_writable(to))
}

/// Whether a file system has answered that it has no such call.
fn is_unknown(error: Option<i32>) -> bool {
    let unknown = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP];
    error.is_some_and(|error| unknown.iter().any(|unknown| unknown.raw_os_error() == error))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}
