//! In any environment, a command ends with a documented status, and never with a panic.
//!
//! `BOTTLE_FREEZE_FAULTS=long` tries every command in every environment. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long};
use crate::support::{World, end_of, names_in};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Not UTF-8.
const ODD: &[u8] = b"odd\xff\x80";

/// Commands that do something, in a world with a running VM `up`, a stopped one `down`, a snapshot of it,
/// `x.smolmachine` and `e.tar`. `%` stands for text that is not UTF-8.
const LINES: [&str; 62] = [
    "--help",
    "--version",
    "ls",
    "ls -q",
    "ls --json",
    "create new --json",
    "create new --from %",
    "create % --json",
    "create new -e A=%",
    "create new -v /tmp/%:/x",
    "create new --env-file %",
    "start down --json",
    "start down --timeout 584942417355y --json",
    "start down --timeout 18446744073709551615s",
    "stop up --json",
    "stop %",
    "pause up --json --progress=json",
    "resume up",
    "exec up -- echo %",
    "exec up -w % -- true",
    "exec up --timeout 584942417355y -- true",
    "exec up -e %=% -- true",
    "cp x.smolmachine up:/root/%",
    "cp % up:/root/x",
    "cp up:/root/hello % --json",
    "cp up:/root/hello %/% --json",
    "freeze down --json",
    "freeze up --yes --json --restart",
    "freeze down -o %.smolmachine --json",
    "freeze down -o %.smolmachine",
    "freeze down -o % --json",
    "freeze down -o %/x.smolmachine --json --error-format json",
    "freeze up --live -o %.checkpoint --json --progress=json",
    "freeze down --dry-run --json -o %.smolmachine",
    "freeze down -m % --json",
    "freeze down -t %",
    "freeze down --label %=%",
    "freeze up --yes --wait 584942417355y --stop-timeout 584942417355y --hook-timeout 584942417355y --post-freeze host:true",
    "freeze up down --yes --json -j 65535",
    "freeze down --pre-freeze host:%",
    "thaw down --json",
    "thaw % --json",
    "thaw ./%.smolmachine --json --error-format json",
    "thaw x.smolmachine % --json",
    "snapshot ls --json",
    "snapshot show down",
    "snapshot verify % --json",
    "snapshot tag down % --json",
    "snapshot rm % --yes --json",
    "snapshot prune --keep-last 18446744073709551615 --json",
    "snapshot prune --keep-within 999999y --json",
    "snapshot export down -o % --json",
    "snapshot import % --json",
    "snapshot import e.tar --as new --json",
    "rm down --yes --json",
    "pack alpine:3.20 -o %.smolmachine --json",
    "pack ./% -o y.smolmachine --json",
    "verify x.smolmachine % --json",
    "doctor --json",
    "engine ls --json",
    "engine use % --json",
    "% --json",
];

