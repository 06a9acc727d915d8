//! Tags: each names at most one snapshot of a VM.

use crate::error::{Failure, Result, Status};
use crate::library::{Tag, store};

/// Sees to it that no other snapshot of the VM has one of these tags: it is taken from it, if `force`.
pub fn free_tags(vm: &str, id: &str, tags: &[Tag], force: bool) -> Result<()> {
    let (all, _) = store::list(Some(vm))?;
    for other in store::tagged(&all, id, tags) {
        if !force {
            let what = format!("{} has that tag already", other.reference());
            return Err(Failure::new(Status::OutputExists, what).hint("move it with --force"));
        }
        other.untag(tags).map_err(|error| Failure::not_writable(&other.folder, &error))?;
    }
    Ok(())
}
