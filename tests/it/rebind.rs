//! `thaw` gives a VM other ports, folders, variables, labels, sizes or another working folder than it was frozen with.

use crate::support::{World, finish, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;

/// A VM with everything that a thaw can change, and its snapshot.
fn world() -> World {
    let world = World::new();
    fs::create_dir(world.path("data")).unwrap();
    fs::create_dir(world.path("other")).unwrap();
    let data = world.path("data").display().to_string();
    let flags = format!("--volume {data}:/data --volume {data}:/read:ro -p 18080:80 -e KEEP=1 --label team=a -w /srv");
    world.run(&format!("create dev --storage 3 {flags}")).success();
    run_once(&world, "dev");
    world.run("freeze dev -t ready -q").success();
    world
}

/// Gives it disks.
fn run_once(world: &World, name: &str) {
    world.run(&format!("start {name}")).success();
    world.run(&format!("stop {name}")).success();
}

fn thaw(world: &World, options: &str) -> String {
    stderr(&world.run(&format!("thaw dev new --no-start {options}")).success())
}

#[test]
fn recorded_folders_and_ports_come_back() {
    let world = world();
    let said = thaw(&world, "");
    let (old, new) = (world.record("dev"), world.record("new"));
    for key in ["mounts", "ports", "env", "labels", "workdir", "storage"] {
        assert_eq!(old[key], new[key], "{key}");
    }
    assert!(!said.contains("folder") && !said.contains("lacks"), "{said}");
    // They are in the next snapshot, too.
    run_once(&world, "new");
    world.run("freeze new -q").success();
    world.run("thaw new third --no-start").success();
    assert_eq!(world.record("third")["mounts"], old["mounts"]);
}

#[test]
fn recorded_folders_and_ports_can_be_dropped() {
    let world = world();
    let said = thaw(&world, "--no-ports --no-volumes");
    let new = world.record("new");
    assert_eq!((&new["mounts"], &new["ports"]), (&json!([]), &json!([])));
    assert!(!said.contains("lacks"), "{said}");
    for line in ["--no-ports -p 1:1", "--no-volumes --volume /a:/b"] {
        world.run(&format!("thaw dev third --no-start {line}")).code(2);
    }
}

#[test]
fn everything_can_be_given_anew() {
    let world = world();
    let other = format!("{}:/mnt", world.path("other").display());
    let more = "-e KEEP=s3cret -e NEW=s3cret --label team=b --label x=y -w /tmp --storage 5 -p 18081:81";
    let said = thaw(&world, &format!("--volume {other} {more}"));
    assert!(!said.contains("lacks"), "{said}");
    let new = world.record("new");
    assert_eq!(new["mounts"], json!([other]));
    assert_eq!(new["ports"], json!(["18081:81"]));
    assert_eq!(new["labels"], json!({"team": "b", "x": "y"}));
    assert_eq!((&new["workdir"], &new["storage"]), (&json!("/tmp"), &json!(5)));
    // The last value of a variable counts.
    assert_eq!(new["env"].as_array().unwrap()[1..], [json!("KEEP=s3cret"), json!("NEW=s3cret")]);
    for call in world.all_calls() {
        assert!(!call.iter().any(|word| word.contains("s3cret")), "{call:?}");
    }
    world.run("start new").success();
    let env = stdout(&world.run("exec new -- env").success());
    assert!(env.contains("KEEP=s3cret\n"), "{env}");
}

#[test]
fn a_vm_made_with_create_gets_its_working_folder_too() {
    let world = world();
    world.run("create other --from dev@ready -w /tmp").success();
    assert_eq!(world.record("other")["workdir"], "/tmp");
}

#[test]
fn a_vm_that_cannot_get_its_working_folder_is_deleted_again() {
    let world = world();
    world.warm().fault(json!({"on": "machine update", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    world.run("thaw dev new --no-start -w /tmp").code(1).stderr(contains("'new' was deleted"));
    assert_eq!(world.state("new"), "missing");
}

#[test]
fn folders_that_are_gone_are_named_and_left_out() {
    let world = world();
    fs::remove_dir(world.path("data")).unwrap();
    let said = thaw(&world, "");
    assert!(said.contains("not on this host, and so not mounted: "), "{said}");
    assert_eq!(world.record("new")["mounts"], json!([]));
    let given = format!("--volume {}:/data", world.path("data").display());
    world.run(&format!("thaw dev third --no-start {given}")).code(2).stderr(contains("no such folder on this host"));
    assert_eq!(world.state("third"), "missing");
}

/// The engine copies a staged folder back when the VM stops, and deletes what the copy lacks.
#[test]
fn a_staged_folder_is_not_overwritten_by_its_old_copy() {
    let world = World::new();
    fs::create_dir(world.path("data")).unwrap();
    let staged = format!("{}:/data:staged", world.path("data").display());
    world.run(&format!("create dev --volume {staged}")).success();
    run_once(&world, "dev");
    world.run("freeze dev -q").success();
    assert!(thaw(&world, "").contains("would overwrite what is there now"));
    assert_eq!(world.record("new")["mounts"], json!([]));
    world.run(&format!("thaw dev third --no-start --volume {staged}")).success();
    assert_eq!(world.record("third")["mounts"], json!([staged]));
}

#[test]
fn a_snapshot_from_elsewhere_mounts_nothing_unasked() {
    let world = world();
    world.run("snapshot export dev -o dev.tar").success();
    world.run("snapshot rm dev --yes").success();
    world.run("snapshot import dev.tar").success();
    let asked = contains("mounts folders of this host: ").and(contains("--no-volumes"));
    world.run("thaw dev new --no-start -p 18080:80").code(6).stderr(asked);
    assert_eq!(world.state("new"), "missing");
    thaw(&world, "--no-ports --no-volumes");
    assert_eq!(world.record("new")["mounts"], json!([]));
    let given = format!("{}:/data", world.path("data").display());
    world.run(&format!("thaw dev third --no-start --no-ports --volume {given}")).success();
    assert_eq!(world.record("third")["mounts"], json!([given]));
}

#[test]
fn a_disk_does_not_shrink() {
    let world = world();
    world.run("thaw dev new --no-start --storage 2").code(2).stderr(contains("frozen with 3 GiB"));
    assert_eq!(world.state("new"), "missing");
}

/// What an engine cannot do is refused while the VM to be replaced is still there.
#[test]
fn an_engine_that_cannot_do_it_is_found_before_a_vm_is_replaced() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    for (version, options, word) in [
        ("1.7.4", "--label a=b", "cannot label VMs; 1.8.0 can"),
        ("1.32.2", "-e HOME=s3cret", "HOME beside --from"),
        ("1.7.4", "--allow-cidr 10.0.0.0/8", "cannot keep allow lists through a thaw; 1.8.0 can"),
    ] {
        let mut thaw = world.line(&format!("thaw dev@ready --replace --yes --no-start {options}"));
        thaw.env("FAKE_SMOLVM_VERSION", version).env("HOME", world.path("tmp"));
        let said = stderr(&finish(thaw).code(13));
        assert!(said.contains(word) && !said.contains("s3cret"), "{version}: {said}");
        assert_eq!(world.state("dev"), "stopped", "{version}: {options}");
    }
    let all: Value = serde_json::from_str(&stdout(&world.run("snapshot ls --json").success())).unwrap();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
}

#[test]
fn a_live_snapshot_takes_none_of_them() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --live").success();
    for option in ["-e A=b", "--volume /tmp:/data", "--no-volumes", "-w /tmp", "--storage 30"] {
        let run = world.run(&format!("thaw dev new {option}"));
        run.code(2).stderr(contains("continues with"));
    }
    world.run("thaw dev new --no-ports --label a=b").success();
}

/// Stdout has what the command prints, and nothing else.
#[test]
fn a_command_runs_once_the_vm_is_ready_and_gives_its_status() {
    let world = world();
    let run = world.run("thaw dev new -e WORD=hello -- sh -c 'echo $WORD; exit 4'").code(4);
    assert_eq!(stdout(&run), "hello\n");
    assert_eq!(world.state("new"), "running");
    let run = world.run("thaw dev new --replace --yes -- sh -c 'kill -9 $$'").code(137);
    assert_eq!(stdout(&run), "");
    // The name may be one that the user did not give.
    let run = world.run("thaw dev -- true").success();
    assert!(stderr(&run).contains(" as dev-2, because there is a VM 'dev' already"), "{run}");
    assert_eq!(stdout(&world.run("thaw dev new --replace --yes -- echo hi").success()), "hi\n");
    assert!(!stderr(&world.run("-q thaw dev fourth --no-ports -- true").success()).contains("thawed"));
    world.run("thaw dev third -- nosuch").code(127).stderr(contains("the guest has no such command"));
    assert_eq!(world.state("third"), "running");
}

#[test]
fn a_failure_before_the_command_has_a_status_of_its_own() {
    let world = world();
    world.run("thaw nosuch -- true").code(125).stderr(contains("there is no snapshot 'nosuch'"));
    world.run("thaw dev dev -- true").code(125).stderr(contains("already exists"));
    world.run("thaw dev new --no-start -- true").code(2);
    world.run("thaw dev new --json -- true").code(2).stderr(contains("--json cannot be used with a command"));
    assert_eq!(world.state("new"), "missing");
}

/// Another program took it meanwhile.
#[test]
fn a_vm_that_is_down_holds_no_port() {
    for line in ["thaw dev@ready --replace --yes", "rollback dev@ready --yes"] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let number = port.local_addr().unwrap().port();
        let world = World::new();
        world.run(&format!("create dev -p {number}:80")).success();
        world.run("start dev").success();
        world.run("freeze dev -t ready -y").success();
        let warning = format!("in use here, and so not published: {number}:80");
        world.run(line).success().stderr(contains(warning));
        assert_eq!((&world.record("dev")["ports"], world.state("dev").as_str()), (&json!([]), "running"), "{line}");
    }
}

/// The VM that is replaced has its port until then.
#[test]
fn a_vm_that_replaces_another_gets_its_port() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port();
    let world = World::new();
    world.run(&format!("create dev -p {number}:80")).success();
    world.run("start dev").success();
    world.run("freeze dev -t ready -y --restart").success();
    for line in ["thaw dev@ready --replace --yes", "rollback dev@ready --yes", "rollback dev --undo --yes -p auto"] {
        let run = world.run(line).success();
        assert_eq!(world.record("dev")["ports"], json!([format!("{number}:80")]), "{line}: {run}");
    }
}