/// The name of an environment, and how to create it.
type Strange = (&'static str, fn(&World, &mut Command));

const SURROUNDINGS: [Strange; 20] = [
    ("nothing", |_, _| ()),
    ("a working folder that is not UTF-8", |world, command| {
        command.current_dir(odd_folder(world, "tmp"));
    }),
    ("a home that is not UTF-8", |world, command| {
        command.env("HOME", odd_folder(world, "tmp"));
    }),
    ("a library that is not UTF-8", |world, command| {
        command.env("BOTTLE_FREEZE_HOME", odd_folder(world, "home").join("library"));
    }),
    ("a temporary folder that is not UTF-8", |world, command| {
        command.env("TMPDIR", odd_folder(world, "tmp"));
    }),
    ("a working folder that is gone", |world, command| {
        let folder = world.path("tmp/gone");
        fs::create_dir_all(&folder).unwrap();
        let gone = folder.clone();
        command.current_dir(folder);
        // SAFETY: one system call between fork and exec.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(move || fs::remove_dir(&gone));
        }
    }),
    ("a relative home", |_, command| {
        command.env("HOME", "home").env_remove("BOTTLE_FREEZE_HOME");
    }),
    ("variables that are not UTF-8", |_, command| {
        for name in ["TERM", "LANG", "LC_ALL", "NO_COLOR", "COLUMNS", "USER", "SHELL", "CLICOLOR_FORCE"] {
            command.env(name, OsStr::from_bytes(ODD));
        }
    }),
    ("a PATH that is not UTF-8", |_, command| {
        command.env("PATH", OsStr::from_bytes(ODD)).env_remove("SMOLVM");
    }),
    ("an engine whose path is not UTF-8", |world, command| {
        let engine = odd_folder(world, "tmp").join("smolvm");
        let _ = std::os::unix::fs::symlink(crate::support::fake::fake_smolvm(), &engine);
        command.env("SMOLVM", engine);
    }),
    ("an engine that prints rubbish", |_, command| {
        command.env("SMOLVM", "/bin/yes");
    }),
    ("no columns", |_, command| {
        command.env("COLUMNS", "0").env("LINES", "0").env("TERM", "");
    }),
    ("a full stdout", |_, command| {
        command.stdout(full());
    }),
    ("a full stderr", |_, command| {
        command.stderr(full());
    }),
    ("a full stdout and stderr", |_, command| {
        command.stdout(full()).stderr(full());
    }),
    ("a closed stdout", |_, command| close(command, &[1])),
    ("nothing open", |_, command| close(command, &[0, 1, 2])),
    ("pipes that nothing reads", |_, command| {
        let broken = || {
            let (reader, writer) = UnixStream::pair().unwrap();
            drop(reader);
            std::os::fd::OwnedFd::from(writer)
        };
        command.stdout(broken()).stderr(broken());
    }),
    ("six open files", |_, command| limit(command, "-n 6")),
    ("files of no size", |_, command| limit(command, "-f 0")),
];

fn odd_folder(world: &World, within: &str) -> std::path::PathBuf {
    let folder = world.path(within).join(OsStr::from_bytes(ODD));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn full() -> Stdio {
    if cfg!(target_os = "linux") {
        File::options().write(true).open("/dev/full").unwrap().into()
    } else {
        Stdio::null()
    }
}

fn close(command: &mut Command, fds: &'static [i32]) {
    // SAFETY: system calls between fork and exec, on numbers that the child has.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            for fd in fds {
                libc::close(*fd);
            }
            Ok(())
        });
    }
}

/// The same command under a limit set by the shell.
fn limit(command: &mut Command, limit: &str) {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.env_clear().envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    limited.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    limited.stdout(Stdio::piped()).stderr(Stdio::piped());
    *command = limited;
}

fn world() -> World {
    let world = World::new();
    world.vm("up").running();
    world.vm("down").stopped();
    world.write_guest("up", "root/hello", "hello");
    world.run("freeze down").success();
    world.run("freeze down -o x.smolmachine").success();
    world.run("snapshot export down -o e.tar").success();
    world
}

/// The arguments of the line, with text that is not UTF-8 for each `%`.
fn words(line: &str) -> Vec<OsString> {
    let word =
        |word: &str| OsString::from_vec(word.as_bytes().split(|byte| *byte == b'%').collect::<Vec<_>>().join(ODD));
    line.split(' ').map(word).collect()
}

/// The statuses in the man page, and those of `exec`, including that of a guest command killed by SIGPIPE.
fn is_documented(status: Option<i32>) -> bool {
    status.is_some_and(|status| (0..=16).contains(&status) || [125, 127, 141].contains(&status))
}

