//! `freeze --live`: a VM is frozen while it runs, and thawed with its RAM; `pause` and `resume`.

use crate::support::{World, library, names_in, random_bytes, stderr, stdout, wait_until};
use bottle_freeze::engine::{Fact, Version};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const ENGINES: [&str; 4] = ["1.14.0", "1.19.0", "1.28.1", "1.32.2"];

#[test]
fn a_live_freeze_stops_nothing_and_asks_nothing() {
    for version in ENGINES {
        let world = World::with_engine(version);
        world.vm("dev").running();
        let pid = world.vmm("dev");
        let said = stdout(&world.warm().run("freeze dev --live").success());
        assert!(
            said.contains("froze dev as dev@") && said.contains("paused for 0.1 s") && !said.contains("stopped"),
            "{said}"
        );
        assert_eq!((world.state("dev").as_str(), world.vmm("dev")), ("running", pid));
        // The guest trims its disks.
        let trims = version.parse::<Version>().unwrap().has(Fact::StopFlushes);
        let calls = ["machine ls", "machine data-dir", "machine exec", "machine checkpoint", "machine ls"];
        let calls: Vec<_> = calls.into_iter().filter(|call| trims || *call != "machine exec").collect();
        assert_eq!(world.commands(), calls);
        let shown = shown(&world, "dev");
        assert_eq!(shown["downtime_seconds"], 0.125);
        assert_eq!((files(&shown), &shown["artifact"]["live"]), (vec!["index.json"], &json!(true)));
        world.run("snapshot verify dev").success();
        world.assert_clean(&[]);
    }
}

#[test]
fn a_second_live_snapshot_adds_what_changed_and_outlives_the_first() {
    for version in ENGINES {
        let world = World::with_engine(version);
        world.vm("dev").running();
        world.write_guest("dev", "root/large", random_bytes(3 << 20));
        world.run("freeze dev --live -t first").success();
        world.write_guest("dev", "root/notes", "second");
        world.run("freeze dev --live -t second").success();
        let added = |tag| shown(&world, tag)["artifact"]["added"].as_u64().unwrap();
        assert!(added("dev@first") > 3 << 20 && added("dev@second") < 1 << 20, "{version}: {}", added("dev@second"));
        world.run("snapshot rm dev@first --yes").success();
        world.run("snapshot verify dev").success();
        world.run("rm dev --yes").success();
        world.run("thaw dev@second").success();
        assert_eq!(world.read_guest("dev", "root/notes").as_deref(), Some("second"));
        world.run("snapshot rm dev@second --yes").success();
        assert_eq!(library::stored_objects(&world), [""; 0].map(PathBuf::from), "{version}");
    }
}

#[test]
fn only_engines_that_store_every_vm_in_chunks_get_a_store() {
    for (version, option) in [("1.19.0", "--staging-dir"), ("1.28.1", "--store")] {
        let world = World::with_engine(version);
        world.vm("dev").running();
        world.run("freeze dev --live --dry-run").success().stdout(contains(option));
        world.run("freeze dev --live -o x.checkpoint --dry-run").success().stdout(contains("--staging-dir"));
    }
}

#[test]
fn a_live_snapshot_is_exported_and_imported() {
    for version in ENGINES {
        let world = World::with_engine(version);
        world.vm("dev").running();
        world.write_guest("dev", "root/notes", "set up");
        world.run("freeze dev --live").success();
        world.run("snapshot export dev -o dev.tar").code(6).stderr(contains("RAM").and(contains("--allow-secrets")));
        world.run("snapshot export dev -o dev.tar --allow-secrets").success();
        let tar = fs::read(world.path("work/dev.tar")).unwrap();
        let mut tar = tar::Archive::new(&tar[..]);
        let names = tar.entries().unwrap().map(|member| member.unwrap().path().unwrap().into_owned());
        assert_eq!(names.collect::<Vec<_>>(), ["snapshot.json", "vm.checkpoint"].map(PathBuf::from));
        world.run("snapshot import dev.tar --as other").success();
        let shown = shown(&world, "other");
        assert_eq!((files(&shown), &shown["artifact"]["live"]), (vec!["index.json"], &json!(true)));
        assert_eq!(shown["artifact"]["added"], 0, "{version}");
        world.run("thaw other --net").success();
        assert_eq!(world.read_guest("other", "root/notes").as_deref(), Some("set up"));
    }
}

#[test]
fn damaged_chunks_of_a_live_snapshot_are_noticed_and_written_anew() {
    let world = World::new();
    world.vm("dev").running();
    world.write_guest("dev", "root/large", random_bytes(3 << 20));
    world.run("freeze dev --live -t first").success();
    let first = world.path("home/library/snapshots/dev").join(shown(&world, "dev")["id"].as_str().unwrap());
    library::damage(&first);
    world.run("thaw dev other").code(10);
    assert_eq!(world.list().len(), 1);
    world.run("freeze dev --live -t second").success();
    world.run("snapshot verify dev@second").success();
    world.run("snapshot verify dev@first").success();
}

