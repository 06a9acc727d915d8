//! Text from outside, made harmless: its control characters do not reach a terminal.

use dialoguer::console::measure_text_width;
use std::borrow::Cow;

/// The text as one line: a table's cell, a name in a list.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// The text with all lines but the first indented: text from outside cannot pass for a line of ours.
pub fn indent_rest(text: &str) -> String {
    let text = printable(text);
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| all + "\n    " + line.trim_start_matches(' '))
}

/// The text in rows of at most so many columns, broken at spaces. A longer word has a row of its own.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    text.split(' ').fold(Vec::new(), |mut rows: Vec<String>, word| {
        match rows.last_mut() {
            Some(row) if measure_text_width(row) + 1 + measure_text_width(word) <= columns => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
        rows
    })
}

/// The same JSON value, with the characters escaped that would control a terminal: there are none outside of strings.
pub fn json_escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        if is_harmful(c) {
            let mut units = [0; 2];
            all.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            all.push(c);
        }
        all
    })
}

/// The text with its control characters, except line breaks and tabs, made visible and harmless; also the invisible
/// characters that reorder a line.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        if is_harmful(c) {
            all.extend(c.escape_default());
        } else {
            all.push(c);
        }
        all
    }))
}

fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_could_move_the_cursor_is_shown_not_sent() {
        assert_eq!(super::printable("a\x1b[2Jb\r\u{202e}c\n"), "a\\u{1b}[2Jb\\r\\u{202e}c\n");
    }

    #[test]
    fn a_row_breaks_at_a_space() {
        assert_eq!(super::wrapped("ab cd efghij k", 5), ["ab cd", "efghij", "k"]);
        assert_eq!(super::wrapped("", 5), [""]);
    }

    #[test]
    fn a_second_line_is_none_of_ours() {
        assert_eq!(super::indent_rest("error: a\nerror: forged\n  engine"), "error: a\n    error: forged\n    engine");
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let value = serde_json::json!({"a": "\u{9b}2J\u{7f}\u{202e}ä\n"});
        let text = super::json_escaped(&value.to_string());
        assert!(text.is_ascii() || !text.contains(super::is_harmful), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
