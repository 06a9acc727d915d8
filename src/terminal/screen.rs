//! What the terminal can display.

use dialoguer::console::{Color, Term, style, truncate_str};
use std::borrow::Cow;

/// The width of stdout, if that is a terminal.
pub fn columns() -> Option<usize> {
    let term = Term::stdout();
    term.size_checked().filter(|_| term.is_term()).map(|(_, columns)| columns.into())
}

/// The line, cut to this width.
pub fn fitted(line: &str, columns: Option<usize>) -> Cow<'_, str> {
    match columns {
        Some(columns) => truncate_str(line, columns, if is_utf8() { "…" } else { "..." }),
        None => Cow::Borrowed(line),
    }
}

/// The text in this color, where stdout is a terminal that has colors, and `$NO_COLOR` is not set.
pub fn painted(text: &str, color: Color) -> String {
    style(text).fg(color).bold().to_string()
}

/// The same on stderr, as clap prints its own errors.
pub fn painted_label(text: &str, color: Color) -> String {
    style(text).fg(color).bold().for_stderr().to_string()
}

/// The header of a table, where stdout has colors.
pub fn header(text: &str) -> String {
    style(text).bold().underlined().to_string()
}

/// Whether the locale is UTF-8, as `setlocale` reads the environment: in others only ASCII is drawn. Names and notes are
/// printed unchanged.
pub fn is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let locale = named.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
