//! Journals of ext4 that `debugfs` wrote are replayed as it replays them: with blocks that are revoked before, after and in the
//! same transaction, without and with all kinds of checksums, with transactions that were not completed, and around the end.

use crate::support::chaos::{Random, is_long};
use crate::support::random_bytes;
use crate::support::resealed::seal_header;
use crate::trim::has_tools;
use bottle_freeze::inside::{Ext4Error, FileSystem, ROOT, ReadAt};
use std::fmt::Write;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const BLOCK: usize = 1024;
/// Blocks of the file that is in the journal.
const BLOCKS: u64 = 100;
/// Options of `mke2fs`, and those of `debugfs` for the journal: numbers of 32 and 64 bits, without and with checksums.
const KINDS: [(&str, &str); 6] = [
    ("^metadata_csum,^64bit", ""),
    ("^metadata_csum,64bit", ""),
    ("metadata_csum,64bit", "-c -v 2"),
    ("metadata_csum,64bit", "-c -v 3"),
    ("metadata_csum,^64bit", "-c -v 2"),
    ("metadata_csum,^64bit", "-c -v 3"),
];

struct Bytes(Vec<u8>);

impl ReadAt for Bytes {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(at).unwrap();
        buffer.copy_from_slice(&self.0[start..start + buffer.len()]);
        Ok(())
    }
}

fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file system with a file `data`, and the blocks of that.
fn make(folder: &Path, features: &str) -> Vec<u64> {
    let (tree, image) = (folder.join("tree"), folder.join("image"));
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("data"), random_bytes(BLOCK * usize::try_from(BLOCKS).unwrap())).unwrap();
    let (tree, to) = (tree.to_str().unwrap(), image.to_str().unwrap());
    run("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", "-O", features, "-d", tree, to, "3M"]);
    blocks(&image, "/data")
}

/// A list of some of these blocks, in order.
fn some(blocks: &[u64], random: &mut Random) -> Vec<String> {
    let odds = random.between(2, 30);
    let some: Vec<String> = blocks.iter().filter(|_| random.below(odds) == 0).map(u64::to_string).collect();
    if some.is_empty() { vec![blocks[0].to_string()] } else { some }
}

/// Writes random transactions into the journal.
fn write(folder: &Path, blocks: &[u64], options: &str, random: &mut Random) {
    let (mut script, count) = (format!("jo {options}\n"), random.between(1, 15));
    for number in 0..count {
        // Some blocks begin like those of the journal.
        let mut content = random_bytes(BLOCK * usize::try_from(BLOCKS).unwrap());
        content.chunks_mut(BLOCK).step_by(7).for_each(|block| block[..4].copy_from_slice(&[0xc0, 0x3b, 0x39, 0x98]));
        let file = folder.join(format!("content{number}"));
        fs::write(&file, content).unwrap();
        let (written, revoked) = (some(blocks, random), some(blocks, random));
        let is_whole = if number + 1 == count && random.below(2) == 0 { "-c " } else { "" };
        match random.below(3) {
            0 => writeln!(script, "jw {is_whole}-r {}", revoked.join(",")),
            1 => writeln!(script, "jw {is_whole}-b {} -r {} {}", written.join(","), revoked.join(","), file.display()),
            _ => writeln!(script, "jw {is_whole}-b {} {}", written.join(","), file.display()),
        }
        .unwrap();
    }
    writeln!(script, "jc").unwrap();
    fs::write(folder.join("script"), script).unwrap();
    run("debugfs", &["-w", "-f", folder.join("script").to_str().unwrap(), folder.join("image").to_str().unwrap()]);
}

