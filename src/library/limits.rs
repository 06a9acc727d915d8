//! How long a `snapshot.json` may be.

use super::tag::Tag;
use std::collections::BTreeMap;
use thiserror::Error;

/// The most bytes of a snapshot.json, and of a record of a VM. A reader takes no more into memory.
pub const LIMIT: u64 = 4 << 20;
/// The part of it that tags, note and labels may take.
const DESCRIPTION_LIMIT: u64 = 1 << 20;
/// The part that is reserved for what is known only after packing: names of variables, files.
pub const RESERVE: u64 = 1 << 20;

/// The description of a snapshot is too long.
#[derive(Debug, Error)]
#[error("{what} {} bytes as JSON; at most {limit} are allowed", .bytes)]
pub struct TooLong {
    what: &'static str,
    bytes: u64,
    limit: u64,
}

impl TooLong {
    /// Checks a length.
    ///
    /// # Errors
    /// `what` has more bytes than the limit.
    pub fn check(what: &'static str, bytes: u64, limit: u64) -> Result<(), Self> {
        if bytes <= limit { Ok(()) } else { Err(Self { what, bytes, limit }) }
    }
}

/// Checks the size of what a user writes about a snapshot.
///
/// # Errors
/// It is too long to be read again.
pub fn check_description(tags: &[Tag], note: Option<&str>, labels: &BTreeMap<String, String>) -> Result<(), TooLong> {
    let bytes = serde_json::to_vec(&(tags, note, labels)).map_or(u64::MAX, |text| text.len() as u64);
    let what = "the tags, the note and the labels of a snapshot have";
    TooLong::check(what, bytes, DESCRIPTION_LIMIT)
}
