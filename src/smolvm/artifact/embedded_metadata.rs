//! A `snapshot.json` inside an artifact: one more key at the end of its manifest, which can be removed again byte by byte.
//!
//! A registry stores an artifact unchanged, as one layer, so the key travels with it. The engine ignores the key: `pack push`,
//! `pack pull`, `machine create --from` and `pack run --info` accept such an artifact (tried on engines old and new), and the
//! config blob that they upload does not have the key.

use super::content::{Artifact, Content};
use super::error::ArtifactError;
use crate::signals::Signals;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The bytes before it in the manifest.
const KEY: &[u8] = b",\"bottle_freeze\":";

/// Writes a copy of the artifact with `metadata` into `copy`, and checks the artifact meanwhile.
///
/// # Errors
/// It is not a whole artifact, has metadata already, or the copy cannot be written.
pub fn copy_with(
    path: &Path,
    signals: &Signals,
    copy: &mut File,
    metadata: &impl Serialize,
) -> Result<(), ArtifactError> {
    let content = Content::read(path, signals, |assets| copy.write_all(assets).map_err(ArtifactError::Copy))?;
    content.artifact()?;
    if find(&content.manifest)?.is_some() {
        return Err(ArtifactError::Damaged("it contains a snapshot.json already".into()));
    }
    let mut manifest = content.manifest.clone();
    let end = manifest.iter().rposition(|byte| *byte == b'}').unwrap_or_default();
    let metadata = [KEY, &serde_json::to_vec(metadata).map_err(|error| ArtifactError::Copy(error.into()))?].concat();
    manifest.splice(end..end, metadata);
    copy.write_all(&content.with(manifest)?.end()).map_err(ArtifactError::Copy)
}

/// Checks the artifact, and removes the metadata in it, if any, so that the file is as it was before. Returns the artifact as
/// it came, and the metadata.
///
/// # Errors
/// It is not a whole artifact, or cannot be written.
pub fn take_out(path: &Path, signals: &Signals) -> Result<(Artifact, Option<Vec<u8>>), ArtifactError> {
    let content = Content::read(path, signals, |_| Ok(()))?;
    let artifact = content.artifact()?;
    let Some((before, metadata)) = find(&content.manifest)? else { return Ok((artifact, None)) };
    let after = before + KEY.len() + metadata.len();
    let mut manifest = content.manifest.clone();
    manifest.drain(before..after);
    let metadata = metadata.as_bytes().to_vec();
    content.with(manifest)?.write_end(path)?;
    Ok((artifact, Some(metadata)))
}

/// The metadata in a manifest, and where its key begins.
fn find(manifest: &[u8]) -> Result<Option<(usize, &str)>, ArtifactError> {
    #[derive(Deserialize)]
    struct Carrier<'a> {
        #[serde(borrow, default, deserialize_with = "any")]
        bottle_freeze: Option<&'a RawValue>,
    }
    // Also a null, which would otherwise be `None`: beside it a second key would not be noticed.
    fn any<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
        <&RawValue>::deserialize(from).map(Some)
    }
    let unreadable = |error| ArtifactError::Damaged(format!("its manifest cannot be read: {error}"));
    let carrier: Carrier = serde_json::from_slice(manifest).map_err(unreadable)?;
    let Some(metadata) = carrier.bottle_freeze.map(RawValue::get) else { return Ok(None) };
    // It is a part of the manifest: the distance of the pointers is its position.
    let before = (metadata.as_ptr() as usize).checked_sub(manifest.as_ptr() as usize + KEY.len());
    match before {
        Some(before) if manifest.get(before..).is_some_and(|from| from.starts_with(KEY)) => {
            Ok(Some((before, metadata)))
        }
        _ => Err(ArtifactError::Damaged("its manifest was not written by a push of bottle-freeze".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    fn artifacts() -> impl Iterator<Item = std::path::PathBuf> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/artifact");
        fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path())
    }

    #[test]
    fn an_artifact_without_its_metadata_is_what_it_was_byte_by_byte() {
        let folder = tempfile::tempdir().unwrap();
        let copied = folder.path().join("copy");
        // Metadata that contains its own key.
        let metadata =
            json!({"note": "\",\"bottle_freeze\":{", "labels": {"a": "b", "bottle_freeze": {"bottle_freeze": 1}}});
        let mut count = 0;
        for path in artifacts() {
            copy_with(&path, &Signals::default(), &mut File::create(&copied).unwrap(), &metadata).unwrap();
            let twice = copy_with(
                &copied,
                &Signals::default(),
                &mut File::create(folder.path().join("twice")).unwrap(),
                &metadata,
            );
            assert!(matches!(twice, Err(ArtifactError::Damaged(_))), "{twice:?}");
            let (_, text) = take_out(&copied, &Signals::default()).unwrap();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&text.unwrap()).unwrap(), metadata);
            assert_eq!(fs::read(&copied).unwrap(), fs::read(&path).unwrap(), "{}", path.display());
            assert!(take_out(&copied, &Signals::default()).unwrap().1.is_none());
            count += 1;
        }
        assert!(count > 0, "no artifacts in the corpus");
    }

    #[test]
    fn metadata_may_be_any_json() {
        for metadata in ["null", "0", "[]", "\"x\""] {
            let manifest = format!("{{\"cpus\":1,\"bottle_freeze\":{metadata}}}");
            assert_eq!(find(manifest.as_bytes()).unwrap(), Some((9, metadata)));
        }
        assert_eq!(find(b"{\"cpus\":1}").unwrap(), None);
        assert!(find(b"{\"cpus\":1,\"bottle_freeze\":null,\"bottle_freeze\":1}").is_err());
    }
}
