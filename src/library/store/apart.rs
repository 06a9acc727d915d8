//! Takes an artifact apart into chunks, and puts it together again as a file.

use super::index::Index;
use super::work::Added;
use super::writer::Writer;
use super::{StoreError, remove_objects, write_artifact};
use crate::library::{FileHash, FileHasher};
use crate::signals::Signals;
use crate::smolvm::artifact::{self, ArtifactError, Part};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Takes the artifact at `path` apart: `folder` has its chunks then, and nothing else. `edit` may return another manifest.
/// Nothing is returned if the artifact has something that an index cannot hold; then it is to be kept as it is.
///
/// # Errors
/// It is not a whole artifact, or the chunks cannot be written.
pub fn take_apart(
    folder: &Path,
    path: &Path,
    signals: &Signals,
    edit: impl FnOnce(&str) -> Option<String>,
) -> Result<Option<(Index, Added)>, StoreError> {
    let taken = Writer::run(folder, signals, |feed| {
        let mut on_part = |part: Part<'_>| feed.part(part).map_err(Ended::Store);
        artifact::take_apart(path, signals, edit, &mut on_part).map_err(|ended| match ended {
            Ended::Store(error) => error,
            Ended::Artifact(error) => StoreError::Artifact { path: path.to_owned(), error },
        })
    });
    match taken {
        Err(StoreError::Artifact { error: ArtifactError::Unknown(_), .. }) => {
            // The store may have its first chunks already.
            remove_objects(folder).map_err(StoreError::not_writable(folder))?;
            Ok(None)
        }
        Err(error) => Err(error),
        Ok((members, added, (_, manifest))) => Ok(Some((Index::new(manifest, members)?, added))),
    }
}

/// Why an artifact was not taken apart.
enum Ended {
    Store(StoreError),
    Artifact(ArtifactError),
}

impl From<ArtifactError> for Ended {
    fn from(error: ArtifactError) -> Self {
        Self::Artifact(error)
    }
}

/// Writes the artifact as the new file `to`. Its size and hash.
///
/// # Errors
/// A chunk is damaged, or the file cannot be written.
pub fn put_together(folder: &Path, index: &Index, to: &Path, signals: &Signals) -> Result<FileHash, StoreError> {
    let not_writable = |source| StoreError::NotWritable { path: to.to_owned(), source };
    let file = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(not_writable)?;
    write_and_hash(folder, index, &mut &file, signals).map_err(|error| match error {
        StoreError::Output(error) => not_writable(error),
        error => error,
    })
}

/// Size and hash of the artifact, without writing it.
///
/// # Errors
/// A chunk is damaged, or it cannot be written.
pub fn write_and_hash(
    folder: &Path,
    index: &Index,
    to: &mut impl Write,
    signals: &Signals,
) -> Result<FileHash, StoreError> {
    let mut to = Hashed { to, hasher: FileHasher::default() };
    write_artifact(folder, index, &mut to, signals)?;
    Ok(to.hasher.finish())
}

/// Hashes what is written through it.
struct Hashed<W> {
    to: W,
    hasher: FileHasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
