//! Progress: a spinner with step, time and bytes on a terminal, one line per step if a log is to have them, events for
//! programs.

use super::events::{Event, milliseconds};
use super::handle::Terminal;
use super::screen;
use super::text::one_line;
use crate::files::disk_usage;
use crate::threads;
use dialoguer::console::is_dumb;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the spinner turns, and how often the bytes written so far are counted, for people and for programs.
const TURN: Duration = Duration::from_millis(100);
const COUNT: Duration = Duration::from_millis(500);
const REPORT: Duration = Duration::from_secs(1);

impl Terminal {
    /// Draws progress on a terminal, or prints it in lines if that is asked for. `phase` is its word for programs, `text` that for
    /// people. The bytes in `folder` are shown as they grow.
    pub fn progress(&self, phase: &'static str, text: &str, folder: Option<&Path>) -> Progress {
        Progress::start(self, phase, text, folder, true)
    }

    /// Does `work`, one of several phases: under a spinner on a terminal, or after one line.
    pub fn phase<T, E>(&self, phase: &'static str, text: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        Progress::start(self, phase, text, None, true).during(work)
    }

    /// Does `work`, one of several phases, which passes on the bytes that it has done. On a terminal, `total` gives all of
    /// them, and percent and the time that is left are shown.
    pub fn counted<T, E>(
        &self,
        phase: &'static str,
        text: &str,
        total: impl FnOnce() -> u64,
        work: impl FnOnce(&dyn Fn(u64)) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut progress = Progress::start(self, phase, text, None, true);
        let done = Arc::new(AtomicU64::new(0));
        if let Some(bar) = &progress.bar {
            let (total, done, began) = (total(), done.clone(), progress.began);
            let prefix = move || part_of(done.load(SeqCst), total, began.elapsed());
            progress.turning = None;
            progress.turning = Turning::start(bar, prefix);
        }
        progress.during(|| {
            work(&|bytes| {
                done.fetch_add(bytes, SeqCst);
            })
        })
    }

    /// Does `work` that needs no line: its result has one.
    pub fn during<T, E>(&self, phase: &'static str, text: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        Progress::start(self, phase, text, None, false).during(work)
    }
}

/// Progress of one thing, from [`Terminal::progress`] until it is dropped.
#[derive(Debug)]
pub struct Progress {
    terminal: Terminal,
    bar: Option<ProgressBar>,
    turning: Option<Turning>,
    log: bool,
    phase: &'static str,
    what: String,
    step: String,
    folder: Option<PathBuf>,
    /// The most bytes that were in the folder: the engine removes what it no longer needs.
    most: AtomicU64,
    began: Instant,
    counted: Instant,
    ok: bool,
}

