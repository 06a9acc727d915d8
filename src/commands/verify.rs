//! `verify`: are these snapshots whole? No engine is asked.

use super::each::{self, Done};
use super::{App, Failure, Result, output};
use crate::cli;
use crate::smolvm::artifact::{self, Artifact, ArtifactError};
use crate::snapshot::{Metadata, Recorded, recorded};
use crate::ui::Problem;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What one file is, as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    path: String,
    whole: bool,
    bytes: Option<u64>,
    crc32: Option<String>,
    /// Only where a snapshot.json recorded it.
    sha256: Option<String>,
    error: Option<Problem<'a>>,
    warnings: &'a [String],
}

pub fn run(app: &App, args: &cli::Verify) -> Result<()> {
    let paths: Vec<Shown> = args.paths.iter().cloned().map(Shown).collect();
    let results = each::one_by_one(each::SNAPSHOTS, &paths, |Shown(path), _| {
        let (artifact, sha256) = app.ui.during("check", &format!("checking {}", path.display()), || check(path))?;
        let size = output::size(artifact.bytes);
        let text = format!("{} is whole ({size}, CRC-32 {:08x})", path.display(), artifact.crc32);
        app.ui.result(path, &text);
        Ok((artifact, sha256))
    });
    let reports = paths.iter().zip(&results).map(|(Shown(path), checked)| Report::new(path, checked));
    app.ui.report(&reports.collect::<Vec<_>>());
    each::verdict(each::SNAPSHOTS, &paths, results)
}

/// A path, in a list of those that failed.
struct Shown(PathBuf);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Checks one file by itself and against its snapshot.json, reading it once. Its SHA-256, if that was recorded.
pub fn check(path: &Path) -> Result<(Artifact, Option<String>)> {
    let damaged = |why: String| Failure::artifact(path, &ArtifactError::Damaged(why));
    let Some(recorded) = recorded(path).map_err(|error| damaged(error.to_string()))? else {
        let artifact = artifact::verify(path).map_err(|error| Failure::artifact(path, &error))?;
        return Ok((artifact, None));
    };
    let mut hasher = Sha256::new();
    let artifact = artifact::verify_and_tell(path, |bytes| hasher.update(bytes));
    let artifact = artifact.map_err(|error| Failure::artifact(path, &error))?;
    let sha256 = base16ct::lower::encode_string(&hasher.finalize());
    let Recorded { bytes, sha256: expected } = recorded;
    if (artifact.bytes, sha256.as_str()) != (bytes, expected.as_str()) {
        return Err(damaged("it is not the file that its snapshot.json records".into()));
    }
    Ok((artifact, Some(sha256)))
}

/// Checks all files of a snapshot, which lies in `folder`, against what is recorded of them. Its artifact, and where that
/// lies.
pub fn snapshot(folder: &Path, metadata: &Metadata) -> Result<(Artifact, PathBuf)> {
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
        if name != artifact && output::record(&path)? != *recorded {
            return Err(damaged(&path, "it is not the file that its snapshot.json records"));
        }
    }
    let path = folder.join(artifact);
    check(&path).map(|(artifact, _)| (artifact, path))
}

impl<'a> Report<'a> {
    fn new(path: &Path, checked: &'a Result<Done<(Artifact, Option<String>)>>) -> Self {
        let path = path.display().to_string();
        match checked {
            Ok(Done { result: (artifact, sha256), warnings }) => Self {
                path,
                whole: true,
                bytes: Some(artifact.bytes),
                crc32: Some(format!("{:08x}", artifact.crc32)),
                sha256: sha256.clone(),
                error: None,
                warnings,
            },
            Err(failure) => Self {
                path,
                whole: false,
                bytes: None,
                crc32: None,
                sha256: None,
                error: Some(Problem { warnings: &[], ..failure.problem() }),
                warnings: &failure.warnings,
            },
        }
    }
}
