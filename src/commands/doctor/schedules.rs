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
    let (mut list, mut hints) = (Vec::new(), Vec::new());
    for (vm, schedule) in &all {
        let Ok(schedule) = schedule else {
            list.push(format!("the schedule of '{vm}' cannot be read"));
            hints.push(format!("bottle-freeze schedule {vm} --remove"));
            continue;
        };
        let success = schedule.last_success().and_then(clock::age);
        let success = success.map_or_else(|| "never succeeded".to_owned(), |age| format!("succeeded {age} ago"));
        let note = match (is_enabled(schedule), schedule.is_overdue()) {
            (false, _) => {
                hints.push(schedule.again());
                ", but nothing runs it"
            }
            (true, true) => {
                hints.push(match schedule.scheduler {
                    Scheduler::Systemd => format!("journalctl --user -u bottle-freeze-{vm}"),
                    _ => schedule.shell_line().unwrap_or_default(),
                });
                ", which is overdue"
            }
            (true, false) => "",
        };
        list.push(format!("'{vm}' is frozen every {} and {success}{note}", schedule.every));
    }
    let what = list.join("; ");
    Some(match hints.into_iter().next() {
        Some(hint) => Check::warning("schedules", what, hint),
        None => Check::ok("schedules", what),
    })
}
