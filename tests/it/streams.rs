//! `-` is a stream: a snapshot goes through a pipe from one library into another. The sizes claimed by a pipe or a tar
//! use neither memory nor disk nor time.

use crate::engine_install::{Index, command as installing, wheel_with_guest};
use crate::support::chaos::{Random, is_long, within};
use crate::support::pty::Session;
use crate::support::{World, end_of, finish, handles_signals, names_in, random_bytes, stderr, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A world with a snapshot of `dev` in its library.
fn world() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t t").success();
    world.warm();
    world
}

fn library(world: &World) -> Vec<String> {
    names_in(&world.path("home/library/snapshots"))
}

// ---------------------------------------------------------------------------------------------------- pipes

#[test]
fn a_snapshot_goes_through_a_pipe_into_another_library() {
    let (here, there) = (world(), World::new());
    let mut export =
        here.line("snapshot export dev@t -o -").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut import = there.line("snapshot import - --json");
    import.stdin(export.stdout.take().unwrap());
    let import = import.output().unwrap();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    assert_eq!(end_of(export).status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&import.stdout).unwrap();
    assert_eq!(report["from"], "-");
    there.run("snapshot verify dev@t").success();
}

#[test]
fn the_stream_is_the_same_tar_as_in_a_file() {
    let world = world();
    let run = world.run("snapshot export dev -o -").success();
    world.run("snapshot export dev -o dev.tar").success();
    assert_eq!(run.get_output().stdout, fs::read(world.path("work/dev.tar")).unwrap());
    world.assert_clean(&["dev.tar"]);
    // A file of that name is a regular file.
    world.run("snapshot export dev -o ./-").success();
    world.assert_clean(&["-", "dev.tar"]);
    world.run("snapshot import ./- --as other").success();
}

#[test]
fn a_reader_that_goes_away_is_a_failure() {
    let world = world();
    // More than fits in a pipe.
    world.write_guest("dev", "root/large", random_bytes(600_000));
    world.run("freeze dev").success();
    let mut export = world.line("snapshot export dev -o -");
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 100];
    let mut stdout = export.stdout.take().unwrap();
    stdout.read_exact(&mut some).unwrap();
    drop(stdout);
    let ended = end_of(export);
    assert_eq!(ended.status.code(), Some(8));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("standard output") && said.contains("Broken pipe"), "{said}");
}

#[test]
fn a_snapshot_is_not_written_to_a_terminal() {
    let world = world();
    let mut export = Session::start_on(world.line("snapshot export dev -o -"), [false, true, false], 80);
    assert_eq!(export.wait(), Some(2));
    assert!(export.all_printed().contains("redirect it"));
    let mut import = Session::start(world.line("snapshot import -"));
    assert_eq!(import.wait(), Some(2));
    assert!(import.all_printed().contains("terminal"));
}

#[test]
fn only_one_thing_is_written_to_standard_output() {
    let world = world();
    let run = world.run("snapshot export dev -o - --json").code(2).stderr(contains("--json"));
    assert_eq!(run.get_output().stdout, b"");
}

#[test]
fn commands_that_cannot_stream_suggest_those_that_can() {
    let world = world();
    world.vm("up").running();
    world.warm();
    for line in ["freeze dev -o -", "freeze up -o - --yes --force", "freeze up --live -o -", "pack alpine -o -"] {
        let said = contains("snapshot export VM -o -").and(contains("snapshot import -"));
        world.run(line).code(2).stderr(said);
    }
    for line in ["cp up:/root/note -", "cp - up:/root/note"] {
        world.run(line).code(2).stderr(contains("bottle-freeze exec"));
    }
    assert!(world.all_calls().is_empty(), "{:?}", world.all_calls());
    world.assert_clean(&[]);
}

#[test]
fn a_truncated_stream_leaves_the_library_as_it_was() {
    let world = world();
    let whole = world.run("snapshot export dev -o -").success().get_output().stdout.clone();
    let mut random = Random::new();
    for _ in 0..if is_long() { 100 } else { 8 } {
        let length = usize::try_from(random.below(whole.len() as u64 - 1024)).unwrap();
        let mut command = world.line("snapshot import - --as other");
        command.stdin(Stdio::piped());
        let run = assert_cmd::Command::from_std(command).write_stdin(&whole[..length]).assert().code(10);
        run.stderr(contains("the standard input"));
        assert_eq!(library(&world), ["dev"], "{length}");
    }
}

// -------------------------------------------------------------------------------------------------- waiting

