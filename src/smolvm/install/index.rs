//! What an index of packages offers: the JSON of PEP 691, or the HTML of PEP 503 where a mirror has only that.

use super::{InstallError, Result, url};
use crate::smolvm::Version;
use serde::Deserialize;
use std::collections::HashMap;

/// The page of a package.
pub struct Page {
    /// Where it was in the end.
    pub url: String,
    /// Whether it is JSON.
    pub is_json: bool,
    /// Its text.
    pub text: String,
}

/// A wheel that carries the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// Its file name.
    pub name: String,
    /// The version of the engine in it.
    pub version: Version,
    /// Where it is.
    pub url: String,
    /// Its SHA-256, lower case.
    pub sha256: String,
    /// Its size, if the index tells it.
    pub bytes: Option<u64>,
    yanked: bool,
}

/// The wheel for this platform: of that version, or the newest that was not withdrawn.
pub fn choose(page: &Page, wanted: Option<Version>) -> Result<Wheel> {
    choose_for(page, wanted, std::env::consts::OS, std::env::consts::ARCH)
}

fn choose_for(page: &Page, wanted: Option<Version>, os: &str, arch: &str) -> Result<Wheel> {
    let all = if page.is_json { from_json(page)? } else { from_html(page) };
    let mut fitting = all.into_iter().filter(|wheel| fits(&wheel.name, os, arch));
    let found = match wanted {
        Some(wanted) => fitting.rfind(|wheel| wheel.version == wanted),
        None => fitting.filter(|wheel| !wheel.yanked).max_by_key(|wheel| wheel.version),
    };
    let what = wanted.map_or_else(|| "no engine".to_owned(), |wanted| format!("no smolvm {wanted}"));
    let missing = || format!("{} has {what} for {os} on {arch}", url::shown(&page.url));
    let wheel = found.ok_or_else(|| InstallError::NoSuchEngine(missing()))?;
    let is_hash = wheel.sha256.len() == 64 && wheel.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash {
        return Err(InstallError::Strange { name: wheel.name, why: "the index tells no SHA-256 of it".into() });
    }
    Ok(wheel)
}

/// `smolmachines-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl`.
fn version_of(name: &str) -> Option<Version> {
    let version = name.strip_prefix("smolmachines-")?.strip_suffix(".whl")?.split('-').next()?;
    let is_release = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    version.parse().ok().filter(|_| is_release)
}

/// Whether one of the platforms that it is for is this one.
fn fits(name: &str, os: &str, arch: &str) -> bool {
    let platforms = name.strip_suffix(".whl").and_then(|name| name.rsplit('-').next()).unwrap_or_default();
    platforms.split('.').any(|platform| match os {
        "linux" => {
            (platform.starts_with("manylinux") || platform.starts_with("linux"))
                && platform.ends_with(&format!("_{arch}"))
        }
        "macos" => {
            let arch = if arch == "aarch64" { "arm64" } else { arch };
            platform.starts_with("macosx_")
                && (platform.ends_with(&format!("_{arch}")) || platform.ends_with("_universal2"))
        }
        _ => false,
    })
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
    /// `false`, or why.
    #[serde(default)]
    yanked: serde_json::Value,
}

fn from_json(page: &Page) -> Result<Vec<Wheel>> {
    let unreadable = |error: serde_json::Error| InstallError::Download {
        url: url::shown(&page.url),
        why: format!("it is no index of packages: {error}"),
    };
    let answer: Answer = serde_json::from_str(&page.text).map_err(unreadable)?;
    let wheel = |file: File| {
        Some(Wheel {
            version: version_of(&file.filename)?,
            url: url::join(&page.url, &file.url),
            sha256: file.hashes.get("sha256").map(|hash| hash.to_ascii_lowercase()).unwrap_or_default(),
            bytes: file.size,
            yanked: !matches!(file.yanked, serde_json::Value::Null | serde_json::Value::Bool(false)),
            name: file.filename,
        })
    };
    Ok(answer.files.into_iter().filter_map(wheel).collect())
}

