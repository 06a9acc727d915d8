//! Which engine: found, recognised, its version asked once and remembered.

use super::call::Call;
use super::error::{EngineError, Result};
use super::fingerprint::Fingerprint;
use super::installed;
use super::version::{self, Version};
use crate::signals::Signals;
use crate::{chunk, files, home};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long `--version` may take: 2–6 ms in all versions that were run.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// More than this no file of our memory has.
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
    /// It was installed here, and is in use.
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
/// Another program of that name on `PATH` is found too, and refused: which one is meant is the user's to say.
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

/// The version of the engine at `path`: from memory where files decide which engine that is, and these very files were
/// asked before; otherwise it is asked.
pub fn version(path: &Path, on_call: &dyn Fn(&Call), signals: &Signals) -> Result<Version> {
    let unreadable = |source| EngineError::NotRunnable { path: path.to_owned(), source };
    // Taken before the engine is asked: one that is replaced meanwhile is asked again.
    let print = Fingerprint::of(path).map_err(unreadable)?;
    let memory = memory_of(path);
    let known = print.as_ref().zip(memory.as_deref()).and_then(|(print, file)| recall(print, file));
    let version = match known {
        Some(version) => version,
        None => ask(path, on_call, signals)?,
    };
    if version < Version::OLDEST {
        let cannot = format!("is too old: this tool speaks to smolvm {} and later", Version::OLDEST);
        return Err(EngineError::TooOld { version, cannot });
    }
    if let (None, Some(print), Some(file)) = (known, print, memory) {
        if print.is_of_an_engine() {
            remember(print, version, &file);
        }
    }
    Ok(version)
}

/// Forgets what was remembered of `path`: its command line is not what its version says.
pub fn forget(path: &Path) {
    // A file of another kind that has this name stays.
    if let Some(file) = memory_of(path).filter(|file| read(file).is_some()) {
        let _ = fs::remove_file(file);
    }
}

fn ask(path: &Path, on_call: &dyn Fn(&Call), signals: &Signals) -> Result<Version> {
    let call = Call::new(path, "--version").changes_nothing();
    on_call(&call);
    answer(path, &call, signals)
}

/// Asks an engine that is new here for its version, in a home of its own: nothing is remembered, nothing left.
pub fn ask_in(path: &Path, home: &Path, signals: &Signals) -> Result<Version> {
    let call = Call::new(path, "--version").env("HOME", home.as_os_str()).env("SMOLVM_USAGE_DIR", "");
    answer(path, &call, signals)
}

fn answer(path: &Path, call: &Call, signals: &Signals) -> Result<Version> {
    let not_smolvm = |why: String| EngineError::NotSmolvm { path: path.to_owned(), why };
    // CelestoAI's unrelated `smolvm` (PyPI: smolvm, 0.0.36 was run) answers `smolvm X.Y.Z` too, but is Python.
    if is_python(path) {
        return Err(not_smolvm("it is a Python program, perhaps CelestoAI's package of the same name".into()));
    }
    let outcome = call.capture(signals, Some(VERSION_LIMIT), None)?;
    if !outcome.status.success() {
        return Err(not_smolvm(call.failure(&outcome).to_string()));
    }
    let answer = outcome.text();
    version::from_answer(&answer).ok_or_else(|| {
        let first: String = answer.lines().next().unwrap_or_default().chars().take(60).collect();
        not_smolvm(format!("asked for its version it says {first:?}, not `smolvm X.Y.Z`"))
    })
}

/// Whether it is a script for Python, as no engine is.
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

/// Best effort, and not flushed: an engine that is not remembered, or of which a power cut left rubbish, is asked again.
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
