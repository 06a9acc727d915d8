//! Lists and artifacts of real engines, changed at random: their readers never panic, never use memory without bound, and
//! never accept a changed artifact. `BOTTLE_FREEZE_FAULTS=long` runs each for 20 seconds; `SEED` repeats a run.

use crate::take_apart::assert_same_again;
use bottle_freeze::engine::{Artifact, ArtifactError, Disk, Machine, Part, footer, read_disk, take_apart, verify};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

const LONG: Duration = Duration::from_secs(20);
const FOOTER: usize = 64;

// --------------------------------------------------------------------------------------------- memory, counted

pub mod memory {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static USED: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
    }

    /// The system's allocator, which counts the bytes of each thread, now and at most.
    struct Counting;

    #[global_allocator]
    static COUNTING: Counting = Counting;

    fn count(bytes: usize, sign: isize) {
        let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
        // A thread that ends has no counter any more.
        let _ = USED.try_with(|used| {
            let now = used.get().0 + sign * bytes;
            used.set((now, used.get().1.max(now)));
        });
    }

    // SAFETY: every call goes to the system's allocator as it came.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count(layout.size(), 1);
            // SAFETY: the caller's promise, passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            count(layout.size(), -1);
            // SAFETY: the caller's promise, passed on.
            unsafe { System.dealloc(at, layout) }
        }
    }

    /// The result of `work`, and the most bytes that it had at a time.
    pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = USED.get().0;
        USED.set((before, before));
        let result = work();
        (result, usize::try_from(USED.get().1 - before).unwrap_or_default())
    }
}

// ----------------------------------------------------------------------------------------------------- changes

/// The real files of that kind.
pub fn corpus(kind: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One change of some bytes.
#[derive(Debug, Clone)]
pub enum Change {
    Flip(Index, u8),
    Write(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
    Cut(Index),
}

pub fn change() -> impl Strategy<Value = Change> {
    let bytes =
        || prop_oneof![prop::collection::vec(any::<u8>(), 1..20), number().prop_map(|n| n.to_le_bytes().into())];
    prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (any::<Index>(), bytes()).prop_map(|(at, bytes)| Change::Write(at, bytes)),
        1 => (any::<Index>(), bytes()).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Remove(from, to)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

/// Numbers at which a size or an offset turns over.
pub fn number() -> impl Strategy<Value = u64> {
    let edges = prop::sample::select(vec![0, 1, 63, 64, 65, 1 << 24, (1 << 24) + 1, 1 << 32, 1 << 63, u64::MAX - 64]);
    prop_oneof![any::<u64>(), 0..5000_u64, edges, Just(u64::MAX)]
}

impl Change {
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        let span = |a: &Index, b: &Index| a.index(len).min(b.index(len))..a.index(len).max(b.index(len));
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Write(at, new) => bytes.iter_mut().skip(at.index(len)).zip(new).for_each(|(old, new)| *old = *new),
            Self::Insert(at, new) => drop(bytes.splice(at.index(len)..at.index(len), new.iter().copied())),
            Self::Remove(from, to) => drop(bytes.drain(span(from, to))),
            Self::Repeat(from, to) => bytes.extend_from_within(span(from, to)),
            Self::Cut(at) => bytes.truncate(at.index(len)),
        }
    }
}

fn is_long() -> bool {
    std::env::var_os("BOTTLE_FREEZE_FAULTS").is_some_and(|faults| faults == "long")
}

/// Runs `test` on so many cases; in the long run, on as many as there is time for.
pub fn explore<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let clock = || UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
    let mut seed: u64 = std::env::var("SEED").map_or_else(|_| clock(), |seed| seed.parse().expect("SEED is a number"));
    let (began, mut tried) = (Instant::now(), 0);
    loop {
        let rng_seed = RngSeed::Fixed(seed);
        // A case that takes too long would be made smaller for hours.
        let config =
            Config { cases, rng_seed, failure_persistence: None, max_shrink_time: 60_000, ..Config::default() };
        match TestRunner::new(config).run(strategy, &test) {
            Ok(()) => tried += cases,
            Err(TestError::Fail(why, input)) => panic!("SEED={seed}: {why}: {input:#?}"),
            Err(error) => panic!("SEED={seed}: {error}"),
        }
        if !is_long() || began.elapsed() >= LONG {
            println!("SEED={seed}: {tried} cases");
            return;
        }
        seed = seed.wrapping_add(1);
    }
}

// --------------------------------------------------------------------------------------------------- artifacts

