//! Passwords that are written into scripts and crontabs: `curl -u user:password`, `https://user:password@host`.

use super::json::is_secret_word;
use super::variables::{has_password, is_placeholder};

/// What people write as an example, and passwords that everybody knows.
const KNOWN: [&str; 16] = [
    "admin", "bar", "example", "foo", "guest", "pass", "passwd", "password", "postgres", "pw", "pwd", "root", "secret",
    "test", "token", "user",
];
/// Names of files that are run, without an ending.
const NAMES: [&str; 5] = ["Containerfile", "Dockerfile", "Jenkinsfile", "Makefile", "justfile"];
/// Programs that run scripts of a shell.
const SHELLS: [&[u8]; 7] = [b"ash", b"bash", b"dash", b"fish", b"ksh", b"sh", b"zsh"];
/// Options of curl that have one letter and no value.
const FLAGS: &[u8] = b"0123456#aBfgGiIjJkLnNOpqRsSvZ";
/// Endings of scripts.
const ENDINGS: [&str; 5] = [".bash", ".fish", ".ksh", ".sh", ".zsh"];

/// Whether a file with this path and text is a script of a shell.
pub fn is_script(path: &[u8], text: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let first = text.strip_prefix(b"#!").and_then(|text| text.split(|byte| *byte == b'\n').next()).unwrap_or_default();
    let mut words = first.split(|byte| b" \t\r/".contains(byte));
    words.any(|word| SHELLS.contains(&word))
        || NAMES.iter().any(|known| name == known.as_bytes())
        || ENDINGS.iter().any(|end| name.ends_with(end.as_bytes()))
}

/// Whether a command in this script has a password.
pub fn has_typed_password(text: &[u8]) -> bool {
    // A command may go on in the next line.
    let text = String::from_utf8_lossy(text).replace("\\\n", " ");
    text.lines().any(|line| !line.trim_start().starts_with('#') && is_typed(line))
}

/// Whether a line of a crontab has a secret in its command.
pub fn is_secret_job(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let next = words.iter().skip(1).copied().chain([""]);
    is_typed(&line) || words.iter().zip(next).any(|(word, next)| is_secret_word(word, next))
}

fn is_typed(line: &str) -> bool {
    line.split(['|', ';']).flat_map(|part| part.split("&&")).any(has_login)
}

/// Whether a command gives curl a user and a password, or has an address with both.
fn has_login(command: &str) -> bool {
    let bare = |word: &'_ str| word.trim_matches(['"', '\'', '`', '(', ')', ',']).to_owned();
    let words: Vec<String> = command.split_whitespace().map(bare).collect();
    // Options before it are those of another program: `docker run -u 1000:1000 curlimages/curl`.
    let curl = words.iter().position(|word| word.rsplit(['/', '(']).next() == Some("curl"));
    let mut options = words.iter().skip(curl.map_or(words.len(), |curl| curl.saturating_add(1))).peekable();
    while let Some(option) = options.next() {
        if is_login(option, options.peek().map_or("", |next| next.as_str())) {
            return true;
        }
    }
    words.iter().any(|word| is_address(word))
}

/// Whether an option of curl has a user and a password: `-u a:b`, `-sSua:b`, `--user a:b`, `--user=a:b`.
fn is_login(word: &str, next: &str) -> bool {
    let of = |option: &str| word.strip_prefix(option).map(|rest| rest.strip_prefix('=').unwrap_or(rest));
    let long = of("--proxy-user").or_else(|| of("--user"));
    let short = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).and_then(|rest| {
        let (flags, value) = rest.split_once(['u', 'U'])?;
        flags.bytes().all(|byte| FLAGS.contains(&byte)).then_some(value)
    });
    let value = match long.or(short) {
        Some("") => next,
        Some(value) => value,
        None => return false,
    };
    let value = value.trim_matches(['"', '\'']);
    value.split_once(':').is_some_and(|(user, password)| is_own(user, password))
}

/// Whether a word has an address with a name and a password.
fn is_address(word: &str) -> bool {
    let Some((_, rest)) = word.split_once("://") else { return false };
    let user = rest.split('/').next().and_then(|host| host.rsplit_once('@')).and_then(|(user, _)| user.split_once(':'));
    has_password(word) && user.is_some_and(|(user, password)| is_own(user, password))
}

/// Whether the password is a real one: no example, and nothing that a shell puts there.
fn is_own(user: &str, password: &str) -> bool {
    let lower = password.to_ascii_lowercase();
    let is_given = password.contains(['$', '<', '>', '{', '}', '%', '*', '[', '`']) || user.contains(['<', '{', '[']);
    let is_known = is_placeholder(password) || lower == user.to_ascii_lowercase() || KNOWN.contains(&lower.as_str());
    !is_given && !is_known && password.len() >= 4
}

#[cfg(test)]
mod tests {
    use crate::leaks::Kind;
    use crate::leaks::tests::kind;

    #[test]
    fn passwords_in_commands_of_scripts_are_found() {
        for (line, is_secret) in [
            ("curl -u me:x1y2z3 https://a/", true),
            ("/usr/bin/curl -sSume:x1y2z3 https://a/", true),
            ("curl --user 'me:x1y2z3' https://a/", true),
            ("out=$(curl --user=me:x1y2z3 https://a/)", true),
            ("curl \\\n  -u me:x1y2z3 https://a/", true),
            ("curl -U me:x1y2z3 -x proxy https://a/", true),
            ("git clone https://me:x1y2z3@example.org/a.git", true),
            ("wget \"https://me:x1y2z3@example.org/a\"", true),
            ("# curl -u me:x1y2z3 https://a/", false),
            ("docker run -u 1000:10000 curlimages/curl https://a/", false),
            ("docker exec -u root:docker app curl https://a/", false),
            ("curl https://a/ | sudo -u me:x1y2z3 tee b", false),
            ("curl -u me https://a/", false),
            ("curl -u \"$USER:$PASSWORD\" https://a/", false),
            ("curl -u me:$(cat /run/x) https://a/", false),
            ("curl -u me:<password> https://a/", false),
            ("curl -u user:password https://a/", false),
            ("curl -u admin:admin https://a/", false),
            ("curl -o out:x1y2z3 -d user:x1y2z3 https://a/", false),
            ("docker run -u 1000:10000 x", false),
            ("git clone https://${USER}:x1y2z3@example.org/a.git", false),
            ("echo https://user:pass@host/", false),
            ("rsync a host:/b", false),
        ] {
            for (path, text) in [("/srv/a.sh", format!("{line}\n")), ("/srv/run", format!("#!/bin/sh -e\n{line}\n"))] {
                assert_eq!(kind(path, &text).is_some(), is_secret, "{path}: {line}");
            }
            // What is no script is often an example.
            assert_eq!(kind("/srv/README.md", line), None, "{line}");
        }
        for (path, line, found) in [
            ("/var/spool/cron/crontabs/root", "0 * * * * backup --password x1y2z3", Some(Kind::Credentials)),
            ("/etc/cron.d/x", "0 * * * * root curl -u me:x1y2z3 https://a/", Some(Kind::Credentials)),
            ("/etc/crontab", "PATH=/usr/bin\n17 * * * * root cd / && run-parts /etc/cron.hourly", None),
            ("/etc/cron.d/x", "0 * * * * root backup --password-file /etc/x", None),
        ] {
            assert_eq!(kind(path, line), found, "{path}: {line}");
        }
    }
}
