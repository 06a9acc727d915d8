//! Reads a whole artifact: footer, checksum and manifest.

use super::error::ArtifactError;
use super::hash_while_written::StreamedHash;
use super::manifest::{Details, Manifest};
use crate::chunk;
use crate::signals::Signals;
use rustix::fs::{self, Mode, OFlags};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of the footer.
pub const FOOTER: usize = 64;
/// Its first bytes.
pub const MAGIC: &[u8; 8] = b"SMOLPACK";
pub const FORMAT_VERSION: u32 = 1;
/// The engine's own limit for a manifest.
const MANIFEST_LIMIT: u64 = 16 << 20;

/// A whole, verified artifact.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its size in bytes.
    pub bytes: u64,
    /// CRC-32 of assets and manifest, in its footer, and compared with its content.
    pub crc32: u32,
}

impl Artifact {
    /// The artifact with this manifest, of `bytes` in all, whose CRC-32 is known.
    ///
    /// # Errors
    /// The engine would refuse its manifest.
    pub fn of_parts(manifest: &str, bytes: u64, crc32: u32) -> Result<Self, ArtifactError> {
        check_length(manifest.len() as u64)?;
        Ok(Self { manifest: Manifest::read(manifest.as_bytes())?, bytes, crc32 })
    }
}

fn check_length(manifest: u64) -> Result<(), ArtifactError> {
    if manifest <= MANIFEST_LIMIT {
        return Ok(());
    }
    Err(ArtifactError::Damaged("its manifest would be longer than the engine reads".into()))
}

/// Reads the file once from beginning to end and checks footer, CRC-32 and manifest.
///
/// # Errors
/// [`ArtifactError`], which reads as the end of a sentence that begins with the file's name.
pub fn verify(path: &Path, signals: &Signals) -> Result<Artifact, ArtifactError> {
    verify_and_read(path, signals, |_| {})
}

/// The same, and passes the file's bytes, in order, to `on_bytes`.
///
/// # Errors
/// As [`verify`]; then `on_bytes` did not get all bytes.
pub fn verify_and_read(
    path: &Path,
    signals: &Signals,
    mut on_bytes: impl FnMut(&[u8]),
) -> Result<Artifact, ArtifactError> {
    let content = Content::read(path, signals, |assets| {
        on_bytes(assets);
        Ok(())
    })?;
    on_bytes(&content.manifest);
    on_bytes(&content.footer.raw);
    content.artifact()
}

/// Reads the details in the manifest, and checks nothing.
///
/// # Errors
/// As [`verify`].
pub fn details(path: &Path) -> Result<Details, ArtifactError> {
    let (mut file, _, footer) = open(path)?;
    file.seek(SeekFrom::Start(footer.assets_size))?;
    Ok(Details::of(&read_manifest(&mut file, &footer)?))
}

/// The assets, compressed as they are in the file. Checks nothing.
///
/// # Errors
/// As [`verify`].
pub fn assets(path: &Path) -> Result<impl Read, ArtifactError> {
    let (file, _, footer) = open(path)?;
    Ok(file.take(footer.assets_size))
}

/// An artifact that was read, and that matches its footer.
pub struct Content {
    /// Bytes of the whole file.
    bytes: u64,
    pub footer: Footer,
    /// Of the assets alone.
    assets_crc32: crc32fast::Hasher,
    pub manifest: Vec<u8>,
}

impl Content {
    /// Reads it all; `on_assets` gets the assets, and may end it with an error.
    pub fn read(
        path: &Path,
        signals: &Signals,
        mut on_assets: impl FnMut(&[u8]) -> Result<(), ArtifactError>,
    ) -> Result<Self, ArtifactError> {
        let (mut file, bytes, footer) = open(path)?;
        let mut assets_crc32 = crc32fast::Hasher::new();
        read_assets(&mut file, &footer, signals, |assets| {
            assets_crc32.update(assets);
            on_assets(assets)
        })?;
        let manifest = read_manifest(&mut file, &footer)?;
        let content = Self { bytes, footer, assets_crc32, manifest };
        if content.crc32_with(&content.manifest) != content.footer.crc32 {
            return Err(ArtifactError::Damaged("its checksum does not match its content".into()));
        }
        Ok(content)
    }

    /// The same, and the SHA-256 of the assets. A file that was `followed` while it was written is not read again, unless
    /// it was replaced or changed.
    pub fn read_hashed(
        path: &Path,
        signals: &Signals,
        followed: Option<StreamedHash>,
    ) -> Result<(Self, Sha256), ArtifactError> {
        if let Some(followed) = followed {
            if let Some(known) = Self::of_followed(path, followed)? {
                return Ok(known);
            }
        }
        let mut sha256 = Sha256::new();
        let content = Self::read(path, signals, |assets| {
            sha256.update(assets);
            Ok(())
        })?;
        Ok((content, sha256))
    }

