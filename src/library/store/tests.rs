//! Tests of the whole store.

use super::objects::{OBJECTS, Objects};
use super::{Chunk, Entry, Index, Seen, StoreError, Writer, sweep, verify, write_artifact};
use crate::signals::Signals;
use crate::smolvm::artifact::{self, Member, MemberKind, Part};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

const MANIFEST: &str = r#"{"cpus": 1, "mem": 512, "platform": "linux/amd64", "mode": "vm", "image": "", "digest": "",
    "assets": {"libraries": [], "layers": [], "agent_rootfs": {"path": "agent-rootfs.tar", "size": 1},
    "storage_template": {"path": "storage.ext4", "size": 1}, "overlay_template": {"path": "overlay.raw", "size": 1}}}"#;

/// A file to be stored: its content in parts, zeros as their number.
#[derive(Debug, Clone)]
struct Source {
    member: Member,
    parts: Vec<Result<Vec<u8>, u64>>,
}

impl Source {
    fn new(path: &str, kind: MemberKind, parts: Vec<Result<Vec<u8>, u64>>) -> Self {
        let size = parts.iter().map(|part| part.as_ref().map_or_else(|zeros| *zeros, |data| data.len() as u64)).sum();
        Self { member: Member { path: path.into(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 1, size }, parts }
    }

    fn content(&self) -> Vec<u8> {
        let part = |part: &Result<Vec<u8>, u64>| match part {
            Ok(data) => data.clone(),
            Err(zeros) => vec![0; usize::try_from(*zeros).unwrap()],
        };
        self.parts.iter().flat_map(part).collect()
    }
}

/// A store, and folders of snapshots beside it.
struct Library(TempDir);

impl Library {
    fn new() -> Self {
        let library = Self(tempfile::tempdir().unwrap());
        fs::create_dir(library.0.path().join("store")).unwrap();
        library
    }

    fn store(&self) -> Objects {
        Objects::at(self.0.path().join("store"))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let names = fs::read_dir(self.folder(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn freeze(&self, name: &str, sources: &[Source]) -> Result<(Index, super::Added), StoreError> {
        let (members, added, ()) =
            Writer::run_in(self.store(), &self.folder(name), &Signals::default(), |feed| -> Result<(), StoreError> {
                for source in sources {
                    feed.part(Part::Member(&source.member))?;
                    for part in &source.parts {
                        match part {
                            Ok(data) => data.chunks(100_000).try_for_each(|data| feed.part(Part::Data(data)))?,
                            Err(zeros) => feed.part(Part::Zeros(*zeros))?,
                        }
                    }
                }
                Ok(())
            })?;
        Ok((Index::new(MANIFEST.into(), members)?, added))
    }

    fn verify(&self, name: &str, index: &Index) -> Result<(), StoreError> {
        let (seen, signals) = (Seen::default(), Signals::default());
        verify::verify_in(Some(self.store()), &self.folder(name), index, &seen, &signals)
    }

    fn artifact(&self, name: &str, index: &Index) -> PathBuf {
        let path = self.folder("vm.smolmachine");
        let mut file = fs::File::create(&path).unwrap();
        write_artifact(&self.folder(name), index, None, &mut file, &Signals::default()).unwrap();
        path
    }
}

/// Bytes that do not compress well, and are the same for the same seed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0] & 0x3f
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn disk(parts: Vec<Result<Vec<u8>, u64>>) -> Source {
    Source::new("overlay.raw", MemberKind::Sparse, parts)
}

/// What an artifact holds.
fn contents(path: &Path) -> Vec<(Member, Vec<u8>)> {
    let mut all = Vec::new();
    let on_part = &mut |part: Part<'_>| {
        match part {
            Part::Member(member) => all.push((member.clone(), Vec::new())),
            Part::Data(data) => all.last_mut().unwrap().1.extend_from_slice(data),
            Part::Zeros(zeros) => {
                let content = &mut all.last_mut().unwrap().1;
                content.resize(content.len() + usize::try_from(zeros).unwrap(), 0);
            }
        }
        Ok::<_, artifact::ArtifactError>(())
    };
    artifact::take_apart(path, &Signals::default(), on_part).unwrap();
    all
}

#[test]
fn an_artifact_put_together_has_the_content_that_was_stored() {
    let library = Library::new();
    let sources = [
        Source::new("agent-rootfs.tar", MemberKind::File, vec![Ok(noise(1, 3 * MIB)), Err(2 << 20), Ok(noise(2, 77))]),
        Source::new("layers/", MemberKind::Folder, vec![]),
        Source::new("empty", MemberKind::File, vec![]),
        Source::new("small", MemberKind::File, vec![Ok(b"small".to_vec()), Err(513)]),
        disk(vec![Err(5 << 20), Ok(noise(3, 10)), Err(70), Ok(noise(4, 2 * MIB)), Err(1 << 20), Ok(noise(5, 4097))]),
        Source::new("storage.ext4", MemberKind::Sparse, vec![Ok(noise(3, 10)), Err(3 << 20)]),
    ];
    let (index, added) = library.freeze("one", &sources).unwrap();
    assert_eq!(index.frame_bytes(), added.bytes);
    library.verify("one", &index).unwrap();
    let path = library.artifact("one", &index);
    let found = contents(&path);
    for (source, (member, content)) in sources.iter().zip(&found) {
        assert_eq!((&source.member, &source.content() == content), (member, true), "{member:?}");
    }
    let (expected, found) = (index.artifact().unwrap(), artifact::verify(&path, &Signals::default()).unwrap());
    assert_eq!((expected.bytes, expected.crc32), (found.bytes, found.crc32));
}

#[test]
fn what_the_store_has_is_linked() {
    let library = Library::new();
    let sources = [disk(vec![Ok(noise(1, 5 * MIB)), Err(9 << 20), Ok(noise(2, 100))])];
    let (index, added) = library.freeze("one", &sources).unwrap();
    assert_eq!((added.objects, added.is_unshared), (6, false));
    let (again, added) = library.freeze("two", &sources).unwrap();
    assert_eq!((added.objects, added.bytes, &again.members), (0, 0, &index.members));
    assert_eq!(library.names("store"), library.names("one/objects"));
    assert_eq!(sweep::unique_bytes(&library.folder("one")), 0);
}
