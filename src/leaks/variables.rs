//! Variables whose values are secret.

use super::tokens;

/// Words in the names of variables with secret values.
const WORDS: [&str; 11] = [
    "SECRET",
    "SECRETS",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
];
/// How values begin that stand for others.
const PLACEHOLDERS: [&str; 8] = ["${", "$(", "<", "your", "changeme", "change-me", "xxx", "example"];

/// Whether the name of a variable says that its value is secret, and it has one, or the value is one that is known: a token,
/// a private key, an address with a password.
pub fn is_secret_variable(name: &str, value: &str) -> bool {
    let (name, value) = (name.to_ascii_uppercase(), value.trim().trim_matches(['"', '\'']));
    let lower = value.to_ascii_lowercase();
    if PLACEHOLDERS.iter().any(|word| lower.starts_with(word)) {
        return false;
    }
    // A path to a file, a number and a choice are no secrets.
    let is_plain = value.is_empty()
        || value.starts_with('/')
        || value.parse::<f64>().is_ok()
        || ["true", "false", "yes", "no", "on", "off"].contains(&lower.as_str());
    let name = format!("_{name}_");
    let is_named = WORDS.iter().any(|word| name.contains(&format!("_{word}_")));
    let is_known = tokens::find(value.as_bytes()).is_some() || tokens::has_private_key(value.as_bytes());
    (is_named && !is_plain) || is_known || has_password(value)
}

/// Whether it is an address with a name and a password: `https://user:password@host`.
fn has_password(value: &str) -> bool {
    let host = value.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let user = host.and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
    user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
}