    /// The same from a file that was `followed`; `None` if it was replaced or changed.
    pub fn of_followed(path: &Path, followed: StreamedHash) -> Result<Option<(Self, Sha256)>, ArtifactError> {
        let (mut file, bytes, footer) = open(path)?;
        let meta = file.metadata()?;
        let Some(followed) = followed.split(bytes.saturating_sub(footer.assets_size)) else { return Ok(None) };
        if ((meta.dev(), meta.ino()), bytes) != (followed.file, followed.bytes) {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(footer.assets_size))?;
        let manifest = read_manifest(&mut file, &footer)?;
        let content = Self { bytes, footer, assets_crc32: followed.crc32, manifest };
        let is_same = content.crc32_with(&content.manifest) == content.footer.crc32 && content.end() == followed.end;
        Ok(is_same.then_some((content, followed.sha256)))
    }

    pub fn artifact(&self) -> Result<Artifact, ArtifactError> {
        let manifest = Manifest::read(&self.manifest)?;
        Ok(Artifact { manifest, bytes: self.bytes, crc32: self.footer.crc32 })
    }

    /// An artifact with the same assets and another manifest.
    ///
    /// # Errors
    /// The manifest is longer than the engine reads.
    pub fn with(self, manifest: Vec<u8>) -> Result<Self, ArtifactError> {
        let size = manifest.len() as u64;
        check_length(size)?;
        let crc32 = self.crc32_with(&manifest);
        let Self { footer, assets_crc32, .. } = self;
        let mut raw = footer.raw;
        raw[44..52].copy_from_slice(&size.to_le_bytes());
        raw[52..56].copy_from_slice(&crc32.to_le_bytes());
        let bytes = footer.assets_size + size + FOOTER as u64;
        Ok(Self { bytes, footer: Footer { raw, manifest_size: size, crc32, ..footer }, assets_crc32, manifest })
    }

    /// The part of the file after the assets: manifest and footer.
    pub fn end(&self) -> Vec<u8> {
        [&self.manifest[..], &self.footer.raw].concat()
    }

    /// Writes manifest and footer into the file, which has the same assets.
    pub fn write_end(&self, path: &Path) -> Result<(), ArtifactError> {
        let write = || {
            let mut file = File::options().write(true).open(path)?;
            file.set_len(self.footer.assets_size)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(&self.end())
        };
        write().map_err(ArtifactError::Copy)
    }

    fn crc32_with(&self, manifest: &[u8]) -> u32 {
        let mut hasher = self.assets_crc32.clone();
        hasher.update(manifest);
        hasher.finalize()
    }
}

fn open(path: &Path) -> Result<(File, u64, Footer), ArtifactError> {
    // So that opening a FIFO does not wait for a writer.
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

pub struct Footer {
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
        if !raw.starts_with(MAGIC) {
            return Err(ArtifactError::NotArtifact("it does not end in a smolvm footer".into()));
        }
        let number = |at: usize, size: usize| {
            raw.iter().skip(at).take(size).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let short = |at: usize| u32::try_from(number(at, 4)).unwrap_or_default();
        let long = |at: usize| number(at, 8);
        let (stub_size, assets_offset, assets_size) = (long(12), long(20), long(28));
        let (manifest_offset, manifest_size) = (long(36), long(44));
        if short(8) != FORMAT_VERSION {
            return damaged("its format version is not the one that smolvm writes");
        }
        if stub_size != 0 || assets_offset != 0 {
            return Err(ArtifactError::NotArtifact(
                "it is a single-file pack, from which the engine makes no VM".into(),
            ));
        }
        if manifest_size > MANIFEST_LIMIT || manifest_offset != assets_size || long(56) != 0 {
            return damaged("its footer contradicts itself");
        }
        let expected = assets_size.checked_add(manifest_size).and_then(|sum| sum.checked_add(FOOTER as u64));
        if expected != Some(bytes) {
            return damaged("it is not as long as its footer says");
        }
        Ok(Self { raw, assets_size, manifest_size, crc32: short(52) })
    }
}

/// Reads the assets, which are the beginning of the file.
fn read_assets(
    file: &mut File,
    footer: &Footer,
    signals: &Signals,
    mut on_assets: impl FnMut(&[u8]) -> Result<(), ArtifactError>,
) -> Result<(), ArtifactError> {
    // Small enough to stay in a processor's cache while it is hashed.
    let mut buffer = vec![0; 128 << 10];
    let mut assets = file.take(footer.assets_size);
    loop {
        signals.check()?;
        match chunk::read(&mut assets, &mut buffer)? {
            [] => return Ok(()),
            read => on_assets(read)?,
        }
    }
}

/// Reads the manifest, which begins at the file's position.
fn read_manifest(file: &mut File, footer: &Footer) -> Result<Vec<u8>, ArtifactError> {
    let mut bytes = Vec::new();
    file.take(footer.manifest_size).read_to_end(&mut bytes)?;
    Ok(bytes)
}