fn try_one(world: &World, line: &str, (strange, make): &Strange) {
    let mut command = world.command(words(line));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    make(world, &mut command);
    let output = command.spawn().map(end_of);
    let output = output.unwrap_or_else(|error| panic!("{line:?} with {strange}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(is_documented(output.status.code()), "{line:?} with {strange}: {:?} {said}", output.status);
    // The stand-in may panic on such arguments: it is not under test.
    let own = said.lines().filter(|line| !line.contains("tests/fake-smolvm"));
    assert!(!own.into_iter().any(|line| line.contains("panicked")), "{line:?} with {strange}: {said}");
}

#[test]
fn no_environment_and_no_argument_makes_a_command_panic() {
    let (mut random, mut world) = (Random::new(), world());
    for line in LINES {
        if is_long() {
            world = self::world();
            for strange in &SURROUNDINGS {
                try_one(&world, line, strange);
            }
        } else {
            try_one(&world, line, &SURROUNDINGS[usize::try_from(random.below(20)).unwrap()]);
        }
    }
    for strange in &SURROUNDINGS {
        try_one(&world, "freeze down --json --error-format json", strange);
    }
}

#[test]
fn a_freeze_to_a_path_that_is_not_utf8_prints_valid_json() {
    let world = world();
    for line in
        ["freeze down -o %.smolmachine --json", "pack alpine:3.20 -o %image --json", "freeze down -o %pair --json"]
    {
        let run = crate::support::finish(world.command(words(line))).success();
        let value: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        assert!(value["sidecar"].as_str().unwrap().contains("odd\u{fffd}"), "{value}");
    }
    assert!(names_in(&world.path("work")).len() >= 6);
}

// --------------------------------------------------------------------------------------------- no threads

/// A user without any processes, even while these tests run in another checkout.
fn unused_user() -> u32 {
    100_000 + std::process::id()
}

/// The command as a user who may have only this many processes and threads.
fn with_threads(world: &World, line: &str, count: u32) -> Command {
    let command = world.line(line);
    let mut limited = Command::new("setpriv");
    limited.args([
        &format!("--reuid={}", unused_user()),
        &format!("--regid={}", unused_user()),
        "--clear-groups",
        "--",
    ]);
    limited.args(["prlimit", &format!("--nproc={count}"), "--"]);
    limited.arg(world.path("tmp/bottle-freeze")).args(command.get_args());
    world.set_environment(&mut limited);
    limited.env("SMOLVM", world.path("tmp/smolvm"));
    limited.stdout(Stdio::piped()).stderr(Stdio::piped());
    limited
}

#[cfg(target_os = "linux")]
#[test]
fn without_threads_a_command_works_in_one_or_fails_with_a_message() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT RUN: only root can become another user");
        return;
    }
    let world = world();
    for (name, program) in [
        ("bottle-freeze", Path::new(env!("CARGO_BIN_EXE_bottle-freeze"))),
        ("smolvm", &crate::support::fake::fake_smolvm()),
    ] {
        fs::copy(program, world.path("tmp").join(name)).unwrap();
    }
    let root = world.path("");
    let give = || {
        let chown = Command::new("chown").args(["-R", &unused_user().to_string()]).arg(&root).status().unwrap();
        assert!(chown.success());
    };
    let mut seen = std::collections::BTreeSet::new();
    for line in [
        "ls --json",
        "freeze down --json",
        "start down --timeout 300ms --json",
        "stop down",
        "freeze --all --yes -j 8 --json",
    ] {
        for count in 1..if is_long() { 12 } else { 6 } {
            give();
            let output = end_of(with_threads(&world, line, count).spawn().unwrap());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(is_documented(output.status.code()), "{line} with {count}: {:?} {said}", output.status);
            let own = said.lines().filter(|line| !line.contains("tests/fake-smolvm"));
            assert!(!own.into_iter().any(|line| line.contains("panicked")), "{line} with {count}: {said}");
            assert!(output.status.code() != Some(13), "the engine is blamed: {line} with {count}: {said}");
            seen.insert(output.status.code());
        }
    }
    let _ = fs::remove_dir_all(format!("/tmp/bottle-freeze-{}", unused_user()));
    println!("{seen:?}");
    assert!(seen.contains(&Some(0)) && seen.contains(&Some(1)), "{seen:?}");
}
