//! `doctor`: checks whether a freeze would work here. What it reports about KVM depends on the machine, and is ignored.

use crate::support::chaos::{is_long, without_override};
use crate::support::namespace::{disk, in_a_namespace};
use crate::support::{World, finish, names_in, real, stdout, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// The check with that name; the exit status must match the verdicts.
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
    let fixable = checks.iter().all(|check| check["verdict"] == "ok" || check["hint"].is_string());
    assert!(fixable, "each problem has a command that fixes it: {report}");
    checks.iter().find(|check| check["name"] == name).unwrap().clone()
}

#[test]
fn a_good_engine_is_reported_with_its_path_and_version() {
    let world = World::new();
    let engine = check(world.line("doctor"), "engine");
    assert_eq!((&engine["verdict"], &engine["details"]["version"]), (&"ok".into(), &"1.32.2".into()));
    assert_eq!(engine["details"]["from"], "$SMOLVM");
}

#[test]
fn an_old_engine_is_reported_with_what_it_cannot_do() {
    let world = World::with_engine("1.4.0");
    let engine = check(world.line("doctor"), "engine");
    assert_eq!(engine["verdict"], "warning");
    assert!(engine["what"].as_str().unwrap().contains("cannot freeze /workspace of bare VMs"), "{engine}");
}

#[test]
fn without_an_engine_doctor_fails_and_says_how_to_get_one() {
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
fn the_engine_is_good_if_and_only_if_a_freeze_works_with_it() {
    for (on, fault) in [
        ("machine ls", json!({"sleep_ms": 1})),
        ("machine ls", json!({"fail": {"status": 1, "stderr": "Error: database is locked by another"}})),
        ("pack create", json!({"fail": {"status": 1, "stderr": "Error: could not find agent rootfs at /nonexistent"}})),
        ("pack create", json!({"kill": 9})),
        ("pack create", json!({"lie": true})),
        ("pack create", json!({"print": "Packed"})),
    ] {
        let world = World::new();
        world.vm("dev").stopped();
        world.fault(json!({"on": on, "do": fault}));
        let engine = check(world.line("doctor"), "engine");
        let doctor = world.run("doctor").get_output().status.code();
        let freeze = world.run("freeze dev").get_output().status.code();
        assert_eq!(doctor, freeze, "{on}, {fault}: {engine}");
        assert_eq!(engine["verdict"] == "ok", freeze == Some(0), "{on}, {fault}: {engine}");
        assert_eq!(world.list().len(), 1, "its trial VM is not in the user's list");
        world.assert_clean(&[]);
    }
}

#[test]
fn an_engine_whose_cache_is_not_writable_is_a_problem() {
    for (version, code) in [("1.15.0", 0), ("1.17.0", 1)] {
        let world = World::with_engine(version);
        world.vm("dev").stopped();
        world.warm();
        fs::set_permissions(world.path("home/.cache"), fs::Permissions::from_mode(0o500)).unwrap();
        let engine = check(without_override(&world.line("doctor")), "engine");
        assert_eq!(engine["verdict"] == "problem", code != 0, "{version}: {engine}");
        for line in ["doctor", "freeze dev"] {
            finish(without_override(&world.line(line))).code(code);
        }
    }
}

#[test]
fn an_engine_is_tried_even_if_the_library_is_read_only() {
    let world = World::new();
    fs::write(world.path("home/library"), "a file where a folder should be").unwrap();
    assert_eq!(check(world.line("doctor"), "engine")["verdict"], "ok");
    world.fault(json!({"on": "pack create", "do": {"fail": {"status": 1, "stderr": "Error: no agent rootfs"}}}));
    assert_eq!(check(world.line("doctor"), "engine")["verdict"], "problem");
}

#[test]
fn an_engine_that_is_a_script_finds_the_files_of_its_user() {
    let world = World::new();
    let (shim, tool) = (world.path("tmp/smolvm"), world.path("home/.tool/bin/smolvm"));
    fs::create_dir_all(tool.parent().unwrap()).unwrap();
    let engine = world.line("ls").get_envs().find(|(key, _)| *key == "SMOLVM").unwrap().1.unwrap().to_owned();
    std::os::unix::fs::symlink(engine, tool).unwrap();
    fs::write(&shim, "#!/bin/sh\nexec \"$HOME/.tool/bin/smolvm\" \"$@\"\n").unwrap();
    fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
    let mut doctor = world.line("doctor");
    doctor.env("SMOLVM", &shim);
    assert_eq!(check(doctor, "engine")["verdict"], "ok");
    assert!(world.path("home/.tool/bin/smolvm").exists());
}

#[test]
fn the_line_has_the_message_of_the_engine() {
    let world = World::new();
    let said = "Error: agent operation failed: find agent rootfs: could not find agent rootfs at /nonexistent";
    world.fault(json!({"on": "pack create", "do": {"fail": {"status": 1, "stderr": said}}}));
    let line = stdout(&world.run("doctor")).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(line.contains("could not find agent rootfs at /nonexistent") && !line.contains("--from-vm"), "{line}");
}

#[test]
fn a_trial_leaves_nothing_behind_and_creates_no_library() {
    let world = World::new();
    world.run("doctor").success();
    assert!(!world.path("home/library").exists());
    world.assert_clean(&[]);
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let before = names_in(&world.path("home/library/snapshots"));
    world.run("doctor").success();
    assert_eq!(names_in(&world.path("home/library/snapshots")), before);
    world.assert_clean(&[]);
}

#[test]
fn leftovers_of_a_killed_trial_are_found_and_removed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.fault(json!({"on": "pack create", "do": "hang"}));
    world.forget_calls();
    let doctor = world.spawn("doctor");
    wait_until("the engine packs", || world.commands().contains(&"pack create".to_owned()));
    doctor.signal(Signal::KILL);
    doctor.wait();
    world.clear_faults();
    let left = check(world.line("doctor"), "leftovers");
    assert_eq!(left["verdict"], "warning", "{left}");
    finish(world.line("doctor --fix")).success();
    assert_eq!(names_in(&world.path("home/library/snapshots")), ["dev"]);
}

