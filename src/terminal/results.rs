//! Results, on stdout: for people, for scripts (`--quiet`) or for programs (`--json`).

use super::{Problem, Terminal, error, one_line, screen};
use comfy_table::{ContentArrangement, Table, presets};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a result could not be printed.
static UNPRINTED: AtomicBool = AtomicBool::new(false);
/// What was done and is yet to be printed as JSON: a user who cannot read that must still learn of it.
static DONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A path in a result for programs. JSON is UTF-8: what is not in a path is printed as U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(pub PathBuf);

impl Serialize for JsonPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

/// The JSON object with one more entry.
pub fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Some(entries) = object.as_object_mut() {
        entries.insert(key.to_owned(), value);
    }
    object
}

/// Whether all results could be printed, if anyone was there to read them.
pub fn printed_all() -> bool {
    !UNPRINTED.load(Relaxed)
}

impl Terminal {
    /// Something was done. People read `text`; `--quiet` prints `bare`, the name of the result, and nothing else;
    /// `--json` prints neither, but what is given to [`Self::report`].
    pub fn result(self, bare: impl AsRef<OsStr>, text: &str) {
        let text = one_line(text);
        if self.json {
            DONE.lock().into_iter().for_each(|mut done| done.push(text.clone()));
        } else if self.quiet {
            check(print([bare_line(bare.as_ref())]), &[text]);
        } else {
            check(print([&text]), std::slice::from_ref(&text));
        }
    }

    /// Something that people read beside the results, or in the place of one: a script needs none of it.
    pub fn note(self, text: &str) {
        if !self.quiet && !self.json {
            lines([one_line(text)]);
        }
    }

    /// The result for programs.
    pub fn report(self, value: &impl Serialize) {
        if self.json {
            json(value);
        }
    }
}

/// The bytes as they are, for a script; on a terminal none that it would obey.
fn bare_line(bare: &OsStr) -> Vec<u8> {
    if io::stdout().is_terminal() { one_line(&bare.to_string_lossy()).into_bytes() } else { bare.as_bytes().to_vec() }
}

/// Prints lines on stdout.
pub fn lines(lines: impl IntoIterator<Item = String>) {
    check(print(lines), &[]);
}

/// Prints one JSON value on stdout.
pub fn json(value: &impl Serialize) {
    let done = DONE.lock().map(|mut done| std::mem::take(&mut *done)).unwrap_or_default();
    match serde_json::to_string_pretty(value) {
        Ok(text) => check(print([super::json_escaped(&text)]), &done),
        Err(problem) => check(Err(problem.into()), &done),
    }
}

/// Prints a table on stdout: as wide as it is, or, on a terminal, each row as far as one line takes it.
pub fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for row in rows {
        table.add_row(row.iter().map(|cell| one_line(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(table.lines().map(|line| screen::fitted(line.trim_end()).into_owned()));
}

fn print<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines.into_iter().try_for_each(|line| out.write_all(line.as_ref()).and_then(|()| out.write_all(b"\n")))?;
    out.flush()
}

/// A result that could not be printed makes the run a failure, which says on stderr what was `done` all the same. A
/// reader that has gone away (`| head`) has seen enough.
pub fn check(printed: io::Result<()>, done: &[String]) {
    let Err(problem) = printed else { return };
    if problem.kind() == ErrorKind::BrokenPipe {
        return;
    }
    UNPRINTED.store(true, Relaxed);
    let message = format!("could not print the result: {problem}");
    let state = (!done.is_empty()).then(|| done.join("; "));
    error(&Problem {
        code: "failed",
        exit_status: 1,
        message: &message,
        state: state.as_deref(),
        hint: None,
        warnings: &[],
    });
}
