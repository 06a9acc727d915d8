//! Damage: a snapshot with one wrong bit or one missing byte is never accepted as intact.
//!
//! `BOTTLE_FREEZE_FAULTS=long` damages a real artifact in well over a thousand ways; otherwise a small one of the fake
//! engine is damaged in fewer. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long, within, without_override};
use crate::support::{World, finish, real, stderr, stdout};
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

// ------------------------------------------------------------------------------ flipped bits, missing ends

/// A file that is damaged in place and then restored.
struct Victim {
    path: PathBuf,
    bytes: Vec<u8>,
    assets: u64,
}

impl Victim {
    fn new(path: PathBuf) -> Self {
        let bytes = fs::read(&path).unwrap();
        let at = bytes.len() - 28;
        let manifest = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap());
        assert_eq!(&bytes[bytes.len() - 64..bytes.len() - 56], b"SMOLPACK");
        let manifest_at = bytes.len() as u64 - 64 - manifest;
        Self { path, bytes, assets: manifest_at }
    }

    fn footer(&self) -> u64 {
        self.len() - 64
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Calls `test` with one bit of the file flipped.
    fn flipped(&self, bit: u64, test: impl FnOnce(&Path)) {
        let byte = bit / 8;
        let whole = self.bytes[usize::try_from(byte).unwrap()];
        let file = File::options().write(true).open(&self.path).unwrap();
        file.write_all_at(&[whole ^ (1 << (bit % 8))], byte).unwrap();
        test(&self.path);
        file.write_all_at(&[whole], byte).unwrap();
    }

    /// Calls `test` with the first `length` bytes of the file.
    fn cut(&self, length: u64, test: impl FnOnce(&Path)) {
        let file = File::options().write(true).open(&self.path).unwrap();
        file.set_len(length).unwrap();
        test(&self.path);
        file.write_all_at(&self.bytes[usize::try_from(length).unwrap()..], length).unwrap();
    }
}

/// The bits to flip: in the footer (all or some), and as many in the manifest and the assets.
fn bits(victim: &Victim, random: &mut Random, footer: usize, elsewhere: usize) -> BTreeSet<u64> {
    let all: Vec<u64> = (victim.footer() * 8..victim.len() * 8).collect();
    let step = all.len() / footer;
    let mut bits: BTreeSet<u64> = all.into_iter().step_by(step).collect();
    let of_footer = bits.len();
    while bits.len() < of_footer + elsewhere / 2 {
        bits.insert(random.between(victim.assets * 8, victim.footer() * 8));
    }
    while bits.len() < of_footer + elsewhere {
        bits.insert(random.between(0, victim.assets * 8));
    }
    bits
}

/// The lengths to cut to: each boundary and its neighbors, and random ones.
fn lengths(victim: &Victim, random: &mut Random, count: usize) -> BTreeSet<u64> {
    let (manifest, footer, len) = (victim.assets, victim.footer(), victim.len());
    let around = |at: u64| [at - 1, at, at + 1];
    let mut lengths = BTreeSet::from([0, 1, 63, 64, 65, len - 63, len - 8, len - 1]);
    lengths.extend(around(manifest).into_iter().chain(around(footer)));
    while lengths.len() < count {
        lengths.insert(random.below(len));
    }
    lengths
}

/// `verify` and `create` both refuse the file.
fn assert_noticed(world: &World, path: &Path, damage: &str) {
    for words in [&["verify"][..], &["create", "x", "--from"]] {
        let run = finish(world.command(words.iter().map(OsStr::new).chain([path.as_os_str()])));
        let status = run.get_output().status.code();
        assert_eq!(status, Some(10), "{words:?} of a file with {damage}: {}{}", stdout(&run), stderr(&run));
    }
}

