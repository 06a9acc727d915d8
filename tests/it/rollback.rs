//! `rollback`: a VM is what it was in a snapshot again, under its name, and nothing is lost.

use crate::leftovers::wait_for_the_dead;
use crate::support::chaos::{Random, is_long};
use crate::support::library::snapshots;
use crate::support::{World, handles_signals, is_alive, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A VM with 2 processors now, and 1 in its snapshot `ready`.
fn world() -> World {
    let world = World::new();
    world.run("create dev --cpus 1").success();
    world.run("start dev").success();
    world.run("freeze dev -t ready --yes").success();
    world.run("rm dev --yes").success();
    world.run("create dev --cpus 2").success();
    world.run("start dev").success();
    world
}

fn cpus(world: &World) -> i64 {
    let all: Value = serde_json::from_str(&stdout(&world.run("ls --json").success())).unwrap();
    let vm = all.as_array().unwrap().iter().find(|vm| vm["name"] == "dev").expect("dev");
    vm["cpus"].as_i64().unwrap()
}

fn shown(world: &World, reference: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(&format!("snapshot show {reference} --json")).success())).unwrap()
}

#[test]
fn the_vm_is_what_it_was_and_the_way_back_is_printed() {
    let world = world();
    let run = world.run("rollback dev@ready --yes").success();
    let text = stdout(&run);
    let (done, undo) = text.trim_end().split_once("; undo with: bottle-freeze ").expect(&text);
    assert!(done.contains("rolled dev back to dev@"), "{text}");
    assert_eq!(cpus(&world), 1);
    world.run(&format!("{undo} --yes")).success();
    assert_eq!(cpus(&world), 2);
}

#[test]
fn a_vm_that_is_gone_comes_back() {
    let world = world();
    world.run("rm dev --yes").success();
    world.run("rollback dev@ready").success().stdout(contains("undo").not());
    assert_eq!(cpus(&world), 1);
}

#[test]
fn a_network_that_is_not_known_can_be_asked_for() {
    let world = World::new();
    world.vm("theirs").with("--net").stopped();
    world.run("freeze theirs -t ready").success();
    world.run("rollback theirs@ready --yes --no-start").success().stderr(contains("--net enables it"));
    world.run("rollback theirs@ready --yes --no-start --net").success().stderr(contains("--net enables it").not());
}

#[test]
fn nothing_changes_without_confirmation() {
    let world = world();
    world.run("rollback dev@ready").code(6).stderr(contains("--yes answers this question"));
    assert_eq!(cpus(&world), 2);
}

#[test]
fn a_snapshot_that_is_missing_changes_nothing() {
    let world = world();
    world.run("rollback dev@nosuch --yes").code(4);
    world.run("rollback ./dev.smolmachine --yes").code(2);
    assert_eq!(cpus(&world), 2);
}

#[test]
fn scripts_read_the_name_or_the_result_of_a_thaw() {
    let world = world();
    assert_eq!(stdout(&world.run("rollback dev@ready -yq").success()), "dev\n");
    let result: Value = serde_json::from_str(&stdout(&world.run("rollback dev@ready -y --json").success())).unwrap();
    assert!(result["replaced"].as_str().unwrap().starts_with("dev@"), "{result}");
}

/// What `file` of the VM says.
fn state(world: &World) -> Option<String> {
    world.read_guest("dev", "root/state")
}

/// A running VM with the state `now`, whose snapshot `ready` has the state `ready`.
fn world_with_states() -> World {
    let world = World::new();
    world.vm("dev").running();
    world.write_guest("dev", "root/state", "ready");
    world.run("freeze dev -t ready --yes --restart").success();
    world.write_guest("dev", "root/state", "now");
    world
}

/// The tags of all snapshots that rollbacks made, oldest first.
fn undo_tags(world: &World) -> Vec<String> {
    let all: Value = serde_json::from_str(&stdout(&world.run("snapshot ls --json").success())).unwrap();
    let tags = all.as_array().unwrap().iter().flat_map(|one| one["tags"].as_array().unwrap());
    let tags = tags.map(|tag| tag.as_str().unwrap().to_owned());
    let mut tags: Vec<String> = tags.filter(|tag| tag.starts_with("undo-")).collect();
    tags.sort();
    tags
}

#[test]
fn a_rollback_can_be_undone_and_that_too() {
    let world = world_with_states();
    world.run("rollback dev@ready --yes").success();
    assert_eq!(state(&world).as_deref(), Some("ready"));
    for expected in ["now", "ready", "now"] {
        let run = world.run("rollback dev --undo --yes").success();
        assert_eq!(state(&world).as_deref(), Some(expected), "{run}");
    }
    let tags = undo_tags(&world);
    assert_eq!(tags.len(), 4, "{tags:?}");
    // A prune keeps it, as it keeps all tags.
    world.run("snapshot prune dev --keep-last 1 --yes").success();
    assert_eq!(undo_tags(&world), tags);
    world.run(&format!("rollback dev@{} --yes", tags[0])).success();
    assert_eq!(state(&world).as_deref(), Some("now"));
    let shown: Value =
        serde_json::from_str(&stdout(&world.run(&format!("snapshot show dev@{} --json", tags[0])).success())).unwrap();
    assert_eq!(shown["note"], "replaced by a rollback to dev@ready");
}

