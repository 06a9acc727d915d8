//! Random trees of files, written by Linux on mounted disks: `files`, `cat`, `cp` and `diff` show what a mount shows, also of
//! disks that were not unmounted, whose journal has to be replayed. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long};
use crate::support::guest_files::{Bare, corpus, tar_of};
use crate::support::namespace::in_a_namespace;
use crate::support::{World, random_bytes, stdout};
use jiff::Timestamp;
use rustix::fs::{self as sys, AtFlags, FallocateFlags, FileType, Mode, Timespec, Timestamps, XattrFlags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// What a mount shows of each file, by its path.
type Tree = BTreeMap<PathBuf, Value>;

fn run(program: &str, words: &[&OsStr]) {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {output:?}");
}

const NO_JOURNAL: &str = "^has_journal";

/// A mounted disk, until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, at: &Path) -> Self {
        Self::with("loop", image, at)
    }

    fn with(options: &str, image: &Path, at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let words = ["-t", "ext4", "-o", options].map(OsStr::new);
        run("mount", &words.into_iter().chain([image.as_os_str(), at.as_os_str()]).collect::<Vec<_>>());
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A program that another thread starts has all files open for a moment.
        let unmounted = || Command::new("umount").arg(&self.0).output().is_ok_and(|done| done.status.success());
        for _ in 0..100 {
            if unmounted() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        eprintln!("{} stays mounted", self.0.display());
    }
}

fn copy(from: &Path, to: &Path) {
    run("cp", &[OsStr::new("--sparse=always"), from.as_os_str(), to.as_os_str()]);
}

/// The round with a folder of 100,000 files.
const MANY: usize = 3;

/// Makes a file system; each round has another kind.
fn make(image: &Path, round: usize, random: &mut Random) -> String {
    let block = ["1024", "2048", "4096"][pick(random, 3)];
    let kinds = [
        "64bit",
        "^metadata_csum",
        "^metadata_csum,^64bit",
        "^64bit",
        "bigalloc,^resize_inode -C 16384",
        "meta_bg,^resize_inode",
        NO_JOURNAL,
        "^dir_index",
        "metadata_csum_seed",
        "^flex_bg,sparse_super2",
    ];
    let kind = kinds[round % kinds.len()];
    // A small journal goes round.
    let journal = if kind == NO_JOURNAL { "" } else { " -J size=4" };
    // With large clusters, there is no room for so many inodes.
    let inodes = if round % 20 == MANY { 120_000 } else { 8000 };
    let line = format!("-q -F -t ext4 -b {block} -N {inodes}{journal} -O {kind}");
    let words = line.split(' ').map(OsStr::new).chain([image.as_os_str(), OsStr::new("320M")]).collect::<Vec<_>>();
    run("mke2fs", &words);
    line
}

fn pick(random: &mut Random, of: usize) -> usize {
    usize::try_from(random.below(of as u64)).unwrap()
}

fn number(random: &mut Random, below: u64) -> u32 {
    u32::try_from(random.below(below)).unwrap()
}

/// A name of a random kind.
fn name(number: u64, random: &mut Random) -> OsString {
    let text = |text: String| text.into_bytes();
    OsString::from_vec(match random.below(7) {
        0 => text(format!("ä日{number}")),
        1 => text(format!("a b\n{number}")),
        2 => text(format!("{number}\u{1b}[2J")),
        3 => [number.to_string().as_bytes(), b"\xff\xfe"].concat(),
        4 => text(format!("{number:-<255}")),
        _ => text(format!("f{number}")),
    })
}

/// Makes a new file of a random kind.
fn add(path: &Path, any: &Path, random: &mut Random) {
    match random.below(10) {
        0 => symlink(format!("../{}", "x".repeat(pick(random, 3000) % 150)), path).unwrap(),
        1 => symlink("y/".repeat(pick(random, 350) + 100), path).unwrap(),
        2 => {
            let device = sys::makedev(number(random, 300), number(random, 70_000));
            let kind = [FileType::CharacterDevice, FileType::BlockDevice, FileType::Fifo][pick(random, 3)];
            sys::mknodat(sys::CWD, path, kind, Mode::from_raw_mode(0o600), device).unwrap();
        }
        3 => {
            let file = File::create(path).unwrap();
            for piece in 0..random.below(200) {
                file.write_all_at(format!("piece {piece}").as_bytes(), piece * random.between(1, 9) * 3000).unwrap();
            }
        }
        4 => {
            let file = File::create(path).unwrap();
            sys::fallocate(&file, FallocateFlags::KEEP_SIZE, random.below(50_000), random.between(1, 200_000)).unwrap();
            file.write_all_at(b"written", random.below(100_000)).unwrap();
            file.set_len(random.below(300_000)).unwrap();
        }
        5 if any.is_file() => {
            let _ = fs::hard_link(any, path);
        }
        _ => fs::write(path, random_bytes(pick(random, 40_000))).unwrap(),
    }
}

