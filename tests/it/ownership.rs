//! Only files that bottle-freeze wrote are removed: what counts as a library, whose it is, and what cleanup may remove.

use crate::support::chaos::without_override;
use crate::support::library::{make_old, objects, stored_objects};
use crate::support::{World, finish, names_in, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Everything under a folder: type, owner and content. Links are not followed.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for name in names_in(folder) {
        let path = folder.join(name);
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if meta.is_dir() {
            all.extend(tree(&path));
        }
        all.insert(path, (meta.mode(), meta.uid(), content));
    }
    all
}

fn put(world: &World, path: &str, content: &str) -> PathBuf {
    let path = world.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

fn world_with_vm() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    world
}

/// Every command that may write to the library.
const WRITERS: [&str; 11] = [
    "create other",
    "create other --net",
    "freeze dev",
    "freeze dev -o x.smolmachine",
    "pack alpine -o y.smolmachine",
    "snapshot rm dev --yes",
    "snapshot prune --keep-last 1 --yes",
    "snapshot import some.tar",
    "snapshot tag dev a",
    "engine use 1.2.3",
    "cp dev:/root/a .",
];

const READERS: [&str; 7] = [
    "engine ls",
    "snapshot ls",
    "snapshot ls dev",
    "snapshot verify --all",
    "snapshot show dev",
    "thaw dev",
    "snapshot export dev -o z.tar",
];

// ------------------------------------------------------------------------------------ what is not a library

#[test]
fn a_folder_with_anything_else_is_refused_and_not_touched() {
    let foreign = [
        "thesis.txt",
        "locks/codes.txt",
        "locks/codes.lock",
        "work/thesis.txt",
        "work/.tmpAbCdEf",
        "vms/dev.json",
        "snapshots/2024/holiday/beach.jpg",
        "snapshots/web/1/snapshot.json",
        "snapshots/notes.txt",
        "engines/v8.zip",
        "engines/1.2.3/thesis.txt",
        "music/song.ogg",
        ".hidden",
    ];
    for file in foreign {
        let world = world_with_vm();
        put(&world, "work/some.tar", "not read");
        put(&world, &format!("home/library/{file}"), "{\"precious\": true}\n");
        let before = tree(&world.path("home/library"));
        for line in WRITERS.iter().chain(&READERS) {
            let run = world.run(line).code(8);
            let said = stderr(&run);
            assert!(
                said.contains("is not a bottle-freeze library") && said.contains("--home or $BOTTLE_FREEZE_HOME"),
                "{line}: {said}"
            );
        }
        world.run("doctor").code(8).stdout(contains("is not a bottle-freeze library"));
        world.run("doctor --fix").code(8);
        assert_eq!(tree(&world.path("home/library")), before, "{file}");
    }
}

#[test]
fn the_message_names_the_foreign_file() {
    let world = world_with_vm();
    put(&world, "home/library/work/thesis.txt", "years of work");
    let run = world.run("freeze dev").code(8);
    let said = stderr(&run);
    assert!(said.contains("work/thesis.txt") && said.contains("home/library"), "{said}");
    let errors = world.run("freeze dev --error-format json").code(8);
    let error: serde_json::Value = serde_json::from_str(stderr(&errors).lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "not-writable");
}

#[test]
fn commands_that_need_no_library_work_with_any_folder() {
    let world = World::new();
    world.vm("dev").running();
    put(&world, "home/library/thesis.txt", "years of work");
    for line in ["ls", "exec dev -- true"] {
        world.run(line).success();
    }
    assert_eq!(names_in(&world.path("home/library")), ["thesis.txt"]);
}

#[test]
fn files_of_file_systems_and_desktops_are_ignored() {
    let world = world_with_vm();
    fs::create_dir_all(world.path("home/library/lost+found")).unwrap();
    put(&world, "home/library/.DS_Store", "of the system");
    world.run("freeze dev").success();
    world.run("snapshot ls").success().stdout(contains("dev@"));
    assert!(world.path("home/library/lost+found").is_dir() && world.path("home/library/.DS_Store").is_file());
}

// ------------------------------------------------------------------------------------------- what marks one

