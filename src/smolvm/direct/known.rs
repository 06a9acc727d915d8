//! What is known of VMs that are frozen without the engine: their settings, and the files in their folders.

use crate::smolvm::disk::is_of_checkpoint;
use crate::smolvm::machine::{Machine, State};
use crate::smolvm::record::Record;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Settings that no pack holds, and that change no disk: the engine's pack of a VM with any of them is that of one without.
#[rustfmt::skip]
const NOT_PACKED: [&str; 48] = [
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
    // The artifact that it was made from: its disks lie below the VM's own. Its last checkpoint, which shares nothing with it.
    "source_smolmachine", "checkpoint_head",
    // A VM that was made from a checkpoint, and one of which there is a checkpoint.
    "forkable", "host_uid_owner", "fork_lineage_pid_start_time",
];

/// Settings that a pack holds.
const PACKED: [&str; 10] = ["cpus", "mem", "entrypoint", "cmd", "env", "workdir", "user", "gpu", "cuda", "secret_refs"];

/// The files and folders in the folder of a VM that hold nothing of it. Sockets hold nothing either.
#[rustfmt::skip]
const FILES: [&str; 23] = [
    ".pack-shared", ".portable-checkpoint-memory.bin", ".vm-uid", "agent-console.log", "agent-console.prev.log", "agent-startup-error.log", "agent.config.json", "agent.pid",
    "boot-config.json", "egress", "name", "overlay.formatted", "pack", "pack.lock", "packed-layers-dax-window",
    "smolvm_attach_ro", "smolvm_attach_rw", "storage.formatted", "storage.seed", "vm.lock", "vmm-exit.json", "vmm-stop-requested", "workload.log",
];
/// The disks of a VM.
const DISKS: [&str; 4] = ["overlay.raw", "overlay.qcow2", "storage.raw", "storage.qcow2"];

/// Whether the VM has known settings only. The image of a VM that has one is known.
pub fn check_vm(vm: &Machine, record: &Record, trial: &Record) -> Result<(), String> {
    if vm.ephemeral {
        return Err("it is removed when it stops".to_owned());
    }
    if !matches!(vm.state, State::Created | State::Stopped | State::Failed) {
        return Err(format!("it is {}", vm.state));
    }
    if record.get("name") != vm.name.as_str() || record.get("created_at").as_u64() != vm.created_at {
        return Err("what smolvm recorded is of another VM".to_owned());
    }
    let has_image = vm.image.is_some() && record.get("image").as_str() == vm.image.as_deref();
    let is_known = |key: &str| NOT_PACKED.contains(&key) || PACKED.contains(&key) || has_image && key == "image";
    let mut keys = record.keys().chain(trial.keys()).filter(|key| !is_known(key));
    match keys.find(|key| record.get(key) != trial.get(key)) {
        Some(key) => Err(format!("bottle-freeze does not know its setting {key:?}")),
        None => Ok(()),
    }
}

/// Whether the folder of a VM holds only what is known.
pub fn check_files(folder: &Path) -> Result<(), String> {
    let unreadable = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let is_known = FILES.iter().chain(&DISKS).any(|known| name == *known)
            || is_of_checkpoint(&name)
            || entry.file_type().map_err(unreadable)?.is_socket();
        if !is_known {
            return Err(format!("its folder has an unknown file: {}", name.to_string_lossy()));
        }
    }
    Ok(())
}

/// The file of a disk of the VM.
///
/// # Errors
/// There is none, or more than one.
pub fn disk_file(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let mut files = ["raw", "qcow2"].map(|ending| folder.join(name).with_extension(ending)).into_iter();
    let mut next = || files.find(|path| path.symlink_metadata().is_ok());
    match (next(), next()) {
        (Some(path), None) => Ok(path),
        _ => Err(format!("it does not have exactly one {name} disk")),
    }
}
