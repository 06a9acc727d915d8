//! Bad input and bad engines give one clear error with its own exit status; nothing is stopped or lost.

use crate::support::{World, end_of, finish, stderr, stdout};
use assert_cmd::assert::Assert;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

// --------------------------------------------------------------------------------------------- the engine

/// Runs `ls` with that engine.
fn with_engine_at(world: &World, engine: &Path) -> Assert {
    let mut command = world.line("ls");
    command.env("SMOLVM", engine);
    finish(command)
}

fn script(world: &World, text: &str) -> Assert {
    let path = world.write("smolvm", text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    with_engine_at(world, &path)
}

#[test]
fn a_missing_engine_is_reported_as_missing() {
    let world = World::new();
    with_engine_at(&world, Path::new("/nonexistent/smolvm")).code(13).stderr(contains("does not exist"));
    let mut command = world.line("ls");
    command.env_remove("SMOLVM").env("PATH", world.path("work"));
    finish(command).code(13).stderr(contains("PATH"));
    world.run("--smolvm /nonexistent/smolvm ls").code(13).stderr(contains("--smolvm"));
}

#[test]
fn an_engine_that_is_a_folder_is_refused() {
    let world = World::new();
    with_engine_at(&world, &world.path("home")).code(13);
}

#[test]
fn an_engine_that_is_not_executable_is_refused() {
    let world = World::new();
    let path = world.write("smolvm", "#!/bin/sh\necho smolvm 1.32.2\n");
    with_engine_at(&world, &path).code(13).stderr(contains("not executable"));
}

#[test]
fn a_program_that_cannot_print_its_version_is_not_an_engine() {
    let world = World::new();
    script(&world, "#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n").code(13);
    script(&world, "\x7fELF\x02\x01\x01 of another machine").code(13);
}

#[test]
fn an_engine_that_is_too_old_is_refused() {
    let world = World::with_engine("0.7.0");
    world.run("ls").code(13).stderr(contains("0.7.0 is too old"));
}

#[test]
fn the_python_package_of_the_same_name_is_refused() {
    let world = World::new();
    for first in
        ["#!/usr/bin/env python3", "#!/opt/venv/bin/python3.12", "#!/bin/sh\n'''exec' /opt/venv/bin/python \"$0\""]
    {
        script(&world, &format!("{first}\nprint('smolvm 0.0.36')\n")).code(13).stderr(contains("CelestoAI"));
    }
    assert!(world.all_calls().is_empty());
}

#[test]
fn an_engine_that_prints_garbage_is_refused() {
    for answer in ["hello", "", "snap 0.8.0", "smolvm", "smolvm one.two.three", "smolvm version 1.32.2"] {
        let world = World::new();
        world.fault(json!({"on": "--version", "do": {"print": answer}}));
        world.run("ls").code(13).stderr(contains("is not the smolvm engine"));
    }
}

#[test]
fn an_engine_whose_output_is_not_text_is_refused() {
    let world = World::new();
    world.fault(json!({"on": "--version", "do": {"print_bytes": 5000}}));
    world.run("ls").code(13);
}

#[test]
fn an_engine_that_crashes_is_a_failure() {
    let world = World::new();
    world.warm().fault(json!({"on": "machine ls", "do": {"kill": 9}}));
    world.run("ls").code(1).stderr(contains("SIGKILL"));
}

#[test]
fn the_message_of_a_failing_engine_is_printed() {
    let world = World::new();
    world.fault(json!({"on": "machine ls", "do": {"fail": {"status": 1, "stderr": "Error: the moon is full"}}}));
    world.run("ls").code(1).stderr(contains("the moon is full"));
}

#[test]
fn half_a_list_is_a_failure_and_not_an_empty_list() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().fault(json!({"on": "machine ls", "do": "half_json"}));
    for line in ["ls", "rm dev --yes", "freeze dev -o x.smolmachine --yes"] {
        world.run(line).code(1).stderr(contains("could not parse the output"));
    }
    assert_eq!(world.state("dev"), "running");
    world.assert_clean(&[]);
}

