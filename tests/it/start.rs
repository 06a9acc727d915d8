//! `create`, `start`, `stop`: what they promise when they return.

use crate::support::fake::fake_smolvm;
use crate::support::namespace::in_a_namespace;
use crate::support::{World, finish, stderr, stdout};
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn start_waits_until_the_guest_runs_commands() {
    let world = World::new();
    world.vm("dev").stopped();
    let not_yet = "Error: agent operation failed: connect: timed out";
    let fault = |nth| json!({"on": "machine exec", "nth": nth, "do": {"fail": {"status": 1, "stderr": not_yet}}});
    world.warm().fault(json!([fault(1), fault(2), fault(3)]));
    world.run("start dev").success();
    assert_eq!(world.commands().iter().filter(|command| *command == "machine exec").count(), 4);
}

#[test]
fn a_vm_that_dies_during_the_wait_fails_immediately() {
    let world = World::new();
    world.vm("dev").stopped();
    world.fault(json!({"on": "machine exec", "at": "start", "do": {"set_state": {"vm": "dev", "state": "stopped"}}}));
    world.run("start dev").code(1).stderr(contains("did not become ready"));
}

#[test]
fn a_start_that_fails_prints_the_reason() {
    let world = World::new();
    world.vm("dev").stopped();
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: no kvm here"}}}));
    world.run("start dev").code(1).stderr(contains("no kvm here"));
}

/// Runs the command with an engine that has its own libkrun: it runs VMs on this host, which has a hypervisor or not.
fn run_with_libkrun(world: &World, line: &str) -> Assert {
    let engine = world.path("engine/smolvm");
    std::fs::create_dir_all(engine.parent().unwrap()).unwrap();
    if !engine.exists() {
        std::fs::copy(fake_smolvm(), &engine).unwrap();
    }
    std::fs::write(engine.with_file_name("libkrun.so"), "").unwrap();
    let mut command = world.line(line);
    command.env("SMOLVM", &engine).env("SMOLVM_VM_UID_DROP", "off");
    finish(command)
}

/// What `doctor` says about the hypervisor then.
fn hypervisor(world: &World) -> Value {
    let run = run_with_libkrun(world, "doctor --json");
    let doctor: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "hypervisor").unwrap().clone()
}

#[test]
fn where_no_vm_can_run_a_start_says_so_at_once() {
    if !cfg!(target_os = "linux") {
        return;
    }
    in_a_namespace(|| {
        let world = World::new();
        world.vm("dev").stopped();
        world.vm("image").with("--image alpine:3.20").stopped();
        world.run("freeze dev").success();
        let run = |line: &str| run_with_libkrun(&world, line);
        let sh = |script: &str| Command::new("/bin/sh").args(["-ec", script]).status().unwrap().success();
        assert!(sh("[ -e /dev/kvm ] || touch /dev/kvm; mount --bind /dev/null /dev/kvm"));
        let hypervisor = hypervisor(&world);
        let hint = hypervisor["hint"].as_str().unwrap();
        for line in ["start dev", "thaw dev dev2", "pack alpine -o x.smolmachine", "freeze image"] {
            world.forget_calls();
            run(line).code(1).stderr(contains("no VM starts here: ").and(contains(hint)));
            let commands = world.commands();
            let makes = ["machine start", "machine create", "pack create", "machine stop"];
            assert!(!commands.iter().any(|one| makes.contains(&&**one)), "{commands:?}");
            assert_eq!(world.state("dev2"), "missing");
        }
        // Also where its disk was to be read, and then is not known.
        world.record_as_real_engines_do("image");
        world.forget_calls();
        let only_engine = contains("only the engine can pack 'image' (").and(contains("no VM starts here: "));
        run("freeze image").code(1).stderr(only_engine.and(contains(hint)).and(contains("the library is as it was")));
        let calls = world.calls();
        assert!(!calls.iter().flatten().any(|word| word.contains("--from-vm=image")), "{calls:?}");
        // The dry run shows that way, too.
        let planned = run("freeze image --dry-run --json --verbose").success();
        assert!(stdout(&planned).contains("\"way\": \"engine\""), "{}", stdout(&planned));
        // A stopped VM is made all the same.
        run("thaw dev dev3 --no-start").success();
        run("freeze dev").success();
    });
}

