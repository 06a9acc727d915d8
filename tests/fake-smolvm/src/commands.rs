//! The commands that change the state of a VM: start, stop, pause, resume, delete, update.

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use clap::ArgMatches;

use crate::facts::Fact;
use crate::machines::Record;
use crate::{Engine, vmm};

pub fn texts(args: &ArgMatches, id: &str) -> Vec<String> {
    // A flag that this version does not have counts as not given.
    args.try_get_many::<String>(id).ok().flatten().map(|all| all.cloned().collect()).unwrap_or_default()
}

pub fn text(args: &ArgMatches, id: &str) -> Option<String> {
    texts(args, id).pop()
}

pub fn given(args: &ArgMatches, id: &str) -> bool {
    args.try_get_one::<bool>(id).ok().flatten().copied().unwrap_or(false)
}

pub fn number(args: &ArgMatches, id: &str) -> Option<u32> {
    args.get_one::<u32>(id).copied()
}

/// Without `--name`, the engine uses the VM called `default`.
pub fn name_or_default(args: &ArgMatches) -> String {
    text(args, "name").unwrap_or_else(|| "default".into())
}

/// Boots the VM whatever its state, and records it when it has booted.
pub fn boot(engine: &Engine, name: &str) -> Result<u32> {
    engine.store.make_disks(name)?;
    engine.store.touch_disks(name)?;
    let pid = vmm::spawn(&engine.store.vm_dir(name))?;
    engine.faults.hit(engine, "boot")?;
    engine.store.change(name, |record| {
        record.state = "running".into();
        record.pid = Some(pid);
    })?;
    Ok(pid)
}

pub fn start(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = name_or_default(args);
    let record = engine.store.find(&name)?;
    match record.live_state() {
        "running" => {
            println!("Machine '{name}' already running (PID: {})", record.pid.unwrap_or_default());
            return Ok(0);
        }
        "paused" | "pausing" => {
            bail!("agent operation failed: start: machine has saved execution; use resume")
        }
        "unreachable" => clean_up_unreachable(&record)?,
        _ => {}
    }
    check_source(engine, &record)?;
    if end_orphan(engine, &record)? {
        bail!(
            "agent operation failed: start machine: agent operation failed: start agent: \
             another process is already starting or running this VM"
        );
    }
    eprintln!("Starting machine '{name}'...");
    engine.faults.hit(engine, "before")?;
    let pid = boot(engine, &name)?;
    engine.faults.hit(engine, "after")?;
    println!("Machine '{name}' running (PID: {pid})");
    Ok(0)
}

/// Ends the VMM of a start that was ended early, which no record names. Returns whether this version leaves it alive.
fn end_orphan(engine: &Engine, record: &Record) -> Result<bool> {
    let Some(pid) = vmm::last(&engine.store.vm_dir(&record.name)).filter(|pid| record.pid != Some(*pid)) else {
        return Ok(false);
    };
    if !engine.version.has(Fact::EndsOrphans) {
        return Ok(true);
    }
    eprintln!("Killing orphaned _boot-vm process (PID {pid}) for machine '{}'", record.name);
    vmm::kill(pid)?;
    Ok(false)
}

fn clean_up_unreachable(record: &Record) -> Result<()> {
    let pid = record.pid.unwrap_or_default();
    println!("Machine '{}' is unreachable (PID {pid} alive but agent unresponsive); cleaning up.", record.name);
    std::io::stdout().flush()?;
    record.pid.map_or(Ok(()), vmm::kill)
}

/// Old versions read the artifact again at every start.
fn check_source(engine: &Engine, record: &Record) -> Result<()> {
    match &record.source {
        Some(source) if !engine.version.has(Fact::FreeArtifacts) && !source.exists() => {
            bail!("agent operation failed: start machine: source .smolmachine not found: {}", source.display())
        }
        _ => Ok(()),
    }
}

pub fn stop(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = name_or_default(args);
    let Some(record) = engine.store.get(&name)? else {
        return stop_missing(engine, &name, args);
    };
    match record.live_state() {
        "running" | "frozen" => println!("Stopping machine '{name}'..."),
        "unreachable" => {
            let pid = record.pid.unwrap_or_default();
            println!("Machine '{name}' is unreachable (PID {pid} alive but agent unresponsive); cleaning up.");
        }
        "paused" => {
            bail!("agent operation failed: stop: machine has saved execution; use resume or delete")
        }
        state => {
            end_orphan(engine, &record)?;
            println!("Machine '{name}' is not running (state: {state})");
            return Ok(0);
        }
    }
    std::io::stdout().flush()?;
    engine.faults.hit(engine, "before")?;
    shut_down(engine, &record)?;
    engine.faults.hit(engine, "after")?;
    println!("Stopped machine: {name}");
    Ok(0)
}

fn stop_missing(engine: &Engine, name: &str, args: &ArgMatches) -> Result<i32> {
    if text(args, "name").is_none() {
        println!("Stopping machine 'default'...\nMachine 'default' stopped");
        return Ok(0);
    }
    if !engine.version.has(Fact::ReportsMissing) {
        println!("Machine '{name}' not found or not running");
        return Ok(0);
    }
    bail!("vm not found: {name}")
}

