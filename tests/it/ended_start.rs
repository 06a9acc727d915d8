//! A start that is ended early, by `--timeout` or a signal, ends the VMM that the engine started, which would boot on.

use crate::support::chaos::{Random, is_long};
use crate::support::{Running, World, is_alive, signal, stderr, stdout, wait_until};
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

/// The engine starts a VMM, and does not come back: a slow boot.
fn slow_boot(world: &World) {
    world.warm().fault(json!({"on": "machine start", "at": "boot", "do": "hang"}));
}

/// The last VMM of the VM, whether a record names it or not.
fn last_vmm(world: &World, name: &str) -> Option<i32> {
    std::fs::read_to_string(world.path(&format!("fake/vms/{name}/vmm.pid"))).ok()?.parse().ok()
}

/// The command, which starts the VM `dev`, and the VMM that boots.
fn spawn_until_it_boots(world: &World, line: &str) -> (Running, i32) {
    let start = world.spawn(line);
    wait_until("its VMM boots", || last_vmm(world, "dev").is_some());
    (start, last_vmm(world, "dev").unwrap())
}

fn assert_ended(world: &World, said: &str) {
    let vmm = last_vmm(world, "dev");
    assert!(!vmm.is_some_and(is_alive), "the VMM {vmm:?} lives on: {said}");
    assert!(!said.contains("may still be starting"), "{said}");
}

/// A VM `dev` whose start was killed, and its VMM, which boots on.
fn world_of_a_killed_start(version: &str) -> (World, i32) {
    let world = World::with_engine(version);
    world.vm("dev").stopped();
    slow_boot(&world);
    let (start, vmm) = spawn_until_it_boots(&world, "start dev");
    start.signal(Signal::KILL);
    start.wait();
    world.clear_faults();
    assert!(is_alive(vmm) && world.state("dev") == "stopped");
    world.forget_calls();
    (world, vmm)
}

#[test]
fn a_start_that_takes_too_long_is_ended() {
    for state in ["created", "stopped"] {
        let world = World::new();
        match state {
            "created" => world.vm("dev").created(),
            _ => world.vm("dev").stopped(),
        }
        slow_boot(&world);
        let run = world.run("start dev --timeout 300ms").code(1);
        let said = stderr(&run);
        for text in ["'dev' did not start within 300ms", &format!("'dev' is {state}"), "start dev --timeout 600ms"] {
            assert!(said.contains(text), "no {text}: {said}");
        }
        assert_ended(&world, &said);
        world.clear_faults();
        world.run("start dev").success();
    }
}

#[test]
fn a_start_that_a_signal_ends_leaves_no_vmm() {
    let mut random = Random::new();
    for round in 0..if is_long() { 100 } else { 6 } {
        let interrupt = [Signal::INT, Signal::TERM, Signal::HUP][round % 3];
        let delay = Duration::from_micros(random.below(60_000));
        println!("{interrupt:?} after {delay:?}");
        let world = World::new();
        world.vm("dev").stopped();
        slow_boot(&world);
        let start = world.spawn("start dev");
        wait_until("it handles signals", || crate::support::handles_signals(start.pid()));
        std::thread::sleep(delay);
        start.signal(interrupt);
        let run = start.wait().code(128 + interrupt.as_raw());
        let said = stderr(&run);
        assert!(said.contains("'dev' is stopped"), "{said}");
        assert_ended(&world, &said);
    }
}

#[test]
fn a_second_signal_ends_the_cleanup_and_says_what_may_be_left() {
    let world = World::new();
    world.vm("dev").stopped();
    let slow = json!({"on": "machine start", "at": "boot", "do": "hang"});
    world.warm().fault(json!([slow, {"on": "machine stop", "do": "hang"}]));
    let (start, vmm) = spawn_until_it_boots(&world, "start dev");
    let run = start.signal_until_it_ends(Signal::INT).code(130);
    assert!(stderr(&run).contains("stopped at once: 'dev' may still be starting"), "{}", stderr(&run));
    assert!(is_alive(vmm));
    world.clear_faults();
    world.run("stop dev").success();
    assert!(!is_alive(vmm));
}

