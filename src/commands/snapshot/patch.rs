//! The lines that differ in a text file, as a unified diff.

use crate::contents::{Contents, ContentsError, Difference, Item, Side};
use crate::ext4::Kind;
use crate::report::NoPatch;
use similar::TextDiff;
use std::borrow::Cow;
use std::time::Duration;

/// The largest file whose lines are compared.
const LARGEST: u64 = 1 << 20;
/// The most bytes of lines that are compared in all.
const MOST: u64 = 256 << 20;
/// A file that is no text counts as this part of its bytes: it is only read.
const READ: u64 = 64;
/// How long the shortest list of lines is looked for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The lines of a file that differ.
pub enum Lines {
    /// None: the content is the same, or it is no file, or was none.
    Same,
    /// A unified diff.
    Patch(String),
    /// They are not compared.
    Unknown(NoPatch),
}

/// Compares the lines of files, as long as they are not too many.
pub struct Patches {
    /// Bytes of lines that may still be compared; see [`READ`], too.
    left: u64,
}

impl Default for Patches {
    fn default() -> Self {
        Self { left: MOST }
    }
}

impl Patches {
    /// The lines that differ in a file.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn of(&mut self, old: &Contents, new: &Contents, file: &Difference<'_>) -> Result<Lines, ContentsError> {
        let files = [file.old, file.new];
        if !files.iter().flatten().all(|item| item.kind() == Kind::File)
            || file.old.is_some() && file.new.is_some() && !file.changes.content
        {
            return Ok(Lines::Same);
        }
        let sizes = files.map(|item| item.map_or(0, |item| item.metadata.size));
        if sizes.iter().any(|size| *size > LARGEST) {
            return Ok(Lines::Unknown(NoPatch::TooLarge));
        }
        let bytes: u64 = sizes.iter().sum();
        let Some(left) = self.left.checked_sub(bytes) else {
            return Ok(Lines::Unknown(NoPatch::TooMuch));
        };
        let on = |side| move |error: ContentsError| error.on_side(file.path, side);
        let (before, after) =
            (text(old, file.old).map_err(on(Side::Old))?, text(new, file.new).map_err(on(Side::New))?);
        let (Some(before), Some(after)) = (before, after) else {
            self.left = self.left.saturating_sub(bytes.div_ceil(READ));
            return Ok(Lines::Unknown(NoPatch::NotText));
        };
        self.left = left;
        let name = |side: &[u8], is_there: bool| {
            if is_there { header(&[side, file.path].concat()) } else { "/dev/null".to_owned() }
        };
        let (from, to) = (name(b"a", file.old.is_some()), name(b"b", file.new.is_some()));
        Ok(Lines::Patch(unified(&before, &after, [&from, &to])))
    }
}

/// A unified diff with these names; empty without a line that differs. A line ends at LF only, as in diff(1) and git: a CR may
/// be anywhere in it.
fn unified(before: &str, after: &str, [from, to]: [&str; 2]) -> String {
    let [old, new] = [before, after].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    let diff = TextDiff::configure().timeout(PATIENCE).diff_slices(&old, &new);
    let mut patch = String::new();
    for hunk in diff.unified_diff().iter_hunks() {
        if patch.is_empty() {
            patch = format!("--- {from}\n+++ {to}\n");
        }
        patch.extend([&hunk.header().to_string(), "\n"]);
        for change in hunk.iter_changes() {
            let end = if change.value().ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
            patch.extend([&change.tag().to_string(), change.value(), end]);
        }
    }
    patch
}

/// The text of a file; empty if there is none. Nothing if it is no text.
fn text(contents: &Contents, item: Option<&Item>) -> Result<Option<String>, ContentsError> {
    let Some(item) = item else { return Ok(Some(String::new())) };
    let mut bytes = vec![0; usize::try_from(item.metadata.size).unwrap_or(0)];
    contents.content(item)?.read_at(0, &mut bytes)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

/// A name in the header of a patch: patch(1) ends one that has a space at the tab.
fn header(name: &[u8]) -> String {
    let shown = on_one_line(name).into_owned();
    if shown.contains(' ') && !shown.starts_with('"') { shown + "\t" } else { shown }
}

/// The path, quoted as git does if it is not UTF-8, has control characters or quotes, or ends with a space: no name is a line
/// of its own, and each can be read back.
pub fn on_one_line(path: &[u8]) -> Cow<'_, str> {
    let is_odd = |letter: char| letter.is_ascii_control() || matches!(letter, '"' | '\\');
    match std::str::from_utf8(path) {
        Ok(text) if !text.contains(is_odd) && !text.ends_with(' ') => return text.into(),
        _ => {}
    }
    let mut all = "\"".to_owned();
    for chunk in path.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\x07' => all += "\\a",
                '\x08' => all += "\\b",
                '\t' => all += "\\t",
                '\n' => all += "\\n",
                '\x0b' => all += "\\v",
                '\x0c' => all += "\\f",
                '\r' => all += "\\r",
                '"' | '\\' => all.extend(['\\', letter]),
                letter if letter.is_ascii_control() => all += &octal(letter as u32),
                letter => all.push(letter),
            }
        }
        all.extend(chunk.invalid().iter().map(|byte| octal((*byte).into())));
    }
    all.push('"');
    all.into()
}

fn octal(byte: u32) -> String {
    format!("\\{byte:03o}")
}

#[cfg(test)]
mod tests {
    use super::{header, on_one_line};

    #[test]
    fn a_name_is_quoted_as_git_does() {
        for (name, quoted) in [
            (&b"/root/\xc3\xa4 b"[..], "/root/ä b"),
            (b"/a\nM  /etc/shadow", "\"/a\\nM  /etc/shadow\""),
            (b"/it's \"q\"\\\t\x1b", "\"/it's \\\"q\\\"\\\\\\t\\033\""),
            (b"/\xc3\xa4 bad\xff\xc3", "\"/ä bad\\377\\303\""),
            (b"/\x07\x08\x0b\x0c\r\x01\x7f", "\"/\\a\\b\\v\\f\\r\\001\\177\""),
            (b"/end ", "\"/end \""),
        ] {
            assert_eq!(on_one_line(name), quoted);
        }
        let headers = [&b"a/x"[..], b"a/x y", b"a/x y ", b"a/x \xff"].map(header);
        assert_eq!(headers, ["a/x", "a/x y\t", "\"a/x y \"", "\"a/x \\377\""]);
    }
}
