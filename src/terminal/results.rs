//! Results, on stdout: for people, for scripts (`--quiet`) or for programs (`--json`).

use super::events::Error;
use super::handle::Terminal;
use super::screen;
use super::text::{json_escaped, one_line, printable};
use crate::status::Status;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::ffi::OsStr;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::Ordering::Relaxed;

impl Terminal {
    /// Whether all results were printed, except those that a reader did not wait for.
    pub fn printed_all(&self) -> bool {
        !self.run.is_unprinted.load(Relaxed)
    }

    /// Prints that something was done: `text` for people; with `--quiet` only `bare`, the name of the result. With `--json`
    /// neither: see [`Self::report`].
    pub fn result(&self, bare: impl AsRef<OsStr>, text: &str) {
        let text = one_line(text);
        if self.spares_stdout {
            self.note(&text);
        } else if self.json {
            self.run.done.lock().into_iter().for_each(|mut done| done.push(text.clone()));
        } else if self.quiet {
            self.check(print([bare_line(bare.as_ref())]), &[text]);
        } else {
            self.check(print([&text]), std::slice::from_ref(&text));
        }
    }

    /// Prints something beside the results, or in place of one: for people only.
    pub fn note(&self, text: &str) {
        match (self.quiet || self.json, self.spares_stdout) {
            (true, _) => {}
            (false, true) => self.message("detail", text, &one_line(text)),
            (false, false) => self.lines([one_line(text)]),
        }
    }

    /// Prints the result for programs.
    pub fn report(&self, value: &impl Serialize) {
        if self.json {
            self.print_json(value);
        }
    }

    /// Prints lines on stdout.
    pub fn lines(&self, lines: impl IntoIterator<Item = String>) {
        self.check(print(lines), &[]);
    }

    /// Prints one JSON value on stdout.
    pub fn print_json(&self, value: &impl Serialize) {
        let done = self.run.done.lock().map(|mut done| std::mem::take(&mut *done)).unwrap_or_default();
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from);
        self.check(text.and_then(|text| print([json_escaped(&text)])), &done);
    }

    /// Prints a table on stdout; on a terminal, each row is cut to one line.
    pub fn table(&self, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
        for row in rows {
            table.add_row(row.iter().map(|cell| one_line(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let columns = screen::columns();
        let mut lines = table.lines().map(|line| screen::fitted(line.trim_end(), columns).into_owned());
        let header = lines.next().map(|header| screen::header(&header));
        self.lines(header.into_iter().chain(lines));
    }

    /// Prints a long result while it is found.
    pub fn printer(&self) -> Printer<'_> {
        Printer { terminal: self, out: BufWriter::new(io::stdout()), count: 0, is_terminal: io::stdout().is_terminal() }
    }

    /// A result that could not be printed makes the run a failure, and stderr says what was `done` anyway. A reader that
    /// is gone (`| head`) has read enough.
    pub fn check(&self, printed: io::Result<()>, done: &[String]) {
        let Err(problem) = printed else { return };
        if problem.kind() == ErrorKind::BrokenPipe {
            return;
        }
        self.run.is_unprinted.store(true, Relaxed);
        let message = format!("could not print the result: {problem}");
        let state = (!done.is_empty()).then(|| done.join("; "));
        self.error(&Error { state, ..Error::new(Status::Failed, &message) }, &[]);
    }
}

/// Prints a result part by part.
pub struct Printer<'t> {
    terminal: &'t Terminal,
    out: BufWriter<io::Stdout>,
    count: usize,
    is_terminal: bool,
}

impl Printer<'_> {
    /// Prints a line: the bytes as they are; on a terminal, without control characters.
    ///
    /// # Errors
    /// It cannot be printed.
    pub fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let shown = self.is_terminal.then(|| one_line(&String::from_utf8_lossy(line)));
        self.out.write_all(shown.as_ref().map_or(line, |shown| shown.as_bytes()))?;
        self.out.write_all(b"\n")
    }

    /// Prints a line of a file, with its tabs.
    ///
    /// # Errors
    /// It cannot be printed.
    pub fn text(&mut self, line: &str) -> io::Result<()> {
        let shown = if self.is_terminal { printable(line) } else { line.into() };
        self.out.write_all(shown.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Prints one element of a JSON array.
    ///
    /// # Errors
    /// It cannot be printed.
    pub fn element(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = json_escaped(&serde_json::to_string_pretty(value)?).replace('\n', "\n  ");
        let before = if self.count == 0 { "[" } else { "," };
        self.count = self.count.saturating_add(1);
        write!(self.out, "{before}\n  {text}")
    }

    /// Ends the result: after an error of printing there is no more to print.
    pub fn finish(mut self, printed: io::Result<()>) {
        let is_array = self.terminal.json;
        let end = || -> io::Result<()> {
            printed?;
            match (is_array, self.count) {
                (true, 0) => self.out.write_all(b"[]\n")?,
                (true, _) => self.out.write_all(b"\n]\n")?,
                (false, _) => {}
            }
            self.out.flush()
        };
        self.terminal.check(end(), &[]);
    }
}

/// The bytes as they are, for a script; on a terminal, without control characters.
fn bare_line(bare: &OsStr) -> Vec<u8> {
    if io::stdout().is_terminal() { one_line(&bare.to_string_lossy()).into_bytes() } else { bare.as_bytes().to_vec() }
}

fn print<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> io::Result<()> {
    // One call for many lines.
    let mut out = BufWriter::new(io::stdout().lock());
    lines.into_iter().try_for_each(|line| out.write_all(line.as_ref()).and_then(|()| out.write_all(b"\n")))?;
    out.flush()
}