#[test]
fn a_new_library_has_a_marker_and_is_private() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    let marker = world.path("home/library/bottle-freeze.json");
    let said: serde_json::Value = serde_json::from_slice(&fs::read(&marker).unwrap()).unwrap();
    assert_eq!((&said["kind"], &said["format"]), (&"bottle-freeze library".into(), &1.into()));
    assert_eq!(fs::metadata(&marker).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(world.path("home/library")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn foreign_files_put_into_a_library_later_stay() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    let precious = [
        "thesis.txt",
        "work/thesis.txt",
        "work/.tmpAbCdEf",
        "work/run-thesis",
        "locks/codes.lock",
        "locks/codes.txt",
        "vms/notes.json",
        "snapshots/notes.txt",
        "snapshots/dev/notes.txt",
        "snapshots/.bottle-freeze-thesis/thesis.txt",
        "snapshots/dev/.bottle-freeze-thesis/thesis.txt",
        "engines/notes.txt",
        ".bottle-freeze-notes1",
        "store/objects/.bottle-freeze-notes1",
        "store/runtimes/thesis/thesis.txt",
        "store/runtimes/notes/index.json/notes.txt",
    ];
    for file in precious {
        put(&world, &format!("home/library/{file}"), "/home/of/precious\nwords\n");
    }
    put(&world, "work/.bottle-freeze-thesis/thesis.txt", "years of work");
    // So that it is added again, and old ones are removed.
    let runtimes = world.path("home/library/store/runtimes");
    for name in names_in(&runtimes).iter().filter(|name| !["thesis", "notes"].contains(&name.as_str())) {
        fs::remove_dir_all(runtimes.join(name)).unwrap();
    }
    for line in
        ["freeze dev", "freeze dev -o x.smolmachine", "snapshot rm dev --yes", "snapshot prune --keep-last 1 --yes"]
    {
        world.run(line).success();
    }
    finish(world.line("doctor --fix"));
    for file in precious {
        assert!(world.path(&format!("home/library/{file}")).exists(), "{file}");
    }
    assert!(world.path("work/.bottle-freeze-thesis/thesis.txt").exists());
}

#[test]
fn a_library_of_a_later_format_is_refused() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    put(&world, "home/library/bottle-freeze.json", r#"{"kind": "bottle-freeze library", "format": 2, "new": {}}"#);
    let before = tree(&world.path("home/library"));
    for line in ["freeze dev", "snapshot ls", "snapshot rm dev --yes"] {
        world.run(line).code(8).stderr(contains("format 2").and(contains("update bottle-freeze")));
    }
    assert_eq!(tree(&world.path("home/library")), before);
}

#[test]
fn a_foreign_marker_is_refused() {
    for kind in ["folder", "link", "fifo", "other"] {
        let world = world_with_vm();
        world.run("freeze dev").success();
        let marker = world.path("home/library/bottle-freeze.json");
        fs::rename(&marker, world.path("marker")).unwrap();
        match kind {
            "folder" => fs::create_dir(&marker).unwrap(),
            "link" => symlink(world.path("marker"), &marker).unwrap(),
            "fifo" => assert!(std::process::Command::new("mkfifo").arg(&marker).status().unwrap().success()),
            _ => fs::write(&marker, r#"{"kind": "a recipe", "format": 1}"#).unwrap(),
        }
        world.run("freeze dev").code(8).stderr(contains("its bottle-freeze.json is not valid"));
    }
}

#[test]
fn an_unreadable_marker_is_not_replaced() {
    for text in ["[1]", "my notes", r#"{"kind": "bottle-freeze library", "format": "2.0"}"#, "{\"kind\": \"recipe"] {
        let world = world_with_vm();
        world.run("freeze dev").success();
        let marker = put(&world, "home/library/bottle-freeze.json", text);
        for line in ["freeze dev", "snapshot rm dev --yes", "doctor --fix", "snapshot prune --keep-last 1 --yes"] {
            let run = world.run(line).code(8);
            // doctor prints lines of 80 columns.
            let said = (stdout(&run) + &stderr(&run)).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("its bottle-freeze.json is not valid"), "{text}: {said}");
            assert_eq!(fs::read_to_string(&marker).unwrap(), text);
        }
    }
}

#[test]
fn a_dangling_link_is_not_a_library_and_doctor_reports_it() {
    let world = world_with_vm();
    symlink(world.path("nowhere"), world.path("home/library")).unwrap();
    for line in ["freeze dev", "snapshot ls", "doctor"] {
        let run = world.run(line).code(8);
        let said = (stdout(&run) + &stderr(&run)).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("leads to no folder"), "{line}: {said}");
    }
}

