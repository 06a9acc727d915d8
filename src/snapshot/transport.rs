//! A snapshot as one file, for machines without a registry: a tar of its folder, `snapshot.json` first.

use super::home;
use super::library::{self, ARTIFACT, CHECKPOINT, LAUNCHER, Stored, WORKSPACE};
use super::metadata::{self, Metadata, MetadataError};
use super::work::{self, Work};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempPath;
use thiserror::Error;

/// Why a snapshot cannot travel.
#[derive(Debug, Error)]
pub enum TransportError {
    /// Something of that name is there.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// The file was not made by `export`, or is damaged.
    #[error("{} is no exported snapshot: {why}", file.display())]
    NotExported {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

type Result<T> = std::result::Result<T, TransportError>;

/// Writes the snapshot into `target`, which appears whole or not at all.
///
/// # Errors
/// `target` exists and is not to be replaced, or it cannot be written.
pub fn export(one: &Stored, target: &Path, replace: bool, dead: &dyn Fn(&Path)) -> Result<()> {
    let target = std::path::absolute(target).map_err(io_error(target))?;
    if !replace && fs::symlink_metadata(&target).is_ok() {
        return Err(TransportError::Exists(target));
    }
    let beside = target.parent().unwrap_or(Path::new("/"));
    work::sweep(beside, dead);
    let work = Work::new(beside).map_err(io_error(&target))?;
    let temp = work.path().join("export");
    let write = || {
        let file = File::options().write(true).create_new(true).mode(0o600).open(&temp)?;
        let mut tar = tar::Builder::new(file);
        let files = one.metadata.files.keys().map(String::as_str);
        for name in std::iter::once(metadata::FILE).chain(files) {
            tar.append_path_with_name(one.folder.join(name), name)?;
        }
        tar.into_inner()?.sync_all()
    };
    write().map_err(io_error(&target))?;
    if replace {
        return fs::rename(&temp, &target).map_err(io_error(&target));
    }
    let temp = TempPath::try_from_path(&temp).map_err(io_error(&target))?;
    temp.persist_noclobber(&target).map_err(|refused| match refused.error.kind() {
        io::ErrorKind::AlreadyExists => TransportError::Exists(target.clone()),
        _ => io_error(&target)(refused.error),
    })
}

/// A snapshot that was unpacked beside the library, and is not part of it yet.
pub struct Incoming {
    work: Work,
    /// What its `snapshot.json` says.
    pub metadata: Metadata,
}

impl Incoming {
    /// Unpacks an exported snapshot: the files that a snapshot has, and nothing else.
    ///
    /// # Errors
    /// It is none, or there is no room for it.
    pub fn unpack(file: &Path, dead: &dyn Fn(&Path)) -> Result<Self> {
        let strange = |why: String| TransportError::NotExported { file: file.to_owned(), why };
        let library = home::folder("snapshots").map_err(io_error(&home::path("snapshots")))?;
        work::sweep(&library, dead);
        let work = Work::new(&library).map_err(io_error(&library))?;
        let folder = work.path().join("new");
        DirBuilder::new().mode(0o700).create(&folder).map_err(io_error(&folder))?;
        let mut tar = tar::Archive::new(File::open(file).map_err(io_error(file))?);
        for entry in tar.entries().map_err(|error| strange(error.to_string()))? {
            let mut entry = entry.map_err(|error| strange(error.to_string()))?;
            let name = entry.path().map_err(|error| strange(error.to_string()))?.to_string_lossy().into_owned();
            let expected = [metadata::FILE, ARTIFACT, CHECKPOINT, LAUNCHER, WORKSPACE].contains(&name.as_str());
            if !expected || !entry.header().entry_type().is_file() {
                return Err(strange(format!("it holds {name:?}")));
            }
            let target = folder.join(&name);
            let mode = if name == LAUNCHER { 0o700 } else { 0o600 };
            let mut copy = || {
                let mut target = File::options().write(true).create_new(true).mode(mode).open(&target)?;
                io::copy(&mut entry, &mut target)?;
                target.sync_all()
            };
            copy().map_err(io_error(&target))?;
        }
        let metadata = Metadata::read(&folder).map_err(|error: MetadataError| strange(error.to_string()))?;
        Ok(Self { work, metadata })
    }

    /// Where its files lie.
    pub fn folder(&self) -> PathBuf {
        self.work.path().join("new")
    }

    /// Makes it part of the library, in one instant, under the VM and the id that its metadata says by now.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn publish(self) -> Result<Stored> {
        let (new, metadata) = (self.folder(), self.metadata);
        let vm = library::vm_folder(&metadata.vm).map_err(io_error(&new))?;
        let folder = vm.join(&metadata.id);
        if fs::symlink_metadata(&folder).is_ok() {
            return Err(TransportError::Exists(folder));
        }
        let publish = || {
            metadata.write(&new)?;
            fs::rename(&new, &folder)?;
            File::open(&vm)?.sync_all()
        };
        publish().map_err(io_error(&folder))?;
        Ok(Stored { folder, metadata })
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> TransportError + '_ {
    move |source| TransportError::Io { path: path.to_owned(), source }
}
