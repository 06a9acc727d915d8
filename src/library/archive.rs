//! Imports snapshots into the library: from an exported one (see `export`), or from an artifact.

use super::catalog;
use super::layout::{self, ARTIFACT, FILES, METADATA, SNAPSHOTS};
use super::limits;
use super::lock::Lock;
use super::metadata::{InChunks, Metadata};
use super::staging::Staging;
use super::store::{self, StoreError};
use super::stored::Stored;
use crate::encryption::{self, DecryptError, Identities};
use crate::publish::{self, Existing, PublishError};
use crate::signals::{Interrupted, Signals};
use crate::stream::{ReadError, Source, source_name};
use crate::tarball::{self, Entry};
use crate::{files, home};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a snapshot cannot be exported or imported.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It cannot be published.
    #[error(transparent)]
    Unpublished(#[from] PublishError),
    /// It was not made by `export` or `push`, or is damaged.
    #[error("{from} is not an exported snapshot: {why}")]
    NotExported {
        /// The file, or its other source.
        from: String,
        /// Why it is not.
        why: String,
    },
    /// It is encrypted, and cannot be decrypted.
    #[error("{from} cannot be imported: {why}")]
    Undecrypted {
        /// The file, or its other source.
        from: String,
        /// Why it cannot be.
        why: DecryptError,
    },
    /// It is a checkpoint of the engine, but damaged.
    #[error("{from} is not a whole checkpoint: {why}")]
    NotWhole {
        /// The file or folder.
        from: String,
        /// Why it is not.
        why: String,
    },
    /// The library already has it.
    #[error("{0} is already in the library")]
    Present(String),
    /// It is larger than the free space, as it claims.
    #[error("the snapshot has a {name} of {bytes} bytes, but only {free} bytes are free in {}", folder.display())]
    NoRoom {
        /// The file in the snapshot.
        name: String,
        /// Its size.
        bytes: u64,
        /// The free bytes.
        free: u64,
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {}", .0.path.display(), .0.source)]
    Unreadable(ReadError),
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Its chunks are damaged, or cannot be written.
    #[error(transparent)]
    Chunks(#[from] StoreError),
    /// A signal arrived.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

pub(super) type Result<T> = std::result::Result<T, ArchiveError>;

/// The number of bytes of a tar to read at a time.
const BUFFER: usize = 256 << 10;

/// Creates a private folder in the library, after removing what killed runs left in it.
///
/// # Errors
/// It cannot be created.
pub fn library_staging() -> Result<Staging> {
    let library = home::folder(SNAPSHOTS).map_err(io_error(home::shown_path(SNAPSHOTS).as_ref()))?;
    Staging::after_sweep(&library).map_err(io_error(&library))
}

/// A snapshot in a private folder, not yet in the library.
pub struct Incoming {
    staging: Staging,
    /// The content of its `snapshot.json`.
    pub metadata: Metadata,
}

impl Incoming {
    /// The files of a snapshot in a private folder.
    pub(super) fn new(staging: Staging, metadata: Metadata) -> Self {
        Self { staging, metadata }
    }

    /// Unpacks an exported snapshot from a file, or for `-` from the standard input, decrypted with one of these if it is
    /// encrypted. Refuses any other file in it. Also returns whether it is encrypted.
    ///
    /// # Errors
    /// It is not an exported snapshot, or cannot be decrypted, or there is not enough space.
    pub fn unpack(file: &Path, identities: &Identities, signals: &Signals) -> Result<(Self, bool)> {
        let not_exported = not_exported(file);
        let staging = library_staging()?;
        let folder = staging.make_snapshot().map_err(io_error(&staging.snapshot()))?;
        let from = Source::open(file, signals).map_err(io_error(file))?;
        let decrypted = encryption::decrypt(from, identities);
        signals.check()?;
        let (from, is_encrypted) = decrypted.map_err(undecrypted(file))?;
        let broken = |error: io::Error| match error.downcast::<ReadError>().map_err(io::Error::downcast) {
            Ok(unread) => ArchiveError::Unreadable(unread),
            Err(Ok(why)) => undecrypted(file)(why),
            Err(Err(error)) => not_exported(error.to_string()),
        };
        let unpacked =
            tarball::for_each(BufReader::with_capacity(BUFFER, from), broken, |entry| unpack_one(entry, file, &folder));
        // After a signal, a short stream is not damaged.
        signals.check()?;
        unpacked?;
        let metadata = Metadata::read(&folder).map_err(|error| not_exported(error.to_string()))?;
        Ok((Self { staging, metadata }, is_encrypted))
    }

    /// Takes an artifact in a private folder, and the text of its `snapshot.json`, which both came from `source`. Removes
    /// other files from the text, because they did not come with it.
    ///
    /// # Errors
    /// The text cannot be parsed, or does not list the artifact; or it cannot be written.
    pub fn from_artifact(staging: Staging, artifact: &Path, text: &[u8], source: &str) -> Result<Self> {
        let not_exported = |why: String| ArchiveError::NotExported { from: source.to_owned(), why };
        let folder = staging.snapshot();
        let target = folder.join(ARTIFACT);
        let move_artifact = || {
            staging.make_snapshot()?;
            fs::rename(artifact, &target)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600))?;
            publish::flush(&target)?;
            fs::write(folder.join(METADATA), text)
        };
        move_artifact().map_err(io_error(&target))?;
        let mut metadata = Metadata::read(&folder).map_err(|error| not_exported(error.to_string()))?;
        metadata.files.retain(|name, _| name == ARTIFACT);
        if metadata.files.is_empty() {
            return Err(not_exported(format!("its {METADATA} does not list {ARTIFACT}")));
        }
        Ok(Self { staging, metadata })
    }

    /// The folder of its files.
    pub fn folder(&self) -> PathBuf {
        self.staging.snapshot()
    }

    /// Takes its artifact apart, unless that has something that an index cannot hold. The caller has checked it.
    ///
    /// # Errors
    /// It is damaged, or its chunks cannot be written.
    pub fn take_apart(&mut self, signals: &Signals) -> std::result::Result<(), StoreError> {
        let folder = self.folder();
        let Some(artifact) = self.metadata.artifact_file().map(|name| folder.join(name)) else { return Ok(()) };
        let Some((index, recorded, added)) = store::take_apart(&folder, &artifact, None, signals, |_| None)? else {
            return Ok(());
        };
        self.metadata = self.metadata.with_chunks(recorded, InChunks::new(&index.artifact()?, added));
        fs::remove_file(&artifact).map_err(|source| StoreError::NotWritable { path: artifact, source })
    }

    /// Moves it into the library in one step, under the VM and id in its metadata. The lock is that of the VM's snapshots.
    ///
    /// # Errors
    /// It exists already, or cannot be written.
    pub fn publish(self, _library: &Lock) -> Result<Stored> {
        let (new, metadata) = (self.folder(), self.metadata);
        let vm = catalog::vm_folder(&metadata.vm).map_err(io_error(&new))?;
        let folder = vm.join(&metadata.id);
        metadata.write(&new).map_err(io_error(&folder))?;
        publish::publish(&new, &folder, Existing::Keep).map_err(|error| match error {
            PublishError::Exists(_) => ArchiveError::Present(format!("{}@{}", metadata.vm, metadata.id)),
            error => error.into(),
        })?;
        Ok(Stored::new(folder, metadata))
    }
}

/// The error for a failure to write `path`: the cause may be a failure to read the source.
pub(super) fn io_error(path: &Path) -> impl Fn(io::Error) -> ArchiveError + '_ {
    move |error| match error.downcast::<ReadError>().map_err(io::Error::downcast::<StoreError>) {
        Ok(unread) => ArchiveError::Unreadable(unread),
        Err(Ok(error)) => ArchiveError::Chunks(error),
        Err(Err(source)) => ArchiveError::NotWritable { path: path.to_owned(), source },
    }
}

