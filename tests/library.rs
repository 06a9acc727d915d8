//! The library: a snapshot is kept, found, checked, named, thawed and removed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use support::{World, names_in, stdout, wait_until};

// ------------------------------------------------------------------------------------------- freeze, keep

#[test]
fn a_freeze_without_an_output_is_kept_in_the_library() {
    let world = World::new();
    world.vm("dev").running();
    let said = stdout(&world.run("freeze dev --yes").success());
    assert!(said.starts_with("froze dev as dev@") && said.contains("down for"), "{said}");
    assert_eq!(names_in(&snapshot(&world)), ["snapshot.json", "vm.smolmachine"]);
    world.assert_clean(&[]);
}

#[test]
fn what_is_recorded_is_what_was_frozen_and_asked() {
    let world = World::new();
    world.vm("dev").with("--cpus 2 --mem 1024 --storage 3 --overlay 4 --label team=a").stopped();
    world.run("freeze dev -t ready -t v1 -m 'all set up' --label k=v").success();
    let metadata = metadata(&world);
    let machine = &metadata["machine"];
    assert_eq!(metadata["format"], 1);
    assert_eq!((&metadata["vm"], &metadata["note"]), (&json!("dev"), &json!("all set up")));
    assert_eq!((&metadata["tags"], &metadata["labels"]), (&json!(["ready", "v1"]), &json!({"k": "v"})));
    assert_eq!((&machine["cpus"], &machine["memory_mib"]), (&json!(2), &json!(1024)));
    assert_eq!((&machine["storage_gb"], &machine["overlay_gb"]), (&json!(3), &json!(4)));
    assert_eq!(machine["labels"], json!({"team": "a"}));
    assert_eq!(metadata["engine_version"], "1.32.2");
}

#[test]
fn the_launcher_is_kept_only_when_it_is_asked_for() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev --launcher").success();
    assert_eq!(names_in(&snapshot(&world)), ["snapshot.json", "vm", "vm.smolmachine"]);
    assert!(metadata(&world)["files"]["vm"]["sha256"].is_string());
}

#[test]
fn nobody_else_can_read_the_library() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for folder in ["home/library", "home/library/snapshots", "home/library/snapshots/dev"] {
        assert_eq!(mode(world.path(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(snapshot(&world)), 0o700);
    for file in names_in(&snapshot(&world)) {
        assert_eq!(mode(snapshot(&world).join(&file)), 0o600, "{file}");
    }
}

#[test]
fn a_freeze_that_fails_leaves_the_library_as_it_was() {
    let world = World::new();
    world.vm("dev").running();
    world.fault(json!({"on": "pack create", "at": "half", "do": {"kill": 9}}));
    world.run("freeze dev --yes").code(1).stderr(contains("the library is as it was"));
    assert_eq!(world.state("dev"), "running");
    assert_eq!(names_in(&world.path("home/library/snapshots/dev")), [""; 0]);
}

#[test]
fn what_a_killed_freeze_left_in_the_library_is_swept() {
    let world = World::new();
    world.vm("dev").stopped();
    world.vm("other").stopped();
    world.fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let freeze = world.spawn("freeze dev");
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    freeze.signal(Signal::KILL);
    drop(freeze);
    world.mend();
    world.run("snapshot ls").success().stdout(contains("no snapshots"));
    world.run("freeze other").success();
    assert_eq!(names_in(&world.path("home/library/snapshots/dev")), [""; 0]);
}

// ------------------------------------------------------------------------------------------------- thaw

#[test]
fn a_thawed_vm_is_the_vm_that_was_frozen() {
    let world = World::new();
    world.vm("dev").with("--cpus 2 --mem 1024 --storage 3 --overlay 4 --label team=a").stopped();
    world.write_guest("dev", "root/notes", "set up");
    world.run("freeze dev").success();
    world.run("thaw dev").success().stdout(contains("thawed dev-2; it is running"));
    assert_eq!(world.state("dev-2"), "running");
    assert_eq!(world.read_guest("dev-2", "root/notes").as_deref(), Some("set up"));
    let (old, new) = (listed(&world, "dev"), listed(&world, "dev-2"));
    for key in ["cpus", "memory_mib", "storage_gb", "overlay_gb", "labels", "network"] {
        assert_eq!(old[key], new[key], "{key}");
    }
}

#[test]
fn a_thawed_vm_has_the_old_name_when_that_is_free() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("rm dev --yes").success();
    world.run("thaw dev --no-start").success().stdout(contains("thawed dev;"));
    assert_ne!(world.state("dev"), "running");
}

#[test]
fn a_thawed_vm_has_no_more_network_than_the_frozen_one() {
    let world = World::new();
    world.vm("open").with("--net").stopped();
    world.vm("limited").with("--net --allow-cidr 10.0.0.0/8").stopped();
    world.run("freeze open").success();
    world.run("freeze limited").success();
    world.run("thaw open open2").success().stderr(contains("has none (--net gives it)"));
    world.run("thaw limited limited2").success();
    assert_eq!(listed(&world, "open2")["network"], false);
    assert_eq!(listed(&world, "limited2")["allowed_cidrs"], json!(["10.0.0.0/8"]));
}

#[test]
fn a_damaged_snapshot_is_not_thawed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let artifact = snapshot(&world).join("vm.smolmachine");
    let mut bytes = fs::read(&artifact).unwrap();
    bytes[100] ^= 1;
    fs::write(&artifact, bytes).unwrap();
    world.warm();
    for line in ["thaw dev", "create x --from dev", "snapshot verify dev"] {
        world.run(line).code(10).stderr(contains("damaged"));
    }
    world.run("snapshot verify --all").code(10);
    assert!(world.calls().is_empty(), "{:?}", world.calls());
}

