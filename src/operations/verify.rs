//! Whether snapshots are whole: their files are read, and no engine is called.

use crate::app::App;
use crate::error::{Failure, Result};
use crate::library::{FileHash, Metadata, recorded_hash};
use crate::operations::packed;
use crate::smolvm::artifact::{self, Artifact, ArtifactError};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Checks one file by itself and against its snapshot.json, reading it once. Its SHA-256, if that was recorded.
pub fn check(app: &App, path: &Path) -> Result<(Artifact, Option<String>)> {
    let damaged = |why: String| Failure::artifact(path, &ArtifactError::Damaged(why));
    let Some(recorded) = recorded_hash(path).map_err(|error| damaged(error.to_string()))? else {
        let artifact = artifact::verify(path, &app.signals).map_err(|error| Failure::artifact(path, &error))?;
        return Ok((artifact, None));
    };
    let mut hasher = Sha256::new();
    let artifact = artifact::verify_and_read(path, &app.signals, |bytes| hasher.update(bytes));
    let artifact = artifact.map_err(|error| Failure::artifact(path, &error))?;
    let sha256 = base16ct::lower::encode_string(&hasher.finalize());
    let FileHash { bytes, sha256: expected } = recorded;
    if (artifact.bytes, sha256.as_str()) != (bytes, expected.as_str()) {
        return Err(damaged("it is not the file that its snapshot.json records".into()));
    }
    Ok((artifact, Some(sha256)))
}

/// Checks all files of a snapshot, which lies in `folder`, against what is recorded of them. Its artifact, and where that
/// lies.
pub fn snapshot(app: &App, folder: &Path, metadata: &Metadata) -> Result<(Artifact, PathBuf)> {
    let damaged = |path: &Path, why: &str| Failure::artifact(path, &ArtifactError::Damaged(why.into()));
    let Some(artifact) = metadata.artifact() else {
        return Err(damaged(folder, "its snapshot.json records no artifact"));
    };
    for (name, recorded) in &metadata.files {
        let path = folder.join(name);
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return Err(damaged(&path, "it is not a regular file")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(damaged(&path, "it is missing")),
            Err(error) => return Err(Failure::artifact(&path, &error.into())),
        }
        if name != artifact && packed::record(&path)? != *recorded {
            return Err(damaged(&path, "it is not the file that its snapshot.json records"));
        }
    }
    let path = folder.join(artifact);
    check(app, &path).map(|(artifact, _)| (artifact, path))
}
