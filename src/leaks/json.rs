//! Secrets in what is known of a snapshot beside its files: the command of its VM, its health check, its labels, its note.

use super::kind::Kind;
use super::tokens;
use super::variables::{is_reference, is_secret_variable, words};
use serde_json::Value;

/// The most levels that are searched.
const DEPTH: usize = 64;
/// The shortest value after `Bearer` that is no word of a text.
const BEARER: usize = 16;

/// Calls `on_found` for each value in which something secret is found, with its place (`machine.settings.cmd`) below `place`.
pub fn find_in_json(value: &Value, place: &str, on_found: &mut dyn FnMut(&str, Kind, &'static str)) {
    search(value, place, false, DEPTH, on_found);
}

fn search(
    value: &Value,
    place: &str,
    is_label: bool,
    depth: usize,
    on_found: &mut dyn FnMut(&str, Kind, &'static str),
) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::String(text) => {
            let name = place.rsplit('.').next().unwrap_or_default();
            let is_secret_label = is_label && is_secret_variable(name, text);
            let found = find(text, &text.split_whitespace().collect::<Vec<_>>());
            let found = found.or(is_secret_label.then_some((Kind::Environment, "a label with a secret value")));
            if let Some((kind, what)) = found {
                on_found(place, kind, what);
            }
        }
        Value::Array(list) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            // The words of a command.
            let found =
                find(&texts.join("\n"), &texts.iter().flat_map(|text| text.split_whitespace()).collect::<Vec<_>>());
            if let Some((kind, what)) = found {
                on_found(place, kind, what);
            }
            list.iter().filter(|one| !one.is_string()).for_each(|one| search(one, place, false, depth, on_found));
        }
        Value::Object(all) => {
            let is_label = is_label || place.ends_with("labels");
            for (key, one) in all {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                search(one, &place, is_label, depth, on_found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is secret in a text with these words.
fn find(text: &str, words: &[&str]) -> Option<(Kind, &'static str)> {
    if tokens::has_private_key(text.as_bytes()) {
        return Some((Kind::PrivateKey, "a private key"));
    }
    if let Some(name) = tokens::find(text.as_bytes()) {
        return Some((Kind::Token, name));
    }
    let next = words.iter().skip(1).copied().chain([""]);
    let is_secret = words.iter().zip(next).any(|(word, next)| is_secret_word(word, next));
    is_secret.then_some((Kind::Environment, "a secret value"))
}

/// Whether a word has a secret, or gives one to the `next`: `NAME=x`, `--token=x`, `--token x`, `Bearer x`, an address.
pub(super) fn is_secret_word(word: &str, next: &str) -> bool {
    let quotes = ['"', '\'', ',', ';'];
    let (word, bare) = (word.trim_matches(quotes), next.trim_matches(quotes));
    let (name, value) = match (word.split_once('='), word.strip_prefix('-')) {
        _ if word.eq_ignore_ascii_case("bearer") => ("token", if bare.len() >= BEARER { next } else { "" }),
        (Some((name, value)), _) if !name.contains("://") => (name, value),
        (None, Some(name)) if takes_secret(name) && !bare.starts_with('-') => (name, next),
        _ => ("", word),
    };
    let bare = value.trim_matches(quotes);
    // `docker build --secret id=x,src=y` says where the secret is.
    !is_reference(value) && !bare.starts_with("id=") && is_secret_variable(name, bare)
}

/// Whether an option of this name may take a secret: `-p$PASSWORD`, `--no-password` and `--password-stdin` take none.
fn takes_secret(name: &str) -> bool {
    let words = words(name);
    let is_not = |word: Option<&String>, other: &str| word.is_none_or(|word| word != other);
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && is_not(words.first(), "NO")
        && is_not(words.last(), "STDIN")
}
