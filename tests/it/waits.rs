//! What another bottle-freeze uses is exit 11, and the hint names `--wait` where the command has it, and nowhere else.

use crate::support::{Running, World, schema, stderr, stdout};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Commands that find something locked: the VMs `down`, `up`, `aside`, `two` and `new`, the library of `down`, its snapshot, the
/// oldest one of `two`, the engines, and the output `out.smolmachine`.
const LOCKED: [&str; 32] = [
    "create new",
    "create other --from DOWN",
    "start down",
    "stop up",
    "pause up",
    "resume aside",
    "rm down --yes",
    "freeze down",
    "freeze other -o out.smolmachine",
    "thaw two new",
    "thaw two new -n 1 --no-start --same-identity",
    "thaw two two --replace --yes",
    "thaw DOWN other2",
    "rollback two --yes",
    "pack alpine -o out",
    "cp DOWN:/etc/hostname .",
    "verify DOWN",
    "snapshot rm OLD --yes",
    "snapshot prune two --keep-last 1 --yes",
    "snapshot tag DOWN good",
    "snapshot import down.tar",
    "snapshot pull registry.test:5000/down:x --as down",
    "snapshot push DOWN registry.test:5000/down:y --yes",
    "snapshot export DOWN -o z.tar",
    "snapshot verify DOWN",
    "snapshot files DOWN",
    "snapshot cat DOWN:/etc/hostname",
    "snapshot diff DOWN --image",
    "engine install --version 1.2.3",
    "engine use 1.2.3",
    "engine rm 1.2.3",
    "thaw two new -- true",
];

/// Commands that wait for nothing.
const FREE: [&str; 8] =
    ["completions", "doctor", "engine-ls", "exec", "ls", "schedule", "snapshot-ls", "snapshot-show"];

/// Locks a file or a folder, as another bottle-freeze does.
fn hold(path: &Path) -> File {
    if !path.exists() {
        fs::write(path, "process 1 on another host, since now\n").unwrap();
    }
    let file = File::open(path).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    file
}

/// The file that locks an output.
fn output_lock(world: &World, file: &str) -> PathBuf {
    let path = fs::canonicalize(world.path("work")).unwrap().join(file);
    let digest = base16ct::lower::encode_string(&Sha256::digest(path.as_os_str().as_encoded_bytes()));
    world.vm_lock("x").with_file_name(format!("output-{}.lock", &digest[..32]))
}

#[test]
fn the_hint_of_a_lock_names_wait_where_the_command_has_it() {
    let world = World::new();
    for name in ["down", "two", "other"] {
        world.vm(name).stopped();
    }
    world.vm("up").running();
    world.vm("aside").in_state("paused");
    let freeze = |name: &str| stdout(&world.run(&format!("freeze {name} -q")).success()).trim().to_owned();
    let gone = freeze("down");
    world.run("snapshot export down -o down.tar").success();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    world.run("snapshot push down registry.test:5000/down:x --yes").success();
    world.run(&format!("snapshot rm {gone} --yes")).success();
    let (down, old, _newest) = (freeze("down"), freeze("two"), freeze("two"));
    let library = world.path("home/library");
    fs::create_dir_all(library.join("engines")).unwrap();
    let snapshot = |reference: &str| library.join("snapshots").join(reference.replace('@', "/"));
    let mut files = ["down", "up", "aside", "two", "new", "new-1"].map(|name| world.vm_lock(name)).to_vec();
    files.push(output_lock(&world, "out.smolmachine"));
    let mut locks: Vec<File> = files.iter().map(|file| hold(file)).collect();
    locks.extend(
        [library.join("snapshots/down"), snapshot(&down), snapshot(&old), library.join("engines")]
            .map(|path| hold(&path)),
    );
    // All at once: what no option changes, waits for 10 s.
    let line = |line: &str| line.replace("DOWN", &down).replace("OLD", &old);
    let runs: Vec<(&str, Running)> = LOCKED.iter().map(|text| (*text, world.spawn(&line(text)))).collect();
    let mut tried = BTreeSet::from(FREE.map(str::to_owned));
    for (text, run) in runs {
        let run = run.wait();
        let said = stderr(&run);
        let expected = if text.contains(" -- ") { 125 } else { 11 };
        assert_eq!(run.get_output().status.code(), Some(expected), "{text}: {said}");
        assert!(said.contains("try again when it is done"), "{text}: {said}");
        let words: Vec<_> = text.split(' ').collect();
        let command = schema::command(&words);
        let help = stdout(&world.run(&format!("help {}", command.replace('-', " "))).success());
        // A snapshot that another one changes is waited for as long as ever: no option changes that.
        let is_reading = help.contains("--wait") && text.contains("DOWN");
        assert_eq!(said.contains("--wait 10m"), help.contains("--wait") && !is_reading, "{text}: {said}");
        tried.insert(command);
    }
    let untried: Vec<String> = schema::commands().into_iter().filter(|command| !tried.contains(command)).collect();
    assert!(untried.is_empty(), "{untried:?} wait for nothing?");
    drop(locks);
    for file in files {
        let _ = fs::remove_file(file);
    }
}
