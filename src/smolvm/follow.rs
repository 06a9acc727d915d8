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

/// Does `write`, and meanwhile reads the file `path` that it makes; nothing if that cannot be read, or `write` fails.
pub fn follow<T, E>(path: &Path, write: impl FnOnce() -> Result<T, E>) -> (Result<T, E>, Option<Followed>) {
    let (is_written, is_in_vain) = (AtomicBool::new(false), AtomicBool::new(false));
    let given_up = || is_in_vain.load(SeqCst) || interrupt::pending().is_some();
    thread::scope(|scope| {
        let follower = thread::Builder::new().spawn_scoped(scope, || read(path, &is_written, &given_up));
        let written = write();
        is_in_vain.store(written.is_err(), SeqCst);
        is_written.store(true, SeqCst);
        // Without a thread for it, it is read afterwards.
        let Ok(follower) = follower else { return (written, None) };
        follower.thread().unpark();
        (written, follower.join().ok().flatten())
    })
}

fn read(path: &Path, is_written: &AtomicBool, given_up: &dyn Fn() -> bool) -> Option<Followed> {
    let (mut file, mut sums) = (None, Sums::default());
    loop {
        // Asked before the read: what was written before this is seen by it.
        let is_last = is_written.load(SeqCst);
        file = file.or_else(|| File::open(path).ok());
        if let Some(file) = &mut file {
            sums.add(file, given_up).ok()?;
        }
        if given_up() {
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
    fn add(&mut self, file: &mut File, given_up: &dyn Fn() -> bool) -> std::io::Result<()> {
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 || given_up() {
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
        sums.add(&mut reader, &|| false).unwrap();
        rest(&mut file, &whole[half..]);
        sums.add(&mut reader, &|| false).unwrap();
        sums.of(&reader)
    }

    #[test]
    fn what_is_read_while_it_is_written_has_the_sums_of_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        let (written, followed) = follow(&path, || {
            let mut file = File::create(&path)?;
            whole().chunks(1000).try_for_each(|bytes| file.write_all(bytes))
        });
        written.unwrap();
        let followed = followed.unwrap();
        let mut hasher = Sha256::new();
        let read = verify_and_tell(&path, |bytes| hasher.update(bytes)).unwrap();
        assert_eq!(followed.sha256, base16ct::lower::encode_string(&hasher.finalize()));
        let known = verify_followed(&path, &followed).unwrap().unwrap();
        assert_eq!((known.bytes, known.crc32), (read.bytes, read.crc32));
    }

    #[test]
    fn what_a_failed_pack_wrote_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        // So long that nobody would see the end of it; it takes no room.
        let failed =
            || File::create(&path).and_then(|file| file.set_len(1 << 40)).and_then(|()| Err::<(), _>(no_room()));
        let (written, followed) = follow(&path, failed);
        assert!(written.is_err() && followed.is_none());
    }

    fn no_room() -> std::io::Error {
        std::io::ErrorKind::StorageFull.into()
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
        assert!(follow(&folder.path().join("never"), || Ok::<_, ()>(())).1.is_none());
    }
}
