//! How snapshots lie on disk: written in private, published whole. This room never prints.

mod home;
mod lock;
mod metadata;
mod output;
mod work;

pub use lock::{Lock, LockError, Sharing, vm_key};
pub use metadata::{Recorded, recorded};
pub use output::{Output, OutputError};
pub use work::Work;
