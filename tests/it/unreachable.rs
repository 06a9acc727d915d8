//! A busy guest is not a dead one: `unreachable` in the engine's list can be wrong for a moment, or stay wrong.

use crate::support::{World, is_alive, pty::Session, signal, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Why a guest that answers is listed as unreachable.
#[derive(Debug, Clone, Copy)]
enum Busy {
    /// One list shows it as unreachable, the next one does not.
    ForAMoment,
    /// The list stays unreachable until an exec was tried.
    UntilAnExec,
    /// An exec failed once: the engine has given up, and lists it as unreachable for good.
    GivenUp,
}

const ALL: [Busy; 3] = [Busy::ForAMoment, Busy::UntilAnExec, Busy::GivenUp];

/// A running VM that looks dead, and another one of the same kind that is fine.
fn world(version: &str, busy: Busy) -> World {
    let world = World::with_engine(version);
    world.vm("dev").made_here().running();
    world.warm();
    world.write_guest("dev", "workspace/work", "work");
    match busy {
        Busy::ForAMoment => {
            world.fault(json!([
                {"on": "machine ls", "nth": 1, "do": {"suspend_vm": "dev"}},
                {"on": "machine ls", "nth": 2, "do": {"wake_vm": "dev"}},
            ]));
        }
        Busy::UntilAnExec => {
            world.fault(json!([
                {"on": "machine ls", "nth": 1, "do": {"suspend_vm": "dev"}},
                {"on": "machine exec", "nth": 2, "do": {"wake_vm": "dev"}},
            ]));
        }
        Busy::GivenUp => world.edit("dev", "state", "unreachable".into()),
    }
    world
}

/// A VM that does not answer any command, however often it is tried.
fn silent() -> World {
    let world = World::new();
    world.vm("dev").made_here().unreachable();
    world.warm();
    world
}

/// The positions of the guest's `sync` and of the stop among the engine's calls.
fn sync_and_stop(world: &World) -> (Option<usize>, Option<usize>) {
    let calls = world.calls();
    let at = |is: &dyn Fn(&Vec<String>) -> bool| calls.iter().position(is);
    (at(&|argv| argv.last().is_some_and(|word| word == "sync")), at(&|argv| argv[..2] == ["machine", "stop"]))
}

fn assert_synced_before_the_stop(world: &World, what: &str) {
    let (sync, stop) = sync_and_stop(world);
    assert!(sync.is_some() && sync < stop, "{what}: {:?}", world.commands());
}

#[test]
fn a_busy_guest_is_frozen_like_a_running_one() {
    for busy in ALL {
        let world = world("1.32.2", busy);
        let hooks = "--pre-freeze 'guest:echo pre >> /root/log' --post-freeze 'guest:echo post >> /root/log'";
        let run = world.run(&format!("freeze dev --yes --restart --json {hooks}")).success();
        let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
        assert_eq!(report["warnings"], json!([]), "{busy:?}");
        assert_synced_before_the_stop(&world, &format!("{busy:?}"));
        assert_eq!(world.read_guest("dev", "root/log").unwrap(), "pre\npost\n", "{busy:?}");
        assert_eq!(world.state("dev"), "running");
    }
}

#[test]
fn the_workspace_of_a_busy_guest_is_saved_if_needed() {
    for busy in ALL {
        let world = world("1.4.0", busy);
        world.run("freeze dev --yes").success().stderr(contains("will not hold").not());
        world.clear_faults();
        world.run("thaw dev dev2").success();
        assert_eq!(world.read_guest("dev2", "workspace/work").as_deref(), Some("work"), "{busy:?}");
    }
}

#[test]
fn without_yes_a_freeze_of_a_busy_guest_asks_as_usual() {
    let world = world("1.32.2", Busy::ForAMoment);
    let said = stderr(&world.run("freeze dev").code(6));
    assert!(said.contains("'dev' is running. Stop it and freeze it?") && said.contains("--yes answers"), "{said}");
    assert!(!said.contains("--allow-unresponsive"), "{said}");
}

#[test]
fn a_guest_that_is_busy_for_a_moment_is_frozen_live() {
    let world = world("1.32.2", Busy::ForAMoment);
    world.run("freeze dev --live").success();
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn an_unreachable_guest_cannot_be_frozen_live() {
    let world = world("1.32.2", Busy::GivenUp);
    world.run("freeze dev --live").code(5).stderr(contains("although it answers"));
    world.run("freeze dev --live=auto --yes").success().stderr(contains("although it answers"));
    assert_synced_before_the_stop(&world, "in the ordinary way");
}

#[test]
fn a_vm_that_stopped_meanwhile_is_frozen_as_a_stopped_one() {
    let world = world("1.32.2", Busy::UntilAnExec);
    world.fault(json!([
        {"on": "machine ls", "nth": 1, "do": {"suspend_vm": "dev"}},
        {"on": "machine ls", "nth": 2, "do": {"stop_vm": "dev"}},
    ]));
    world.run("freeze dev").success();
    assert!(!world.commands().contains(&"machine stop".to_owned()));
}

#[test]
fn a_dry_run_asks_no_guest() {
    let world = world("1.32.2", Busy::GivenUp);
    world.run("freeze dev --dry-run").success().stderr(contains("does not answer"));
    assert_eq!(world.commands(), ["machine ls"]);
}

/// Each of these waits ten seconds for a guest to answer, so all of them run in parallel.
#[test]
fn an_unresponsive_vm_is_stopped_only_with_allow_unresponsive() {
    std::thread::scope(|scope| {
        let tests: [fn(); 10] = [
            yes_does_not_confirm_the_loss,
            allow_unresponsive_does_not_confirm_the_stop,
            both_options_freeze_it_and_the_loss_is_recorded,
            on_a_terminal_there_is_a_question_that_yes_does_not_answer,
            the_question_about_the_loss_is_the_only_one,
            only_the_unresponsive_one_of_several_is_refused,
            a_thaw_does_not_replace_it,
            || a_stop_says_what_is_lost("1.32.2"),
            || a_stop_says_what_is_lost("1.4.0"),
            so_does_a_start,
        ];
        for test in tests {
            scope.spawn(test);
        }
    });
}

fn yes_does_not_confirm_the_loss() {
    let world = silent();
    let run = world.run("freeze dev --yes --error-format json").code(6);
    let last: Value = serde_json::from_str(stderr(&run).lines().last().unwrap()).unwrap();
    let error = &last["error"];
    assert!(error["message"].as_str().unwrap().contains("'dev' does not answer"), "{error}");
    assert_eq!(error["hint"], "--allow-unresponsive answers this question");
    assert!(error["state"].as_str().unwrap().contains("nothing was changed"), "{error}");
    assert!(is_alive(world.vmm("dev")) && !world.commands().contains(&"machine stop".to_owned()));
}

fn allow_unresponsive_does_not_confirm_the_stop() {
    let world = silent();
    world.run("freeze dev --allow-unresponsive").code(6).stderr(contains("--yes answers"));
    assert_eq!(world.state("dev"), "unreachable");
}

fn both_options_freeze_it_and_the_loss_is_recorded() {
    let world = silent();
    let vmm = world.vmm("dev");
    let run = world.run("freeze dev --yes --allow-unresponsive --json").success();
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let lost = "'dev' does not answer: the snapshot will not hold what its guest has not written to disk";
    assert_eq!((&report["warnings"], &report["snapshot"]["warnings"]), (&json!([lost]), &json!([lost])));
    assert_eq!((world.state("dev").as_str(), is_alive(vmm)), ("stopped", false));
}

fn on_a_terminal_there_is_a_question_that_yes_does_not_answer() {
    let world = silent();
    let mut session = Session::start(world.line("freeze dev --yes"));
    session.wait_for("'dev' does not answer. Stop it anyway and freeze it?");
    session.wait_for("[y/N]");
    session.press("n");
    assert_eq!(session.wait(), Some(6), "{}", session.screen());
    assert_eq!(world.state("dev"), "unreachable");
}

fn the_question_about_the_loss_is_the_only_one() {
    let world = silent();
    let mut session = Session::start(world.line("freeze dev"));
    session.wait_for("'dev' does not answer. Stop it anyway and freeze it?");
    session.wait_for("[y/N]");
    session.press("y");
    assert_eq!(session.wait(), Some(0), "{}", session.screen());
    assert_eq!(world.state("dev"), "stopped");
}

fn only_the_unresponsive_one_of_several_is_refused() {
    let world = silent();
    world.vm("well").made_here().running();
    let run = world.run("freeze dev well --yes --json").code(3);
    let all: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!((&all[0]["vm"], &all[0]["error"]["code"]), (&json!("dev"), &json!("not-confirmed")));
    assert_eq!((&all[1]["vm"], &all[1]["error"]), (&json!("well"), &Value::Null));
    assert_eq!((world.state("dev").as_str(), world.state("well").as_str()), ("unreachable", "stopped"));
}

fn a_thaw_does_not_replace_it() {
    let world = World::new();
    world.vm("dev").made_here().running();
    world.run("freeze dev --yes --restart").success();
    signal(world.vmm("dev"), Signal::STOP);
    wait_until("the VMM is suspended", || world.state("dev") == "unreachable");
    world.run("thaw dev --replace --yes").code(6).stderr(contains("bottle-freeze stop dev"));
    assert_eq!(world.state("dev"), "unreachable");
}

fn a_stop_says_what_is_lost(version: &str) {
    let world = World::with_engine(version);
    world.vm("dev").made_here().unreachable();
    let run = world.run("stop dev --json").success().stderr(contains("is lost"));
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let lost = "'dev' did not answer: what its guest had not written to disk is lost";
    assert_eq!(report["warnings"], json!([lost]), "{version}");
}

fn so_does_a_start() {
    let world = silent();
    let run = world.run("start dev --json").success();
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert!(report["warnings"][0].as_str().unwrap().contains("smolvm ended it and started it again"), "{report}");
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn thaw_replaces_a_busy_vm_like_a_running_one() {
    for busy in ALL {
        let world = World::new();
        world.vm("dev").made_here().running();
        world.run("freeze dev --yes --restart").success();
        world.forget_calls();
        if matches!(busy, Busy::GivenUp) {
            world.edit("dev", "state", "unreachable".into());
        } else {
            world.fault(json!([
                {"on": "machine ls", "nth": 1, "do": {"suspend_vm": "dev"}},
                {"on": "machine ls", "nth": 2, "do": {"wake_vm": "dev"}},
            ]));
        }
        world.run("thaw dev --replace --yes").success();
        assert_synced_before_the_stop(&world, &format!("{busy:?}"));
    }
}

#[test]
fn a_busy_guest_syncs_before_a_stop() {
    for (version, busy) in ["1.4.0", "1.32.2"].into_iter().flat_map(|version| ALL.map(|busy| (version, busy))) {
        let world = world(version, busy);
        let run = world.run("stop dev --json").success();
        let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
        assert_eq!(report["warnings"], json!([]), "{version}: {busy:?}");
        // If the engine takes it for a running VM, its own stop makes the guest sync.
        if version == "1.4.0" || !matches!(busy, Busy::ForAMoment) {
            assert_synced_before_the_stop(&world, &format!("{version}: {busy:?}"));
        }
    }
}

#[test]
fn a_busy_vm_is_not_killed_by_a_start() {
    for busy in ALL {
        let world = world("1.32.2", busy);
        let vmm = world.vmm("dev");
        world.run("start dev").success();
        assert!(is_alive(vmm) && !world.commands().contains(&"machine start".to_owned()), "{busy:?}");
    }
}

#[test]
fn a_failed_sync_is_not_taken_for_a_success() {
    let world = World::new();
    world.vm("dev").made_here().running();
    let refused = "Error: agent operation failed: connect: machine 'dev' is not running. Use 'smolvm machine start --name dev' first.";
    world.warm().fault(json!({"on": "machine exec", "do": {"fail": {"status": 1, "stderr": refused}}}));
    world.run("freeze dev --yes").success().stderr(contains("did not write its files to disk in time"));
}

#[test]
fn exec_and_cp_do_not_suggest_a_start_that_would_kill_a_busy_vm() {
    let world = silent();
    world.write("file", "x");
    for (line, code) in [("exec dev -- true", 125), ("cp file dev:/root/file", 5)] {
        let said = stderr(&world.run(line).code(code));
        let ours = &said[said.rfind("error: ").unwrap()..];
        assert!(ours.contains("'dev' is unreachable") && ours.contains("try again"), "{line}: {said}");
        assert!(!ours.contains("bottle-freeze start"), "{line}: {said}");
    }
}

#[test]
fn a_vm_that_is_busy_for_a_moment_is_paused() {
    let world = World::new();
    world.vm("dev").made_here().running();
    world.warm().fault(json!([
        {"on": "machine pause", "nth": 1, "do": {"suspend_vm": "dev"}},
        {"on": "machine ls", "nth": 2, "do": {"wake_vm": "dev"}},
    ]));
    world.run("pause dev").success();
    assert_eq!(world.state("dev"), "paused");
}

#[test]
fn all_running_vms_are_paused_even_if_one_is_busy_for_a_moment() {
    for line in ["pause --all", "pause --label team=a"] {
        let world = world("1.32.2", Busy::ForAMoment);
        world.edit("dev", "labels", json!({"team": "a"}));
        world.run(line).success().stdout(contains("dev is paused").and(contains("skipped").not()));
        assert_eq!(world.state("dev"), "paused", "{line}");
    }
}

#[test]
fn a_command_for_vms_in_another_state_does_not_wait_for_a_silent_one() {
    let world = silent();
    let began = Instant::now();
    world.run("resume --all").success().stdout(contains("skipped dev: it is unreachable"));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(!world.commands().contains(&"machine exec".to_owned()));
}

#[test]
fn the_rm_question_names_the_true_state() {
    let world = world("1.32.2", Busy::ForAMoment);
    world
        .run("rm dev")
        .code(6)
        .stderr(contains("Delete dev (running, ").and(contains("disks and all? It has no snapshot.")));
}

#[test]
fn a_post_freeze_hook_runs_in_a_busy_guest() {
    let world = World::new();
    world.vm("dev").made_here().running();
    world.warm().fault(json!([
        {"on": "machine ls", "nth": 3, "do": {"suspend_vm": "dev"}},
        {"on": "machine ls", "nth": 4, "do": {"wake_vm": "dev"}},
    ]));
    world.run("freeze dev --yes --restart --post-freeze 'guest:echo post > /root/log'").success();
    assert_eq!(world.read_guest("dev", "root/log").as_deref(), Some("post\n"));
}
