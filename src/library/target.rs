//! The files that a freeze or a pack writes: a sidecar, alone or beside its launcher.

use super::lock::{Lock, LockError, Sharing, file_key};
use super::metadata::Metadata;
use super::staging::Staging;
use super::store;
use crate::home;
use crate::publish::{self, Existing, PublishError, publish, resolve_link};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

const SIDECAR: &str = "smolmachine";
/// How the name of a live snapshot ends.
const LIVE: &str = "checkpoint";

type Result<T> = std::result::Result<T, PublishError>;

/// Where the files go.
#[derive(Debug)]
pub struct Target {
    /// `OUT`, unless `OUT` ends in `.smolmachine` or `.checkpoint`: then no launcher is kept.
    launcher: Option<PathBuf>,
    sidecar: PathBuf,
    /// The folder in which the private folder is made: on the same file system.
    beside: PathBuf,
    /// The VM, if this is for the library: its folder is made when it is needed.
    vm: Option<String>,
    existing: Existing,
    /// Of its lock, if it is a file: a snapshot of the library has a new name.
    key: Option<String>,
}

impl Target {
    /// Whether `-o out` names a live snapshot.
    pub fn is_live(out: &Path) -> bool {
        out.extension().is_some_and(|extension| extension == LIVE)
    }

    /// The files that `-o out` stands for; `force` allows to replace those that are there.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn new(out: &Path, force: bool) -> Result<Self> {
        let is_folder = out.as_os_str().as_bytes().ends_with(b"/");
        let out = std::path::absolute(out).map_err(PublishError::not_writable(out))?;
        if is_folder {
            return Err(PublishError::IsFolder(out));
        }
        let is_sidecar = out.extension().is_some_and(|extension| extension == SIDECAR || extension == LIVE);
        let out = resolve_link(&out);
        let (launcher, sidecar) = if is_sidecar {
            (None, out)
        } else {
            // A launcher looks beside the file that it is, whatever link leads to it.
            let mut sidecar = out.clone().into_os_string();
            sidecar.push(".");
            sidecar.push(SIDECAR);
            (Some(out), resolve_link(sidecar.as_ref()))
        };
        let key = file_key(&sidecar).map_err(PublishError::not_writable(&sidecar))?;
        let beside = sidecar.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { launcher, sidecar, beside, vm: None, existing: Existing::forced(force), key: Some(key) })
    }

    /// A new snapshot of `vm` in the library, with a launcher if `launcher`; its artifact has that name.
    ///
    /// # Errors
    /// The library is not ours to use.
    pub fn in_library(vm: &str, id: &str, artifact: &str, launcher: bool) -> Result<Self> {
        let beside =
            store::vm_path(vm).map_err(PublishError::not_writable(home::shown_path(store::SNAPSHOTS).as_ref()))?;
        let folder = beside.join(id);
        Ok(Self {
            launcher: launcher.then(|| folder.join(store::LAUNCHER)),
            sidecar: folder.join(artifact),
            beside,
            vm: Some(vm.to_owned()),
            existing: Existing::Keep,
            key: None,
        })
    }

    /// The sidecar, as an absolute path.
    pub fn sidecar(&self) -> &Path {
        &self.sidecar
    }

    /// The launcher, as an absolute path, if one is kept.
    pub fn launcher(&self) -> Option<&Path> {
        self.launcher.as_deref()
    }

    /// Whether the files could be published now: before a VM is stopped for them. Sweeps as well: see [`super::sweep`].
    pub fn preflight(&self) -> Result<()> {
        // The library makes its folders when they are needed.
        if self.vm.is_none() {
            let library = home::canonical_root();
            for path in self.launcher.iter().chain([&self.sidecar]) {
                publish::preflight(path, self.existing, library.as_deref())?;
            }
        }
        super::sweep(&self.beside);
        self.launcher_work()?;
        self.work().map(drop)
    }

    /// Locks the output for this run alone.
    pub fn lock(&self) -> std::result::Result<Option<Lock>, LockError> {
        let lock = |key: &String| Lock::take(&self.sidecar.display().to_string(), key, Sharing::Alone);
        self.key.as_ref().map(lock).transpose()
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        &self.beside
    }

    /// Makes the private folder, on the output's file system, so that publishing is a rename.
    pub fn work(&self) -> Result<Staging> {
        let folder = || self.vm.as_deref().map_or_else(|| Ok(self.beside.clone()), store::vm_folder);
        let work = || folder().and_then(|folder| Staging::new(&folder));
        // A VM's folder that is empty may be removed between the two steps.
        let is_missing = |error: &io::Error| self.vm.is_some() && error.kind() == io::ErrorKind::NotFound;
        let retried = work().or_else(|error| if is_missing(&error) { work() } else { Err(error) });
        retried.map_err(PublishError::not_writable(self.folder()))
    }

    /// Another one beside the launcher, where that is a link to a file elsewhere.
    fn launcher_work(&self) -> Result<Option<Staging>> {
        let elsewhere = self.launcher.as_deref().and_then(Path::parent).filter(|folder| *folder != self.beside);
        // In the library they lie in one folder.
        let elsewhere = elsewhere.filter(|_| self.vm.is_none());
        elsewhere.map(|folder| Staging::new(folder).map_err(PublishError::not_writable(folder))).transpose()
    }

    /// Has what the engine wrote on the disk, each file with its mode, before it gets its name. This takes as long
    /// as the files are large.
    pub fn flush(&self, work: &Staging) -> Result<()> {
        flush(&work.sidecar(), 0o600)?;
        if self.launcher.is_some() { flush(&work.launcher(), 0o700) } else { Ok(()) }
    }

    /// Publishes flushed files: each is renamed into place, the sidecar last. Until then the old one is untouched;
    /// if its turn never comes, the old launcher is put back.
    pub fn publish(&self, work: &Staging) -> Result<()> {
        let Some(launcher) = &self.launcher else { return publish(&work.sidecar(), &self.sidecar, self.existing) };
        let elsewhere = self.launcher_work()?;
        let beside = elsewhere.as_ref().unwrap_or(work);
        let (new, old) = (beside.launcher(), beside.path().join("old-launcher"));
        if elsewhere.is_some() {
            fs::copy(work.launcher(), &new).map_err(PublishError::not_writable(&new))?;
        }
        // On a file system without links, or a full one, it is copied.
        let kept = match fs::hard_link(launcher, &old).or_else(|_| fs::copy(launcher, &old).map(drop)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            kept => kept.map_err(PublishError::not_writable(&old)).map(|()| true)?,
        };
        publish(&new, launcher, self.existing)?;
        publish(&work.sidecar(), &self.sidecar, self.existing).inspect_err(|_| {
            let _ = if kept {
                publish(&old, launcher, Existing::Replace)
            } else {
                publish::withdraw(launcher, &old).map_err(PublishError::not_writable(launcher))
            };
        })
    }

    /// Publishes flushed files and their `snapshot.json` as one folder of the library, in one instant.
    pub fn publish_snapshot(&self, work: &Staging, metadata: &Metadata) -> Result<()> {
        let (new, folder) = (work.path().join("new"), self.sidecar.with_file_name(""));
        let prepare = || {
            DirBuilder::new().mode(0o700).create(&new)?;
            fs::rename(work.sidecar(), new.join(self.sidecar.file_name().unwrap_or_default()))?;
            if let Some(name) = self.launcher.as_ref().and_then(|launcher| launcher.file_name()) {
                fs::rename(work.launcher(), new.join(name))?;
            }
            if metadata.files.contains_key(store::WORKSPACE) {
                fs::rename(work.path().join(store::WORKSPACE), new.join(store::WORKSPACE))?;
            }
            metadata.write(&new)
        };
        prepare().map_err(PublishError::not_writable(&folder))?;
        publish(&new, &folder, Existing::Keep)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.vm.is_some() {
            // Made for nothing, if there is no snapshot in it.
            store::remove_if_empty(&self.beside);
        }
    }
}

/// Sets the mode, and has the content on disk before its name.
fn flush(path: &Path, mode: u32) -> Result<()> {
    let flush = || {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        publish::flush(path)
    };
    flush().map_err(PublishError::not_writable(path))
}
