//! Why an engine command failed. The engine's text is read once, when the error is made: see [`Reason`].

use super::facts::Fact;
use super::machine::{Machine, Name};
use super::version::Version;
use crate::nearest::nearest;
use crate::signals::{Interrupted, signal_name};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use thiserror::Error;

/// A result with an [`EngineError`].
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// Why an engine command did not do its work.
#[derive(Debug, Error)]
pub enum EngineError {
    /// No executable of that name.
    #[error("no smolvm engine was found: {why}")]
    Missing {
        /// Where it was looked for.
        why: String,
        /// The newest engine that is installed, if any: none of them is in use.
        installed: Option<Version>,
    },
    /// The executable is there and cannot be run.
    #[error("the engine {path} cannot be run: {source}")]
    NotRunnable { path: PathBuf, source: io::Error },
    /// What the command reads cannot be written for it.
    #[error("the temporary folder {} cannot be written: {source}", folder.display())]
    NoTemporaryFile { folder: PathBuf, source: io::Error },
    /// The executable is another program.
    #[error("{path} is not the smolvm engine: {why}")]
    NotSmolvm { path: PathBuf, why: String },
    /// The engine cannot do it, or cannot do it safely.
    #[error("{}", fact.missing_in(*version))]
    TooOld { version: Version, fact: Fact },
    /// The engine is older than all that were run.
    #[error("smolvm {0} is too old: bottle-freeze runs smolvm {oldest} and later", oldest = Version::OLDEST)]
    Outdated(Version),
    /// The engine accepts these variables only in its command line.
    #[error("smolvm {version} takes the value of {names} {when}{}only in its command line, which every user of this host can read", if when.is_empty() { "" } else { " " })]
    Exposes {
        version: Version,
        /// The variables.
        names: String,
        /// When that is so; empty: always.
        when: &'static str,
    },
    /// The engine has no VM of that name.
    #[error("there is no VM named '{0}'")]
    NoSuchVm(NoVm),
    /// The name is taken.
    #[error("a VM named '{0}' already exists")]
    NameTaken(String),
    /// The command, with its values masked, exited with a failure, or a signal ended it.
    #[error("`{command}` failed ({how}){}", indented(stderr))]
    Failed { command: String, how: String, stderr: String, reason: Reason },
    /// The command succeeded, and its output makes no sense.
    #[error("could not parse the output of `{command}`: {why}")]
    Unreadable { command: String, why: String },
    /// The command reported success, and did not do its work.
    #[error("`{command}` reported success, but {instead}")]
    NotDone { command: String, instead: String },
    /// The command's output cannot be written where it belongs.
    #[error("could not save the output of `{command}`: {source}")]
    NotKept { command: String, source: io::Error },
    /// The command did not end in time, and was ended.
    #[error("`{command}` did not end within {}", humantime::format_duration(*.limit))]
    TimedOut { command: String, limit: Duration },
    /// The VM is up, and its guest runs no command.
    #[error("'{name}' started, but did not become ready within {}{}", humantime::format_duration(*.waited), indented(last))]
    NotReady { name: String, waited: Duration, last: String },
    /// The user ended this run with a signal.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The same while a VM was created, and it is not clear who made the VM that now has the name.
    #[error("{interrupted} while '{name}' was created")]
    LeftPerhaps { name: String, interrupted: Interrupted },
}

/// A name that no VM has.
#[derive(Debug)]
pub struct NoVm {
    /// The name.
    pub name: String,
    /// The VM that may have been meant.
    pub nearest: Option<String>,
}

impl std::fmt::Display for NoVm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a failure of the engine means, as far as its text shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is no VM of that name.
    NoSuchVm,
    /// There is a VM of that name already.
    NameTaken,
    /// The next try may succeed: an engine without good locks was disturbed by another, a VMM that was stopped a moment
    /// ago is not quite gone, or a VM (the helper that packs an image VM: one time in four in the lab) left its boot
    /// without an error.
    Transient,
    /// The disk is full.
    NoSpace,
    /// A file became larger than the process may write (`ulimit -f`).
    FileTooLarge,
    /// `machine pause` saved the VM.
    Paused,
    /// The VM does not run, or cannot be resumed because it is not paused.
    WrongState,
    /// A running VM of this kind cannot be saved: one with image layers or folders of the host, say.
    Unsupported,
    /// The VM has no disk yet.
    NeverStarted,
    /// The registry has nothing of that name or tag.
    NotInRegistry,
    /// The registry requires a login, or refuses this one.
    AccessDenied,
    /// The registry sent something else than its own digest promises.
    DamagedInRegistry,
    /// No registry answered, or the connection was lost.
    ConnectionLost,
    /// Something else.
    Other,
}

