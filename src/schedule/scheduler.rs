//! What runs a schedule. Its files are ours by one of their first lines: others are neither replaced nor removed.

use super::call::run;
use super::record::{Schedule, Scheduler, io_error, read};
use super::{launchd, systemd};
use crate::publish::{Existing, publish_text};
use crate::smolvm::Name;
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

/// The files that the scheduler reads for a schedule of this VM.
///
/// # Errors
/// There is no place for them.
pub fn paths(scheduler: Scheduler, vm: &Name) -> io::Result<Vec<PathBuf>> {
    match scheduler {
        Scheduler::Systemd => Ok(systemd::paths(vm)?.into()),
        Scheduler::Launchd => Ok(vec![launchd::agent(vm)?]),
        Scheduler::Crontab => Ok(Vec::new()),
    }
}

/// What became of the earlier schedule of a VM when a new one could not be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// There was none.
    None,
    /// It goes on.
    GoesOn,
    /// It is gone, too.
    Gone,
}

/// Runs the schedule from now on, in place of the VM's earlier one.
///
/// # Errors
/// A file that is not ours has the name of one of its files, or the scheduler refuses. Then the earlier one is set up again, if
/// that works.
pub fn enable(schedule: &Schedule) -> Result<(), (io::Error, Earlier)> {
    let vm = &schedule.vm;
    let earlier = Schedule::of(vm).ok().flatten();
    let kept = if earlier.is_some() { Earlier::GoesOn } else { Earlier::None };
    // Also what another scheduler runs.
    check_foreign(schedule).and_then(|()| remove(vm)).map_err(|error| (error, kept))?;
    set_up(schedule).map_err(|error| {
        let _ = remove(vm);
        let again = earlier.as_ref().map(set_up);
        if let Some(Ok(())) = again {
            return (error, Earlier::GoesOn);
        }
        let _ = remove(vm);
        let _ = Schedule::forget(vm);
        (error, if again.is_some() { Earlier::Gone } else { Earlier::None })
    })
}

/// Fails if a file that is not ours has the name of one of its files.
fn check_foreign(schedule: &Schedule) -> io::Result<()> {
    let paths = paths(schedule.scheduler, &schedule.vm)?;
    let Some(path) = paths.iter().find(|path| fs::symlink_metadata(path).is_ok() && !is_ours(path)) else {
        return Ok(());
    };
    let what = format!("{} is there, and bottle-freeze did not write it", path.display());
    Err(io::Error::new(io::ErrorKind::AlreadyExists, what))
}

/// Writes its files, and has the scheduler read them. The VM has no other.
fn set_up(schedule: &Schedule) -> io::Result<()> {
    let (vm, paths) = (&schedule.vm, paths(schedule.scheduler, &schedule.vm)?);
    let texts = match schedule.scheduler {
        Scheduler::Systemd => systemd::texts(schedule, OURS)?.into(),
        Scheduler::Launchd => vec![launchd::text(schedule, OURS)?],
        Scheduler::Crontab => Vec::new(),
    };
    for (path, text) in paths.iter().zip(texts) {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        publish_text(text.as_bytes(), path, Existing::Replace).map_err(io_error)?;
    }
    match schedule.scheduler {
        Scheduler::Systemd => systemd::enable(vm),
        Scheduler::Launchd => launchd::enable(vm),
        Scheduler::Crontab => Ok(()),
    }?;
    schedule.write()
}

/// Whether the scheduler runs it; of a crontab that is unknown.
pub fn is_enabled(schedule: &Schedule) -> bool {
    let paths = paths(schedule.scheduler, &schedule.vm);
    let is_there = paths.is_ok_and(|paths| paths.iter().all(|path| is_ours(path)));
    is_there && (schedule.scheduler != Scheduler::Systemd || systemd::is_enabled(&schedule.vm))
}

/// Ends what any scheduler runs for this VM, and removes our files. Returns false if there were none.
///
/// # Errors
/// A scheduler goes on with it.
pub fn remove(vm: &Name) -> io::Result<bool> {
    let mut was_there = false;
    for scheduler in [Scheduler::Systemd, Scheduler::Launchd] {
        let ours: Vec<PathBuf> = paths(scheduler, vm)?.into_iter().filter(|path| is_ours(path)).collect();
        if ours.is_empty() {
            continue;
        }
        was_there = true;
        match scheduler {
            Scheduler::Systemd => systemd::disable(vm)?,
            // One that was not loaded cannot be unloaded.
            _ => drop(launchd::disable(vm)),
        }
        ours.iter().try_for_each(fs::remove_file)?;
        if scheduler == Scheduler::Systemd {
            systemd::reload()?;
        }
    }
    Ok(was_there)
}

/// Whether it runs only while its user is logged in.
pub fn ends_with_session(schedule: &Schedule) -> bool {
    schedule.scheduler == Scheduler::Systemd && systemd::ends_with_session()
}

fn is_ours(path: &Path) -> bool {
    read(path).is_ok_and(|text| text.lines().take(3).any(|line| line.contains(OURS)))
}
