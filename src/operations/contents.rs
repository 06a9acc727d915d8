//! Opens the files in a snapshot, without an engine.

use crate::app::App;
use crate::contents::{Contents, ContentsError, Item};
use crate::error::{Failure, Result, Status};
use crate::ext4::Kind;
use crate::library::store::Kept;
use crate::library::{Staging, Stored};
use crate::operations::resolve::SnapshotSource;
use crate::operations::{packed, verify};
use crate::quoted::quoted;
use crate::signals::ExitNote;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The most letters of the target of a link in a message.
const LONGEST: usize = 100;

/// The files in a snapshot, until this is dropped.
pub struct Opened {
    /// The files.
    pub contents: Contents,
    /// Prevents the removal of the snapshot.
    source: SnapshotSource,
    /// Where an artifact was decompressed, that is one file.
    _private: Option<(ExitNote, Staging)>,
}

/// Splits SNAPSHOT:PATH at the first `:` that is before a slash, or else at the first one.
pub fn split(text: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let bytes = text.as_bytes();
    let before_slash = bytes.windows(2).position(|pair| pair == b":/");
    let at = before_slash.or_else(|| bytes.iter().position(|byte| *byte == b':'))?;
    let (snapshot, path) = (bytes.get(..at)?, bytes.get(at.saturating_add(1)..)?);
    (!snapshot.is_empty()).then(|| (OsStr::from_bytes(snapshot), OsStr::from_bytes(path)))
}

/// Opens the files in a snapshot. Objects that are read are `kept`.
///
/// # Errors
/// It is damaged, or holds no files that are known here.
pub fn open(app: &App, source: SnapshotSource, kept: &Kept) -> Result<Opened> {
    let (name, path) = (source.name(), source.path().to_owned());
    let (contents, private) = read(app, &name, source.stored(), &path, kept)?;
    Ok(Opened { contents: contents.map_err(|error| failure(&name, error))?, source, _private: private })
}

/// Opens the files of the image that the VM was made from; of a bare VM, those of the engine's small system.
///
/// # Errors
/// See [`open`]; the snapshot does not have them.
pub fn open_image(app: &App, source: SnapshotSource, kept: &Kept) -> Result<Opened> {
    let name = source.name();
    let missing = |what: String, hint: &str| Failure::new(Status::NotFound, what).hint(hint);
    let in_chunks = source.stored().filter(|one| one.metadata.is_in_chunks());
    let one = in_chunks.ok_or_else(|| {
        let thaw = format!("make a VM of it, and freeze that: `bottle-freeze thaw {} VM`", quoted(&name));
        missing(format!("the image of {name} can be read only in the library, and in chunks"), &thaw)
    })?;
    let index = verify::index(&one.folder, &one.metadata)?;
    let image = index.map(|index| Contents::of_image(&one.folder, &index, kept, &app.signals)).transpose();
    let contents = image.map_err(|error| failure(&name, error))?.flatten().ok_or_else(|| {
        let hint = "freeze the VM again: a freeze that reads its disk (`freeze --dry-run -v`) keeps the image, too";
        missing(format!("{name} does not hold the image that the VM was made from"), hint)
    })?;
    Ok(Opened { contents, source, _private: None })
}

/// The files in a snapshot that is held already: its folder in the library, or the path of its artifact. The files can be read
/// while the rest is kept.
///
/// # Errors
/// There is no place to read it.
pub fn read(app: &App, name: &str, stored: Option<&Stored>, path: &Path, kept: &Kept) -> Result<Read> {
    let in_chunks = stored.filter(|one| one.metadata.is_in_chunks());
    let index = in_chunks.map(|one| verify::index(&one.folder, &one.metadata)).transpose()?.flatten();
    let workspace = stored.and_then(Stored::workspace);
    if let (Some(index), Some(one)) = (index, stored) {
        return Ok((Contents::of_chunks(&one.folder, &index, workspace.as_deref(), kept, &app.signals), None));
    }
    let path = match stored {
        Some(one) => one.folder.join(one.metadata.artifact_file().unwrap_or_default()),
        None => path.to_owned(),
    };
    let bytes = fs::metadata(&path).map_or(0, |meta| meta.len());
    let private = Staging::for_artifact(bytes)
        .map_err(|error| Failure::unwritten(format!("there is no place to decompress {name}: {error}"), &error))?;
    let note = packed::leaves(app, &private);
    let contents = app.terminal.during("read", &format!("reading {name}"), || {
        Contents::of_artifact(&path, workspace.as_deref(), private.path(), &app.signals)
    });
    Ok((contents, Some((note, private))))
}

