//! Several VMs at once: frozen, started, stopped and removed in parallel.

use crate::support::{World, names_in, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};

const THREE: [&str; 3] = ["a", "b", "c"];

#[test]
fn several_vms_are_frozen_side_by_side() {
    for version in ["0.8.0", "1.4.0", "1.32.2"] {
        for line in
            ["freeze a b c -j 3 --yes", "freeze --all -j 2 --yes", "freeze --all --yes", "freeze a b c a -j 1 --yes"]
        {
            let world = three(version);
            world.run(line).success();
            for vm in THREE {
                assert_eq!(world.state(vm), "stopped", "{version}: {line}");
                assert_eq!(
                    names_in(&world.path(&format!("home/library/snapshots/{vm}"))).len(),
                    1,
                    "{version}: {line}"
                );
            }
            world.run("snapshot verify --all").success();
            world.assert_clean(&[]);
            assert!(names_in(&world.path("home/library/locks")).is_empty());
        }
    }
}

#[test]
fn a_label_selects_vms() {
    let world = World::new();
    world.vm("a").with("--label team=x --label role=web").running();
    world.vm("b").with("--label team=x").running();
    world.vm("c").with("--label team=y").running();
    world.run("freeze --vm-label team=x --yes --restart").success();
    assert_eq!(names_in(&world.path("home/library/snapshots")), ["a", "b"]);
    world.run("stop --label team=x --label role=web").success();
    assert_eq!(THREE.map(|vm| world.state(vm)), ["stopped", "running", "running"]);
    world.run("start --label team=x").success();
    assert_eq!(world.state("a"), "running");
    world.run("rm --label team=y --yes").success();
    assert_eq!(world.state("c"), "missing");
    for line in ["freeze --vm-label team=z", "stop --label team=z", "rm --label team=z --yes"] {
        world.run(line).code(4).stderr(contains("no VM has that label"));
    }
    world.run("stop --all").success();
    world.run("rm --all --yes").success();
    assert!(world.list().is_empty());
    for line in ["freeze", "stop", "freeze a --all", "rm a --label k=v --yes"] {
        world.run(line).code(2);
    }
}

#[test]
fn one_question_lists_all_vms_that_will_stop() {
    let world = three("1.32.2");
    world.vm("down").stopped();
    let refused = stderr(&world.run("freeze --all").code(6));
    assert!(refused.contains("'a' is running, 'b' is running, 'c' is running. Stop them"), "{refused}");
    assert_eq!(refused.matches("no terminal").count(), 1, "{refused}");
    assert!(THREE.iter().all(|vm| world.state(vm) == "running"));
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let world = three("1.32.2");
    world.vm("new").created();
    world.vm("paused").in_state("paused");
    let run = world.run("freeze a paused b new nosuch c -j 2 --yes --restart").code(3);
    let said = stderr(&run);
    assert!(said.contains("3 of 6 VMs failed: new ("), "{said}");
    for why in ["new ('new' has no disk yet", "nosuch (there is no VM", "'paused' cannot be frozen"] {
        assert!(said.contains(why), "{why}: {said}");
    }
    for vm in THREE {
        assert_eq!(world.state(vm), "running");
        world.run(&format!("snapshot verify {vm}")).success();
    }
}

#[test]
fn json_for_several_is_an_array_with_an_entry_for_each() {
    let world = three("1.32.2");
    let run = world.run("freeze a nosuch b --json --yes").code(3);
    let all: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!((&all[0]["vm"], &all[1]["vm"], &all[2]["vm"]), (&json!("a"), &json!("b"), &json!("nosuch")));
    assert_eq!((&all[2]["error"]["exit_status"], &all[0]["live"]), (&json!(4), &json!(false)));
    assert!(all[2]["error"]["message"].as_str().unwrap().contains("nosuch"));
    let run = world.run("freeze c --json --yes").success();
    assert_eq!(serde_json::from_str::<Value>(&stdout(&run)).unwrap()["vm"], "c");
    let run = world.run("freeze --vm-label no=no --json").code(4);
    assert_eq!(stdout(&run), "");
}

