//! Snapshots that leave the library and come into it. As one file, for machines without a registry: a tar of the folder,
//! `snapshot.json` first.

use super::home;
use super::library::{self, ARTIFACT, LAUNCHER, Stored};
use super::metadata::{self, Metadata, MetadataError};
use super::work::Work;
use crate::interrupt;
use crate::publish::{self, Existing, PublishError, meant};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a snapshot cannot travel.
#[derive(Debug, Error)]
pub enum TransportError {
    /// It cannot get its name.
    #[error(transparent)]
    Unpublished(#[from] PublishError),
    /// It was not made by `export` or `push`, or is damaged.
    #[error("{from} is no exported snapshot: {why}")]
    NotExported {
        /// The file, or where else it came from.
        from: String,
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
    /// A signal ended it.
    #[error("interrupted by {}", interrupt::signal_name(*.0))]
    Interrupted(i32),
}

type Result<T> = std::result::Result<T, TransportError>;

/// The folder that becomes the snapshot's, in the private one.
const NEW: &str = "new";

/// Writes the snapshot into `target`, which appears whole or not at all.
///
/// # Errors
/// `target` exists and is not to be replaced, or it cannot be written.
pub fn export(one: &Stored, target: &Path, existing: Existing, dead: &dyn Fn(&Path)) -> Result<()> {
    let target = std::path::absolute(target).map_err(io_error(target))?;
    let target = meant(&target);
    publish::preflight(&target, existing)?;
    let beside = target.parent().unwrap_or(Path::new("/"));
    let work = Work::after_sweep(beside, dead).map_err(io_error(&target))?;
    let temp = work.path().join("export");
    let write = || {
        let file = File::options().write(true).create_new(true).mode(0o600).open(&temp)?;
        let mut tar = tar::Builder::new(file);
        let files = one.metadata.files.keys().map(String::as_str);
        for name in std::iter::once(metadata::FILE).chain(files) {
            let file = File::open(one.folder.join(name))?;
            let mut header = tar::Header::new_gnu();
            header.set_metadata(&file.metadata()?);
            tar.append_data(&mut header, name, Heeding(file))?;
        }
        tar.into_inner()?;
        heed()
    };
    write().map_err(io_error(&target))?;
    Ok(publish::publish(&temp, &target, existing)?)
}

/// A private folder beside the library, on its file system. What dead runs left there is swept first.
///
/// # Errors
/// It cannot be made.
pub fn room(dead: &dyn Fn(&Path)) -> Result<Work> {
    let library = home::folder("snapshots").map_err(io_error(home::shown_path("snapshots").as_ref()))?;
    Work::after_sweep(&library, dead).map_err(io_error(&library))
}

/// A snapshot that lies beside the library, and is not part of it yet.
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
        let source = file.display().to_string();
        let strange = |why: String| TransportError::NotExported { from: source.clone(), why };
        let work = room(dead)?;
        let folder = work.path().join(NEW);
        DirBuilder::new().mode(0o700).create(&folder).map_err(io_error(&folder))?;
        let mut tar = tar::Archive::new(File::open(file).map_err(io_error(file))?);
        for entry in tar.entries().map_err(|error| strange(error.to_string()))? {
            let mut entry = entry.map_err(|error| strange(error.to_string()))?;
            let name = entry.path().map_err(|error| strange(error.to_string()))?.to_string_lossy().into_owned();
            let expected = library::FILES.contains(&name.as_str());
            if !expected || !entry.header().entry_type().is_file() {
                return Err(strange(format!("it holds {name:?}")));
            }
            let target = folder.join(&name);
            let mode = if name == LAUNCHER { 0o700 } else { 0o600 };
            let mut copy = || {
                let mut target = File::options().write(true).create_new(true).mode(mode).open(&target)?;
                io::copy(&mut Heeding(&mut entry), &mut target)?;
                target.sync_all()
            };
            copy().map_err(io_error(&target))?;
        }
        let metadata = Metadata::read(&folder).map_err(|error: MetadataError| strange(error.to_string()))?;
        Ok(Self { work, metadata })
    }

    /// An artifact in a private folder, and the text of its `snapshot.json`. `source` is where both came from. The
    /// artifact alone has come: what is recorded of other files goes.
    ///
    /// # Errors
    /// The text is none, or records nothing of the artifact; or something cannot be written.
    pub fn arrived(work: Work, artifact: &Path, text: &[u8], source: &str) -> Result<Self> {
        let strange = |why: String| TransportError::NotExported { from: source.to_owned(), why };
        let folder = work.path().join(NEW);
        let target = folder.join(ARTIFACT);
        let place = || {
            DirBuilder::new().mode(0o700).create(&folder)?;
            fs::rename(artifact, &target)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600))?;
            File::open(&target)?.sync_all()?;
            fs::write(folder.join(metadata::FILE), text)
        };
        place().map_err(io_error(&target))?;
        let mut metadata = Metadata::read(&folder).map_err(|error| strange(error.to_string()))?;
        metadata.files.retain(|name, _| name == ARTIFACT);
        if metadata.files.is_empty() {
            return Err(strange(format!("its {} records no {ARTIFACT}", metadata::FILE)));
        }
        Ok(Self { work, metadata })
    }

    /// Where its files lie.
    pub fn folder(&self) -> PathBuf {
        self.work.path().join(NEW)
    }

    /// Makes it part of the library, in one instant, under the VM and the id that its metadata says by now.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn publish(self) -> Result<Stored> {
        let (new, metadata) = (self.folder(), self.metadata);
        let vm = library::vm_folder(&metadata.vm).map_err(io_error(&new))?;
        let folder = vm.join(&metadata.id);
        let written = metadata.write(&new).map_err(io_error(&folder));
        if let Err(error) = written.and_then(|()| Ok(publish::publish(&new, &folder, Existing::Keep)?)) {
            // Made for nothing, if there is no other snapshot in it.
            let _ = fs::remove_dir(&vm);
            return Err(error);
        }
        Ok(Stored { folder, metadata })
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> TransportError + '_ {
    move |source| match interrupt::pending() {
        Some(signal) => TransportError::Interrupted(signal),
        None => TransportError::Io { path: path.to_owned(), source },
    }
}

/// What is read no further once a signal came.
struct Heeding<R>(R);

impl<R: Read> Read for Heeding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        heed()?;
        self.0.read(buffer)
    }
}

fn heed() -> io::Result<()> {
    if interrupt::pending().is_some() { Err(io::Error::other("interrupted")) } else { Ok(()) }
}
