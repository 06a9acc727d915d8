//! What an output may replace: a regular file, or the one that a symlink points to, and nothing else.

use crate::support::library::IN_CHUNKS;
use crate::support::namespace::{disk, in_a_namespace};
use crate::support::{World, end_of, finish, names_in, stderr};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// A running VM, a stopped one, and a snapshot of the latter.
fn world() -> World {
    let world = World::new();
    world.vm("dev").running();
    world.write_guest("dev", "root/note", "new");
    world.vm("other").stopped();
    world.run("freeze other -t t").success();
    world.warm();
    world
}

/// Each command that writes to a path given by its user, and the files that it writes there.
const WRITERS: [(&str, &str); 5] = [
    ("freeze dev --yes --restart -o out.smolmachine", "out.smolmachine"),
    ("freeze dev --yes --restart -o out", "out"),
    ("freeze dev --yes --restart -o out", "out.smolmachine"),
    ("pack alpine -o out.smolmachine", "out.smolmachine"),
    ("snapshot export other@t -o out.tar", "out.tar"),
];
const CP: (&str, &str) = ("cp dev:/root/note out", "out");

/// Each writer, without and with `--force`; `cp` has no such option, and replaces whatever it may.
fn lines() -> impl Iterator<Item = (String, &'static str, bool)> {
    let both =
        |(line, file): (&str, &'static str)| [(line.to_owned(), file, false), (format!("{line} --force"), file, true)];
    WRITERS.into_iter().flat_map(both).chain([(CP.0.to_owned(), CP.1, true)])
}

fn run(program: &str, words: &[&str], path: &Path) -> bool {
    Command::new(program).args(words).arg(path).status().is_ok_and(|status| status.success())
}

/// Creates something at a path.
type Maker = fn(&Path);

fn fifo(path: &Path) {
    assert!(run("mkfifo", &[], path));
}

fn socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

/// A device like `/dev/null`, or a socket if devices are not allowed.
fn device(path: &Path) {
    let made = Command::new("mknod").arg(path).args(["c", "1", "3"]).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("NOT RUN: devices cannot be created here");
        socket(path);
    }
}

fn link_to_fifo(path: &Path) {
    let target = path.with_file_name("aside");
    fifo(&target);
    symlink("aside", path).unwrap();
}

fn link_to_nothing(path: &Path) {
    symlink("missing", path).unwrap();
}

fn link_to_itself(path: &Path) {
    symlink(path.file_name().unwrap(), path).unwrap();
}

fn link_to_dev_null(path: &Path) {
    symlink("/dev/null", path).unwrap();
}

#[test]
fn an_output_that_is_not_a_regular_file_is_refused_even_with_force() {
    let kinds: [(&str, Maker); 7] = [
        ("fifo", fifo),
        ("socket", socket),
        ("device", device),
        ("link to a fifo", link_to_fifo),
        ("link to nothing", link_to_nothing),
        ("link to itself", link_to_itself),
        ("link to /dev/null", link_to_dev_null),
    ];
    let world = world();
    for (kind, make) in kinds {
        for (line, file, _) in lines() {
            let path = world.path("work").join(file);
            make(&path);
            let (before, names) = (fs::symlink_metadata(&path).unwrap(), names_in(&world.path("work")));
            world.forget_calls();
            let run = world.run(&line).code(7).stderr(contains(file).and(contains("regular file")));
            let after = fs::symlink_metadata(&path).unwrap();
            assert_eq!(
                (before.ino(), before.file_type()),
                (after.ino(), after.file_type()),
                "{kind}, {line}: {}",
                stderr(&run)
            );
            assert_eq!(names_in(&world.path("work")), names, "{kind}, {line}");
            let calls = world.commands();
            assert!(calls.iter().all(|call| call == "machine ls"), "{kind}, {line}: {calls:?}");
            for name in names {
                fs::remove_file(world.path("work").join(name)).unwrap();
            }
        }
    }
}

