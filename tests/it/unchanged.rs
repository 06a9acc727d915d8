//! `freeze --if-changed`: no snapshot is made of a VM that is as it was.

use crate::support::library::damage;
use crate::support::{World, finish, names_in, real, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

fn references(world: &World) -> Vec<String> {
    stdout(&world.run("snapshot ls -q").success()).lines().map(str::to_owned).collect()
}

fn json(world: &World, line: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(&format!("{line} --json")).success())).unwrap()
}

/// Each object of the store belongs to a snapshot or a runtime, too.
fn assert_no_orphans(world: &World) {
    let store = world.path("home/library/store/objects");
    for name in names_in(&store) {
        assert!(fs::metadata(store.join(&name)).unwrap().nlink() > 1, "{name}");
    }
}

#[test]
fn a_vm_that_is_as_it_was_gets_no_second_snapshot() {
    for flags in ["", "--engine-pack"] {
        let world = World::new();
        world.vm("dev").stopped();
        world.write_guest("dev", "root/notes", "one");
        let line = format!("freeze dev --if-changed {flags}");
        world.run(line.trim_end()).success();
        let first = references(&world);
        let said = stdout(&world.run(line.trim_end()).success());
        assert!(said.starts_with(&format!("dev is unchanged since {} (", first[0])), "{said}");
        let report = json(&world, line.trim_end());
        assert_eq!((&report["unchanged"], &report["reference"]), (&json!(true), &json!(first[0])));
        assert_eq!(report["snapshot"]["id"], json!(first[0].split('@').next_back()));
        assert_eq!(references(&world), first);
        assert_no_orphans(&world);
        world.assert_clean(&[]);

        world.write_guest("dev", "root/notes", "two");
        world.run(line.trim_end()).success().stdout(contains("froze dev as dev@"));
        assert_eq!(references(&world).len(), 2);
        assert_eq!(json(&world, "freeze dev")["unchanged"], json!(false));
        assert_eq!(references(&world).len(), 3);
    }
}

#[test]
fn another_configuration_is_a_change() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.edit("dev", "labels", json!({"team": "b"}));
    world.run("freeze dev --if-changed").success().stdout(contains("froze dev"));
    world.run("freeze dev --if-changed").success().stdout(contains("unchanged"));
}

#[test]
fn the_snapshot_that_is_there_gets_the_tags_but_no_note() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t old -m first").success();
    world.write_guest("dev", "root/notes", "two");
    world.run("freeze dev -m second --label k=v").success();
    let newest = references(&world).pop().unwrap();
    let warning = contains(format!("{newest} did not get the note and the labels"));
    world.run("freeze dev --if-changed -t old -t new -m third").success().stderr(warning);
    let shown = json(&world, "snapshot show dev");
    assert_eq!((&shown["tags"], &shown["note"]), (&json!(["old", "new"]), &json!("second")));
    assert_eq!(shown["labels"], json!({"k": "v"}));
    assert_eq!(references(&world).len(), 2);
    world.run("snapshot ls --tag old -q").success().stdout(format!("{newest}\n"));
}

#[test]
fn a_tag_of_an_older_snapshot_moves_to_what_the_vm_is_now() {
    let world = World::new();
    world.vm("dev").stopped();
    for _ in 0..2 {
        world.run("freeze dev --if-changed -t nightly").success();
    }
    assert_eq!(references(&world).len(), 1);
    world.write_guest("dev", "root/notes", "two");
    world.run("freeze dev --if-changed -t nightly").success();
    assert_eq!(json(&world, "snapshot show dev")["tags"], json!(["nightly"]));
    world.run("snapshot ls --tag nightly -q").success().stdout(format!("{}\n", references(&world).pop().unwrap()));
    assert_eq!(references(&world).len(), 2);
    world.assert_clean(&[]);
}

#[test]
fn a_running_vm_is_stopped_and_started_as_for_any_freeze() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --if-changed --yes --restart").success();
    assert_eq!(world.state("dev"), "running");
    let first = references(&world);
    let hook = "host:echo \"$BOTTLE_FREEZE_SNAPSHOT\" > seen";
    let words = ["freeze", "dev", "--if-changed", "--yes", "--restart", "--post-freeze", hook];
    finish(world.command(words)).success().stdout(contains("unchanged").and(contains("down for")));
    assert_eq!(world.read("seen").trim(), first[0]);
    assert_eq!(world.state("dev"), "running");
    assert_eq!(references(&world), first);
}

