//! Steps 4 and 8 of a freeze: the VM is stopped, and it is started again unless the freeze succeeds.

use super::context::{Freeze, Job};
use super::plan::Step;
use super::request::Restart;
use crate::error::{Failure, Result, Status};
use crate::operations::disks::VMM_EXIT;
use crate::operations::start::{START_AGAIN, start};
use crate::operations::stop::stop;
use crate::signals::{ExitNote, Signals, is_alive};
use crate::smolvm::{EngineError, State};
use std::time::{Duration, Instant};

/// How long a VM that did not stop in time is watched: does its guest still run commands?
const SETTLING: Duration = Duration::from_secs(5);
/// How long its VMM may live on after a signal that an ended `stop` has sent it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A VM that a freeze may have stopped. It ends in one of two ways: [`Self::keep`], or [`Self::put_back`].
#[must_use]
pub struct Stopped<'a> {
    freeze: &'a Freeze<'a>,
    /// When the stop began, if the VM is down since.
    since: Option<Instant>,
    /// How long it was down, and how its start ended, if it was started again before the freeze ended.
    restarted: Option<(Option<Duration>, Result<()>)>,
    /// What stays if a second signal ends this process at once.
    note: Option<ExitNote>,
}

impl<'a> Stopped<'a> {
    /// It is as it was found.
    pub fn not_yet(freeze: &'a Freeze<'a>) -> Self {
        Self { freeze, since: None, restarted: None, note: None }
    }

    /// From here on, it may be left stopped if a second signal ends this process at once.
    pub fn may_stop(&mut self) {
        let stops = self.freeze.plan.has(&Step::Stop);
        self.note = stops.then(|| self.signals().note(format!("'{}' may be stopped", self.freeze.job.name)));
    }

    /// How long it has been down.
    pub fn downtime(&self) -> Option<Duration> {
        match &self.restarted {
            Some((downtime, _)) => *downtime,
            None => self.since.map(|since| since.elapsed()),
        }
    }

    /// Whether it is down because of this freeze, and is to be started again.
    pub fn is_to_restart(&self) -> bool {
        self.since.is_some() && self.restarted.is_none() && self.freeze.plan.has(&Step::Start)
    }

    /// Whether it was started again.
    pub fn is_restarted(&self) -> bool {
        self.restarted.is_some()
    }

    /// Step 8: restart, as soon as its disks are no longer needed. If it does not start, [`Self::keep`] fails. A signal does not
    /// end the start.
    pub fn restart(&mut self) {
        let _cleanup = self.signals().recovering();
        let downtime = self.downtime();
        let started = self.start_again();
        if started.is_ok() {
            self.note = None;
        }
        self.restarted = Some((downtime, started));
    }

    /// 4. Stop: in time or not at all, if it is up.
    ///
    /// # Errors
    /// The stop was refused, took too long or was interrupted.
    pub fn stop(&mut self) -> Result<()> {
        let Freeze { cx, job, vm, plan, .. } = self.freeze;
        if !plan.has(&Step::Stop) {
            return Ok(());
        }
        let began = Instant::now();
        let stopped = cx.app.terminal.phase("stop", &format!("stopping {}", job.name), || {
            let limit = Some(cx.request.stop_timeout);
            stop(cx.engine, &job.name, plan.has(&Step::Sync), limit, &job.warnings)?;
            wait_for_exit(vm.pid, VMM_EXIT);
            Ok(())
        });
        match stopped {
            Ok(()) => self.since = Some(began),
            Err(error) => return Err(self.not_stopped(began, error)),
        }
        Ok(())
    }