#[test]
fn leftovers_of_a_killed_trial_are_removed_without_a_library() {
    let world = World::new();
    world.fault(json!({"on": "pack create", "do": "hang"}));
    let doctor = world.spawn("doctor");
    wait_until("the engine packs", || world.commands().contains(&"pack create".to_owned()));
    doctor.signal(Signal::KILL);
    doctor.wait();
    world.clear_faults();
    let left = check(world.line("doctor"), "leftovers");
    assert_eq!(left["verdict"], "warning", "{left}");
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.assert_clean(&[]);
}

/// A copy of a real engine that may be damaged; it shares the files of its guest with the original.
struct Copied {
    folder: PathBuf,
}

impl Copied {
    fn new(world: &World) -> Self {
        let folder = world.path("engine");
        let original = real::engine().ancestors().nth(2).unwrap().to_owned();
        let copied = Command::new("cp").arg("-a").arg("--sparse=always").arg(original).arg(&folder).status();
        assert!(copied.unwrap().success());
        Self { folder }
    }

    fn command(&self, world: &World, line: &str) -> Command {
        let mut command = real::line(world, line);
        command.env("SMOLVM", self.folder.join("bin/smolvm"));
        command
    }

    fn verdict(&self, world: &World) -> Value {
        check(self.command(world, "doctor"), "engine")
    }
}

