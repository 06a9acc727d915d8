//! What rides along in an artifact: one more key at the end of its manifest, taken out again bit by bit.
//!
//! A registry holds an artifact as one layer, as it is, so this travels wherever the artifact does. The engine ignores
//! the key: `pack push`, `pack pull`, `machine create --from` and `pack run --info` of 1.4.0, 1.14.3, 1.19.0 and 1.32.2
//! took such an artifact, and the config blob that they upload leaves the key out.

use super::content::{Artifact, Content};
use super::error::ArtifactError;
use crate::signals::Signals;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// What stands before it in the manifest.
const KEY: &[u8] = b",\"bottle_freeze\":";

/// Writes a copy of the artifact with `rider` into `copy`, checking the artifact on the way.
///
/// # Errors
/// It is no whole artifact, carries a rider already, or the copy cannot be written.
pub fn copy_with(path: &Path, signals: &Signals, copy: &mut File, rider: &impl Serialize) -> Result<(), ArtifactError> {
    let content = Content::read(path, signals, |assets| copy.write_all(assets).map_err(ArtifactError::Copy))?;
    content.artifact()?;
    if find(&content.manifest)?.is_some() {
        return Err(ArtifactError::Damaged("it carries a snapshot.json already".into()));
    }
    let mut manifest = content.manifest.clone();
    let end = manifest.iter().rposition(|byte| *byte == b'}').unwrap_or_default();
    let rider = [KEY, &serde_json::to_vec(rider).map_err(|error| ArtifactError::Copy(error.into()))?].concat();
    manifest.splice(end..end, rider);
    copy.write_all(&content.with(manifest)?.end()).map_err(ArtifactError::Copy)
}

/// Checks the artifact, takes the rider out of it, if it carries one, and makes the file what it was without. What is
/// given is the artifact as it came, and the rider.
///
/// # Errors
/// It is no whole artifact, or cannot be written.
pub fn take_out(path: &Path, signals: &Signals) -> Result<(Artifact, Option<Vec<u8>>), ArtifactError> {
    let content = Content::read(path, signals, |_| Ok(()))?;
    let artifact = content.artifact()?;
    let Some((before, rider)) = find(&content.manifest)? else { return Ok((artifact, None)) };
    let after = before + KEY.len() + rider.len();
    let mut manifest = content.manifest.clone();
    manifest.drain(before..after);
    let rider = rider.as_bytes().to_vec();
    content.with(manifest)?.write_end(path)?;
    Ok((artifact, Some(rider)))
}

/// The rider in a manifest, and where the key before it begins.
fn find(manifest: &[u8]) -> Result<Option<(usize, &str)>, ArtifactError> {
    #[derive(Deserialize)]
    struct Carrier<'a> {
        #[serde(borrow, default, deserialize_with = "any")]
        bottle_freeze: Option<&'a RawValue>,
    }
    // A null too, which would otherwise be none: a second key beside it could not be read.
    fn any<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
        <&RawValue>::deserialize(from).map(Some)
    }
    let unreadable = |error| ArtifactError::Damaged(format!("its manifest cannot be read: {error}"));
    let carrier: Carrier = serde_json::from_slice(manifest).map_err(unreadable)?;
    let Some(rider) = carrier.bottle_freeze.map(RawValue::get) else { return Ok(None) };
    // It is a part of the manifest: how far it is from its beginning is where it stands.
    let before = (rider.as_ptr() as usize).checked_sub(manifest.as_ptr() as usize + KEY.len());
    match before {
        Some(before) if manifest.get(before..).is_some_and(|from| from.starts_with(KEY)) => Ok(Some((before, rider))),
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
    fn what_a_rider_was_taken_out_of_is_what_it_was_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let copied = folder.path().join("copy");
        // One that holds its own key, as deep as it likes.
        let rider =
            json!({"note": "\",\"bottle_freeze\":{", "labels": {"a": "b", "bottle_freeze": {"bottle_freeze": 1}}});
        let mut count = 0;
        for path in artifacts() {
            copy_with(&path, &Signals::default(), &mut File::create(&copied).unwrap(), &rider).unwrap();
            let twice = copy_with(
                &copied,
                &Signals::default(),
                &mut File::create(folder.path().join("twice")).unwrap(),
                &rider,
            );
            assert!(matches!(twice, Err(ArtifactError::Damaged(_))), "{twice:?}");
            let (_, text) = take_out(&copied, &Signals::default()).unwrap();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&text.unwrap()).unwrap(), rider);
            assert_eq!(fs::read(&copied).unwrap(), fs::read(&path).unwrap(), "{}", path.display());
            assert!(take_out(&copied, &Signals::default()).unwrap().1.is_none());
            count += 1;
        }
        assert!(count > 0, "no artifacts in the corpus");
    }

    #[test]
    fn a_rider_of_any_kind_is_one() {
        for rider in ["null", "0", "[]", "\"x\""] {
            let manifest = format!("{{\"cpus\":1,\"bottle_freeze\":{rider}}}");
            assert_eq!(find(manifest.as_bytes()).unwrap(), Some((9, rider)));
        }
        assert_eq!(find(b"{\"cpus\":1}").unwrap(), None);
        assert!(find(b"{\"cpus\":1,\"bottle_freeze\":null,\"bottle_freeze\":1}").is_err());
    }
}
