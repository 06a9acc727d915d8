//! Power cuts: what a command has published is still there if the power fails the moment after it returned.
//!
//! Everything is on a file system on a loop device. After a command has returned, the file behind the device is copied:
//! it contains what has reached the disk, and nothing that the system still has in memory. The copy is mounted in its
//! place, as after a power cut, and must contain everything that was there when the command returned.
//!
//! `BOTTLE_FREEZE_FAULTS=long` cuts the power after every command, on ext4, xfs and btrfs.

use crate::engine_install::{Index, command, wheel};
use crate::leftovers::{killed_at, left, wait_for_the_dead};
use crate::support::chaos::{Random, is_long};
use crate::support::guest_files::{bare, import};
use crate::support::library::{Reader, snapshots, stored_objects};
use crate::support::namespace::in_a_namespace;
use crate::support::{World, finish, random_bytes, real, stderr, stdout, wait_until};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Every command that publishes or removes something, in the order in which they run. A command comes after those that
/// it needs.
const PUBLISHING: [&str; 28] = [
    "freeze dev -o out.smolmachine",
    "freeze dev -o pair",
    "freeze dev -o pair --force",
    "freeze dev -t one",
    "freeze dev -t one --force --launcher -m again",
    "cp files@latest:/workspace copied",
    "pack alpine -o base.smolmachine",
    "snapshot tag dev@one two",
    "snapshot export dev@one -o dev.tar",
    "snapshot export dev@one -o dev.tar --force",
    "snapshot import dev.tar --as imported",
    "snapshot push dev@one registry.test:5000/dev:one --yes",
    "snapshot pull registry.test:5000/dev:one --as pulled",
    "create web --net --allow-cidr 10.0.0.0/8",
    "thaw dev@one thawed --no-start",
    "thaw dev@one thawed --no-start --replace --yes",
    "rollback dev@one --no-start --yes",
    "engine install --version 1.4.0",
    "engine install --version 1.10.0",
    "engine use 1.10.0",
    "engine rm 1.4.0",
    "freeze dev --live -o live.checkpoint --no-space-check",
    "cp dev:/root/note note",
    "schedule dev --every 1d",
    "rm web --yes",
    "snapshot rm imported --yes",
    "snapshot prune dev --keep-last 1 --yes",
    "doctor --fix",
];

/// The commands after which the power is cut in the short version.
const SHORT: [&str; 5] = [
    "freeze dev -o pair",
    "freeze dev -t one --force --launcher -m again",
    "cp files@latest:/workspace copied",
    "snapshot export dev@one -o dev.tar",
    "engine install --version 1.4.0",
];

/// The commands that publish nothing.
const OTHERS: [&str; 17] = [
    "start",
    "stop",
    "exec",
    "ls",
    "pause",
    "resume",
    "snapshot ls",
    "snapshot show",
    "snapshot files",
    "snapshot cat",
    "snapshot diff",
    "snapshot verify",
    "verify",
    "doctor",
    "engine ls",
    "completions",
    "help",
];

#[test]
fn every_command_is_listed_as_publishing_or_not() {
    let world = World::new();
    for parent in ["", "snapshot ", "engine "] {
        let help = stdout(&world.run(&format!("{parent}--help")).success());
        // The commands of the program are in groups.
        let begin = if parent.is_empty() { "\nVMs:\n" } else { "Commands:\n" };
        let commands = help.split(begin).nth(1).unwrap().lines().take_while(|line| !line.ends_with("ptions:"));
        for name in
            commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty())
        {
            let name = format!("{parent}{name}");
            let publishes = PUBLISHING.iter().any(|line| *line == name || line.starts_with(&format!("{name} ")));
            let is_other = OTHERS.contains(&name.as_str()) || name == "engine help";
            assert!(publishes || is_other, "`{name}` is on neither list of this file");
        }
    }
}

#[test]
fn published_files_survive_a_power_cut_on_ext4() {
    in_a_namespace(|| cut_the_power("ext4", "commit=600"));
}

#[test]
fn published_files_survive_a_power_cut_on_xfs() {
    in_a_namespace(|| {
        if is_long() {
            cut_the_power("xfs", "nouuid");
        }
    });
}

#[test]
fn published_files_survive_a_power_cut_on_btrfs() {
    in_a_namespace(|| {
        if is_long() {
            cut_the_power("btrfs", "commit=600");
        }
    });
}

/// The commands that write and remove chunks, and the system calls at which the power fails: they write, name or remove
/// something.
const CHUNKS: [(&str, &[&str]); 4] = [
    ("freeze dev", &["linkat", "fdatasync", "fsync", "renameat2"]),
    ("snapshot import dev.tar --as imported", &["linkat", "fdatasync", "fsync", "renameat2"]),
    ("snapshot rm dev@gone --yes", &["unlink", "renameat2", "fsync", "rmdir"]),
    ("snapshot prune dev --keep-tag one --keep-last 1 --yes", &["unlink", "renameat2", "fsync", "rmdir"]),
];

