//! Locks: one freeze of a VM, or to an output, at a time. The kernel drops a dead owner's lock.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no lock.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{what} is in use by {owner}")]
    Held {
        /// What is locked.
        what: String,
        /// Who locked it, as it told of itself.
        owner: String,
    },
    /// The lock file cannot be made.
    #[error("{} cannot be locked: {source}", path.display())]
    Unlockable {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A held lock, until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks `what`, a word for people; `key` tells it from all others.
    ///
    /// # Errors
    /// Held by another process, or no lock file can be made.
    pub fn take(what: &str, key: &str) -> Result<Self, LockError> {
        let path = folder().join(format!("{key}.lock"));
        let open = || -> io::Result<File> {
            fs::create_dir_all(folder())?;
            File::options().create(true).truncate(false).read(true).write(true).open(&path)
        };
        let unlockable = |source| LockError::Unlockable { path: path.clone(), source };
        let mut file = open().map_err(unlockable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut owner = String::new();
                let _ = (&mut file).take(200).read_to_string(&mut owner);
                let owner = if owner.is_empty() { "another bottle-freeze".to_owned() } else { owner };
                return Err(LockError::Held { what: what.to_owned(), owner });
            }
            Err(error) => return Err(unlockable(error.into())),
        }
        let mut introduce = || -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
            write!(file, "bottle-freeze, process {}, since {now}", std::process::id())
        };
        introduce().map_err(unlockable)?;
        Ok(Self { _file: file })
    }
}

/// Beside the library, not beside the output, which may lie on a file system without locks.
fn folder() -> PathBuf {
    let home = std::env::var_os("BOTTLE_FREEZE_HOME").map(PathBuf::from);
    let data = home.or_else(|| Some(dirs::data_dir()?.join("bottle-freeze")));
    data.unwrap_or_else(std::env::temp_dir).join("locks")
}