#[test]
fn a_device_and_standard_output_are_refused() {
    in_a_namespace(|| {
        let world = world();
        // A machine without /dev/null fails in odd ways: this one is private.
        disk(Path::new("/mnt"), "size=1m");
        device(Path::new("/mnt/null"));
        let out = fs::File::create(world.path("work/stdout")).unwrap();
        for (line, _, _) in lines() {
            let (command, _) = line.trim_end_matches(" --force").rsplit_once(' ').unwrap();
            for place in ["/mnt/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
                let force = if line.ends_with("--force") { " --force" } else { "" };
                let line = format!("{command} {place}{force}");
                let mut command = world.line(&line);
                command.stdout(out.try_clone().unwrap());
                command.status().map(|status| assert_eq!(status.code(), Some(7), "{line}")).unwrap();
            }
        }
        assert!(fs::symlink_metadata("/mnt/null").unwrap().file_type().is_char_device());
        assert_eq!(fs::read(world.path("work/stdout")).unwrap(), b"");
        assert_eq!(names_in(&world.path("work")), ["stdout"]);
    });
}

#[test]
fn a_folder_is_never_replaced_and_nothing_is_stopped() {
    let world = world();
    for (line, file, _) in lines().filter(|(line, ..)| !line.starts_with("cp")) {
        fs::create_dir(world.path("work").join(file)).unwrap();
        world.forget_calls();
        world.run(&line).code(7).stderr(contains("is a folder"));
        assert_eq!(world.state("dev"), "running");
        assert!(!world.commands().contains(&"machine stop".to_owned()), "{line}");
        fs::remove_dir(world.path("work").join(file)).unwrap();
    }
}

#[test]
fn an_output_inside_the_library_is_refused_even_with_force() {
    let world = world();
    let snapshots = world.path("home/library/snapshots/other");
    let id = &names_in(&snapshots)[0];
    let folder = snapshots.join(id);
    let whole = fs::read(folder.join("index.json")).unwrap();
    let outputs =
        [folder.join("index.json"), folder.join("new"), snapshots.join("new"), world.path("home/library/store/x")];
    for output in outputs {
        let output = output.display();
        for line in ["freeze other", "pack alpine", "snapshot export other@t"] {
            for force in ["", " --force"] {
                let run = world.run(&format!("{line} -o {output}{force}")).code(8);
                run.stderr(contains("is inside the bottle-freeze library"));
            }
        }
        world.run(&format!("cp dev:/root/note {output}")).code(8);
    }
    assert_eq!(names_in(&folder), IN_CHUNKS);
    assert_eq!(fs::read(folder.join("index.json")).unwrap(), whole);
    world.run("snapshot verify --all").success();
}

#[test]
fn a_symlink_to_a_file_stays_and_its_target_is_replaced() {
    let world = world();
    let places = ["elsewhere", "elsewhere/deep"].map(|place| world.path(place));
    for place in &places {
        fs::create_dir(place).unwrap();
    }
    for (line, file, may_replace) in lines() {
        let (link, target) = (world.path("work").join(file), world.path("elsewhere/deep/target"));
        fs::write(&target, "the old one").unwrap();
        // Through another link, and relative.
        symlink("deep/target", world.path("elsewhere/middle")).unwrap();
        symlink("../elsewhere/middle", &link).unwrap();
        let run = world.run(&line);
        if may_replace {
            run.success();
            assert_ne!(fs::read(&target).unwrap(), b"the old one", "{line}");
        } else {
            run.code(7).stderr(contains("--force"));
            assert_eq!(fs::read(&target).unwrap(), b"the old one", "{line}");
        }
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("../elsewhere/middle"), "{line}");
        assert_eq!(names_in(&places[0]), ["deep", "middle"], "{line}");
        // A launcher looks for its sidecar next to its own file.
        let pair: &[&str] = if may_replace && file == "out" && line.starts_with("freeze") {
            &["target", "target.smolmachine"]
        } else {
            &["target"]
        };
        assert_eq!(names_in(&places[1]), pair, "{line}");
        fs::remove_file(world.path("elsewhere/middle")).unwrap();
        for name in pair {
            fs::remove_file(places[1].join(name)).unwrap();
        }
        for name in names_in(&world.path("work")) {
            fs::remove_file(world.path("work").join(name)).unwrap();
        }
    }
}

#[test]
fn the_target_of_a_symlink_may_be_on_another_disk() {
    in_a_namespace(|| {
        let world = world();
        disk(&world.path("disk"), "size=200m");
        for (line, file, _) in lines().filter(|(_, _, may_replace)| *may_replace) {
            let target = world.path("disk/target");
            fs::write(&target, "the old one").unwrap();
            symlink("../disk/target", world.path("work").join(file)).unwrap();
            world.run(&line).success();
            assert_ne!(fs::read(&target).unwrap(), b"the old one", "{line}");
            let all = names_in(&world.path("disk"));
            let others: Vec<_> =
                all.iter().filter(|name| !["target", "target.smolmachine"].contains(&name.as_str())).collect();
            assert!(others.is_empty(), "{line}: {others:?}");
            for name in all {
                fs::remove_file(world.path("disk").join(name)).unwrap();
            }
            for name in names_in(&world.path("work")) {
                fs::remove_file(world.path("work").join(name)).unwrap();
            }
        }
    });
}

