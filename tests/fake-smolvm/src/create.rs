//! `machine create`: a new VM, empty or from an artifact.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::ArgMatches;
use serde_json::{Map, Value, json};

use crate::commands::{given, number, text, texts};
use crate::facts::Fact;
use crate::machines::{DEFAULT_CPUS, DEFAULT_MEM, Record, check_name};
use crate::version::Version;
use crate::{Engine, artifact, settings};

pub fn create(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = texts(args, "name").into_iter().next().unwrap_or_else(invent_name);
    let record = described_by(engine.version, &name, args)?;
    let from = args.get_one::<PathBuf>("from");
    check_name(&name).map_err(refused)?;
    if engine.store.get(&name)?.is_some() {
        return Err(taken(engine.version, &name));
    }
    if from.is_none() {
        check_image(engine.version, &record)?;
    }
    let _lock = engine.store.lock_database(engine.version, &format!("reserve vm '{name}'"))?;
    if !engine.store.reserve(&name)? {
        return Err(taken(engine.version, &name));
    }
    let made = fill(engine, record, from.map(PathBuf::as_path), args);
    let record = match made {
        Ok(record) => record,
        Err(error) => {
            std::fs::remove_dir_all(engine.store.vm_dir(&name))?;
            return Err(error);
        }
    };
    announce(engine.version, &record);
    Ok(0)
}

fn refused(error: anyhow::Error) -> anyhow::Error {
    error.context("config operation failed: create machine")
}

fn taken(version: Version, name: &str) -> anyhow::Error {
    let more = if version.has(Fact::ReservesNames) { " or is being created" } else { "" };
    refused(anyhow!("machine '{name}' already exists{more}"))
}

/// Pid and time make it different from any other name of this run.
fn invent_name() -> String {
    let seed = Record::new("").seq ^ (u64::from(std::process::id()) << 20);
    format!("vm-{:08x}", crc32fast::hash(&seed.to_le_bytes()))
}

/// The VM that the flags describe.
fn described_by(version: Version, name: &str, args: &ArgMatches) -> Result<Record> {
    let cidrs = texts(args, "allow-cidr");
    let from_artifact = args.get_one::<PathBuf>("from").is_some();
    let (settings, opens) = settings::recorded(version, args, from_artifact);
    let record = Record {
        cpus: number(args, "cpus").unwrap_or(DEFAULT_CPUS),
        mem: number(args, "mem").unwrap_or(DEFAULT_MEM),
        storage: number(args, "storage"),
        overlay: number(args, "overlay"),
        image: text(args, "image").map(|image| match std::fs::canonicalize(&image) {
            Ok(folder) if image.contains('/') => format!("local-dir:{}", folder.display()),
            _ => image,
        }),
        network: given(args, "net")
            || given(args, "outbound-localhost-only")
            || !cidrs.is_empty()
            || !texts(args, "allow-host").is_empty()
            || opens,
        settings,
        // Silently dropped beside --from.
        secret_refs: if from_artifact { Map::new() } else { secret_refs(args) },
        cidrs,
        ports: texts(args, "port"),
        mounts: texts(args, "volume"),
        env: smolfile_env(args)?
            .into_iter()
            .chain(texts(args, "env").iter().filter_map(|pair| env_pair(version, pair)))
            .collect(),
        workdir: text(args, "workdir"),
        cmd: workload(version, args),
        labels: texts(args, "label")
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..Record::new(name)
    };
    if record.cpus == 0 {
        bail!("config operation failed: validate resources: CPU count must be at least 1");
    }
    for mount in &record.mounts {
        check_mount(version, mount)?;
    }
    Ok(record)
}

/// The `KEY=SOURCE` pairs of each option for secrets.
fn secret_refs(args: &ArgMatches) -> Map<String, Value> {
    let kinds = [("secret-env", "from_env"), ("secret-file", "from_file"), ("secret-keychain", "from_keychain")];
    let pairs =
        kinds.into_iter().flat_map(|(option, kind)| texts(args, option).into_iter().map(move |pair| (kind, pair)));
    pairs
        .filter_map(|(kind, pair)| {
            let (key, source) = pair.split_once('=')?;
            Some((key.to_owned(), json!({kind: source})))
        })
        .collect()
}

/// The words after `--`; if NAME is positional, the words after NAME.
fn workload(version: Version, args: &ArgMatches) -> Vec<String> {
    let id = if version.has(Fact::NameFlags) { "command" } else { "name" };
    let skipped = usize::from(!version.has(Fact::NameFlags));
    texts(args, id).into_iter().skip(skipped).collect()
}

/// The variables of a one-line Smolfile, `env = [...]`, trimmed.
fn smolfile_env(args: &ArgMatches) -> Result<Vec<String>> {
    let Some(file) = args.get_one::<PathBuf>("smolfile") else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file)?;
    let list = text.lines().find_map(|line| line.strip_prefix("env = ")).unwrap_or("[]");
    let pairs: Vec<String> = serde_json::from_str(list)?;
    Ok(pairs.iter().map(|pair| pair.trim().to_owned()).collect())
}

