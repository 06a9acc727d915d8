//! Takes locks, and waits for them as long as `--wait` allows.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::home;
use crate::library::{Entry, Lock, LockError, Removal, RemoveError, Sharing, Stored, Target, catalog, vm_key};
use crate::smolvm::{Name, Smolvm};
use crate::terminal::Progress;
use std::time::{Duration, Instant};

/// The pause between attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// What to do where no option waits.
pub const LATER: &str = "try again when it is done";

/// How long changes of the library wait for each other.
const LIBRARY_WAIT: Limit = Limit::Fixed(Duration::from_secs(10));

/// How long to wait for another run.
#[derive(Clone, Copy)]
enum Limit {
    /// As `--wait` says.
    Option(Duration),
    /// No option changes it.
    Fixed(Duration),
}

/// Locks a VM against a freeze of it. Several runs may hold this lock: the engine itself orders their changes.
pub fn vm_shared(app: &App, engine: &Smolvm, name: &Name, wait: Duration) -> Result<Lock> {
    vm(app, engine, name, Limit::Option(wait), Sharing::Shared)
}

/// Locks a VM for a freeze.
pub fn vm_alone(app: &App, engine: &Smolvm, name: &Name, wait: Duration) -> Result<Lock> {
    vm(app, engine, name, Limit::Option(wait), Sharing::Alone)
}

/// Locks the name of a VM that is being made or replaced. No option waits for that: what the user confirmed may not be true any
/// more by then.
pub fn name(app: &App, engine: &Smolvm, name: &Name) -> Result<Lock> {
    vm(app, engine, name, Limit::Fixed(Duration::ZERO), Sharing::Alone)
}

fn vm(app: &App, engine: &Smolvm, name: &Name, limit: Limit, sharing: Sharing) -> Result<Lock> {
    let key = vm_key(&engine.state_folder(), name.as_str());
    take(app, limit, || Lock::take(&format!("'{name}'"), &key, sharing))
}

/// Locks the ports of this host against another run that looks for free ones.
pub fn ports(app: &App, wait: Duration) -> Result<Lock> {
    take(app, Limit::Fixed(wait), || Lock::take("the choice of free ports", "ports", Sharing::Alone))
}

/// The lock; none where there can be none.
pub fn if_possible(lock: Result<Lock>) -> Result<Option<Lock>> {
    match lock {
        Err(failure) if failure.status == Status::NotWritable => Ok(None),
        lock => lock.map(Some),
    }
}

/// Locks output files.
pub fn output(app: &App, output: &Target, wait: Duration) -> Result<Option<Lock>> {
    take(app, Limit::Option(wait), || output.lock())
}

/// Locks the snapshots of a VM for a short change.
pub fn library(app: &App, vm: &str) -> Result<Lock> {
    take(app, LIBRARY_WAIT, || catalog::lock(vm))
}

/// Locks a snapshot against removal while its files are read.
pub fn reading(app: &App, one: &Stored) -> Result<Option<Lock>> {
    take(app, LIBRARY_WAIT, || one.hold())
}

/// Locks the installed engines for a change.
pub fn engines(app: &App) -> Result<Lock> {
    let refused = |error| Failure::not_writable(home::shown_path("engines").as_ref(), &error);
    let folder = home::folder("engines").map_err(refused)?;
    take(app, Limit::Fixed(Duration::ZERO), || Lock::folder("the folder of the engines", &folder, Sharing::Alone))
}

/// Removes a snapshot, if it is still the one that was read. Waits while another run reads it, without locking the library.
pub fn remove(app: &App, one: &Entry, wait: Duration) -> Result<Removal> {
    let mut waiting = Waiting::new(app, Limit::Option(wait));
    loop {
        let library = library(app, one.vm())?;
        match one.remove(&library) {
            Err(RemoveError::Locked(held)) if waiting.may_wait(&held) => {
                drop(library);
                waiting.pause(&held)?;
            }
            result => return waiting.end(result),
        }
    }
}

fn take<T>(app: &App, limit: Limit, take: impl Fn() -> Result<T, LockError>) -> Result<T> {
    let mut waiting = Waiting::new(app, limit);
    loop {
        match take() {
            Err(held) if waiting.may_wait(&held) => waiting.pause(&held)?,
            result => return waiting.end(result),
        }
    }
}

/// Waits for a lock that another run holds.
struct Waiting<'a> {
    app: &'a App,
    limit: Limit,
    began: Instant,
    progress: Option<Progress>,
}

impl<'a> Waiting<'a> {
    fn new(app: &'a App, limit: Limit) -> Self {
        Self { app, limit, began: Instant::now(), progress: None }
    }

    fn may_wait(&self, error: &LockError) -> bool {
        let (Limit::Option(limit) | Limit::Fixed(limit)) = self.limit;
        matches!(error, LockError::Held { .. }) && self.began.elapsed() < limit
    }

    fn pause(&mut self, held: &LockError) -> Result<()> {
        self.app.signals.check()?;
        let terminal = &self.app.terminal;
        self.progress.get_or_insert_with(|| terminal.progress("wait", &format!("waiting: {held}"), None)).tick();
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn end<T, E: Into<Failure>>(self, result: Result<T, E>) -> Result<T> {
        self.progress.into_iter().for_each(|progress| progress.end(result.is_ok()));
        result.map_err(Into::into).map_err(|failure: Failure| match self.limit {
            Limit::Option(_) if failure.status == Status::Locked => {
                failure.hint("try again when it is done, or wait for it with --wait 10m")
            }
            _ => failure,
        })
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let what = error.to_string();
        match error {
            LockError::Held { .. } => Self::new(Status::Locked, what).hint(LATER),
            LockError::Gone(_) => Self::new(Status::NotFound, what),
            LockError::Unlockable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