/// Turns a spinner until it is dropped. (indicatif panics if its own thread does not start.)
#[derive(Debug)]
struct Turning(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Turning {
    /// Without a thread the spinner stands still. `prefix` is what stands before its text, if that changes.
    fn start(bar: &ProgressBar, prefix: impl Fn() -> Option<String> + Send + 'static) -> Option<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let (bar, is_over) = (bar.clone(), ended.clone());
        let turn = move || {
            while !is_over.load(SeqCst) {
                if let Some(prefix) = prefix() {
                    bar.set_prefix(prefix);
                }
                bar.tick();
                std::thread::park_timeout(TURN);
            }
        };
        Some(Self(ended, Some(threads::start(turn).ok()?)))
    }
}

impl Drop for Turning {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
        if let Some(thread) = self.1.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Progress {
    /// Begins. Where no spinner is drawn, `log` prints it in lines.
    fn start(terminal: &Terminal, phase: &'static str, what: &str, folder: Option<&Path>, log: bool) -> Self {
        let drawn = terminal.draws() && io::stderr().is_terminal() && !is_dumb();
        let bar = drawn.then(|| {
            let bar = terminal.run.spinners.add();
            // The part that may be long is the last: it is cut to the width of the terminal.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {prefix}{wide_msg}") {
                bar.set_style(if screen::is_utf8() { style } else { style.tick_chars("-\\|/ ") });
            }
            bar.set_message(one_line(what));
            bar
        });
        let log = log && terminal.prints_phases() && !drawn;
        if log {
            terminal.say(what);
        }
        if terminal.has_events() {
            terminal.event(Event { phase: Some(phase), message: Some(what), ..Event::now("started") });
        }
        let now = Instant::now();
        Self {
            terminal: terminal.clone(),
            turning: bar.as_ref().and_then(|bar| Turning::start(bar, || None)),
            bar,
            log,
            phase,
            what: what.to_owned(),
            step: String::new(),
            folder: folder.map(Path::to_owned),
            most: AtomicU64::new(0),
            began: now,
            counted: now,
            ok: false,
        }
    }

    fn during<T, E>(self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let result = work();
        self.end(result.is_ok());
        result
    }

    /// Goes on to `step`; the same one twice is one step.
    pub fn step(&mut self, step: &str) {
        if self.step != step {
            step.clone_into(&mut self.step);
            let text = format!("{}: {step}", self.what);
            if let Some(bar) = &self.bar {
                bar.set_message(one_line(&text));
            }
            if self.log {
                self.terminal.say(&text);
            }
            self.report("progress", None);
        }
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        if let (Some(_), Some(bar)) = (&self.folder, &self.bar) {
            if self.counted.elapsed() >= COUNT {
                bar.set_prefix(format!("{} ", HumanBytes(self.bytes().unwrap_or_default())));
                self.counted = Instant::now();
            }
        } else if self.counted.elapsed() >= REPORT {
            self.report("progress", None);
            self.counted = Instant::now();
        }
    }

    /// Ends, with or without success.
    pub fn end(mut self, ok: bool) {
        self.ok = ok;
    }

    /// The bytes in the folder; never fewer than before.
    fn bytes(&self) -> Option<u64> {
        let now = disk_usage(self.folder.as_deref()?);
        Some(self.most.fetch_max(now, SeqCst).max(now))
    }

    /// Reports to programs how far it is.
    fn report(&self, event: &'static str, ok: Option<bool>) {
        if self.terminal.has_events() {
            let message = Some(self.step.as_str()).filter(|step| ok.is_none() && !step.is_empty());
            let (elapsed, bytes) = (milliseconds(self.began.elapsed()), self.bytes());
            let event = Event { phase: Some(self.phase), message, bytes, ok, ..Event::now(event) };
            self.terminal.event(Event { elapsed_ms: Some(elapsed), ..event });
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.turning.take());
        if let Some(bar) = self.bar.take() {
            self.terminal.run.spinners.remove(&bar);
        }
        self.report("finished", Some(self.ok));
    }
}

/// How much of `total` is done, and how long the rest will take: `42%, 3s left `. Nothing while that is a guess.
fn part_of(done: u64, total: u64, elapsed: Duration) -> Option<String> {
    // Not whole before it is over.
    let percent = done.saturating_mul(100).checked_div(total)?.min(99);
    if percent == 0 || elapsed < REPORT {
        return Some(format!("{percent}% "));
    }
    let left = elapsed.as_secs().saturating_mul(total.saturating_sub(done)).checked_div(done)?;
    Some(format!("{percent}%, {} left ", humantime::format_duration(Duration::from_secs(left))))
}

#[cfg(test)]
mod tests {
    use super::part_of;
    use std::time::Duration;

    #[test]
    fn percent_never_promises_too_much() {
        let shown = |done, total, seconds| part_of(done, total, Duration::from_secs(seconds));
        assert_eq!(shown(0, 100, 10).as_deref(), Some("0% "));
        assert_eq!(shown(25, 100, 20).as_deref(), Some("25%, 1m left "));
        assert_eq!(shown(50, 100, 0).as_deref(), Some("50% "));
        assert_eq!(shown(200, 100, 4).as_deref(), Some("99%, 0s left "));
        assert_eq!(shown(5, 0, 4), None);
    }
}
