//! The checked folder, and the paths in it.

use super::error::HomeError;
use super::marker::{self, Found};
use crate::files::is_own;
use crate::publish::make_folder;
use rustix::process::geteuid;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// The folder, checked.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    found: Found,
    /// Set when the marker is written, or cannot be.
    marked: OnceLock<()>,
}

/// The folder that `--home` names.
static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

impl Home {
    /// Uses this folder, not that of the environment. Call it first, and once: later calls change nothing.
    pub fn choose(folder: PathBuf) {
        let _ = CHOSEN.set(folder);
    }

    /// Checks the folder, once per process. Writes nothing.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open() -> Result<&'static Self, HomeError> {
        static HOME: OnceLock<Result<Home, HomeError>> = OnceLock::new();
        let check = || match named().filter(|path| CHOSEN.get().is_none() && path.is_relative()) {
            Some(path) => Err(HomeError::Relative(path)),
            None => Self::check(&root().ok_or(HomeError::Unknown)?),
        };
        HOME.get_or_init(check).as_ref().map_err(Clone::clone)
    }

    fn check(root: &Path) -> Result<Self, HomeError> {
        let found = match fs::metadata(root) {
            Ok(meta) => {
                check_folder(root, &meta)?;
                marker::read(root)?
            }
            // A dead link: no folder can be created in its place.
            Err(_) if fs::symlink_metadata(root).is_ok_and(|meta| meta.is_symlink()) => {
                return Err(HomeError::DeadLink(root.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                check_ancestor(root)?;
                Found::Missing
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(HomeError::NotFolder(root.to_owned()));
            }
            Err(error) => return Err(HomeError::unreadable(root, &error)),
        };
        Ok(Self { root: root.to_owned(), found, marked: OnceLock::new() })
    }

    /// The path of the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes the marker, unless there is one.
    fn write_marker(&self) -> io::Result<()> {
        if self.found == Found::Marked || self.marked.get().is_some() {
            return Ok(());
        }
        make_folder(&self.root, 0o700)?;
        let written = marker::write(&self.root);
        // A library of 0.1.0 works without a marker: on a full disk you must be able to remove snapshots.
        if self.found != Found::Unmarked {
            written?;
        }
        let _ = self.marked.set(());
        Ok(())
    }
}

/// The path of the folder `name` in it, to read; nothing if it does not exist.
///
/// # Errors
/// The library cannot be used; or the folder is a link, not a folder, or belongs to another user.
pub fn existing(name: &str) -> io::Result<Option<PathBuf>> {
    let mut path = Home::open()?.root.clone();
    for part in parts(name)? {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(meta) => check_folder(&path, &meta)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(path))
}

/// The path of the folder `name`, which may not exist yet.
///
/// # Errors
/// See [`existing`].
pub fn planned(name: &str) -> io::Result<PathBuf> {
    existing(name)?;
    Ok(Home::open()?.root.join(name))
}

/// The path of the folder `name` in it, to write: created if it is missing, and closed to other users. Writes the marker
/// first.
///
/// # Errors
/// See [`existing`]; or it cannot be created.
pub fn folder(name: &str) -> io::Result<PathBuf> {
    let home = Home::open()?;
    home.write_marker()?;
    let mut path = home.root.clone();
    for part in parts(name)? {
        path.push(part);
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            make_folder(&path, 0o700)?;
        }
        let meta = fs::symlink_metadata(&path)?;
        check_folder(&path, &meta)?;
        if meta.mode() & 0o077 != 0 {
            // The permissions of its owner stay: a library may be read-only on purpose.
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(meta.mode() & 0o700));
        }
    }
    Ok(path)
}

/// The path of the folder `name` for messages, unchecked.
pub fn shown_path(name: &str) -> String {
    root().unwrap_or_default().join(name).display().to_string()
}

/// The folder that `--home` names, if it does.
pub fn chosen() -> Option<PathBuf> {
    std::path::absolute(CHOSEN.get()?).ok()
}

/// The folder that the environment names, if it does.
fn named() -> Option<PathBuf> {
    std::env::var_os("BOTTLE_FREEZE_HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

fn root() -> Option<PathBuf> {
    let default = || Some(dirs::data_dir()?.join("bottle-freeze"));
    let root = CHOSEN.get().cloned().or_else(named).or_else(default)?;
    std::path::absolute(root).ok()
}

/// The path of the library without links, if it exists and can be used.
pub fn canonical_root() -> Option<PathBuf> {
    fs::canonicalize(Home::open().ok()?.root()).ok()
}

/// The cache folder, which may not exist yet; nothing if it is a link or belongs to another user.
pub fn cache_folder() -> Option<PathBuf> {
    own_folder(&dirs::cache_dir()?)
}

/// The folder for what is kept but is not in the library, the same way.
pub fn state_folder() -> Option<PathBuf> {
    own_folder(&dirs::state_dir().or_else(dirs::preference_dir)?)
}

fn own_folder(parent: &Path) -> Option<PathBuf> {
    let folder = parent.join("bottle-freeze");
    let is_usable = match fs::symlink_metadata(&folder) {
        Ok(meta) => check_folder(&folder, &meta).is_ok(),
        Err(_) => check_ancestor(&folder).is_ok(),
    };
    is_usable.then_some(folder)
}

/// The parts of a relative path without `..`.
fn parts(name: &str) -> io::Result<impl Iterator<Item = &Path>> {
    let path = Path::new(name);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path.iter().map(Path::new));
    }
    Err(io::ErrorKind::InvalidInput.into())
}

fn check_folder(path: &Path, meta: &fs::Metadata) -> Result<(), HomeError> {
    if meta.file_type().is_symlink() {
        return Err(HomeError::Link(path.to_owned()));
    }
    if !meta.is_dir() {
        return Err(HomeError::NotFolder(path.to_owned()));
    }
    if !is_own(meta) {
        return Err(HomeError::OtherUser { path: path.to_owned(), uid: meta.uid() });
    }
    Ok(())
}

/// Root can write everywhere, but creates no folder inside the folder of another user, who could not use it.
fn check_ancestor(root: &Path) -> Result<(), HomeError> {
    let Some((path, meta)) = root.ancestors().skip(1).find_map(|path| Some((path, fs::metadata(path).ok()?))) else {
        return Ok(());
    };
    if geteuid().is_root() && meta.uid() != 0 {
        return Err(HomeError::OtherUser { path: path.to_owned(), uid: meta.uid() });
    }
    Ok(())
}
