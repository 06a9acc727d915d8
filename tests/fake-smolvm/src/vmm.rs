//! The process that stands for a running VM.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::facts::Fact;
use crate::version::Version;

const LIFETIME: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Process {
    Alive,
    Suspended,
    Gone,
}

/// Spawns the VMM and waits until it has left our session: from then on no ^C reaches it.
pub fn spawn(vm_dir: &Path, version: Version) -> Result<u32> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("_boot-vm")
        .arg(vm_dir.join("boot-config.json"))
        .arg(version.to_string())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("spawn the VMM")?;
    let mut ready = String::new();
    child.stdout.take().context("no pipe to the VMM")?.read_to_string(&mut ready)?;
    if ready != "ready" {
        bail!("boot process exited before the agent was ready");
    }
    Ok(child.id())
}

/// The VMM itself: lives as long as its VM's folder, but never long.
pub fn run(args: &[String]) -> i32 {
    let [vm_dir, version] = args else { return 2 };
    let Some(vm_dir) = Path::new(vm_dir).parent() else { return 2 };
    let Ok(folder) = fs::metadata(vm_dir).map(|folder| folder.ino()) else {
        return 1;
    };
    let deletes_stop = version.parse::<Version>().is_ok_and(|version| version.has(Fact::DeleteStops));
    if rustix::process::setsid().is_err() || say_ready().is_err() {
        return 1;
    }
    let born = Instant::now();
    while born.elapsed() < LIFETIME {
        std::thread::sleep(Duration::from_millis(200));
        let mine = fs::metadata(vm_dir).is_ok_and(|now| now.ino() == folder);
        // 0.8.0 leaves the VMM of a deleted VM alive: it then ends only with the whole state folder.
        let state_gone = vm_dir.parent().is_none_or(|vms| !vms.exists());
        if state_gone || (deletes_stop && !mine) {
            break;
        }
    }
    0
}

fn say_ready() -> Result<()> {
    print!("ready");
    std::io::Write::flush(&mut std::io::stdout())?;
    rustix::stdio::dup2_stdout(fs::File::options().write(true).open("/dev/null")?)?;
    Ok(())
}

pub fn process(pid: u32) -> Process {
    match raw_state(pid) {
        None | Some('Z' | 'X') => Process::Gone,
        Some('T' | 't') => Process::Suspended,
        Some(_) => Process::Alive,
    }
}

/// The state letter of a process: from /proc, or from `ps` on systems without /proc.
fn raw_state(pid: u32) -> Option<char> {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        return stat.rsplit_once(") ")?.1.chars().next();
    }
    let ps = Command::new("ps").args(["-o", "state=", "-p", &pid.to_string()]).output().ok()?;
    String::from_utf8_lossy(&ps.stdout).trim().chars().next()
}

/// Suspends or resumes the VMM, and waits until it has happened: a signal takes its time on a busy machine.
pub fn suspend(pid: u32, suspended: bool) -> Result<()> {
    let target = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no such pid")?;
    rustix::process::kill_process(target, if suspended { Signal::STOP } else { Signal::CONT })?;
    while process(pid) != Process::Gone && (process(pid) == Process::Suspended) != suspended {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Kills the VMM and waits until it is gone.
pub fn kill(pid: u32) -> Result<()> {
    let target = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no such pid")?;
    // SIGKILL, because a suspended process would ignore anything milder.
    let _already_gone = rustix::process::kill_process(target, Signal::KILL);
    let asked = Instant::now();
    while process(pid) != Process::Gone {
        if asked.elapsed() > Duration::from_secs(5) {
            bail!("agent operation failed: stop: VMM process {pid} did not exit");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
