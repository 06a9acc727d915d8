//! One engine command while it runs in a process group of its own: reads its output, and ends it when its time is over.

use super::call::Call;
use super::error::{EngineError, Result};
use super::outcome::{Outcome, clean};
use crate::signals::{Interrupted, Signals, end_group, stop_group};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read, retry_on_intr};
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// A caller's function that gets each line of a command's output while it runs, or `None` when only time passed.
pub type OnLine<'a> = &'a mut dyn FnMut(Option<&str>);

/// How much output of the engine is kept, in bytes; more is an error, so that memory stays bounded.
pub const OUTPUT_LIMIT: usize = 8 << 20;
/// How often a waiting caller is woken to draw its progress.
const TICK: Duration = Duration::from_millis(100);
/// How much of one line is kept, in bytes.
const LINE_LIMIT: usize = 4 << 10;
/// How long an engine command may take to end after SIGTERM before it is killed.
const TERM_GRACE: Duration = Duration::from_secs(3);
/// How long output may pause, and how long it is read at all, after the command has ended: a VMM that it left running
/// may hold the pipe open.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Wakes a poll when any child of this process exits. Without a thread: starting one takes longer than most calls last.
pub struct ChildExits {
    wakeups: UnixStream,
    id: SigId,
}

impl ChildExits {
    /// Listens from now on; call this before the child is started.
    pub fn listen() -> io::Result<Self> {
        let (wakeups, notifier) = UnixStream::pair()?;
        wakeups.set_nonblocking(true)?;
        Ok(Self { wakeups, id: signal_hook::low_level::pipe::register(SIGCHLD, notifier)? })
    }

    fn forget(&self) {
        let mut bytes = [0; 64];
        while (&self.wakeups).read(&mut bytes).is_ok_and(|count| count > 0) {}
    }
}

impl Drop for ChildExits {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.id);
    }
}

#[derive(Clone, Copy)]
enum Source {
    Stdout,
    Stderr,
}

/// A running command.
pub struct Supervisor<'a> {
    call: &'a Call,
    signals: &'a Signals,
    child: Child,
    exits: ChildExits,
    /// The pipes that it may still write to.
    pipes: Vec<(Source, OwnedFd)>,
    /// Where its stdout goes instead of being kept.
    to: Option<&'a mut dyn Write>,
    on_line: Option<OnLine<'a>>,
    /// Called when a signal has stopped the command where it is.
    look: Option<&'a mut dyn FnMut(&str)>,
    limit: Option<Duration>,
    started: Instant,
    /// When it got the signal to end.
    ending: Option<Instant>,
    /// The signal that interrupted this process.
    interrupted: Option<Interrupted>,
    timed_out: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    line: Vec<u8>,
}

impl<'a> Supervisor<'a> {
    /// For `child`, which `call` started after `exits` listened, with its stdout and stderr piped.
    pub fn new(
        call: &'a Call,
        signals: &'a Signals,
        mut child: Child,
        exits: ChildExits,
        to: Option<&'a mut dyn Write>,
        limit: Option<Duration>,
        on_line: Option<OnLine<'a>>,
    ) -> Self {
        let stdout = child.stdout.take().map(|pipe| (Source::Stdout, pipe.into()));
        let stderr = child.stderr.take().map(|pipe| (Source::Stderr, pipe.into()));
        Self {
            call,
            signals,
            child,
            exits,
            pipes: stdout.into_iter().chain(stderr).collect(),
            to,
            on_line,
            look: None,
            limit,
            started: Instant::now(),
            ending: None,
            interrupted: None,
            timed_out: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            line: Vec::new(),
        }
    }

    /// Has a signal stop the command where it is, and kill it only after `look` got its output so far.
    pub fn look_before_the_end(mut self, look: &'a mut dyn FnMut(&str)) -> Self {
        self.look = Some(look);
        self
    }

    /// Reads its output to its end.
    pub fn follow(mut self) -> Result<Outcome> {
        let status = self.read_all().inspect_err(|_| self.give_up())?;
        if self.ending.is_some() {
            // Processes that it started and did not end.
            end_group(pid_of(&self.child), true);
        }
        let interrupted = self.interrupted.or(self.signals.check().err());
        if let (Some(_), Some(look)) = (interrupted, self.look.take()) {
            // It ended before the signal could stop it.
            look(&String::from_utf8_lossy(&self.stdout));
        }
        match (interrupted, self.limit) {
            (Some(interrupted), _) => Err(interrupted.into()),
            (None, Some(limit)) if self.timed_out => {
                Err(EngineError::TimedOut { command: self.call.shell_line(), limit })
            }
            _ => Ok(Outcome { status, stdout: self.stdout, stderr: clean(self.call.masked(&self.stderr).as_bytes()) }),
        }
    }

    fn read_all(&mut self) -> Result<ExitStatus> {
        let mut exited: Option<(ExitStatus, Instant)> = None;
        loop {
            let ready = self.wait(exited.is_some()).map_err(|source| self.call.not_runnable(source))?;
            let is_silent = ready.as_ref().is_some_and(Vec::is_empty);
            for at in ready.into_iter().flatten().rev() {
                self.read_from(at)?;
            }
            if let (true, Some(on_line)) = (is_silent, self.on_line.as_mut()) {
                on_line(None);
            }
            if exited.is_none() {
                let status = self.child.try_wait().map_err(|source| self.call.not_runnable(source))?;
                exited = status.map(|status| (status, Instant::now()));
            }
            match exited {
                // Output that goes to `to` is a guest's data: it is read to its end.
                Some((status, when))
                    if self.pipes.is_empty()
                        || (is_silent && self.to.is_none() && when.elapsed() >= DRAIN_GRACE)
                        || when.elapsed() >= DRAIN_LIMIT =>
                {
                    return Ok(status);
                }
                Some(_) => {}
                None => self.end_if_due(),
            }
        }
    }

