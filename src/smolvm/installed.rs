//! The engines that `bottle-freeze engine install` put into the library: one folder a version, one of them in use.

use super::version::Version;
use crate::files;
use crate::home;
use std::fs;
use std::path::{Path, PathBuf};

/// The link in the folder of the engines that names the one in use.
pub const IN_USE: &str = "in-use";

/// The script that users and this program run, and that the tests' engines have. `readlink -f`, because the folder may be moved.
pub const WRAPPER: &str = include_str!("wrapper.sh");

/// An installed engine.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its version.
    pub version: Version,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is used when no other is named.
    pub in_use: bool,
}

impl Installed {
    /// The executable.
    pub fn executable(&self) -> PathBuf {
        executable_in(&self.folder)
    }
}

/// The executable in the folder of an engine.
pub fn executable_in(folder: &Path) -> PathBuf {
    folder.join("bin/smolvm")
}

/// The folder of the engines in the library.
pub const FOLDER: &str = "engines";

/// The installed engines, the oldest version first; none if the library is not safe to use.
pub fn installed() -> Vec<Installed> {
    let Some(folder) = home::existing(FOLDER).ok().flatten() else { return Vec::new() };
    let used = fs::read_link(folder.join(IN_USE)).unwrap_or_default();
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let version: Version = name.to_str()?.parse().ok()?;
        let folder = entry.path();
        // Links are not ours, nor are other spellings of a version (`X.Y.Z-a`).
        let is_ours = entry.metadata().is_ok_and(|meta| meta.is_dir() && files::is_own(&meta));
        let is_one = is_ours && *name == *version.to_string() && executable_in(&folder).is_file();
        is_one.then(|| Installed { version, in_use: *used == name, folder })
    };
    let mut all: Vec<_> = entries.filter_map(one).collect();
    all.sort_by_key(|one| one.version);
    all
}

/// The engine in use.
pub fn in_use() -> Option<Installed> {
    installed().into_iter().find(|one| one.in_use)
}
