//! The helper VM with which the engine packs an image. It has a session of its own, and lives on when its engine is killed or
//! interrupted, with the packed VM's disk open and a folder among the VMs'. Only on Linux it can be found: elsewhere it runs
//! until the engine's next pack.

use super::processes::{boot_folder, kill, processes};
use crate::files::is_own;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Ends the helper VM that an ended `pack create` left running, which worked in the private folder `private`. It is
/// recognized by its `TMPDIR`, which is that folder.
pub fn end_helpers(private: &Path) {
    for (pid, process) in processes_with_tmpdir(private) {
        let folder = helper_folder(&process);
        kill(pid);
        if let Some(folder) = folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// This user's processes whose `TMPDIR` is that folder.
fn processes_with_tmpdir(private: &Path) -> Vec<(u32, PathBuf)> {
    // Only the last part: the path may be spelled differently.
    let ending = [b"/", private.file_name().unwrap_or_default().as_bytes()].concat();
    let is_it = |variable: &[u8]| variable.starts_with(b"TMPDIR=/") && variable.ends_with(&ending);
    // Only our own: anyone can give a process such a variable.
    let has_it = |(_, process): &(u32, PathBuf)| {
        let is_mine = fs::metadata(process).is_ok_and(|meta| is_own(&meta));
        is_mine && fs::read(process.join("environ")).is_ok_and(|env| env.split(|byte| *byte == 0).any(is_it))
    };
    processes().filter(has_it).collect()
}

/// The folder of the helper VM in the process `… _boot-vm FOLDER/boot-config.json`, where FOLDER/name holds `pack-…`.
fn helper_folder(process: &Path) -> Option<PathBuf> {
    let folder = boot_folder(process)?;
    fs::read_to_string(folder.join("name")).ok()?.starts_with("pack-").then_some(folder)
}
