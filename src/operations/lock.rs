//! Takes locks, and waits for them as long as `--wait` allows.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::home;
use crate::library::{Entry, Lock, LockError, Removal, RemoveError, Sharing, Stored, Target, store, vm_key};
use crate::smolvm::{Name, Smolvm};
use crate::terminal::Progress;
use std::time::{Duration, Instant};

/// How often a lock that another holds is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// How long changes of the library wait for each other.
const MOMENT: Duration = Duration::from_secs(10);

/// For a change of a VM that must not meet a freeze of it. The engine itself orders such changes among each other.
pub fn vm_shared(app: &App, engine: &Smolvm, name: &Name, wait: Duration) -> Result<Lock> {
    vm(app, engine, name, wait, Sharing::Shared)
}

/// For a freeze of a VM.
pub fn vm_alone(app: &App, engine: &Smolvm, name: &Name, wait: Duration) -> Result<Lock> {
    vm(app, engine, name, wait, Sharing::Alone)
}

fn vm(app: &App, engine: &Smolvm, name: &Name, wait: Duration, sharing: Sharing) -> Result<Lock> {
    let key = vm_key(&engine.state_folder(), name.as_str());
    take(app, wait, || Lock::take(&format!("'{name}'"), &key, sharing))
}

/// For writing an output that another run could write too.
pub fn output(app: &App, output: &Target, wait: Duration) -> Result<Option<Lock>> {
    take(app, wait, || output.lock())
}

/// For a change of a VM's snapshots in the library, which takes a moment.
pub fn library(app: &App, vm: &str) -> Result<Lock> {
    take(app, MOMENT, || store::lock(vm))
}

/// For reading the files of a snapshot: no run removes them until the lock is dropped.
pub fn reading(app: &App, one: &Stored) -> Result<Option<Lock>> {
    take(app, MOMENT, || one.hold())
}

/// For a change of the installed engines.
pub fn engines(app: &App) -> Result<Lock> {
    let refused = |error| Failure::not_writable(home::shown_path("engines").as_ref(), &error);
    let folder = home::folder("engines").map_err(refused)?;
    take(app, Duration::ZERO, || Lock::folder("the folder of the engines", &folder, Sharing::Alone))
}

/// Removes a snapshot, if it is still the one that was looked at. Waits while another run reads it, and does not lock the
/// library meanwhile.
pub fn remove(app: &App, one: &Entry, wait: Duration) -> Result<Removal> {
    let mut waiting = Waiting::new(app, wait);
    loop {
        let library = library(app, one.vm())?;
        match one.remove(&library) {
            Err(RemoveError::Locked(held)) if waiting.is_allowed(&held) => {
                drop(library);
                waiting.go_on(&held)?;
            }
            result => return waiting.end(result),
        }
    }
}

fn take<T>(app: &App, wait: Duration, take: impl Fn() -> Result<T, LockError>) -> Result<T> {
    let mut waiting = Waiting::new(app, wait);
    loop {
        match take() {
            Err(held) if waiting.is_allowed(&held) => waiting.go_on(&held)?,
            result => return waiting.end(result),
        }
    }
}

/// Waits for a lock that another run holds.
struct Waiting<'a> {
    app: &'a App,
    limit: Duration,
    began: Instant,
    progress: Option<Progress>,
}

impl<'a> Waiting<'a> {
    fn new(app: &'a App, limit: Duration) -> Self {
        Self { app, limit, began: Instant::now(), progress: None }
    }

    fn is_allowed(&self, error: &LockError) -> bool {
        matches!(error, LockError::Held { .. }) && self.began.elapsed() < self.limit
    }

    fn go_on(&mut self, held: &LockError) -> Result<()> {
        self.app.signals.check()?;
        let terminal = &self.app.terminal;
        self.progress.get_or_insert_with(|| terminal.progress("wait", &format!("waiting: {held}"), None)).tick();
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn end<T, E: Into<Failure>>(self, result: Result<T, E>) -> Result<T> {
        self.progress.into_iter().for_each(|progress| progress.end(result.is_ok()));
        result.map_err(Into::into)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let what = error.to_string();
        match error {
            LockError::Held { .. } => {
                Self::new(Status::Locked, what).hint("try again when it is done, or wait for it with --wait 10m")
            }
            LockError::Gone(_) => Self::new(Status::NotFound, what),
            LockError::Unlockable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
