//! Quotes words for a shell, so that printed command lines can be pasted.

/// The word, quoted for a shell. With control characters it is written as `$'…'`, so that it stays on one line.
pub fn quoted(text: &str) -> String {
    if text.contains(char::is_control) {
        let escape = |byte: u8| match byte {
            b' '..=b'~' if ![b'\'', b'\\'].contains(&byte) => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        return format!("$'{}'", text.bytes().map(escape).collect::<String>());
    }
    shlex::try_quote(text).map_or_else(|_| format!("{text:?}"), Into::into)
}
