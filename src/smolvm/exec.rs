//! Commands and copies in a guest.

use super::command::{Command, Exec, with_command};
use super::engine::Smolvm;
use super::error::{EngineError, Reason, Result};
use super::guest_env::EnvVar;
use super::machine::Name;
use super::outcome::Outcome;
use super::retry::{PAUSES, longer};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// How long a guest may take to write its files to disk before it is stopped.
const SYNC: Duration = Duration::from_secs(5);
/// How long the engine may take to end a guest's trim whose time is over.
const TRIM_LIMIT: Duration = Duration::from_secs(35);
/// The status of `machine exec` when the engine ended the guest's command after its `--timeout`.
const LATE: i32 = 124;
/// The status of an engine that does not know an option, or does not accept its value.
const USAGE: i32 = 2;
/// The status of a Rust program that panicked.
const PANIC: i32 = 101;

/// How the last line of stderr begins when the engine itself failed.
const OWN: [&str; 6] = [
    "Error: vm not found: ",
    "Error: agent operation failed: ",
    "Error: config operation failed: ",
    "Error: database operation failed: ",
    "Error: io operation failed: ",
    "error: streaming output exceeded ",
];
/// How it begins when an image VM has no such command.
const NO_PROGRAM: &str = "executable file `";

/// Whether a line that is printed only in part yet may say that the engine failed.
fn begins_like_a_failure(line: &[u8]) -> bool {
    // The engine writes its errors in pieces. Of fewer bytes, who knows: a prompt of the guest must not wait.
    let begins = |own: &&str| line.starts_with(own.as_bytes()) || (line.len() > 6 && own.as_bytes().starts_with(line));
    OWN.iter().chain([&NO_PROGRAM]).any(begins)
}

/// How a `machine exec` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecEnd {
    /// The guest's command ended with this status.
    Guest(i32),
    /// The guest has no such command, or no such working folder.
    NoSuchCommand,
    /// The engine did not understand its command line.
    Misunderstood,
    /// The engine crashed.
    Crashed,
    /// The engine failed to run the command, for this reason.
    NotRun(String),
    /// This signal ended the engine.
    Killed(i32),
}

