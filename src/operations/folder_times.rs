//! Gives the folders of a thawed image the times that they had: the engine keeps those of files and links only. The guest sees
//! them, and the first freeze of the new VM stores its changes only: all else is as it was.

use crate::contents::Folders;
use crate::library::Stored;
use crate::smolvm::{self, Name, Smolvm};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, openat, utimensat};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;

/// Sets them for a VM that was just made from this snapshot. Where that is not possible, they stay as the engine set them.
pub fn restore(engine: &Smolvm, name: &Name, from: &Stored) {
    let of_layer = |index| Folders::of_layer(&from.folder, &index, engine.signals());
    let Some(folders) = from.index().and_then(of_layer) else { return };
    let Ok(folder) = engine.machine_data_dir(name) else { return };
    if let Some(layer) = smolvm::unpacked_layer(&folder) {
        set_all(&layer, folders);
    }
}

/// Several VMs of one layer may be made at once: the first one sets them.
static TURN: Mutex<()> = Mutex::new(());

/// Sets those of the folders in a layer. The uppermost one is the last: if it has its own time, all have.
fn set_all(layer: &Path, folders: Folders) {
    let Ok(top) = folders.top() else { return };
    let _turn = TURN.lock();
    if top.is_some() && fs::metadata(layer).ok().map(|meta| meta.mtime()) == top {
        return;
    }
    let Some(root) = open(CWD, layer.as_os_str()) else { return };
    let done = folders.each(&mut |path, inside| {
        let Some(folder) = open_inside(&root, path) else { return };
        for (name, modified) in inside {
            set(&folder, name, *modified);
        }
    });
    if let (Ok(()), Some(top)) = (done, top) {
        set(&root, b".", top);
    }
}

/// Opens a folder in a layer. A link there may lead anywhere, so none is followed.
fn open_inside(root: &OwnedFd, path: &[u8]) -> Option<OwnedFd> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    names.map(OsStr::from_bytes).try_fold(open(root, OsStr::new("."))?, |above, name| open(&above, name))
}

fn open(above: impl AsFd, name: &OsStr) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(above, name, flags, Mode::empty()).ok()
}

fn set(above: &OwnedFd, name: &[u8], modified: i64) {
    let time = Timespec { tv_sec: modified, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    let _ = utimensat(above, OsStr::from_bytes(name), &times, AtFlags::SYMLINK_NOFOLLOW);
}