/// What the engine prints, and what it means; the first that fits counts. All were seen in every version that was run.
const TEXTS: [(&str, Reason); 23] = [
    // The words of a registry follow these, and can be anything.
    ("blob not found: ", Reason::NotInRegistry),
    ("registry authentication failed", Reason::AccessDenied),
    ("registry returned 401", Reason::AccessDenied),
    ("registry returned 403", Reason::AccessDenied),
    ("digest mismatch: expected ", Reason::DamagedInRegistry),
    ("HTTP request failed: ", Reason::ConnectionLost),
    // A full disk explains whatever else failed, and is not transient.
    ("No space left on device", Reason::NoSpace),
    ("os error 28", Reason::NoSpace),
    ("File too large", Reason::FileTooLarge),
    ("os error 27", Reason::FileTooLarge),
    ("vm not found", Reason::NoSuchVm),
    ("already exists", Reason::NameTaken),
    ("database is locked", Reason::Transient),
    ("refusing a second launch", Reason::Transient),
    // `machine delete` of 1.32.2 on a busy host: the VMM ends a moment after it gave up.
    ("process is still alive after stop", Reason::Transient),
    ("boot process exited (code 0) before the agent was ready", Reason::Transient),
    ("saved execution", Reason::Paused),
    ("' is not running", Reason::WrongState),
    ("' must be running", Reason::WrongState),
    ("machine is not paused", Reason::WrongState),
    ("does not support", Reason::Unsupported),
    ("may not have been started", Reason::NeverStarted),
    ("never been started", Reason::NeverStarted),
];

impl Reason {
    /// What the end of a command and its standard error mean.
    fn of(status: ExitStatus, stderr: &str) -> Self {
        match Self::of_text(stderr) {
            Self::NoSpace => Self::NoSpace,
            _ if status.signal() == Some(libc::SIGXFSZ) => Self::FileTooLarge,
            reason => reason,
        }
    }

    /// What a text of the engine means.
    pub(super) fn of_text(text: &str) -> Self {
        if names_a_missing_vm(text) {
            return Self::NoSuchVm;
        }
        TEXTS.iter().find(|(known, _)| text.contains(known)).map_or(Self::Other, |(_, reason)| *reason)
    }
}

/// Whether the text has `VM 'NAME' not found`.
fn names_a_missing_vm(text: &str) -> bool {
    let mut named = text.split("VM '").skip(1);
    named.any(|rest| rest.split_once('\'').is_some_and(|(_, rest)| rest.starts_with(" not found")))
}

impl EngineError {
    /// The failure of `command`, which ended with `status`.
    pub(super) fn failed(command: String, status: ExitStatus, stderr: &str) -> Self {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by {}", signal_name(signal)),
            (None, None) => "no exit status".to_owned(),
        };
        Self::Failed { command, how, stderr: stderr.to_owned(), reason: Reason::of(status, stderr) }
    }

    /// None of `machines` has that name.
    pub fn no_such_vm(name: &Name, machines: &[Machine]) -> Self {
        let names = machines.iter().map(|machine| machine.name.as_str());
        let nearest = nearest(name.as_str(), names.filter(|name| name.parse::<Name>().is_ok())).map(str::to_owned);
        Self::NoSuchVm(NoVm { name: name.to_string(), nearest })
    }

    /// What the engine's failure means; [`Reason::Other`] of every other error.
    pub fn reason(&self) -> Reason {
        if let Self::Failed { reason, .. } = self { *reason } else { Reason::Other }
    }
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "\n  " + line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_the_engine_has_one_meaning() {
        for (text, reason) in [
            ("Error: vm not found: dev", Reason::NoSuchVm),
            ("Error: config operation failed: VM 'dev' not found", Reason::NoSuchVm),
            ("Error: image 'dev' not found in VM 'a'", Reason::Other),
            ("Error: reserve vm 'dev': database is locked", Reason::Transient),
            ("registry returned 403: the tag already exists", Reason::AccessDenied),
            ("database is locked\nNo space left on device (os error 28)", Reason::NoSpace),
            ("Error: agent operation failed: VM 'dev' is not running", Reason::WrongState),
            ("", Reason::Other),
        ] {
            assert_eq!(Reason::of(ExitStatus::from_raw(1 << 8), text), reason, "{text}");
        }
        assert_eq!(Reason::of(ExitStatus::from_raw(libc::SIGXFSZ), ""), Reason::FileTooLarge);
    }
}