#[test]
fn an_empty_answer_is_a_failure_too() {
    let world = World::new();
    for answer in ["", "null", "{}", "[{}]", "[{\"name\": \"dev\"}]"] {
        world.fault(json!({"on": "machine ls", "do": {"print": answer}}));
        world.run("ls").code(1).stderr(contains("could not parse the output"));
    }
}

#[test]
fn an_engine_that_never_stops_printing_is_cut_off() {
    let world = World::new();
    world.warm().fault(json!({"on": "machine ls", "do": {"print_bytes": 300_000_000}}));
    // In bounded memory: this address space has no room for a buffer with the whole output.
    let mut command = std::process::Command::new("sh");
    let tool = world.line("ls");
    let limited = format!("ulimit -v 400000; exec '{}' ls", tool.get_program().to_str().unwrap());
    command.args(["-c", &limited]).env_clear().stdin(Stdio::null());
    command.envs(tool.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(world.path("work"));
    finish(command).code(1).stderr(contains("longer than"));
}

// -------------------------------------------------------------------------------------------------- names

#[test]
fn a_missing_vm_has_its_own_status() {
    let world = World::new();
    for line in ["start dev", "stop dev", "freeze dev -o x.smolmachine --yes", "rm dev --yes", "rm dev"] {
        world.run(line).code(4).stderr(contains("no VM named 'dev'"));
    }
    world.assert_clean(&[]);
}

#[test]
fn creating_a_vm_with_a_taken_name_fails_and_changes_nothing() {
    let world = World::new();
    world.vm("dev").running();
    world.run("create dev").code(16).stderr(contains("already exists"));
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_bad_name_never_reaches_the_engine() {
    let world = World::new();
    let long = "a".repeat(129);
    let bad = ["a b", "--image=x", "../x", "a.b", &long, "", "-a", "a-", "a--b", "/", "é", "a\nb", "a/b"];
    for name in bad {
        for before in [&["create"][..], &["start"], &["stop"], &["rm", "--yes"], &["freeze", "-o", "x.smolmachine"]] {
            finish(world.command(before.iter().copied().chain([name]))).code(2);
            if name.starts_with('-') {
                finish(world.command(before.iter().copied().chain(["--", name]))).code(2);
            }
        }
        finish(world.command(["exec", name, "--", "true"])).code(2);
    }
    assert!(world.all_calls().is_empty(), "{:?}", world.all_calls());
    world.assert_clean(&[]);
}

#[test]
fn the_longest_name_is_accepted() {
    let world = World::new();
    let name = "a".repeat(128);
    world.run(&format!("create {name}")).success();
    assert_eq!(world.state(&name), "created");
}

#[test]
fn an_image_and_a_snapshot_at_once_are_a_usage_error() {
    let world = World::new();
    world.run("create dev --image alpine --from x.smolmachine").code(2);
    assert!(world.all_calls().is_empty());
}

#[test]
fn a_value_that_looks_like_a_flag_stays_a_value() {
    let world = World::new();
    world.run("create dev --image=--net").success();
    assert_eq!((&world.record("dev")["image"], &world.record("dev")["network"]), (&json!("--net"), &json!(false)));
}

#[test]
fn usage_errors_have_status_2() {
    let world = World::new();
    let lines = [
        "",
        "nonsense",
        "create",
        "create dev --cpus 0",
        "create dev --mem x",
        "start",
        "exec dev",
        "freeze dev -o x --stop-timeout soon",
        "ls --nonsense",
    ];
    for line in lines {
        world.run(line).code(2);
    }
    assert!(world.all_calls().is_empty());
}

#[test]
fn some_failures_of_several_vms_have_their_own_status() {
    let world = World::new();
    world.vm("one").running();
    world.vm("two").running();
    world.run("stop one missing two").code(3).stderr(contains("1 of 3 VMs failed: missing"));
    assert_eq!((world.state("one"), world.state("two")), ("stopped".into(), "stopped".into()));
    world.run("start one missing two").code(3);
    world.run("rm one missing two --yes").code(4).stderr(contains("no VM named 'missing'"));
    assert_eq!(world.list().len(), 2);
}

// ---------------------------------------------------------------------------------------------- snapshots

#[test]
fn a_missing_snapshot_has_its_own_status() {
    let world = World::new();
    world.run("create dev --from x.smolmachine").code(4).stderr(contains("x.smolmachine"));
    assert!(world.calls().is_empty());
}

#[test]
fn a_damaged_snapshot_never_reaches_the_engine() {
    for version in ["1.4.0", "1.14.3", "1.32.2"] {
        let world = World::with_engine(version);
        let whole = fs::read(world.snapshot("x.smolmachine")).unwrap();
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        };
        let (middle, end) = (whole.len() / 2, whole.len());
        let manifest = end - 64 - 10;
        let damaged = [
            flipped(0),
            flipped(middle),
            flipped(manifest),
            flipped(end - 64),
            flipped(end - 56),
            flipped(end - 36),
            flipped(end - 12),
            whole[..middle].to_vec(),
            whole[..end - 1].to_vec(),
            whole[1..].to_vec(),
            whole[end - 64..].to_vec(),
            [&whole[..], b"x"].concat(),
            Vec::new(),
            b"a text file\n".to_vec(),
            vec![0; 4096],
            [vec![0xff; 4096], b"SMOLPACK".to_vec(), vec![0xff; 56]].concat(),
        ];
        for (number, bytes) in damaged.iter().enumerate() {
            world.write("bad.smolmachine", bytes);
            let run = world.run("create dev --from bad.smolmachine");
            let status = run.get_output().status.code();
            assert_eq!(status, Some(10), "{version}, damage {number}: {}", stderr(&run));
        }
        assert!(world.calls().is_empty());
        world.run("create dev --from x.smolmachine").success();
    }
}

#[test]
fn a_folder_and_a_launcher_are_not_snapshots() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o snap").success();
    world.forget_calls();
    world.run("create dev2 --from ./snap").code(10).stderr(contains("did you mean"));
    world.run("create dev2 --from snap").code(4).stderr(contains("to name the file, write ./snap.smolmachine"));
    world.run("create dev2 --from /").failure();
    assert!(world.calls().is_empty());
}

