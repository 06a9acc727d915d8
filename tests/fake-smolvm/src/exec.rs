//! `machine exec`: the guest's command is a process of the host, on the VM's disk.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ArgMatches;

use crate::Engine;
use crate::commands::{given, name_or_default, text, texts};
use crate::create::env_pair;
use crate::facts::Fact;
use crate::machines::Record;

/// Both for buffered output and for a stream.
const OUTPUT_CAP: usize = 11_534_336;

pub fn exec(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let name = name_or_default(args);
    if text(args, "name").is_none() && engine.store.get(&name)?.is_none() {
        bail!("agent operation failed: connect: machine 'default' not found");
    }
    let record = connect(engine, &name)?;
    let interactive = given(args, "interactive");
    let words: Vec<String> = texts(args, "command").iter().map(|word| rewrite(engine, &name, word)).collect();
    // Those are the disks of this host.
    let trims = words.last().is_some_and(|word| word.contains("fstrim"));
    let words = if trims { vec!["true".to_owned()] } else { words };
    if let Some(failure) = not_found(&record, &words[0], interactive) {
        return failure;
    }
    engine.faults.hit(engine, "before")?;
    let timeout = args.get_one::<Duration>("timeout").copied();
    let mut command = guest_command(engine, &record, args, timeout)?;
    command.args(&words).stdin(if interactive { Stdio::piped() } else { Stdio::null() });
    let asked = Instant::now();
    let status = if interactive {
        run_interactive(command)?
    } else if given(args, "stream") {
        run_streamed(command)?
    } else {
        run_buffered(command)?
    };
    engine.faults.hit(engine, "after")?;
    match timeout {
        Some(limit) if status == 124 && asked.elapsed() >= limit => {
            eprintln!("\ncommand timed out after {}ms", limit.as_millis());
        }
        _ => {}
    }
    Ok(status)
}

/// The VM, if its agent answers, whatever the record says. One that does not answer is recorded as unreachable, and
/// stays so even when it answers again.
pub fn connect(engine: &Engine, name: &str) -> Result<Record> {
    let record = engine.store.find(name)?;
    if record.answers() {
        return Ok(record);
    }
    if record.live_state() == "unreachable" {
        engine.store.change(name, |record| record.state = "unreachable".into())?;
    }
    if !engine.version.has(Fact::DisksOnStart) {
        engine.store.make_disks(name)?;
    }
    let advice = if engine.version.has(Fact::StartHint) {
        format!(
            "Start it with 'smolvm machine start --name {name}'; if a start is already in progress, \
             retry once it finishes."
        )
    } else {
        format!("Use 'smolvm machine start --name {name}' first.")
    };
    bail!("agent operation failed: connect: machine '{name}' is not running. {advice}")
}

/// The path on the VM's disk of a path in the guest.
pub fn on_disk(engine: &Engine, name: &str, path: &str) -> Option<PathBuf> {
    let disks = [("/root", engine.store.root_disk(name)), ("/workspace", engine.store.workspace_disk(name))];
    disks.into_iter().find_map(|(mount, disk)| {
        Path::new(path)
            .strip_prefix(mount)
            .ok()
            .map(|rest| if rest.as_os_str().is_empty() { disk.clone() } else { disk.join(rest) })
    })
}

