//! JSON Web Keys: an object with the kind of a key (`kty`), and the numbers or bytes of it.

use super::entropy::{ENTROPY, entropy};
use memchr::{memchr, memmem, memrchr};
use serde_json::{Map, Value};

/// The most bytes of a key that are looked at before its kind, and after that: one of RSA with 16,384 bits has 10,000.
const LONGEST: usize = 16 << 10;
/// The fewest letters of what is secret: 128 bits.
const SECRET: usize = 22;

/// Whether there is a key in the text that is secret: a private one, or one with which both sides sign.
pub fn has_secret_key(text: &[u8]) -> bool {
    memmem::find_iter(text, b"\"kty\"").any(|at| is_secret(text, at).unwrap_or(false))
}

/// Whether the object around this place is such a key.
fn is_secret(text: &[u8], at: usize) -> Option<bool> {
    let (before, after) = text.split_at_checked(at)?;
    let before = before.get(before.len().saturating_sub(LONGEST)..)?;
    let after = after.get(..LONGEST.min(after.len()))?;
    let begin = before.get(memrchr(b'{', before)?..)?;
    let end = after.get(..=memchr(b'}', after)?)?;
    let key: Map<String, Value> = serde_json::from_slice(&[begin, end].concat()).ok()?;
    let secret = match key.get("kty")?.as_str()? {
        "RSA" | "EC" | "OKP" => key.get("d")?.as_str()?,
        "oct" => key.get("k")?.as_str()?,
        _ => return None,
    };
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
    Some(secret.len() >= SECRET && secret.bytes().all(is_letter) && entropy(secret.as_bytes()) >= ENTROPY)
}

#[cfg(test)]
mod tests {
    use crate::leaks::Kind;
    use crate::leaks::tests::{WORD, kind, random};

    #[test]
    fn a_json_web_key_is_found_if_it_is_secret() {
        let (public, secret) = (random(WORD, 342), random(WORD, 340));
        for text in [
            format!("{{\"n\": \"{public}\", \"e\": \"AQAB\", \"d\": \"{secret}\", \"kty\": \"RSA\"}}"),
            format!("{{\"keys\": [{{\"kty\":\"EC\",\n\"crv\":\"P-256\",\n\"d\":\"{}\"}}]}}", random(WORD, 43)),
            format!("key = {{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"{}\",\"x\":\"a\"}};", random(WORD, 43)),
            format!("{{\"kty\":\"oct\",\"k\":\"{}\"}}", random(WORD, 43)),
        ] {
            assert_eq!(kind("/srv/key.json", &text), Some(Kind::PrivateKey), "{text}");
            assert_eq!(kind("/srv/node_modules/jose/key.json", &text), None, "{text}");
        }
        for text in [
            format!("{{\"keys\": [{{\"kty\": \"RSA\", \"n\": \"{public}\", \"e\": \"AQAB\"}}], \"d\": \"{secret}\"}}"),
            format!("{{\"kty\": \"RSA\", \"e\": \"AQAB\", \"n\": \"{public}\"}} {{\"d\": \"{secret}\"}}"),
            "{\"kty\": \"EC\", \"d\": \"...\"}".to_owned(),
            format!("{{\"kty\": \"EC\", \"d\": \"{}\"}}", "x".repeat(43)),
            format!("{{\"kty\": \"RSA\", \"d\": \"{}", random(WORD, 340)),
            "if key[\"kty\"] == \"RSA\" { d }".to_owned(),
        ] {
            assert_eq!(kind("/srv/key.json", &text), None, "{text}");
        }
    }
}
