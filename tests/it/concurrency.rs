//! Several at once: one works on a VM or an output; the others wait, or fail and name the owner of the lock.
//!
//! `BOTTLE_FREEZE_FAULTS=long` repeats each race more often. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long};
use crate::support::{Running, World, names_in, stderr, wait_until};
use predicates::str::contains;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

const EIGHT: std::ops::Range<usize> = 0..8;

#[test]
fn eight_freezes_to_one_output_finish_or_name_the_owner() {
    let world = eight_vms();
    for _ in 0..rounds() {
        let line = |n| format!("freeze vm{n} -o x.smolmachine --force");
        let all: Vec<Running> = EIGHT.map(|n| world.spawn(&line(n))).collect();
        let statuses: Vec<i32> = all.into_iter().map(done_or_locked_out).collect();
        assert!(statuses.contains(&0), "{statuses:?}");
        assert_whole(&world, &["x.smolmachine"]);
    }
}

#[test]
fn eight_waiting_freezes_to_one_output_all_finish() {
    let world = eight_vms();
    let line = |n| format!("freeze vm{n} -o x.smolmachine --force --wait 60s");
    let all: Vec<Running> = EIGHT.map(|n| world.spawn(&line(n))).collect();
    for freeze in all {
        freeze.wait().success();
    }
    assert_whole(&world, &["x.smolmachine"]);
}

#[test]
fn eight_freezes_of_one_vm_finish_or_name_the_owner() {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    for _ in 0..rounds() {
        let line = |n| format!("freeze dev -o {n}.smolmachine --yes");
        let all: Vec<Running> = EIGHT.map(|n| world.spawn(&line(n))).collect();
        let statuses: Vec<i32> = all.into_iter().map(done_or_locked_out).collect();
        let done = EIGHT.filter(|n| statuses[*n] == 0).map(|n| format!("{n}.smolmachine"));
        let done: Vec<String> = done.collect();
        assert_whole(&world, &done.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(world.state("dev"), "stopped");
        for file in &done {
            fs::remove_file(world.path("work").join(file)).unwrap();
        }
    }
}

#[test]
fn eight_waiting_freezes_of_a_running_vm_stop_it_once() {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    let line = |n| format!("freeze dev -o {n}.smolmachine --yes --wait 60s");
    let all: Vec<Running> = EIGHT.map(|n| world.spawn(&line(n))).collect();
    for freeze in all {
        freeze.wait().success();
    }
    assert_eq!(world.commands().iter().filter(|call| *call == "machine stop").count(), 1);
    let files: Vec<String> = EIGHT.map(|n| format!("{n}.smolmachine")).collect();
    assert_whole(&world, &files.iter().map(String::as_str).collect::<Vec<_>>());
}

/// One of them looked for the marker before another wrote it, and then found the other's files without a marker.
#[test]
fn eight_first_freezes_make_one_library() {
    let world = eight_vms();
    for _ in 0..rounds() * 3 {
        let _ = fs::remove_dir_all(world.path("home/library"));
        let all: Vec<Running> = EIGHT.map(|n| world.spawn(&format!("freeze vm{n}"))).collect();
        for freeze in all {
            freeze.wait().success();
        }
        assert_eq!(names_in(&world.path("home/library/snapshots")).len(), 8);
    }
}

#[test]
fn freezes_of_other_vms_to_other_outputs_do_not_wait() {
    let (world, first) = hanging_freeze();
    world.vm("other").stopped();
    world.run("freeze other -o y.smolmachine").success();
    first.signal(Signal::INT);
    first.wait().code(130);
    assert_whole(&world, &["y.smolmachine"]);
}

#[test]
fn the_error_for_a_lock_names_its_owner() {
    let (world, first) = hanging_freeze();
    let refused = stderr(&world.run("freeze dev -o y.smolmachine").code(11));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let owner = format!("process {} on {host}, since 2", first.pid());
    assert!(refused.contains(&owner) && refused.contains("--wait"), "{refused}");
    let content = fs::read_to_string(world.vm_lock("dev")).unwrap();
    assert!(content.contains(&owner), "{content}");
}

#[test]
fn a_lock_whose_owner_is_not_yet_named_is_waited_for() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("start nosuch").failure();
    let path = world.vm_lock("dev");
    let lock = fs::File::create(&path).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let refused = world.spawn("freeze dev -o x.smolmachine");
    let fds = format!("/proc/{}/fd", refused.pid());
    let opened = |fd: fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|target| target == path);
    wait_until("it finds the lock", || fs::read_dir(&fds).into_iter().flatten().flatten().any(opened));
    fs::write(&path, "process 1 on host, since 2026\n").unwrap();
    refused.wait().code(11).stderr(contains("(process 1 on host, since 2026)"));
}