/// How an artifact is changed.
#[derive(Debug, Clone)]
enum Damage {
    /// Anywhere.
    Anywhere(Vec<Change>),
    /// In its footer, one field of which has this number.
    Footer(usize, u64, Vec<Change>),
    /// Anywhere, with a CRC-32 that fits.
    Forged(Vec<Change>),
    /// In its manifest, with a footer and a CRC-32 that fit.
    Manifest(Vec<Change>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let changes = || prop::collection::vec(change(), 1..5);
    let field = prop::sample::select(vec![8_usize, 12, 20, 28, 36, 44, 52, 56]);
    prop_oneof![
        changes().prop_map(Damage::Anywhere),
        (field, number(), prop::collection::vec(change(), 0..2)).prop_map(|(at, n, more)| Damage::Footer(at, n, more)),
        changes().prop_map(Damage::Forged),
        changes().prop_map(Damage::Manifest),
    ]
}

fn all(changes: &[Change], bytes: &mut Vec<u8>) {
    for change in changes {
        change.apply(bytes);
    }
}

impl Damage {
    fn apply(&self, whole: &[u8]) -> Vec<u8> {
        let (mut content, mut footer) =
            (whole[..whole.len() - FOOTER].to_vec(), whole[whole.len() - FOOTER..].to_vec());
        match self {
            Self::Anywhere(changes) => {
                let mut bytes = whole.to_vec();
                all(changes, &mut bytes);
                return bytes;
            }
            Self::Footer(at, number, changes) => {
                let number = number.to_le_bytes();
                footer[*at..(at + 8).min(FOOTER)].copy_from_slice(&number[..(FOOTER - at).min(8)]);
                all(changes, &mut footer);
            }
            Self::Forged(changes) => {
                all(changes, &mut content);
                seal(&content, &mut footer);
            }
            Self::Manifest(changes) => {
                let assets = usize::try_from(u64::from_le_bytes(footer[28..36].try_into().unwrap())).unwrap();
                let mut manifest = content.split_off(assets);
                all(changes, &mut manifest);
                footer[44..52].copy_from_slice(&(manifest.len() as u64).to_le_bytes());
                content.extend(manifest);
                seal(&content, &mut footer);
            }
        }
        [content, footer].concat()
    }

