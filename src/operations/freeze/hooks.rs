//! The user's own commands around a freeze: `--pre-freeze` and `--post-freeze`, in the guest or on this host.

use super::context::{Freeze, Frozen};
use super::request::Hook;
use crate::error::{Failure, Result, Status};
use crate::home;
use crate::signals::ExitNote;
use crate::smolvm::{Call, Command, EngineError, Exec, State};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the engine may take to end a guest's hook whose time is over.
const LAST_WORDS: Duration = Duration::from_secs(5);
const PRE: &str = "--pre-freeze";
const POST: &str = "--post-freeze";

/// What a hook on this host learns of the freeze: the snapshot, `VM@ID` or the file, and the exit status. Empty: none yet.
pub type HookEnv<'a> = (&'a OsStr, &'a str);

/// The hooks of a freeze. Those after it run whatever happens, once those before it have begun.
pub struct Hooks<'a> {
    freeze: &'a Freeze<'a>,
    before: &'a [Hook],
    after: &'a [Hook],
    /// What stays if a second signal ends this process at once.
    _note: Option<ExitNote>,
}

impl<'a> Hooks<'a> {
    /// All that the user asks for; none if a signal came already.
    pub fn of(freeze: &'a Freeze<'a>) -> Self {
        let (request, signals) = (freeze.cx.request, &freeze.cx.app.signals);
        let is_late = signals.check().is_err();
        let (before, after) = if is_late { (&[][..], &[][..]) } else { (&request.before[..], &request.after[..]) };
        let lost = format!("--post-freeze was not run to its end for '{}'", freeze.job.name);
        Self { freeze, before, after, _note: (!after.is_empty()).then(|| signals.note(lost)) }
    }

    /// Runs those before the freeze.
    ///
    /// # Errors
    /// One fails: nothing was changed.
    pub fn before(&self) -> Result<()> {
        let run = |hook| self.run(PRE, hook, &self.freeze.vm.state, ("".as_ref(), ""));
        let mut all = self.before.iter();
        all.try_for_each(|hook| run(hook).map_err(|error| self.failure(PRE, Status::HookFailed, error)))
    }

    /// Runs all those after the freeze. One that fails is a failure after a success, and a warning after a failure.
    pub fn after(&self, mut frozen: Result<Frozen>) -> Result<Frozen> {
        let (snapshot, status) = match &frozen {
            Ok(frozen) => (frozen.name(), frozen.failure.as_ref().map_or(0, |failure| failure.status.code())),
            Err(failure) => (OsString::new(), failure.status.code()),
        };
        let (status, signals) = (status.to_string(), &self.freeze.cx.app.signals);
        for hook in self.after {
            // A first signal ends the hook that runs; the others run anyway.
            let _cleanup = signals.caught().map(|_| signals.recovering());
            let state = match hook {
                Hook::Guest(_) => self.freeze.cx.engine.machine(&self.freeze.job.name).map(|vm| vm.state),
                Hook::Host(_) => Ok(State::Running),
            };
            let Err(error) = state.and_then(|state| self.run(POST, hook, &state, (&snapshot, &status))) else {
                continue;
            };
            let failure = self.failure(POST, Status::PostHookFailed, error);
            match &mut frozen {
                Ok(frozen) if frozen.failure.is_none() => {
                    let whole = format!("the snapshot {} is whole", frozen.name().to_string_lossy());
                    frozen.failure = Some(failure.state(whole));
                }
                _ => self.freeze.job.warnings.warn(failure.what),
            }
        }
        frozen
    }

    /// Runs a hook, and prints its output. One for a guest that does not run is skipped, with a warning.
    fn run(&self, flag: &str, hook: &Hook, state: &State, env: HookEnv) -> Result<(), EngineError> {
        let Freeze { cx, job, .. } = self.freeze;
        let (terminal, name, limit) = (&cx.app.terminal, &job.name, cx.request.hook_timeout);
        let patience = match hook {
            Hook::Guest(command) if *state != State::Running => {
                let text = format!("'{name}' is {state}, so this {flag} command is not run in it: {command}");
                job.warnings.warn(text);
                return Ok(());
            }
            // There the engine ends it.
            Hook::Guest(_) => limit.saturating_add(LAST_WORDS),
            Hook::Host(_) => limit,
        };
        let call = self.freeze.hook_call(hook, env);
        terminal.command(&call.shell_line());
        let began = Instant::now();
        let progress = terminal.progress("hook", &format!("{flag} of {name}"), None);
        let outcome = call.capture(&cx.app.signals, Some(patience), None);
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

    /// A signal is a signal; anything else is a failure of the hook.
    fn failure(&self, flag: &str, status: Status, error: EngineError) -> Failure {
        let hint = match error {
            EngineError::Interrupted(_) => return error.into(),
            EngineError::TimedOut { .. } => "give it more time with --hook-timeout",
            _ => "fix the command, or freeze without it",
        };
        Failure::new(status, format!("a {flag} command of '{}' failed: {error}", self.freeze.job.name)).hint(hint)
    }
}

impl Freeze<'_> {
    /// The command line of a hook: a shell's, here or in the guest.
    pub fn hook_call(&self, hook: &Hook, (snapshot, status): HookEnv) -> Call {
        match hook {
            Hook::Guest(command) => {
                let command = ["sh", "-c", command].map(Into::into).into();
                let exec = Exec { command, timeout: Some(self.cx.request.hook_timeout), ..Exec::default() };
                self.cx.engine.command_line(Command::Exec(&self.job.name, &exec))
            }
            // The name is no part of what the shell reads.
            Hook::Host(command) => {
                let call = Call::new(Path::new("sh"), "-c")
                    .arg(command)
                    .env("BOTTLE_FREEZE_VM", self.job.name.as_str())
                    .env("BOTTLE_FREEZE_SNAPSHOT", snapshot)
                    .env("BOTTLE_FREEZE_STATUS", status);
                // A bottle-freeze in the hook uses the same library.
                home::chosen().into_iter().fold(call, |call, home| call.env("BOTTLE_FREEZE_HOME", home))
            }
        }
    }
}
