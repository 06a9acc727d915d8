//! The host folders that a thawed VM mounts, as `HOST:GUEST[:MODE]`.

use crate::error::{Failure, Result, Status};
use crate::library::Configuration;
use crate::operations::consent::Access;
use std::path::Path;

/// Those that the user gives; or those of the frozen VM that are here.
///
/// # Errors
/// A folder that the user gives is not here.
pub(super) fn of(access: &Access, frozen: Option<&Configuration>, warnings: &mut Vec<String>) -> Result<Vec<String>> {
    if let Some(given) = &access.volumes {
        return match given.iter().find(|volume| !is_here(volume)) {
            None => Ok(given.clone()),
            Some(missing) => {
                let what = format!("there is no such folder on this host: --volume {missing}");
                Err(Failure::new(Status::Usage, what).state("no VM was made"))
            }
        };
    }
    let recorded = frozen.and_then(|frozen| frozen.volumes.clone()).unwrap_or_default();
    let (staged, direct): (Vec<_>, Vec<_>) = recorded.into_iter().partition(|volume| volume.ends_with(":staged"));
    if !staged.is_empty() {
        let why = "their copies in the snapshot would overwrite what is there now";
        warnings.push(format!("not mounted, because {why} (--volume mounts them): {}", staged.join(", ")));
    }
    let (here, missing): (Vec<_>, Vec<_>) = direct.into_iter().partition(|volume| is_here(volume));
    if !missing.is_empty() {
        warnings.push(format!("not on this host, and so not mounted: {}", missing.join(", ")));
    }
    Ok(here)
}

/// Whether its host folder exists. The engine judges what has none: a folder of the VM's own disk, or an object store.
fn is_here(volume: &str) -> bool {
    match volume.split_once(':') {
        Some((host, guest)) if !guest.starts_with("//") => Path::new(host).is_dir(),
        _ => true,
    }
}
