//! A running VM as the engine stores it (`machine checkpoint --store`): a folder with `checkpoint.json`, which lists chunks of
//! 1 MiB, and with the chunks themselves. They are objects as in the store, but the engine does not share that folder of ours:
//! it gives an object its name before the object has a second link, and fails on a damaged one each time.

use super::cut::is_zero;
use super::digest::Digest;
use super::error::{Bad, StoreError};
use super::feed::Feed;
use super::frame::{self, CHUNK, FRAME, Frame, Unpacker};
use super::index::{Chunk, Index, at_most};
use super::objects::OBJECTS;
use super::work::Added;
use super::writer::Writer;
use crate::files;
use crate::library::FileHash;
use crate::signals::Signals;
use crate::smolvm::artifact::{Member, MemberKind, Part};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file, in the folder of a checkpoint.
pub const INDEX: &str = "checkpoint.json";
/// The folder of what the VM was saved as before: a folder with another index for each. They share the objects.
const GENERATIONS: &str = "generations";
/// The most of them that the engine keeps.
const MOST: usize = 256;
const VERSION: u32 = 1;
/// The most bytes of it: some 900,000 chunks.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    version: u32,
    chunk_size: usize,
    manifest: Box<RawValue>,
    #[serde(deserialize_with = "at_most")]
    files: Vec<Stored>,
}

/// A file of a running VM: its RAM, a disk.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    path: String,
    size: u64,
    mode: u32,
    chunks: Chunks,
}

/// Its chunks: an object, or so many chunks of zeros. (A disk has many: so the list takes little more memory than its text.)
struct Chunks(Vec<(Option<Digest>, u64)>);

impl<'de> Deserialize<'de> for Chunks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Chunks {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while let Some(chunk) = list.next_element::<Option<Digest>>()? {
            match (chunk, self.0.last_mut()) {
                (None, Some((None, count))) => *count += 1,
                _ => self.0.push((chunk, 1)),
            }
        }
        Ok(self)
    }
}

/// Takes a checkpoint of the engine, or one of its earlier generations, into the store: `folder` has its chunks and its index
/// then. The frames that `last` has are trusted.
///
/// # Errors
/// It is damaged, is not a checkpoint, or the chunks cannot be written.
pub fn take_in(
    folder: &Path,
    from: &Path,
    generation: Option<&str>,
    last: Option<&Index>,
    signals: &Signals,
) -> Result<(Index, FileHash, Added), StoreError> {
    let (checkpoint, meta) = Checkpoint::read(&index_path(from, generation))?;
    let (members, added, ()) = Writer::run(folder, signals, |feed| {
        if let Some(last) = last {
            feed.trust(last);
        }
        checkpoint.feed(from, &meta, feed)
    })?;
    let index = Index::new(checkpoint.manifest.get().to_owned(), members)?;
    let recorded = index.write(folder)?;
    Ok((index, recorded, added))
}

/// What is in a checkpoint: itself and its earlier generations, each by its id, and their manifests.
///
/// One that cannot be read is an error in its place.
pub fn generations(folder: &Path) -> Vec<(Option<String>, Result<String, StoreError>)> {
    #[derive(Deserialize)]
    struct Manifest {
        manifest: Box<RawValue>,
    }
    let names = fs::read_dir(folder.join(GENERATIONS)).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let ids = names.filter_map(|name| name.into_string().ok()).filter(|name| is_id(name)).take(MOST).map(Some);
    let mut left = LIMIT;
    let mut read = |id: Option<&str>| {
        let path = index_path(folder, id);
        let invalid = |why: String| StoreError::Index { path: path.clone(), why };
        let index: Manifest =
            serde_json::from_slice(&read_index(&path)?.0).map_err(|error| invalid(error.to_string()))?;
        // All of them together, as many as there may be.
        let too_long = || invalid(format!("the manifests are longer than {LIMIT} bytes"));
        left = left.checked_sub(index.manifest.get().len() as u64).ok_or_else(too_long)?;
        Ok(index.manifest.get().to_owned())
    };
    ids.chain([None]).map(|id| (id.clone(), read(id.as_deref()))).collect()
}

/// The most bytes of the file with this path in the folder of a checkpoint; nothing if the folder has no such file.
pub fn most_bytes(path: &Path) -> Option<u64> {
    let is_object = path.starts_with(OBJECTS);
    let is_index = path.file_name().is_some_and(|name| name == INDEX);
    is_of_checkpoint(path).then_some(match (is_object, is_index) {
        (true, _) => FRAME as u64,
        (_, true) => LIMIT,
        _ => u64::MAX,
    })
}

