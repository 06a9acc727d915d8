//! Freezes a VM from its disks, without the engine: what `pack create --from-vm` would write, where that is known.
//!
//! It is known of a bare VM whose record differs from that of an empty one of the same engine only in settings that were
//! tried, and whose folder holds nothing unknown. The manifest is the empty VM's, with those settings: all engines from 1.4.0
//! to 1.32.2 write the same keys in the same order.

use super::artifact::{Member, MemberKind};
use super::disk::{Disk, DiskError};
use super::facts::Fact;
use super::machine::{Machine, State};
use super::record::Record;
use super::version::Version;
use crate::clock;
use rustix::process::{getegid, geteuid};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

/// What the engine would pack.
#[derive(Debug)]
pub struct Direct {
    /// The manifest.
    pub manifest: String,
    /// The variables whose references to secrets were left out.
    pub secrets: Vec<String>,
    /// The members of the artifact that are disks, in its order.
    pub disks: Vec<(Member, Disk)>,
}

/// A function that opens a disk.
type Open<'a> = &'a mut dyn FnMut(&Path) -> Result<Disk, DiskError>;

/// Settings that no pack holds, and that change no disk: the engine's pack of a VM with any of them is that of one without.
#[rustfmt::skip]
const NOT_PACKED: [&str; 44] = [
    "name", "created_at", "state", "pid", "pid_start_time", "last_exit_code", "restart", "init", "init_completed", "labels",
    "storage_gb", "overlay_gb", "block_io", "disk_durability", "shm_size",
    // A pack says only whether there is a network, and a snapshot always says no.
    "network", "network_backend", "network_name", "allowed_cidrs", "egress_rules", "block_private", "dns_filter_hosts", "dns",
    "dns_options", "guest_subnet", "ports", "credential_policy", "credential_placeholders",
    // What the host lends to the guest.
    "mounts", "published_sockets", "docker_socket", "ssh_agent", "rosetta", "nested_virt", "gpu_vram_mib",
    // How the engine watches and stops it.
    "health_cmd", "health_interval_secs", "health_timeout_secs", "health_retries", "health_startup_grace_secs",
    "stop_on_exit", "stop_signal", "stop_timeout_secs",
    // The artifact that it was made from: its disks lie below the VM's own.
    "source_smolmachine",
];

/// Settings that a pack holds.
const PACKED: [&str; 10] = ["cpus", "mem", "entrypoint", "cmd", "env", "workdir", "user", "gpu", "cuda", "secret_refs"];

/// The values of these settings.
#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    #[serde(default)]
    env: Vec<(String, String)>,
    #[serde(default)]
    workdir: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    gpu: Option<bool>,
    #[serde(default)]
    cuda: bool,
    #[serde(default)]
    secret_refs: BTreeMap<String, Value>,
}

/// The files and folders in the folder of a bare VM that hold nothing of it. Sockets hold nothing either.
#[rustfmt::skip]
const FILES: [&str; 20] = [
    ".pack-shared", ".vm-uid", "agent-console.log", "agent-startup-error.log", "agent.config.json", "agent.pid",
    "boot-config.json", "egress", "name", "overlay.formatted", "pack", "pack.lock", "packed-layers-dax-window",
    "smolvm_attach_ro", "smolvm_attach_rw", "storage.formatted", "vm.lock", "vmm-exit.json", "vmm-stop-requested", "workload.log",
];
/// The disks of a bare VM.
const DISKS: [&str; 4] = ["overlay.raw", "overlay.qcow2", "storage.raw", "storage.qcow2"];

/// A manifest of a bare VM, with the keys in the engine's order.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    mode: String,
    image: String,
    digest: String,
    platform: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entrypoint: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cmd: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workdir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// In the place of the engine's `secret_refs`: see [`secrets`](super::secrets).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bottle_freeze_secrets: Vec<String>,
    cpus: u32,
    mem: u64,
    image_size: u64,
    network: bool,
    gpu: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cuda: Option<bool>,
    host_platform: String,
    created: String,
    smolvm_version: String,
    assets: Assets,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Assets {
    libraries: Vec<Asset>,
    agent_rootfs: Asset,
    layers: [Asset; 0],
    storage_template: Asset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage_logical_size: Option<u64>,
    overlay_template: Asset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overlay_logical_size: Option<u64>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    path: String,
    size: u64,
}

