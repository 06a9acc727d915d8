//! `snapshot import` of checkpoints that the engine made: a file, a folder, and those that carry earlier ones.

use crate::support::{World, library, names_in, stderr, stdout};
use bottle_freeze::engine::footer;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A VM, saved three times by the engine: `a.checkpoint`, `b.checkpoint` and `c.checkpoint`, a folder that carries the others.
fn saved_three_times() -> World {
    let world = World::new();
    world.vm("dev").running();
    for name in ["a", "b", "c"] {
        world.write_guest("dev", "root/notes", name);
        world.smolvm(&format!("machine checkpoint --name dev --store store --output {name}.checkpoint"));
    }
    world
}

/// The same as one file, as `machine checkpoint --export-from` writes it.
fn as_file(world: &World, folder: &str, file: &str) {
    let folder = world.path("work").join(folder);
    let index: Value = serde_json::from_slice(&fs::read(folder.join("checkpoint.json")).unwrap()).unwrap();
    let mut manifest = index["manifest"].clone();
    (manifest["checkpoint"]["version"], manifest["checkpoint"]["payload"]) = (json!(5), json!("chunked"));
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("", &folder).unwrap();
    let assets = zstd::encode_all(&tar.into_inner().unwrap()[..], 3).unwrap();
    let bytes = [&assets[..], manifest.to_string().as_bytes()].concat();
    let footer = footer(assets.len() as u64, (bytes.len() - assets.len()) as u64, crc32fast::hash(&bytes));
    fs::write(world.path("work").join(file), [&bytes[..], &footer].concat()).unwrap();
}

fn snapshots(world: &World, vm: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(&stdout(&world.run("snapshot ls --json").success())).unwrap();
    all.into_iter().filter(|one| one["vm"] == vm).collect()
}

/// Thaws each of the VM's snapshots, and returns the notes in it.
fn notes(world: &World, vm: &str) -> Vec<String> {
    let thaw = |(number, one): (usize, &Value)| {
        let name = format!("{vm}-{number}");
        world.run(&format!("thaw {vm}@{} {name}", one["id"].as_str().unwrap())).success();
        world.read_guest(&name, "root/notes").unwrap()
    };
    snapshots(world, vm).iter().enumerate().map(thaw).collect()
}

