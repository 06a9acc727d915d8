//! Freezes a VM from its disks, without the engine: what `pack create --from-vm` would write, where that is known.
//!
//! It is known of a bare VM whose record differs from that of an empty one of the same engine only in settings that were
//! tried, and whose folder holds nothing unknown. The manifest is the empty VM's, with those settings: all engines from 1.4.0
//! to 1.32.2 write the same keys in the same order.

mod base;
pub mod down;
pub mod image;
mod known;
mod manifest;
mod origin;

use super::artifact::{Member, MemberKind};
use super::disk::{Disk, DiskError};
use super::facts::Fact;
use super::machine::Machine;
use super::record::Record;
use super::version::Version;
pub use base::{MissingBase, missing_base};
use known::{check_files, check_vm, disk_file};
use manifest::{Asset, Manifest};
use origin::ImageSettings;
pub use origin::unpacked_layer;
use rustix::process::{getegid, geteuid};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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
pub type Open<'a> = &'a mut dyn FnMut(&Path) -> Result<Disk, DiskError>;

/// What is known of a VM that is not up, and of an empty VM that the same engine packed.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// What the engine lists of the VM.
    pub vm: &'k Machine,
    /// The engine's record of the VM.
    pub record: &'k Record,
    /// The engine's record of the empty VM.
    pub trial: &'k Record,
    /// The manifest of the empty VM.
    pub template: &'k str,
    /// The folder of the VM's disks.
    pub folder: &'k Path,
    /// The engine.
    pub engine: &'k Path,
    /// The version of the engine.
    pub version: Version,
}

/// Whether bare VMs of this engine may be frozen without it.
///
/// # Errors
/// Why only the engine can pack them, as a sentence.
pub fn check_bare(version: Version) -> Result<(), String> {
    if version.has(Fact::KnownDisks) {
        return Ok(());
    }
    Err(format!("bottle-freeze does not know the disks of smolvm {version}"))
}

/// What the engine would pack of a VM, whose disks are opened by `open`.
///
/// # Errors
/// Why only the engine can pack it, as a sentence.
pub fn direct(known: &Known<'_>, open: Open) -> Result<Direct, String> {
    let Known { vm, record, trial, template, folder, version, .. } = *known;
    check_bare(version)?;
    if vm.image.is_some() {
        return Err("it is not a bare VM".to_owned());
    }
    check_vm(vm, record, trial)?;
    check_files(folder)?;
    let mut manifest = Manifest::of_trial(template)?;
    let secrets = manifest.set(vm, record.settings()?, ImageSettings::default());
    let assets = &mut manifest.assets;
    let (asset, logical) = (assets.overlay_template.as_mut(), &mut assets.overlay_logical_size);
    let asset = asset.ok_or("bottle-freeze does not know its manifest")?;
    let mut disks = vec![disk(folder, "overlay", asset, logical, open)?];
    // Older engines pack an empty storage disk instead, which is in the template.
    if version.has(Fact::BareWorkspace) {
        let (asset, logical) = (&mut assets.storage_template, &mut assets.storage_logical_size);
        disks.push(disk(folder, "storage", asset, logical, open)?);
    }
    Ok(Direct { manifest: manifest.text()?, secrets, disks })
}

/// A disk of the VM, and its member of the artifact. Sets its sizes in the manifest.
fn disk(
    folder: &Path,
    name: &str,
    asset: &mut Asset,
    logical: &mut Option<u64>,
    open: Open,
) -> Result<(Member, Disk), String> {
    let path = disk_file(folder, name)?;
    let disk = open(&path).map_err(|error| error.to_string())?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
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
            let (template, folder, version) = (&self.template, self.folder.path(), self.version);
            let engine = Path::new("smolvm");
            let known = Known { vm: &listed, record: &record, trial: &trial, template, folder, engine, version };
            direct(&known, &mut Disk::open)
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
    fn a_vm_that_was_frozen_live_is_known() {
        let mut vm = Vm::new();
        vm.record["checkpoint_head"] = json!({"id": "0123", "generation": 2});
        vm.direct().unwrap();
    }

    #[test]
    fn a_vm_s_settings_replace_those_of_its_image() {
        let vm = Vm::new();
        let (mut manifest, record) =
            (Manifest::of_trial(&vm.template).unwrap(), json!({"env": [["A", "1"], ["B", "2"]]}));
        let settings = Record::parse(&record.to_string()).unwrap().settings().unwrap();
        let env = Some(["A=of the image", "AA=x"].map(str::to_owned).to_vec());
        let image = ImageSettings { env, user: Some("7:8".to_owned()) };
        manifest.set(&serde_json::from_value(vm.listed).unwrap(), settings, image);
        let manifest: Value = serde_json::from_str(&manifest.text().unwrap()).unwrap();
        assert_eq!((&manifest["env"], &manifest["user"]), (&json!(["AA=x", "A=1", "B=2"]), &json!("7:8")));
    }

    #[test]
    fn an_old_engine_packs_only_one_disk() {
        let vm = Vm { version: Version(1, 8, 3), ..Vm::new() };
        assert_eq!(vm.direct().unwrap().disks.len(), 1);
    }

    #[test]
    fn a_vm_that_was_made_from_a_checkpoint_is_known() {
        let mut vm = Vm::new();
        (vm.record["forkable"], vm.record["host_uid_owner"]) = (json!(true), json!("dev"));
        vm.record["fork_lineage_pid_start_time"] = json!(5);
        File::create(vm.folder.path().join(".smolcheckpoint-overlay-1.raw")).unwrap();
        assert!(vm.direct().is_ok());
    }

    #[test]
    fn what_is_not_known_is_left_to_the_engine() {
        type Change = fn(&mut Vm);
        let cases: [(&str, Change); 14] = [
            ("bottle-freeze does not know the disks of smolvm 1.33.0", |vm| vm.version = Version(1, 33, 0)),
            ("it is not a bare VM", |vm| vm.listed["image"] = json!("alpine")),
            ("it is removed when it stops", |vm| vm.listed["ephemeral"] = json!(true)),
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
