//! A snapshot whose artifact was exchanged is refused by every reader, even if the other artifact is itself intact.

use crate::support::{World, forged, names_in, stderr};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A world with `dev@ready` in its library; returns the folder of that snapshot too.
fn world() -> (World, PathBuf) {
    let world = World::new();
    world.vm("dev").stopped();
    // Its artifact is one file.
    world.run("freeze dev -t ready --launcher").success();
    world.smolvm("machine delete -f --name dev");
    let vm = world.path("home/library/snapshots/dev");
    let id = names_in(&vm).into_iter().find(|name| !name.starts_with('.')).unwrap();
    (world, vm.join(id))
}

/// Puts another artifact in its place that has the same length and a valid checksum of its own.
fn exchange(artifact: &Path) {
    let bytes = fs::read(artifact).unwrap();
    let other = forged::with_manifest(&bytes, |manifest| {
        let created = manifest["created"].as_str().unwrap().replace("20", "19");
        manifest["created"] = json!(created);
    });
    assert!(bytes != other && bytes.len() == other.len());
    fs::write(artifact, other).unwrap();
}

/// Checks that no VM was created, nothing was written here, and no registry was called.
fn assert_refused(world: &World, line: &str) {
    world.forget_calls();
    let before = names_in(&world.path("work"));
    let run = world.run(line).code(10);
    assert!(stderr(&run).contains("is damaged"), "{line}: {}", stderr(&run));
    assert_eq!(world.list(), Vec::<serde_json::Value>::new(), "{line}");
    assert_eq!(names_in(&world.path("work")), before, "{line}");
    let calls = world.commands();
    assert!(!calls.iter().any(|call| call.starts_with("machine create") || call.starts_with("pack")), "{calls:?}");
}

const WAYS_OUT_OF_THE_LIBRARY: [&str; 8] = [
    "thaw dev@ready",
    "thaw dev",
    "create new --from dev@ready",
    "create new --from dev",
    "snapshot push dev@ready 127.0.0.1:1/dev:1 --yes",
    "snapshot export dev@ready -o dev.tar",
    "snapshot verify dev@ready",
    "snapshot verify --all",
];

#[test]
fn an_exchanged_artifact_in_the_library_is_refused_by_every_command() {
    let (world, folder) = world();
    exchange(&folder.join("vm.smolmachine"));
    for line in WAYS_OUT_OF_THE_LIBRARY {
        assert_refused(&world, line);
    }
}

#[test]
fn any_other_exchanged_file_of_a_snapshot_is_refused_too() {
    let (world, folder) = world();
    let mut launcher = fs::read(folder.join("vm")).unwrap();
    launcher[0] ^= 1;
    fs::write(folder.join("vm"), launcher).unwrap();
    for line in WAYS_OUT_OF_THE_LIBRARY {
        assert_refused(&world, line);
    }
}

#[test]
fn an_exchanged_artifact_is_refused_when_named_as_a_file() {
    let (world, folder) = world();
    let artifact = folder.join("vm.smolmachine");
    exchange(&artifact);
    let artifact = artifact.display();
    for line in [
        format!("thaw {artifact}"),
        format!("create new --from {artifact}"),
        format!("verify {artifact}"),
        format!("snapshot push {artifact} 127.0.0.1:1/dev:1 --yes"),
    ] {
        assert_refused(&world, &line);
    }
}

#[test]
fn an_artifact_exchanged_in_transit_is_not_imported() {
    let (world, folder) = world();
    world.run("snapshot export dev@ready -o whole.tar").success();
    exchange(&folder.join("vm.smolmachine"));
    let tar = fs::File::create(world.path("work/other.tar")).unwrap();
    let mut tar = tar::Builder::new(tar);
    for name in ["snapshot.json", "vm.smolmachine", "vm"] {
        tar.append_path_with_name(folder.join(name), name).unwrap();
    }
    tar.into_inner().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_refused(&world, "snapshot import other.tar");
    world.run("snapshot import whole.tar").success();
}

#[test]
fn an_intact_snapshot_is_accepted_by_every_command() {
    let (world, _) = world();
    for line in ["thaw dev@ready a --no-start", "create b --from dev@ready", "snapshot export dev -o dev.tar"] {
        world.run(line).success();
    }
}
