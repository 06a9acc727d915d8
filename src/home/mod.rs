//! Where bottle-freeze keeps what is its own: `$BOTTLE_FREEZE_HOME`, or the platform's data folder.
//!
//! [`Home`] is the only way to a path in there, and to open it is to check it: the folder belongs to this user, and its
//! marker says that it is a library of a format that this version knows. Without a marker it must be empty, or hold what
//! 0.1.0 wrote and nothing else. No link inside is followed.

mod files;
mod legacy;
mod marker;

pub use files::{bytes_in, is_own, is_private, is_still, lock, open, open_existing, open_own};
pub use legacy::{TEMPORARY, is_engine_part, is_introduction, is_work_entry};

use crate::publish::make_folder;
use rustix::process::geteuid;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use thiserror::Error;

/// Why the folder is not used.
#[derive(Debug, Clone, Error)]
pub enum HomeError {
    /// Neither the variable nor the platform names a folder.
    #[error("there is no home folder")]
    Unknown,
    /// Something else is there.
    #[error("{} is not a folder", .0.display())]
    NotFolder(PathBuf),
    /// It holds what bottle-freeze did not write.
    #[error("{} is not a bottle-freeze library: it has no {}, and it holds {}", root.display(), marker::FILE, shown(root, path))]
    Foreign {
        /// The folder.
        root: PathBuf,
        /// The first thing in it that is not ours.
        path: PathBuf,
    },
    /// Another user owns it, or the folder in which it would be made.
    #[error("{} belongs to another user (uid {uid})", path.display())]
    OtherUser {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A later version made it.
    #[error("{} is a library of format {format}, which this version does not know", root.display())]
    Newer {
        /// The folder.
        root: PathBuf,
        /// The format that its marker names.
        format: u32,
    },
    /// A folder in it is a link.
    #[error("{} is a symbolic link, and no link inside the library is followed", .0.display())]
    Link(PathBuf),
    /// It is a link, and where it leads there is no folder.
    #[error("{} is a symbolic link that leads to no folder", .0.display())]
    DeadLink(PathBuf),
    /// The marker is another user's file, or damaged.
    #[error("{} is not a bottle-freeze library: its {} is not that of one", .0.display(), marker::FILE)]
    Mismarked(PathBuf),
    /// The system refuses to say.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl HomeError {
    /// How to fix it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::DeadLink(_) => "make the folder that it leads to, or remove the link",
            Self::Foreign { .. } | Self::Mismarked(_) => {
                "name a new or empty folder in $BOTTLE_FREEZE_HOME, or move what is not a library elsewhere"
            }
            Self::OtherUser { .. } => {
                "run bottle-freeze as that user, or name a folder of your own in $BOTTLE_FREEZE_HOME"
            }
            Self::Newer { .. } => "update bottle-freeze",
            Self::Link(_) => {
                "move the whole library to where the link points, and name that folder in $BOTTLE_FREEZE_HOME"
            }
            Self::Unknown | Self::NotFolder(_) | Self::Unreadable { .. } => {
                "export BOTTLE_FREEZE_HOME=FOLDER, one that can be written"
            }
        }
    }

    /// The cause of a failed access, if the check of the folder is what failed.
    pub fn in_error(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), why: error.to_string() }
    }
}

impl From<HomeError> for io::Error {
    fn from(error: HomeError) -> Self {
        Self::other(error)
    }
}

/// The folder, after it was checked.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    found: Found,
    /// Set once the marker is there, or cannot be.
    claimed: OnceLock<()>,
}

/// What was in the folder when it was checked.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Missing,
    Empty,
    /// What 0.1.0 wrote, which had no marker.
    Unmarked,
    Marked,
}

