//! The `.smolmachine` file: zstd-compressed tar, JSON manifest, 64-byte footer. The layout is the same from 0.8.0
//! to 1.32.2, and was checked against packs of ten versions: all say format version 1. (2 and 3 were written before
//! 0.8.0, as the engine's history tells; that they are refused lets no flipped bit of the footer pass.)

use super::Followed;
use crate::interrupt;
use rustix::fs::{self, Mode, OFlags};
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use thiserror::Error;

/// Bytes of the footer.
pub(super) const FOOTER: usize = 64;
const FORMAT_VERSION: u32 = 1;
/// The engine's own limit for a manifest.
const MANIFEST_LIMIT: u64 = 16 << 20;

/// Why a file is not a whole artifact.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// It cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("is not a .smolmachine file: {0}")]
    NotArtifact(String),
    /// It was one.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// What was read of it cannot be written elsewhere.
    #[error("cannot be copied: {0}")]
    Copy(io::Error),
    /// The user ended this run with a signal.
    #[error("was not checked to its end: interrupted by {}", interrupt::signal_name(*.0))]
    Interrupted(i32),
}

/// What a manifest says and this program reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// Virtual CPUs of a VM made from it.
    pub cpus: u32,
    /// Memory of a VM made from it, in MiB.
    pub mem: u64,
    /// Whether a VM made from it has the whole network, unless told otherwise.
    #[serde(default)]
    pub network: bool,
    /// Environment of its commands, `KEY=VALUE` in clear.
    #[serde(default)]
    env: Vec<String>,
    /// There if it holds a running VM, RAM included.
    #[serde(default)]
    checkpoint: Option<serde::de::IgnoredAny>,
    /// The kind of host that can run it: `linux/amd64`.
    #[serde(default)]
    pub host_platform: Option<String>,
}

impl Manifest {
    /// Whether it holds a running VM, RAM included, which goes on where it was.
    pub fn is_live(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// The names of the environment variables that lie in it with their values.
    pub fn env_names(&self) -> Vec<String> {
        self.env.iter().map(|pair| pair.split('=').next().unwrap_or_default().to_owned()).collect()
    }
}

/// A whole, verified artifact.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its size in bytes.
    pub bytes: u64,
    /// CRC-32 of assets and manifest, as its footer records it and its content proves it.
    pub crc32: u32,
}

/// What a manifest says beside: of use to people, and nothing that an artifact must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The names of the variables that a VM made from it has; their values lie beside them in clear.
    pub env: Vec<String>,
    /// The VM that was packed, if it was a bare one: in 0.8.0 to 1.32.2 the image is `vm://NAME` then.
    pub vm: Option<String>,
    /// The image, if it was another one.
    pub image: Option<String>,
    /// When it was packed, in RFC 3339.
    pub created: Option<String>,
    /// The engine that packed it.
    pub engine_version: Option<String>,
}

impl Details {
    fn of(manifest: &[u8]) -> Self {
        let all: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let text = |key: &str| all[key].as_str().map(str::to_owned);
        let image = text("image").filter(|image| !image.is_empty());
        let vm = image.as_deref().and_then(|image| image.strip_prefix("vm://")).map(str::to_owned);
        let name = |pair: &Value| Some(pair.as_str()?.split('=').next()?.to_owned());
        Self {
            env: all["env"].as_array().into_iter().flatten().filter_map(name).collect(),
            image: image.filter(|_| vm.is_none()),
            vm,
            created: text("created"),
            engine_version: text("smolvm_version"),
        }
    }
}

/// Reads the file once from beginning to end and checks footer, CRC-32 and manifest.
///
/// # Errors
/// [`ArtifactError`], which reads as the end of a sentence that begins with the file's name.
pub fn verify(path: &Path) -> Result<Artifact, ArtifactError> {
    verify_and_tell(path, |_| {})
}

/// The same, and `tell` is given the file's bytes, in order, as they are read.
///
/// # Errors
/// As [`verify`]; `tell` has not heard all bytes then.
pub fn verify_and_tell(path: &Path, mut tell: impl FnMut(&[u8])) -> Result<Artifact, ArtifactError> {
    let content = Content::read(path, |assets| {
        tell(assets);
        Ok(())
    })?;
    tell(&content.manifest);
    tell(&content.footer.raw);
    content.artifact()
}

/// The same of a file that was `followed` while it was written, without reading it again; nothing if it is another one.
///
/// # Errors
/// As [`verify`].
pub fn verify_followed(path: &Path, followed: &Followed) -> Result<Option<Artifact>, ArtifactError> {
    let (mut file, bytes, footer) = open(path)?;
    let meta = file.metadata()?;
    if ((meta.dev(), meta.ino()), bytes, footer.crc32) != (followed.file, followed.bytes, followed.crc32) {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(footer.assets_size))?;
    let manifest = read_manifest(&mut file, &footer)?;
    artifact(&manifest, bytes, &footer).map(Some)
}

/// Reads what the manifest says beside, and checks nothing.
///
/// # Errors
/// As [`verify`].
pub fn details(path: &Path) -> Result<Details, ArtifactError> {
    let (mut file, _, footer) = open(path)?;
    file.seek(SeekFrom::Start(footer.assets_size))?;
    Ok(Details::of(&read_manifest(&mut file, &footer)?))
}

/// An artifact that was read, and is what its footer says, bit by bit.
pub(super) struct Content {
    /// Bytes of the whole file.
    bytes: u64,
    pub footer: Footer,
    /// Of the assets alone.
    assets_crc32: crc32fast::Hasher,
    pub manifest: Vec<u8>,
}

