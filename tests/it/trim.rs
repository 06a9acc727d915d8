//! Nothing deleted travels: what a file system does not use is left out of a snapshot, and nothing else is.

use crate::power_cut::{self, SMALL};
use crate::support::chaos::{Random, is_long};
use crate::support::random_bytes;
use bottle_freeze::engine::{Disk, Part, read_disk};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// What the deleted files hold.
const MARKER: &[u8] = b"DELETED-MARKER ";
/// How many of them there are on a file system.
const FILES: u64 = 2000;

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// Whether file systems can be made here. The long run requires it.
pub fn has_tools() -> bool {
    let has = |tool: &str| Command::new(tool).arg("-V").output().is_ok();
    let all = ["mke2fs", "debugfs", "dumpe2fs", "e2fsck"].into_iter().all(has);
    assert!(all || !is_long(), "no e2fsprogs");
    if !all {
        println!("NOT RUN: no e2fsprogs");
    }
    all
}

/// Options of `mke2fs` for a file system of a random kind, and the bytes that its files are rounded up to.
fn options(random: &mut Random) -> (Vec<String>, usize) {
    let block = 1024_u64 << random.below(3);
    let mut features = Vec::new();
    let mut options = vec!["-b".to_owned(), block.to_string(), "-N".to_owned(), (FILES * 2).to_string()];
    let mut odds = |of: u64| random.below(of) == 0;
    let (checksums, layout) = (odds(2), odds(2));
    let has_clusters = odds(6);
    if has_clusters {
        features.push("bigalloc");
        options.extend(["-C".to_owned(), (block * 4).to_string()]);
    } else if odds(3) {
        options.extend(["-g".to_owned(), "2048".to_owned()]);
    }
    if checksums {
        let kinds = [&["^metadata_csum", "uninit_bg"][..], &["^metadata_csum", "^uninit_bg"], &["metadata_csum_seed"]];
        features.extend(kinds[usize::from(odds(2)) + usize::from(odds(2))]);
    }
    if layout {
        let kinds = ["meta_bg", "sparse_super2", "^sparse_super"];
        features.extend(["^resize_inode", kinds[usize::from(odds(2)) + usize::from(odds(3))]]);
    }
    for feature in ["^64bit", "^flex_bg", "^has_journal", "large_dir", "ea_inode", "^dir_index"] {
        if odds(4) {
            features.push(feature);
        }
    }
    // Bits of clusters need extents.
    if !has_clusters && odds(4) {
        features.extend(["^extent", "^64bit"]);
    }
    options.extend(["-O".to_owned(), features.join(",")]);
    if odds(2) {
        options.extend(["-E".to_owned(), "lazy_itable_init=1,lazy_journal_init=1".to_owned()]);
    }
    (options, usize::try_from(if has_clusters { block * 4 } else { block }).unwrap())
}

/// A file system with files, from which those with markers were deleted.
struct FileSystem {
    file: PathBuf,
    about: String,
}

impl FileSystem {
    fn new(folder: &Path, random: &mut Random) -> Self {
        let (tree, file) = (folder.join("tree"), folder.join("storage.raw"));
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(tree.join("gone")).unwrap();
        fs::create_dir_all(tree.join("kept")).unwrap();
        let ((options, unit), mut script, mut bytes) = (options(random), String::new(), 0);
        for number in 0..FILES {
            let length = usize::try_from(random.between(2000, 9000)).unwrap();
            let marker = [MARKER, format!("{number:05}\n").as_bytes()].concat();
            fs::write(tree.join(format!("gone/{number}")), marker.repeat(length / marker.len())).unwrap();
            writeln!(script, "rm /gone/{number}").unwrap();
            bytes += length.next_multiple_of(unit) as u64;
            // Between them, so that what is free is in many pieces.
            if random.below(8) == 0 {
                let kept = random_bytes(usize::try_from(random.below(20_000)).unwrap());
                fs::write(tree.join(format!("kept/{number}")), &kept).unwrap();
                bytes += kept.len().next_multiple_of(unit) as u64;
            }
        }
        // Nearly full, or not.
        let bytes = (bytes * 5 / 4 + (12 << 20)).max(random.below(120 << 20)) / (64 << 10) * 64;
        let about = format!("mke2fs {} {bytes}k", options.join(" "));
        let mut make = Command::new("mke2fs");
        run(make
            .args(["-q", "-F", "-t", "ext4"])
            .args(&options)
            .arg("-d")
            .arg(&tree)
            .arg(&file)
            .arg(format!("{bytes}k")));
        fs::write(folder.join("script"), script).unwrap();
        run(Command::new("debugfs").arg("-w").arg("-f").arg(folder.join("script")).arg(&file));
        if random.below(3) == 0 {
            let grown = File::options().write(true).open(&file).unwrap();
            grown.set_len(grown.metadata().unwrap().len() + (3 << 20)).unwrap();
        }
        Self { file, about }
    }

