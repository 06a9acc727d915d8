//! The `.smolmachine` file: assets, then a JSON manifest, then a footer of 64 bytes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::facts::Fact;
use crate::{Engine, assets};

pub const MAGIC: &[u8; 8] = b"SMOLPACK";
const FOOTER: usize = 64;

/// An artifact read from disk, trusted as far as this version of the engine trusts it.
struct Artifact {
    bytes: Vec<u8>,
    assets: usize,
    manifest: usize,
    crc: u32,
}

impl Artifact {
    /// Fails with the engine's message for a bad file, without its leading "read …".
    fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path)?;
        if bytes.len() < FOOTER {
            bail!("I/O error: sidecar file too small to contain footer");
        }
        let footer = &bytes[bytes.len() - FOOTER..];
        if &footer[..8] != MAGIC {
            bail!("invalid magic: expected SMOLPACK");
        }
        let word = |at: usize| -> Result<usize> {
            let bytes: [u8; 8] = footer[at..at + 8].try_into()?;
            Ok(usize::try_from(u64::from_le_bytes(bytes))?)
        };
        let (assets, manifest) = (word(28)?, word(44)?);
        let crc = u32::from_le_bytes(footer[52..56].try_into()?);
        if assets.checked_add(manifest).and_then(|sum| sum.checked_add(FOOTER)) != Some(bytes.len()) {
            bail!("I/O error: footer does not match the file's size");
        }
        Ok(Self { bytes, assets, manifest, crc })
    }

    fn true_crc(&self) -> u32 {
        crc32fast::hash(&self.bytes[..self.assets + self.manifest])
    }

    fn manifest(&self) -> Result<Value> {
        let json = &self.bytes[self.assets..self.assets + self.manifest];
        serde_json::from_slice(json).context("agent operation failed: read manifest")
    }

    fn unpack(&self, target: &Path) -> Result<()> {
        assets::unpack(&self.bytes[..self.assets], target)
    }
}

/// The footer for these assets and this manifest.
pub fn footer(assets: &[u8], manifest: &[u8]) -> Vec<u8> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(assets);
    crc.update(manifest);
    let mut footer = Vec::with_capacity(FOOTER);
    footer.extend(MAGIC);
    footer.extend(1u32.to_le_bytes());
    for word in [0, 0, assets.len(), assets.len(), manifest.len()] {
        footer.extend((word as u64).to_le_bytes());
    }
    footer.extend(crc.finalize().to_le_bytes());
    footer.resize(FOOTER, 0);
    footer
}

/// Gives the VM the artifact's disks, and returns the manifest.
pub fn restore(engine: &Engine, name: &str, from: &Path) -> Result<Value> {
    if !from.is_file() {
        bail!("config operation failed: create from .smolmachine: file not found: {}", from.display());
    }
    let reading = if engine.version.has(Fact::ChecksCrc) { "read checkpoint footer" } else { "read .smolmachine" };
    let artifact = Artifact::read(from).map_err(|error| anyhow!("agent operation failed: {reading}: {error:#}"))?;
    if engine.version.has(Fact::ChecksCrc) && artifact.true_crc() != artifact.crc {
        bail!("agent operation failed: verify checkpoint checksum: checksum mismatch for {}", from.display());
    }
    println!("Extracting .smolmachine assets...");
    let manifest = artifact.manifest()?;
    refuse(&manifest)?;
    remember_extraction(engine, &artifact)?;
    let disks = engine.store.vm_dir(name).join("disk");
    fs::create_dir_all(&disks)?;
    match artifact.unpack(&disks) {
        // Versions without checks leave it to the guest to find the damage.
        Err(error) if engine.version.has(Fact::ChecksCrc) => return Err(error),
        _ => engine.store.make_disks(name)?,
    }
    Ok(manifest)
}

/// Refuses what no version makes a VM from.
fn refuse(manifest: &Value) -> Result<()> {
    if manifest["checkpoint"].is_object() {
        return Ok(());
    }
    let references = manifest["secret_refs"].as_object();
    if let Some((key, source)) = references.and_then(|references| references.iter().next()) {
        let kind = ["env", "file", "keychain"].into_iter().find(|kind| source.get(format!("from_{kind}")).is_some());
        bail!(
            "config operation failed: create from .smolmachine: secret '{key}': source kind '{}' is not allowed in \
             scope Untrusted; secret refs may only be resolved on the trusted local host (packs may not carry secret \
             refs)",
            kind.unwrap_or_default()
        );
    }
    if manifest["cpus"] == 0 {
        bail!("config operation failed: validate resources: CPU count must be at least 1");
    }
    if manifest["mem"].as_u64().is_some_and(|mem| mem < 64) {
        bail!(
            "config operation failed: validate resources: memory must be at least 64 MiB (got {} MiB)",
            manifest["mem"]
        );
    }
    for key in ["image", "digest", "platform", "cpus", "mem", "assets"] {
        if manifest.get(key).is_none() {
            bail!("agent operation failed: read .smolmachine: JSON error: missing field `{key}`");
        }
    }
    Ok(())
}

/// Two different artifacts that claim the same CRC are noticed only when both are extracted.
fn remember_extraction(engine: &Engine, artifact: &Artifact) -> Result<()> {
    if !engine.version.has(Fact::SharedUnpacks) {
        return Ok(());
    }
    let shared = engine.store.dir().join("shared");
    fs::create_dir_all(&shared)?;
    let note = shared.join(format!("{:08x}", artifact.crc));
    let truth = artifact.true_crc().to_string();
    match fs::read_to_string(&note) {
        Ok(known) if known != truth => bail!(
            "agent operation failed: extract sidecar (shared): shared pack checksum collision at {}: \
             artifact SHA-256 differs",
            note.display()
        ),
        _ => Ok(fs::write(note, truth)?),
    }
}

/// `pack run --info`: prints what the artifact says about itself; every version checks its CRC.
pub fn print_info(path: &Path) -> Result<()> {
    let artifact = Artifact::read(path).map_err(|error| anyhow!("agent operation failed: read sidecar: {error:#}"))?;
    if artifact.true_crc() != artifact.crc {
        bail!(
            "agent operation failed: verify sidecar: checksum mismatch for {}: sidecar may be corrupt or \
             tampered with.\nTry re-packing the image with `smolvm pack`.",
            path.display()
        );
    }
    let manifest = artifact.manifest()?;
    let text = |key: &str| manifest[key].as_str().unwrap_or_default().to_owned();
    println!("Mode:       {}\nImage:      {}\nDigest:     {}", text("mode"), text("image"), text("digest"));
    println!("Platform:   {}\nCPUs:       {}", text("platform"), manifest["cpus"]);
    println!("Memory:     {} MiB", manifest["mem"]);
    println!("Network:    {}", if manifest["network"] == true { "enabled" } else { "disabled" });
    println!("Checksum:   {:08x}", artifact.crc);
    Ok(())
}

/// The artifact's bytes, as `pack push` sends them: it reads the footer, and checks no checksum.
pub fn to_push(path: &Path) -> Result<Vec<u8>> {
    Ok(Artifact::read(path)?.bytes)
}

/// What the artifact says about itself, without any check.
pub fn manifest(path: &Path) -> Result<Value> {
    Artifact::read(path)?.manifest()
}
