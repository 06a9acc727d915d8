//! Finds the SNAPSHOT of a command line: a file, or a snapshot in the library.

mod failure;

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::files::{self, Stamp};
use crate::library::store::{self, Index, Seen};
use crate::library::{Broken, Entry, FindError, KEY, Lock, Metadata, Staging, Stored, catalog, layout};
use crate::operations::several::once;
use crate::operations::{lock, meant, packed, verify};
use crate::signals::ExitNote;
use crate::smolvm::Name;
use crate::smolvm::artifact::Artifact;
use failure::{no_key, not_found};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A SNAPSHOT that was found. Only [`SnapshotSource::check`] gives the path of its artifact.
pub struct SnapshotSource {
    which: Which,
    /// Prevents its removal while its files are read.
    _held: Option<Lock>,
}

enum Which {
    /// A file.
    File(PathBuf),
    /// A snapshot in the library.
    Stored(Box<Stored>),
}

impl SnapshotSource {
    /// A snapshot in the library. No other run can remove it until this is dropped.
    ///
    /// # Errors
    /// There is none with that name.
    pub fn of_library(app: &App, reference: &str) -> Result<Self> {
        Self::held(app, readable(reference)?)
    }

    /// A copy of a snapshot in a private folder of this run.
    pub fn of_private(one: Stored) -> Self {
        Self { which: Which::Stored(Box::new(one)), _held: None }
    }

    fn held(app: &App, one: Stored) -> Result<Self> {
        Ok(Self { _held: lock::reading(app, &one)?, which: Which::Stored(Box::new(one)) })
    }

    /// A file, which may be inside the library.
    fn of_file(path: &OsStr) -> Self {
        Self { which: Which::File(path.into()), _held: catalog::hold_file(Path::new(path)) }
    }

    /// Its file, or its folder in the library.
    pub fn path(&self) -> &Path {
        match &self.which {
            Which::File(path) => path,
            Which::Stored(stored) => &stored.folder,
        }
    }

    /// The snapshot, if it is in the library.
    pub fn stored(&self) -> Option<&Stored> {
        match &self.which {
            Which::File(_) => None,
            Which::Stored(stored) => Some(stored),
        }
    }

    /// Its name in messages: `VM@ID`, or the file.
    pub fn name(&self) -> String {
        match &self.which {
            Which::File(path) => path.display().to_string(),
            Which::Stored(stored) => stored.reference(),
        }
    }

    /// Checks it, and returns what was read.
    ///
    /// # Errors
    /// See [`Self::check`].
    pub fn whole(&self, app: &App) -> Result<Whole> {
        match &self.which {
            Which::File(path) => {
                let (artifact, sha256) =
                    verify::check(app, path).map_err(|failure| meant::with_hint_at_file(path, failure))?;
                Ok(Whole { artifact, path: path.clone(), sha256 })
            }
            Which::Stored(stored) => {
                let artifact = verify::snapshot(app, &stored.folder, &stored.metadata, &Seen::default())?;
                let folder = &stored.folder;
                let path = stored.metadata.artifact_file().map_or_else(|| folder.clone(), |file| folder.join(file));
                Ok(Whole { artifact, path, sha256: stored.sha256() })
            }
        }
    }

    /// Checks all its files: a file against its own checksum and the `snapshot.json` beside it, a snapshot in the library
    /// against its metadata. Commands call this before they pass an artifact to the engine.
    ///
    /// # Errors
    /// It is missing or damaged, or no engine can make a VM from it.
    pub fn check(self, app: &App) -> Result<Checked> {
        let in_chunks = self.stored().and_then(|one| one.metadata.artifact.as_ref());
        let (text, total) = (format!("checking {}", self.name()), in_chunks.map_or(0, |artifact| artifact.bytes));
        app.terminal.counted("check", &text, || total, |on_bytes| self.checked(app, on_bytes))
    }

    fn checked(self, app: &App, on_bytes: &dyn Fn(u64)) -> Result<Checked> {
        let in_chunks = self.stored().filter(|one| one.metadata.is_in_chunks());
        if let Some(index) = in_chunks.map(|one| verify::index(&one.folder, &one.metadata)).transpose()?.flatten() {
            return self.put_together(app, &index, on_bytes);
        }
        let was = if let Which::File(path) = &self.which { stamp(path) } else { None };
        let Whole { artifact, path, .. } = self.whole(app)?;
        let path = std::path::absolute(&path).map_err(|error| Failure::artifact(&path, &error.into()))?;
        Ok(Checked { found: self, path, artifact, put_together: None, was })
    }

