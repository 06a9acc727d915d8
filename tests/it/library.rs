//! The library: snapshots are kept, found, checked, named, thawed and removed.

use crate::support::library::{IN_CHUNKS, damage, make_old, objects, stored_objects};
use crate::support::{World, names_in, random_bytes, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

// ------------------------------------------------------------------------------------------- freeze, keep

#[test]
fn a_freeze_without_an_output_is_kept_in_the_library() {
    let world = World::new();
    world.vm("dev").running();
    let said = stdout(&world.run("freeze dev --yes").success());
    assert!(said.starts_with("froze dev as dev@") && said.contains("down for"), "{said}");
    assert_eq!(names_in(&snapshot(&world)), IN_CHUNKS);
    world.assert_clean(&[]);
}

#[test]
fn the_record_matches_the_vm_and_the_options() {
    let world = World::new();
    world.vm("dev").with("--cpus 2 --mem 1024 --storage 3 --overlay 4 --label team=a").stopped();
    world.run("freeze dev -t ready -t v1 -m 'all set up' --label k=v").success();
    let metadata = metadata(&world);
    let machine = &metadata["machine"];
    assert_eq!((&metadata["format"], &metadata["way"]), (&json!(2), &json!("engine")));
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
    let metadata = metadata(&world);
    assert!(metadata["files"]["vm"]["sha256"].is_string());
    assert_eq!((&metadata["format"], &metadata["artifact"]), (&json!(1), &Value::Null));
}

#[test]
fn only_the_owner_can_read_the_library() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for folder in ["", "snapshots", "snapshots/dev", "store", "store/objects"] {
        assert_eq!(mode(world.path("home/library").join(folder)), 0o700, "{folder}");
    }
    let snapshot = snapshot(&world);
    assert_eq!((mode(snapshot.clone()), mode(snapshot.join("objects"))), (0o700, 0o700));
    let files = ["index.json", "snapshot.json"].map(|name| snapshot.join(name));
    for file in objects(&snapshot).into_iter().chain(stored_objects(&world)).chain(files) {
        assert_eq!(mode(file.clone()), 0o600, "{}", file.display());
    }
}

#[test]
fn an_option_names_another_library_from_the_working_directory() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev --home keep -t ready").success();
    assert_eq!(names_in(&world.path("work/keep/snapshots")), ["dev"]);
    assert!(!world.path("home/library").exists());
    world.run("--home keep snapshot ls -q").success().stdout(contains("dev@"));
    world.run("snapshot ls -q").success().stdout("");
    world.run(&format!("thaw dev@ready new --home {}", world.path("work/keep").display())).success();
    world.run("freeze dev --home ..").code(8).stderr(contains("is not a bottle-freeze library"));
    world.run("snapshot ls --home ''").code(2);
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
fn leftovers_of_a_killed_freeze_in_the_library_are_removed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.vm("other").stopped();
    world.fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let freeze = world.spawn("freeze dev");
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    freeze.signal(Signal::KILL);
    drop(freeze);
    world.clear_faults();
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
    world.run("thaw dev").success().stdout(contains(" as dev-2, because").and(contains("; it is running")));
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
    world.run("thaw dev --no-start").success().stdout(contains(" as dev;").and(contains("thawed dev@")));
    assert_ne!(world.state("dev"), "running");
}

#[test]
fn a_vm_made_here_is_thawed_with_network_ports_and_environment() {
    for version in ["1.8.0", "1.19.0", "1.28.1", "1.32.2"] {
        for (flags, cidrs) in [
            ("--net", json!([])),
            ("--allow-cidr 10.0.0.0/8 --allow-cidr 1.2.3.4/32", json!(["10.0.0.0/8", "1.2.3.4/32"])),
        ] {
            let world = World::with_engine(version);
            let port = free_port();
            world.run(&format!("create dev {flags} -p {port}:80 -e GREETING=hello")).success();
            world.run("start dev").success();
            let frozen = world.run("freeze dev --yes").success();
            assert!(
                !stderr(&frozen).contains("will not hold") && !stderr(&frozen).contains("limit"),
                "{}",
                stderr(&frozen)
            );
            assert_eq!(metadata(&world)["machine"]["env"], json!(["GREETING"]));
            assert!(!fs::read_to_string(snapshot(&world).join("snapshot.json")).unwrap().contains("hello"));
            world.run("rm dev --yes").success();
            world.run("thaw dev").success();
            let record = world.record("dev");
            assert_eq!((&record["network"], &record["cidrs"]), (&json!(true), &cidrs), "{version} {flags}");
            assert_eq!(record["ports"], json!([format!("{port}:80")]), "{version} {flags}");
            assert_eq!(record["env"], json!(["GREETING=hello"]), "{version} {flags}");
            // A VM made by thaw is recorded too.
            world.run("freeze dev --yes").success();
            assert_eq!(shown(&world, "dev")["machine"]["network_known"], true, "{version} {flags}");
        }
    }
}

