//! The VMs on disk: `vms/NAME/record.json`, and `vms/NAME/disk` with the guest's /root and /workspace.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::facts::Fact;
use crate::version::Version;
use crate::vmm::{self, Process};

pub const DEFAULT_CPUS: u32 = 4;
pub const DEFAULT_MEM: u32 = 8192;

/// Everything the engine knows about a VM. Tests edit this file to create states that are hard to reach.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    pub name: String,
    pub state: String,
    pub pid: Option<u32>,
    pub created_at: u64,
    /// Nanoseconds, to order VMs created in the same second.
    pub seq: u64,
    pub cpus: u32,
    pub mem: u32,
    pub storage: Option<u32>,
    pub overlay: Option<u32>,
    pub image: Option<String>,
    pub network: bool,
    pub cidrs: Vec<String>,
    pub ports: Vec<String>,
    pub mounts: Vec<String>,
    pub env: Vec<String>,
    pub workdir: Option<String>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub ephemeral: bool,
    /// Other keys in the list.
    pub settings: Map<String, Value>,
    /// Variables that come from secrets of the host: `{"KEY": {"from_env": "HOSTVAR"}}`.
    pub secret_refs: Map<String, Value>,
    /// The artifact this VM was restored from.
    pub source: Option<PathBuf>,
}

impl Record {
    pub fn new(name: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            name: name.to_owned(),
            state: "created".into(),
            created_at: now.as_secs(),
            seq: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            cpus: DEFAULT_CPUS,
            mem: DEFAULT_MEM,
            ..Self::default()
        }
    }

    /// The state as listed by the engine: it verifies only a record that says `running`.
    pub fn live_state(&self) -> &str {
        match (self.state.as_str(), self.pid.map(vmm::process)) {
            ("running", Some(Process::Alive)) => "running",
            ("running", Some(Process::Suspended)) => "unreachable",
            ("running", Some(Process::Gone) | None) => "stopped",
            (state, _) => state,
        }
    }

    /// Whether the guest's agent answers: a live process, and a record that says running or unreachable.
    pub fn answers(&self) -> bool {
        let is_up = ["running", "unreachable"].contains(&self.state.as_str());
        is_up && self.pid.map(vmm::process) == Some(Process::Alive)
    }

    /// The only check of `pack`: does the record say running, and is there a process?
    pub fn looks_running(&self) -> bool {
        self.state == "running" && self.pid.is_some_and(|pid| vmm::process(pid) != Process::Gone)
    }

    /// Whether a folder of the host is used as its image.
    pub fn has_local_image(&self) -> bool {
        self.image.as_deref().is_some_and(|image| image.starts_with("local"))
    }
}

pub struct Store {
    dir: PathBuf,
}

impl Store {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn vm_dir(&self, name: &str) -> PathBuf {
        self.dir.join("vms").join(name)
    }

    pub fn root_disk(&self, name: &str) -> PathBuf {
        self.vm_dir(name).join("disk/root")
    }

    pub fn workspace_disk(&self, name: &str) -> PathBuf {
        self.vm_dir(name).join("disk/workspace")
    }

    pub fn make_disks(&self, name: &str) -> Result<()> {
        fs::create_dir_all(self.root_disk(name))?;
        fs::create_dir_all(self.workspace_disk(name))?;
        for (disk, gib) in [("overlay.raw", 10), ("storage.raw", 20)] {
            let path = self.vm_dir(name).join(disk);
            if !path.exists() {
                fs::File::create(path)?.set_len(gib << 30)?;
            }
        }
        Ok(())
    }

    /// A booting guest writes to its disks.
    pub fn touch_disks(&self, name: &str) -> Result<()> {
        for disk in ["overlay.raw", "storage.raw"] {
            fs::OpenOptions::new().write(true).open(self.vm_dir(name).join(disk))?.write_all(b"booted")?;
        }
        Ok(())
    }