/// Whatever the flags of the CPU are. Without the modules nothing says that the KVM boots no kernel of libkrun.
#[test]
fn where_the_hypervisor_makes_vms_a_start_is_tried() {
    if !cfg!(target_os = "linux") {
        return;
    }
    in_a_namespace(|| {
        let hidden = Command::new("mount").args(["-t", "tmpfs", "none", "/sys/module"]).status().unwrap().success();
        let world = World::new();
        world.vm("dev").stopped();
        let hypervisor = hypervisor(&world);
        let what = hypervisor["what"].as_str().unwrap();
        if !hidden || !what.contains(" works") {
            return println!("NOT RUN: {what}");
        }
        run_with_libkrun(&world, "start dev").success();
        run_with_libkrun(&world, "stop dev").success();
    });
}

#[test]
fn start_waits_for_the_old_vmm_to_exit() {
    let world = World::new();
    world.vm("dev").stopped();
    let said = "Error: agent operation failed: start: refusing a second launch";
    world.fault(json!({"on": "machine start", "nth": 1, "do": {"fail": {"status": 1, "stderr": said}}}));
    world.run("start dev").success();
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn rm_waits_for_the_vmm_that_ends_late() {
    let world = World::new();
    world.vm("dev").stopped();
    // Said by 1.32.2 in the lab, on a busy host.
    let said = "Error: agent operation failed: delete machine: machine 'dev' process is still alive after stop";
    world.fault(json!({"on": "machine delete", "nth": 1, "do": {"fail": {"status": 1, "stderr": said}}}));
    world.run("rm dev --yes").success();
    world.run("start dev").code(4);
}

#[test]
fn stopping_a_stopped_vm_and_starting_a_running_one_succeed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("stop dev").success();
    world.run("start dev").success();
    world.run("start dev").success();
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_paused_vm_is_neither_started_nor_stopped_but_resume_is_suggested() {
    let world = World::new();
    world.vm("dev").in_state("paused");
    for line in ["start dev", "stop dev"] {
        world.run(line).code(5).stderr(contains("resume"));
    }
    assert_eq!(world.state("dev"), "paused");
}

#[test]
fn a_new_vm_has_the_requested_configuration() {
    let world = World::new();
    let line = "create dev --cpus 2 --mem 1024 --storage 5 --overlay 3 --allow-cidr 10.0.0.0/8 --label a=b -p 8080:80 \
                -w /workspace -e TOKEN=hunter2";
    let run = world.run(line).success();
    assert!(!stderr(&run).contains("hunter2"));
    let record = world.record("dev");
    for (key, value) in [
        ("cpus", json!(2)),
        ("mem", json!(1024)),
        ("storage", json!(5)),
        ("overlay", json!(3)),
        ("network", json!(true)),
        ("cidrs", json!(["10.0.0.0/8"])),
        ("labels", json!({"a": "b"})),
        ("ports", json!(["8080:80"])),
        ("workdir", json!("/workspace")),
        ("env", json!(["TOKEN=hunter2"])),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
    for argv in world.all_calls() {
        assert!(!argv.iter().any(|word| word.contains("hunter2")), "{argv:?}");
    }
}

#[test]
fn a_new_vm_has_no_network_unless_requested() {
    let world = World::new();
    world.run("create dev").success();
    assert_eq!(world.record("dev")["network"], false);
}

#[test]
fn verbose_prints_engine_commands_and_quiet_only_the_name() {
    let world = World::new();
    let run = world.run("--verbose create dev -e TOKEN=hunter2").success();
    assert!(stderr(&run).contains("machine create") && !stderr(&run).contains("hunter2"), "{}", stderr(&run));
    let run = world.run("--quiet create dev2").success();
    assert_eq!((crate::support::stdout(&run).as_str(), stderr(&run).as_str()), ("dev2\n", ""));
}
