//! `index.json`: the artifact of a snapshot, as a list of chunks.

use super::digest::Digest;
use super::error::StoreError;
use super::frame::{self, CHUNK, FRAME, Frame, Unpacker};
use super::objects::{self, Objects};
use crate::files;
use crate::library::hash::{FileHash, FileHasher};
use crate::smolvm::artifact::{BLOCK, CONTENT_LIMIT, MEMBERS, Member, MemberKind};
use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The only version so far.
pub const VERSION: u32 = 1;
/// The file, in the folder of a snapshot.
pub const INDEX: &str = "index.json";
/// The most bytes of the file: some 700,000 chunks. What is read of it takes about twice that.
const LIMIT: u64 = 64 << 20;
/// An artifact: the members of its tar, in order, and its manifest.
#[derive(Debug, Serialize, Deserialize)]
pub struct Index {
    /// The version of this format.
    pub version: u32,
    /// The manifest, as the engine wrote it.
    pub manifest: Box<RawValue>,
    /// The members of the tar.
    #[serde(deserialize_with = "at_most")]
    pub members: Vec<Entry>,
    /// What is kept of the image that the VM was made from: it is in no artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most")]
    pub base: Vec<Entry>,
}

/// Reads no more members than an artifact has.
pub(super) fn at_most<'de, D: Deserializer<'de>, M: Deserialize<'de>>(from: D) -> Result<Vec<M>, D::Error> {
    from.deserialize_seq(Members(PhantomData))
}

/// What is wrong with more of them.
pub(super) fn too_many() -> String {
    format!("it has more than {MEMBERS} members")
}

/// Reads a list of members.
struct Members<M>(PhantomData<M>);

impl<'de, M: Deserialize<'de>> Visitor<'de> for Members<M> {
    type Value = Vec<M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of members")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<M>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = list.next_element()? {
            if members.len() == MEMBERS {
                return Err(A::Error::custom(too_many()));
            }
            members.push(member);
        }
        Ok(members)
    }
}

/// A member of the tar, and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Flat")]
pub struct Entry {
    /// The member.
    #[serde(flatten)]
    pub member: Member,
    /// Its content; folders have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
}

/// An entry as it is read: `flatten` would first keep all of it in memory, in a form that is much larger.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {
    path: String,
    kind: MemberKind,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: u64,
    size: u64,
    #[serde(default)]
    chunks: Chunks,
}

impl From<Flat> for Entry {
    fn from(flat: Flat) -> Self {
        let Flat { path, kind, mode, uid, gid, mtime, size, chunks: Chunks(chunks) } = flat;
        Self { member: Member { path, kind, mode, uid, gid, mtime, size }, chunks }
    }
}

/// A list of chunks, without zeros after zeros: so it takes little more memory than its text.
#[derive(Default)]
struct Chunks(Vec<Chunk>);

impl<'de> Deserialize<'de> for Chunks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Self::default())
    }
}

impl<'de> Visitor<'de> for Chunks {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of chunks")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while let Some(chunk) = list.next_element()? {
            if let (Chunk::Zeros(..), Some(Chunk::Zeros(..))) = (&chunk, self.0.last()) {
                return Err(A::Error::custom("zeros follow zeros"));
            }
            self.0.push(chunk);
        }
        self.0.shrink_to_fit();
        Ok(self)
    }
}

/// A part of a member's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Chunk {
    /// `[SHA256, LENGTH, FRAME_BYTES, CRC32]`: its name in the store, its bytes, and the size and CRC-32 of its compressed
    /// frame, by which a thaw knows a frame without decompressing it.
    Object(Digest, u32, u32, u32),
    /// `[null, LENGTH]`: so many zeros. They are not stored.
    Zeros((), u64),
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(OneChunk)
    }
}

/// Reads a chunk.
struct OneChunk;

impl<'de> Visitor<'de> for OneChunk {
    type Value = Chunk;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[SHA256, LENGTH, FRAME_BYTES, CRC32] or [null, LENGTH]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Chunk, A::Error> {
        let short = |parts| A::Error::invalid_length(parts, &self);
        let chunk = match parts.next_element::<Option<Digest>>()?.ok_or_else(|| short(0))? {
            None => Chunk::Zeros((), parts.next_element()?.ok_or_else(|| short(1))?),
            Some(name) => {
                let mut number = |at| parts.next_element()?.ok_or_else(|| short(at));
                Chunk::Object(name, number(1)?, number(2)?, number(3)?)
            }
        };
        match parts.next_element::<IgnoredAny>()? {
            Some(_) => Err(A::Error::custom("a chunk has more parts than expected")),
            None => Ok(chunk),
        }
    }
}

