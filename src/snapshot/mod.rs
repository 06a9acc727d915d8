//! How snapshots lie on disk: written in private, published whole. This room never prints.

mod health;
pub mod library;
mod lock;
mod metadata;
mod output;
mod record;
mod retention;
mod transport;
mod work;

use crate::home;

pub use health::Health;
pub use library::{FindError, Stored};
pub use lock::{Lock, LockError, Sharing, vm_key};
pub use metadata::{Configuration, FORMAT, Metadata, Recorded, Tag, recorded};
pub use output::{Output, OutputError};
pub use record::Record;
pub use retention::Policy;
pub use transport::{Incoming, TransportError, export, room};
pub use work::{Work, sweep};
