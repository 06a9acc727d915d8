//! What a script for every night needs: a freeze that removes what is old, a library of a limited size, snapshots by key.

use crate::support::{World, finish, random_bytes, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;

fn json(world: &World, line: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(&format!("{line} --json")).success())).unwrap()
}

fn references(world: &World, line: &str) -> Vec<String> {
    stdout(&world.run(&format!("snapshot ls -q {line}")).success()).lines().map(str::to_owned).collect()
}

/// A stopped VM, with 10 KiB that no other has.
fn vm(world: &World, name: &str) {
    world.vm(name).stopped();
    change(world, name);
}

fn change(world: &World, name: &str) {
    world.write_guest(name, "root/note", random_bytes(10 << 10));
}

#[test]
fn a_freeze_with_a_policy_removes_the_older_snapshots_of_its_vm_only() {
    let world = World::new();
    for name in ["dev", "web"] {
        vm(&world, name);
        world.run(&format!("freeze {name}")).success();
    }
    world.run("freeze dev -t kept").success();
    let old = references(&world, "dev")[0].clone();
    change(&world, "dev");
    let frozen = json(&world, "freeze dev --keep-last 1");
    assert_eq!(frozen["pruned"], json!([old]), "{frozen}");
    let left = references(&world, "dev");
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(left[1], frozen["reference"].as_str().unwrap());
    assert_eq!(references(&world, "web").len(), 1);
    assert!(json(&world, "freeze web").get("pruned").is_none());
    world.assert_clean(&[]);
}

#[test]
fn a_freeze_without_a_change_prunes_too() {
    let world = World::new();
    vm(&world, "dev");
    world.run("freeze dev").success();
    world.run("freeze dev").success();
    let all = references(&world, "");
    let frozen = json(&world, "freeze dev --if-changed --keep-last 1");
    assert_eq!((&frozen["unchanged"], &frozen["pruned"]), (&json!(true), &json!([all[0]])));
    assert_eq!(references(&world, ""), all[1..]);
}

#[test]
fn a_filter_that_fits_nothing_is_named() {
    let world = World::new();
    vm(&world, "dev");
    world.run("snapshot ls --tag nope").success().stdout(contains("no snapshots; make one"));
    world.run("freeze dev -t ready --label a=b").success();
    for (line, said) in [
        ("ls --tag nope", "no snapshot has the tag 'nope'\n"),
        ("ls --tag raedy", "no snapshot has the tag 'raedy'; did you mean 'ready'?"),
        ("ls dev --label x=y", "no snapshot of dev has the label x=y\n"),
        ("ls --tag ready --label x=y", "no snapshot has the tag 'ready' and the label x=y\n"),
        ("prune --label x=y --label z=1 --keep-last 1", "no snapshot has the label x=y and the label z=1\n"),
        ("prune --max-size 1G", "it fits in --max-size"),
    ] {
        world.run(&format!("snapshot {line}")).success().stdout(contains(said));
    }
    assert_eq!(json(&world, "snapshot ls --tag nope"), json!([]));
    assert_eq!(stdout(&world.run("snapshot ls -q --tag nope").success()), "");
}

#[test]
fn what_the_snapshot_before_lacked_too_is_not_printed_again() {
    let world = World::new();
    world.vm("dev").with("--net --secret-env TOKEN=HOME").stopped();
    let first = stderr(&world.run("freeze dev -q").success());
    for warning in ["every limit of the network", "references to secrets"] {
        assert!(first.contains(warning), "{first}");
    }
    assert_eq!(stderr(&world.run("freeze dev -q").success()), "");
    assert_eq!(stderr(&world.run("freeze --all -y -q").success()), "");
    let verbose = stderr(&world.run("freeze dev -v").success());
    assert!(verbose.contains("warning, as before: the snapshot will not hold references"), "{verbose}");
    // The snapshot has them, and programs read them.
    assert!(stdout(&world.run("snapshot show dev").success()).contains("every limit of the network"));
    let frozen = json(&world, "freeze dev");
    assert_eq!(frozen["warnings"], frozen["snapshot"]["warnings"]);
    assert!(frozen["warnings"].as_array().unwrap().len() >= 2, "{frozen}");
    // What is new is printed, and so is all that a file lacks.
    world.edit("dev", "settings", json!({"restart_policy": "always"}));
    let new = stderr(&world.run("freeze dev -q --launcher").success());
    assert!(new.lines().count() <= 1, "{new}");
    assert!(stderr(&world.run("freeze dev -q -o x.smolmachine").success()).contains("the network"));
}

