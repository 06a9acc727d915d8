//! Errors as users and scripts see them: what failed, how things stand now, how to fix it, and an exit status.
//!
//! Which status: a signal ends the command with its own, whatever failed because of it. Otherwise the status names what
//! the user can act on: what is missing (4), in the wrong state (5), already there (7; a VM: 16), not writable (8), damaged
//! (10) or locked (11); an engine that cannot do it at all is 13. Everything else is 1. Of several VMs or snapshots, each failure
//! is reported with its own status, and the command ends with 3.

use crate::home::HomeError;
use crate::library::{Tag, TooLong, catalog, undo};
use crate::signals::Interrupted;
use crate::smolvm::artifact::ArtifactError;
use crate::smolvm::{EngineError, Fact, Reason, Version};
use crate::terminal::{About, Error, Terminal};
use rustix::process::{Resource, getrlimit};
use std::io::ErrorKind;
use std::path::Path;

pub use crate::status::Status;

/// A result with a [`Failure`].
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// How to fix a full disk.
pub const FREE_SPACE: &str = "free some disk space and try again";
const OTHER_FOLDER: &str = "the file system there has no files of this size: name a folder on another one";
const RAISE_LIMIT: &str = "raise the limit on the size of files, which `ulimit -f` shows, and try again";

/// An error as its user reads it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// Its exit status.
    pub status: Status,
    /// What failed.
    pub what: String,
    /// How things stand now.
    pub state: Option<String>,
    /// How to fix it.
    pub hint: Option<String>,
    /// The warnings that were printed before it failed: it is their result.
    pub warnings: Vec<String>,
    /// The VM or the snapshot that it is about.
    pub about: Option<Box<About>>,
}

impl Failure {
    /// `what` failed.
    pub fn new(status: Status, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), state: None, hint: None, warnings: Vec::new(), about: None }
    }

    /// Things stand like this now.
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// Things stand like this too.
    pub fn and_state(self, state: impl Into<String>) -> Self {
        let state = state.into();
        let all = self.state.as_ref().map_or(state.clone(), |before| format!("{before}; {state}"));
        self.state(all)
    }

    /// How to fix it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// These warnings came before it.
    pub fn after(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// Says what it is about, unless that is known already.
    pub fn about(mut self, about: Option<About>) -> Self {
        self.about = self.about.or(about.map(Box::new));
        self
    }

    /// Whether a signal caused it.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.status, Status::Interrupted(_))
    }

    /// Prints it.
    pub fn print(&self, terminal: &Terminal) {
        terminal.about(self.about.as_deref().cloned()).error(&self.error(), &self.warnings);
    }

    /// As programs read it.
    pub fn error(&self) -> Error {
        Error { state: self.state.clone(), hint: self.hint.clone(), ..Error::new(self.status, &self.what) }
    }

    /// A file that cannot be written: a full disk, a read-only folder, no permission.
    pub fn not_writable(path: &Path, error: &std::io::Error) -> Self {
        Self::unwritten(format!("{} cannot be written: {error}", path.display()), error)
    }

    /// `what` could not be written; `source`, the system's error, decides how to fix it. A library that belongs to another
    /// user has its own message.
    pub fn unwritten(what: String, source: &std::io::Error) -> Self {
        if let Some(refused) = HomeError::in_error(source) {
            return refused.clone().into();
        }
        let failure = Self::new(Status::NotWritable, what);
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => failure.hint(FREE_SPACE),
            ErrorKind::FileTooLarge if getrlimit(Resource::Fsize).current.is_none() => failure.hint(OTHER_FOLDER),
            ErrorKind::FileTooLarge => failure.hint(RAISE_LIMIT),
            _ => failure,
        }
    }

    /// `what` could not be read; `source` is the system's error.
    pub fn unread(what: String, source: &std::io::Error) -> Self {
        let is_missing = source.kind() == ErrorKind::NotFound;
        Self::new(if is_missing { Status::NotFound } else { Status::Failed }, what)
    }

    /// How to fix it, unless that is known already.
    pub fn or_hint(self, hint: &str) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint) }
    }

    /// The file at `path` is not a whole artifact.
    pub fn artifact(path: &Path, error: &ArtifactError) -> Self {
        let status = match error {
            ArtifactError::Io(source) => return Self::unread(format!("{} {error}", path.display()), source),
            ArtifactError::Copy(source) => return Self::unwritten(format!("{} {error}", path.display()), source),
            ArtifactError::Interrupted(Interrupted(signal)) => Status::Interrupted(*signal),
            ArtifactError::NotArtifact(_)
            | ArtifactError::Damaged(_)
            | ArtifactError::Refused(_)
            | ArtifactError::Unknown(_) => Status::Damaged,
        };
        Self::new(status, format!("{} {error}", path.display()))
    }
}