/// Damages the file in all these ways; in the end it is intact again.
fn assert_every_damage_is_noticed(world: &World, path: PathBuf, footer_bits: usize, other_bits: usize, cuts: usize) {
    let mut random = Random::new();
    let victim = Victim::new(path);
    for bit in bits(&victim, &mut random, footer_bits, other_bits) {
        victim.flipped(bit, |path| assert_noticed(world, path, &format!("bit {bit} flipped")));
    }
    for length in lengths(&victim, &mut random, cuts) {
        victim.cut(length, |path| assert_noticed(world, path, &format!("{length} bytes left")));
    }
    assert!(world.all_calls().is_empty(), "the engine was called: {:?}", world.all_calls());
    finish(world.command([OsStr::new("verify"), victim.path.as_os_str()])).success();
}

#[test]
fn every_flipped_bit_and_every_cut_is_detected_without_the_engine() {
    let world = World::new();
    let small = world.snapshot("x.smolmachine");
    assert_every_damage_is_noticed(&world, small, 64, 40, 40);
}

#[test]
fn every_damage_to_a_real_artifact_is_detected() {
    if !is_long() {
        return;
    }
    let world = World::new();
    let artifact = world.path("work/real.smolmachine");
    real::pack(&world, &artifact);
    assert!(fs::metadata(&artifact).unwrap().len() > 10 << 20, "a real artifact has megabytes");
    assert_every_damage_is_noticed(&world, artifact, 512, 500, 200);
}

// --------------------------------------------------------------------------------------------- whole files

/// Runs `verify` with these arguments, without any engine.
fn verify<S: AsRef<OsStr>>(world: &World, words: impl IntoIterator<Item = S>) -> Assert {
    let words = words.into_iter().map(|word| word.as_ref().to_owned());
    let mut command = world.command(std::iter::once("verify".into()).chain(words));
    command.env("SMOLVM", "/nonexistent/smolvm").env("PATH", "");
    finish(command)
}

/// The output of `verify --json` for these files, whatever its status.
fn verify_json<S: AsRef<OsStr>>(world: &World, files: impl IntoIterator<Item = S>) -> Vec<Value> {
    let words = files.into_iter().map(|word| word.as_ref().to_owned());
    let run = verify(world, std::iter::once("--json".into()).chain(words));
    serde_json::from_str(&stdout(&run)).expect("one JSON array and nothing else")
}

#[test]
fn an_intact_snapshot_is_one_line_and_needs_no_engine() {
    let world = World::new();
    world.snapshot("x.smolmachine");
    let run = verify(&world, ["x.smolmachine"]).success();
    assert_eq!(stdout(&run).lines().count(), 1, "{}", stdout(&run));
    assert!(stdout(&run).contains("x.smolmachine is whole"), "{}", stdout(&run));
    assert_eq!(stderr(&run), "");
    assert!(world.all_calls().is_empty());
}

#[test]
fn quiet_prints_the_paths_of_intact_snapshots() {
    let world = World::new();
    world.snapshot("x.smolmachine");
    let run = verify(&world, ["-q", "x.smolmachine"]).success();
    assert_eq!((stdout(&run).as_str(), stderr(&run).as_str()), ("x.smolmachine\n", ""));
}

#[test]
fn one_damaged_snapshot_of_several_is_named_and_the_others_are_checked() {
    let world = World::new();
    let mut bytes = fs::read(world.snapshot("a.smolmachine")).unwrap();
    world.write("c.smolmachine", &bytes);
    bytes[100] ^= 4;
    world.write("b.smolmachine", &bytes);
    let run = verify(&world, ["a.smolmachine", "b.smolmachine", "c.smolmachine"]).code(3);
    assert!(stdout(&run).contains("a.smolmachine is whole") && stdout(&run).contains("c.smolmachine is whole"));
    assert!(!stdout(&run).contains("b.smolmachine"), "{}", stdout(&run));
    run.stderr(contains("b.smolmachine is damaged").and(contains("1 of 3 snapshots failed: b.smolmachine")));
}

