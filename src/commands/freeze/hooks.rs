//! The user's own commands around a freeze: `--pre-freeze` and `--post-freeze`, in the guest or on this host.

use super::args::Hook;
use super::{Freeze, Report};
use crate::error::{Failure, Result, Status};
use crate::signals::{self, ExitNote};
use crate::smolvm::{Call, EngineError, Exec, State};
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the engine may take to end a guest's hook whose time is over.
const LAST_WORDS: Duration = Duration::from_secs(5);
const PRE: &str = "--pre-freeze";
const POST: &str = "--post-freeze";

/// A snapshot, and whether all that was to be done after it was.
pub type Frozen = (Report, Result<()>);

/// What a hook is told of the freeze.
struct Told {
    /// `VM@ID`, or the file; empty if there is none (yet).
    snapshot: OsString,
    /// The exit status; empty before the freeze.
    status: String,
}

impl Freeze<'_> {
    /// Does `freeze` between the hooks. Those after it run whatever happens, once those before it have begun.
    pub fn between_hooks(&self, freeze: impl FnOnce() -> Result<Frozen>) -> Result<Frozen> {
        let (before, after) = (&self.args.before, &self.args.after);
        if signals::pending().is_some() || (before.is_empty() && after.is_empty()) {
            return freeze();
        }
        let lost = format!("--post-freeze was not run to its end for '{}'", self.name);
        let _leaves = (!after.is_empty()).then(|| ExitNote::new(lost));
        let frozen = self.pre_freeze().and_then(|()| freeze());
        self.post_freeze(frozen)
    }

    /// One that fails ends the freeze before anything was changed.
    fn pre_freeze(&self) -> Result<()> {
        let told = Told { snapshot: OsString::new(), status: String::new() };
        for hook in &self.args.before {
            self.hook(PRE, hook, &self.vm.state, &told)
                .map_err(|error| self.put_back(None, self.hook_failure(PRE, Status::HookFailed, error)))?;
        }
        Ok(())
    }

    /// All of them run. One that fails is a failure after a success, and a warning after a failure.
    fn post_freeze(&self, mut frozen: Result<Frozen>) -> Result<Frozen> {
        let (snapshot, status) = match &frozen {
            Ok((report, after)) => (report.name(), after.as_ref().err().map_or(0, |failure| failure.status.code())),
            Err(failure) => (OsString::new(), failure.status.code()),
        };
        let told = Told { snapshot, status: status.to_string() };
        for hook in &self.args.after {
            // A first signal ends a hook that it meets; the others run all the same.
            if signals::caught().is_some() {
                signals::recover();
            } else {
                signals::begin();
            }
            let state = match hook {
                Hook::Guest(_) => self.engine.machine(self.name).map(|vm| vm.state),
                Hook::Host(_) => Ok(State::Running),
            };
            let Err(error) = state.and_then(|state| self.hook(POST, hook, &state, &told)) else { continue };
            let failure = self.hook_failure(POST, Status::PostHookFailed, error);
            match &mut frozen {
                Ok((report, after @ Ok(()))) => {
                    let whole = format!("the snapshot {} is whole", report.name().to_string_lossy());
                    *after = Err(failure.state(whole));
                }
                _ => self.target.warnings.warn(failure.what),
            }
        }
        frozen
    }

    /// Runs a hook, and shows what it printed. One for a guest that does not run is passed over.
    fn hook(&self, flag: &str, hook: &Hook, state: &State, told: &Told) -> Result<(), EngineError> {
        let (terminal, name, limit) = (&self.app.terminal, self.name, self.args.hook_timeout);
        let patience = match hook {
            Hook::Guest(command) if *state != State::Running => {
                let text = format!("'{name}' is {state}, so this {flag} command is not run in it: {command}");
                self.target.warnings.warn(text);
                return Ok(());
            }
            // There the engine ends it.
            Hook::Guest(_) => limit.saturating_add(LAST_WORDS),
            Hook::Host(_) => limit,
        };
        let call = self.hook_call(hook, told);
        terminal.command(&call.shell_line());
        let began = Instant::now();
        let progress = terminal.progress("hook", &format!("{flag} of {name}"), None);
        let outcome = call.capture(Some(patience), None);
        progress.end(outcome.as_ref().is_ok_and(|outcome| outcome.status.success()));
        let outcome = outcome?;
        terminal.output(name.as_str(), &outcome.text());
        if outcome.status.success() {
            terminal.output(name.as_str(), &outcome.stderr);
            return Ok(());
        }
        let is_late = matches!(hook, Hook::Guest(_)) && outcome.is_late() && began.elapsed() >= limit;
        Err(if is_late { EngineError::TimedOut { command: call.shell_line(), limit } } else { call.failure(&outcome) })
    }

    /// What its end means: a signal is a signal, anything else a failure of the hook.
    fn hook_failure(&self, flag: &str, status: Status, error: EngineError) -> Failure {
        let hint = match error {
            EngineError::Interrupted(_) => return error.into(),
            EngineError::TimedOut { .. } => "give it more time with --hook-timeout",
            _ => "fix the command, or freeze without it",
        };
        Failure::new(status, format!("a {flag} command of '{}' failed: {error}", self.name)).hint(hint)
    }

    /// The hooks before and after a freeze that succeeds, as they would be run; `runs` is whether the VM does then.
    pub fn planned_hooks(&self, runs: bool) -> [Vec<Call>; 2] {
        let snapshot = match &self.args.output {
            Some(_) => self.output.sidecar().into(),
            None => format!("{}@ID", self.name).into(),
        };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let told = Told { snapshot: OsString::new(), status: String::new() };
        for hook in &self.args.before {
            let is_run = matches!(hook, Hook::Host(_)) || self.vm.state == State::Running;
            before.extend(is_run.then(|| self.hook_call(hook, &told)));
        }
        let told = Told { snapshot, status: "0".to_owned() };
        for hook in &self.args.after {
            let in_guest = matches!(hook, Hook::Guest(_));
            after.extend(in_guest.then(|| self.engine.machine_ls_call()));
            after.extend((runs || !in_guest).then(|| self.hook_call(hook, &told)));
        }
        [before, after]
    }

    /// The command line of a hook: a shell's, here or in the guest.
    fn hook_call(&self, hook: &Hook, told: &Told) -> Call {
        match hook {
            Hook::Guest(command) => {
                let command = ["sh", "-c", command].map(Into::into).into();
                let exec = Exec { command, timeout: Some(self.args.hook_timeout), ..Exec::default() };
                self.engine.machine_exec_call(self.name, &exec)
            }
            // The name is no part of what the shell reads.
            Hook::Host(command) => Call::new(Path::new("sh"), "-c")
                .arg(command)
                .env("BOTTLE_FREEZE_VM", self.name.as_str())
                .env("BOTTLE_FREEZE_SNAPSHOT", &told.snapshot)
                .env("BOTTLE_FREEZE_STATUS", &told.status),
        }
    }
}
