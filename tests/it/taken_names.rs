//! `thaw` where there is a VM of that name, and where the new VM does not start: nothing is lost, and nothing half-made stays.

use crate::support::pty::Session;
use crate::support::{World, names_in, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::json;
use std::fs;

/// A VM and its snapshot `dev@ready`.
fn world() -> World {
    let world = World::new();
    world.run("create dev").success();
    world.run("start dev").success();
    world.run("freeze dev -y -t ready").success();
    world
}

/// The names of the VMs.
fn vms(world: &World) -> Vec<String> {
    stdout(&world.run("ls -q").success()).lines().map(str::to_owned).collect()
}

fn snapshots(world: &World) -> usize {
    stdout(&world.run("snapshot ls -q").success()).lines().count()
}

// -------------------------------------------------------------------------------------------------------- taken names

#[test]
fn without_a_terminal_the_new_vm_gets_a_number_and_the_reason_is_printed() {
    let world = world();
    for line in ["thaw dev --no-start", "thaw dev --no-start --no-input"] {
        let run = world.run(line).success();
        run.stdout(contains("because there is a VM 'dev' already (--replace replaces it)"));
    }
    assert_eq!(vms(&world), ["dev", "dev-2", "dev-3"]);
    // Who asks for a name gets that name, or nothing.
    world.run("thaw dev dev-2").code(16).stderr(contains("already exists").and(contains("--replace")));
    world.run("thaw dev other --no-start").success().stdout(contains("because").not());
}

#[test]
fn on_a_terminal_the_user_chooses() {
    // The default is the answer that changes nothing that is there.
    let world = world();
    let mut session = Session::start(world.line("thaw dev --no-start"));
    session.wait_for("There is a VM 'dev' already, which is stopped");
    session.wait_for("Cancel");
    session.press("\r");
    assert_eq!(session.wait(), Some(0), "{}", session.screen());
    assert_eq!((vms(&world), snapshots(&world)), (vec!["dev".to_owned(), "dev-2".to_owned()], 1));

    let mut session = Session::start(world.line("thaw dev dev-2 --no-start"));
    session.wait_for("Make the new one 'dev-2-2'");
    session.wait_for("Cancel");
    session.press("\u{1b}[B\r");
    assert_eq!(session.wait(), Some(0), "{}", session.screen());
    assert_eq!((vms(&world), snapshots(&world)), (vec!["dev".to_owned(), "dev-2".to_owned()], 2));
    assert!(session.all_printed().contains("thawed dev@"), "{}", session.all_printed());

    for (keys, status) in [("\u{1b}[A\r", 6), ("q", 6), ("\u{1b}", 6), ("\u{4}", 6), ("\u{3}", 130)] {
        let mut session = Session::start(world.line("thaw dev --no-start"));
        session.wait_for("Cancel");
        session.press(keys);
        assert_eq!(session.wait(), Some(status), "{keys:?}: {}", session.screen());
        let printed = session.all_printed();
        assert!(printed.contains("nothing was changed"), "{keys:?}: {printed}");
        assert_eq!((vms(&world).len(), snapshots(&world)), (2, 2), "{keys:?}");
    }
}

#[test]
fn the_question_comes_before_the_check_and_says_what_a_replacement_loses() {
    let world = world();
    world.run("start dev").success();
    let folder = world.path("home/library/snapshots/dev");
    let folder = folder.join(&names_in(&folder)[0]).join("objects");
    for name in names_in(&folder) {
        fs::write(folder.join(name), "damaged").unwrap();
    }
    let mut session = Session::start(world.line("thaw dev@ready"));
    session.wait_for("There is a VM 'dev' already, which is running");
    session.wait_for("what is only in its RAM is lost");
    session.wait_for("Cancel");
    session.press("q");
    assert_eq!(session.wait(), Some(6), "{}", session.screen());
    world.run("thaw dev@ready --replace").code(6);
    world.run("thaw dev@ready dev").code(16);
    world.run("thaw dev@ready --replace --yes").code(10);
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn no_question_is_asked_where_nothing_is_taken_or_the_answer_is_given() {
    let world = world();
    for line in ["thaw dev other --no-start", "thaw dev --replace --yes --no-start", "--no-input thaw dev --no-start"] {
        let mut session = Session::start(world.line(line));
        assert_eq!(session.wait(), Some(0), "{line}: {}", session.screen());
        assert!(!session.all_printed().contains("There is a VM"), "{line}");
    }
}

// ----------------------------------------------------------------------------------------------------- failed starts

#[test]
fn a_thaw_that_fails_to_start_removes_the_vm_unless_it_is_to_be_kept() {
    let world = world();
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}}));
    let said = stderr(&world.run("thaw dev new").code(1));
    assert!(said.contains("now: 'new' was removed again") && said.contains("--keep"), "{said}");
    assert_eq!(said.matches("it broke").count(), 1, "{said}");
    assert_eq!(world.state("new"), "missing");
    let said = stderr(&world.run("thaw dev new --keep").code(1));
    assert!(said.contains("'new' is created") && said.contains("bottle-freeze start new"), "{said}");
    world.clear_faults();
    world.run("start new").success();
}

#[test]
fn a_vm_that_starts_and_never_answers_is_removed_too() {
    let world = world();
    let not_yet = "Error: agent operation failed: connect: timed out";
    world.fault(json!({"on": "machine exec", "do": {"fail": {"status": 1, "stderr": not_yet}}}));
    world.run("thaw dev new --timeout 1s").code(1).stderr(contains("'new' was removed again"));
    assert_eq!(world.state("new"), "missing");
}

#[test]
fn a_replacement_that_fails_to_start_says_how_the_old_vm_comes_back() {
    let world = world();
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}}));
    let said = stderr(&world.run("thaw dev@ready --replace -y").code(1));
    assert!(said.contains("the VM that was there is kept as dev@"), "{said}");
    world.clear_faults();
    let back = said.split("bottle-freeze thaw ").nth(1).expect(&said).split('`').next().unwrap();
    assert_eq!(world.state("dev"), "missing");
    world.run(&format!("thaw {back}")).success();
    assert_eq!(world.state("dev"), "running");
}