/// Whether the folder of a checkpoint has a file with this path: an index, or an object.
fn is_of_checkpoint(path: &Path) -> bool {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    match parts.as_deref() {
        Some([index] | [GENERATIONS, _, index]) if *index != INDEX => false,
        Some([_]) => true,
        Some([GENERATIONS, id, _]) => is_id(id),
        Some([OBJECTS, name]) => Digest::parse(name).is_some(),
        _ => false,
    }
}

/// Whether this is the id of a generation.
fn is_id(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn index_path(folder: &Path, generation: Option<&str>) -> PathBuf {
    let folder = generation.map_or_else(|| folder.to_owned(), |id| folder.join(GENERATIONS).join(id));
    folder.join(INDEX)
}

/// The text of an index, and what the system says about its file.
fn read_index(path: &Path) -> Result<(Vec<u8>, Metadata), StoreError> {
    let file = files::open_existing(path).map_err(StoreError::unreadable(path))?;
    let meta = file.metadata().map_err(StoreError::unreadable(path))?;
    let mut text = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut text).map_err(StoreError::unreadable(path))?;
    if text.len() as u64 > LIMIT {
        return Err(StoreError::Index { path: path.to_owned(), why: format!("it is longer than {LIMIT} bytes") });
    }
    Ok((text, meta))
}

/// Gives the store of the engine the chunks of a snapshot that are whole, so that the engine writes only others. It uses no
/// damaged ones: with one of them it would not make the checkpoint.
pub fn lend(folder: &Path, index: &Index, store: &Path) {
    let (from, to, mut frame) = (folder.join(OBJECTS), store.join(OBJECTS), Vec::new());
    for chunk in index.members.iter().flat_map(|entry| &entry.chunks) {
        let Chunk::Object(name, length, bytes, crc32) = *chunk else { continue };
        let (path, recorded) = (from.join(name.to_string()), Frame { bytes, crc32 });
        // The engine cuts every file after each MiB: shorter chunks are cut by content, and of no use to it.
        if length as usize == CHUNK && frame::read(&path, &mut frame).is_ok() && Frame::of(&frame) == recorded {
            let _ = fs::hard_link(&path, to.join(name.to_string()));
        }
    }
}

impl Checkpoint {
    /// Reads it; also returns what the system says about its file.
    fn read(path: &Path) -> Result<(Self, Metadata), StoreError> {
        let invalid = |why: String| StoreError::Index { path: path.to_owned(), why };
        let (text, meta) = read_index(path)?;
        let mut checkpoint: Self = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        if (checkpoint.version, checkpoint.chunk_size) != (VERSION, CHUNK) {
            return Err(invalid(format!("its version is {}, with another size of chunks", checkpoint.version)));
        }
        // In the order of an artifact.
        checkpoint.files.sort_by(|one, other| one.path.cmp(&other.path));
        match checkpoint.files.iter().find_map(|file| file.check().err().map(|why| format!("{:?} {why}", file.path))) {
            Some(why) => Err(invalid(why)),
            None => Ok((checkpoint, meta)),
        }
    }

    /// Feeds its files and their folders, as the members of an artifact. The owner and the time are those of the checkpoint.
    fn feed(&self, folder: &Path, meta: &Metadata, feed: &mut Feed<'_>) -> Result<(), StoreError> {
        let member = |path: &str, kind, mode, size| {
            let (uid, gid, mtime) = (meta.uid(), meta.gid(), u64::try_from(meta.mtime()).unwrap_or_default());
            Member { path: path.to_owned(), kind, mode, uid, gid, mtime, size }
        };
        let (mut folders, mut reader) = (BTreeSet::new(), Reader::new(folder));
        for file in &self.files {
            for (at, _) in file.path.match_indices('/') {
                let path = file.path.get(..=at).unwrap_or_default();
                if folders.insert(path) {
                    feed.part(Part::Member(&member(path, MemberKind::Folder, 0o40755, 0)))?;
                }
            }
            feed.part(Part::Member(&member(&file.path, file.kind(), 0o100_000 | file.mode, file.size)))?;
            let mut left = file.size;
            for (object, count) in &file.chunks.0 {
                let length = left.min(count.saturating_mul(CHUNK as u64));
                left -= length;
                match object {
                    None => feed.part(Part::Zeros(length))?,
                    Some(name) => reader.feed(name, length, feed)?,
                }
            }
        }
        Ok(())
    }
}

impl Stored {
    fn check(&self) -> Result<(), &'static str> {
        if self.mode > 0o777 {
            return Err("has an impossible mode");
        }
        let chunks = self.chunks.0.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        if chunks == self.size.div_ceil(CHUNK as u64) { Ok(()) } else { Err("has chunks of another size than itself") }
    }

    fn kind(&self) -> MemberKind {
        let has_holes = self.chunks.0.iter().any(|(object, _)| object.is_none());
        if has_holes { MemberKind::Sparse } else { MemberKind::File }
    }
}