#[test]
fn a_library_made_read_only_by_its_user_stays_read_only() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // Root can write anyway, so only the modes are checked.
    let world = world_with_vm();
    world.run("freeze dev").success();
    let folders = ["snapshots", "snapshots/dev", "store", "store/objects", "work"]
        .map(|name| world.path("home/library").join(name));
    for folder in &folders {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    }
    world.run("freeze dev").success();
    for folder in folders {
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o500, "{}", folder.display());
    }
}

#[test]
fn a_snapshot_whose_files_cannot_be_removed_stays_visible() {
    let world = world_with_vm();
    for of in ["--launcher", ""] {
        world.run(&format!("freeze dev {of}")).success();
        let ids = names_in(&world.path("home/library/snapshots/dev"));
        let snapshot = world.path("home/library/snapshots/dev").join(&ids[0]);
        let files = if of.is_empty() {
            vec![snapshot.join("index.json"), objects(&snapshot).remove(0)]
        } else {
            vec![snapshot.join("vm.smolmachine")]
        };
        for file in files {
            let change = |how: &str| std::process::Command::new("chattr").arg(how).arg(&file).status();
            if !change("+i").is_ok_and(|status| status.success()) {
                return;
            }
            let before = tree(&world.path("home/library"));
            let run = world.run("snapshot rm dev --yes");
            let after = tree(&world.path("home/library"));
            change("-i").unwrap();
            let name = file.file_name().unwrap().to_str().unwrap();
            run.code(8).stderr(contains(format!("{name}: it is immutable")));
            assert_eq!(before, after, "{name}");
            world.run("snapshot verify dev").success();
        }
        world.run("snapshot rm dev --yes").success();
    }
}

#[test]
fn a_foreign_file_among_objects_is_neither_used_nor_removed() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    let snapshot = world.path("home/library/snapshots/dev");
    let snapshot = snapshot.join(&names_in(&snapshot)[0]);
    let kept = put(&world, "home/library/store/objects/thesis.txt", "mine");
    let inside = snapshot.join("objects/thesis.txt");
    fs::write(&inside, "mine").unwrap();
    world.run("snapshot verify dev").success();
    let before = tree(&world.path("home/library"));
    world.run("snapshot rm dev --yes").code(8).stderr(contains("objects/thesis.txt"));
    assert_eq!(tree(&world.path("home/library")), before);
    fs::remove_file(inside).unwrap();
    world.run("snapshot rm dev --yes").success();
    assert_eq!(names_in(&world.path("home/library/store/objects")), ["thesis.txt"]);
    // A link in place of an object is not followed, and replaced.
    world.run("freeze dev").success();
    let object = stored_objects(&world).into_iter().find(|path| path.file_name() != kept.file_name()).unwrap();
    world.run("snapshot rm dev --yes").success();
    symlink(&kept, &object).unwrap();
    world.run("freeze dev").success();
    assert!(fs::symlink_metadata(&object).unwrap().is_file());
    world.run("snapshot verify dev").success();
    assert_eq!(fs::read_to_string(kept).unwrap(), "mine");
}

// ------------------------------------------------------------------------------- what only looks like ours

/// Folders with the name of a private one that no run created.
const LOOK_ALIKES: [&[(&str, &str)]; 11] = [
    &[("keep.jpg", "mine")],
    &[("alive", ""), ("keep.jpg", "mine")],
    &[("alive", "they all were\n"), ("export", "mine")],
    &[("new/keep.jpg", "mine")],
    &[("removed/2024/keep.jpg", "mine")],
    &[("alive", ""), ("tmp/keep.jpg", "mine")],
    &[("vm.smolmachine/keep.jpg", "mine")],
    &[("engine/keep.jpg", "mine")],
    &[("index.json/keep.jpg", "mine")],
    &[("objects/keep.jpg", "mine")],
    &[("new/objects/keep.jpg", "mine")],
];

