//! Runs a [`Call`]: to its end with its output kept, streamed, or with a look at its work before a signal ends it.

use super::call::Call;
use super::error::{EngineError, Result};
use super::host::parent_death::die_with_parent;
use super::outcome::{Outcome, clean};
use super::supervise::{ChildExits, OUTPUT_LIMIT, OnLine, Supervisor, pid_of};
use crate::signals::{Signals, end_group};
use crate::{chunk, threads};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How much of the end of a guest's stderr is kept, in bytes: it shows whether the engine failed or the guest's command.
const TAIL_LIMIT: usize = 4 << 10;

impl Call {
    /// Runs the command to its end in a process group of its own, so that Ctrl-C in the terminal reaches only this
    /// process, and keeps its output. It is ended after `limit`.
    pub fn capture<'a>(
        &'a self,
        signals: &'a Signals,
        limit: Option<Duration>,
        on_line: Option<OnLine<'a>>,
    ) -> Result<Outcome> {
        self.run(signals, Stdio::null(), None, limit, on_line)
    }

    /// Runs the command like [`Self::capture`]. A signal first stops it where it is: then `look` gets its output so far
    /// and may look at its work, and after that it is killed.
    pub fn capture_until_looked(&self, signals: &Signals, look: &mut dyn FnMut(&str)) -> Result<Outcome> {
        let exits = ChildExits::listen().map_err(|source| self.not_runnable(source))?;
        let child = self.begin(signals, Stdio::null())?;
        let _registered = signals.sparing(pid_of(&child));
        Supervisor::new(self, signals, child, exits, None, None, None).look_before_the_end(look).follow()
    }

    /// The command's output, if it succeeds within `limit`; otherwise it is killed.
    pub fn capture_at_once(&self, limit: Duration) -> Option<Vec<u8>> {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        die_with_parent(&mut command);
        let mut child = command.spawn().ok()?;
        let pid = pid_of(&child);
        let (send, answer) = mpsc::channel();
        let started = threads::start(move || {
            let mut output = Vec::new();
            let stdout = child.stdout.take()?;
            let is_read = stdout.take(OUTPUT_LIMIT as u64).read_to_end(&mut output).is_ok();
            let succeeds = is_read && child.wait().is_ok_and(|status| status.success());
            send.send(succeeds.then_some(output)).ok()
        });
        started.ok().and_then(|_| answer.recv_timeout(limit).ok()).unwrap_or_else(|| {
            end_group(pid, true);
            None
        })
    }

    /// Runs the command like [`Self::capture`], with `from` as its standard input, and writes its standard output into
    /// `to` as it comes. It is ended when it prints nothing for `idle`.
    pub fn transfer(
        &self,
        signals: &Signals,
        from: Option<File>,
        to: &mut dyn Write,
        idle: Option<Duration>,
    ) -> Result<Outcome> {
        self.run(signals, from.map_or_else(Stdio::null, Stdio::from), Some(to), idle, None)
    }

    fn run<'a>(
        &'a self,
        signals: &'a Signals,
        stdin: Stdio,
        to: Option<&'a mut dyn Write>,
        limit: Option<Duration>,
        on_line: Option<OnLine<'a>>,
    ) -> Result<Outcome> {
        let exits = ChildExits::listen().map_err(|source| self.not_runnable(source))?;
        let child = self.begin(signals, stdin)?;
        let _registered = signals.ending(pid_of(&child));
        Supervisor::new(self, signals, child, exits, to, limit, on_line).follow()
    }

    /// Starts the command in a process group of its own, with its output piped.
    fn begin(&self, signals: &Signals, stdin: Stdio) -> Result<Child> {
        let mut command = self.command();
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some(text) = self.stdin_file()? {
            command.stdin(text);
        }
        if !self.only_reads() {
            die_with_parent(&mut command);
        }
        signals.check()?;
        command.spawn().map_err(|source| self.not_runnable(source))
    }

    /// Runs the command with the stdout of this process, and its stdin if `stdin`; its stderr is passed on as it comes,
    /// and so are signals that reach this process. A last line of stderr that `is_held` is not passed on, but returned.
    pub fn stream(&self, signals: &Signals, stdin: bool, is_held: fn(&[u8]) -> bool) -> Result<(Outcome, Vec<u8>)> {
        let mut command = self.command();
        command.stdin(if stdin { Stdio::inherit() } else { Stdio::null() }).stderr(Stdio::piped());
        signals.check()?;
        let started = signals.forwarding(|| command.spawn());
        let (mut child, _registered) = started.map_err(|source| self.not_runnable(source))?;
        let (tail, held) = child.stderr.take().map(|stderr| pass_on_stderr(stderr, is_held)).unwrap_or_default();
        let status = child.wait().map_err(|source| self.not_runnable(source))?;
        Ok((Outcome { status, stdout: Vec::new(), stderr: clean(&tail) }, held))
    }

    /// The failure that `outcome` is.
    pub fn failure(&self, outcome: &Outcome) -> EngineError {
        EngineError::failed(self.shell_line(), outcome.status, &outcome.stderr)
    }
}

/// Copies a guest's stderr to that of this process as it comes, and keeps the end of it. A line that `is_held` is written
/// only when another follows it; the last one is returned.
fn pass_on_stderr(mut stderr: impl Read, is_held: fn(&[u8]) -> bool) -> (Vec<u8>, Vec<u8>) {
    let (mut tail, mut held, mut buffer) = (Vec::new(), Vec::new(), vec![0; 16 << 10]);
    while let Ok(read @ [_, ..]) = chunk::read(&mut stderr, &mut buffer) {
        held.extend_from_slice(read);
        let whole = held.strip_suffix(b"\n").unwrap_or(&held);
        let start = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let is_last_held = held.get(start..).is_some_and(|last| is_held(last) && last.len() < TAIL_LIMIT);
        let last = if is_last_held { held.split_off(start) } else { Vec::new() };
        // If our own stderr is closed, the guest's command goes on.
        let _ = io::stderr().write_all(&held);
        held = last;
        tail.extend_from_slice(read);
        tail.drain(..tail.len().saturating_sub(TAIL_LIMIT));
    }
    (tail, held)
}