impl Smolvm {
    /// `exec sync`: the guest writes its files to disk. Returns whether it did within five seconds, or has no such command.
    pub fn machine_sync(&self, name: &Name) -> Result<bool> {
        match self.machine_exec(name, &Exec::of("sync"), SYNC) {
            Ok(outcome) => Ok(outcome.status.success() || outcome.has_no_such_command()),
            Err(EngineError::TimedOut { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `exec fstrim`: what was deleted is gone from the disks. Returns why not, if the guest did not do it.
    ///
    /// # Errors
    /// A signal arrived.
    pub fn machine_trim(&self, name: &Name) -> Result<Option<String>> {
        match self.machine_exec(name, &Exec::trim(), TRIM_LIMIT) {
            Ok(outcome) if outcome.status.success() => Ok(None),
            Ok(outcome) if outcome.is_late() => Ok(Some("it took too long".to_owned())),
            Ok(outcome) => Ok(Some(outcome.last_line().to_owned())),
            Err(error @ EngineError::Interrupted(_)) => Err(error),
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    /// `machine exec`, its output kept. The engine itself is ended after `limit`.
    pub fn machine_exec(&self, name: &Name, exec: &Exec, limit: Duration) -> Result<Outcome> {
        let call = self.command_line(Command::Exec(name, exec));
        self.announce(&call);
        call.capture(self.signals(), Some(limit), None)
    }

    /// `machine exec` with `from` as the guest's standard input, its standard output written into `to` as it comes. It is
    /// ended when it prints nothing for `idle`.
    ///
    /// # Errors
    /// Also when the command fails.
    pub fn machine_exec_transfer(
        &self,
        name: &Name,
        exec: &Exec,
        from: Option<File>,
        to: &mut dyn Write,
        idle: Option<Duration>,
    ) -> Result<Outcome> {
        let call = self.command_line(Command::Exec(name, exec));
        self.announce(&call);
        let outcome = call.transfer(self.signals(), from, to, idle)?;
        if outcome.status.success() { Ok(outcome) } else { Err(call.failure(&outcome)) }
    }

    /// `machine exec` with these variables, its output passed on as it comes, but for what the engine says of its own failure.
    ///
    /// # Errors
    /// Among others [`EngineError::Exposes`]: then nothing was run.
    pub fn machine_exec_streamed(&self, name: &Name, exec: &Exec, env: &[EnvVar]) -> Result<ExecEnd> {
        let call = with_command(self.env_of_exec(self.exec_flags(name, exec), env)?, exec);
        self.announce(&call);
        let (outcome, held) = call.stream(self.signals(), exec.stdin, begins_like_a_failure)?;
        let end = outcome.exec_end();
        // What the engine said of its own failure is printed by whoever prints that failure.
        if !matches!(end, ExecEnd::NotRun(_) | ExecEnd::NoSuchCommand) {
            let _ = std::io::stderr().write_all(&held);
        }
        Ok(end)
    }

    /// Polls `exec true` with a growing delay until the guest runs it.
    ///
    /// # Errors
    /// [`EngineError::NotReady`] with the engine's last refusal when `limit` has passed.
    pub fn wait_exec_ready(&self, name: &Name, limit: Duration) -> Result<()> {
        let (started, mut pause) = (Instant::now(), PAUSES.0);
        loop {
            let left = limit.saturating_sub(started.elapsed());
            let Err(last) = self.answers(name, left.max(PAUSES.1))? else { return Ok(()) };
            let is_over = started.elapsed().saturating_add(pause) >= limit;
            if is_over || (Reason::of_text(&last) == Reason::WrongState && !self.machine_is_running(name)?) {
                let waited = started.elapsed().max(PAUSES.0);
                return Err(EngineError::NotReady { name: name.to_string(), waited, last });
            }
            std::thread::sleep(pause);
            pause = longer(pause);
        }
    }

    /// `machine cp` of one file; one side is `VM:PATH`.
    pub fn machine_cp(&self, from: &OsStr, to: &OsStr) -> Result<()> {
        self.run_ok(&self.call("machine cp").arg("--").arg(from).arg(to), None, None).map(drop)
    }
}

impl Outcome {
    /// Whether the engine ended the guest's command after its `--timeout`.
    pub fn is_late(&self) -> bool {
        self.status.code() == Some(LATE)
    }

    /// Whether the guest has no such command (bare VM: exit 1, image VM: exit 255).
    pub(super) fn has_no_such_command(&self) -> bool {
        const BARE: [&str; 3] =
            ["failed to spawn command: No such file", "exec interactive: No such file", "streaming exec: No such file"];
        let last = self.last_line();
        (last.starts_with("Error: ") && BARE.iter().any(|text| last.contains(text)))
            || (last.starts_with(NO_PROGRAM) && last.contains("` not found in $PATH"))
    }

    /// Whether the last line is the engine's own failure, not the guest command's.
    fn is_failure_of_the_engine(&self) -> bool {
        OWN.iter().any(|own| self.last_line().starts_with(own))
    }

    /// The guest command's own status, or what failed instead: the engine uses 1 and 255 for its own failures too.
    pub fn exec_end(&self) -> ExecEnd {
        match self.status.code() {
            None => ExecEnd::Killed(self.status.signal().unwrap_or(0)),
            Some(0) => ExecEnd::Guest(0),
            Some(_) if self.has_no_such_command() => ExecEnd::NoSuchCommand,
            Some(USAGE) if self.stderr.ends_with("For more information, try '--help'.") => ExecEnd::Misunderstood,
            Some(PANIC) if self.stderr.contains("panicked at") => ExecEnd::Crashed,
            Some(1) if self.is_failure_of_the_engine() => ExecEnd::NotRun(self.last_line().to_owned()),
            Some(code) => ExecEnd::Guest(code),
        }
    }

    fn last_line(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }
}
