//! References to secrets, which the engine writes into the manifest of a pack (`--secret-env`, `--secret-file`,
//! `--secret-keychain`) and then refuses in `create --from`: "packs may not carry secret refs". A reference names a variable
//! or a file of the host that packed, and holds no value.

use super::artifact::hash_while_written::StreamedHash;
use super::artifact::{Artifact, ArtifactError, Content};
use crate::signals::Signals;
use serde_json::value::RawValue;
use sha2::Digest;
use std::collections::BTreeMap;
use std::path::Path;

const KEY: &str = "secret_refs";
/// The key for their names, which the engine ignores.
const NAMES: &str = "bottle_freeze_secrets";

/// What the engine packed, ready to be kept.
pub struct Finished {
    /// The artifact.
    pub artifact: Artifact,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// The variables whose references to secrets were removed.
    pub secrets: Vec<String>,
}

/// Checks what the engine wrote, and removes the references to secrets from it. A file that was `followed` while it was
/// written is not read again.
///
/// # Errors
/// It is not whole, no VM can be made from it, or it cannot be written.
pub fn take_out(path: &Path, signals: &Signals, followed: Option<StreamedHash>) -> Result<Finished, ArtifactError> {
    let (mut content, mut sha256) = Content::read_hashed(path, signals, followed)?;
    let mut secrets = Vec::new();
    if let Some((manifest, names)) = std::str::from_utf8(&content.manifest).ok().and_then(without) {
        content = content.with(manifest.into_bytes())?;
        content.write_end(path)?;
        secrets = names;
    }
    sha256.update(content.end());
    let sha256 = base16ct::lower::encode_string(&sha256.finalize());
    Ok(Finished { artifact: content.artifact()?, sha256, secrets })
}

/// The manifest without references, and their names; `None` if there are none. The manifest of a running VM is not changed:
/// its other parts may depend on it.
pub fn without(manifest: &str) -> Option<(String, Vec<String>)> {
    let mut keys: BTreeMap<String, Box<RawValue>> = serde_json::from_str(manifest).ok()?;
    if keys.get("checkpoint").is_some_and(|value| value.get() != "null") {
        return None;
    }
    let references: BTreeMap<String, Box<RawValue>> = serde_json::from_str(keys.remove(KEY)?.get()).ok()?;
    let names: Vec<String> = references.into_keys().collect();
    keys.insert(NAMES.to_owned(), serde_json::value::to_raw_value(&names).ok()?);
    let manifest = serde_json::to_string(&keys).ok()?;
    (!names.is_empty()).then_some((manifest, names))
}
