//! Every exit status in the man page is produced, and none has another meaning anywhere.

use crate::support::{World, handles_signals, schema, stderr, wait_until};
use assert_cmd::assert::Assert;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const JSON: &str = "--error-format json";

/// A status, its code in JSON, and how to produce it, in a world with a running VM `up`, a stopped one `down` and a
/// paused one `aside`.
type Case = (i32, &'static str, fn(&World) -> Assert);

const CASES: [Case; 25] = [
    (0, "", |world| world.run("ls")),
    (1, "failed", |world| {
        world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: no kvm"}}}));
        world.run(&format!("start down {JSON}"))
    }),
    (2, "usage", |world| world.run(&format!("freeze {JSON}"))),
    (2, "usage", |world| world.run(&format!("cp here there {JSON}"))),
    (3, "some-failed", |world| world.run(&format!("start up nosuch {JSON}"))),
    (4, "not-found", |world| world.run(&format!("stop nosuch {JSON}"))),
    (4, "not-found", |world| world.run(&format!("thaw nosuch {JSON}"))),
    (5, "bad-state", |world| world.run(&format!("freeze aside --yes {JSON}"))),
    (6, "not-confirmed", |world| world.run(&format!("freeze up {JSON}"))),
    (7, "output-exists", |world| {
        world.write("x.smolmachine", "old");
        world.run(&format!("freeze down -o x.smolmachine {JSON}"))
    }),
    (8, "not-writable", |world| world.run(&format!("freeze down -o missing/x.smolmachine {JSON}"))),
    (9, "not-stopped", |world| {
        world.fault(json!({"on": "machine stop", "at": "before", "do": "hang"}));
        world.run(&format!("freeze up --yes --stop-timeout 200ms {JSON}"))
    }),
    (10, "damaged", |world| {
        world.write("x.smolmachine", "no snapshot");
        world.run(&format!("verify x.smolmachine {JSON}"))
    }),
    (11, "locked", |world| {
        world.warm().fault(json!({"on": "pack create", "nth": 1, "do": "hang"}));
        let _first = packing(world, "freeze down");
        world.run(&format!("freeze down {JSON}"))
    }),
    (12, "not-restarted", |world| {
        world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: no kvm"}}}));
        world.run(&format!("freeze up --yes --restart {JSON}"))
    }),
    (13, "bad-engine", |world| world.run(&format!("--smolvm {} ls {JSON}", world.path("nosuch").display()))),
    (14, "hook-failed", |world| world.run(&format!("freeze down --pre-freeze host:false {JSON}"))),
    (15, "post-hook-failed", |world| world.run(&format!("freeze down --post-freeze host:false {JSON}"))),
    (16, "name-taken", |world| world.run(&format!("create down {JSON}"))),
    (16, "name-taken", |world| {
        world.run("freeze down -q").success();
        world.run(&format!("thaw down up {JSON}"))
    }),
    (130, "interrupted", |world| interrupted(world, Signal::INT)),
    (143, "interrupted", |world| interrupted(world, Signal::TERM)),
    (129, "interrupted", |world| interrupted(world, Signal::HUP)),
    (125, "exec-failed", |world| world.run(&format!("exec {JSON} down -- true"))),
    (127, "no-such-command", |world| world.run(&format!("exec {JSON} up -- nosuch-command"))),
];

fn packing(world: &World, line: &str) -> crate::support::Running {
    let run = world.spawn(line);
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    run
}

fn interrupted(world: &World, signal: Signal) -> Assert {
    world.warm().fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let run = packing(world, &format!("freeze up --yes {JSON}"));
    wait_until("it handles signals", || handles_signals(run.pid()));
    run.signal(signal);
    run.wait()
}

fn world_with_three_vms() -> World {
    let world = World::new();
    world.vm("up").running();
    world.vm("down").stopped();
    world.vm("aside").in_state("paused");
    world
}

/// The statuses of README and the manual, but for those of `exec`.
fn documented() -> BTreeSet<i32> {
    let numbers =
        bottle_freeze::statuses().flat_map(|(numbers, ..)| numbers.split(", ").map(str::to_owned).collect::<Vec<_>>());
    numbers.map(|number| number.parse().expect("a status")).collect()
}

#[test]
fn every_status_in_the_man_page_is_produced_with_its_code() {
    let codes: BTreeMap<&str, String> = bottle_freeze::codes().collect();
    let (mut produced, mut words) = (BTreeSet::new(), BTreeSet::new());
    for (status, word, run) in CASES {
        let world = world_with_three_vms();
        let run = run(&world).code(status);
        produced.insert(status);
        if status != 0 {
            let last = stderr(&run).lines().rfind(|line| line.starts_with("{\"error\"")).expect(word).to_owned();
            let error = &serde_json::from_str::<Value>(&last).unwrap()["error"];
            assert_eq!((&error["code"], &error["exit_status"]), (&json!(word), &json!(status)), "{error}");
            assert!(codes[word] == status.to_string() || word == "interrupted", "{word} is {status}");
            words.insert(word.to_owned());
        }
    }
    let mut wanted = documented();
    assert!(wanted.len() >= 19, "{wanted:?}");
    wanted.extend([125, 127]);
    assert_eq!(produced, wanted, "produced here, and documented");
    assert_eq!(words, codes.into_keys().map(str::to_owned).collect(), "produced here, and in the table");
}

#[test]
fn exec_exits_with_the_status_of_the_guest() {
    let world = world_with_three_vms();
    for (command, status) in
        [("true", 0), ("false", 1), ("sh -c 'exit 2'", 2), ("sh -c 'exit 42'", 42), ("sh -c 'kill -9 $$'", 137)]
    {
        world.run(&format!("exec {JSON} up -- {command}")).code(status);
    }
    world.run(&format!("exec --timeout 100ms {JSON} up -- sleep 30")).code(124);
}

/// Failures of every command.
const FAILURES: [(&str, i32); 46] = [
    ("create up", 16),
    ("create new --from nosuch", 4),
    ("create new --from ./x.bad", 10),
    ("create new --from up/x.smolmachine", 4),
    ("start nosuch", 4),
    ("start --label no=no", 4),
    ("stop nosuch", 4),
    ("pause nosuch", 4),
    ("pause down", 5),
    ("resume down", 5),
    ("resume nosuch", 4),
    ("exec nosuch -- true", 125),
    ("exec -e 9=9 up -- true", 2),
    ("exec --json up -- true", 2),
    ("cp x.bad nosuch:/x", 4),
    ("cp x.bad down:/x", 5),
    ("cp missing up:/x", 4),
    ("ls nosuch", 2),
    ("freeze nosuch", 4),
    ("freeze nosuch --dry-run", 4),
    ("freeze up nosuch --dry-run", 3),
    ("freeze up down -o x --yes", 2),
    ("freeze up --live=auto -o x", 2),
    ("freeze down --live", 5),
    ("thaw nosuch", 4),
    ("thaw ./x.bad", 10),
    ("rollback nosuch", 4),
    ("rm nosuch --yes", 4),
    ("rm down", 6),
    ("pack ./missing -o y", 4),
    ("pack alpine -o x.bad/y", 8),
    ("verify nosuch", 4),
    ("verify ./x.bad", 10),
    ("schedule nosuch --every 1d", 4),
    ("snapshot ls a/b", 2),
    ("snapshot show nosuch", 4),
    ("snapshot verify nosuch", 4),
    ("snapshot files nosuch", 4),
    ("snapshot cat nosuch:/x", 4),
    ("snapshot diff nosuch", 4),
    ("snapshot tag nosuch ready", 4),
    ("snapshot rm nosuch", 4),
    ("snapshot prune", 2),
    ("snapshot push nosuch registry.test:5000/x", 4),
    ("snapshot export nosuch -o z.tar", 4),
    ("snapshot import x.bad", 10),
];

#[test]
fn every_command_fails_with_the_status_of_what_failed() {
    let world = world_with_three_vms();
    world.write("x.bad", "no snapshot");
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let failures = FAILURES.into_iter().chain([
        ("snapshot pull registry.test:5000/nosuch:x", 4),
        ("snapshot pull gone.test:5000/x:x", 1),
        ("completions nosuch", 2),
        ("doctor --smolvm nosuch", 13),
        ("engine install --version x", 2),
        ("engine ls x", 2),
        ("engine use 1.2.3", 13),
        ("engine rm 1.2.3", 13),
    ]);
    let mut failed = BTreeSet::new();
    for (line, status) in failures {
        let (before, rest) = line.split_once(" -- ").map_or((line, String::new()), |(a, b)| (a, format!(" -- {b}")));
        world.run(&format!("{before} {JSON}{rest}")).code(status);
        failed.insert(schema::command(&line.split(' ').collect::<Vec<_>>()));
    }
    let untried: Vec<String> = schema::commands().into_iter().filter(|command| !failed.contains(command)).collect();
    assert!(untried.is_empty(), "no failure of {untried:?}");
}
