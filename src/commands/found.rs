//! SNAPSHOT on a command line: a file, or one of the library.

use super::{Failure, Result, Status, verify};
use crate::nearest::nearest;
use crate::smolvm::Name;
use crate::smolvm::artifact::Artifact;
use crate::snapshot::{Entry, FindError, RemoveError, Stored, Tag, library};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What a SNAPSHOT names. Its artifact is out of reach until it is checked: see [`Found::check`].
pub struct Found(Which);

enum Which {
    /// A file, wherever it came from.
    File(PathBuf),
    /// A snapshot of the library.
    Stored(Box<Stored>),
}

impl Found {
    /// A snapshot of the library.
    pub fn of_library(stored: Stored) -> Self {
        Self(Which::Stored(Box::new(stored)))
    }

    /// What the library holds of it, if it is one of the library.
    pub fn stored(&self) -> Option<&Stored> {
        match &self.0 {
            Which::File(_) => None,
            Which::Stored(stored) => Some(stored),
        }
    }

    /// How messages name it: `VM@ID`, or the file.
    pub fn name(&self) -> String {
        match &self.0 {
            Which::File(path) => path.display().to_string(),
            Which::Stored(stored) => stored.reference(),
        }
    }

    /// Checks that it is whole, every file of it: a file by itself and against a `snapshot.json` beside it, a snapshot
    /// of the library against its own. Every command that gives an artifact to anybody comes through here.
    ///
    /// # Errors
    /// It is missing or damaged, or no engine makes a VM from it.
    pub fn check(self) -> Result<Checked> {
        let (artifact, path) = match &self.0 {
            Which::File(path) => {
                let (artifact, _) = verify::check(path).map_err(|failure| or_its_sidecar(path, failure))?;
                (artifact, path.clone())
            }
            Which::Stored(stored) => verify::snapshot(&stored.folder, &stored.metadata)?,
        };
        let path = std::path::absolute(&path).map_err(|error| Failure::artifact(&path, &error.into()))?;
        Ok(Checked { found: self, path, artifact })
    }
}

/// A snapshot that is whole. Only this gives the path of its artifact.
pub struct Checked {
    found: Found,
    path: PathBuf,
    /// What its artifact says.
    pub artifact: Artifact,
}

impl Checked {
    /// Its artifact, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the library holds of it, if it is one of the library.
    pub fn stored(&self) -> Option<&Stored> {
        self.found.stored()
    }

    /// Whether a VM made of it may have the network that the artifact opens by itself. A pack knows no limits, and a live
    /// one forgets some (1.32.2: `--block-private`), so this must be `asked` for, unless it is known that there were none.
    pub fn check_network(&self, asked: bool) -> Result<()> {
        let manifest = &self.artifact.manifest;
        let known = self.stored().is_some_and(|stored| stored.metadata.machine.network_known);
        if !manifest.network || asked || known {
            return Ok(());
        }
        let what = "it opens the network by itself, of which not every limit is known";
        let failure = Failure::new(Status::NotConfirmed, what).now("no VM was made");
        let limit = if manifest.is_live() { "" } else { ", --allow-cidr limits it" };
        Err(failure.mend(format!("--net accepts that{limit}")))
    }
}

/// The failure, with the name of the artifact that lies beside a launcher.
fn or_its_sidecar(path: &Path, failure: Failure) -> Failure {
    let mut sidecar = path.as_os_str().to_owned();
    sidecar.push(".smolmachine");
    let sidecar = PathBuf::from(sidecar);
    if sidecar.is_file() { failure.mend(format!("did you mean {}?", sidecar.display())) } else { failure }
}

/// Finds what `text` names: what looks like a path, or is a file, is one. (A tag may have dots, a VM's name has none.)
pub fn find(text: &OsStr) -> Result<Found> {
    let path = Path::new(text);
    let looks_like_path = |text: &str| text.contains('/') || (text.contains('.') && !text.contains('@'));
    match text.to_str() {
        Some(reference) if !looks_like_path(reference) && !path.is_file() => Ok(Found::of_library(stored(reference)?)),
        _ => Ok(Found(Which::File(path.to_owned()))),
    }
}

/// Finds a snapshot of the library.
pub fn stored(reference: &str) -> Result<Stored> {
    library::find(reference).map_err(|error| not_found(reference, error))
}

/// Finds a snapshot of the library, to be removed: one that is damaged too, by its id.
pub fn entry(reference: &str) -> Result<Entry> {
    library::find_entry(reference).map_err(|error| not_found(reference, error))
}

fn not_found(reference: &str, error: FindError) -> Failure {
    let meant = if matches!(error, FindError::NotFound(_)) { nearest_stored(reference) } else { None };
    let failure = Failure::from(error);
    match (meant, failure.mend.clone()) {
        (Some(meant), Some(mend)) => failure.mend(format!("did you mean {meant}? {mend}")),
        _ => failure,
    }
}

/// The snapshot that may have been meant: of a VM that is named almost so, or that has a tag almost so.
fn nearest_stored(reference: &str) -> Option<String> {
    let (all, _) = library::list(None).ok()?;
    let vms = || all.iter().map(|one| one.metadata.vm.as_str()).filter(|vm| vm.parse::<Name>().is_ok());
    let Some((vm, tag)) = reference.split_once('@') else { return nearest(reference, vms()).map(str::to_owned) };
    let vm = nearest(vm, vms())?;
    let tags = || all.iter().filter(|one| one.metadata.vm == vm).flat_map(|one| &one.metadata.tags).map(Tag::as_str);
    Some(nearest(tag, tags()).map_or_else(|| vm.to_owned(), |tag| format!("{vm}@{tag}")))
}

fn removal(reference: &str) -> String {
    format!("bottle-freeze snapshot rm {reference}")
}

impl From<RemoveError> for Failure {
    fn from(error: RemoveError) -> Self {
        let what = error.to_string();
        match error {
            RemoveError::Foreign { .. } => Self::new(Status::NotWritable, what)
                .now("it was not removed")
                .mend("move these files elsewhere, and try again"),
            RemoveError::Io { source, .. } => Self::unwritten(what, &source),
        }
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let what = error.to_string();
        match error {
            FindError::NotFound(_) => {
                Self::new(Status::NoSuchVm, what).mend("list them with `bottle-freeze snapshot ls`")
            }
            FindError::Ambiguous { .. } => Self::new(Status::Usage, what).mend("give more digits of its id"),
            FindError::Broken(broken) => {
                Self::new(Status::Damaged, what).mend(format!("remove it with `{}`", removal(&broken.reference())))
            }
            FindError::NewestBroken(broken) => {
                let reference = broken.reference();
                let vm = reference.split('@').next().unwrap_or_default();
                let others = format!("name the one you mean (`bottle-freeze snapshot ls {vm}` lists them)");
                Self::new(Status::Damaged, what).mend(format!("{others}, or remove it with `{}`", removal(&reference)))
            }
            FindError::Unreadable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
