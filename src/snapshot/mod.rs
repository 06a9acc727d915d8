//! How snapshots lie on disk: written in private, published whole. This room never prints.

mod lock;
mod output;

pub use lock::{Lock, LockError};
pub use output::{Output, OutputError, Work};
