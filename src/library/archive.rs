//! Snapshots that leave the library and come into it. As one file, for machines without a registry: a tar of the folder,
//! `snapshot.json` first.

use super::lock::Lock;
use super::metadata::{self, Metadata};
use super::staging::Staging;
use super::store::{self, ARTIFACT, LAUNCHER, Stored};
use crate::publish::{self, Existing, PublishError, resolve_link};
use crate::signals::{Interrupted, Signals};
use crate::stream::{Sink, Source, Unread, source_name};
use crate::tarball::{self, Entry};
use crate::{files, home};
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read, Write};
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
    /// The library has it.
    #[error("{0} is in the library already")]
    Present(String),
    /// It claims to be larger than what is free.
    #[error("the snapshot has a {name} of {bytes} bytes, but only {free} bytes are free in {}", folder.display())]
    NoRoom {
        /// A file of it.
        name: String,
        /// Its size.
        bytes: u64,
        /// What is free.
        free: u64,
        /// Where.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {}", .0.path.display(), .0.source)]
    Unreadable(Unread),
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A signal ended it.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

type Result<T> = std::result::Result<T, TransportError>;

/// How much of a tar is read at a time.
const BUFFER: usize = 256 << 10;

/// The folder that becomes the snapshot's, in the private one.
const NEW: &str = "new";

/// Writes the snapshot into `target`, which appears whole or not at all.
///
/// # Errors
/// `target` exists and is not to be replaced, or it cannot be written.
pub fn export(one: &Stored, target: &Path, existing: Existing, signals: &Signals) -> Result<()> {
    let target = std::path::absolute(target).map_err(io_error(target))?;
    let target = resolve_link(&target);
    publish::preflight(&target, existing, home::canonical_root().as_deref())?;
    let beside = target.parent().unwrap_or(Path::new("/"));
    let work = Staging::after_sweep(beside).map_err(io_error(&target))?;
    let temp = work.path().join("export");
    let file = File::options().write(true).create_new(true).mode(0o600).open(&temp);
    // Flushed while a signal can still end it: what follows is done in an instant.
    let written = file.and_then(|file| write_tar(one, file, signals)).and_then(|()| publish::flush(&temp));
    signals.check()?;
    written.map_err(io_error(&target))?;
    Ok(publish::publish(&temp, &target, existing)?)
}

/// Writes the snapshot to the standard output.
///
/// # Errors
/// It cannot be written, or is not read to its end.
pub fn export_to_stdout(one: &Stored, signals: &Signals) -> Result<()> {
    let written = Sink::stdout(signals).and_then(|out| write_tar(one, out, signals));
    signals.check()?;
    written.map_err(io_error(Path::new("the standard output")))
}

fn write_tar(one: &Stored, to: impl Write, signals: &Signals) -> io::Result<()> {
    let mut tar = tar::Builder::new(to);
    let files = one.metadata.files.keys().map(String::as_str);
    for name in std::iter::once(metadata::FILE).chain(files) {
        let file = Source::open(&one.folder.join(name), signals)?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&file.metadata()?);
        tar.append_data(&mut header, name, file)?;
    }
    tar.into_inner()?;
    Ok(())
}

/// A private folder beside the library, on its file system. What dead runs left there is swept first.
///
/// # Errors
/// It cannot be made.
pub fn room() -> Result<Staging> {
    let library = home::folder("snapshots").map_err(io_error(home::shown_path("snapshots").as_ref()))?;
    Staging::after_sweep(&library).map_err(io_error(&library))
}

/// A snapshot that lies beside the library, and is not part of it yet.
pub struct Incoming {
    work: Staging,
    /// What its `snapshot.json` says.
    pub metadata: Metadata,
}

