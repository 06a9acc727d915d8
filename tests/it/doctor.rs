//! `doctor`: whether a freeze would work here. What it says of KVM depends on the machine, and is not looked at.

use crate::support::{World, finish, names_in, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// What it found of one thing; its exit status fits its verdicts.
fn check(mut command: Command, name: &str) -> Value {
    let run = finish({
        command.arg("--json");
        command
    });
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(run.get_output().status.code() == Some(0), report["ok"] == true, "{report}");
    let checks = report["checks"].as_array().unwrap();
    let problem = checks.iter().any(|check| check["verdict"] == "problem");
    assert_eq!(problem, report["ok"] == false, "{report}");
    let mends = checks.iter().all(|check| check["verdict"] == "ok" || check["mend"].is_string());
    assert!(mends, "each problem has the command that mends it: {report}");
    checks.iter().find(|check| check["name"] == name).unwrap().clone()
}

#[test]
fn a_good_engine_is_told_with_its_path_and_version() {
    let world = World::new();
    let engine = check(world.line("doctor"), "engine");
    assert_eq!((&engine["verdict"], &engine["details"]["version"]), (&"ok".into(), &"1.32.2".into()));
    assert_eq!(engine["details"]["from"], "$SMOLVM");
}

#[test]
fn an_old_engine_is_told_with_what_it_cannot_do() {
    let world = World::with_engine("1.4.0");
    let engine = check(world.line("doctor"), "engine");
    assert_eq!(engine["verdict"], "warning");
    assert!(engine["what"].as_str().unwrap().contains("cannot freeze /workspace of bare VMs"), "{engine}");
}

#[test]
fn without_an_engine_it_fails_and_says_how_to_get_one() {
    let world = World::new();
    let mut command = world.line("doctor");
    command.env_remove("SMOLVM").env("PATH", "/nowhere");
    let engine = check(command, "engine");
    assert_eq!(engine["verdict"], "problem");
    let mut command = world.line("doctor");
    command.env_remove("SMOLVM").env("PATH", "/nowhere");
    let run = finish(command).code(13);
    assert!(stdout(&run).contains("bottle-freeze engine install"), "{}", stdout(&run));
}

#[test]
fn the_library_is_told_with_its_size_and_what_is_damaged_in_it() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let library = check(world.line("doctor"), "library");
    assert_eq!((&library["verdict"], &library["details"]["snapshots"]), (&"ok".into(), &1.into()));
    fs::create_dir_all(world.path("home/library/snapshots/dev/nonsense")).unwrap();
    assert_eq!(check(world.line("doctor"), "library")["verdict"], "warning");
}

#[test]
fn a_library_that_cannot_be_written_is_a_problem() {
    let world = World::new();
    fs::write(world.path("home/library"), "a file where a folder should be").unwrap();
    assert_eq!(check(world.line("doctor"), "library")["verdict"], "problem");
}

#[test]
fn completion_is_told_as_installed_once_the_command_it_names_was_run() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let doctor = || {
            let mut command = world.line("doctor");
            command.env("SHELL", format!("/bin/{shell}")).env("XDG_DATA_DIRS", "/nowhere");
            command
        };
        fs::create_dir_all(world.path("home/.config/fish")).unwrap();
        let missing = check(doctor(), "completion");
        assert_eq!(missing["verdict"], "warning", "{shell}");
        let mut mend = Command::new("/bin/sh");
        mend.args(["-c", missing["mend"].as_str().unwrap()]);
        assert!(mend.status().unwrap().success());
        assert_eq!(check(doctor(), "completion")["verdict"], "ok", "{shell}");
    }
}

#[test]
fn marks_are_ascii_where_the_locale_is() {
    let world = World::new();
    for (locale, mark) in [("C", "ok engine "), ("de_DE.UTF-8", "✓ engine")] {
        let mut command = world.line("doctor");
        command.env("LC_ALL", locale);
        let told = stdout(&finish(command));
        assert!(told.starts_with(mark), "{told}");
        assert_eq!(told.lines().count(), 6, "{told}");
    }
}

/// A folder as a killed pack leaves it, last touched so long ago.
fn leftover(folder: &Path, file: &str, age: Duration) {
    fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
    let magic =
        if Path::new(file).extension().is_some_and(|ending| ending == "zst") { &b"\x28\xb5\x2f\xfd"[..] } else { b"" };
    fs::write(folder.join(file), [magic, &vec![1; 100_000]].concat()).unwrap();
    let then = SystemTime::now() - age;
    for path in [folder.join(file), folder.join(file).parent().unwrap().to_owned(), folder.to_owned()] {
        fs::File::open(path).unwrap().set_modified(then).unwrap();
    }
}

const OLD: Duration = Duration::from_secs(3600);

#[test]
#[cfg(target_os = "linux")]
fn what_killed_packs_left_is_told_and_with_fix_removed() {
    let world = World::new();
    let cache = world.path("home/.cache/smolvm");
    leftover(&cache.join("pack-staging-Z02qkw"), "staging/storage.ext4", OLD);
    leftover(&world.path("tmp/.tmpcu1994"), "assets.tar.zst", OLD);
    leftover(&world.path("tmp/.tmpcu1995"), "libs.tar.zst", OLD);
    leftover(&world.path("tmp/.tmpAbCdEf"), "of-another-program", OLD);
    leftover(&world.path("tmp/.tmpAbCdEg"), "of-another-program", OLD);
    fs::rename(world.path("tmp/.tmpAbCdEg/of-another-program"), world.path("tmp/.tmpAbCdEg/assets.tar.zst")).unwrap();
    leftover(&cache.join("pack-staging-thesis"), "thesis.txt", OLD);
    leftover(&cache.join("pack-staging-young1"), "staging/storage.ext4", Duration::ZERO);
    leftover(&cache.join("vms"), "not-staging", OLD);
    let told = check(world.line("doctor"), "leftovers");
    assert_eq!((&told["verdict"], &told["mend"]), (&"warning".into(), &"bottle-freeze doctor --fix".into()), "{told}");
    finish(world.line("doctor --fix"));
    assert_eq!(names_in(&world.path("tmp")), [".tmpAbCdEf", ".tmpAbCdEg"]);
    assert_eq!(names_in(&cache), ["pack-staging-thesis", "pack-staging-young1", "vms"]);
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_process_works_in_or_has_open_is_not_removed() {
    let world = World::new();
    let folder = world.path("home/.cache/smolvm/pack-staging-aaaaaa");
    leftover(&folder, "staging/storage.ext4", OLD);
    let uses: [&dyn Fn(&mut Command); 3] = [
        &|command| {
            command.current_dir(folder.join("staging"));
        },
        &|command| {
            command.stdin(fs::File::open(folder.join("staging/storage.ext4")).unwrap());
        },
        &|command| {
            command.env("TMPDIR", &folder);
        },
    ];
    for using in uses {
        let mut command = Command::new("sleep");
        command.arg("600").stdout(Stdio::null()).stderr(Stdio::null());
        using(&mut command);
        let mut child = command.spawn().unwrap();
        finish(world.line("doctor --fix"));
        let kept = folder.join("staging/storage.ext4").exists();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(kept);
    }
}