/// What the engine would pack of the VM, which is not up. `record` is the VM's, `trial` and `template` are record and manifest
/// of an empty VM that the same engine packed, and `folder` has the VM's disks, which are opened by `open`.
///
/// # Errors
/// Why only the engine can pack it, as a sentence.
pub fn direct(
    vm: &Machine,
    record: &Record,
    trial: &Record,
    template: &str,
    folder: &Path,
    version: Version,
    open: Open,
) -> Result<Direct, String> {
    if !version.has(Fact::KnownDisks) {
        return Err(format!("bottle-freeze does not know the disks of smolvm {version}"));
    }
    check_vm(vm, record, trial)?;
    check_files(folder)?;
    let mut manifest: Manifest =
        serde_json::from_str(template).map_err(|error| format!("bottle-freeze does not know its manifest: {error}"))?;
    if serde_json::to_string_pretty(&manifest).ok().as_deref() != Some(template) || manifest.mode != "vm" {
        return Err("bottle-freeze does not know its manifest".to_owned());
    }
    let secrets = manifest.set(vm, record.settings()?);
    let assets = &mut manifest.assets;
    let (asset, logical) = (&mut assets.overlay_template, &mut assets.overlay_logical_size);
    let mut disks = vec![disk(folder, "overlay", asset, logical, open)?];
    // Older engines pack an empty storage disk instead, which is in the template.
    if version.has(Fact::BareWorkspace) {
        let (asset, logical) = (&mut assets.storage_template, &mut assets.storage_logical_size);
        disks.push(disk(folder, "storage", asset, logical, open)?);
    }
    let manifest = serde_json::to_string_pretty(&manifest).map_err(|error| error.to_string())?;
    Ok(Direct { manifest, secrets, disks })
}

/// Whether the VM is a bare one with known settings only.
fn check_vm(vm: &Machine, record: &Record, trial: &Record) -> Result<(), String> {
    if vm.image.is_some() || vm.ephemeral {
        return Err("it is not a bare VM, or it is removed when it stops".to_owned());
    }
    if !matches!(vm.state, State::Created | State::Stopped | State::Failed) {
        return Err(format!("it is {}", vm.state));
    }
    if record.get("name") != vm.name.as_str() || record.get("created_at").as_u64() != vm.created_at {
        return Err("what smolvm recorded is of another VM".to_owned());
    }
    let is_known = |key: &str| NOT_PACKED.contains(&key) || PACKED.contains(&key);
    let mut keys = record.keys().chain(trial.keys()).filter(|key| !is_known(key));
    match keys.find(|key| record.get(key) != trial.get(key)) {
        Some(key) => Err(format!("bottle-freeze does not know its setting {key:?}")),
        None => Ok(()),
    }
}

/// Whether the folder of a VM holds only what is known.
fn check_files(folder: &Path) -> Result<(), String> {
    let unreadable = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let is_known = FILES.iter().chain(&DISKS).any(|known| name == *known)
            || entry.file_type().map_err(unreadable)?.is_socket();
        if !is_known {
            return Err(format!("its folder has an unknown file: {}", name.to_string_lossy()));
        }
    }
    Ok(())
}

/// A disk of the VM, and its member of the artifact. Sets its sizes in the manifest.
fn disk(
    folder: &Path,
    name: &str,
    asset: &mut Asset,
    logical: &mut Option<u64>,
    open: Open,
) -> Result<(Member, Disk), String> {
    let files = ["raw", "qcow2"].map(|ending| folder.join(name).with_extension(ending));
    let [path] = files.iter().filter(|path| path.symlink_metadata().is_ok()).collect::<Vec<_>>()[..] else {
        return Err(format!("it does not have exactly one {name} disk"));
    };
    let disk = open(path).map_err(|error| error.to_string())?;
    if disk.size() == 0 {
        return Err(format!("its {name} disk is empty"));
    }
    asset.size = disk.size();
    *logical = Some(disk.logical_size()).filter(|logical| *logical != disk.size());
    let changed = path.symlink_metadata().map_err(|error| error.to_string())?.mtime();
    let (path, mtime) = (asset.path.clone(), u64::try_from(changed).unwrap_or(0));
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let member = Member { path, kind: MemberKind::Sparse, mode: 0o100_644, uid, gid, mtime, size: disk.size() };
    Ok((member, disk))
}