impl Content {
    /// Reads it all; `tell` hears the assets, and may give up.
    pub fn read(path: &Path, mut tell: impl FnMut(&[u8]) -> Result<(), ArtifactError>) -> Result<Self, ArtifactError> {
        let (mut file, bytes, footer) = open(path)?;
        let mut assets_crc32 = crc32fast::Hasher::new();
        read_assets(&mut file, &footer, |assets| {
            assets_crc32.update(assets);
            tell(assets)
        })?;
        let manifest = read_manifest(&mut file, &footer)?;
        let content = Self { bytes, footer, assets_crc32, manifest };
        if content.crc32_with(&content.manifest) != content.footer.crc32 {
            return Err(ArtifactError::Damaged("its checksum does not match its content".into()));
        }
        Ok(content)
    }

    pub fn artifact(&self) -> Result<Artifact, ArtifactError> {
        artifact(&self.manifest, self.bytes, &self.footer)
    }

    /// What follows the assets in an artifact of the same assets and another manifest: that and its footer.
    ///
    /// # Errors
    /// The manifest is longer than the engine reads.
    pub fn end_with(&self, mut manifest: Vec<u8>) -> Result<Vec<u8>, ArtifactError> {
        if manifest.len() as u64 > MANIFEST_LIMIT {
            return Err(ArtifactError::Damaged("its manifest would be longer than the engine reads".into()));
        }
        let mut footer = self.footer.raw;
        footer[44..52].copy_from_slice(&(manifest.len() as u64).to_le_bytes());
        footer[52..56].copy_from_slice(&self.crc32_with(&manifest).to_le_bytes());
        manifest.extend(footer);
        Ok(manifest)
    }

    fn crc32_with(&self, manifest: &[u8]) -> u32 {
        let mut hasher = self.assets_crc32.clone();
        hasher.update(manifest);
        hasher.finalize()
    }
}

fn artifact(manifest: &[u8], bytes: u64, footer: &Footer) -> Result<Artifact, ArtifactError> {
    let manifest = serde_json::from_slice(manifest)
        .map_err(|error| ArtifactError::Damaged(format!("its manifest cannot be read: {error}")))?;
    Ok(Artifact { manifest, bytes, crc32: footer.crc32 })
}

fn open(path: &Path) -> Result<(File, u64, Footer), ArtifactError> {
    // What is no file at all (a FIFO, say) is not waited for.
    let file = fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty());
    let mut file = File::from(file.map_err(io::Error::from)?);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(ArtifactError::NotArtifact("it is not a regular file".into()));
    }
    let footer = Footer::read(&mut file, meta.len())?;
    file.seek(SeekFrom::Start(0))?;
    Ok((file, meta.len(), footer))
}

pub(super) struct Footer {
    raw: [u8; FOOTER],
    pub assets_size: u64,
    manifest_size: u64,
    crc32: u32,
}

impl Footer {
    fn read(file: &mut File, bytes: u64) -> Result<Self, ArtifactError> {
        let damaged = |why: &str| Err(ArtifactError::Damaged(why.into()));
        let Some(start) = bytes.checked_sub(FOOTER as u64) else {
            return Err(ArtifactError::NotArtifact(format!("it has {bytes} bytes")));
        };
        let mut raw = [0; FOOTER];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut raw)?;
        if raw[..8] != *b"SMOLPACK" {
            return Err(ArtifactError::NotArtifact("it does not end in a smolvm footer".into()));
        }
        let short = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        let long = |at: usize| u64::from(short(at)) | u64::from(short(at + 4)) << 32;
        let (stub_size, assets_offset, assets_size) = (long(12), long(20), long(28));
        let (manifest_offset, manifest_size) = (long(36), long(44));
        if short(8) != FORMAT_VERSION {
            return damaged("its format version is not the one that smolvm 0.8.0 and later write");
        }
        if stub_size != 0 || assets_offset != 0 {
            return Err(ArtifactError::NotArtifact(
                "it is a single-file pack, from which the engine makes no VM".into(),
            ));
        }
        if manifest_size > MANIFEST_LIMIT || manifest_offset != assets_size || long(56) != 0 {
            return damaged("its footer contradicts itself");
        }
        let told = assets_size.checked_add(manifest_size).and_then(|sum| sum.checked_add(FOOTER as u64));
        if told != Some(bytes) {
            return damaged("it is not as long as its footer says");
        }
        Ok(Self { raw, assets_size, manifest_size, crc32: short(52) })
    }
}

/// The assets, with which the file begins.
fn read_assets(
    file: &mut File,
    footer: &Footer,
    mut tell: impl FnMut(&[u8]) -> Result<(), ArtifactError>,
) -> Result<(), ArtifactError> {
    // It stays in a processor's own cache until it is summed up.
    let mut buffer = vec![0; 128 << 10];
    let mut assets = file.take(footer.assets_size);
    loop {
        if let Some(signal) = interrupt::pending() {
            return Err(ArtifactError::Interrupted(signal));
        }
        match assets.read(&mut buffer)? {
            0 => return Ok(()),
            count => tell(&buffer[..count])?,
        }
    }
}

/// The manifest, which begins where the file stands.
fn read_manifest(file: &mut File, footer: &Footer) -> Result<Vec<u8>, ArtifactError> {
    let mut bytes = Vec::new();
    file.take(footer.manifest_size).read_to_end(&mut bytes)?;
    Ok(bytes)
}