#[test]
fn a_real_engine_with_damaged_files_is_a_problem() {
    if !is_long() {
        return;
    }
    let world = World::new();
    let engine = Copied::new(&world);
    real::vm(&world, "dev", 0);
    let freezes = |command: Command| finish(command).get_output().status.success();
    assert_eq!(engine.verdict(&world)["verdict"], "ok");
    let mut command = engine.command(&world, "doctor");
    // The wrapper in bin/ sets it again.
    command.env("SMOLVM", engine.folder.join("smolvm")).env("SMOLVM_AGENT_ROOTFS", "/nonexistent");
    let said = check(command, "engine");
    assert!(said["verdict"] == "problem" && said["what"].as_str().unwrap().contains("/nonexistent"), "{said}");
    let mut command = engine.command(&world, "freeze dev");
    command.env("SMOLVM", engine.folder.join("smolvm")).env("SMOLVM_AGENT_ROOTFS", "/nonexistent");
    assert!(!freezes(command));
    // Each file is emptied, and then restored.
    for (file, verdict) in [
        ("libkrun.so", "warning"),
        ("libkrunfw.so.5", "warning"),
        ("storage-template.ext4", "warning"),
        ("agent-rootfs/usr/local/bin/smolvm-agent", "problem"),
        ("smolvm", "problem"),
        ("bin/smolvm", "problem"),
    ] {
        let (path, kept) = (engine.folder.join(file), world.path("tmp/kept"));
        assert!(Command::new("cp").arg("-a").arg("--sparse=always").args([&path, &kept]).status().unwrap().success());
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        let said = engine.verdict(&world);
        assert_eq!(said["verdict"], verdict, "{file}: {said}");
        fs::rename(kept, path).unwrap();
    }
    // Without this file, a pack fails.
    for file in ["libkrun.so", "agent-rootfs", "smolvm"] {
        let (path, kept) = (engine.folder.join(file), world.path("tmp/kept"));
        fs::rename(&path, &kept).unwrap();
        let said = engine.verdict(&world);
        assert_eq!(said["verdict"] != "problem", freezes(engine.command(&world, "freeze dev")), "{file}: {said}");
        assert_eq!(said["verdict"], "problem", "{file}: {said}");
        fs::rename(kept, path).unwrap();
    }
    assert_eq!(engine.verdict(&world)["verdict"], "ok");
}

#[test]
fn the_library_is_reported_with_its_size_and_its_damage() {
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
fn a_vm_whose_snapshots_cannot_be_written_is_named() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let folder = world.path("home/library/snapshots/dev");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let library = check(without_override(&world.line("doctor")), "library");
    assert_eq!(library["verdict"], "warning");
    assert!(library["what"].as_str().unwrap().contains(folder.to_str().unwrap()), "{library}");
    finish(without_override(&world.line("freeze dev"))).code(8);
    let fix = Command::new("/bin/sh").args(["-c", library["hint"].as_str().unwrap()]).status();
    assert!(fix.unwrap().success());
    assert_eq!(check(without_override(&world.line("doctor")), "library")["verdict"], "ok");
    finish(without_override(&world.line("freeze dev"))).success();
}

