//! The line about leftovers of killed commands.

use super::check::Check;
use crate::library;
use crate::operations::packed;
use crate::report::{Details, Folder};
use crate::smolvm::leftovers;
use crate::terminal::Warnings;
use std::path::Path;

/// Looks for leftovers, and removes those that no process uses before, if `fix`.
pub fn check(fix: bool, warnings: &Warnings) -> Check {
    let removed_bytes = if fix { remove(warnings) } else { 0 };
    let folder = |path: &Path, bytes, ownerless| Folder { path: path.display().to_string(), bytes, ownerless };
    let all = library::leftovers();
    let left = |is_store| all.iter().filter(move |one| one.is_store == is_store);
    let folders = |is_store| left(is_store).map(|one| folder(&one.path, one.bytes, true)).collect::<Vec<Folder>>();
    let (ours, chunks) = (folders(false), folders(true));
    let engines = leftovers().into_iter().map(|one| folder(&one.path, one.bytes, one.is_ownerless));
    let (unused, used): (Vec<Folder>, Vec<Folder>) = engines.partition(|one| one.ownerless);
    let parts = [
        ("left by killed bottle-freeze commands", &ours),
        ("chunks of no snapshot", &chunks),
        ("left by killed smolvm commands", &unused),
    ];
    let parts = parts.into_iter().filter(|(_, folders)| !folders.is_empty());
    let found: Vec<String> = parts.map(|(of, folders)| format!("{of}: {}", list(folders))).collect();
    let perhaps = if used.is_empty() { String::new() } else { format!("; perhaps in use: {}", list(&used)) };
    let check = if !found.is_empty() {
        Check::warning("leftovers", found.join("; ") + &perhaps, "bottle-freeze doctor --fix")
    } else if removed_bytes == 0 {
        Check::ok("leftovers", format!("none{perhaps}"))
    } else {
        Check::ok("leftovers", format!("removed {}{perhaps}", packed::size(removed_bytes)))
    };
    let folders = ours.into_iter().chain(chunks).chain(unused).chain(used).collect();
    check.details(Details::Leftovers { removed_bytes, folders })
}

/// Removes what no process uses. Returns the bytes removed.
fn remove(warnings: &Warnings) -> u64 {
    let size = || library::leftovers().iter().map(|one| one.bytes).sum::<u64>();
    let before = size();
    library::sweep_all();
    let mut removed = before.saturating_sub(size());
    for one in leftovers().iter().filter(|one| one.is_ownerless) {
        match one.remove() {
            Ok(()) => removed += one.bytes,
            Err(error) => warnings.warn(format!("{} cannot be removed: {error}", one.path.display())),
        }
    }
    removed
}

fn list(folders: &[Folder]) -> String {
    let list = folders.iter().map(|one| format!("{} ({})", one.path, packed::size(one.bytes)));
    list.collect::<Vec<_>>().join(", ")
}
