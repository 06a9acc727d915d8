//! A trial: an empty VM is made and packed, in a home of its own. Nothing less answers whether an engine can pack: one whose
//! files are missing still prints its version and lists VMs (1.4.0, 1.32.2). 0.6 s, and 65 MB while it runs.

use super::{Call, EngineError, Name, Packing, Result, Smolvm, not_done};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long each of the three commands may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Where the engine keeps its data in a home.
const DATA: &str = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };

impl Smolvm {
    /// Makes an empty VM and packs it. All that the engine writes lies in `folder`, the artifact too, whose path this gives.
    ///
    /// # Errors
    /// The engine cannot do one of these.
    pub fn try_to_pack(&self, folder: &Path) -> Result<PathBuf> {
        let not_kept = |source| EngineError::NotKept { command: "smolvm pack create".into(), source };
        let folder = fs::canonicalize(folder).map_err(not_kept)?;
        let home = folder.join("home");
        make_home(&home).map_err(not_kept)?;
        let run = |call: Call| self.succeed(&at_home(call, &home), Some(LIMIT), None);
        let name: Name = "trial".parse().map_err(|_| EngineError::Missing("no name".into()))?;
        run(self.named(self.call("machine create").value("--cpus", "1").value("--mem", "128"), &name))?;
        let call = at_home(self.machine_data_dir_call(&name), &home);
        let told = self.succeed(&call, Some(LIMIT), None)?;
        let disks = PathBuf::from(String::from_utf8_lossy(told.stdout.trim_ascii()).into_owned());
        if !disks.starts_with(&home) {
            let why = format!("it is outside of {}", home.display());
            return Err(EngineError::Unreadable { command: call.shell_line(), why });
        }
        make_disks(&disks).map_err(not_kept)?;
        let launcher = folder.join("trial");
        let packing = Packing {
            folder: &folder,
            launcher: &launcher,
            cpus: None,
            memory_mib: None,
            smolfile: None,
            include_workspace: false,
        };
        let (pack, artifact) = (self.pack_create_from_vm_call(&name, &packing), launcher.with_extension("smolmachine"));
        run(pack.clone())?;
        if artifact.is_file() { Ok(artifact) } else { Err(not_done(&pack, "there is no artifact".into())) }
    }
}

/// A home in which the engine finds what it needs of the user's: some installations keep the guest's system there.
fn make_home(home: &Path) -> std::io::Result<()> {
    let data = home.join(DATA).join("smolvm");
    fs::create_dir_all(&data)?;
    match dirs::data_dir().map(|data| data.join("smolvm/agent-rootfs")).filter(|guest| guest.is_dir()) {
        Some(guest) => std::os::unix::fs::symlink(guest, data.join("agent-rootfs")),
        None => Ok(()),
    }
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
    let folders = [("XDG_DATA_HOME", DATA), ("XDG_CACHE_HOME", ".cache"), ("XDG_CONFIG_HOME", ".config")];
    let moved = folders.into_iter().fold(call.env("HOME", home), |call, (key, path)| call.env(key, home.join(path)));
    let own = ["SMOLVM_DATA_DIR", "SMOLVM_PACK_STAGING"].into_iter().filter(|key| std::env::var_os(key).is_some());
    own.fold(moved.env("SMOLVM_USAGE_DIR", ""), |call, key| call.env(key, home.join(DATA)))
}