/// The files in a snapshot, or why they cannot be read; and where they were decompressed.
pub type Read = (std::result::Result<Contents, ContentsError>, Option<(ExitNote, Staging)>);

impl Opened {
    /// Finds the file with this path, through symbolic links; the last one is followed only if `follows`. Also returns its
    /// path without links.
    ///
    /// # Errors
    /// There is none, or a folder on the way is damaged.
    pub fn find(&self, path: &[u8], follows: bool) -> Result<(Vec<u8>, Item)> {
        let name = self.source.name();
        let failed = |error: ContentsError| failure(&name, error.of_file(path));
        if let Some(found) = self.contents.find(path, follows).map_err(failed)? {
            return Ok(found);
        }
        let shown = String::from_utf8_lossy(path);
        let what = match self.contents.find(path, false).map_err(failed)? {
            _ if follows && self.contents.is_loop(path).map_err(failed)? => {
                format!("{shown:?} in {name} leads through a loop of symbolic links, or more than 40 of them")
            }
            Some((_, link)) => {
                let target = shortened(&self.contents.link(&link).map_err(failed)?);
                format!("{shown:?} in {name} is a link to {target:?}, which is not there")
            }
            None => format!("there is no file {shown:?} in {name}"),
        };
        Err(Failure::new(Status::NotFound, what).hint(list_with(&name, &String::from_utf8_lossy(&self.nearest(path)?))))
    }

    /// The last folder on the way to a path that is there.
    fn nearest(&self, mut path: &[u8]) -> Result<Vec<u8>> {
        while let Some(slash) = path.iter().rposition(|byte| *byte == b'/') {
            path = path.get(..slash).unwrap_or_default();
            let found =
                self.contents.find(path, true).map_err(|error| failure(&self.source.name(), error.of_file(path)))?;
            if let Some((path, _)) = found.filter(|(_, item)| item.kind() == Kind::Folder) {
                return Ok(path);
            }
        }
        Ok(b"/".to_vec())
    }
}

/// Text for a message, cut if it is long.
fn shortened(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut letters = text.chars();
    let mut short: String = letters.by_ref().take(LONGEST).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short
}

/// The hint how to list what is in this folder of a snapshot.
pub fn list_with(name: &str, folder: &str) -> String {
    format!("list what is there with `bottle-freeze snapshot files {} {}`", quoted(name), quoted(folder))
}

/// Why the files in this snapshot cannot be read.
pub fn failure(name: &str, error: ContentsError) -> Failure {
    let what = format!("the files in {name} cannot be read: {error}");
    match error {
        ContentsError::File { path, error, .. } => {
            let what = format!("{:?} in {name} cannot be read: {error}", String::from_utf8_lossy(&path));
            let failure = failure(name, *error);
            if matches!(failure.status, Status::Interrupted(_)) { failure } else { Failure { what, ..failure } }
        }
        ContentsError::Damaged { .. } => Failure::new(Status::Damaged, what),
        ContentsError::Store(error) => error.into(),
        ContentsError::Artifact { path, error } => Failure::artifact(&path, &error),
        ContentsError::Io(error) => Failure::unread(what, &error),
        ContentsError::Interrupted(interrupted) => interrupted.into(),
    }
}
