//! What snapshots take: SIZE, UNIQUE and the last line of `snapshot ls`; the same numbers for programs and in `doctor`.

use crate::support::library::stored_objects;
use crate::support::{World, names_in, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

fn json(world: &World, line: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(line).success())).unwrap()
}

/// Two snapshots that share most, and one of another VM.
fn world() -> World {
    let world = World::new();
    for vm in ["dev", "web"] {
        world.vm(vm).stopped();
        world.write_guest(vm, "root/notes", vm);
    }
    world.run("freeze dev -t first").success();
    world.write_guest("dev", "root/more", "more".repeat(1000));
    world.run("freeze dev").success();
    world.run("freeze web").success();
    world
}

/// The same, where files have no hard links: each snapshot has its own.
fn world_without_links() -> World {
    let world = world();
    // What is known of the sizes is copied, too.
    world.run("snapshot ls").success();
    let [library, old] = ["home/library", "home/old"].map(|folder| world.path(folder));
    fs::rename(&library, &old).unwrap();
    assert!(Command::new("cp").arg("-r").args([&old, &library]).status().unwrap().success());
    fs::remove_dir_all(old).unwrap();
    for object in stored_objects(&world) {
        fs::remove_file(object).unwrap();
    }
    world
}

/// The bytes of all files below, each once.
fn bytes_below(folder: &Path, seen: &mut HashMap<u64, u64>) -> u64 {
    for entry in fs::read_dir(folder).unwrap() {
        let (path, meta) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        if meta.is_dir() {
            bytes_below(&path, seen);
        } else {
            seen.insert(meta.ino(), meta.len());
        }
    }
    seen.values().sum()
}

#[test]
fn removing_a_snapshot_frees_what_is_listed_as_unique() {
    for world in [world(), world_without_links()] {
        remove_all(&world);
    }
}

/// The snapshots that are not damaged.
fn listed(world: &World) -> Vec<Value> {
    let mut all = json(world, "snapshot ls --json").as_array().unwrap().clone();
    all.retain(|one| one["error"].is_null());
    all
}

/// Removes the snapshots one by one.
fn remove_all(world: &World) {
    while let Some(one) = listed(world).first() {
        let name = format!("{}@{}", one["vm"].as_str().unwrap(), one["id"].as_str().unwrap());
        let shown = json(world, &format!("snapshot show {name} --json"));
        assert_eq!((&shown["bytes"], &shown["unique_bytes"]), (&one["bytes"], &one["unique_bytes"]));
        let removed = json(world, &format!("snapshot rm {name} --yes --json"));
        assert_eq!((&removed["bytes"], &removed["freed"]), (&one["bytes"], &one["unique_bytes"]));
    }
}

/// The bytes of all snapshots, each file once.
fn bytes_of_all(world: &World) -> u64 {
    let (library, mut seen) = (world.path("home/library"), HashMap::new());
    bytes_below(&library.join("store/objects"), &mut seen);
    bytes_below(&library.join("snapshots"), &mut seen)
}

/// Damages a file of the snapshot `dev@first`, which stays as long as it was. Returns the name of the snapshot.
fn damage(world: &World, file: &str) -> String {
    let one = json(world, "snapshot show dev@first --json");
    let id = one["id"].as_str().unwrap();
    let file = world.path("home/library/snapshots/dev").join(id).join(file);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen('{', "x", 1)).unwrap();
    format!("dev@{id}")
}

/// How much the library takes, as `snapshot ls` prints it.
fn total(world: &World) -> String {
    let table = stdout(&world.run("snapshot ls").success());
    table.lines().last().unwrap().split_once(", ").expect(&table).1.to_owned()
}

#[test]
fn a_snapshot_takes_no_less_and_shares_no_less_once_it_is_damaged() {
    for file in ["snapshot.json", "index.json"] {
        for world in [world(), world_without_links()] {
            let unique = |but: &str| {
                let others =
                    listed(&world).into_iter().filter(|one| format!("dev@{}", one["id"].as_str().unwrap()) != but);
                others.map(|one| one["unique_bytes"].clone()).collect::<Vec<_>>()
            };
            let first = format!("dev@{}", json(&world, "snapshot show dev@first --json")["id"].as_str().unwrap());
            let before = (total(&world), unique(&first));
            assert_eq!(damage(&world, file), first);
            let _ = fs::remove_file(world.path("home/library/store/sizes.json"));
            for is_kept in [false, true] {
                assert_eq!((total(&world), unique(&first)), before, "{file} {is_kept}");
            }
            remove_all(&world);
        }
    }
}

#[test]
fn a_damaged_snapshot_counts_in_a_limit_and_frees_the_rest() {
    for world in [world(), world_without_links()] {
        let first = damage(&world, "snapshot.json");
        let limit = bytes_of_all(&world) / 1024;
        world.run(&format!("snapshot prune --max-size {}K --yes", limit + 1)).success();
        let run = world.run(&format!("snapshot prune --max-size {limit}K --yes")).code(1);
        run.stderr(contains("cannot be made smaller than").and(contains("is damaged")));
        assert_eq!(listed(&world).len(), 2);
        remove_all(&world);
        let before = bytes_of_all(&world);
        let removed = json(&world, &format!("snapshot rm {first} --yes --json"));
        assert_eq!(removed["freed"], before - bytes_of_all(&world));
        assert_eq!(removed["bytes"], removed["freed"], "nothing else has its chunks");
    }
}

