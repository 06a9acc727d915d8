//! Names of files in the folder.

/// The file that says what the folder is.
pub const MARKER: &str = "bottle-freeze.json";
/// The prefix of files that 0.1.0 had not yet published.
pub const TEMPORARY: &str = ".tmp";