#[test]
fn json_has_an_entry_for_every_file() {
    let world = World::new();
    let whole = fs::read(world.snapshot("a.smolmachine")).unwrap();
    world.write("b.smolmachine", &whole[1..]);
    let reports = verify_json(&world, ["a.smolmachine", "b.smolmachine", "./missing"]);
    let crc = u32::from_le_bytes(whole[whole.len() - 12..whole.len() - 8].try_into().unwrap());
    let expected = json!({"path": "a.smolmachine", "whole": true, "bytes": whole.len(), "crc32": format!("{crc:08x}"),
        "sha256": null, "error": null, "warnings": []});
    assert_eq!(reports[0], expected);
    for (report, path, why) in [(&reports[1], "b.smolmachine", "damaged"), (&reports[2], "./missing", "cannot be read")]
    {
        assert_eq!((&report["path"], &report["whole"], &report["bytes"]), (&json!(path), &json!(false), &Value::Null));
        assert!(report["error"]["message"].as_str().unwrap().contains(why), "{report}");
    }
    assert_eq!(reports.len(), 3);
}

#[test]
fn json_and_the_exit_status_agree() {
    let world = World::new();
    world.snapshot("a.smolmachine");
    world.write("b.smolmachine", "no snapshot");
    verify(&world, ["--json", "a.smolmachine"]).success();
    verify(&world, ["--json", "b.smolmachine"]).code(10);
    verify(&world, ["--json", "./missing"]).code(4);
    verify(&world, ["--json", "missing"]).code(4);
    verify(&world, ["--json", "a.smolmachine", "b.smolmachine"]).code(3);
}

// ------------------------------------------------------------------------------------------- no files at all

#[test]
fn a_missing_file_has_its_own_status() {
    verify(&World::new(), ["missing.smolmachine"]).code(4).stderr(contains("missing.smolmachine cannot be read"));
}

#[test]
fn anything_that_is_not_a_snapshot_is_refused() {
    let world = World::new();
    world.write("empty", "");
    world.write("text", "SMOLPACK, but only in words");
    world.write("zeros", vec![0; 4096]);
    fs::create_dir(world.path("work/folder.smolmachine")).unwrap();
    for path in ["./empty", "./text", "./zeros", "/dev/zero", "/dev/null"] {
        verify(&world, [path]).code(10).stderr(contains("is not a .smolmachine file"));
    }
    for path in ["folder.smolmachine", "./"] {
        verify(&world, [path]).code(4).stderr(contains("is a folder, not a snapshot"));
    }
}

/// Whatever its name is, and however it is spelled.
#[test]
fn an_exported_snapshot_and_a_folder_are_not_damaged() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("freeze dev -o whole.smolmachine").success();
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/keys/ed25519.pub");
    fs::create_dir(world.path("work/sub")).unwrap();
    for path in ["c.tar", "sub/c.tar", "sub/backup"] {
        world.run(&format!("snapshot export dev -o {path}")).success();
    }
    for path in ["c.age", "sub/hidden"] {
        world.run(&format!("snapshot export dev -o {path} -R {}", key.display())).success();
    }
    world.write("sub/c.tar.zst", [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0; 100]].concat());
    let exports = ["c.tar", "./c.tar", "sub/c.tar", "sub/backup", "./c.age", "sub/hidden", "sub/c.tar.zst"];
    for path in exports.into_iter().chain(["sub/", "./sub"]) {
        for line in [
            format!("snapshot files {path}"),
            format!("snapshot cat {path}:/x"),
            format!("snapshot diff {path} dev"),
            format!("snapshot diff dev {path}"),
            format!("verify {path}"),
            format!("thaw {path} new"),
            format!("create new --from {path}"),
            format!("snapshot push {path} registry.test:5000/dev:r1 --yes"),
        ] {
            let said = stderr(&world.run(&line).code(4));
            let is_export = exports.contains(&path);
            let help =
                if is_export { "an exported snapshot is imported first: " } else { "is a folder, not a snapshot" };
            assert!(said.contains(help) && !said.contains("damaged"), "{line}: {said}");
        }
    }
    for path in exports {
        for line in
            [format!("snapshot verify {path}"), format!("snapshot export {path} -o z.tar"), format!("cp {path}:/x .")]
        {
            let said = stderr(&world.run(&line).code(4));
            assert!(said.contains("an exported snapshot is imported first: "), "{line}: {said}");
        }
    }
    // The command of the hint works, and an artifact is one whatever its name is.
    world.run("snapshot import sub/backup --as other").success();
    fs::rename(world.path("work/whole.smolmachine"), world.path("work/whole.tar")).unwrap();
    world.run("verify ./whole.tar").success();
}

