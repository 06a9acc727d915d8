//! What failed, how things stand now, what mends it, and the exit status that says so to a script.

use crate::smolvm::EngineError;
use crate::smolvm::artifact::ArtifactError;
use std::path::Path;
use std::process::ExitCode;
use thiserror::Error;

/// An exit status, one meaning each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 1
    Failed,
    /// 2
    Usage,
    /// 3
    SomeFailed,
    /// 4
    NoSuchVm,
    /// 5
    BadState,
    /// 6
    NotConfirmed,
    /// 7
    OutputExists,
    /// 8
    NotWritable,
    /// 9
    NotStopped,
    /// 10
    Damaged,
    /// 11
    Locked,
    /// 12
    NotRestarted,
    /// 13
    BadEngine,
    /// 125, of `exec` only
    ExecFailed,
    /// 127, of `exec` only
    NoSuchCommand,
    /// 128 and the signal
    Interrupted(i32),
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Failed => 1,
            Status::Usage => 2,
            Status::SomeFailed => 3,
            Status::NoSuchVm => 4,
            Status::BadState => 5,
            Status::NotConfirmed => 6,
            Status::OutputExists => 7,
            Status::NotWritable => 8,
            Status::NotStopped => 9,
            Status::Damaged => 10,
            Status::Locked => 11,
            Status::NotRestarted => 12,
            Status::BadEngine => 13,
            Status::ExecFailed => 125,
            Status::NoSuchCommand => 127,
            Status::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(1),
        })
    }
}

/// An error as its user reads it.
#[derive(Debug, Error)]
#[error("{what}")]
pub struct Failure {
    /// Its exit status.
    pub status: Status,
    /// What failed.
    pub what: String,
    /// How things stand now.
    pub now: Option<String>,
    /// What mends it.
    pub mend: Option<String>,
}

impl Failure {
    /// `what` failed.
    pub fn new(status: Status, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), now: None, mend: None }
    }

    /// Things stand like this now.
    pub fn now(mut self, now: impl Into<String>) -> Self {
        self.now = Some(now.into());
        self
    }

    /// Things stand like this too.
    pub fn and_now(self, now: impl Into<String>) -> Self {
        let now = now.into();
        let all = self.now.as_ref().map_or(now.clone(), |before| format!("{before}; {now}"));
        self.now(all)
    }

    /// This mends it.
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// A file that cannot be written: a full disk, a read-only folder, no permission.
    pub fn not_writable(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Status::NotWritable, format!("{} cannot be written: {error}", path.display()))
    }

    /// A file that is no whole artifact.
    pub fn artifact(path: &Path, error: &ArtifactError) -> Self {
        let status = match error {
            ArtifactError::Io(io) if io.kind() == std::io::ErrorKind::NotFound => Status::NoSuchVm,
            ArtifactError::Io(_) => Status::Failed,
            ArtifactError::Interrupted(signal) => Status::Interrupted(*signal),
            ArtifactError::NotArtifact(_) | ArtifactError::Damaged(_) => Status::Damaged,
        };
        Self::new(status, format!("{} {error}", path.display()))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let what = error.to_string();
        let failure = |status| Self::new(status, what.clone());
        match &error {
            EngineError::Missing(_) => failure(Status::BadEngine).mend(super::engine::ways_to_get_one()),
            EngineError::NotRunnable { .. } => failure(Status::BadEngine),
            EngineError::NotSmolvm { .. } => {
                failure(Status::BadEngine).mend("name the right one with --smolvm PATH or in $SMOLVM")
            }
            EngineError::TooOld { .. } => failure(Status::BadEngine).mend("update smolvm"),
            EngineError::NoSuchVm(_) => failure(Status::NoSuchVm).mend("list the VMs with `bottle-freeze ls`"),
            EngineError::NameTaken(name) => failure(Status::Failed)
                .mend(format!("choose another name, or delete it with `bottle-freeze rm {name}`")),
            EngineError::Interrupted(signal) => failure(Status::Interrupted(*signal)),
            EngineError::Failed { .. } if error.is_no_space() => {
                failure(Status::NotWritable).mend("free some disk space and try again")
            }
            EngineError::Failed { .. } if error.is_paused() => {
                failure(Status::BadState).mend("it is paused: `smolvm machine resume` wakes it")
            }
            EngineError::NotReady { name, .. } => {
                failure(Status::Failed).mend(format!("it may need more time: `bottle-freeze exec {name} -- true`"))
            }
            _ => failure(Status::Failed),
        }
    }
}
