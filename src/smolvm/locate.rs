//! Finds the engine and its version, which is asked once and remembered.

use super::call::Call;
use super::error::{EngineError, Result};
use super::fingerprint::Fingerprint;
use super::installed;
use super::version::Version;
use crate::signals::Signals;
use crate::{chunk, files, home};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long `--version` may take (it takes 2 to 6 ms).
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// The most bytes of a file with a remembered version.
const LIMIT: u64 = 64 << 10;

/// Where an engine was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineSource {
    /// `--smolvm` names it.
    Flag,
    /// `$SMOLVM` names it.
    Variable,
    /// On `PATH`.
    Path,
    /// It is the installed engine in use.
    Installed,
}

impl fmt::Display for EngineSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "--smolvm",
            Self::Variable => "$SMOLVM",
            Self::Path => "PATH",
            Self::Installed => "bottle-freeze engine",
        })
    }
}

/// Finds the engine: `asked` (from `--smolvm`), then `$SMOLVM`, then `smolvm` on `PATH`, then the installed one in use.
/// Another program of that name on `PATH` is found too, and refused: the user must say which one is meant.
pub fn find(asked: Option<&Path>) -> Result<(PathBuf, EngineSource)> {
    let variable = std::env::var_os("SMOLVM").filter(|value| !value.is_empty());
    let (wanted, source) = match (asked, variable) {
        (Some(path), _) => (path.as_os_str().to_owned(), EngineSource::Flag),
        (None, Some(value)) => (value, EngineSource::Variable),
        (None, None) => (OsString::from("smolvm"), EngineSource::Path),
    };
    if let Ok(path) = which::which(&wanted) {
        return Ok((path, source));
    }
    if let (EngineSource::Path, Some(engine)) = (source, installed::in_use()) {
        return Ok((engine.executable(), EngineSource::Installed));
    }
    let (verb, shown) =
        (if source == EngineSource::Path { "looked on PATH for" } else { "names" }, wanted.to_string_lossy());
    let source = if source == EngineSource::Path { verb.to_owned() } else { format!("{source} {verb}") };
    let why = match fs::metadata(&wanted) {
        Ok(found) if found.is_file() => format!("{source} {shown}, which is not executable"),
        Ok(_) => format!("{source} {shown}, which is not a file"),
        Err(_) => format!("{source} {shown}, which does not exist"),
    };
    Err(EngineError::Missing { why, installed: installed::installed().last().map(|newest| newest.version) })
}

/// The version of the engine at `path`: remembered, if files decide which engine that is and are unchanged since it was asked;
/// otherwise it is asked.
pub fn version(path: &Path, on_call: &dyn Fn(&Call), signals: &Signals) -> Result<Version> {
    let unreadable = |source| EngineError::NotRunnable { path: path.to_owned(), source };
    // Before the engine is asked, so that one that is replaced meanwhile is asked again.
    let print = Fingerprint::of(path).map_err(unreadable)?;
    let memory = memory_of(path);
    let known = print.as_ref().zip(memory.as_deref()).and_then(|(print, file)| recall(print, file));
    let version = match known {
        Some(version) => version,
        None => ask(path, on_call, signals)?,
    };
    if version < Version::OLDEST {
        return Err(EngineError::Outdated(version));
    }
    if let (None, Some(print), Some(file)) = (known, print, memory) {
        if print.is_of_an_engine() {
            remember(print, version, &file);
        }
    }
    Ok(version)
}

/// Forgets the version at `path`: its command line is not that of this version.
pub fn forget(path: &Path) {
    // Another kind of file with this name stays.
    if let Some(file) = memory_of(path).filter(|file| read(file).is_some()) {
        let _ = fs::remove_file(file);
    }
}

fn ask(path: &Path, on_call: &dyn Fn(&Call), signals: &Signals) -> Result<Version> {
    let call = Call::new(path, "--version").changes_nothing();
    on_call(&call);
    answer(path, &call, signals)
}

/// Asks a new engine for its version, in a home of its own: nothing is remembered or left behind.
pub fn ask_in(path: &Path, home: &Path, signals: &Signals) -> Result<Version> {
    let call = Call::new(path, "--version").env("HOME", home.as_os_str()).env("SMOLVM_USAGE_DIR", "");
    answer(path, &call, signals)
}

fn answer(path: &Path, call: &Call, signals: &Signals) -> Result<Version> {
    let not_smolvm = |why: String| EngineError::NotSmolvm { path: path.to_owned(), why };
    // CelestoAI's unrelated `smolvm` (in PyPI under that name) prints `smolvm X.Y.Z` too, but is a Python program.
    if is_python(path) {
        return Err(not_smolvm("it is a Python program, perhaps CelestoAI's package of the same name".into()));
    }
    let outcome = call.capture(signals, Some(VERSION_LIMIT), None)?;
    if !outcome.status.success() {
        return Err(not_smolvm(call.failure(&outcome).to_string()));
    }
    let answer = outcome.text();
    version_in(&answer).ok_or_else(|| {
        let first: String = answer.lines().next().unwrap_or_default().chars().take(60).collect();
        not_smolvm(format!("its version is {first:?}, not `smolvm X.Y.Z`"))
    })
}

/// The version in the output of `--version`: exactly `smolvm X.Y.Z` in every engine. A packed launcher prints its own name.
fn version_in(output: &str) -> Option<Version> {
    output.lines().next()?.strip_prefix("smolvm ")?.trim().parse().ok()
}

/// Whether it is a Python script, which no engine is.
pub fn is_python(path: &Path) -> bool {
    let mut head = [0; 512];
    let head = File::open(path).and_then(|mut file| chunk::read(&mut file, &mut head)).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    head.starts_with("#!") && head.lines().take(3).any(|line| line.contains("python"))
}

#[derive(Serialize, Deserialize)]
struct Memory {
    engine: Fingerprint,
    version: String,
}

fn recall(print: &Fingerprint, file: &Path) -> Option<Version> {
    let memory = read(file)?;
    (memory.engine == *print).then(|| memory.version.parse().ok())?
}

/// Best effort, and not flushed: without a readable file the engine is asked again.
fn remember(engine: Fingerprint, version: Version, file: &Path) {
    let write = || -> std::io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let temp = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&temp, &Memory { engine, version: version.to_string() })?;
        temp.persist(file)?;
        Ok(())
    };
    let _ = write();
}

fn read(file: &Path) -> Option<Memory> {
    let mut text = Vec::new();
    files::open_own(file).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn memory_of(path: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let key = crc32fast::hash(path.as_os_str().as_bytes());
    Some(home::cache_folder()?.join(format!("engine-{key:08x}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_engine_prints_its_version_like_this() {
        assert_eq!(version_in("smolvm 1.33.0\n"), Some(Version(1, 33, 0)));
        for other in ["", "snap 0.8.0\n", "smolvm\n", "smolvm 1.2\n", "smolvm x.y.z"] {
            assert_eq!(version_in(other), None, "{other:?}");
        }
    }
}
