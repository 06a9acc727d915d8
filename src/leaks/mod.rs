//! Finds what others should not get with a snapshot by accident: private keys, tokens, files with credentials, histories.
//!
//! A few precise rules: what they find is almost always real. No value that is found is kept or printed.

mod credentials;
mod entropy;
mod holds;
mod json;
mod jwk;
mod jwt;
mod kind;
mod kubernetes;
mod paths;
mod scripts;
mod tokens;
mod variables;

pub use json::find_in_json;
pub use kind::Kind;
pub use variables::is_secret_variable;

use holds::Holds;
use memchr::memmem;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// The most bytes of a file whose text is searched.
pub const LONGEST: u64 = 1 << 20;
/// A file with a NUL in so many bytes at its beginning is no text, as for git.
const BEGINNING: usize = 8000;

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Finding {
    /// Its kind.
    pub kind: Kind,
    /// The path in the VM; for a variable, its name; for another value beside the files, where it is.
    pub path: String,
    /// What it is, for people to read; never the value.
    pub what: String,
}

/// Whether the text of a file with this path and size is searched.
pub fn is_searched(path: &[u8], bytes: u64) -> bool {
    bytes > 0 && bytes <= LONGEST && !is_of_kernel(path) && (!is_of_package(path) || paths::known(path).is_some())
}

/// Whether something is known of files with this path, whatever they hold.
pub fn is_known(path: &[u8]) -> bool {
    paths::known(path).is_some() || store(path).is_some()
}

/// Finds what is secret in a file with this path (`/root/x`) and text; none if the file is longer than [`LONGEST`], or is not
/// searched.
pub fn find(path: &[u8], text: Option<&[u8]>) -> Option<(Kind, &'static str)> {
    let text = text.map(readable);
    let text = text.as_deref();
    by_name(path, text).or_else(|| by_text(path, text.filter(|_| !is_of_package(path))?))
}

/// The same by what is known of files with this path only, as of one that a link gives to a file.
pub fn find_by_name(path: &[u8], text: Option<&[u8]>) -> Option<(Kind, &'static str)> {
    by_name(path, text.map(readable).as_deref())
}

fn by_name(path: &[u8], text: Option<&[u8]>) -> Option<(Kind, &'static str)> {
    let known = paths::known(path).and_then(|(kind, what, holds)| match text {
        Some(text) => holds.is_in(text).then_some((kind, what)),
        None if matches!(holds, Holds::Any) => Some((kind, what)),
        None => Some((kind, "too long to be searched; a file of this name may hold secrets")),
    });
    known.or_else(|| store(path))
}

/// What a file is that is a store of keys by its ending.
fn store(path: &[u8]) -> Option<(Kind, &'static str)> {
    paths::store(path).filter(|_| !is_of_package(path))
}

fn by_text(path: &[u8], text: &[u8]) -> Option<(Kind, &'static str)> {
    if text.iter().take(BEGINNING).any(|byte| *byte == 0) {
        return None;
    }
    if kubernetes::is_config_with_key(text) {
        return Some((Kind::Credentials, kubernetes::WHAT));
    }
    if tokens::has_private_key(text) {
        let is_host_key = path.starts_with(b"/etc/ssh/ssh_host_");
        let key = (Kind::PrivateKey, "a private key");
        return Some(if is_host_key { (Kind::SshHostKey, "a host key of SSH") } else { key });
    }
    if let Some(name) = tokens::find(text) {
        return Some((Kind::Token, name));
    }
    let has_password = scripts::is_script(path, text) && scripts::has_typed_password(text);
    has_password.then_some((Kind::Credentials, "a password in a command"))
}

/// The text as UTF-8, if it is UTF-16, which Windows writes: with its mark, or if it begins with two letters.
fn readable(text: &[u8]) -> Cow<'_, [u8]> {
    let unit: fn([u8; 2]) -> u16 = match text {
        [0xff, 0xfe, ..] | [1..=0x7f, 0, 1..=0x7f, 0, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] | [0, 1..=0x7f, 0, 1..=0x7f, ..] => u16::from_be_bytes,
        _ => return Cow::Borrowed(text),
    };
    let units = text.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit);
    let chars = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
    Cow::Owned(chars.filter(|char| *char != '\u{feff}').collect::<String>().into_bytes())
}

/// Whether packages bring this file: many have keys for their tests, and tokens in their examples.
pub fn is_of_package(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 13] = [
        b"/.pyenv/versions/",
        b"/share/uv/python/",
        b"/node_modules/",
        b"/site-packages/",
        b"/dist-packages/",
        b"/.cargo/registry/",
        b"/.rustup/",
        b"/go/pkg/mod/",
        b"/gems/",
        b"/rustup/toolchains/",
        b"/usr/local/cargo/registry/",
        b"/usr/local/go/src/",
        b"/usr/local/julia/",
    ];
    is_of_system(path) || FOLDERS.iter().any(|folder| memmem::find(path, folder).is_some())
}

/// Whether the system's packages bring it: what is in the folders of `/usr` that they fill, but not where people put their own
/// files, as many images do.
fn is_of_system(path: &[u8]) -> bool {
    const SYSTEM: [&[u8]; 13] = [
        b"bin/",
        b"games/",
        b"include/",
        b"lib/",
        b"lib32/",
        b"lib64/",
        b"libexec/",
        b"libx32/",
        b"sbin/",
        b"share/",
        b"src/debug/",
        b"src/kernels/",
        b"src/linux",
    ];
    const SERVED: [&[u8]; 7] = [
        b"share/caddy/",
        b"share/elasticsearch/config/",
        b"share/httpd/",
        b"share/kibana/config/",
        b"share/logstash/config/",
        b"share/logstash/pipeline/",
        b"share/nginx/",
    ];
    let starts = |below: &[u8], folders: &[&[u8]]| folders.iter().any(|folder| below.starts_with(folder));
    path.strip_prefix(b"/usr/").is_some_and(|below| starts(below, &SYSTEM) && !starts(below, &SERVED))
}

fn is_of_kernel(path: &[u8]) -> bool {
    [&b"/proc/"[..], b"/sys/", b"/dev/"].iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests;