#[test]
fn a_file_is_thawed_as_well() {
    let world = World::new();
    world.snapshot("kept.smolmachine");
    world.run("thaw kept.smolmachine").success().stdout(contains("thawed kept;"));
    assert_eq!(world.read_guest("kept", "root/hello").as_deref(), Some("from the snapshot"));
}

#[test]
fn a_name_that_is_taken_is_not_touched() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --yes --restart").success();
    world.run("thaw dev dev").code(1).stderr(contains("already exists"));
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_thaw_that_is_interrupted_leaves_no_vm() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.warm().fault(json!({"on": "machine create", "at": "after", "do": "hang"}));
    let thaw = world.spawn("thaw dev");
    wait_until("the VM is made", || world.path("fake/vms/dev-2/record.json").exists());
    thaw.signal(Signal::INT);
    thaw.wait().code(130);
    assert_eq!(world.state("dev-2"), "missing");
}

#[test]
fn create_takes_a_snapshot_of_the_library_too() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    world.run("create new --from dev@ready").success();
    assert_ne!(world.state("new"), "missing");
}

// ------------------------------------------------------------------------------------- find, name, remove

#[test]
fn a_vm_s_name_means_its_newest_snapshot() {
    let world = World::new();
    world.vm("dev").stopped();
    for note in ["first", "second"] {
        world.run(&format!("freeze dev -m {note}")).success();
    }
    assert_eq!(shown(&world, "dev")["note"], "second");
    world.run("snapshot ls dev").success().stdout(contains("first").and(contains("second")));
}

#[test]
fn a_snapshot_is_found_by_its_tag_and_by_the_beginning_of_its_id() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    let id = metadata(&world)["id"].as_str().unwrap().to_owned();
    for reference in ["dev@ready".to_owned(), format!("dev@{id}"), format!("dev@{}", &id[..4])] {
        assert_eq!(shown(&world, &reference)["id"], json!(id), "{reference}");
    }
}

#[test]
fn what_is_not_found_has_status_4() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    for reference in ["nosuch", "dev@nosuch", "dev@", "@", "", ".", "dev@@", "../dev"] {
        support::finish(world.command(["snapshot", "show", reference])).code(4);
    }
}