#[test]
fn replacing_one_hard_link_keeps_the_other() {
    let world = world();
    for (line, file, _) in lines().filter(|(_, _, may_replace)| *may_replace) {
        let other = world.write("other", "the old one");
        fs::hard_link(&other, world.path("work").join(file)).unwrap();
        world.run(&line).success();
        assert_ne!(fs::read(world.path("work").join(file)).unwrap(), b"the old one", "{line}");
        assert_eq!(fs::read(&other).unwrap(), b"the old one", "{line}");
        for name in names_in(&world.path("work")) {
            fs::remove_file(world.path("work").join(name)).unwrap();
        }
    }
}

/// Makes a file that cannot be replaced, or a folder that accepts none; or undoes that.
type Obstacle = fn(&Path, bool) -> bool;

fn immutable(path: &Path, on: bool) -> bool {
    run("chattr", &[if on { "+i" } else { "-i" }], path)
}

fn append_only(path: &Path, on: bool) -> bool {
    run("chattr", &[if on { "+a" } else { "-a" }], path)
}

fn append_only_folder(path: &Path, on: bool) -> bool {
    append_only(path.parent().unwrap(), on)
}

fn immutable_folder(path: &Path, on: bool) -> bool {
    immutable(path.parent().unwrap(), on)
}

fn mounted(path: &Path, on: bool) -> bool {
    if !on {
        return run("umount", &[], path);
    }
    let other = path.with_file_name("mounted");
    fs::write(&other, "the old one").unwrap();
    run("mount", &["--bind", other.to_str().unwrap()], path)
}

fn read_only_folder(path: &Path, on: bool) -> bool {
    let folder = path.parent().unwrap();
    if !on {
        return run("umount", &[], folder);
    }
    run("mount", &["--bind", folder.to_str().unwrap()], folder) && run("mount", &["-o", "remount,bind,ro"], folder)
}

#[test]
fn an_irreplaceable_output_is_refused_before_anything_is_stopped() {
    let obstacles: [(&str, Obstacle); 6] = [
        ("immutable", immutable),
        ("append-only", append_only),
        ("append-only folder", append_only_folder),
        ("immutable folder", immutable_folder),
        ("mounted", mounted),
        ("read-only folder", read_only_folder),
    ];
    in_a_namespace(|| {
        let world = world();
        for (what, obstacle) in obstacles {
            for (line, file, _) in lines().filter(|(_, _, may_replace)| *may_replace) {
                let path = world.path("work").join(file);
                fs::write(&path, "the old one").unwrap();
                if !obstacle(&path, true) {
                    println!("NOT RUN: {what} cannot be tried here");
                    obstacle(&path, false);
                    continue;
                }
                let names = names_in(&world.path("work"));
                world.forget_calls();
                let run = world.run(&line);
                let calls = world.commands();
                let after = (fs::read(&path).unwrap(), names_in(&world.path("work")));
                assert!(obstacle(&path, false), "{what}, {line}");
                run.code(8).stderr(contains(world.path("work").to_str().unwrap()));
                assert_eq!(after, (b"the old one".to_vec(), names.clone()), "{what}, {line}");
                let changing = ["machine stop", "machine cp", "pack create"];
                assert!(!calls.iter().any(|call| changing.contains(&call.as_str())), "{what}, {line}: {calls:?}");
                for name in names {
                    fs::remove_file(world.path("work").join(name)).unwrap();
                }
            }
        }
    });
}

