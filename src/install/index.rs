//! The page of a package in an index: JSON of PEP 691.

use super::error::{InstallError, Result};
use super::url;
use crate::smolvm::Version;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// The page of a package.
pub struct Page {
    /// Its final URL.
    pub url: String,
    /// Its text.
    pub text: Vec<u8>,
}

/// A wheel that carries the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// Its file name.
    pub name: String,
    /// The version of the engine in it.
    pub version: Version,
    /// Its URL.
    pub url: String,
    /// Its SHA-256, lower case.
    pub sha256: String,
    /// Its size in bytes, if the index has it.
    pub bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: HashMap<String, String>,
    size: Option<u64>,
    /// `false`, or the reason.
    #[serde(default)]
    yanked: Value,
}

/// The wheel for this platform, of that version, or the newest that was not withdrawn.
pub fn choose(page: &Page, wanted: Option<Version>) -> Result<Wheel> {
    choose_for(page, wanted, std::env::consts::OS, std::env::consts::ARCH)
}

fn choose_for(page: &Page, wanted: Option<Version>, os: &str, arch: &str) -> Result<Wheel> {
    let shown = || url::shown(&page.url);
    let unreadable = |error| InstallError::Download {
        url: shown(),
        why: format!("it is not an index of packages in JSON (PEP 691): {error}"),
    };
    let answer: Answer = serde_json::from_slice(&page.text).map_err(unreadable)?;
    let fitting = answer.files.into_iter().filter(|file| fits(&file.filename, os, arch));
    let mut versions = fitting.filter_map(|file| Some((version_of(&file.filename)?, file)));
    let is_offered = |file: &File| matches!(file.yanked, Value::Null | Value::Bool(false));
    let found = match wanted {
        Some(wanted) => versions.find(|(version, _)| *version == wanted),
        None => versions.filter(|(_, file)| is_offered(file)).max_by_key(|(version, _)| *version),
    };
    let Some((version, file)) = found else {
        let what = wanted.map_or_else(|| "no engine".to_owned(), |wanted| format!("no smolvm {wanted}"));
        return Err(InstallError::NoSuchEngine(format!("{} has {what} for {os} on {arch}", shown())));
    };
    let Some(sha256) = file.hashes.get("sha256").map(|hash| hash.to_ascii_lowercase()) else {
        return Err(InstallError::Untrusted { name: file.filename, why: "the index has no SHA-256 of it".into() });
    };
    Ok(Wheel { version, url: url::join(&page.url, &file.url), sha256, bytes: file.size, name: file.filename })
}

/// `smolmachines-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl`.
fn version_of(name: &str) -> Option<Version> {
    let version = name.strip_prefix("smolmachines-")?.strip_suffix(".whl")?.split('-').next()?;
    let is_release = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    version.parse().ok().filter(|_| is_release)
}

/// Whether this is one of its platforms (`manylinux_2_28_x86_64`, `macosx_11_0_arm64`).
fn fits(name: &str, os: &str, arch: &str) -> bool {
    let (system, arch) = match (os, arch) {
        ("linux", arch) => ("manylinux", arch),
        ("macos", "aarch64") => ("macosx", "arm64"),
        _ => return false,
    };
    let platforms = name.strip_suffix(".whl").and_then(|name| name.rsplit('-').next()).unwrap_or_default();
    platforms.split('.').any(|platform| platform.starts_with(system) && platform.ends_with(&format!("_{arch}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HASH: &str = "ec2fe7c22843bc43725f3a5aac526bac990282a15ced6e97851f2e9bbe0899f3";

    fn page(files: &Value) -> Page {
        let url = "https://mirror.example/simple/smolmachines/".into();
        Page { url, text: json!({ "files": files }).to_string().into() }
    }

    fn file(version: &str, platform: &str, yanked: &Value) -> Value {
        let name = format!("smolmachines-{version}-cp39-abi3-{platform}.whl");
        json!({"filename": name, "url": format!("../../f/{name}"), "hashes": {"sha256": HASH}, "size": 5, "yanked": yanked})
    }

    #[test]
    fn the_newest_wheel_for_the_platform_is_chosen_that_was_not_withdrawn() {
        let no = json!(false);
        let page = page(&json!([
            file("1.9.1", "manylinux_2_34_x86_64", &no),
            file("1.10.0", "manylinux_2_17_x86_64.manylinux2014_x86_64", &no),
            file("1.11.0", "manylinux_2_34_x86_64", &json!("broken")),
            file("1.12.0", "macosx_11_0_arm64", &no),
            file("1.13.0rc1", "manylinux_2_34_x86_64", &no),
            {"filename": "smolmachines-1.14.0.tar.gz", "url": "x", "hashes": {}},
        ]));
        let version = |os, arch| choose_for(&page, None, os, arch).unwrap().version;
        assert_eq!(version("linux", "x86_64"), Version(1, 10, 0));
        assert_eq!(version("macos", "aarch64"), Version(1, 12, 0));
        assert!(choose_for(&page, None, "macos", "x86_64").is_err());
        assert!(choose_for(&page, Some(Version(1, 11, 0)), "linux", "x86_64").is_ok(), "asked for by name");
        let url = choose_for(&page, Some(Version(1, 9, 1)), "linux", "x86_64").unwrap().url;
        assert_eq!(url, "https://mirror.example/f/smolmachines-1.9.1-cp39-abi3-manylinux_2_34_x86_64.whl");
    }

    #[test]
    fn a_wheel_without_a_hash_is_not_taken() {
        let mut file = file("1.4.0", "manylinux_2_34_x86_64", &Value::Null);
        file["hashes"] = json!({ "md5": "0" });
        assert!(
            choose_for(&page(&json!([file])), None, "linux", "x86_64").unwrap_err().to_string().contains("SHA-256")
        );
    }
}
