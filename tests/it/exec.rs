//! `exec`: runs a command in a guest as if it ran here: its status, streams, signals and secrets.

use crate::support::{World, finish, finish_with_stdin, handles_signals, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

fn world_with_running_vm() -> World {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    world
}

// ------------------------------------------------------------------------------------------------- status

#[test]
fn exec_exits_with_the_status_of_the_guest_command() {
    let world = world_with_running_vm();
    for status in [0, 1, 2, 3, 42, 101, 124, 125, 126, 127, 255] {
        world.run(&format!("exec dev -- sh -c 'exit {status}'")).code(status);
    }
}

#[test]
fn the_status_is_known_even_if_the_parent_ignores_sigchld() {
    let world = world_with_running_vm();
    let mut command = std::process::Command::new("env");
    command.args([
        "--ignore-signal=CHLD",
        env!("CARGO_BIN_EXE_bottle-freeze"),
        "exec",
        "dev",
        "--",
        "sh",
        "-c",
        "exit 3",
    ]);
    world.set_environment(&mut command);
    finish(command).code(3);
}

#[test]
fn a_command_killed_by_a_signal_gives_128_and_the_signal() {
    world_with_running_vm().run("exec dev -- sh -c 'kill -KILL $$'").code(137);
}

#[test]
fn a_command_that_takes_too_long_gives_124() {
    world_with_running_vm().run("exec --timeout 300ms dev -- sleep 20").code(124);
}

#[test]
fn a_command_that_does_not_exist_gives_127_in_a_bare_vm() {
    world_with_running_vm().run("exec dev -- no-such-command").code(127).stderr(contains("no such command"));
}

#[test]
fn a_command_that_does_not_exist_gives_127_in_an_image_vm() {
    let world = World::new();
    world.vm("web").with("--image alpine:3.20 --net").running();
    world.run("exec web -- no-such-command").code(127).stderr(contains("no such command"));
}

#[test]
fn a_missing_vm_gives_125() {
    World::new().run("exec dev -- true").code(125).stderr(contains("no VM named 'dev'"));
}

#[test]
fn a_vm_that_does_not_run_gives_125_and_how_to_start_it() {
    for state in ["stopped", "created", "failed", "paused"] {
        let world = World::new();
        world.vm("dev").in_state(state);
        let run = world.run("exec dev -- true").code(125);
        run.stderr(contains(format!("it is {state}")).and(contains("bottle-freeze start dev")));
    }
}

#[test]
fn a_silent_vm_gives_125() {
    let world = World::new();
    world.vm("dev").unreachable();
    world.run("exec dev -- true").code(125).stderr(contains("unreachable"));
}

#[test]
fn a_missing_engine_gives_125() {
    let mut command = World::new().line("exec dev -- true");
    command.env("SMOLVM", "/nonexistent/smolvm");
    command.current_dir("/");
    finish(command).code(125);
}

#[test]
fn a_crashed_engine_gives_125() {
    let world = world_with_running_vm();
    world.fault(json!({"on": "machine exec", "do": {"kill": 9}}));
    world.run("exec dev -- true").code(125);
}

#[test]
fn a_failure_of_the_engine_is_printed_once() {
    let world = World::new();
    world.vm("down").stopped();
    world.vm("up").running();
    for (line, code, what) in [
        ("exec down ls", 125, "error: 'down' is not running"),
        ("exec nosuch ls", 125, "error: there is no VM named 'nosuch'"),
        ("exec up nosuch", 127, "error: the guest has no such command"),
    ] {
        let said = stderr(&world.run(line).code(code));
        assert!(said.starts_with(what) && said.matches("rror: ").count() == 1, "{line}: {said}");
    }
    world.fault(json!({
        "on": "machine exec",
        "do": {"fail": {"status": 1, "stderr": "Error: agent operation failed: broken pipe"}}
    }));
    let said = stderr(&world.run("exec up ls").code(125));
    assert_eq!(said.matches("broken pipe").count(), 1, "{said}");
}

#[test]
fn what_a_guest_prints_on_stderr_arrives_whole() {
    let world = world_with_running_vm();
    for script in
        ["printf 'Error: vm not found: x' >&2; sleep 0.1; printf '\\nmore' >&2", "printf 'Error: ' >&2", "printf x >&2"]
    {
        let run = finish(world.command(["exec", "dev", "sh", "-c", &format!("{script}; exit 3")])).code(3);
        let printed = std::process::Command::new("sh").args(["-c", script]).output().unwrap().stderr;
        assert_eq!(run.get_output().stderr, printed, "{script}");
    }
}

#[test]
fn a_guest_that_prints_engine_errors_keeps_its_status() {
    let world = world_with_running_vm();
    for said in ["Error: it broke", "Error: vm not found in this list", "error: no such file", "Error: "] {
        world.run(&format!("exec dev -- sh -c 'echo \"{said}\" >&2; exit 1'")).code(1).stderr(contains(said));
    }
}

#[test]
fn the_vm_is_looked_up_only_after_a_failure_of_the_engine() {
    let world = world_with_running_vm();
    world.run("exec dev -- sh -c 'echo Error: mine >&2; exit 1'").code(1);
    assert_eq!(world.commands(), ["machine exec"]);
}

// ------------------------------------------------------------------------------------------------ streams

#[test]
fn stdin_reaches_the_guest_only_with_i() {
    let world = world_with_running_vm();
    let run = finish_with_stdin(world.line("exec -i dev -- cat"), "hello\n").success();
    assert_eq!(stdout(&run), "hello\n");
    let run = finish_with_stdin(world.line("exec dev -- cat"), "hello\n").success();
    assert_eq!(stdout(&run), "");
}

#[test]
fn stdout_and_stderr_are_kept_apart() {
    let run = world_with_running_vm().run("exec dev -- sh -c 'echo out; echo err >&2'").success();
    assert_eq!((stdout(&run), stderr(&run)), ("out\n".into(), "err\n".into()));
}

#[test]
fn twenty_megabytes_arrive_complete() {
    let world = world_with_running_vm();
    let run = world.run("exec dev -- head -c 20000000 /dev/zero").success();
    assert_eq!(run.get_output().stdout.len(), 20_000_000);
}

#[test]
fn output_arrives_while_the_command_runs() {
    let world = world_with_running_vm();
    let mut command = world.line("exec dev -- sh -c 'echo first; exec sleep 20'");
    let mut exec = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(exec.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "first\n");
    crate::support::signal(exec.id().try_into().unwrap(), Signal::TERM);
    exec.wait().unwrap();
}

#[test]
fn arguments_reach_the_guest_unchanged() {
    let world = world_with_running_vm();
    let words = ["exec", "dev", "--", "printf", "%s|", "a b", "", "--name=x", "-i", "$HOME", "ü"];
    assert_eq!(stdout(&finish(world.command(words)).success()), "a b||--name=x|-i|$HOME|ü|");
}

#[test]
fn workdir_is_where_the_command_runs() {
    let world = world_with_running_vm();
    let run = world.run("exec -w /workspace dev -- pwd").success();
    assert!(stdout(&run).trim().ends_with("disk/workspace"), "{}", stdout(&run));
}

// ---------------------------------------------------------------------------------------------- variables

#[test]
fn values_arrive_without_being_in_a_command_line() {
    for version in ["1.0.2", "1.4.0", "1.14.0", "1.32.2"] {
        let world = World::with_engine(version);
        world.vm("dev").running();
        world.write("env", "# a comment\n\nFROM_FILE=hunter3 with spaces\nBOTH=file\n");
        let mut command =
            world.line("exec -e TOKEN=hunter2 -e INHERITED -e BOTH=flag --env-file env dev -- sh -c 'env; echo .'");
        command.env("INHERITED", "hunter4");
        let run = finish(command).success();
        for line in ["TOKEN=hunter2", "FROM_FILE=hunter3 with spaces", "INHERITED=hunter4", "BOTH=flag"] {
            assert!(stdout(&run).lines().any(|l| l == line), "{version}: {line} in {}", stdout(&run));
        }
        for argv in world.all_calls() {
            assert!(!argv.iter().any(|word| word.contains("hunter")), "{version}: {argv:?}");
        }
    }
}

#[test]
fn values_arrive_on_old_engines_too() {
    // 0.8.0 takes no variable without its value in the command line, so it is refused there.
    for version in ["0.8.1", "0.9.0", "1.0.1"] {
        let world = World::with_engine(version);
        world.vm("dev").running();
        let run = world.run("exec -e TOKEN=hunter2 dev -- sh -c 'echo $TOKEN'").success();
        assert_eq!(stdout(&run), "hunter2\n", "{version}");
    }
}

#[test]
fn values_are_not_shown_by_verbose() {
    let world = world_with_running_vm();
    let run = world.run("--verbose exec -e TOKEN=hunter2 dev -- true").success();
    assert!(stderr(&run).contains("machine exec") && !stderr(&run).contains("hunter2"), "{}", stderr(&run));
}

#[test]
fn a_variable_without_any_value_is_a_usage_error() {
    let world = world_with_running_vm();
    world.run("exec -e NOT_SET_ANYWHERE dev -- true").code(2).stderr(contains("NOT_SET_ANYWHERE"));
    assert!(world.all_calls().is_empty());
}

#[test]
fn a_bad_variable_or_file_is_a_usage_error_without_the_value() {
    let world = world_with_running_vm();
    world.write("bad", "GOOD=1\nB@D=hunter2\n");
    // The second line of a value is not the name of a variable.
    world.write("lines", "KEY=first\nhunter2\n");
    world.write("binary", b"KEY=hunter2\xff\n");
    let files = ["--env-file bad", "--env-file lines", "--env-file binary"];
    for flags in ["-e 1A=hunter2", "-e =hunter2", "-e 'A B=hunter2'"].into_iter().chain(files) {
        let run = world.run(&format!("exec {flags} dev -- true")).code(2);
        assert!(!stderr(&run).contains("hunter2"), "{}", stderr(&run));
    }
    assert!(world.all_calls().is_empty());
}

#[test]
fn a_value_that_is_not_utf_8_is_not_called_missing() {
    let world = world_with_running_vm();
    let mut exec = world.line("exec -e BAD dev -- true");
    exec.env("BAD", OsStr::from_bytes(b"hunter2\xff"));
    let said = stderr(&finish(exec).code(2));
    assert!(said.contains("the value of BAD here is not UTF-8") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_file_of_variables_that_cannot_be_read_has_the_status_of_any_such_file() {
    let world = world_with_running_vm();
    for (file, why, status) in
        [("missing", "missing cannot be read", 4), (".", "cannot be read", 1), ("/dev/zero", "more than 16 MiB", 1)]
    {
        world.run(&format!("create new --env-file {file}")).code(status).stderr(contains(why));
        world.run(&format!("thaw dev new --env-file {file}")).code(status).stderr(contains(why));
        // The guest's command may exit with any other status.
        world.run(&format!("exec --env-file {file} dev -- true")).code(125).stderr(contains(why));
        world.run(&format!("thaw dev new --env-file {file} -- true")).code(125).stderr(contains(why));
    }
    assert!(world.all_calls().is_empty());
}

#[test]
fn a_file_of_variables_may_be_a_fifo_and_waiting_for_it_ends_at_the_first_signal() {
    let world = world_with_running_vm();
    let fifo = world.path("work/fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for line in ["exec --env-file fifo dev -- true", "create new --env-file fifo", "thaw dev new --env-file fifo"] {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let waiting = world.spawn(line);
            wait_until("it handles signals", || handles_signals(waiting.pid()));
            waiting.signal(signal);
            waiting.wait().code(128 + signal.as_raw());
        }
    }
    assert!(world.all_calls().is_empty());
    let writer = std::thread::spawn(move || fs::write(fifo, "TOKEN=hunter2\n"));
    let run = world.run("exec --env-file fifo dev -- sh -c 'echo $TOKEN'").success();
    assert_eq!(stdout(&run), "hunter2\n");
    writer.join().unwrap().unwrap();
}

// ------------------------------------------------------------------------------------------------ signals

#[test]
fn a_signal_reaches_the_engine_and_the_guest_command_ends() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let world = world_with_running_vm();
        let exec =
            world.spawn("exec dev -- sh -c 'echo $$ > /root/pid.new; mv /root/pid.new /root/pid; exec sleep 20'");
        wait_until("the guest's command runs", || world.read_guest("dev", "root/pid").is_some());
        let guest = world.read_guest("dev", "root/pid").unwrap().trim().parse().unwrap();
        let engine = i32::try_from(world.call_log()[0]["pid"].as_i64().unwrap()).unwrap();
        exec.signal(signal);
        exec.wait().code(status);
        assert!(!crate::support::is_alive(engine));
        wait_until("the guest's command has ended", || !crate::support::is_alive(guest));
    }
}

#[test]
fn a_signal_before_the_guest_command_starts_prevents_it() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let world = World::new();
        world.vm("dev").running();
        world.forget_calls();
        world.fault(serde_json::json!({"on": "--version", "do": "hang"}));
        let exec = world.spawn("exec dev -- true");
        wait_until("the engine is asked for its version", || !world.all_calls().is_empty());
        exec.signal(signal);
        exec.wait().code(status);
        assert!(world.calls().is_empty());
    }
}

#[test]
fn nothing_is_left_behind() {
    let world = world_with_running_vm();
    world.run("exec dev -- true").success();
    world.assert_clean(&[]);
    assert!(fs::read_dir(world.path("tmp")).unwrap().next().is_none());
}