#[test]
fn a_folder_with_only_the_name_of_a_leftover_is_not_removed() {
    for files in LOOK_ALIKES {
        let world = world_with_vm();
        world.run("freeze dev").success();
        world.run("freeze dev").success();
        let places = ["work", "home/library/snapshots", "home/library/snapshots/dev", "tmp", "home/library"];
        for place in places {
            for (file, text) in files {
                put(&world, &format!("{place}/.bottle-freeze-abcdef/{file}"), text);
            }
        }
        let all = || places.map(|place| tree(&world.path(place).join(".bottle-freeze-abcdef")));
        let before = all();
        for line in [
            "freeze dev -o x.smolmachine",
            "freeze dev",
            "snapshot export dev -o x.tar",
            "snapshot rm dev --yes",
            "snapshot prune --keep-last 1 --yes",
            "doctor --fix",
        ] {
            let run = world.run(line);
            assert_eq!(all(), before, "{files:?}: {line}: {}", stderr(&run));
        }
    }
}

#[test]
fn a_marker_emptied_by_a_power_cut_is_written_again() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    put(&world, "home/library/bottle-freeze.json", "");
    world.run("snapshot ls").success().stdout(contains("dev@"));
    world.run("freeze dev").success();
    assert!(fs::read_to_string(world.path("home/library/bottle-freeze.json")).unwrap().contains("\"format\": 1"));
}

// ------------------------------------------------------------------------------------- libraries of 0.1.0

/// A library as 0.1.0 left it: after a freeze, a record, an installed engine, and kills at every moment.
fn library_of_0_1_0() -> World {
    let world = world_with_vm();
    world.run("create net --net").success();
    world.run("freeze dev -t ready").success();
    let vm = world.path("home/library/snapshots/dev");
    make_old(&world, &vm.join(&names_in(&vm)[0]));
    fs::remove_dir_all(world.path("home/library/store")).unwrap();
    fs::remove_file(world.path("home/library/bottle-freeze.json")).unwrap();
    put(&world, "home/library/locks/vm-dev.lock", "process 4194999 on here, since 2026-01-01T00:00:00Z\n");
    put(&world, "home/library/locks/engines.lock", "");
    put(&world, "home/library/work/.tmpAbCdEf", world.path("work").to_str().unwrap());
    put(&world, "home/library/work/.tmpGhIjKl", "");
    put(&world, "home/library/vms/.tmpMnOpQr", "{\"made\":");
    let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::open(world.path("home/library/vms/.tmpMnOpQr")).unwrap().set_modified(an_hour_ago).unwrap();
    put(&world, "home/library/snapshots/dev/.bottle-freeze-abc123/removed/vm.smolmachine", "half of it");
    put(&world, "home/library/snapshots/dev/deadbeef/vm.smolmachine", "without a snapshot.json");
    put(&world, "home/library/engines/.bottle-freeze-abc123/wheel", "half of it");
    for file in ["bin/smolvm", "smolvm", "agent-rootfs/sbin/init", "libkrun.so.1"] {
        put(&world, &format!("home/library/engines/1.10.0/{file}"), "an engine");
    }
    symlink("1.10.0", world.path("home/library/engines/in-use")).unwrap();
    world
}

#[test]
fn a_library_of_0_1_0_is_recognized_and_gets_its_marker() {
    let world = library_of_0_1_0();
    world.run("snapshot ls").success().stdout(contains("ready"));
    assert!(!world.path("home/library/bottle-freeze.json").exists(), "a reader writes nothing");
    world.run("freeze dev").success();
    assert!(world.path("home/library/bottle-freeze.json").exists());
    world.run("thaw dev@ready other").success();
    for gone in [
        "locks/vm-dev.lock",
        "locks/engines.lock",
        "work/.tmpAbCdEf",
        "work/.tmpGhIjKl",
        "engines/.bottle-freeze-abc123",
        "vms/.tmpMnOpQr",
    ] {
        assert!(!world.path(&format!("home/library/{gone}")).exists(), "{gone}");
    }
    assert_eq!(stdout(&world.run("engine ls -q").success()), "1.10.0\n");
}

#[test]
fn a_folder_with_a_foreign_file_is_not_a_library_of_0_1_0() {
    let everywhere = [
        "x",
        "locks/x",
        "work/x",
        "vms/x",
        "engines/x",
        "engines/1.10.0/x",
        "snapshots/x",
        "snapshots/dev/x",
        "snapshots/dev/deadbeef/x",
    ];
    for file in everywhere {
        let world = library_of_0_1_0();
        put(&world, &format!("home/library/{file}"), "precious");
        let before = tree(&world.path("home/library"));
        world.run("freeze dev").code(8).stderr(contains("is not a bottle-freeze library"));
        assert_eq!(tree(&world.path("home/library")), before, "{file}");
    }
}