/// What became of an object that was read, and of how many bytes it is.
#[derive(Clone, Copy)]
enum Known {
    /// It was cut elsewhere: there may be no object with its name.
    Cut,
    /// It is stored, with its name.
    Stored(u64),
    /// It has zeros only, which are not stored.
    Zeros(u64),
}

/// Reads the objects of a checkpoint.
struct Reader<'a> {
    folder: &'a Path,
    /// The objects so far: a list may name one of them 900,000 times.
    known: HashMap<Digest, Known>,
    frame: Vec<u8>,
    unpacker: Unpacker,
}

impl<'a> Reader<'a> {
    fn new(folder: &'a Path) -> Self {
        Self { folder, known: HashMap::new(), frame: Vec::new(), unpacker: Unpacker::new() }
    }

    /// Feeds an object with `length` bytes. One that is repeated is read once more at most, after it was cut elsewhere.
    fn feed(&mut self, name: &Digest, length: u64, feed: &mut Feed<'_>) -> Result<(), StoreError> {
        let known = self.known.get(name).copied();
        if known.is_some() {
            feed.end_by_content()?;
        }
        match known {
            Some(Known::Stored(stored)) if stored == length => return feed.repeat(*name, length),
            Some(Known::Zeros(zeros)) if zeros == length => return feed.part(Part::Zeros(length)),
            _ => {}
        }
        let content = self.read(name, length)?;
        feed.part(Part::Data(content))?;
        let known = match (feed.is_by_content(), is_zero(content)) {
            (true, _) => Known::Cut,
            (_, true) => Known::Zeros(length),
            _ => Known::Stored(length),
        };
        self.known.insert(*name, known);
        Ok(())
    }

    /// The content of an object, `length` bytes, which is compared with its name.
    fn read(&mut self, name: &Digest, length: u64) -> Result<&[u8], StoreError> {
        let path = self.folder.join(OBJECTS).join(name.to_string());
        let is_missing = match frame::read(&path, &mut self.frame) {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) if frame::is_damage(&error) => false,
            Err(error) => return Err(StoreError::unreadable(&path)(error)),
        };
        let content = self.unpacker.unpack(&self.frame, usize::try_from(length).unwrap_or(CHUNK));
        if let Some(content) = content.filter(|content| !is_missing && Digest::of(content) == *name) {
            return Ok(content);
        }
        let mut bad = Bad::default();
        bad.add(*name, is_missing);
        Err(StoreError::Damaged { folder: self.folder.to_owned(), bad })
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::Objects;
    use super::*;

    #[test]
    fn a_checkpoint_that_names_an_object_many_times_is_read_as_fast_as_one_that_names_it_once() {
        let at = tempfile::tempdir().unwrap();
        let [store, from, new] = ["store", "from", "new"].map(|name| at.path().join(name));
        for folder in [&store, &new, &from.join(OBJECTS)] {
            fs::create_dir_all(folder).unwrap();
        }
        let object = |content: &[u8]| {
            let name = Digest::of(content).to_string();
            fs::write(from.join(OBJECTS).join(&name), zstd::bulk::compress(content, 3).unwrap()).unwrap();
            name
        };
        let [data, zeros, end] = [vec![7; CHUNK], vec![0; CHUNK], b"end".to_vec()].map(|content| object(&content));
        let chunks: Vec<&str> = [&data, &data, &zeros, &zeros].map(String::as_str).repeat(5000);
        let chunks = serde_json::json!([&chunks[..], &[end.as_str()]].concat());
        let size = 20_000 * CHUNK + 3;
        // The first is cut by its content.
        let files = ["a.tar", "checkpoint/ram", "z.tar"]
            .map(|path| serde_json::json!({"path": path, "size": size, "mode": 0o644, "chunks": chunks}));
        let index = serde_json::json!({"version": 1, "chunk_size": CHUNK, "manifest": {}, "files": files});
        fs::write(from.join(INDEX), index.to_string()).unwrap();
        let (checkpoint, meta) = Checkpoint::read(&from.join(INDEX)).unwrap();
        let (store, signals) = (Objects::at(store), Signals::default());
        let read = Writer::run_in(store, &new, &signals, |feed| checkpoint.feed(&from, &meta, feed));
        let index = Index::new("{}".into(), read.unwrap().0).unwrap();
        let data = Digest::parse(&data).unwrap();
        for path in ["a.tar", "checkpoint/ram", "z.tar"] {
            let chunks = &index.member(path).unwrap().chunks;
            assert!(chunks.iter().filter(|chunk| chunk.content().0 == Some(data)).count() >= 9999, "{path}");
            assert_eq!(chunks.last().unwrap().content(), (Digest::parse(&end), 3), "{path}");
        }
    }
}
