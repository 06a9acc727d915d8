//! The folder of this user's locks on this host. It does not depend on the environment: a cron job has no
//! `$XDG_RUNTIME_DIR`, and `$TMPDIR` differs between sessions.

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

/// The path of the folder.
pub fn path() -> PathBuf {
    format!("/tmp/bottle-freeze-{}", geteuid().as_raw()).into()
}

/// The path of the folder, created if it is missing.
///
/// # Errors
/// It cannot be created, or something else has that name in `/tmp`, where every user may create files.
pub fn folder() -> io::Result<PathBuf> {
    let path = path();
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let refused = |why: String| io::Error::new(io::ErrorKind::PermissionDenied, why);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(folder) => File::from(folder),
        Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
            return Err(refused("it is not a folder; remove it, and bottle-freeze creates a new one".to_owned()));
        }
        // It belongs to another user, and is closed to this one.
        Err(rustix::io::Errno::ACCESS) => return Err(refused("it belongs to another user".to_owned())),
        Err(error) => return Err(error.into()),
    };
    let meta = folder.metadata()?;
    if meta.uid() != geteuid().as_raw() {
        return Err(refused(format!("it belongs to another user ({})", meta.uid())));
    }
    if meta.mode() & 0o777 != 0o700 {
        folder.set_permissions(Permissions::from_mode(0o700))?;
    }
    Ok(path)
}
