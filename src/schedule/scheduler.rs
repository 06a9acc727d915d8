//! What runs a schedule. Its files are ours by one of their first lines: others are neither replaced nor removed.

use super::call::run;
use super::record::{Schedule, Scheduler, read};
use super::{launchd, systemd};
use crate::publish::{Existing, publish_text};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// In each file that a scheduler reads: whose it is.
const OURS: &str = "Written by bottle-freeze schedule";

/// The scheduler of this session.
pub fn of_session() -> Scheduler {
    if cfg!(target_os = "macos") {
        return Scheduler::Launchd;
    }
    let is_there = run("systemctl", &["--user", "show-environment"]).is_ok();
    if is_there { Scheduler::Systemd } else { Scheduler::Crontab }
}

/// The files that the scheduler reads for this schedule, and their contents.
///
/// # Errors
/// There is no place for them.
pub fn files(schedule: &Schedule) -> io::Result<Vec<(PathBuf, String)>> {
    match schedule.scheduler {
        Scheduler::Systemd => systemd::files(schedule, OURS),
        Scheduler::Launchd => Ok(vec![launchd::file(schedule, OURS)?]),
        Scheduler::Crontab => Ok(Vec::new()),
    }
}

/// Runs the schedule from now on, in place of the VM's earlier one.
///
/// # Errors
/// A file that is not ours has its name, or the scheduler refuses.
pub fn enable(schedule: &Schedule) -> io::Result<()> {
    let files = files(schedule)?;
    if let Some((path, _)) = files.iter().find(|(path, _)| fs::symlink_metadata(path).is_ok() && !is_ours(path)) {
        let what = format!("{} is there, and bottle-freeze did not write it", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    schedule.write()?;
    for (path, text) in &files {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        publish_text(text.as_bytes(), path, Existing::Replace).map_err(io::Error::other)?;
    }
    match schedule.scheduler {
        Scheduler::Systemd => systemd::enable(&schedule.vm),
        Scheduler::Launchd => launchd::enable(&schedule.vm),
        Scheduler::Crontab => Ok(()),
    }
}

/// Whether its files are there.
pub fn is_enabled(schedule: &Schedule) -> bool {
    files(schedule).is_ok_and(|files| files.iter().all(|(path, _)| is_ours(path)))
}

/// Removes all that was written for the schedule.
///
/// # Errors
/// A part of it is still there.
pub fn remove(schedule: &Schedule) -> io::Result<()> {
    match schedule.scheduler {
        Scheduler::Systemd => systemd::disable(&schedule.vm),
        Scheduler::Launchd => launchd::disable(&schedule.vm),
        Scheduler::Crontab => {}
    }
    for (path, _) in files(schedule)?.iter().filter(|(path, _)| is_ours(path)) {
        fs::remove_file(path)?;
    }
    if schedule.scheduler == Scheduler::Systemd {
        systemd::reload();
    }
    schedule.forget()
}

/// Whether it runs only while its user is logged in.
pub fn ends_with_session(schedule: &Schedule) -> bool {
    schedule.scheduler == Scheduler::Systemd && systemd::ends_with_session()
}

fn is_ours(path: &Path) -> bool {
    read(path).is_ok_and(|text| text.lines().take(3).any(|line| line.contains(OURS)))
}