impl Manifest {
    /// Sets what depends on the VM, and returns the names of its secrets. The network stays closed, as in every snapshot.
    fn set(&mut self, vm: &Machine, settings: Settings) -> Vec<String> {
        self.image = format!("vm://{}", vm.name);
        // Some engines record a shell if there is none.
        if !settings.entrypoint.is_empty() {
            self.entrypoint = settings.entrypoint;
        }
        self.cmd = settings.cmd;
        self.env = settings.env.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.workdir = settings.workdir;
        self.user = settings.user;
        self.bottle_freeze_secrets = settings.secret_refs.into_keys().collect();
        (self.cpus, self.mem) = (vm.cpus, vm.memory_mib);
        self.gpu = settings.gpu.unwrap_or(false);
        // Old engines do not record it.
        self.cuda = self.cuda.map(|_| settings.cuda);
        self.created = clock::rfc3339_millis(SystemTime::now());
        self.bottle_freeze_secrets.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use tempfile::TempDir;

    /// What a VM is frozen from.
    struct Vm {
        listed: Value,
        record: Value,
        trial: Value,
        template: String,
        folder: TempDir,
        version: Version,
    }

    impl Vm {
        /// A bare VM of smolvm 1.32.2.
        fn new() -> Self {
            let record = json!({
                "name": "dev", "created_at": 5, "state": "stopped", "cpus": 2, "mem": 600, "env": [["A", "1=2"]],
                "workdir": null, "secret_refs": {"S": {"from_env": "HOME"}}, "labels": {"a": "b"}, "image": null,
            });
            let asset = |path: &str| json!({"path": path, "size": 1});
            let template = format!(
                concat!(
                    r#"{{"mode":"vm","image":"vm://trial","digest":"none","platform":"linux/amd64","cpus":1,"mem":128,"#,
                    r#""image_size":0,"network":false,"gpu":false,"cuda":false,"host_platform":"linux/amd64","#,
                    r#""created":"","smolvm_version":"1.32.2","assets":{{"libraries":[],"agent_rootfs":{},"layers":[],"#,
                    r#""storage_template":{},"overlay_template":{}}}}}"#
                ),
                asset("agent-rootfs.tar"),
                asset("storage.ext4"),
                asset("overlay.raw")
            );
            let template: Manifest = serde_json::from_str(&template).unwrap();
            let vm = Self {
                listed: json!({
                    "name": "dev", "created_at": 5, "state": "stopped", "cpus": 2, "memory_mib": 600, "network": true
                }),
                record,
                trial: json!({"name": "trial", "cpus": 1, "mem": 128, "workdir": null}),
                template: serde_json::to_string_pretty(&template).unwrap(),
                folder: tempfile::tempdir().unwrap(),
                version: Version(1, 32, 2),
            };
            for disk in ["overlay.raw", "storage.raw"] {
                let file = File::create(vm.folder.path().join(disk)).unwrap();
                file.set_len(1 << 20).unwrap();
                file.write_all_at(b"a", 99).unwrap();
            }
            vm
        }

        fn direct(&self) -> Result<Direct, String> {
            let listed = serde_json::from_value(self.listed.clone()).unwrap();
            let record = |json: &Value| Record::parse(&json.to_string()).unwrap();
            let (record, trial) = (record(&self.record), record(&self.trial));
            direct(&listed, &record, &trial, &self.template, self.folder.path(), self.version, &mut Disk::open)
        }
    }

    #[test]
    fn a_bare_vm_is_known() {
        let direct = Vm::new().direct().unwrap();
        let manifest: Value = serde_json::from_str(&direct.manifest).unwrap();
        assert_eq!(
            (&manifest["image"], &manifest["cpus"], &manifest["mem"]),
            (&json!("vm://dev"), &json!(2), &json!(600))
        );
        assert_eq!((&manifest["network"], &manifest["env"]), (&json!(false), &json!(["A=1=2"])));
        assert_eq!((&manifest["bottle_freeze_secrets"], &direct.secrets[..]), (&json!(["S"]), &["S".to_owned()][..]));
        assert_eq!(manifest["assets"]["overlay_template"], json!({"path": "overlay.raw", "size": 100}));
        assert_eq!(manifest["assets"]["storage_logical_size"], json!(1 << 20));
        let members: Vec<_> = direct.disks.iter().map(|(member, _)| (member.path.as_str(), member.size)).collect();
        assert_eq!(members, [("overlay.raw", 100), ("storage.ext4", 100)]);
    }

    #[test]
    fn an_old_engine_packs_only_one_disk() {
        let vm = Vm { version: Version(1, 8, 3), ..Vm::new() };
        assert_eq!(vm.direct().unwrap().disks.len(), 1);
    }

    #[test]
    fn what_is_not_known_is_left_to_the_engine() {
        type Change = fn(&mut Vm);
        let cases: [(&str, Change); 14] = [
            ("bottle-freeze does not know the disks of smolvm 1.33.0", |vm| vm.version = Version(1, 33, 0)),
            ("it is not a bare VM, or it is removed when it stops", |vm| vm.listed["image"] = json!("alpine")),
            ("it is not a bare VM, or it is removed when it stops", |vm| vm.listed["ephemeral"] = json!(true)),
            ("it is paused", |vm| vm.listed["state"] = json!("paused")),
            ("what smolvm recorded is of another VM", |vm| vm.record["created_at"] = json!(6)),
            ("bottle-freeze does not know its setting \"image\"", |vm| vm.record["image"] = json!("alpine")),
            ("bottle-freeze does not know its setting \"new\"", |vm| vm.record["new"] = json!(true)),
            ("bottle-freeze does not know its setting \"new\"", |vm| vm.trial["new"] = json!(1)),
            ("bottle-freeze does not know its settings: ", |vm| vm.record["env"] = json!({"A": 1})),
            ("bottle-freeze does not know its manifest", |vm| vm.template.push('\n')),
            ("bottle-freeze does not know its manifest: ", |vm| vm.template = vm.template.replace("gpu", "tpu")),
            ("its folder has an unknown file: data.raw", |vm| {
                File::create(vm.folder.path().join("data.raw")).unwrap();
            }),
            ("it does not have exactly one overlay disk", |vm| {
                File::create(vm.folder.path().join("overlay.qcow2")).unwrap();
            }),
            ("its storage disk is empty", |vm| {
                File::create(vm.folder.path().join("storage.raw")).unwrap();
            }),
        ];
        for (why, change) in cases {
            let mut vm = Vm::new();
            change(&mut vm);
            let error = vm.direct().unwrap_err();
            assert!(error == why || why.ends_with(": ") && error.starts_with(why), "{error}");
        }
    }
}
