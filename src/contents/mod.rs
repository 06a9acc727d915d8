//! The files in a snapshot, as the guest sees them: read from its chunks, without an engine, and without unpacking a disk.
//!
//! A guest, or whoever made a snapshot, may have written anything: nothing is believed that was not checked, what is read is
//! bounded, no symbolic link leads out of the snapshot.
//!
//! - [`Bytes`](bytes::Bytes) are those of a disk or a tar, to be read at any place; [`Layer`](layer::Layer) finds files in
//!   them; [`Contents`] lays the layers over one another.

mod bytes;
mod content;
mod deleted;
mod diff;
mod empty;
mod error;
mod folders;
mod layer;
mod open;
mod sparse;
mod tar;
mod tree;
mod walk;

pub use content::Content;
pub use deleted::Deleted;
pub use diff::{Changes, Difference};
pub use empty::{MemberEdits, WORKSPACE};
pub use error::{ContentsError, Side};
pub use folders::Folders;
pub use tree::{Contents, Item};
pub use walk::Seen;
