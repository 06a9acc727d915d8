//! How snapshots lie on disk: written in private, published whole. Nothing here prints.
//!
//! # Rules
//! - A path holds its old content or a complete, verified snapshot at any time: files are written in a private folder beside
//!   their target ([`Staging`]), flushed, and renamed ([`Target`]); a snapshot in the library is one folder, renamed whole.
//! - A snapshot never changes, except for tags, note and labels, which replace `snapshot.json` in one step.
//! - A run keeps a file in its private folder locked. A run that finds an unlocked one may remove the folder: the next run
//!   removes what a SIGKILL leaves ([`sweep_library`]).
//! - A file is removed only if its name, content and owner show that bottle-freeze wrote it.
//! - No symbolic link out of the library is followed, and no path in a `snapshot.json` is used.
//!
//! # Files
//! - [`layout`] has the names; [`Metadata`] is `snapshot.json` (its format: bottle-freeze-snapshot(5)); [`catalog`] lists and
//!   finds snapshots; [`Policy`] decides what `prune` keeps; `export` writes a snapshot as one file, `archive` reads it.
//! - [`Lock`] locks a VM, an output file or the snapshots of a VM; [`Creation`] stores the options of a VM, [`DisksRead`] what
//!   its disks were at its last freeze.
//! - [`Health`] checks the library for `doctor`.

mod archive;
mod arrival;
mod broken;
pub mod catalog;
mod creation;
mod disks_read;
mod export;
mod hash;
mod health;
mod history;
mod holder;
pub mod layout;
mod leftovers;
mod limits;
mod lineage;
mod lock;
mod metadata;
mod origin;
mod parts;
mod period;
mod removal;
mod retention;
mod runtime;
mod sizes;
mod staging;
pub mod store;
mod stored;
mod tag;
mod target;
pub mod undo;

pub use archive::{ArchiveError, Incoming, library_staging};
pub use broken::{Broken, Entry};
pub use catalog::FindError;
pub use creation::{Creation, keep_artifact, remove_artifact};
pub use disks_read::{DiskRead, DisksRead};
pub use export::{ExportFile, export_to_stdout};
pub use hash::{FileHash, FileHasher, HashingWriter, hash_file, hash_reader};
pub use health::Health;
pub use history::{Generation, History};
pub use leftovers::{leftovers, sweep_all, sweep_library};
pub use limits::{TooLong, check_description};
pub use lineage::parent;
pub use lock::{Lock, LockError, Sharing, vm_key};
pub use metadata::{Configuration, FORMAT, InChunks, KEY, Metadata, Trim, Way, recorded_hash};
pub use origin::Origin;
pub use period::{Reach, Unit};
pub use removal::RemoveError;
pub use retention::{NewestOf, Policy, TagList};
pub use sizes::{Sizes, freed_in_order};
pub use staging::Staging;
pub use stored::{Removal, Stored};
pub use tag::Tag;
pub use target::Target;
