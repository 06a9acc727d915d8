//! Warnings are values: a printed warning is in `warnings` of what it is about, and in the snapshot.json that the run made.
//! Every run with `--json` checks that the two agree, see `support::schema`; here,
//! each warning in the code is printed.

use crate::support::chaos::without_override;
use crate::support::guest_files::{bare, import};
use crate::support::{World, finish, names_in, stderr, stdout};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// Where the code warns, about what, with which engine, how to set it up, and the command to run.
struct Row {
    file: &'static str,
    said: &'static str,
    engine: &'static str,
    set_up: fn(&World) -> String,
    /// Whether it is about the snapshot that is made, and so is in its snapshot.json.
    recorded: bool,
}

const NEWEST: &str = "1.32.2";

const fn row(file: &'static str, said: &'static str, set_up: fn(&World) -> String) -> Row {
    Row { file, said, engine: NEWEST, set_up, recorded: false }
}

impl Row {
    const fn by(self, engine: &'static str) -> Self {
        Self { engine, ..self }
    }

    const fn recorded(self) -> Self {
        Self { recorded: true, ..self }
    }
}

/// A VM that was frozen with the folder `data`, mounted in this way.
fn frozen_with_folder(world: &World, mode: &str) {
    fs::create_dir(world.path("data")).unwrap();
    world.run(&format!("create dev --volume {}:/data{mode}", world.path("data").display())).success();
    for line in ["start dev", "stop dev", "freeze dev"] {
        world.run(line).success();
    }
}

