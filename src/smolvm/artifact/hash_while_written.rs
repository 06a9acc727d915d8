//! Reads an artifact while the engine still writes it, so that its checksums are known when the engine has written its launcher
//! and cleaned up (a third of the time that it packs an empty VM).

use crate::chunk;
use crate::signals::Signals;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// The pause before more is read, after everything was read that there was.
const PAUSE: Duration = Duration::from_millis(30);

/// How much of the end of a file is kept, in bytes: manifest and footer of an artifact, unless the manifest is very long.
const TAIL: usize = 64 << 10;

/// The checksums of a file that was read while it was written. They are right if it is the same file, as long, and its CRC-32
/// is right: an engine that goes back and changes earlier bytes changes that.
#[derive(Debug)]
pub struct StreamedHash {
    /// Device and inode.
    file: (u64, u64),
    sums: Sums,
}

/// The checksums of the first part of the file, and its second part.
pub struct Split {
    /// Device and inode.
    pub file: (u64, u64),
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Of the first part.
    pub crc32: crc32fast::Hasher,
    /// Of the first part.
    pub sha256: Sha256,
    /// The second part.
    pub end: Vec<u8>,
}

impl StreamedHash {
    /// Splits it `end` bytes before the end of the file; `None` if fewer were kept.
    pub fn split(self, end: u64) -> Option<Split> {
        let Sums { bytes, mut sha256, mut crc32, mut last } = self.sums;
        let at = last.len().checked_sub(usize::try_from(end).ok()?)?;
        let end = last.split_off(at);
        sha256.update(&last);
        crc32.update(&last);
        Some(Split { file: self.file, bytes, crc32, sha256, end })
    }
}

/// Runs `write`, and meanwhile reads the file `path` that it writes. No checksums if that cannot be read, or `write` fails.
pub fn follow<T, E>(
    path: &Path,
    signals: &Signals,
    write: impl FnOnce() -> Result<T, E>,
) -> (Result<T, E>, Option<StreamedHash>) {
    let (is_written, is_in_vain) = (AtomicBool::new(false), AtomicBool::new(false));
    let given_up = || is_in_vain.load(SeqCst) || signals.check().is_err();
    thread::scope(|scope| {
        let follower = thread::Builder::new().spawn_scoped(scope, || read(path, &is_written, &given_up));
        let written = write();
        is_in_vain.store(written.is_err(), SeqCst);
        is_written.store(true, SeqCst);
        // If there is no thread for it, it is read afterwards.
        let Ok(follower) = follower else { return (written, None) };
        follower.thread().unpark();
        (written, follower.join().ok().flatten())
    })
}

fn read(path: &Path, is_written: &AtomicBool, given_up: &dyn Fn() -> bool) -> Option<StreamedHash> {
    let (mut file, mut sums) = (None, Sums::default());
    loop {
        // Loaded before the read, so that the read sees everything that was written before.
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
        // Not flushed meanwhile: that would delay the engine more than it saves in the end.
        thread::park_timeout(PAUSE);
    }
}

#[derive(Debug, Default)]
struct Sums {
    bytes: u64,
    /// Of all but the last bytes.
    sha256: Sha256,
    /// The same.
    crc32: crc32fast::Hasher,
    /// The last bytes, up to [`TAIL`].
    last: Vec<u8>,
}

impl Sums {
    /// Adds everything that there is now.
    fn add(&mut self, file: &mut File, given_up: &dyn Fn() -> bool) -> std::io::Result<()> {
        let mut buffer = vec![0; 128 << 10];
        loop {
            let read = chunk::read(file, &mut buffer)?;
            if read.is_empty() || given_up() {
                return Ok(());
            }
            self.bytes += read.len() as u64;
            self.last.extend_from_slice(read);
            let (sure, _) = self.last.split_at(self.last.len().saturating_sub(TAIL));
            self.sha256.update(sure);
            self.crc32.update(sure);
            let sure = sure.len();
            self.last.drain(..sure);
        }
    }

    fn of(self, file: &File) -> Option<StreamedHash> {
        let meta = file.metadata().ok()?;
        Some(StreamedHash { file: (meta.dev(), meta.ino()), sums: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smolvm::artifact::content::{Content, FOOTER, verify_and_read};
    use crate::smolvm::secrets;
    use std::fs;
    use std::io::{Seek, SeekFrom, Write};

    /// The artifact of a real engine.
    fn whole() -> Vec<u8> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/artifact/1.32.2.smolmachine");
        fs::read(corpus).unwrap()
    }

    /// Writes half of it, reads that, has `rest` write on, and reads the rest.
    fn read_between(path: &Path, rest: impl FnOnce(&mut File, &[u8])) -> Option<StreamedHash> {
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
    fn a_file_that_is_read_while_it_is_written_has_its_checksums() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        let (written, followed) = follow(&path, &Signals::default(), || {
            let mut file = File::create(&path)?;
            whole().chunks(1000).try_for_each(|bytes| file.write_all(bytes))
        });
        written.unwrap();
        assert!(Content::of_followed(&path, followed.unwrap()).unwrap().is_some());
    }

    #[test]
    fn the_checksums_are_those_of_the_file_that_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        for text in [&whole()[..], &long()] {
            let (_, followed) = follow(&path, &Signals::default(), || fs::write(&path, text));
            let finished = secrets::take_out(&path, &Signals::default(), followed).unwrap();
            let mut hasher = Sha256::new();
            let read = verify_and_read(&path, &Signals::default(), |bytes| hasher.update(bytes)).unwrap();
            assert_eq!(finished.sha256, base16ct::lower::encode_string(&hasher.finalize()));
            assert_eq!((finished.artifact.bytes, finished.artifact.crc32), (read.bytes, read.crc32));
        }
    }

    /// The same with assets of more than is kept of the end, and a manifest with a secret.
    fn long() -> Vec<u8> {
        let whole = whole();
        let (content, footer) = whole.split_at(whole.len() - FOOTER);
        let at = usize::try_from(u64::from_le_bytes(footer[28..36].try_into().unwrap())).unwrap();
        let assets = vec![7; 5 * TAIL + 1];
        let manifest = content[at..].strip_prefix(b"{").unwrap();
        let manifest = [br#"{"secret_refs":{"TOKEN":{"from_env":"HOST"}},"#, manifest].concat();
        let mut footer = footer.to_vec();
        for (place, size) in [(28, assets.len()), (36, assets.len()), (44, manifest.len())] {
            footer[place..place + 8].copy_from_slice(&(size as u64).to_le_bytes());
        }
        let content = [assets, manifest].concat();
        footer[52..56].copy_from_slice(&crc32fast::hash(&content).to_le_bytes());
        [content, footer].concat()
    }

    #[test]
    fn the_output_of_a_failed_pack_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.smolmachine");
        // So long that it could never be read to its end; it takes no space.
        let failed =
            || File::create(&path).and_then(|file| file.set_len(1 << 40)).and_then(|()| Err::<(), _>(no_room()));
        let (written, followed) = follow(&path, &Signals::default(), failed);
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
            // With the footer that matches, as an engine would write it.
            let bytes = fs::read(&path).unwrap();
            let crc32 = crc32fast::hash(&bytes[..bytes.len() - FOOTER]).to_le_bytes();
            file.seek(SeekFrom::End(-12)).unwrap();
            file.write_all(&crc32).unwrap();
        });
        assert!(Content::of_followed(&path, followed.unwrap()).unwrap().is_none());
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
        assert!(Content::of_followed(&path, followed.unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_file_that_never_comes_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert!(follow(&folder.path().join("never"), &Signals::default(), || Ok::<_, ()>(())).1.is_none());
    }
}
