//! What a file that is known by its name must hold to be a finding: many programs make such files without a secret in them.

use super::variables::{has_password, is_random, is_reference, is_secret_variable};
use memchr::memmem;

/// What a file must hold.
#[derive(Clone, Copy)]
pub enum Holds {
    /// Any byte.
    Any,
    /// A value for one of these keys. A key may be the end of a longer one.
    Keys(&'static [&'static str]),
    /// Such a line.
    Lines(fn(&[u8]) -> bool),
}

impl Holds {
    /// Whether this text has it. Comments are skipped.
    pub fn is_in(self, text: &[u8]) -> bool {
        let mut lines = lines(text).filter(|line| !line.is_empty() && !is_comment(line));
        match self {
            Self::Any => !text.is_empty(),
            Self::Keys(keys) => lines.any(|line| keys.iter().any(|key| has_value(line, key))),
            Self::Lines(is_it) => lines.any(is_it),
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.starts_with(b";")
}

/// Whether the line gives the key a value: `key = x`, `"key": "x"`, `key x`, `<key>x`; not `${X}`, which another file sets.
fn has_value(line: &[u8], key: &str) -> bool {
    memmem::find_iter(line, key.as_bytes()).any(|at| {
        let after = line.get(at.saturating_add(key.len())..).unwrap_or_default();
        let unquoted = after.strip_prefix(b"\"").or_else(|| after.strip_prefix(b"'")).unwrap_or(after);
        let spaced = unquoted.trim_ascii_start();
        let value = match spaced.first() {
            Some(b'=' | b':') => spaced.get(1..).unwrap_or_default(),
            // `password x`, or an element of XML.
            Some(_) if spaced.len() < unquoted.len() || key.ends_with('>') => spaced,
            _ => return false,
        };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        let is_none = [&b"${"[..], b"\"", b"'", b",", b"null", b"None", b"{", b"[", b"<"];
        !value.is_empty() && !is_none.iter().any(|begin| value.starts_with(begin))
    })
}

/// Whether the line has anything.
pub fn is_filled(line: &[u8]) -> bool {
    !line.is_empty()
}

/// Whether a line has a login: an address with a password or a token, or a header that has one.
pub fn has_login(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let user = line.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
    let is_token = user.is_some_and(|(user, _)| is_random(user.split(':').next().unwrap_or_default()));
    let lower = line.to_ascii_lowercase();
    let has_header = lower.contains("extraheader") && lower.contains("authorization:");
    // Bundler has no scheme: `BUNDLE_HOST: "user:password"`.
    let is_bundler = line.starts_with("BUNDLE_") && line.trim_end_matches('"').rsplit_once(": ").is_some_and(is_pair);
    has_password(&line) || is_token || has_header || is_bundler
}

fn is_pair((_, value): (&str, &str)) -> bool {
    value.contains(':') && !value.contains("://")
}

/// Whether a line of `.pgpass` has a password, after four colons.
pub fn has_pgpass(line: &[u8]) -> bool {
    line.splitn(5, |byte| *byte == b':').nth(4).is_some_and(|password| !password.is_empty())
}

/// Whether a line of pppd's secrets has one, as its third word: not `""` or `"*"`, as Debian's file has them.
pub fn has_ppp(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(2).is_some_and(|secret| secret != b"\"\"" && secret != b"\"*\"")
}

/// Whether a line of Subversion's logins is the name of a secret, whose value follows: what is encrypted has another place.
pub fn has_svn(line: &[u8]) -> bool {
    line == b"password" || line == b"passphrase"
}

/// Whether a user has a password, or had one before it was locked: neither none, nor one that never fits.
pub fn has_hash(line: &[u8]) -> bool {
    let hash = line.split(|byte| *byte == b':').nth(1).unwrap_or_default();
    let hash = hash.get(hash.iter().take_while(|byte| b"!*".contains(byte)).count()..).unwrap_or_default();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"./".contains(byte);
    // The oldest hashes have no `$`, but always as many bytes.
    hash.starts_with(b"$") || hash.len() == 13 && hash.iter().all(is_part)
}

/// Whether a line gives a variable a value that is secret.
pub fn is_secret_line(line: &[u8]) -> bool {
    variable(&String::from_utf8_lossy(line)).is_some_and(|(name, value)| is_secret_variable(name, value))
}

/// The same in a file of a shell, where `$name` stands for another value.
pub fn is_secret_line_of_shell(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    variable(&line).is_some_and(|(name, value)| !is_reference(value) && is_secret_variable(name, value))
}

/// The name and the value of the variable that a line sets.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let is_quoted = value.starts_with(['"', '\'']);
    let value = if is_quoted { value } else { value.split(" #").next().unwrap_or_default() };
    (is_name && !value.starts_with('#')).then_some((name, value))
}

/// Whether a line of a service gives it a variable that is secret: `Environment="A=x" B=y`.
pub fn is_secret_setting(line: &[u8]) -> bool {
    let words = line.strip_prefix(b"Environment=").unwrap_or_default();
    words.split(|byte| *byte == b' ').any(|word| is_secret_line(word.strip_prefix(b"\"").unwrap_or(word)))
}

/// Whether a line of less's history has what was typed: its files have a line for each kind without anything, too.
pub fn is_typed(line: &[u8]) -> bool {
    line.starts_with(b"\"")
}
