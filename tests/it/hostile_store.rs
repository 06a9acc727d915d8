//! A snapshot in the library whose index or objects lie: every command that reads it refuses it (exit 10) in bounded memory,
//! and writes nothing outside.

use crate::support::chaos::within;
use crate::support::library::{objects, sha256, snapshots};
use crate::support::{World, finish, names_in, random_bytes, stderr};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The memory that bottle-freeze may use, in MiB.
const MEMORY: u64 = 250;

const MIB: usize = 1 << 20;

/// The commands that read a snapshot.
const READERS: [&str; 5] = [
    "snapshot verify dev",
    "create x --from dev",
    "thaw dev x",
    "snapshot export dev -o x.tar",
    "snapshot push dev registry.test:5000/dev:x --yes",
];

/// What is put in place of an object, and how.
type Put<'a> = (&'static str, Box<dyn Fn(&Path) + 'a>);

/// A world with one snapshot, and its folder.
fn world() -> (World, PathBuf) {
    let world = World::new();
    world.vm("dev").stopped();
    world.write_guest("dev", "root/note", random_bytes(100 << 10));
    world.run("freeze dev").success();
    let folder = snapshots(&world).into_values().next().unwrap();
    (world, folder)
}

/// Replaces its index by this text, and records that as the right one.
fn forge(folder: &Path, text: &str) {
    fs::write(folder.join("index.json"), text).unwrap();
    let file = folder.join("snapshot.json");
    let mut metadata: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    metadata["files"]["index.json"] = json!({"bytes": text.len(), "sha256": sha256(text.as_bytes())});
    fs::write(file, metadata.to_string()).unwrap();
}

/// What the commands that read the snapshot do: they refuse it, and those that list or remove it work.
fn assert_refused(world: &World, what: &str, readers: &[&str]) {
    let outside = || {
        let folders = ["work", "tmp", "home", "home/library", "home/library/snapshots", "home/library/snapshots/dev"];
        folders.map(|folder| names_in(&world.path(folder)))
    };
    world.warm();
    let before = outside();
    for line in readers {
        let run = finish(within(MEMORY, &world.line(line)));
        assert_eq!(run.get_output().status.code(), Some(10), "{what}: {line}: {}", stderr(&run));
        assert_eq!(outside(), before, "{what}: {line}");
    }
    let changes = ["machine create", "pack push"];
    assert!(!world.commands().iter().any(|call| changes.contains(&call.as_str())), "{what}: {:?}", world.commands());
    for line in ["snapshot ls", "snapshot show dev"] {
        let run = finish(within(MEMORY, &world.line(line)));
        assert!(run.get_output().status.code().is_some_and(|status| status != 101), "{what}: {line}: {}", stderr(&run));
    }
}

fn member(path: &str, kind: &str, size: u64, chunks: &str) -> String {
    format!(
        r#"{{"path":{path:?},"kind":"{kind}","mode":420,"uid":0,"gid":0,"mtime":0,"size":{size},"chunks":[{chunks}]}}"#
    )
}

