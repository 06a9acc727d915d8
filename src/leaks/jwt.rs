//! JSON Web Tokens: three parts in base64url, of which the first two are JSON, and the third is a signature.

use super::entropy::{ENTROPY, entropy};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use memchr::memmem;
use serde_json::{Map, Value};

/// How an object begins, in base64url: `{"`.
const OBJECT: &[u8] = b"eyJ";
/// The most bytes of a part, and the fewest of a signature: that of HS256 has 43.
const LONGEST: usize = 8 << 10;
const SIGNATURE: usize = 40;

/// Whether a token is in the text. Not those that everybody may have: the example of jwt.io, and the keys for browsers of
/// Supabase.
pub fn has_jwt(text: &[u8]) -> bool {
    memmem::find_iter(text, OBJECT).any(|at| {
        let (before, rest) = text.split_at_checked(at).unwrap_or_default();
        let is_inside = before.last().is_some_and(|byte| is_letter(*byte) || *byte == b'.');
        !is_inside && is_jwt(rest).unwrap_or(false)
    })
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether the text begins with one.
fn is_jwt(text: &[u8]) -> Option<bool> {
    let (header, rest) = part(text)?;
    let header = object(header)?;
    header.get("alg")?.as_str()?;
    let (payload, rest) = part(rest.strip_prefix(b".")?)?;
    let payload = object(payload)?;
    let (signature, _) = part(rest.strip_prefix(b".")?)?;
    let is_named = |key: &str, value: &str| payload.get(key).and_then(Value::as_str) == Some(value);
    let is_example = is_named("name", "John Doe") || is_named("role", "anon") || is_named("iss", "supabase-demo");
    Some(!is_example && signature.len() >= SIGNATURE && entropy(signature) >= ENTROPY)
}

/// The letters of base64url at its beginning, and what follows them.
fn part(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = text.iter().take(LONGEST).take_while(|byte| is_letter(**byte)).count();
    text.split_at_checked(length)
}

/// The object that is written in base64url.
fn object(letters: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(letters).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use crate::leaks::Kind;
    use crate::leaks::tests::{WORD, kind, random};
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    /// The letters of base64url that stand for this text.
    fn base64url(text: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn a_json_web_token_is_found_if_it_is_one() {
        let token = |header: &str, payload: &str, length: usize| {
            format!("{}.{}.{}", base64url(header), base64url(payload), random(WORD, length))
        };
        let (header, payload) = (r#"{"alg":"RS256","kid":"é"}"#, r#"{"iss":"x","exp":1800000000}"#);
        let real = token(header, payload, 342);
        for text in [real.clone(), format!("Authorization: Bearer {real}\n"), format!("{{\"token\":\"{real}\"}}")] {
            assert_eq!(kind("/srv/x.txt", &text), Some(Kind::Token), "{text}");
        }
        for text in [
            token(r#"{"kid":"a"}"#, payload, 43),
            token(r#"{"alg":"none"}"#, payload, 0),
            token(header, r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#, 43),
            token(header, r#"{"iss":"supabase","role":"anon"}"#, 43),
            format!("{}.{}", base64url(header), base64url(payload)),
            format!("{}.abc.{}", base64url(header), random(WORD, 43)),
            format!("x{real}"),
            real.replacen("eyJ", "eyI", 1),
            "eyJ.eyJ.eyJ".to_owned(),
        ] {
            assert_eq!(kind("/srv/x.txt", &text), None, "{text}");
        }
    }
}
