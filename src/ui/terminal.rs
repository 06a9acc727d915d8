//! What the terminal can show.

use dialoguer::console::{Term, truncate_str};
use std::borrow::Cow;
use std::ffi::OsString;

/// The line as it is, or, on a terminal, as much of it as fits.
pub fn fitted(line: &str) -> Cow<'_, str> {
    let term = Term::stdout();
    match term.size_checked().filter(|_| term.is_term()) {
        Some((_, columns)) => truncate_str(line, columns.into(), if is_utf8() { "…" } else { "..." }),
        None => Cow::Borrowed(line),
    }
}

/// Whether the locale is one of UTF-8: in others nothing is drawn but ASCII. Names and notes are printed as they are.
pub fn is_utf8() -> bool {
    let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    ["utf-8", "utf8"].iter().any(|utf8| locale.contains(utf8))
}
