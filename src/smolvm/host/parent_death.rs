//! What only Linux can do: a child that dies with its parent, even when that is killed by SIGKILL, and finding the
//! processes that an engine left. Elsewhere an orphaned engine command runs to its end in a folder that the next freeze
//! sweeps, and a helper VM until the engine's next pack.

use std::path::Path;
use std::process::Command;

/// Has the kernel end the child when the thread that spawns it is gone.
#[cfg(target_os = "linux")]
pub fn die_with_parent(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
    use std::os::unix::process::CommandExt;
    let parent = getpid();
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before it was asked for.
            if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
        });
    }
}

/// Ends what an ended `pack create` left running: the helper VM that packs an image, in a session of its own, lives on
/// when its engine is killed or interrupted (1.32.2, seen), with the packed VM's disk open and a folder among the VMs'.
/// It is known by its `TMPDIR`, which is the private folder of that pack alone.
#[cfg(target_os = "linux")]
pub fn end_helpers(private: &Path) {
    for process in processes_with_tmpdir(private) {
        let folder = helper_folder(&process);
        if let Some(pid) = process.file_name().and_then(|name| name.to_str()?.parse().ok()) {
            kill(pid);
        }
        if let Some(folder) = folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Their folders in `/proc`.
#[cfg(target_os = "linux")]
fn processes_with_tmpdir(private: &Path) -> Vec<std::path::PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    // Its name alone: the way to it may have been spelled otherwise.
    let ending = [b"/", private.file_name().unwrap_or_default().as_bytes()].concat();
    let is_it = |variable: &[u8]| variable.starts_with(b"TMPDIR=/") && variable.ends_with(&ending);
    // Only our own: whoever likes may give a process such a variable.
    let me = rustix::process::geteuid().as_raw();
    let has_it = |process: &std::path::PathBuf| {
        let is_mine = std::fs::metadata(process).is_ok_and(|meta| meta.uid() == me);
        is_mine && std::fs::read(process.join("environ")).is_ok_and(|env| env.split(|byte| *byte == 0).any(is_it))
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(has_it).collect()
}

/// The folder of the helper VM that the process runs: `… _boot-vm FOLDER/boot-config.json`, FOLDER/name says `pack-…`.
#[cfg(target_os = "linux")]
fn helper_folder(process: &Path) -> Option<std::path::PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let line = std::fs::read(process.join("cmdline")).ok()?;
    let config = line.split(|byte| *byte == 0).find(|word| word.ends_with(b"/boot-config.json"))?;
    let folder = Path::new(std::ffi::OsStr::from_bytes(config)).parent()?;
    std::fs::read_to_string(folder.join("name")).ok()?.starts_with("pack-").then(|| folder.to_owned())
}

/// Kills a process, and waits for its end, but not for long.
#[cfg(target_os = "linux")]
fn kill(pid: i32) {
    use rustix::process::{Pid, Signal, kill_process};
    use std::time::{Duration, Instant};
    let Some(target) = Pid::from_raw(pid) else { return };
    let began = Instant::now();
    let _ = kill_process(target, Signal::KILL);
    // A zombie that nobody reaps has no environment any more.
    let lives = || std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| !env.is_empty());
    while lives() && began.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Not possible here.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_command: &mut Command) {}

/// Not possible here.
#[cfg(not(target_os = "linux"))]
pub fn end_helpers(_private: &Path) {}