impl Incoming {
    /// Unpacks an exported snapshot, from a file or (`-`) the standard input: the files that a snapshot has, and nothing
    /// else.
    ///
    /// # Errors
    /// It is none, or there is no room for it.
    pub fn unpack(file: &Path, signals: &Signals) -> Result<Self> {
        let strange = strange(file);
        let work = room()?;
        let folder = work.path().join(NEW);
        DirBuilder::new().mode(0o700).create(&folder).map_err(io_error(&folder))?;
        let from = Source::open(file, signals).map_err(io_error(file))?;
        let broken = |error: io::Error| match error.downcast::<Unread>() {
            Ok(unread) => TransportError::Unreadable(unread),
            Err(error) => strange(error.to_string()),
        };
        let unpacked =
            tarball::for_each(BufReader::with_capacity(BUFFER, from), broken, |entry| unpack_one(entry, file, &folder));
        // An interrupted stream is short, not damaged.
        signals.check()?;
        unpacked?;
        let metadata = Metadata::read(&folder).map_err(|error| strange(error.to_string()))?;
        Ok(Self { work, metadata })
    }

    /// An artifact in a private folder, and the text of its `snapshot.json`. `source` is where both came from. The
    /// artifact alone has come: what is recorded of other files goes.
    ///
    /// # Errors
    /// The text is none, or records nothing of the artifact; or something cannot be written.
    pub fn arrived(work: Staging, artifact: &Path, text: &[u8], source: &str) -> Result<Self> {
        let strange = |why: String| TransportError::NotExported { from: source.to_owned(), why };
        let folder = work.path().join(NEW);
        let target = folder.join(ARTIFACT);
        let place = || {
            DirBuilder::new().mode(0o700).create(&folder)?;
            fs::rename(artifact, &target)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600))?;
            publish::flush(&target)?;
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

    /// Makes it part of the library, in one instant, under the VM and the id that its metadata says by now, and the lock
    /// of that VM's snapshots.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn publish(self, _library: &Lock) -> Result<Stored> {
        let (new, metadata) = (self.folder(), self.metadata);
        let vm = store::vm_folder(&metadata.vm).map_err(io_error(&new))?;
        let folder = vm.join(&metadata.id);
        metadata.write(&new).map_err(io_error(&folder))?;
        publish::publish(&new, &folder, Existing::Keep).map_err(|error| match error {
            PublishError::Exists(_) => TransportError::Present(format!("{}@{}", metadata.vm, metadata.id)),
            error => error.into(),
        })?;
        Ok(Stored::new(folder, metadata))
    }
}

/// What a failure to write `path` means: perhaps what was to be written could not be read.
fn io_error(path: &Path) -> impl Fn(io::Error) -> TransportError + '_ {
    move |error| match error.downcast::<Unread>() {
        Ok(unread) => TransportError::Unreadable(unread),
        Err(source) => TransportError::NotWritable { path: path.to_owned(), source },
    }
}

fn strange(source: &Path) -> impl Fn(String) -> TransportError {
    let from = source_name(source);
    move |why| TransportError::NotExported { from: from.clone(), why }
}

/// Writes a file of a snapshot into its new folder.
fn unpack_one(entry: &mut Entry<impl Read>, source: &Path, folder: &Path) -> Result<()> {
    let strange = strange(source);
    let name = entry.path().map_err(|error| strange(error.to_string()))?.to_string_lossy().into_owned();
    if !store::FILES.contains(&name.as_str()) {
        let shown: String = name.chars().take(100).collect();
        return Err(strange(format!("it holds {shown:?}")));
    }
    if !entry.header().entry_type().is_file() {
        return Err(strange(format!("its {name} is not a regular file")));
    }
    let (bytes, target) = (entry.size(), folder.join(&name));
    if name == metadata::FILE && bytes > metadata::LIMIT {
        return Err(strange(format!("its {name} is longer than {} bytes", metadata::LIMIT)));
    }
    let free = files::free_bytes(folder).unwrap_or(u64::MAX);
    if bytes > free {
        return Err(TransportError::NoRoom { name, bytes, free, folder: home::shown_path("snapshots").into() });
    }
    let mode = if name == LAUNCHER { 0o700 } else { 0o600 };
    let file = File::options().write(true).create_new(true).mode(mode).open(&target);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(strange(format!("it holds {name} twice")));
        }
        file => file.map_err(io_error(&target))?,
    };
    match io::copy(entry, &mut file).map_err(io_error(&target))? {
        copied if copied == bytes => publish::flush(&target).map_err(io_error(&target)),
        copied => Err(strange(format!("it ends after {copied} of {bytes} bytes of {name}"))),
    }
}