#[test]
fn an_index_that_lies_is_refused_by_every_command_that_reads_it() {
    let (world, folder) = world();
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let object = objects(&folder)[0].file_name().unwrap().to_str().unwrap().to_owned();
    let with = |members: &str| format!("{{\"version\":1,\"manifest\":{},\"members\":[{members}]}}", index["manifest"]);
    let chunk = |length: u64, bytes: u64| format!("[\"{object}\",{length},{bytes},1]");
    let (small, frame) = (sha256(b"small"), zstd::bulk::compress(b"small", 3).unwrap());
    fs::write(folder.join("objects").join(&small), &frame).unwrap();
    let within_a_block = format!("[\"{small}\",5,{},1],[null,1024]", frame.len());
    let many: Vec<String> =
        (0..800_000).map(|at| member(&at.to_string(), "file", 0, "").replace(",\"chunks\":[]", "")).collect();
    let manifest = |filling: &str| index.to_string().replacen("\"cpus\"", &format!("\"more\":{filling},\"cpus\""), 1);
    let lies = [
        ("a path outside", with(&member("../../../evil", "file", 5, &chunk(5, 3)))),
        ("an absolute path", with(&member("/tmp/evil", "file", 5, &chunk(5, 3)))),
        ("an object outside", with(&member("a", "file", 5, "[\"../../../../evil\",5,3,1]"))),
        ("a size that does not fit", with(&member("a", "file", 1 << 62, &chunk(5, 3)))),
        ("a disk of 2^64 bytes", with(&member("overlay.raw", "sparse", u64::MAX, &format!("[null,{}]", u64::MAX)))),
        ("data of a disk within a block", with(&member("overlay.raw", "sparse", 1029, &within_a_block))),
        ("another length of an object", with(&member("a", "file", 1_000_001, &chunk(1_000_001, 100)))),
        ("a frame of 4 GiB", with(&member("a", "file", 5, &chunk(5, u64::from(u32::MAX))))),
        ("a million files", with(&many.join(","))),
        ("a million chunks", with(&member("a", "file", 900_000, &vec!["[null,1]"; 900_000].join(",")))),
        ("a manifest of 60 MiB", manifest(&format!("\"{}\"", "x".repeat(60 << 20)))),
        ("a manifest of brackets", manifest(&"[".repeat(60 << 20))),
        ("70 MiB", format!("{}{}", index, " ".repeat(70 << 20))),
        ("no index", "hello".to_owned()),
    ];
    for (what, text) in lies {
        forge(&folder, &text);
        let readers = if text.len() < MIB { &READERS[..] } else { &READERS[..2] };
        assert_refused(&world, what, readers);
    }
    world.run("snapshot rm dev --yes").success();
    assert!(folder.parent().unwrap().exists() || snapshots(&world).is_empty());
}

#[test]
fn many_files_of_zeros_take_little_memory() {
    let (world, folder) = world();
    let (mut index, zeros): (Value, _) =
        (serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap(), MIB as u64 - 1);
    // Together they are larger than the memory.
    let files = (0..400).map(|at| member(&at.to_string(), "file", zeros, &format!("[null,{zeros}]")));
    let files = format!("[{}]", files.collect::<Vec<_>>().join(","));
    index["members"] = serde_json::from_str(&files).unwrap();
    forge(&folder, &index.to_string());
    for line in ["snapshot verify dev", "snapshot export dev -o x.tar --allow-secrets"] {
        let run = finish(within(MEMORY, &world.line(line)));
        assert!(run.get_output().status.code().is_some_and(|status| status != 101), "{line}: {}", stderr(&run));
    }
    finish(within(MEMORY, &world.line("snapshot verify dev"))).success();
}

#[test]
fn an_object_that_is_something_else_is_refused_by_every_command_that_reads_it() {
    let (world, folder) = world();
    fs::remove_dir_all(world.path("home/library/store/objects")).unwrap();
    let object = objects(&folder).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let bomb = zstd::bulk::compress(&vec![0; 512 << 20], 19).unwrap();
    let endless = world.path("endless");
    fs::File::create(&endless).unwrap().set_len(1 << 40).unwrap();
    let secret = world.write("secret", "of another user");
    let puts: [Put; 6] = [
        ("a bomb", Box::new(|path| fs::write(path, &bomb).unwrap())),
        ("another frame", Box::new(|path| fs::write(path, zstd::bulk::compress(b"other", 3).unwrap()).unwrap())),
        ("a terabyte", Box::new(|path| fs::rename(&endless, path).unwrap())),
        ("a link outside", Box::new(|path| symlink(&secret, path).unwrap())),
        ("a pipe", Box::new(|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()))),
        ("a folder", Box::new(|path| fs::create_dir(path).unwrap())),
    ];
    for (what, put) in puts {
        fs::remove_file(&object).unwrap();
        put(&object);
        assert_refused(&world, what, &READERS);
    }
    assert_eq!(world.read("secret"), "of another user");
}
