//! `snapshot.json`, beside an artifact: what it must be, bit by bit.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use thiserror::Error;

const FILE: &str = "snapshot.json";
/// More than this no snapshot.json has.
const LIMIT: u64 = 1 << 20;

/// What is recorded of one file.
#[derive(Debug, Clone, Deserialize)]
pub struct Recorded {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    files: BTreeMap<String, Recorded>,
}

/// Why a snapshot.json tells nothing.
#[derive(Debug, Error)]
#[error("the {FILE} beside it cannot be read: {0}")]
pub struct MetadataError(String);

/// What the `snapshot.json` beside the artifact records of it; nothing if there is none, or it is of other files.
///
/// # Errors
/// It is there and cannot be read or understood.
pub fn recorded(artifact: &Path) -> Result<Option<Recorded>, MetadataError> {
    let unreadable = |error: io::Error| MetadataError(error.to_string());
    let path = artifact.with_file_name(FILE);
    match path.metadata() {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(MetadataError("it is not a regular file".into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut text = Vec::new();
    file.take(LIMIT).read_to_end(&mut text).map_err(unreadable)?;
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| MetadataError(error.to_string()))?;
    let name = artifact.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Ok(metadata.files.get(name).cloned())
}