#[test]
fn all_vms_are_those_that_have_something_to_freeze() {
    let world = World::new();
    vm(&world, "dev");
    world.vm("new").with("--label tier=one").created();
    let run = world.run("freeze --all").success();
    run.stdout(contains("skipped new: it was never started").and(contains("froze dev")));
    assert_eq!(json(&world, "freeze --all").as_array().unwrap().len(), 1);
    world.run("freeze --vm-label tier=one").success().stdout(contains("skipped new"));
    assert_eq!(json(&world, "freeze --vm-label tier=one"), json!([]));
    // One that is named is meant.
    world.run("freeze dev new").code(3).stderr(contains("never started"));
    world.run("freeze new").code(5).stderr(contains("never started"));
}

#[test]
fn a_freeze_that_fails_removes_nothing() {
    let world = World::new();
    vm(&world, "dev");
    world.run("freeze dev").success();
    world.run("freeze dev").success();
    world.fault(json!({"on": "pack create", "at": "half", "do": {"kill": 9}}));
    world.run("freeze dev --engine-pack --keep-last 1").failure();
    assert_eq!(references(&world, "").len(), 2);
}

#[test]
fn what_is_being_read_stays_and_is_named_in_a_warning() {
    let world = World::new();
    vm(&world, "dev");
    world.run("freeze dev").success();
    let old = references(&world, "")[0].clone();
    change(&world, "dev");
    let folder = world.path("home/library/snapshots").join(old.replace('@', "/"));
    let held = std::fs::File::open(folder).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockShared).unwrap();
    let frozen = json(&world, "freeze dev --keep-last 1");
    assert_eq!(frozen["pruned"], json!([]));
    assert!(frozen["warnings"].to_string().contains(&format!("{old} was not removed")), "{frozen}");
    assert_eq!(references(&world, "").len(), 2);
}

#[test]
fn a_file_is_not_pruned() {
    let world = World::new();
    vm(&world, "dev");
    world.run("freeze dev -o x.smolmachine --keep-last 1").code(2).stderr(contains("cannot be used with"));
}

#[test]
fn prune_can_be_limited_to_a_label() {
    let world = World::new();
    vm(&world, "dev");
    for label in ["job=nightly", "job=hand", "job=nightly"] {
        change(&world, "dev");
        world.run(&format!("freeze dev --label {label}")).success();
    }
    let all = references(&world, "");
    world.run("snapshot prune --keep-last 1 --label job=nightly --yes").success();
    assert_eq!(references(&world, ""), all[1..]);
}

#[test]
fn the_oldest_go_until_the_library_is_small_enough() {
    let world = World::new();
    vm(&world, "dev");
    for tag in ["-t first", "", "", ""] {
        world.write_guest("dev", "root/note", random_bytes(1 << 20));
        world.run(&format!("freeze dev {tag}")).success();
    }
    let all = references(&world, "");
    let size = || {
        let listed = json(&world, "snapshot ls");
        let line = stdout(&world.run("snapshot ls").success());
        (listed.as_array().unwrap().len(), line.lines().last().unwrap().to_owned())
    };
    let before = size();
    world.run("snapshot prune --max-size 1T").success();
    assert_eq!(size(), before, "it fits");
    let plan = stdout(&world.run("snapshot prune --max-size 3500K --dry-run").success());
    assert!(plan.contains(&format!("would remove {}", all[1])) && plan.matches("would").count() == 1, "{plan}");
    world.run("snapshot prune --max-size 3500K --yes").success();
    assert_eq!(references(&world, ""), [&all[..1], &all[2..]].concat());
    let before = references(&world, "");
    world.run("snapshot prune --max-size 1K --yes").code(1).stderr(contains("cannot be made smaller than"));
    assert_eq!(references(&world, ""), before, "nothing goes in vain");
    world.run("snapshot prune --max-size 2500K --yes").success();
    assert_eq!(references(&world, ""), [all[0].clone(), all[3].clone()], "the tagged one and the newest stay");
}

