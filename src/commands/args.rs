//! Arguments that several subcommands have, and how their values are read.

use crate::smolvm::Version;
use clap::Args;
use std::time::Duration;

/// How long to wait while another bottle-freeze works.
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration)]
    pub wait: Duration,
}

/// Reads `KEY=VALUE`.
pub fn label(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    if key.is_empty() { Err("a label is KEY=VALUE") } else { Ok((key.to_owned(), value.to_owned())) }
}

/// Reads `90s`, `5m`, `1h 30m`.
pub fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// Reads `1.32.2`.
pub fn engine_version(text: &str) -> Result<Version, &'static str> {
    let version = text.parse::<Version>().ok().filter(|version| version.to_string() == text);
    version.ok_or("a version is three numbers, such as 1.32.2")
}
