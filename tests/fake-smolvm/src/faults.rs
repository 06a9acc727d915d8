//! Faults that a test requests in `faults.json`.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::commands;
use crate::{Engine, vmm};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// The subcommand words that the call must begin with, or `--version`.
    on: String,
    nth: Option<u64>,
    #[serde(default = "start")]
    at: String,
    #[serde(rename = "do")]
    action: Action,
}

fn start() -> String {
    "start".into()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Action {
    Fail { status: i32, stderr: String },
    Hang,
    Kill(i32),
    Print(String),
    PrintBytes(usize),
    SleepMs(u64),
    Await(PathBuf),
    SetState { vm: String, state: String },
    StartVm(String),
    StopVm(String),
    SuspendVm(String),
    WakeVm(String),
    ReplaceVm(String),
    DeleteVm(String),
    FillDisk(PathBuf),
    HalfJson,
    Lie(bool),
}

/// Ends the call with this status: passed as an error, so that the engine cleans up as after any failure.
#[derive(Debug)]
pub struct FaultExit {
    pub status: i32,
    pub stderr: String,
}

impl fmt::Display for FaultExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "injected fault, status {}", self.status)
    }
}

impl std::error::Error for FaultExit {}

/// The faults that apply to this call.
pub struct Faults(Vec<Fault>);

impl Faults {
    /// None.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads `faults.json`, keeps what matches this call, and counts the call for each `nth`.
    pub fn armed_for(dir: &Path, argv: &[String]) -> Result<Self> {
        let file = dir.join("faults.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            return Ok(Self(Vec::new()));
        };
        let all: Vec<Fault> = serde_json::from_str(&text).with_context(|| format!("read {}", file.display()))?;
        let words = subcommand_words(argv);
        let mut armed = Vec::new();
        for (index, fault) in all.into_iter().enumerate() {
            let wanted: Vec<&str> = fault.on.split_whitespace().collect();
            let matches = words.len() >= wanted.len() && words.iter().zip(&wanted).all(|(a, b)| a == b);
            if matches && its_turn(dir, index, &fault)? {
                armed.push(fault);
            }
        }
        Ok(Self(armed))
    }

    /// `ls` prints only half of its JSON.
    pub fn half_json(&self) -> bool {
        self.0.iter().any(|fault| matches!(fault.action, Action::HalfJson))
    }

    /// Does what the test requested for this point of the call.
    pub fn hit(&self, engine: &Engine, point: &str) -> Result<()> {
        // What was printed before stays printed, whatever happens now.
        std::io::stdout().flush()?;
        self.0.iter().filter(|fault| fault.at == point).try_for_each(|fault| fault.action.apply(engine))
    }
}

fn its_turn(dir: &Path, index: usize, fault: &Fault) -> Result<bool> {
    match fault.nth {
        Some(nth) => Ok(count_call(&counter_file(dir, index, fault)?)? == nth),
        None => Ok(true),
    }
}

/// A fault with other words is another fault, with its own count.
fn counter_file(dir: &Path, index: usize, fault: &Fault) -> Result<PathBuf> {
    let counts = dir.join("fault-counts");
    std::fs::create_dir_all(&counts)?;
    let hash = crc32fast::hash(&serde_json::to_vec(fault)?);
    Ok(counts.join(format!("{index}-{hash:08x}")))
}

/// One byte per call, counted under a lock.
fn count_call(file: &Path) -> Result<u64> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    file.write_all(b".")?;
    Ok(file.metadata()?.len())
}

impl Action {
    fn apply(&self, engine: &Engine) -> Result<()> {
        match self {
            Self::Fail { status, stderr } => return end(*status, stderr.clone()),
            Self::Hang => hang(),
            Self::Kill(signal) => kill_self(*signal)?,
            Self::Print(text) => {
                print!("{text}");
                return end(0, String::new());
            }
            Self::PrintBytes(count) => {
                // Neither UTF-8 nor JSON.
                std::io::stdout().write_all(&vec![0xA5; *count])?;
                return end(0, String::new());
            }
            Self::SleepMs(ms) => std::thread::sleep(Duration::from_millis(*ms)),
            Self::Await(file) => {
                while !file.exists() {
                    std::thread::sleep(Duration::from_millis(3));
                }
            }
            Self::SetState { vm, state } => engine.store.change(vm, |record| record.state.clone_from(state))?,
            Self::StartVm(vm) => {
                commands::boot(engine, vm)?;
            }
            Self::StopVm(vm) => commands::shut_down(engine, &engine.store.find(vm)?)?,
            Self::SuspendVm(vm) => vmm::suspend(vmm_of(engine, vm)?, true)?,
            Self::WakeVm(vm) => vmm::suspend(vmm_of(engine, vm)?, false)?,
            Self::ReplaceVm(vm) => engine.store.change(vm, |record| {
                record.created_at += 1;
                record.seq += 1;
            })?,
            Self::DeleteVm(vm) => engine.store.remove(vm)?,
            Self::FillDisk(file) => fill_disk(file)?,
            Self::Lie(true) => return end(0, String::new()),
            Self::HalfJson | Self::Lie(false) => {}
        }
        Ok(())
    }
}

fn end(status: i32, mut stderr: String) -> Result<()> {
    if !stderr.is_empty() && !stderr.ends_with('\n') {
        stderr.push('\n');
    }
    Err(FaultExit { status, stderr }.into())
}

fn vmm_of(engine: &Engine, vm: &str) -> Result<u32> {
    engine.store.find(vm)?.pid.context("the VM has no VMM")
}

/// Writes the file until the disk is full. At most 64 MiB: it is meant for a small disk.
fn fill_disk(file: &Path) -> Result<()> {
    let mut filler = std::fs::File::create(file)?;
    let written = std::io::copy(&mut std::io::Read::take(std::io::repeat(1), 64 << 20), &mut filler);
    anyhow::ensure!(written.is_err(), "the disk of {} is not small", file.display());
    Ok(())
}

fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn kill_self(signal: i32) -> Result<()> {
    let signal = Signal::from_named_raw(signal).with_context(|| format!("no signal {signal}"))?;
    std::io::stdout().flush()?;
    rustix::process::kill_process(rustix::process::getpid(), signal)?;
    hang();
}

/// The words that name the command, with aliases resolved: `vm list --json` is `machine ls`.
fn subcommand_words(argv: &[String]) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = argv.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "--error-format" => {
                rest.next();
            }
            "--version" | "-V" => words.push("--version"),
            "vm" if words.is_empty() => words.push("machine"),
            "list" if words.len() == 1 => words.push("ls"),
            "rm" if words.len() == 1 => words.push("delete"),
            _ if word.starts_with("--error-format=") => {}
            _ => words.push(word),
        }
        if words.len() == 2 {
            break;
        }
    }
    words
}
