//! The name of an artifact in a registry: `[HOST/]NAME[:TAG]` or `[HOST/]NAME@DIGEST`.

use std::fmt;
use std::str::FromStr;

/// The registry that the engine asks when no host is named.
const DEFAULT_HOST: &str = "registry.smolmachines.com";
const DEFAULT_TAG: &str = "latest";

/// A reference by the rules of OCI registries, complete, as the engine understands it: so it cannot pass for a flag, or go to
/// another registry than the one it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    host: String,
    name: String,
    /// `:TAG` or `@DIGEST`.
    version: String,
}

/// `sha256:` and 64 hexadecimal digits: a name that only one content can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase();
        match text.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 && hex.bytes().all(is_hex) => Ok(Self(text.to_owned())),
            _ => Err("a digest is sha256: and 64 hexadecimal digits"),
        }
    }
}

impl Reference {
    /// The registry.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The last part of the name.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it names an artifact by its digest.
    pub fn is_digest(&self) -> bool {
        self.version.starts_with('@')
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.host, self.name, self.version)
    }
}

impl FromStr for Reference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, rest) = match text.split_once('/') {
            // As in the engine, a host has a dot or a port.
            Some((host, rest)) if host.contains(['.', ':']) => (host, rest),
            // The engine would ask another registry for these, or none.
            Some(("localhost", _)) => return Err("localhost needs its port: localhost:5000/NAME"),
            Some((_, rest)) if rest.contains('/') => return Err("the host before the first '/' needs a dot or a port"),
            _ => (DEFAULT_HOST, text),
        };
        if !is_host(host) {
            return Err("there is no host before the first '/'");
        }
        let (name, version) = if let Some((name, digest)) = rest.split_once('@') {
            (name, format!("@{}", digest.parse::<Digest>()?))
        } else {
            let (name, tag) = rest.split_once(':').unwrap_or((rest, DEFAULT_TAG));
            if !is_tag(tag) {
                return Err("a tag has 1 to 128 letters, digits, '_', '.' and '-', and does not begin with '.' or '-'");
            }
            (name, format!(":{tag}"))
        };
        if !name.split('/').all(is_component) || name.len() > 255 {
            return Err("the name has lower-case letters and digits, with '.', '_' or '-' between them, and '/'");
        }
        Ok(Self { host: host.to_owned(), name: name.to_owned(), version })
    }
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("ipv6", port),
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_label = |label: &str| {
        let good = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        good && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let good_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    host.split('.').all(is_label) && good_port
}

fn is_tag(text: &str) -> bool {
    let holds = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    (1..=128).contains(&text.len()) && holds && !text.starts_with(['.', '-'])
}

/// Whether it is letters and digits, with one '.', one or two '_', or any number of '-' between them.
fn is_component(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut between = text.split(is_plain);
    let ends_plain = text.starts_with(is_plain) && text.ends_with(is_plain);
    ends_plain && between.all(|gap| ["", ".", "_", "__"].contains(&gap) || gap.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, &'static str> {
        text.parse::<Reference>().map(|reference| reference.to_string())
    }

    #[test]
    fn a_reference_is_completed_as_the_engine_does() {
        let digest = format!("@sha256:{}", "0a".repeat(32));
        for (text, full) in [
            ("dev", "registry.smolmachines.com/dev:latest"),
            ("team/dev:v1.2", "registry.smolmachines.com/team/dev:v1.2"),
            ("a:5", "registry.smolmachines.com/a:5"),
            ("a.b", "registry.smolmachines.com/a.b:latest"),
            ("ghcr.io/me/a_b__c--d.e", "ghcr.io/me/a_b__c--d.e:latest"),
            ("127.0.0.1:5000/a/b/c:T_1.x-", "127.0.0.1:5000/a/b/c:T_1.x-"),
            ("localhost:5000/dev:1", "localhost:5000/dev:1"),
            ("[::1]:5000/dev", "[::1]:5000/dev:latest"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(full), "{text}");
        }
        let by_digest = format!("ghcr.io/dev{digest}");
        assert_eq!(read(&by_digest).as_ref(), Ok(&by_digest));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long = format!("a:{}", "t".repeat(129));
        for text in [
            "",
            ":",
            "@",
            "/",
            "a:",
            ":t",
            "a:t x",
            "a b",
            "-evil",
            "--file=x",
            "A/b",
            "a.b/C",
            "a//b",
            "a/",
            "/a",
            "a.b/",
            "http://a.b/c",
            "localhost/a",
            "a/b/c",
            "a..b",
            "a___b",
            "_a",
            "a-",
            "a:-t",
            "a:.t",
            "a@sha256:00",
            "a@x",
            "-a.b/c",
            "a.b:x/c",
            "a.b:99999/c",
            "[::1/a",
            "[x]:5/a",
            "é",
            "a\n",
            &long,
        ] {
            assert!(read(text).is_err(), "{text:?}: {:?}", read(text));
        }
    }
}