#[test]
fn another_user_s_file_in_a_sticky_folder_is_refused_early() {
    in_a_namespace(|| {
        let world = world();
        // Without the capabilities of an owner, root is like any other user.
        let mut probe = Command::new("setpriv");
        probe.args(["--bounding-set=-fowner", "true"]);
        if !rustix::process::geteuid().is_root() || !probe.status().is_ok_and(|status| status.success()) {
            return println!("NOT RUN: capabilities cannot be dropped here");
        }
        let folder = world.path("work");
        std::os::unix::fs::chown(&folder, Some(1234), None).unwrap();
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
        for (line, file, _) in lines().filter(|(_, _, may_replace)| *may_replace) {
            let path = world.write(file, "the old one");
            std::os::unix::fs::chown(&path, Some(1235), None).unwrap();
            world.forget_calls();
            let plain = world.line(&line);
            let mut command = Command::new("setpriv");
            command.arg("--bounding-set=-fowner").arg(plain.get_program()).args(plain.get_args());
            world.set_environment(&mut command);
            finish(command).code(8).stderr(contains("sticky").and(contains("another user")));
            assert_eq!(fs::read(&path).unwrap(), b"the old one", "{line}");
            assert!(!world.commands().contains(&"machine stop".to_owned()), "{line}");
            assert_eq!(names_in(&folder), [file], "{line}");
            fs::remove_file(path).unwrap();
        }
        // The user's own file there can be replaced as anywhere else.
        world.write("out.tar", "the old one");
        world.run("snapshot export other@t -o out.tar --force").success();
    });
}

#[test]
fn an_output_folder_that_is_moved_away_loses_nothing() {
    let world = world();
    let folder = world.path("work/folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("out.smolmachine"), "the old one").unwrap();
    world.fault(serde_json::json!({"on": "pack create", "at": "half", "do": {"await": world.path("go")}}));
    let freeze = world.spawn("freeze dev --yes --force --restart -o folder/out.smolmachine");
    crate::support::wait_until("it packs", || {
        names_in(&folder).iter().any(|name| folder.join(name).join("snapshot.smolmachine").exists())
    });
    fs::rename(&folder, world.path("work/moved")).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("out.smolmachine"), "another one").unwrap();
    fs::write(world.path("go"), "").unwrap();
    freeze.wait().failure();
    assert_eq!(world.read("folder/out.smolmachine"), "another one");
    assert_eq!(world.read("moved/out.smolmachine"), "the old one");
    assert_eq!(names_in(&folder), ["out.smolmachine"]);
    assert_eq!(world.state("dev"), "running");
}

/// `bottle-freeze` on a file system that cannot rename without replacing, and perhaps has no hard links either; None
/// without strace. The command must start no VM: strace would wait for its end.
fn on_a_poor_file_system(world: &World, line: &str, has_links: bool) -> Option<Command> {
    let plain = world.line(line);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2,link,linkat"]);
    strace.args(["-e", "inject=renameat2:error=EINVAL"]);
    if !has_links {
        strace.args(["-e", "inject=link,linkat:error=EPERM"]);
    }
    strace.arg(plain.get_program()).args(plain.get_args());
    world.set_environment(&mut strace);
    let is_there = Command::new("strace").arg("--version").output().is_ok();
    if !is_there {
        println!("NOT RUN: strace is not installed");
    }
    is_there.then_some(strace)
}

#[test]
fn a_file_system_without_atomic_exclusive_rename_works_too() {
    for has_links in [true, false] {
        let world = world();
        for line in [
            "freeze other",
            "freeze other -o out",
            "snapshot export other@t -o out.tar",
            "snapshot import out.tar --as again",
        ] {
            let Some(command) = on_a_poor_file_system(&world, line, has_links) else { return };
            finish(command).success();
        }
        world.assert_clean(&["out", "out.smolmachine", "out.tar"]);
        for line in ["freeze other -o out", "snapshot export other@t -o out.tar"] {
            let before = (world.read("out.smolmachine"), world.read("out.tar"));
            finish(on_a_poor_file_system(&world, line, has_links).unwrap()).code(7);
            assert_eq!((world.read("out.smolmachine"), world.read("out.tar")), before);
        }
        world.run("verify out.smolmachine").success();
        world.run("snapshot verify --all").success();
    }
}

#[test]
fn a_file_that_appears_at_the_output_is_not_replaced() {
    for has_links in [true, false] {
        let world = world();
        world.fault(serde_json::json!({"on": "pack create", "at": "end", "do": {"await": world.path("go")}}));
        let line = "freeze other -o out.smolmachine";
        let Some(mut command) = on_a_poor_file_system(&world, line, has_links) else { return };
        let freeze = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        crate::support::wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
        world.write("out.smolmachine", "another one");
        fs::write(world.path("go"), "").unwrap();
        let ended = end_of(freeze);
        assert_eq!(ended.status.code(), Some(7), "{}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(world.read("out.smolmachine"), "another one");
        world.assert_clean(&["out.smolmachine"]);
    }
}