    /// Writes the artifact whose chunks are in the library into a private folder, and checks them meanwhile.
    fn put_together(self, app: &App, index: &Index, on_bytes: &dyn Fn(u64)) -> Result<Checked> {
        let (artifact, folder) = (index.artifact()?, self.path());
        let private = packed::place(&format!("its artifact of {} bytes", artifact.bytes), artifact.bytes)?;
        let path = private.sidecar();
        let note = packed::leaves(app, &private);
        store::put_together(folder, index, &path, &app.signals, on_bytes)?;
        let put_together = Some(PutTogether { _note: note, _private: private });
        Ok(Checked { path, artifact, put_together, found: self, was: None })
    }
}

/// The result of a check.
pub struct Whole {
    /// The content of its artifact.
    pub artifact: Artifact,
    /// The path of its artifact.
    pub path: PathBuf,
    /// The SHA-256 of its artifact, if a snapshot.json has it.
    pub sha256: Option<String>,
}

/// A snapshot that passed the check. Only this gives the path of its artifact.
pub struct Checked {
    found: SnapshotSource,
    path: PathBuf,
    /// The content of its artifact.
    pub artifact: Artifact,
    /// If the artifact was put together from chunks.
    put_together: Option<PutTogether>,
    /// If it is a file: what that was when the check began.
    was: Option<Stamp>,
}

/// An artifact in a private folder, until this is dropped.
struct PutTogether {
    _note: ExitNote,
    _private: Staging,
}

/// What the file at this path is.
fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|meta| files::stamp(&meta))
}

impl Checked {
    /// The absolute path of its artifact, until this is dropped.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of its artifact, if that is a lasting file.
    pub fn file(&self) -> Option<&Path> {
        self.put_together.is_none().then_some(&self.path)
    }

    /// Checks that a file is still the one that was checked: a question may have been open since.
    ///
    /// # Errors
    /// Another program changed or replaced it.
    pub fn check_same(&self) -> Result<()> {
        if self.was.is_none() || self.was == stamp(&self.path) {
            return Ok(());
        }
        let what = format!("{} was changed or replaced after it was checked", self.name());
        Err(Failure::new(Status::Failed, what).hint("try again"))
    }

    /// What goes with its artifact to another machine, if it is in the library.
    ///
    /// # Errors
    /// The artifact cannot be read.
    pub fn metadata(&self) -> Result<Option<Metadata>> {
        let Some(stored) = self.stored() else { return Ok(None) };
        let metadata = &stored.metadata;
        // Only now, because few commands need it.
        let hash = self.put_together.as_ref().map(|_| packed::hash(&self.path)).transpose()?;
        Ok(Some(hash.map_or_else(|| metadata.clone(), |hash| metadata.with_artifact(hash))))
    }

    /// The snapshot, if it is in the library.
    pub fn stored(&self) -> Option<&Stored> {
        self.found.stored()
    }

    /// Its name in messages: `VM@ID`, or the file.
    pub fn name(&self) -> String {
        self.found.name()
    }
}

/// Whether `text` names a file: it contains `/`, or ends like an artifact. Anything else is a name in the library.
fn is_path(text: &OsStr) -> bool {
    let text = text.as_bytes();
    text.contains(&b'/') || layout::SUFFIXES.iter().any(|suffix| text.ends_with(suffix.as_bytes()))
}

/// Finds the snapshot that `text` names.
pub fn find(app: &App, text: &OsStr) -> Result<SnapshotSource> {
    if is_path(text) {
        meant::check_file(Path::new(text))?;
        return Ok(SnapshotSource::of_file(text));
    }
    SnapshotSource::of_library(app, &text.to_string_lossy()).map_err(|failure| {
        let is_other = failure.status == Status::NotFound && meant::import(text).is_none();
        match meant::similar_file(text).filter(|_| is_other) {
            Some(file) => failure.hint(format!("to name the file, write {file}")),
            None => failure,
        }
    })
}

