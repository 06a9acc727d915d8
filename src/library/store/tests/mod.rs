//! Tests of the whole store, and what they need.

mod damage;
mod hostile;
mod model;
mod splice;
mod whole;

use super::index::{Chunk, Entry};
use super::objects::{OBJECTS, Objects};
use super::{Added, Index, Seen, StoreError, Writer, verify, write_artifact};
use crate::signals::Signals;
use crate::smolvm::artifact::{self, Member, MemberKind, Part};
use std::fs;
use std::os::unix::fs::MetadataExt;
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

/// The bytes that removing the snapshot in this folder frees: one name is there, and one in the store.
fn unique_bytes(folder: &Path) -> u64 {
    let metas = fs::read_dir(folder.join(OBJECTS)).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    metas.filter(|meta| meta.nlink() <= 2).map(|meta| meta.len()).sum()
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

    fn write(&self, store: Objects, name: &str, sources: &[Source]) -> Result<(Vec<Entry>, Added, ()), StoreError> {
        Writer::run_in(store, &self.folder(name), &Signals::default(), |feed| {
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
        })
    }

    fn freeze(&self, name: &str, sources: &[Source]) -> Result<(Index, Added), StoreError> {
        let (members, added, ()) = self.write(self.store(), name, sources)?;
        Ok((Index::new(MANIFEST.into(), members)?, added))
    }

    fn verify(&self, name: &str, index: &Index) -> Result<(), StoreError> {
        let (seen, signals) = (Seen::default(), Signals::default());
        verify::verify_in(Some(self.store()), &self.folder(name), index, &seen, &signals)
    }

    fn artifact(&self, name: &str, index: &Index) -> PathBuf {
        let path = self.folder("vm.smolmachine");
        let mut file = fs::File::create(&path).unwrap();
        write_artifact(&self.folder(name), index, &mut file, &Signals::default()).unwrap();
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
    artifact::take_apart(path, &Signals::default(), |_| None, on_part).unwrap();
    all
}
