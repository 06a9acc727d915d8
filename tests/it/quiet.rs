//! `-q` prints the bare result on stdout, one per line, and nothing else, so that a script can use it directly.

use crate::support::library::artifact;
use crate::support::{World, finish, stderr, stdout};
use std::os::unix::ffi::OsStrExt;

/// The stdout of a quiet command; it prints nothing on stderr.
fn quiet(world: &World, line: &str) -> String {
    let run = world.run(&format!("-q {line}")).success();
    assert_eq!(stderr(&run), "", "{line}");
    stdout(&run)
}

#[test]
fn each_change_of_a_vm_prints_its_name() {
    let world = World::new();
    for line in ["create dev", "start dev", "pause dev", "resume dev", "stop dev", "rm dev --yes"] {
        assert_eq!(quiet(&world, line), "dev\n", "{line}");
    }
}

#[test]
fn several_vms_are_printed_one_per_line() {
    let world = World::new();
    world.vm("a").made_here().stopped();
    world.vm("b").made_here().stopped();
    assert_eq!(quiet(&world, "start a b -j 1"), "a\nb\n");
    let references = quiet(&world, "freeze --all -y -j 1");
    let vms: Vec<_> = references.lines().map(|reference| reference.split_once('@').unwrap().0).collect();
    assert_eq!(vms, ["a", "b"]);
}

#[test]
fn one_that_fails_prints_no_name() {
    let world = World::new();
    world.vm("a").made_here().stopped();
    let run = world.run("-q start a nosuch").code(3);
    assert_eq!(stdout(&run), "a\n");
    assert!(stderr(&run).contains("nosuch"), "{}", stderr(&run));
}

#[test]
fn a_frozen_vm_is_thawed_by_what_the_freeze_printed() {
    let world = World::new();
    world.vm("dev").made_here().running();
    let reference = quiet(&world, "freeze dev -y -t ready");
    assert!(reference.starts_with("dev@") && reference.ends_with('\n') && reference.lines().count() == 1);
    let reference = reference.trim();
    assert_eq!(quiet(&world, &format!("snapshot verify {reference}")).trim(), reference);
    assert_eq!(quiet(&world, &format!("snapshot tag {reference} good")).trim(), reference);
    assert_eq!(quiet(&world, &format!("thaw {reference} tuesday")), "tuesday\n");
    assert_eq!(quiet(&world, &format!("thaw {reference} tuesday --replace -y")), "tuesday\n");
    world.write("kept.smolmachine", artifact(&world, reference));
    for from in [reference, "kept.smolmachine"] {
        assert_eq!(quiet(&world, &format!("create wednesday --from {from}")), "wednesday\n");
        assert_eq!(quiet(&world, "rm wednesday -y"), "wednesday\n");
    }
    assert_eq!(quiet(&world, &format!("snapshot rm {reference} -y")).trim(), reference);
}

#[test]
fn a_file_is_printed_by_its_path() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let file = quiet(&world, "freeze dev -o x.smolmachine");
    assert_eq!(std::fs::canonicalize(file.trim()).unwrap(), world.path("work/x.smolmachine").canonicalize().unwrap());
    assert_eq!(quiet(&world, "verify x.smolmachine"), "x.smolmachine\n");
    let packed = quiet(&world, "pack alpine:3.20 -o image.smolmachine");
    assert!(packed.trim().ends_with("image.smolmachine"), "{packed}");
}

#[test]
fn a_path_that_is_not_utf8_is_printed_unchanged() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let name = std::ffi::OsStr::from_bytes(b"x\xff.smolmachine");
    let mut command = world.line("-q freeze dev -o");
    command.arg(name);
    let run = finish(command).success();
    let printed = run.get_output().stdout.strip_suffix(b"\n").unwrap();
    assert!(world.path("work").join(std::ffi::OsStr::from_bytes(printed)).is_file(), "{printed:?}");
}

#[test]
fn copies_print_where_they_are_now() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let reference = quiet(&world, "freeze dev");
    assert_eq!(quiet(&world, "snapshot export dev -o dev.tar"), "dev.tar\n");
    quiet(&world, "snapshot rm dev -y");
    assert_eq!(quiet(&world, "snapshot import dev.tar"), reference);
    std::fs::create_dir_all(world.path("fake/registry/127.0.0.1:5000")).unwrap();
    let run = world.run("-q snapshot push dev 127.0.0.1:5000/dev:ready -y").success();
    assert_eq!(stdout(&run), "127.0.0.1:5000/dev:ready\n");
    quiet(&world, "snapshot rm dev -y");
    assert_eq!(quiet(&world, "snapshot pull 127.0.0.1:5000/dev:ready"), reference);
}

#[test]
fn prune_prints_what_it_removes_and_not_what_it_keeps() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let (old, new) = (quiet(&world, "freeze dev"), quiet(&world, "freeze dev"));
    let prune = "snapshot prune --keep-last 1";
    assert_eq!(quiet(&world, &format!("{prune} --dry-run")), old);
    assert_eq!(quiet(&world, "snapshot ls"), old.clone() + &new);
    assert_eq!(quiet(&world, &format!("{prune} -y")), old);
    assert_eq!(quiet(&world, "snapshot ls"), new);
    assert_eq!(quiet(&world, &format!("{prune} -y")), "");
}

#[test]
fn all_without_any_vm_or_snapshot_prints_so() {
    let world = World::new();
    for line in ["freeze --all", "start --all", "stop --all", "pause --all", "resume --all", "rm --all"] {
        let run = world.run(line).success();
        assert!(stdout(&run).contains("no VMs"), "{line}: {}", stdout(&run));
        assert_eq!(stdout(&world.run(&format!("{line} --json")).success()).trim(), "[]", "{line}");
        assert_eq!(quiet(&world, line), "", "{line}");
    }
    for line in ["snapshot verify --all", "snapshot prune --keep-last 1"] {
        let run = world.run(line).success();
        assert!(stdout(&run).contains("no snapshots"), "{line}: {}", stdout(&run));
        assert_eq!(stdout(&world.run(&format!("{line} --json")).success()).trim(), "[]", "{line}");
        assert_eq!(quiet(&world, line), "", "{line}");
    }
}