#[test]
fn an_interrupt_ends_all_of_them_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = three("1.32.2");
        world.warm().fault(json!({"on": "pack create", "at": "half", "do": "hang"}));
        let freeze = world.spawn("freeze a b c -j 2 --yes");
        wait_until("two of them pack", || world.commands().iter().filter(|call| *call == "pack create").count() == 2);
        freeze.signal(signal);
        let ended = freeze.wait().code(128 + signal.as_raw());
        assert_eq!(stderr(&ended).matches("cleaning up").count(), 1, "{}", stderr(&ended));
        for vm in THREE {
            assert_eq!(world.state(vm), "running", "{}", stderr(&ended));
            assert!(names_in(&world.path(&format!("home/library/snapshots/{vm}"))).is_empty());
        }
        world.assert_clean(&[]);
    }
}

#[test]
fn cleanup_of_one_vm_does_not_let_another_continue() {
    // One fails, and is being started again when the signal arrives; the other is being packed meanwhile, and must end.
    let world = three("1.32.2");
    world.warm().fault(json!([
        {"on": "pack create", "nth": 1, "at": "half", "do": {"fail": {"status": 1, "stderr": "Error: no"}}},
        // Without a count, because two concurrent calls may be counted in a different order for each fault.
        {"on": "pack create", "at": "half", "do": "hang"},
    ]));
    let freeze = world.spawn("freeze a b -j 2 --yes");
    let commands = || world.commands();
    wait_until("one packs and the other is started again", || {
        let count = |what: &str| commands().iter().filter(|call| *call == what).count();
        count("pack create") == 2 && count("machine start") == 1
    });
    freeze.signal(Signal::INT);
    freeze.wait().code(130);
    assert_eq!(["a", "b"].map(|vm| world.state(vm)), ["running", "running"]);
    world.assert_clean(&[]);
}

#[test]
fn two_runs_that_wait_for_the_same_vms_both_finish() {
    let world = three("1.32.2");
    let one = world.spawn("freeze a b c --yes --restart --wait 60s");
    let other = world.spawn("freeze c b a --yes --restart --wait 60s");
    one.wait().success();
    other.wait().success();
    for vm in THREE {
        assert_eq!(names_in(&world.path(&format!("home/library/snapshots/{vm}"))).len(), 2);
    }
}

#[test]
fn an_output_is_allowed_for_one_vm_only() {
    let world = three("1.32.2");
    world.run("freeze a b -o x.smolmachine --yes").code(2).stderr(contains("-o names the output of one VM"));
    world.run("freeze --all -o x.smolmachine --yes").code(2);
    assert!(THREE.iter().all(|vm| world.state(vm) == "running"));
}

#[test]
fn start_stop_and_rm_take_several_vms_too() {
    let world = three("1.32.2");
    world.run("stop a b nosuch c -j 3").code(3).stderr(contains("1 of 4 VMs failed: nosuch").and(contains("no VM")));
    assert!(THREE.iter().all(|vm| world.state(vm) == "stopped"));
    world.run("start --all -j 3").success();
    assert!(THREE.iter().all(|vm| world.state(vm) == "running"));
    let asked = stderr(&world.run("rm --all").code(6));
    assert!(THREE.iter().all(|vm| asked.contains(&format!("{vm} (running, "))), "{asked}");
    world.run("rm --all --yes").success();
    assert!(world.list().is_empty());
}

/// One that is named is meant.
#[test]
fn all_vms_are_those_in_a_state_that_fits() {
    let world = World::new();
    world.vm("up").running();
    world.vm("down").stopped();
    world.vm("aside").in_state("paused");
    let skips = |line: &str, skipped: &[&str], done: &str| {
        let said = stdout(&world.run(line).success());
        let all: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("skipped ")).collect();
        assert_eq!(all, skipped, "{line}: {said}");
        assert!(said.contains(done), "{line}: {said}");
    };
    skips("pause --all", &["aside: it is paused", "down: it is stopped"], "up is paused");
    skips("stop --all", &["aside: it is paused", "up: it is paused"], "down is stopped");
    world.run("stop down aside").code(3);
    world.run("resume up").success();
    let paused: Value = serde_json::from_str(&stdout(&world.run("pause --all --json").success())).unwrap();
    assert_eq!(paused.as_array().unwrap().len(), 1, "{paused}");
    world.run("pause down").code(5);
}

fn three(version: &str) -> World {
    let world = World::with_engine(version);
    for vm in THREE {
        world.vm(vm).running();
    }
    world
}
