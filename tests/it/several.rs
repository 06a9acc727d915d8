//! `thaw -n`: several VMs of one snapshot, all of them or none, each with an identity of its own.

use crate::support::chaos::{Random, is_long};
use crate::support::{World, finish, handles_signals, names_in, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// A snapshot `dev@ready`, and the VM that it was made of.
fn world() -> World {
    frozen("")
}

/// The same, of a VM with these options.
fn frozen(options: &str) -> World {
    let world = World::new();
    world.vm("dev").with(options).made_here().created();
    world.run("start dev").success();
    world.run("freeze dev --yes -t ready").success();
    world
}

/// The names of the VMs but `dev`.
fn made(world: &World) -> Vec<String> {
    let all = world.list().into_iter().map(|vm| vm["name"].as_str().unwrap().to_owned());
    all.filter(|name| name != "dev").collect()
}

fn count(world: &World, command: &str) -> usize {
    world.commands().iter().filter(|call| *call == command).count()
}

// --------------------------------------------------------------------------------------------------------- all of them

#[test]
fn all_are_made_of_one_snapshot_that_is_checked_once() {
    let world = world();
    for line in ["thaw dev@ready worker -n 4 -j 2", "thaw dev@ready worker --count=4", "thaw dev worker -n 4 -j 9"] {
        world.warm();
        let run = world.run(&format!("{line} --progress=json")).success();
        assert_eq!(made(&world), ["worker-1", "worker-2", "worker-3", "worker-4"], "{line}");
        assert!(made(&world).iter().all(|name| world.state(name) == "running"), "{line}");
        let checks =
            stderr(&run).lines().filter(|line| line.contains("\"started\"") && line.contains("\"check\"")).count();
        assert_eq!((checks, count(&world, "machine create"), count(&world, "machine start")), (1, 4, 4), "{line}");
        // Once for the names, and once for each VM, whose settings are compared.
        assert!(count(&world, "machine ls") <= 1 + 3 * 4, "{:?}", world.commands());
        assert_eq!(stdout(&run).lines().filter(|line| line.ends_with("; it is running")).count(), 4, "{run}");
        world.run("rm worker-1 worker-2 worker-3 worker-4 --yes").success();
        world.assert_clean(&[]);
    }
}

#[test]
fn scripts_read_the_names_or_a_list() {
    let world = world();
    assert_eq!(stdout(&world.run("thaw dev -n 2 -q").success()), "dev-1\ndev-2\n");
    let all: Value = serde_json::from_str(&stdout(&world.run("thaw dev one -n 1 --json").success())).unwrap();
    assert_eq!(
        (&all[0]["vm"], &all[0]["state"], all.as_array().unwrap().len()),
        (&json!("one-1"), &json!("running"), 1)
    );
}

#[test]
fn a_warning_names_its_vm() {
    let world = World::new();
    world.vm("dev").with("--net").stopped();
    world.run("freeze dev").success();
    let run = world.run("thaw dev w -n 2 --json").success();
    for name in ["w-1", "w-2"] {
        assert!(stderr(&run).contains(&format!("warning: {name}: the network of the new VM is off")), "{run}");
    }
    let all: Value = serde_json::from_str(&stdout(&run)).unwrap();
    for one in all.as_array().unwrap() {
        assert!(one["warnings"][0].as_str().unwrap().contains("some limits"), "{one}");
    }
}

#[test]
fn options_that_mean_one_vm_are_refused() {
    let world = world();
    for (options, why) in [
        ("-n 2 -- true", "several VMs cannot run a command"),
        ("-n 2 --no-start", "--no-start requires --same-identity"),
        ("-n 2 --replace", "cannot be used with"),
        ("-n 2 --keep", "cannot be used with"),
        ("-n 0", "invalid value"),
        ("-n 101", "invalid value"),
        ("--same-identity", "--count"),
    ] {
        world.run(&format!("thaw dev new {options}")).code(2).stderr(contains(why));
    }
    assert_eq!(made(&world), [""; 0]);
    world.run("thaw dev new -n 2 --no-start --same-identity").success();
    assert_eq!(world.state("new-2"), "created");
}

#[test]
fn an_engine_that_reads_the_artifact_at_every_start_finds_it_for_each() {
    let world = World::with_engine("0.9.0");
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("thaw dev w -n 3").success();
    for name in ["w-1", "w-2", "w-3"] {
        world.run(&format!("stop {name}")).success();
        world.run(&format!("start {name}")).success();
    }
    world.run("rm w-1 w-2 w-3 --yes").success();
    assert!(names_in(&world.path("home/library/vms")).iter().all(|name| !name.contains("w-")));
    world.assert_clean(&[]);
}

#[test]
fn a_disk_that_they_would_write_to_is_not_shared() {
    let world = World::new();
    world.vm("dev").stopped();
    let disk = |name: &str, read_only| {
        fs::write(world.path(name), "").unwrap();
        json!({"path": world.path(name).display().to_string(), "read_only": read_only})
    };
    world.edit("dev", "settings", json!({"disks": [disk("data", false), disk("tools", true)]}));
    world.run("freeze dev").success();
    world.edit("dev", "settings", json!({}));
    let run = world.run("thaw dev w -n 2").success();
    for name in ["w-1", "w-2"] {
        let disks = world.record(name)["settings"]["disks"].to_string();
        assert!(disks.contains("tools") && !disks.contains("data"), "{disks}");
        assert!(stderr(&run).contains(&format!("'{name}' lacks settings of the frozen VM: extra disks")), "{run}");
    }
}

// -------------------------------------------------------------------------------------------------------- none of them

#[test]
fn none_stays_if_one_cannot_be_made_or_started() {
    let world = world();
    world.vm("other").running();
    for on in ["machine create", "machine start"] {
        for jobs in [1, 4] {
            world.fault(json!({"on": on, "nth": 3, "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}}));
            let _ = fs::remove_dir_all(world.path("fake/fault-counts"));
            let said = stderr(&world.run(&format!("thaw dev worker -n 4 -j {jobs}")).code(1));
            assert_eq!(made(&world), ["other"], "{on} {jobs}: {said}");
            assert!(said.contains("it broke") && said.contains("now: none of the 4 VMs is there"), "{on}: {said}");
            world.clear_faults();
            let records = names_in(&world.path("home/library/vms"));
            assert!(!records.iter().any(|name| name.starts_with("worker")), "{records:?}");
        }
    }
    assert_eq!(world.state("other"), "running");
    // After the first failure none is begun.
    world.warm().fault(json!({"on": "machine create", "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}}));
    world.run("thaw dev worker -n 4 -j 1").code(1);
    assert_eq!(count(&world, "machine create"), 1);
}

/// The removal of the one that failed takes a while.
#[test]
fn none_is_begun_while_the_one_that_failed_is_removed() {
    let world = world();
    world.warm().fault(json!([
        {"on": "machine start", "nth": 1, "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}},
        {"on": "machine exec", "do": {"sleep_ms": 300}},
        {"on": "machine delete", "do": {"sleep_ms": 2000}},
    ]));
    world.run("thaw dev worker -n 5 -j 2").code(1).stderr(contains("none of the 5 VMs is there"));
    assert_eq!((made(&world), count(&world, "machine create")), (Vec::new(), 2));
}

#[test]
fn each_failure_is_printed_with_its_own_hint() {
    let world = world();
    let no = |nth, why| json!({"on": "machine start", "nth": nth, "do": {"fail": {"status": 1, "stderr": why}}});
    world.fault(json!([
        no(1, "Error: it broke"),
        no(2, "Error: No space left on device (os error 28)"),
        {"on": "machine create", "at": "after", "do": {"sleep_ms": 500}},
    ]));
    let said = stderr(&world.run("thaw dev w -n 2 -j 2").failure());
    assert!(said.contains("it broke") && said.contains("No space left"), "{said}");
    assert_eq!(said.matches("none of the 2 VMs is there").count(), 1, "{said}");
    assert!(said.contains("help: free some disk space"), "{said}");
    assert!(!said.contains("--timeout") && !said.contains("start w-"), "{said}");
}

#[test]
fn a_start_that_takes_too_long_can_be_given_more_time() {
    let world = world();
    let not_yet = "Error: agent operation failed: connect: timed out";
    world.fault(json!({"on": "machine exec", "do": {"fail": {"status": 1, "stderr": not_yet}}}));
    let said = stderr(&world.run("thaw dev w -n 2 --timeout 300ms").code(1));
    assert!(said.contains("--timeout gives each more time") && said.contains("none of the 2 VMs is there"), "{said}");
    assert_eq!(made(&world), [""; 0]);
}

/// A VM that its creation deleted again, because its network could not be read back.
#[test]
fn a_vm_that_was_deleted_is_not_called_there() {
    let world = world();
    world.fault(json!({"on": "machine ls", "nth": 2, "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}}));
    let said = stderr(&world.run("thaw dev w -n 3 -j 1").code(1));
    assert!(said.contains("now: 'w-1' was deleted; the other 2 are not there"), "{said}");
    assert_eq!(made(&world), [""; 0]);
}

#[test]
fn the_vms_of_a_live_snapshot_keep_its_identity_and_cannot_have_ports() {
    let world = World::new();
    world.run("create plain --mem 512").success();
    world.run("create ports --mem 512 -p 8080:80").success();
    for name in ["plain", "ports"] {
        world.run(&format!("start {name}")).success();
        world.run(&format!("freeze {name} --live")).success();
        world.run(&format!("rm {name} --yes")).success();
    }
    let said = stderr(&world.run("thaw ports w -n 2").code(2));
    assert!(said.contains("publishes the same ports, so this host can have only one") && !said.contains("-p auto"));
    for options in ["-n 2", "-n 1"] {
        let run = world.run(&format!("thaw plain w {options}")).code(2);
        assert!(stderr(&run).contains("--same-identity keeps those of the frozen VM"), "{run}");
    }
    assert_eq!(world.list().len(), 0);
    world.run("thaw plain w -n 2 --same-identity").success();
    assert_eq!(made(&world), ["w-1", "w-2"]);
}

#[test]
fn what_a_killed_run_made_can_be_removed_and_made_again() {
    let world = world();
    world.warm().fault(json!({"on": "machine create", "nth": 3, "do": "hang"}));
    let thaw = world.spawn("thaw dev worker -n 3 -j 1");
    wait_until("it hangs", || count(&world, "machine create") == 3);
    thaw.signal(Signal::KILL);
    thaw.wait();
    world.clear_faults();
    assert_eq!(made(&world), ["worker-1", "worker-2"]);
    world.run("thaw dev worker -n 3").code(16);
    world.run("rm worker-1 worker-2 --yes").success();
    world.run("thaw dev worker -n 3").success();
}

#[test]
fn what_cannot_be_removed_again_is_named() {
    let world = world();
    let no = |on, nth| json!({"on": on, "nth": nth, "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}});
    world.fault(json!([no("machine start", 3), no("machine delete", 2)]));
    let said = stderr(&world.run("thaw dev worker -n 3 -j 1").code(1));
    let left = made(&world);
    assert_eq!(left.len(), 1, "{said}");
    assert!(said.contains(&format!("'{}' could not be removed", left[0])), "{said}");
    assert!(said.contains("the other 2 are not there") && said.contains("bottle-freeze rm worker-"), "{said}");
}

#[test]
fn a_name_that_is_taken_is_found_before_any_vm_is_made() {
    let world = world();
    world.vm("worker-2").running();
    world.warm();
    world.run("thaw dev worker -n 3").code(16).stderr(contains("of these names already: worker-2"));
    assert_eq!((made(&world), count(&world, "machine create")), (vec!["worker-2".to_owned()], 0));
    assert_eq!(world.state("worker-2"), "running");
}

#[test]
fn the_names_are_locked_while_the_vms_are_made() {
    let world = world();
    world.warm().fault(json!({"on": "machine create", "nth": 1, "do": "hang"}));
    let first = world.spawn("thaw dev worker -n 3 -j 1");
    wait_until("it creates", || count(&world, "machine create") == 1);
    world.run("thaw dev worker -n 2").code(11);
    world.run("create worker-3").code(11);
    first.signal(Signal::INT);
    first.wait().code(130);
    assert_eq!(made(&world), [""; 0]);
}

#[test]
fn a_signal_leaves_none() {
    for (on, at) in [("machine create", "after"), ("machine start", "before"), ("machine exec", "before")] {
        let world = world();
        world.warm().fault(json!({"on": on, "nth": 3, "at": at, "do": "hang"}));
        let thaw = world.spawn("thaw dev worker -n 3 -j 1");
        let counts = world.path("fake/fault-counts");
        wait_until("it hangs", || {
            names_in(&counts).iter().any(|name| fs::metadata(counts.join(name)).is_ok_and(|count| count.len() >= 3))
        });
        thaw.signal(Signal::TERM);
        let said = stderr(&thaw.wait().code(143));
        assert_eq!(made(&world), [""; 0], "{on}: {said}");
        assert!(said.contains("now: none of the 3 VMs is there"), "{on}: {said}");
    }
}

/// `SEED` repeats a run; `BOTTLE_FREEZE_FAULTS=long` interrupts more often.
#[test]
fn a_signal_at_any_moment_leaves_all_or_none_and_says_so() {
    let world = world();
    let slow = |on, at| json!({"on": on, "at": at, "do": {"sleep_ms": 20}});
    world.fault(json!([
        slow("machine create", "after"),
        slow("machine start", "before"),
        slow("machine exec", "after")
    ]));
    let (mut random, mut seen, mut late) = (Random::new(), [0, 0], 0);
    for round in 0..if is_long() { 200 } else { 12 } {
        world.forget_calls();
        let thaw = world.spawn("thaw dev worker -n 3 -j 2");
        wait_until("it handles signals", || handles_signals(thaw.pid()));
        if round % 3 == 0 {
            wait_until("it creates", || count(&world, "machine create") > 0);
        }
        // The random moment is the test: there is no condition to wait for.
        std::thread::sleep(std::time::Duration::from_millis(random.below(if round % 3 == 0 { 40 } else { 400 })));
        thaw.signal([Signal::INT, Signal::TERM][usize::from(round % 2 == 0)]);
        let run = thaw.wait();
        let (said, left) = (stderr(&run), made(&world).len());
        assert!(left == 0 || left == 3, "{left} of 3: {run}");
        seen[usize::from(left == 3)] += 1;
        if left == 3 {
            run.success();
            world.run("rm worker-1 worker-2 worker-3 --yes").success();
        } else {
            let states = ["now: none of the 3 VMs is there", "now: no VM was made", "; the other 2 are not there"];
            assert!(states.iter().any(|state| said.contains(state)), "{said}");
            late += usize::from(count(&world, "machine create") > 0);
        }
    }
    println!("none and all: {seen:?}, interrupted after a VM was begun: {late}");
    assert_ne!(late, 0);
}

// --------------------------------------------------------------------------------------------------------------- ports

/// A port that is free, and so are the next ones. No other test gets them.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut all = std::iter::repeat_with(|| first + NEXT.fetch_add(5, Relaxed));
    all.find(|port| (0..5).all(|more| free(port + more))).unwrap()
}

#[test]
fn ports_that_would_clash_are_refused() {
    let port = free_port();
    let world = frozen(&format!("-p {port}:80"));
    world.warm();
    let hint = || contains("-p auto").and(contains("--no-ports"));
    for line in ["thaw dev w -n 2", "thaw dev w -n 2 -p 9090:80"] {
        world.run(line).code(2).stderr(contains("cannot publish the same ports").and(hint()));
    }
    world.run("thaw dev w -n 2 -p auto -p 9090:80").code(2).stderr(contains("none beside them"));
    assert_eq!(made(&world), [""; 0]);
    assert_eq!(count(&world, "machine create"), 0);
    world.run("thaw dev w -n 2 --no-ports").success();
    assert_eq!(world.record("w-2")["ports"], json!([]));
    // One VM has no other to clash with.
    world.run("thaw dev one -n 1").success();
    assert_eq!(world.record("one-1")["ports"], json!([format!("{port}:80")]));
}

#[test]
fn auto_gives_each_vm_ports_that_are_free() {
    let port = free_port();
    let world = frozen(&format!("-p {port}:80"));
    // The VM that was frozen has its own, whether it runs or not; another program has the next one.
    let _used = TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
    let run = world.run("thaw dev w -n 2 -p auto --json").success();
    let all: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let ports = all.as_array().unwrap().iter().map(|one| one["ports"][0].as_str().unwrap().to_owned());
    let ports: Vec<String> = ports.collect();
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 2, "{ports:?}");
    for (name, published) in ["w-1", "w-2"].iter().zip(&ports) {
        let (host, guest) = published.split_once(':').unwrap();
        assert_eq!((guest, host.parse::<u16>().unwrap() > port + 1), ("80", true), "{published}");
        assert_eq!(world.record(name)["ports"], json!([published]));
    }
    let run = world.run("thaw dev one -p auto").success();
    let published = world.record("one")["ports"][0].as_str().unwrap().to_owned();
    assert!(!ports.contains(&published), "{published}");
    assert!(stdout(&run).contains(&format!("as one, which publishes {published}; ")), "{run}");
}

#[test]
fn auto_keeps_a_port_that_is_free_and_finds_another_for_one_that_is_used() {
    let port = free_port();
    let world = frozen(&format!("-p {port}:80 -p {}:53", port + 1));
    world.run("rm dev --yes").success();
    let _used = TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
    world.run("thaw dev -p auto").success();
    assert_eq!(world.record("dev")["ports"], json!([format!("{port}:80"), format!("{}:53", port + 2)]));
}

#[test]
fn auto_warns_where_no_ports_are_recorded() {
    let world = world();
    world.run("stop dev").success();
    world.run("freeze dev -o x.smolmachine").success();
    let warning = || contains("the ports of the frozen VM are unknown: the new one publishes none");
    world.run("thaw x.smolmachine one -p auto").success().stderr(warning());
    world.run("thaw x.smolmachine two").success().stderr(warning().not());
}

#[test]
fn runs_that_look_for_free_ports_wait_for_each_other() {
    let port = free_port();
    let world = frozen(&format!("-p {port}:80"));
    for options in ["-n 2 -j 1 --no-start --same-identity", ""] {
        world.fault(json!({"on": "machine create", "nth": 1, "do": {"sleep_ms": 2000}}));
        let _ = fs::remove_dir_all(world.path("fake/fault-counts"));
        world.forget_calls();
        let first = world.spawn(&format!("thaw dev one {options} -p auto"));
        wait_until("it creates", || count(&world, "machine create") == 1);
        world.run(&format!("thaw dev two {options} -p auto")).success();
        first.wait().success();
        let all = made(&world);
        let ports: BTreeSet<String> = all.iter().map(|name| world.record(name)["ports"][0].to_string()).collect();
        assert_eq!(ports.len(), all.len(), "{all:?}: {ports:?}");
        world.run(&format!("rm {} --yes", all.join(" "))).success();
    }
}

#[test]
fn auto_does_not_guess_what_a_range_means() {
    let port = free_port();
    let world = frozen(&format!("-p {port}:80"));
    let folder = world.path("home/library/snapshots/dev");
    let file = folder.join(&names_in(&folder)[0]).join("snapshot.json");
    let text = fs::read_to_string(&file).unwrap().replace(&format!("{port}:80"), "8000-8002:8000-8002");
    fs::write(file, text).unwrap();
    world.run("thaw dev w -n 2 -p auto").code(2).stderr(contains("8000-8002").and(contains("no VM was made")));
}

// ------------------------------------------------------------------------------------------------------------ identity

const FROZEN_ID: &str = "0123456789abcdef0123456789abcdef\n";

/// A snapshot whose guest has a machine id, and SSH host keys.
fn with_identity() -> World {
    let world = World::new();
    world.vm("dev").made_here().created();
    world.run("start dev").success();
    for file in ["etc/machine-id", "var/lib/dbus/machine-id"] {
        world.write_guest("dev", &format!("root/{file}"), FROZEN_ID);
    }
    for file in ["etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key.pub", "etc/ssh/sshd_config"] {
        world.write_guest("dev", &format!("root/{file}"), "frozen");
    }
    world.run("freeze dev --yes -t ready").success();
    world
}

/// A program of the guest.
fn program(world: &World, name: &str, script: &str) {
    let file = world.path("bin").join(name);
    fs::create_dir_all(world.path("bin")).unwrap();
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs it with only these programs on PATH, beside an `ssh-keygen` that makes no real keys, if `has_keygen`.
fn run_with(world: &World, has_keygen: bool, line: &str) -> assert_cmd::assert::Assert {
    let bin = world.path("bin");
    fs::create_dir_all(&bin).unwrap();
    for program in ["sh", "cat", "rm"] {
        let there = ["/bin", "/usr/bin"].map(|folder| format!("{folder}/{program}"));
        let there = there.iter().find(|path| fs::exists(path).unwrap()).expect(program);
        let _ = symlink(there, bin.join(program));
    }
    let keygen = bin.join("ssh-keygen");
    let _ = fs::remove_file(&keygen);
    if has_keygen {
        fs::write(&keygen, "#!/bin/sh\n[ $1 = -A ] && read -r id < \"$3/etc/machine-id\" && echo \"key of $id\" > $3/etc/ssh/ssh_host_rsa_key\n")
            .unwrap();
        fs::set_permissions(&keygen, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Where it fails, the guest has its identity all the same.
    program(world, "sync", &format!("echo synced >> {}; exit 1", world.path("syncs").display()));
    let mut command = world.line(line);
    command.env("PATH", bin);
    finish(command)
}

fn guest(world: &World, name: &str, file: &str) -> String {
    world.read_guest(name, &format!("root/{file}")).unwrap_or_default()
}

#[test]
fn each_gets_a_machine_id_and_host_keys_of_its_own() {
    let world = with_identity();
    run_with(&world, true, "thaw dev w -n 2").success();
    let mut ids = BTreeSet::from([FROZEN_ID.to_owned()]);
    for name in ["w-1", "w-2"] {
        let id = guest(&world, name, "etc/machine-id");
        assert!(id.len() == 33 && id.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(guest(&world, name, "var/lib/dbus/machine-id"), id);
        assert_eq!(guest(&world, name, "etc/ssh/ssh_host_rsa_key"), format!("key of {id}"));
        assert_eq!(guest(&world, name, "etc/ssh/ssh_host_rsa_key.pub"), "");
        assert_eq!(guest(&world, name, "etc/ssh/sshd_config"), "frozen");
        assert!(ids.insert(id), "{ids:?}");
    }
    assert_eq!(fs::read_to_string(world.path("syncs")).unwrap(), "synced\nsynced\n");
}

#[test]
fn an_sshd_that_is_gone_is_no_failure() {
    let world = with_identity();
    // No process has this number, and this guest takes it for its sshd.
    world.write_guest("dev", "root/run/sshd.pid", "2147483647\n");
    world.run("freeze dev --yes").success();
    program(&world, "cat", "echo sshd");
    run_with(&world, true, "thaw dev w -n 1").success();
    assert_ne!(guest(&world, "w-1", "etc/machine-id"), FROZEN_ID);
}

#[test]
fn keys_of_dropbear_are_kept_with_a_warning() {
    let world = with_identity();
    world.write_guest("dev", "root/etc/dropbear/dropbear_ed25519_host_key", "frozen");
    world.run("freeze dev --yes").success();
    let run = run_with(&world, true, "thaw dev w -n 1").success();
    let warning = "'w-1' has the SSH host keys of the frozen VM: those of Dropbear are not made anew";
    assert!(stderr(&run).contains(warning), "{run}");
    assert!(guest(&world, "w-1", "etc/ssh/ssh_host_rsa_key").contains("key of"), "{run}");
}

#[test]
fn the_frozen_identity_can_be_kept_and_one_vm_keeps_it() {
    let world = with_identity();
    for (line, name) in [("thaw dev w -n 2 --same-identity", "w-2"), ("thaw dev one", "one")] {
        world.warm();
        run_with(&world, true, line).success();
        assert_eq!(guest(&world, name, "etc/machine-id"), FROZEN_ID);
        assert_eq!(guest(&world, name, "etc/ssh/ssh_host_rsa_key"), "frozen");
        // To wait until it is ready.
        let vms = if line.contains("-n") { 2 } else { 1 };
        assert_eq!(count(&world, "machine exec"), vms, "{line}");
    }
}

#[test]
fn a_guest_without_an_identity_gets_none() {
    let world = world();
    let run = run_with(&world, true, "thaw dev w -n 2").success();
    assert_eq!(guest(&world, "w-1", "etc/machine-id"), "");
    assert!(!stderr(&run).contains("identity") && !stderr(&run).contains("keys"), "{run}");
    assert!(!world.path("syncs").exists());
}

#[test]
fn keys_that_cannot_be_made_anew_are_kept_with_a_warning() {
    let world = with_identity();
    let run = run_with(&world, false, "thaw dev w -n 1").success();
    assert!(
        stderr(&run).contains("'w-1' has the SSH host keys of the frozen VM: its guest has no ssh-keygen"),
        "{run}"
    );
    assert_eq!(guest(&world, "w-1", "etc/ssh/ssh_host_rsa_key"), "frozen");
    assert_ne!(guest(&world, "w-1", "etc/machine-id"), FROZEN_ID);
}

#[test]
fn none_stays_if_a_guest_cannot_change_its_identity() {
    let world = with_identity();
    let no = "sh: can't create /etc/machine-id: Read-only file system";
    // The first call waits until the guest is ready.
    world.fault(json!({"on": "machine exec", "nth": 2, "do": {"fail": {"status": 1, "stderr": no}}}));
    let said = stderr(&world.run("thaw dev w -n 2 -j 1").code(1));
    assert!(said.contains("Read-only file system") && said.contains("--same-identity"), "{said}");
    assert!(!said.contains("--timeout"), "{said}");
    assert_eq!(made(&world), [""; 0]);
}