#[test]
fn a_network_with_unknown_limits_stays_closed() {
    // A VM made by the engine itself may have limits that no list shows.
    let world = World::new();
    world.vm("open").with("--net").stopped();
    world.vm("limited").with("--net --allow-cidr 10.0.0.0/8").stopped();
    for vm in ["open", "limited"] {
        world.run(&format!("freeze {vm}")).success().stderr(contains("every limit of the network"));
    }
    world.run("thaw open open2").success().stderr(contains("are unknown (--net enables it)"));
    world.run("thaw limited limited2").success().stderr(contains("(--allow-cidr 10.0.0.0/8 enables it)"));
    world.run("thaw limited limited3 --allow-cidr 10.0.0.0/8").success();
    for (vm, network) in [("open2", false), ("limited2", false), ("limited3", true)] {
        assert_eq!(listed(&world, vm)["network"], network, "{vm}");
    }
}

#[test]
fn the_network_stays_closed_if_an_allow_list_may_have_been_added() {
    // 1.27.0 can change the list of an existing VM, and does not report it.
    let world = World::with_engine("1.27.0");
    world.run("create dev --net").success();
    world.run("start dev").success();
    world.run("freeze dev --yes").success().stderr(contains("every limit of the network"));
    world.run("thaw dev").success();
    assert_eq!(listed(&world, "dev-2")["network"], false);
}

#[test]
fn a_changed_allow_list_is_restored_as_changed() {
    let world = World::new();
    world.run("create dev --net").success();
    world.run("start dev").success();
    world.edit("dev", "cidrs", json!(["10.9.0.0/16"]));
    world.run("freeze dev --yes").success();
    world.run("thaw dev").success();
    assert_eq!(listed(&world, "dev-2")["allowed_cidrs"], json!(["10.9.0.0/16"]));
}

#[test]
fn the_record_of_a_vm_is_not_used_for_a_later_vm_of_that_name() {
    let world = World::new();
    world.run("create dev --net -p 8080").success();
    world.smolvm("machine delete -f --name dev");
    world.vm("dev").with("--net -p 9090").stopped();
    // Perhaps created in the same second: the engine counts no finer.
    world.edit("dev", "created_at", json!(4_000_000_000_u32));
    let frozen = world.run("freeze dev").success();
    frozen.stderr(contains("every limit of the network").and(contains("will not hold 1 published port(s)")));
    assert_eq!(metadata(&world)["machine"]["ports"], json!(null));
    world.run("rm dev --yes").success();
    assert_eq!(names_in(&world.path("home/library/vms")), [""; 0]);
}

#[test]
fn a_port_in_use_is_not_published() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, other) = (taken.local_addr().unwrap().port(), free_port());
    world.run(&format!("create dev -p {port}:80 -p {other}:81")).success();
    world.run("start dev").success();
    world.run("freeze dev --yes").success();
    world.run("thaw dev").success().stderr(contains(format!("in use here, and so not published: {port}:80")));
    assert_eq!(world.record("dev-2")["ports"], json!([format!("{other}:81")]));
}

