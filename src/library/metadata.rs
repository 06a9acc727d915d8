//! `snapshot.json`: what a snapshot is, and what each of its files must be, bit by bit. Written once; only tags, note
//! and labels change. What a later version adds is kept.

use super::origin::Origin;
use super::store;
use crate::files;
use crate::publish::{Existing, publish_text};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};
use thiserror::Error;

/// The file's name, in the folder of the snapshot.
pub const FILE: &str = "snapshot.json";
/// The only format there was yet.
pub const FORMAT: u32 = 1;
/// Longer than this no snapshot.json and no record is: a reader takes no more into its memory.
pub const LIMIT: u64 = 4 << 20;
/// Of that, what the tags, the note and the labels may take, and what is kept for what is known only when the VM is packed:
/// the names of its variables, its files.
const WORDS_LIMIT: u64 = 1 << 20;
const RESERVE: u64 = 1 << 20;

/// How the names of files end that hold a snapshot: as we write them, and as the engine's `machine checkpoint` does.
pub const SUFFIXES: [&str; 3] = [".smolmachine", ".checkpoint", ".smolcheckpoint"];

/// Whether this is an id as every version writes it: eight hexadecimal digits.
pub fn is_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A name for a snapshot, unique among those of its VM: 1–64 of `[A-Za-z0-9._-]`, beginning with a letter or a digit. A new
/// one is neither an id nor the name of a file; older versions took those too.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, description = "A tag.", extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A tag that some snapshot may have.
    ///
    /// # Errors
    /// None ever could.
    pub fn existing(text: &str) -> Result<Self, &'static str> {
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let holds = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if begins && holds && text.len() <= 64 {
            return Ok(Self(text.to_owned()));
        }
        Err("a tag has 1 to 64 letters, digits, '.', '_' and '-', and begins with a letter or a digit")
    }

    /// Whether it means nothing else: a new tag must.
    ///
    /// # Errors
    /// It could be an id or a file.
    pub fn check_new(&self) -> Result<(), &'static str> {
        if is_id(&self.0) {
            return Err("eight digits and letters from a to f could be the id of a snapshot");
        }
        if SUFFIXES.iter().any(|suffix| self.0.ends_with(suffix)) {
            return Err("a tag that ends like this could be a file");
        }
        Ok(())
    }
}

