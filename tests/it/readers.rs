//! A snapshot that is being read is not removed: a removal skips it and names the reader, or waits.
//!
//! `BOTTLE_FREEZE_FAULTS=long` repeats each race more often. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long};
use crate::support::{Running, World, end_of, names_in, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::fs::FlockOperation;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

/// A stopped VM with three snapshots, noted `old`, `middle` and `new`, without tags.
fn three() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    for note in ["old", "middle", "new"] {
        world.run(&format!("freeze dev -m {note}")).success();
    }
    world.smolvm("machine delete -f --name dev");
    world.warm();
    world
}

/// Their references, oldest first.
fn references(world: &World) -> Vec<String> {
    stdout(&world.run("snapshot ls -q")).lines().map(str::to_owned).collect()
}

/// A command that reads this snapshot, and hangs in the engine's `on` with it.
fn reading(world: &World, line: &str, on: &str) -> Running {
    world.fault(json!({"on": on, "nth": 1, "do": "hang"}));
    let reader = world.spawn(line);
    wait_until("it reads", || world.commands().contains(&on.to_owned()));
    reader
}

#[test]
fn a_snapshot_being_read_is_not_removed_and_the_reader_is_named() {
    for (line, on) in [
        ("thaw ONE", "machine create"),
        ("create x --from ONE", "machine create"),
        ("snapshot push ONE localhost:5000/dev:x --yes", "pack push"),
    ] {
        let world = three();
        let one = references(&world)[0].clone();
        let reader = reading(&world, &line.replace("ONE", &one), on);
        let named = format!("{one} is in use by another bottle-freeze (process {})", reader.pid());
        world.run(&format!("snapshot rm {one} --yes")).code(11).stderr(contains(&named).and(contains("--wait")));
        world.run("snapshot prune --keep-last 2 --yes").code(11).stderr(contains(&named));
        assert_eq!(references(&world).len(), 3, "{line}");
        drop(reader);
        world.clear_faults();
        world.run(&format!("snapshot rm {one} --yes")).success();
    }
}

#[test]
fn the_others_of_a_batch_are_removed() {
    for line in ["snapshot prune --keep-last 1 --yes --json", "snapshot rm OLD MIDDLE --yes --json"] {
        let world = three();
        let all = references(&world);
        let _reader = reading(&world, &format!("thaw {}", all[0]), "machine create");
        let run = world.run(&line.replace("OLD", &all[0]).replace("MIDDLE", &all[1])).code(3);
        let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
        let of = |reference: &str| report.as_array().unwrap().iter().find(|one| one["reference"] == reference).unwrap();
        assert_eq!(of(&all[0])["error"]["code"], "locked", "{report:#}");
        assert_eq!(of(&all[1])["removed"], true, "{report:#}");
        assert_eq!(references(&world), [all[0].clone(), all[2].clone()]);
    }
}

#[test]
fn a_waiting_removal_runs_when_the_reader_finishes() {
    for line in [
        "snapshot rm ONE --yes --wait 60s --progress=plain",
        "snapshot prune --keep-last 2 --yes --wait 60s --progress=plain",
    ] {
        let world = three();
        let one = references(&world)[0].clone();
        let reader = reading(&world, &format!("thaw {one}"), "machine create");
        let log = world.path("work/stderr");
        let mut removal = world.line(&line.replace("ONE", &one));
        let mut removal = removal.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        wait_until("it waits", || std::fs::read_to_string(&log).unwrap().contains("waiting: "));
        // Meanwhile, others can use the library.
        world.run(&format!("snapshot tag {one} busy")).success();
        world.run(&format!("snapshot tag {one} --remove busy")).success();
        reader.signal(Signal::INT);
        reader.wait().code(130);
        assert_eq!(removal.wait().unwrap().code(), Some(0), "{}", std::fs::read_to_string(&log).unwrap());
        assert_eq!(references(&world).len(), 2);
    }
}

#[test]
fn a_removal_waits_no_longer_than_requested() {
    let world = three();
    let one = references(&world)[0].clone();
    let _reader = reading(&world, &format!("thaw {one}"), "machine create");
    world.run(&format!("snapshot rm {one} --yes --wait 1s --progress=plain")).code(11).stderr(contains("waiting: "));
}

#[test]
fn two_readers_can_read_at_once() {
    let world = three();
    let one = references(&world)[0].clone();
    let _reader = reading(&world, &format!("thaw {one}"), "machine create");
    world.run(&format!("snapshot export {one} -o x.tar")).success();
    world.run(&format!("snapshot verify {one}")).success();
    world.run(&format!("create other --from {one}")).success();
}

/// A full pipe: a process that prints to it waits for its reader.
fn full_pipe() -> (UnixStream, UnixStream) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.write(&[b'.'; 512]).is_ok() {}
    while writer.write(b".").is_ok() {}
    writer.set_nonblocking(false).unwrap();
    (reader, writer)
}