fn not_exported(source: &Path) -> impl Fn(String) -> ArchiveError {
    let from = source_name(source);
    move |why| ArchiveError::NotExported { from: from.clone(), why }
}

/// The error for an encrypted file that cannot be decrypted, or not be read.
fn undecrypted(source: &Path) -> impl Fn(DecryptError) -> ArchiveError + '_ {
    move |error| match error {
        DecryptError::Unreadable(error) => io_error(source)(error),
        why => ArchiveError::Undecrypted { from: source_name(source), why },
    }
}

/// Unpacks a file of a snapshot into its new folder.
fn unpack_one(entry: &mut Entry<impl Read>, source: &Path, folder: &Path) -> Result<()> {
    let not_exported = not_exported(source);
    let name = entry.path().map_err(|error| not_exported(error.to_string()))?.to_string_lossy().into_owned();
    if !FILES.contains(&name.as_str()) {
        let shown: String = name.chars().take(100).collect();
        return Err(not_exported(format!("it holds {shown:?}")));
    }
    if !entry.header().entry_type().is_file() {
        return Err(not_exported(format!("its {name} is not a regular file")));
    }
    let (bytes, target) = (entry.size(), folder.join(&name));
    if name == METADATA && bytes > limits::LIMIT {
        return Err(not_exported(format!("its {name} is longer than {} bytes", limits::LIMIT)));
    }
    let free = files::free_bytes(folder).unwrap_or(u64::MAX);
    if bytes > free {
        return Err(ArchiveError::NoRoom { name, bytes, free, folder: home::shown_path(SNAPSHOTS).into() });
    }
    let file = File::options().write(true).create_new(true).mode(layout::mode(&name)).open(&target);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(not_exported(format!("it holds {name} twice")));
        }
        file => file.map_err(io_error(&target))?,
    };
    let copied = io::copy(entry, &mut file).map_err(|error| match error.downcast() {
        Ok(why) => undecrypted(source)(why),
        Err(error) => io_error(&target)(error),
    });
    match copied? {
        copied if copied == bytes => publish::flush(&target).map_err(io_error(&target)),
        copied => Err(not_exported(format!("it ends after {copied} of {bytes} bytes of {name}"))),
    }
}