impl TryFrom<String> for Tag {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::existing(&text)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl std::str::FromStr for Tag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tag = Self::existing(text)?;
        tag.check_new().map(|()| tag)
    }
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileHash {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, 64 hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// The configuration of the VM when it was frozen: what the engine's pack forgets, and what it keeps.
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
    /// Whether the guest had any network.
    pub network: bool,
    /// Whether the two describe the network completely: the engine does not report every limit.
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

/// A snapshot in the library. A later bottle-freeze may add keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The format of this file.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// Its id, unique among the snapshots of the VM.
    #[schemars(regex(pattern = "^[0-9A-Za-z]{1,64}$"))]
    pub id: String,
    /// The VM that was frozen.
    pub vm: String,
    /// When it was published, in RFC 3339.
    pub created: String,
    /// A number that grows with each snapshot of a VM frozen here, even if the clock goes back; missing: it comes from
    /// elsewhere, or from bottle-freeze 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The tags its user gave it.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The note its user gave it.
    #[serde(default)]
    pub note: Option<String>,
    /// The labels its user gave it.
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
    /// Seconds that the VM was stopped or paused; null if it was not running.
    #[serde(default)]
    pub downtime_seconds: Option<f64>,
    /// The warnings printed before it was published.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How it came into this library; null or missing: unknown, it was made by bottle-freeze 0.1.0.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// Keys that a later version has added.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// Why a snapshot.json tells nothing.
#[derive(Debug, Error)]
#[error("its {FILE} cannot be read: {0}")]
pub struct MetadataError(String);

impl MetadataError {
    /// For this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What is said of a snapshot is longer than it may be.
#[derive(Debug, Error)]
#[error("{what} {} bytes as JSON; at most {limit} are allowed", .bytes)]
pub struct TooLong {
    what: &'static str,
    bytes: u64,
    limit: u64,
}

/// Whether a snapshot may have these words of its user, so that they can be read again.
///
/// # Errors
/// They are too long.
pub fn check_words(
    tags: &[Tag],
    note: Option<&str>,
    labels: &BTreeMap<String, String>,
) -> std::result::Result<(), TooLong> {
    let bytes = serde_json::to_vec(&(tags, note, labels)).map_or(u64::MAX, |text| text.len() as u64);
    let what = "the tags, the note and the labels of a snapshot have";
    if bytes <= WORDS_LIMIT { Ok(()) } else { Err(TooLong { what, bytes, limit: WORDS_LIMIT }) }
}

/// What the `snapshot.json` beside the artifact records of it; nothing if there is none, or it is of other files.
///
/// # Errors
/// It is there and cannot be read or understood.
pub fn recorded(artifact: &Path) -> Result<Option<FileHash>, MetadataError> {
    #[derive(Deserialize)]
    struct Files {
        #[serde(default)]
        files: BTreeMap<String, FileHash>,
    }
    let Some(text) = read_file(&artifact.with_file_name(FILE))? else { return Ok(None) };
    let files: Files = serde_json::from_slice(&text).map_err(|error| MetadataError(error.to_string()))?;
    let name = artifact.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Ok(files.files.get(name).cloned())
}

impl Metadata {
    /// Reads the `snapshot.json` in `folder`.
    ///
    /// # Errors
    /// It is missing, unreadable, or of a format that is not known yet.
    pub fn read(folder: &Path) -> Result<Self, MetadataError> {
        let missing = || MetadataError("it is missing".into());
        Self::parse(&read_file(&folder.join(FILE))?.ok_or_else(missing)?)
    }

    /// How long ago it was made, in its largest unit.
    pub fn age(&self) -> String {
        let created = humantime::parse_rfc3339(&self.created).ok();
        let Some(age) = created.and_then(|created| SystemTime::now().duration_since(created).ok()) else {
            return self.created.clone();
        };
        let long = humantime::format_duration(Duration::from_secs(age.as_secs())).to_string();
        long.split(' ').next().unwrap_or_default().to_owned()
    }

    /// The one reader of the text of a `snapshot.json`; what is written is read by it first.
    fn parse(text: &[u8]) -> Result<Self, MetadataError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| MetadataError(error.to_string());
        let Format { format } = serde_json::from_slice(text).map_err(unreadable)?;
        if format != FORMAT {
            return Err(MetadataError(format!("it is of format {format}: update bottle-freeze")));
        }
        let metadata: Self = serde_json::from_slice(text).map_err(unreadable)?;
        let is_name = |name: &str| Path::new(name).file_name() == Some(name.as_ref()) && !name.contains('\0');
        match metadata.files.keys().find(|name| !is_name(name)) {
            None => Ok(metadata),
            Some(name) => Err(MetadataError(format!("it records a file {name:?}"))),
        }
    }

    /// When it was made. One whose `created` cannot be read counts as very old.
    pub fn time(&self) -> Timestamp {
        self.created.parse().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// A number that is larger the later it was made: its `sequence`, or what that would be by the clock.
    pub fn order(&self) -> u64 {
        self.sequence.unwrap_or_else(|| self.time().as_millisecond().try_into().unwrap_or(0))
    }

    /// Reads that of the snapshot whose folder this is: `VM/ID`.
    ///
    /// # Errors
    /// See [`Self::read`]; or the folder is a link, or it is of another snapshot.
    pub fn of_folder(folder: &Path) -> Result<Self, MetadataError> {
        let meta = std::fs::symlink_metadata(folder).map_err(|error| MetadataError(error.to_string()))?;
        if !meta.is_dir() {
            return Err(MetadataError::new("its folder is a link, or none"));
        }
        Self::read(folder)?.of(folder)
    }

    /// The name of its artifact, if it records one.
    pub fn artifact(&self) -> Option<&'static str> {
        [store::ARTIFACT, store::CHECKPOINT].into_iter().find(|name| self.files.contains_key(*name))
    }

    /// This, if it is of the snapshot whose folder this is: `VM/ID`.
    ///
    /// # Errors
    /// It says another VM or id.
    fn of(self, folder: &Path) -> Result<Self, MetadataError> {
        if folder.ends_with(Path::new(&self.vm).join(&self.id)) && !self.vm.contains('/') {
            return Ok(self);
        }
        Err(MetadataError(format!("it is that of another snapshot, {}@{}", self.vm, self.id)))
    }

    /// Writes it into `folder`: to the disk, and in one instant over one that is there.
    ///
    /// # Errors
    /// It cannot be written, or could not be read again: then nothing was written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        Ok(publish_text(&self.text()?, &folder.join(FILE), Existing::Replace)?)
    }

    /// Its text, which can be read again.
    ///
    /// # Errors
    /// It is too long.
    pub fn text(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec_pretty(self)?;
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        within_limit(&text).and_then(|()| Self::parse(&text)).map_err(invalid)?;
        Ok(text)
    }

    /// Whether a snapshot of this VM can be written, as far as is known before it is packed.
    ///
    /// # Errors
    /// It would be too long.
    pub fn check_before_packing(&self) -> std::result::Result<(), TooLong> {
        let (limit, what) = (LIMIT - RESERVE, "the configuration of this VM, and what is said of its snapshot, have");
        let bytes = serde_json::to_vec_pretty(self).map_or(u64::MAX, |text| text.len() as u64);
        if bytes <= limit { Ok(()) } else { Err(TooLong { what, bytes, limit }) }
    }
}

fn within_limit(text: &[u8]) -> Result<(), MetadataError> {
    if text.len() as u64 <= LIMIT { Ok(()) } else { Err(MetadataError(format!("it is longer than {LIMIT} bytes"))) }
}

/// The text of a regular file that is not too long; nothing if there is none.
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
