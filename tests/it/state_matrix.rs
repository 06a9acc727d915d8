//! Whatever happens to a freeze in any state of the VM: its exit status, the state of the VM afterwards, and the
//! output.

use crate::support::{Running, World, names_in, random_bytes, wait_until};
use Luck::{
    EngineDies, InterruptedPack, InterruptedPublish, InterruptedStop, Ok, PackFails, PackFailsForGood, StartFails,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

/// What happens during the freeze.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Luck {
    Ok,
    PackFails,
    /// The pack fails, and then the VM does not start again.
    PackFailsForGood,
    EngineDies,
    InterruptedStop,
    InterruptedPack,
    InterruptedPublish,
    /// `--restart` fails.
    StartFails,
}

/// State before, event: exit status, state after, output after.
type Row = (&'static str, Luck, i32, &'static str, &'static str);

#[rustfmt::skip]
const MATRIX: [Row; 32] = [
    ("running",     Ok,                   0, "stopped",     "new"),
    ("running",     PackFails,            1, "running",     "old"),
    ("running",     PackFailsForGood,     1, "stopped",     "old"),
    ("running",     EngineDies,           1, "running",     "old"),
    ("running",     InterruptedStop,    130, "running",     "old"),
    ("running",     InterruptedPack,    130, "running",     "old"),
    ("running",     InterruptedPublish, 130, "running",     "old"),
    ("running",     StartFails,          12, "stopped",     "new"),

    ("stopped",     Ok,                   0, "stopped",     "new"),
    ("stopped",     PackFails,            1, "stopped",     "old"),
    ("stopped",     PackFailsForGood,     1, "stopped",     "old"),
    ("stopped",     EngineDies,           1, "stopped",     "old"),
    ("stopped",     InterruptedStop,      0, "stopped",     "new"), // there is no stop to interrupt
    ("stopped",     InterruptedPack,    130, "stopped",     "old"),
    ("stopped",     InterruptedPublish, 130, "stopped",     "old"),
    ("stopped",     StartFails,           0, "stopped",     "new"), // what was not stopped is not restarted

    ("paused",      Ok,                   5, "paused",      "old"),
    ("paused",      PackFails,            5, "paused",      "old"),
    ("paused",      PackFailsForGood,     5, "paused",      "old"),
    ("paused",      EngineDies,           5, "paused",      "old"),
    ("paused",      InterruptedStop,      5, "paused",      "old"),
    ("paused",      InterruptedPack,      5, "paused",      "old"),
    ("paused",      InterruptedPublish,   5, "paused",      "old"),
    ("paused",      StartFails,           5, "paused",      "old"),

    ("unreachable", Ok,                   0, "stopped",     "new"),
    ("unreachable", PackFails,            1, "running",     "old"), // its VMM was dead or silent; now it is well
    ("unreachable", PackFailsForGood,     1, "stopped",     "old"),
    ("unreachable", EngineDies,           1, "running",     "old"),
    ("unreachable", InterruptedStop,    130, "unreachable", "old"),
    ("unreachable", InterruptedPack,    130, "running",     "old"),
    ("unreachable", InterruptedPublish, 130, "running",     "old"),
    ("unreachable", StartFails,          12, "stopped",     "new"),
];

#[test]
fn a_freeze_leaves_the_vm_and_the_output_as_expected() {
    let try_out = |row: Row| {
        if row.1 == InterruptedPublish && row.0 != "paused" {
            interrupted_while_publishing(row);
        } else {
            check(row, &play(row));
        }
    };
    // A freeze waits up to ten seconds for a guest to answer: run all of these in parallel.
    let (silent, others): (Vec<Row>, Vec<Row>) = MATRIX.into_iter().partition(|row| row.0 == "unreachable");
    std::thread::scope(|scope| {
        for row in silent {
            scope.spawn(move || try_out(row));
        }
        others.into_iter().for_each(try_out);
    });
}

/// Plays a row; returns the world after it, and the exit status.
fn play((before, luck, ..): Row) -> (World, i32) {
    let world = world_in(before, luck);
    let freeze = world.spawn(&line(luck));
    let awaited = match luck {
        InterruptedStop if ["running", "unreachable"].contains(&before) => Some("machine stop"),
        InterruptedPack if before != "paused" => Some("pack create"),
        _ => None,
    };
    if let Some(command) = awaited {
        wait_until("the engine hangs", || world.commands().iter().any(|called| called == command));
        freeze.signal(Signal::INT);
    }
    let status = status(freeze);
    (world, status)
}

/// The signal has to arrive between the end of the pack and the rename: repeat until it does.
fn interrupted_while_publishing(row: Row) {
    for _ in 0..50 {
        let world = world_in(row.0, Ok);
        // Large enough that writing it to disk takes a while.
        world.write_guest("dev", "root/large", random_bytes(18 << 20));
        let freeze = world.spawn(&line(Ok));
        wait_until("the sidecar is being written to disk", || sidecar_mode(&world).is_none_or(|mode| mode == 0o600));
        freeze.signal(Signal::STOP);
        let in_time = sidecar_mode(&world).is_some();
        freeze.signal(Signal::INT);
        freeze.signal(Signal::CONT);
        let status = status(freeze);
        if in_time && world.read("x.smolmachine") == "old" {
            return check(row, &(world, status));
        }
        // The snapshot was published before the signal arrived.
        check((row.0, row.1, status, "stopped", "new"), &(world, status));
        assert!([0, 130].contains(&status), "{row:?}: {status}");
    }
    panic!("{row:?}: the moment of the rename never came");
}

/// The mode of the sidecar in the private folder; None after it was moved. Waits until it exists.
fn sidecar_mode(world: &World) -> Option<u32> {
    let folders = || -> Vec<PathBuf> {
        let names = names_in(&world.path("work"));
        names.iter().filter(|name| name.starts_with(".bottle")).map(|name| world.path("work").join(name)).collect()
    };
    let began = Instant::now();
    // Without a pause: the moment is short.
    loop {
        assert!(began.elapsed() < crate::support::PATIENCE, "no sidecar appeared");
        let mode = folders().iter().find_map(|folder| fs::metadata(folder.join("snapshot.smolmachine")).ok());
        match mode {
            Some(meta) => return Some(meta.permissions().mode() & 0o777),
            None if world.read("x.smolmachine") != "old" => return None,
            None => {}
        }
    }
}

fn check((before, luck, status, after, output): Row, (world, got): &(World, i32)) {
    let row = format!("{before}, {luck:?}");
    assert_eq!(*got, status, "{row}");
    assert_eq!(world.state("dev"), after, "{row}");
    assert_eq!(if world.read("x.smolmachine") == "old" { "old" } else { "new" }, output, "{row}");
    if output == "new" {
        world.run("verify x.smolmachine").success();
    }
    world.assert_clean(&["x.smolmachine"]);
}

fn world_in(state: &str, luck: Luck) -> World {
    let world = World::new();
    let vm = world.vm("dev");
    match state {
        "running" => vm.running(),
        "unreachable" => vm.unreachable(),
        state => vm.in_state(state),
    }
    world.write("x.smolmachine", "old");
    world.warm().fault(faults(luck));
    world
}

fn faults(luck: Luck) -> Value {
    let no_pack = json!({"on": "pack create", "at": "half", "do": {"fail": {"status": 1, "stderr": "Error: no pack"}}});
    let no_start = json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: no start"}}});
    match luck {
        Ok | InterruptedPublish => json!([]),
        PackFails => json!([no_pack]),
        PackFailsForGood => json!([no_pack, no_start]),
        EngineDies => json!([{"on": "pack create", "at": "half", "do": {"kill": 9}}]),
        InterruptedStop => json!([{"on": "machine stop", "at": "before", "do": "hang"}]),
        InterruptedPack => json!([{"on": "pack create", "at": "half", "do": "hang"}]),
        StartFails => json!([no_start]),
    }
}

fn line(luck: Luck) -> String {
    let restart = if luck == StartFails { "--restart" } else { "" };
    format!("freeze dev -o x.smolmachine --yes --allow-unresponsive --force {restart}")
}

fn status(freeze: Running) -> i32 {
    freeze.wait().get_output().status.code().expect("an exit status")
}
