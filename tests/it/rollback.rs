//! `rollback`: a VM is what it was in a snapshot again, under its name, and nothing is lost.

use crate::support::{World, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

/// A VM with 2 processors now, and 1 in its snapshot `ready`.
fn world() -> World {
    let world = World::new();
    world.run("create dev --cpus 1").success();
    world.run("start dev").success();
    world.run("freeze dev -t ready --yes").success();
    world.run("rm dev --yes").success();
    world.run("create dev --cpus 2").success();
    world.run("start dev").success();
    world
}

fn cpus(world: &World) -> i64 {
    let all: Value = serde_json::from_str(&stdout(&world.run("ls --json").success())).unwrap();
    let vm = all.as_array().unwrap().iter().find(|vm| vm["name"] == "dev").expect("dev");
    vm["cpus"].as_i64().unwrap()
}

#[test]
fn the_vm_is_what_it_was_and_the_way_back_is_printed() {
    let world = world();
    let run = world.run("rollback dev@ready --yes").success();
    let text = stdout(&run);
    let (done, undo) = text.trim_end().split_once("; undo with: bottle-freeze ").expect(&text);
    assert!(done.contains("rolled dev back to dev@"), "{text}");
    assert_eq!(cpus(&world), 1);
    world.run(&format!("{undo} --yes")).success();
    assert_eq!(cpus(&world), 2);
}

#[test]
fn a_vm_that_is_gone_comes_back() {
    let world = world();
    world.run("rm dev --yes").success();
    world.run("rollback dev@ready").success().stdout(contains("undo").not());
    assert_eq!(cpus(&world), 1);
}

#[test]
fn a_network_that_is_not_known_can_be_asked_for() {
    let world = World::new();
    world.vm("theirs").with("--net").stopped();
    world.run("freeze theirs -t ready").success();
    world.run("rollback theirs@ready --yes --no-start").success().stderr(contains("--net enables it"));
    world.run("rollback theirs@ready --yes --no-start --net").success().stderr(contains("--net enables it").not());
}

#[test]
fn nothing_changes_without_confirmation() {
    let world = world();
    world.run("rollback dev@ready").code(6).stderr(contains("--yes answers this question"));
    assert_eq!(cpus(&world), 2);
}

#[test]
fn a_snapshot_that_is_missing_changes_nothing() {
    let world = world();
    world.run("rollback dev@nosuch --yes").code(4);
    world.run("rollback ./dev.smolmachine --yes").code(2);
    assert_eq!(cpus(&world), 2);
}

#[test]
fn scripts_read_the_name_or_the_result_of_a_thaw() {
    let world = world();
    assert_eq!(stdout(&world.run("rollback dev@ready -yq").success()), "dev\n");
    let result: Value = serde_json::from_str(&stdout(&world.run("rollback dev@ready -y --json").success())).unwrap();
    assert!(result["replaced"].as_str().unwrap().starts_with("dev@"), "{result}");
}
