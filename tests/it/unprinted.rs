//! A result that cannot be printed is a failure that still says what was done.
#![cfg(target_os = "linux")]

use crate::support::{World, end_of};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

const FORMATS: [&str; 3] = ["", "-q", "--json"];

/// Runs a command that prints its result there; returns its exit status and stderr.
fn run(world: &World, line: &str, stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut command = world.line(line);
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = end_of(child);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs a command that prints its result to a full disk; returns stderr.
fn fails_to_print(world: &World, line: &str) -> String {
    let (status, said) = run(world, line, File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(status, Some(1), "{line}: {said}");
    assert!(said.contains("could not print the result: No space left on device"), "{line}: {said}");
    said
}

#[test]
fn stderr_says_what_was_done_if_the_result_cannot_be_printed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.vm("up").stopped();
    world.run("freeze dev -t first").success();
    let done = [
        ("start dev", "dev is running"),
        ("stop dev", "dev is stopped"),
        ("freeze dev", "froze dev as dev@"),
        ("freeze dev up -y", "froze up as up@"),
        ("freeze dev --force -o x.smolmachine", "x.smolmachine"),
        ("snapshot verify dev", "is whole"),
        ("snapshot tag dev@first more", "more"),
        ("snapshot export dev@first -o e.tar --force", "exported dev@"),
        ("pack --force alpine:3.20 -o p.smolmachine", "p.smolmachine"),
        ("verify x.smolmachine", "x.smolmachine"),
    ];
    for (line, name) in done {
        for format in FORMATS {
            let said = fails_to_print(&world, &format!("{line} {format}"));
            let is_report = line.starts_with("verify") && format == "--json";
            assert!(is_report || said.contains("now: ") && said.contains(name), "{line} {format}: {said}");
        }
    }
}

#[test]
fn stderr_names_what_is_new_if_its_name_cannot_be_printed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("snapshot export dev -o e.tar").success();
    for (number, format) in FORMATS.iter().enumerate() {
        let done = [
            (format!("create c{number}"), format!("created c{number}")),
            (format!("thaw dev t{number}"), format!(" as t{number}")),
            (format!("rm t{number} -y"), format!("deleted t{number}")),
            (format!("snapshot import e.tar --as i{number}"), format!("imported i{number}@")),
            (format!("snapshot rm i{number} -y"), format!("removed i{number}@")),
        ];
        for (line, name) in done {
            let said = fails_to_print(&world, &format!("{line} {format}"));
            assert!(said.contains("now: ") && said.contains(&name), "{line} {format}: {said}");
        }
    }
}

#[test]
fn an_unprinted_result_is_a_json_error_for_programs() {
    let world = World::new();
    world.vm("dev").stopped();
    let said = fails_to_print(&world, "freeze dev --json --error-format json");
    let line = said.lines().find(|line| line.starts_with('{')).unwrap();
    let error: serde_json::Value = serde_json::from_str(line).unwrap();
    assert!(error["error"]["state"].as_str().unwrap().contains("froze dev as dev@"), "{line}");
}

#[test]
fn help_and_lists_fail_on_a_full_disk_but_not_on_a_closed_pipe() {
    let world = World::new();
    world.vm("dev").stopped();
    let lines = [
        "help",
        "--help",
        "--version",
        "-V --error-format json",
        "help freeze",
        "snapshot rm -h",
        "completions bash",
        "ls",
        "ls -q",
        "ls --json",
        "doctor",
        "engine ls",
        "snapshot ls",
        "freeze dev --dry-run",
    ];
    for line in lines {
        fails_to_print(&world, line);
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        let (status, said) = run(&world, line, OwnedFd::from(writer));
        assert!(!said.contains("could not print"), "{line}: {said}");
        assert!(line == "doctor" || status == Some(0), "{line}: {said}");
    }
}
