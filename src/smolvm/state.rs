//! Where the engine keeps its VMs: two VMs of one name in two folders are two VMs.

use super::facts::Fact;
use super::version::Version;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder in which an engine of that version keeps the list of its VMs, without symbolic links. It may not exist yet.
pub fn folder(version: Version) -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let moved = variable("SMOLVM_DATA_DIR").filter(|_| cfg!(target_os = "linux") && version.has(Fact::DataDirVariable));
    let data = match moved {
        // The engine uses it as home folder, and ignores $XDG_DATA_HOME.
        Some(home) => std::path::absolute(home).unwrap_or_default().join(".local/share"),
        None => dirs::data_dir().unwrap_or_default(),
    };
    real(&data.join("smolvm"))
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|part| Some((part, std::fs::canonicalize(part).ok()?)));
    let Some((part, real)) = known else { return path.to_owned() };
    path.strip_prefix(part)
        .map_or(real.clone(), |rest| if rest.as_os_str().is_empty() { real } else { real.join(rest) })
}