#[test]
fn an_undo_without_a_rollback_or_with_a_tag_changes_nothing() {
    let world = world_with_states();
    world.run("freeze dev --yes --restart -t undo-me").success();
    world.run("rollback dev --undo --yes").code(4).stderr(contains("no rollback of 'dev' is there to undo"));
    world.run("rollback dev@ready --undo --yes").code(2).stderr(contains("only the name of the VM"));
    assert_eq!(state(&world).as_deref(), Some("now"));
}

#[test]
fn the_next_command_says_how_a_killed_rollback_goes_on() {
    let world = world_with_states();
    world.warm().fault(json!({"on": "machine create", "do": "hang"}));
    world.forget_calls();
    let rollback = world.spawn("rollback dev@ready --yes");
    wait_until("the VM is gone", || world.commands().iter().any(|command| command == "machine create"));
    rollback.signal(Signal::KILL);
    drop(rollback);
    wait_for_the_dead(&world);
    world.clear_faults();
    for line in ["start dev", "exec dev -- true", "freeze dev", "rm dev --yes"] {
        let said = stderr(&world.run(line).failure());
        assert!(said.contains("`bottle-freeze rollback dev --undo` brings that back"), "{line}: {said}");
    }
    world.run("rollback dev --undo").success();
    assert_eq!(state(&world).as_deref(), Some("now"));
}

/// The number of rollbacks that are killed.
const ROUNDS: (u64, u64) = (20, 300);

/// `SEED` repeats a run; `BOTTLE_FREEZE_FAULTS=long` kills more often.
#[test]
fn a_killed_rollback_leaves_every_state_and_a_way_on() {
    let world = world_with_states();
    let slow = |on, at| json!({"on": on, "at": at, "do": {"sleep_ms": 20}});
    let steps = [("machine stop", "after"), ("machine delete", "before"), ("machine create", "before")];
    let more = [("machine create", "after"), ("machine start", "before"), ("machine start", "after")];
    world.warm().fault(json!(steps.iter().chain(&more).map(|(on, at)| slow(on, at)).collect::<Vec<_>>()));
    let began = Instant::now();
    world.run("rollback dev@ready --yes").success();
    let whole = began.elapsed();
    let (mut random, mut seen) = (Random::new(), BTreeMap::<String, u32>::new());
    for number in 0..if is_long() { ROUNDS.1 } else { ROUNDS.0 } {
        let now = format!("state {number}");
        world.write_guest("dev", "root/state", &now);
        let before: BTreeSet<String> = snapshots(&world).into_keys().collect();
        let kill = [Signal::KILL, Signal::KILL, Signal::TERM, Signal::INT][usize::try_from(random.below(4)).unwrap()];
        world.forget_calls();
        let rollback = world.spawn("rollback dev@ready --yes");
        wait_until("it handles signals", || handles_signals(rollback.pid()));
        let delay = whole.mul_f64(f64::from(u32::try_from(random.below(1100)).unwrap()) / 1000.0);
        // The random moment is the test: there is no condition to wait for.
        std::thread::sleep(delay);
        rollback.signal(kill);
        let run = rollback.wait();
        wait_for_the_dead(&world);
        // An engine outlives the bottle-freeze that was killed, and finishes what it does.
        let is_over = |call: &Value| !is_alive(call["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).unwrap());
        wait_until("the engines are done", || world.call_log().iter().all(is_over));
        let round = format!("round {number}, {kill:?} after {delay:?} of {whole:?}: {run}");
        for name in &before {
            assert!(snapshots(&world).contains_key(name), "{round}: {name} is gone");
        }
        let left = go_on(&world, &now, &round);
        *seen.entry(format!("{} {left}", kill.as_raw())).or_default() += 1;
    }
    println!("{whole:?} a rollback; {seen:?}");
}

/// Checks that the VM is there as it was, or as it is to be, or that the library has it; and goes on as the next command says
/// until it has the state `now` again. What the kill left.
fn go_on(world: &World, now: &str, round: &str) -> &'static str {
    let left = match state(world) {
        _ if world.state("dev") == "missing" => {
            let said = stderr(&world.run("start dev").code(4));
            assert!(said.contains("rollback dev --undo"), "{round}: {said}");
            "no VM"
        }
        Some(text) if text == now => {
            world.run("start dev").success();
            return "the old VM";
        }
        _ => "the new VM",
    };
    let mut run = world.run("rollback dev --undo --yes");
    if stderr(&run).contains("`bottle-freeze stop dev` ends it") {
        world.run("stop dev").success();
        run = world.run("rollback dev --undo --yes");
    }
    assert!(run.get_output().status.success(), "{round}: {left}: {run}");
    assert_eq!(state(world).as_deref(), Some(now), "{round}: {left}");
    left
}

/// Seen: `snapshot rm base` removed the snapshot of another VM that has the tag `base`.
#[test]
fn a_bare_name_never_changes_what_another_vm_has() {
    let world = World::new();
    for name in ["dev", "web"] {
        world.vm(name).stopped();
    }
    world.run("freeze web -t dev -t base").success();
    for line in ["snapshot rm base --yes", "snapshot rm dev --yes", "rollback dev --yes", "snapshot tag base new"] {
        world.run(line).code(4).stderr(contains("did you mean web@"));
    }
    assert_eq!((world.state("dev").as_str(), world.state("web").as_str()), ("stopped", "stopped"));
    world.run("freeze dev --if-changed").success().stdout(contains("froze dev"));
    // What only reads may be named so.
    world.run("thaw base new --no-start").success();
    world.run("snapshot show base").success();
    world.run("verify base").success();
}

#[test]
fn a_damaged_undo_is_not_passed_over() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    for text in ["one", "two"] {
        world.write_guest("dev", "root/text", text);
        world.run("rollback dev@ready --yes --no-start").success();
    }
    let newest = shown(&world, "dev")["id"].as_str().unwrap().to_owned();
    std::fs::write(world.path(&format!("home/library/snapshots/dev/{newest}/snapshot.json")), "{").unwrap();
    world.run("rollback dev --undo --yes --no-start").code(10);
}

