//! Variables whose values are secret.

use super::entropy::entropy;
use super::tokens;

/// Words that call a value a password. A number may be one, too.
const PASSWORDS: [&str; 3] = ["PASS", "PWD", "REQUIREPASS"];
/// How such words end: `PGPASSWORD`.
const PASSWORD_ENDS: [&str; 4] = ["PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE"];
/// Words that call a value secret, and how they end.
const SECRETS: [&str; 3] = ["SECRETS", "CREDENTIAL", "CREDENTIALS"];
const SECRET_ENDS: [&str; 4] = ["SECRET", "TOKEN", "APIKEY", "AUTHKEY"];
/// Words before KEY that make it a secret one. After another word, the value must look random.
const KEYS: [&str; 14] = [
    "ACCESS",
    "API",
    "APP",
    "AUTH",
    "CRYPT",
    "DECRYPTION",
    "ENCRYPTION",
    "HMAC",
    "JWT",
    "MASTER",
    "PRIVATE",
    "SECRET",
    "SESSION",
    "SIGNING",
];
/// Words in names of keys that others may know: the image of Python has a `GPG_KEY`.
const PUBLIC: [&str; 5] = ["ANON", "GPG", "PGP", "PUB", "PUBLIC"];
/// Last words of names of what is said about a secret: `TOKEN_URL`.
const ABOUT: [&str; 32] = [
    "ALGORITHM",
    "COUNT",
    "DAYS",
    "DIR",
    "ENABLED",
    "ENDPOINT",
    "EXPIRES",
    "EXPIRY",
    "FILE",
    "FORMAT",
    "HEADER",
    "HELPER",
    "HOST",
    "ISSUER",
    "LENGTH",
    "LIMIT",
    "METHOD",
    "MODE",
    "NAME",
    "PATH",
    "POLICY",
    "PREFIX",
    "PROVIDER",
    "REQUIRED",
    "SIZE",
    "STORE",
    "TIMEOUT",
    "TTL",
    "TYPE",
    "URI",
    "URL",
    "VERSION",
];
/// Values that are a choice, and no secret.
const CHOICES: [&str; 12] =
    ["true", "false", "yes", "no", "on", "off", "none", "null", "nil", "undefined", "enabled", "disabled"];
/// How values begin that another program replaces by the secret.
const REFERENCES: [&str; 10] = ["${", "$(", "{{", "%(", "<", "op://", "vault:", "arn:", "ref+", "secret://"];
/// What people write in the place of a value; more words may follow.
const PLACEHOLDERS: [&str; 13] = [
    "changeme",
    "change-me",
    "change_me",
    "dummy",
    "example",
    "insert",
    "placeholder",
    "replace",
    "replaceme",
    "replace-me",
    "replace_me",
    "todo",
    "your",
];

/// What the name of a variable says of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Password,
    Secret,
    Key,
    Nothing,
}

/// Whether the name of a variable says that its value is secret, and it has one, or the value is one that is known: a token,
/// a private key, an address with a password.
pub fn is_secret_variable(name: &str, value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    if tokens::find(value.as_bytes()).is_some() || tokens::has_private_key(value.as_bytes()) || has_password(value) {
        return true;
    }
    if is_placeholder(value) || value.contains("://") || is_path(value) {
        return false;
    }
    let is_number = value.parse::<f64>().is_ok();
    match named(name) {
        Named::Password if is_number => value.len() >= 4 && value.bytes().all(|byte| byte.is_ascii_digit()),
        Named::Password => true,
        Named::Secret => !is_number,
        Named::Key => is_random(value),
        Named::Nothing => false,
    }
}

fn named(name: &str) -> Named {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let ends = |ends: &[&str], word: &String| ends.iter().any(|end| word.ends_with(end));
    let is_password = |word: &String| PASSWORDS.contains(&word.as_str()) || ends(&PASSWORD_ENDS, word);
    let is_secret = |word: &String| SECRETS.contains(&word.as_str()) || ends(&SECRET_ENDS, word);
    let before_key = |pair: &[String]| match pair {
        [before, key] => key == "KEY" && KEYS.contains(&before.as_str()),
        _ => false,
    };
    // A shell's working folder is no password.
    if ABOUT.contains(&last) || words == ["PWD"] {
        Named::Nothing
    } else if words.iter().any(is_password) {
        Named::Password
    } else if words.iter().any(is_secret) || words.windows(2).any(before_key) {
        Named::Secret
    } else if words.len() > 1
        && ["KEY", "PAT"].contains(&last)
        && !words.iter().any(|word| PUBLIC.contains(&word.as_str()))
    {
        Named::Key
    } else {
        Named::Nothing
    }
}

/// The words of a name, in capitals: `DB_PASS`, `db-pass` and `dbPass` are DB and PASS.
pub(super) fn words(name: &str) -> Vec<String> {
    let (mut words, mut was_lower) = (vec![String::new()], false);
    for char in name.chars() {
        if !char.is_alphanumeric() || (was_lower && char.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| char.is_alphanumeric()) {
            word.extend(char.to_uppercase());
        }
        was_lower = char.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether it stands for another value, or for none.
pub(super) fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    // `$NAME`, but a password may begin with `$`.
    let is_name =
        |name: &str| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let follows = |rest: &str| !rest.starts_with(|char: char| char.is_ascii_alphanumeric());
    let is_your = |rest: &str| ["api", "key", "pass", "secret", "token"].iter().any(|word| rest.starts_with(word));
    value.is_empty()
        || CHOICES.contains(&lower.as_str())
        || value.len() > 2 && value.bytes().all(|byte| b"xX*.-_?# ".contains(&byte))
        || REFERENCES.iter().any(|begin| lower.starts_with(begin))
        || value.strip_prefix('$').is_some_and(is_name)
        || PLACEHOLDERS.iter().any(|word| lower.strip_prefix(word).is_some_and(follows))
        || lower.strip_prefix("your").is_some_and(is_your)
}

/// Whether a shell puts another value in its place: a command in backticks, `$name`, `$1$2`, `"$HOME/.pass"`; not `'$name'`.
pub(super) fn is_reference(value: &str) -> bool {
    let value = value.trim_start_matches('"');
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['/', ' ', ';', '"', '\'']);
    let is_one = |part: &str| part.starts_with(is_name) && ends(part.trim_start_matches(is_name));
    value.starts_with('`') || value.starts_with('$') && value.split('$').skip(1).all(is_one)
}

/// Whether it is the path of a file. Every 64th key in base64 begins with `/`, but almost never with the name of a folder.
fn is_path(value: &str) -> bool {
    let Some(rest) = ["~/", "./", "../", "/"].iter().find_map(|begin| value.strip_prefix(begin)) else { return false };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@,: ".contains(&byte);
    let first = rest.split('/').next().unwrap_or_default();
    let is_folder = first.bytes().all(|byte| !byte.is_ascii_uppercase() && byte != b'+');
    rest.bytes().all(is_part) && (is_folder || !is_random(value))
}

/// Whether it looks like a key: long, of letters and digits, no word twice.
pub(super) fn is_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-:".contains(byte);
    bytes.len() >= 20
        && bytes.iter().all(is_part)
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(u8::is_ascii_alphabetic)
        && entropy(bytes) >= 3.5
}

/// Whether it is an address with a name and a password: `https://user:password@host`.
pub(super) fn has_password(value: &str) -> bool {
    let host = value.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let user = host.and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|password| !is_placeholder(password) && !password.starts_with('$'))
}
