//! Takes an artifact apart into chunks, and puts it together again as a file.

use super::index::Index;
use super::objects::Objects;
use super::sweep::remove_objects_in;
use super::work::Added;
use super::writer::Writer;
use super::{StoreError, write_artifact};
use crate::library::{FileHash, HashingWriter};
use crate::signals::Signals;
use crate::smolvm::artifact::{self, ArtifactError, Part};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Takes the artifact at `path` apart: `folder` has its chunks and its index then, and nothing else of them. The frames
/// that `last` has are trusted. `edit` may return another manifest. Returns the index, the size and hash of its file, and
/// what the store did not have; or nothing if the artifact has something that an index cannot hold: then it is to be kept
/// as it is.
///
/// # Errors
/// It is not a whole artifact, or the chunks cannot be written.
pub fn take_apart(
    folder: &Path,
    path: &Path,
    last: Option<&Index>,
    signals: &Signals,
    edit: impl FnOnce(&str) -> Option<String>,
) -> Result<Option<(Index, FileHash, Added)>, StoreError> {
    take_apart_in(&Objects::create()?, folder, path, last, signals, edit)
}

fn take_apart_in(
    store: &Objects,
    folder: &Path,
    path: &Path,
    last: Option<&Index>,
    signals: &Signals,
    edit: impl FnOnce(&str) -> Option<String>,
) -> Result<Option<(Index, FileHash, Added)>, StoreError> {
    let taken = Writer::run_in(store.clone(), folder, signals, |feed| {
        if let Some(last) = last {
            feed.trust(last);
        }
        let mut on_part = |part: Part<'_>| feed.part(part).map_err(Ended::Store);
        artifact::take_apart(path, signals, edit, &mut on_part).map_err(|ended| match ended {
            Ended::Store(error) => error,
            Ended::Artifact(error) => StoreError::Artifact { path: path.to_owned(), error },
        })
    });
    let indexed = taken.and_then(|(members, added, (_, manifest))| {
        let index = Index::new(manifest, members)?;
        let hash = index.write(folder)?;
        Ok(Some((index, hash, added)))
    });
    match indexed {
        Err(StoreError::Content(_) | StoreError::Artifact { error: ArtifactError::Unknown(_), .. }) => {
            // The store may have its chunks already.
            remove_objects_in(Some(store), folder).map_err(StoreError::not_writable(folder))?;
            Ok(None)
        }
        indexed => indexed,
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

/// Writes the artifact as the new file `to`.
///
/// # Errors
/// A chunk is damaged, or the file cannot be written.
pub fn put_together(
    folder: &Path,
    index: &Index,
    to: &Path,
    signals: &Signals,
    on_bytes: &dyn Fn(u64),
) -> Result<(), StoreError> {
    let not_writable = |source| StoreError::NotWritable { path: to.to_owned(), source };
    let file = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(not_writable)?;
    write_artifact(folder, index, &mut Counting { to: file, on_bytes }, signals).map_err(|error| match error {
        StoreError::Output(error) => not_writable(error),
        error => error,
    })
}

/// Passes the number of bytes that are written to `on_bytes`.
struct Counting<'a> {
    to: File,
    on_bytes: &'a dyn Fn(u64),
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        (self.on_bytes)(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Writes the artifact into `to`. Its size and hash.
///
/// # Errors
/// A chunk is damaged, or it cannot be written.
pub fn write_and_hash(
    folder: &Path,
    index: &Index,
    to: &mut impl Write,
    signals: &Signals,
) -> Result<FileHash, StoreError> {
    let mut to = HashingWriter::new(to);
    write_artifact(folder, index, &mut to, signals)?;
    Ok(to.hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smolvm::artifact::{Member, MemberKind};
    use std::fs;

    const MANIFEST: &str = r#"{"cpus": 1, "mem": 512, "platform": "linux/amd64", "mode": "vm", "image": "", "digest": "",
        "assets": {"libraries": [], "layers": [], "agent_rootfs": {"path": "agent-rootfs.tar", "size": 1}}}"#;

    /// An artifact with small files of these names.
    fn artifact(path: &Path, names: &[&str]) {
        let mut tar = Vec::new();
        for name in names {
            let (path, size) = ((*name).to_owned(), name.len() as u64);
            let member = Member { path, kind: MemberKind::File, mode: 0o644, uid: 0, gid: 0, mtime: 0, size };
            tar.extend(artifact::headers(&member, &[]));
            tar.extend(name.as_bytes());
            tar.resize(tar.len() + artifact::padding(&member, &[]), 0);
        }
        tar.extend(artifact::END);
        let assets = zstd::encode_all(&*tar, 3).unwrap();
        let bytes = [&*assets, MANIFEST.as_bytes()].concat();
        let footer = artifact::footer(assets.len() as u64, MANIFEST.len() as u64, crc32fast::hash(&bytes));
        fs::write(path, [&*bytes, &footer].concat()).unwrap();
    }

    #[test]
    fn what_an_index_refuses_is_kept_whole_and_leaves_no_objects() {
        let at = tempfile::tempdir().unwrap();
        let [store, file] = ["store", "vm.smolmachine"].map(|name| at.path().join(name));
        fs::create_dir(&store).unwrap();
        let take = |new: &str, names: &[&str]| {
            let folder = at.path().join(new);
            fs::create_dir(&folder).unwrap();
            artifact(&file, names);
            let taken = take_apart_in(&Objects::at(store.clone()), &folder, &file, None, &Signals::default(), |_| None);
            let left = [&store, &folder].map(|folder| fs::read_dir(folder).unwrap().count());
            (taken.unwrap().map(|(index, ..)| index.members.len()), left)
        };
        assert_eq!(take("first", &["agent-rootfs.tar", "a", "a"]), (None, [0, 0]));
        assert_eq!(take("second", &["agent-rootfs.tar", "a", "b"]), (Some(3), [3, 2]));
    }
}
