//! The same story on every engine, including what some of them report wrongly.

use crate::support::{World, finish, is_alive, names_in, stdout};
use bottle_freeze::engine::{Fact, Version};
use predicates::str::contains;
use serde_json::json;

/// The whole life of a VM: created, used, frozen, thawed, used, and deleted.
fn story(version: &str) {
    let world = World::with_engine(version);
    world.run("create dev --cpus 2 --mem 1024").success();
    world.run("start dev").success();
    world.run("exec dev -- sh -c 'echo alpha > /root/a; echo beta > /workspace/b'").success();
    world.run("freeze dev -o x.smolmachine --yes").success();
    assert_eq!(world.state("dev"), "stopped");
    world.run("create dev2 --from x.smolmachine").success();
    assert_eq!((&world.record("dev2")["cpus"], &world.record("dev2")["mem"]), (&json!(2), &json!(1024)));
    world.run("start dev2").success();
    assert_eq!(stdout(&world.run("exec dev2 -- cat /root/a").success()), "alpha\n");
    let workspace = world.run("exec dev2 -- cat /workspace/b");
    if version.parse::<Version>().unwrap().has(Fact::BareWorkspace) {
        assert_eq!(stdout(&workspace.success()), "beta\n");
    } else {
        workspace.failure();
    }
    world.run("stop dev2").success();
    assert_eq!(world.state("dev2"), "stopped");
    world.run("rm dev dev2 --yes").success();
    assert!(world.list().is_empty());
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn the_whole_story_on_0_8_0() {
    story("0.8.0");
}

#[test]
fn the_whole_story_on_1_0_1() {
    story("1.0.1");
}

#[test]
fn the_whole_story_on_1_0_2() {
    story("1.0.2");
}

#[test]
fn the_whole_story_on_1_4_0() {
    story("1.4.0");
}

#[test]
fn the_whole_story_on_1_14_0() {
    story("1.14.0");
}

#[test]
fn the_whole_story_on_1_19_0() {
    story("1.19.0");
}

#[test]
fn the_whole_story_on_1_28_1() {
    story("1.28.1");
}

#[test]
fn the_whole_story_on_1_32_2() {
    story("1.32.2");
}

#[test]
fn on_0_8_0_deleting_a_running_vm_leaves_no_vmm() {
    let world = World::with_engine("0.8.0");
    world.vm("dev").running();
    let vmm = world.vmm("dev");
    world.run("rm dev --yes").success();
    assert_eq!(world.state("dev"), "missing");
    assert!(!is_alive(vmm));
}

#[test]
fn on_0_8_0_a_missing_vm_cannot_be_stopped() {
    World::with_engine("0.8.0").run("stop dev").code(4).stderr(contains("no VM named 'dev'"));
}

#[test]
fn an_allow_list_that_the_engine_drops_is_refused() {
    let world = World::with_engine("1.4.0");
    let snapshot = world.snapshot("x.smolmachine");
    let line = format!("create dev --from {} --allow-cidr 10.0.0.0/8", snapshot.display());
    world.run(&line).code(13).stderr(contains("allow list"));
    assert!(world.calls().is_empty());
    let world = World::with_engine(&Fact::AllowListBesideFrom.since().to_string());
    world.snapshot("x.smolmachine");
    world.run("create dev --from x.smolmachine --allow-cidr 10.0.0.0/8").success();
    assert_eq!(world.record("dev")["cidrs"], json!(["10.0.0.0/8"]));
}

#[test]
fn an_allow_list_that_the_engine_would_not_enforce_is_refused() {
    for version in ["0.8.0", "1.0.2"] {
        let world = World::with_engine(version);
        world.run("create dev --allow-cidr 10.0.0.0/8").code(13).stderr(contains("enforce"));
        assert!(world.calls().is_empty());
    }
}

#[test]
fn labels_are_refused_on_engines_without_labels() {
    let world = World::with_engine("1.4.0");
    world.run("create dev --label a=b").code(13).stderr(contains(Fact::Labels.missing_in(Version(1, 4, 0))));
    let world = World::with_engine(&Fact::Labels.since().to_string());
    world.run("create dev --label a=b").success();
}

#[test]
fn an_engine_that_needs_the_artifact_at_every_start_has_it_until_the_vm_is_removed() {
    for (version, needs) in [("0.8.0", true), ("0.9.0", true), ("1.0.0", false)] {
        let world = World::with_engine(version);
        world.vm("dev").stopped();
        world.write_guest("dev", "root/a", "alpha");
        world.run("freeze dev").success();
        let kept = |vm: &str| world.path(&format!("home/library/vms/{vm}.smolmachine")).exists();
        for make in ["thaw dev x --no-start", "thaw dev x --replace --yes --no-start", "create y --from dev"] {
            world.run(make).success();
            let vm = if make.starts_with("thaw") { "x" } else { "y" };
            for _ in 0..2 {
                world.run(&format!("start {vm}")).success();
                assert_eq!(stdout(&world.run(&format!("exec {vm} -- cat /root/a")).success()), "alpha");
                world.run(&format!("stop {vm}")).success();
            }
            assert_eq!(kept(vm), needs, "{version}: {make}");
        }
        // Neither takes the artifact of a VM that is there.
        world.run("create y --from dev").code(16);
        world.run("thaw dev y").code(16);
        world.run("start y").success();
        world.run("rm x y --yes").success();
        world.fault(json!({"on": "machine create", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
        world.run("create z --from dev").code(1);
        assert!(!["x", "y", "z"].into_iter().any(kept), "{version}");
        assert_eq!(names_in(&world.path("home/library/vms")), [""; 0], "{version}");
    }
}

#[test]
fn a_locked_database_is_tried_again() {
    let locked = "Error: database operation failed: reserve vm 'dev': database is locked";
    for version in ["1.4.0", "1.18.2"] {
        let world = World::with_engine(version);
        world.fault(json!({"on": "machine create", "nth": 1, "do": {"fail": {"status": 1, "stderr": locked}}}));
        world.run("create dev").success();
        assert_eq!(world.state("dev"), "created");
        assert_eq!(world.commands().iter().filter(|command| *command == "machine create").count(), 2);
    }
}

#[test]
fn eight_concurrent_creates_succeed_even_if_the_engine_fails_some() {
    for version in ["1.4.0", "1.18.2"] {
        let world = World::with_engine(version);
        let all: Vec<_> = (0..8).map(|number| world.spawn(&format!("create dev{number}"))).collect();
        for one in all {
            one.wait().success();
        }
        assert_eq!(world.list().len(), 8);
    }
}

#[test]
fn a_false_success_of_a_delete_is_noticed() {
    for version in ["0.8.0", "1.0.1", "1.4.0", "1.18.2"] {
        let world = World::with_engine(version);
        world.vm("dev").stopped();
        world.fault(json!({"on": "machine delete", "do": {"lie": true}}));
        world.run("rm dev --yes").code(1).stderr(contains("still there"));
    }
}

#[test]
fn a_false_success_of_a_create_is_noticed() {
    for version in ["1.4.0", "1.18.2"] {
        let world = World::with_engine(version);
        world.fault(json!({"on": "machine create", "do": {"lie": true}}));
        world.run("create dev").code(1).stderr(contains("there is no VM 'dev'"));
    }
}

#[test]
fn the_name_variable_of_the_engine_is_not_passed_on() {
    let world = World::new();
    world.vm("dev").running();
    world.vm("precious").stopped();
    for line in ["ls", "start dev", "exec dev -- true", "stop dev", "freeze dev -o x.smolmachine", "rm dev --yes"] {
        let mut command = world.line(line);
        command.env("SMOLVM_MACHINE_NAME", "precious");
        finish(command).success();
    }
    for call in world.call_log() {
        assert!(call["env"].get("SMOLVM_MACHINE_NAME").is_none(), "{call}");
    }
    assert_eq!(world.state("precious"), "stopped");
}