fn number_at(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The blocks of the file with this name, in order.
fn blocks(image: &Path, name: &str) -> Vec<u64> {
    let blocks = run("debugfs", &["-R", &format!("blocks {name}"), image.to_str().unwrap()]);
    blocks.split_whitespace().map(|block| block.parse().unwrap()).collect()
}

/// Where the blocks of the journal are.
fn journal(image: &Path) -> Vec<Range<usize>> {
    blocks(image, "<8>")
        .into_iter()
        .map(|block| usize::try_from(block).unwrap() * BLOCK)
        .map(|at| at..at + BLOCK)
        .collect()
}

/// Moves the log by so many blocks, around the end of the journal.
fn turn(image: &mut [u8], journal: &[Range<usize>], by: usize) {
    let (header, log) = journal.split_first().unwrap();
    let start = number_at(&image[header.clone()], 28);
    if start == 0 {
        // Nothing is to be replayed.
        return;
    }
    let old: Vec<Vec<u8>> = log.iter().map(|place| image[place.clone()].to_vec()).collect();
    for (number, block) in old.iter().enumerate() {
        image[log[(number + by) % log.len()].clone()].copy_from_slice(block);
    }
    let header = &mut image[header.clone()];
    let start = (start - 1 + by) % log.len() + 1;
    header[28..32].copy_from_slice(&u32::try_from(start).unwrap().to_be_bytes());
    seal_header(header);
}

/// The content of the file `data`.
fn data(image: Vec<u8>) -> Result<Vec<u8>, Ext4Error> {
    let bytes = image.len() as u64;
    let system = FileSystem::open(Bytes(image), bytes)?;
    let mut number = 0;
    system.entries(&system.inode(ROOT)?, &mut |name, inode| {
        number = if name == b"data" { inode } else { number };
        Ok(())
    })?;
    let file = system.inode(number)?;
    let mut content = vec![0; usize::try_from(file.size()).unwrap()];
    system.read(&system.extents(&file)?, 0, &mut content)?;
    Ok(content)
}

/// The same, as `debugfs` replays and reads it.
fn expected(folder: &Path, image: &[u8]) -> Vec<u8> {
    let [file, out] = ["replayed", "out"].map(|name| folder.join(name));
    fs::write(&file, image).unwrap();
    run("debugfs", &["-w", "-R", "jr", file.to_str().unwrap()]);
    run("debugfs", &["-R", &format!("dump /data {}", out.display()), file.to_str().unwrap()]);
    fs::read(out).unwrap()
}

#[test]
fn a_journal_is_replayed_as_debugfs_does() {
    if !has_tools() {
        return;
    }
    let (mut random, folder) = (Random::new(), TempDir::new().unwrap());
    let mut replayed = 0;
    for round in 0..if is_long() { 12 } else { 3 } {
        for (features, options) in KINDS {
            let blocks = make(folder.path(), features);
            let before = fs::read(folder.path().join("tree/data")).unwrap();
            write(folder.path(), &blocks, options, &mut random);
            let mut image = fs::read(folder.path().join("image")).unwrap();
            // So that it begins anywhere, also just before the end.
            let journal = journal(&folder.path().join("image"));
            let log = journal.len() as u64 - 1;
            let by = if random.below(2) == 0 { random.below(log) } else { log - random.between(1, 30) };
            turn(&mut image, &journal, usize::try_from(by).unwrap());
            let expected = expected(folder.path(), &image);
            replayed += usize::from(expected != before);
            assert!(data(image).unwrap() == expected, "round {round}: {features}, {options}, turned by {by}");
        }
    }
    assert!(replayed > 3, "nothing was replayed");
}

#[test]
fn a_journal_that_does_not_fit_its_checksums_is_refused() {
    if !has_tools() {
        return;
    }
    let folder = TempDir::new().unwrap();
    for (features, options) in KINDS {
        let blocks = make(folder.path(), features);
        fs::write(folder.path().join("content"), vec![7; 3 * BLOCK]).unwrap();
        let list = blocks.iter().take(3).map(u64::to_string).collect::<Vec<_>>().join(",");
        let script = format!(
            "jo {options}\njw -b {list} {}\njw -r {}\njc\n",
            folder.path().join("content").display(),
            blocks[9]
        );
        fs::write(folder.path().join("script"), script).unwrap();
        let [script, image] = ["script", "image"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        run("debugfs", &["-w", "-f", &script, &image]);
        let places = journal(Path::new(&image));
        let image = fs::read(image).unwrap();
        // The header, a list, a block of it, the end of a transaction, what is revoked.
        for (block, byte) in [(0, 60), (1, 900), (2, 5), (5, 60), (6, 900)] {
            let mut damaged = image.clone();
            damaged[places[block].start + byte] ^= 1;
            let read = data(damaged);
            let is_refused = !options.is_empty();
            assert_eq!(read.is_err(), is_refused, "{options}: {block}");
            let said = read.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!is_refused || said.contains("damaged") && said.contains("journal"), "{options}: {block}: {said}");
        }
    }
}
