//! Tags: each names at most one snapshot of a VM.

use crate::error::{Failure, Result, Status};
use crate::library::{Tag, catalog};

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
