//! Tokens of services, and private keys, in text.
//!
//! The rules are those of gitleaks (<https://github.com/gitleaks/gitleaks>, `config/gitleaks.toml` of July 2026, MIT License,
//! Copyright (c) 2019 Zachary Rice) whose tokens are known by a prefix, or by a part in their middle. Those of Atlassian,
//! Buildkite, Discord, Docker, Figma, Google's OAuth, Groq, `LangSmith`, Netlify, New Relic, `OpenRouter`, Replicate, Supabase,
//! Tailscale, Telegram and xAI, and the sessions of Anthropic, are not in gitleaks: they are as these services show them.

use super::entropy::{ENTROPY, entropy};
use super::jwk::has_secret_key;
use super::jwt::has_jwt;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
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
const fn hexes(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}
const fn path(byte: u8) -> bool {
    dash(byte) || byte == b'/'
}
const fn dash64(byte: u8) -> bool {
    base64(byte) || byte == b'_'
}
const fn tilde(byte: u8) -> bool {
    dash(byte) || byte == b'.' || byte == b'~'
}
const fn letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}
const fn bech32(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const RULES: [Rule; 103] = [
    Rule("a token of Atlassian", "ATATT3", (100, 300), dot),
    Rule("an access key of AWS", "AKIA", (16, 16), base32),
    Rule("an access key of AWS", "ASIA", (16, 16), base32),
    Rule("an access key of AWS", "ABIA", (16, 16), base32),
    Rule("an access key of AWS", "ACCA", (16, 16), base32),
    Rule("a key of AWS", "ABSK", (109, 271), base64),
    Rule("a key of Adobe", "p8e-", (32, 32), word),
    Rule("a key of Alibaba", "LTAI", (20, 20), word),
    Rule("a key of Anthropic", "sk-ant-api03-", (95, 95), dash),
    Rule("a key of Anthropic", "sk-ant-admin01-", (95, 95), dash),
    Rule("a token of Anthropic", "sk-ant-oat01-", (80, 120), dash),
    Rule("a token of Anthropic", "sk-ant-ort01-", (80, 120), dash),
    Rule("a session of Anthropic", "sk-ant-sid0", (80, 140), dash),
    Rule("a key of Artifactory", "AKCp", (69, 69), word),
    Rule("a token of Artifactory", "cmVmd", (59, 59), word),
    Rule("a key of Azure", "AccountKey=", (88, 88), base64),
    Rule("a token of Buildkite", "bkua_", (40, 40), hex),
    Rule("a key of Cloudflare", "v1.0-", (171, 171), dash),
    Rule("a token of Databricks", "dapi", (32, 32), hex),
    Rule("a token of DigitalOcean", "dop_v1_", (64, 64), hex),
    Rule("a token of DigitalOcean", "doo_v1_", (64, 64), hex),
    Rule("a token of DigitalOcean", "dor_v1_", (64, 64), hex),
    Rule("a webhook of Discord", "discord.com/api/webhooks/", (78, 105), path),
    Rule("a webhook of Discord", "discordapp.com/api/webhooks/", (78, 105), path),
    Rule("a token of Docker", "dckr_pat_", (27, 27), dash),
    Rule("a token of Docker", "dckr_oat_", (32, 32), dash),
    Rule("a token of Doppler", "dp.pt.", (43, 43), word),
    Rule("a token of Dynatrace", "dt0c01.", (89, 89), dot),
    Rule("a token of Fly", "fo1_", (43, 43), dash),
    Rule("a token of Fly", "fm1a_", (100, 1000), base64),
    Rule("a token of Fly", "fm1r_", (100, 1000), base64),
    Rule("a token of Fly", "fm2_", (100, 1000), base64),
    Rule("a token of Figma", "figd_", (40, 40), dash),
    Rule("a key of Google", "AIza", (35, 35), dash),
    Rule("a secret of Google", "GOCSPX-", (28, 28), dash),
    Rule("a token of Google", "ya29.", (60, 1000), dash),
    Rule("a token of GitHub", "ghp_", (36, 36), word),
    Rule("a token of GitHub", "gho_", (36, 36), word),
    Rule("a token of GitHub", "ghu_", (36, 36), word),
    Rule("a token of GitHub", "ghs_", (36, 36), word),
    Rule("a token of GitHub", "ghr_", (36, 36), word),
    Rule("a token of GitHub", "github_pat_", (82, 82), dash),
    Rule("a token of GitLab", "glpat-", (20, 310), dot),
    Rule("a token of GitLab", "gldt-", (20, 20), dash),
    Rule("a token of GitLab", "glft-", (20, 20), dash),
    Rule("a token of GitLab", "glimt-", (25, 25), dash),
    Rule("a token of GitLab", "glagent-", (50, 50), dash),
    Rule("a token of GitLab", "gloas-", (64, 64), dash),
    Rule("a token of GitLab", "glsoat-", (20, 20), dash),
    Rule("a token of GitLab", "glcbt-", (22, 26), dash),
    Rule("a token of GitLab", "glrt-", (20, 320), dot),
    Rule("a token of GitLab", "glptt-", (40, 40), hex),
    Rule("a token of GitLab", "GR1348941", (20, 20), dash),
    Rule("a token of Grafana", "glsa_", (41, 41), dash),
    Rule("a token of Grafana", "glc_", (32, 403), base64),
    Rule("a token of Grafana", "eyJrIjoi", (70, 403), base64),
    Rule("a key of Groq", "gsk_", (52, 52), word),
    Rule("a key of Heroku", "HRKU-AA", (58, 58), dash),
    Rule("a token of Hugging Face", "hf_", (34, 34), letter),
    Rule("a token of Hugging Face", "api_org_", (34, 34), letter),
    Rule("a key of LangSmith", "lsv2_pt_", (43, 43), dash),
    Rule("a key of LangSmith", "lsv2_sk_", (43, 43), dash),
    Rule("a key of Linear", "lin_api_", (40, 40), word),
    Rule("a key of Netlify", "nfp_", (36, 40), word),
    Rule("a key of New Relic", "NRAK-", (27, 27), bech32),
    Rule("a token of Notion", "ntn_", (46, 46), word),
    Rule("a token of npm", "npm_", (36, 36), word),
    Rule("a key of OpenRouter", "sk-or-v1-", (64, 64), hex),
    Rule("a token of OpenShift", "sha256~", (43, 43), dash),
    Rule("a token of 1Password", "ops_eyJ", (250, 2000), base64),
    Rule("a key of Perplexity", "pplx-", (48, 48), word),
    Rule("a token of PlanetScale", "pscale_tkn_", (32, 64), dot),
    Rule("a token of PlanetScale", "pscale_oauth_", (32, 64), dot),
    Rule("a password of PlanetScale", "pscale_pw_", (32, 64), dot),
    Rule("a key of Postman", "PMAK-", (59, 59), dash),
    Rule("a token of Prefect", "pnu_", (36, 36), word),
    Rule("a token of Pulumi", "pul-", (40, 40), hex),
    Rule("a token of PyPI", "pypi-AgEIcHlwaS5vcmc", (50, 1000), dash),
    Rule("a token of Replicate", "r8_", (37, 37), word),
    Rule("a key of RubyGems", "rubygems_", (48, 48), hex),
    Rule("a key of SendGrid", "SG.", (66, 66), dot),
    Rule("a key of Brevo", "xkeysib-", (81, 81), dash),
    Rule("a token of Sentry", "sntrys_eyJ", (80, 600), dash64),
    Rule("a token of Sentry", "sntryu_", (64, 64), hex),
    Rule("a token of Shopify", "shpat_", (32, 32), hexes),
    Rule("a token of Shopify", "shpca_", (32, 32), hexes),
    Rule("a token of Shopify", "shppa_", (32, 32), hexes),
    Rule("a secret of Shopify", "shpss_", (32, 32), hexes),
    Rule("a token of Slack", "xoxb-", (17, 100), dash),
    Rule("a token of Slack", "xoxp-", (60, 100), dash),
    Rule("a token of Slack", "xoxe-", (60, 200), dash),
    Rule("a token of Slack", "xoxe.xox", (166, 180), dash),
    Rule("a token of Slack", "xapp-", (30, 200), dash),
    Rule("a webhook of Slack", "hooks.slack.com/services/", (43, 56), path),
    Rule("a webhook of Slack", "hooks.slack.com/workflows/", (43, 56), path),
    Rule("a key of Stripe", "sk_live_", (10, 99), word),
    Rule("a key of Stripe", "rk_live_", (10, 99), word),
    Rule("a key of Stripe", "sk_prod_", (10, 99), word),
    Rule("a token of Supabase", "sbp_", (40, 40), hex),
    Rule("a key of Tailscale", "tskey-", (25, 80), dash),
    Rule("a key of xAI", "xai-", (80, 80), word),
    Rule("a token of Vault", "hvs.", (90, 120), dash),
    Rule("a token of Vault", "hvb.", (138, 300), dash),
];

/// A private key that is one word.
const AGE: Rule = Rule("a secret key of age", "AGE-SECRET-KEY-1", (58, 58), bech32);

/// A rule for tokens that are known by a part in their middle: what it finds, how the token begins, the part, and how many
/// bytes of which kind are before and after it.
struct Middle(&'static str, &'static str, &'static str, (usize, usize), (usize, usize), Bytes);

const MIDDLES: [Middle; 4] = [
    // The old ones have 20 bytes on both sides.
    Middle("a key of OpenAI", "sk-", "T3BlbkFJ", (23, 90), (20, 74), dash),
    Middle("a secret of Azure", "", "Q~", (4, 4), (31, 34), tilde),
    Middle("a token of Telegram", "", ":AA", (8, 10), (33, 33), dash),
    Middle("a token of Terraform", "", ".atlasv1.", (14, 14), (60, 70), dash),
];

/// Parts of tokens in documentation: AWS ends its own so, and Azurite has one key.
const EXAMPLES: [&[u8]; 2] = [b"EXAMPLE", b"Eby8vdM02xNO"];

/// The name of the first rule that finds a token.
pub fn find(text: &[u8]) -> Option<&'static str> {
    let by_prefix = RULES.iter().find(|rule| has_token(text, rule)).map(|Rule(name, ..)| *name);
    let by_part = || MIDDLES.iter().find(|rule| has_middle(text, rule)).map(|Middle(name, ..)| *name);
    by_prefix.or_else(by_part).or_else(|| has_jwt(text).then_some("a JSON Web Token"))
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
            && !EXAMPLES.iter().any(|example| memmem::find(token, example).is_some())
            && entropy(token) >= ENTROPY
    })
}

