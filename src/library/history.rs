//! Checkpoints of the engine that `freeze` did not make: a running VM as one file or as a folder, perhaps with what it was
//! saved as before.

use super::archive::{ArchiveError, Incoming, library_staging};
use super::hash::HashingWriter;
use super::layout::{CHECKPOINT, SNAPSHOTS};
use super::metadata::{InChunks, Metadata};
use super::staging::Staging;
use super::store::{self, StoreError};
use crate::signals::Signals;
use crate::smolvm::artifact::{self, ArtifactError, Details, Manifest};
use crate::{chunk, files, home, tarball};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The bytes of a file in a history to read at a time.
const BUFFER: usize = 256 << 10;

/// The folder in the private one in which a file with a history is unpacked.
const UNPACKED: &str = "live.smolcheckpoint";

/// A running VM, as the engine saved it once.
pub struct Generation {
    /// Its manifest.
    pub manifest: Manifest,
    /// What that says for people.
    pub details: Details,
    /// Which of the checkpoint's generations it is; none for its own.
    retained: Option<String>,
}

impl Generation {
    fn read(retained: Option<String>, text: &str) -> std::result::Result<Self, Unread> {
        let manifest = Manifest::read(text.as_bytes())?;
        if !manifest.is_live() || manifest.has_history() {
            return Err(ArtifactError::Refused("a manifest in it is not that of a running VM".into()).into());
        }
        Ok(Self { manifest, details: Details::of(text.as_bytes()), retained })
    }
}

/// A checkpoint of the engine.
pub struct History {
    /// The file or folder, as the user named it.
    source: PathBuf,
    content: Content,
    /// The private folder, if it was unpacked into one.
    _private: Option<Staging>,
    /// All that is in it, the oldest first.
    pub generations: Vec<Generation>,
    /// Why earlier ones cannot be read.
    pub damaged: Vec<String>,
}

/// Where its content is.
enum Content {
    /// In the file itself.
    File,
    /// In a folder, in chunks.
    Folder(PathBuf),
}

type Result<T> = std::result::Result<T, ArchiveError>;

impl History {
    /// Opens it, and checks a file to its end. Nothing if it is something else.
    ///
    /// # Errors
    /// It is damaged, or cannot be unpacked.
    pub fn open(source: &Path, signals: &Signals) -> Result<Option<Self>> {
        if source.join(store::CHECKPOINT_INDEX).is_file() {
            return Self::of_folder(source, source.to_owned(), None).map(Some);
        }
        // Whoever writes to a FIFO has one reader: it is not opened twice.
        if !source.is_file() {
            return Ok(None);
        }
        let Ok(details) = artifact::details(source) else { return Ok(None) };
        let not_whole = not_whole(source);
        let manifest = artifact::verify(source, signals).map_err(|error| not_whole(error.into()))?.manifest;
        if !manifest.is_live() {
            return Ok(None);
        }
        if manifest.has_history() {
            let staging = library_staging()?;
            let folder = staging.path().join(UNPACKED);
            unpack(source, &folder, signals)?;
            return Self::of_folder(source, folder, Some(staging)).map(Some);
        }
        let generations = vec![Generation { manifest, details, retained: None }];
        let (source, damaged) = (source.to_owned(), Vec::new());
        Ok(Some(Self { source, content: Content::File, _private: None, generations, damaged }))
    }

