//! Reads the ext4 file systems on the disks of VMs.
//!
//! A guest may have written anything there: nothing is believed that was not checked, and all that is read is bounded. What is
//! not known is an error, never a guess.

mod checksum;
mod error;
mod fields;
mod free;
mod groups;
mod journal;
mod metadata;
mod source;
mod superblock;
#[cfg(test)]
mod tests;

pub use error::Ext4Error;
pub use free::free;
pub use source::ReadAt;
