//! Engines of our own: got from PyPI when that is asked for, kept one folder a version, one of them in use.
//!
//! The package `smolmachines` (wheels 1.4.0 to 1.32.2 were opened) is a Python SDK that carries the whole engine. Each
//! folder is laid out as `tests/engines/fetch` does, which was booted in real VMs. Until a folder is whole, and its engine
//! has told the version that was asked for, it is nowhere but in the private folder of its run.

mod download;
mod index;
mod layout;
mod url;

use crate::home;
use crate::publish::{self, Existing};
use crate::signals::{Interrupted, Signals};
use crate::smolvm::installed::{FOLDER, IN_USE, Installed, executable_in, in_use};
use crate::smolvm::{EngineError, Version, locate};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why no engine was installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The index has none, or not that one, for this platform.
    #[error("{0}")]
    NoSuchEngine(String),
    /// The index or the file cannot be got.
    #[error("{url} cannot be downloaded: {why}")]
    Download {
        /// Without its password.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// What was got is not what the index promised, or no engine.
    #[error("{name} is not an engine to be trusted: {why}")]
    Untrusted {
        /// The file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// It cannot be kept.
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It would be removed, and holds what bottle-freeze did not put there.
    #[error("{} holds what is not part of an engine: {}", folder.display(), names.join(", "))]
    Foreign {
        /// Its folder.
        folder: PathBuf,
        /// What it holds.
        names: Vec<String>,
    },
    /// It was laid out, and does not run here.
    #[error("smolvm {version} does not run on this machine: {source}")]
    DoesNotRun {
        /// Its version.
        version: Version,
        /// Why.
        source: EngineError,
    },
    /// A signal came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

type Result<T> = std::result::Result<T, InstallError>;

/// Gets an engine, of the newest version or of `wanted`, into `private`, a folder that is nobody else's, checks it and lays
/// it out; [`publish()`] makes it one of the installed. `tell` hears what is done, again and again while it lasts.
///
/// # Errors
/// See [`InstallError`]. Whatever there is in `private` by then is rubbish.
pub fn fetch(
    wanted: Option<Version>,
    private: &Path,
    signals: &Signals,
    tell: &mut dyn FnMut(&str),
) -> Result<Version> {
    let index = download::index_url();
    let agent = download::agent(&index)?;
    let page = download::page(&agent, &index, &private.join("page"), signals, &mut || tell("asking which there are"))?;
    let wheel = index::choose(&page, wanted)?;
    let version = wheel.version;
    let file = private.join("wheel");
    download::wheel(&agent, &wheel, &file, signals, &mut || tell(&format!("downloading smolvm {version}")))?;
    let engine = laid_out(private);
    layout::lay_out(&file, &wheel.name, &engine, signals, &mut || tell(&format!("unpacking smolvm {version}")))?;
    match locate::ask_in(&executable_in(&engine), private, signals) {
        Ok(told) if told == version => Ok(version),
        Ok(told) => Err(InstallError::Untrusted { name: wheel.name, why: format!("its engine calls itself {told}") }),
        Err(source) => Err(InstallError::DoesNotRun { version, source }),
    }
}

fn laid_out(private: &Path) -> PathBuf {
    private.join("engine")
}

/// The folder of the engines, made if it is missing.
///
/// # Errors
/// It cannot be made, or is not ours to use.
pub fn folder() -> Result<PathBuf> {
    home::folder(FOLDER).map_err(|source| InstallError::NotWritable { path: home::shown_path(FOLDER).into(), source })
}

/// Whether a folder holds parts of an engine and nothing else.
fn only_ours(folder: &Path) -> Result<()> {
    let unreadable = |source| InstallError::NotWritable { path: folder.to_owned(), source };
    let foreign = |names| InstallError::Foreign { folder: folder.to_owned(), names };
    if !fs::symlink_metadata(folder).map_err(unreadable)?.is_dir() {
        return Err(foreign(vec!["it is no folder".to_owned()]));
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !layout::is_part(&name, entry.file_type().map_err(unreadable)?) {
            names.push(name);
        }
    }
    if names.is_empty() { Ok(()) } else { Err(foreign(names)) }
}

/// Makes what was fetched into `private` one of the installed, in one instant. An engine that lies there and is not whole
/// makes room.
///
/// # Errors
/// The folder cannot be written.
pub fn publish(version: Version, private: &Path) -> Result<Installed> {
    let target = folder()?.join(version.to_string());
    let not_writable = |source| InstallError::NotWritable { path: target.clone(), source };
    if fs::symlink_metadata(&target).is_ok() {
        only_ours(&target)?;
        fs::rename(&target, private.join("replaced")).map_err(not_writable)?;
    }
    publish::publish(&laid_out(private), &target, Existing::Keep).map_err(|error| not_writable(error.into()))?;
    if in_use().is_none() {
        set_in_use(version, private)?;
    }
    let in_use = in_use().is_some_and(|one| one.version == version);
    Ok(Installed { version, folder: target, in_use })
}

/// Has an installed engine be the one in use, in one instant; the link is made in `private`.
///
/// # Errors
/// The folder cannot be written.
pub fn set_in_use(version: Version, private: &Path) -> Result<()> {
    let link = folder()?.join(IN_USE);
    let fresh = private.join(IN_USE);
    let put = std::os::unix::fs::symlink(version.to_string(), &fresh)
        .and_then(|()| Ok(publish::publish(&fresh, &link, Existing::Replace)?));
    put.map_err(|source| InstallError::NotWritable { path: link, source })
}

/// Takes an engine out of sight in one instant: into `private`, which goes.
///
/// # Errors
/// The folder cannot be written, or holds something else too.
pub fn remove(engine: &Installed, private: &Path) -> Result<()> {
    only_ours(&engine.folder)?;
    let not_writable = |source| InstallError::NotWritable { path: engine.folder.clone(), source };
    publish::withdraw(&engine.folder, &private.join("removed")).map_err(not_writable)?;
    if engine.in_use {
        let _ = publish::remove(&engine.folder.with_file_name(IN_USE));
    }
    Ok(())
}
