//! The line about scheduled freezes: when each last succeeded.

use super::check::Check;
use crate::clock;
use crate::schedule::{Schedule, Scheduler, is_enabled};

/// Looks at each schedule; nothing if there is none.
pub fn check() -> Option<Check> {
    let all = Schedule::all();
    if all.is_empty() {
        return None;
    }
    let (mut list, mut late, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for schedule in &all {
        let vm = &schedule.vm;
        let success = schedule.last_success().and_then(clock::age);
        let success = success.map_or_else(|| "never succeeded".to_owned(), |age| format!("succeeded {age} ago"));
        let runs = is_enabled(schedule);
        let note = match (runs, schedule.is_overdue()) {
            (false, _) => ", but nothing runs it",
            (true, true) => ", which is overdue",
            (true, false) => "",
        };
        list.push(format!("'{vm}' is frozen every {} and {success}{note}", schedule.every));
        if !runs {
            missing.push(format!("bottle-freeze schedule {vm} --every {}", schedule.every));
        } else if schedule.is_overdue() {
            late.push(schedule);
        }
    }
    let what = list.join("; ");
    let log = |schedule: &Schedule| match schedule.scheduler {
        Scheduler::Systemd => format!("journalctl --user -u bottle-freeze-{}", schedule.vm),
        _ => format!("bottle-freeze freeze {} --if-changed --restart", schedule.vm),
    };
    Some(match missing.into_iter().chain(late.into_iter().map(log)).next() {
        Some(hint) => Check::warning("schedules", what, hint),
        None => Check::ok("schedules", what),
    })
}
