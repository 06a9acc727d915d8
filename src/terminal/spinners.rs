//! The spinners on stderr, one a line, drawn by indicatif: other lines are printed above them.

use dialoguer::console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, TermLike};
use std::io;
use std::sync::OnceLock;

const DRAWS_PER_SECOND: u8 = 20;

/// All spinners of a run.
#[derive(Debug, Default)]
pub struct Spinners(OnceLock<MultiProgress>);

impl Spinners {
    /// One more spinner, below the others.
    pub fn add(&self) -> ProgressBar {
        let all = self.0.get_or_init(|| {
            let screen = Box::new(LossyTerm(Term::buffered_stderr()));
            MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(screen, DRAWS_PER_SECOND))
        });
        all.add(ProgressBar::new_spinner())
    }

    /// Takes a spinner off the screen.
    pub fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        if let Some(all) = self.0.get() {
            all.remove(bar);
        }
    }

    /// Runs `print` with the spinners out of the way.
    pub fn above(&self, print: impl FnOnce()) {
        match self.0.get() {
            Some(all) => all.suspend(print),
            None => print(),
        }
    }
}

/// The terminal, or what is left of one that was closed: indicatif panics where it cannot draw.
#[derive(Debug)]
struct LossyTerm(Term);

impl TermLike for LossyTerm {
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
