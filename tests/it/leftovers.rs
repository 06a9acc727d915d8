//! `doctor` lists what a killed command left behind, with its size; the next freeze, rm or prune of anything removes
//! it.
//!
//! `SEED` repeats a run; `BOTTLE_FREEZE_FAULTS=long` kills at every system call.

use crate::support::chaos::{Random, is_long};
use crate::support::library::stored_objects;
use crate::support::{World, finish, names_in, random_bytes, stderr, stdout, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No paths.
const NONE: [PathBuf; 0] = [];

/// Every path under a folder that has the name of a private one; and the folder of the store, if it has objects of no
/// snapshot. A command that runs may remove entries meanwhile: what is gone is not left.
fn private(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names_in(folder) {
        let path = folder.join(&name);
        if name.starts_with(".bottle-freeze-") {
            found.push(path);
        } else if path.ends_with("store/objects") {
            let is_left =
                |name: &String| name.len() < 64 || fs::metadata(path.join(name)).is_ok_and(|meta| meta.nlink() == 1);
            found.extend(names_in(&path).iter().any(is_left).then_some(path));
        } else if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            found.extend(private(&path));
        }
    }
    found
}

/// All of them in a world, except those of the stand-in.
pub fn left(world: &World) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        ["home", "work", "elsewhere"].iter().flat_map(|folder| private(&world.path(folder))).collect();
    all.sort();
    all
}

/// The check of `doctor` with that name.
fn check(world: &World, name: &str) -> Value {
    let run = world.run("doctor --json");
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap_or_else(|error| panic!("{error}: {run}"));
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
}

fn listed(world: &World) -> Vec<PathBuf> {
    let details = check(world, "leftovers")["details"].clone();
    let paths = details["folders"].as_array().unwrap().iter().map(|one| PathBuf::from(one["path"].as_str().unwrap()));
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    paths
}

/// A world with an old snapshot, an exported one, and a folder outside.
fn world() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    world.vm("other").stopped();
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.write_guest("dev", "root/a", "a file");
    world.run("freeze dev -t base").success();
    world.run("freeze other -t spare").success();
    world.run("snapshot export dev@base -o kept.tar").success();
    world.warm();
    world
}

/// Waits until only VMMs are left in this world: children of a killed run end a moment after it.
pub fn wait_for_the_dead(world: &World) {
    let works_here = || {
        let pids = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| *pid != std::process::id()).any(|pid| {
            let at = |link: &str| fs::read_link(format!("/proc/{pid}/{link}")).unwrap_or_default();
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            at("cwd").starts_with(world.path("")) && !String::from_utf8_lossy(&line).contains("_boot-vm")
        })
    };
    wait_until("its children have ended", || !works_here());
}

const SWEEPERS: [&str; 5] = [
    "freeze other -o ../elsewhere/sweep.smolmachine --force",
    "freeze other",
    "snapshot rm other@spare --yes",
    "snapshot prune --keep-last 99 --yes",
    "doctor --fix",
];

fn assert_swept_by(world: &World, sweeper: &str, round: &str) {
    if sweeper.contains("spare") && !stdout(&world.run("snapshot ls --tag spare -q")).contains('@') {
        world.run("freeze other -t spare --force").success();
    }
    let run = world.run(sweeper);
    let status = run.get_output().status.code();
    assert!(status == Some(0) || sweeper.starts_with("doctor"), "{round}: {sweeper}: {}", stderr(&run));
    assert_eq!(left(world), NONE, "{round}: after {sweeper}");
    assert_eq!(names_in(&world.path("home/library/work")), [""; 0], "{round}: after {sweeper}");
    let objects = stored_objects(world).into_iter();
    let unused: Vec<_> = objects.filter(|object| fs::metadata(object).unwrap().nlink() == 1).collect();
    assert_eq!(unused, NONE, "{round}: after {sweeper}");
}

