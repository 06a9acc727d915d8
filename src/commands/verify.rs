//! `verify`: are these snapshots whole? No engine is asked.

use crate::app::App;
use crate::cli;
use crate::commands::batch::{self, Done};
use crate::error::{Failure, Result};
use crate::library::{FileHash, Metadata, recorded};
use crate::operations::packed;
use crate::operations::resolve::{self, Asked, SnapshotSource, Whole};
use crate::smolvm::artifact::{self, Artifact, ArtifactError};
use crate::terminal::Problem;
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
    let all = resolve::several_of_any_kind(app, &args.snapshots);
    let results = batch::one_by_one(batch::SNAPSHOTS, &all, |asked, _| {
        let found = asked.get()?;
        let whole = app.terminal.during("check", &format!("checking {asked}"), || found.whole())?;
        let size = packed::size(whole.artifact.bytes);
        let text = format!("{asked} is whole ({size}, CRC-32 {:08x})", whole.artifact.crc32);
        app.terminal.result(asked, &text);
        Ok(whole)
    });
    let reports = all.iter().zip(&results).map(|(asked, checked)| Report::new(asked, checked));
    app.terminal.report(&reports.collect::<Vec<_>>());
    batch::verdict(batch::SNAPSHOTS, &all, results)
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
    let FileHash { bytes, sha256: expected } = recorded;
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
        if name != artifact && packed::record(&path)? != *recorded {
            return Err(damaged(&path, "it is not the file that its snapshot.json records"));
        }
    }
    let path = folder.join(artifact);
    check(&path).map(|(artifact, _)| (artifact, path))
}

impl<'a> Report<'a> {
    fn new(asked: &Asked<SnapshotSource>, checked: &'a Result<Done<Whole>>) -> Self {
        match checked {
            Ok(Done { result: Whole { artifact, path, sha256 }, warnings }) => Self {
                path: path.display().to_string(),
                whole: true,
                bytes: Some(artifact.bytes),
                crc32: Some(format!("{:08x}", artifact.crc32)),
                sha256: sha256.clone(),
                error: None,
                warnings,
            },
            Err(failure) => Self {
                path: asked.get().map_or_else(|_| asked.to_string(), |found| found.path().display().to_string()),
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
