//! Progress: a spinner with step, time and bytes on a terminal, one plain line per step in a log, events for programs.

use super::events::{self, Event, milliseconds};
use super::screen;
use crate::threads;
use dialoguer::console::Term;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the spinner turns, and how often the bytes written so far are counted, for people and for programs.
const TURN: Duration = Duration::from_millis(100);
const COUNT: Duration = Duration::from_millis(500);
const REPORT: Duration = Duration::from_secs(1);
const DRAWS_PER_SECOND: u8 = 20;

/// The spinners on the terminal, one a line: other lines are written above them.
static DRAWN: LazyLock<MultiProgress> = LazyLock::new(|| {
    let screen = Box::new(Screen(Term::buffered_stderr()));
    MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(screen, DRAWS_PER_SECOND))
});
/// How many there are. Where none is drawn, none is made.
static COUNT_DRAWN: AtomicUsize = AtomicUsize::new(0);

/// Progress of one thing, from [`Progress::start`] until it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    turning: Option<Turning>,
    log: bool,
    phase: &'static str,
    what: String,
    step: String,
    folder: Option<PathBuf>,
    began: Instant,
    counted: Instant,
    ok: bool,
}

/// Turns a spinner until it is dropped. (indicatif's own thread panics where the system gives none.)
#[derive(Debug)]
struct Turning(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Turning {
    /// Without a thread the spinner stands still.
    fn start(bar: &ProgressBar) -> Option<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let (bar, is_over) = (bar.clone(), ended.clone());
        let turn = move || {
            while !is_over.load(SeqCst) {
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

/// Whether a spinner can be drawn.
pub fn on_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

impl Progress {
    /// Begins. The bytes in `folder` are shown as they become more. Where no spinner is drawn, `log` tells it in lines.
    pub fn start(phase: &'static str, what: &str, folder: Option<&Path>, quiet: bool, log: bool) -> Self {
        let for_people = !quiet && !events::are_events();
        let drawn = for_people && on_terminal();
        let bar = drawn.then(|| {
            COUNT_DRAWN.fetch_add(1, SeqCst);
            let bar = DRAWN.add(ProgressBar::new_spinner());
            // What may be long stands last: there it is cut to what the terminal's line takes.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {prefix}{wide_msg}") {
                bar.set_style(if screen::is_utf8() { style } else { style.tick_chars("-\\|/ ") });
            }
            bar.set_message(super::one_line(what));
            bar
        });
        let turning = bar.as_ref().and_then(Turning::start);
        let log = log && for_people && !drawn;
        if log {
            super::say(what);
        }
        if events::are_events() {
            Event { phase: Some(phase), message: Some(what), ..Event::now("started") }.print();
        }
        let (folder, now) = (folder.map(Path::to_owned), Instant::now());
        Self {
            bar,
            turning,
            log,
            phase,
            what: what.to_owned(),
            step: String::new(),
            folder,
            began: now,
            counted: now,
            ok: false,
        }
    }

    /// Goes on to `step`; the same one twice is one step.
    pub fn step(&mut self, step: &str) {
        if self.step != step {
            step.clone_into(&mut self.step);
            let text = format!("{}: {step}", self.what);
            if let Some(bar) = &self.bar {
                bar.set_message(super::one_line(&text));
            }
            if self.log {
                super::say(&text);
            }
            self.report("progress", None);
        }
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        if let (Some(folder), Some(bar)) = (&self.folder, &self.bar) {
            if self.counted.elapsed() >= COUNT {
                bar.set_prefix(format!("{} ", HumanBytes(bytes_in(folder))));
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

    /// Tells programs how far it is.
    fn report(&self, event: &'static str, ok: Option<bool>) {
        if events::are_events() {
            let message = Some(self.step.as_str()).filter(|step| ok.is_none() && !step.is_empty());
            let (elapsed, bytes) = (milliseconds(self.began.elapsed()), self.folder.as_deref().map(bytes_in));
            let event = Event { phase: Some(self.phase), message, bytes, ok, ..Event::now(event) };
            Event { elapsed_ms: Some(elapsed), ..event }.print();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.turning.take());
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            DRAWN.remove(&bar);
            COUNT_DRAWN.fetch_sub(1, SeqCst);
        }
        self.report("finished", Some(self.ok));
    }
}

/// The terminal, or what is left of one that was closed: indicatif panics where it cannot draw.
#[derive(Debug)]
struct Screen(Term);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n).or(Ok(()))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n).or(Ok(()))
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n).or(Ok(()))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n).or(Ok(()))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text).or(Ok(()))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text).or(Ok(()))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line().or(Ok(()))
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush().or(Ok(()))
    }
}

/// Runs `print` with the spinners out of the way.
pub fn above(print: impl FnOnce()) {
    if COUNT_DRAWN.load(SeqCst) > 0 {
        DRAWN.suspend(print);
    } else {
        print();
    }
}

/// Bytes on disk under `folder`, not following links. What vanishes meanwhile counts as nothing.
fn bytes_in(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}