#[test]
fn the_undo_of_another_library_is_not_ours() {
    let (theirs, ours) = (World::new(), World::new());
    for world in [&theirs, &ours] {
        world.vm("dev").stopped();
        world.run("freeze dev -t ready").success();
        world.write_guest("dev", "root/text", "changed");
        world.run("rollback dev@ready --yes --no-start").success();
    }
    let own = shown(&ours, "dev")["id"].as_str().unwrap().to_owned();
    let file = ours.path("work/theirs.tar");
    theirs.run(&format!("snapshot export dev -o {}", file.display())).success();
    ours.run("snapshot import theirs.tar").success();
    ours.run("rollback dev --undo --yes --no-start").success().stdout(contains(format!("back to dev@{own}")));
}

#[test]
fn a_rollback_that_makes_no_vm_says_how_to_go_back() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    world.fault(json!({"on": "machine create", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    world.run("rollback dev@ready --yes").failure().stderr(contains("bottle-freeze rollback dev --undo"));
}

#[test]
fn a_rollback_that_replaces_nothing_leaves_nothing_to_undo() {
    let world = world_with_states();
    world.fault(json!({"on": "machine delete", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    world.run("rollback dev@ready --yes").failure().stderr(contains("it was frozen as dev@"));
    world.clear_faults();
    assert_eq!((state(&world).as_deref(), undo_tags(&world)), (Some("now"), Vec::new()));
    world.run("rollback dev --undo --yes").code(4);
    // What it was frozen as is there.
    assert_eq!(snapshots(&world).len(), 2);
    // A VM that is deleted although the engine fails can be brought back.
    world.fault(json!({"on": "machine delete", "do": {"delete_vm": "dev"}}));
    world.run("rollback dev@ready --yes").failure();
    world.clear_faults();
    assert_eq!(undo_tags(&world).len(), 1);
    world.run("rollback dev --undo").success();
    assert_eq!(state(&world).as_deref(), Some("now"));
}

#[test]
fn the_question_names_what_the_vm_becomes_and_where_that_comes_from() {
    let world = world();
    let asked = stderr(&world.run("rollback dev@ready").code(6));
    assert!(asked.contains("'dev' is running. Stop it, freeze it into the library and replace it by dev@"), "{asked}");
    world.run("freeze dev --key k1 --yes --restart").success();
    world.run("thaw --key k1 --replace").code(6).stderr(contains(", the newest with the key 'k1'?"));
    world.run("snapshot export dev@ready -o dev.tar").success();
    world.run("snapshot rm dev@ready --yes").success();
    world.run("snapshot import dev.tar").success();
    world.run("rollback dev@ready").code(6).stderr(contains(", which was imported from dev.tar?"));
}

#[test]
fn a_snapshot_of_another_machine_can_be_rolled_back_to_without_its_folders_and_ports() {
    let world = World::new();
    std::fs::create_dir(world.path("data")).unwrap();
    let data = world.path("data").display().to_string();
    world.run(&format!("create dev -p 18080:80 --volume {data}:/data")).success();
    world.run("start dev").success();
    world.run("freeze dev -y -t ready").success();
    world.run("snapshot export dev -o dev.tar").success();
    world.run("snapshot rm dev --yes").success();
    world.run("snapshot import dev.tar").success();
    world.run("rollback dev@ready --yes --no-start").code(6).stderr(contains("--no-volumes"));
    world.run("rollback dev@ready --yes --no-start --no-ports --no-volumes").success();
    assert_eq!((&world.record("dev")["ports"], &world.record("dev")["mounts"]), (&json!([]), &json!([])));
    world.run(&format!("rollback dev@ready --yes --no-start --no-ports --volume {data}:/data")).success();
    assert_eq!(world.record("dev")["mounts"], json!([format!("{data}:/data")]));
}
