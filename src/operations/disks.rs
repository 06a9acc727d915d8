//! The disks of a VM that is down, and the VMM that has them open all the same: a start that was ended early leaves one, which
//! boots on although smolvm lists the VM as down.

use crate::error::{Failure, Result, Status};
use crate::signals::Interrupted;
use crate::smolvm::{EngineError, Name, Smolvm, State, end_vmm, process_with_open_disk};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the VMM may outlive the engine's `stop` (20 ms were seen in 1.16). Then the pack goes on: in a
/// container without an init the process number of a dead VMM stays.
pub const VMM_EXIT: Duration = Duration::from_secs(2);
/// How long the engine may take to end a VMM (1.5 s were seen).
const END_LIMIT: Duration = Duration::from_secs(30);

/// The folder of the VM's disks, if the engine says which.
///
/// # Errors
/// A signal arrived.
pub fn folder(engine: &Smolvm, name: &Name) -> Result<Option<PathBuf>, EngineError> {
    match engine.machine_data_dir(name) {
        Err(error @ EngineError::Interrupted(_)) => Err(error),
        folder => Ok(folder.ok()),
    }
}

/// Checks that no process writes to the disks of a VM in this state, unless it is up.
///
/// # Errors
/// One does, and the failure says how to end it; or a signal arrived.
pub fn check_unused(engine: &Smolvm, name: &Name, state: &State, disks: &Path) -> Result<()> {
    match if state.is_up() { None } else { user(engine, disks)? } {
        None => Ok(()),
        Some(pid) => {
            Err(in_use(name, state, pid)
                .hint(format!("if a start of it did not end, `bottle-freeze stop {name}` ends it")))
        }
    }
}

/// Ends the VMM that an ended start of a VM in this state left, if it has the disks open.
///
/// # Errors
/// It lives on.
pub fn free(engine: &Smolvm, name: &Name, state: &State) -> Result<()> {
    let folder = if state.is_up() { None } else { folder(engine, name)? };
    if folder.is_some_and(|folder| process_with_open_disk(&folder).is_some()) {
        end_start(engine, name, state)?;
    }
    Ok(())
}

/// Ends the VMM that an ended start of a VM in this state left. It may not have opened the disks yet.
///
/// # Errors
/// It lives on.
pub fn end_start(engine: &Smolvm, name: &Name, state: &State) -> Result<()> {
    engine.machine_stop(name, Some(END_LIMIT))?;
    end_left(engine, name, state)
}

/// Ends the VMM of a VM that smolvm says it has stopped: 1.4 ends none of an ended start, and later ones only one that has
/// written its number down.
///
/// # Errors
/// A process has the disks open that is no VMM of this user: the failure says which.
pub fn end_left(engine: &Smolvm, name: &Name, state: &State) -> Result<()> {
    let Some(folder) = folder(engine, name)? else { return Ok(()) };
    match user(engine, &folder)? {
        Some(pid) if !end_vmm(&folder) => {
            Err(in_use(name, state, pid).hint(format!("smolvm did not end that process: `kill {pid}`")))
        }
        _ => Ok(()),
    }
}

/// The process that has the disks open for longer than a VM takes to close them that was stopped a moment ago.
fn user(engine: &Smolvm, folder: &Path) -> Result<Option<u32>, Interrupted> {
    let (began, mut user) = (Instant::now(), process_with_open_disk(folder));
    while user.is_some() && began.elapsed() < VMM_EXIT {
        engine.signals().check()?;
        std::thread::sleep(Duration::from_millis(20));
        user = process_with_open_disk(folder);
    }
    Ok(user)
}

fn in_use(name: &Name, state: &State, pid: u32) -> Failure {
    let what = format!("process {pid} has the disks of '{name}' open, although smolvm lists the VM as {state}");
    Failure::new(Status::BadState, what)
}