#[test]
fn what_others_share_is_not_counted_as_freed() {
    let world = World::new();
    vm(&world, "dev");
    world.write_guest("dev", "root/base", random_bytes(2 << 20));
    for _ in 0..3 {
        change(&world, "dev");
        world.run("freeze dev").success();
    }
    let all = references(&world, "");
    // Two of them are 2 MiB and a little: removing the first alone frees only the little.
    let plan = stdout(&world.run("snapshot prune --max-size 2068K --dry-run").success());
    assert!(plan.contains(&format!("would remove {}", all[0])) && plan.contains(&format!("would remove {}", all[1])));
}

#[test]
fn a_size_is_a_number_with_a_unit() {
    let world = World::new();
    for size in ["9999K", "9999kb", "20G", "20GiB", "1T"] {
        world.run(&format!("snapshot prune --max-size {size}")).success();
    }
    for size in ["", "20", "20b", "G", "-1", "1.5G", "20X", "99999999T", "2 0G"] {
        let run = finish(world.command(["snapshot", "prune", &format!("--max-size={size}")]));
        run.code(2).stderr(contains("a size is a whole number with K, M, G or T"));
    }
}

#[test]
fn a_snapshot_is_found_by_the_key_that_it_was_frozen_with() {
    let world = World::new();
    world.run("thaw --key abc").code(4).stderr(contains("there is no snapshot with the key 'abc'"));
    vm(&world, "dev");
    world.run("freeze dev --key abc").success();
    change(&world, "dev");
    world.run("freeze dev --key abc --label a=b").success();
    change(&world, "dev");
    world.run("freeze dev --key def").success();
    vm(&world, "web");
    world.run("freeze web --key abc").success();
    let all = references(&world, "");
    assert_eq!(json(&world, "thaw --key abc --no-start")["reference"], json!(all[3]));
    assert_eq!(json(&world, "thaw dev again --key abc --no-start")["reference"], json!(all[1]));
    assert_eq!(json(&world, "snapshot show dev")["labels"], json!({"key": "def"}));
    world.run("thaw web --key def").code(4).stderr(contains("there is no snapshot of 'web' with the key 'def'"));
    world.run("thaw dev@x --key abc").code(2).stderr(contains("a snapshot is named by its VM alone"));
    world.run("thaw").code(2);
}

#[test]
fn a_key_finds_only_snapshots_that_were_frozen_here() {
    let world = World::new();
    vm(&world, "dev");
    world.run("freeze dev --key abc").success();
    world.run("snapshot export dev -o dev.tar").success();
    world.run("snapshot rm dev --yes").success();
    world.run("snapshot import dev.tar --as other").success();
    let other = references(&world, "").remove(0);
    assert_eq!(json(&world, "snapshot show other")["labels"], json!({"key": "abc"}));
    for line in ["thaw --key abc", "thaw other new --key abc"] {
        let said = stderr(&world.run(line).code(4));
        assert!(said.contains(&format!("{other} has it, but was imported from dev.tar")), "{line}: {said}");
    }
    change(&world, "dev");
    world.run("freeze dev --key abc").success();
    world.run("snapshot rm other --yes").success();
    let own = references(&world, "").remove(0);
    world.run("snapshot import dev.tar --as other").success();
    assert_eq!(json(&world, "thaw --key abc --no-start")["reference"], json!(own));
}

#[test]
fn a_damaged_snapshot_that_may_have_the_key_is_never_skipped() {
    let world = World::new();
    vm(&world, "dev");
    world.run("freeze dev --key abc").success();
    change(&world, "dev");
    world.run("freeze dev --key abc").success();
    let all = references(&world, "");
    let folder = world.path("home/library/snapshots").join(all[1].replace('@', "/"));
    fs::remove_file(folder.join("snapshot.json")).unwrap();
    for line in ["thaw --key abc --no-start", "thaw dev new --key abc --no-start"] {
        let said = stderr(&world.run(line).code(10));
        assert!(said.contains(&all[1]) && said.contains(&format!("snapshot rm {}", all[1])), "{line}: {said}");
    }
    world.run(&format!("snapshot rm {} --yes", all[1])).success();
    assert_eq!(json(&world, "thaw dev new --key abc --no-start")["reference"], json!(all[0]));
}

