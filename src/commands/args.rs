//! Arguments that several subcommands have, and how their values are read.

use crate::smolvm::Version;
use clap::Args;
use std::time::Duration;

/// How long to wait while another bottle-freeze works.
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration)]
    #[arg(hide_short_help = true, env = "BOTTLE_FREEZE_WAIT")]
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

/// Reads a size in bytes: `500M`, `20G`, `2TiB`. K, M, G and T are powers of 1024, as in docker and qemu.
pub fn size(text: &str) -> Result<u64, &'static str> {
    const FORM: &str = "a size is a whole number with K, M, G or T, such as 500M or 20G";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or(FORM)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(FORM),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or(FORM)
}

/// Reads `1.32.2`.
pub fn engine_version(text: &str) -> Result<Version, &'static str> {
    let version = text.parse::<Version>().ok().filter(|version| version.to_string() == text);
    version.ok_or("a version is three numbers, such as 1.32.2")
}

/// Reads a size in MiB: `2048`, `2G`, `512MiB`.
pub fn mebibytes(text: &str) -> Result<u64, &'static str> {
    whole(text, 1 << 20).ok_or("a size is a whole number of MiB, or has a unit: 2G")
}

/// Reads a size in GiB: `20`, `20G`, `1T`.
pub fn gibibytes(text: &str) -> Result<u64, &'static str> {
    whole(text, 1 << 30).ok_or("a size is a whole number of GiB, or has a unit: 20G")
}

/// How many `unit`s of bytes a size has; a bare number is as many.
fn whole(text: &str, unit: u64) -> Option<u64> {
    let count = match text.parse::<u64>() {
        Ok(count) => count,
        Err(_) => size(text).ok().filter(|bytes| bytes % unit == 0)? / unit,
    };
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::{gibibytes, mebibytes, size};

    #[test]
    fn a_size_may_have_a_unit() {
        for (text, mib) in [("512", 512), ("512M", 512), ("1G", 1024), ("2GiB", 2048), ("1gb", 1024), ("1T", 1 << 20)] {
            assert_eq!(mebibytes(text), Ok(mib), "{text}");
        }
        for (text, gib) in [("20", 20), ("20G", 20), ("2048M", 2), ("1TiB", 1024)] {
            assert_eq!(gibibytes(text), Ok(gib), "{text}");
        }
        for text in [
            "",
            "0",
            "G",
            "-1",
            "1.5G",
            "1K",
            "1i",
            "1b",
            "1B",
            "1GG",
            "é",
            "99999999999999999999",
            "99999999999999999T",
        ] {
            assert!(mebibytes(text).is_err() && gibibytes(text).is_err(), "{text}");
        }
        assert!(gibibytes("1025M").is_err());
        assert_eq!((size("20G"), size("1k")), (Ok(20 << 30), Ok(1024)));
        // Twenty bytes are never meant.
        assert!(size("20").is_err() && size("7x").is_err());
    }
}
