//! `pack create`: writes the launcher and its sidecar as the engine does: in place, in steps.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use clap::ArgMatches;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::{given, name_or_default, number, text};
use crate::facts::Fact;
use crate::machines::{DEFAULT_CPUS, DEFAULT_MEM, Record};
use crate::version::Version;
use crate::vmm;
use crate::{Engine, artifact, assets, stored};

const LAUNCHER_SIZE: usize = 4096;

pub fn create(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let out = args.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    refuse_sidecar_name(engine.version, &out)?;
    let record = match text(args, "from-vm") {
        Some(name) => packable(engine, &name)?,
        None => image_record(args),
    };
    let _helper = Helper::for_image_of(engine, &record)?;
    let staging = stage(engine, &record, args)?;
    engine.faults.hit(engine, "staged")?;
    let scratch = tempfile::Builder::new().prefix(".tmp").tempdir().context("create a temporary folder")?;
    let _lock = admission(engine.version)?;
    let assets = assets::compress(staging.path(), scratch.path())?;
    let manifest = manifest(engine, &record, staging.path(), args)?;
    write_pair(engine, &out, &assets, &serde_json::to_vec_pretty(&manifest)?)?;
    engine.faults.hit(engine, "end")?;
    say_done(&out)?;
    Ok(0)
}

/// A lock in the cache folder, so that only one pack compresses at a time; the stand-in only checks that it can be
/// created.
fn admission(version: Version) -> Result<Option<File>> {
    let cache = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/smolvm"));
    let Some(cache) = cache.filter(|_| version.has(Fact::PackLock)) else { return Ok(None) };
    let lock = fs::create_dir_all(&cache).and_then(|()| tempfile::tempfile_in(&cache));
    let what = "agent operation failed: pack binary: compression error: acquire compression admission at";
    lock.map(Some).with_context(|| format!("{what} {}", cache.display()))
}

fn refuse_sidecar_name(version: Version, out: &Path) -> Result<()> {
    let text = out.to_string_lossy();
    match text.strip_suffix(".smolmachine") {
        Some(stub) if version.has(Fact::LauncherNames) => bail!(
            "config operation failed: pack create: --output names the executable stub, not the .smolmachine \
             sidecar (which is created automatically as '<output>.smolmachine'). Use --output {stub} instead."
        ),
        _ => Ok(()),
    }
}

/// The VM, unless the engine refuses. It only checks for a live process behind a record that says running.
fn packable(engine: &Engine, name: &str) -> Result<Record> {
    let Some(record) = engine.store.get(name)? else {
        bail!("agent operation failed: pack from VM: VM '{name}' not found")
    };
    if record.looks_running() {
        bail!(
            "agent operation failed: pack from VM: VM '{name}' is running. Stop it first with: \
             smolvm machine stop --name {name}"
        );
    }
    if record.has_local_image() && !engine.version.has(Fact::LocalImages) {
        bail!(
            "agent operation failed: pack from VM: VM '{name}' was created from a local image ({}); only \
             machines of a REGISTRY image can be packed",
            record.image.unwrap_or_default()
        );
    }
    Ok(record)
}

/// The helper VM that packs an image, in its own session: it survives an engine that is killed or interrupted.
struct Helper {
    pid: u32,
    folder: PathBuf,
}

