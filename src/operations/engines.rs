//! Installed engines: how to find one, and where to work on them.

use crate::error::{Failure, Result, Status};
use crate::install::{self, InstallError};
use crate::library::Staging;
use crate::smolvm::Version;
use crate::smolvm::installed::{Installed, installed};

/// The installed engine of this version.
pub fn find(version: Version) -> Option<Installed> {
    installed().into_iter().find(|one| one.version == version)
}

/// The same.
///
/// # Errors
/// It is not installed.
pub fn find_or_fail(version: Version) -> Result<Installed> {
    find(version).ok_or_else(|| {
        let failure = Failure::new(Status::BadEngine, format!("smolvm {version} is not installed"));
        failure.hint(format!("install it with `bottle-freeze engine install --version {version}`"))
    })
}

/// A private folder beside the engines, so that a rename installs or removes one.
///
/// # Errors
/// It cannot be created.
pub fn staging() -> Result<Staging> {
    let folder = install::folder()?;
    Staging::after_sweep(&folder).map_err(|error| Failure::not_writable(&folder, &error))
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let what = error.to_string();
        match error {
            InstallError::NoSuchEngine(_) => Self::new(Status::BadEngine, what),
            InstallError::Download { .. } => Self::new(Status::Failed, what).hint(
                "$PIP_INDEX_URL names another index, $HTTPS_PROXY a proxy, $SSL_CERT_FILE the certificates to trust",
            ),
            InstallError::Untrusted { .. } => {
                Self::new(Status::Failed, what).hint("try again; $PIP_INDEX_URL names another index")
            }
            InstallError::NotWritable { source, .. } => Self::unwritten(what, &source)
                .or_hint("free some disk space, or name another folder with --home or $BOTTLE_FREEZE_HOME"),
            InstallError::Foreign { .. } => Self::new(Status::NotWritable, what)
                .state("nothing was removed")
                .hint("move these files elsewhere, and try again"),
            InstallError::DoesNotRun { .. } => Self::new(Status::BadEngine, what)
                .hint("an older one may run here: `bottle-freeze engine install --version VERSION`"),
            InstallError::Interrupted(interrupted) => interrupted.into(),
        }
    }
}
