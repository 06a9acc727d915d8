//! The engine: found, its version known, and the ways in which its commands are run and tried again.

use super::call::Call;
use super::error::{EngineError, Reason, Result};
use super::facts::Fact;
use super::locate::{self, EngineSource};
use super::machine::Name;
use super::outcome::Outcome;
use super::supervise::OnLine;
use super::version::Version;
use super::{retry, state};
use crate::signals::Signals;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The longest that a quick command (`ls`, `create` of a bare VM, `delete` …) may take before it counts as hung.
pub(super) const QUICK: Duration = Duration::from_secs(120);

/// A function that gets every command just before it runs.
pub type OnCall = Arc<dyn Fn(&Call) + Send + Sync>;

/// An engine that was found, and whose version is known.
pub struct Smolvm {
    path: PathBuf,
    source: EngineSource,
    version: Version,
    on_call: OnCall,
    signals: Signals,
}

impl Smolvm {
    /// Finds the engine (`asked`, then `$SMOLVM`, then `PATH`, then the installed one) and gets its version.
    ///
    /// # Errors
    /// There is no engine, it cannot be run, it is another program, or it is older than [`Version::OLDEST`].
    pub fn find(asked: Option<&Path>, on_call: OnCall, signals: Signals) -> Result<Self> {
        let (path, source) = locate::find(asked)?;
        let version = locate::version(&path, &*on_call, &signals)?;
        Ok(Self { path, source, version, on_call, signals })
    }

    /// The same engine; another function gets its commands.
    #[must_use]
    pub fn calling(&self, on_call: OnCall) -> Self {
        Self { on_call, path: self.path.clone(), signals: self.signals.clone(), ..*self }
    }

    /// The signals that end its commands.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The executable.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it was found.
    pub fn source(&self) -> EngineSource {
        self.source
    }

    /// Its version, which decides what it can do.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The folder of its state: see [`state::folder`].
    pub fn state_folder(&self) -> PathBuf {
        state::folder(self.version)
    }

    /// Whether the engine at this path still has this version. Asks it anew where files do not decide which engine runs.
    pub fn is_unchanged(&self) -> bool {
        locate::version(&self.path, &*self.on_call, &self.signals).is_ok_and(|version| version == self.version)
    }

    /// A command line of this engine.
    pub(super) fn call(&self, subcommand: &str) -> Call {
        Call::new(&self.path, subcommand)
    }

    /// Adds the VM's name at the end of the line: some engines with positional names read all that follows as the
    /// workload.
    pub(super) fn named(&self, call: Call, name: &Name) -> Call {
        if self.version.has(Fact::NameFlags) { call.value("--name", name.as_str()) } else { call.arg(name.as_str()) }
    }

    /// Whether this engine can do it.
    ///
    /// # Errors
    /// [`EngineError::TooOld`] if it cannot.
    pub fn require(&self, fact: Fact) -> Result<()> {
        let version = self.version;
        if version.has(fact) { Ok(()) } else { Err(EngineError::TooOld { version, fact }) }
    }

    /// Reports a command that is about to run.
    pub(super) fn announce(&self, call: &Call) {
        (self.on_call)(call);
    }

    /// Runs `call`.
    ///
    /// # Errors
    /// Also when it exits with a failure.
    pub(super) fn run_ok<'a>(
        &'a self,
        call: &'a Call,
        limit: Option<Duration>,
        on_line: Option<OnLine<'a>>,
    ) -> Result<Outcome> {
        self.announce(call);
        self.check(call, call.capture(&self.signals, limit, on_line)?)
    }

    /// The outcome of `call`, if it is a success.
    pub(super) fn check(&self, call: &Call, outcome: Outcome) -> Result<Outcome> {
        if outcome.status.success() {
            return Ok(outcome);
        }
        if outcome.status.code() == Some(2) {
            // A usage error: perhaps another engine than the remembered one is at this path now.
            locate::forget(&self.path);
        }
        Err(call.failure(&outcome))
    }

    /// Runs a command that changes the VM, again while another command disturbs it.
    pub(super) fn run_change(&self, call: &Call, name: &Name, limit: Option<Duration>) -> Result<Outcome> {
        let _turn = self.turn(limit.unwrap_or(QUICK))?;
        self.retry_transient(call, limit, None).map_err(|error| self.explain(name, error))
    }

    /// The lock of a change, for an engine that does not run two changes at once.
    pub(super) fn turn(&self, limit: Duration) -> Result<Option<retry::Turn>> {
        if self.version.has(Fact::ParallelChanges) { Ok(None) } else { retry::turn(limit, &self.signals) }
    }

    /// The error in terms of the VM `name`.
    pub(super) fn explain(&self, name: &Name, error: EngineError) -> EngineError {
        match error.reason() {
            Reason::NoSuchVm => EngineError::no_such_vm(name, &self.machine_ls().unwrap_or_default()),
            Reason::NameTaken => EngineError::NameTaken(name.to_string()),
            _ => error,
        }
    }

    /// Runs `call`, again while it fails for a transient reason.
    pub(super) fn retry_transient(
        &self,
        call: &Call,
        limit: Option<Duration>,
        mut on_line: Option<OnLine<'_>>,
    ) -> Result<Outcome> {
        retry::transient(|| self.run_ok(call, limit, on_line.as_mut().map(|on_line| &mut **on_line as OnLine<'_>)))
    }
}
