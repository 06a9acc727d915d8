//! Checks snapshots by reading their files, without an engine.

use crate::app::App;
use crate::error::{Failure, Result};
use crate::library::{FileHasher, Metadata, recorded_hash};
use crate::operations::packed;
use crate::smolvm::artifact::{self, Artifact, ArtifactError};
use std::path::{Path, PathBuf};

const OTHER_FILE: &str = "it is not the file that its snapshot.json records";

/// Checks an artifact, and compares it with the snapshot.json beside it, if there is one. Reads it once. Also returns the
/// recorded SHA-256.
pub fn check(app: &App, path: &Path) -> Result<(Artifact, Option<String>)> {
    let damaged = |why: String| Failure::artifact(path, &ArtifactError::Damaged(why));
    let Some(recorded) = recorded_hash(path).map_err(|error| damaged(error.to_string()))? else {
        let artifact = artifact::verify(path, &app.signals).map_err(|error| Failure::artifact(path, &error))?;
        return Ok((artifact, None));
    };
    let mut hasher = FileHasher::default();
    let artifact = artifact::verify_and_read(path, &app.signals, |bytes| hasher.update(bytes));
    let artifact = artifact.map_err(|error| Failure::artifact(path, &error))?;
    if hasher.finish() != recorded {
        return Err(damaged(OTHER_FILE.into()));
    }
    Ok((artifact, Some(recorded.sha256)))
}

/// Checks all files of the snapshot in `folder` against its metadata. Returns its artifact and the path of it.
pub fn snapshot(app: &App, folder: &Path, metadata: &Metadata) -> Result<(Artifact, PathBuf)> {
    let damaged = |path: &Path, why: &str| Failure::artifact(path, &ArtifactError::Damaged(why.into()));
    let Some(artifact) = metadata.artifact() else {
        return Err(damaged(folder, "its snapshot.json lists no artifact"));
    };
    for (name, recorded) in &metadata.files {
        let path = folder.join(name);
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return Err(damaged(&path, "it is not a regular file")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(damaged(&path, "it is missing")),
            Err(error) => return Err(Failure::artifact(&path, &error.into())),
        }
        if name != artifact && packed::hash(&path)? != *recorded {
            return Err(damaged(&path, OTHER_FILE));
        }
    }
    let path = folder.join(artifact);
    check(app, &path).map(|(artifact, _)| (artifact, path))
}