#[test]
fn leftovers_of_a_killed_freeze_are_listed_with_their_size() {
    let world = world();
    let before = check(&world, "library")["details"]["bytes"].as_u64().unwrap();
    world.fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let freeze = world.spawn("freeze dev");
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    wait_until("it has written something", || {
        left(&world).iter().any(|folder| folder.join("snapshot.smolmachine").exists())
    });
    // The engine hangs already; doctor's own must not.
    world.clear_faults();
    assert_eq!(listed(&world), NONE, "what a running command uses is not a leftover");
    freeze.signal(Signal::KILL);
    freeze.wait();
    wait_for_the_dead(&world);
    let remains = left(&world);
    fs::write(remains[0].join("large"), vec![1; 3 << 20]).unwrap();
    let found = check(&world, "leftovers");
    assert_eq!(
        (&found["verdict"], &found["hint"]),
        (&"warning".into(), &"bottle-freeze doctor --fix".into()),
        "{found}"
    );
    assert_eq!(found["details"]["folders"][0]["path"], remains[0].to_str().unwrap());
    assert!(found["details"]["folders"][0]["bytes"].as_u64().unwrap() >= 3 << 20, "{found}");
    assert!(found["what"].as_str().unwrap().contains("MiB"), "{found}");
    assert!(check(&world, "library")["details"]["bytes"].as_u64().unwrap() >= before + (3 << 20));
    let fixed = stdout(&world.run("doctor --fix"));
    assert!(fixed.contains("removed 3.") && fixed.contains(" MiB"), "{fixed}");
    assert_eq!(left(&world), NONE);
    assert_eq!(check(&world, "library")["details"]["bytes"].as_u64().unwrap(), before);
}

#[test]
fn leftovers_of_a_killed_removal_are_removed_by_another_freeze() {
    let world = world();
    let vm = world.path("home/library/snapshots/dev");
    let snapshot = vm.join(names_in(&vm).remove(0));
    // As 0.1.0 left it, and as this version does: of an artifact, and of one in chunks.
    for (hidden, name) in [("removed", "vm.smolmachine"), ("", "vm.smolmachine"), ("", "objects"), ("", "index.json")] {
        let private = vm.join(".bottle-freeze-abc123");
        fs::create_dir_all(private.join(hidden)).unwrap();
        match name {
            "vm.smolmachine" => fs::write(private.join(hidden).join(name), "half of it").unwrap(),
            name => {
                let copied = Command::new("cp").arg("-rl").args([snapshot.join(name), private.clone()]).status();
                assert!(copied.unwrap().success());
            }
        }
        assert_eq!(listed(&world), std::slice::from_ref(&private));
        assert_swept_by(&world, SWEEPERS[0], "a killed removal");
    }
    world.run("snapshot verify --all").success();
}

#[test]
fn a_killed_removal_of_a_runtime_is_listed_with_its_chunks_and_finished() {
    let world = world();
    let library = || check(&world, "library")["details"]["bytes"].as_u64().unwrap();
    let (before, private) = (library(), world.path("home/library/store/runtimes/.bottle-freeze-abc123"));
    fs::create_dir_all(private.parent().unwrap()).unwrap();
    for (round, sweeper) in SWEEPERS.into_iter().enumerate() {
        world.write_guest("dev", "root/engine", random_bytes(1 << 20));
        let frozen = stdout(&world.run("freeze dev -q").success());
        let (_, id) = frozen.trim().split_once('@').unwrap();
        fs::rename(world.path("home/library/snapshots/dev").join(id), &private).unwrap();
        fs::rename(private.join("snapshot.json"), private.join("record.json")).unwrap();
        if round == 0 {
            let found = check(&world, "leftovers")["details"]["folders"][0].clone();
            assert_eq!(found["path"], private.to_str().unwrap(), "{found}");
            let bytes = found["bytes"].as_u64().unwrap();
            assert!(bytes > 1 << 20 && library() - before < bytes + (64 << 10), "{found}: {before}, {}", library());
        }
        assert_swept_by(&world, sweeper, "a killed removal of a runtime");
    }
    assert!(library() < before + (64 << 10), "{before}, {}", library());
    world.run("snapshot verify --all").success();
}

