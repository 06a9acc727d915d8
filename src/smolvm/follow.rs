//! Reads an artifact while the engine still writes it. When the engine has written its launcher and tidied up (a third of
//! the time of an empty VM's pack, 1.32.2), the sums of the artifact are there.

use super::artifact::FOOTER;
use crate::interrupt;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// How long nothing is looked for after all that was there is read.
const PAUSE: Duration = Duration::from_millis(30);

/// What was read of a file from its beginning to its end. It is the file if that is the same one, as long, and has this
/// CRC-32: an engine that goes back and changes what it wrote changes that.
#[derive(Debug)]
pub struct Followed {
    /// Device and inode.
    pub file: (u64, u64),
    /// Bytes of all of it.
    pub bytes: u64,
    /// Of all but the footer.
    pub crc32: u32,
    /// Of all of it, in hexadecimal digits.
    pub sha256: String,
}

/// Does `write`, and meanwhile reads the file `path` that it makes; nothing if that cannot be read.
pub fn follow<T>(path: &Path, write: impl FnOnce() -> T) -> (T, Option<Followed>) {
    let is_written = AtomicBool::new(false);
    thread::scope(|scope| {
        let follower = scope.spawn(|| read(path, &is_written));
        let written = write();
        is_written.store(true, SeqCst);
        follower.thread().unpark();
        (written, follower.join().ok().flatten())
    })
}

fn read(path: &Path, is_written: &AtomicBool) -> Option<Followed> {
    let (mut file, mut sums) = (None, Sums::default());
    loop {
        // Asked before the read: what was written before this is seen by it.
        let is_last = is_written.load(SeqCst);
        file = file.or_else(|| File::open(path).ok());
        if let Some(file) = &mut file {
            sums.add(file).ok()?;
        }
        if interrupt::pending().is_some() {
            return None;
        }
        if is_last {
            return sums.of(&file?);
        }
        // Not flushed meanwhile: that holds the engine up more than it saves in the end.
        thread::park_timeout(PAUSE);
    }
}

#[derive(Default)]
struct Sums {
    bytes: u64,
    sha256: Sha256,
    crc32: crc32fast::Hasher,
    /// The last bytes that were read: perhaps the footer.
    last: Vec<u8>,
}

impl Sums {
    /// Adds all that is there by now.
    fn add(&mut self, file: &mut File) -> std::io::Result<()> {
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 || interrupt::pending().is_some() {
                return Ok(());
            }
            self.bytes += count as u64;
            self.sha256.update(&buffer[..count]);
            self.last.extend_from_slice(&buffer[..count]);
            let sure = self.last.len().saturating_sub(FOOTER);
            self.crc32.update(&self.last[..sure]);
            self.last.drain(..sure);
        }
    }

    fn of(self, file: &File) -> Option<Followed> {
        let meta = file.metadata().ok()?;
        Some(Followed {
            file: (meta.dev(), meta.ino()),
            bytes: self.bytes,
            crc32: self.crc32.finalize(),
            sha256: base16ct::lower::encode_string(&self.sha256.finalize()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smolvm::artifact::{verify_and_tell, verify_followed};
    use std::fs;
    use std::io::{Seek, SeekFrom, Write};

    /// What a real engine wrote.
    fn whole() -> Vec<u8> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/artifact/1.32.2.smolmachine");
        fs::read(corpus).unwrap()
    }

    /// It is written as far as `half`, read, and then written on by `rest`; what was read of it.
    fn read_between(path: &Path, rest: impl FnOnce(&mut File, &[u8])) -> Option<Followed> {
        let whole = whole();
        let half = whole.len() / 2;
        let mut file = File::create(path).unwrap();
        file.write_all(&whole[..half]).unwrap();
        let (mut reader, mut sums) = (File::open(path).unwrap(), Sums::default());
        sums.add(&mut reader).unwrap();
        rest(&mut file, &whole[half..]);
        sums.add(&mut reader).unwrap();
        sums.of(&reader)
    }

    #[test]
    fn what_is_read_while_it_is_written_has_the_sums_of_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        let ((), followed) = follow(&path, || {
            let mut file = File::create(&path).unwrap();
            whole().chunks(1000).for_each(|bytes| file.write_all(bytes).unwrap());
        });
        let followed = followed.unwrap();
        let mut hasher = Sha256::new();
        let read = verify_and_tell(&path, |bytes| hasher.update(bytes)).unwrap();
        assert_eq!(followed.sha256, base16ct::lower::encode_string(&hasher.finalize()));
        let known = verify_followed(&path, &followed).unwrap().unwrap();
        assert_eq!((known.bytes, known.crc32), (read.bytes, read.crc32));
    }

    #[test]
    fn an_engine_that_goes_back_and_changes_what_was_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        let followed = read_between(&path, |file, rest| {
            file.write_all(rest).unwrap();
            file.seek(SeekFrom::Start(100)).unwrap();
            file.write_all(b"changed").unwrap();
            // As it would: with the footer of what it is now.
            let bytes = fs::read(&path).unwrap();
            let crc32 = crc32fast::hash(&bytes[..bytes.len() - FOOTER]).to_le_bytes();
            file.seek(SeekFrom::End(-12)).unwrap();
            file.write_all(&crc32).unwrap();
        });
        assert!(verify_followed(&path, &followed.unwrap()).unwrap().is_none());
    }

    #[test]
    fn an_engine_that_puts_another_file_in_its_place_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        let followed = read_between(&path, |file, rest| {
            file.write_all(rest).unwrap();
            let other = folder.path().join("other");
            fs::copy(&path, &other).unwrap();
            fs::rename(&other, &path).unwrap();
        });
        assert!(verify_followed(&path, &followed.unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_file_that_never_comes_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert!(follow(&folder.path().join("never"), || ()).1.is_none());
    }
}