    fn of_folder(source: &Path, folder: PathBuf, private: Option<Staging>) -> Result<Self> {
        let (mut all, mut damaged) = (Vec::new(), Vec::new());
        for (retained, text) in store::generations(&folder) {
            let is_earlier = retained.is_some();
            let read = text.map_err(Unread::from).and_then(|text| Generation::read(retained, &text));
            match read.map_err(not_whole(source)) {
                Ok(generation) => all.push(generation),
                Err(ArchiveError::NotWhole { why, .. }) if is_earlier => damaged.push(why),
                Err(ArchiveError::Chunks(error)) if is_earlier => damaged.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        let (source, content) = (source.to_owned(), Content::Folder(folder));
        Ok(Self { source, content, _private: private, generations: oldest_first(all), damaged })
    }

    /// One of its generations as a snapshot that is not yet in the library; `metadata` describes it.
    ///
    /// # Errors
    /// It is damaged, or cannot be written.
    pub fn incoming(&self, generation: &Generation, metadata: Metadata, signals: &Signals) -> Result<Incoming> {
        let staging = library_staging()?;
        let new = staging.make_snapshot().map_err(not_writable(&staging.snapshot()))?;
        let metadata = match &self.content {
            Content::File => {
                let file = copy(&self.source, &new.join(CHECKPOINT)).map_err(not_writable(&new))?;
                Metadata { files: BTreeMap::from([(CHECKPOINT.to_owned(), file)]), ..metadata }
            }
            Content::Folder(folder) => {
                let taken = store::take_in(&new, folder, generation.retained.as_deref(), None, signals);
                let (index, recorded, added) = taken.map_err(|error| not_whole(&self.source)(error.into()))?;
                metadata.with_chunks(recorded, InChunks::new(&index.artifact()?, added))
            }
        };
        Ok(Incoming::new(staging, metadata))
    }
}

/// Why a checkpoint cannot be read.
enum Unread {
    Store(StoreError),
    Artifact(ArtifactError),
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ArtifactError> for Unread {
    fn from(error: ArtifactError) -> Self {
        Self::Artifact(error)
    }
}

/// The error for a checkpoint that cannot be read. Paths in private folders mean nothing to the user.
fn not_whole(source: &Path) -> impl Fn(Unread) -> ArchiveError + '_ {
    move |error| {
        let damaged = |why: String| ArchiveError::NotWhole { from: source.display().to_string(), why };
        match error {
            Unread::Artifact(ArtifactError::Interrupted(interrupted)) => interrupted.into(),
            Unread::Artifact(error) => damaged(error.to_string()),
            Unread::Store(StoreError::Damaged { bad, .. }) => damaged(bad.to_string()),
            Unread::Store(StoreError::Index { why, .. } | StoreError::Content(why)) => damaged(why),
            Unread::Store(error) => error.into(),
        }
    }
}

fn not_writable(path: &Path) -> impl Fn(io::Error) -> ArchiveError + '_ {
    move |source| ArchiveError::NotWritable { path: path.to_owned(), source }
}

/// Those of the newest one's line first, then others; all turned around.
fn oldest_first(mut all: Vec<Generation>) -> Vec<Generation> {
    let at = |all: &[Generation], id: &str| all.iter().position(|one| one.retained.as_deref() == Some(id));
    let mut line = Vec::new();
    let mut next = all.iter().position(|one| one.retained.is_none());
    while let Some(found) = next {
        let one = all.swap_remove(found);
        next = one.manifest.lineage().and_then(|lineage| at(&all, &lineage.parent?));
        line.push(one);
    }
    all.sort_by(|one, other| other.details.created.cmp(&one.details.created));
    line.extend(all);
    line.reverse();
    line
}

/// Copies a file that may change at any time. What was copied is checked later.
fn copy(from: &Path, to: &Path) -> io::Result<super::FileHash> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(to)?;
    let mut writer = HashingWriter::new(&mut file);
    io::copy(&mut File::open(from)?, &mut writer)?;
    let hash = writer.hasher.finish();
    file.sync_data()?;
    Ok(hash)
}

/// Unpacks a file with a history into a new folder: the files of a checkpoint's folder, and no others.
fn unpack(source: &Path, folder: &Path, signals: &Signals) -> Result<()> {
    let damaged = |why: String| ArchiveError::NotWhole { from: source.display().to_string(), why };
    let broken = |error: io::Error| damaged(error.to_string());
    let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(not_writable(path));
    make(&folder.join(store::OBJECTS))?;
    let assets = artifact::assets(source).map_err(|error| damaged(error.to_string()))?;
    let mut decoder = zstd::Decoder::new(assets).map_err(broken)?;
    decoder.window_log_max(artifact::WINDOW).map_err(broken)?;
    let left = artifact::most_data(fs::metadata(source).map_err(broken)?.len());
    let unpacked = tarball::for_each(Unpacked { from: decoder, left, signals }, broken, |entry| {
        let path = entry.path().map_err(broken)?.into_owned();
        let most = store::most_bytes(&path).filter(|_| entry.header().entry_type().is_file());
        let Some(most) = most else { return Ok(()) };
        if entry.size() > most {
            return Err(damaged(format!("{} in it has more than {most} bytes", path.display())));
        }
        let (bytes, target) = (entry.size(), folder.join(&path));
        let free = files::free_bytes(folder).unwrap_or(u64::MAX);
        if bytes > free {
            let (name, folder) = (path.display().to_string(), home::shown_path(SNAPSHOTS).into());
            return Err(ArchiveError::NoRoom { name, bytes, free, folder });
        }
        make(target.parent().unwrap_or(folder))?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(&target);
        let mut file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => damaged(format!("it holds {} twice", path.display())),
            _ => not_writable(&target)(error),
        })?;
        let mut buffer = vec![0; BUFFER];
        loop {
            match chunk::read(entry, &mut buffer).map_err(broken)? {
                [] => return Ok(()),
                read => file.write_all(read).map_err(not_writable(&target))?,
            }
        }
    });
    // After a signal, a short stream is not damaged.
    signals.check()?;
    unpacked
}

/// What comes out of a decoder: it ends at a signal, also in what is skipped, and where it is more than a real checkpoint has.
struct Unpacked<'a, R> {
    from: R,
    left: u64,
    signals: &'a Signals,
}

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.signals.check()?;
        let count = self.from.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(artifact::TOO_LARGE))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unpacked_ends_at_a_signal_and_where_it_is_too_large() {
        let (signals, bytes) = (Signals::default(), [0_u8; 100]);
        let unpack = |left| {
            let mut unpacked = Unpacked { from: bytes.as_slice(), left, signals: &signals };
            io::copy(&mut unpacked, &mut io::sink())
        };
        assert_eq!(unpack(100).unwrap(), 100);
        assert_eq!(unpack(99).unwrap_err().to_string(), artifact::TOO_LARGE);
        signals.arrive(2);
        assert!(unpack(100).unwrap_err().to_string().contains("interrupted"));
    }
}