#[test]
fn the_chunks_of_a_snapshot_whose_folder_a_user_removed_are_leftovers() {
    let world = world();
    let before = check(&world, "library")["details"]["bytes"].as_u64().unwrap();
    for fix in ["doctor --fix", "snapshot prune --keep-last 99 --yes"] {
        world.write_guest("dev", "root/new", random_bytes(2 << 20));
        let frozen = stdout(&world.run("freeze dev -q").success());
        let (_, id) = frozen.trim().split_once('@').unwrap();
        fs::remove_dir_all(world.path("home/library/snapshots/dev").join(id)).unwrap();
        let found = check(&world, "leftovers")["details"]["folders"][0].clone();
        assert_eq!(found["path"], world.path("home/library/store/objects").to_str().unwrap(), "{found}");
        assert!(found["bytes"].as_u64().unwrap() >= 2 << 20, "{found}");
        let fixed = stdout(&world.run(fix));
        assert!(fixed.contains("removed 2.") || fix.contains("prune"), "{fixed}");
        assert_eq!((listed(&world), left(&world)), (NONE.to_vec(), NONE.to_vec()), "{fix}");
    }
    assert_eq!(check(&world, "library")["details"]["bytes"].as_u64().unwrap(), before);
    world.run("snapshot verify --all").success();
}

#[test]
fn the_chunks_of_a_killed_freeze_count_as_leftovers() {
    if Command::new("strace").arg("--version").output().is_err() {
        return println!("NOT RUN: strace is not installed");
    }
    let world = world();
    world.write_guest("dev", "root/new", random_bytes(2 << 20));
    assert!(killed_at(&world, "freeze dev", "renameat2", 1));
    wait_for_the_dead(&world);
    let found = check(&world, "leftovers");
    assert!(found["details"]["folders"][0]["bytes"].as_u64().unwrap() >= 2 << 20, "{found}");
    let fixed = stdout(&world.run("doctor --fix"));
    assert!(fixed.contains("removed 2."), "{fixed}");
}

/// A command, and what must exist before it.
struct Victim {
    line: &'static str,
    prepare: fn(&World),
}

const VICTIMS: [Victim; 10] = [
    Victim { line: "doctor", prepare: |_| {} },
    Victim { line: "freeze dev", prepare: |_| {} },
    Victim { line: "freeze dev -o ../elsewhere/y --force", prepare: |_| {} },
    Victim { line: "pack alpine -o ../elsewhere/p.smolmachine --force", prepare: |_| {} },
    Victim { line: "snapshot export dev@base -o ../elsewhere/z.tar --force", prepare: |_| {} },
    Victim {
        line: "snapshot import kept.tar --as imported",
        prepare: |world| drop(world.run("snapshot rm imported --yes")),
    },
    Victim { line: "snapshot rm dev@gone --yes", prepare: freeze_one_to_remove },
    Victim { line: "snapshot prune dev --keep-tag base --tag gone --yes", prepare: freeze_one_to_remove },
    Victim { line: "snapshot tag dev@base other --force", prepare: |_| {} },
    Victim {
        line: "cp dev:/root/a ../elsewhere/a",
        prepare: |world| {
            if world.state("dev") != "running" {
                assert!(world.smolvm("machine start --name dev").status.success());
            }
        },
    },
];

fn freeze_one_to_remove(world: &World) {
    if world.run("snapshot show dev@gone").get_output().status.code() != Some(0) {
        world.run("freeze dev -t gone --yes --force").success();
    }
}

/// The system calls at which it is killed: those that change the disk, or lock it.
const CALLS: [&str; 12] = [
    "mkdir",
    "rename",
    "renameat2",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "fsync",
    "flock",
    "fchmod",
    "chmod",
    "write",
];

/// The command, killed at its `nth` such call. Returns whether it was killed.
pub fn killed_at(world: &World, line: &str, call: &str, nth: u64) -> bool {
    let line = world.line(line);
    let mut strace = Command::new("strace");
    if ["linkat", "fdatasync"].contains(&call) {
        // Threads of its own link and flush objects.
        strace.arg("-f");
    }
    strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
    strace.arg(format!("inject={call}:signal=KILL:when={nth}"));
    strace.arg(line.get_program()).args(line.get_args()).current_dir(world.path("work"));
    strace.env_clear().envs(line.get_envs().filter_map(|(key, value)| Some((key, value?))));
    finish(strace).get_output().status.code().is_none()
}