impl From<HomeError> for Failure {
    fn from(refused: HomeError) -> Self {
        Self::new(Status::NotWritable, refused.to_string()).hint(refused.hint())
    }
}

impl From<Interrupted> for Failure {
    fn from(interrupted: Interrupted) -> Self {
        Self::new(Status::Interrupted(interrupted.0), interrupted.to_string())
    }
}

impl From<TooLong> for Failure {
    fn from(error: TooLong) -> Self {
        Self::new(Status::Usage, error.to_string())
    }
}

/// Whether the system had no room for one more process, thread, file or page: then the program to run is not at fault.
fn is_shortage(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE].contains(&code))
}

/// How to get an engine on this platform, where `installed` is the newest that is installed and not in use.
fn how_to_get_one(installed: Option<Version>) -> String {
    let name_it = "or name one with --smolvm PATH or in $SMOLVM";
    if let Some(newest) = installed {
        return format!("use an installed one with `bottle-freeze engine use {newest}`, {name_it}");
    }
    let from_pypi = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64" | "aarch64") | ("macos", "aarch64") => "`bottle-freeze engine install` gets one from PyPI, ",
        _ => "PyPI has none for this platform, ",
    };
    format!("{from_pypi}https://github.com/smol-machines/smolvm has it too, {name_it}")
}

/// What to do about a VM that is missing. A rollback that was killed may have just removed it.
fn hint_at_missing(vm: &str, nearest: Option<&str>) -> String {
    let is_last = |tag: &Tag| catalog::find(vm).is_ok_and(|newest| newest.metadata.tags.contains(tag));
    if let Some(tag) = undo::newest(vm).ok().flatten().filter(is_last) {
        let kept = format!("{vm}@{}", tag.as_str());
        return format!("its last rollback replaced {kept}: `bottle-freeze rollback {vm} --undo` brings that back");
    }
    let hint = "list the VMs with `bottle-freeze ls`";
    nearest.map_or_else(|| hint.to_owned(), |nearest| format!("did you mean {nearest}? {hint}"))
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let what = error.to_string();
        let failure = |status| Self::new(status, what.clone());
        match &error {
            EngineError::Missing { installed, .. } => failure(Status::BadEngine).hint(how_to_get_one(*installed)),
            EngineError::NotRunnable { source, .. } | EngineError::NoTemporaryFile { source, .. }
                if is_shortage(source) =>
            {
                failure(Status::Failed).hint("see the limits on processes and on open files: `ulimit -u`, `ulimit -n`")
            }
            EngineError::NotRunnable { .. } => failure(Status::BadEngine),
            EngineError::NoTemporaryFile { source, .. } => {
                Self::unwritten(what.clone(), source).or_hint("name another folder in $TMPDIR")
            }
            EngineError::NotSmolvm { .. } => {
                failure(Status::BadEngine).hint("name the right one with --smolvm PATH or in $SMOLVM")
            }
            EngineError::TooOld { .. } | EngineError::Outdated(_) => failure(Status::BadEngine).hint("update smolvm"),
            EngineError::NoSuchVm(missing) => {
                failure(Status::NotFound).hint(hint_at_missing(&missing.name, missing.nearest.as_deref()))
            }
            EngineError::NameTaken(_) => failure(Status::NameTaken)
                .hint("choose another name, or replace it with `bottle-freeze thaw --replace`, which freezes it first"),
            EngineError::Interrupted(interrupted) => (*interrupted).into(),
            EngineError::LeftPerhaps { name, interrupted } => failure(Status::Interrupted(interrupted.0))
                .state(format!("there may be a VM '{name}', made by this command or by another: it was not deleted"))
                .hint(format!("if you do not need it: bottle-freeze rm {name}")),
            EngineError::Exposes { .. } => failure(Status::BadEngine).hint(format!(
                "give it to one command with `exec -e` (smolvm {} or later), or choose another name for the variable",
                Fact::SecretEnv.since()
            )),
            EngineError::Failed { reason: Reason::NoSpace, .. } => failure(Status::NotWritable).hint(FREE_SPACE),
            EngineError::Failed { reason: Reason::FileTooLarge, .. } => failure(Status::NotWritable).hint(RAISE_LIMIT),
            EngineError::NotKept { source, .. } => Self::unwritten(what.clone(), source),
            EngineError::Failed { reason: Reason::Paused, .. } => {
                failure(Status::BadState).hint("it is paused: `bottle-freeze resume` wakes it")
            }
            EngineError::Failed { reason: Reason::Unsupported | Reason::WrongState, .. } => failure(Status::BadState),
            EngineError::NotReady { name, .. } => {
                failure(Status::Failed).hint(format!("it may need more time: `bottle-freeze exec {name} -- true`"))
            }
            _ => failure(Status::Failed),
        }
    }
}
