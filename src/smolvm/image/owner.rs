//! The owners of an artifact's files that a user other than root unpacked: they are all that user's, and the engine records in
//! attributes what its guest sees.

use super::file::File;
use crate::ext4::Kind;
use crate::smolvm::disk::DiskError;
use rustix::fs::lgetxattr;
use rustix::io::Errno;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What the guest sees of a file or folder: its owner, its group and its permissions, as `UID:GID:MODE`.
const OVERRIDE: &str = "user.containers.override_stat";
/// In a folder: which links there belong to other users than root, as `NAME`, NUL, `UID:GID`, NUL for each. Links have no
/// attributes of their own. (Seen with 1.32.2.)
const LINKS: &str = "user.krun.symlink_owners";
/// The most bytes that Linux takes for an attribute.
const MOST: usize = 1 << 16;
/// The error of a file that does not have an attribute.
#[cfg(target_os = "macos")]
const MISSING: Errno = Errno::NOATTR;
#[cfg(not(target_os = "macos"))]
const MISSING: Errno = Errno::NODATA;

/// Whether the owners of the files in this folder are recorded.
///
/// # Errors
/// It cannot be read.
pub fn are_recorded(folder: &Path) -> Result<bool, DiskError> {
    Ok(attribute(folder, OVERRIDE)?.is_some())
}

/// Sets owner, group and permissions of a file, in a folder where they are recorded, to those.
///
/// # Errors
/// They cannot be read, or are not known.
pub fn set(path: &Path, file: &mut File) -> Result<(), DiskError> {
    if file.metadata.kind == Kind::Link {
        (file.metadata.uid, file.metadata.gid) = of_link(path)?;
        return Ok(());
    }
    let Some(value) = attribute(path, OVERRIDE)? else { return Ok(()) };
    let of = |value: &[u8]| {
        let (owner, mode) = std::str::from_utf8(value).ok()?.rsplit_once(':')?;
        let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777)?;
        parse(owner).map(|(uid, gid)| (uid, gid, mode))
    };
    let recorded = of(&value).ok_or_else(|| unknown(path, "has an owner in an unknown form"))?;
    (file.metadata.uid, file.metadata.gid, file.metadata.mode) = recorded;
    Ok(())
}

/// The owner and the group of a link.
fn of_link(path: &Path) -> Result<(u32, u32), DiskError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok((0, 0)) };
    let Some(value) = attribute(folder, LINKS)? else { return Ok((0, 0)) };
    let in_unknown_form = || unknown(folder, "has links with owners in an unknown form");
    // Each field ends with a NUL.
    let fields: Vec<&[u8]> = value.strip_suffix(b"\0").ok_or_else(in_unknown_form)?.split(|byte| *byte == 0).collect();
    if fields.len() % 2 != 0 {
        return Err(in_unknown_form());
    }
    let found = fields.chunks_exact(2).find(|link| link.first() == Some(&name.as_bytes()));
    let Some([_, owner]) = found else { return Ok((0, 0)) };
    std::str::from_utf8(owner).ok().and_then(parse).ok_or_else(in_unknown_form)
}

/// `UID:GID`.
fn parse(owner: &str) -> Option<(u32, u32)> {
    let (uid, gid) = owner.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

fn attribute(path: &Path, name: &str) -> Result<Option<Vec<u8>>, DiskError> {
    let mut value = vec![0; 64];
    loop {
        match lgetxattr(path, name, &mut value) {
            Ok(bytes) => {
                value.truncate(bytes);
                return Ok(Some(value));
            }
            Err(Errno::RANGE) if value.len() < MOST => value.resize(MOST, 0),
            Err(MISSING | Errno::NOTSUP | Errno::PERM) => return Ok(None),
            Err(error) => return Err(DiskError::Unreadable { path: path.to_owned(), source: io::Error::from(error) }),
        }
    }
}

fn unknown(path: &Path, why: &str) -> DiskError {
    DiskError::Unknown { path: path.to_owned(), why: why.to_owned() }
}