#[test]
fn a_snapshot_that_lost_chunks_is_not_believed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let objects = world.path(&format!("home/library/snapshots/{}/objects", references(&world)[0].replace('@', "/")));
    fs::remove_file(objects.join(&names_in(&objects)[0])).unwrap();
    world.run("freeze dev --if-changed").success().stdout(contains("froze dev"));
}

#[test]
fn a_damaged_chunk_of_what_did_not_change_is_replaced() {
    for flags in ["", " --engine-pack", " --if-changed"] {
        let world = World::new();
        world.vm("dev").stopped();
        world.write_guest("dev", "root/notes", crate::support::random_bytes(100_000));
        world.run("freeze dev").success();
        damage(&world.path(&format!("home/library/snapshots/{}", references(&world)[0].replace('@', "/"))));
        world.run("snapshot verify dev").code(10);
        world.run(&format!("freeze dev{flags}")).success().stdout(contains("froze dev"));
        world.run("snapshot verify --all").success();
        assert_eq!(references(&world).len(), 2);
    }
}

#[test]
fn only_a_snapshot_in_chunks_can_be_compared() {
    let world = World::new();
    world.vm("dev").stopped();
    for other in ["-o x.smolmachine", "--live", "--launcher"] {
        world.run(&format!("freeze dev --if-changed {other}")).code(2).stderr(contains("cannot be used with"));
    }
    world.run("freeze dev --launcher").success();
    world.run("freeze dev --if-changed").success().stdout(contains("froze dev"));
}

#[test]
fn the_real_engine_gives_the_same_vm_twice() {
    if !real::is_asked_for() {
        return;
    }
    let world = World::new();
    real::vm(&world, "dev", 1);
    let run = |line: &str| stdout(&finish(real::line(&world, line)).success());
    for flags in ["", " --engine-pack"] {
        assert!(run(&format!("freeze dev{flags}")).starts_with("froze dev as dev@"));
        let newest = run("snapshot ls -q").lines().last().unwrap().to_owned();
        // Whichever way it was frozen.
        for flags in ["", " --engine-pack"] {
            let said = run(&format!("freeze dev --if-changed{flags}"));
            assert!(said.starts_with(&format!("dev is unchanged since {newest}")), "{said}");
        }
    }
    assert_eq!(run("snapshot ls -q").lines().count(), 2);
    assert_no_orphans(&world);
}

#[test]
fn a_file_system_that_was_only_mounted_is_no_change() {
    if !real::is_asked_for() {
        return;
    }
    let world = World::new();
    real::vm(&world, "dev", 1);
    let folder = real::smolvm(&world, "machine data-dir --name dev").stdout;
    let disk = Path::new(String::from_utf8(folder).unwrap().trim()).join("overlay.raw");
    let content = world.path("content");
    fs::create_dir_all(content.join("upper/root")).unwrap();
    fs::create_dir_all(content.join("work")).unwrap();
    fs::write(content.join("upper/root/notes"), "one").unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).arg(&disk).output().unwrap();
        assert!(done.status.success(), "{program}: {done:?}");
    };
    fs::remove_file(&disk).unwrap();
    let made = Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([&content, &disk]).arg("256M").status();
    assert!(made.unwrap().success());
    let freeze = || stdout(&finish(real::line(&world, "freeze dev --if-changed")).success());
    assert!(freeze().starts_with("froze dev"));
    run("tune2fs", &["-C", "7"]);
    assert!(freeze().starts_with("dev is unchanged since"));
    run("debugfs", &["-w", "-R", "set_inode_field /upper/root/notes mtime 20260101000000"]);
    assert!(freeze().starts_with("froze dev"), "a file has another time");
    run("debugfs", &["-w", "-R", "set_inode_field /upper/root/notes mode 0100600"]);
    assert!(freeze().starts_with("froze dev"), "a file has another mode");
    run("debugfs", &["-w", "-R", "set_inode_field /upper/root/notes flags 0x80010"]);
    assert!(freeze().starts_with("froze dev"), "a file must not be changed (chattr +i)");
    run("debugfs", &["-w", "-R", "set_inode_field /upper mode 040700"]);
    assert!(freeze().starts_with("froze dev"), "the root has another mode");
    // It may hold what was deleted.
    finish(real::line(&world, "freeze dev --no-trim")).success();
    run("tune2fs", &["-C", "8"]);
    assert!(freeze().starts_with("froze dev"), "the last one was not trimmed");
    run("tune2fs", &["-C", "9"]);
    assert!(freeze().starts_with("dev is unchanged since"));
    assert_no_orphans(&world);
}
