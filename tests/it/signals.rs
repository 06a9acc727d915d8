//! Signals: for any signal in any phase, repeated or not, bottle-freeze cleans up and restores everything.
//!
//! `BOTTLE_FREEZE_FAULTS=long` tries every signal in every phase. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long};
use crate::support::pty::Session;
use crate::support::{Running, World, random_bytes, stderr, wait_until};
use assert_cmd::assert::Assert;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::process::Command;

const FREEZE: &str = "freeze dev -o x.smolmachine --yes --force";

/// Each signal that would end a program and can be caught.
const SIGNALS: [Signal; 21] = [
    Signal::INT,
    Signal::TERM,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::VTALARM,
    Signal::PROF,
    Signal::XCPU,
    Signal::XFSZ,
    Signal::ABORT,
    Signal::TRAP,
    Signal::ILL,
    Signal::FPE,
    Signal::SEGV,
    Signal::BUS,
    Signal::SYS,
    #[cfg(target_os = "linux")]
    Signal::IO,
    #[cfg(target_os = "linux")]
    Signal::POWER,
    #[cfg(target_os = "linux")]
    Signal::STKFLT,
];

/// Where a freeze is interrupted: in which engine command, and at which point of it.
const PHASES: [(&str, &str); 7] = [
    ("machine stop", "before"),
    ("machine stop", "after"),
    ("pack create", "start"),
    ("pack create", "staged"),
    ("pack create", "half"),
    ("pack create", "end"),
    ("machine start", "before"),
];

/// A running VM and an older snapshot of it; the engine waits in that phase until the file `go` exists.
fn world_that_waits((on, at): (&str, &str)) -> World {
    let world = World::new();
    world.vm("dev").running();
    world.write("x.smolmachine", "old");
    world.warm().fault(json!({"on": on, "nth": 1, "at": at, "do": {"await": world.path("tmp/go")}}));
    world
}

/// A freeze that waits in that phase.
fn freeze_in(world: &World, (on, _): (&str, &str), line: &str) -> Running {
    let freeze = world.spawn(line);
    wait_until(on, || world.commands().contains(&on.to_owned()));
    freeze
}