#[test]
fn snapshots_survive_a_power_cut_in_the_middle_of_a_command_on_ext4() {
    in_a_namespace(|| cut_in_the_middle("ext4", "commit=600", if is_long() { 16 } else { 3 }));
}

#[test]
fn snapshots_survive_a_power_cut_in_the_middle_of_a_command_on_xfs_and_btrfs() {
    in_a_namespace(|| {
        if is_long() {
            cut_in_the_middle("xfs", "nouuid", 8);
            cut_in_the_middle("btrfs", "commit=600", 8);
        }
    });
}

/// Kills commands at a system call, and cuts the power then: nothing that they have not flushed has reached the disk.
fn cut_in_the_middle(kind: &'static str, options: &str, rounds: usize) {
    if Command::new("strace").arg("--version").output().is_err() {
        return println!("NOT RUN: strace is not installed");
    }
    let Some(disk) = Disk::new(kind, options, SMALL) else {
        assert!(!is_long(), "no {kind} can be mounted here");
        return println!("NOT RUN: no {kind} can be mounted here");
    };
    let world = World::in_folder(TempDir::new_in(disk.path()).unwrap(), "1.32.2");
    let (mut random, mut cuts) = (Random::new(), Vec::new());
    world.vm("dev").stopped();
    let change = || world.write_guest("dev", "root/note", random_bytes(280_000));
    change();
    world.run("freeze dev -t one").success();
    world.run("snapshot export dev@one -o dev.tar").success();
    while cuts.len() < rounds {
        let mut pick = |of: usize| usize::try_from(random.below(of as u64)).unwrap();
        let (line, calls) = CHUNKS[pick(CHUNKS.len())];
        let (call, nth) = (calls[pick(calls.len())], 1 + pick(6) as u64);
        world.run("snapshot rm imported --yes");
        change();
        let kept = stdout(&world.run("freeze dev -t kept --force -q").success()).trim().to_owned();
        change();
        let gone = stdout(&world.run("freeze dev -t gone --force -q").success()).trim().to_owned();
        // The prune keeps the newest.
        let safe = if line.contains("rm") { vec![kept] } else { vec![gone] };
        if !killed_at(&world, line, call, nth) {
            continue;
        }
        wait_for_the_dead(&world);
        cuts.push((format!("{line}: {call} {nth} on {kind}"), disk.cut(cuts.len()), safe));
    }
    disk.unmount();
    for (what, file, safe) in &cuts {
        assert!(disk.mount(file), "{what}: it cannot be mounted");
        let mut reader = Reader::default();
        let found = snapshots(&world);
        for (name, folder) in &found {
            reader.check(folder).unwrap_or_else(|why| panic!("{what}: {name}: {why}"));
        }
        assert!(safe.iter().all(|name| found.contains_key(name)), "{what}: {found:?} lack {safe:?}");
        for line in ["snapshot show dev@one", "snapshot verify --all", "snapshot prune --keep-last 99 --yes"] {
            let run = world.run(line);
            assert!(run.get_output().status.success(), "{what}: {line}: {}", stderr(&run));
        }
        assert_eq!(left(&world), [] as [PathBuf; 0], "{what}");
        let unused = stored_objects(&world).into_iter().filter(|path| fs::metadata(path).unwrap().nlink() == 1);
        assert_eq!(unused.count(), 0, "{what}");
        disk.unmount();
    }
    assert!(disk.mount(&disk.file()));
    drop(world);
    disk.unmount();
    println!("{} power cuts in the middle of a command on {kind}", cuts.len());
}

#[test]
fn a_freeze_from_the_disks_survives_a_power_cut() {
    in_a_namespace(|| {
        if is_long() {
            cut_a_real_freeze();
        }
    });
}

/// Cuts the power after each command on a real engine.
fn cut_a_real_freeze() {
    let disk = Disk::new("ext4", "commit=600", 2 << 30).expect("an ext4 that can be mounted");
    let world = World::in_folder(TempDir::new_in(disk.path()).unwrap(), "1.32.2");
    real::vm(&world, "dev", 2);
    let mut cuts = Vec::new();
    let lines = [
        "freeze dev -t one",
        "freeze dev -t two",
        "snapshot export dev@one -o dev.tar",
        "snapshot import dev.tar --as imported",
        "snapshot rm dev@one --yes",
        "freeze dev",
        "snapshot prune dev --keep-last 1 --yes",
    ];
    for (number, line) in lines.into_iter().enumerate() {
        real::change(&world, "dev", 1 << 20);
        finish(real::line(&world, line)).success();
        cuts.push((line, disk.cut(number), published(&world)));
    }
    disk.unmount();
    for (line, file, before) in &cuts {
        assert!(disk.mount(file), "after `{line}` it cannot be mounted");
        assert_same(before, &published(&world), &format!("after `{line}`"));
        world.run("snapshot verify --all").success();
        disk.unmount();
    }
    assert!(disk.mount(&disk.file()));
    drop(world);
    disk.unmount();
}

/// The content of a folder: mode and bytes for each path. Private folders and empty ones do not count.
type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

