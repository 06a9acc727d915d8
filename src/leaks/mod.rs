//! Finds what others should not get with a snapshot by accident: private keys, tokens, files with credentials, histories.
//!
//! A few precise rules: what they find is almost always real. No value that is found is kept or printed.

mod kind;
mod paths;
mod tokens;
mod variables;

pub use kind::Kind;
pub use variables::is_secret_variable;

use schemars::JsonSchema;
use serde::Serialize;

/// The most bytes of a file whose text is searched.
pub const LONGEST: u64 = 1 << 20;
/// A file with a NUL in so many bytes at its beginning is no text, as for git.
const BEGINNING: usize = 8000;

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Finding {
    /// Its kind.
    pub kind: Kind,
    /// The path in the VM; for a variable, its name.
    pub path: String,
    /// What it is, for people to read; never the value.
    pub what: String,
}

/// Whether the text of a file with this path and size is searched.
pub fn is_searched(path: &[u8], bytes: u64) -> bool {
    bytes > 0 && bytes <= LONGEST && !is_of_kernel(path) && !is_of_package(path)
}

/// Finds what is secret in a file with this path (`/root/x`) and content. `text` is empty if the file is longer than
/// [`LONGEST`].
pub fn find(path: &[u8], text: &[u8]) -> Option<(Kind, &'static str)> {
    if let Some(found) = paths::find(path, text) {
        return Some(found);
    }
    if is_of_package(path) || text.iter().take(BEGINNING).any(|byte| *byte == 0) {
        return None;
    }
    if tokens::has_private_key(text) {
        let is_host_key = path.starts_with(b"/etc/ssh/ssh_host_");
        let key = (Kind::PrivateKey, "a private key");
        return Some(if is_host_key { (Kind::SshHostKey, "a host key of SSH") } else { key });
    }
    tokens::find(text).map(|name| (Kind::Token, name))
}

/// Whether packages bring this file: many have keys for their tests, and tokens in their examples.
fn is_of_package(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 7] = [
        b"/node_modules/",
        b"/site-packages/",
        b"/dist-packages/",
        b"/.cargo/registry/",
        b"/.rustup/",
        b"/go/pkg/mod/",
        b"/gems/",
    ];
    let is_system = path.starts_with(b"/usr/") && !path.starts_with(b"/usr/local/");
    is_system || FOLDERS.iter().any(|folder| memchr::memmem::find(path, folder).is_some())
}

fn is_of_kernel(path: &[u8]) -> bool {
    [&b"/proc/"[..], b"/sys/", b"/dev/"].iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests;