/// Kills the VMM, and deletes an ephemeral VM.
pub fn shut_down(engine: &Engine, record: &Record) -> Result<()> {
    if let Some(pid) = record.pid {
        vmm::kill(pid)?;
    }
    if record.ephemeral {
        return engine.store.remove(&record.name);
    }
    engine.store.change(&record.name, |record| {
        record.state = "stopped".into();
        record.pid = None;
    })
}

pub fn pause(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = name_or_default(args);
    let record = engine.store.find(&name)?;
    if record.live_state() != "running" {
        bail!("agent operation failed: checkpoint machine: machine '{name}' must be running");
    }
    record.pid.map_or(Ok(()), vmm::kill)?;
    engine.store.change(&name, |record| {
        record.state = "paused".into();
        record.pid = None;
    })?;
    println!("Paused machine: {name}");
    Ok(0)
}

pub fn resume(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = name_or_default(args);
    if engine.store.find(&name)?.state != "paused" {
        bail!("agent operation failed: resume machine: machine is not paused; use start for a fresh boot");
    }
    boot(engine, &name)?;
    println!("Resumed machine: {name}");
    Ok(0)
}

pub fn delete(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = text(args, "name").unwrap_or_default();
    let record = engine.store.find(&name)?;
    if !given(args, "force") && !confirmed(engine, &name)? {
        println!("Cancelled");
        return Ok(0);
    }
    if engine.version.has(Fact::DeleteStops) {
        record.pid.map_or(Ok(()), vmm::kill)?;
    }
    engine.faults.hit(engine, "before")?;
    let lock = engine.store.lock_database(engine.version, &format!("remove vm '{name}'"));
    match lock {
        // In the oldest versions the loser of the race exits with 0 and leaves the record, later it fails, then it waits.
        Err(error) if !engine.version.has(Fact::LostDeletes) => eprintln!("WARN {error:#}"),
        Err(error) if !engine.version.has(Fact::DeletesWait) => return Err(error),
        _ => engine.store.remove(&name)?,
    }
    println!("Cleaning up data directory for vm: {name}\nDeleted machine: {name}");
    Ok(0)
}

fn confirmed(engine: &Engine, name: &str) -> Result<bool> {
    if engine.version.has(Fact::DeleteAsks) && !std::io::stdin().is_terminal() {
        bail!(
            "agent operation failed: delete: machine '{name}' needs confirmation but stdin is not a terminal; \
             pass --force to delete it, or --cascade to remove it together with any machines branched from it"
        );
    }
    eprint!("Delete machine '{name}'? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

pub fn data_dir(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let record = engine.store.find(&text(args, "name").unwrap_or_default())?;
    println!("{}", engine.store.vm_dir(&record.name).display());
    Ok(0)
}

pub fn update(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = text(args, "name").unwrap_or_default();
    let Some(mut record) = engine.store.get(&name)? else {
        bail!("config operation failed: update: machine '{name}' not found")
    };
    match record.live_state() {
        "running" => bail!("invalid vm state: expected stopped, got Running"),
        "unreachable" => bail!("invalid vm state: expected stopped, got Unreachable"),
        _ => {}
    }
    let changes = apply_update(&mut record, args);
    if changes.is_empty() {
        println!("No changes specified.");
        return Ok(0);
    }
    engine.store.save(&record)?;
    println!("Updated machine '{name}':");
    for change in changes {
        println!("  {change}");
    }
    println!("\nStart with: smolvm machine start --name {name}");
    Ok(0)
}

fn apply_update(record: &mut Record, args: &ArgMatches) -> Vec<String> {
    let mut changes = Vec::new();
    if let Some(cpus) = number(args, "cpus") {
        record.cpus = cpus;
        changes.push(format!("cpus: {cpus}"));
    }
    if let Some(mem) = number(args, "mem") {
        record.mem = mem;
        changes.push(format!("memory: {mem} MiB"));
    }
    if given(args, "net") {
        record.network = true;
        changes.push("network: enabled".into());
    }
    if given(args, "no-net") {
        record.network = false;
        changes.push("network: disabled".into());
        if !record.cidrs.is_empty() {
            record.cidrs.clear();
            changes.push("cleared allow_cidrs".into());
        }
    }
    for cidr in texts(args, "allow-cidr") {
        changes.push(format!("allow_cidr: {cidr}"));
        record.cidrs.push(cidr);
        record.network = true;
    }
    if let Some(workdir) = text(args, "workdir") {
        changes.push(format!("workdir: {workdir}"));
        record.workdir = Some(workdir);
    }
    for (id, list) in [("volume", &mut record.mounts), ("port", &mut record.ports), ("env", &mut record.env)] {
        for value in texts(args, id) {
            changes.push(format!("{id}: {value}"));
            list.push(value);
        }
    }
    for key in texts(args, "remove-env") {
        record.env.retain(|pair| pair.split('=').next() != Some(&key));
        changes.push(format!("removed env: {key}"));
    }
    for (id, size) in [("storage", &mut record.storage), ("overlay", &mut record.overlay)] {
        if let Some(gib) = number(args, id) {
            *size = Some(gib);
            changes.push(format!("{id}: {gib} GiB"));
        }
    }
    changes
}
