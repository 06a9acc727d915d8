//! A trial: makes and packs an empty VM, in a home of its own. Nothing less shows whether an engine can pack: one with missing
//! files still prints its version and lists VMs. It takes 1 s, and 125 MiB while it runs.

use super::call::Call;
use super::command::{Command, PackOptions};
use super::engine::{QUICK, Smolvm};
use super::error::{EngineError, Result};
use super::facts::Fact;
use super::fingerprint::Fingerprint;
use super::machine::Name;
use super::record::Record;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The folder of the engine's data in a home.
const DATA: &str = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
/// The folders of data and cache in a home, and the variables that name others.
const FOLDERS: [(&str, &str); 2] =
    [("XDG_DATA_HOME", DATA), ("XDG_CACHE_HOME", if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" })];

/// The most files of a guest's system that are looked at before each freeze. Engines have 500 to 1,500.
const MOST_FILES: usize = 20_000;

/// An empty VM that was packed.
pub struct Trial {
    /// The artifact.
    pub artifact: PathBuf,
    /// What the engine recorded of the VM, if that can be read.
    pub record: Option<Record>,
}

impl Smolvm {
    /// The engine's cache folder and why it cannot be written, if this engine needs it to pack.
    pub fn unwritable_cache(&self) -> Option<(PathBuf, std::io::Error)> {
        let cache = dirs::cache_dir().filter(|_| self.version().has(Fact::PackLock))?.join("smolvm");
        is_writable(&cache).err().map(|error| (cache, error))
    }

    /// A name for what this engine adds to every artifact: its guest's system. Nothing if the files of the engine do not say
    /// which engine runs.
    pub fn runtime_key(&self) -> Option<String> {
        let engine = Fingerprint::of(self.path()).ok()??;
        let mut key = Sha256::new_with_prefix(serde_json::to_vec(&engine).ok()?);
        // A user's own files in place of the engine's.
        let [guest, libraries] =
            ["SMOLVM_AGENT_ROOTFS", "SMOLVM_LIB_DIR"].map(|key| std::env::var_os(key).map(PathBuf::from));
        key.update(format!("{guest:?}{libraries:?}"));
        // Which of the places an engine looks at first, differs: all of them.
        let (program, data) = (engine.program(), dirs::data_dir().map(|data| data.join("smolvm")));
        let beside = program.parent()?;
        let places = [Some(beside), beside.parent(), libraries.as_deref(), data.as_deref()].into_iter().flatten();
        let places = places.flat_map(|place| [place.to_owned(), place.join("lib")]);
        let roots: Vec<_> = places.flat_map(|place| guest_files(&place)).chain(guest).collect();
        add_files(&mut key, &roots)?;
        let mut key = base16ct::lower::encode_string(&key.finalize());
        key.truncate(32);
        Some(format!("{}-{key}", self.version().to_string().replace('.', "-")))
    }

    /// Makes an empty VM and packs it. Everything that the engine writes is in `folder`.
    ///
    /// # Errors
    /// The engine failed, or there is no artifact.
    pub fn try_to_pack(&self, folder: &Path) -> Result<Trial> {
        let not_kept = |source| EngineError::NotKept { command: "smolvm pack create".into(), source };
        let folder = fs::canonicalize(folder).map_err(not_kept)?;
        let home = folder.join("home");
        make_home(&home).map_err(not_kept)?;
        let run = |call: Call| self.run_ok(&at_home(call, &home), Some(QUICK), None);
        let name: Name =
            "trial".parse().map_err(|_| EngineError::Missing { why: "no name".into(), installed: None })?;
        run(self.named(self.call("machine create").value("--cpus", "1").value("--mem", "128"), &name))?;
        let call = at_home(self.command_line(Command::DataDir(&name)), &home);
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
        let (pack, artifact) =
            (self.command_line(Command::Pack(&name, &packing)), launcher.with_extension("smolmachine"));
        run(pack.clone())?;
        if !artifact.is_file() {
            return Err(pack.not_done("there is no artifact".into()));
        }
        // With $SMOLVM_DATA_DIR, the data is in a home below that.
        let data = home.join(DATA);
        let states = [data.join("smolvm"), data.join(".local/share/smolvm")];
        let record = states.iter().find_map(|state| Record::read(state, &name));
        Ok(Trial { artifact, record })
    }
}

/// The engine's libraries, disk templates and guest's system in a folder, which may be `/usr/bin`.
fn guest_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libkrun") || name.starts_with("agent-rootfs") || name.contains("-template.")
    };
    entries.filter(is_one).collect()
}

