//! Processes that use a folder. Only Linux shows them, in `/proc`: elsewhere there may always be one.

use super::disks::is_disk;
use crate::files::is_own;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Whether processes can be seen.
pub const CAN_SEE: bool = cfg!(target_os = "linux");

/// The processes that run a program in `folder`, have a file in it open or mapped, work in it, or have it as `TMPDIR`, as far
/// as this user may see them; none where processes cannot be seen.
pub fn processes_using(folder: &Path) -> Vec<u32> {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let me = std::process::id();
    let others = processes().filter(|(pid, _)| *pid != me);
    others.filter(|(_, process)| uses(process, &folder)).map(|(pid, _)| pid).collect()
}

/// The first process that has a disk in `folder` open for writing, or is this user's VMM that will, as far as this user may
/// see them. One that reads a disk, as a backup does, or that reads a log of the VM, does no harm.
pub fn process_with_open_disk(folder: &Path) -> Option<u32> {
    let folder = fs::canonicalize(folder).ok()?;
    let writes = |open: &Path| fs::symlink_metadata(open).is_ok_and(|link| link.mode() & 0o200 != 0);
    let is_its_disk = |file: PathBuf| file.starts_with(&folder) && is_disk(&file);
    let has = |open: PathBuf| writes(&open) && fs::read_link(&open).is_ok_and(is_its_disk);
    processes().find(|(_, process)| boots_from(process, &folder) || open_files(process).any(has)).map(|(pid, _)| pid)
}

/// Ends this user's VMM of the VM whose disks are in `folder`, and returns whether there was one. For a VMM that smolvm does
/// not know: a `start` that is ended before it has written `agent.pid` leaves one (seen with 1.28.1).
pub fn end_vmm(folder: &Path) -> bool {
    let Ok(folder) = fs::canonicalize(folder) else { return false };
    let vmm = processes().find(|(_, process)| boots_from(process, &folder));
    if let Some((pid, _)) = vmm {
        kill(pid);
    }
    vmm.is_some()
}

/// Whether this is the process `… _boot-vm FOLDER/boot-config.json` of this user.
fn boots_from(process: &Path, folder: &Path) -> bool {
    let is_it = || boot_folder(process).and_then(|its| fs::canonicalize(its).ok()).is_some_and(|its| its == folder);
    is_mine(process) && is_it()
}

/// FOLDER of the process `… _boot-vm FOLDER/boot-config.json`.
pub fn boot_folder(process: &Path) -> Option<PathBuf> {
    let line = fs::read(process.join("cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0).skip_while(|word| *word != b"_boot-vm").skip(1);
    let config = words.find(|word| word.ends_with(b"/boot-config.json"))?;
    Some(Path::new(OsStr::from_bytes(config)).parent()?.to_owned())
}

/// Kills a process, and waits up to a second for its end.
pub fn kill(pid: u32) {
    let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let began = Instant::now();
    let _ = kill_process(target, Signal::KILL);
    // A zombie has no environment any more.
    let lives = || fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| !env.is_empty());
    while lives() && began.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether an engine of this user and home folder runs `machine start` of the VM of that name.
pub fn is_being_started(name: &str) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let is_at_home = |process: &Path| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        variable(&environment, "HOME=") == home
    };
    let starts = |process: &Path| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let has = |one: &[u8]| line.split(|byte| *byte == 0).any(|word| word == one);
        let names_it = has(name.as_bytes()) || has(format!("--name={name}").as_bytes());
        names_it && has(b"start") && (has(b"machine") || has(b"vm"))
    };
    processes().any(|(_, process)| is_mine(&process) && starts(&process) && is_at_home(&process))
}

/// Whether an engine of this user runs a `pack` that makes its folders in one of `places`. It does not have them open all the
/// time.
pub fn pack_works_in(places: &[PathBuf]) -> bool {
    processes().any(|(_, process)| is_mine(&process) && is_pack(&process) && may_write_in(&process, places))
}

/// The number of each process, and its folder in `/proc`.
pub fn processes() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn is_mine(process: &Path) -> bool {
    fs::metadata(process).is_ok_and(|meta| is_own(&meta))
}

fn is_pack(process: &Path) -> bool {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let program = words.first().and_then(|program| program.rsplit(|byte| *byte == b'/').next()).unwrap_or_default();
    program.starts_with(b"smol") && words.iter().any(|word| *word == b"pack")
}

/// Whether an engine with this process's environment makes its folders in one of `places`; true if it cannot be read.
fn may_write_in(process: &Path, places: &[PathBuf]) -> bool {
    let Ok(environment) = fs::read(process.join("environ")) else { return true };
    let variable = |name: &str| variable(&environment, name);
    let temporary = variable("TMPDIR=").unwrap_or_else(|| "/tmp".into());
    let caches = [variable("HOME=").map(|home| home.join(".cache")), variable("XDG_CACHE_HOME=")];
    let mut folders = caches.into_iter().flatten().map(|cache| cache.join("smolvm")).chain([temporary]);
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    folders.any(|folder| places.iter().any(|place| real(place) == real(&folder)))
}

/// The value of a variable, whose name ends with `=`.
fn variable(environment: &[u8], name: &str) -> Option<PathBuf> {
    let value = environment.split(|byte| *byte == 0).find_map(|one| one.strip_prefix(name.as_bytes()))?;
    Some(PathBuf::from(OsStr::from_bytes(value)))
}

fn uses(process: &Path, folder: &Path) -> bool {
    let name = folder.as_os_str().as_bytes();
    let names_it = |file: &str, from: &[u8]| {
        let text = fs::read(process.join(file)).unwrap_or_default();
        text.split(|byte| *byte == 0 || *byte == b'\n').any(|part| part.starts_with(from) && contains(part, name))
    };
    ["cwd", "root", "exe"].iter().any(|link| leads_into(&process.join(link), folder))
        || open_files(process).any(|open| leads_into(&open, folder))
        || names_it("maps", b"")
        || names_it("environ", b"TMPDIR=")
}

/// The links in `/proc` to the files that a process has open.
fn open_files(process: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|open| open.path())
}

fn leads_into(link: &Path, folder: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| target.starts_with(folder))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}
