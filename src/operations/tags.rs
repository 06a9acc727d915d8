//! Tags: each names at most one snapshot of a VM.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{Metadata, Stored, Tag, catalog, check_description};
use crate::operations::lock;
use crate::operations::several::once;

/// Makes sure that no other snapshot of the VM has one of these tags. With `force`, removes them from it.
pub fn free_tags(vm: &str, id: &str, tags: &[Tag], force: bool) -> Result<()> {
    let (all, _) = catalog::list(Some(vm))?;
    for other in catalog::tagged(&all, id, tags) {
        if !force {
            let what = format!("{} already has that tag", other.reference());
            return Err(Failure::new(Status::OutputExists, what).hint("move it with --force"));
        }
        other.untag(tags).map_err(|error| Failure::not_writable(&other.folder, &error))?;
    }
    Ok(())
}

/// Removes tags from the snapshot `VM@ID`.
///
/// # Errors
/// It is not there, or cannot be written.
pub fn remove(app: &App, reference: &str, tags: &[Tag]) -> Result<()> {
    let _library = lock::library(app, reference.split('@').next().unwrap_or_default())?;
    let one = catalog::find(reference)?;
    one.untag(tags).map_err(|error| Failure::not_writable(&one.folder, &error))
}

/// Adds tags to a snapshot, and removes others. The caller has the lock of the VM's snapshots. What is recorded of it then.
///
/// # Errors
/// Another snapshot has one of the tags, without `force`; there are too many; or they cannot be written.
pub fn change(one: &Stored, add: &[Tag], remove: &[Tag], force: bool) -> Result<Metadata> {
    let mut metadata = one.metadata.clone();
    if !force {
        free_tags(&metadata.vm, &metadata.id, add, false)?;
    }
    metadata.tags.retain(|tag| !remove.contains(tag) && !add.contains(tag));
    metadata.tags.extend(once(add.iter().cloned(), |tag| tag.as_str().to_owned()));
    if !add.is_empty() {
        check_description(&metadata.tags, metadata.note.as_deref(), &metadata.labels)?;
    }
    metadata.write(&one.folder).map_err(|error| Failure::not_writable(&one.folder, &error))?;
    // Only now: a tag of two snapshots is the newer one's, a tag of none would be lost.
    if force {
        free_tags(&metadata.vm, &metadata.id, add, true)?;
    }
    Ok(metadata)
}
