//! `cargo xtask docs` writes what is generated from the source: man pages, JSON Schemas, completion scripts, and the tables
//! of README and the manual. `cargo xtask docs --check` fails if one of them is out of date.

mod man;
mod schemas;
mod tables;

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// A generated file, relative to the top of the repository, and its contents.
type Generated = (PathBuf, Vec<u8>);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["docs"] => write(&files()?),
        ["docs", "--check"] => check(&files()?),
        _ => bail!("usage: cargo xtask docs [--check]"),
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn files() -> Result<Vec<Generated>> {
    Ok([man::pages()?, schemas::files()?, tables::files()?, completions()?].concat())
}

/// The scripts that packages install.
fn completions() -> Result<Vec<Generated>> {
    let file = |shell: &str| {
        Ok((format!("completions/bottle-freeze.{shell}").into(), bottle_freeze::completion_script(shell)?.into()))
    };
    ["bash", "elvish", "fish", "powershell", "zsh"].into_iter().map(file).collect()
}

fn write(files: &[Generated]) -> Result<()> {
    for (path, contents) in files {
        fs::write(root().join(path), contents).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn check(files: &[Generated]) -> Result<()> {
    let is_stale = |(path, contents): &&Generated| fs::read(root().join(path)).ok().as_ref() != Some(contents);
    let stale: Vec<String> = files.iter().filter(is_stale).map(|(path, _)| path.display().to_string()).collect();
    if stale.is_empty() { Ok(()) } else { bail!("out of date, run `cargo xtask docs`: {}", stale.join(", ")) }
}
