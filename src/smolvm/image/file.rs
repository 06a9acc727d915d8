//! A file in a layer of an image.

use crate::ext4::{Inode, Kind};
use crate::files::Stamp;
use std::path::PathBuf;

/// A file in a layer of an image, or in the folder of changes above them.
#[derive(Debug, Clone)]
pub struct File {
    /// What it is.
    pub kind: Kind,
    /// Permissions, with the bits for set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// When its content was changed, in seconds since 1970.
    pub modified: i64,
    /// Bytes of its content.
    pub size: u64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// How many names it has in its layer.
    pub links: u64,
    /// The number by which its layer knows it.
    pub number: u64,
    /// What it is on this host.
    pub stamp: Stamp,
    /// Where it is.
    pub place: Place,
}

/// Where a file is.
#[derive(Debug, Clone)]
pub enum Place {
    /// On this host.
    Host(PathBuf),
    /// On a disk of the VM.
    Disk(Inode),
}
