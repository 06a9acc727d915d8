//! A trial: an empty VM is made and packed, in a home of its own. Nothing less answers whether an engine can pack: one whose
//! files are missing still prints its version and lists VMs (1.4.0, 1.32.2). 0.6 s, and 65 MB while it runs.

use super::call::Call;
use super::engine::{QUICK, Smolvm};
use super::error::{EngineError, Result};
use super::machine::Name;
use super::pack::PackOptions;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Where the engine keeps its data in a home.
const DATA: &str = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
/// The variables that name other folders for what it keeps, and the folders.
const FOLDERS: [(&str, &str); 2] =
    [("XDG_DATA_HOME", DATA), ("XDG_CACHE_HOME", if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" })];

impl Smolvm {
    /// The engine's cache folder, if this engine needs it for a pack and cannot write there, and why.
    pub fn unwritable_cache(&self) -> Option<(PathBuf, std::io::Error)> {
        let cache = dirs::cache_dir().filter(|_| self.version().packs_with_a_lock())?.join("smolvm");
        is_writable(&cache).err().map(|error| (cache, error))
    }

    /// Makes an empty VM and packs it. All that the engine writes lies in `folder`, the artifact too, whose path this gives.
    ///
    /// # Errors
    /// The engine cannot do one of these.
    pub fn try_to_pack(&self, folder: &Path) -> Result<PathBuf> {
        let not_kept = |source| EngineError::NotKept { command: "smolvm pack create".into(), source };
        let folder = fs::canonicalize(folder).map_err(not_kept)?;
        let home = folder.join("home");
        make_home(&home).map_err(not_kept)?;
        let run = |call: Call| self.run_ok(&at_home(call, &home), Some(QUICK), None);
        let name: Name =
            "trial".parse().map_err(|_| EngineError::Missing { why: "no name".into(), installed: None })?;
        run(self.named(self.call("machine create").value("--cpus", "1").value("--mem", "128"), &name))?;
        let call = at_home(self.machine_data_dir_call(&name), &home);
        let answer = self.run_ok(&call, Some(QUICK), None)?;
        let disks = PathBuf::from(String::from_utf8_lossy(answer.stdout.trim_ascii()).into_owned());
        if !disks.starts_with(&home) {
            let why = format!("it is outside of {}", home.display());
            return Err(EngineError::Unreadable { command: call.shell_line(), why });
        }
        make_disks(&disks).map_err(not_kept)?;
        let launcher = folder.join("trial");
        let packing = PackOptions {
            folder: &folder,
            launcher: &launcher,
            cpus: None,
            memory_mib: None,
            smolfile: None,
            include_workspace: false,
        };
        let (pack, artifact) = (self.pack_create_from_vm_call(&name, &packing), launcher.with_extension("smolmachine"));
        run(pack.clone())?;
        if artifact.is_file() { Ok(artifact) } else { Err(pack.not_done("there is no artifact".into())) }
    }
}

/// A home that holds what the user's holds, by links, but for the engine's VMs: the engine may be a script that needs files
/// of the user's, as those of asdf and mise do.
fn make_home(home: &Path) -> std::io::Result<()> {
    fs::create_dir_all(home)?;
    let places = FOLDERS.map(|(_, folder)| Path::new(folder).join("smolvm"));
    if let Some(real) = dirs::home_dir() {
        mirror(&real, home, &places.each_ref().map(PathBuf::as_path))?;
    }
    for (variable, folder) in FOLDERS {
        let (own, real) = (home.join(folder), std::env::var_os(variable));
        fs::create_dir_all(&own)?;
        if let Some(real) = real {
            mirror(Path::new(&real), &own, &[Path::new("smolvm")])?;
        }
    }
    // Some installations keep the guest's system with the data.
    let guest = Path::new("smolvm/agent-rootfs");
    match dirs::data_dir().map(|data| data.join(guest)).filter(|guest| guest.is_dir()) {
        Some(real) => {
            let data = home.join(DATA).join("smolvm");
            fs::create_dir_all(&data)?;
            std::os::unix::fs::symlink(real, data.join("agent-rootfs"))
        }
        None => Ok(()),
    }
}

/// Links in `copy` to all that is in `real`, but for the folders `without`; of what cannot be read, to nothing.
fn mirror(real: &Path, copy: &Path, without: &[&Path]) -> std::io::Result<()> {
    for entry in fs::read_dir(real).into_iter().flatten().flatten() {
        let (name, to) = (PathBuf::from(entry.file_name()), copy.join(entry.file_name()));
        let below = without.iter().filter_map(|path| path.strip_prefix(&name).ok()).collect::<Vec<_>>();
        if below.is_empty() {
            match std::os::unix::fs::symlink(entry.path(), &to) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        } else if below.iter().all(|path| !path.as_os_str().is_empty()) {
            fs::create_dir_all(&to)?;
            mirror(&entry.path(), &to, &below)?;
        }
    }
    Ok(())
}

/// Disks as small as they may be: a pack does not look into them.
fn make_disks(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for disk in ["overlay.raw", "storage.raw"] {
        File::create(folder.join(disk))?.set_len(1 << 20)?;
    }
    Ok(())
}

/// The command in that home, whatever variables lead elsewhere.
fn at_home(call: Call, home: &Path) -> Call {
    let moved = FOLDERS.into_iter().fold(call.env("HOME", home), |call, (variable, folder)| {
        if std::env::var_os(variable).is_some() { call.env(variable, home.join(folder)) } else { call }
    });
    let own = ["SMOLVM_DATA_DIR", "SMOLVM_PACK_STAGING"].into_iter().filter(|key| std::env::var_os(key).is_some());
    own.fold(moved.env("SMOLVM_USAGE_DIR", ""), |call, key| call.env(key, home.join(DATA)))
}

/// Whether something can be made in the folder, or could if it were there.
fn is_writable(folder: &Path) -> std::io::Result<()> {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    tempfile::tempfile_in(there).map(drop)
}