/// It runs, waits for something that never arrives, and ends at the first signal.
fn ends_at_the_first_signal(world: &World, mut command: Command, signal: Signal, what: &str) {
    command.stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A pipe for its input stays open.
    let _stdin = child.stdin.take();
    let pid = i32::try_from(child.id()).unwrap();
    wait_until("it handles signals", || handles_signals(pid));
    let folders = || names_in(&world.path("home/library/snapshots")).len();
    if !what.contains("export") {
        wait_until("it reads", || folders() > 1);
    }
    let began = Instant::now();
    crate::support::signal(pid, signal);
    let ended = end_of(child);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(128 + signal.as_raw()), "{what}: {said}");
    assert!(began.elapsed() < Duration::from_secs(5), "{what} took {:?}", began.elapsed());
    assert_eq!(library(world), ["dev"], "{what}: {said}");
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn an_import_that_waits_ends_at_the_first_signal() {
    let world = world();
    let path = world.path("work/fifo");
    fifo(&path);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        ends_at_the_first_signal(&world, world.line("snapshot import fifo"), signal, "a fifo without a writer");
        let mut silent = world.line("snapshot import -");
        silent.stdin(Stdio::piped());
        ends_at_the_first_signal(&world, silent, signal, "a silent stdin");
        // A writer that has written something, and then nothing more.
        let writer = File::options().read(true).write(true).open(&path).unwrap();
        let mut head = tar::Header::new_gnu();
        head.set_path("snapshot.json").unwrap();
        head.set_size(1000);
        head.set_cksum();
        (&writer).write_all(head.as_bytes()).unwrap();
        ends_at_the_first_signal(&world, world.line("snapshot import fifo"), signal, "a silent writer");
    }
}

#[test]
fn an_export_to_a_blocked_pipe_ends_at_the_first_signal() {
    let world = world();
    world.write_guest("dev", "root/large", random_bytes(600_000));
    world.run("freeze dev").success();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (_reader, writer) = std::io::pipe().unwrap();
        let mut export = world.line("snapshot export dev -o -");
        export.stdout(writer.try_clone().unwrap());
        let full = || rustix::io::ioctl_fionread(&writer).is_ok_and(|count| count >= 60_000);
        export.stderr(Stdio::piped());
        let child = export.spawn().unwrap();
        wait_until("the pipe is full", full);
        let began = Instant::now();
        crate::support::signal(i32::try_from(child.id()).unwrap(), signal);
        let ended = end_of(child);
        assert_eq!(ended.status.code(), Some(128 + signal.as_raw()), "{}", String::from_utf8_lossy(&ended.stderr));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

// ------------------------------------------------------------------------------------------------ header bombs

/// More than any command may use, and less than the bombs claim.
const MEMORY_MIB: u64 = 64;
const CLAIM: u64 = 2 << 30;

/// A tar header.
fn header(kind: u8, name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::new(kind));
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o600);
    header.set_cksum();
    header
}

/// A file with these bytes, extended by `CLAIM` bytes that take no space on disk.
fn bomb(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(bytes.len() as u64 + CLAIM + 1024).unwrap();
}

fn sparse(real: u64) -> tar::Header {
    let mut header = header(b'S', "vm.smolmachine", 0);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize = number(real);
    gnu.sparse[0].offset = number(real);
    gnu.sparse[0].numbytes = number(0);
    gnu.isextended = [1];
    header.set_cksum();
    header
}

/// Twelve octal digits.
fn number(value: u64) -> [u8; 12] {
    let mut field = [0; 12];
    write!(&mut field[..], "{value:011o}").unwrap();
    field
}