fn add(tree: &mut Tree, folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, meta) = (entry.path(), entry.metadata().unwrap());
        if entry.file_name().to_string_lossy().starts_with(".bottle-freeze-") {
            continue;
        }
        if meta.is_dir() {
            add(tree, &path);
        } else if meta.is_symlink() {
            tree.insert(path.clone(), (0, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()));
        } else {
            tree.insert(path.clone(), (meta.permissions().mode(), fs::read(&path).unwrap_or_default()));
        }
    }
}

/// Everything that was published in a world.
fn published(world: &World) -> Tree {
    let mut tree = Tree::new();
    for folder in ["work", "home/library/snapshots", "home/library/vms", "home/library/engines"] {
        add(&mut tree, &world.path(folder));
    }
    tree
}

/// The smallest size for xfs.
pub const SMALL: u64 = 320 << 20;

/// A file system on a loop device, in a file that can be copied.
pub struct Disk {
    folder: TempDir,
    kind: &'static str,
    options: String,
}

impl Disk {
    /// None if it cannot be mounted here.
    pub fn new(kind: &'static str, options: &str, bytes: u64) -> Option<Self> {
        let disk = Self { folder: TempDir::new().unwrap(), kind, options: format!("loop,{options}") };
        fs::create_dir(disk.path()).unwrap();
        fs::File::create(disk.file()).unwrap().set_len(bytes).unwrap();
        let made = Command::new(format!("mkfs.{kind}")).arg("-q").arg(disk.file()).output();
        (made.is_ok_and(|made| made.status.success()) && disk.mount(&disk.file())).then_some(disk)
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn mount(&self, file: &Path) -> bool {
        let mounted =
            Command::new("mount").args(["-t", self.kind, "-o", &self.options]).args([file, &self.path()]).output();
        mounted.is_ok_and(|mounted| mounted.status.success())
    }

    pub fn unmount(&self) {
        wait_until("the disk is not in use", || {
            Command::new("umount").arg(self.path()).output().unwrap().status.success()
        });
        // Another file with the same file system is another device.
        let _ = Command::new("btrfs").args(["device", "scan", "--forget"]).output();
    }

    /// What would be on it if the power failed now.
    fn cut(&self, number: usize) -> PathBuf {
        let copy = self.folder.path().join(format!("cut-{number}"));
        let copied = Command::new("cp").arg("--sparse=always").args([&self.file(), &copy]).status().unwrap();
        assert!(copied.success());
        copy
    }
}

fn cut_the_power(kind: &'static str, options: &str) {
    let Some(disk) = Disk::new(kind, options, SMALL) else {
        assert!(!is_long(), "no {kind} can be mounted here");
        return println!("NOT RUN: no {kind} can be mounted here");
    };
    let world = World::in_folder(TempDir::new_in(disk.path()).unwrap(), "1.32.2");
    world.vm("dev").stopped();
    world.write_guest("dev", "root/note", random_bytes(280_000));
    // The disks of the stand-in's own VMs hold no files that `cp` reads.
    import(&world, "files", &bare("overlay").artifact());
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let index = Index::new();
    index.offer(&[("1.4.0", wheel("1.4.0")), ("1.10.0", wheel("1.10.0"))]);
    let mut cuts = Vec::new();
    for (number, line) in PUBLISHING.into_iter().enumerate() {
        if !is_long() && number > PUBLISHING.iter().position(|line| *line == SHORT[4]).unwrap() {
            break;
        }
        if line.contains("--live") {
            world.run("start dev").success();
        }
        if is_long() || SHORT.contains(&line) {
            let synced = Command::new("sync").arg("-f").arg(disk.path()).status().unwrap();
            assert!(synced.success());
        }
        let run = if line.starts_with("engine") { finish(command(&world, &index, line)) } else { world.run(line) };
        if is_long() || SHORT.contains(&line) {
            cuts.push((line, disk.cut(number), published(&world)));
        }
        if !line.starts_with("doctor") {
            run.success();
        }
    }
    if world.state("dev") == "running" {
        world.run("stop dev").success();
    }
    disk.unmount();
    for (line, file, before) in &cuts {
        assert!(disk.mount(file), "after `{line}` the {kind} cannot be mounted");
        assert_same(before, &published(&world), &format!("after `{line}` on {kind}"));
        let run = world.run("snapshot verify --all");
        assert!(run.get_output().status.success(), "after `{line}` on {kind}: {}", stderr(&run));
        drop(run);
        disk.unmount();
    }
    assert!(disk.mount(&disk.file()));
    drop(world);
    disk.unmount();
    println!("{} power cuts on {kind}", cuts.len());
}

fn assert_same(before: &Tree, after: &Tree, what: &str) {
    let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
    let show = |tree: &Tree, path: &Path| tree.get(path).map(|(mode, content)| (format!("{mode:o}"), content.len()));
    let all: Vec<_> =
        before.keys().chain(after.keys().filter(|path| !before.contains_key(*path))).filter(differs).collect();
    let lines: Vec<_> = all
        .iter()
        .map(|path| format!("{}: {:?} became {:?}", path.display(), show(before, path), show(after, path)))
        .collect();
    assert!(lines.is_empty(), "{what}:\n{}", lines.join("\n"));
}