    fn is_forged(&self) -> bool {
        matches!(self, Self::Forged(_) | Self::Manifest(_))
    }
}

fn seal(content: &[u8], footer: &mut [u8]) {
    footer[52..56].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
}

/// The verdict on these bytes, and the memory that it took.
fn verdict(file: &Path, bytes: &[u8]) -> (Result<Artifact, ArtifactError>, usize) {
    fs::write(file, bytes).unwrap();
    memory::peak_of(|| verify(file))
}

#[test]
fn no_changed_artifact_is_called_whole() {
    let (corpus, folder) = (corpus("artifact"), tempfile::tempdir().unwrap());
    let file = folder.path().join("x.smolmachine");
    let cases = (prop::sample::select(corpus), damage());
    explore(400, &cases, |(whole, damage)| {
        let bytes = damage.apply(&whole);
        let (verdict, memory) = verdict(&file, &bytes);
        prop_assert!(memory < 8 << 20, "{memory} bytes of memory");
        if let Ok(artifact) = verdict {
            prop_assert!(bytes == whole || damage.is_forged(), "called whole");
            prop_assert_eq!(artifact.bytes, bytes.len() as u64);
            prop_assert_eq!(artifact.crc32, crc32fast::hash(&bytes[..bytes.len() - FOOTER]));
        } else {
            prop_assert!(bytes != whole, "called damaged");
        }
        Ok(())
    });
}

/// How the tar in an artifact is changed: anywhere, and in its headers.
pub fn twisted_tar() -> impl Strategy<Value = (Vec<Change>, Vec<(Index, usize, u8)>)> {
    // Where the fields of a header are that matter.
    let field = prop_oneof![0..512_usize, 100..157_usize, 386..495_usize];
    let byte = prop_oneof![any::<u8>(), b'0'..b'8', prop::sample::select(b"\0 S5xL/.".to_vec())];
    (prop::collection::vec(change(), 0..2), prop::collection::vec((any::<Index>(), field, byte), 0..3))
}

/// Changes it; the checksums of the headers fit.
pub fn twist(tar: &mut Vec<u8>, changes: &[Change], in_headers: &[(Index, usize, u8)]) {
    all(changes, tar);
    let is_header = |block: &&mut [u8]| block.len() == 512 && block[257..262] == *b"ustar";
    let mut blocks: Vec<&mut [u8]> = tar.chunks_mut(512).filter(is_header).collect();
    for (which, at, byte) in in_headers {
        let count = blocks.len();
        if count > 0 {
            blocks[which.index(count)][*at] = *byte;
        }
    }
    for block in blocks {
        let mut header = tar::Header::from_byte_slice(block).clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
    }
}

#[test]
fn a_changed_tar_is_taken_apart_as_it_is_or_refused() {
    let (corpus, folder) = (corpus("artifact"), tempfile::tempdir().unwrap());
    let file = folder.path().join("x.smolmachine");
    let cases = (prop::sample::select(corpus), twisted_tar());
    explore(150, &cases, |(whole, (changes, in_headers))| {
        let (content, footer) = whole.split_at(whole.len() - FOOTER);
        let assets = usize::try_from(u64::from_le_bytes(footer[28..36].try_into().unwrap())).unwrap();
        let mut tar = zstd::decode_all(&content[..assets]).unwrap();
        twist(&mut tar, &changes, &in_headers);
        fs::write(&file, sealed(&zstd::encode_all(&tar[..], 1).unwrap(), &content[assets..])).unwrap();
        let (mut data, mut holes) = (0, 0);
        let (result, memory) = memory::peak_of(|| {
            take_apart(&file, &mut |part| {
                match part {
                    Part::Data(bytes) => data += bytes.len(),
                    Part::Zeros(count) => holes += count,
                    Part::Member(_) => {}
                }
                Ok(())
            })
        });
        prop_assert!(memory < 16 << 20, "{memory} bytes of memory");
        prop_assert!(data <= tar.len() && holes < 1 << 60, "{data} bytes of data, {holes} of holes");
        match result {
            Ok(_) => assert_same_again(&file),
            Err(error) => prop_assert!(matches!(error, ArtifactError::Unknown(_)), "{error}"),
        }
        Ok(())
    });
}

/// An artifact with these assets and this manifest.
fn sealed(assets: &[u8], manifest: &[u8]) -> Vec<u8> {
    let content = [assets, manifest].concat();
    let footer = footer(assets.len() as u64, manifest.len() as u64, crc32fast::hash(&content));
    [content, footer.to_vec()].concat()
}

#[test]
fn a_manifest_of_any_size_is_read_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.smolmachine");
    let whole = corpus("artifact").remove(0);
    for (size, filling) in [(16 << 20, " "), (16 << 20, "["), (16 << 20, "[0,"), ((16 << 20) + 1, "{\"a\":")] {
        let mut manifest = filling.repeat(size / filling.len());
        manifest.push_str(&" ".repeat(size % filling.len()));
        let mut footer = whole[whole.len() - FOOTER..].to_vec();
        for (at, number) in [(28, 0), (36, 0), (44, size as u64)] {
            footer[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        seal(manifest.as_bytes(), &mut footer);
        let (verdict, memory) = verdict(&file, &[manifest.into_bytes(), footer].concat());
        assert!(verdict.is_err(), "{size} bytes of {filling:?}");
        assert!(memory < 60 << 20, "{size} bytes of {filling:?}: {memory} bytes of memory");
    }
}

// ------------------------------------------------------------------------------------------------------- disks

const CLUSTER: u64 = 64 << 10;

/// A qcow2 disk of 2 GiB over a template: header, two levels of tables, three clusters of data.
fn qcow2() -> Vec<u8> {
    let mut bytes = vec![0; 7 * 65_536];
    let mut put = |at: usize, new: &[u8]| bytes[at..at + new.len()].copy_from_slice(new);
    for (at, word) in [(4, 3_u32), (16, 21), (20, 16), (36, 4), (96, 4), (100, 104), (104, 0xe279_2aca), (108, 3)] {
        put(at, &word.to_be_bytes());
    }
    for (at, long) in [(8, 512_u64), (24, 2 << 30), (40, CLUSTER)] {
        put(at, &long.to_be_bytes());
    }
    put(0, b"QFI\xfb");
    put(112, b"raw");
    put(512, b"overlay-template.ext4");
    for (entry, cluster) in [(8192, 2), (8194, 3), (16_384, 4), (16_385, 5), (32_767, 6)] {
        put(8 * entry, &((1 << 63) | (cluster * CLUSTER)).to_be_bytes());
    }
    put(8 * 16_386, &1_u64.to_be_bytes());
    bytes[4 * 65_536..].fill(7);
    bytes
}

/// How a qcow2 file is changed: anywhere, and in the words of its header and its tables, where a field turns over.
fn twisted_disk() -> impl Strategy<Value = (Vec<Change>, Vec<(usize, u64)>)> {
    let offset = prop_oneof![(0..9_u64).prop_map(|cluster| cluster * CLUSTER), number()];
    let marks = prop::sample::select(vec![0, 1 << 63, 1 << 62, 1, 1 << 56]);
    let entry = (offset, marks).prop_map(|(offset, mark)| offset | mark);
    let place = prop_oneof![0..80_usize, 8192..8200_usize, 16_384..16_390_usize, 24_576..32_768_usize];
    (prop::collection::vec(change(), 0..2), prop::collection::vec((place, entry), 0..4))
}

#[test]
fn a_changed_disk_is_read_in_bounded_memory_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (template, file) = (folder.path().join("overlay-template.ext4"), folder.path().join("overlay.qcow2"));
    fs::write(&template, "template").unwrap();
    fs::File::options().write(true).open(&template).unwrap().set_len(1 << 30).unwrap();
    let whole = qcow2();
    explore(300, &twisted_disk(), |(changes, words)| {
        let mut bytes = whole.clone();
        for (at, word) in words {
            bytes[8 * at..8 * (at + 1)].copy_from_slice(&word.to_be_bytes());
        }
        all(&changes, &mut bytes);
        fs::write(&file, &bytes).unwrap();
        let mut content = 0;
        let (read, memory) = memory::peak_of(|| {
            let disk = Disk::open(&file).ok()?;
            read_disk(&disk, &mut |part| match part {
                Part::Data(bytes) => content += bytes.len() as u64,
                Part::Zeros(count) => content += count,
                Part::Member(_) => panic!("a member in a disk"),
            })
            .ok()?;
            Some((disk.size(), disk.logical_size()))
        });
        prop_assert!(memory < 8 << 20, "{memory} bytes of memory");
        if let Some((size, logical)) = read {
            prop_assert_eq!(content, size);
            prop_assert!(size <= logical && logical <= 16 << 40);
        }
        Ok(())
    });
    fs::write(&file, &whole).unwrap();
    assert_eq!(Disk::open(&file).unwrap().size(), 3 * (512 << 20));
}

// ------------------------------------------------------------------------------------------------------- lists

/// Values that a list could hold where it should not.
const ODD: [&str; 20] = [
    "null",
    "true",
    "0",
    "-1",
    "1e30",
    "0.5",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "\"\"",
    "\"\\u001b[2J\\n\\u202e\"",
    "\"\\ud800\"",
    "[]",
    "[[[[[[[[",
    "{}",
    "{\"a\":{\"a\":[1,null]}}",
    "\"unterminated",
    "[\"10.0.0.0/8\",\"\\u0007\"]",
    "\"running\"",
];

/// How a list is changed.
#[derive(Debug, Clone)]
enum Twist {
    Bytes(Change),
    /// The value behind one of the colons is another one.
    Value(Index, &'static str),
}

fn twists() -> impl Strategy<Value = Vec<Twist>> {
    let value = (any::<Index>(), prop::sample::select(ODD.to_vec())).prop_map(|(at, odd)| Twist::Value(at, odd));
    prop::collection::vec(prop_oneof![1 => change().prop_map(Twist::Bytes), 3 => value], 1..4)
}

impl Twist {
    fn apply(&self, list: &mut Vec<u8>) {
        match self {
            Self::Bytes(change) => change.apply(list),
            Self::Value(which, odd) => {
                let colons: Vec<usize> =
                    list.windows(2).enumerate().filter(|(_, w)| *w == b": ").map(|(i, _)| i).collect();
                if colons.is_empty() {
                    return;
                }
                let start = colons[which.index(colons.len())] + 2;
                let length = list[start..].iter().position(|byte| b",\n".contains(byte)).unwrap_or_default();
                list.splice(start..start + length, odd.bytes());
            }
        }
    }
}

#[test]
fn a_list_is_understood_or_refused_and_what_is_understood_is_kept() {
    let cases = (prop::sample::select(corpus("ls")), twists());
    explore(600, &cases, |(mut list, twists)| {
        for twist in &twists {
            twist.apply(&mut list);
        }
        let (read, memory) = memory::peak_of(|| serde_json::from_slice::<Vec<Machine>>(&list));
        prop_assert!(memory < 1 << 20, "{memory} bytes of memory for {}", list.len());
        if let Ok(machines) = read {
            let printed = serde_json::to_string(&machines).unwrap();
            let again: Vec<Machine> =
                serde_json::from_str(&printed).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(printed, serde_json::to_string(&again).unwrap());
        }
        Ok(())
    });
}

#[test]
fn the_lists_and_artifacts_of_real_engines_are_understood() {
    for list in corpus("ls") {
        let machines: Vec<Machine> = serde_json::from_slice(&list).unwrap();
        assert_eq!(machines.len(), 3);
        assert!(machines.iter().any(|vm| vm.name == "net" && vm.network && (vm.mounts, vm.ports) == (1, 1)));
    }
    let folder = tempfile::tempdir().unwrap();
    for bytes in corpus("artifact") {
        assert_eq!(verdict(&folder.path().join("x"), &bytes).0.unwrap().bytes, bytes.len() as u64);
    }
}