    /// Only the engine's list says whether the VM is down now.
    fn not_stopped(&mut self, began: Instant, error: EngineError) -> Failure {
        let _cleanup = self.signals().recovering();
        let Freeze { cx, job, vm, .. } = self.freeze;
        let late = matches!(error, EngineError::TimedOut { .. });
        let failure = Failure::from(error);
        let failure = if late { Failure { status: Status::NotStopped, ..failure } } else { failure };
        // The engine may have asked it to stop: then it is about to go down, and runs no commands.
        let was_running = vm.state == State::Running;
        let answers = was_running && cx.engine.wait_exec_ready(&job.name, SETTLING).is_ok();
        // One that still answers may have been asked a moment ago.
        wait_for_exit(vm.pid, LAST_WORDS);
        match cx.engine.machine_listed(&job.name) {
            Ok(now) if now.state.is_up() && was_running && !answers => {
                failure.and_state(format!("'{}' no longer answers", job.name))
            }
            Ok(now) if now.state.is_up() => failure,
            // Also when the list cannot be read: a start of a running VM does nothing.
            _ => {
                self.since = Some(began);
                failure
            }
        }
    }

    /// 8. Restart, if the user asks for it and this freeze stopped it; `snapshot` is what was made.
    ///
    /// # Errors
    /// It does not start again.
    pub fn keep(mut self, snapshot: &str) -> Result<()> {
        if self.is_to_restart() {
            self.restart();
        }
        let name = &self.freeze.job.name;
        let started = self.restarted.map_or(Ok(()), |(_, started)| started);
        started.map_err(|failure| {
            let what = format!("'{name}' was frozen, but does not start again: {failure}");
            let whole = format!("the snapshot {snapshot} is whole");
            let restart = Failure::new(Status::NotRestarted, what).state(whole);
            let restart = failure.state.into_iter().fold(restart, Failure::and_state);
            restart.hint(format!("start it with `bottle-freeze start {name}`"))
        })
    }

    /// The freeze failed: the VM is left as it was found. Adds to `failure` how things stand then.
    pub fn put_back(self, failure: Failure) -> Failure {
        let _cleanup = self.signals().recovering();
        let Freeze { cx, vm, plan, target, .. } = self.freeze;
        let name = &vm.name;
        let state = match self.since {
            None if failure.state.is_some() || plan.is_live() => format!("'{name}' was not stopped by this freeze"),
            None => format!("'{name}' is {} as before", vm.state),
            Some(_) if matches!(self.restarted, Some((_, Ok(())))) => format!("'{name}' is running again"),
            Some(_) if cx.request.restart == Restart::Never => format!("'{name}' is stopped"),
            Some(_) => self.start_what_was_stopped(),
        };
        let target = match &cx.request.output {
            Some(_) => format!("{} is as it was", target.sidecar().display()),
            None => "the library is as it was".to_owned(),
        };
        failure.and_state(format!("{state}; {target}"))
    }

    /// Starts the VM again, if it is still the one that was stopped; says how it is then.
    fn start_what_was_stopped(&self) -> String {
        let Freeze { cx, job: Job { name, .. }, vm, .. } = self.freeze;
        match cx.engine.machine(name) {
            Err(EngineError::NoSuchVm(_)) => return format!("'{name}' was deleted by another command"),
            Ok(now) if now.created_at != vm.created_at => {
                return format!("'{name}' was replaced by another command; it is {}", now.state);
            }
            // A start would end it first.
            Ok(now) if now.state == State::Unreachable || now.given_up => return format!("'{name}' is {}", now.state),
            _ => {}
        }
        match self.start_again() {
            Ok(()) => format!("'{name}' is running again"),
            Err(Failure { what, state: Some(state), .. }) => format!("{state}, because {what}"),
            Err(failure) => format!("'{name}' is stopped, and does not start again: {failure}"),
        }
    }

    fn signals(&self) -> &Signals {
        &self.freeze.cx.app.signals
    }

    fn start_again(&self) -> Result<()> {
        let Freeze { cx, job, .. } = self.freeze;
        cx.app.terminal.phase("restart", &format!("starting {} again", job.name), || {
            start(cx.engine, &job.name, START_AGAIN, true, &job.warnings)
        })
    }
}

/// Waits until the VMM has closed the disks, but not longer than `limit`.
fn wait_for_exit(pid: Option<i32>, limit: Duration) {
    let Some(pid) = pid.filter(|pid| *pid > 0) else { return };
    let began = Instant::now();
    while is_alive(pid) && began.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
}
