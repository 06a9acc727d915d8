//! `pack`: an image becomes a file from which VMs can be created, completely or not at all.

use crate::support::{World, manifest};
use predicates::str::contains;
use serde_json::json;
use std::fs;

#[test]
fn an_image_is_packed_and_a_vm_is_made_from_it() {
    for version in ["0.8.0", "1.4.0", "1.14.0", "1.32.2"] {
        let world = World::with_engine(version);
        world.run("pack alpine:3.20 -o base.smolmachine --cpus 2 --mem 1024").success();
        let manifest = manifest(&world.path("work/base.smolmachine"));
        assert_eq!((&manifest["cpus"], &manifest["mem"]), (&json!(2), &json!(1024)), "{version}");
        world.run("create web --from base.smolmachine").success();
        assert_eq!(world.record("web")["image"], "alpine:3.20");
        world.assert_clean(&["base.smolmachine"]);
    }
}

#[test]
fn a_folder_of_the_host_is_found_from_the_engine_folder() {
    let world = World::new();
    fs::create_dir(world.path("work/rootfs")).unwrap();
    world.run("pack ./rootfs -o base").success();
    let calls = world.calls();
    let image = format!("--image={}", fs::canonicalize(world.path("work/rootfs")).unwrap().display());
    assert!(calls.iter().any(|argv| argv.contains(&image)), "{calls:?}");
    world.assert_clean(&["base", "base.smolmachine", "rootfs"]);
}

#[test]
fn an_existing_file_is_replaced_only_with_force() {
    let world = World::new();
    world.write("base.smolmachine", "old");
    world.run("pack alpine -o base.smolmachine").code(7).stderr(contains("--force"));
    assert!(world.all_calls().is_empty());
    assert_eq!(world.read("base.smolmachine"), "old");
    world.run("pack alpine -o base.smolmachine --force").success();
    assert_ne!(world.read("base.smolmachine"), "old");
}

#[test]
fn a_folder_that_cannot_be_written_has_status_8() {
    let world = World::new();
    for out in ["missing/x.smolmachine", "/proc/x"] {
        world.run(&format!("pack alpine -o {out}")).code(8);
    }
    assert!(world.calls().is_empty());
}

#[test]
fn a_pack_that_fails_leaves_the_old_file() {
    for action in
        [json!({"fail": {"status": 1, "stderr": "Error: no registry"}}), json!({"kill": 9}), json!({"lie": true})]
    {
        let world = World::new();
        world.write("base.smolmachine", "old");
        world.fault(json!({"on": "pack create", "at": "half", "do": action}));
        world.run("pack alpine -o base.smolmachine --force").code(1);
        assert_eq!(world.read("base.smolmachine"), "old");
        world.assert_clean(&["base.smolmachine"]);
    }
}

#[test]
fn an_interrupted_pack_leaves_the_old_file() {
    let world = World::new();
    world.write("base.smolmachine", "old");
    world.fault(json!({"on": "pack create", "at": "half", "do": "hang"}));
    let pack = world.spawn("pack alpine -o base.smolmachine --force");
    crate::support::wait_until("the pack runs", || world.commands().contains(&"pack create".to_owned()));
    pack.signal(rustix::process::Signal::INT);
    pack.wait().code(130);
    assert_eq!(world.read("base.smolmachine"), "old");
    world.assert_clean(&["base.smolmachine"]);
}
