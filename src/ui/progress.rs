//! Progress: a spinner with phase, time and bytes on a terminal, one plain line per phase in a log.

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often the spinner turns, and how often the bytes written so far are counted.
const TURN: Duration = Duration::from_millis(100);
const COUNT: Duration = Duration::from_millis(500);

/// The spinner on the terminal, if one is drawn: lines are written above it.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Progress of one thing, from [`Progress::start`] until it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    log: bool,
    phase: String,
    folder: Option<PathBuf>,
    counted: Instant,
}

/// Whether a spinner can be drawn.
pub fn on_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

impl Progress {
    /// Begins with `phase`. The bytes in `folder` are shown as they become more.
    pub fn start(phase: &str, folder: Option<&Path>, quiet: bool) -> Self {
        let drawn = !quiet && on_terminal();
        let bar = if drawn { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed} {prefix}") {
            bar.set_style(style);
        }
        if drawn {
            bar.enable_steady_tick(TURN);
            remember(Some(bar.clone()));
        }
        let folder = folder.map(Path::to_owned);
        let mut progress = Self { bar, log: !quiet && !drawn, phase: String::new(), folder, counted: Instant::now() };
        progress.phase(phase);
        progress
    }

    /// Goes on to `phase`; the same one twice is one phase.
    pub fn phase(&mut self, phase: &str) {
        if self.phase != phase {
            phase.clone_into(&mut self.phase);
            self.bar.set_message(super::one_line(phase));
            if self.log {
                super::say(phase);
            }
        }
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        let Some(folder) = self.folder.as_deref().filter(|_| !self.bar.is_hidden() && self.counted.elapsed() >= COUNT)
        else {
            return;
        };
        self.bar.set_prefix(HumanBytes(bytes_in(folder)).to_string());
        self.counted = Instant::now();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        remember(None);
        self.bar.finish_and_clear();
    }
}

fn remember(bar: Option<ProgressBar>) {
    if let Ok(mut drawn) = DRAWN.lock() {
        *drawn = bar;
    }
}

/// Runs `print` with the spinner out of the way.
pub fn above(print: impl FnOnce()) {
    match DRAWN.lock().ok().and_then(|drawn| drawn.clone()) {
        Some(bar) => bar.suspend(print),
        None => print(),
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
