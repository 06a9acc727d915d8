//! The line about free space: whether there is enough to freeze each VM, as a freeze itself decides it.

use super::engine::Working;
use super::{Check, LEAST_ROOM};
use crate::error::Status;
use crate::library::Health;
use crate::operations::packed;
use crate::smolvm::{Disks, Machine, Name};
use serde_json::json;

/// Less than this is tight for any VM.
const FAIR_ROOM: u64 = 2 << 30;

/// Looks at the space for the library, and what freezing each VM takes of it.
pub fn check(health: &Health, working: Option<&Working>) -> Check {
    let Some(free) = health.free else {
        return Check::warning("space", "free space is unknown", "df -h");
    };
    let needs = working.map(needs).unwrap_or_default();
    let (fits, too_large): (Vec<_>, Vec<_>) = needs.into_iter().partition(|(_, needed)| *needed <= free);
    let what = format!("{} free for the library", packed::size(free));
    let list = too_large.iter().map(|(vm, needed)| format!("{vm} ({})", packed::size(*needed)));
    let too_little = format!("{what}, which is too little to freeze {}", list.collect::<Vec<_>>().join(", "));
    let hint = if health.snapshots == 0 { "df -h" } else { "bottle-freeze snapshot prune --keep-last 3 --dry-run" };
    let check = match free {
        ..LEAST_ROOM => Check::problem("space", Status::NotWritable, what, hint),
        _ if !too_large.is_empty() && fits.is_empty() => Check::problem("space", Status::NotWritable, too_little, hint),
        _ if !too_large.is_empty() => Check::warning("space", too_little, hint),
        LEAST_ROOM..FAIR_ROOM => Check::warning("space", what, hint),
        _ => Check::ok("space", what),
    };
    check.details(json!({ "free_bytes": free }))
}

/// What freezing each VM takes, as far as its disks can be read.
fn needs(working: &Working) -> Vec<(String, u64)> {
    let need = |vm: &Machine| {
        let name: Name = vm.name.parse().ok()?;
        let disks = Disks::read(&working.engine.machine_data_dir(&name).ok()?).ok()?;
        (!disks.is_empty()).then(|| (vm.name.clone(), disks.room_to_pack()))
    };
    working.machines.iter().filter_map(need).collect()
}