#[test]
fn a_snapshot_without_the_key_is_not_the_one_that_was_asked_for() {
    let world = World::new();
    vm(&world, "dev");
    world.run("freeze dev --if-changed").success();
    world.run("freeze dev --if-changed --key abc").success().stdout(contains("froze dev"));
    world.run("freeze dev --if-changed --key abc").success().stdout(contains("unchanged"));
    world.run("thaw --key abc --no-start").success();
    for line in ["freeze dev --key ''", "thaw --key ''"] {
        world.run(line).code(2);
    }
}

/// A prune must not take an interrupt of its check for damage, and remove what it cannot judge.
#[test]
fn a_signal_removes_nothing() {
    let world = World::new();
    vm(&world, "dev");
    for _ in 0..3 {
        change(&world, "dev");
        world.run("freeze dev").success();
    }
    let before = references(&world, "");
    change(&world, "dev");
    // The hook ends after the snapshot is published: its parent is the freeze.
    let hook = "host:kill -INT $PPID; sleep 0.3";
    world.run(&format!("freeze dev --keep-tag ready --post-freeze '{hook}'")).code(130);
    let after = references(&world, "");
    assert_eq!((after.len(), &after[..3]), (4, &before[..]));
    for line in ["snapshot prune --keep-tag ready --yes", "snapshot prune --max-size 1M --yes"] {
        let mut prune = world.line(line);
        prune.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut prune = prune.spawn().unwrap();
        crate::support::signal(i32::try_from(prune.id()).unwrap(), rustix::process::Signal::INT);
        prune.wait().unwrap();
        let left = references(&world, "");
        assert!(left.contains(&after[3]), "{line}: the newest stays, whenever the signal came: {left:?}");
    }
}

#[test]
fn the_newest_few_are_listed() {
    let world = World::new();
    vm(&world, "dev");
    for _ in 0..3 {
        world.run("freeze dev").success();
    }
    let all = references(&world, "");
    assert_eq!(references(&world, "-n 1"), all[2..]);
    assert_eq!(references(&world, "--last 2"), all[1..]);
    assert_eq!(references(&world, "-n 9"), all);
    assert_eq!(json(&world, "snapshot ls dev -n 1").as_array().unwrap().len(), 1);
}

#[test]
fn variables_stand_for_options_and_help_says_so() {
    let world = World::new();
    vm(&world, "dev");
    let run = |name: &str, value: &str, line: &str| {
        let mut command = world.line(line);
        command.env(name, value);
        finish(command)
    };
    let error = run("BOTTLE_FREEZE_ERROR_FORMAT", "json", "start nope").code(4);
    serde_json::from_slice::<Value>(&error.get_output().stderr).unwrap();
    run("BOTTLE_FREEZE_STOP_TIMEOUT", "soon", "freeze dev").code(2).stderr(contains("--stop-timeout"));
    run("BOTTLE_FREEZE_JOBS", "0", "freeze dev").code(2).stderr(contains("--jobs"));
    run("BOTTLE_FREEZE_NO_INPUT", "1", "rm dev").code(6).stderr(contains("--no-input"));
    run("BOTTLE_FREEZE_NO_INPUT", "", "rm dev").code(6).stderr(contains("no terminal"));
    run("BOTTLE_FREEZE_WAIT", "1s", "stop dev").success();
    // As a workflow sets them where an input is missing.
    for name in ["WAIT", "JOBS", "ERROR_FORMAT", "STOP_TIMEOUT", "HOOK_TIMEOUT"] {
        run(&format!("BOTTLE_FREEZE_{name}"), "", "freeze dev -yq").success();
    }
    let usage = run("BOTTLE_FREEZE_ERROR_FORMAT", "json", "ls --nope").code(2);
    serde_json::from_slice::<Value>(&usage.get_output().stderr).unwrap();
    for (line, name) in [("freeze --help", "BOTTLE_FREEZE_JOBS"), ("--help", "BOTTLE_FREEZE_NO_INPUT")] {
        world.run(line).success().stdout(contains(format!("[env: {name}")));
    }
}

#[test]
fn a_relative_home_in_the_environment_is_refused() {
    let world = World::new();
    let mut command = world.line("snapshot ls");
    command.env("BOTTLE_FREEZE_HOME", "library");
    finish(command).code(8).stderr(contains("$BOTTLE_FREEZE_HOME is not an absolute path: library"));
    assert!(!world.path("work/library").exists());
    world.run("snapshot ls --home here").success();
}