/// Nothing has changed, as after a freeze that was interrupted before it published anything.
fn assert_put_back(world: &World, said: &str) {
    std::fs::remove_file(world.path("tmp/go")).unwrap_or_default();
    assert_eq!(world.state("dev"), "running", "{said}");
    assert_eq!(world.read("x.smolmachine"), "old", "{said}");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn every_signal_in_every_phase_restores_everything() {
    let mut random = Random::new();
    let mut cases = Vec::new();
    for (number, signal) in SIGNALS.into_iter().enumerate() {
        // Each signal and each phase once; in the long run, each pair.
        let phases: Vec<_> = if is_long() { PHASES.into() } else { vec![PHASES[number % PHASES.len()]] };
        cases.extend(phases.into_iter().map(|phase| (signal, phase)));
    }
    for (signal, phase) in cases {
        println!("{signal:?} in {phase:?}");
        let world = world_that_waits(phase);
        let restarts = phase.0 == "machine start";
        let freeze = freeze_in(&world, phase, &format!("{FREEZE}{}", if restarts { " --restart" } else { "" }));
        std::thread::sleep(std::time::Duration::from_micros(random.below(5000)));
        freeze.signal(signal);
        if restarts {
            // The snapshot is published: the start continues.
            std::fs::write(world.path("tmp/go"), "").unwrap();
        }
        let ended = freeze.wait();
        let said = format!("{signal:?} in {phase:?}: {}", stderr(&ended));
        // A signal after everything is done comes too late.
        let status = ended.get_output().status.code();
        assert!(status == Some(128 + signal.as_raw()) || restarts && status == Some(0), "{status:?} {said}");
        if restarts {
            assert_eq!(world.state("dev"), "running", "{said}");
            world.run("verify x.smolmachine").success();
        } else {
            assert_put_back(&world, &said);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_real_time_signal_restores_everything_too() {
    let phase = ("pack create", "half");
    for number in [34, 50, 64] {
        let world = world_that_waits(phase);
        let freeze = freeze_in(&world, phase, FREEZE);
        let kill = Command::new("kill").arg(format!("-{number}")).arg(freeze.pid().to_string()).status().unwrap();
        assert!(kill.success());
        let ended = freeze.wait().code(128 + number);
        assert_put_back(&world, &stderr(&ended));
    }
}

#[test]
fn two_signals_in_quick_succession_count_as_one() {
    use Signal as S;
    let mut random = Random::new();
    let pairs = [(S::INT, S::INT), (S::INT, S::TERM), (S::TERM, S::TERM), (S::HUP, S::TERM), (S::QUIT, S::INT)];
    for round in 0..if is_long() { 200 } else { 10 } {
        let (first, second) = pairs[round % pairs.len()];
        let phase = PHASES[usize::try_from(random.below(6)).unwrap()];
        let delay = std::time::Duration::from_micros(random.below(50_000));
        println!("{first:?}, after {delay:?} {second:?}, in {phase:?}");
        let world = world_that_waits(phase);
        let freeze = freeze_in(&world, phase, FREEZE);
        freeze.signal(first);
        std::thread::sleep(delay);
        freeze.signal(second);
        let ended = freeze.wait();
        let (status, said) = (ended.get_output().status.code(), stderr(&ended));
        // The kernel may deliver two simultaneous signals in either order.
        let allowed = [Some(128 + first.as_raw()), Some(128 + second.as_raw())];
        assert!(allowed.contains(&status), "{status:?} {said}");
        assert_eq!(said.matches("cleaning up").count(), 1, "{said}");
        assert_put_back(&world, &said);
    }
}

/// Like npm: the parent passes on a ^C that the terminal has already sent to both.
const RELAY: &str = r#"trap 'kill -INT $child' INT; "$0" "$@" & child=$!; wait $child; while kill -0 $child 2> /dev/null; do wait $child; done"#;

#[test]
fn a_ctrl_c_passed_on_by_a_parent_counts_once() {
    let phase = ("pack create", "half");
    for _ in 0..if is_long() { 50 } else { 3 } {
        let world = world_that_waits(phase);
        let command = world.line(FREEZE);
        let mut relay = Command::new("sh");
        relay.args(["-c", RELAY]).arg(command.get_program()).args(command.get_args());
        world.set_environment(&mut relay);
        let mut session = Session::start(relay);
        wait_until("the pack runs", || world.commands().contains(&"pack create".to_owned()));
        session.press("\x03");
        session.wait_for("running again");
        session.wait();
        let screen = session.screen();
        assert!(!screen.contains("stopped at once"), "{screen}");
        wait_until("the freeze has ended", || !workers(&world));
        assert_put_back(&world, &screen);
    }
}

/// Whether a private folder still exists.
fn workers(world: &World) -> bool {
    crate::support::names_in(&world.path("work")).iter().any(|name| name.starts_with(".bottle-freeze"))
}

/// A VM that takes this long to restore.
fn slow_to_put_back(how: &Value) -> (World, Running) {
    let phase = ("pack create", "half");
    let world = world_that_waits(phase);
    let waits = json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"});
    world.fault(json!([waits, {"on": "machine start", "at": "before", "do": how}]));
    let freeze = freeze_in(&world, phase, FREEZE);
    (world, freeze)
}

#[test]
fn a_signal_a_second_later_ends_the_program_immediately() {
    let (world, freeze) = slow_to_put_back(&json!("hang"));
    let ended = freeze.signal_until_it_ends(Signal::INT).code(130);
    let said = stderr(&ended);
    assert!(said.contains("interrupted by SIGINT; cleaning up"), "{said}");
    assert!(said.contains("stopped at once: 'dev' may be stopped"), "{said}");
    assert_eq!(world.read("x.smolmachine"), "old");
}

#[test]
fn signals_repeated_by_the_kernel_do_not_end_the_cleanup() {
    let (world, freeze) = slow_to_put_back(&json!({"sleep_ms": 1500}));
    let ended = freeze.signal_until_it_ends(Signal::XCPU).code(128 + Signal::XCPU.as_raw());
    assert_put_back(&world, &stderr(&ended));
}

#[test]
fn a_signal_ignored_by_the_parent_stays_ignored() {
    for name in ["TERM", "HUP", "USR1", "ALRM"] {
        let phase = ("pack create", "half");
        let world = world_that_waits(phase);
        let command = world.line(FREEZE);
        let mut deaf = Command::new("sh");
        deaf.args(["-c", &format!("trap '' {name}; exec \"$0\" \"$@\"")]);
        deaf.arg(command.get_program()).args(command.get_args());
        world.set_environment(&mut deaf);
        let mut freeze = deaf.stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_until("the pack runs", || world.commands().contains(&"pack create".to_owned()));
        let kill = Command::new("kill").args(["-s", name, &freeze.id().to_string()]).status().unwrap();
        assert!(kill.success());
        std::fs::write(world.path("tmp/go"), "").unwrap();
        assert_eq!(freeze.wait().unwrap().code(), Some(0), "{name}");
        world.run("verify x.smolmachine").success();
    }
}

// --------------------------------------------------------------------------------------------- limits

/// The command with a file size limit of this many KiB.
fn with_small_files(world: &World, line: &str, kib: u64) -> Assert {
    let command = world.line(line);
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("ulimit -f {kib}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    world.set_environment(&mut limited);
    crate::support::finish(limited)
}

#[cfg(target_os = "linux")]
#[test]
fn beyond_a_file_size_limit_every_write_fails_with_a_message() {
    let world = World::new();
    world.vm("dev").running();
    let noise = random_bytes(3_000_000);
    world.write_guest("dev", "root/big", &noise);
    world.run("freeze dev --restart --yes").success();
    world.run("snapshot export dev -o whole.tar").success();
    world.write("big", &noise);
    world.warm();
    let lines = [
        "freeze dev --yes",
        "freeze dev -o y.smolmachine --yes",
        "snapshot export dev -o y.tar",
        "snapshot import whole.tar --as other",
        "cp dev:/root/big y",
    ];
    for line in lines {
        let run = with_small_files(&world, line, 1000);
        let (status, said) = (run.get_output().status.code(), stderr(&run));
        assert_eq!(status, Some(8), "{line}: {said}");
        assert!(said.contains("ulimit -f"), "{line}: {said}");
        assert_eq!(world.state("dev"), "running", "{line}: {said}");
        world.assert_clean(&["big", "whole.tar"]);
    }
}

// --------------------------------------------------------------------------------------------- exec

#[test]
fn exec_passes_every_signal_to_the_guest_command() {
    for signal in [Signal::QUIT, Signal::USR1, Signal::USR2, Signal::ALARM, Signal::XCPU] {
        let world = World::new();
        world.vm("dev").running();
        let exec = world.spawn("exec dev -- sh -c 'echo > /root/began; exec sleep 20'");
        wait_until("the guest's command runs", || world.read_guest("dev", "root/began").is_some());
        exec.signal(signal);
        exec.wait().code(128 + signal.as_raw());
    }
}

/// An engine that counts the signals it gets, and ends a moment after the first.
const COUNTING_ENGINE: &str = r#"#!/bin/sh
case "$*" in *--version*) echo smolvm 1.32.2; exit;; esac
trap 'echo INT >> "$COUNT"' INT
echo > "$COUNT"
sleep 0.4 & sleeping=$!
while kill -0 $sleeping 2> /dev/null; do wait $sleeping; done
"#;

#[test]
fn an_engine_gets_a_ctrl_c_from_the_terminal_only_once() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let engine = world.write("engine", COUNTING_ENGINE);
    std::fs::set_permissions(&engine, PermissionsExt::from_mode(0o755)).unwrap();
    let count = world.path("work/count");
    let run = |relayed: bool| {
        let _ = std::fs::remove_file(&count);
        let exec = world.line("--smolvm ./engine exec dev -- true");
        let mut command = if relayed { Command::new("sh") } else { Command::new(exec.get_program()) };
        if relayed {
            command.args(["-c", RELAY]).arg(exec.get_program());
        }
        command.args(exec.get_args());
        world.set_environment(&mut command);
        command.env("COUNT", &count);
        let mut session = Session::start(command);
        wait_until("the engine runs", || count.exists());
        session.press("\x03");
        session.wait();
        wait_until("the engine has ended", || !workers(&world));
        std::fs::read_to_string(&count).unwrap().matches("INT").count()
    };
    assert_eq!(run(false), 1);
    assert_eq!(run(true), 1, "through a parent that passes it on");
}

#[test]
fn an_interrupted_command_prints_the_state_of_the_vm() {
    for (line, on, at, now) in [
        ("stop dev", "machine stop", "before", "'dev' is running"),
        ("stop dev", "machine stop", "after", "'dev' is stopped"),
        ("start off", "machine start", "before", "'off' is stopped"),
        ("start off", "machine start", "after", "'off' is running"),
        ("rm dev --yes", "machine delete", "before", "'dev' is stopped"),
        ("pause dev", "machine pause", "start", "'dev' is running"),
        ("thaw dev new", "machine start", "before", "'new' is created"),
        ("thaw dev new", "machine start", "after", "'new' is running"),
        ("thaw dev --replace --yes", "machine delete", "before", "'dev' is stopped; it was frozen as dev@"),
    ] {
        let world = World::new();
        world.vm("dev").running();
        world.vm("off").stopped();
        world.warm().run("freeze dev --yes --restart").success();
        let calls = world.commands().len();
        world.fault(json!({"on": on, "at": at, "do": "hang"}));
        let run = world.spawn(line);
        wait_until(on, || world.commands()[calls..].contains(&on.to_owned()));
        let (name, state) = (now.split('\'').nth(1).unwrap(), now.split([' ', ';']).nth(2).unwrap());
        wait_until(now, || world.state(name) == state);
        run.signal(Signal::TERM);
        let said = stderr(&run.wait().code(143));
        assert!(said.contains(&format!("now: {now}")), "{line}, {on} {at}: {said}");
    }
}