impl Helper {
    fn for_image_of(engine: &Engine, record: &Record) -> Result<Option<Self>> {
        if record.image.is_none() {
            return Ok(None);
        }
        let name = format!("pack-fromvm-{}-1", std::process::id());
        let folder = engine.store.vm_dir(&name);
        fs::create_dir(&folder)?;
        fs::write(folder.join("name"), &name)?;
        let pid = vmm::spawn(&folder)?;
        Ok(Some(Self { pid, folder }))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = vmm::kill(self.pid);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What `pack create --image` packs: the image on an empty disk.
fn image_record(args: &ArgMatches) -> Record {
    Record { image: text(args, "image"), ..Record::new("") }
}

/// Copies the disks into a staging folder, at the place where this version puts it.
fn stage(engine: &Engine, record: &Record, args: &ArgMatches) -> Result<TempDir> {
    let staging = staging_dir(engine.version, args)?;
    let root = engine.store.root_disk(&record.name);
    let missing = || {
        anyhow!(
            "agent operation failed: pack from VM: overlay disk not found at {}/overlay.raw. \
             The VM may not have been started yet.",
            engine.store.vm_dir(&record.name).display()
        )
    };
    if record.name.is_empty() {
        println!("Starting agent VM...");
        assets::stage_image(staging.path(), &root, None)?;
        return Ok(staging);
    }
    // It only checks that the disk's file exists: an empty one will do.
    let is_there = root.is_dir() || engine.store.vm_dir(&record.name).join("overlay.raw").is_file();
    // Older versions check before they print anything.
    if !is_there && !engine.version.has(Fact::BareWorkspace) {
        return Err(missing());
    }
    println!("Packing VM '{}' snapshot...\nCollecting runtime libraries...", record.name);
    println!("Collecting agent rootfs...\nCreating storage template...");
    if !is_there {
        return Err(missing());
    }
    let with_workspace = takes_workspace(engine.version, record, given(args, "include-workspace"));
    say_copying(engine, record, with_workspace);
    let workspace = engine.store.workspace_disk(&record.name);
    let workspace = with_workspace.then_some(workspace.as_path());
    let stage = if record.image.is_some() { assets::stage_image } else { assets::stage_disks };
    stage(staging.path(), &root, workspace)?;
    Ok(staging)
}

/// Whether the storage disk with /workspace is packed: of bare VMs since 1.9.0, of image VMs only on request.
fn takes_workspace(version: Version, record: &Record, asked: bool) -> bool {
    if record.image.is_some() { asked } else { version.has(Fact::BareWorkspace) }
}

fn say_copying(engine: &Engine, record: &Record, with_workspace: bool) {
    let dir = engine.store.vm_dir(&record.name);
    if record.image.is_some() {
        println!("Starting agent VM to export machine state...\nFlattening 1 layer(s) ...");
        if with_workspace {
            println!("Capturing /workspace...");
        }
        return;
    }
    println!("Copying overlay disk ({})...", dir.join("overlay.raw").display());
    if with_workspace {
        println!("Copying storage disk ({})...", dir.join("storage.raw").display());
    }
}

fn staging_dir(version: Version, args: &ArgMatches) -> Result<TempDir> {
    if !version.has(Fact::StagingDir) {
        return Ok(tempfile::Builder::new().prefix(".tmp").tempdir()?);
    }
    let parent = args
        .get_one::<PathBuf>("staging-dir")
        .cloned()
        .or_else(|| std::env::var_os("SMOLVM_PACK_STAGING").map(PathBuf::from))
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/smolvm")))
        .unwrap_or_else(std::env::temp_dir);
    fs::create_dir_all(&parent)?;
    Ok(tempfile::Builder::new().prefix("pack-staging-").tempdir_in(parent)?)
}

/// Truncates the old pair and writes the new one over it, the launcher first, without any precaution.
fn write_pair(engine: &Engine, out: &Path, assets: &[u8], manifest: &[u8]) -> Result<()> {
    spin(&["⠋", "⠙", "⠹"]);
    let written = write_steps(engine, out, assets, manifest);
    println!("\r\x1b[KAssembling packed binary done");
    written
}

fn write_steps(engine: &Engine, out: &Path, assets: &[u8], manifest: &[u8]) -> Result<()> {
    let mut launcher = File::create(out).map_err(|error| io_error(&error))?;
    let mut stub = b"\x7fELF fake launcher".to_vec();
    stub.resize(LAUNCHER_SIZE, 0);
    launcher.write_all(&stub)?;
    launcher.set_permissions(fs::Permissions::from_mode(0o755))?;
    let mut sidecar = File::create(sidecar(out)).map_err(|error| io_error(&error))?;
    engine.faults.hit(engine, "launcher")?;
    let footer = artifact::footer(assets, manifest);
    let whole = [assets, manifest, &footer].concat();
    let (first, second) = whole.split_at(whole.len() / 2);
    sidecar.write_all(first)?;
    engine.faults.hit(engine, "half")?;
    sidecar.write_all(second)?;
    Ok(())
}

fn io_error(error: &std::io::Error) -> anyhow::Error {
    // Rust's own text for this error is longer for a folder.
    let text = match error.kind() {
        ErrorKind::IsADirectory => "Is a directory (os error 21)".to_owned(),
        _ => error.to_string(),
    };
    anyhow!("agent operation failed: pack binary: I/O error: {text}")
}

fn sidecar(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".smolmachine");
    name.into()
}

fn spin(frames: &[&str]) {
    for frame in frames {
        print!("\r{frame} Assembling packed binary\x1b[K");
    }
}

fn say_done(out: &Path) -> Result<()> {
    let sidecar = sidecar(out);
    let assets = fs::metadata(&sidecar)?.len() / 1024;
    let stub = LAUNCHER_SIZE as u64 / 1024;
    println!("Packed: {} (stub: {stub}KB, total: {}KB)", out.display(), stub + assets);
    println!("Assets: {} ({assets}KB compressed)\n", sidecar.display());
    println!("Run with: {}\nNote: Keep the .smolmachine file alongside the binary", out.display());
    println!("Options: --help for usage");
    Ok(())
}

fn manifest(engine: &Engine, record: &Record, staged: &Path, args: &ArgMatches) -> Result<Value> {
    let version = engine.version;
    let (cpus, mem) = match (version.has(Fact::PacksResources), record.name.is_empty()) {
        (true, false) => (record.cpus, record.mem),
        _ => (DEFAULT_CPUS, DEFAULT_MEM),
    };
    let bare = record.image.is_none();
    let mut manifest = json!({
        "mode": if bare { "vm" } else { "container" },
        "image": record.image.clone().unwrap_or_else(|| format!("vm://{}", record.name)),
        "digest": if bare { "none" } else { "sha256:fa4e" },
        "platform": platform(),
        "cpus": number(args, "cpus").unwrap_or(cpus),
        "mem": number(args, "mem").unwrap_or(mem),
        "image_size": 0,
        "network": record.network && !smolfile_closes_network(args)?,
        "gpu": record.settings.contains_key("gpu"),
        "host_platform": platform(),
        "created": rfc3339(SystemTime::now())?,
        "smolvm_version": version.to_string(),
        "assets": assets(version, record, staged)?,
    });
    let mut entrypoint = record.entrypoint.clone();
    if entrypoint.is_empty() && !version.has(Fact::NoEntrypoint) {
        entrypoint.push("/bin/sh".into());
    }
    let optional = [
        ("entrypoint", json!(entrypoint), !entrypoint.is_empty()),
        ("cmd", json!(record.cmd), !record.cmd.is_empty()),
        ("env", json!(record.env), !record.env.is_empty()),
        ("workdir", json!(record.workdir), record.workdir.is_some()),
        ("cuda", json!(record.settings.contains_key("cuda")), version.has(Fact::CudaInPacks)),
        ("secret_refs", json!(record.secret_refs), !record.secret_refs.is_empty()),
    ];
    for (key, value, there) in optional {
        if there {
            manifest[key] = value;
        }
    }
    Ok(manifest)
}

fn assets(version: Version, record: &Record, staged: &Path) -> Result<Value> {
    const DISK: u64 = 64 << 20;
    let size = |name: &str| -> Result<u64> { Ok(fs::metadata(assets::staged(staged).join(name))?.len()) };
    let mut assets = json!({
        "libraries": [{"path": "lib/libkrun.so", "size": 1}, {"path": "lib/libkrunfw.so.5", "size": 1}],
        "agent_rootfs": {"path": "agent-rootfs.tar", "size": size("agent-rootfs.tar")?},
        "layers": [],
        "storage_template": {"path": "storage.ext4", "size": size("storage.ext4")?},
    });
    if record.image.is_some() {
        let (path, digest) = (assets::layer(), format!("sha256:{}", "fa4e".repeat(16)));
        if let Ok(size) = size(&path) {
            assets["layers"] = json!([{"digest": digest, "path": path, "size": size}]);
        }
        if let Ok(size) = size(assets::SEED) {
            assets["workspace_seed"] = json!({"path": assets::SEED, "size": size});
        }
    } else {
        let overlay = size("overlay.raw")?;
        assets["overlay_template"] = json!({"path": "overlay.raw", "size": overlay});
        assets["overlay_logical_size"] = json!(overlay.max(DISK));
        if version.has(Fact::BareWorkspace) {
            assets["storage_logical_size"] = json!(size("storage.ext4")?.max(DISK));
        }
    }
    Ok(assets)
}

fn platform() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{arch}")
}

