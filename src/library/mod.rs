//! How snapshots lie on disk: written in private, published whole. It never prints.
//!
//! # What holds
//! - At every instant a path holds what it held before, or a whole, verified snapshot: files are written in a private folder
//!   beside their target ([`Staging`]), flushed, and renamed ([`Target`]); a snapshot of the library is one folder, renamed whole.
//! - A snapshot is never changed after that, but for tags, note and labels, which replace `snapshot.json` in one instant.
//! - A private folder is known by a file in it that its run keeps locked. Whoever finds one that is not locked may remove it:
//!   so SIGKILL leaves nothing that the next run does not sweep ([`sweep`]).
//! - A file is removed only when its name, its content and its owner say that bottle-freeze wrote it.
//! - Nothing here follows a symbolic link out of the library, or believes a `snapshot.json` that names a path.
//!
//! # Where what is
//! - [`store`] lists and finds; [`Metadata`] is `snapshot.json` (its format: bottle-freeze-snapshot(5)); [`Policy`] chooses what
//!   `prune` keeps; `transport` writes and reads a snapshot as one file.
//! - [`Lock`] keeps two runs from one VM, output or library; [`Creation`] remembers what a VM was made with.
//! - [`Health`] tells `doctor` whether all this works here.

mod archive;
mod broken;
mod creation;
mod health;
mod holder;
mod leftovers;
mod lock;
mod metadata;
mod origin;
mod parts;
mod period;
mod removal;
mod retention;
mod runtime;
mod staging;
pub mod store;
mod target;

pub use archive::{Incoming, TransportError, export, export_to_stdout, room};
pub use broken::{Broken, Entry};
pub use creation::Creation;
pub use health::Health;
pub use leftovers::{Leftover, leftovers, sweep, sweep_library};
pub use lock::{Lock, LockError, Sharing, vm_key};
pub use metadata::{Configuration, FORMAT, FileHash, Metadata, SUFFIXES, Tag, TooLong, check_words, is_id, recorded};
pub use origin::Origin;
pub use period::{Reach, Unit};
pub use removal::RemoveError;
pub use retention::{NewestOf, Policy, TagList};
pub use staging::Staging;
pub use store::{FindError, Removal, Stored};
pub use target::Target;
