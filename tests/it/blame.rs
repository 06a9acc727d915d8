//! An error names what failed, and its exit status says what kind of failure it is.

use crate::support::{World, end_of, finish, random_bytes, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::io::Read;
use std::process::Stdio;

/// Each thing that can be missing, and the words that name it.
const MISSING: [(&str, &str); 13] = [
    ("verify missing.smolmachine", "missing.smolmachine cannot be read"),
    ("thaw missing.smolmachine", "missing.smolmachine cannot be read"),
    ("create new --from missing.smolmachine", "missing.smolmachine cannot be read"),
    ("snapshot push missing.smolmachine localhost:1/x --yes", "missing.smolmachine cannot be read"),
    ("snapshot import missing.tar", "missing.tar cannot be read"),
    ("pack ./missing -o y", "the image ./missing cannot be read"),
    ("create new --env-file missing", "missing cannot be read"),
    ("cp missing dev:/root/x", "missing cannot be copied"),
    ("cp nosuch:/root/x y", "no VM named 'nosuch'"),
    ("stop nosuch", "no VM named 'nosuch'"),
    ("snapshot export nosuch -o y", "no snapshot 'nosuch'"),
    ("thaw dev@nosuch", "no snapshot 'dev@nosuch'"),
    ("freeze --vm-label no=no", "no VM has that label"),
];

#[test]
fn a_missing_thing_is_named_with_exit_status_4() {
    let world = World::new();
    world.vm("dev").running();
    for (line, name) in MISSING {
        let said = stderr(&world.run(line).code(4));
        assert!(said.contains(name), "{line}: {said}");
        assert_eq!(said.contains("no VM named"), name.contains("no VM named"), "{line}: {said}");
    }
    world.assert_clean(&[]);
}

#[test]
fn a_temporary_folder_that_cannot_be_written_is_not_blamed_on_the_engine() {
    let world = World::new();
    let mut create = world.line("create dev -e PATH=/x:/bin");
    create.env("TMPDIR", "/nonexistent");
    let said = stderr(&finish(create).code(8));
    assert!(said.contains("the temporary folder /nonexistent cannot be written") && said.contains("$TMPDIR"), "{said}");
    assert!(!said.contains("engine"), "{said}");
    assert_eq!(world.state("dev"), "missing");
}

#[test]
fn a_missing_folder_for_the_output_counts_as_not_writable() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --restart --yes").success();
    let lines = [
        "freeze dev --yes -o nosuch/x",
        "snapshot export dev -o nosuch/x",
        "pack alpine -o nosuch/x",
        "cp dev:/root/x nosuch/x",
    ];
    for line in lines {
        world.run(line).code(8).stderr(contains("nosuch/x").and(contains("cannot be written")));
    }
}

#[test]
fn an_export_of_a_snapshot_that_loses_a_file_names_the_file() {
    // This engine packs no /workspace: it is in a second file.
    let world = World::with_engine("1.8.0");
    world.vm("dev").running();
    world.write_guest("dev", "root/big", random_bytes(2_000_000));
    world.run("freeze dev --yes").success();
    let mut export = world.line("snapshot export dev -o -");
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut tar = export.stdout.take().unwrap();
    let mut some = [0; 4096];
    tar.read_exact(&mut some).unwrap();
    // It is now waiting for a reader, within the first file.
    let folder = world.path("home/library/snapshots/dev");
    let id = crate::support::names_in(&folder).into_iter().find(|name| !name.starts_with('.')).unwrap();
    fs::remove_file(folder.join(id).join("workspace.tar")).unwrap();
    std::io::copy(&mut tar, &mut std::io::sink()).unwrap();
    let output = end_of(export);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("workspace.tar cannot be read: No such file or directory"), "{said}");
    assert!(!said.contains("standard output"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_unreadable_import_blames_its_input_and_not_the_library() {
    let world = World::new();
    fs::create_dir(world.path("work/folder")).unwrap();
    for (file, why) in [("folder", "Is a directory"), ("/proc/self/mem", "Input/output error")] {
        let said = stderr(&world.run(&format!("snapshot import {file}")).code(1));
        assert!(said.contains(&format!("{file} cannot be read: {why}")), "{said}");
    }
}

#[test]
fn a_vm_without_snapshots_is_named() {
    let world = World::new();
    world.vm("dev").stopped();
    for line in ["snapshot ls dev", "snapshot prune dev --keep-last 1"] {
        let said = stdout(&world.run(line).success());
        assert!(said.contains("no snapshots of dev; make one with: bottle-freeze freeze dev"), "{line}: {said}");
    }
    wait_until("nothing is left", || crate::support::names_in(&world.path("tmp")).is_empty());
}
