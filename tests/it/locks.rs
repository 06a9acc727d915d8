//! A lock protects what it belongs to: a VM's lock is per user and host, a snapshot's lock is in the library.

use crate::full_disk::fill;
use crate::support::namespace::{disk, in_a_namespace};
use crate::support::{Running, World, names_in, stderr, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

// -------------------------------------------------------------------------------------------------- of VMs

/// A freeze of `dev` that hangs while packing.
fn hanging_freeze(world: &World) -> Running {
    world.warm().fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let freeze = world.spawn("freeze dev -o x.smolmachine --yes");
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    freeze
}

/// The command with other variables.
fn with(world: &World, line: &str, variables: &[(&str, PathBuf)]) -> Command {
    let mut command = world.line(line);
    command.envs(variables.iter().map(|(key, value)| (key, value)));
    command
}

const CHANGES: [&str; 6] =
    ["start dev", "stop dev", "rm dev --yes", "freeze dev --yes", "pause dev", "freeze dev -o y.smolmachine --yes"];

#[test]
fn two_libraries_share_the_lock_of_a_vm() {
    let world = World::new();
    world.vm("dev").stopped();
    let first = hanging_freeze(&world);
    for line in CHANGES {
        let other = with(&world, line, &[("BOTTLE_FREEZE_HOME", world.path("home/other"))]);
        let refused = crate::support::finish(other).code(11);
        assert!(stderr(&refused).contains(&format!("process {} on ", first.pid())), "{line}: {}", stderr(&refused));
    }
}

#[test]
fn sessions_with_other_temporary_folders_share_locks() {
    let world = World::new();
    world.vm("dev").stopped();
    let _first = hanging_freeze(&world);
    for variable in ["TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        let other = with(&world, "stop dev", &[(variable, world.path("tmp/other"))]);
        crate::support::finish(other).code(11);
    }
}

#[test]
fn one_name_in_two_homes_is_two_vms() {
    let world = World::new();
    world.vm("dev").stopped();
    let _first = hanging_freeze(&world);
    for (variable, folder) in [("HOME", "another"), ("XDG_DATA_HOME", "another/data"), ("SMOLVM_DATA_DIR", "another")] {
        // Whether the stand-in lists a VM there or not: the lock of this one does not interfere.
        let run = crate::support::finish(with(&world, "stop dev", &[(variable, world.path(folder))]));
        assert!([Some(0), Some(4)].contains(&run.get_output().status.code()), "{variable}: {}", stderr(&run));
    }
}

#[test]
fn one_name_in_one_home_by_two_paths_is_one_vm() {
    let world = World::new();
    world.vm("dev").stopped();
    let _first = hanging_freeze(&world);
    symlink(world.path("home"), world.path("link")).unwrap();
    for (variable, folder) in [
        ("HOME", "link"),
        ("HOME", "home/../home"),
        ("XDG_DATA_HOME", "link/.local/share"),
        ("SMOLVM_DATA_DIR", "link"),
    ] {
        let other = with(&world, "stop dev", &[(variable, world.path(folder))]);
        crate::support::finish(other).code(11);
    }
}

#[test]
fn smolvm_data_dir_is_ignored_for_engines_that_ignore_it() {
    let world = World::with_engine("1.2.4");
    world.vm("dev").stopped();
    let _first = hanging_freeze(&world);
    let other = with(&world, "stop dev", &[("SMOLVM_DATA_DIR", world.path("another"))]);
    crate::support::finish(other).code(11);
}

// -------------------------------------------------------------------------------------------- their folder

/// The folder of this user's locks.
fn runtime() -> PathBuf {
    format!("/tmp/bottle-freeze-{}", rustix::process::geteuid().as_raw()).into()
}

#[test]
fn the_lock_folder_is_private() {
    let world = World::new();
    world.vm("dev").stopped();
    let _first = hanging_freeze(&world);
    let meta = fs::symlink_metadata(runtime()).unwrap();
    assert!(meta.is_dir() && meta.permissions().mode() & 0o777 == 0o700, "{meta:?}");
    assert!(world.vm_lock("dev").exists());
}

/// With a private `/tmp`, in which only the programs stay if they are there.
fn with_own_tmp(test: impl Fn(&World)) {
    let programs = Path::new(env!("CARGO_BIN_EXE_bottle-freeze")).strip_prefix("/tmp").ok();
    let programs = programs.map(|below| Path::new("/tmp").join(below.iter().next().unwrap()));
    let mount = |from: &Path, to: &Path| {
        assert!(Command::new("mount").arg("--bind").args([from, to]).status().unwrap().success());
    };
    if let Some(programs) = &programs {
        mount(programs, Path::new("/mnt"));
    }
    disk(Path::new("/tmp"), "size=20m");
    if let Some(programs) = programs {
        fs::create_dir(&programs).unwrap();
        mount(Path::new("/mnt"), &programs);
    }
    let world = World::new();
    world.vm("dev").stopped();
    test(&world);
}

#[test]
fn a_link_in_place_of_the_lock_folder_is_not_followed() {
    in_a_namespace(|| {
        with_own_tmp(|world| {
            let victim = world.path("work/victim");
            fs::create_dir(&victim).unwrap();
            fs::write(victim.join("vm-dev-1.lock"), "precious").unwrap();
            symlink(&victim, runtime()).unwrap();
            for line in CHANGES {
                world.run(line).code(8).stderr(contains(runtime().to_str().unwrap()).and(contains("not a folder")));
            }
            assert_eq!(names_in(&victim), ["vm-dev-1.lock"]);
            assert_eq!(fs::metadata(&victim).unwrap().permissions().mode() & 0o777, 0o755);
            fs::remove_file(runtime()).unwrap();
            fs::write(runtime(), "a file").unwrap();
            world.run("stop dev").code(8).stderr(contains("not a folder"));
            fs::remove_file(runtime()).unwrap();
            world.run("stop dev").success();
        });
    });
}

#[test]
fn another_user_s_lock_folder_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return println!("NOT RUN: only root can change the owner of a folder");
    }
    in_a_namespace(|| {
        with_own_tmp(|world| {
            fs::create_dir(runtime()).unwrap();
            std::os::unix::fs::chown(runtime(), Some(65534), Some(65534)).unwrap();
            world.run("stop dev").code(8).stderr(contains("belongs to another user"));
            std::os::unix::fs::chown(runtime(), Some(0), Some(0)).unwrap();
            fs::set_permissions(runtime(), fs::Permissions::from_mode(0o777)).unwrap();
            world.run("stop dev").success();
            assert_eq!(fs::metadata(runtime()).unwrap().permissions().mode() & 0o777, 0o700);
        });
    });
}

