//! Checks snapshots by reading their files, without an engine.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::store::{self, Index, Seen, StoreError};
use crate::library::{FileHasher, Metadata, layout, recorded_hash};
use crate::operations::packed;
use crate::smolvm::DiskError;
use crate::smolvm::artifact::{self, Artifact, ArtifactError};
use std::path::Path;

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

/// Checks all files of the snapshot in `folder` against its metadata. `seen` has the chunks that this run has checked
/// before: each is read once.
pub fn snapshot(app: &App, folder: &Path, metadata: &Metadata, seen: &Seen) -> Result<Artifact> {
    chunks(app, folder, metadata, index(folder, metadata)?, seen)
}

/// The same of what its artifact needs: without the image that the next freeze and `snapshot diff --image` compare with.
pub fn artifact(app: &App, folder: &Path, metadata: &Metadata) -> Result<Artifact> {
    let mut index = index(folder, metadata)?;
    if let Some(index) = &mut index {
        index.base.clear();
    }
    chunks(app, folder, metadata, index, &Seen::default())
}

/// Checks the chunks in the index, or the artifact if there is none.
fn chunks(app: &App, folder: &Path, metadata: &Metadata, index: Option<Index>, seen: &Seen) -> Result<Artifact> {
    let Some(index) = index else {
        let artifact = metadata.artifact_file().unwrap_or_default();
        return check(app, &folder.join(artifact)).map(|(whole, _)| whole);
    };
    store::verify(folder, &index, seen, &app.signals)?;
    Ok(index.artifact()?)
}

/// The index of the snapshot in `folder`, if its artifact is in chunks. Checks all files but the artifact itself.
///
/// # Errors
/// One cannot be read, or is not the file that was recorded.
pub fn index(folder: &Path, metadata: &Metadata) -> Result<Option<Index>> {
    other_files(folder, metadata)?;
    let recorded = metadata.files.get(layout::INDEX).filter(|_| metadata.is_in_chunks());
    Ok(recorded.map(|recorded| Index::read(folder, recorded)).transpose()?)
}

/// Checks all files of the snapshot but the one that holds its artifact.
fn other_files(folder: &Path, metadata: &Metadata) -> Result<()> {
    let damaged = |path: &Path, why: &str| Failure::artifact(path, &ArtifactError::Damaged(why.into()));
    let artifact = if metadata.is_in_chunks() { Some(layout::INDEX) } else { metadata.artifact_file() };
    let Some(artifact) = artifact else {
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
    Ok(())
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let what = error.to_string();
        match error {
            StoreError::Interrupted(interrupted) => interrupted.into(),
            StoreError::NotWritable { source, .. } | StoreError::Output(source) => Self::unwritten(what, &source),
            StoreError::Disk(DiskError::Unreadable { source, .. }) | StoreError::Unreadable { source, .. } => {
                Self::unread(what, &source)
            }
            StoreError::Artifact { path, error } => Self::artifact(&path, &error),
            StoreError::Disk(DiskError::Unknown { .. }) => Self::new(Status::Failed, what),
            StoreError::Damaged { .. } | StoreError::Index { .. } | StoreError::Content(_) => {
                Self::new(Status::Damaged, what)
            }
        }
    }
}