#[test]
fn an_ambiguous_id_lists_what_it_may_mean() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let one = snapshot(&world);
    for id in ["aaaa1111", "aaaa2222"] {
        copy_as(&world, &one, id);
    }
    world.run("snapshot show dev@aaaa").code(2).stderr(contains("dev@aaaa1111").and(contains("dev@aaaa2222")));
}

#[test]
fn a_tag_belongs_to_one_snapshot_and_force_moves_it() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready -m first").success();
    world.run("freeze dev -m second").success();
    world.run("snapshot tag dev ready").code(7).stderr(contains("--force"));
    assert_eq!(shown(&world, "dev@ready")["note"], "first");
    world.run("snapshot tag dev ready --force").success();
    assert_eq!(shown(&world, "dev@ready")["note"], "second");
    world.run("snapshot tag dev --remove ready").success();
    world.run("snapshot show dev@ready").code(4);
}

#[test]
fn a_freeze_does_not_take_a_tag_unless_it_is_forced() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev -t v1.2 -m first --yes --restart").success();
    world.warm().run("freeze dev -t v1.2 --yes").code(7).stderr(contains("--force"));
    assert!(!world.commands().contains(&"machine stop".to_owned()));
    world.run("freeze dev -t v1.2 -m second --yes --force").success();
    assert_eq!(shown(&world, "dev@v1.2")["note"], "second");
    world.run("thaw dev@v1.2 --no-start").success();
}

#[test]
fn a_freeze_of_a_vm_that_is_not_there_leaves_no_folder() {
    let world = World::new();
    world.run("freeze nosuch").code(4);
    world.vm("dev").stopped();
    world.run("freeze dev --dry-run").success();
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
}

#[test]
fn a_snapshot_is_removed_after_a_question() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("snapshot rm dev").code(6).stderr(contains("--yes"));
    world.run("snapshot verify dev").success();
    world.run("snapshot rm dev --yes").success();
    world.run("snapshot ls").success().stdout(contains("no snapshots"));
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
}

#[test]
fn the_list_needs_no_engine_and_is_json_for_scripts() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t a --label k=v").success();
    world.run("freeze dev").success();
    world.forget_calls();
    let json: Value = serde_json::from_str(&stdout(&world.run("snapshot ls --json --tag a").success())).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1);
    let names = stdout(&world.run("snapshot ls -q --label k=v").success());
    assert_eq!(names.trim(), format!("dev@{}", json[0]["id"].as_str().unwrap()));
    assert!(world.all_calls().is_empty());
}

// ------------------------------------------------------------------------------------------------- prune

#[test]
fn prune_keeps_what_the_policy_says_and_tells_why() {
    let world = four_snapshots();
    let plan = stdout(&world.run("snapshot prune dev --keep-last 2 --dry-run").success());
    assert_eq!(plan.matches("(last)").count(), 2, "{plan}");
    assert_eq!(plan.matches("(it has a tag)").count(), 1, "{plan}");
    assert_eq!(plan.matches("would remove dev@").count(), 1, "{plan}");
    assert_eq!(notes(&world), ["1", "2", "3", "4"]);
    world.run("snapshot prune dev --keep-last 2").code(6).stderr(contains("--yes"));
    assert_eq!(notes(&world), ["1", "2", "3", "4"]);
    world.run("snapshot prune dev --keep-last 2 --yes").success();
    assert_eq!(notes(&world), ["1", "3", "4"]);
}

#[test]
fn nothing_is_pruned_without_a_policy() {
    let world = four_snapshots();
    world.run("snapshot prune --yes").code(2).stderr(contains("--keep-last"));
    assert_eq!(notes(&world), ["1", "2", "3", "4"]);
}

