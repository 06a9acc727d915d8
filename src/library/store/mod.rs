//! The store: what snapshots consist of, each part once. An object is one zstd frame with at most 1 MiB of a file, named by
//! the SHA-256 of its content; the same objects as in the engine's own stored checkpoints.
//!
//! # Rules
//! - A snapshot's folder has hard links to all its objects: it is whole by itself, whatever happens to the store.
//! - An object gets its name in the store after a link in a snapshot or a private folder, and loses it when it has no other
//!   link. So no count and no list can be wrong, and a killed run leaves at most objects with one link.
//! - A freeze compares each object that it writes or links with the content, decompressed, and writes a damaged one anew. So
//!   an index has the CRC-32 of a frame that was compared, and by that alone a reader, or the next freeze, knows the frame.

mod apart;
mod assemble;
mod checkpoint;
mod content;
mod cut;
mod digest;
mod error;
mod feed;
mod frame;
mod index;
mod link;
mod objects;
mod queue;
mod reader;
mod runtimes;
mod same;
mod splice;
mod sweep;
#[cfg(test)]
mod tests;
mod verify;
mod work;
mod writer;

pub use apart::{put_together, take_apart, write_and_hash};
pub use assemble::write_artifact;
pub use checkpoint::{INDEX as CHECKPOINT_INDEX, generations, lend, most_bytes, take_in};
pub use content::{Content, Kept, Source};
pub use digest::Digest;
pub use error::StoreError;
pub use feed::Feed;
pub use index::{Chunk, Entry, Index};
pub use objects::OBJECTS;
pub use runtimes::{RUNTIMES, Runtime, runtime_indexes};
pub use splice::{Before, Splice};
pub use sweep::{bytes, foreign, own_objects, present, remove_objects, sweep, unowned, unshared_bytes};
pub use verify::{Seen, verify};
pub use work::Added;
pub use writer::Writer;
