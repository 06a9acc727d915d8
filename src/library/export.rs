//! Exports snapshots from the library. An exported snapshot is one file: a tar of the folder, `snapshot.json` first.

use super::archive::{Result, io_error};
use super::hash::FileHash;
use super::layout::{self, INDEX, METADATA};
use super::staging::Staging;
use super::store::{self, Index, StoreError};
use super::stored::Stored;
use crate::encryption::{self, Recipient};
use crate::home;
use crate::publish::{self, Existing, resolve_link};
use crate::signals::Signals;
use crate::stream::{Sink, Source};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of a block of a tar.
const BLOCK: u64 = 512;

/// A file to export to, and a private folder beside it.
pub struct ExportFile {
    target: PathBuf,
    existing: Existing,
    work: Staging,
}

impl ExportFile {
    /// Checks that `target` can be written, before anything is searched or asked.
    ///
    /// # Errors
    /// `target` exists and may not be replaced, or it cannot be written.
    pub fn new(target: &Path, existing: Existing) -> Result<Self> {
        let target = resolve_link(&std::path::absolute(target).map_err(io_error(target))?);
        publish::preflight(&target, existing, home::canonical_root().as_deref())?;
        let work = Staging::after_sweep(target.parent().unwrap_or(Path::new("/"))).map_err(io_error(&target))?;
        Ok(Self { target, existing, work })
    }

    /// Writes the snapshot, completely or not at all; encrypted for `recipients`, if there are any.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(self, one: &Stored, recipients: &[Recipient], signals: &Signals) -> Result<()> {
        let temp = self.work.path().join("export");
        let file = File::options().write(true).create_new(true).mode(0o600).open(&temp);
        // Flushed while a signal can still end it: the rest takes no time.
        let written = file.and_then(|file| write(one, recipients, file, signals)).and_then(|()| publish::flush(&temp));
        signals.check()?;
        written.map_err(io_error(&self.target))?;
        Ok(publish::publish(&temp, &self.target, self.existing)?)
    }
}

/// Writes the snapshot to the standard output; encrypted for `recipients`, if there are any.
///
/// # Errors
/// It cannot be written, or its reader ends early.
pub fn export_to_stdout(one: &Stored, recipients: &[Recipient], signals: &Signals) -> Result<()> {
    let written = Sink::stdout(signals).and_then(|out| write(one, recipients, out, signals));
    signals.check()?;
    written.map_err(io_error(Path::new("the standard output")))
}

fn write(one: &Stored, recipients: &[Recipient], mut to: impl Write, signals: &Signals) -> io::Result<()> {
    if recipients.is_empty() {
        return write_tar(one, &mut to, signals);
    }
    let mut encrypted = encryption::encrypt(recipients, to)?;
    write_tar(one, &mut encrypted, signals)?;
    encrypted.finish().map(drop)
}

fn write_tar(one: &Stored, to: impl Write, signals: &Signals) -> io::Result<()> {
    let mut tar = tar::Builder::new(to);
    let Stored { folder, metadata, .. } = one;
    let index = metadata.files.get(INDEX).filter(|_| metadata.is_in_chunks());
    let index = index.map(|recorded| Index::read(folder, recorded)).transpose().map_err(io::Error::other)?;
    let exported = match &index {
        Some(index) => {
            let hash = store::write_and_hash(folder, index, &mut io::sink(), signals).map_err(io::Error::other)?;
            metadata.with_artifact(hash)
        }
        None => metadata.clone(),
    };
    // The same snapshot gives the same file.
    let made = u64::try_from(exported.time().as_second()).unwrap_or_default();
    let text = exported.text()?;
    tar.append_data(&mut header_of(METADATA, text.len() as u64, made), METADATA, &*text)?;
    for (name, file) in &exported.files {
        match &index {
            Some(index) if exported.artifact_file() == Some(name) => {
                append_artifact(&mut tar, name, made, folder, index, file, signals)?;
            }
            _ => append_file(&mut tar, name, made, Source::open(&folder.join(name), signals)?)?,
        }
    }
    tar.into_inner()?;
    Ok(())
}

fn append_file(tar: &mut tar::Builder<impl Write>, name: &str, made: u64, file: Source) -> io::Result<()> {
    let mut header = header_of(name, file.metadata()?.len(), made);
    tar.append_data(&mut header, name, file)
}

/// Puts the artifact together in the tar itself. The `snapshot.json` before it has its size and hash already.
fn append_artifact(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    made: u64,
    folder: &Path,
    index: &Index,
    recorded: &FileHash,
    signals: &Signals,
) -> io::Result<()> {
    let bytes = recorded.bytes;
    let mut header = header_of(name, bytes, made);
    header.set_path(name)?;
    header.set_cksum();
    let to = tar.get_mut();
    to.write_all(header.as_bytes())?;
    let written = store::write_and_hash(folder, index, to, signals).map_err(|error| match error {
        StoreError::Output(error) => error,
        error => io::Error::other(error),
    })?;
    if written != *recorded {
        return Err(io::Error::other("its objects were changed while they were read"));
    }
    let rest = bytes.next_multiple_of(BLOCK) - bytes;
    io::copy(&mut io::repeat(0).take(rest), to).map(drop)
}

/// A header of a file of so many bytes, made at that second. Nothing in it is of this host.
fn header_of(name: &str, bytes: u64, made: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(layout::mode(name));
    header.set_mtime(made);
    header
}

#[cfg(test)]
mod tests {
    use super::super::layout::ARTIFACT;
    use super::*;

    #[test]
    fn an_artifact_is_exported_only_as_its_metadata_says() {
        let (folder, signals) = (tempfile::tempdir().unwrap(), Signals::default());
        let index = Index::new("{}".into(), Vec::new()).unwrap();
        let hash = store::write_and_hash(folder.path(), &index, &mut io::sink(), &signals).unwrap();
        let append = |recorded: &FileHash| {
            append_artifact(&mut tar::Builder::new(Vec::new()), ARTIFACT, 0, folder.path(), &index, recorded, &signals)
        };
        append(&hash).unwrap();
        assert!(append(&FileHash { sha256: "0".repeat(64), ..hash }).is_err());
    }
}
