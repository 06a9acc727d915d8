//! The line about free space: whether it is enough to freeze each VM, by the same rule as a freeze.

use super::check::{Check, LEAST_ROOM};
use crate::error::Status;
use crate::library::Health;
use crate::operations::{freeze, packed};
use crate::report::Details;
use crate::smolvm::{Disks, Machine, Smolvm};
use std::path::PathBuf;

/// Less free space, in bytes, is little for any VM.
const FAIR_ROOM: u64 = 2 << 30;

/// Compares the free space for the library with what a freeze of each VM needs, whose disks are in that folder.
pub fn check(health: &Health, engine: Option<&Smolvm>, disks: &[(&Machine, PathBuf)]) -> Check {
    let Some(free) = health.free else {
        return Check::warning("space", "free space is unknown", "df -h");
    };
    let (fits, too_large): (Vec<_>, Vec<_>) =
        needs(engine, disks, free).into_iter().partition(|(_, needed)| *needed <= free);
    let what = format!("{} free for the library", packed::size(free));
    let list = too_large.iter().map(|(vm, needed)| format!("{vm} ({})", packed::size(*needed)));
    let too_little = format!("{what}, too little to freeze {}", list.collect::<Vec<_>>().join(", "));
    let hint = if health.snapshots == 0 { "df -h" } else { "bottle-freeze snapshot prune --keep-last 3 --dry-run" };
    let check = match free {
        ..LEAST_ROOM => Check::problem("space", Status::NotWritable, what, hint),
        _ if !too_large.is_empty() && fits.is_empty() => Check::problem("space", Status::NotWritable, too_little, hint),
        _ if !too_large.is_empty() => Check::warning("space", too_little, hint),
        LEAST_ROOM..FAIR_ROOM => Check::warning("space", what, hint),
        _ => Check::ok("space", what),
    };
    check.details(Details::Space { free_bytes: free })
}

/// The bytes that a freeze of each VM needs, of those that are `free`, if its disks can be read.
fn needs(engine: Option<&Smolvm>, disks: &[(&Machine, PathBuf)], free: u64) -> Vec<(String, u64)> {
    let is_read = |vm: &Machine| Some(freeze::check_known(engine?, &vm.name.parse().ok()?, vm).is_ok());
    let need = |(vm, folder): &(&Machine, PathBuf)| {
        let disks = Disks::read(folder).ok()?;
        let needed = match is_read(vm) {
            Some(true) => freeze::room_to_read(vm, &disks, free, true),
            _ => disks.room_to_pack(),
        };
        (!disks.is_empty()).then(|| (vm.name.clone(), needed))
    };
    disks.iter().filter_map(need).collect()
}
