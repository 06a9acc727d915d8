//! The owners of an artifact's files that a user other than root unpacked: they are all that user's, and the engine records in
//! attributes what its guest sees.

use super::file::File;
use crate::ext4::Kind;
use crate::smolvm::disk::DiskError;
use rustix::fs::lgetxattr;
use rustix::io::Errno;
use std::io;
use std::path::Path;

/// What the guest sees of a file or folder: its owner, its group and its permissions, as `UID:GID:MODE`.
const OVERRIDE: &str = "user.containers.override_stat";
/// In a folder: which links there belong to other users than root. Links have no attributes of their own.
const LINKS: &str = "user.krun.symlink_owners";
/// The error of a file that does not have an attribute.
#[cfg(target_os = "macos")]
const MISSING: Errno = Errno::NOATTR;
#[cfg(not(target_os = "macos"))]
const MISSING: Errno = Errno::NODATA;

/// Whether the owners of the files in this folder are recorded.
///
/// # Errors
/// It cannot be read, or has links whose owners are recorded.
pub fn are_recorded(folder: &Path) -> Result<bool, DiskError> {
    if attribute(folder, LINKS)?.is_some() {
        return Err(unknown(folder, "has links with owners in an unknown form"));
    }
    Ok(attribute(folder, OVERRIDE)?.is_some())
}

/// Sets owner, group and permissions of a file, in a folder where they are recorded, to those.
///
/// # Errors
/// They cannot be read, or are not known.
pub fn set(path: &Path, file: &mut File) -> Result<(), DiskError> {
    if file.metadata.kind == Kind::Link {
        (file.metadata.uid, file.metadata.gid) = (0, 0);
        return Ok(());
    }
    let Some(text) = attribute(path, OVERRIDE)? else { return Ok(()) };
    let of = |text: &str| {
        let mut parts = text.split(':');
        let [uid, gid, mode] = [parts.next()?, parts.next()?, parts.next()?];
        let parsed = (uid.parse().ok()?, gid.parse().ok()?, u32::from_str_radix(mode, 8).ok()?);
        (parts.next().is_none() && parsed.2 <= 0o7777).then_some(parsed)
    };
    let recorded = of(&text).ok_or_else(|| unknown(path, "has an owner in an unknown form"))?;
    (file.metadata.uid, file.metadata.gid, file.metadata.mode) = recorded;
    Ok(())
}

fn attribute(path: &Path, name: &str) -> Result<Option<String>, DiskError> {
    let mut value = [0; 64];
    match lgetxattr(path, name, &mut value) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(value.get(..bytes).unwrap_or_default()).into_owned())),
        // Longer than any that is known.
        Err(Errno::RANGE) => Ok(Some(String::new())),
        Err(MISSING | Errno::NOTSUP | Errno::PERM) => Ok(None),
        Err(error) => Err(DiskError::Unreadable { path: path.to_owned(), source: io::Error::from(error) }),
    }
}

fn unknown(path: &Path, why: &str) -> DiskError {
    DiskError::Unknown { path: path.to_owned(), why: why.to_owned() }
}