#[test]
fn a_program_reads_the_size_that_the_table_has() {
    let world = world();
    for one in json(&world, "snapshot ls --json").as_array().unwrap() {
        let [vm, id] = ["vm", "id"].map(|key| one[key].as_str().unwrap());
        let record = world.path("home/library/snapshots").join(vm).join(id).join("snapshot.json");
        let files = one["files"].as_object().unwrap().values().chain([&one["artifact"]]);
        let files: u64 = files.map(|file| file["bytes"].as_u64().unwrap()).sum();
        assert_eq!(one["bytes"], files + fs::metadata(record).unwrap().len());
    }
}

#[test]
fn the_table_has_both_sizes_and_a_total() {
    let world = world();
    let table = stdout(&world.run("snapshot ls").success());
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["SNAPSHOT", "TAGS", "CREATED", "AGE", "SIZE", "UNIQUE", "NOTE"]);
    assert!(table.lines().last().unwrap().starts_with("3 snapshots, "), "{table}");
    world.run("snapshot ls web").success().stdout(contains("\n1 of 3 snapshots, "));
    world.run("snapshot ls --tag first").success().stdout(contains("\n1 of 3 snapshots, "));
    world.run("snapshot ls -q").success().stdout(contains("in the library").not());
    world.vm("none").stopped();
    world.run("snapshot ls none").success().stdout(contains("in the library").not());
}

#[test]
fn an_index_that_was_replaced_by_a_pipe_or_by_a_long_file_is_not_read() {
    let world = world();
    let snapshots = world.path("home/library/snapshots/dev");
    let index = snapshots.join(&names_in(&snapshots)[0]).join("index.json");
    let lists = || {
        let _ = fs::remove_file(world.path("home/library/store/sizes.json"));
        world.run("snapshot ls").success();
    };
    fs::remove_file(&index).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&index).status().unwrap().success());
    lists();
    fs::remove_file(&index).unwrap();
    fs::File::create(&index).unwrap().set_len(1 << 40).unwrap();
    lists();
}

#[test]
fn the_kept_sizes_are_those_of_the_snapshots_that_are_there() {
    let world = world();
    let kept = world.path("home/library/store/sizes.json");
    let list = || stdout(&world.run("snapshot ls --json").success());
    let first = list();
    let mut sizes: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    // The next run believes it.
    sizes["unique"] = Value::Object(serde_json::Map::new());
    fs::write(&kept, sizes.to_string()).unwrap();
    assert_ne!(list(), first);
    // Not of another set of snapshots, and not if it cannot be read.
    world.run("freeze web").success();
    let measured = list();
    for text in ["", "{", "[]", "\u{0}"] {
        fs::write(&kept, text).unwrap();
        assert_eq!(list(), measured, "{text:?}");
    }
    fs::remove_file(&kept).unwrap();
    let store = world.path("home/library/store");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o500)).unwrap();
    assert_eq!(list(), measured);
    fs::set_permissions(&store, fs::Permissions::from_mode(0o700)).unwrap();
    world.assert_clean(&[]);
}

#[test]
fn doctor_counts_each_file_once() {
    for (world, has_links) in [(world(), true), (world_without_links(), false)] {
        let counted = || {
            let checks = json(&world, "doctor --json");
            let library = checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == "library").unwrap();
            library["details"]["bytes"].as_u64().unwrap()
        };
        assert_eq!(!names_in(&world.path("home/library/store/objects")).is_empty(), has_links);
        assert_eq!(counted(), bytes_of_all(&world));
        damage(&world, "snapshot.json");
        assert_eq!(counted(), bytes_of_all(&world));
    }
}

#[test]
fn without_hard_links_each_snapshot_takes_all_that_it_has() {
    let world = world_without_links();
    let bytes = || bytes_below(&world.path("home/library/snapshots"), &mut HashMap::new());
    let unique = |world: &World| -> u64 {
        let all = json(world, "snapshot ls --json");
        all.as_array().unwrap().iter().map(|one| one["unique_bytes"].as_u64().unwrap()).sum()
    };
    assert_eq!(unique(&world), bytes());
    assert_eq!(unique(&world), bytes(), "as it was kept");
    // The same in whole KiB, as a limit.
    let limit = bytes() / 1024;
    world.run(&format!("snapshot prune --max-size {}K --tag first --yes", limit + 1)).success();
    assert_eq!(json(&world, "snapshot ls --json").as_array().unwrap().len(), 3);
    world.run(&format!("snapshot prune --max-size {limit}K --tag first --yes")).success();
    assert!(bytes() <= limit * 1024);
}
