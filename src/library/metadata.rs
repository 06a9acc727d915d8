//! `snapshot.json`: what a snapshot is, and the hash of each of its files. Only tags, note and labels change after it is
//! written. Keys of a later version are kept.

use super::hash::FileHash;
use super::layout::{ARTIFACT, CHECKPOINT, INDEX, METADATA};
use super::limits::{LIMIT, RESERVE, TooLong};
use super::origin::Origin;
use super::store::Added;
use super::tag::Tag;
use crate::clock;
use crate::files;
use crate::publish::{Existing, publish_text};
use crate::smolvm::artifact::Artifact;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use thiserror::Error;

/// The format of a snapshot whose artifact is one of its files, as in an export.
pub const FORMAT: u32 = 1;
/// The format of a snapshot whose artifact is in chunks.
pub const FORMAT_IN_CHUNKS: u32 = 2;
/// The label that `freeze --key` gives, and by which `thaw --key` finds.
pub const KEY: &str = "key";

/// The configuration of the VM when it was frozen, with what the artifact does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Size of the storage disk in GiB; null is the engine's default, 20.
    pub storage_gb: Option<u64>,
    /// Size of the overlay disk in GiB; null is the engine's default, 10.
    pub overlay_gb: Option<u64>,
    /// Whether the guest had a network.
    pub network: bool,
    /// Whether the recorded limits of the network are complete; the engine does not report every limit.
    #[serde(default)]
    pub network_known: bool,
    /// The only networks that the guest could reach; null: no such limit, or unknown.
    pub allowed_cidrs: Option<Vec<String>>,
    /// Published ports, HOST:GUEST; null: unknown.
    #[serde(default)]
    pub ports: Option<Vec<String>>,
    /// Mounted host folders, HOST:GUEST, which the snapshot does not hold; null: unknown.
    #[serde(default)]
    pub volumes: Option<Vec<String>>,
    /// Number of mounted host folders, which the snapshot does not hold; missing: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<u64>,
    /// Names of its environment variables; the values are in the artifact.
    #[serde(default)]
    pub env: Vec<String>,
    /// Names of the variables it got from secrets of its host, which the snapshot does not hold; missing: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Its other settings that are not defaults, as `smolvm machine ls --json` lists them; missing: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Settings it may have had that smolvm does not list; missing: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreported: Vec<String>,
    /// The image it was made from; null for a bare VM.
    pub image: Option<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// How the engine's artifact was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Way {
    /// By the engine.
    Engine,
    /// From the disks of the VM, without the engine.
    Disks,
}

/// What became of the blocks that no file uses, and which hold what was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Trim {
    /// Whether the blocks that no file uses, and which hold what was deleted, were left out; missing if that is unknown (a live
    /// snapshot), or if the artifact holds only files (an image VM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trimmed: Option<bool>,
    /// Bytes of those that were left out; missing if they were not counted because the guest trimmed its disks, or if there were
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trimmed_bytes: Option<u64>,
}

/// The artifact that is put together from the chunks of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InChunks {
    /// Bytes of the artifact.
    pub bytes: u64,
    /// Bytes of its chunks that the library did not have before.
    pub added: u64,
    /// Whether it holds a running VM, RAM included; missing: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}

impl InChunks {
    /// This artifact, for which the store got what was `added`.
    pub fn new(artifact: &Artifact, added: Added) -> Self {
        Self { bytes: artifact.bytes, added: added.bytes, live: artifact.manifest.is_live() }
    }
}