#[test]
fn replacing_a_vm_freezes_the_old_one_first() {
    let world = World::new();
    world.vm("dev").running();
    world.write_guest("dev", "root/notes", "old");
    world.run("freeze dev -t good --yes --restart").success();
    world.write_guest("dev", "root/notes", "new");
    world.run("thaw dev@good --yes").code(2);
    world.run("thaw dev@good --replace").code(6).stderr(contains("--yes answers this question"));
    assert_eq!(world.read_guest("dev", "root/notes").as_deref(), Some("new"));
    world.run("thaw dev@good --replace --yes").success();
    assert_eq!(world.read_guest("dev", "root/notes").as_deref(), Some("old"));
    assert_eq!((world.state("dev"), world.state("dev-2")), ("running".into(), "missing".into()));
    assert_eq!(shown(&world, "dev")["note"], "replaced by a thaw of dev@good");
    world.run("thaw dev").success();
    assert_eq!(world.read_guest("dev-2", "root/notes").as_deref(), Some("new"));
}

#[test]
fn a_vm_that_cannot_be_frozen_is_not_replaced() {
    let world = World::new();
    world.vm("dev").running();
    world.write_guest("dev", "root/notes", "old");
    world.run("freeze dev -t good --yes --restart").success();
    world.fault(json!({"on": "pack create", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    world.run("thaw dev@good --replace --yes").code(1);
    assert_eq!(world.state("dev"), "running");
    world.clear_faults();
    world.fault(json!({"on": "machine create", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    world.run("thaw dev@good --replace --yes").code(1).stderr(contains("the VM that was there is kept as dev@"));
    world.clear_faults();
    world.run("thaw dev").success();
    assert_eq!(world.read_guest("dev", "root/notes").as_deref(), Some("old"));
}

// -------------------------------------------------------------------------------- /workspace, on every engine

/// Engines whose pack does not include it, and how their VMs are created.
const NO_WORKSPACE: [(&str, &str); 3] =
    [("1.4.0", ""), ("1.4.0", "--net --image alpine"), ("1.14.0", "--net --image alpine")];

#[test]
fn a_workspace_that_the_engine_cannot_pack_is_restored() {
    for (version, flags) in NO_WORKSPACE {
        let world = World::with_engine(version);
        world.vm("dev").with(flags).running();
        for (path, text) in [("workspace/a", "alpha"), ("workspace/deep/b c", "beta"), ("root/r", "root")] {
            world.write_guest("dev", path, text);
        }
        fs::hard_link(guest(&world, "dev", "a"), guest(&world, "dev", "deep/hard")).unwrap();
        symlink("deep/b c", guest(&world, "dev", "soft")).unwrap();
        let frozen = world.run("freeze dev --yes").success();
        assert!(!stderr(&frozen).contains("/workspace: smolvm"), "{}", stderr(&frozen));
        assert_eq!(names_in(&snapshot(&world)), ["index.json", "objects", "snapshot.json", "workspace.tar"]);
        assert!(metadata(&world)["files"]["workspace.tar"]["sha256"].is_string());
        for (line, state) in [("thaw dev", "running"), ("thaw dev dev-3 --no-start", "stopped")] {
            let world = &world;
            world.run(line).success();
            let name = if line.ends_with("dev") { "dev-2" } else { "dev-3" };
            assert_eq!(world.state(name), state);
            for (path, text) in [("a", "alpha"), ("deep/b c", "beta"), ("deep/hard", "alpha"), ("soft", "beta")] {
                assert_eq!(
                    world.read_guest(name, &format!("workspace/{path}")).as_deref(),
                    Some(text),
                    "{version} {path}"
                );
            }
        }
        world.run("create plain --from dev").success().stderr(contains("only `bottle-freeze thaw` restores it"));
    }
}

#[test]
fn a_stopped_vm_that_loses_its_workspace_gets_a_warning() {
    for (version, flags) in NO_WORKSPACE {
        let world = World::with_engine(version);
        world.vm("dev").with(flags).stopped();
        let frozen = stderr(&world.run("freeze dev").success());
        assert!(frozen.contains("will not hold /workspace") && frozen.contains("while it runs"), "{frozen}");
        assert_eq!(names_in(&snapshot(&world)), IN_CHUNKS);
    }
}

#[test]
fn a_workspace_that_cannot_be_saved_stops_nothing() {
    let world = World::with_engine("1.4.0");
    world.vm("dev").running();
    for fault in [
        json!({"on": "machine exec", "nth": 1, "do": {"fail": {"status": 1, "stderr": "Error: no"}}}),
        json!({"on": "machine exec", "nth": 1, "do": {"print": "no tar"}}),
        json!({"on": "machine exec", "nth": 1, "do": {"kill": 9}}),
    ] {
        world.warm().fault(fault);
        world.run("freeze dev --yes").code(1).stderr(contains("--no-workspace").and(contains("running as before")));
        assert!(!world.commands().contains(&"machine stop".to_owned()));
        assert_eq!(names_in(&world.path("home/library/snapshots/dev")), [""; 0]);
        world.clear_faults();
    }
    world.run("freeze dev --yes --no-workspace").success();
    assert_eq!(names_in(&snapshot(&world)), IN_CHUNKS);
}

#[test]
fn a_saved_workspace_travels_is_verified_and_damage_to_it_is_noticed() {
    let world = World::with_engine("1.4.0");
    world.vm("dev").running();
    world.write_guest("dev", "workspace/a", "alpha");
    world.run("freeze dev --yes").success();
    world.run("snapshot export dev -o dev.tar").success();
    world.run("snapshot rm dev --yes").success();
    world.run("snapshot import dev.tar").success();
    world.run("snapshot verify dev").success();
    let saved = snapshot(&world).join("workspace.tar");
    let mut bytes = fs::read(&saved).unwrap();
    bytes[600] ^= 1;
    fs::write(&saved, bytes).unwrap();
    for line in ["snapshot verify dev", "thaw dev x", "snapshot export dev -o y.tar"] {
        world.run(line).code(10).stderr(contains("workspace.tar"));
    }
    fs::remove_file(&saved).unwrap();
    world.run("thaw dev x").code(10).stderr(contains("workspace.tar"));
    assert_eq!(world.state("x"), "missing");
}

#[test]
fn a_workspace_that_is_not_fully_restored_is_reported() {
    let world = World::with_engine("1.4.0");
    world.vm("dev").running();
    world.write_guest("dev", "workspace/a", "alpha");
    world.run("freeze dev --yes").success();
    // The first exec checks whether the guest is ready, the second one restores, with a false success.
    world.warm().fault(json!({"on": "machine exec", "nth": 2, "do": {"lie": true}}));
    world
        .run("thaw dev x --keep")
        .code(1)
        .stderr(contains("./a differs").and(contains("its /workspace is incomplete")));
}

fn guest(world: &World, vm: &str, path: &str) -> PathBuf {
    world.path(&format!("fake/vms/{vm}/disk/workspace")).join(path)
}

/// A port that is currently free.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

// ------------------------------------------------------------------------------------------ thaw, refused

#[test]
fn a_damaged_snapshot_is_not_thawed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    damage(&snapshot(&world));
    world.warm();
    for line in ["create x --from dev", "snapshot verify dev"] {
        world.run(line).code(10).stderr(contains("damaged"));
    }
    world.run("snapshot verify --all").code(10);
    assert!(world.calls().is_empty(), "{:?}", world.calls());
    // What to do about a VM of that name is asked before the check, so the VMs are listed.
    for line in ["thaw dev", "thaw dev x -n 2"] {
        world.forget_calls();
        world.run(line).code(10).stderr(contains("damaged"));
        assert_eq!(world.commands(), ["machine ls"], "{line}");
    }
}

#[test]
fn a_file_can_be_thawed_too() {
    let world = World::new();
    world.snapshot("kept.smolmachine");
    world.run("thaw kept.smolmachine").success().stdout(contains("kept.smolmachine as kept;"));
    assert_eq!(world.read_guest("kept", "root/hello").as_deref(), Some("from the snapshot"));
}

#[test]
fn a_vm_with_a_taken_name_is_not_touched() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --yes --restart").success();
    world.run("thaw dev dev").code(16).stderr(contains("already exists"));
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn an_interrupted_thaw_leaves_no_vm() {
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
fn an_interrupted_create_leaves_only_the_vms_that_were_there() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new();
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        world.warm().fault(json!({"on": "machine create", "at": "after", "do": "hang"}));
        let create = world.spawn("create new --from dev");
        wait_until("the VM is made", || world.path("fake/vms/new/record.json").exists());
        create.signal(signal);
        create.wait().code(128 + signal.as_raw());
        assert_eq!(world.state("new"), "missing");
        world.edit("dev", "created_at", 1.into());
        world.warm().fault(json!({"on": "machine create", "at": "start", "do": "hang"}));
        let create = world.spawn("create dev");
        wait_until("the engine is called", || world.commands().contains(&"machine create".to_owned()));
        create.signal(signal);
        create.wait().code(128 + signal.as_raw());
        assert_eq!(world.state("dev"), "stopped");
    }
}

#[test]
fn create_accepts_a_snapshot_from_the_library() {
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
fn a_snapshot_that_is_not_found_has_status_4() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    for reference in ["nosuch", "dev@nosuch", "dev@", "@", "", ".", "dev@@", "../dev"] {
        crate::support::finish(world.command(["snapshot", "show", reference])).code(4);
    }
}

#[test]
fn an_ambiguous_id_lists_the_candidates() {
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
fn a_forced_freeze_that_fails_takes_no_tag() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t v1.2 -m first").success();
    world.fault(json!({"on": "pack create", "at": "half", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    world.run("freeze dev -t v1.2 -m second --force").code(1);
    assert_eq!(shown(&world, "dev@v1.2")["note"], "first");
}

#[test]
fn a_first_freeze_that_fails_or_is_not_confirmed_leaves_no_folder() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev").code(6);
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
    world.fault(json!({"on": "pack create", "at": "half", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    world.run("freeze dev --yes").code(1);
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
}

#[test]
fn a_freeze_makes_a_readable_library_private() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let folders = ["snapshots", "snapshots/dev", "store", "store/objects"];
    let folders = folders.map(|folder| world.path("home/library").join(folder));
    for folder in &folders {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.run("freeze dev").success();
    for folder in &folders {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
    }
}

#[test]
fn a_freeze_of_a_missing_vm_leaves_no_folder() {
    let world = World::new();
    world.run("freeze nosuch").code(4);
    world.vm("dev").stopped();
    world.run("freeze dev --dry-run").success();
    assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
}

#[test]
fn a_matching_record_does_not_excuse_damage() {
    use sha2::Digest;
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let folder = snapshot(&world);
    make_old(&world, &folder);
    let mut bytes = fs::read(folder.join("vm.smolmachine")).unwrap();
    bytes[20] ^= 1;
    fs::write(folder.join("vm.smolmachine"), &bytes).unwrap();
    // As if it had been damaged before it was recorded, elsewhere.
    let mut metadata: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("snapshot.json")).unwrap()).unwrap();
    let sha256 = base16ct::lower::encode_string(&sha2::Sha256::digest(&bytes));
    metadata["files"]["vm.smolmachine"]["sha256"] = sha256.into();
    fs::write(folder.join("snapshot.json"), metadata.to_string()).unwrap();
    world.run("snapshot verify dev").code(10).stderr(contains("checksum"));
}

#[test]
fn leftovers_of_a_killed_removal_are_removed_by_the_next_one() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let left = world.path("home/library/snapshots/dev/.bottle-freeze-abc123");
    fs::create_dir_all(left.join("removed")).unwrap();
    fs::write(left.join("removed/vm.smolmachine"), "half of it").unwrap();
    world.run("snapshot rm dev --yes").success();
    assert!(!left.exists());
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

#[test]
fn the_list_is_sorted_as_requested() {
    let world = World::new();
    for vm in ["b", "a"] {
        world.vm(vm).stopped();
        world.write_guest(vm, "root/x", random_bytes(if vm == "b" { 30_000 } else { 1 }));
        world.run(&format!("freeze {vm}")).success();
    }
    for (sort, first) in [("", "b@"), ("--sort age", "b@"), ("--sort size", "a@"), ("--sort vm", "a@")] {
        let names = stdout(&world.run(&format!("snapshot ls -q {sort}")).success());
        assert!(names.starts_with(first), "{sort}: {names}");
    }
}

// ------------------------------------------------------------------------------------------------- prune

#[test]
fn prune_keeps_what_the_policy_says_and_prints_why() {
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
fn a_dry_run_of_a_prune_prints_what_the_run_removes() {
    let policies = [
        "--keep-last 1",
        "--keep-last 2",
        "--keep-last 3 dev",
        "--keep-daily 1",
        "--keep-weekly 2 --keep-monthly 1",
        "--keep-within 1h",
        "--keep-tag first",
        "--keep-last 1 --tag first",
        "--keep-tag nosuch --tag first",
        "--keep-last 9 other",
    ];
    for policy in policies {
        let world = four_snapshots();
        world.vm("other").stopped();
        let listed = || stdout(&world.run("snapshot ls -q").success());
        let before = listed();
        let plan = stdout(&world.run(&format!("snapshot prune {policy} --dry-run")).success());
        assert_eq!(listed(), before, "{policy}");
        let done = stdout(&world.run(&format!("snapshot prune {policy} --yes")).success());
        let decided: Vec<&str> = done.lines().filter(|line| !line.starts_with("removed ")).collect();
        assert_eq!(plan.replace("would remove", "remove").lines().collect::<Vec<_>>(), decided, "{policy}");
        let stay: Vec<&str> = before.lines().filter(|one| !plan.contains(&format!("would remove {one}"))).collect();
        assert_eq!(listed().lines().collect::<Vec<_>>(), stay, "{policy}");
        assert!(world.commands().iter().all(|command| command != "machine delete"), "{policy}");
    }
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
fn the_newest_intact_snapshot_is_never_pruned() {
    let world = four_snapshots();
    let newest = world.path("home/library/snapshots/dev").join(shown(&world, "dev")["id"].as_str().unwrap());
    damage(&newest);
    world.run("snapshot prune --keep-tag first --yes").success().stdout(contains("the newest that is whole"));
    assert_eq!(notes(&world), ["1", "3"]);
}

/// Of one VM, with notes 1 to 4 from oldest to newest; the first one has the tag `first`.
fn four_snapshots() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    for note in 1..=4 {
        // Each one has something that no other has.
        world.write_guest("dev", "root/note", random_bytes(10 << 10));
        world.run(&format!("freeze dev -m {note} {}", if note == 1 { "-t first" } else { "" })).success();
    }
    world
}

fn notes(world: &World) -> Vec<String> {
    let all: Vec<Value> = serde_json::from_str(&stdout(&world.run("snapshot ls --json").success())).unwrap();
    all.iter().map(|one| one["note"].as_str().unwrap().to_owned()).collect()
}

// ------------------------------------------------------------------------------------------ export, import

#[test]
fn an_exported_snapshot_is_identical_after_import() {
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
    let mut exported = shown(&here, "dev@ready");
    // Its position among the snapshots of the library it comes from.
    assert!(exported.as_object_mut().unwrap().remove("sequence").is_some());
    let mut imported = shown(&there, "dev@ready");
    assert_eq!((&exported["origin"]["kind"], &imported["origin"]["kind"]), (&json!("frozen"), &json!("imported")));
    imported["origin"] = exported["origin"].clone();
    // Its record is longer.
    for key in ["bytes", "unique_bytes"] {
        imported[key] = exported[key].clone();
    }
    assert_eq!(imported, exported);
    there.run("snapshot verify --all").success();
    there.run("thaw dev").success();
    assert_eq!(there.read_guest("dev", "root/notes").as_deref(), Some("set up"));
    let again = there.run("snapshot import dev.tar").code(7);
    again.stderr(contains("is already in the library").and(contains("--as")).and(contains("--force").not()));
    there.run("snapshot import dev.tar --as other").success();
    there.run("snapshot verify other@ready").success();
}

#[test]
fn an_exported_file_says_nothing_of_the_host() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev --launcher").success();
    let export = |file: &str| {
        world.run(&format!("snapshot export dev -o {file} --allow-secrets")).success();
        fs::read(world.path("work").join(file)).unwrap()
    };
    let first = export("first.tar");
    for name in names_in(&snapshot(&world)) {
        let file = fs::File::open(snapshot(&world).join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
    }
    assert!(export("second.tar") == first, "the same snapshot is another file");
    let (mut tar, mut modes) = (tar::Archive::new(&first[..]), Vec::new());
    for member in tar.entries().unwrap() {
        let member = member.unwrap();
        let header = member.header();
        assert_eq!((&header.as_old().uid, &header.as_old().gid), (&[0_u8; 8], &[0_u8; 8]));
        assert!(header.mtime().unwrap() > 0);
        modes.push((member.path().unwrap().to_str().unwrap().to_owned(), header.mode().unwrap()));
    }
    modes.sort();
    let expected = [("snapshot.json", 0o600), ("vm", 0o700), ("vm.smolmachine", 0o600)];
    assert_eq!(modes, expected.map(|(name, mode)| (name.to_owned(), mode)));
}

#[test]
fn an_interrupted_export_or_import_leaves_nothing_behind() {
    let world = World::new();
    world.vm("dev").stopped();
    // Large enough that copying takes a while.
    world.write_guest("dev", "root/large", random_bytes(12 << 20));
    world.run("freeze dev").success();
    world.run("snapshot export dev -o kept.tar").success();
    for (line, beside, copy) in [
        ("snapshot export dev -o dev.tar", "work", "export"),
        ("snapshot import kept.tar --as other", "home/library/snapshots", "new/vm.smolmachine"),
    ] {
        interrupt_while_it_copies(&world, line, beside, copy);
        world.assert_clean(&["kept.tar"]);
        assert_eq!(names_in(&world.path("home/library/snapshots")), ["dev"]);
    }
}

/// Repeats until the signal arrives while `copy` grows in the private folder that is made in the folder `beside`.
fn interrupt_while_it_copies(world: &World, line: &str, beside: &str, copy: &str) {
    for _ in 0..50 {
        let run = world.spawn(line);
        let copied = || {
            let folders = names_in(&world.path(beside)).into_iter().filter(|name| name.starts_with(".bottle-freeze-"));
            folders
                .filter_map(|name| fs::metadata(world.path(beside).join(name).join(copy)).ok())
                .any(|meta| meta.len() > 0)
        };
        wait_until("it copies, or has copied", || copied() || !crate::support::is_alive(run.pid()));
        run.signal(Signal::STOP);
        let in_time = copied();
        run.signal(Signal::INT);
        run.signal(Signal::CONT);
        let ended = run.wait();
        if in_time {
            ended.code(130).stderr(contains("interrupted by SIGINT"));
            return;
        }
        // It finished before the signal.
        let _ = fs::remove_file(world.path("work/dev.tar"));
        world.run("snapshot rm other --yes");
    }
    panic!("{line}: the right moment never came");
}

#[test]
fn an_invalid_import_leaves_the_library_as_it_was() {
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
fn an_import_writes_nothing_outside_the_library() {
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
        world.run("snapshot import evil.tar").code(10).stderr(contains("not an exported snapshot"));
        assert_eq!(names_in(&world.path("home/library/snapshots")), [""; 0]);
    }
}

// ------------------------------------------------------------------------------------------ damaged and foreign entries

#[test]
fn an_invalid_entry_is_reported_and_the_rest_stays_usable() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let vm = world.path("home/library/snapshots/dev");
    fs::create_dir(vm.join("halfway0")).unwrap();
    fs::create_dir(vm.join("fromnewr")).unwrap();
    fs::write(vm.join("fromnewr/snapshot.json"), r#"{"format": 3}"#).unwrap();
    let list = world.run("snapshot ls").success();
    list.stderr(contains("halfway0 is not a valid snapshot").and(contains("update bottle-freeze")));
    let whole = stdout(&world.run("snapshot ls -q").success());
    world.run(&format!("thaw {whole}")).success();
}

#[test]
fn keys_of_a_later_version_are_kept() {
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
fn a_symbolic_link_in_the_library_is_not_a_snapshot() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    fs::rename(snapshot(&world), world.path("outside")).unwrap();
    symlink(world.path("outside"), world.path("home/library/snapshots/dev/aaaa1111")).unwrap();
    world.run("snapshot ls").success().stdout(contains("no snapshots"));
    for line in ["snapshot rm dev --yes", "thaw dev", "thaw dev@aaaa1111"] {
        world.run(line).code(10).stderr(contains("a link"));
    }
    world.run("snapshot rm dev@aaaa1111 --yes").code(8);
    assert_eq!(names_in(&world.path("outside")), IN_CHUNKS);
}

#[test]
fn a_vm_folder_that_is_a_link_is_not_written_through() {
    let world = World::new();
    world.vm("dev").running();
    fs::create_dir_all(world.path("home/library/snapshots")).unwrap();
    fs::create_dir(world.path("outside")).unwrap();
    symlink(world.path("outside"), world.path("home/library/snapshots/dev")).unwrap();
    world.run("freeze dev --yes").code(8);
    assert_eq!(names_in(&world.path("outside")), [""; 0]);
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_link_to_a_library_is_used() {
    let world = World::new();
    world.vm("dev").stopped();
    fs::create_dir_all(world.path("elsewhere")).unwrap();
    symlink(world.path("elsewhere"), world.path("home/library")).unwrap();
    world.run("freeze dev -t ready").success();
    world.run("snapshot ls").success().stdout(contains("ready"));
    world.run("snapshot verify --all").success().stdout(contains("is whole"));
}

#[test]
fn hostile_text_in_a_snapshot_does_not_reach_the_terminal() {
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
fn a_snapshot_that_claims_to_be_another_one_is_invalid() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let file = snapshot(&world).join("snapshot.json");
    for (key, value) in [("vm", "../dev"), ("vm", "other"), ("vm", "/"), ("id", "../../x"), ("id", "deadbeef")] {
        let mut metadata = metadata(&world);
        let whole = metadata.to_string();
        metadata[key] = json!(value);
        fs::write(&file, metadata.to_string()).unwrap();
        world.run("snapshot ls").success().stderr(contains("belongs to another snapshot"));
        world.run("snapshot rm dev --yes").code(10);
        fs::write(&file, whole).unwrap();
    }
    world.run("snapshot rm dev --yes").success();
}

#[test]
fn a_library_that_cannot_be_written_can_be_read() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --yes --restart").success();
    let folder = world.path("home/library");
    let mode = |mode| {
        let folders = ["", "snapshots", "snapshots/dev", "store", "store/objects"].map(|name| folder.join(name));
        for path in folders.into_iter().chain([snapshot(&world), snapshot(&world).join("objects")]) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    mode(0o500);
    let run = |line: &str| crate::support::finish(crate::support::chaos::without_override(&world.warm().line(line)));
    for line in ["freeze dev --yes", "snapshot tag dev ready", "snapshot rm dev --yes"] {
        run(line).code(8).stderr(contains("Permission denied"));
        assert!(!world.commands().contains(&"machine stop".to_owned()), "{line}");
    }
    for line in ["snapshot ls", "snapshot verify dev", "thaw dev"] {
        run(line).success();
    }
    mode(0o700);
    assert_eq!(shown(&world, "dev")["tags"], json!([]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_without_locks_can_be_read_and_loses_nothing() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --yes --restart").success();
    let strace = |line: &str| {
        let line = world.line(line);
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"]);
        strace.arg(line.get_program()).args(line.get_args()).current_dir(world.path("work"));
        strace.env_clear().envs(line.get_envs().filter_map(|(key, value)| Some((key, value?))));
        strace
    };
    if strace("--version").output().is_err() {
        return println!("NOT RUN: strace is not installed");
    }
    world.warm();
    for line in ["freeze dev --yes", "snapshot tag dev ready", "snapshot rm dev --yes"] {
        crate::support::finish(strace(line)).code(8).stderr(contains("No locks available"));
        assert!(!world.commands().contains(&"machine stop".to_owned()), "{line}");
    }
    for line in ["snapshot ls", "snapshot verify dev", "thaw dev"] {
        crate::support::finish(strace(line)).success();
    }
    assert_eq!(shown(&world, "dev")["tags"], json!([]));
}

// ------------------------------------------------------------------------------------------------- helpers

/// The folder of the only snapshot.
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
    serde_json::from_str(&stdout(&world.run(&format!("snapshot show {reference} --json")).success())).unwrap()
}

fn listed(world: &World, name: &str) -> Value {
    world.list().into_iter().find(|vm| vm["name"] == name).unwrap()
}

/// A copy of a snapshot under another id.
fn copy_as(world: &World, one: &std::path::Path, id: &str) {
    let folder = world.path("home/library/snapshots/dev").join(id);
    assert!(Command::new("cp").arg("-rl").arg(one).arg(&folder).status().unwrap().success());
    let mut metadata: Value = serde_json::from_slice(&fs::read(one.join("snapshot.json")).unwrap()).unwrap();
    metadata["id"] = json!(id);
    fs::remove_file(folder.join("snapshot.json")).unwrap();
    fs::write(folder.join("snapshot.json"), metadata.to_string()).unwrap();
}
