//! Reads the ext4 file systems on the disks of VMs.
//!
//! A guest may have written anything there: what is read is bounded, and what is not known, or contradicts itself, is an error,
//! never a guess. So is what does not fit its checksum, where the file system has any.

mod attributes;
mod checksum;
mod empty;
mod error;
mod extents;
mod fields;
mod folder;
mod free;
mod groups;
mod inode;
mod journal;
mod metadata;
mod replay;
mod source;
mod superblock;
#[cfg(test)]
mod tests;
mod tree;

pub use attributes::Attribute;
pub use empty::Edits;
pub use error::Ext4Error;
pub use extents::{Extent, read};
pub use free::free;
pub use inode::{Inode, Kind, Metadata};
pub use source::ReadAt;
pub use tree::{FileSystem, ROOT};