#[test]
fn a_fifo_is_refused_without_waiting() {
    let world = World::new();
    let made = Command::new("mkfifo").arg(world.path("work/fifo.smolmachine")).status().unwrap();
    assert!(made.success());
    verify(&world, ["fifo.smolmachine"]).code(10);
    world.run("create x --from fifo.smolmachine").code(10);
    assert!(world.all_calls().is_empty());
}

#[test]
fn a_launcher_is_not_its_snapshot() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o snap").success();
    verify(&world, ["./snap"]).code(10).stderr(contains("is not a .smolmachine file"));
    verify(&world, ["snap.smolmachine"]).success();
}

/// A single-file pack: the launcher comes before the assets in one file, and the footer says so.
#[test]
fn a_single_file_pack_is_reported_as_one() {
    let world = World::new();
    let mut bytes = fs::read(world.snapshot("x.smolmachine")).unwrap();
    let footer = bytes.len() - 64;
    bytes[footer + 12..footer + 20].copy_from_slice(&51_000_000_u64.to_le_bytes());
    world.write("single", bytes);
    verify(&world, ["./single"]).code(10).stderr(contains("single-file pack"));
}

#[test]
fn an_unreadable_file_is_a_failure_and_not_damage() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let path = world.snapshot("x.smolmachine");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root can read it anyway, unless it drops that capability.
    let command = without_override(&world.line("verify x.smolmachine"));
    finish(command).code(1).stderr(contains("Permission denied"));
}

#[test]
fn a_link_is_followed_to_the_snapshot() {
    let world = World::new();
    world.snapshot("x.smolmachine");
    std::os::unix::fs::symlink("x.smolmachine", world.path("work/link")).unwrap();
    std::os::unix::fs::symlink("loop", world.path("work/loop")).unwrap();
    verify(&world, ["./link"]).success();
    verify(&world, ["./loop"]).code(1).stderr(contains("symbolic links"));
}

// ------------------------------------------------------------------------------------- snapshot.json beside it

/// A world with `x.smolmachine`; returns its bytes too.
fn world_with_snapshot() -> (World, Vec<u8>) {
    let world = World::new();
    let bytes = fs::read(world.snapshot("x.smolmachine")).unwrap();
    (world, bytes)
}

fn sha256(path: &Path) -> String {
    let said = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(said.stdout).unwrap()[..64].to_owned()
}

fn record(world: &World, bytes: usize, sha256: &str) {
    let metadata = json!({"files": {"x.smolmachine": {"bytes": bytes, "sha256": sha256}}, "later": [1, 2]});
    world.write("snapshot.json", metadata.to_string());
}

#[test]
fn the_recorded_sha_256_is_checked_and_reported() {
    let (world, bytes) = world_with_snapshot();
    let right = sha256(&world.path("work/x.smolmachine"));
    record(&world, bytes.len(), &right);
    verify(&world, ["x.smolmachine"]).success();
    assert_eq!(verify_json(&world, ["x.smolmachine"])[0]["sha256"], json!(right));
}

#[test]
fn a_different_sha_256_or_size_is_damage() {
    let (world, bytes) = world_with_snapshot();
    let right = sha256(&world.path("work/x.smolmachine"));
    let wrong = format!("{}{}", if right.starts_with('0') { '1' } else { '0' }, &right[1..]);
    for (size, sha256) in [(bytes.len(), wrong.as_str()), (bytes.len() + 1, &right), (0, &right), (bytes.len(), "")] {
        record(&world, size, sha256);
        verify(&world, ["x.smolmachine"]).code(10).stderr(contains("snapshot.json"));
        let report = &verify_json(&world, ["x.smolmachine"])[0];
        assert_eq!((&report["whole"], &report["sha256"]), (&json!(false), &Value::Null), "{report}");
    }
}

