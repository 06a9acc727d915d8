//! A file in a layer of an image.

use crate::ext4::{Inode, Metadata};
use crate::files::Stamp;
use std::path::PathBuf;

/// A file in a layer of an image, or in the folder of changes above them.
#[derive(Debug, Clone)]
pub struct File {
    /// What is known of it.
    pub metadata: Metadata,
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