/// Each link is `<a href="URL#sha256=…" data-yanked="…">NAME</a>`.
fn from_html(page: &Page) -> Vec<Wheel> {
    let wheel = |tag: &str| {
        let (tag, _) = tag.split_once('>')?;
        let href = attribute(tag, "href")?;
        let (path, fragment) = href.split_once('#').unwrap_or((&href, ""));
        let name = path.split('?').next()?.rsplit('/').next()?.to_owned();
        let sha256 = fragment.split('&').find_map(|part| part.strip_prefix("sha256="));
        Some(Wheel {
            version: version_of(&name)?,
            url: url::join(&page.url, path),
            sha256: sha256.unwrap_or_default().to_ascii_lowercase(),
            bytes: None,
            yanked: tag.contains("data-yanked"),
            name,
        })
    };
    page.text.split("<a ").skip(1).filter_map(wheel).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}="))?;
    let quote = rest.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let value = rest[1..].split(quote).next()?;
    Some(value.replace("&#x2F;", "/").replace("&#43;", "+").replace("&quot;", "\"").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ec2fe7c22843bc43725f3a5aac526bac990282a15ced6e97851f2e9bbe0899f3";

    fn html(links: &str) -> Page {
        Page { url: "https://mirror.example/simple/smolmachines/".into(), is_json: false, text: links.into() }
    }

    fn json(files: &serde_json::Value) -> Page {
        Page { is_json: true, text: serde_json::json!({ "files": files }).to_string(), ..html("") }
    }

    fn file(version: &str, platform: &str, yanked: &serde_json::Value) -> serde_json::Value {
        let name = format!("smolmachines-{version}-cp39-abi3-{platform}.whl");
        serde_json::json!({"filename": name, "url": format!("../../f/{name}"), "hashes": {"sha256": HASH}, "size": 5, "yanked": yanked})
    }

    #[test]
    fn the_newest_wheel_for_the_platform_is_chosen_that_was_not_withdrawn() {
        let no = serde_json::json!(false);
        let page = json(&serde_json::json!([
            file("1.9.1", "manylinux_2_34_x86_64", &no),
            file("1.10.0", "manylinux_2_17_x86_64.manylinux2014_x86_64", &no),
            file("1.11.0", "manylinux_2_34_x86_64", &serde_json::json!("broken")),
            file("1.12.0", "macosx_11_0_arm64", &no),
            file("1.13.0rc1", "manylinux_2_34_x86_64", &no),
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
    fn a_mirror_that_has_only_html_is_understood() {
        let page = html(&format!(
            "<html><a data-requires-python=\"&gt;=3.9\" href='../../p/smolmachines-1.4.0-cp39-abi3-manylinux_2_34_x86_64.whl#sha256={HASH}'>x</a>\
             <a href=\"smolmachines-1.5.0-cp39-abi3-manylinux_2_34_x86_64.whl#sha256={HASH}\" data-yanked=\"\">x</a>\
             <a href=\"smolmachines-1.0.0.tar.gz#sha256={HASH}\">x</a><a name=x>"
        ));
        let wheel = choose_for(&page, None, "linux", "x86_64").unwrap();
        assert_eq!((wheel.version, wheel.sha256.as_str()), (Version(1, 4, 0), HASH));
        assert_eq!(wheel.url, "https://mirror.example/p/smolmachines-1.4.0-cp39-abi3-manylinux_2_34_x86_64.whl");
    }

    #[test]
    fn a_wheel_without_a_hash_is_not_taken() {
        let page = html("<a href=\"smolmachines-1.4.0-cp39-abi3-manylinux_2_34_x86_64.whl\">x</a>");
        assert!(choose_for(&page, None, "linux", "x86_64").unwrap_err().to_string().contains("SHA-256"));
    }
}