fn pax(record: &str) -> Vec<u8> {
    let mut bytes = header(b'x', "pax", record.len() as u64).as_bytes().to_vec();
    bytes.extend(record.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn a_tar_that_claims_to_be_large_uses_no_memory_or_disk() {
    let world = world();
    let long = |kind: u8| header(kind, "././@LongLink", CLAIM).as_bytes().to_vec();
    let huge = |name: &str| header(b'0', name, u64::MAX >> 10).as_bytes().to_vec();
    let many = |kind: u8| header(kind, "x", 0).as_bytes().repeat(10_000);
    let with_size =
        [pax("28 size=9223372036854775000\n"), header(b'0', "vm.smolmachine", 0).as_bytes().to_vec()].concat();
    let path = world.path("work/bomb.tar");
    for (what, bytes, code) in [
        ("a long name", long(b'L'), 10),
        ("a long link", long(b'K'), 10),
        ("attributes", long(b'x'), 10),
        ("global attributes", long(b'g'), 10),
        ("many global attributes", many(b'g'), 10),
        ("many long names", many(b'L'), 10),
        ("a sparse file", sparse(1 << 32).as_bytes().to_vec(), 10),
        ("a snapshot.json", header(b'0', "snapshot.json", CLAIM).as_bytes().to_vec(), 10),
        ("a huge snapshot.json", huge("snapshot.json"), 10),
        ("an artifact", huge("vm.smolmachine"), 8),
        ("a size in attributes", with_size, 8),
        ("another file", huge("../../x"), 10),
        ("nothing at all", Vec::new(), 10),
        ("no header", vec![b'x'; 4096], 10),
    ] {
        bomb(&path, &bytes);
        let by_stdin = || {
            let mut command = within(MEMORY_MIB, &world.line("snapshot import -"));
            command.stdin(File::open(&path).unwrap());
            command
        };
        for mut command in [within(MEMORY_MIB, &world.line("snapshot import bomb.tar")), by_stdin()] {
            let began = Instant::now();
            let ended = command.output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(code), "{what}: {said}");
            assert!(!said.contains("memory"), "{what}: {said}");
            assert!(began.elapsed() < Duration::from_secs(10), "{what} took {:?}", began.elapsed());
            assert_eq!(library(&world), ["dev"], "{what}");
        }
    }
}

#[test]
fn a_tar_that_contains_a_file_twice_is_refused() {
    let world = world();
    let whole = world.run("snapshot export dev -o -").success().get_output().stdout.clone();
    let twice = [&whole[..whole.len() - 1024], &whole].concat();
    world.write("twice.tar", twice);
    world.run("snapshot import twice.tar --as other").code(10).stderr(contains("snapshot.json twice"));
    assert_eq!(library(&world), ["dev"]);
}

#[test]
fn data_after_the_end_of_a_tar_is_an_error() {
    let world = world();
    world.run("snapshot export dev -o x.tar").success();
    let one = fs::read(world.path("work/x.tar")).unwrap();
    let (twice, padded) = ([&*one, &one].concat(), [one.clone(), vec![0; 1 << 20]].concat());
    for (tar, is_whole) in [(&twice, false), (&padded, true), (&[&*one, b"\0rubbish"].concat(), false)] {
        fs::write(world.path("work/y.tar"), tar).unwrap();
        for line in ["snapshot import y.tar --as new", "snapshot import - --as new"] {
            let command = world.command(line.split(' '));
            let run = assert_cmd::Command::from_std(command).write_stdin(tar.clone()).assert();
            if is_whole {
                run.success();
                world.run("snapshot rm new --yes").success();
            } else {
                run.code(10).stderr(contains("there is data after its end"));
                world.run("snapshot ls new").code(4);
            }
        }
    }
}

#[test]
fn a_file_that_is_not_a_tar_is_reported_in_one_line() {
    let world = world();
    for text in ["hello world\n".repeat(100), "\u{1f}\u{8b}\u{8}".repeat(400)] {
        fs::write(world.path("work/y.tar"), text).unwrap();
        let run = world.run("snapshot import y.tar").code(10);
        let said = stderr(&run);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("it is not a tar"), "{said}");
    }
}

#[test]
fn importing_an_existing_snapshot_is_reported() {
    let world = world();
    world.run("snapshot export dev -o x.tar").success();
    let run = world.run("snapshot import x.tar").code(7);
    let said = stderr(&run);
    assert!(said.contains("is already in the library") && !said.contains("--force"), "{said}");
}

#[test]
fn a_guest_system_in_a_wheel_uses_no_memory_by_its_claims() {
    for kind in *b"LKx" {
        let (world, index) = (World::new(), Index::new());
        let mut guest = header(kind, "././@LongLink", 64 << 20).as_bytes().to_vec();
        guest.resize(guest.len() + (64 << 20) + 1024, 0);
        index.offer(&[("1.4.0", wheel_with_guest("1.4.0", guest))]);
        let install = installing(&world, &index, "engine install");
        let run = finish(within(48, &install)).code(1);
        assert!(stderr(&run).contains("headers are longer"), "{}", stderr(&run));
        assert_eq!(names_in(&world.path("home/library/engines")), [""; 0]);
    }
}

#[test]
fn a_tar_with_small_attributes_is_accepted() {
    let world = world();
    let whole = world.run("snapshot export dev -o -").success().get_output().stdout.clone();
    world.write("dev.tar", [pax("20 comment=harmless\n"), whole].concat());
    world.run("snapshot import dev.tar --as other").success();
    world.run("snapshot verify other").success();
}
