//! Tokens of services, and private keys, in text.
//!
//! The rules are those of gitleaks (<https://github.com/gitleaks/gitleaks>, `config/gitleaks.toml` of July 2026, MIT License,
//! Copyright (c) 2019 Zachary Rice) whose tokens are known by a prefix.

use memchr::memmem;

/// The bytes that a token has after its prefix.
type Bytes = fn(u8) -> bool;

/// A rule: what it finds, the prefix of the token, how many bytes follow, and which.
struct Rule(&'static str, &'static str, (usize, usize), Bytes);

const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}
const fn dash(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
const fn dot(byte: u8) -> bool {
    dash(byte) || byte == b'.' || byte == b'='
}
const fn hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (byte >= b'a' && byte <= b'f')
}
const fn base32(byte: u8) -> bool {
    byte.is_ascii_uppercase() || (byte >= b'2' && byte <= b'7')
}
const fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' || byte == b'='
}
const fn letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}
const fn bech32(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const RULES: [Rule; 45] = [
    Rule("a secret key of age", "AGE-SECRET-KEY-1", (58, 58), bech32),
    Rule("an access key of AWS", "AKIA", (16, 16), base32),
    Rule("an access key of AWS", "ASIA", (16, 16), base32),
    Rule("a key of Anthropic", "sk-ant-api03-", (95, 95), dash),
    Rule("a key of Anthropic", "sk-ant-admin01-", (95, 95), dash),
    Rule("a token of Databricks", "dapi", (32, 32), hex),
    Rule("a token of DigitalOcean", "dop_v1_", (64, 64), hex),
    Rule("a token of DigitalOcean", "doo_v1_", (64, 64), hex),
    Rule("a token of DigitalOcean", "dor_v1_", (64, 64), hex),
    Rule("a token of Doppler", "dp.pt.", (43, 43), word),
    Rule("a token of Fly", "fm2_", (100, 1000), base64),
    Rule("a key of Google", "AIza", (35, 35), dash),
    Rule("a token of GitHub", "ghp_", (36, 36), word),
    Rule("a token of GitHub", "gho_", (36, 36), word),
    Rule("a token of GitHub", "ghu_", (36, 36), word),
    Rule("a token of GitHub", "ghs_", (36, 36), word),
    Rule("a token of GitHub", "ghr_", (36, 36), word),
    Rule("a token of GitHub", "github_pat_", (82, 82), dash),
    Rule("a token of GitLab", "glpat-", (20, 300), dot),
    Rule("a token of GitLab", "gldt-", (20, 20), dash),
    Rule("a token of GitLab", "glrt-", (20, 300), dot),
    Rule("a token of GitLab", "glptt-", (40, 40), hex),
    Rule("a token of Grafana", "glsa_", (41, 41), dash),
    Rule("a token of Grafana", "glc_", (32, 400), base64),
    Rule("a key of Heroku", "HRKU-AA", (58, 58), dash),
    Rule("a token of Hugging Face", "hf_", (34, 34), letter),
    Rule("a key of Linear", "lin_api_", (40, 40), word),
    Rule("a token of npm", "npm_", (36, 36), word),
    Rule("a key of OpenAI", "sk-proj-", (124, 156), dash),
    Rule("a key of OpenAI", "sk-svcacct-", (124, 156), dash),
    Rule("a key of OpenAI", "sk-admin-", (124, 156), dash),
    Rule("a token of 1Password", "ops_eyJ", (250, 2000), base64),
    Rule("a key of Perplexity", "pplx-", (48, 48), word),
    Rule("a token of PlanetScale", "pscale_tkn_", (32, 64), dot),
    Rule("a password of PlanetScale", "pscale_pw_", (32, 64), dot),
    Rule("a token of PyPI", "pypi-AgEIcHlwaS5vcmc", (50, 1000), dash),
    Rule("a key of RubyGems", "rubygems_", (48, 48), hex),
    Rule("a key of SendGrid", "SG.", (66, 66), dot),
    Rule("a token of Shopify", "shpat_", (32, 32), hex),
    Rule("a token of Slack", "xoxb-", (17, 100), dash),
    Rule("a token of Slack", "xoxp-", (60, 100), dash),
    Rule("a key of Stripe", "sk_live_", (10, 99), word),
    Rule("a key of Stripe", "rk_live_", (10, 99), word),
    Rule("a token of Vault", "hvs.", (90, 120), dash),
    Rule("a token of Vault", "hvb.", (138, 300), dash),
];

/// The least bits per byte of a token: what people write as an example has fewer.
const ENTROPY: f64 = 3.0;

/// The name of the first rule that finds a token.
pub fn find(text: &[u8]) -> Option<&'static str> {
    RULES.iter().find(|rule| has_token(text, rule)).map(|Rule(name, ..)| *name)
}

fn has_token(text: &[u8], Rule(_, prefix, (least, most), is_part): &Rule) -> bool {
    memmem::find_iter(text, prefix.as_bytes()).any(|at| {
        let (before, rest) = text.split_at_checked(at).unwrap_or_default();
        let rest = rest.get(prefix.len()..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_part(**byte)).take(most.saturating_add(1)).count();
        let token = rest.get(..length).unwrap_or_default();
        let is_inside = before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let is_long = rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
        !is_inside
            && !is_long
            && (*least..=*most).contains(&length)
            && !token.ends_with(b"EXAMPLE")
            && entropy(token) >= ENTROPY
    })
}

/// Shannon's entropy, in bits per byte.
fn entropy(token: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in token {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let length = f64::from(u32::try_from(token.len()).unwrap_or(u32::MAX)).max(1.0);
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / length)
        .map(|part| -part * part.log2())
        .sum()
}

/// How private keys begin and end, without the kind of key.
const BEGIN: &[u8] = b"-----BEGIN ";
const PRIVATE: &[u8] = b"PRIVATE KEY";
const END: &[u8] = b"-----END ";
/// The longest line with the kind of key, the fewest bytes of a key, and the most that are looked at.
const KIND: usize = 60;
const SHORTEST: usize = 64;
const LONGEST: usize = 32 << 10;

/// Whether there is a private key in the text, as PEM or of PGP or `PuTTY`; also inside of JSON.
pub fn has_private_key(text: &[u8]) -> bool {
    if text.starts_with(b"PuTTY-User-Key-File-") {
        return true;
    }
    memmem::find_iter(text, BEGIN).any(|at| {
        let rest = text.get(at.saturating_add(BEGIN.len())..).unwrap_or_default();
        let kind = rest.get(..KIND.min(rest.len())).unwrap_or_default();
        let Some(name) = memmem::find(kind, PRIVATE).filter(|at| is_kind(kind, *at)) else { return false };
        let rest = rest.get(name.saturating_add(PRIVATE.len())..).unwrap_or_default();
        let near = rest.get(..LONGEST.min(rest.len())).unwrap_or_default();
        let Some(end) = memmem::find(near, END) else { return false };
        let body = near.get(..end).unwrap_or_default();
        body.iter().filter(|byte| base64(**byte)).count() >= SHORTEST && entropy(body) >= ENTROPY
    })
}

/// Whether there are only words up to there.
fn is_kind(line: &[u8], at: usize) -> bool {
    line.iter().take(at).all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ')
}