#[rustfmt::skip]
const ALL: &[Row] = &[
    row("configuration.rs", "cannot be recorded for a later freeze", |world| {
        world.run("create other --net").success();
        fs::remove_dir_all(world.path("home/library/vms")).unwrap();
        fs::write(world.path("home/library/vms"), "a file where a folder should be").unwrap();
        "create dev --net".into()
    }),
    row("configuration.rs", "1 mounted host folder(s)", |world| {
        world.vm("dev").with("-v /tmp:/mnt").stopped();
        "freeze dev".into()
    }).recorded(),
    row("configuration.rs", "will not hold the network", |world| {
        world.vm("dev").with("--net").stopped();
        "freeze dev -o x.smolmachine".into()
    }),
    row("configuration.rs", "every limit of the network", |world| {
        world.vm("dev").with("--net").stopped();
        "freeze dev".into()
    }).recorded(),
    row("configuration.rs", "1 published port(s)", |world| {
        world.vm("dev").with("-p 8080:80").stopped();
        "freeze dev -o x.smolmachine".into()
    }),
    row("fidelity.rs", "had secrets that 'dev2' lacks", |world| {
        world.vm("dev").with("--secret-env TOKEN=HOME").stopped();
        world.run("freeze dev").success();
        "thaw dev dev2".into()
    }),
    row("fidelity.rs", "will not have these settings: restart policy (always)", |world| {
        world.vm("dev").stopped();
        world.edit("dev", "settings", json!({"restart_policy": "always"}));
        "freeze dev".into()
    }).recorded(),
    row("fidelity.rs", "smolvm does not report these settings", |world| {
        world.vm("dev").stopped();
        "freeze dev".into()
    }).recorded(),
    row("fidelity.rs", "'dev2' lacks settings of the frozen VM: restart policy (always)", |world| {
        world.vm("dev").stopped();
        world.edit("dev", "settings", json!({"restart_policy": "always"}));
        world.run("freeze dev").success();
        "thaw dev dev2".into()
    }),
    row("fidelity.rs", "'dev2' has settings that the frozen VM did not have: command (sleep 9)", |world| {
        world.vm("dev").stopped();
        world.edit("dev", "cmd", json!(["sleep", "9"]));
        world.run("freeze dev").success();
        let vm = world.path("home/library/snapshots/dev");
        let id = fs::read_dir(&vm).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.join("snapshot.json").exists());
        let file = id.unwrap().join("snapshot.json");
        let mut snapshot: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        snapshot["machine"]["settings"] = json!({});
        fs::write(file, snapshot.to_string()).unwrap();
        "thaw dev dev2".into()
    }),
    row("fidelity.rs", "so 'dev2' has the defaults", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        "thaw dev dev2".into()
    }),
    row("freeze/take.rs", "references to secrets of this host", |world| {
        world.vm("dev").with("--secret-env TOKEN=HOME").stopped();
        "freeze dev".into()
    }).recorded(),
    row("freeze/run.rs", "It is frozen in the ordinary way", |world| {
        let refused = "Error: config operation failed: checkpoint machine: the profile does not support gpu";
        world.vm("dev").running();
        world.fault(json!({"on": "machine checkpoint", "do": {"fail": {"status": 1, "stderr": refused}}}));
        "freeze dev --live=auto --yes".into()
    }).recorded(),
    row("freeze/publish.rs", "an older snapshot keeps its tag", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev -t ready").success();
        "freeze dev -t ready --force --pre-freeze 'host:chmod 500 ../home/library/snapshots/dev/*'".into()
    }),
    row("freeze/plan.rs", "cannot be frozen live: folders of this host", |world| {
        world.vm("dev").with("-v /tmp:/mnt").running();
        "freeze dev --live=auto --yes".into()
    }).recorded(),
    row("freeze/plan.rs", "left out by --no-workspace", |world| {
        world.vm("dev").with("--image alpine:3.20").stopped();
        "freeze dev --no-workspace".into()
    }).recorded(),
    row("freeze/plan.rs", "smolvm 1.4.0 does not pack it", |world| {
        world.vm("dev").stopped();
        "freeze dev".into()
    }).by("1.4.0").recorded(),
    row("freeze/plan.rs", "cannot run a VM made from this snapshot", |world| {
        world.vm("dev").stopped();
        "freeze dev".into()
    }).by("1.1.3").recorded(),
    row("freeze/plan.rs", "packs the image anew", |world| {
        world.vm("dev").with("--image alpine:3.20").stopped();
        "freeze dev".into()
    }).by("1.2.2").recorded(),
    row("freeze/plan.rs", "'dev' does not answer", |world| {
        world.vm("dev").unreachable();
        "freeze dev --yes --allow-unresponsive".into()
    }).recorded(),
    row("freeze/hooks.rs", "so this --pre-freeze command is not run in it", |world| {
        world.vm("dev").stopped();
        "freeze dev --pre-freeze guest:true".into()
    }).recorded(),
    row("freeze/hooks.rs", "a --post-freeze command of 'dev' failed", |world| {
        world.vm("dev").stopped();
        world.fault(json!({"on": "pack create", "do": {"fail": {"status": 1, "stderr": "Error: no pack"}}}));
        "freeze dev --post-freeze 'host:exit 3'".into()
    }),
    row("freeze/take.rs", "'dev' did not trim its disks (fstrim: no)", |world| {
        world.vm("dev").running();
        world.fault(json!({"on": "machine exec", "nth": 1, "do": {"fail": {"status": 1, "stderr": "fstrim: no"}}}));
        "freeze dev --yes --engine-pack".into()
    }).recorded(),
    row("stop.rs", "did not write its files to disk in time", |world| {
        world.vm("dev").running();
        world.fault(json!({"on": "machine exec", "nth": 2, "do": "hang"}));
        "freeze dev --yes".into()
    }).recorded(),
    row("stop.rs", "'dev' did not answer", |world| {
        world.vm("dev").unreachable();
        "stop dev".into()
    }),
    row("start.rs", "although smolvm lists it as unreachable", |world| {
        world.vm("dev").running();
        world.edit("dev", "state", "unreachable".into());
        "start dev".into()
    }),
    row("start.rs", "smolvm ended it and started it again", |world| {
        world.vm("dev").unreachable();
        "start dev".into()
    }),
    row("create.rs", "its /workspace is a separate file", |world| {
        world.vm("dev").running();
        world.run("freeze dev --yes").success();
        "create dev2 --from dev".into()
    }).by("1.4.0"),
    row("thaw/volumes.rs", "not on this host, and so not mounted: ", |world| {
        frozen_with_folder(world, "");
        fs::remove_dir(world.path("data")).unwrap();
        "thaw dev dev2".into()
    }),
    row("thaw/volumes.rs", "would overwrite what is there now (--volume mounts them): ", |world| {
        frozen_with_folder(world, ":staged");
        "thaw dev dev2".into()
    }),
    row("thaw/plan.rs", "some limits of the frozen one are unknown", |world| {
        world.vm("dev").with("--net").stopped();
        world.run("freeze dev").success();
        "thaw dev dev2".into()
    }),
    row("thaw/ports.rs", "the ports of the frozen VM are unknown", |world| {
        world.vm("dev").with("-p 8080:80").stopped();
        world.run("freeze dev").success();
        "thaw dev dev2".into()
    }),
    row("thaw/ports.rs", "in use here, and so not published", |world| {
        let port = listen();
        world.run(&format!("create dev -p {port}:80")).success();
        world.run("start dev").success();
        world.run("freeze dev --yes").success();
        "thaw dev dev2".into()
    }),
    row("thaw/identity.rs", "has the SSH host keys of the frozen VM", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        world.fault(json!({"on": "machine exec", "nth": 2, "do": {"print": "no ssh-keygen"}}));
        "thaw dev w -n 1".into()
    }),
    row("thaw/identity.rs", "its guest has no sh to change it", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        let no = "Error: agent operation failed: vm exec: failed to spawn command: No such file or directory";
        world.fault(json!({"on": "machine exec", "nth": 2, "do": {"fail": {"status": 1, "stderr": no}}}));
        "thaw dev w -n 1".into()
    }),
    row("snapshot/push.rs", "its snapshot.json is pushed too", |world| {
        fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        "snapshot push dev registry.test:5000/dev:t --yes".into()
    }),
    row("snapshot/pull.rs", "came without a snapshot.json", |world| {
        fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
        let file = world.snapshot("x.smolmachine");
        world.smolvm(&format!("pack push --file {} -- registry.test:5000/dev:t", file.display()));
        "snapshot pull registry.test:5000/dev:t --as dev".into()
    }).recorded(),
    row("prune.rs", "was not removed: ", |world| {
        world.vm("dev").made_here().stopped();
        world.run("freeze dev").success();
        let vm = world.path("home/library/snapshots/dev");
        let read = fs::File::open(vm.join(&names_in(&vm)[0])).unwrap();
        rustix::fs::flock(&read, rustix::fs::FlockOperation::LockShared).unwrap();
        // Read until the test ends.
        std::mem::forget(read);
        "freeze dev --keep-last 1".into()
    }),
    row("snapshot/import.rs", "came without a snapshot.json", |world| {
        world.vm("dev").running();
        world.smolvm("machine checkpoint --name dev --store store --output x.checkpoint");
        "snapshot import x.checkpoint".into()
    }).recorded(),
    row("snapshot/import.rs", "an earlier state in x.checkpoint is left out", |world| {
        world.vm("dev").running();
        for name in ["a", "x"] {
            world.smolvm(&format!("machine checkpoint --name dev --store store --output {name}.checkpoint"));
        }
        let earlier = world.path("work/x.checkpoint/generations");
        let earlier = fs::read_dir(earlier).unwrap().next().unwrap().unwrap().path();
        fs::write(earlier.join("checkpoint.json"), "[]").unwrap();
        "snapshot import x.checkpoint".into()
    }).recorded(),
    row("snapshot/import.rs", "is not encrypted", |world| {
        export(world);
        world.run("snapshot rm dev --yes").success();
        world.write("key", fs::read_to_string("tests/corpus/keys/native").unwrap());
        "snapshot import dev.tar --identity key".into()
    }).recorded(),
    row("leaks.rs", "it holds what may be secret", |world| {
        world.vm("dev").with("-e TOKEN=x").stopped();
        world.run("freeze dev").success();
        "snapshot export dev -o dev.tar --allow-secrets".into()
    }),
    row("leaks.rs", "was not unmounted cleanly", |world| {
        let one = import(world, "dev", &bare("journal").artifact());
        format!("snapshot export {one} -o dev.tar --allow-secrets")
    }),
    row("keys.rs", "this kind of SSH key cannot encrypt", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        let keys = ["native.pub", "ecdsa.pub"].map(|name| fs::read_to_string(format!("tests/corpus/keys/{name}")).unwrap());
        world.write("keys", keys.concat());
        "snapshot export dev -o dev.age -R keys".into()
    }),
    row("arrival.rs", "the tag ready stays with", |world| {
        export(world);
        "snapshot import dev.tar".into()
    }).recorded(),
    row("arrival.rs", "it was set to now", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        let folder = world.path("home/library/snapshots/dev");
        let file = folder.join(&names_in(&folder)[0]).join("snapshot.json");
        let mut metadata: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        metadata["created"] = "2999-01-01T00:00:00.000Z".into();
        fs::write(&file, metadata.to_string()).unwrap();
        world.run("snapshot export dev -o dev.tar").success();
        "snapshot import dev.tar --as other".into()
    }).recorded(),
    row("arrival.rs", "is left out", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev -t ready").success();
        let folder = world.path("home/library/snapshots/dev");
        let file = folder.join(&names_in(&folder)[0]).join("snapshot.json");
        fs::write(&file, fs::read_to_string(&file).unwrap().replace("\"ready\"", "\"deadbeef\"")).unwrap();
        world.run("snapshot export dev -o dev.tar").success();
        "snapshot import dev.tar --as other".into()
    }).recorded(),
    row("freeze/unchanged.rs", "did not get the note and the labels", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        "freeze dev --if-changed -m later".into()
    }),
    row("snapshot/print.rs", "dev@halfway0 is not a valid snapshot", |world| {
        world.vm("dev").stopped();
        world.run("freeze dev").success();
        fs::create_dir(world.path("home/library/snapshots/dev/halfway0")).unwrap();
        "snapshot prune --keep-last 1".into()
    }),
    row("doctor/leftovers.rs", "cannot be removed", |world| {
        let left = world.path("home/.cache/smolvm/pack-staging-abcdef");
        fs::create_dir_all(left.join("staging")).unwrap();
        fs::write(left.join("staging/storage.ext4"), "").unwrap();
        let then = SystemTime::now() - Duration::from_secs(3600);
        for path in [left.join("staging/storage.ext4"), left.join("staging"), left.clone()] {
            fs::File::open(path).unwrap().set_modified(then).unwrap();
        }
        fs::set_permissions(left, fs::Permissions::from_mode(0o500)).unwrap();
        "doctor --fix".into()
    }),
];

