//! Encryption for recipients, in the format of age (<https://age-encryption.org/v1>).

use crate::signals::{Interrupted, Signals};
use crate::stream::{self, ReadError, Source};
use age::armor::ArmoredReader;
use age::ssh::{self, ParseRecipientKeyError, UnsupportedKey};
use age::stream::StreamWriter;
use age::{Encryptor, IdentityFile, x25519};
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use thiserror::Error;

/// How an encrypted file begins: as it is, and as text.
const BEGINNINGS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// A public key of age or SSH: who has its secret key can decrypt.
#[derive(Debug, Clone)]
pub enum Recipient {
    /// `age1…`
    Native(x25519::Recipient),
    /// `ssh-ed25519 …` or `ssh-rsa …`
    Ssh(ssh::Recipient),
}

/// The key without a comment: one key has one text.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(key) => write!(f, "{key}"),
            Self::Ssh(key) => write!(f, "{key}"),
        }
    }
}

/// Why a text is no recipient.
#[derive(Debug, Error)]
pub enum RecipientError {
    /// It is a secret key.
    #[error("this is a secret key: name its public key")]
    Secret,
    /// A key of SSH with which age does not encrypt.
    #[error("keys of this kind of SSH cannot encrypt: name an ssh-ed25519 or ssh-rsa key")]
    OtherSsh,
    /// A key of age for which it needs a plugin, or a later version.
    #[error("plugins of age and post-quantum keys are not supported: name an age1…, ssh-ed25519 or ssh-rsa key")]
    OtherAge,
    /// A short or a very long key.
    #[error("an ssh-rsa key needs 2048 to 4096 bits")]
    Size,
    /// Anything else.
    #[error("a recipient is age1…, ssh-ed25519 … or ssh-rsa …")]
    Unknown,
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let upper = text.trim_start().to_ascii_uppercase();
        if upper.starts_with("AGE-SECRET-KEY-") || upper.starts_with("-----BEGIN") {
            return Err(RecipientError::Secret);
        }
        if let Ok(native) = text.parse() {
            return Ok(Self::Native(native));
        }
        // `age1yubikey1…`, `age1pq1…`: the last 1 ends the kind, and no other is in a key.
        if text.strip_prefix("age1").is_some_and(|rest| rest.contains('1')) {
            return Err(RecipientError::OtherAge);
        }
        text.parse().map(Self::Ssh).map_err(|error| match error {
            ParseRecipientKeyError::Unsupported(_) | ParseRecipientKeyError::Ignore => RecipientError::OtherSsh,
            ParseRecipientKeyError::RsaModulusTooLarge | ParseRecipientKeyError::RsaModulusTooSmall => {
                RecipientError::Size
            }
            ParseRecipientKeyError::Invalid(_) => RecipientError::Unknown,
        })
    }
}

/// Why a file with keys cannot be used.
#[derive(Debug, Error)]
pub enum KeysError {
    /// A signal arrived while it waited for the writer of a FIFO.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line of it is no recipient.
    #[error("{}, line {line}: {why}", path.display())]
    NotRecipient {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
        /// Why it is none.
        why: RecipientError,
    },
    /// It has no recipients.
    #[error("{} holds no recipients", .0.display())]
    NoRecipients(PathBuf),
    /// It holds no secret keys that can be used without a passphrase or a plugin.
    #[error("{} {why}", path.display())]
    NotIdentity {
        /// The file.
        path: PathBuf,
        /// Why it holds none.
        why: &'static str,
    },
}

/// Reads the recipients in a file, one a line; without empty lines and comments. As in age, keys of SSH of another kind
/// are skipped: `on_skipped` gets the number of each such line.
///
/// # Errors
/// It cannot be read, or has something else, or a signal arrived.
pub fn read_recipients(
    path: &Path,
    signals: &Signals,
    on_skipped: &mut dyn FnMut(usize),
) -> Result<Vec<Recipient>, KeysError> {
    let text = String::from_utf8_lossy(&read(path, signals)?).into_owned();
    let mut all = Vec::new();
    for (line, text) in text.lines().enumerate().map(|(at, text)| (at + 1, text.trim())) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match text.parse() {
            Ok(recipient) => all.push(recipient),
            Err(RecipientError::OtherSsh) => on_skipped(line),
            Err(why) => return Err(KeysError::NotRecipient { path: path.to_owned(), line, why }),
        }
    }
    if all.is_empty() { Err(KeysError::NoRecipients(path.to_owned())) } else { Ok(all) }
}

fn read(path: &Path, signals: &Signals) -> Result<Vec<u8>, KeysError> {
    stream::read_whole(path, signals).map_err(|error| match error.downcast::<Interrupted>() {
        Ok(interrupted) => interrupted.into(),
        Err(source) => KeysError::Unreadable { path: path.to_owned(), source },
    })
}

/// Encrypts what is written, until [`StreamWriter::finish`].
///
/// # Errors
/// The beginning cannot be written, or there are no recipients.
pub fn encrypt<W: Write>(recipients: &[Recipient], to: W) -> io::Result<StreamWriter<W>> {
    let all = recipients.iter().map(|recipient| match recipient {
        Recipient::Native(key) => key as &dyn age::Recipient,
        Recipient::Ssh(key) => key,
    });
    let no_recipients = |_| io::Error::new(io::ErrorKind::InvalidInput, "it has no recipient");
    Encryptor::with_recipients(all).map_err(no_recipients)?.wrap_output(to)
}

