//! A freeze of disks that are what they were: they are not read again, and nothing that changed is missed.

use crate::support::library::{Reader, damage, objects, snapshots};
use crate::support::namespace::{self, in_a_namespace};
use crate::support::{World, finish, names_in, real, stderr, stdout};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

const OVERLAY: &str = "overlay.raw is what it was";
const STORAGE: &str = "storage.ext4 is what it was";

/// A world with a frozen VM whose disks were not changed for some time. Nothing without a real engine, or where a change may
/// leave no trace.
fn frozen() -> Option<World> {
    if !real::is_asked_for() {
        return None;
    }
    let world = World::new();
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(world.path("home")).output().unwrap().stdout;
    if !["ext2/ext3\n", "xfs\n", "btrfs\n"].contains(&&*String::from_utf8_lossy(&kind)) {
        println!("NOT RUN: on this file system a change may leave no trace");
        return None;
    }
    real::vm(&world, "dev", 3);
    sleep(Duration::from_millis(3100));
    freeze(&world, "");
    Some(world)
}

/// Freezes the VM; returns what --verbose prints.
fn freeze(world: &World, flags: &str) -> String {
    let line = format!("freeze dev --verbose {flags}");
    stderr(&finish(real::line(world, line.trim_end())).success())
}

/// The newest snapshot, and its members with their chunks.
fn newest(world: &World) -> (String, Value) {
    let name = stdout(&world.run("snapshot ls dev -q").success()).lines().last().unwrap().to_owned();
    let index = fs::read(snapshots(world)[&name].join("index.json")).unwrap();
    let mut index: Value = serde_json::from_slice(&index).unwrap();
    (name, index["members"].take())
}

fn disk(world: &World) -> PathBuf {
    let printed = real::smolvm(world, "machine data-dir --name dev").stdout;
    PathBuf::from(String::from_utf8(printed).unwrap().trim()).join("overlay.raw")
}

fn record(world: &World) -> PathBuf {
    world.path("home/library/vms/dev.disks")
}

#[test]
fn disks_that_are_what_they_were_are_not_read_again() {
    let Some(world) = frozen() else { return };
    let (first, index) = newest(&world);
    let said = freeze(&world, "");
    assert!(said.contains(&format!("{OVERLAY} in {first}")) && said.contains(STORAGE), "{said}");
    let (second, same) = newest(&world);
    assert_ne!(second, first);
    assert_eq!(same, index);
    let said = freeze(&world, "--if-changed");
    assert!(said.contains(&format!("{OVERLAY} in {second}")), "{said}");
    assert_eq!(newest(&world).0, second);
    world.run(&format!("snapshot rm {first} --yes")).success();
    world.run("snapshot verify --all").success();
    let said = freeze(&world, "");
    assert!(said.contains(OVERLAY), "{said}");
    Reader::default().check(&snapshots(&world)[&newest(&world).0]).unwrap();
}

#[test]
fn a_snapshot_that_was_not_made_again_stands_for_the_disks_too() {
    let Some(world) = frozen() else { return };
    let (first, _) = newest(&world);
    fs::remove_file(record(&world)).unwrap();
    assert!(!freeze(&world, "--if-changed").contains(OVERLAY));
    assert!(freeze(&world, "").contains(&format!("{OVERLAY} in {first}")));
}

#[test]
fn no_change_of_a_disk_is_missed() {
    let Some(world) = frozen() else { return };
    let disk = disk(&world);
    let modified = || fs::metadata(&disk).unwrap().modified().unwrap();
    let set_modified = |to| File::options().write(true).open(&disk).unwrap().set_modified(to).unwrap();
    let (mut index, before) = (newest(&world).1, modified());
    // Written in place, with its time set back.
    real::change(&world, "dev", 100_000);
    set_modified(before);
    let said = freeze(&world, "");
    assert!(!said.contains(OVERLAY) && said.contains(STORAGE), "{said}");
    assert!(newest(&world).1 != index);
    // Written just after it was read, and just before.
    for _ in 0..2 {
        index = newest(&world).1;
        real::change(&world, "dev", 100_000);
        set_modified(before);
        assert!(!freeze(&world, "").contains(OVERLAY));
        assert!(newest(&world).1 != index);
    }
    // Another file with its name and its time.
    sleep(Duration::from_millis(3100));
    freeze(&world, "");
    assert!(freeze(&world, "").contains(OVERLAY));
    index = newest(&world).1;
    let copy = disk.with_extension("copy");
    fs::copy(&disk, &copy).unwrap();
    fs::rename(&copy, &disk).unwrap();
    set_modified(before);
    assert!(!freeze(&world, "").contains(OVERLAY));
    assert!(newest(&world).1 == index);
}