// ------------------------------------------------------------------------------------------------- output

/// Names and states that a hostile or broken engine could list.
fn hostile_world() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    world.edit("dev", "name", "\x1b[2Jevil\r\n\u{202e}".into());
    world.edit("dev", "state", "\x1b]0;title\x07odd".into());
    world.edit("dev", "image", "\x1b[31mred".into());
    world
}

#[test]
fn no_output_of_an_engine_moves_the_cursor() {
    let world = hostile_world();
    let table = world.run("ls").success();
    assert!(stdout(&table).contains("evil"));
    let harmless = |text: &str| !text.contains(['\x1b', '\x07', '\r', '\u{202e}']);
    assert!(harmless(&stdout(&table)), "{:?}", stdout(&table));
    assert_eq!(stdout(&table).lines().count(), 2, "one header, one VM: {:?}", stdout(&table));
    world.fault(json!({"on": "machine ls", "do": {"fail": {"status": 1, "stderr": "Error: \u{1b}[2J\u{7}\u{202e}"}}}));
    let run = world.run("ls").code(1);
    assert!(harmless(&stderr(&run)), "{:?}", stderr(&run));
}

#[test]
fn names_in_a_plain_list_are_harmless_too() {
    let run = hostile_world().run("ls -q").success();
    assert!(!stdout(&run).contains('\x1b'), "{:?}", stdout(&run));
    assert_eq!(stdout(&run).lines().count(), 1, "{:?}", stdout(&run));
}

#[test]
fn json_is_valid_and_true() {
    let run = hostile_world().run("ls --json").success();
    assert!(!stdout(&run).contains('\x1b'), "{:?}", stdout(&run));
    let list: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(list[0]["name"], "\x1b[2Jevil\r\n\u{202e}");
}