/// Changes what is known of a file.
fn change(path: &Path, random: &mut Random) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    if meta.is_file() && random.below(2) == 0 {
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(&random_bytes(pick(random, 3000)), random.below(100_000)).unwrap();
    }
    if (meta.is_file() || meta.is_dir()) && random.below(3) == 0 {
        let name = ["user.a", "user.longer-name", "trusted.t", "security.s"][pick(random, 4)];
        let value = vec![b'v'; pick(random, 200)];
        // A block of 1 KiB may have no room for one more.
        let _ = sys::setxattr(path, name, &value, XattrFlags::empty());
    }
    if !meta.is_symlink() && random.below(4) == 0 {
        // An access control list with a named user: the mode of the group is the mask then.
        let named = [
            (1_u16, 6, u32::MAX),
            (2, 7, number(random, 9000)),
            (4, 4, u32::MAX),
            (16, 7, u32::MAX),
            (32, 0, u32::MAX),
        ];
        let entry =
            |(tag, may, id): (u16, u16, u32)| [&tag.to_le_bytes()[..], &may.to_le_bytes(), &id.to_le_bytes()].concat();
        let list = [2_u32.to_le_bytes().to_vec(), named.map(entry).concat()].concat();
        let _ = sys::setxattr(path, "system.posix_acl_access", &list, XattrFlags::empty());
    }
    if random.below(3) == 0 {
        let (uid, gid) = (number(random, 1 << 31), number(random, 70_000));
        std::os::unix::fs::lchown(path, Some(uid), Some(gid)).unwrap();
    }
    if !meta.is_symlink() && random.below(3) == 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(number(random, 0o10000))).unwrap();
    }
    if random.below(3) == 0 {
        let seconds = [-1, 0, -2_000_000_000, 2_200_000_000, 10_000_000_000, 1_700_000_000][pick(random, 6)];
        let time = Timespec { tv_sec: seconds, tv_nsec: number(random, 1_000_000_000).into() };
        let times = Timestamps { last_access: time, last_modification: time };
        sys::utimensat(sys::CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// Adds, changes, renames and removes files.
fn grow(top: &Path, steps: u64, from: u64, random: &mut Random) {
    let mut folders = vec![top.to_owned()];
    let mut files = vec![top.join("none")];
    for number in from..from + steps {
        let above = folders[pick(random, folders.len())].clone();
        let path = above.join(name(number, random));
        let old = files[pick(random, files.len())].clone();
        match random.below(12) {
            0 | 1 if above.as_os_str().len() < 3000 => {
                fs::create_dir(&path).unwrap();
                change(&path, random);
                folders.push(path);
            }
            2 => {
                let _ = fs::remove_file(old);
            }
            3 => {
                let _ = fs::rename(old, &path);
                files.push(path);
            }
            4 => change(&old, random),
            _ => {
                add(&path, &old, random);
                change(&path, random);
                files.push(path);
            }
        }
    }
}

/// What is hard to read: a large folder, a large file, deep folders.
fn grow_much(top: &Path, round: usize) {
    let many = top.join("many");
    fs::create_dir(&many).unwrap();
    let count = if round % 20 == MANY { 100_000 } else { 1500 };
    (0..count).for_each(|number| drop(File::create(many.join(format!("entry number {number}"))).unwrap()));
    if round % 20 == 4 {
        let mut large = File::create(top.join("large")).unwrap();
        large.write_all(b"begin").unwrap();
        large.write_all_at(b"end", (4 << 30) + 5).unwrap();
    }
    let pieces = File::create(top.join("pieces")).unwrap();
    (0..500).for_each(|piece| pieces.write_all_at(b"piece", piece * 40_000).unwrap());
    let deep = (0..100).fold(top.to_owned(), |path, number| path.join(format!("deep{number}")));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "b").unwrap();
}

fn attributes(path: &Path) -> BTreeMap<String, String> {
    let mut names = [0; 4 << 10];
    let length = sys::llistxattr(path, &mut names[..]).unwrap();
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = [0; 4 << 10];
            let length = sys::lgetxattr(path, OsStr::from_bytes(name), &mut value[..]).unwrap();
            (String::from_utf8_lossy(name).into_owned(), base16ct::lower::encode_string(&value[..length]))
        })
        .collect()
}