#[test]
fn a_snapshot_that_is_removed_during_a_live_freeze_leaves_no_chunks() {
    let world = World::new();
    world.vm("dev").running();
    world.write_guest("dev", "root/large", random_bytes(3 << 20));
    world.run("freeze dev --live -t first").success();
    world.warm().fault(json!({"on": "machine checkpoint", "at": "staged", "do": "hang"}));
    let freeze = world.spawn("freeze dev --live");
    wait_until("it saves", || world.commands().contains(&"machine checkpoint".to_owned()));
    world.run("snapshot rm dev@first --yes").success();
    freeze.signal(Signal::INT);
    freeze.wait().code(130);
    assert_eq!(library::stored_objects(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn a_live_snapshot_is_thawed_with_its_configuration() {
    for version in ["1.28.1", "1.32.2"] {
        let world = World::with_engine(version);
        world.run("create dev --cpus 2 --mem 512 --allow-cidr 10.0.0.0/8 -p 8080:80 --label team=a -e A=b").success();
        world.run("start dev").success();
        world.write_guest("dev", "root/notes", "set up");
        world.run("freeze dev --live").success();
        world.run("rm dev --yes").success();
        // The engine records the sizes of its disks, which were the default: nothing is lacking.
        let thaw = world.run("thaw dev");
        assert!(!stderr(&thaw).contains("lacks"), "{thaw}");
        let record = world.record("dev");
        assert_eq!(world.state("dev"), "running");
        assert_eq!(world.read_guest("dev", "root/notes").as_deref(), Some("set up"));
        assert_eq!(
            (&record["cpus"], &record["mem"], &record["labels"]),
            (&json!(2), &json!(512), &json!({"team": "a"}))
        );
        assert_eq!((&record["cidrs"], &record["ports"]), (&json!(["10.0.0.0/8"]), &json!(["8080:80"])));
        // Then again: what is known about it is kept.
        world.run("freeze dev --yes").success();
        assert_eq!(shown(&world, "dev")["machine"]["network_known"], true);
    }
}

#[test]
fn a_live_snapshot_with_unknown_limits_requires_confirmation() {
    let world = World::new();
    world.vm("dev").with("--net").running();
    world.run("freeze dev --live").success();
    world.run("freeze dev --live -o x.checkpoint").success();
    for line in ["thaw dev", "thaw x.checkpoint", "create y --from dev", "create y --from x.checkpoint"] {
        world.run(line).code(6).stderr(contains("--net accepts that"));
    }
    assert_eq!(world.list().len(), 1);
    world.run("thaw dev a --net").success();
    world.run("create b --from x.checkpoint --net").success();
    world.run("thaw dev c --allow-cidr 10.0.0.0/8").code(6);
}

#[test]
fn a_live_snapshot_continues_with_the_same_cpus() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --live").success();
    world.run("thaw dev --cpus 8").code(2).stderr(contains("continues with the cpus"));
    world.run("thaw dev --no-start").success();
    assert_ne!(world.state("dev-2"), "running");
}

#[test]
fn a_vm_that_cannot_be_frozen_live_is_refused_with_the_reason() {
    let (old, new) = (World::with_engine("1.12.0"), World::new());
    old.vm("dev").running();
    fs::create_dir_all(new.path("work/rootfs")).unwrap();
    let rootfs = new.path("work/rootfs").display().to_string();
    new.vm("img").with(&format!("--image {rootfs}")).running();
    new.vm("mounted").with(&format!("--volume {rootfs}:/mnt")).running();
    new.vm("down").stopped();
    for (world, vm, why) in [
        (&old, "dev", Fact::Live.missing_in(Version(1, 12, 0)).as_str()),
        (&new, "img", "its image is on this host"),
        (&new, "mounted", "folders of this host are mounted in it"),
        (&new, "down", "it is stopped"),
    ] {
        let before = world.state(vm);
        world.warm().run(&format!("freeze {vm} --live --yes")).code(5).stderr(contains(why));
        assert_eq!(world.commands(), ["machine ls"]);
        assert_eq!(world.state(vm), before);
    }
}

#[test]
fn auto_falls_back_to_an_ordinary_freeze_and_asks() {
    let world = World::with_engine("1.12.0");
    world.vm("dev").running();
    world.run("freeze dev --live=auto").code(6).stderr(contains("cannot be frozen live").and(contains("--yes")));
    assert_eq!(world.state("dev"), "running");
    world.run("freeze dev --live=auto --yes").success().stderr(contains("It is frozen in the ordinary way"));
    assert_eq!(files(&shown(&world, "dev")), ["index.json"]);
    assert_eq!(world.state("dev"), "stopped");
}

#[test]
fn auto_falls_back_if_the_engine_refuses() {
    let world = World::new();
    world.vm("dev").running();
    let refused = "Error: config operation failed: checkpoint machine: the initial portable checkpoint profile does not support gpu";
    world.fault(json!({"on": "machine checkpoint", "do": {"fail": {"status": 1, "stderr": refused}}}));
    world.run("freeze dev --live").code(5).stderr(contains("does not support gpu"));
    world.run("freeze dev --live=auto").code(6).stderr(contains("does not support gpu").and(contains("--yes")));
    assert_eq!(world.state("dev"), "running");
    world.run("freeze dev --live=auto --yes --restart").success();
    assert_eq!(files(&shown(&world, "dev")), ["index.json"]);
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_live_snapshot_can_be_a_file() {
    let world = World::new();
    world.vm("dev").running();
    for line in ["freeze dev --live -o x.smolmachine", "freeze dev --live -o x", "freeze dev -o x.checkpoint --yes"] {
        world.run(line).code(2);
    }
    world.run("freeze dev --live -o x.checkpoint").success();
    world.run("freeze dev --live -o x.checkpoint").code(7);
    world.run("freeze dev --live -o x.checkpoint --force").success();
    world.run("verify x.checkpoint").success();
    world.assert_clean(&["x.checkpoint"]);
    world.run("thaw x.checkpoint dev2").success();
    assert_eq!(world.state("dev2"), "running");
}

#[test]
fn a_failed_live_freeze_leaves_the_vm_running_and_nothing_behind() {
    for fault in [json!({"kill": 9}), json!({"fail": {"status": 1, "stderr": "Error: no"}}), json!({"lie": true})] {
        for at in ["start", "staged", "end"] {
            let world = World::new();
            world.vm("dev").running();
            world.warm().fault(json!({"on": "machine checkpoint", "at": at, "do": fault}));
            let run = world.run("freeze dev --live");
            // A false success at the end comes after the work was done.
            let done = at == "end" && fault["lie"] == true;
            assert_eq!(run.get_output().status.code(), Some(i32::from(!done)), "{at} {fault}: {}", stderr(&run));
            assert_eq!(world.state("dev"), "running");
            world.assert_clean(&[]);
        }
    }
    let world = World::new();
    world.vm("dev").running();
    world.warm().fault(json!({"on": "machine checkpoint", "at": "staged", "do": "hang"}));
    let freeze = world.spawn("freeze dev --live");
    wait_until("it saves", || world.commands().contains(&"machine checkpoint".to_owned()));
    freeze.signal(Signal::INT);
    freeze.wait().code(130);
    assert_eq!(world.state("dev"), "running");
    assert_eq!(names_in(&world.path("home/library/snapshots/dev")), [""; 0]);
}

#[test]
fn the_next_freeze_removes_what_a_killed_live_freeze_left() {
    for version in ENGINES {
        let world = World::with_engine(version);
        world.vm("dev").running();
        world.run("freeze dev --live -t first").success();
        world.warm().fault(json!({"on": "machine checkpoint", "at": "staged", "do": "hang"}));
        let freeze = world.spawn("freeze dev --live");
        wait_until("it saves", || world.commands().contains(&"machine checkpoint".to_owned()));
        freeze.signal(Signal::KILL);
        freeze.wait();
        world.clear_faults();
        world.run("snapshot rm dev@first --yes").success();
        world.run("freeze dev --live").success();
        assert_eq!(fs::read_dir(world.path("home/library/snapshots/dev")).unwrap().count(), 1, "{version}");
        let has_one_owner = |path: &PathBuf| fs::metadata(path).unwrap().nlink() == 2;
        assert!(library::stored_objects(&world).iter().all(has_one_owner), "{version}");
        world.assert_clean(&[]);
    }
}

#[test]
fn a_vm_that_does_not_continue_is_noticed() {
    for change in [json!({"stop_vm": "dev"}), json!({"replace_vm": "dev"}), json!({"delete_vm": "dev"})] {
        let world = World::new();
        world.vm("dev").running();
        world.warm().fault(json!({"on": "machine checkpoint", "at": "end", "do": change}));
        let run = world.run("freeze dev --live");
        assert_eq!(run.get_output().status.code(), Some(1), "{change}: {}", stderr(&run));
        assert_eq!(names_in(&world.path("home/library/snapshots/dev")), [""; 0]);
    }
}

#[test]
fn a_paused_vm_is_resumed() {
    let world = World::new();
    world.vm("dev").running();
    world.run("pause dev").success().stdout(contains("dev is paused"));
    assert_eq!(world.state("dev"), "paused");
    world.run("freeze dev --yes").code(5).stderr(contains("bottle-freeze resume dev"));
    world.run("resume dev").success().stdout(contains("dev is running"));
    assert_eq!(world.state("dev"), "running");
    let old = World::with_engine("1.14.0");
    old.vm("dev").running();
    old.run("pause dev").code(13).stderr(contains(Fact::Pause.missing_in(Version(1, 14, 0))));
}

fn shown(world: &World, reference: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(&format!("snapshot show {reference} --json")).success())).unwrap()
}

fn files(metadata: &Value) -> Vec<&str> {
    metadata["files"].as_object().unwrap().keys().map(String::as_str).collect()
}