#[test]
fn a_tagged_snapshot_is_pruned_only_when_its_tag_is_named() {
    let world = four_snapshots();
    let first = shown(&world, "dev@first")["id"].as_str().unwrap().to_owned();
    let said = stdout(&world.run("snapshot prune --keep-last 1 --yes").success());
    assert!(said.contains(&format!("keep dev@{first} (it has a tag)")), "{said}");
    assert_eq!(notes(&world), ["1", "4"]);
    world.run("snapshot prune --keep-last 1 --tag first --yes").success();
    assert_eq!(notes(&world), ["4"]);
}

#[test]
fn the_newest_snapshot_that_is_whole_is_never_pruned() {
    let world = four_snapshots();
    let newest = world.path("home/library/snapshots/dev").join(shown(&world, "dev")["id"].as_str().unwrap());
    fs::write(newest.join("vm.smolmachine"), "damaged").unwrap();
    world.run("snapshot prune --keep-tag first --yes").success().stdout(contains("the newest that is whole"));
    assert_eq!(notes(&world), ["1", "3"]);
}

/// Of one VM, with notes 1 to 4 from the oldest to the newest; the first one has the tag `first`.
fn four_snapshots() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -m 1 -t first").success();
    for note in 2..=4 {
        world.run(&format!("freeze dev -m {note}")).success();
    }
    world
}

fn notes(world: &World) -> Vec<String> {
    let all: Vec<Value> = serde_json::from_str(&stdout(&world.run("snapshot ls --json").success())).unwrap();
    all.iter().map(|one| one["note"].as_str().unwrap().to_owned()).collect()
}

// ------------------------------------------------------------------------------------------ export, import

#[test]
fn an_exported_snapshot_is_the_same_when_it_is_imported_elsewhere() {
    let (here, there) = (World::new(), World::new());
    here.vm("dev").stopped();
    here.write_guest("dev", "root/notes", "set up");
    here.run("freeze dev -t ready -m 'set up'").success();
    here.run("snapshot export dev -o dev.tar").success();
    here.run("snapshot export dev -o dev.tar").code(7);
    here.run("snapshot export dev -o dev.tar --force").success();
    here.assert_clean(&["dev.tar"]);
    fs::copy(here.path("work/dev.tar"), there.path("work/dev.tar")).unwrap();
    there.run("snapshot import dev.tar").success();
    assert_eq!(shown(&there, "dev@ready"), shown(&here, "dev@ready"));
    there.run("snapshot verify --all").success();
    there.run("thaw dev").success();
    assert_eq!(there.read_guest("dev", "root/notes").as_deref(), Some("set up"));
    there.run("snapshot import dev.tar").code(7);
    there.run("snapshot import dev.tar --as other").success();
    there.run("snapshot verify other@ready").success();
}

#[test]
fn what_is_no_exported_snapshot_leaves_the_library_as_it_was() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("snapshot export dev -o dev.tar").success();
    world.run("snapshot rm dev --yes").success();
    let whole = fs::read(world.path("work/dev.tar")).unwrap();
    let middle = whole.len() / 2;
    let flipped = [&whole[..middle], &[whole[middle] ^ 1], &whole[middle + 1..]].concat();
    for (name, bytes) in
        [("half.tar", &whole[..middle]), ("flipped.tar", &flipped), ("empty.tar", b""), ("text", b"no tar")]
    {
        world.write(name, bytes);
        world.run(&format!("snapshot import {name}")).code(10);
    }
    world.run("snapshot import nosuch.tar").code(4);
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
}

#[test]
fn an_import_writes_nothing_outside_of_the_library() {
    let world = World::new();
    for (name, kind) in [("../../evil", tar::EntryType::Regular), ("snapshot.json", tar::EntryType::Symlink)] {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o600);
        header.set_cksum();
        let mut evil = tar::Builder::new(Vec::new());
        evil.append(&header, std::io::empty()).unwrap();
        world.write("evil.tar", evil.into_inner().unwrap());
        world.run("snapshot import evil.tar").code(10).stderr(contains("no exported snapshot"));
        assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
    }
}

// ------------------------------------------------------------------------------------------ what lies there

