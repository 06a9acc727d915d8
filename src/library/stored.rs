//! A snapshot in the library.

use super::layout::{INDEX, METADATA, WORKSPACE};
use super::lock::{Lock, LockError, Sharing};
use super::metadata::{Metadata, MetadataError};
use super::removal::{self, Identity, RemoveError};
use super::store::Index;
use super::tag::Tag;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;

/// A snapshot in the library.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its folder.
    pub folder: PathBuf,
    /// What its `snapshot.json` says.
    pub metadata: Metadata,
    /// The folder that was read: another one may get its name later.
    identity: Identity,
    /// Bytes of its `snapshot.json`.
    record_bytes: u64,
}

/// The result of a removal.
#[derive(Debug, PartialEq, Eq)]
pub enum Removal {
    /// The snapshot is removed, and this many bytes are free again.
    Removed(u64),
    /// The snapshot stays: it was given these tags after it was read.
    Tagged(Vec<Tag>),
}

impl Stored {
    /// A snapshot with its folder and metadata.
    pub fn new(folder: PathBuf, metadata: Metadata) -> Self {
        let record_bytes = fs::metadata(folder.join(METADATA)).map_or(0, |meta| meta.len());
        let identity = Identity::of(&folder);
        Self { folder, metadata, identity, record_bytes }
    }

    /// Reads the snapshot in the folder `VM/ID` of the library.
    ///
    /// # Errors
    /// The folder is a link, or its `snapshot.json` is missing, unreadable, of a later format, or of another snapshot.
    pub fn read(folder: PathBuf) -> Result<Self, MetadataError> {
        let meta = fs::symlink_metadata(&folder).map_err(|error| MetadataError::new(error.to_string()))?;
        if !meta.is_dir() {
            return Err(MetadataError::new("its folder is a link, or not a folder"));
        }
        let (metadata, record_bytes) = Metadata::read_stored(&folder)?;
        Ok(Self { folder, metadata, identity: Identity::from(&meta), record_bytes })
    }

    /// Reads it again: only tags, note and labels may have changed. Nothing if it was removed, or another snapshot has its
    /// name.
    pub fn reload(&self) -> Option<Self> {
        let now = Self::read(self.folder.clone()).ok()?;
        let is_same = self.metadata.created == now.metadata.created && self.metadata.files == now.metadata.files;
        (is_same && self.identity == now.identity).then_some(now)
    }

    /// Whether it was removed or replaced after it was read.
    pub fn is_gone(&self) -> bool {
        !self.identity.matches(&self.folder)
    }

    /// Locks it against removal while its files are read. Writes nothing. Without a lock if the file system has none: then
    /// nothing can be removed either.
    ///
    /// # Errors
    /// It is being removed, or is gone.
    pub fn hold(&self) -> Result<Option<Lock>, LockError> {
        match Lock::folder(&self.reference(), &self.folder, Sharing::Shared) {
            Err(LockError::Unlockable { .. }) => Ok(None),
            result => result.map(Some),
        }
    }

    /// The SHA-256 of its artifact, as recorded; nothing if that is in chunks.
    pub fn sha256(&self) -> Option<String> {
        self.metadata.files.get(self.metadata.artifact_file()?).map(|file| file.sha256.clone())
    }

    /// The file of its saved `/workspace`, if it has one beside the artifact.
    pub fn workspace(&self) -> Option<PathBuf> {
        self.metadata.files.contains_key(WORKSPACE).then(|| self.folder.join(WORKSPACE))
    }

    /// The list of its chunks, if it has one that can be read.
    pub fn index(&self) -> Option<Index> {
        Index::read(&self.folder, self.metadata.files.get(INDEX)?).ok()
    }

    /// Its name: `VM@ID`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.metadata.vm, self.metadata.id)
    }

    /// Bytes of all its files, as recorded, with its artifact in one piece: what a thaw needs, and the records. No less than its
    /// removal frees, but for what is kept of the image of its VM.
    pub fn bytes(&self) -> u64 {
        let artifact = self.metadata.artifact.as_ref().map_or(0, |artifact| artifact.bytes);
        self.own_bytes().saturating_add(artifact)
    }

    /// Bytes of the files that it shares with no other snapshot: all but its chunks.
    pub fn own_bytes(&self) -> u64 {
        self.metadata.files.values().map(|file| file.bytes).fold(self.record_bytes, u64::saturating_add)
    }

    /// Removes these tags from it.
    pub fn untag(&self, tags: &[Tag]) -> io::Result<()> {
        let mut metadata = self.metadata.clone();
        metadata.tags.retain(|tag| !tags.contains(tag));
        metadata.write(&self.folder)
    }

    /// Removes it, if it is still the snapshot that was read: renames it in one step, then removes its files. The lock is
    /// that of its VM's snapshots.
    ///
    /// # Errors
    /// It was replaced or removed in the meantime, or is being read; its folder holds other files; or the system refuses.
    pub fn remove(&self, _library: &Lock) -> Result<Removal, RemoveError> {
        let alone = self.identity.lock(&self.reference(), &self.folder)?;
        let mut tags = self.reload().ok_or_else(|| RemoveError::Gone(self.reference()))?.metadata.tags;
        // A set: a snapshot from elsewhere may have tens of thousands.
        let seen: HashSet<&str> = self.metadata.tags.iter().map(Tag::as_str).collect();
        tags.retain(|tag| !seen.contains(tag.as_str()));
        if !tags.is_empty() {
            return Ok(Removal::Tagged(tags));
        }
        removal::remove(&self.folder, &alone, &|name| self.metadata.files.contains_key(name)).map(Removal::Removed)
    }
}
