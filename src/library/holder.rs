//! Who holds a lock. Linux lists it in `/proc/locks`.

use std::fs::File;

/// The process that holds a lock on this open file.
#[cfg(target_os = "linux")]
pub fn of(file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata().ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let device = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let device = format!("{:02x}:{:02x}:{}", device.0, device.1, meta.ino());
    let inode = format!(":{}", meta.ino());
    let holders = |is_it: &dyn Fn(&str) -> bool| locks.lines().find_map(|line| holder(line, is_it));
    // On overlayfs and btrfs, `stat` reports another device number than the list.
    let pid = holders(&|file| file == device).or_else(|| holders(&|file| file.ends_with(&inode)))?;
    Some(format!("process {pid}"))
}

/// The process in a line `1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF`, if the line is about that file.
#[cfg(target_os = "linux")]
fn holder(line: &str, is_it: &dyn Fn(&str) -> bool) -> Option<i32> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, pid, file) = (words.next()?, words.nth(2)?, words.next()?);
    let pid = pid.parse().ok()?;
    (kind == "FLOCK" && is_it(file) && pid > 0).then_some(pid)
}

/// Other systems do not list locks.
#[cfg(not(target_os = "linux"))]
pub fn of(_file: &File) -> Option<String> {
    None
}