fn has_middle(text: &[u8], Middle(_, begin, part, before, after, is_part): &Middle) -> bool {
    let is_between = |length, (least, most): (usize, usize)| (least..=most).contains(&length);
    memmem::find_iter(text, part.as_bytes()).any(|at| {
        let (left, rest) = text.split_at_checked(at).unwrap_or_default();
        let right = rest.get(part.len()..).unwrap_or_default();
        let left_length = left.iter().rev().take_while(|byte| is_part(**byte)).take(before.1.saturating_add(1)).count();
        let right_length = right.iter().take_while(|byte| is_part(**byte)).take(after.1.saturating_add(1)).count();
        let left = left.get(left.len().saturating_sub(left_length)..).unwrap_or_default();
        let right = right.get(..right_length).unwrap_or_default();
        let is_long = is_between(left_length, *before) && is_between(right_length, *after);
        is_long && left.starts_with(begin.as_bytes()) && entropy(left) >= 1.0 && entropy(right) >= ENTROPY
    })
}

/// How private keys begin and end, without the kind of key.
const BEGIN: &[u8] = b"-----BEGIN ";
const PRIVATE: &[u8] = b"PRIVATE KEY";
const END: &[u8] = b"-----END ";
/// The longest line with the kind of key, the fewest bytes of a key, and the most that are looked at.
const KIND: usize = 60;
const SHORTEST: usize = 64;
const LONGEST: usize = 32 << 10;

