//! `/workspace`, where the engine's pack cannot carry it: the guest's own `tar` saves it before the stop, and writes it back
//! in the thawed VM.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{FileHash, Staging, layout};
use crate::operations::packed;
use crate::smolvm::{EngineError, Exec, Name, Smolvm};
use crate::tarball;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the guest's `tar` may print nothing before it counts as hung.
const IDLE: Duration = Duration::from_secs(60);
/// A whole tar ends in two blocks of zeros.
const TAR_END: i64 = 1024;

/// What the guest runs to save it.
pub fn save_command() -> Exec {
    Exec { command: ["tar", "-c", "-f", "-", "-C", "/workspace", "."].map(Into::into).into(), ..Exec::default() }
}

fn restore_command() -> Exec {
    let command = ["tar", "-x", "-f", "-", "-C", "/workspace"].map(Into::into).into();
    Exec { command, stdin: true, ..Exec::default() }
}

/// Saves a running VM's `/workspace` into the private folder.
///
/// # Errors
/// The guest has no `tar`, or a file changed meanwhile. Nothing was changed.
pub fn save(app: &App, engine: &Smolvm, name: &Name, work: &Staging) -> Result<FileHash> {
    let path = work.path().join(layout::WORKSPACE);
    app.terminal
        .phase("save-workspace", &format!("saving /workspace of {name}"), || read_guest(engine, name, &path))
        .map_err(|error| {
            let interrupted = matches!(error, EngineError::Interrupted(_));
            let failure = Failure::from(error);
            if interrupted { failure } else { failure.hint("freeze it without its /workspace: --no-workspace") }
        })
}

/// Writes the guest's `/workspace` into the new file `path`.
fn read_guest(engine: &Smolvm, name: &Name, path: &Path) -> Result<FileHash, EngineError> {
    let command = save_command();
    let shown = engine.machine_exec_call(name, &command).shell_line();
    let not_kept = |source| EngineError::NotKept { command: shown.clone(), source };
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(not_kept)?;
    let mut sink = Sink { file, hasher: Sha256::new(), bytes: 0 };
    engine.machine_exec_transfer(name, &command, None, &mut sink, Some(IDLE))?;
    if !sink.is_whole().map_err(not_kept)? {
        return Err(EngineError::Unreadable { command: shown, why: "it is no whole tar".into() });
    }
    sink.file.sync_all().map_err(not_kept)?;
    Ok(FileHash { bytes: sink.bytes, sha256: base16ct::lower::encode_string(&sink.hasher.finalize()) })
}

/// A file that is hashed as it is written.
struct Sink {
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.bytes += u64::try_from(count).unwrap_or_default();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink {
    fn is_whole(&mut self) -> io::Result<bool> {
        let mut end = Vec::new();
        if self.bytes >= TAR_END.unsigned_abs() {
            self.file.seek(SeekFrom::End(-TAR_END))?;
            self.file.read_to_end(&mut end)?;
        }
        Ok(!end.is_empty() && end.iter().all(|byte| *byte == 0))
    }
}

/// Writes a saved `/workspace` back into a running VM, and compares what is there then with what was saved.
pub fn restore(app: &App, engine: &Smolvm, name: &Name, saved: &Path) -> Result<()> {
    let unreadable =
        |path: &Path, error: &io::Error| Failure::unread(format!("{} cannot be read: {error}", path.display()), error);
    let text = format!("putting back /workspace of {name}");
    app.terminal.phase("restore-workspace", &text, || {
        let file = File::open(saved).map_err(|error| unreadable(saved, &error))?;
        engine.machine_exec_transfer(name, &restore_command(), Some(file), &mut io::sink(), None)?;
        let beside = saved.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        // Thawing works from a library that is full or read-only.
        let work = Staging::new(beside).or_else(|_| Staging::after_sweep(&std::env::temp_dir()));
        let work = work.map_err(|error| Failure::not_writable(&std::env::temp_dir(), &error))?;
        let back = work.path().join(layout::WORKSPACE);
        read_guest(engine, name, &back)?;
        let there = contents(&back).map_err(|error| unreadable(&back, &error))?;
        let saved = contents(saved).map_err(|error| unreadable(saved, &error))?;
        let missing = saved.into_iter().find(|(path, what)| there.get(path) != Some(what));
        match missing {
            None => Ok(()),
            Some((path, _)) => {
                let what = format!("/workspace of '{name}' is not what was saved: {} differs", path.display());
                Err(Failure::new(Status::Failed, what))
            }
        }
    })
}

/// An entry of a tar: kind, mode, target of a symbolic link, size and SHA-256 of the content.
type Entry = (u8, u32, Option<PathBuf>, FileHash);

/// What is in a tar. A hard link is the entry that it links to: which of two names comes first is chance.
fn contents(tar: &Path) -> io::Result<BTreeMap<PathBuf, Entry>> {
    let mut entries: BTreeMap<PathBuf, Entry> = BTreeMap::new();
    let same = |error: io::Error| error;
    tarball::for_each(File::open(tar)?, same, |entry| {
        let (kind, mode, path) = (entry.header().entry_type(), entry.header().mode()?, entry.path()?.into_owned());
        let link = entry.link_name()?.map(Cow::into_owned);
        let linked = link.as_ref().filter(|_| kind.is_hard_link()).and_then(|target| entries.get(target).cloned());
        let entry = match linked {
            Some(linked) => linked,
            None => (kind.as_byte(), mode, link, packed::sha256(entry)?),
        };
        entries.insert(path, entry);
        Ok(())
    })?;
    Ok(entries)
}