/// What `snapshot files` should print of this file.
fn seen(path: &Path, shown: &Path) -> Value {
    let meta = fs::symlink_metadata(path).unwrap();
    let kind = match meta.file_type() {
        kind if kind.is_dir() => "folder",
        kind if kind.is_symlink() => "link",
        kind if kind.is_fifo() => "fifo",
        kind if kind.is_char_device() => "character-device",
        kind if kind.is_block_device() => "block-device",
        _ => "file",
    };
    let device = kind.ends_with("device").then(|| [sys::major(meta.rdev()), sys::minor(meta.rdev())]);
    let target = meta.is_symlink().then(|| fs::read_link(path).unwrap().to_str().unwrap().to_owned());
    let time = Timestamp::new(meta.mtime(), i32::try_from(meta.mtime_nsec()).unwrap()).unwrap();
    let mut seen = json!({
        "path": shown.to_string_lossy(), "kind": kind, "mode": format!("{:04o}", meta.mode() & 0o7777),
        "uid": meta.uid(), "gid": meta.gid(), "bytes": meta.len(), "links": meta.nlink(), "target": target,
        "device": device, "modified": time.to_string(), "attributes": attributes(path),
    });
    if shown.to_str().is_none() {
        seen["path_bytes"] = base16ct::lower::encode_string(shown.as_os_str().as_bytes()).into();
    }
    seen
}

/// All files below a mount, as `snapshot files /storage` should print them.
fn tree(top: &Path) -> Tree {
    let (mut all, mut folders) = (Tree::new(), vec![top.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let short = path.strip_prefix(top).unwrap().to_owned();
            all.insert(short.clone(), seen(&path, &Path::new("/storage").join(short)));
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                folders.push(path);
            }
        }
    }
    all
}

/// Whether two files have the same bytes; of large ones, both ends are compared.
fn is_same(one: &Path, other: &Path) -> bool {
    let [bytes, others] = [one, other].map(|path| fs::metadata(path).unwrap().len());
    if bytes != others || bytes == 0 {
        return bytes == others;
    }
    let [one, other] = [one, other].map(|path| File::open(path).unwrap());
    let window = bytes.min(16 << 20);
    let read = |file: &File, at: u64| {
        let mut buffer = vec![0; usize::try_from(window).unwrap()];
        file.read_exact_at(&mut buffer, at).unwrap();
        buffer
    };
    [0, bytes - window].into_iter().all(|at| read(&one, at) == read(&other, at))
}

/// Writes an artifact with this disk.
fn pack(world: &World, image: &Path, file: &str) {
    let (base, storage) = (tar_of(&[("etc/", "")]), fs::read(image).unwrap());
    world.write(file, Bare { base, overlay: corpus("overlay"), storage }.artifact());
}

/// Checks what is printed of a packed disk against a mount of it.
fn check(world: &World, file: &str, mount: &Path, about: &str) {
    let listed = stdout(&world.run(&format!("snapshot files ./{file} /storage -r --json")).success());
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let mut expected = tree(mount);
    for one in &listed {
        let path = match one["path_bytes"].as_str() {
            Some(bytes) => OsString::from_vec(base16ct::lower::decode_vec(bytes).unwrap()),
            None => one["path"].as_str().unwrap().into(),
        };
        let path = Path::new(&path).strip_prefix("/storage").unwrap();
        let expected = expected.remove(path).unwrap_or_else(|| panic!("{about}: {} is not there", path.display()));
        assert_eq!(*one, expected, "{about}: {}", path.display());
    }
    assert_eq!(expected.keys().next(), None, "{about}: not listed");
    world.run(&format!("cp ./{file}:/storage copy")).success();
    let copied = world.path("work/copy");
    for one in listed.iter().filter(|one| one["kind"] == "file" && one["path_bytes"].is_null()) {
        let path = Path::new(one["path"].as_str().unwrap()).strip_prefix("/storage").unwrap();
        assert!(is_same(&mount.join(path), &copied.join(path)), "{about}: {} has other bytes", path.display());
    }
    for (kind, kept) in [("file", 0o777), ("folder", 0o1777)] {
        for one in listed.iter().filter(|one| one["kind"] == kind && one["path_bytes"].is_null()) {
            let path = Path::new(one["path"].as_str().unwrap()).strip_prefix("/storage").unwrap();
            let [mounted, copied] = [mount, &copied].map(|top| fs::symlink_metadata(top.join(path)).unwrap().mode());
            let list = one["attributes"]["system.posix_acl_access"].is_string();
            // Who is named in a list may do more than the group.
            let kept = if list { kept & (!0o070 | 0o040) } else { kept };
            assert_eq!(copied & 0o7777, mounted & kept, "{about}: mode of {}", path.display());
        }
    }
    fs::remove_dir_all(copied).unwrap();
    let small = listed.iter().filter(|one| one["kind"] == "file" && one["path_bytes"].is_null());
    for one in small.filter(|one| one["bytes"].as_u64() < Some(1 << 20)).step_by(400).take(4) {
        let path = one["path"].as_str().unwrap();
        let run = world.command(["snapshot", "cat", &format!("./{file}:{path}")]).output().unwrap();
        let expected = fs::read(mount.join(path.strip_prefix("/storage/").unwrap())).unwrap();
        assert!(run.stdout == expected, "{about}: cat {path}");
    }
}

