//! How often the engine is called: each call costs time, and a needless one is a bug.

use crate::support::{World, names_in};
use std::fs;
use std::path::PathBuf;

#[test]
fn freezing_a_stopped_vm_takes_four_calls() {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm().run("freeze dev -o x.smolmachine").success();
    assert_eq!(world.commands(), ["machine ls", "machine data-dir", "pack create", "machine ls"]);
}

#[test]
fn freezing_a_running_vm_takes_seven_calls() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("freeze dev -o x.smolmachine --yes").success();
    // The guest trims its disks, and writes its files.
    let guest = ["machine exec", "machine exec"];
    let calls = [&["machine ls", "machine data-dir"][..], &guest, &["machine stop", "pack create", "machine ls"]];
    assert_eq!(world.commands(), calls.concat());
    world.run("start dev").success();
    world.forget_calls();
    world.run("freeze dev -o y.smolmachine --yes --no-trim").success();
    assert_eq!(world.commands(), [calls[0], &guest[..1], calls[2]].concat());
}

#[test]
fn starting_a_running_vm_that_is_ready_takes_two_calls() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("start dev").success();
    assert_eq!(world.commands(), ["machine ls", "machine exec"]);
}

#[test]
fn starting_without_waiting_takes_two_calls() {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm().run("start --no-wait dev").success();
    // A list first, because the engine kills a busy VM in order to start it.
    assert_eq!(world.commands(), ["machine ls", "machine start"]);
}

#[test]
fn listing_takes_one_call() {
    let world = World::new();
    world.vm("dev").stopped();
    for line in ["ls", "ls --json", "ls -q"] {
        world.warm().run(line).success();
        assert_eq!(world.commands(), ["machine ls"], "{line}");
    }
}

#[test]
fn a_successful_exec_takes_one_call() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("exec dev -- true").success();
    assert_eq!(world.commands(), ["machine exec"]);
}

#[test]
fn a_failing_guest_command_takes_one_call() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("exec dev -- sh -c 'exit 42'").code(42);
    assert_eq!(world.commands(), ["machine exec"]);
}

#[test]
fn stopping_takes_two_calls() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("stop dev").success();
    // A list first, because the engine kills a busy VM immediately, and what it has not written to disk is lost.
    assert_eq!(world.commands(), ["machine ls", "machine stop"]);
}

#[test]
fn creating_takes_one_call() {
    let world = World::new();
    world.warm().run("create dev").success();
    assert_eq!(world.commands(), ["machine create"]);
}

#[test]
fn removing_takes_three_calls() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("rm dev --yes").success();
    // Once before the question and once under the lock, so that a VM that was replaced meanwhile stays.
    assert_eq!(world.commands(), ["machine ls", "machine ls", "machine delete"]);
}

#[test]
fn stopping_or_removing_a_vm_that_is_down_looks_for_a_process_that_uses_its_disks() {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm().run("stop dev").success();
    assert_eq!(world.commands(), ["machine ls", "machine stop", "machine data-dir"]);
    world.warm().run("rm dev --yes").success();
    assert_eq!(world.commands(), ["machine ls", "machine ls", "machine data-dir", "machine delete"]);
}

#[test]
fn a_cold_cache_costs_one_call_and_the_next_run_none() {
    let world = World::new();
    world.run("ls").success();
    assert_eq!(world.commands(), ["--version", "machine ls"]);
    world.forget_calls();
    world.run("ls").success();
    assert_eq!(world.commands(), ["machine ls"]);
}

#[test]
fn a_deleted_cache_costs_one_call() {
    let world = World::new();
    world.warm();
    fs::remove_file(cache_file(&world)).unwrap();
    assert_asks_once(&world);
}

#[test]
fn a_corrupted_cache_costs_one_call() {
    let world = World::new();
    let whole = fs::read(cache_file(world.warm())).unwrap();
    for rubbish in [&b""[..], b"\xff\xfe\x00", b"{}", b"[1]", &whole[..whole.len() / 2]] {
        fs::write(cache_file(&world), rubbish).unwrap();
        assert_asks_once(&world);
    }
}

#[test]
fn a_cache_with_an_invalid_version_costs_one_call() {
    let world = World::new();
    let text = fs::read_to_string(cache_file(world.warm())).unwrap();
    fs::write(cache_file(&world), text.replace("1.32.2", "one.two")).unwrap();
    assert_asks_once(&world);
}

#[test]
fn a_cache_about_another_executable_costs_one_call() {
    let world = World::new();
    let text = fs::read_to_string(cache_file(world.warm())).unwrap();
    let mut memory: serde_json::Value = serde_json::from_str(&text).unwrap();
    memory["engine"]["files"][0][1] = 1.into();
    fs::write(cache_file(&world), memory.to_string()).unwrap();
    assert_asks_once(&world);
}

#[test]
fn a_cache_that_cannot_be_written_is_not_a_failure() {
    let world = World::new();
    fs::write(world.path("home/.cache"), "a file where a folder should be").unwrap();
    for _ in 0..2 {
        world.forget_calls();
        world.run("ls").success();
        assert_eq!(world.commands(), ["--version", "machine ls"]);
    }
}

#[test]
fn the_cache_is_where_xdg_says() {
    let world = World::new();
    for calls in [2, 1] {
        world.forget_calls();
        let mut command = world.line("ls");
        command.env("XDG_CACHE_HOME", world.path("elsewhere"));
        crate::support::finish(command).success();
        assert_eq!(world.all_calls().len(), calls);
    }
    assert_eq!(names_in(&world.path("elsewhere/bottle-freeze")).len(), 1);
}

fn cache_file(world: &World) -> PathBuf {
    let folder = world.path("home/.cache/bottle-freeze");
    let names = names_in(&folder);
    let name = names.iter().find(|name| name.starts_with("engine-"));
    folder.join(name.expect("a version cache"))
}

fn assert_asks_once(world: &World) {
    world.forget_calls();
    world.run("ls").success();
    assert_eq!(world.commands(), ["--version", "machine ls"]);
    world.forget_calls();
    world.run("ls").success();
    assert_eq!(world.commands(), ["machine ls"]);
}