#[test]
fn waiting_ends_when_its_time_is_over() {
    let (world, _first) = hanging_freeze();
    world
        .run("freeze dev -o y.smolmachine --wait 1s --progress=plain")
        .code(11)
        .stderr(contains("waiting: 'dev' is in use"));
}

#[test]
fn waiting_can_be_interrupted() {
    let (world, _first) = hanging_freeze();
    let log = world.path("tmp/stderr");
    let mut second = world.line("freeze dev -o y.smolmachine --wait 60s --progress=plain");
    let mut second = second.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    wait_until("it waits", || fs::read_to_string(&log).unwrap().contains("waiting: 'dev' is in use"));
    crate::support::signal(i32::try_from(second.id()).unwrap(), Signal::INT);
    assert_eq!(second.wait().unwrap().code(), Some(130));
}

#[test]
fn a_dead_owner_s_lock_is_taken_over() {
    let (world, first) = hanging_freeze();
    first.signal(Signal::KILL);
    drop(first);
    world.clear_faults();
    world.run("freeze dev -o x.smolmachine").success();
    assert_whole(&world, &["x.smolmachine"]);
}

#[test]
fn a_vm_that_is_being_frozen_is_not_started_stopped_or_removed() {
    let (world, first) = hanging_freeze();
    for line in ["start dev", "stop dev", "rm dev --yes"] {
        world.run(line).code(11).stderr(contains("in use by another bottle-freeze"));
    }
    first.signal(Signal::INT);
    first.wait().code(130);
    assert_eq!(world.state("dev"), "stopped");
}

#[test]
fn a_lock_that_is_a_symbolic_link_is_not_followed() {
    let world = World::new();
    world.vm("dev").stopped();
    let victim = world.write("victim", "precious");
    world.run("start nosuch").failure();
    symlink(&victim, world.vm_lock("dev")).unwrap();
    world.run("freeze dev -o x.smolmachine").code(8).stderr(contains("cannot be locked"));
    fs::remove_file(world.vm_lock("dev")).unwrap();
    assert_eq!(world.read("victim"), "precious");
}

#[test]
fn a_freeze_and_a_change_of_the_same_vm_never_overlap() {
    let mut random = Random::new();
    for round in 0..if is_long() { 50 } else { 8 } {
        let world = World::new();
        world.vm("dev").running();
        world.warm();
        let change = ["rm dev --yes", "start dev", "stop dev"][usize::try_from(random.below(3)).unwrap()];
        let freeze = world.spawn("freeze dev -o x.smolmachine --yes");
        // The random moment is the test: there is no condition to wait for.
        std::thread::sleep(std::time::Duration::from_millis(random.below(60)));
        let change_status = world.spawn(change).wait().get_output().status.code();
        let ended = freeze.wait();
        let status = ended.get_output().status.code();
        let context = format!("round {round}, {change}: {change_status:?}; freeze: {status:?} {}", stderr(&ended));
        assert!([Some(0), Some(11)].contains(&change_status), "{context}");
        // 4: it was removed before.
        let removed = change.starts_with("rm") && change_status == Some(0);
        assert!([Some(0), Some(11)].contains(&status) || (removed && status == Some(4)), "{context}");
        assert_eq!(world.state("dev") == "missing", removed, "{context}");
        assert_whole(&world, if status == Some(0) { &["x.smolmachine"] } else { &[] });
    }
}

// ------------------------------------------------------------------------------------------------- helpers

/// How often each race is repeated.
fn rounds() -> u32 {
    if is_long() { 50 } else { 1 }
}

fn eight_vms() -> World {
    let world = World::new();
    EIGHT.for_each(|n| world.vm(&format!("vm{n}")).stopped());
    world.warm();
    world
}

/// A freeze of the stopped VM `dev` that hangs while packing.
fn hanging_freeze() -> (World, Running) {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm().fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let freeze = world.spawn("freeze dev -o x.smolmachine");
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    (world, freeze)
}

fn done_or_locked_out(freeze: Running) -> i32 {
    let ended = freeze.wait();
    let status = ended.get_output().status.code().unwrap();
    assert!([0, 11].contains(&status), "{status}: {}", stderr(&ended));
    assert!(status == 0 || stderr(&ended).contains("in use by another bottle-freeze (process "), "{}", stderr(&ended));
    status
}

/// These snapshots are intact, and there is nothing else: no locks either.
fn assert_whole(world: &World, snapshots: &[&str]) {
    for snapshot in snapshots {
        world.run(&format!("verify {snapshot}")).success();
    }
    world.assert_clean(snapshots);
    assert_eq!(names_in(&world.path("home/library/work")), [""; 0]);
    assert_eq!(names_in(&world.path("home/library/locks")), [""; 0]);
    assert!(!world.vm_lock("dev").exists());
}
