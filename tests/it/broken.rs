//! A damaged entry of the library is reported, never skipped, and can be removed.

use crate::support::chaos::without_override;
use crate::support::library::{make_old, objects};
use crate::support::{World, finish, names_in, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One kind of damage to a snapshot.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 9] = [
    ("missing", |json| fs::remove_file(json).unwrap()),
    ("empty", |json| fs::write(json, "").unwrap()),
    ("not JSON", |json| fs::write(json, "hello").unwrap()),
    ("half", |json| {
        let text = fs::read(json).unwrap();
        fs::write(json, &text[..text.len() / 2]).unwrap();
    }),
    ("a folder", |json| {
        fs::remove_file(json).unwrap();
        fs::create_dir(json).unwrap();
    }),
    ("a FIFO", |json| {
        fs::remove_file(json).unwrap();
        assert!(Command::new("mkfifo").arg(json).status().unwrap().success());
    }),
    ("of another VM", |json| change(json, "vm", "other")),
    ("of another id", |json| change(json, "id", "0badf00d")),
    ("huge", |json| {
        let text = fs::read_to_string(json).unwrap();
        fs::write(json, text.replacen('{', &format!("{{\"note2\": \"{}\",", "x".repeat(30 << 20)), 1)).unwrap();
    }),
];

fn change(json: &Path, key: &str, value: &str) {
    let mut metadata: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    metadata[key] = json!(value);
    fs::write(json, metadata.to_string()).unwrap();
}

/// A world with two snapshots of `dev`; returns the ids of the old one and of the new one.
fn world() -> (World, [String; 2]) {
    let world = World::new();
    world.vm("dev").stopped();
    world.write_guest("dev", "root/state", "old");
    let old = reference(&world);
    world.write_guest("dev", "root/state", "new");
    let new = reference(&world);
    (world, [old, new])
}

fn reference(world: &World) -> String {
    let report: Value = serde_json::from_str(&stdout(&world.run("freeze dev --json").success())).unwrap();
    report["reference"].as_str().unwrap().trim_start_matches("dev@").to_owned()
}

fn folder(world: &World, id: &str) -> PathBuf {
    world.path("home/library/snapshots/dev").join(id)
}

fn damage(world: &World, id: &str, damage: fn(&Path)) {
    damage(&folder(world, id).join("snapshot.json"));
}

#[test]
fn verify_all_reports_every_damaged_entry() {
    for (kind, how) in DAMAGES {
        let (world, [old, new]) = world();
        damage(&world, &new, how);
        let run = world.run("snapshot verify --all").code(3);
        let said = stderr(&run);
        assert!(
            said.contains(&format!("dev@{new} is not a valid snapshot")) && said.contains("snapshot rm"),
            "{kind}: {said}"
        );
        assert!(stdout(&run).contains(&format!("dev@{old} is whole")), "{kind}");
        let report: Value = serde_json::from_str(&stdout(&world.run("snapshot verify --all --json").code(3))).unwrap();
        let entries = report.as_array().unwrap();
        let find = |id: &str| entries.iter().find(|entry| entry["reference"] == format!("dev@{id}")).unwrap();
        assert_eq!(
            (entries.len(), &find(&new)["error"]["code"], &find(&old)["whole"]),
            (2, &"damaged".into(), &true.into()),
            "{kind}"
        );
        world.run(&format!("snapshot rm dev@{old} --yes")).success();
        world.run("snapshot verify --all").code(10).stderr(contains(&*new));
        world.run("snapshot verify --all --json").code(10).stdout(contains(&*new));
    }
}

