//! The engines that `bottle-freeze engine install` has put into the library: one folder a version, one of them in use.

use super::version::Version;
use crate::files;
use crate::home;
use std::fs;
use std::path::{Path, PathBuf};

/// The link in the folder of the engines that names the one in use.
pub const IN_USE: &str = "in-use";

/// Run by users and by this program. `readlink -f`: the folder may be moved.
pub const WRAPPER: &str = r#"#!/bin/sh
self=$(readlink -f "$0")
engine=${self%/bin/smolvm}
# Run by root, the engine gives each VMM a uid of its own, which often cannot open /dev/kvm.
if [ "$(id -u)" = 0 ]; then export SMOLVM_VM_UID_DROP="${SMOLVM_VM_UID_DROP-off}"; fi
export SMOLVM_LIB_DIR="$engine" SMOLVM_AGENT_ROOTFS="$engine/agent-rootfs"
exec "$engine/smolvm" "$@"
"#;

/// An engine that was installed here.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its version.
    pub version: Version,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is used where no other is named.
    pub in_use: bool,
}

impl Installed {
    /// What to run.
    pub fn executable(&self) -> PathBuf {
        executable_in(&self.folder)
    }
}

/// The program in the folder of an engine.
pub fn executable_in(folder: &Path) -> PathBuf {
    folder.join("bin/smolvm")
}

/// Where the engines are, in the library.
pub const FOLDER: &str = "engines";

/// Those that are installed, the oldest version first; none where the library is not ours to use.
pub fn installed() -> Vec<Installed> {
    let Some(folder) = home::existing(FOLDER).ok().flatten() else { return Vec::new() };
    let used = fs::read_link(folder.join(IN_USE)).unwrap_or_default();
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let version: Version = name.to_str()?.parse().ok()?;
        let folder = entry.path();
        // A link is none of ours, and of one version there is one spelling: `1.2.3-x` is none either.
        let is_ours = entry.metadata().is_ok_and(|meta| meta.is_dir() && files::is_own(&meta));
        let is_one = is_ours && *name == *version.to_string() && executable_in(&folder).is_file();
        is_one.then(|| Installed { version, in_use: *used == name, folder })
    };
    let mut all: Vec<_> = entries.filter_map(one).collect();
    all.sort_by_key(|one| one.version);
    all
}

/// The one in use.
pub fn in_use() -> Option<Installed> {
    installed().into_iter().find(|one| one.in_use)
}