    /// Takes the name: if several try at once, one wins. An engine that was killed while it created or deleted a VM keeps no
    /// name.
    pub fn reserve(&self, name: &str) -> Result<bool> {
        let (folder, own) = (self.vm_dir(name), std::process::id().to_string());
        let holder = fs::read_to_string(folder.join("reserved")).ok().and_then(|pid| pid.parse().ok());
        let is_alive = holder.is_some_and(|pid| vmm::process(pid) != Process::Gone);
        let is_held = is_alive || folder.join("record.json").exists();
        if folder.exists() && !is_held {
            fs::remove_dir_all(&folder)?;
        }
        let new = folder.with_file_name(format!(".{own}"));
        fs::create_dir(&new)?;
        fs::write(new.join("reserved"), own)?;
        match fs::rename(&new, &folder) {
            Ok(()) => Ok(true),
            Err(error) if [ErrorKind::AlreadyExists, ErrorKind::DirectoryNotEmpty].contains(&error.kind()) => {
                fs::remove_dir_all(&new)?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub fn get(&self, name: &str) -> Result<Option<Record>> {
        if check_name(name).is_err() {
            return Ok(None);
        }
        self.read(&self.vm_dir(name).join("record.json"))
    }

    pub fn find(&self, name: &str) -> Result<Record> {
        match self.get(name)? {
            Some(record) => Ok(record),
            None => bail!("vm not found: {name}"),
        }
    }

    fn read(&self, file: &Path) -> Result<Option<Record>> {
        match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .with_context(|| format!("database operation failed: deserialize vm record '{}'", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| self.dir.display().to_string()),
        }
    }

    /// Written to another file and renamed, so that a reader sees the old record or the new one.
    pub fn save(&self, record: &Record) -> Result<()> {
        let dir = self.vm_dir(&record.name);
        let mut file = tempfile::NamedTempFile::new_in(&dir)?;
        file.write_all(&serde_json::to_vec_pretty(record)?)?;
        file.persist(dir.join("record.json"))?;
        Ok(())
    }

    pub fn change(&self, name: &str, change: impl FnOnce(&mut Record)) -> Result<()> {
        let mut record = self.find(name)?;
        change(&mut record);
        self.save(&record)
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let dir = self.vm_dir(name);
        // The record goes first: without it, the VM is gone for every reader.
        match fs::remove_file(dir.join("record.json")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        fs::remove_dir_all(dir)?;
        Ok(())
    }

    /// In the order in which this version lists them: newest first stands for "in no order".
    pub fn all(&self, version: Version) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(self.dir.join("vms"))? {
            records.extend(self.read(&entry?.path().join("record.json"))?);
        }
        if version.has(Fact::SortsList) {
            records.sort_by(|a, b| a.name.cmp(&b.name));
        } else {
            records.sort_by_key(|record| std::cmp::Reverse(record.seq));
        }
        Ok(records)
    }

    /// Older versions have a database that fails when two commands write at once; newer ones wait.
    pub fn lock_database(&self, version: Version, doing: &str) -> Result<File> {
        let file = File::create(self.dir.join("database.lock"))?;
        let how = if version.has(Fact::ParallelChanges) {
            rustix::fs::FlockOperation::LockExclusive
        } else {
            rustix::fs::FlockOperation::NonBlockingLockExclusive
        };
        if rustix::fs::flock(&file, how).is_err() {
            bail!("database operation failed: {doing}: database is locked");
        }
        if !version.has(Fact::ParallelChanges) {
            // Long enough that commands started together overlap.
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(file)
    }
}

/// The engine's own rule for names, with its own message.
pub fn check_name(name: &str) -> Result<()> {
    let Some(first) = name.chars().next() else { bail!("machine name cannot be empty") };
    if name.len() > 128 {
        bail!("machine name too long: {} characters (max 128)", name.len());
    }
    if !first.is_ascii_alphanumeric() {
        bail!("machine name must start with a letter or digit (got: \"{name}\")");
    }
    if name.ends_with('-') {
        bail!("machine name cannot end with a hyphen (got: \"{name}\")");
    }
    let mut previous = first;
    for c in name.chars() {
        match c {
            '/' | '\\' => bail!("machine name cannot contain path separators"),
            '-' if previous == '-' => bail!("machine name cannot contain consecutive hyphens"),
            _ if c.is_ascii_alphanumeric() || c == '-' || c == '_' => previous = c,
            _ => bail!("machine name contains invalid character: '{c}'"),
        }
    }
    Ok(())
}