#[test]
fn disks_that_are_what_they_were_need_no_space() {
    in_a_namespace(|| {
        if !real::is_asked_for() {
            return;
        }
        let world = World::new();
        let library = world.path("home/library");
        namespace::disk(&library, "size=600m");
        real::vm(&world, "dev", 100);
        sleep(Duration::from_millis(3100));
        freeze(&world, "");
        let used = Command::new("df").args(["--output=used", "-k"]).arg(&library).output().unwrap().stdout;
        let used: u64 = String::from_utf8(used).unwrap().lines().last().unwrap().trim().parse().unwrap();
        namespace::disk(&library, &format!("size={}k", used + (60 << 10)));
        let said = freeze(&world, "");
        assert!(said.contains(OVERLAY) && said.contains(STORAGE), "{said}");
        real::change(&world, "dev", 1);
        let refused = finish(real::line(&world, "freeze dev")).code(8);
        assert!(stderr(&refused).contains("may take"), "{refused}");
    });
}

#[test]
fn disks_are_read_again_if_that_may_give_something_else() {
    let Some(world) = frozen() else { return };
    assert!(!freeze(&world, "--no-trim").contains(OVERLAY));
    assert!(freeze(&world, "--no-trim").contains(OVERLAY));
    assert!(!freeze(&world, "").contains(OVERLAY));
    assert!(!freeze(&world, "--engine-pack").contains(OVERLAY));
    // What the engine packed is not known to be the same.
    assert!(!freeze(&world, "").contains(OVERLAY));
    let known: Value = serde_json::from_slice(&fs::read(record(&world)).unwrap()).unwrap();
    for (key, value) in [
        ("/read/boot", json!("another")),
        ("/read/version", json!("0.0.1")),
        ("/snapshot", json!("dev@00000000")),
        ("/index", json!("0".repeat(64))),
        ("/read/disks/overlay.raw/files/0/6", json!(1)),
        ("/read/disks", json!({})),
    ] {
        let mut other = known.clone();
        *other.pointer_mut(key).unwrap() = value;
        other["snapshot"] = if key == "/snapshot" { other["snapshot"].clone() } else { json!(newest(&world).0) };
        fs::write(record(&world), other.to_string()).unwrap();
        let said = freeze(&world, "");
        assert!(!said.contains(OVERLAY), "{key}: {said}");
    }
    assert!(freeze(&world, "").contains(OVERLAY));
}

#[test]
fn a_record_that_is_none_is_ignored() {
    let Some(world) = frozen() else { return };
    let record = record(&world);
    let makes: BTreeMap<&str, fn(&PathBuf)> = BTreeMap::from([
        ("text", (|path| fs::write(path, "{\"snapshot\": [").unwrap()) as fn(&PathBuf)),
        ("link", |path| symlink("/etc/passwd", path).unwrap()),
        ("fifo", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("folder", |path| fs::create_dir(path).unwrap()),
    ]);
    for (what, make) in makes {
        fs::remove_file(&record).unwrap();
        make(&record);
        assert!(!freeze(&world, "").contains(OVERLAY), "{what}");
        if what == "folder" {
            fs::remove_dir(&record).unwrap();
            freeze(&world, "");
        }
    }
    assert!(freeze(&world, "").contains(OVERLAY));
}

#[test]
fn a_damaged_chunk_is_read_from_the_disk_again() {
    let Some(world) = frozen() else { return };
    damage(&snapshots(&world)[&newest(&world).0]);
    world.run("snapshot verify --all").code(10);
    freeze(&world, "");
    world.run("snapshot verify --all").success();
    let missing = objects(&snapshots(&world)[&newest(&world).0]);
    fs::remove_file(&missing[missing.len() / 2]).unwrap();
    freeze(&world, "");
    Reader::default().check(&snapshots(&world)[&newest(&world).0]).unwrap();
    assert!(freeze(&world, "").contains(OVERLAY));
}

#[test]
fn a_vm_that_is_removed_takes_the_record_of_its_disks_along() {
    let Some(world) = frozen() else { return };
    assert_eq!(names_in(&world.path("home/library/vms")), ["dev.disks"]);
    finish(real::line(&world, "rm dev --yes")).success();
    assert_eq!(names_in(&world.path("home/library/vms")), [""; 0]);
}
