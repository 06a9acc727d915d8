//! The record of a snapshot from elsewhere is not trusted: what it would open must be confirmed.

use crate::support::pty::Session;
use crate::support::{World, names_in, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// An exported snapshot of a bare VM, with a changed snapshot.json.
fn forged(world: &World, file: &str, forge: impl Fn(&mut Value)) {
    world.vm("forged").stopped();
    world.run("freeze forged").success();
    world.run(&format!("snapshot export forged -o {file}")).success();
    world.run("snapshot rm forged --yes").success();
    world.smolvm("machine delete -f --name forged");
    let folder = world.path("tmp/forged");
    fs::create_dir_all(&folder).unwrap();
    tar(&folder, &["-xf", &world.path("work").join(file).display().to_string()]);
    let json = folder.join("snapshot.json");
    let mut metadata: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    forge(&mut metadata);
    fs::write(&json, metadata.to_string()).unwrap();
    tar(&folder, &["-cf", &world.path("work").join(file).display().to_string(), "snapshot.json", "vm.smolmachine"]);
    fs::remove_dir_all(folder).unwrap();
}

fn tar(folder: &Path, words: &[&str]) {
    assert!(Command::new("tar").args(words).current_dir(folder).status().unwrap().success());
}

/// Claims a network and ports.
fn open(metadata: &mut Value) {
    metadata["machine"]["network"] = true.into();
    metadata["machine"]["network_known"] = true.into();
    metadata["machine"]["ports"] = json!(["0.0.0.0:2222:22"]);
    metadata["origin"] = json!({"kind": "frozen"});
}

#[test]
fn the_network_and_ports_of_an_imported_snapshot_are_not_trusted() {
    let world = World::new();
    forged(&world, "x.tar", open);
    world.run("snapshot import x.tar").success();
    let said = stderr(&world.run("thaw forged --no-start").code(6));
    for part in ["imported from x.tar", "all of the network", "0.0.0.0:2222:22", "--net", "-p 0.0.0.0:2222:22"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for half in ["--net", "-p 8080:80"] {
        world.run(&format!("thaw forged --no-start {half}")).code(6);
    }
    assert!(world.list().is_empty());
    world.run("thaw forged --no-start --yes --replace").code(6);
}

#[test]
fn a_hint_can_be_pasted_into_a_shell_whatever_the_record_says() {
    let world = World::new();
    forged(&world, "x.tar", |metadata| metadata["machine"]["ports"] = json!(["80:80; rm -rf ~", "$(id):1"]));
    world.run("snapshot import x.tar").success();
    let said = stderr(&world.run("thaw forged --no-start").code(6));
    assert!(said.contains("-p '80:80; rm -rf ~' -p '$(id):1'"), "{said}");
}

#[test]
fn an_option_confirms_only_what_it_names() {
    let world = World::new();
    forged(&world, "x.tar", open);
    world.run("snapshot import x.tar").success();
    world.run("thaw forged --no-start --net -p 8080:80").success();
    let record = world.record("forged");
    assert_eq!((&record["network"], &record["ports"]), (&json!(true), &json!(["8080:80"])));
    world.run("thaw forged limited --no-start --allow-cidr 10.0.0.0/8 -p 8081:80").success();
    assert_eq!(world.record("limited")["cidrs"], json!(["10.0.0.0/8"]));
    // A VM without any of it needs no confirmation.
    world.run("create bare --from forged").success();
    let record = world.record("bare");
    assert_eq!((&record["network"], &record["ports"]), (&json!(false), &json!([])));
}

#[test]
fn the_question_lists_what_would_be_open() {
    for (answer, code, vms) in [("y", 0, 1), ("n", 6, 0)] {
        let world = World::new();
        forged(&world, "x.tar", |metadata| {
            open(metadata);
            metadata["machine"]["allowed_cidrs"] = json!(["10.0.0.0/8"]);
            metadata["machine"]["ports"] = json!(["18080:80"]);
        });
        world.run("snapshot import x.tar").success();
        let mut terminal = Session::start(world.line("thaw forged --no-start"));
        terminal.wait_for("publishes the ports 18080:80. Make the VM?");
        assert!(terminal.screen().contains("its VM gets the network 10.0.0.0/8"), "{}", terminal.screen());
        terminal.press(answer);
        assert_eq!(terminal.wait(), Some(code));
        assert_eq!(world.list().len(), vms);
        if code == 0 {
            let record = world.record("forged");
            assert_eq!((&record["cidrs"], &record["ports"]), (&json!(["10.0.0.0/8"]), &json!(["18080:80"])));
        }
    }
}

#[test]
fn an_artifact_that_opens_the_network_requires_confirmation() {
    let world = World::new();
    forged(&world, "x.tar", |metadata| {
        metadata["machine"]["network"] = true.into();
        metadata["machine"]["network_known"] = true.into();
    });
    // Only the record claims it: the artifact itself is closed.
    world.run("snapshot import x.tar").success();
    world.run("thaw forged --no-start").code(6).stderr(contains("--net enables the network"));
    world.run("create dev --from forged").success();
    assert_eq!(world.record("dev")["network"], false);
}

#[test]
fn a_snapshot_frozen_here_is_thawed_without_confirmation() {
    let world = World::new();
    world.run("create dev --net -p 18080:80").success();
    world.run("start dev").success();
    world.run("freeze dev --yes").success();
    world.run("rm dev --yes").success();
    world.run("thaw dev --no-start").success();
    assert_eq!(world.record("dev")["ports"], json!(["18080:80"]));
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show dev --json").success())).unwrap();
    assert_eq!(shown["origin"], json!({"kind": "frozen"}));
}

#[test]
fn the_origin_of_a_snapshot_of_0_1_0_is_unknown() {
    let world = World::new();
    world.run("create dev --net").success();
    world.run("start dev").success();
    world.run("freeze dev --yes").success();
    let snapshots = world.path("home/library/snapshots/dev");
    let json = snapshots.join(&names_in(&snapshots)[0]).join("snapshot.json");
    let mut metadata: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    metadata.as_object_mut().unwrap().remove("origin");
    fs::write(&json, metadata.to_string()).unwrap();
    world
        .run("thaw dev other --no-start")
        .code(6)
        .stderr(contains("by an earlier version of bottle-freeze").and(contains("--net")));
    world.run("thaw dev other --no-start --net").success();
}

#[test]
fn an_import_records_its_origin_and_ignores_the_claimed_one() {
    let world = World::new();
    forged(&world, "x.tar", open);
    world.run("snapshot import x.tar").success();
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show forged --json").success())).unwrap();
    assert_eq!((&shown["origin"]["kind"], &shown["origin"]["from"]), (&json!("imported"), &json!("x.tar")));
}

#[test]
fn an_impossible_record_is_not_imported() {
    for (key, value) in [
        ("/machine/cpus", json!(0)),
        ("/machine/cpus", json!(100_000)),
        ("/machine/memory_mib", json!(1_u64 << 60)),
        ("/machine/storage_gb", json!(1_u64 << 40)),
        ("/machine/overlay_gb", json!(0)),
        ("/machine/ports", json!(["80:80\n--net"])),
        ("/machine/allowed_cidrs", json!(["10.0.0.0/8\u{1b}[31m"])),
        ("/machine/image", json!("alpine\u{1b}[2J")),
        ("/machine/env", json!(["A\u{7}"])),
        ("/machine/labels", json!({"a": "x\u{0}y"})),
        ("/machine/labels", json!({"=b": "x"})),
        ("/machine/labels", json!({"": "x"})),
        ("/machine/labels", json!({"a\nb": "x"})),
        ("/machine", with_settings(&json!({"disk_durability": "full\u{0}"}))),
        ("/machine", with_settings(&json!({"disks": [{"path": "/dev/sda\u{0}"}]}))),
        ("/files", json!({})),
    ] {
        let world = World::new();
        forged(&world, "x.tar", |metadata| *metadata.pointer_mut(key).unwrap() = value.clone());
        let run = world.run("snapshot import x.tar").code(10);
        assert!(!stderr(&run).contains(['\u{1b}', '\u{7}', '\u{8}']), "{key}: {}", stderr(&run));
        assert!(!stderr(&run).contains(".bottle-freeze-"), "{key}: {}", stderr(&run));
        assert_eq!(stdout(&world.run("snapshot ls -q").success()), "");
    }
}

/// The configuration of a VM with these settings.
fn with_settings(settings: &Value) -> Value {
    json!({
        "cpus": 1, "memory_mib": 512, "network": false, "network_known": true, "ports": [], "settings": settings,
    })
}

#[test]
fn multiline_labels_and_commands_survive_export_and_import() {
    let world = World::new();
    forged(&world, "x.tar", |metadata| {
        metadata["machine"]["labels"] = json!({"a": "one\ntwo = 2", "ü": ""});
        metadata["machine"]["settings"] = json!({"cmd": ["sh", "-c", "one\ntwo"]});
    });
    world.run("snapshot import x.tar").success();
    world.run("thaw forged --no-start").success();
    assert_eq!(world.record("forged")["labels"], json!({"a": "one\ntwo = 2", "ü": ""}));
}

#[test]
fn an_impossible_creation_time_becomes_the_time_of_arrival() {
    for created in ["2999-01-01T00:00:00Z", "yesterday", "0001-01-01T00:00:00Z", "", "\u{1b}[2J"] {
        let world = World::new();
        forged(&world, "x.tar", |metadata| metadata["created"] = created.into());
        world.run("snapshot import x.tar").success().stderr(contains("it was set to now"));
        let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show forged --json").success())).unwrap();
        let now = shown["created"].as_str().unwrap();
        assert!(now.starts_with("20") && now < "2900", "{now}");
    }
}

#[test]
fn a_live_artifact_opens_no_port_without_confirmation() {
    let world = World::new();
    world.vm("dev").with("-p 18080:80").running();
    world.run("freeze dev --live -o x.checkpoint").success();
    for line in ["thaw x.checkpoint a --no-start", "create a --from x.checkpoint"] {
        world.run(line).code(6).stderr(contains("18080:80"));
    }
    world.run("thaw x.checkpoint a --no-start -p 18080:80").success();
    world.run("create b --from x.checkpoint -p 18080:80").success();
    world.run("thaw x.checkpoint c --no-start -p 18080:80 -p 1:1").code(2);
}