#[test]
fn each_generation_of_a_checkpoint_becomes_a_snapshot() {
    let world = saved_three_times();
    as_file(&world, "c.checkpoint", "c-file.checkpoint");
    for (source, vm) in [("c.checkpoint", "folder"), ("c-file.checkpoint", "file")] {
        world.run(&format!("snapshot import {source} --as {vm}")).success().stdout(contains("and before it"));
        let all = snapshots(&world, vm);
        let parents: Vec<&Value> = all.iter().map(|one| &one["parent"]).collect();
        let id = |at: usize| json!(format!("{vm}@{}", all[at]["id"].as_str().unwrap()));
        assert_eq!(parents, [&Value::Null, &id(0), &id(1)], "{source}");
        assert!(all.iter().all(|one| one["artifact"]["live"] == true), "{all:?}");
        world.run("snapshot verify --all").success();
        assert_eq!(notes(&world, vm), ["a", "b", "c"], "{source}");
    }
    // None of them needs the others, or what they were imported from.
    for name in names_in(&world.path("work")) {
        let path = world.path("work").join(name);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    world.run("snapshot rm --yes file").success();
    world.run("snapshot verify --all").success();
}

#[test]
fn a_checkpoint_of_one_generation_becomes_one_snapshot() {
    let world = saved_three_times();
    world.smolvm("machine checkpoint --name dev --output one.checkpoint");
    for (source, vm) in [("a.checkpoint", "dev"), ("one.checkpoint", "one")] {
        world.run(&format!("snapshot import {source} --as {vm}")).success().stderr(contains("labels"));
        assert_eq!(snapshots(&world, vm).len(), 1);
    }
    assert_eq!((notes(&world, "dev"), notes(&world, "one")), (vec!["a".to_owned()], vec!["c".to_owned()]));
    let json: Value =
        serde_json::from_str(&stdout(&world.run("snapshot import b.checkpoint --json").success())).unwrap();
    assert_eq!((json["earlier"].clone(), &json["snapshot"]["format"]), (Value::Null, &json!(2)));
}

#[test]
fn a_folder_is_imported_before_it_is_thawed() {
    let world = saved_three_times();
    for line in ["thaw ./c.checkpoint", "create x --from ./c.checkpoint", "verify ./c.checkpoint"] {
        world.run(line).code(4).stderr(contains("snapshot import ./c.checkpoint"));
    }
}

#[test]
fn a_damaged_earlier_generation_is_left_out_and_the_others_are_imported() {
    let objects = |world: &World, folder: &str| library::objects(&world.path("work").join(folder));
    let generations = |world: &World| {
        let folder = world.path("work/c.checkpoint/generations");
        let mut all: Vec<PathBuf> = names_in(&folder).iter().map(|name| folder.join(name)).collect();
        all.sort();
        all
    };
    let damages: [&dyn Fn(&World); 3] = [
        &|world| fs::write(generations(world)[0].join("checkpoint.json"), "[]").unwrap(),
        &|world| fs::remove_file(generations(world)[0].join("checkpoint.json")).unwrap(),
        // A chunk that the newest does not need.
        &|world| {
            let newest = fs::read_to_string(world.path("work/c.checkpoint/checkpoint.json")).unwrap();
            let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            let all = objects(world, "c.checkpoint");
            let old = all.iter().find(|object| !newest.contains(&name(object))).unwrap();
            fs::write(old, "").unwrap();
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let world = saved_three_times();
        damage(&world);
        let run = world.run("snapshot import c.checkpoint").success();
        assert!(stderr(&run).contains("an earlier state in c.checkpoint is left out: "), "{number}: {}", stderr(&run));
        assert_eq!(notes(&world, "dev").last().map(String::as_str), Some("c"), "{number}");
        assert!((1..3).contains(&snapshots(&world, "dev").len()), "{number}");
        world.run("snapshot verify --all").success();
    }
}

#[test]
fn a_file_with_a_history_that_holds_a_name_twice_or_ends_early_is_damaged() {
    let world = saved_three_times();
    let file = world.path("work/x.checkpoint");
    let of = |change: fn(Vec<u8>) -> Vec<u8>| {
        let folder = world.path("work/c.checkpoint");
        let index: Value = serde_json::from_slice(&fs::read(folder.join("checkpoint.json")).unwrap()).unwrap();
        let mut manifest = index["manifest"].clone();
        (manifest["checkpoint"]["version"], manifest["checkpoint"]["payload"]) = (json!(5), json!("chunked"));
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_path_with_name(folder.join("checkpoint.json"), "checkpoint.json").unwrap();
        tar.append_path_with_name(folder.join("checkpoint.json"), "checkpoint.json").unwrap();
        let assets = change(zstd::encode_all(&tar.into_inner().unwrap()[..], 3).unwrap());
        let bytes = [&assets[..], manifest.to_string().as_bytes()].concat();
        let footer = footer(assets.len() as u64, (bytes.len() - assets.len()) as u64, crc32fast::hash(&bytes));
        fs::write(&file, [&bytes[..], &footer].concat()).unwrap();
    };
    of(|assets| assets);
    world.run("snapshot import x.checkpoint").code(10).stderr(contains("it holds checkpoint.json twice"));
    of(|assets| assets[..assets.len() / 2].to_vec());
    world.run("snapshot import x.checkpoint").code(10).stderr(contains("x.checkpoint is not a whole checkpoint"));
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
}

#[test]
fn generations_that_the_library_has_are_not_imported_again() {
    let world = saved_three_times();
    world.run("snapshot import b.checkpoint").success();
    world.run("snapshot import b.checkpoint").code(7).stderr(contains("already in the library"));
    world.run("snapshot import c.checkpoint").success().stdout(contains("before it").not());
    assert_eq!(snapshots(&world, "dev").len(), 3);
}

#[test]
fn a_damaged_or_lying_checkpoint_is_refused_and_nothing_stays() {
    let edit = |world: &World, change: fn(&mut Value)| {
        let path = world.path("work/a.checkpoint/checkpoint.json");
        let mut index = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut index);
        fs::write(path, index.to_string()).unwrap();
    };
    let objects = |world: &World| library::objects(&world.path("work/a.checkpoint"));
    let damages: [&dyn Fn(&World); 13] = [
        &|world| fs::remove_file(&objects(world)[0]).unwrap(),
        &|world| library::damage(&world.path("work/a.checkpoint")),
        &|world| fs::write(&objects(world)[0], "").unwrap(),
        &|world| fs::write(world.path("work/a.checkpoint/checkpoint.json"), "[]").unwrap(),
        &|world| edit(world, |index| index["version"] = json!(2)),
        &|world| edit(world, |index| index["files"][0]["path"] = json!("../x")),
        &|world| edit(world, |index| index["files"][0]["path"] = json!("/tmp/x")),
        &|world| edit(world, |index| index["files"][0]["size"] = json!(1_u64 << 60)),
        &|world| edit(world, |index| index["files"][0]["chunks"] = json!([null, null])),
        &|world| edit(world, |index| index["files"][1] = index["files"][0].clone()),
        &|world| edit(world, |index| index["manifest"]["checkpoint"] = Value::Null),
        &|world| {
            edit(world, |index| {
                let file = |at: usize| json!({"path": at.to_string(), "size": 0, "mode": 420, "chunks": []});
                index["files"] = (0..10_001).map(file).collect();
            });
        },
        // Each of its folders is one more member.
        &|world| edit(world, |index| index["files"][0]["path"] = json!("a/".repeat(50_000) + "x")),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let world = saved_three_times();
        damage(&world);
        as_file(&world, "a.checkpoint", "file.checkpoint");
        for source in ["a.checkpoint", "file.checkpoint"] {
            world.run(&format!("snapshot import {source}")).code(10).stderr(contains(source));
            assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0], "{number}, {source}");
            assert_eq!(library::stored_objects(&world), [""; 0].map(PathBuf::from), "{number}, {source}");
        }
    }
    assert!(!Path::new("/tmp/x").exists());
}
