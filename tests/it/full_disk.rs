//! Full disks: a freeze without enough space fails, and everything is as it was before.
//!
//! The disks are real: small tmpfs, mounted in each test's own namespace and gone with it. If that is not allowed,
//! these tests do not run, and say so; with `BOTTLE_FREEZE_FAULTS=long` that is a failure.

use crate::support::chaos::is_long;
use crate::support::namespace::{disk, in_a_namespace};
use crate::support::{World, finish, names_in, random_bytes, real, stderr, stdout};
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

// --------------------------------------------------------------------------------------------- small disks

/// Fills a disk to the last byte.
pub fn fill(folder: &Path) {
    let mut filler = File::create(folder.join("filler")).unwrap();
    let full = std::io::copy(&mut std::io::repeat(1), &mut filler).unwrap_err();
    assert_eq!(full.raw_os_error(), Some(28), "{full}");
}

// -------------------------------------------------------------------------------- nothing is lost

/// A world whose working folder is a small disk with an old snapshot on it, and a running VM.
fn world_with_disk(options: &str) -> World {
    let world = World::new();
    disk(&world.path("work"), options);
    world.vm("dev").running();
    for file in ["snap", "snap.smolmachine"] {
        world.write(file, format!("the old {file}"));
    }
    world.warm();
    world
}

/// Every file in a folder, and its content.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    names_in(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap_or_default())).collect()
}

/// Every path under a folder, except the marker of the library.
fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let names = names_in(folder).into_iter().filter(|name| name != "bottle-freeze.json");
    let paths = names.map(|name| folder.join(name));
    paths.flat_map(|path| if path.is_dir() { paths_in(&path) } else { vec![path] }).collect()
}

/// Runs a freeze for which there is not enough space: all is as before, and the engine's own folders are clean.
fn assert_nothing_lost(world: &World, freeze: impl FnOnce() -> Assert) -> Assert {
    let before = (contents(&world.path("work")), paths_in(&world.path("home/library")), world.state("dev"));
    let run = freeze();
    let after = (contents(&world.path("work")), paths_in(&world.path("home/library")), world.state("dev"));
    assert_eq!(before, after, "{}", stderr(&run));
    assert_eq!(names_in(&world.path("tmp")), [""; 0]);
    run
}

/// Either it is refused for lack of space and all is as before, or it succeeds completely.
fn assert_all_or_nothing(world: &World, line: &str, what: &str) -> bool {
    let old = contents(&world.path("work"));
    let run = world.run(line);
    let now = contents(&world.path("work"));
    match run.get_output().status.code() {
        Some(0) => {
            world.run("verify snap.smolmachine").success();
            assert_eq!(now.keys().collect::<Vec<_>>(), old.keys().collect::<Vec<_>>(), "{what}");
            assert!(now["snap"] != old["snap"] && now["snap.smolmachine"] != old["snap.smolmachine"], "{what}");
        }
        Some(8) => assert_eq!(now, old, "{what}: {}", stderr(&run)),
        status => panic!("{what}: {status:?}: {}", stderr(&run)),
    }
    assert_eq!(world.state("dev"), "running", "{what}: {}", stderr(&run));
    run.get_output().status.success()
}

const FREEZE: &str = "freeze dev -o snap --yes --force --restart";

// --------------------------------------------------------------------------------------- full during the pack

#[test]
fn a_disk_that_fills_up_during_the_pack_loses_nothing() {
    in_a_namespace(|| {
        // Enough space according to the VM's disks; but the engine writes more.
        let world = world_with_disk("size=127m");
        world.write_guest("dev", "root/big", random_bytes(50 << 20));
        let run = assert_nothing_lost(&world, || world.run(FREEZE));
        let said = contains("No space left on device").and(contains("running again")).and(contains("free some"));
        run.code(8).stderr(said);
        assert_eq!(world.state("dev"), "running");
    });
}