    /// The bytes that `dumpe2fs` calls free.
    fn free(&self) -> Vec<Range<usize>> {
        let text = String::from_utf8(run(Command::new("dumpe2fs").arg(&self.file)).stdout).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse::<usize>();
        let block = field("Block size:").unwrap();
        // Of a cluster, only the first block is listed.
        let more = if text.contains("Cluster size:") { field("Cluster size:").unwrap() / block } else { 1 };
        let lists = text.lines().filter_map(|line| line.strip_prefix("  Free blocks: "));
        let ranges = lists.flat_map(|list| list.split([',', ' '])).filter(|range| !range.is_empty());
        let number = |text: &str| text.parse::<usize>().unwrap_or_else(|_| panic!("{text:?}"));
        ranges
            .map(|range| range.split_once('-').unwrap_or((range, range)))
            .map(|(first, last)| (number(first), number(last)))
            .map(|(first, last)| first * block..(last + more) * block)
            .collect()
    }
}

/// All bytes of a disk.
fn content(disk: &Disk) -> Vec<u8> {
    let mut all = Vec::new();
    read_disk(disk, &mut |part| match part {
        Part::Data(bytes) => all.extend_from_slice(bytes),
        Part::Zeros(count) => all.resize(all.len() + usize::try_from(count).unwrap(), 0),
        Part::Member(_) => panic!("a member in a disk"),
    })
    .unwrap();
    all.resize(usize::try_from(disk.logical_size()).unwrap(), 0);
    all
}

fn markers(bytes: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, MARKER).count()
}

#[test]
fn of_any_file_system_exactly_what_is_free_is_left_out() {
    if !has_tools() {
        return;
    }
    let (mut random, folder) = (Random::new(), TempDir::new().unwrap());
    let mut total = 0;
    for _ in 0..if is_long() { 50 } else { 2 } {
        let made = FileSystem::new(folder.path(), &mut random);
        let (before, about) = (fs::read(&made.file).unwrap(), &made.about);
        assert!(markers(&before) > 10_000, "{about}: nothing to leave out");
        let mut disk = Disk::open(&made.file).unwrap();
        assert!(content(&disk) == before, "{about}");
        let trimmed = disk.trim().unwrap_or_else(|why| panic!("{about}: {why}"));
        let after = content(&disk);
        // Only what is free became zeros.
        let mut expected = before;
        for range in made.free() {
            let end = range.end.min(expected.len());
            expected[range.start..end].fill(0);
        }
        if expected != after {
            let differs = expected.iter().zip(&after).position(|(one, other)| one != other);
            panic!("{about}: byte {differs:?} differs");
        }
        assert_eq!(markers(&after), 0, "{about}");
        assert!(trimmed > FILES * 2000, "{about}: {trimmed}");
        total += trimmed;
        fs::write(&made.file, after).unwrap();
        run(Command::new("e2fsck").arg("-fn").arg(&made.file));
    }
    println!("{} MiB of free blocks were left out", total >> 20);
}

#[test]
fn a_cloned_disk_is_read_as_it_was_whatever_is_written_to_it() {
    for (kind, clones) in [("xfs", true), ("btrfs", true), ("ext4", false)] {
        let Some(mounted) = power_cut::Disk::new(kind, "noatime", SMALL) else {
            assert!(!is_long(), "no {kind} can be mounted here");
            println!("NOT RUN: no {kind} can be mounted here");
            continue;
        };
        let (file, private) = (mounted.path().join("storage.raw"), mounted.path().join("private"));
        fs::create_dir(&private).unwrap();
        fs::write(&file, random_bytes(5 << 20)).unwrap();
        File::options().write(true).open(&file).unwrap().set_len(64 << 20).unwrap();
        let before = fs::read(&file).unwrap();
        let mut disk = Disk::open(&file).unwrap();
        assert_eq!(disk.clone_into(&private).is_ok(), clones, "{kind}");
        if clones {
            fs::write(&file, random_bytes(6 << 20)).unwrap();
        }
        assert!(content(&disk) == before, "{kind}");
        // A kill leaves nothing.
        assert_eq!(fs::read_dir(&private).unwrap().count(), 0, "{kind}");
        // On another file system.
        let elsewhere = TempDir::new().unwrap();
        assert!(disk.clone_into(elsewhere.path()).is_err(), "{kind}");
        drop(disk);
        mounted.unmount();
    }
}