impl Chunk {
    /// Bytes of its content.
    pub fn length(&self) -> u64 {
        match *self {
            Self::Object(_, length, ..) => length.into(),
            Self::Zeros((), length) => length,
        }
    }

    /// What it holds: the object, or nothing for zeros, and the length.
    pub(super) fn content(&self) -> (Option<Digest>, u64) {
        match *self {
            Self::Object(name, ..) => (Some(name), self.length()),
            Self::Zeros(..) => (None, self.length()),
        }
    }
}

impl Index {
    /// What is kept of the image: the tar of its own files, and where each is in that.
    pub const IMAGE: [&str; 2] = ["image.tar", "image.files"];
    /// What is kept beside that of the artifact that the VM was made from: the tar with its `/workspace`, if it has one.
    pub const WORKSPACE: &str = "workspace.tar";

    /// The index of an artifact with this manifest and these members.
    ///
    /// # Errors
    /// The manifest is not JSON, or the members are not those of an artifact.
    pub fn new(manifest: String, members: Vec<Entry>) -> Result<Self, StoreError> {
        let manifest = RawValue::from_string(manifest).map_err(|error| StoreError::Content(error.to_string()))?;
        let index = Self { version: VERSION, manifest, members, base: Vec::new() };
        index.check().map_err(StoreError::Content)?;
        Ok(index)
    }

    /// The same with this kept of the image.
    ///
    /// # Errors
    /// It is not what an index can hold.
    pub fn with_base(self, base: Vec<Entry>) -> Result<Self, StoreError> {
        let index = Self { base, ..self };
        index.check().map_err(StoreError::Content)?;
        Ok(index)
    }

    /// Reads the index of the snapshot in that folder, whose `snapshot.json` has its size and hash.
    ///
    /// # Errors
    /// It cannot be read, is not the `recorded` one, or does not describe an artifact.
    pub fn read(folder: &Path, recorded: &FileHash) -> Result<Self, StoreError> {
        let path = folder.join(INDEX);
        let invalid = |why: String| StoreError::Index { path: path.clone(), why };
        let mut text = Vec::new();
        let file = files::open_existing(&path).map_err(StoreError::unreadable(&path))?;
        file.take(LIMIT + 1).read_to_end(&mut text).map_err(StoreError::unreadable(&path))?;
        check_size(&text).map_err(invalid)?;
        let mut hasher = FileHasher::default();
        hasher.update(&text);
        if hasher.finish() != *recorded {
            return Err(invalid("it is not the file that was written with the snapshot".into()));
        }
        let index: Self = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        index.check().map_err(invalid)?;
        Ok(index)
    }

