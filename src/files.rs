//! Files that only bottle-freeze writes: opened without following links, locked, measured.

use crate::clock;
use rustix::fs::{self, FlockOperation, Mode, OFlags, flock};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// Opens a file to read and write, and creates it if it is missing. Fails on a symbolic link.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Opens an existing regular file to read. Fails on anything else, without waiting for a FIFO.
pub fn open_existing(path: &Path) -> io::Result<File> {
    open_regular(path, OFlags::RDONLY)
}

/// Opens an existing regular file of this user, to be locked: for writing where possible, because NFS locks nothing else.
pub fn open_own(path: &Path) -> io::Result<File> {
    let file = open_regular(path, OFlags::RDWR).or_else(|_| open_existing(path))?;
    if is_own(&file.metadata()?) { Ok(file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

fn open_regular(path: &Path, access: OFlags) -> io::Result<File> {
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    let file = match fs::open(path, flags, Mode::empty()) {
        // A link, or a socket.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Err(not_regular()),
        file => File::from(file?),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

/// What a later file of the same name has different: device, inode, size, and two times in seconds and nanoseconds. The second
/// is the time of the last change of anything, which the system sets.
pub type Stamp = [i128; 7];

/// The stamp of a file.
pub fn stamp(meta: &Metadata) -> Stamp {
    let [device, inode, size] = [meta.dev(), meta.ino(), meta.len()].map(i128::from);
    let [modified, modified_ns, changed, changed_ns] =
        [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()].map(i128::from);
    [device, inode, size, modified, modified_ns, changed, changed_ns]
}

/// Whether each change of the file from now on, by whatever program, sets another time than this stamp has. Not known of file
/// systems on other hosts or in other programs; tmpfs does not do it for a file that is mapped into memory.
#[cfg(target_os = "linux")]
pub fn notes_changes(file: &File, [device, .., changed, _]: &Stamp) -> bool {
    const EXT4: i64 = 0xef53;
    const XFS: i64 = 0x5846_5342;
    const BTRFS: i64 = 0x9123_683e;
    /// The kind of devices that are files themselves.
    const LOOP: u32 = 7;
    /// A program that writes, or has a page of the file mapped, sets the time once for what follows. The kernel ends that after
    /// half a minute, ten minutes at most.
    const LONGEST: i128 = 3600;
    #[allow(clippy::cast_lossless, clippy::unnecessary_cast, reason = "its type depends on the processor")]
    let is_known = fs::fstatfs(file).is_ok_and(|system| [EXT4, XFS, BTRFS].contains(&(system.f_type as i64)));
    // Another build of an image, mounted in its place, may have the same numbers and times.
    let is_image = fs::fstatvfs(file).map_or(true, |system| system.f_flag.contains(fs::StatVfsMountFlags::RDONLY))
        || u64::try_from(*device).map_or(true, |device| fs::major(device) == LOOP);
    let is_settled = || match is_open_to_write(file) {
        Some(is_open) => !is_open,
        None => changed.saturating_add(LONGEST) < i128::from(clock::seconds(SystemTime::now())),
    };
    is_known && !is_image && is_settled()
}

/// The same where it is not known.
#[cfg(not(target_os = "linux"))]
pub fn notes_changes(_file: &File, _stamp: &Stamp) -> bool {
    false
}

/// Whether a program has the file open or mapped to write to it; nothing if this user may not know, as of a file of another
/// user. A lease is granted only if none has (fcntl(2)).
#[cfg(target_os = "linux")]
fn is_open_to_write(file: &File) -> Option<bool> {
    use std::os::fd::AsRawFd;
    // Missing in the crate.
    const F_SETSIG: libc::c_int = 10;
    // SAFETY: numbers only, and the file is open.
    #[allow(unsafe_code)]
    let set = |what, value: libc::c_int| unsafe { libc::fcntl(file.as_raw_fd(), what, value) } == 0;
    // A program that opens it just now makes the kernel send a signal: one that is ignored.
    if !set(F_SETSIG, libc::SIGURG) {
        return None;
    }
    if set(libc::F_SETLEASE, libc::F_RDLCK) {
        set(libc::F_SETLEASE, libc::F_UNLCK);
        return Some(false);
    }
    (io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock).then_some(true)
}

/// The seconds that a clock of a file system may stand still: the most of any (git, too, has such a rule).
const TICK: i128 = 2;

/// Whether what changed at that second, and was read from then on, cannot have changed again at what is the same time for the
/// file system.
pub fn is_settled(changed: i128, began: SystemTime) -> bool {
    changed.saturating_add(TICK) < i128::from(clock::seconds(began))
}

/// A random number that the system makes at each start; nothing where it makes none.
pub fn boot() -> Option<String> {
    Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

/// Whether this user owns the file.
pub fn is_own(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// Locks the open file for this process alone (or `shared` with other readers). Returns false if another process holds it.
/// The kernel releases the lock when the process ends, even if it is killed.
pub fn try_lock(file: &File, shared: bool) -> io::Result<bool> {
    let kind = if shared { FlockOperation::NonBlockingLockShared } else { FlockOperation::NonBlockingLockExclusive };
    match flock(file, kind) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether `path` is still the open file: it was not removed or replaced since it was opened.
pub fn is_same_file(path: &Path, file: &File) -> bool {
    let id = |meta: Metadata| (meta.dev(), meta.ino());
    let open = file.metadata().map(id).ok();
    open.is_some() && open == std::fs::symlink_metadata(path).map(id).ok()
}

/// Whether a name is `prefix` and six letters or digits, the form of our temporary files and folders.
pub fn is_private_name(name: &OsStr, prefix: &str) -> bool {
    let ending = name.as_bytes().strip_prefix(prefix.as_bytes());
    ending.is_some_and(|ending| ending.len() == 6 && ending.iter().all(u8::is_ascii_alphanumeric))
}

/// Bytes that a file, or a folder with its contents, takes on the disk. Does not follow links. A file with a name elsewhere,
/// which stays without this one, counts as nothing; one with several names in the folder counts once.
pub fn disk_usage(path: &Path) -> u64 {
    let mut linked = HashMap::new();
    let alone = add_usage(path, &mut linked);
    linked.values().filter(|names| names.here == names.all).map(|names| names.bytes).fold(alone, u64::saturating_add)
}

/// A file with several names.
struct Names {
    here: u64,
    all: u64,
    bytes: u64,
}

/// Bytes of the files with one name; those with several are added to `linked`, by device and inode.
fn add_usage(path: &Path, linked: &mut HashMap<(u64, u64), Names>) -> u64 {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| add_usage(&entry.path(), linked)).fold(0, u64::saturating_add)
        }
        Ok(meta) if meta.nlink() > 1 => {
            let new = Names { here: 0, all: meta.nlink(), bytes: meta.blocks().saturating_mul(512) };
            let names = linked.entry((meta.dev(), meta.ino())).or_insert(new);
            names.here = names.here.saturating_add(1);
            0
        }
        Ok(meta) => meta.blocks().saturating_mul(512),
        Err(_) => 0,
    }
}

/// Bytes that this user may still write in a folder, or nothing if the system does not say.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_once_and_not_if_it_has_a_name_elsewhere() {
        let at = tempfile::tempdir().unwrap();
        let [left, elsewhere] = ["left", "elsewhere"].map(|name| at.path().join(name));
        for folder in [&left.join("inner"), &elsewhere] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(left.join("one"), [1; 10_000]).unwrap();
        let alone = disk_usage(&left);
        assert!(alone >= 10_000);
        std::fs::hard_link(left.join("one"), left.join("inner/two")).unwrap();
        assert_eq!(disk_usage(&left), alone);
        std::fs::hard_link(left.join("one"), elsewhere.join("three")).unwrap();
        assert_eq!((disk_usage(&left), disk_usage(&elsewhere)), (0, 0));
    }
}
