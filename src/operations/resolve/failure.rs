//! Why a snapshot is not found, or not removed.

use crate::error::{Failure, Status};
use crate::library::{Broken, FindError, RemoveError, Stored, catalog};
use crate::operations::meant;
use crate::quoted::quoted;

/// A reference that is not found, with what may be meant.
pub(super) fn not_found(reference: &str, error: FindError) -> Failure {
    let similar = || {
        let elsewhere = catalog::find_of_any_vm(reference).ok().map(|one| one.reference());
        elsewhere.or_else(|| meant::similar(reference))
    };
    let similar = if matches!(error, FindError::NotFound(_)) { similar() } else { None };
    let failure = Failure::from(error);
    match (similar, failure.hint.clone()) {
        (Some(similar), Some(hint)) => failure.hint(format!("did you mean {similar}? {hint}")),
        _ => failure,
    }
}

/// No snapshot was frozen here with this key; the newest one from elsewhere that has it may be meant.
pub(super) fn no_key(vm: Option<&str>, key: &str, foreign: Option<&Stored>) -> Failure {
    let of = vm.map(|vm| format!(" of '{vm}'")).unwrap_or_default();
    let failure = Failure::new(Status::NotFound, format!("there is no snapshot{of} with the key '{key}'"));
    let make = format!("make one with `bottle-freeze freeze VM --key {}`", quoted(key));
    failure.hint(match foreign {
        None => make,
        Some(one) => {
            let (reference, origin) = (one.reference(), one.metadata.origin_phrase());
            format!("{reference} has it, but {origin}, so it must be named; or {make}")
        }
    })
}

fn removal_hint(broken: &Broken) -> String {
    if broken.is_removable() {
        return format!("remove it with `bottle-freeze snapshot rm {}`", broken.reference());
    }
    format!("remove {}", broken.folder.display())
}

impl From<RemoveError> for Failure {
    fn from(error: RemoveError) -> Self {
        let what = error.to_string();
        match error {
            RemoveError::Gone(_) => Self::new(Status::NotFound, what),
            RemoveError::Locked(error) => error.into(),
            RemoveError::Foreign { .. } => Self::new(Status::NotWritable, what)
                .state("it was not removed")
                .hint("move these files elsewhere, and try again"),
            RemoveError::Io { source, .. } => Self::unwritten(what, &source),
        }
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let what = error.to_string();
        match error {
            FindError::NotFound(_) => {
                Self::new(Status::NotFound, what).hint("list them with `bottle-freeze snapshot ls`")
            }
            FindError::Ambiguous { .. } => Self::new(Status::Usage, what).hint("name one of them"),
            FindError::Broken(broken) => Self::new(Status::Damaged, what).hint(removal_hint(&broken)),
            FindError::NewestBroken(broken) => {
                let reference = broken.reference();
                let vm = reference.split('@').next().unwrap_or_default();
                let others = format!("name the one you mean (`bottle-freeze snapshot ls {vm}` lists them)");
                Self::new(Status::Damaged, what).hint(format!("{others}, or {}", removal_hint(&broken)))
            }
            FindError::Unreadable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
