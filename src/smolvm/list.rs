//! The VMs as the engine lists them, and whether a guest answers.
//!
//! The list reports `unreachable` for a VM whose guest was too busy for one ping (3 s), and for one with which an `exec`
//! once failed: the engine never takes that back, although the guest runs commands.

use super::command::{Command, Exec, machine_ls_of};
use super::engine::{QUICK, Smolvm};
use super::error::{EngineError, Result};
use super::locate;
use super::machine::{Machine, Name, State};
use super::retry::{PAUSES, longer};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a guest may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The VMs of `machine ls --json`, for callers who cannot wait longer than `limit`. The engine's version is not asked:
/// all engines answer alike. Nothing is written, and nothing else is run.
pub fn machine_ls_at_once(asked: Option<&Path>, limit: Duration) -> Option<Vec<Machine>> {
    let (path, _) = locate::find(asked).ok().filter(|(path, _)| !locate::is_python(path))?;
    serde_json::from_slice(&machine_ls_of(&path).capture_at_once(limit)?).ok()
}

impl Smolvm {
    /// `machine ls --json`, sorted by name.
    ///
    /// # Errors
    /// Also when the list cannot be parsed: it is never taken for an empty one.
    pub fn machine_ls(&self) -> Result<Vec<Machine>> {
        let call = self.command_line(Command::List);
        let outcome = self.run_ok(&call, Some(QUICK), None)?;
        let mut machines: Vec<Machine> = serde_json::from_slice(&outcome.stdout)
            .map_err(|error| EngineError::Unreadable { command: call.shell_line(), why: error.to_string() })?;
        machines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(machines)
    }

    /// One VM as it is listed. From `ls`, because `status` of an old engine makes disks for a VM that has none. Its state
    /// may be wrong for a moment: [`Self::machine`] is for decisions.
    pub fn machine_listed(&self, name: &Name) -> Result<Machine> {
        let mut machines = self.machine_ls()?;
        match machines.iter().position(|machine| machine.name == name.as_str()) {
            Some(at) => Ok(machines.swap_remove(at)),
            None => Err(EngineError::no_such_vm(name, &machines)),
        }
    }

    /// Whether the VM's VMM is alive, even if its guest does not answer.
    pub fn machine_is_running(&self, name: &Name) -> Result<bool> {
        Ok(self.machine_listed(name)?.state.is_up())
    }

    /// One VM and its state, for a decision: see [`Self::ask_again`].
    pub fn machine(&self, name: &Name) -> Result<Machine> {
        self.ask_again(self.machine_listed(name)?)
    }

    /// The VM as it is listed; or, if it is listed as unreachable and its guest answers within ten seconds, as running.
    /// No decision depends on one look at a state that can be wrong for a moment.
    pub fn ask_again(&self, listed: Machine) -> Result<Machine> {
        if listed.state != State::Unreachable {
            return Ok(listed);
        }
        let Ok(name) = listed.name.parse::<Name>() else { return Ok(listed) };
        let (mut asked, mut pause) = (Duration::ZERO, PAUSES.0);
        loop {
            // First the list: an exec that fails makes the engine give up the VM for good.
            let now = self.machine_listed(&name)?;
            if now.state != State::Unreachable || asked >= PATIENCE {
                return Ok(now);
            }
            let began = Instant::now();
            if self.answers(&name, PATIENCE.saturating_sub(asked).max(PAUSES.1))?.is_ok() {
                return Ok(Machine { state: State::Running, given_up: true, ..now });
            }
            std::thread::sleep(pause);
            (pause, asked) = (longer(pause), asked.saturating_add(began.elapsed()));
        }
    }

    /// Whether the guest runs a command within `limit`; otherwise the engine's text.
    pub(super) fn answers(&self, name: &Name, limit: Duration) -> Result<Result<(), String>> {
        match self.machine_exec(name, &Exec::of("true"), limit) {
            Ok(outcome) if outcome.status.success() || outcome.has_no_such_command() => Ok(Ok(())),
            Ok(outcome) => Ok(Err(outcome.stderr)),
            Err(error @ EngineError::TimedOut { .. }) => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }
}
