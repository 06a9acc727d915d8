//! The values of a guest's variables appear in no command line, on any engine.

use crate::support::{World, finish, stderr, stdout, wait_until};
use predicates::str::contains;
use serde_json::json;
use std::fs;

const ENGINES: [&str; 6] = ["0.8.0", "0.8.1", "0.9.0", "1.0.0", "1.0.2", "1.32.2"];

/// Names of every kind: the user's own, and those that the engine, its wrapper or the loader read.
const NAMES: [&str; 16] = [
    "TOKEN",
    "SMOLVM_TOKEN",
    "SMOL_X",
    "HOME",
    "PATH",
    "LD_PRELOAD",
    "DYLD_X",
    "LC_ALL",
    "LANG",
    "XDG_DATA_HOME",
    "TMPDIR",
    "RUST_LOG",
    "BASH_ENV",
    "ENV",
    "GLIBC_TUNABLES",
    "LIBKRUN_X",
];

fn secret(name: &str) -> String {
    format!("s3cret \"$of\" {name}")
}

/// An `--env-file` with all of them.
fn env_file(world: &World) {
    env_file_with(world, |_| true);
}

fn env_file_with(world: &World, wanted: impl Fn(&str) -> bool) {
    let names = NAMES.iter().filter(|name| wanted(name));
    let lines: Vec<_> = names.map(|name| format!("{name}={}", secret(name))).collect();
    world.write("env", lines.join("\n"));
}

fn assert_no_secret_in_an_argv(world: &World, line: &str) {
    for call in world.all_calls() {
        assert!(!call.iter().any(|word| word.contains("s3cret")), "{line}: {call:?}");
    }
}

#[test]
fn create_passes_every_variable_without_a_command_line() {
    for version in ENGINES {
        let world = World::with_engine(version);
        env_file(&world);
        let run = world.run("create dev --env-file env --verbose").success();
        let env = &world.record("dev")["env"];
        for name in NAMES {
            let pair = json!(format!("{name}={}", secret(name)));
            assert!(env.as_array().unwrap().contains(&pair), "{version}: {name} in {env}");
        }
        assert_no_secret_in_an_argv(&world, version);
        assert!(!stderr(&run).contains("s3cret"), "{}", stderr(&run));
        assert!(stderr(&run).contains("HOME=***"), "{}", stderr(&run));
    }
}

#[test]
fn no_engine_command_line_contains_a_secret_while_it_runs() {
    let world = World::with_engine("0.8.0");
    env_file(&world);
    world.warm().fault(json!({"on": "machine create", "do": "hang"}));
    let create = world.spawn("create dev --env-file env");
    wait_until("the engine is called", || !world.call_log().is_empty());
    let pid = world.call_log()[0]["pid"].clone();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let line = String::from_utf8_lossy(&line);
    assert!(line.contains("machine\0create") && !line.contains("s3cret"), "{line}");
    drop(create);
}

#[test]
fn exec_passes_every_variable_or_refuses_it_by_name() {
    for version in ENGINES {
        let world = World::with_engine(version);
        world.vm("dev").running();
        // The stand-in's guest is a process of the host: these variables would keep it from starting.
        env_file_with(&world, |name| !["PATH", "LD_PRELOAD", "GLIBC_TUNABLES"].contains(&name));
        let run = world.run("exec --env-file env dev -- env");
        assert_no_secret_in_an_argv(&world, version);
        if version.starts_with("0.") {
            let said = stderr(&run.code(125));
            assert!(said.contains("HOME") && said.contains("XDG_DATA_HOME") && said.contains("1.0.0"), "{said}");
            assert!(world.calls().is_empty(), "nothing was run");
        } else {
            let env = stdout(&run.success());
            for name in ["TOKEN", "HOME", "SMOLVM_TOKEN", "LC_ALL", "BASH_ENV"] {
                assert!(env.contains(&format!("{name}={}\n", secret(name))), "{version}: {name} in {env}");
            }
        }
        env_file(&world);
        world.run("exec --env-file env dev -- env");
        assert_no_secret_in_an_argv(&world, version);
    }
}

#[test]
fn exec_passes_harmless_variables_by_name() {
    let world = World::with_engine("0.9.0");
    world.vm("dev").running();
    let env = stdout(&world.run("exec -e TOKEN=s3cret -e LANG=s3cret-too dev -- env").success());
    assert!(env.contains("TOKEN=s3cret\n") && env.contains("LANG=s3cret-too"), "{env}");
    assert_no_secret_in_an_argv(&world, "exec");
    let world = World::with_engine("0.8.0");
    world.vm("dev").running();
    world.run("exec -e TOKEN=s3cret dev -- env").code(125).stderr(contains("TOKEN"));
}

#[test]
fn with_a_snapshot_variables_that_the_engine_reads_are_refused() {
    for version in ENGINES {
        let world = World::with_engine(version);
        let old = version == "0.8.0";
        world.vm("source").stopped();
        world.run("freeze source -o x.smolmachine").success();
        world.forget_calls();
        let run = world.run("create dev --from x.smolmachine -e HOME=s3cret");
        let said = stderr(&run.code(13));
        assert!(said.contains("HOME") && said.contains("beside --from"), "{said}");
        assert_eq!(world.state("dev"), "missing");
        let run = world.run("create dev --from x.smolmachine -e TOKEN=s3cret");
        if old {
            run.code(13)
        } else {
            run.success()
        };
        assert_no_secret_in_an_argv(&world, version);
    }
}

#[test]
fn a_value_is_passed_unchanged() {
    let world = World::new();
    let mut command = world.command(["create", "dev", "-e", "HOME", "-e", "PATH=a\"b\\c\u{7f}é\n$x", "-e", "LD_X="]);
    command.env("HOME", world.path("home"));
    finish(command).success();
    let home = world.path("home");
    let wanted = json!([format!("HOME={}", home.display()), "PATH=a\"b\\c\u{7f}é\n$x", "LD_X="]);
    assert_eq!(world.record("dev")["env"], wanted);
    // A value that a Smolfile would lose is refused if there is no other way.
    world.run("create other -e 'HOME=s3cret '").code(13).stderr(contains("HOME"));
    world.run("create third -e 'TOKEN=s3cret '").success();
    assert_eq!(world.record("third")["env"], json!(["TOKEN=s3cret "]));
}