/// How a text that begins with [`BEGIN`] and a letter begins in base64.
const ENCODED: &[u8] = b"LS0tLS1CRUdJTiB";

/// Whether there is a private key in the text, as PEM or of PGP, `PuTTY` or age; also inside of JSON, as a JSON Web Key, and as
/// PEM in base64, as in the secrets of Kubernetes.
pub fn has_private_key(text: &[u8]) -> bool {
    text.starts_with(b"PuTTY-User-Key-File-")
        || has_token(text, &AGE)
        || has_pem(text)
        || memmem::find_iter(text, ENCODED).any(|at| has_pem(&decoded(text.get(at..).unwrap_or_default())))
        || has_secret_key(text)
}

/// What the text begins with in base64, which may be in lines. What follows it is decoded, too.
fn decoded(text: &[u8]) -> Vec<u8> {
    let is_part = |byte: &u8| base64(*byte) && *byte != b'=' || byte.is_ascii_whitespace();
    let text = text.iter().copied().take(2 * LONGEST).take_while(is_part);
    let letters: Vec<u8> = text.filter(|byte| !byte.is_ascii_whitespace()).collect();
    let whole = letters.get(..letters.len() / 4 * 4).unwrap_or_default();
    BASE64_STANDARD.decode(whole).unwrap_or_default()
}

fn has_pem(text: &[u8]) -> bool {
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