#[test]
fn the_list_has_everything_that_the_engine_knows() {
    let world = World::new();
    world.vm("dev").with("--cpus 2 --mem 1024").running();
    world.vm("web").with("--image alpine:3.20 --net").stopped();
    let table = stdout(&world.run("ls").success());
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    for (name, cells) in
        [("dev", ["running", "1 GiB", "20+10 GiB", "none"]), ("web", ["stopped", "8 GiB", "yes", "alpine:3.20"])]
    {
        for cell in cells {
            assert!(row(name).contains(cell), "{table}");
        }
    }
    assert_eq!(stdout(&world.run("ls -q").success()), "dev\nweb\n");
}

#[test]
fn an_empty_list_is_not_a_failure() {
    let world = World::new();
    world.run("ls").success().stdout(contains("no VMs"));
    assert_eq!(stdout(&world.run("ls --json").success()).trim(), "[]");
    assert_eq!(stdout(&world.run("ls -q").success()), "");
}

#[test]
fn a_reader_that_has_gone_away_causes_no_panic() {
    let world = World::new();
    world.vm("dev").stopped();
    for line in ["ls", "ls --json", "ls -q", "completions bash", "--help", "freeze --help"] {
        let writer = closed_pipe();
        let mut command = world.line(line);
        command.stdout(writer).stderr(Stdio::piped());
        let output = end_of(command.spawn().unwrap());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{line}: {said}");
        assert!(output.status.code().is_some_and(|code| code != 101), "{line}: {:?}", output.status);
    }
}

#[test]
fn a_closed_stderr_causes_no_panic() {
    let world = World::new();
    let writer = closed_pipe();
    let mut command = world.line("start missing");
    command.stdout(Stdio::null()).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(4));
}

/// A pipe whose reader has gone away.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(reader);
    Stdio::from(std::os::fd::OwnedFd::from(writer))
}

#[test]
fn a_mistyped_vm_name_suggests_the_right_one() {
    let world = World::new();
    world.vm("web-server").stopped();
    for line in ["start web-sevrer", "stop web-sevrer", "freeze web-sevrer", "rm web-sevrer", "cp x web-sevrer:/x"] {
        world.write("x", "");
        world.run(line).code(4).stderr(contains("did you mean web-server?").and(contains("bottle-freeze ls")));
    }
    world.run("exec web-server2 -- true").code(125).stderr(contains("did you mean web-server?"));
    world.run("start database").code(4).stderr(contains("did you mean").not());
    World::new().run("start web-sevrer").code(4).stderr(contains("did you mean").not());
}

#[test]
fn a_mistyped_snapshot_name_suggests_the_right_one() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    for (typed, meant) in [
        ("dve", "dev"),
        ("dev@raedy", "dev@ready"),
        ("dve@ready", "dev@ready"),
        ("dev@tuesday", "dev"),
        ("dve@tuesday", "dev"),
    ] {
        for line in ["thaw", "create new --from", "snapshot show", "snapshot verify", "snapshot rm --yes"] {
            world.run(&format!("{line} {typed}")).code(4).stderr(contains(format!("did you mean {meant}? list them")));
        }
    }
    world.run("thaw database").code(4).stderr(contains("did you mean").not());
}

#[test]
fn a_hostile_name_is_never_suggested() {
    let world = World::new();
    world.vm("dev").stopped();
    let mut list = world.list();
    list[0]["name"] = "d;v".into();
    world.fault(serde_json::json!({"on": "machine ls", "do": {"print": serde_json::Value::Array(list).to_string()}}));
    world.run("rm dev").code(4).stderr(contains("did you mean").not());
}

#[test]
fn a_success_ends_with_the_likely_next_command() {
    let world = World::new();
    world.vm("dev").running();
    world.run("stop dev").success().stdout("dev is stopped; start it with: bottle-freeze start dev\n");
    let packed = world.run("pack alpine:3.20 -o 'my alpine.smolmachine'").success();
    packed.stdout(contains("create NAME --from '").and(contains("/my alpine.smolmachine'")));
}