    /// Writes it into the folder of a snapshot that is not yet published, and flushes it.
    ///
    /// # Errors
    /// It is too long, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<FileHash, StoreError> {
        let path = folder.join(INDEX);
        let not_writable = StoreError::not_writable(&path);
        let mut text = serde_json::to_vec(self).map_err(io::Error::from).map_err(&not_writable)?;
        text.push(b'\n');
        check_size(&text).map_err(StoreError::Content)?;
        let write = || {
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(&text)?;
            file.sync_data()
        };
        write().map_err(not_writable)?;
        let mut hasher = FileHasher::default();
        hasher.update(&text);
        Ok(hasher.finish())
    }

    /// Whether the snapshot in this folder has all objects, undamaged, after a freeze with the content `compared`: what that
    /// found in the store, or put there, it compared. Others are read.
    pub fn has_all_objects(&self, folder: &Path, compared: &Self) -> bool {
        self.has_all_objects_in(Objects::existing().ok().flatten().as_ref(), folder, compared)
    }

    pub(super) fn has_all_objects_in(&self, store: Option<&Objects>, folder: &Path, compared: &Self) -> bool {
        let compared: HashSet<Digest> = compared.objects().into_iter().map(|(name, ..)| name).collect();
        let (folder, mut unpacker, mut frame) = (folder.join(objects::OBJECTS), Unpacker::new(), Vec::new());
        let is_whole = |(name, length, _): &(Digest, u32, u32)| {
            let path = folder.join(name.to_string());
            let store = store.filter(|_| compared.contains(name));
            store.is_some_and(|store| objects::is_one_file(&store.path(name), &path))
                || frame::read(&path, &mut frame).is_ok() && unpacker.is_object(&frame, name, *length)
        };
        self.objects().iter().all(is_whole)
    }

    /// The objects that it needs, each once, in order: name, bytes of the content, bytes of the frame.
    pub fn objects(&self) -> Vec<(Digest, u32, u32)> {
        let mut seen = HashSet::new();
        let objects = self.chunks().filter_map(|chunk| match *chunk {
            Chunk::Object(name, length, bytes, _) => seen.insert(name).then_some((name, length, bytes)),
            Chunk::Zeros(..) => None,
        });
        objects.collect()
    }

    /// Bytes of the objects that are kept of the image only: no thaw needs them.
    pub fn image_bytes(&self) -> u64 {
        let chunks = self.members.iter().flat_map(|entry| &entry.chunks);
        let needed: HashSet<Option<Digest>> = chunks.map(|chunk| chunk.content().0).collect();
        let kept = self.objects().into_iter().filter(|(name, ..)| !needed.contains(&Some(*name)));
        kept.map(|(_, _, bytes)| u64::from(bytes)).sum()
    }

    /// The frames of its objects.
    pub(super) fn frames(&self) -> impl Iterator<Item = (Digest, Frame)> + '_ {
        self.chunks().filter_map(|chunk| match *chunk {
            Chunk::Object(name, _, bytes, crc32) => Some((name, Frame { bytes, crc32 })),
            Chunk::Zeros(..) => None,
        })
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.members.iter().chain(&self.base).flat_map(|entry| &entry.chunks)
    }

    /// Why it does not describe an artifact.
    fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!("its version is {}, which this version of bottle-freeze does not know", self.version));
        }
        let (mut paths, mut objects, mut content) = (HashSet::new(), HashMap::new(), 0_u64);
        for entry in self.members.iter().chain(&self.base) {
            let path = &entry.member.path;
            let wrong = |why: &str| format!("{path:?} {why}");
            entry.check().map_err(wrong)?;
            if !paths.insert(path.trim_end_matches('/')) {
                return Err(wrong("is in it twice"));
            }
            content = content.saturating_add(entry.member.size);
            for chunk in &entry.chunks {
                if let Chunk::Object(name, ..) = chunk {
                    if objects.insert(name, chunk).is_some_and(|other| other != chunk) {
                        return Err(format!("it contradicts itself about the object {name}"));
                    }
                }
            }
        }
        if content > CONTENT_LIMIT { Err(format!("it has more than {CONTENT_LIMIT} bytes of content")) } else { Ok(()) }
    }
}

impl Entry {
    /// A name for its content: what has the same chunks has the same.
    pub fn digest(&self) -> Digest {
        let (mut text, mut start) = (Vec::new(), 0_u64);
        for chunk in &self.chunks {
            text.extend(start.to_le_bytes());
            if let Chunk::Object(name, ..) = chunk {
                text.extend(name.0);
            }
            start = start.saturating_add(chunk.length());
        }
        text.extend(start.to_le_bytes());
        Digest::of(&text)
    }

    fn check(&self) -> Result<(), &'static str> {
        self.member.check()?;
        let mut end = 0_u64;
        for chunk in &self.chunks {
            // Readers of tar refuse data of a sparse file that ends within a block, but for the last.
            if self.member.kind == MemberKind::Sparse && end % BLOCK as u64 != 0 {
                return Err("has a chunk that does not begin at a multiple of 512 bytes");
            }
            let is_possible = match *chunk {
                Chunk::Object(_, length, bytes, _) => {
                    (1..=CHUNK).contains(&(length as usize)) && (1..=FRAME).contains(&(bytes as usize))
                }
                Chunk::Zeros((), length) => length > 0,
            };
            let next = end.checked_add(chunk.length()).filter(|_| is_possible);
            end = next.ok_or("has a chunk of an impossible size")?;
        }
        if end == self.member.size { Ok(()) } else { Err("has chunks of another size than itself") }
    }
}

/// Why it is not read.
fn check_size(text: &[u8]) -> Result<(), String> {
    if text.len() as u64 > LIMIT { Err(format!("it is longer than {LIMIT} bytes")) } else { Ok(()) }
}
