//! Whether a guest answers. The engine's list says `unreachable` of a VM whose guest was too busy for one ping (3 s), and of
//! one for which an `exec` once failed: it never takes that back, although the guest executes commands (1.4.0, 1.32.2).

use super::{EngineError, Exec, Machine, Name, PAUSES, Result, Smolvm, State, says_no_such_command};
use std::time::{Duration, Instant};

/// How long a guest has for an answer before it counts as one that does not.
const PATIENCE: Duration = Duration::from_secs(10);

impl Smolvm {
    /// One VM and its state, for a decision: one that is listed as unreachable is asked again.
    pub fn machine(&self, name: &Name) -> Result<Machine> {
        self.ask_again(self.machine_listed(name)?)
    }

    /// What the list says of a VM, or what is true if it says unreachable: that the VM runs, if its guest answers within
    /// ten seconds. No decision rests on one look at a state that can be wrong for a moment.
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
            if self.executes(&name, PATIENCE.saturating_sub(asked).max(PAUSES.1))?.is_ok() {
                return Ok(Machine { state: State::Running, given_up: true, ..now });
            }
            std::thread::sleep(pause);
            (pause, asked) = (pause.saturating_mul(2).min(PAUSES.1), asked.saturating_add(began.elapsed()));
        }
    }

    /// Whether the guest executes a command within `limit`; otherwise what the engine said.
    pub(super) fn executes(&self, name: &Name, limit: Duration) -> Result<std::result::Result<(), String>> {
        match self.machine_exec(name, &Exec::of("true"), limit) {
            Ok(outcome) if outcome.status.success() || says_no_such_command(&outcome.stderr) => Ok(Ok(())),
            Ok(outcome) => Ok(Err(outcome.stderr)),
            Err(error @ EngineError::TimedOut { .. }) => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }
}