/// Which files differ, and whether they are new, gone or changed.
fn differences(old: &Path, new: &Path) -> BTreeMap<String, &'static str> {
    let (one, mut two) = (tree(old), tree(new));
    let mut all = BTreeMap::new();
    for (path, file) in &one {
        let Some(other) = two.remove(path) else {
            all.insert(name_of(file), "removed");
            continue;
        };
        let keys = ["kind", "mode", "uid", "gid", "target", "device", "attributes"];
        let is_file = file["kind"] == "file" && other["kind"] == "file";
        let differs = keys.iter().any(|key| file[key] != other[key])
            || is_file && (file["bytes"] != other["bytes"] || !is_same(&old.join(path), &new.join(path)));
        if differs {
            all.insert(name_of(file), "changed");
        }
    }
    all.extend(two.values().map(|file| (name_of(file), "added")));
    all
}

fn name_of(file: &Value) -> String {
    file["path_bytes"].as_str().or(file["path"].as_str()).unwrap().to_owned()
}

fn compare(world: &World, random: &mut Random, round: usize) {
    let (image, at) = (world.path("image"), world.path("mount"));
    let about = format!("round {round}: {}", make(&image, round, random));
    let mounted = Mounted::new(&image, &at);
    grow(&at, 300, 0, random);
    grow_much(&at, round);
    drop(mounted);
    let [old, new, dirty] = ["old", "new", "dirty"].map(|name| world.path(name));
    copy(&image, &old);
    let has_journal = !about.contains(NO_JOURNAL);
    // So that nothing is written between a sync and a copy.
    let mounted = Mounted::with(if has_journal { "loop,commit=600" } else { "loop" }, &image, &at);
    grow(&at, 300, 1000, random);
    if has_journal && random.below(3) > 0 {
        // As after a power cut: what was flushed is in the journal.
        run("sync", &[OsStr::new("-f"), at.as_os_str()]);
        grow(&at, 50, 2000, random);
        let last = File::create(at.join("last")).unwrap();
        last.sync_all().unwrap();
        drop(last);
        copy(&image, &new);
        drop(mounted);
    } else {
        drop(mounted);
        copy(&image, &new);
    }
    // A mount replays the journal, and writes.
    copy(&new, &dirty);
    let both = [(&old, world.path("old.mount")), (&dirty, world.path("new.mount"))];
    let [_old, _new] = both.clone().map(|(image, at)| Mounted::new(image, &at));
    pack(world, &old, "old.smolmachine");
    pack(world, &new, "new.smolmachine");
    check(world, "new.smolmachine", &both[1].1, &about);
    // It takes minutes, and has the same folder.
    if round != MANY {
        check(world, "old.smolmachine", &both[0].1, &about);
    }
    let text = stdout(&world.run("snapshot diff ./old.smolmachine ./new.smolmachine --json").success());
    let text: Value = serde_json::from_str(&text).unwrap();
    let listed = text["files"].as_array().unwrap().iter();
    let listed: BTreeMap<String, &str> = listed.map(|file| (name_of(file), file["change"].as_str().unwrap())).collect();
    assert_eq!(listed, differences(&both[0].1, &both[1].1), "{about}");
    assert!(!listed.is_empty(), "{about}");
}

#[test]
fn random_trees_are_those_that_a_mount_shows() {
    in_a_namespace(|| {
        let mut random = Random::new();
        let mut seeds = (0..if is_long() { 20 } else { 1 }).map(|round| (round, random.seed())).collect::<Vec<_>>();
        // The longest one first.
        seeds.reverse();
        seeds.sort_by_key(|(round, _)| *round == MANY);
        let next = Mutex::new(seeds);
        std::thread::scope(|scope| {
            for _ in 0..if is_long() { 3 } else { 1 } {
                scope.spawn(|| {
                    let round = || next.lock().unwrap().pop();
                    while let Some((round, mut random)) = round() {
                        let began = std::time::Instant::now();
                        compare(&World::new(), &mut random, round);
                        println!("round {round}: {:?}", began.elapsed());
                    }
                });
            }
        });
    });
}