/// What the engine puts into the guest's system when a VM starts, and removes with the VM: an empty file with a name of its own
/// for each VM. A pack leaves it out. Seen from 1.4.0 to 1.32.2.
const STARTED: &str = ".smolvm-ready.";

/// Adds the names, sizes and times of these files, and of all files below these folders, to a hash. Of a folder only the name:
/// its times change when a VM boots. Nothing if there are too many.
fn add_files(key: &mut Sha256, roots: &[PathBuf]) -> Option<()> {
    let mut paths: Vec<PathBuf> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
    paths.sort();
    paths.dedup();
    let mut files = 0;
    while let Some(path) = paths.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        files += 1;
        if files > MOST_FILES {
            return None;
        }
        key.update(path.as_os_str().as_bytes());
        key.update(format!("\0{:o}\0", meta.mode()));
        if meta.is_dir() {
            let first = paths.len();
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            let entries = entries.filter(|entry| !entry.file_name().as_bytes().starts_with(STARTED.as_bytes()));
            paths.extend(entries.map(|entry| entry.path()));
            paths.get_mut(first..)?.sort();
        } else {
            let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
            key.update(format!("{}{times:?}", meta.len()));
        }
    }
    Some(())
}

/// Makes a home with links to everything in the user's home but the engine's VMs: the engine may be a script that needs files
/// there, as those of asdf and mise do.
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

/// Makes links in `copy` to everything in `real` but the folders `without`, as far as it can be read.
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

/// Makes the smallest disks that a pack accepts: it does not look into them.
fn make_disks(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for disk in ["overlay.raw", "storage.raw"] {
        File::create(folder.join(disk))?.set_len(1 << 20)?;
    }
    Ok(())
}

/// The command in that home, whatever variables name other folders.
fn at_home(call: Call, home: &Path) -> Call {
    let moved = FOLDERS.into_iter().fold(call.env("HOME", home), |call, (variable, folder)| {
        if std::env::var_os(variable).is_some() { call.env(variable, home.join(folder)) } else { call }
    });
    let own = ["SMOLVM_DATA_DIR", "SMOLVM_PACK_STAGING"].into_iter().filter(|key| std::env::var_os(key).is_some());
    own.fold(moved.env("SMOLVM_USAGE_DIR", ""), |call, key| call.env(key, home.join(DATA)))
}

/// Whether a file can be made in the folder, or in the nearest parent that exists.
fn is_writable(folder: &Path) -> std::io::Result<()> {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    tempfile::tempfile_in(there).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_of_the_guest_s_system_is_seen_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let etc = folder.path().join("agent-rootfs/etc");
        fs::create_dir_all(&etc).unwrap();
        let key = || {
            let mut key = Sha256::new();
            add_files(&mut key, &guest_files(folder.path())).unwrap();
            key.finalize()
        };
        let mut last = key();
        assert_eq!(key(), last);
        fs::write(folder.path().join("another-program"), "").unwrap();
        fs::write(folder.path().join("agent-rootfs/.smolvm-ready.ca978112ca1bbdca"), "").unwrap();
        assert_eq!(key(), last);
        for (file, content) in [("motd", "one"), ("motd", "two, longer"), ("hosts", "")] {
            fs::write(etc.join(file), content).unwrap();
            let now = key();
            assert_ne!(now, last, "{file}: {content}");
            last = now;
        }
        fs::write(folder.path().join("storage-template.ext4"), "").unwrap();
        assert_ne!(key(), last);
    }
}
