//! Saves `/workspace` if the engine's pack does not hold it: the guest's own `tar` writes it to a file before the VM stops,
//! and restores it in the thawed VM.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{FileHash, HashingWriter, Staging, hash_reader, layout};
use crate::smolvm::{Command, EngineError, Exec, Name, Smolvm};
use crate::tarball;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for output of the guest's `tar`.
const IDLE: Duration = Duration::from_secs(60);
/// A complete tar file ends with two blocks of zeros.
const TAR_END: i64 = 1024;

/// The command in the guest that saves it.
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
/// The guest has no `tar`, or a file changed while it was read. Nothing was changed.
pub fn save(app: &App, engine: &Smolvm, name: &Name, work: &Staging) -> Result<FileHash> {
    let path = work.path().join(layout::WORKSPACE);
    app.terminal
        .phase("save-workspace", &format!("saving /workspace of {name}"), || read_guest(engine, name, &path))
        .map_err(|error| {
            let interrupted = matches!(error, EngineError::Interrupted(_));
            let failure = Failure::from(error);
            if interrupted { failure } else { failure.hint("use --no-workspace to freeze it without its /workspace") }
        })
}

/// Writes the guest's `/workspace` into the new file `path`.
fn read_guest(engine: &Smolvm, name: &Name, path: &Path) -> Result<FileHash, EngineError> {
    let command = save_command();
    let shown = engine.command_line(Command::Exec(name, &command)).shell_line();
    let not_kept = |source| EngineError::NotKept { command: shown.clone(), source };
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(not_kept)?;
    let mut saved = HashingWriter::new(file);
    engine.machine_exec_transfer(name, &command, None, &mut saved, Some(IDLE))?;
    if !is_complete(&mut saved.to, saved.hasher.bytes()).map_err(not_kept)? {
        return Err(EngineError::Unreadable { command: shown, why: "it is not a complete tar file".into() });
    }
    saved.to.sync_all().map_err(not_kept)?;
    Ok(saved.hasher.finish())
}

/// Whether this file ends as a tar does.
fn is_complete(file: &mut File, bytes: u64) -> io::Result<bool> {
    let mut end = Vec::new();
    if bytes >= TAR_END.unsigned_abs() {
        file.seek(SeekFrom::End(-TAR_END))?;
        file.read_to_end(&mut end)?;
    }
    Ok(!end.is_empty() && end.iter().all(|byte| *byte == 0))
}

/// Restores a saved `/workspace` in a running VM, and compares the result with the saved one.
pub fn restore(app: &App, engine: &Smolvm, name: &Name, saved: &Path) -> Result<()> {
    let unreadable =
        |path: &Path, error: &io::Error| Failure::unread(format!("{} cannot be read: {error}", path.display()), error);
    let text = format!("restoring /workspace of {name}");
    app.terminal.phase("restore-workspace", &text, || {
        let file = File::open(saved).map_err(|error| unreadable(saved, &error))?;
        engine.machine_exec_transfer(name, &restore_command(), Some(file), &mut io::sink(), None)?;
        let beside = saved.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        // The library may be full or read-only.
        let work = Staging::new(beside).or_else(|_| Staging::after_sweep(&std::env::temp_dir()));
        let work = work.map_err(|error| Failure::not_writable(&std::env::temp_dir(), &error))?;
        let back = work.path().join(layout::WORKSPACE);
        read_guest(engine, name, &back)?;
        let restored = contents(&back).map_err(|error| unreadable(&back, &error))?;
        let saved = contents(saved).map_err(|error| unreadable(saved, &error))?;
        let missing = saved.into_iter().find(|(path, what)| restored.get(path) != Some(what));
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

/// The entries of a tar file. A hard link counts as the entry that it links to: which of two names comes first is chance.
fn contents(tar: &Path) -> io::Result<BTreeMap<PathBuf, Entry>> {
    let mut entries: BTreeMap<PathBuf, Entry> = BTreeMap::new();
    tarball::for_each(File::open(tar)?, std::convert::identity, |entry| {
        if entry.header().entry_type().is_pax_global_extensions() {
            return Ok(());
        }
        let (kind, mode, path) = (entry.header().entry_type(), entry.header().mode()?, entry.path()?.into_owned());
        let link = entry.link_name()?.map(Cow::into_owned);
        let linked = link.as_ref().filter(|_| kind.is_hard_link()).and_then(|target| entries.get(target).cloned());
        let entry = match linked {
            Some(linked) => linked,
            None => (kind.as_byte(), mode, link, hash_reader(entry)?),
        };
        entries.insert(path, entry);
        Ok(())
    })?;
    Ok(entries)
}