/// Finds the newest snapshot that was frozen here with this key, of one VM or, if `vm` is empty, of any. The label of a
/// snapshot from elsewhere says nothing.
///
/// # Errors
/// There is none, or a damaged one may be newer.
pub fn with_key(app: &App, vm: &str, key: &str) -> Result<SnapshotSource> {
    let vm = Some(vm).filter(|vm| !vm.is_empty());
    if let Some(Err(why)) = vm.map(str::parse::<Name>) {
        let what = format!("beside --key, a snapshot is named by its VM alone: {why}");
        return Err(Failure::new(Status::Usage, what).hint("leave --key out, or name the VM"));
    }
    let (all, broken) = catalog::list(vm)?;
    let has_key = |one: &Stored| one.metadata.labels.get(KEY).is_some_and(|value| value == key);
    let (own, foreign): (Vec<Stored>, Vec<Stored>) =
        all.into_iter().filter(has_key).partition(|one| one.metadata.is_own());
    match catalog::newest(own, broken)? {
        Some(Entry::Whole(newest)) => SnapshotSource::held(app, *newest),
        _ => Err(no_key(vm, key, foreign.last())),
    }
}

/// One of several snapshots on a command line: its name, and what was found.
pub struct Asked<T> {
    name: OsString,
    found: Result<T>,
}

impl<T> Asked<T> {
    /// The snapshot.
    ///
    /// # Errors
    /// It was not found.
    pub fn get(&self) -> Result<&T> {
        self.found.as_ref().map_err(Failure::clone)
    }
}

impl From<Stored> for Asked<Stored> {
    fn from(one: Stored) -> Self {
        Self { name: one.reference().into(), found: Ok(one) }
    }
}

impl From<Broken> for Asked<Stored> {
    fn from(one: Broken) -> Self {
        Self { name: one.reference().into(), found: Err(FindError::Broken(one).into()) }
    }
}

impl From<Entry> for Asked<Entry> {
    fn from(one: Entry) -> Self {
        Self { name: one.reference().into(), found: Ok(one) }
    }
}

impl<T> AsRef<OsStr> for Asked<T> {
    fn as_ref(&self) -> &OsStr {
        &self.name
    }
}

impl<T> fmt::Display for Asked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name.to_string_lossy())
    }
}

/// Finds several snapshots in the library: each one once, even if two references name it.
pub fn several<T>(
    references: &[String],
    find: impl Fn(&str) -> Result<T>,
    name: impl Fn(&T) -> String,
) -> Vec<Asked<T>> {
    let ask = |reference: &String| {
        let found = find(reference);
        Asked { name: found.as_ref().map_or_else(|_| reference.clone(), &name).into(), found }
    };
    once(references.iter().map(ask), |asked| asked.name.clone())
}

/// The same for snapshots that may also be files.
pub fn several_of_any_kind(app: &App, texts: &[OsString]) -> Vec<Asked<SnapshotSource>> {
    let ask = |text: &OsString| {
        let found = find(app, text);
        let stored = found.as_ref().ok().and_then(SnapshotSource::stored).map(Stored::reference);
        Asked { name: stored.map_or_else(|| text.clone(), OsString::from), found }
    };
    once(texts.iter().map(ask), |asked| {
        // A name that was not found is not the file with that name.
        let path = asked.found.as_ref().ok().map(SnapshotSource::path);
        let path = path.map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
        path.ok_or_else(|| asked.name.clone())
    })
}

/// Finds a snapshot of a VM, to replace that VM by it: nothing but this VM's snapshots is meant.
pub fn of_its_vm(app: &App, reference: &str) -> Result<SnapshotSource> {
    SnapshotSource::held(app, stored(reference)?)
}

/// Finds a snapshot in the library, to read it: an id or a tag alone is enough.
pub fn readable(reference: &str) -> Result<Stored> {
    catalog::find_of_any_vm(reference).map_err(|error| {
        let failure = not_found(reference, error);
        let text = OsStr::new(reference);
        let import = || if is_path(text) { meant::exported(Path::new(text)) } else { None };
        match import().or_else(|| meant::import(text)).filter(|_| failure.status == Status::NotFound) {
            Some(import) => failure.hint(format!("an exported snapshot is imported first: {import}")),
            None => failure,
        }
    })
}

/// Finds a snapshot in the library.
pub fn stored(reference: &str) -> Result<Stored> {
    catalog::find(reference).map_err(|error| not_found(reference, error))
}

/// Finds a snapshot in the library, or a damaged one by its id.
pub fn entry(reference: &str) -> Result<Entry> {
    catalog::find_entry(reference).map_err(|error| not_found(reference, error))
}
