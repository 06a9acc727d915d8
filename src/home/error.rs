//! Why the folder cannot be used.

use super::names::MARKER;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why the folder cannot be used.
#[derive(Debug, Clone, Error)]
pub enum HomeError {
    /// Neither the variable nor the platform names a folder.
    #[error("there is no home folder")]
    Unknown,
    /// The variable names a folder relative to wherever the command runs.
    #[error("$BOTTLE_FREEZE_HOME is not an absolute path: {}", .0.display())]
    Relative(PathBuf),
    /// The path is something else.
    #[error("{} is not a folder", .0.display())]
    NotFolder(PathBuf),
    /// The folder holds files that bottle-freeze did not write, first of all this one.
    #[error("{} is not a bottle-freeze library: it has no {MARKER}, and it holds {}", root.display(), relative(root, path))]
    Foreign { root: PathBuf, path: PathBuf },
    /// Another user owns the folder, or the folder in which it would be created.
    #[error("{} belongs to another user (uid {uid})", path.display())]
    OtherUser { path: PathBuf, uid: u32 },
    /// A later version created the library.
    #[error("{} is a library of format {format}, which this version does not know", root.display())]
    Newer { root: PathBuf, format: u32 },
    /// A folder inside the library is a link.
    #[error("{} is a symbolic link; links inside the library are not followed", .0.display())]
    Link(PathBuf),
    /// The folder is a link to nothing.
    #[error("{} is a symbolic link that leads to no folder", .0.display())]
    DeadLink(PathBuf),
    /// The marker is another user's file, or damaged.
    #[error("{} is not a bottle-freeze library: its {MARKER} is not valid", .0.display())]
    InvalidMarker(PathBuf),
    /// The system refuses to read the folder.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
}

impl HomeError {
    /// How to fix it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::DeadLink(_) => "create the folder that the link leads to, or remove the link",
            Self::Foreign { .. } | Self::InvalidMarker(_) => {
                "name a new or empty folder with --home or $BOTTLE_FREEZE_HOME, or move the other files elsewhere"
            }
            Self::OtherUser { .. } => {
                "run bottle-freeze as that user, or name a folder of your own with --home or $BOTTLE_FREEZE_HOME"
            }
            Self::Relative(_) => "set it to an absolute path",
            Self::Newer { .. } => "update bottle-freeze",
            Self::Link(_) => {
                "move the whole library to where the link points, and name that folder with --home or $BOTTLE_FREEZE_HOME"
            }
            Self::Unknown | Self::NotFolder(_) | Self::Unreadable { .. } => {
                "name a folder that you can write to with --home or $BOTTLE_FREEZE_HOME"
            }
        }
    }

    /// The `HomeError` inside an I/O error, if that is its cause.
    pub fn in_error(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), why: error.to_string() }
    }
}

impl From<HomeError> for io::Error {
    fn from(error: HomeError) -> Self {
        Self::other(error)
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