#[test]
fn a_snapshot_json_of_other_files_is_ignored() {
    let (world, _) = world_with_snapshot();
    for text in ["{}", r#"{"files": {}}"#, r#"{"files": {"y.smolmachine": {"bytes": 1, "sha256": "00"}}}"#] {
        world.write("snapshot.json", text);
        verify(&world, ["x.smolmachine"]).success();
    }
}

#[test]
fn a_snapshot_json_that_cannot_be_read_is_not_skipped() {
    let (world, _) = world_with_snapshot();
    let deep = "[".repeat(100_000);
    for text in ["", "{", "null", r#"{"files": 1}"#, r#"{"files": {"x.smolmachine": {}}}"#, "\u{1b}[2J", &deep] {
        world.write("snapshot.json", text);
        let run = verify(&world, ["x.smolmachine"]).code(10).stderr(contains("snapshot.json"));
        assert!(!stderr(&run).contains('\x1b'), "{:?}", stderr(&run));
    }
    fs::remove_file(world.path("work/snapshot.json")).unwrap();
    fs::create_dir(world.path("work/snapshot.json")).unwrap();
    verify(&world, ["x.smolmachine"]).code(10).stderr(contains("snapshot.json"));
}

#[test]
fn a_snapshot_json_that_is_a_fifo_is_refused_without_waiting() {
    let (world, _) = world_with_snapshot();
    assert!(Command::new("mkfifo").arg(world.path("work/snapshot.json")).status().unwrap().success());
    verify(&world, ["x.smolmachine"]).code(10).stderr(contains("snapshot.json"));
}

#[test]
fn a_hundred_megabytes_of_snapshot_json_take_no_memory() {
    let (world, _) = world_with_snapshot();
    world.write("snapshot.json", format!("{{\"files\": {{}}, \"x\": \"{}\"}}", "a".repeat(100 << 20)));
    finish(within(30, &world.line("verify x.smolmachine"))).code(10).stderr(contains("snapshot.json"));
}

// ----------------------------------------------------------------------------------------------- odd names

#[test]
fn a_name_that_looks_like_a_flag_is_a_file_after_two_dashes() {
    let (world, bytes) = world_with_snapshot();
    world.write("-x.smolmachine", bytes);
    verify(&world, ["-x.smolmachine"]).code(2);
    verify(&world, ["--", "-x.smolmachine"]).success();
    world.run("create dev --from=-x.smolmachine").success();
    assert_eq!(world.state("dev"), "created");
}

#[test]
fn a_name_cannot_move_the_cursor_or_forge_a_line() {
    let (world, bytes) = world_with_snapshot();
    let names: [&[u8]; 4] = [b"a\x1b[2J", b"b\nerror: forged", "c\u{9b}2J\u{202e}".as_bytes(), b"d\xff\xfe\r\x07"];
    for name in names.map(|name| [b"./", name].concat()) {
        let name = OsStr::from_bytes(&name);
        let damaged = OsStr::from_bytes(&[name.as_bytes(), b"-damaged"].concat()).to_owned();
        fs::write(world.path("work").join(name), &bytes).unwrap();
        fs::write(world.path("work").join(&damaged), &bytes[1..]).unwrap();
        let create = world.command(["create".as_ref(), "x".as_ref(), "--from".as_ref(), damaged.as_os_str()]);
        let runs = [
            verify(&world, [name]).success(),
            verify(&world, [&damaged]).code(10),
            verify(&world, [name, OsStr::new("x.smolmachine"), &damaged]).code(3),
            verify(&world, [OsStr::new("--json"), name]).success(),
            finish(create).code(10),
        ];
        for run in runs {
            let said = format!("{}{}", stdout(&run), stderr(&run));
            assert!(!said.contains(['\x1b', '\x07', '\r', '\u{9b}', '\u{202e}']), "{said:?}");
            assert!(said.lines().all(|line| !line.starts_with("error: forged")), "{said}");
        }
    }
}
