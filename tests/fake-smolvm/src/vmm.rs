//! The process that stands for a running VM.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

const LIFETIME: Duration = Duration::from_secs(600);
/// In the VM's folder, the number of its last VMM.
const PID_FILE: &str = "vmm.pid";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Process {
    Alive,
    Suspended,
    Gone,
}

/// Spawns the VMM and waits until it has left our session and opened its disks: from then on no ^C reaches it.
pub fn spawn(vm_dir: &Path) -> Result<u32> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("_boot-vm")
        .arg(vm_dir.join("boot-config.json"))
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

/// The last VMM of the VM in that folder, if it lives.
pub fn last(vm_dir: &Path) -> Option<u32> {
    let pid = fs::read_to_string(vm_dir.join(PID_FILE)).ok()?.parse().ok()?;
    let is_its_own = command_line(pid).contains(&vm_dir.display().to_string());
    (is_its_own && process(pid) != Process::Gone).then_some(pid)
}

fn command_line(pid: u32) -> String {
    if let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) {
        return String::from_utf8_lossy(&line).into_owned();
    }
    let ps = Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output();
    ps.map(|ps| String::from_utf8_lossy(&ps.stdout).into_owned()).unwrap_or_default()
}

/// The VMM itself: lives as long as the state folder, but never long. Only a kill ends it before: a delete does not.
pub fn run(args: &[String]) -> i32 {
    let [config] = args else { return 2 };
    let Some(vm_dir) = Path::new(config).parent() else { return 2 };
    let Some(vms) = vm_dir.parent() else { return 2 };
    // First: before it has its own session, it dies with its engine.
    if fs::write(vm_dir.join(PID_FILE), std::process::id().to_string()).is_err() || rustix::process::setsid().is_err() {
        return 1;
    }
    let open = |disk| fs::File::options().read(true).write(true).open(vm_dir.join(disk)).ok();
    let _disks = ["overlay.raw", "storage.raw"].map(open);
    // The engine may be gone.
    let _ = say_ready();
    let born = Instant::now();
    while born.elapsed() < LIFETIME && vms.exists() {
        std::thread::sleep(Duration::from_millis(200));
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
