//! Which engine runs when a path is run, without running it. Only if the path leads to the engine's own program: a script, or
//! a version manager (mise, asdf), may run another engine next time.

use super::installed::WRAPPER;
use crate::files::{self, Stamp};
use memchr::memmem;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The first bytes of a program: ELF, and Mach-O of either width, byte order, and for several processors.
const MAGICS: [[u8; 4]; 7] = [
    *b"\x7fELF",
    [0xfe, 0xed, 0xfa, 0xce],
    [0xfe, 0xed, 0xfa, 0xcf],
    [0xce, 0xfa, 0xed, 0xfe],
    [0xcf, 0xfa, 0xed, 0xfe],
    [0xca, 0xfe, 0xba, 0xbe],
    [0xbe, 0xba, 0xfe, 0xca],
];
/// A text that is in every engine, and not in a program that only starts one.
const MARK: &[u8] = b"vm not found: ";
/// The most bytes of a wrapper script; no known one is longer.
const SCRIPT_LIMIT: u64 = 8 << 10;
/// The SHA-256 of the wrapper script that the engine's releases install as `smolvm`, without its first line, which differs. It
/// runs `smolvm-bin` beside it, and nothing else.
const OFFICIAL_WRAPPER: &str = "f6456a34c087e5c80afdb611bab0e000cec7b483e2edfc17242f5acc5f4d61b3";

/// The files that decide which engine runs, and what a later file of the same name has different.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    path: PathBuf,
    files: Vec<Stamp>,
}

impl Fingerprint {
    /// The fingerprint of the engine that runs when `path` is run; `None` if files do not decide that.
    ///
    /// # Errors
    /// There is no such file.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        let real = fs::canonicalize(path)?;
        let head = read_head(&real)?;
        let stamps: io::Result<Vec<_>> = if is_program(&head) {
            [&real].into_iter().map(|file| stamp(file)).collect()
        } else if let Some(program) = started_by(&real, &head) {
            [&real, &program].into_iter().map(|file| stamp(file)).collect()
        } else {
            return Ok(None);
        };
        Ok(stamps.ok().map(|files| Self { path: real, files }))
    }

    /// The engine's own program, which a wrapper script starts.
    pub fn program(&self) -> PathBuf {
        let head = read_head(&self.path).unwrap_or_default();
        started_by(&self.path, &head).unwrap_or_else(|| self.path.clone())
    }

    /// Whether the program is an engine itself, and not one that starts an engine. Reads all of it.
    pub fn is_of_an_engine(&self) -> bool {
        fs::read(self.program()).is_ok_and(|all| is_program(&all) && memmem::find(&all, MARK).is_some())
    }
}

fn is_program(head: &[u8]) -> bool {
    MAGICS.iter().any(|magic| head.starts_with(magic))
}

fn read_head(file: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(file)?.take(SCRIPT_LIMIT).read_to_end(&mut head)?;
    Ok(head)
}

/// The program that a wrapper script always starts; only for the two known scripts.
fn started_by(script: &Path, text: &[u8]) -> Option<PathBuf> {
    let folder = script.parent()?;
    if text == WRAPPER.as_bytes() {
        return Some(folder.parent()?.join("smolvm"));
    }
    let body = text.splitn(2, |byte| *byte == b'\n').nth(1)?;
    let is_official =
        text.starts_with(b"#!") && base16ct::lower::encode_string(&Sha256::digest(body)) == OFFICIAL_WRAPPER;
    is_official.then(|| folder.join("smolvm-bin"))
}

fn stamp(file: &Path) -> io::Result<Stamp> {
    fs::metadata(file).map(|meta| files::stamp(&meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_first_bytes_and_a_script_is_none() {
        let sh = Fingerprint::of(Path::new("/bin/sh")).unwrap().expect("/bin/sh is a program");
        assert!(!sh.is_of_an_engine(), "a program that may start any other");
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("smolvm");
        fs::write(&script, "#!/bin/sh\nexec smolvm-1.32.2 \"$@\"\n").unwrap();
        assert_eq!(Fingerprint::of(&script).unwrap(), None);
    }

    #[test]
    fn a_file_that_was_changed_back_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("smolvm");
        fs::write(&program, b"\x7fELF one").unwrap();
        let before = Fingerprint::of(&program).unwrap();
        let written = fs::metadata(&program).unwrap().modified().unwrap();
        // The clock of a file system may stand still for some milliseconds.
        while Fingerprint::of(&program).unwrap() == before {
            fs::write(&program, b"\x7fELF two").unwrap();
            File::options().write(true).open(&program).unwrap().set_modified(written).unwrap();
        }
    }
}
