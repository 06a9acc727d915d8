//! Engines from PyPI: one folder a version in the library, one of them in use.
//!
//! The package `smolmachines` is a Python SDK whose wheels carry the whole engine. Each folder is laid out as
//! `tests/engines/fetch` does, which was booted in real VMs. Until a folder is complete and its engine prints the right
//! version, it exists only in the private folder of its run.

mod download;
mod error;
mod index;
mod layout;
mod url;

use crate::home;
use crate::publish::{self, Existing};
use crate::signals::Signals;
use crate::smolvm::installed::{FOLDER, IN_USE, Installed, executable_in, in_use};
use crate::smolvm::{Version, locate};
use std::fs;
use std::path::{Path, PathBuf};

pub use error::InstallError;
use error::Result;

/// Downloads an engine, the newest or `wanted`, into the private folder `private`, checks it and lays it out there;
/// [`publish()`] installs it. `on_step` gets the step, several times a second.
///
/// # Errors
/// See [`InstallError`]. Then what is in `private` is of no use.
pub fn fetch(
    wanted: Option<Version>,
    private: &Path,
    signals: &Signals,
    on_step: &mut dyn FnMut(&str),
) -> Result<Version> {
    let index = download::index_url();
    let agent = download::agent(&index)?;
    let page =
        download::page(&agent, &index, &private.join("page"), signals, &mut || on_step("asking for its versions"))?;
    let wheel = index::choose(&page, wanted)?;
    let version = wheel.version;
    let file = private.join("wheel");
    download::wheel(&agent, &wheel, &file, signals, &mut || on_step(&format!("downloading smolvm {version}")))?;
    let engine = laid_out(private);
    layout::lay_out(&file, &wheel.name, &engine, signals, &mut || on_step(&format!("unpacking smolvm {version}")))?;
    match locate::ask_in(&executable_in(&engine), private, signals) {
        Ok(own) if own == version => Ok(version),
        Ok(own) => Err(InstallError::Untrusted { name: wheel.name, why: format!("its engine reports version {own}") }),
        Err(source) => Err(InstallError::DoesNotRun { version, source }),
    }
}

fn laid_out(private: &Path) -> PathBuf {
    private.join("engine")
}

/// The folder of the engines, made if it is missing.
///
/// # Errors
/// It cannot be made, or is not safe to use.
pub fn folder() -> Result<PathBuf> {
    home::folder(FOLDER).map_err(|source| InstallError::NotWritable { path: home::shown_path(FOLDER).into(), source })
}

/// Checks that a folder holds parts of an engine and nothing else.
fn only_ours(folder: &Path) -> Result<()> {
    let unreadable = |source| InstallError::NotWritable { path: folder.to_owned(), source };
    let foreign = |names| InstallError::Foreign { folder: folder.to_owned(), names };
    if !fs::symlink_metadata(folder).map_err(unreadable)?.is_dir() {
        return Err(foreign(vec!["it is not a folder".to_owned()]));
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

/// Installs the engine that was fetched into `private`, atomically. An incomplete engine in its place is replaced.
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

/// Makes an installed engine the one in use, atomically; the link is made in `private`.
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

/// Removes an engine, atomically: it moves into `private`, which is removed.
///
/// # Errors
/// The folder cannot be written, or holds other files too.
pub fn remove(engine: &Installed, private: &Path) -> Result<()> {
    only_ours(&engine.folder)?;
    let not_writable = |source| InstallError::NotWritable { path: engine.folder.clone(), source };
    publish::withdraw(&engine.folder, &private.join("removed")).map_err(not_writable)?;
    if engine.in_use {
        let _ = publish::remove(&engine.folder.with_file_name(IN_USE));
    }
    Ok(())
}