#[test]
fn verify_all_skips_a_snapshot_that_is_removed_before_its_turn() {
    for json in ["", " --json"] {
        let world = three();
        let all = references(&world);
        let (mut reader, writer) = full_pipe();
        let mut command = world.line(&format!("snapshot verify --all{json}"));
        if json.is_empty() {
            command.stdout(OwnedFd::from(writer)).stderr(Stdio::piped());
        } else {
            // Progress is printed before each check.
            command.arg("--progress=json").stderr(OwnedFd::from(writer)).stdout(Stdio::piped());
        }
        let verify = command.spawn().unwrap();
        drop(command);
        let first = std::fs::File::open(world.path("home/library/snapshots").join(all[0].replace('@', "/"))).unwrap();
        wait_until("it checks the first", || {
            let free = rustix::fs::flock(&first, FlockOperation::NonBlockingLockExclusive);
            free.is_err() || rustix::fs::flock(&first, FlockOperation::Unlock).is_err()
        });
        world.run(&format!("snapshot rm {} {} --yes", all[1], all[2])).success();
        let rest = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
        let output = end_of(verify);
        rest.join().unwrap().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{printed}{said}");
        if !json.is_empty() {
            let checked: Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(checked.as_array().unwrap().len(), 1, "{printed}");
        }
    }
}

#[test]
fn verify_all_names_a_snapshot_whose_files_are_gone() {
    let world = three();
    let one = world.path("home/library/snapshots").join(references(&world)[0].replace('@', "/"));
    std::fs::remove_file(one.join("index.json")).unwrap();
    world.run("snapshot verify --all").code(3).stderr(contains("it is missing"));
}

/// At whatever moment a reader is stopped: what it reads is complete, or did not exist when it began.
#[test]
fn a_reader_and_a_removal_never_overlap() {
    let mut random = Random::new();
    for round in 0..if is_long() { 200 } else { 6 } {
        let world = three();
        let all = references(&world);
        let one = &all[usize::try_from(random.below(2)).unwrap()];
        let lines = [
            format!("thaw {one} back --no-start"),
            format!("create back --from {one}"),
            format!("snapshot export {one} -o x.tar"),
            format!("snapshot verify {one}"),
            format!("verify {one}"),
        ];
        let line = &lines[usize::try_from(random.below(5)).unwrap()];
        let removals = [format!("snapshot rm {one} --yes"), "snapshot prune --keep-last 1 --yes".to_owned()];
        let removal = &removals[usize::try_from(random.below(2)).unwrap()];
        let reader = world.spawn(line);
        // The random moment is the test: there is no condition to wait for.
        std::thread::sleep(std::time::Duration::from_micros(random.below(30_000)));
        reader.signal(Signal::STOP);
        let removed = world.run(removal);
        reader.signal(Signal::CONT);
        let read = reader.wait();
        let (status, ended) = (read.get_output().status.code(), removed.get_output().status.code());
        let context = format!("round {round}: {line}: {status:?} {}; {removal}: {ended:?}", stderr(&read));
        let is_there = references(&world).contains(one);
        match ended {
            // It came too late, or had read everything.
            Some(0) => assert!(!is_there && [Some(4), Some(0)].contains(&status), "{context}"),
            Some(3 | 11) => assert!(is_there && status == Some(0), "{context}"),
            _ => panic!("{context}: {}", stderr(&removed)),
        }
        if status == Some(0) && line.contains("export") {
            world.run("snapshot import x.tar --as other").success();
            world.run("snapshot verify other").success();
        }
        let hidden = |name: &String| name.starts_with('.');
        assert!(!names_in(&world.path("home/library/snapshots/dev")).iter().any(hidden), "{context}");
    }
}

/// Two prunes and a freeze of one VM at once: each finishes, and intact snapshots stay.
#[test]
fn concurrent_prunes_and_freezes_leave_the_newest() {
    let mut random = Random::new();
    for _ in 0..if is_long() { 50 } else { 2 } {
        let world = three();
        world.vm("dev").stopped();
        let all: Vec<Running> = (0..3)
            .map(|n| {
                std::thread::sleep(std::time::Duration::from_micros(random.below(20_000)));
                world.spawn(if n == 1 { "freeze dev" } else { "snapshot prune dev --keep-last 1 --yes" })
            })
            .collect();
        for one in all {
            let ended = one.wait();
            // A snapshot that another command removed first is missing; one that it reads is in use.
            assert!([0, 3, 4, 11].contains(&ended.get_output().status.code().unwrap()), "{}", stderr(&ended));
        }
        assert!(!references(&world).is_empty());
        world.run("snapshot verify --all").success();
        let names = names_in(&world.path("home/library/snapshots/dev"));
        assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    }
}