#[test]
fn on_a_disk_of_any_fullness_a_freeze_succeeds_or_loses_nothing() {
    in_a_namespace(|| {
        let world = world_with_disk("size=4m");
        world.write_guest("dev", "root/some", random_bytes(200 << 10));
        let mut done = Vec::new();
        for kib in [40, 100, 240, 300, 450, 520, 640, 700, 760, 900, 1100, 1400, 2000] {
            disk(&world.path("work"), &format!("size={kib}k"));
            done.push(assert_all_or_nothing(&world, &format!("{FREEZE} --no-space-check"), &format!("{kib} KiB")));
            for file in ["snap", "snap.smolmachine"] {
                world.write(file, format!("the old {file}"));
            }
        }
        assert!(!done[0] && done[done.len() - 1], "{done:?}");
        assert!(done.is_sorted(), "with more space it does not succeed: {done:?}");
    });
}

#[test]
fn with_any_number_of_free_inodes_a_freeze_succeeds_or_loses_nothing() {
    in_a_namespace(|| {
        let world = world_with_disk("size=4m");
        let mut done = Vec::new();
        for files in 4..30 {
            disk(&world.path("work"), &format!("nr_inodes={files}"));
            done.push(assert_all_or_nothing(&world, &format!("{FREEZE} --no-space-check"), &format!("{files} files")));
            for file in ["snap", "snap.smolmachine"] {
                world.write(file, format!("the old {file}"));
            }
        }
        assert!(!done[0] && done[done.len() - 1], "{done:?}");
    });
}

#[test]
fn a_pack_of_an_image_on_a_full_disk_loses_nothing() {
    in_a_namespace(|| {
        let world = world_with_disk("size=64k");
        fill(&world.path("work"));
        let run = assert_nothing_lost(&world, || world.run("pack alpine -o snap.smolmachine --force"));
        run.code(8).stderr(contains("No space left on device"));
    });
}

#[test]
fn a_real_engine_that_runs_out_of_disk_loses_nothing() {
    if !is_long() {
        return;
    }
    in_a_namespace(|| {
        let world = World::new();
        disk(&world.path("work"), "size=400m");
        real::vm(&world, "dev", 20);
        world.write("snap.smolmachine", "the old one");
        let mut statuses = Vec::new();
        for mib in [1, 15, 40, 70, 100, 400] {
            disk(&world.path("work"), &format!("size={mib}m"));
            let old = contents(&world.path("work"));
            let run = finish(real::line(&world, "freeze dev -o snap.smolmachine --force --no-space-check"));
            let status = run.get_output().status.code().unwrap();
            println!("{mib} MiB: {status}: {}{}", stdout(&run), stderr(&run));
            if status != 0 {
                run.code(8).stderr(contains("No space left").and(contains("as before")));
                assert_eq!(contents(&world.path("work")), old);
            }
            assert_eq!(
                (names_in(&world.path("work")), names_in(&world.path("tmp"))),
                (vec!["snap.smolmachine".into()], vec![])
            );
            statuses.push(status);
        }
        assert_eq!((statuses[0], statuses[5]), (8, 0), "{statuses:?}");
        world.run("verify snap.smolmachine").success();
    });
}

// -------------------------------------------------------------------------------- full at the very last moment

#[test]
fn a_disk_that_is_full_after_the_pack_loses_nothing() {
    in_a_namespace(|| {
        let world = world_with_disk("size=1m");
        world.fault(json!({"on": "pack create", "at": "end", "do": {"fill_disk": world.path("work/filler")}}));
        let old = contents(&world.path("work"));
        let run = world.run(&format!("{FREEZE} --no-space-check"));
        match run.get_output().status.code() {
            Some(0) => drop(world.run("verify snap.smolmachine").success()),
            status => {
                assert_eq!((status, contents(&world.path("work"))["snap"].clone()), (Some(8), old["snap"].clone()));
            }
        }
        assert_eq!(names_in(&world.path("work")), ["filler", "snap", "snap.smolmachine"]);
        assert_eq!(world.state("dev"), "running");
    });
}

