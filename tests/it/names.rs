//! A name refers to the library, a path to a file; the same thing named twice counts once; a batch continues after a
//! failure.

use crate::support::{World, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;

/// A library with `dev@ready`, and files with all kinds of names that contain another snapshot.
fn world() -> World {
    let world = World::new();
    let file = world.snapshot("other.smolmachine");
    for name in ["dev@ready", "dev", "dev@v1.2", "snap"] {
        fs::copy(&file, world.path("work").join(name)).unwrap();
    }
    world.vm("dev").stopped();
    world.write_guest("dev", "root/hello", "from the library");
    world.run("freeze dev -t ready -t v1.2").success();
    world.warm();
    world
}

fn json(run: &assert_cmd::assert::Assert) -> Value {
    serde_json::from_str(&stdout(run)).unwrap()
}

// ------------------------------------------------------------------------------------------- names and paths

#[test]
fn a_name_refers_to_the_library_even_if_a_file_has_that_name() {
    let world = world();
    for name in ["dev@ready", "dev", "dev@v1.2"] {
        world.run(&format!("thaw {name} thawed")).success();
        assert_eq!(world.read_guest("thawed", "root/hello").unwrap(), "from the library", "{name}");
        world.run("rm thawed --yes").success();
        let verified = json(&world.run(&format!("verify {name} --json")).success());
        assert!(verified[0]["path"].as_str().unwrap().contains("/library/snapshots/dev/"), "{verified}");
        world.run(&format!("create created --from {name}")).success();
        world.run("start created").success();
        assert_eq!(world.read_guest("created", "root/hello").unwrap(), "from the library", "{name}");
        world.run("rm created --yes").success();
        world.run(&format!("snapshot push {name} localhost:5000/x:y")).code(6).stderr(contains("Push dev@"));
    }
}

#[test]
fn a_path_refers_to_a_file() {
    let world = world();
    let absolute = world.path("work/dev@ready");
    for path in ["./dev@ready", "./dev", "../work/dev@v1.2", "other.smolmachine", absolute.to_str().unwrap()] {
        world.run(&format!("thaw {path} thawed")).success();
        assert_eq!(world.read_guest("thawed", "root/hello").unwrap(), "from the snapshot", "{path}");
        world.run("rm thawed --yes").success();
        world.run(&format!("verify {path}")).success().stdout(contains(format!("{path} is whole")));
    }
}

#[test]
fn the_error_for_an_unknown_name_suggests_the_path_of_a_file() {
    let world = world();
    for line in ["thaw snap", "create x --from snap", "verify snap", "snapshot push snap localhost:1/x --yes"] {
        let said = contains("there is no snapshot 'snap'").and(contains("write ./snap"));
        world.run(line).code(4).stderr(said);
    }
    world.run("thaw nosuch").code(4).stderr(contains("write ./").not());
    world.run("thaw ./nosuch").code(4);
    world.run("thaw nosuch.smolmachine").code(4).stderr(contains("nosuch.smolmachine"));
}

// ----------------------------------------------------------------------------------------------- named twice

#[test]
fn one_snapshot_by_several_names_counts_once() {
    let world = world();
    let reference = stdout(&world.run("snapshot ls -q")).trim().to_owned();
    let names = format!("dev dev@ready {reference} dev@v1.2 dev {}", &reference[..8]);
    let verified = json(&world.run(&format!("snapshot verify {names} --json")).success());
    assert_eq!(verified.as_array().unwrap().len(), 1, "{verified}");
    let verified = json(&world.run(&format!("verify {names} --json")).success());
    assert_eq!(verified.as_array().unwrap().len(), 1, "{verified}");
    let removed = json(&world.run(&format!("snapshot rm {names} --yes --json")).success());
    assert_eq!(removed.as_array().unwrap().len(), 1, "{removed}");
    assert_eq!(stdout(&world.run("snapshot ls -q")), "");
}

#[test]
fn one_file_by_several_names_counts_once() {
    let world = world();
    std::os::unix::fs::symlink("other.smolmachine", world.path("work/link.smolmachine")).unwrap();
    let absolute = world.path("work/other.smolmachine");
    let names = format!("other.smolmachine ./other.smolmachine link.smolmachine {}", absolute.display());
    let verified = json(&world.run(&format!("verify {names} ./dev --json")).success());
    let paths: Vec<&str> = verified.as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["other.smolmachine", "./dev"]);
    // A name that is not in the library does not refer to a file of that name.
    let verified = json(&world.run("verify ./snap snap --json").code(3));
    assert_eq!(verified.as_array().unwrap().len(), 2, "{verified}");
}

#[test]
fn one_vm_named_twice_counts_once() {
    let world = World::new();
    for line in ["stop", "start", "freeze --yes", "rm --yes"] {
        world.vm("dev").running();
        let (command, options) = line.split_once(' ').unwrap_or((line, ""));
        let done = json(&world.run(&format!("{command} dev dev {options} --json")).success());
        assert_eq!(done.as_array().unwrap().len(), 1, "{line}: {done}");
        world.run("rm dev --yes").get_output();
    }
}

#[test]
fn one_tag_given_twice_counts_once() {
    let world = world();
    world.run("freeze dev -t a -t a -t b").success();
    world.run("snapshot tag dev c d c d").success();
    world.run("snapshot tag dev a").success();
    assert_eq!(json(&world.run("snapshot show dev --json"))["tags"].as_array().unwrap().len(), 4);
}

// -------------------------------------------------------------------------------------------- after a failure

#[test]
fn a_missing_name_does_not_keep_the_others_from_being_checked() {
    let world = world();
    for line in ["snapshot verify nosuch dev dev@nosuch --json", "verify nosuch dev ./nosuch --json"] {
        let run = world.run(line).code(3);
        let all = json(&run);
        let all = all.as_array().unwrap();
        assert_eq!(all.len(), 3, "{all:#?}");
        assert_eq!((all[0]["error"]["code"].as_str(), all[1]["whole"].as_bool()), (Some("not-found"), Some(true)));
        assert!(stderr(&run).contains("2 of 3 snapshots failed"), "{}", stderr(&run));
    }
}

#[test]
fn if_a_name_is_missing_no_question_is_asked() {
    let world = world();
    for line in
        ["snapshot rm nosuch", "snapshot rm nosuch nosuch", "snapshot rm nosuch other", "snapshot rm nosuch dev"]
    {
        let said = stderr(&world.run(line).code(4));
        assert!(said.contains("nosuch") && said.contains("nothing was removed"), "{line}: {said}");
    }
    world.run("rm nosuch").code(4);
    world.run("rm nosuch dev").code(4);
}

#[test]
fn the_question_lists_each_once() {
    let world = world();
    let reference = stdout(&world.run("snapshot ls -q")).trim().to_owned();
    let said = stderr(&world.run("snapshot rm dev dev@ready").code(6));
    assert!(said.contains(&format!("Remove {reference} (ready, ")) && said.matches("dev@").count() == 1, "{said}");
}