/// Only `net = false` in a Smolfile matters here.
fn smolfile_closes_network(args: &ArgMatches) -> Result<bool> {
    let Some(file) = args.get_one::<PathBuf>("smolfile") else {
        return Ok(false);
    };
    let text =
        fs::read_to_string(file).with_context(|| format!("config operation failed: smolfile {}", file.display()))?;
    Ok(text.lines().any(|line| line.split_whitespace().collect::<String>() == "net=false"))
}

/// UTC, from days since 1970 by Howard Hinnant's `civil_from_days`.
fn rfc3339(time: SystemTime) -> Result<String> {
    let seconds = time.duration_since(UNIX_EPOCH)?.as_secs();
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

pub fn run(_engine: &Engine, args: &ArgMatches) -> Result<i32> {
    if !given(args, "info") {
        bail!("fake-smolvm plays only 'pack run --info'");
    }
    artifact::print_info(&args.get_one::<PathBuf>("sidecar").cloned().unwrap_or_default())?;
    Ok(0)
}

/// A checkpoint of a running VM: a single file with the same footer; the VM continues.
pub fn checkpoint(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = name_or_default(args);
    let out = args.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    let suffix = if engine.version.has(Fact::CheckpointEnding) { "checkpoint" } else { "smolcheckpoint" };
    let extension = out.extension().unwrap_or_default();
    if extension != suffix && extension != "smolcheckpoint" {
        bail!("config operation failed: checkpoint machine: output must end in .{suffix}");
    }
    let record = engine.store.find(&name)?;
    if record.live_state() != "running" {
        bail!("agent operation failed: checkpoint machine: machine '{name}' must be running");
    }
    let profile = if record.has_local_image() { "host-backed image layers" } else { "host mounts" };
    if record.has_local_image() || !record.mounts.is_empty() {
        bail!(
            "config operation failed: checkpoint machine: the initial portable checkpoint profile does not support \
             {profile}; stop or detach these resources before capture"
        );
    }
    let store = engine.version.has(Fact::StoredCheckpoints).then(|| args.get_one::<PathBuf>("store")).flatten();
    if store.is_some() && !engine.version.has(Fact::StoresAnyVm) {
        bail!(
            "agent operation failed: checkpoint machine: libkrun save failed: ERR ENOTSUP VM snapshot/restore failed: \
             retain COW guest-memory generation: deferred durable save requires file-backed guest RAM"
        );
    }
    let staging = match store {
        Some(store) => stored::staging_dir(store)?,
        None => staging_dir(engine.version, args)?,
    };
    let workspace = engine.store.workspace_disk(&name);
    assets::stage_disks(staging.path(), &engine.store.root_disk(&name), Some(&workspace))?;
    assets::stage_ram(staging.path())?;
    engine.faults.hit(engine, "staged")?;
    let manifest = json!({
        "mode": "vm", "image": format!("vm://{name}"), "digest": "none", "platform": platform(),
        "cpus": record.cpus, "mem": record.mem, "network": record.network, "env": record.env,
        "host_platform": platform(), "created": rfc3339(SystemTime::now())?,
        "smolvm_version": engine.version.to_string(), "assets": assets_of_checkpoint(),
        "checkpoint": {"version": 4, "cpus": record.cpus, "network": {
            "enabled": record.network, "ports": record.ports, "allowed_cidrs": record.cidrs,
        }},
    });
    if let Some(store) = store {
        stored::write(store, &out, &assets::staged(staging.path()), manifest, &name)?;
    } else {
        let scratch = tempfile::Builder::new().prefix(".tmp").tempdir()?;
        let assets = assets::compress(staging.path(), scratch.path())?;
        let manifest = serde_json::to_vec_pretty(&manifest)?;
        let footer = artifact::footer(&assets, &manifest);
        fs::write(&out, [&assets[..], &manifest, &footer].concat()).map_err(|error| io_error(&error))?;
    }
    engine.faults.hit(engine, "end")?;
    println!("Source resumed after 0.125s; packaging continued in the background");
    println!("Checkpointed '{name}' to {} (1 MiB written, 0.250s total, 0.125s source pause)", out.display());
    Ok(0)
}

fn assets_of_checkpoint() -> Value {
    json!({"libraries": [], "layers": []})
}
