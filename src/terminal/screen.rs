//! What the terminal can show.

use dialoguer::console::{Term, truncate_str};
use std::borrow::Cow;

/// The line as it is, or, on a terminal, as much of it as fits.
pub fn fitted(line: &str) -> Cow<'_, str> {
    let term = Term::stdout();
    match term.size_checked().filter(|_| term.is_term()) {
        Some((_, columns)) => truncate_str(line, columns.into(), if is_utf8() { "…" } else { "..." }),
        None => Cow::Borrowed(line),
    }
}

/// Whether the locale's characters are UTF-8, as `setlocale` reads the environment: in others nothing is drawn but ASCII.
/// Names and notes are printed as they are.
pub fn is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let locale = named.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
