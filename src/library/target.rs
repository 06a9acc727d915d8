//! The files that a freeze or a pack writes: an artifact, alone or as the sidecar of a launcher.

use super::catalog;
use super::layout::{INDEX, LAUNCHER, SNAPSHOTS, WORKSPACE};
use super::leftovers::sweep;
use super::lock::{Lock, LockError, Sharing, file_key};
use super::metadata::Metadata;
use super::staging::Staging;
use crate::home;
use crate::publish::{self, Existing, PublishError, publish, resolve_link};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The extension of a sidecar.
const SIDECAR: &str = "smolmachine";
/// The extension of a live snapshot.
const LIVE: &str = "checkpoint";

type Result<T> = std::result::Result<T, PublishError>;

/// Where the files go.
#[derive(Debug)]
pub struct Target {
    /// `OUT`; nothing if `OUT` ends in `.smolmachine` or `.checkpoint`, or no launcher is kept.
    launcher: Option<PathBuf>,
    sidecar: PathBuf,
    /// Where the private folder is created: on the same file system.
    folder: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Files of the user, locked by this key.
    Files { existing: Existing, lock_key: String },
    /// A new snapshot of this VM in the library. The library creates its folders when they are needed.
    Library { vm: String },
}

impl Target {
    /// Whether `-o out` names a live snapshot.
    pub fn is_live(out: &Path) -> bool {
        out.extension().is_some_and(|extension| extension == LIVE)
    }