/// A library that makes one system call fail in the process that loads it, because real disks do not fail on demand.
fn broken(world: &World, call: &str, error: i32) -> PathBuf {
    let (source, library) = (world.path("broken.rs"), world.path("broken.so"));
    // `rename` fails for the sidecar only: by then the launcher has its new name.
    let (arguments, when) = match call {
        "rename" => (
            "_from: *const c_char, to: *const c_char",
            "CStr::from_ptr(to).to_bytes().ends_with(b\"work/snap.smolmachine\")",
        ),
        _ => ("_fd: c_int", "true"),
    };
    let otherwise = if call == "rename" { "renameat(-100, _from, -100, to)" } else { "0" };
    let text = format!(
        "use std::ffi::{{c_char, c_int, CStr}};
         unsafe extern \"C\" {{
             fn __errno_location() -> *mut c_int;
             fn renameat(a: c_int, from: *const c_char, b: c_int, to: *const c_char) -> c_int;
         }}
         #[unsafe(no_mangle)]
         pub unsafe extern \"C\" fn {call}({arguments}) -> c_int {{
             unsafe {{ if {when} {{ *__errno_location() = {error}; -1 }} else {{ {otherwise} }} }}
         }}"
    );
    fs::write(&source, text).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=cdylib", "-A", "warnings", "-o"]).arg(&library).arg(&source);
    assert!(rustc.status().unwrap().success());
    library
}