/// Secret keys.
#[derive(Default)]
pub struct Identities(Vec<Box<dyn age::Identity>>);

impl Identities {
    /// Reads the secret keys of age or SSH in these files.
    ///
    /// # Errors
    /// One cannot be read, or holds no key that can be used, or a signal arrived.
    pub fn read(files: &[PathBuf], signals: &Signals) -> Result<Self, KeysError> {
        let mut all = Vec::new();
        for path in files {
            let not_identity = |why| KeysError::NotIdentity { path: path.clone(), why };
            all.extend(identities(&read(path, signals)?).map_err(not_identity)?);
        }
        Ok(Self(all))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The secret keys in a file with this text, or why it has none.
fn identities(text: &[u8]) -> Result<Vec<Box<dyn age::Identity>>, &'static str> {
    if is_encrypted(text) {
        return Err("is protected by a passphrase");
    }
    if text.starts_with(b"-----BEGIN") {
        return match ssh::Identity::from_buffer(text, None) {
            Ok(key @ ssh::Identity::Unencrypted(_)) => Ok(vec![Box::new(key)]),
            Ok(ssh::Identity::Encrypted(_) | ssh::Identity::Unsupported(UnsupportedKey::EncryptedPem)) => {
                Err("is protected by a passphrase")
            }
            Ok(ssh::Identity::Unsupported(_)) | Err(_) => Err("holds no ssh-ed25519 or ssh-rsa key"),
        };
    }
    // The error of age names the file and the line, but not whose file it is.
    let file = IdentityFile::from_buffer(text).map_err(|_| "holds something else than secret keys of age")?;
    match file.into_identities() {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err("holds no secret key"),
    }
}

/// Whether a file that begins with this is encrypted.
pub fn is_encrypted(beginning: &[u8]) -> bool {
    BEGINNINGS.iter().any(|known| beginning.starts_with(known))
}

/// Why an encrypted file cannot be decrypted.
#[derive(Debug, Error)]
pub enum DecryptError {
    /// There was no identity.
    #[error("it is encrypted")]
    Encrypted,
    /// It was encrypted with a passphrase.
    #[error("it is encrypted with a passphrase")]
    Passphrase,
    /// None of the identities is one of its recipients.
    #[error("it is not encrypted for this identity")]
    OtherKey,
    /// It was changed or cut off.
    #[error("it is encrypted, but was changed or cut off afterwards")]
    Damaged,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

/// What `from` holds, decrypted with one of these if it is encrypted. Also whether it is.
///
/// # Errors
/// It cannot be decrypted or read. A read of it fails with a [`DecryptError`] where it was changed.
pub fn decrypt(mut from: Source, identities: &Identities) -> Result<(Box<dyn Read>, bool), DecryptError> {
    let longest = BEGINNINGS.iter().map(|known| known.len() as u64).max().unwrap_or_default();
    let mut beginning = Vec::new();
    from.by_ref().take(longest).read_to_end(&mut beginning)?;
    let is_encrypted = is_encrypted(&beginning);
    let all = Cursor::new(beginning).chain(from);
    if !is_encrypted {
        return Ok((Box::new(all), false));
    }
    if identities.is_empty() {
        return Err(DecryptError::Encrypted);
    }
    let left = Rc::new(Cell::new(HEADER_LIMIT));
    let all = ArmoredReader::new(io::BufReader::with_capacity(BUFFER, all));
    let all = Limited { from: all, left: Rc::clone(&left) };
    let decryptor = age::Decryptor::new_buffered(all).map_err(undecrypted)?;
    left.set(u64::MAX);
    if decryptor.is_scrypt() {
        return Err(DecryptError::Passphrase);
    }
    let decrypted = decryptor.decrypt(identities.0.iter().map(|one| &**one)).map_err(undecrypted)?;
    Ok((Box::new(Decrypted(decrypted)), true))
}

/// The number of bytes to read at a time.
const BUFFER: usize = 256 << 10;
/// The most bytes of a header: room for some hundred recipients. age keeps it, and reads all of it again for each of its lines.
const HEADER_LIMIT: u64 = 64 << 10;

/// Gives no more bytes than are `left`.
struct Limited<R> {
    from: R,
    left: Rc<Cell<u64>>,
}

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let read = bytes.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = usize::try_from(self.left.get()).unwrap_or(usize::MAX);
        let bytes = self.from.fill_buf()?;
        if left == 0 && !bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its header does not end"));
        }
        Ok(bytes.get(..left.min(bytes.len())).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes as u64));
        self.from.consume(bytes);
    }
}

fn undecrypted(error: age::DecryptError) -> DecryptError {
    match error {
        age::DecryptError::NoMatchingKeys => DecryptError::OtherKey,
        age::DecryptError::Io(error) => damaged(error),
        _ => DecryptError::Damaged,
    }
}

/// What failed: the file, or what it holds.
fn damaged(error: io::Error) -> DecryptError {
    match error.get_ref() {
        Some(inner) if inner.is::<ReadError>() => DecryptError::Unreadable(error),
        _ => DecryptError::Damaged,
    }
}

/// Gives errors of age their meaning.
struct Decrypted<R>(R);

impl<R: Read> Read for Decrypted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match damaged(error) {
            DecryptError::Unreadable(error) => error,
            damaged => io::Error::new(io::ErrorKind::InvalidData, damaged),
        })
    }
}