#[test]
fn a_damaged_entry_that_may_be_the_newest_is_never_skipped() {
    for (kind, how) in DAMAGES {
        let (world, [old, new]) = world();
        damage(&world, &new, how);
        for line in [
            "thaw dev x",
            "snapshot show dev",
            "snapshot export dev -o x.tar",
            "snapshot tag dev t",
            "snapshot verify dev",
            "snapshot rm dev --yes",
            "create x --from dev",
        ] {
            let run = world.run(line).code(10);
            let said = stderr(&run);
            assert!(
                said.contains(&format!("dev@{new}")) && said.contains(&format!("snapshot rm dev@{new}")),
                "{kind}: {line}: {said}"
            );
        }
        assert_eq!(world.state("x"), "missing");
        assert_eq!(names_in(&world.path("work")), [""; 0]);
        world.run(&format!("thaw dev@{old} x")).success();
        assert_eq!(world.read_guest("x", "root/state").as_deref(), Some("old"));
    }
}

#[test]
fn an_older_damaged_entry_does_not_hide_a_newer_snapshot() {
    for (kind, how) in DAMAGES {
        let (world, [old, _]) = world();
        damage(&world, &old, how);
        world.run("thaw dev x").success();
        assert_eq!(world.read_guest("x", "root/state").as_deref(), Some("new"), "{kind}");
        world.run("snapshot verify --all").code(3);
    }
}

#[test]
fn a_damaged_entry_is_found_by_its_id_and_the_error_says_what_is_wrong() {
    let (world, [_, new]) = world();
    damage(&world, &new, |json| fs::remove_file(json).unwrap());
    for line in ["thaw dev@ID x", "snapshot show dev@ID", "snapshot verify dev@ID", "snapshot tag dev@ID t"] {
        world.run(&line.replace("ID", &new)).code(10).stderr(contains("snapshot.json").and(contains("missing")));
    }
    world.run(&format!("thaw dev@{} x", &new[..7])).code(10);
    world.run("thaw dev@nosuch x").code(4);
}

#[test]
fn a_damaged_entry_is_removed_by_its_id() {
    for (kind, how) in DAMAGES {
        let (world, [old, new]) = world();
        damage(&world, &new, how);
        world.run(&format!("snapshot rm dev@{new}")).code(6).stderr(contains(&*new));
        let report: Value =
            serde_json::from_str(&stdout(&world.run(&format!("snapshot rm dev@{new} --yes --json")).success()))
                .unwrap();
        assert_eq!((&report["reference"], &report["removed"]), (&format!("dev@{new}").into(), &true.into()), "{kind}");
        assert!(report["bytes"].as_u64().unwrap() > 0);
        assert_eq!(names_in(&world.path("home/library/snapshots/dev")), [old], "{kind}");
        world.run("thaw dev x").success();
    }
}

#[test]
fn foreign_files_are_not_removed_with_a_damaged_entry() {
    let (world, [_, new]) = world();
    damage(&world, &new, |json| {
        fs::remove_file(json).unwrap();
        fs::create_dir(json).unwrap();
        fs::write(json.join("thesis.txt"), "precious").unwrap();
    });
    world.run(&format!("snapshot rm dev@{new} --yes")).code(8).stderr(contains("snapshot.json"));
    assert!(
        folder(&world, &new).join("snapshot.json/thesis.txt").exists()
            && folder(&world, &new).join("index.json").exists()
    );
}

#[test]
fn a_damaged_last_snapshot_is_damaged_and_not_missing() {
    let (world, [old, new]) = world();
    world.run(&format!("snapshot rm dev@{old} --yes")).success();
    damage(&world, &new, |json| fs::write(json, "").unwrap());
    world.run("thaw dev x").code(10).stderr(contains(&*new));
    world.run(&format!("snapshot rm dev@{new} --yes")).success();
    world.run("thaw dev x").code(4);
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
}

#[test]
fn a_prune_neither_counts_nor_removes_a_damaged_entry() {
    for (kind, how) in DAMAGES {
        let (world, [old, new]) = world();
        damage(&world, &new, how);
        let run = world.run("snapshot prune --keep-last 1 --yes").success();
        assert!(stderr(&run).contains(&*new), "{kind}: {}", stderr(&run));
        let mut stay = [old, new];
        stay.sort();
        assert_eq!(names_in(&world.path("home/library/snapshots/dev")), stay, "{kind}");
    }
}

