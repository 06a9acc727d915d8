//! Locks, waited for as long as `--wait` allows.

use super::{App, Failure, Result};
use crate::interrupt;
use crate::smolvm::{EngineError, Name};
use crate::snapshot::{Lock, LockError, Output, Sharing, vm_key};
use crate::ui::Progress;
use std::time::{Duration, Instant};

/// How often a lock that another holds is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// How long changes of the library wait for each other.
const MOMENT: Duration = Duration::from_secs(10);

/// For a change of a VM that a freeze of it must not meet; the engine itself orders such changes among each other.
pub fn vm_shared(app: &App, name: &Name, wait: Duration) -> Result<Lock> {
    take(app, wait, || Lock::take(&format!("'{name}'"), &vm_key(name.as_str()), Sharing::Shared))
}

/// For a freeze of a VM.
pub fn vm_alone(app: &App, name: &Name, wait: Duration) -> Result<Lock> {
    take(app, wait, || Lock::take(&format!("'{name}'"), &vm_key(name.as_str()), Sharing::Alone))
}

/// For writing an output.
pub fn output(app: &App, output: &Output, wait: Duration) -> Result<Lock> {
    take(app, wait, || output.lock())
}

/// For a change of a VM's snapshots in the library: it is done in a moment.
pub fn library(app: &App, vm: &str) -> Result<Lock> {
    take(app, MOMENT, || Lock::take(&format!("the library of '{vm}'"), &format!("library-{vm}"), Sharing::Alone))
}

/// For a change of the installed engines.
pub fn engines(app: &App) -> Result<Lock> {
    take(app, Duration::ZERO, || Lock::take("the folder of the engines", "engines", Sharing::Alone))
}

fn take(app: &App, wait: Duration, take: impl Fn() -> Result<Lock, LockError>) -> Result<Lock> {
    let (began, mut waiting) = (Instant::now(), None::<Progress>);
    loop {
        let held = match take() {
            Err(held @ LockError::Held { .. }) if began.elapsed() < wait => held,
            result => {
                if let Some(waiting) = waiting {
                    waiting.end(result.is_ok());
                }
                return Ok(result?);
            }
        };
        if let Some(signal) = interrupt::pending() {
            return Err(EngineError::Interrupted(signal).into());
        }
        waiting.get_or_insert_with(|| app.ui.progress("wait", &format!("waiting: {held}"), None)).tick();
        std::thread::sleep(PAUSE);
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let what = error.to_string();
        match error {
            LockError::Held { .. } => {
                Self::new(super::Status::Locked, what).mend("try again when it is done, or wait for it with --wait 10m")
            }
            LockError::Unlockable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