/// `KEY=VALUE` unchanged; `KEY` with the host's value, or not at all.
pub fn env_pair(version: Version, pair: &str) -> Option<String> {
    if pair.contains('=') {
        return Some(pair.to_owned());
    }
    let value = std::env::var(pair).ok().filter(|_| version.has(Fact::EnvByName))?;
    Some(format!("{pair}={value}"))
}

fn check_mount(version: Version, mount: &str) -> Result<()> {
    let Some((source, _)) = mount.split_once(':') else {
        let staged = if version.has(Fact::StagedMounts) { "|:staged" } else { "" };
        bail!("invalid mount path: invalid format '{mount}' (expected host:guest[:ro|:rw{staged}])")
    };
    if !Path::new(source).is_absolute() || !Path::new(source).exists() {
        bail!("mount source not found: {source}");
    }
    Ok(())
}

fn check_image(version: Version, record: &Record) -> Result<()> {
    let Some(image) = &record.image else {
        return Ok(());
    };
    let reachable = record.network || !record.ports.is_empty() || record.has_local_image();
    if version.has(Fact::NetForImages) && !reachable {
        bail!(
            "config operation failed: create machine: image '{image}' must be pulled from a registry, but this \
             machine has no network, so the pull can never succeed. Add --net (or publish a port with -p, or set \
             an egress policy with --allow-cidr/--allow-host). To keep the machine network-isolated, supply the \
             image locally instead: `docker save {image} | smolvm machine create --image - ...`"
        );
    }
    Ok(())
}

/// Writes the VM into the folder that was reserved for it.
fn fill(engine: &Engine, mut record: Record, from: Option<&Path>, args: &ArgMatches) -> Result<Record> {
    engine.faults.hit(engine, "before")?;
    if let Some(from) = from {
        let manifest = artifact::restore(engine, &record.name, from)?;
        if manifest["checkpoint"].is_object() {
            continue_from(&mut record, &manifest, args)?;
        }
        inherit(engine.version, &mut record, &manifest, args);
        record.source = Some(from.to_owned());
    }
    engine.store.save(&record)?;
    engine.faults.hit(engine, "after")?;
    Ok(record)
}

/// A checkpoint has its own network, and accepts no other.
fn continue_from(record: &mut Record, manifest: &serde_json::Value, args: &ArgMatches) -> Result<()> {
    let differs = |id: &str, key: &str| number(args, id).is_some_and(|n| manifest[key] != n);
    let changes = ["storage", "overlay"].iter().any(|id| number(args, id).is_some())
        || record.network
        || !record.ports.is_empty()
        || differs("cpus", "cpus")
        || differs("mem", "mem");
    if changes {
        bail!(
            "config operation failed: create from .smolcheckpoint: a live checkpoint must restore its captured CPU, \
             memory, disk, and device topology; topology-changing create flags are not supported"
        );
    }
    // Recorded also if it is the default (seen from 1.32.2).
    (record.storage, record.overlay) = (record.storage.or(Some(20)), record.overlay.or(Some(10)));
    let list = |key: &str| serde_json::from_value(manifest["checkpoint"]["network"][key].clone());
    (record.cidrs, record.ports) = (list("allowed_cidrs")?, list("ports")?);
    Ok(())
}

/// What a restored VM takes from its artifact; everything else is a default or set by flags.
fn inherit(version: Version, record: &mut Record, manifest: &serde_json::Value, args: &ArgMatches) {
    let packed = |key: &str| manifest[key].as_u64().and_then(|n| u32::try_from(n).ok());
    let list = |key: &str| -> Vec<String> {
        manifest[key].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let asked = |id: &str| version.has(Fact::DefaultsBesideFrom) && number(args, id).is_some();
    if record.cpus == DEFAULT_CPUS && !asked("cpus") {
        record.cpus = packed("cpus").unwrap_or(DEFAULT_CPUS);
    }
    if record.mem == DEFAULT_MEM && !asked("mem") {
        record.mem = packed("mem").unwrap_or(DEFAULT_MEM);
    }
    if !version.has(Fact::AllowListBesideFrom) {
        record.cidrs.clear();
        record.network = given(args, "net");
    }
    record.network |= manifest["network"].as_bool().unwrap_or(false);
    record.env.splice(0..0, list("env"));
    record.entrypoint = list("entrypoint");
    if record.cmd.is_empty() {
        record.cmd = list("cmd");
    }
    if manifest["gpu"] == true {
        record.settings.insert("gpu".into(), true.into());
    }
    // -w is ignored beside --from, in every version.
    record.workdir = manifest["workdir"].as_str().map(str::to_owned);
    record.image = manifest["image"].as_str().filter(|_| manifest["mode"] == "container").map(str::to_owned);
}

fn announce(version: Version, record: &Record) {
    let name = &record.name;
    println!("Created machine: {name}");
    println!("  CPUs: {}, Memory: {} MiB", record.cpus, record.mem);
    if !record.mounts.is_empty() {
        println!("  Mounts: {}", record.mounts.len());
    }
    if !record.ports.is_empty() {
        println!("  Ports: {}", record.ports.len());
    }
    println!("\nUse 'smolvm machine start --name {name}' to start the machine");
    if version.has(Fact::NameFlags) {
        println!("Then use 'smolvm machine exec --name {name} -- <command>' to run commands");
    }
}