#[test]
fn only_lock_files_are_removed() {
    in_a_namespace(|| {
        with_own_tmp(|world| {
            world.run("stop dev").success();
            let write = |name: &str, text: &str| fs::write(runtime().join(name), text).unwrap();
            write("vm-dead-0.lock", "process 1 on host, since 2026-01-01T00:00:00Z\n");
            write("output-0.lock", "");
            let kept = ["notes.txt", "vm-thesis.lock", "thesis.lock"];
            write("thesis.lock", "");
            write("vm-thesis.lock", "chapter 1\n");
            write("notes.txt", "process 1 on host, since 2026-01-01T00:00:00Z\n");
            world.run("freeze dev --no-space-check").success();
            assert_eq!(names_in(&runtime()), {
                let mut kept = kept;
                kept.sort_unstable();
                kept
            });
        });
    });
}

#[test]
fn a_lock_that_cannot_name_its_owner_still_locks() {
    in_a_namespace(|| {
        disk(&runtime(), "size=4k");
        fill(&runtime());
        let world = World::new();
        world.vm("dev").stopped();
        let first = hanging_freeze(&world);
        assert_eq!(fs::read(world.vm_lock("dev")).unwrap(), b"");
        let owner = format!("another bottle-freeze (process {})", first.pid());
        world.run("stop dev").code(11).stderr(contains(owner));
        first.signal(Signal::INT);
        first.wait().code(130);
        world.run("stop dev").success();
    });
}

// --------------------------------------------------------------------------------------------- of the library

/// What each command does if the library has no space for a byte or a file, and if it is read-only. The library
/// contains two snapshots of `dev`, which runs; `stopped` and `other` are stopped.
const COMMANDS: [(&str, i32, i32); 36] = [
    ("ls", 0, 0),
    ("start stopped", 0, 0),
    ("stop dev", 0, 0),
    ("start dev", 0, 0),
    ("pause dev", 0, 0),
    ("resume dev", 0, 0),
    ("exec dev -- true", 0, 0),
    ("cp dev:/root/hello out", 0, 0),
    ("create new", 0, 0),
    ("create made --from dev@old", 0, 0),
    ("create linked --net -p 8080:80", 0, 0),
    ("thaw dev@old thawed", 0, 0),
    ("rm thawed --yes", 0, 0),
    ("rm stopped --yes", 0, 0),
    ("rm linked --yes", 0, 0),
    ("snapshot ls", 0, 0),
    ("snapshot show dev", 0, 0),
    ("snapshot verify --all", 0, 0),
    ("verify dev@old", 0, 0),
    ("snapshot export dev@old -o new.tar", 0, 0),
    ("snapshot export dev@old -o new.tar --force", 0, 0),
    ("freeze other -o other.smolmachine", 0, 0),
    ("pack alpine -o alpine.smolmachine", 0, 0),
    ("snapshot push ./other.smolmachine registry.test:5000/dev:file --yes", 0, 0),
    ("snapshot push dev@old registry.test:5000/dev:x --yes", 0, 0),
    ("snapshot push dev@old registry.test:5000/dev:y --yes --scrub history", 0, 0),
    ("snapshot export dev@old -o scrubbed.tar --scrub history", 0, 0),
    ("snapshot import old.tar --as x", 8, 8),
    ("snapshot tag dev@old other", 8, 8),
    ("snapshot tag dev@old --remove old", 8, 8),
    ("freeze other", 8, 8),
    ("freeze dev --yes --restart", 8, 8),
    ("snapshot prune --keep-last 9", 0, 0),
    ("snapshot prune dev --keep-last 1 --yes", 0, 8),
    ("snapshot rm dev@new --yes", 0, 8),
    ("snapshot ls -q", 0, 0),
];