/// Each row in its own world, several at a time, because some wait for a guest.
#[test]
fn every_printed_warning_is_in_the_result_it_is_about() {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(row) = ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(row);
        }
    };
    std::thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(work))));
}

fn check(row: &Row) {
    let world = World::with_engine(row.engine);
    let line = (row.set_up)(&world);
    let what = format!("{}: {}: {line}", row.file, row.said);
    let run = finish(without_override(&world.line(&format!("{line} --json --error-format json --progress=json"))));
    let lines: Vec<Value> = stderr(&run).lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let is_it = |text: &Value| text.as_str().is_some_and(|text| text.contains(row.said));
    let printed = lines.iter().find(|line| line["event"] == "warning" && is_it(&line["message"]));
    assert!(printed.is_some(), "{what}: not printed: {}{}", stdout(&run), stderr(&run));
    let has_it = |value: &Value| value["warnings"].as_array().is_some_and(|all| all.iter().any(is_it));
    let result: Value = serde_json::from_str(&stdout(&run)).unwrap_or_default();
    let mut entries = result.as_array().cloned().unwrap_or_else(|| vec![result.clone()]);
    entries.extend(lines.iter().filter_map(|line| line.get("error").cloned()));
    assert!(entries.iter().any(has_it), "{what}: not in a result: {}{}", stdout(&run), stderr(&run));
    if row.recorded {
        let reference = result["reference"].as_str().expect(&what);
        let mut shown: Value =
            serde_json::from_str(&stdout(&world.run(&format!("snapshot show {reference} --json")))).unwrap();
        // What it takes now is not recorded.
        for key in ["bytes", "unique_bytes"] {
            assert!(shown.as_object_mut().unwrap().remove(key).is_some());
        }
        assert!(has_it(&shown) && shown == result["snapshot"], "{what}: not recorded: {shown:#}");
    }
}

