//! What the terminal can display.

use dialoguer::console::{Term, truncate_str};
use std::borrow::Cow;

/// The line; on a terminal, cut to its width.
pub fn fitted(line: &str) -> Cow<'_, str> {
    let term = Term::stdout();
    match term.size_checked().filter(|_| term.is_term()) {
        Some((_, columns)) => truncate_str(line, columns.into(), if is_utf8() { "…" } else { "..." }),
        None => Cow::Borrowed(line),
    }
}

/// Whether the locale is UTF-8, as `setlocale` reads the environment: in others only ASCII is drawn. Names and notes are
/// printed unchanged.
pub fn is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let locale = named.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
