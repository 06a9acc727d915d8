//! The GitHub Action: its script thaws the snapshot with the key, or sets the VM up and freezes it.

use crate::support::{World, finish, stdout};
use assert_cmd::assert::Assert;
use predicates::str::contains;
use std::fs;
use std::path::Path;
use std::process::Command;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn thaw_or_freeze(world: &World, key: &str, setup: &str) -> Assert {
    finish(script(world, key, setup))
}

/// The script in a world, with `bottle-freeze` on PATH.
fn script(world: &World, key: &str, setup: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_bottle-freeze")).parent().unwrap();
    let mut script = Command::new(folder().join(".github/action/thaw-or-freeze"));
    world.set_environment(&mut script);
    let path = std::env::var("PATH").unwrap();
    script.env("PATH", format!("{}:{path}", program.display()));
    script.envs([("VM", "dev"), ("KEY", key), ("SETUP", setup), ("CREATE", "--cpus 2 --mem 512")]);
    script.env("GITHUB_OUTPUT", world.path("work/output"));
    script
}

fn output(world: &World) -> String {
    let text = fs::read_to_string(world.path("work/output")).unwrap();
    fs::remove_file(world.path("work/output")).unwrap();
    text
}

#[test]
fn the_first_run_sets_up_and_freezes_and_the_next_thaws() {
    let world = World::new();
    world.write("setup.sh", "true\n");
    thaw_or_freeze(&world, "one", "setup.sh").success();
    assert_eq!(output(&world), "found=false\n");
    assert_eq!(world.state("dev"), "running");
    // The next run is on another machine, with the library of the cache.
    world.run("rm dev --yes").success();
    thaw_or_freeze(&world, "one", "setup.sh").success().stdout(contains("thawed dev"));
    assert_eq!((output(&world).as_str(), world.state("dev").as_str()), ("found=true\n", "running"));
    world.run("rm dev --yes").success();
    thaw_or_freeze(&world, "two", "").success();
    assert_eq!(output(&world), "found=false\n");
    assert_eq!(stdout(&world.run("snapshot ls -q").success()).lines().count(), 2);
}

#[test]
fn a_set_up_that_fails_makes_no_snapshot() {
    let world = World::new();
    world.write("setup.sh", "exit 7\n");
    thaw_or_freeze(&world, "one", "setup.sh").code(7);
    assert_eq!(stdout(&world.run("snapshot ls -q").success()), "");
}

/// Others can read the cache.
#[test]
fn a_snapshot_with_secrets_is_not_kept_unless_that_is_allowed() {
    let world = World::new();
    let run = |allowed: &str| {
        let mut script = script(&world, "one", "");
        script.envs([("CREATE", "-e API_TOKEN=x1y2z3"), ("ALLOW_SECRETS", allowed)]);
        finish(script)
    };
    for allowed in ["false", ""] {
        let refused = run(allowed).code(6);
        refused.stdout(contains("::error::")).stderr(contains("API_TOKEN: the value of a variable"));
        assert_eq!(stdout(&world.run("snapshot ls -q").success()), "");
        world.run("rm dev --yes").success();
    }
    run("true").success();
    assert_eq!(stdout(&world.run("snapshot ls -q").success()).lines().count(), 1);
    let action = fs::read_to_string(folder().join("action.yml")).unwrap();
    assert!(action.contains("ALLOW_SECRETS: ${{ inputs.allow-secrets }}\n") && action.contains("  allow-secrets:\n"));
}

#[test]
fn the_paths_that_the_action_caches_and_runs_are_there() {
    let action = fs::read_to_string(folder().join("action.yml")).unwrap();
    for script in ["install", "thaw-or-freeze"] {
        assert!(action.contains(&format!("'\"$GITHUB_ACTION_PATH/.github/action/{script}\"'")));
        assert!(folder().join(".github/action").join(script).exists());
    }
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    for part in ["bottle-freeze.json", "snapshots", "store"] {
        assert!(action.contains(&format!("~/.local/share/bottle-freeze/{part}\n")), "{part}");
        assert!(world.path("home/library").join(part).exists(), "{part}");
    }
}