#[test]
fn what_is_no_snapshot_is_told_and_the_rest_stays_usable() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let vm = world.path("home/library/snapshots/dev");
    fs::create_dir(vm.join("halfway0")).unwrap();
    fs::create_dir(vm.join("fromnewr")).unwrap();
    fs::write(vm.join("fromnewr/snapshot.json"), r#"{"format": 2}"#).unwrap();
    let list = world.run("snapshot ls").success();
    list.stderr(contains("halfway0 is no snapshot").and(contains("update bottle-freeze")));
    world.run("thaw dev").success();
}

#[test]
fn what_a_later_version_has_added_is_kept() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let file = snapshot(&world).join("snapshot.json");
    let mut metadata = metadata(&world);
    metadata["from_the_future"] = json!({"a": 1});
    fs::write(&file, metadata.to_string()).unwrap();
    world.run("snapshot tag dev ready").success();
    assert_eq!(shown(&world, "dev@ready")["from_the_future"], json!({"a": 1}));
}

#[test]
fn a_symbolic_link_in_the_library_is_no_snapshot() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    fs::rename(snapshot(&world), world.path("outside")).unwrap();
    symlink(world.path("outside"), world.path("home/library/snapshots/dev/aaaa1111")).unwrap();
    world.run("snapshot ls").success().stdout(contains("no snapshots"));
    world.run("snapshot rm dev --yes").code(4);
    assert!(world.path("outside/vm.smolmachine").exists());
}

#[test]
fn hostile_words_in_a_snapshot_do_not_reach_the_terminal() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let file = snapshot(&world).join("snapshot.json");
    let mut metadata = metadata(&world);
    metadata["note"] = json!("\u{1b}[2Jx\nforged");
    fs::write(&file, metadata.to_string()).unwrap();
    for line in ["snapshot ls", "snapshot ls -q", "snapshot show dev"] {
        let run = world.run(line);
        let said = stdout(&run);
        assert!(!said.contains('\u{1b}') && said.lines().all(|line| !line.starts_with("forged")), "{said:?}");
    }
}

#[test]
fn a_snapshot_that_gives_itself_out_as_another_one_is_none() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let file = snapshot(&world).join("snapshot.json");
    for (key, value) in [("vm", "../dev"), ("vm", "other"), ("vm", "/"), ("id", "../../x"), ("id", "deadbeef")] {
        let mut metadata = metadata(&world);
        let whole = metadata.to_string();
        metadata[key] = json!(value);
        fs::write(&file, metadata.to_string()).unwrap();
        world.run("snapshot ls").success().stderr(contains("that of another snapshot"));
        world.run("snapshot rm dev --yes").code(4);
        fs::write(&file, whole).unwrap();
    }
    world.run("snapshot rm dev --yes").success();
}

// ------------------------------------------------------------------------------------------------- helpers

/// The folder of the only snapshot there is.
fn snapshot(world: &World) -> PathBuf {
    let vm = world.path("home/library/snapshots/dev");
    let ids = names_in(&vm);
    assert_eq!(ids.len(), 1, "{ids:?}");
    vm.join(&ids[0])
}

fn metadata(world: &World) -> Value {
    serde_json::from_slice(&fs::read(snapshot(world).join("snapshot.json")).unwrap()).unwrap()
}

fn shown(world: &World, reference: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(&format!("snapshot show {reference}")).success())).unwrap()
}

fn listed(world: &World, name: &str) -> Value {
    world.list().into_iter().find(|vm| vm["name"] == name).unwrap()
}

/// A copy of a snapshot under another id.
fn copy_as(world: &World, one: &std::path::Path, id: &str) {
    let folder = world.path("home/library/snapshots/dev").join(id);
    fs::create_dir(&folder).unwrap();
    fs::copy(one.join("vm.smolmachine"), folder.join("vm.smolmachine")).unwrap();
    let mut metadata: Value = serde_json::from_slice(&fs::read(one.join("snapshot.json")).unwrap()).unwrap();
    metadata["id"] = json!(id);
    fs::write(folder.join("snapshot.json"), metadata.to_string()).unwrap();
}
