//! The tags of what rollbacks replaced: `undo-20261127-010203`, in UTC.

use super::broken::Entry;
use super::catalog::{self, FindError};
use super::tag::Tag;
use jiff::Timestamp;

/// How such a tag begins.
const PREFIX: &str = "undo-";

/// A tag for what a rollback of this VM replaces now; none of its snapshots has it.
///
/// # Errors
/// The library cannot be read.
pub fn new_tag(vm: &str) -> Result<Option<Tag>, FindError> {
    let (all, _) = catalog::list(Some(vm))?;
    let base = format!("{PREFIX}{}", Timestamp::now().strftime("%Y%m%d-%H%M%S"));
    let is_taken = |tag: &Tag| all.iter().any(|one| one.metadata.tags.contains(tag));
    let tags = (1..1000).map(|number| if number == 1 { base.clone() } else { format!("{base}-{number}") });
    Ok(tags.filter_map(|tag| Tag::existing(&tag).ok()).find(|tag| !is_taken(tag)))
}

/// The tag of what the last rollback of this VM replaced here: tags of snapshots from elsewhere say nothing of it.
///
/// # Errors
/// The library cannot be read, or a damaged snapshot may be the one.
pub fn newest(vm: &str) -> Result<Option<Tag>, FindError> {
    let (mut all, broken) = catalog::list(Some(vm))?;
    all.retain(|one| one.metadata.is_own() && one.metadata.tags.iter().any(is_undo));
    match catalog::newest(all, broken)? {
        Some(Entry::Whole(one)) => Ok(one.metadata.tags.iter().find(|tag| is_undo(tag)).cloned()),
        _ => Ok(None),
    }
}

/// Whether a rollback, and not a user, has given this tag.
fn is_undo(tag: &Tag) -> bool {
    let time = tag.as_str().strip_prefix(PREFIX).unwrap_or_default();
    time.len() >= "20261127-010203".len() && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}