#[test]
fn a_foreign_file_in_a_store_is_noticed_without_a_marker() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    let snapshot = format!("snapshots/dev/{}", names_in(&world.path("home/library/snapshots/dev"))[0]);
    let in_snapshot = format!("{snapshot}/objects/x");
    put(&world, "home/library/store/runtimes/a-key/index.json", "{}");
    let marker = world.path("home/library/bottle-freeze.json");
    for file in ["store/x", "store/objects/x", "store/runtimes/x/x", "store/runtimes/a-key/x", &*in_snapshot] {
        fs::remove_file(&marker).unwrap();
        let file = put(&world, &format!("home/library/{file}"), "precious");
        world.run("freeze dev").code(8).stderr(contains("is not a bottle-freeze library"));
        fs::remove_file(&file).unwrap();
        let _ = fs::remove_dir(file.parent().unwrap());
        world.run("freeze dev").success();
        assert!(marker.exists());
    }
}

#[test]
fn a_library_of_0_1_0_that_cannot_be_written_can_be_read() {
    let world = library_of_0_1_0();
    let folder = world.path("home/library");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    for line in ["snapshot ls", "snapshot verify dev@ready", "thaw dev@ready other"] {
        finish(without_override(&world.line(line))).success();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

// ------------------------------------------------------------------------------------------- readers write nothing

#[test]
fn a_command_that_only_reads_creates_no_library() {
    let world = world_with_vm();
    for line in [
        "snapshot ls",
        "snapshot ls --json",
        "snapshot verify --all",
        "snapshot show dev",
        "ls",
        "engine ls",
        "doctor",
        "doctor --fix",
    ] {
        world.run(line);
        assert!(!world.path("home/library").exists(), "{line}");
    }
    let mut complete = world.line("snapshot rm d");
    complete.env("COMPLETE", "fish");
    let _ = complete.output();
    assert!(!world.path("home/library").exists());
}

// ------------------------------------------------------------------------------------------- other users, links

/// A library of another user, as root sees it.
#[test]
fn root_changes_nothing_in_the_library_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        return println!("NOT RUN: only root can change the owner of a folder");
    }
    let world = library_of_0_1_0();
    put(&world, "work/some.tar", "not read");
    let give = |owner: &str| {
        let library = world.path("home/library");
        assert!(std::process::Command::new("chown").args(["-R", owner]).arg(library).status().unwrap().success());
    };
    give("65534");
    let before = tree(&world.path("home/library"));
    for line in WRITERS.iter().chain(&READERS).chain(&["engine rm 1.10.0"]) {
        let run = world.run(line);
        let status = run.get_output().status.code();
        assert!(matches!(status, Some(8 | 13)), "{line}: {}", stderr(&run));
    }
    world.run("snapshot ls").code(8).stderr(contains("another user"));
    finish(world.line("doctor --fix")).code(8);
    assert_eq!(tree(&world.path("home/library")), before);
    give("0");
    world.run("snapshot ls").success();
}

#[test]
fn root_creates_no_library_in_the_home_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        return println!("NOT RUN: only root can change the owner of a folder");
    }
    let world = world_with_vm();
    fs::create_dir(world.path("theirs")).unwrap();
    assert!(std::process::Command::new("chown").arg("65534").arg(world.path("theirs")).status().unwrap().success());
    let mut freeze = world.line("freeze dev");
    freeze.env("BOTTLE_FREEZE_HOME", world.path("theirs/.local/share/bottle-freeze"));
    finish(freeze).code(8).stderr(contains("another user"));
    assert_eq!(names_in(&world.path("theirs")), [""; 0]);
}

#[test]
fn links_inside_a_library_are_not_followed() {
    for inside in ["snapshots", "snapshots/dev", "store", "store/objects", "work", "vms", "engines", "locks"] {
        let world = world_with_vm();
        world.run("create net --net").success();
        world.run("freeze dev -t ready").success();
        put(&world, "work/some.tar", "not read");
        let (path, outside) = (world.path("home/library").join(inside), world.path("outside"));
        if path.exists() {
            fs::rename(&path, &outside).unwrap();
        } else {
            fs::create_dir(&outside).unwrap();
        }
        put(&world, "outside/vm-dev.lock", "");
        put(&world, "outside/.tmpAbCdEf", "/tmp");
        put(&world, "outside/.bottle-freeze-abcdef/vm.smolmachine", "half of it");
        put(&world, "outside/1.10.0/bin/smolvm", "an engine");
        symlink(&outside, &path).unwrap();
        let before = tree(&outside);
        for line in WRITERS.iter().chain(&["rm net --yes", "engine rm 1.10.0", "create other --net", "doctor --fix"]) {
            let run = world.run(line);
            assert_eq!(tree(&outside), before, "{inside}: {line}: {}", stderr(&run));
        }
    }
}