#[test]
#[cfg(target_os = "linux")]
fn the_command_that_doctor_prints_gives_access_to_kvm() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT RUN: only root can create a device");
        return;
    }
    in_a_namespace(|| {
        let world = World::new();
        let stage = world.path("stage");
        disk(&stage, "size=400m,mode=755");
        fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let sh = |script: &str| Command::new("/bin/sh").args(["-ec", script]).current_dir(&stage).status().unwrap();
        let tool = env!("CARGO_BIN_EXE_bottle-freeze");
        // A separate system: its own users and groups, a sudo for which we already are root, and an id that prints our
        // user.
        assert!(
            sh(&format!(
                "cp -a /etc etc; mount --bind etc /etc; cp {tool} bottle-freeze; mkdir bin
            printf '#!/bin/sh\\nexec \"$@\"\\n' > bin/sudo; printf '#!/bin/sh\\necho nobody\\n' > bin/id; chmod +x bin/*
            mknod kvm c 10 232; touch /dev/kvm; mount --bind kvm /dev/kvm"
            ))
            .success()
        );
        let may_use = "setpriv --reuid=nobody --regid=nogroup --init-groups sh -c ': <> /dev/kvm' 2> /dev/null";
        for prepare in [
            "chown root:root /dev/kvm; chmod 600 /dev/kvm",
            "chown root:54321 /dev/kvm; chmod 660 /dev/kvm",
            "groupadd -g 54322 hypervisors; chown root:54322 /dev/kvm; chmod 660 /dev/kvm",
        ] {
            assert!(sh(prepare).success() && !sh(may_use).success(), "{prepare}");
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(stage.join("bottle-freeze"));
            let path = format!("{}:/usr/sbin:/usr/bin:/bin", stage.join("bin").display());
            command.arg("doctor").env_clear().env("HOME", "/nonexistent").env("PATH", &path);
            let found = check(command, "hypervisor");
            assert!(found["what"].as_str().unwrap().contains("you may not use"), "{prepare}: {found}");
            let fix = found["hint"].as_str().unwrap();
            assert!(sh(&format!("PATH={path}; {fix}")).success(), "{fix}");
            assert!(sh(may_use).success(), "{prepare}: {fix}");
        }
    });
}

/// A read of the disks takes much less than the engine's pack.
#[test]
fn the_space_that_doctor_asks_for_is_what_the_freeze_asks_for() {
    in_a_namespace(|| {
        for (version, is_read) in [("1.32.2", true), ("1.33.0", false)] {
            let world = World::with_engine(version);
            world.vm("dev").stopped();
            fs::write(world.path("fake/vms/dev/storage.raw"), vec![1; 100 << 20]).unwrap();
            world.record_as_real_engines_do("dev");
            disk(&world.path("home/library"), "size=350m");
            let space = check(world.line("doctor"), "space");
            let is_enough = !space["what"].as_str().unwrap().contains("too little");
            let frozen = world.run("freeze dev");
            assert_eq!((is_enough, frozen.get_output().status.success()), (is_read, is_read), "{version}: {space}");
        }
    });
}

/// `doctor` for a user of that shell, with this program on the PATH; None if the shell is not installed.
fn doctor_in(world: &World, shell: &str) -> Option<Command> {
    if Command::new(shell).args(["-c", "exit"]).status().is_err() {
        assert!(!is_long() && std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{shell} is not installed");
        println!("NOT RUN: {shell} is not installed");
        return None;
    }
    let mut command = world.line("doctor");
    let bin = Path::new(env!("CARGO_BIN_EXE_bottle-freeze")).parent().unwrap();
    let path = std::env::join_paths([bin, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    command.env("SHELL", shell).env("PATH", path).env("XDG_DATA_DIRS", "/nowhere");
    Some(command)
}

#[test]
fn the_command_that_doctor_prints_makes_completion_work() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let Some(doctor) = doctor_in(&world, shell) else { continue };
        let missing = check(doctor, "completion");
        assert_eq!(missing["verdict"], "warning", "{shell}");
        let mut fix = Command::new("/bin/sh");
        fix.args(["-c", missing["hint"].as_str().unwrap()]);
        assert!(fix.status().unwrap().success());
        let now = check(doctor_in(&world, shell).unwrap(), "completion");
        assert_eq!(now["verdict"], "ok", "{shell}: {missing} {now}");
    }
}

#[test]
fn a_shell_that_cannot_be_run_is_named() {
    let world = World::new();
    let folder = world.path("bash");
    std::fs::create_dir(&folder).unwrap();
    for shell in [Path::new("/nonexistent/bash"), Path::new("/nonexistent/fish"), &folder] {
        let mut doctor = world.line("doctor");
        doctor.env("SHELL", shell);
        let check = check(doctor, "completion");
        let what = format!("$SHELL names {}, which cannot be run", shell.display());
        assert_eq!(check["verdict"], "warning");
        assert!(check["what"].as_str().unwrap().starts_with(&what), "{check}");
    }
}

#[test]
fn a_line_in_a_start_file_without_effect_is_not_completion() {
    let world = World::new();
    let line = |shell: &str| format!("source <(bottle-freeze completions {shell})");
    for (shell, file, text) in [
        ("bash", ".bashrc", format!("if false; then {}; fi", line("bash"))),
        ("bash", ".bashrc", format!("return; {}", line("bash"))),
        ("bash", ".bashrc", format!("PATH=/nowhere; {}", line("bash"))),
        ("bash", ".bash_login", line("bash")),
        // Before the completion system, which discards it.
        ("zsh", ".zshrc", format!("{}; autoload -Uz compinit && compinit -u", line("zsh"))),
        ("zsh", ".zshrc", line("zsh")),
        ("fish", ".config/fish/config.fish", "if false; bottle-freeze completions fish | source; end".to_owned()),
        ("fish", ".config/fish/completions/bottle-freeze.fish", String::new()),
    ] {
        let Some(doctor) = doctor_in(&world, shell) else { continue };
        let file = world.path("home").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &text).unwrap();
        let found = check(doctor, "completion");
        assert_eq!(found["verdict"], "warning", "{shell}, {text}: {found}");
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_noisy_start_file_does_not_hide_completion() {
    let world = World::new();
    let Some(doctor) = doctor_in(&world, "bash") else { return };
    let noise = "echo bottle-freeze-doctor; printf '\\377\\n'; sleep 60 & source <(bottle-freeze completions bash)";
    fs::write(
        world.path("home/.bashrc"),
        format!("{noise}; bottle_freeze_sleep=$!; trap 'kill $bottle_freeze_sleep' EXIT"),
    )
    .unwrap();
    assert_eq!(check(doctor, "completion")["verdict"], "ok");
}

#[test]
fn marks_are_ascii_if_the_locale_is() {
    let world = World::new();
    for (locale, mark) in [("C", "ok engine "), ("de_DE.UTF-8", "✓ engine")] {
        let mut command = world.line("doctor");
        command.env("LC_ALL", locale);
        let printed = stdout(&finish(command));
        assert!(printed.starts_with(mark), "{printed}");
        assert_eq!(printed.lines().filter(|line| !line.starts_with(' ')).count(), 7, "{printed}");
    }
}

#[test]
fn the_report_fits_80_columns_and_each_fix_is_a_line_of_its_own() {
    let world = World::with_engine("1.4.0");
    let report = finish(world.line("doctor --json"));
    let report: Value = serde_json::from_slice(&report.get_output().stdout).unwrap();
    let hints: Vec<&str> =
        report["checks"].as_array().unwrap().iter().filter_map(|check| check["hint"].as_str()).collect();
    assert!(!hints.is_empty(), "{report}");
    let mut doctor = world.line("doctor");
    doctor.env("LC_ALL", "C.UTF-8");
    let printed = stdout(&finish(doctor));
    for hint in &hints {
        assert!(printed.lines().any(|line| line == format!("  → {hint}")), "{hint}: {printed}");
    }
    for line in printed.lines().filter(|line| !line.starts_with("  →")) {
        // A path is not broken.
        let is_path = line.trim_start().split(' ').count() == 1;
        assert!(line.chars().count() <= 80 || is_path, "{line}: {printed}");
    }
}

/// A folder like one left by a killed pack, last changed this long ago.
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
fn leftovers_of_killed_packs_are_reported_and_removed_with_fix() {
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
    let printed = check(world.line("doctor"), "leftovers");
    assert_eq!(
        (&printed["verdict"], &printed["hint"]),
        (&"warning".into(), &"bottle-freeze doctor --fix".into()),
        "{printed}"
    );
    finish(world.line("doctor --fix"));
    assert_eq!(names_in(&world.path("tmp")), [".tmpAbCdEf", ".tmpAbCdEg"]);
    assert_eq!(names_in(&cache), ["pack-staging-thesis", "pack-staging-young1", "vms"]);
}

#[test]
#[cfg(target_os = "linux")]
fn folders_and_files_that_a_process_uses_are_not_removed() {
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

#[test]
fn chunks_of_no_snapshot_are_not_taken_for_the_whole_store() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    fs::remove_dir_all(world.path("home/library/snapshots/dev")).unwrap();
    let left = check(world.line("doctor"), "leftovers");
    let what = left["what"].as_str().unwrap();
    assert!(what.starts_with("chunks of no snapshot: ") && !what.contains("left by killed bottle-freeze"), "{left}");
    check(world.line("doctor --fix"), "leftovers");
    assert_eq!(check(world.line("doctor"), "leftovers")["verdict"], "ok");
}
