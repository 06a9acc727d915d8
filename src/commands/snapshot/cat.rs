//! `snapshot cat`: print the content of a file in a snapshot.

use crate::app::App;
use crate::completion::Offer;
use crate::contents::{Content, ContentsError};
use crate::error::{Failure, Result, Status};
use crate::ext4::Kind;
use crate::library::store::Kept;
use crate::operations::{contents, resolve};
use crate::stream::Sink;
use crate::terminal;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;

/// Bytes that are read at once.
const WINDOW: u64 = 256 << 10;

/// Print the content of a file in a snapshot
///
/// No engine is needed, and no VM is started. A terminal gets no control characters; a pipe or a file gets the bytes as they
/// are.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot cat dev:/etc/os-release\n  \
    bottle-freeze snapshot cat dev@ready:/root/data.tar | tar -t")]
pub struct Args {
    /// File: SNAPSHOT:PATH, where SNAPSHOT is VM (its newest), VM@TAG, VM@ID or FILE
    #[arg(value_name = "SNAPSHOT:PATH", add = Offer::GuestFiles)]
    pub file: OsString,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let Some((snapshot, path)) = contents::split(&args.file) else {
        let what = format!("{:?} is not SNAPSHOT:PATH", args.file.to_string_lossy());
        return Err(Failure::new(Status::Usage, what));
    };
    let source = resolve::find(app, snapshot)?;
    let name = source.name();
    let opened = contents::open(app, source, &Kept::default())?;
    let (path, item) = opened.find(path.as_bytes(), true)?;
    if item.kind() != Kind::File {
        let path = String::from_utf8_lossy(&path);
        let failed = |what| Failure::new(Status::Failed, format!("{path:?} in {name} is {what}"));
        return Err(match item.kind() {
            Kind::Folder => failed("a folder").hint(contents::list_with(&name, &path)),
            _ => failed("a device, a FIFO or a socket, which has no content"),
        });
    }
    let failed = |error: ContentsError| contents::failure(&name, error.of_file(&path));
    let content = opened.contents.content(&item).map_err(failed)?;
    let is_terminal = io::stdout().is_terminal();
    let mut out = Sink::stdout(&app.signals).map_err(|error| Failure::new(Status::Failed, error.to_string()))?;
    let mut shown = Shown::default();
    let mut print = |bytes: &[u8]| {
        if is_terminal { out.write_all(shown.text(bytes, false).as_bytes()) } else { out.write_all(bytes) }
    };
    let (mut at, mut buffer) = (0, Vec::new());
    while at < content.size {
        app.signals.check()?;
        read(&content, at, &mut buffer).map_err(failed)?;
        if let Err(error) = print(&buffer) {
            app.terminal.check(Err(error), &[]);
            return Ok(());
        }
        at = at.saturating_add(buffer.len() as u64);
    }
    let rest = if is_terminal { out.write_all(shown.text(&[], true).as_bytes()) } else { Ok(()) };
    app.terminal.check(rest, &[]);
    Ok(())
}

/// Reads the bytes from this place on.
fn read(content: &Content<'_>, at: u64, buffer: &mut Vec<u8>) -> std::result::Result<(), ContentsError> {
    let bytes = WINDOW.min(content.size.saturating_sub(at));
    buffer.resize(usize::try_from(bytes).unwrap_or(0), 0);
    content.read_at(at, buffer)
}

/// Bytes as text for a terminal. A character may begin in one part and end in the next.
#[derive(Default)]
struct Shown(Vec<u8>);

impl Shown {
    fn text(&mut self, bytes: &[u8], is_last: bool) -> String {
        self.0.extend(bytes);
        let is_begun = |bytes: &[u8]| std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
        let last = self.0.utf8_chunks().last().map(|chunk| chunk.invalid()).unwrap_or_default();
        let begun = if !is_last && is_begun(last) { last.len() } else { 0 };
        let end = self.0.len().saturating_sub(begun);
        let rest = self.0.split_off(end);
        let whole = std::mem::replace(&mut self.0, rest);
        terminal::printable(&String::from_utf8_lossy(&whole)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn a_character_may_lie_in_two_parts_and_none_moves_the_cursor() {
        let mut shown = Shown::default();
        let parts = [&b"a\xc3"[..], b"\xa4\x1b[2J\n", b"\xff\xe2\x82"].map(|part| shown.text(part, false));
        assert_eq!(parts, ["a", "ä\\u{1b}[2J\n", "\u{fffd}"]);
        assert_eq!(shown.text(&[], true), "\u{fffd}");
    }
}