#[test]
fn the_list_names_a_damaged_entry() {
    let (world, [old, new]) = world();
    damage(&world, &new, |json| fs::write(json, "").unwrap());
    let run = world.run("snapshot ls").success();
    assert!(stdout(&run).contains(&*old) && stderr(&run).contains(&*new), "{}", stderr(&run));
    world.run("snapshot ls --json").success().stderr(contains(&*new));
}

/// The commands that read all of the newest snapshot.
const READERS: [&str; 3] = ["snapshot verify dev", "thaw dev x", "snapshot export dev -o x.tar"];

#[test]
fn a_snapshot_without_its_artifact_is_damaged() {
    for name in ["vm.smolmachine", "index.json"] {
        let (world, [old, new]) = world();
        if name == "vm.smolmachine" {
            make_old(&world, &folder(&world, &old));
            make_old(&world, &folder(&world, &new));
        }
        fs::remove_file(folder(&world, &new).join(name)).unwrap();
        for line in READERS {
            world.run(line).code(10).stderr(contains(name).and(contains("missing")));
        }
        symlink(folder(&world, &old).join(name), folder(&world, &new).join(name)).unwrap();
        world.run("thaw dev x").code(10).stderr(contains("not a regular file"));
        world.run("snapshot rm dev --yes").success();
        world.run(&format!("snapshot verify dev@{old}")).success();
    }
}

#[test]
fn a_snapshot_without_an_object_is_whole_again_if_the_store_has_it() {
    let (world, [_, new]) = world();
    for object in objects(&folder(&world, &new)) {
        fs::remove_file(object).unwrap();
        world.run("snapshot verify dev").success();
    }
    let object = objects(&folder(&world, &new)).pop().unwrap();
    let name = object.file_name().unwrap().to_str().unwrap();
    fs::remove_file(&object).unwrap();
    fs::remove_file(world.path("home/library/store/objects").join(name)).unwrap();
    for line in READERS {
        world.run(line).code(10).stderr(contains(name).and(contains("1 object is missing")));
    }
    assert_eq!((world.state("x"), names_in(&world.path("work"))), ("missing".to_owned(), vec![]));
    // The next freeze with the same content writes it anew.
    world.run("freeze dev").success();
    world.run("snapshot verify --all").success();
}

#[test]
fn an_unreadable_entry_is_reported_too() {
    if Command::new("setpriv").arg("--version").output().is_err() {
        return println!("NOT RUN: setpriv is not installed");
    }
    let (world, [old, new]) = world();
    let run = |line: &str| finish(without_override(&world.line(line)));
    for path in [folder(&world, &new), folder(&world, &new).join("snapshot.json")] {
        let mode = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        let verified = run("snapshot verify --all").code(3);
        assert!(
            stderr(&verified).contains(&format!("dev@{new}")) && stdout(&verified).contains(&*old),
            "{}",
            stderr(&verified)
        );
        run("thaw dev x").code(10).stderr(contains("Permission denied"));
        run(&format!("thaw dev@{old} --no-start old{}", path.ends_with("snapshot.json"))).success();
        fs::set_permissions(&path, mode).unwrap();
    }
    // The folder with all snapshots of the VM is damaged: those of other VMs are still checked.
    world.vm("other").stopped();
    world.run("freeze other").success();
    let vm = world.path("home/library/snapshots/dev");
    fs::set_permissions(&vm, fs::Permissions::from_mode(0o000)).unwrap();
    let verified = run("snapshot verify --all").code(3);
    assert!(stdout(&verified).contains("other@") && stderr(&verified).contains("dev"), "{}", stderr(&verified));
    run("snapshot ls").success().stdout(contains("other@"));
    run("thaw dev x").code(8).stderr(contains("Permission denied"));
    fs::set_permissions(&vm, fs::Permissions::from_mode(0o700)).unwrap();
}
