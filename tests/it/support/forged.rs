//! Artifacts with a valid footer and contents that no engine wrote.

use serde_json::Value;

const FOOTER: usize = 64;

/// The range of the manifest in an artifact.
fn manifest_at(artifact: &[u8]) -> std::ops::Range<usize> {
    let footer = &artifact[artifact.len() - FOOTER..];
    let assets = usize::try_from(u64::from_le_bytes(footer[28..36].try_into().unwrap())).unwrap();
    assets..artifact.len() - FOOTER
}

/// The manifest of an artifact.
pub fn manifest(artifact: &[u8]) -> Value {
    serde_json::from_slice(&artifact[manifest_at(artifact)]).unwrap()
}

/// The artifact with a changed manifest.
pub fn with_manifest(artifact: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut manifest = manifest(artifact);
    change(&mut manifest);
    with_text(artifact, &serde_json::to_vec_pretty(&manifest).unwrap())
}

/// The artifact with this text as its manifest.
pub fn with_text(artifact: &[u8], manifest: &[u8]) -> Vec<u8> {
    let at = manifest_at(artifact);
    let mut footer = artifact[at.end..].to_vec();
    let content = [&artifact[..at.start], manifest].concat();
    footer[44..52].copy_from_slice(&(manifest.len() as u64).to_le_bytes());
    footer[52..56].copy_from_slice(&crc32fast::hash(&content).to_le_bytes());
    [content, footer].concat()
}
