//! A VM that another command created is never deleted.

use crate::support::chaos::{Random, is_long};
use crate::support::{Running, World, end_of, fake, names_in, stderr, wait_until};
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};

/// The engine hangs when asked to create a VM.
fn hangs(world: &World, at: &str) {
    world.fault(json!({"on": "machine create", "nth": 1, "at": at, "do": "hang"}));
}

/// Waits until the engine was called, and the call was counted as the first.
fn asked(world: &World) {
    let counts = world.path("fake/fault-counts");
    let is_counted = |name: &String| fs::metadata(counts.join(name)).is_ok_and(|count| count.len() > 0);
    wait_until("the engine is called", || names_in(&counts).iter().any(is_counted));
}

/// A command other than ours creates a VM of that name.
fn create_elsewhere(world: &World, name: &str) {
    let made = world.smolvm(&format!("machine create --name {name}"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn interrupt(run: Running, signal: Signal) -> String {
    run.signal(signal);
    stderr(&run.wait().code(128 + signal.as_raw()))
}

#[test]
fn an_interrupted_create_does_not_delete_the_vm_of_another_command() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new();
        hangs(world.warm(), "start");
        let create = world.spawn("create dev");
        asked(&world);
        create_elsewhere(&world, "dev");
        let said = interrupt(create, signal);
        assert_eq!(world.state("dev"), "created");
        assert!(said.contains("may be a VM 'dev'") && said.contains("bottle-freeze rm dev"), "{said}");
    }
}

#[test]
fn an_interrupted_thaw_does_not_delete_the_vm_of_another_command() {
    let world = World::new();
    let snapshot = world.snapshot("x.smolmachine");
    hangs(world.warm(), "start");
    let thaw = world.spawn(&format!("thaw {} dev", snapshot.display()));
    asked(&world);
    create_elsewhere(&world, "dev");
    interrupt(thaw, Signal::INT);
    assert_eq!(world.state("dev"), "created");
}

#[test]
fn an_interrupted_create_deletes_the_vm_that_it_made_itself() {
    let world = World::new();
    let snapshot = world.snapshot("x.smolmachine");
    hangs(world.warm(), "after");
    let create = world.spawn(&format!("create dev --from {}", snapshot.display()));
    wait_until("the VM is made", || world.path("fake/vms/dev/record.json").exists());
    let said = interrupt(create, Signal::INT);
    assert_eq!(world.state("dev"), "missing");
    assert!(!said.contains("may be a VM"), "{said}");
}

#[test]
fn an_interrupted_create_without_a_vm_mentions_no_vm() {
    let world = World::new();
    hangs(world.warm(), "start");
    let create = world.spawn("create dev");
    asked(&world);
    let said = interrupt(create, Signal::TERM);
    assert_eq!(world.state("dev"), "missing");
    assert!(!said.contains("may be a VM"), "{said}");
}

#[test]
fn a_name_is_locked_while_its_vm_is_created() {
    let world = World::new();
    let snapshot = world.snapshot("x.smolmachine");
    hangs(world.warm(), "start");
    let create = world.spawn("create dev");
    asked(&world);
    let thaw = format!("thaw {} dev", snapshot.display());
    for line in ["create dev", thaw.as_str(), "start dev", "rm dev --yes --wait 10ms"] {
        let run = world.run(line);
        let said = stderr(&run);
        assert!(said.contains("in use by another bottle-freeze") || said.contains("no VM named"), "{line}: {said}");
    }
    world.run("create other").success();
    interrupt(create, Signal::INT);
    world.clear_faults();
    world.run("create dev").success();
}

/// Two commands create a VM of the same name, and ours is interrupted at a random moment: a VM that the other one
/// created stays.
#[test]
fn a_create_interrupted_at_any_moment_deletes_no_rival_vm() {
    let mut random = Random::new();
    for _ in 0..if is_long() { 200 } else { 8 } {
        let world = World::new();
        let snapshot = world.snapshot("x.smolmachine");
        let slow = random.below(30);
        world.warm().fault(json!([
            {"on": "machine create", "nth": 1, "at": "start", "do": {"sleep_ms": slow}},
            {"on": "machine create", "nth": 1, "at": "after", "do": {"sleep_ms": random.below(30)}},
        ]));
        let from = if random.below(2) == 0 { format!("--from {}", snapshot.display()) } else { String::new() };
        let create = world.spawn(&format!("create dev {from}"));
        let interrupted = random.below(60);
        let rival = random.below(60);
        let mut theirs = None;
        for ms in 0..=interrupted.max(rival) {
            if ms == rival {
                theirs = Some(rival_of(&world));
            }
            if ms == interrupted {
                create.signal(Signal::INT);
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let has_theirs = end_of(theirs.unwrap()).status.success();
        let ours = create.wait();
        if has_theirs {
            assert_eq!(world.state("dev"), "created", "{}", stderr(&ours));
        }
    }
}

/// The engine, called by another command for a VM of this name.
fn rival_of(world: &World) -> std::process::Child {
    let mut command = Command::new(fake::fake_smolvm());
    world.set_environment(&mut command);
    command.env_remove("SMOLVM").args(["machine", "create", "--name", "dev"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn rm_does_not_delete_a_vm_that_replaced_the_named_one() {
    let world = World::new();
    world.vm("dev").stopped();
    world.fault(json!({"on": "machine ls", "nth": 2, "do": {"replace_vm": "dev"}}));
    world.run("rm dev --yes").code(5).stderr(contains("was replaced in the meantime"));
    assert_eq!(world.state("dev"), "stopped");
}

#[test]
fn thaw_does_not_replace_a_vm_that_replaced_the_frozen_one() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.warm().run("thaw dev --replace --yes").success();
    let looks = world.commands().iter().filter(|command| *command == "machine ls").count();
    world.run("stop dev").success();
    // Whenever the VM is replaced, the VM that is there afterwards is not deleted.
    for look in 2..=looks {
        let before = world.record("dev")["created_at"].as_u64().unwrap();
        world.fault(json!({"on": "machine ls", "nth": look, "do": {"replace_vm": "dev"}}));
        let run = world.run("thaw dev --replace --yes --no-start");
        if run.get_output().status.success() {
            // It replaced the VM that was thawed.
            assert!(look >= 4, "look {look}");
            continue;
        }
        assert!(stderr(&run).contains("replaced"), "look {look}: {}", stderr(&run));
        assert_eq!(world.record("dev")["created_at"], before + 1, "look {look}");
    }
}

#[test]
fn thaw_does_not_replace_a_vm_that_ran_after_it_was_frozen() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.warm().run("thaw dev --replace --yes --no-start").success();
    let looks = world.commands().iter().filter(|command| *command == "machine ls").count();
    let mut after_the_freeze = 0;
    for look in 2..=looks {
        let created = world.record("dev")["created_at"].clone();
        world.fault(json!([
            {"on": "machine ls", "nth": look, "do": {"start_vm": "dev"}},
            {"on": "machine ls", "nth": look, "do": {"stop_vm": "dev"}},
        ]));
        let run = world.run("thaw dev --replace --yes --no-start");
        if !run.get_output().status.success() {
            assert!(stderr(&run).contains("started or replaced"), "look {look}: {}", stderr(&run));
            assert_eq!(world.record("dev")["created_at"], created, "look {look}");
            after_the_freeze += usize::from(stderr(&run).contains("it was frozen as"));
        }
    }
    assert!(after_the_freeze > 0);
}
