//! The files that a freeze or a pack writes: a sidecar, alone or beside its launcher.

use super::library;
use super::lock::{Lock, LockError, Sharing, file_key};
use super::metadata::Metadata;
use super::work::{self, Work};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempPath;
use thiserror::Error;

const SIDECAR: &str = "smolmachine";
/// How the name of a live snapshot ends.
const LIVE: &str = "checkpoint";

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
    /// `OUT`, unless `OUT` ends in `.smolmachine` or `.checkpoint`: then no launcher is kept.
    launcher: Option<PathBuf>,
    sidecar: PathBuf,
    /// The folder in which the private folder is made: on the same file system.
    beside: PathBuf,
    /// The VM, if this is for the library: its folder is made when it is needed.
    vm: Option<String>,
    replace: bool,
    /// Of its lock.
    key: String,
}

impl Output {
    /// Whether `-o out` names a live snapshot.
    pub fn is_live(out: &Path) -> bool {
        out.extension().is_some_and(|extension| extension == LIVE)
    }

    /// The files that `-o out` stands for; `replace` allows to replace those that are there.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn new(out: &Path, replace: bool) -> Result<Self> {
        let is_folder = out.as_os_str().as_bytes().ends_with(b"/");
        let out = std::path::absolute(out).map_err(not_writable(out))?;
        if is_folder {
            return Err(OutputError::IsFolder(out));
        }
        let (launcher, sidecar) = if out.extension().is_some_and(|extension| extension == SIDECAR || extension == LIVE)
        {
            (None, out)
        } else {
            let mut sidecar = out.clone().into_os_string();
            sidecar.push(".");
            sidecar.push(SIDECAR);
            (Some(out), sidecar.into())
        };
        let key = file_key(&sidecar).map_err(not_writable(&sidecar))?;
        let beside = sidecar.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { launcher, sidecar, beside, vm: None, replace, key })
    }

    /// A new snapshot of `vm` in the library, with a launcher if `launcher`; its artifact has that name.
    pub fn in_library(vm: &str, id: &str, artifact: &str, launcher: bool) -> Self {
        let beside = library::vm_path(vm);
        let folder = beside.join(id);
        Self {
            launcher: launcher.then(|| folder.join(library::LAUNCHER)),
            sidecar: folder.join(artifact),
            beside,
            vm: Some(vm.to_owned()),
            replace: false,
            key: format!("snapshot-{vm}-{id}"),
        }
    }

    /// The sidecar, as an absolute path.
    pub fn sidecar(&self) -> &Path {
        &self.sidecar
    }

    /// The launcher, as an absolute path, if one is kept.
    pub fn launcher(&self) -> Option<&Path> {
        self.launcher.as_deref()
    }

    /// Whether the files could be published now: before a VM is stopped for them. Sweeps as well: see [`work::sweep`].
    pub fn preflight(&self, dead: &dyn Fn(&Path)) -> Result<()> {
        for path in self.launcher.iter().chain([&self.sidecar]) {
            match fs::symlink_metadata(path) {
                Ok(meta) if meta.is_dir() => return Err(OutputError::IsFolder(path.clone())),
                Ok(_) if !self.replace => return Err(OutputError::Exists(path.clone())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(not_writable(path)(error)),
            }
        }
        work::sweep(&self.beside, dead);
        self.work().map(drop)
    }

    /// Locks the output for this run alone.
    pub fn lock(&self) -> std::result::Result<Lock, LockError> {
        Lock::take(&self.sidecar.display().to_string(), &self.key, Sharing::Alone)
    }

    /// Bytes that are free in the output's folder, where this can be told.
    pub fn free_bytes(&self) -> Option<u64> {
        let free = rustix::fs::statvfs(self.folder()).ok()?;
        Some(free.f_bavail.saturating_mul(free.f_frsize))
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        &self.beside
    }

    /// Makes the private folder, on the output's file system, so that publishing is a rename.
    pub fn work(&self) -> Result<Work> {
        let folder = self.vm.as_deref().map_or_else(|| Ok(self.beside.clone()), library::vm_folder);
        folder.and_then(|folder| Work::new(&folder)).map_err(not_writable(self.folder()))
    }

    /// Has what the engine wrote on the disk, each file with its mode, before it gets its name. This takes as long
    /// as the files are large.
    pub fn flush(&self, work: &Work) -> Result<()> {
        flush(&work.sidecar(), 0o600)?;
        if self.launcher.is_some() { flush(&work.launcher(), 0o700) } else { Ok(()) }
    }

    /// Publishes flushed files: each is renamed into place, the sidecar last. Until then the old one is untouched;
    /// if its turn never comes, the old launcher is put back.
    pub fn publish(&self, work: &Work) -> Result<()> {
        let folder = self.open_folder()?;
        let Some(launcher) = &self.launcher else {
            self.rename(&work.sidecar(), &self.sidecar)?;
            sync(&folder);
            return Ok(());
        };
        let old = work.path().join("old-launcher");
        let kept = match fs::hard_link(launcher, &old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            // On a file system without links, or a full one, it is copied.
            Err(_) => fs::copy(launcher, &old).map_err(not_writable(&old)).map(|_| true)?,
            Ok(()) => true,
        };
        self.rename(&work.launcher(), launcher)?;
        self.rename(&work.sidecar(), &self.sidecar).inspect_err(|_| {
            let _ = if kept { fs::rename(&old, launcher) } else { fs::remove_file(launcher) };
        })?;
        sync(&folder);
        Ok(())
    }

    /// Publishes flushed files and their `snapshot.json` as one folder of the library, in one instant.
    pub fn publish_snapshot(&self, work: &Work, metadata: &Metadata) -> Result<()> {
        let beside = self.open_folder()?;
        let (new, folder) = (work.path().join("new"), self.sidecar.with_file_name(""));
        let prepare = || {
            DirBuilder::new().mode(0o700).create(&new)?;
            fs::rename(work.sidecar(), new.join(self.sidecar.file_name().unwrap_or_default()))?;
            if let Some(name) = self.launcher.as_ref().and_then(|launcher| launcher.file_name()) {
                fs::rename(work.launcher(), new.join(name))?;
            }
            if metadata.files.contains_key(library::WORKSPACE) {
                fs::rename(work.path().join(library::WORKSPACE), new.join(library::WORKSPACE))?;
            }
            metadata.write(&new)?;
            fs::rename(&new, &folder)
        };
        prepare().map_err(not_writable(&folder))?;
        sync(&beside);
        Ok(())
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

    /// Opened before anything is renamed: afterwards nothing may fail.
    fn open_folder(&self) -> Result<File> {
        File::open(self.folder()).map_err(not_writable(self.folder()))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.vm.is_some() {
            // Made for nothing, if there is no snapshot in it.
            let _ = fs::remove_dir(&self.beside);
        }
    }
}

/// Has the new names on the disk. They are there by now, for everyone to see: that they may not outlive a power failure
/// is no failure of the freeze.
fn sync(folder: &File) {
    let _ = folder.sync_all();
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
