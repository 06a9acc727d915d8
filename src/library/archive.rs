//! Exports snapshots from the library and imports them into it. An exported snapshot is one file: a tar of the folder,
//! `snapshot.json` first.

use super::catalog;
use super::layout::{ARTIFACT, FILES, LAUNCHER, METADATA, SNAPSHOTS};
use super::lock::Lock;
use super::metadata::{self, Metadata};
use super::staging::Staging;
use super::stored::Stored;
use crate::publish::{self, Existing, PublishError, resolve_link};
use crate::signals::{Interrupted, Signals};
use crate::stream::{ReadError, Sink, Source, source_name};
use crate::tarball::{self, Entry};
use crate::{files, home};
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
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
    /// A signal arrived.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

type Result<T> = std::result::Result<T, ArchiveError>;

/// The number of bytes of a tar to read at a time.
const BUFFER: usize = 256 << 10;

/// The folder in the private folder that becomes the snapshot.
const NEW: &str = "new";

/// Writes the snapshot to `target`, completely or not at all.
///
/// # Errors
/// `target` exists and may not be replaced, or it cannot be written.
pub fn export(one: &Stored, target: &Path, existing: Existing, signals: &Signals) -> Result<()> {
    let target = std::path::absolute(target).map_err(io_error(target))?;
    let target = resolve_link(&target);
    publish::preflight(&target, existing, home::canonical_root().as_deref())?;
    let beside = target.parent().unwrap_or(Path::new("/"));
    let work = Staging::after_sweep(beside).map_err(io_error(&target))?;
    let temp = work.path().join("export");
    let file = File::options().write(true).create_new(true).mode(0o600).open(&temp);
    // Flushed while a signal can still end it: the rest takes no time.
    let written = file.and_then(|file| write_tar(one, file, signals)).and_then(|()| publish::flush(&temp));
    signals.check()?;
    written.map_err(io_error(&target))?;
    Ok(publish::publish(&temp, &target, existing)?)
}

/// Writes the snapshot to the standard output.
///
/// # Errors
/// It cannot be written, or its reader ends early.
pub fn export_to_stdout(one: &Stored, signals: &Signals) -> Result<()> {
    let written = Sink::stdout(signals).and_then(|out| write_tar(one, out, signals));
    signals.check()?;
    written.map_err(io_error(Path::new("the standard output")))
}

fn write_tar(one: &Stored, to: impl Write, signals: &Signals) -> io::Result<()> {
    let mut tar = tar::Builder::new(to);
    let files = one.metadata.files.keys().map(String::as_str);
    for name in std::iter::once(METADATA).chain(files) {
        let file = Source::open(&one.folder.join(name), signals)?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&file.metadata()?);
        tar.append_data(&mut header, name, file)?;
    }
    tar.into_inner()?;
    Ok(())
}

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
    /// Unpacks an exported snapshot from a file, or for `-` from the standard input. Refuses any other file in it.
    ///
    /// # Errors
    /// It is not an exported snapshot, or there is not enough space.
    pub fn unpack(file: &Path, signals: &Signals) -> Result<Self> {
        let not_exported = not_exported(file);
        let staging = library_staging()?;
        let folder = staging.path().join(NEW);
        DirBuilder::new().mode(0o700).create(&folder).map_err(io_error(&folder))?;
        let from = Source::open(file, signals).map_err(io_error(file))?;
        let broken = |error: io::Error| match error.downcast::<ReadError>() {
            Ok(unread) => ArchiveError::Unreadable(unread),
            Err(error) => not_exported(error.to_string()),
        };
        let unpacked =
            tarball::for_each(BufReader::with_capacity(BUFFER, from), broken, |entry| unpack_one(entry, file, &folder));
        // After a signal, a short stream is not damaged.
        signals.check()?;
        unpacked?;
        let metadata = Metadata::read(&folder).map_err(|error| not_exported(error.to_string()))?;
        Ok(Self { staging, metadata })
    }

    /// Takes an artifact in a private folder, and the text of its `snapshot.json`, which both came from `source`. Removes
    /// other files from the text, because they did not come with it.
    ///
    /// # Errors
    /// The text cannot be parsed, or does not list the artifact; or it cannot be written.
    pub fn from_artifact(staging: Staging, artifact: &Path, text: &[u8], source: &str) -> Result<Self> {
        let not_exported = |why: String| ArchiveError::NotExported { from: source.to_owned(), why };
        let folder = staging.path().join(NEW);
        let target = folder.join(ARTIFACT);
        let move_artifact = || {
            DirBuilder::new().mode(0o700).create(&folder)?;
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
        self.staging.path().join(NEW)
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
fn io_error(path: &Path) -> impl Fn(io::Error) -> ArchiveError + '_ {
    move |error| match error.downcast::<ReadError>() {
        Ok(unread) => ArchiveError::Unreadable(unread),
        Err(source) => ArchiveError::NotWritable { path: path.to_owned(), source },
    }
}

fn not_exported(source: &Path) -> impl Fn(String) -> ArchiveError {
    let from = source_name(source);
    move |why| ArchiveError::NotExported { from: from.clone(), why }
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
    if name == METADATA && bytes > metadata::LIMIT {
        return Err(not_exported(format!("its {name} is longer than {} bytes", metadata::LIMIT)));
    }
    let free = files::free_bytes(folder).unwrap_or(u64::MAX);
    if bytes > free {
        return Err(ArchiveError::NoRoom { name, bytes, free, folder: home::shown_path(SNAPSHOTS).into() });
    }
    let mode = if name == LAUNCHER { 0o700 } else { 0o600 };
    let file = File::options().write(true).create_new(true).mode(mode).open(&target);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(not_exported(format!("it holds {name} twice")));
        }
        file => file.map_err(io_error(&target))?,
    };
    match io::copy(entry, &mut file).map_err(io_error(&target))? {
        copied if copied == bytes => publish::flush(&target).map_err(io_error(&target)),
        copied => Err(not_exported(format!("it ends after {copied} of {bytes} bytes of {name}"))),
    }
}