fn world_with_library() -> World {
    let world = World::new();
    let library = world.path("home/library");
    disk(&library, "size=20m,nr_inodes=1000");
    for name in ["stopped", "other"] {
        world.vm(name).stopped();
    }
    world.vm("dev").running();
    world.write_guest("dev", "root/hello", "hello");
    for tag in ["old", "newer", "new"] {
        world.run(&format!("freeze dev -t {tag} --yes --restart --no-space-check")).success();
    }
    // A snapshot that no policy has to keep.
    world.run("snapshot tag dev@newer --remove newer").success();
    world.run("snapshot export dev@old -o old.tar").success();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    world.warm();
    world
}

fn assert_commands(world: &World, status: impl Fn(&(&str, i32, i32)) -> i32) {
    for one in &COMMANDS {
        let run = world.run(one.0);
        assert_eq!(run.get_output().status.code(), Some(status(one)), "{}: {}", one.0, stderr(&run));
    }
}

#[test]
fn a_library_without_space_blocks_only_writes_to_it() {
    in_a_namespace(|| {
        let world = world_with_library();
        let library = world.path("home/library");
        fill(&library);
        let used = fs::read_dir(&library).unwrap().count();
        assert!(used > 0);
        let inodes = rustix::fs::statvfs(&library).unwrap();
        disk(&library, &format!("size=20m,nr_inodes={}", inodes.f_files - inodes.f_ffree));
        assert_eq!(rustix::fs::statvfs(&library).unwrap().f_ffree, 0);
        assert_commands(&world, |one| one.1);
        let left = crate::support::stdout(&world.run("snapshot ls -q"));
        assert_eq!(left.lines().count(), 1, "{left}");
        let folder = world.path("home/library/snapshots/dev");
        assert!(names_in(&folder).iter().all(|name| !name.starts_with('.')), "{:?}", names_in(&folder));
    });
}

#[test]
fn a_read_only_library_blocks_only_writes_to_it() {
    in_a_namespace(|| {
        let world = world_with_library();
        disk(&world.path("home/library"), "ro");
        assert_commands(&world, |one| one.2);
        disk(&world.path("home/library"), "rw");
        assert_eq!(crate::support::stdout(&world.run("snapshot ls -q")).lines().count(), 3);
    });
}

#[test]
fn removing_the_last_snapshot_removes_the_folder_even_on_a_full_disk() {
    in_a_namespace(|| {
        let world = World::new();
        let library = world.path("home/library");
        disk(&library, "size=20m");
        world.vm("dev").stopped();
        world.run("freeze dev --no-space-check").success();
        fill(&library);
        world.run("snapshot rm dev --yes").success();
        assert_eq!(names_in(&library.join("snapshots")), [""; 0]);
        fs::remove_file(library.join("filler")).unwrap();
        world.run("freeze dev --no-space-check").success();
    });
}

#[test]
fn a_saved_workspace_is_restored_from_a_read_only_library() {
    in_a_namespace(|| {
        let world = World::with_engine("1.8.0");
        disk(&world.path("home/library"), "size=20m");
        world.vm("dev").running();
        world.write_guest("dev", "workspace/a", "saved");
        world.run("freeze dev --yes --no-space-check").success();
        disk(&world.path("home/library"), "ro");
        world.run("thaw dev back").success();
        assert_eq!(world.read_guest("back", "workspace/a").unwrap(), "saved");
        world.assert_clean(&[]);
    });
}

#[test]
fn doctor_reports_a_file_system_without_locks() {
    in_a_namespace(|| {
        with_own_tmp(|world| {
            fs::write(runtime(), "a file").unwrap();
            let run = world.run("doctor").code(8);
            assert!(crate::support::stdout(&run).contains(runtime().to_str().unwrap()));
            world.run("freeze dev --no-space-check").code(8);
        });
    });
}