#[test]
fn removing_a_link_keeps_the_snapshot_that_it_points_to() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    let ids = names_in(&world.path("home/library/snapshots/dev"));
    let folder = world.path("home/library/snapshots/dev").join(&ids[0]);
    fs::rename(&folder, world.path("outside")).unwrap();
    symlink(world.path("outside"), &folder).unwrap();
    let before = tree(&world.path("outside"));
    for line in [format!("snapshot rm dev@{} --yes", ids[0]), "snapshot prune --keep-last 1 --yes".to_owned()] {
        world.run(&line);
    }
    assert_eq!(tree(&world.path("outside")), before);
    // What the message suggests works.
    world.run("thaw dev x").code(10).stderr(contains(format!("or remove {}", folder.display())));
    world.run(&format!("snapshot rm dev@{} --yes", ids[0])).code(8).stderr(contains("it is a link, or not a folder"));
}

// -------------------------------------------------------------------------------------- what is removed by name

#[test]
fn a_snapshot_with_a_foreign_file_is_not_removed() {
    for (file, line) in [
        ("notes.txt", "snapshot rm dev@old --yes"),
        (".bottle-freeze-notes1", "snapshot rm dev@old --yes"),
        ("objects/.bottle-freeze-notes1", "snapshot rm dev@old --yes"),
        ("snapshot.json.orig", "snapshot prune --keep-last 1 --tag old --yes"),
    ] {
        let world = world_with_vm();
        world.run("freeze dev -t old").success();
        world.run("freeze dev").success();
        let id: serde_json::Value = serde_json::from_str(&stdout(&world.run("snapshot show dev@old --json"))).unwrap();
        let folder = world.path("home/library/snapshots/dev").join(id["id"].as_str().unwrap());
        fs::write(folder.join(file), "mine").unwrap();
        let before = tree(&folder);
        world.run(line).code(8).stderr(contains(file).and(contains("move")));
        assert_eq!(tree(&folder), before);
        fs::remove_file(folder.join(file)).unwrap();
        world.run(line).success();
        assert!(!folder.exists());
    }
}

#[test]
fn an_engine_folder_with_a_foreign_file_is_not_removed() {
    let world = library_of_0_1_0();
    put(&world, "home/library/locks/engines.lock", "");
    world.run("freeze dev").success();
    put(&world, "home/library/engines/1.10.0/notes.txt", "mine");
    world.run("engine rm 1.10.0").code(8).stderr(contains("notes.txt"));
    assert!(world.path("home/library/engines/1.10.0/notes.txt").exists());
    fs::remove_file(world.path("home/library/engines/1.10.0/notes.txt")).unwrap();
    world.run("engine rm 1.10.0").success();
}

#[test]
fn a_foreign_record_is_kept() {
    let world = world_with_vm();
    world.run("freeze dev").success();
    let path = put(&world, "home/library/vms/net.json", "{\"precious\": true}");
    world.run("create net --net").success().stderr(contains("cannot be recorded"));
    world.run("rm net --yes").success();
    assert_eq!(fs::read_to_string(path).unwrap(), "{\"precious\": true}");
}

#[test]
fn a_link_in_the_cache_is_not_written_through() {
    let world = World::with_engine("1.4.0");
    let precious = put(&world, "work/precious", "years of work");
    fs::create_dir_all(world.path("home/.cache/bottle-freeze")).unwrap();
    symlink(&precious, world.path("home/.cache/bottle-freeze/engine.lock")).unwrap();
    world.run("create dev").success();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "years of work");
    fs::remove_dir_all(world.path("home/.cache/bottle-freeze")).unwrap();
    fs::create_dir(world.path("elsewhere")).unwrap();
    symlink(world.path("elsewhere"), world.path("home/.cache/bottle-freeze")).unwrap();
    world.run("create other").success();
    assert_eq!(names_in(&world.path("elsewhere")), [""; 0]);
}
