//! A stand-in for the `smolvm` engine: real state on disk, real processes, and the false successes of the version it
//! plays. See README.md for the environment variables, the state folder and the injectable faults.

#![allow(clippy::disallowed_methods, reason = "a stand-in may panic where there is no thread")]

mod artifact;
mod assets;
mod cli;
mod commands;
mod copy;
mod create;
mod exec;
#[allow(dead_code, reason = "a part of the program, which uses all of it")]
#[path = "../../../src/smolvm/facts.rs"]
mod facts;
mod faults;
mod guest;
mod listing;
mod log;
mod machines;
mod pack;
mod registry;
mod settings;
mod stored;
#[path = "../../../src/smolvm/version.rs"]
mod version;
mod vmm;

use std::path::{Path, PathBuf};
use std::process::exit;

use anyhow::{Context, Result, anyhow};
use clap::ArgMatches;

use faults::{FaultExit, Faults};
use machines::Store;
use version::Version;

/// The version that is played when nothing names one.
const NEWEST: &str = "1.32.2";

/// What every command needs to know.
pub(crate) struct Engine {
    pub version: Version,
    pub store: Store,
    pub faults: Faults,
}

fn main() {
    let argv: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let status = match argv.first().map(String::as_str) {
        Some("_boot-vm") => vmm::run(&argv[1..]),
        Some("_guest") => guest::run(&argv[1..]),
        _ => engine_call(&argv),
    };
    exit(status);
}

fn engine_call(argv: &[String]) -> i32 {
    let json_errors = json_errors_requested(argv);
    run(argv).unwrap_or_else(|error| report(&error, json_errors))
}

fn run(argv: &[String]) -> Result<i32> {
    let version = std::env::var("FAKE_SMOLVM_VERSION").unwrap_or_else(|_| NEWEST.into());
    let version = version.parse().map_err(|()| anyhow!("FAKE_SMOLVM_VERSION must be X.Y.Z, not '{version}'"))?;
    let dir = state_dir()?;
    // A test that only looks must not disturb a command that runs.
    let faults = if std::env::var_os("FAKE_SMOLVM_LOOK").is_some() {
        Faults::none()
    } else {
        log::record_call(&dir, argv)?;
        Faults::armed_for(&dir, argv)?
    };
    let engine = Engine { version, store: Store::new(state_of_home(&dir)?), faults };
    engine.faults.hit(&engine, "start")?;
    let matches = match cli::command(version)
        .try_get_matches_from(std::iter::once("smolvm".to_owned()).chain(argv.iter().cloned()))
    {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    };
    dispatch(&engine, &matches)
}

fn state_dir() -> Result<PathBuf> {
    let dir = match std::env::var_os("FAKE_SMOLVM_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".fake-smolvm"),
    };
    std::fs::create_dir_all(dir.join("vms")).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir.canonicalize()?)
}

/// Like the real engine, it has other VMs in another home: the state folder is in the home beside it.
fn state_of_home(dir: &Path) -> Result<PathBuf> {
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return Ok(dir.to_owned()) };
    let own = dir.with_file_name("home");
    if !own.is_dir() || home.canonicalize().ok() == own.canonicalize().ok() {
        return Ok(dir.to_owned());
    }
    let state = home.join(".fake-smolvm");
    std::fs::create_dir_all(state.join("vms")).with_context(|| format!("create {}", state.display()))?;
    Ok(state.canonicalize()?)
}

fn dispatch(engine: &Engine, matches: &ArgMatches) -> Result<i32> {
    let (group, matches) = matches.subcommand().context("no subcommand")?;
    let (command, args) = matches.subcommand().context("no subcommand")?;
    match (group, command) {
        ("machine", "create") => create::create(engine, args),
        ("machine", "start") => commands::start(engine, args),
        ("machine", "stop") => commands::stop(engine, args),
        ("machine", "delete") => commands::delete(engine, args),
        ("machine", "update") => commands::update(engine, args),
        ("machine", "pause") => commands::pause(engine, args),
        ("machine", "resume") => commands::resume(engine, args),
        ("machine", "data-dir") => commands::data_dir(engine, args),
        ("machine", "status") => listing::status(engine, args),
        ("machine", "ls") => listing::ls(engine, args),
        ("machine", "cp") => copy::cp(engine, args),
        ("machine", "exec") => exec::exec(engine, args),
        ("machine", "checkpoint") => pack::checkpoint(engine, args),
        ("pack", "create") => pack::create(engine, args),
        ("pack", "run") => pack::run(engine, args),
        ("pack", "push") => registry::push(engine, args),
        ("pack", "pull") => registry::pull(engine, args),
        ("pack", "inspect") => registry::inspect(engine, args),
        _ => anyhow::bail!("fake-smolvm does not play '{group} {command}'"),
    }
}

/// The flag counts anywhere before the guest's own arguments; only its two spellings matter.
fn json_errors_requested(argv: &[String]) -> bool {
    let own = argv.iter().position(|arg| arg == "--").unwrap_or(argv.len());
    argv[..own].iter().any(|arg| arg == "--error-format=json")
        || argv[..own].windows(2).any(|pair| pair[0] == "--error-format" && pair[1] == "json")
}

fn report(error: &anyhow::Error, json: bool) -> i32 {
    if let Some(fault) = error.downcast_ref::<FaultExit>() {
        eprint!("{}", fault.stderr);
        return fault.status;
    }
    let message = format!("{error:#}");
    if json {
        let error = serde_json::json!({"error": {"code": error_code(&message), "message": message}});
        eprintln!("{error}");
    } else {
        eprintln!("Error: {message}");
    }
    1
}

/// The engine's codes follow from the kind of failure, which is the beginning of its message.
fn error_code(message: &str) -> &'static str {
    let codes = [
        ("vm not found", "NOT_FOUND"),
        ("config operation failed", "CONFIG_ERROR"),
        ("invalid vm state", "INVALID_STATE"),
        ("mount source", "MOUNT_ERROR"),
        ("agent operation failed: checkpoint machine", "CONFLICT"),
        ("agent operation failed: resume machine", "CONFLICT"),
        ("agent operation failed: start:", "CONFLICT"),
    ];
    codes.iter().find(|(start, _)| message.starts_with(start)).map_or("SMOLVM_ERROR", |(_, code)| code)
}
