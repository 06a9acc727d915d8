//! The files that a freeze or a pack writes: a sidecar, alone or beside its launcher.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::{TempDir, TempPath};
use thiserror::Error;

const SIDECAR: &str = "smolmachine";
/// How private folders are named, and the file in them that their run keeps locked.
const PRIVATE: &str = ".bottle-freeze-";
const ALIVE: &str = "alive";
/// How long a private folder may be without its lock file.
const BORN: Duration = Duration::from_secs(60);
/// The launcher's name in the private folder.
const LAUNCHER: &str = "snapshot";

/// Why files cannot be written where they were asked for.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Something is there, and was not to be replaced.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// A folder is there, which is never replaced.
    #[error("{} is a folder", .0.display())]
    IsFolder(PathBuf),
    /// The folder is missing or read-only, the disk is full …
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

type Result<T> = std::result::Result<T, OutputError>;

/// Where the files go.
#[derive(Debug)]
pub struct Output {
    /// `OUT`, unless `OUT` ends in `.smolmachine`: then no launcher is kept.
    launcher: Option<PathBuf>,
    sidecar: PathBuf,
    replace: bool,
}

/// A private folder beside the output, in which the engine writes all that it writes. Gone when dropped; what a
/// killed run left is gone when the next one begins here.
#[derive(Debug)]
pub struct Work {
    folder: TempDir,
    /// Locked as long as this run lives.
    _alive: File,
}

impl Work {
    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The launcher that the engine is asked to write.
    pub fn launcher(&self) -> PathBuf {
        self.path().join(LAUNCHER)
    }

    /// The sidecar that it writes beside the launcher.
    pub fn sidecar(&self) -> PathBuf {
        self.launcher().with_extension(SIDECAR)
    }
}

impl Output {
    /// The files that `-o out` stands for; `replace` allows to replace those that are there.
    pub fn new(out: &Path, replace: bool) -> Result<Self> {
        let out = std::path::absolute(out).map_err(not_writable(out))?;
        if out.extension().is_some_and(|extension| extension == SIDECAR) {
            return Ok(Self { launcher: None, sidecar: out, replace });
        }
        let mut sidecar = out.clone().into_os_string();
        sidecar.push(".");
        sidecar.push(SIDECAR);
        Ok(Self { launcher: Some(out), sidecar: sidecar.into(), replace })
    }

    /// The sidecar, as an absolute path.
    pub fn sidecar(&self) -> &Path {
        &self.sidecar
    }

    /// The launcher, as an absolute path, if one is kept.
    pub fn launcher(&self) -> Option<&Path> {
        self.launcher.as_deref()
    }

    /// Whether the files could be published now: before a VM is stopped for them.
    pub fn preflight(&self) -> Result<()> {
        for path in self.launcher.iter().chain([&self.sidecar]) {
            match fs::symlink_metadata(path) {
                Ok(meta) if meta.is_dir() => return Err(OutputError::IsFolder(path.clone())),
                Ok(_) if !self.replace => return Err(OutputError::Exists(path.clone())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(not_writable(path)(error)),
            }
        }
        self.work().map(drop)
    }

    /// What tells this output from all others, whatever way its folder was named.
    pub fn locking_key(&self) -> Result<String> {
        use std::os::unix::ffi::OsStrExt;
        let folder = fs::canonicalize(self.folder()).map_err(not_writable(self.folder()))?;
        let path = folder.join(self.sidecar.file_name().unwrap_or_default());
        Ok(format!("output-{:08x}", crc32fast::hash(path.as_os_str().as_bytes())))
    }

    fn folder(&self) -> &Path {
        self.sidecar.parent().unwrap_or(Path::new("/"))
    }

    /// Makes the private folder, on the output's file system, so that publishing is a rename.
    pub fn work(&self) -> Result<Work> {
        self.sweep();
        let make = || {
            let folder = tempfile::Builder::new().prefix(PRIVATE).tempdir_in(self.folder())?;
            let alive = File::create(folder.path().join(ALIVE))?;
            flock(&alive, FlockOperation::LockExclusive)?;
            // Another run's sweep may have come between the file and its lock.
            fs::metadata(folder.path().join(ALIVE))?;
            Ok(Work { folder, _alive: alive })
        };
        make().map_err(not_writable(self.folder()))
    }

    /// Removes the private folders here whose runs are dead. Best effort: the next run tries again.
    fn sweep(&self) {
        for entry in fs::read_dir(self.folder()).into_iter().flatten().flatten() {
            let private = entry.file_name().to_string_lossy().starts_with(PRIVATE);
            if private && entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_dead(&entry.path()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Where the private folder of a run that has not begun would be.
    pub fn future_work(&self) -> PathBuf {
        self.folder().join(".bottle-freeze-XXXXXX")
    }

    /// Publishes what the engine wrote: each file flushed to disk and renamed into place, the sidecar last. Until
    /// then the old one is untouched; if its turn never comes, the old launcher is put back.
    pub fn publish(&self, work: &Work) -> Result<()> {
        flush(&work.sidecar(), 0o600)?;
        let Some(launcher) = &self.launcher else {
            self.rename(&work.sidecar(), &self.sidecar)?;
            return self.flush_folder();
        };
        flush(&work.launcher(), 0o700)?;
        let old = work.path().join("old-launcher");
        let kept = fs::hard_link(launcher, &old).is_ok();
        self.rename(&work.launcher(), launcher)?;
        self.rename(&work.sidecar(), &self.sidecar).inspect_err(|_| {
            let _ = if kept { fs::rename(&old, launcher) } else { fs::remove_file(launcher) };
        })?;
        self.flush_folder()
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        if self.replace {
            return fs::rename(from, to).map_err(not_writable(to));
        }
        let temp = TempPath::try_from_path(from).map_err(not_writable(from))?;
        temp.persist_noclobber(to).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(to.to_owned()),
            _ => not_writable(to)(refused.error),
        })
    }

    fn flush_folder(&self) -> Result<()> {
        File::open(self.folder()).and_then(|folder| folder.sync_all()).map_err(not_writable(self.folder()))
    }
}

/// Whether nobody holds the folder's lock. One without a lock file may have been made this very moment.
fn is_dead(folder: &Path) -> bool {
    if let Ok(alive) = File::open(folder.join(ALIVE)) {
        return flock(&alive, FlockOperation::NonBlockingLockExclusive).is_ok();
    }
    let made = fs::metadata(folder).and_then(|meta| meta.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > BORN))
}

/// Sets the mode, and has the content on disk before its name.
fn flush(path: &Path, mode: u32) -> Result<()> {
    let flush = || {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        File::open(path)?.sync_all()
    };
    flush().map_err(not_writable(path))
}

fn not_writable(path: &Path) -> impl Fn(io::Error) -> OutputError + '_ {
    move |source| OutputError::NotWritable { path: path.to_owned(), source }
}