/// A freeze in which that system call fails.
fn freeze_with_broken(call: &str, error: i32, old_launcher: bool) -> Assert {
    let world = World::new();
    world.vm("dev").running();
    // The library exists already: it is the snapshot that cannot be written.
    world.run("freeze dev -o snap --yes --restart").success();
    for file in ["snap", "snap.smolmachine"] {
        fs::remove_file(world.path("work").join(file)).unwrap();
    }
    for file in ["snap", "snap.smolmachine"].iter().skip(usize::from(!old_launcher)) {
        world.write(file, format!("the old {file}"));
    }
    let mut command = world.warm().line(FREEZE);
    command.env("LD_PRELOAD", broken(&world, call, error));
    let run = assert_nothing_lost(&world, || finish(command)).code(8);
    assert_eq!(world.state("dev"), "running");
    run.stderr(contains("running again").and(contains("snap.smolmachine is as it was")))
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;

#[cfg(target_os = "linux")]
#[test]
fn a_snapshot_that_cannot_be_flushed_is_not_published() {
    freeze_with_broken("fsync", ENOSPC, true).stderr(contains("No space left on device"));
    freeze_with_broken("fsync", EDQUOT, true).stderr(contains("quota"));
    freeze_with_broken("fsync", EIO, true).stderr(contains("Input/output error"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_snapshot_that_cannot_be_renamed_leaves_the_old_pair() {
    freeze_with_broken("rename", ENOSPC, true).stderr(contains("No space left on device"));
    freeze_with_broken("rename", ENOSPC, false).stderr(contains("No space left on device"));
}

// ------------------------------------------------------------------------------------------ a full home folder

#[test]
fn a_full_home_folder_is_noticed_before_anything_is_stopped() {
    in_a_namespace(|| {
        let world = World::new();
        world.vm("dev").running();
        world.write("snap.smolmachine", "the old one");
        let library = world.warm().path("home/library");
        disk(&library, "size=32k,nr_inodes=100");
        world.run("freeze dev -o first.smolmachine --yes --restart").success();
        world.forget_calls();
        fill(&library);
        let freeze = || world.run("freeze dev --yes --no-space-check");
        let run = assert_nothing_lost(&world, freeze).code(8).stderr(contains("No space left on device"));
        assert!(stderr(&run).contains(library.to_str().unwrap()), "where? {}", stderr(&run));
        assert!(!world.commands().contains(&"machine stop".to_owned()), "{:?}", world.commands());
        // Writing elsewhere needs no space there.
        world.run("freeze dev -o snap.smolmachine --force --yes").success();
        world.run("verify snap.smolmachine").success();
    });
}

#[test]
fn a_home_folder_without_free_inodes_does_not_stop_a_freeze_to_a_file() {
    in_a_namespace(|| {
        let world = World::new();
        world.vm("dev").running();
        let library = world.warm().path("home/library");
        disk(&library, "size=100k,nr_inodes=1");
        for files in 1..10 {
            disk(&library, &format!("nr_inodes={files}"));
            world.run("freeze dev -o snap.smolmachine --force --yes --restart").success();
            world.run("verify snap.smolmachine").success();
            assert!(paths_in(&library).is_empty(), "{files} files: {:?}", paths_in(&library));
        }
    });
}

#[test]
fn a_full_library_loses_nothing_and_stays_usable() {
    in_a_namespace(|| {
        let world = World::new();
        let library = world.path("home/library");
        disk(&library, "size=20m,nr_inodes=1000");
        world.vm("dev").running();
        world.run("freeze dev -t good --yes --restart --no-space-check").success();
        world.run("snapshot export dev -o dev.tar").success();
        fill(&library);
        for line in ["freeze dev --yes --no-space-check", "snapshot tag dev other", "snapshot import dev.tar --as x"] {
            world.forget_calls();
            let run = assert_nothing_lost(&world, || world.run(line)).code(8);
            assert!(!world.commands().contains(&"machine stop".to_owned()), "{line}: {}", stderr(&run));
        }
        for line in ["snapshot ls", "snapshot verify --all", "snapshot show dev@good"] {
            world.run(line).success().stdout(contains("dev"));
        }
        fs::remove_file(library.join("filler")).unwrap();
        world.run("freeze dev --yes --no-space-check").success();
        world.run("snapshot verify --all").success();
    });
}

/// Files enough.
const MANY: &str = "nr_inodes=100000";

/// Blocks and inodes that are in use on a disk.
fn used(folder: &Path) -> (u64, u64) {
    let disk = rustix::fs::statvfs(folder).unwrap();
    (disk.f_blocks - disk.f_bfree, disk.f_files - disk.f_ffree)
}

/// Freezes `dev` into a library on a disk that is full at any point: of its chunks, of the index, of the metadata, of the
/// publication. `change` changes the VM, so that there is something to store.
fn freeze_on_any_fullness(world: &World, freeze: impl Fn() -> Command, change: impl Fn()) {
    const PAGE: u64 = 4 << 10;
    let library = world.path("home/library");
    finish(freeze()).success();
    let newest = || finish(world.line("snapshot ls dev -q")).get_output().stdout.clone();
    let before = used(&library);
    change();
    finish(freeze()).success();
    let needed = (used(&library).0 - before.0, used(&library).1 - before.1);
    // The last steps of a freeze need little: there, each page and each file is tried.
    let steps = |needed: u64| -> Vec<u64> {
        let last = needed.saturating_sub(if is_long() { 12 } else { 2 })..needed + 4;
        (0..8).map(|eighth| needed * eighth / 8).chain(last).chain([needed + 4000]).collect()
    };
    let size = |blocks: u64| format!("size={},{MANY}", (used(&library).0 + blocks) * PAGE);
    let count = |inodes: u64| format!("size=2g,nr_inodes={}", used(&library).1 + inodes);
    for (what, steps, options) in [
        ("blocks", steps(needed.0), &size as &dyn Fn(u64) -> String),
        ("inodes", steps(needed.1), &count as &dyn Fn(u64) -> String),
    ] {
        let mut done = Vec::new();
        for free in steps {
            change();
            disk(&library, &options(free));
            let (old, paths) = (newest(), paths_in(&library));
            let run = finish(freeze());
            disk(&library, &format!("size=2g,{MANY}"));
            let said = format!("{free} free {what}: {}", stderr(&run));
            match run.get_output().status.code() {
                Some(0) => assert_ne!(newest(), old, "{said}"),
                Some(8) => {
                    assert!(said.contains("No space left on device"), "{said}");
                    assert_eq!((paths_in(&library), newest()), (paths, old), "{said}");
                    assert_eq!(names_in(&world.path("tmp")), [""; 0], "{said}");
                }
                status => panic!("{status:?}: {said}"),
            }
            done.push(run.get_output().status.success());
            world.run("snapshot verify --all").success();
            world.run("snapshot prune dev --keep-last 2 --yes").success();
        }
        assert!(!done[0] && done[done.len() - 1], "{what}: {done:?}");
    }
}

#[test]
fn a_library_that_is_full_at_any_point_of_a_freeze_loses_nothing() {
    in_a_namespace(|| {
        let world = World::new();
        disk(&world.path("home/library"), &format!("size=2g,{MANY}"));
        world.vm("dev").stopped();
        let change = || world.write_guest("dev", "root/some", random_bytes(1 << 20));
        freeze_on_any_fullness(&world, || world.line("freeze dev --no-space-check"), change);
    });
}

#[test]
fn a_library_that_is_full_at_any_point_of_a_freeze_from_the_disks_loses_nothing() {
    if !is_long() {
        return;
    }
    in_a_namespace(|| {
        let world = World::new();
        disk(&world.path("home/library"), &format!("size=2g,{MANY}"));
        real::vm(&world, "dev", 3);
        let change = || real::change(&world, "dev", 1 << 20);
        freeze_on_any_fullness(&world, || real::line(&world, "freeze dev --no-space-check"), change);
    });
}

#[test]
fn what_there_is_no_room_to_search_leaves_only_if_that_is_allowed() {
    in_a_namespace(|| {
        let world = World::new();
        world.vm("dev").stopped();
        world.write_guest("dev", "root/big", random_bytes(2 << 20));
        world.run("freeze dev -o x.smolmachine").success();
        fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
        for folder in ["home/library", "tmp"] {
            disk(&world.path(folder), "size=300k");
        }
        let push = "snapshot push ./x.smolmachine registry.test:5000/dev:r1 --yes";
        let why = "files that cannot be searched: there is no place to decompress";
        world.run(push).code(6).stderr(contains(why).and(contains("nothing was pushed")));
        world.run(&format!("{push} --allow-secrets")).success().stderr(contains(why));
    });
}

#[test]
fn a_full_library_blocks_only_writes_to_it() {
    in_a_namespace(|| {
        let world = World::new();
        world.vm("dev").running();
        disk(&world.path("home/library"), "nr_inodes=1");
        // A command that does not change the library needs no space there.
        let elsewhere = ["pack alpine -o x.smolmachine", "freeze dev -o y.smolmachine --yes --restart"];
        for line in
            ["ls", "exec dev -- true", "stop dev", "start dev"].into_iter().chain(elsewhere).chain(["rm dev --yes"])
        {
            world.run(line).success();
        }
    });
}

// ------------------------------------------------------------------------------------------------ the pre-flight

/// Allocates this many MiB for a VM's disk on the host.
fn allocate(world: &World, vm: &str, disk: &str, mib: usize) {
    fs::write(world.path(&format!("fake/vms/{vm}/{disk}")), vec![7; mib << 20]).unwrap();
}

fn assert_refused_before_the_stop(world: &World) -> Assert {
    let line = "freeze dev -o snap.smolmachine --force --yes";
    let run = assert_nothing_lost(world, || world.run(line)).code(8);
    assert_eq!(world.commands(), ["machine ls", "machine data-dir"], "nothing is done, and so nothing stopped");
    assert!(stderr(&run).contains("'dev' is running as before"), "{}", stderr(&run));
    world.forget_calls();
    run.stderr(contains("--no-space-check"))
}

#[test]
fn too_little_space_is_reported_before_anything_is_stopped() {
    in_a_namespace(|| {
        let world = world_with_disk("size=100m");
        let run = assert_refused_before_the_stop(&world);
        // 125 MiB in addition to the disks, each of which has one page.
        run.stderr(contains("125.02 MiB").and(contains("99.")).and(contains("MiB are free")));
    });
}

#[test]
fn a_freeze_needs_three_times_the_disks_and_four_times_for_qcow2() {
    in_a_namespace(|| {
        let world = world_with_disk("size=140m");
        allocate(&world, "dev", "overlay.raw", 8);
        assert_refused_before_the_stop(&world).stderr(contains("149.01 MiB"));
        allocate(&world, "dev", "more.qcow2", 2);
        assert_refused_before_the_stop(&world).stderr(contains("157.01 MiB"));
        disk(&world.path("work"), "size=156m");
        assert_refused_before_the_stop(&world);
        disk(&world.path("work"), "size=158m");
        world.run("freeze dev -o snap.smolmachine --force --yes").success();
    });
}

#[test]
fn a_vm_that_does_not_fit_any_more_is_refused_before_its_stop() {
    in_a_namespace(|| {
        let world = World::new();
        for vm in ["a", "b", "c"] {
            world.vm(vm).running();
            let disk = world.path(&format!("fake/vms/{vm}/overlay.raw"));
            fs::write(disk, random_bytes(30 << 20)).unwrap();
            world.write_guest(vm, "root/random", random_bytes(30 << 20));
        }
        // Each needs 215 MiB, and keeps 30.
        disk(&world.path("home/library"), "size=250m");
        let run = world.warm().run("freeze a b c -j 1 --yes").code(3);
        let said = stderr(&run);
        assert!(said.contains("2 of 3 VMs failed") || said.contains("1 of 3 VMs failed"), "{said}");
        assert!(said.contains("'c' is running as before") && said.contains("--no-space-check"), "{said}");
        assert_eq!((world.state("a").as_str(), world.state("c").as_str()), ("stopped", "running"));
        world.run("snapshot verify --all").success();
    });
}

#[test]
fn a_live_freeze_needs_space_for_the_ram_and_less_where_the_engine_writes_chunks() {
    in_a_namespace(|| {
        for (version, needed, mib) in [("1.19.0", "277.01 MiB", 280), ("1.28.1", "176.01 MiB", 180)] {
            let world = World::with_engine(version);
            world.vm("dev").with("--cpus 1 --mem 64").running();
            allocate(&world, "dev", "overlay.raw", 8);
            disk(&world.path("home/library"), "size=170m");
            world.run("freeze dev --live").code(8).stderr(contains(needed));
            disk(&world.path("home/library"), &format!("size={mib}m"));
            world.run("freeze dev --live").success();
        }
    });
}

#[test]
fn doctor_and_freeze_agree_on_the_space() {
    in_a_namespace(|| {
        let world = World::new();
        fs::create_dir_all(world.path("home/library")).unwrap();
        for vm in ["dev", "large"] {
            world.vm(vm).running();
        }
        let mut overlay = File::options().write(true).open(world.path("fake/vms/large/overlay.raw")).unwrap();
        std::io::copy(&mut std::io::repeat(1).take(8 << 20), &mut overlay).unwrap();
        // A disk that a process has open is not frozen.
        drop(overlay);
        for (mib, verdict) in [(124, "problem"), (126, "warning"), (148, "warning"), (150, "warning"), (4096, "ok")] {
            disk(&world.path("home/library"), &format!("size={mib}m"));
            let report: Value = serde_json::from_str(&stdout(&world.run("doctor --json"))).unwrap();
            let space = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "space").unwrap();
            assert_eq!(space["verdict"], verdict, "{mib} MiB: {space}");
            for vm in ["dev", "large"] {
                let has_room = !space["what"].as_str().unwrap().contains(&format!("{vm} (")) && verdict != "problem";
                let run = world.run(&format!("freeze {vm} --yes"));
                assert_eq!(run.get_output().status.code(), Some(if has_room { 0 } else { 8 }), "{vm}, {space}");
                world.run(&format!("snapshot rm {vm} --yes"));
            }
        }
    });
}

#[test]
fn no_space_check_skips_the_check() {
    in_a_namespace(|| {
        let world = world_with_disk("size=2m");
        assert_refused_before_the_stop(&world);
        world.run("freeze dev -o snap.smolmachine --force --yes --no-space-check").success();
        world.run("verify snap.smolmachine").success();
        assert_eq!(names_in(&world.path("work")), ["snap", "snap.smolmachine"]);
    });
}

#[test]
fn a_dry_run_needs_no_space() {
    in_a_namespace(|| {
        let world = world_with_disk("size=64k");
        fill(&world.path("work"));
        world.run("freeze dev -o snap.smolmachine --force --yes --dry-run").success();
    });
}