#[cfg(target_os = "linux")]
#[test]
fn leftovers_of_a_kill_at_any_system_call_are_found_and_removed() {
    if Command::new("strace").arg("--version").output().is_err() {
        return println!("NOT RUN: strace is not installed");
    }
    let (world, mut random) = (world(), Random::new());
    let (mut kills, mut remains) = (0, 0);
    let mut round = |victim: &Victim, call: &str, nth: u64, sweeper: &str| {
        (victim.prepare)(&world);
        let killed = killed_at(&world, victim.line, call, nth);
        if killed {
            let round = format!("{}: {call} {nth}", victim.line);
            wait_for_the_dead(&world);
            kills += 1;
            let left = left(&world);
            remains += usize::from(!left.is_empty());
            assert_eq!(listed(&world), left, "{round}");
            assert_swept_by(&world, sweeper, &round);
            let all = world.run("snapshot verify --all");
            assert_eq!(all.get_output().status.code(), Some(0), "{round}: {}", stderr(&all));
        }
        killed
    };
    if is_long() {
        for victim in &VICTIMS {
            for call in CALLS {
                let mut nth = 1;
                while round(victim, call, nth, SWEEPERS[usize::try_from(nth).unwrap() % SWEEPERS.len()]) {
                    nth += 1;
                }
            }
        }
    } else {
        for _ in 0..12 {
            let pick = |random: &mut Random, of: usize| usize::try_from(random.below(of as u64)).unwrap();
            let victim = &VICTIMS[pick(&mut random, VICTIMS.len())];
            let (call, nth) = (CALLS[pick(&mut random, CALLS.len())], 1 + random.below(9));
            round(victim, call, nth, SWEEPERS[pick(&mut random, SWEEPERS.len())]);
        }
    }
    println!("{kills} kills, {remains} left something");
}

/// An object of the store that no snapshot has is found only while something else is left: all of it goes together.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_freeze_or_removal_leaves_no_object_in_the_store() {
    if Command::new("strace").arg("--version").output().is_err() {
        return println!("NOT RUN: strace is not installed");
    }
    let world = world();
    for (line, call) in
        [("freeze dev", "linkat"), ("freeze dev", "renameat2"), ("snapshot rm dev@gone --yes", "unlink")]
    {
        let mut nth = 1;
        loop {
            world.write_guest("dev", "root/new", random_bytes(100 << 10));
            if line.contains("gone") {
                world.run("freeze dev -t gone --force").success();
            }
            if !killed_at(&world, line, call, nth) {
                break;
            }
            wait_for_the_dead(&world);
            let round = format!("{line}: {call} {nth}");
            assert_eq!(listed(&world), left(&world), "{round}");
            assert_swept_by(&world, SWEEPERS[usize::try_from(nth).unwrap() % SWEEPERS.len()], &round);
            nth += 1;
        }
        assert!(nth > 1, "{line} makes no {call}");
    }
    world.run("snapshot verify --all").success();
}

#[test]
fn a_sweep_never_removes_what_a_running_command_uses() {
    let world = world();
    for vm in ["a", "b", "c"] {
        world.vm(vm).stopped();
    }
    let mut random = Random::new();
    for round in 0..if is_long() { 60 } else { 3 } {
        let mut lines = [
            "freeze a",
            "freeze b -o ../elsewhere/b --force",
            "freeze c -t c --force",
            "snapshot export dev@base -o ../elsewhere/z.tar --force",
            "snapshot import kept.tar --as imported",
            "snapshot prune a --keep-last 1 --yes",
            "create net --net",
        ];
        let sweeps = ["doctor --fix", "snapshot prune --keep-last 99 --yes", "doctor --fix"];
        for _ in 0..lines.len() {
            let (from, to) = (random.below(lines.len() as u64), random.below(lines.len() as u64));
            lines.swap(usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
        }
        let running: Vec<_> = lines.iter().chain(&sweeps).map(|line| (line, world.spawn(line))).collect();
        for (line, run) in running {
            let run = run.wait();
            let status = run.get_output().status.code();
            assert!(status == Some(0) || line.starts_with("doctor"), "round {round}: {line}: {}", stderr(&run));
        }
        assert_eq!(left(&world), NONE, "round {round}");
        for line in ["snapshot rm imported --yes", "rm net --yes"] {
            world.run(line).success();
        }
    }
    world.run("snapshot verify --all").success();
}