/// A snapshot in the library. Later versions of bottle-freeze may add keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The format of this file: 1, or 2 if the artifact is in chunks.
    #[schemars(extend("enum" = [FORMAT, FORMAT_IN_CHUNKS]))]
    pub format: u32,
    /// Its id, unique among the snapshots of the VM.
    #[schemars(regex(pattern = "^[0-9A-Za-z]{1,64}$"))]
    pub id: String,
    /// The VM that was frozen.
    pub vm: String,
    /// When it was published, in RFC 3339.
    pub created: String,
    /// A number that grows with each snapshot of a VM frozen here, even if the clock goes back; missing: the snapshot comes
    /// from elsewhere, or from bottle-freeze 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The snapshot, VM@ID, that the VM was made from or frozen as before, or that this is a copy of; null or missing: none,
    /// or unknown.
    #[serde(default)]
    pub parent: Option<String>,
    /// What is empty in this copy of its parent, as `--scrub` names it; missing: it is no such copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scrubbed: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Its note.
    #[serde(default)]
    pub note: Option<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The version of the engine that packed it.
    pub engine_version: String,
    /// The version of the bottle-freeze that froze it.
    pub tool_version: String,
    /// The platform that can run it, such as linux/amd64; null: unknown.
    #[serde(default)]
    pub platform: Option<String>,
    /// The configuration of the VM.
    pub machine: Configuration,
    /// Its other files, by name.
    pub files: BTreeMap<String, FileHash>,
    /// The artifact, if it is in chunks (format 2); missing: it is one of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<InChunks>,
    /// How the artifact was made; missing: by the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// What became of what was deleted.
    #[serde(flatten)]
    pub trim: Trim,
    /// Seconds that the VM was stopped or paused; null if it was not running.
    #[serde(default)]
    pub downtime_seconds: Option<f64>,
    /// The warnings printed before it was published.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How it came into this library; null or missing: unknown, made by bottle-freeze 0.1.0.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// Keys that a later version has added.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// Why a snapshot.json cannot be used.
#[derive(Debug, Clone, Error)]
#[error("its {METADATA} cannot be read: {0}")]
pub struct MetadataError(String);

impl MetadataError {
    /// An error with this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// The hash of an artifact in the `snapshot.json` beside it; nothing if there is no such file, or it has no hash of it.
///
/// # Errors
/// The `snapshot.json` cannot be read or parsed.
pub fn recorded_hash(artifact: &Path) -> Result<Option<FileHash>, MetadataError> {
    #[derive(Deserialize)]
    struct Files {
        #[serde(default)]
        files: BTreeMap<String, FileHash>,
    }
    let Some(text) = read_file(&artifact.with_file_name(METADATA))? else { return Ok(None) };
    let files: Files = serde_json::from_slice(&text).map_err(|error| MetadataError(error.to_string()))?;
    let name = artifact.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Ok(files.files.get(name).cloned())
}

/// What all formats have.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn later(format: u32) -> MetadataError {
    MetadataError(format!("it has format {format}: update bottle-freeze"))
}

impl Metadata {
    /// Reads the `snapshot.json` in `folder`.
    ///
    /// # Errors
    /// It is missing, unreadable, or of a later format.
    pub fn read(folder: &Path) -> Result<Self, MetadataError> {
        Self::read_counted(folder).map(|(metadata, _)| metadata)
    }

    /// Also returns the bytes of the file.
    fn read_counted(folder: &Path) -> Result<(Self, u64), MetadataError> {
        let missing = || MetadataError("it is missing".into());
        let text = read_file(&folder.join(METADATA))?.ok_or_else(missing)?;
        Ok((Self::parse(&text)?, text.len() as u64))
    }

