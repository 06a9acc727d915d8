//! The public keys for which a snapshot is encrypted, and the secret keys that decrypt it.

use crate::encryption::{DecryptError, Identities, KeysError, Recipient, read_recipients};
use crate::error::{Failure, Result, Status};
use crate::operations::several::once;
use crate::quoted::quoted;
use crate::signals::Signals;
use crate::stream;
use crate::terminal::Warnings;
use std::path::{Path, PathBuf};

/// Those that are `named`, and those in `files`, each once. What is no recipient is not repeated: it may be a secret key.
pub fn recipients(
    named: &[String],
    files: &[PathBuf],
    signals: &Signals,
    warnings: &Warnings,
) -> Result<Vec<Recipient>> {
    let parse = |text: &String| text.parse().map_err(|why| Failure::new(Status::Usage, format!("--recipient: {why}")));
    let mut all: Vec<Recipient> = named.iter().map(parse).collect::<Result<_>>()?;
    for path in once(files.iter(), |path| *path) {
        let mut on_skipped = |line| {
            let file = path.display();
            warnings.warn(format!("{file}, line {line}: skipped, because this kind of SSH key cannot encrypt"));
        };
        all.extend(read_recipients(path, signals, &mut on_skipped)?);
    }
    Ok(once(all.into_iter(), ToString::to_string))
}

/// The secret keys in `files`, which are to decrypt `source`.
pub fn identities(files: &[PathBuf], source: &Path, signals: &Signals) -> Result<Identities> {
    Identities::read(files, signals).map_err(|error| match &error {
        KeysError::NotIdentity { path, .. } => {
            let decrypt = format!("decrypt it with age: {}", by_age(Some(path), source));
            Failure::from(error).hint(decrypt)
        }
        _ => error.into(),
    })
}

/// Explains why an encrypted file cannot be imported.
pub fn undecrypted(what: String, why: &DecryptError, source: &str) -> Failure {
    let status = match why {
        DecryptError::Encrypted | DecryptError::Passphrase => Status::Usage,
        _ => Status::Damaged,
    };
    let failure = Failure::new(status, what);
    match why {
        DecryptError::Encrypted => failure.hint("name the file with your secret key: --identity FILE"),
        DecryptError::Passphrase => failure.hint(format!("decrypt it with age: {}", by_age(None, Path::new(source)))),
        DecryptError::OtherKey => failure.hint("name another file with a secret key: --identity FILE"),
        _ => failure.hint("copy or export it again"),
    }
}

/// How age itself decrypts it: it asks for passphrases, and runs plugins.
fn by_age(identity: Option<&Path>, source: &Path) -> String {
    let identity = identity.map(|path| format!("-i {} ", quoted(&path.to_string_lossy()))).unwrap_or_default();
    let file =
        if stream::is_stream(source) { String::new() } else { format!("{} ", quoted(&source.to_string_lossy())) };
    format!("age -d {identity}{file}| bottle-freeze snapshot import -")
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        let what = error.to_string();
        match error {
            KeysError::Interrupted(interrupted) => interrupted.into(),
            KeysError::Unreadable { source, .. } => Self::unread(what, &source),
            KeysError::NotRecipient { .. } | KeysError::NoRecipients(_) | KeysError::NotIdentity { .. } => {
                Self::new(Status::Usage, what)
            }
        }
    }
}