#[test]
fn a_vm_that_runs_by_then_is_left_running() {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm().fault(json!({"on": "machine start", "at": "after", "do": "hang"}));
    let run = world.run("start dev --timeout 500ms").code(1);
    assert!(stderr(&run).contains("'dev' is running"), "{}", stderr(&run));
    assert_eq!(world.state("dev"), "running");
    assert!(!world.commands().contains(&"machine stop".to_owned()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_by_another_command_is_not_ended() {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm().fault(json!([
        {"on": "machine start", "nth": 1, "at": "boot", "do": "hang"},
        {"on": "machine start", "nth": 2, "at": "start", "do": "hang"}
    ]));
    let (start, vmm) = spawn_until_it_boots(&world, "start dev");
    std::thread::scope(|scope| {
        scope.spawn(|| world.smolvm("machine start --name dev"));
        wait_until("the other start runs", || world.calls().len() == 3);
        start.signal(Signal::INT);
        let run = start.wait().code(130);
        let other = world.call_log().pop().unwrap()["pid"].as_i64().unwrap();
        let said = stderr(&run);
        assert!(is_alive(vmm) && said.contains("another command is starting 'dev'"), "{said}");
        signal(i32::try_from(other).unwrap(), Signal::KILL);
    });
    world.clear_faults();
    world.run("stop dev").success();
}

#[test]
fn a_thaw_or_rollback_whose_start_is_ended_leaves_a_vm_that_is_down() {
    for (line, is_interrupted) in [
        ("thaw dev --keep --timeout 300ms", false),
        ("thaw dev", true),
        ("rollback dev --yes --timeout 300ms", false),
        ("rollback dev --yes", true),
    ] {
        let world = World::new();
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        if line.starts_with("thaw") {
            world.run("rm dev --yes").success();
        }
        slow_boot(&world);
        let run = if is_interrupted {
            let (thaw, _) = spawn_until_it_boots(&world, line);
            thaw.signal(Signal::INT);
            thaw.wait().code(130)
        } else {
            world.run(line).code(1)
        };
        let said = stderr(&run);
        assert!(said.contains("'dev' is created") && said.contains("bottle-freeze start dev"), "{line}: {said}");
        assert_ended(&world, &said);
    }
}

#[test]
fn a_thaw_whose_vm_does_not_start_in_time_leaves_none() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("rm dev --yes").success();
    slow_boot(&world);
    let said = stderr(&world.run("thaw dev --timeout 300ms").code(1));
    assert!(said.contains("now: 'dev' was removed again") && said.contains("--timeout"), "{said}");
    assert_eq!(world.state("dev"), "missing");
    assert_ended(&world, &said);
}

#[test]
fn a_second_signal_during_the_restart_of_a_freeze_says_that_the_vm_may_be_starting() {
    let world = World::new();
    world.vm("dev").running();
    let before = last_vmm(&world, "dev");
    slow_boot(&world);
    let freeze = world.spawn("freeze dev -o x.smolmachine --yes --restart");
    wait_until("it boots again", || world.commands().contains(&"machine start".to_owned()));
    wait_until("its VMM boots", || last_vmm(&world, "dev") != before);
    let run = freeze.signal_until_it_ends(Signal::INT).code(130);
    assert!(stderr(&run).contains("'dev' may still be starting"), "{}", stderr(&run));
    world.clear_faults();
    world.run("verify x.smolmachine").success();
    world.run("stop dev").success();
    assert_ended(&world, "");
}

#[cfg(target_os = "linux")]
#[test]
fn rm_ends_the_vmm_of_a_killed_start() {
    let (world, vmm) = world_of_a_killed_start("1.32.2");
    world.run("rm dev --yes").success();
    assert!(!is_alive(vmm));
    let commands = world.commands();
    assert_eq!(
        commands[2..],
        ["machine data-dir", "machine stop", "machine data-dir", "machine delete"],
        "{commands:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn doctor_reports_the_vmm_of_a_killed_start() {
    let check = |world: &World| {
        let report: Value = serde_json::from_str(&stdout(&world.run("doctor --json").success())).unwrap();
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "vms").unwrap().clone()
    };
    let (world, vmm) = world_of_a_killed_start("1.32.2");
    world.vm("web").running();
    world.vm("down").stopped();
    let found = check(&world);
    assert_eq!(found["details"], json!({"used": [{"vm": "dev", "state": "stopped", "pid": vmm}]}));
    assert_eq!((&found["verdict"], &found["hint"]), (&json!("warning"), &json!("bottle-freeze stop dev")));
    world.run("freeze dev -o x.smolmachine").code(5).stderr(contains("bottle-freeze stop dev"));
    world.run("stop dev").success();
    assert!(!is_alive(vmm));
    assert_eq!(check(&world)["verdict"], "ok");
    world.run("freeze dev -o x.smolmachine").success();
}

#[cfg(target_os = "linux")]
#[test]
fn a_vmm_that_an_old_engine_does_not_end_is_ended_all_the_same() {
    let world = World::with_engine("1.4.0");
    world.vm("dev").stopped();
    slow_boot(&world);
    let run = world.run("start dev --timeout 300ms").code(1);
    let vmm = last_vmm(&world, "dev").unwrap();
    let said = stderr(&run);
    assert!(said.contains("now: 'dev' is stopped") && !said.contains("may still be starting"), "{said}");
    wait_until("it has ended", || !is_alive(vmm));
    world.clear_faults();
    world.run("stop dev").success();
    assert_eq!(world.state("dev"), "stopped");
    world.run("rm dev --yes").success();
}