#[test]
fn a_warning_that_comes_after_the_snapshot_was_made_is_recorded_in_it() {
    let world = World::new();
    world.vm("dev").running();
    let report = world.run("freeze dev --yes --json --post-freeze guest:true").success();
    let report: Value = serde_json::from_str(&stdout(&report)).unwrap();
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show dev --json").success())).unwrap();
    for warnings in [&report["warnings"], &report["snapshot"]["warnings"], &shown["warnings"]] {
        assert!(warnings.to_string().contains("is not run in it"), "{warnings}");
    }
}

/// The files in a folder and its subfolders.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// A call that warns, and is in no row, may print a warning that is in no result.
#[test]
fn every_place_that_warns_is_in_the_list() {
    let floors = ["src/commands", "src/operations"].map(|floor| Path::new(env!("CARGO_MANIFEST_DIR")).join(floor));
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for floor in &floors {
        for file in files_in(floor) {
            let text = fs::read_to_string(&file).unwrap();
            let warns = ["warnings.warn(", "warnings.push(", "losses.push(", "warn_once("];
            // A predicted warning is printed in one place; a detected one in those that push.
            let is_one = |line: &&str| warns.iter().any(|call| line.contains(call)) && !line.contains("foreseen");
            let name = file.strip_prefix(floor).unwrap().display().to_string();
            *found.entry(name).or_default() += text.lines().filter(is_one).count();
        }
    }
    found.retain(|_, count| *count > 0);
    let mut table: BTreeMap<String, usize> = BTreeMap::new();
    for row in ALL {
        *table.entry(row.file.to_owned()).or_default() += 1;
    }
    // The fallback of --live=auto is predicted where it is checked, and printed when the engine refuses.
    *table.get_mut("freeze/plan.rs").unwrap() -= 1;
    // Of disks with file systems, which only real engines have: `a_snapshot_says_what_became_of_deleted_files`.
    *table.entry("freeze/disks.rs".to_owned()).or_default() += 2;
    assert_eq!(found, table, "warnings in the code, and rows in this table");
}

