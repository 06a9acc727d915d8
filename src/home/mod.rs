//! The folder in which bottle-freeze keeps its own files: that of `--home` or `$BOTTLE_FREEZE_HOME`, or one in the
//! platform's data folder.
//!
//! [`Home`] is the only way to a path in it, and opening it checks it: the folder belongs to this user, and its marker
//! says that it is a library of a format that this version knows. Without a marker it must be empty, or hold only what
//! 0.1.0 wrote. Links inside it are not followed.

mod error;
mod legacy;
mod marker;
mod names;
mod root;

pub use error::HomeError;
pub use legacy::{is_engine_part, is_introduction, is_work_entry};
pub use names::TEMPORARY;
pub use root::{Home, cache_folder, canonical_root, chosen, existing, folder, planned, shown_path, state_folder};
