//! `machine ls` and `machine status`.

use anyhow::{Result, bail};
use clap::ArgMatches;
use serde_json::{Map, Value, json};

use crate::Engine;
use crate::commands::{given, name_or_default, text};
use crate::facts::Fact;
use crate::machines::Record;
use crate::settings::is_listed_if_there;
use crate::version::Version;

pub fn ls(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let records = engine.store.all(engine.version)?;
    if !given(args, "json") {
        print_table(&records);
        return Ok(0);
    }
    let entries: Vec<Value> = records.iter().map(|record| entry(engine.version, record)).collect();
    let text = serde_json::to_string_pretty(&entries)?;
    if engine.faults.half_json() {
        print!("{}", text.chars().take(text.chars().count() / 2).collect::<String>());
    } else {
        println!("{text}");
    }
    Ok(0)
}

fn print_table(records: &[Record]) {
    if records.is_empty() {
        println!("No machines found");
        return;
    }
    let header = "NAME                 STATE         CPUS     MEMORY  MOUNTS   PORTS  STORAGE  OVERLAY";
    println!("{header}\n{}", "-".repeat(88));
    for record in records {
        println!(
            "{:<20} {:<11} {:>6} {:>6} MiB {:>7} {:>7} {:>4} GiB {:>4} GiB",
            record.name,
            record.live_state(),
            record.cpus,
            record.mem,
            record.mounts.len(),
            record.ports.len(),
            record.storage.unwrap_or(20),
            record.overlay.unwrap_or(10),
        );
    }
}

pub fn status(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = name_or_default(args);
    let Some(record) = engine.store.get(&name)? else {
        if given(args, "json") {
            bail!("config operation failed: machine status: machine '{name}' not found");
        }
        bail!("vm not found: {name}");
    };
    if !engine.version.has(Fact::DisksOnStart) {
        engine.store.make_disks(&name)?;
    }
    if given(args, "json") {
        println!("{}", serde_json::to_string_pretty(&entry(engine.version, &record))?);
        return Ok(0);
    }
    let state = match (engine.version.has(Fact::ShowsStates), record.live_state()) {
        (true, state) => state,
        (false, "running") => "running",
        (false, _) => "not running",
    };
    println!("Machine '{}': {state}", text(args, "name").unwrap_or(name));
    Ok(0)
}

/// The object for one VM: later versions added keys, and removed none.
fn entry(version: Version, record: &Record) -> Value {
    let mut entry = first_keys(record);
    let mut add = |since: bool, more: Value| {
        if let (true, Value::Object(more)) = (since, more) {
            entry.extend(more);
        }
    };
    add(version.has(Fact::Forkpoints), json!({"forkpoint_held": false}));
    add(
        version.has(Fact::Labels),
        json!({"cuda": false, "forkable": false, "cuda_fork_pool_size": null, "cuda_vram_limit_mib": null,
               "labels": record.labels}),
    );
    add(
        version.has(Fact::Branches),
        json!({"branchable": false, "branchpoint_held": false, "cuda_branch_pool_size": null,
               "parent_machine": null}),
    );
    add(version.has(Fact::BlockIo), json!({"block_io": "sync"}));
    add(version.has(Fact::ExtraDisks), json!({"disks": []}));
    add(version.has(Fact::Detached), json!({"detached": false}));
    add(version.has(Fact::Durability), json!({"disk_durability": "full"}));
    add(version.has(Fact::ListsAllowList) && !record.cidrs.is_empty(), json!({"allowed_cidrs": record.cidrs}));
    add(version.has(Fact::StartHint), json!({"state_reason": null}));
    for (key, value) in &record.settings {
        if entry.contains_key(key) || is_listed_if_there(version, key) {
            entry.insert(key.clone(), value.clone());
        }
    }
    Value::Object(entry)
}

/// The keys of 0.8.0.
fn first_keys(record: &Record) -> Map<String, Value> {
    let keys = json!({
        "name": record.name,
        "state": record.live_state(),
        "cpus": record.cpus,
        "memory_mib": record.mem,
        "pid": record.pid,
        "mounts": record.mounts.len(),
        "ports": record.ports.len(),
        "created_at": record.created_at,
        "storage_gb": record.storage,
        "overlay_gb": record.overlay,
        "image": record.image,
        "entrypoint": record.entrypoint,
        "cmd": record.cmd,
        "ephemeral": record.ephemeral,
        "gpu": false,
        "gpu_vram_mib": null,
        "restart_policy": "never",
        "restart_max_retries": 0,
        "restart_count": 0,
        "health_cmd": null,
        "health_interval_secs": null,
        "health_timeout_secs": null,
        "health_retries": null,
        "health_startup_grace_secs": null,
        "network": record.network,
    });
    match keys {
        Value::Object(keys) => keys,
        _ => Map::new(),
    }
}