    /// Waits for output or the end, but not for long: the pipes that can be read, or `None` if a signal came.
    fn wait(&self, has_exited: bool) -> io::Result<Option<Vec<usize>>> {
        let mut polled: Vec<_> = self.pipes.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
        if !has_exited {
            polled.push(PollFd::new(&self.exits.wakeups, PollFlags::IN));
        }
        let timeout = Timespec::try_from(if has_exited { DRAIN_GRACE } else { TICK }).ok();
        match poll(&mut polled, timeout.as_ref()) {
            Ok(0) => return Ok(Some(Vec::new())),
            Err(Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let pipes = polled.iter().take(self.pipes.len()).enumerate();
        let ready: Vec<usize> = pipes.filter(|(_, fd)| !fd.revents().is_empty()).map(|(at, _)| at).collect();
        self.exits.forget();
        Ok(Some(ready).filter(|ready| !ready.is_empty()))
    }

    /// Reads from that pipe, or removes it at its end.
    fn read_from(&mut self, at: usize) -> Result<()> {
        let Some((source, pipe)) = self.pipes.get(at) else { return Ok(()) };
        let (source, mut buffer) = (*source, [0; 16 << 10]);
        let Ok(count @ 1..) = retry_on_intr(|| read(pipe, &mut buffer)) else {
            self.pipes.remove(at);
            return Ok(());
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        match (source, self.to.as_mut()) {
            (Source::Stdout, Some(to)) => {
                let not_kept = |source| EngineError::NotKept { command: self.call.shell_line(), source };
                to.write_all(bytes).map_err(not_kept)?;
                self.started = Instant::now();
                Ok(())
            }
            (Source::Stdout, None) => {
                if let Some(on_line) = self.on_line.as_mut() {
                    pass_lines(&mut self.line, bytes, *on_line);
                }
                keep(self.call, &mut self.stdout, bytes)
            }
            (Source::Stderr, _) => keep(self.call, &mut self.stderr, bytes),
        }
    }

    /// Ends the command when its time is over or a signal came, and kills it if it does not end.
    fn end_if_due(&mut self) {
        if let Some(since) = self.ending {
            if since.elapsed() >= TERM_GRACE {
                end_group(pid_of(&self.child), true);
            }
            return;
        }
        self.timed_out = self.limit.is_some_and(|limit| self.started.elapsed() >= limit);
        self.interrupted = self.signals.check().err();
        if self.timed_out || self.interrupted.is_some() {
            let is_looked_at = self.interrupted.is_some() && self.look.is_some();
            if is_looked_at {
                self.stop_and_look();
            }
            end_group(pid_of(&self.child), is_looked_at);
            self.ending = Some(Instant::now());
        }
    }

    /// Stops the command, so that it neither does nor prints anything more, and looks.
    fn stop_and_look(&mut self) {
        stop_group(pid_of(&self.child));
        if let Some((_, stdout)) = self.pipes.iter().find(|(source, _)| matches!(source, Source::Stdout)) {
            read_at_once(stdout, &mut self.stdout);
        }
        if let Some(look) = self.look.take() {
            look(&String::from_utf8_lossy(&self.stdout));
        }
    }

    /// Kills it: its result is of no use.
    fn give_up(&mut self) {
        end_group(pid_of(&self.child), true);
        let _ = self.child.wait();
    }
}

/// A process number as the system calls take it; none is larger than an i32.
pub fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// Appends what is in the pipe now.
fn read_at_once(pipe: &OwnedFd, to: &mut Vec<u8>) {
    let (mut buffer, now) = ([0; 16 << 10], Timespec::try_from(Duration::ZERO).ok());
    while to.len() < OUTPUT_LIMIT {
        let is_ready = matches!(poll(&mut [PollFd::new(pipe, PollFlags::IN)], now.as_ref()), Ok(1..));
        let count = if is_ready { retry_on_intr(|| read(pipe, &mut buffer)).unwrap_or(0) } else { 0 };
        if count == 0 {
            return;
        }
        to.extend(buffer.iter().take(count));
    }
}

/// Appends output to `kept`, up to [`OUTPUT_LIMIT`].
fn keep(call: &Call, kept: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    if kept.len() + bytes.len() > OUTPUT_LIMIT {
        let why = format!("it is longer than {} MiB", OUTPUT_LIMIT >> 20);
        return Err(EngineError::Unreadable { command: call.shell_line(), why });
    }
    kept.extend_from_slice(bytes);
    Ok(())
}

/// Passes each line that `bytes` completes to `on_line`; the engine's spinner ends its lines with `\r`.
fn pass_lines(line: &mut Vec<u8>, bytes: &[u8], on_line: OnLine<'_>) {
    for &byte in bytes {
        if byte == b'\n' || byte == b'\r' {
            if !line.is_empty() {
                on_line(Some(&clean(line)));
            }
            line.clear();
        } else if line.len() < LINE_LIMIT {
            line.push(byte);
        }
    }
}
