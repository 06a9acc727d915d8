//! Size and SHA-256 of files.

use crate::chunk;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// Size and hash of a file of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileHash {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, 64 hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// Computes a [`FileHash`] from bytes in order.
#[derive(Debug, Default)]
pub struct FileHasher {
    hasher: Sha256,
    bytes: u64,
}

impl FileHasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
    }

    /// The number of bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The result.
    pub fn finish(self) -> FileHash {
        FileHash { bytes: self.bytes, sha256: base16ct::lower::encode_string(&self.hasher.finalize()) }
    }
}

/// Hashes what is written through it.
pub struct HashingWriter<W> {
    /// Where it is written.
    pub to: W,
    /// The hash so far.
    pub hasher: FileHasher,
}

impl<W: Write> HashingWriter<W> {
    /// Writes into `to`.
    pub fn new(to: W) -> Self {
        Self { to, hasher: FileHasher::default() }
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Hashes a file.
///
/// # Errors
/// It cannot be read.
pub fn hash_file(path: &Path) -> io::Result<FileHash> {
    hash_reader(File::open(path)?)
}

/// Hashes everything that `from` returns.
///
/// # Errors
/// It cannot be read.
pub fn hash_reader(mut from: impl Read) -> io::Result<FileHash> {
    let (mut hasher, mut buffer) = (FileHasher::default(), vec![0; 1 << 20]);
    loop {
        match chunk::read(&mut from, &mut buffer)? {
            [] => return Ok(hasher.finish()),
            read => hasher.update(read),
        }
    }
}