#[test]
fn each_of_several_vms_has_only_its_own_warnings() {
    let world = World::new();
    world.vm("a").with("--volume /tmp:/mnt").made_here().running();
    world.vm("b").made_here().running();
    world.vm("c").with("--net").stopped();
    let hooks = "--pre-freeze guest:true";
    let line = format!("freeze a b c -j 3 --yes {hooks} --json --progress=json");
    let run = world.run(&line).success();
    let all: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value["warnings"].clone()).unwrap() };
    let (a, b, c) = (texts(&all[0]), texts(&all[1]), texts(&all[2]));
    assert!(a.len() == 1 && a[0].contains("mounted host folder"), "{a:?}");
    assert!(b.is_empty(), "{b:?}");
    let of_c = ["limit of the network", "does not report these settings", "'c' is stopped"];
    assert!(c.len() == 3 && c.iter().zip(of_c).all(|(warning, text)| warning.contains(text)), "{c:?}");
    for entry in all.as_array().unwrap() {
        assert_eq!(texts(entry), texts(&entry["snapshot"]), "warnings printed before it was published");
    }
}

#[test]
fn the_downtime_is_the_same_number_everywhere() {
    let world = World::new();
    world.vm("dev").running();
    world.fault(json!({"on": "machine start", "at": "before", "do": {"sleep_ms": 300}}));
    let run = world.run("freeze dev --yes --restart --json").success();
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show dev --json"))).unwrap();
    assert!(report["downtime_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(report["downtime_seconds"], report["snapshot"]["downtime_seconds"]);
    assert_eq!(report["downtime_seconds"], shown["downtime_seconds"]);
}

/// A port with a listener for the rest of the tests.
fn listen() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::mem::forget(listener);
    port
}

/// `dev.tar`, a tagged snapshot of dev, and another snapshot of dev that has the tag.
fn export(world: &World) {
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    world.run("snapshot export dev -o dev.tar").success();
    world.run("snapshot rm dev --yes").success();
    world.run("freeze dev -t ready").success();
}