    /// The files that `-o out` stands for. `force` allows existing ones to be replaced.
    ///
    /// # Errors
    /// The folder does not exist, or `out` is a folder.
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
            // A launcher looks for its sidecar beside the file itself, not beside a link to it.
            let mut sidecar = out.clone().into_os_string();
            sidecar.push(".");
            sidecar.push(SIDECAR);
            (Some(out), resolve_link(sidecar.as_ref()))
        };
        let lock_key = file_key(&sidecar).map_err(PublishError::not_writable(&sidecar))?;
        let folder = sidecar.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { launcher, sidecar, folder, place: Place::Files { existing: Existing::forced(force), lock_key } })
    }

    /// A new snapshot of `vm` in the library; `artifact` is the name of its artifact.
    ///
    /// # Errors
    /// The library cannot be used.
    pub fn in_library(vm: &str, id: &str, artifact: &str, has_launcher: bool) -> Result<Self> {
        let folder = catalog::vm_path(vm).map_err(PublishError::not_writable(home::shown_path(SNAPSHOTS).as_ref()))?;
        let snapshot = folder.join(id);
        Ok(Self {
            launcher: has_launcher.then(|| snapshot.join(LAUNCHER)),
            sidecar: snapshot.join(artifact),
            folder,
            place: Place::Library { vm: vm.to_owned() },
        })
    }

    /// The absolute path of the artifact.
    pub fn sidecar(&self) -> &Path {
        &self.sidecar
    }

    /// Its name in messages: the file, or `VM@ID`.
    pub fn name(&self) -> String {
        let id = self.sidecar.parent().and_then(Path::file_name).unwrap_or_default();
        match &self.place {
            Place::Files { .. } => self.sidecar.display().to_string(),
            Place::Library { vm } => format!("{vm}@{}", id.to_string_lossy()),
        }
    }

    /// The absolute path of the launcher, if one is kept.
    pub fn launcher(&self) -> Option<&Path> {
        self.launcher.as_deref()
    }

    /// The folder in which it is written.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks, before a VM is stopped, that the files can be published. Also removes what killed runs left.
    pub fn preflight(&self) -> Result<()> {
        if let Place::Files { existing, .. } = self.place {
            let library = home::canonical_root();
            for path in self.launcher.iter().chain([&self.sidecar]) {
                publish::preflight(path, existing, library.as_deref())?;
            }
        }
        sweep(&self.folder);
        self.launcher_staging()?;
        self.staging().map(drop)
    }

    /// Locks the output files. A new snapshot in the library needs no lock.
    pub fn lock(&self) -> std::result::Result<Option<Lock>, LockError> {
        match &self.place {
            Place::Files { lock_key, .. } => {
                Lock::take(&self.sidecar.display().to_string(), lock_key, Sharing::Alone).map(Some)
            }
            Place::Library { .. } => Ok(None),
        }
    }

    /// Creates the private folder, on the file system of the output, so that publishing is a rename.
    pub fn staging(&self) -> Result<Staging> {
        let staging = match &self.place {
            Place::Files { .. } => Staging::new(&self.folder),
            Place::Library { vm } => {
                let create = || catalog::vm_folder(vm).and_then(|folder| Staging::new(&folder));
                // Another run may remove the empty folder of the VM in between.
                create().or_else(|error| if error.kind() == io::ErrorKind::NotFound { create() } else { Err(error) })
            }
        };
        staging.map_err(PublishError::not_writable(&self.folder))
    }

    /// Creates another private folder beside the launcher, if that is a link to a file in another folder.
    fn launcher_staging(&self) -> Result<Option<Staging>> {
        let Place::Files { .. } = self.place else { return Ok(None) };
        let other = self.launcher.as_deref().and_then(Path::parent).filter(|folder| *folder != self.folder);
        other.map(|folder| Staging::new(folder).map_err(PublishError::not_writable(folder))).transpose()
    }

    /// Flushes what the engine wrote to the disk, each file with its mode. The time depends on their size.
    pub fn flush(&self, staging: &Staging) -> Result<()> {
        // What is in chunks was flushed when it was written.
        if !staging.snapshot().exists() {
            flush(&staging.sidecar(), 0o600)?;
        }
        if self.launcher.is_some() { flush(&staging.launcher(), 0o700) } else { Ok(()) }
    }

    /// Publishes flushed files: renames each into place, the sidecar last. If that fails, restores the old launcher; the
    /// old sidecar is unchanged.
    pub fn publish(&self, staging: &Staging) -> Result<()> {
        let existing = match self.place {
            Place::Files { existing, .. } => existing,
            Place::Library { .. } => Existing::Keep,
        };
        let Some(launcher) = &self.launcher else { return publish(&staging.sidecar(), &self.sidecar, existing) };
        let other = self.launcher_staging()?;
        let beside = other.as_ref().unwrap_or(staging);
        let (new, old) = (beside.launcher(), beside.path().join("old-launcher"));
        if other.is_some() {
            fs::copy(staging.launcher(), &new).map_err(PublishError::not_writable(&new))?;
        }
        // Copied on a file system without hard links, or if it is full.
        let kept = match fs::hard_link(launcher, &old).or_else(|_| fs::copy(launcher, &old).map(drop)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            kept => kept.map_err(PublishError::not_writable(&old)).map(|()| true)?,
        };
        publish(&new, launcher, existing)?;
        publish(&staging.sidecar(), &self.sidecar, existing).inspect_err(|_| {
            let _ = if kept {
                publish(&old, launcher, Existing::Replace)
            } else {
                publish::withdraw(launcher, &old).map_err(PublishError::not_writable(launcher))
            };
        })
    }

    /// Publishes flushed files and their `snapshot.json` as one folder of the library, in one step.
    pub fn publish_snapshot(&self, staging: &Staging, metadata: &Metadata) -> Result<()> {
        let (new, folder) = (staging.snapshot(), self.sidecar.with_file_name(""));
        let prepare = || {
            if !metadata.is_in_chunks() {
                staging.make_snapshot()?;
                fs::rename(staging.sidecar(), new.join(self.sidecar.file_name().unwrap_or_default()))?;
            }
            if let Some(name) = self.launcher.as_ref().and_then(|launcher| launcher.file_name()) {
                fs::rename(staging.launcher(), new.join(name))?;
            }
            if metadata.files.contains_key(WORKSPACE) {
                fs::rename(staging.path().join(WORKSPACE), new.join(WORKSPACE))?;
            }
            metadata.write(&new)
        };
        prepare().map_err(PublishError::not_writable(&folder))?;
        if !metadata.is_in_chunks() {
            return publish(&new, &folder, Existing::Keep);
        }
        // Chunks and index were flushed when they were written, as the VM may be down meanwhile, and there are many; the
        // folder was with its snapshot.json.
        let others = metadata.files.keys().filter(|name| *name != INDEX).map(|name| new.join(name));
        let flushed = others.into_iter().try_for_each(|path| publish::flush(&path));
        flushed.map_err(PublishError::not_writable(&folder))?;
        publish::publish_flushed(&new, &folder, Existing::Keep)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Place::Library { .. } = self.place {
            // The freeze may have failed before it published a snapshot in it.
            catalog::remove_if_empty(&self.folder);
        }
    }
}

/// Sets the mode, and flushes the content.
fn flush(path: &Path, mode: u32) -> Result<()> {
    let flush = || {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        publish::flush(path)
    };
    flush().map_err(PublishError::not_writable(path))
}
