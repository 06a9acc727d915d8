//! What is written can be read again: texts of a user, and everything else that is recorded, have a limit that is
//! checked first.

use crate::support::library::make_old;
use crate::support::{World, finish, names_in, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The limits for the tags, note and labels of a snapshot, and for a snapshot.json, in bytes.
const WORDS: usize = 1 << 20;
const LIMIT: usize = 4 << 20;
/// Linux limits an argument to 128 KiB.
const WORD: usize = 100_000;

fn world() -> World {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    world
}

fn snapshots(world: &World) -> Vec<String> {
    names_in(&world.path("home/library/snapshots/dev"))
}

/// The only snapshot of `dev`, and its `snapshot.json`.
fn snapshot_json(world: &World) -> (PathBuf, Value) {
    let path = world.path("home/library/snapshots/dev").join(&snapshots(world)[0]).join("snapshot.json");
    let text = fs::read(&path).unwrap();
    (path, serde_json::from_slice(&text).unwrap())
}

/// The same of a snapshot whose artifact is a file, as in a tar.
fn old_snapshot_json(world: &World) -> (PathBuf, Value) {
    make_old(world, snapshot_json(world).0.parent().unwrap());
    snapshot_json(world)
}

/// A freeze with labels of this many bytes in total, including quotes and colons.
fn freeze_with_labels(bytes: usize) -> Vec<String> {
    let mut words = vec!["freeze".to_owned(), "dev".into(), "--yes".into(), "--restart".into()];
    let mut left = bytes;
    for number in 0.. {
        let value = left.min(WORD);
        words.push(format!("--label=key{number}={}", "x".repeat(value)));
        left -= value;
        if left == 0 {
            break;
        }
    }
    words
}

#[test]
fn texts_that_are_too_long_are_refused_before_anything_is_done() {
    let world = world();
    // Each of them takes six bytes of JSON.
    let note = "\u{1}".repeat(90_000);
    let escaped: Vec<String> =
        ["freeze", "dev", "--yes", "-m", &note, "--label", &format!("key={note}")].map(Into::into).into();
    for words in [freeze_with_labels(WORDS + 1), freeze_with_labels(WORDS), escaped] {
        let refused = finish(world.command(words)).code(2);
        assert!(stderr(&refused).contains("1048576"), "{}", &stderr(&refused)[..400]);
        assert_eq!(world.calls(), [["machine", "ls", "--json"]; 0]);
        assert_eq!(snapshots(&world), [""; 0]);
    }
}

#[test]
fn texts_of_the_maximum_length_can_be_read() {
    let world = world();
    // A text takes more bytes in JSON than it has letters.
    finish(world.command(freeze_with_labels(WORDS - 400))).success();
    assert!(stdout(&world.run("snapshot ls -q").success()).contains("dev@"));
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show dev --json").success())).unwrap();
    assert_eq!(shown["labels"]["key0"].as_str().unwrap().len(), WORD);
    world.run("snapshot verify dev").success();
    world.run("thaw dev dev-2").success();
    // There is no space for another tag, but an existing one can be removed.
    world.run("snapshot tag dev one two --remove three").success();
    let many: Vec<String> = (0..10).map(|number| format!("{number}{}", "t".repeat(60))).collect();
    world.run(&format!("snapshot tag dev {}", many.join(" "))).code(2).stderr(contains("1048576"));
    world.run("snapshot tag dev --remove one").success();
}

#[test]
fn tags_have_the_same_limit() {
    let world = world();
    world.run("freeze dev --yes --restart").success();
    let tags = (0..17_000).map(|number| format!("{number}{}", "t".repeat(59)));
    let words = ["snapshot", "tag", "dev"].into_iter().map(str::to_owned).chain(tags);
    let refused = finish(world.command(words)).code(2);
    assert!(stderr(&refused).contains("1048576"));
    assert_eq!(snapshot_json(&world).1["tags"], json!([]));
}

#[test]
fn a_vm_with_too_many_labels_is_refused_before_it_is_stopped() {
    let world = world();
    let labels: serde_json::Map<_, _> =
        (0..40).map(|number| (format!("key{number}"), "x".repeat(WORD).into())).collect();
    world.edit("dev", "labels", labels.into());
    world.run("freeze dev --yes").code(5).stderr(contains("bytes as JSON").and(contains("-o")));
    assert_eq!((world.state("dev"), snapshots(&world)), ("running".to_owned(), vec![]));
    world.run("freeze dev --yes --restart -o dev.smolmachine").success();
}

#[test]
fn a_vm_with_more_variables_than_can_be_recorded_is_left_as_it_was() {
    let world = World::new();
    world.vm("dev").stopped();
    let env: Vec<_> = (0..50).map(|number| format!("KEY{number}{}=value", "X".repeat(WORD)).into()).collect();
    world.edit("dev", "env", Value::Array(env));
    world.run("freeze dev").code(8).stderr(contains("longer than 4194304").and(contains("is stopped as before")));
    assert_eq!(snapshots(&world), [""; 0]);
    world.run("freeze dev -o dev.smolmachine").success();
}

#[test]
fn a_vm_whose_record_would_be_too_long_is_not_created() {
    let world = world();
    let volumes = (0..15).map(|number| format!("--volume=/tmp/{}:/mnt/{number}", "\u{1}".repeat(WORD)));
    let words = ["create", "web"].into_iter().map(str::to_owned).chain(volumes);
    let refused = finish(world.command(words)).code(2);
    assert!(stderr(&refused).contains("4194304"), "{}", stderr(&refused));
    assert_eq!(world.state("web"), "missing");
}

#[test]
fn a_snapshot_json_that_is_too_long_is_reported_as_such() {
    let world = world();
    world.run("freeze dev --yes --restart -t t").success();
    world.run("snapshot export dev -o whole.tar").success();
    let (path, mut metadata) = old_snapshot_json(&world);
    metadata["later"] = "x".repeat(LIMIT).into();
    fs::write(&path, metadata.to_string()).unwrap();
    let said = contains("longer than 4194304 bytes");
    world.run("snapshot ls").stderr(said.clone());
    world.run(&format!("verify {}", path.with_file_name("vm.smolmachine").display())).code(10).stderr(said.clone());
    // The same through a tar.
    pack(&world, &path);
    world.run("snapshot import dev.tar --as other").code(10).stderr(said);
    assert_eq!(names_in(&world.path("home/library/snapshots")), ["dev"]);
}

#[test]
fn a_snapshot_that_could_not_be_read_again_is_not_imported() {
    let world = world();
    world.run("freeze dev --yes --restart -t t").success();
    let (path, mut metadata) = old_snapshot_json(&world);
    // It gets longer when it is rewritten.
    metadata["id"] = "0badcafe".into();
    metadata["later"] = Value::Null;
    let numbers = vec!["1e15"; LIMIT / 10].join(",");
    let text = metadata.to_string().replace("\"later\":null", &format!("\"later\":[{numbers}]"));
    assert!(text.len() < LIMIT);
    fs::write(&path, &text).unwrap();
    pack(&world, &path);
    world.run("snapshot import dev.tar --as other").code(10).stderr(contains("longer than 4194304 bytes"));
    assert_eq!(names_in(&world.path("home/library/snapshots")), ["dev"]);
}

#[test]
fn a_foreign_snapshot_has_the_same_limit_for_texts() {
    let world = world();
    world.run("freeze dev --yes --restart -t t").success();
    let (path, mut metadata) = old_snapshot_json(&world);
    metadata["note"] = "x".repeat(WORDS).into();
    fs::write(&path, metadata.to_string()).unwrap();
    pack(&world, &path);
    world.run("snapshot import dev.tar --as other").code(10).stderr(contains("1048576"));
    assert_eq!(names_in(&world.path("home/library/snapshots")), ["dev"]);
}

/// Makes `dev.tar` from the snapshot with this `snapshot.json`, without any check.
fn pack(world: &World, snapshot_json: &std::path::Path) {
    let mut tar = std::process::Command::new("tar");
    tar.arg("-cf").arg(world.path("work/dev.tar")).arg("-C").arg(snapshot_json.parent().unwrap());
    assert!(tar.args(["snapshot.json", "vm.smolmachine"]).status().unwrap().success());
}
