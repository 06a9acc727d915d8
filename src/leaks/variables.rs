//! Variables whose values are secret.

/// Parts of the names of variables with secret values.
const WORDS: [&str; 9] =
    ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"];
/// How values begin that stand for others.
const PLACEHOLDERS: [&str; 8] = ["${", "$(", "<", "your", "changeme", "change-me", "xxx", "example"];

/// Whether the name of a variable says that its value is secret, and it has one.
pub fn is_secret_variable(name: &str, value: &str) -> bool {
    let (name, value) = (name.to_ascii_uppercase(), value.trim().trim_matches(['"', '\'']));
    let lower = value.to_ascii_lowercase();
    // A path to a file is no secret.
    let is_real = !value.is_empty() && !value.starts_with('/');
    is_real && !PLACEHOLDERS.iter().any(|word| lower.starts_with(word)) && WORDS.iter().any(|word| name.contains(word))
}