    /// The day and the time when it was made, in this machine's time zone.
    pub fn date(&self) -> String {
        self.time().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// How long ago it was made, in the largest unit.
    pub fn age(&self) -> String {
        humantime::parse_rfc3339(&self.created).ok().and_then(clock::age).unwrap_or_else(|| self.created.clone())
    }

    /// Parses a `snapshot.json`. Text to be written is parsed first, too.
    fn parse(text: &[u8]) -> Result<Self, MetadataError> {
        // What has no format is no such file, and a later one may have other fields.
        let metadata: Self = serde_json::from_slice(text).map_err(|error| match serde_json::from_slice(text) {
            Ok(Format { format }) if ![FORMAT, FORMAT_IN_CHUNKS].contains(&format) => later(format),
            Ok(Format { .. }) => MetadataError(error.to_string()),
            Err(error) => MetadataError(error.to_string()),
        })?;
        if ![FORMAT, FORMAT_IN_CHUNKS].contains(&metadata.format) {
            return Err(later(metadata.format));
        }
        if metadata.is_in_chunks() != (metadata.artifact.is_some() && metadata.files.contains_key(INDEX)) {
            return Err(MetadataError(format!("it has format {}, but not the files of that format", metadata.format)));
        }
        let is_name = |name: &str| Path::new(name).file_name() == Some(name.as_ref()) && !name.contains('\0');
        match metadata.files.keys().find(|name| !is_name(name)) {
            None => Ok(metadata),
            Some(name) => Err(MetadataError(format!("it lists a file named {name:?}"))),
        }
    }

    /// When it was made; 1970 if `created` cannot be parsed.
    pub fn time(&self) -> Timestamp {
        self.created.parse().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// A number that grows with every snapshot of a VM: its `sequence`, or the milliseconds of `created`.
    pub fn order(&self) -> u64 {
        self.sequence.unwrap_or_else(|| self.time().as_millisecond().try_into().unwrap_or(0))
    }

    /// Reads the `snapshot.json` of a snapshot in the library, from its folder `VM/ID`. Also returns the bytes of the file.
    ///
    /// # Errors
    /// See [`Self::read`]; or the file belongs to another snapshot.
    pub(super) fn read_stored(folder: &Path) -> Result<(Self, u64), MetadataError> {
        let (metadata, bytes) = Self::read_counted(folder)?;
        Ok((metadata.check_location(folder)?, bytes))
    }

    /// Whether its artifact is in chunks.
    pub fn is_in_chunks(&self) -> bool {
        self.format == FORMAT_IN_CHUNKS
    }

    /// The file name of its artifact, if that is one of its files.
    pub fn artifact_file(&self) -> Option<&'static str> {
        [ARTIFACT, CHECKPOINT].into_iter().find(|name| self.files.contains_key(*name))
    }

    /// The same snapshot with its artifact as a file.
    #[must_use]
    pub fn with_artifact(&self, artifact: FileHash) -> Self {
        let mut files = self.files.clone();
        files.remove(INDEX);
        let name = if self.artifact.as_ref().is_some_and(|artifact| artifact.live) { CHECKPOINT } else { ARTIFACT };
        files.insert(name.to_owned(), artifact);
        Self { format: FORMAT, files, artifact: None, ..self.clone() }
    }

    /// The same snapshot with its artifact in chunks.
    #[must_use]
    pub fn with_chunks(&self, index: FileHash, artifact: InChunks) -> Self {
        let mut files = self.files.clone();
        files.retain(|name, _| ![ARTIFACT, CHECKPOINT].contains(&name.as_str()));
        files.insert(INDEX.to_owned(), index);
        Self { format: FORMAT_IN_CHUNKS, files, artifact: Some(artifact), ..self.clone() }
    }

    /// Checks that it belongs to the folder `VM/ID`.
    ///
    /// # Errors
    /// It names another VM or id.
    fn check_location(self, folder: &Path) -> Result<Self, MetadataError> {
        if folder.ends_with(Path::new(&self.vm).join(&self.id)) && !self.vm.contains('/') {
            return Ok(self);
        }
        Err(MetadataError(format!("it belongs to another snapshot, {}@{}", self.vm, self.id)))
    }

    /// Writes it into `folder`, over an existing one in one step, and flushes it.
    ///
    /// # Errors
    /// It cannot be written, or not be parsed again: then nothing was written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        Ok(publish_text(&self.text()?, &folder.join(METADATA), Existing::Replace)?)
    }

    /// Its text, checked to parse again.
    ///
    /// # Errors
    /// It is too long.
    pub fn text(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec_pretty(self)?;
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        within_limit(&text).and_then(|()| Self::parse(&text)).map_err(invalid)?;
        Ok(text)
    }

    /// Checks, before the VM is packed, that it will not be too long.
    ///
    /// # Errors
    /// It would be.
    pub fn check_before_packing(&self) -> std::result::Result<(), TooLong> {
        let (limit, what) = (LIMIT - RESERVE, "the configuration of this VM and the description of its snapshot have");
        let bytes = serde_json::to_vec_pretty(self).map_or(u64::MAX, |text| text.len() as u64);
        TooLong::check(what, bytes, limit)
    }
}

fn within_limit(text: &[u8]) -> Result<(), MetadataError> {
    if text.len() as u64 <= LIMIT { Ok(()) } else { Err(MetadataError(format!("it is longer than {LIMIT} bytes"))) }
}

/// The text of a regular file of at most [`LIMIT`] bytes; nothing if there is no file.
fn read_file(path: &Path) -> Result<Option<Vec<u8>>, MetadataError> {
    let mut text = Vec::with_capacity(4 << 10);
    match files::open_existing(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut text)) {
        Ok(_) => within_limit(&text).map(|()| Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(MetadataError("it is not a regular file".into()))
        }
        Err(error) => Err(MetadataError(error.to_string())),
    }
}
