//! A clone of a file, which shares its blocks until one of them is written: made in an instant, where the file system can.

use std::fs::File;
use std::io;
use std::path::Path;

/// A clone that has no name, so that nothing of it stays when this process ends.
#[cfg(target_os = "linux")]
pub(super) fn clone(file: &File, folder: &Path) -> io::Result<File> {
    let clone = tempfile::tempfile_in(folder)?;
    rustix::fs::ioctl_ficlone(&clone, file)?;
    Ok(clone)
}

/// A clone that loses its name at once, so that nothing of it stays when this process ends.
#[cfg(target_os = "macos")]
pub(super) fn clone(file: &File, folder: &Path) -> io::Result<File> {
    const NAME: &str = "clone";
    rustix::fs::fclonefileat(file, File::open(folder)?, NAME, rustix::fs::CloneFlags::empty())?;
    let path = folder.join(NAME);
    let clone = File::open(&path);
    std::fs::remove_file(path)?;
    clone
}
