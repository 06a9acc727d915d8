//! `cp`: copies one file into or out of a VM, completely or not at all.

use crate::support::{World, finish, wait_until};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn world_with_running_vm() -> World {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    world
}

#[test]
fn a_file_goes_there_and_back() {
    let world = world_with_running_vm();
    world.write("note", "hello");
    world.run("cp note dev:/root/note").success();
    assert_eq!(world.read_guest("dev", "root/note").as_deref(), Some("hello"));
    world.run("cp dev:/root/note back").success();
    assert_eq!(world.read("back"), "hello");
    assert_eq!(world.commands(), ["machine cp", "machine cp"]);
    world.assert_clean(&["back", "note"]);
}

#[test]
fn names_may_have_spaces_colons_and_dashes() {
    let world = world_with_running_vm();
    for name in ["a b", "a:b", "-x", "--name=x"] {
        world.write(name, name);
        finish(world.command(["cp", "--", &format!("./{name}"), "dev:/root/odd"])).success();
        assert_eq!(world.read_guest("dev", "root/odd").as_deref(), Some(name));
    }
}

#[test]
fn a_target_folder_gets_a_file_of_the_same_name() {
    let world = world_with_running_vm();
    world.write("note", "hello");
    world.run("cp note dev:/root/").success();
    assert_eq!(world.read_guest("dev", "root/note").as_deref(), Some("hello"));
    fs::create_dir(world.path("work/folder")).unwrap();
    world.run("cp dev:/root/note folder").success();
    assert_eq!(world.read("folder/note"), "hello");
    world.run("cp dev:/root/note folder/").success();
}

#[test]
fn a_folder_is_not_copied_and_the_error_says_how_to_do_it() {
    let world = world_with_running_vm();
    fs::create_dir(world.path("work/folder")).unwrap();
    world.run("cp folder dev:/root/folder").code(1).stderr(contains("tar"));
    assert!(world.all_calls().is_empty());
    world.run("cp dev:/root there").failure();
    world.assert_clean(&["folder"]);
}

#[test]
fn a_missing_vm_has_status_4() {
    let world = World::new();
    world.write("note", "hello");
    world.run("cp note dev:/root/note").code(4).stderr(contains("no VM named 'dev'"));
    world.run("cp dev:/root/note back").code(4).stderr(contains("no VM named 'dev'"));
    world.assert_clean(&["note"]);
}

#[test]
fn the_error_for_a_stopped_vm_says_how_to_start_it() {
    let world = World::new();
    world.vm("dev").stopped();
    world.write("note", "hello");
    world.run("cp note dev:/root/note").code(5).stderr(contains("bottle-freeze start dev"));
    let newest = || contains("or copy from its newest snapshot: `bottle-freeze cp dev@latest:/root/note …`");
    world.run("cp dev:/root/note .").code(5).stderr(newest().not());
    world.run("freeze dev").success();
    world.run("cp dev:/root/note .").code(5).stderr(newest());
}

#[test]
fn exactly_one_side_must_be_in_a_vm() {
    let world = world_with_running_vm();
    world.write("note", "hello");
    for line in ["cp note other", "cp dev:/root/a dev:/root/b", "cp note ./dev:/root/a", "cp note a.b:/root/x"] {
        world.run(line).code(2);
    }
    assert!(world.all_calls().is_empty());
    world.assert_clean(&["note"]);
}

#[test]
fn an_empty_path_copies_nothing() {
    let world = world_with_running_vm();
    world.write("note", "hello");
    for line in ["cp '' dev:/root/a", "cp note dev:", "cp dev: note", "cp dev:/root/a ''"] {
        world.run(line).success();
    }
    assert!(world.all_calls().is_empty());
    assert_eq!(world.read("note"), "hello");
}

#[test]
fn a_missing_file_is_a_failure_before_the_engine_is_called() {
    let world = world_with_running_vm();
    world.run("cp missing dev:/root/a").code(4).stderr(contains("missing"));
    assert!(world.all_calls().is_empty());
}

#[test]
fn a_download_that_fails_leaves_the_old_file() {
    let faults = [
        json!({"on": "machine cp", "at": "before", "do": {"fail": {"status": 1, "stderr": "Error: lost it"}}}),
        json!({"on": "machine cp", "at": "after", "do": {"fail": {"status": 1, "stderr": "Error: lost it"}}}),
        json!({"on": "machine cp", "at": "after", "do": {"kill": 9}}),
        json!({"on": "machine cp", "do": {"lie": true}}),
    ];
    for fault in faults {
        let world = world_with_running_vm();
        world.write_guest("dev", "root/note", "new");
        world.write("note", "old");
        world.fault(fault.clone());
        world.run("cp dev:/root/note note").failure();
        assert_eq!(world.read("note"), "old", "{fault}");
        world.assert_clean(&["note"]);
    }
}

#[test]
fn leftovers_of_a_killed_download_are_gone_after_the_next_one() {
    let world = world_with_running_vm();
    world.write_guest("dev", "root/note", "new");
    world.write("note", "old");
    world.fault(json!({"on": "machine cp", "at": "after", "do": "hang"}));
    let download = world.spawn("cp dev:/root/note note");
    wait_until("it copies", || world.commands() == ["machine cp"]);
    download.signal(Signal::KILL);
    download.wait();
    assert_eq!(world.read("note"), "old");
    world.clear_faults();
    world.run("cp dev:/root/note other").success();
    world.assert_clean(&["note", "other"]);
}

#[test]
fn a_download_of_a_missing_file_leaves_the_old_one() {
    let world = world_with_running_vm();
    world.write("note", "old");
    world.run("cp dev:/root/missing note").code(1);
    assert_eq!(world.read("note"), "old");
    world.assert_clean(&["note"]);
}

#[test]
fn a_download_into_a_folder_that_cannot_be_written_has_status_8() {
    let world = world_with_running_vm();
    world.write_guest("dev", "root/note", "new");
    for target in ["missing/note", "/proc/note"] {
        world.run(&format!("cp dev:/root/note {target}")).code(8);
    }
    assert!(world.calls().is_empty());
}

#[test]
fn a_replaced_file_keeps_its_mode() {
    let world = world_with_running_vm();
    world.write_guest("dev", "root/note", "new");
    let path = world.write("note", "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    world.run("cp dev:/root/note note").success();
    assert_eq!(world.read("note"), "new");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
}