/// Replaces /root, /workspace and the folders with the identity of a machine by the VM's folders wherever a path begins with
/// them, even inside scripts: a guest must not change the identity of this machine.
fn rewrite(engine: &Engine, name: &str, word: &str) -> String {
    let root = engine.store.root_disk(name);
    let word = &word.replace("ssh-keygen -A", &format!("ssh-keygen -A -f {}", root.display()));
    let own = ["/etc", "/run", "/var/lib/dbus"].map(|mount| (mount, root.join(mount.trim_start_matches('/'))));
    let disks = [("/root", root.clone()), ("/workspace", engine.store.workspace_disk(name))];
    let disks: Vec<(&str, PathBuf)> = disks.into_iter().chain(own).collect();
    let in_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let mut out = String::new();
    let mut rest = word.as_str();
    while let Some(c) = rest.chars().next() {
        let at_start = !out.chars().next_back().is_some_and(in_path);
        let hit = disks.iter().find(|(mount, _)| {
            let after = rest.strip_prefix(mount).map(|after| after.chars().next());
            at_start && after.is_some_and(|next| next.is_none_or(|c| c == '/' || !in_path(c)))
        });
        let taken = if let Some((mount, disk)) = hit {
            out.push_str(&disk.to_string_lossy());
            mount.len()
        } else {
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

/// The engine's message for a missing program, which differs by the kind of VM.
fn not_found(record: &Record, program: &str, interactive: bool) -> Option<Result<i32>> {
    let there = if program.contains('/') {
        Path::new(program).exists()
    } else {
        std::env::split_paths(&search_path()).any(|dir| dir.join(program).is_file())
    };
    if there {
        return None;
    }
    if record.image.is_some() {
        eprintln!("executable file `{program}` not found in $PATH: No such file or directory");
        return Some(Ok(255));
    }
    let how = if interactive { "vm exec interactive" } else { "vm exec" };
    Some(Err(anyhow::anyhow!(
        "agent operation failed: {how}: failed to spawn command: No such file or directory (os error 2)"
    )))
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into())
}

/// The guest's supervisor (see guest.rs) with a clean environment, in the VM's disk folder.
fn guest_command(engine: &Engine, record: &Record, args: &ArgMatches, timeout: Option<Duration>) -> Result<Command> {
    let root = engine.store.root_disk(&record.name);
    let workspace = engine.store.workspace_disk(&record.name);
    engine.store.make_disks(&record.name)?;
    let workdir = text(args, "workdir").or_else(|| record.workdir.clone());
    let cwd = workdir
        .and_then(|dir| on_disk(engine, &record.name, &dir))
        .filter(|dir| dir.is_dir())
        .unwrap_or_else(|| root.clone());
    let mut command = Command::new(std::env::current_exe()?);
    command.env_clear().env("PATH", search_path()).env("HOME", &root).env("WORKSPACE", workspace);
    let given = texts(args, "env").into_iter().filter_map(|pair| env_pair(engine.version, &pair));
    for pair in record.env.iter().cloned().chain(given).chain(secrets(args)) {
        if let Some((key, value)) = pair.split_once('=') {
            command.env(key, value);
        }
    }
    command
        .arg("_guest")
        .arg(std::process::id().to_string())
        .arg(timeout.map_or(0, |limit| limit.as_millis()).to_string())
        .arg(if engine.version.has(Fact::TellsSignals) { "report" } else { "255" })
        .current_dir(cwd);
    Ok(command)
}

/// `--secret-env GUEST=HOST`, as GUEST with the value of HOST.
fn secrets(args: &ArgMatches) -> Vec<String> {
    let value_of = |pair: &String| {
        let (guest, host) = pair.split_once('=')?;
        Some(format!("{guest}={}", std::env::var(host).ok()?))
    };
    texts(args, "secret-env").iter().filter_map(value_of).collect()
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(255)
}

/// Our stdin reaches the guest; output passes through immediately, without a limit.
fn run_interactive(mut command: Command) -> Result<i32> {
    let mut child = command.spawn().context("agent operation failed: vm exec interactive")?;
    if let Some(mut pipe) = child.stdin.take() {
        // Never joined: it may wait for input that never arrives.
        thread::spawn(move || std::io::copy(&mut std::io::stdin().lock(), &mut pipe));
    }
    Ok(code(child.wait()?))
}

fn run_streamed(mut command: Command) -> Result<i32> {
    static STREAMED: AtomicUsize = AtomicUsize::new(0);
    let mut child = spawn_piped(&mut command)?;
    let readers = readers(&mut child, |chunk, is_stderr| {
        let before = STREAMED.fetch_add(chunk.len(), Ordering::SeqCst);
        let room = OUTPUT_CAP.saturating_sub(before).min(chunk.len());
        pass_on(&chunk[..room], is_stderr);
        if room < chunk.len() {
            eprintln!("error: streaming output exceeded {OUTPUT_CAP} byte cap; exec terminated (output truncated)");
            // The supervisor notices that we are gone, and kills the guest.
            std::process::exit(1);
        }
    })?;
    wait(child, readers)
}

/// Prints all output at the end.
fn run_buffered(mut command: Command) -> Result<i32> {
    let mut child = spawn_piped(&mut command)?;
    let mut buffers: Vec<JoinHandle<Vec<u8>>> = Vec::new();
    buffers.extend(child.stdout.take().map(|pipe| thread::spawn(|| read_capped(pipe))));
    buffers.extend(child.stderr.take().map(|pipe| thread::spawn(|| read_capped(pipe))));
    let mut is_stderr = false;
    for buffer in buffers {
        let bytes = buffer.join().unwrap_or_default();
        if bytes.len() > OUTPUT_CAP {
            bail!("agent operation failed: vm exec: command output too large");
        }
        pass_on(&bytes, is_stderr);
        is_stderr = true;
    }
    Ok(code(child.wait()?))
}

fn spawn_piped(command: &mut Command) -> Result<Child> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("agent operation failed: vm exec: failed to spawn command")
}

/// One byte beyond the cap is enough to detect it.
fn read_capped(pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(OUTPUT_CAP).unwrap_or(u64::MAX).saturating_add(1);
    let _broken_pipe = pipe.take(limit).read_to_end(&mut bytes);
    bytes
}

fn readers(child: &mut Child, each: fn(&[u8], bool)) -> Result<[JoinHandle<()>; 2]> {
    let stdout = child.stdout.take().context("no stdout")?;
    let stderr = child.stderr.take().context("no stderr")?;
    Ok([
        thread::spawn(move || read_chunks(stdout, |chunk| each(chunk, false))),
        thread::spawn(move || read_chunks(stderr, |chunk| each(chunk, true))),
    ])
}

fn read_chunks(mut pipe: impl Read, each: impl Fn(&[u8])) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(count) = pipe.read(&mut chunk) {
        if count == 0 {
            break;
        }
        each(&chunk[..count]);
    }
}

fn pass_on(bytes: &[u8], is_stderr: bool) {
    // A closed pipe is not the guest's fault.
    let _closed = if is_stderr {
        std::io::stderr().write_all(bytes)
    } else {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    };
}

fn wait(mut child: Child, readers: [JoinHandle<()>; 2]) -> Result<i32> {
    for reader in readers {
        let _panicked = reader.join();
    }
    Ok(code(child.wait()?))
}