impl Home {
    /// Checks the folder, once in a process. Nothing is written.
    ///
    /// # Errors
    /// It is not ours to use.
    pub fn open() -> Result<&'static Self, HomeError> {
        static HOME: OnceLock<Result<Home, HomeError>> = OnceLock::new();
        HOME.get_or_init(|| Self::look(&root().ok_or(HomeError::Unknown)?)).as_ref().map_err(Clone::clone)
    }

    fn look(root: &Path) -> Result<Self, HomeError> {
        let found = match fs::metadata(root) {
            Ok(meta) => {
                check_folder(root, &meta)?;
                marker::look(root)?
            }
            // A link to nothing is something: no folder can be made in its place.
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
        Ok(Self { root: root.to_owned(), found, claimed: OnceLock::new() })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder `name` in it, to be read; nothing if there is none.
    ///
    /// # Errors
    /// It is a link, not a folder, or another user's.
    pub fn existing(&self, name: &str) -> io::Result<Option<PathBuf>> {
        let mut path = self.root.clone();
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

    /// Where the folder `name` is, or will be when it is made.
    ///
    /// # Errors
    /// See [`Self::existing`].
    pub fn planned(&self, name: &str) -> io::Result<PathBuf> {
        self.existing(name).map(|_| self.root.join(name))
    }

    /// The folder `name` in it, to be written, and made if it is missing. Only this user can look into it. The library
    /// gets its marker first.
    ///
    /// # Errors
    /// It cannot be made; or it is a link, not a folder, or another user's.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        self.claim()?;
        let mut path = self.root.clone();
        for part in parts(name)? {
            path.push(part);
            if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                make_folder(&path, 0o700)?;
            }
            let meta = fs::symlink_metadata(&path)?;
            check_folder(&path, &meta)?;
            if meta.mode() & 0o077 != 0 {
                // What its user may do there stays as it is: a library may have been made read-only on purpose.
                let _ = fs::set_permissions(&path, fs::Permissions::from_mode(meta.mode() & 0o700));
            }
        }
        Ok(path)
    }

    /// Writes the marker, if there is none.
    fn claim(&self) -> io::Result<()> {
        if self.found == Found::Marked || self.claimed.get().is_some() {
            return Ok(());
        }
        make_folder(&self.root, 0o700)?;
        let marked = marker::write(&self.root);
        // A library of 0.1.0 can be used where nothing can be written: on a full disk snapshots must be removable.
        if self.found != Found::Unmarked {
            marked?;
        }
        let _ = self.claimed.set(());
        Ok(())
    }
}

/// The folder `name`, to be read: see [`Home::existing`].
///
/// # Errors
/// The library is not ours to use, or that folder is not.
pub fn existing(name: &str) -> io::Result<Option<PathBuf>> {
    Home::open()?.existing(name)
}

/// Where the folder `name` is or will be: see [`Home::planned`].
///
/// # Errors
/// The library is not ours to use, or that folder is not.
pub fn planned(name: &str) -> io::Result<PathBuf> {
    Home::open()?.planned(name)
}

/// The folder `name`, to be written: see [`Home::folder`].
///
/// # Errors
/// The library is not ours to use, or that folder is not.
pub fn folder(name: &str) -> io::Result<PathBuf> {
    Home::open()?.folder(name)
}

/// Where the folder `name` is or would be, for messages: nothing is checked.
pub fn shown_path(name: &str) -> String {
    root().unwrap_or_default().join(name).display().to_string()
}

fn root() -> Option<PathBuf> {
    let named = std::env::var_os("BOTTLE_FREEZE_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let root = named.or_else(|| Some(dirs::data_dir()?.join("bottle-freeze")))?;
    std::path::absolute(root).ok()
}

/// The folder for what may be forgotten, which may not be there yet; nothing, if it is another user's, or a link.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = dirs::cache_dir()?.join("bottle-freeze");
    let is_usable = match fs::symlink_metadata(&folder) {
        Ok(meta) => check_folder(&folder, &meta).is_ok(),
        Err(_) => check_ancestor(&folder).is_ok(),
    };
    is_usable.then_some(folder)
}

/// The parts of a relative path that leads nowhere else.
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

/// Root may write everywhere: it makes no folder in that of another user, who could not use it.
fn check_ancestor(root: &Path) -> Result<(), HomeError> {
    let Some((path, meta)) = root.ancestors().skip(1).find_map(|path| Some((path, fs::metadata(path).ok()?))) else {
        return Ok(());
    };
    if geteuid().is_root() && meta.uid() != 0 {
        return Err(HomeError::OtherUser { path: path.to_owned(), uid: meta.uid() });
    }
    Ok(())
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
