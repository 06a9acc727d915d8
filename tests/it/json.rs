//! Output for programs: `--json` on every command, `--error-format json`, `--progress=json`. Whatever any test prints
//! with these is checked against the schemas: see `crate::support::schema`.

use crate::support::{World, finish, guest_files, names_in, pty::Session, schema, stderr, stdout, wait_until};
use assert_cmd::assert::Assert;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const FOR_PROGRAMS: &str = "--json --error-format json --progress=json";

/// Commands without a result of their own (the guest's output, a shell's script), and those whose result is tested in
/// `tests/it/engine_install.rs`, where there is an index to install from.
const NOT_HERE: [&str; 6] = ["completions", "engine-install", "engine-rm", "engine-use", "exec", "snapshot-cat"];

/// Runs it with JSON output, whatever its status.
fn run(world: &World, line: &str) -> Assert {
    world.run(&format!("{line} {FOR_PROGRAMS}"))
}

/// The result on stdout.
fn result(world: &World, line: &str) -> Value {
    serde_json::from_str(&stdout(&run(world, line).success())).expect(line)
}

/// The lines on stderr.
fn lines(run: &Assert) -> Vec<Value> {
    stderr(run).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The error of a run with that status: the last one printed.
fn error(run: Assert, status: i32) -> Value {
    let lines = lines(&run.code(status));
    let error = lines.iter().rev().find_map(|line| line.get("error")).expect("an error");
    assert_eq!(error["exit_status"], status);
    error.clone()
}

/// The life of a VM and its snapshots, using every command.
const STORY: [&str; 34] = [
    "ls",
    "create dev",
    "create web --image alpine:3.20 --net",
    "start dev",
    "ls",
    "pause dev",
    "resume dev",
    "freeze dev -t ready -m note --label a=b --yes --launcher",
    "freeze dev -o dev.smolmachine --dry-run",
    "freeze dev -o dev.smolmachine",
    "verify dev.smolmachine",
    "create dev2 --from dev.smolmachine",
    "thaw dev@ready dev3",
    "thaw dev@ready worker -n 2",
    "thaw dev@ready dev --replace --yes --no-start",
    "rollback dev@ready --yes --no-start",
    "cp dev.smolmachine dev3:/root/x",
    "cp dev3:/root/x copied",
    "snapshot ls",
    "snapshot show dev@ready",
    "snapshot files ./guest.smolmachine /root",
    "snapshot diff ./guest.smolmachine ./other.smolmachine",
    "snapshot verify dev@ready",
    "snapshot tag dev@ready other",
    "snapshot export dev@ready -o dev.tar",
    "snapshot import dev.tar --as other",
    "snapshot push dev@ready registry.test:5000/dev:ready --yes",
    "snapshot pull registry.test:5000/dev:ready --as pulled",
    "snapshot prune --keep-last 1 --tag ready --tag other --yes",
    "pack alpine -o alpine",
    "engine ls",
    "schedule dev --every 1d",
    "schedule",
    "doctor",
];

#[test]
fn every_result_matches_its_schema() {
    let world = World::new();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    for (name, overlay) in [("guest.smolmachine", "overlay"), ("other.smolmachine", "journal")] {
        world.write(name, guest_files::bare(overlay).artifact());
    }
    let more = ["snapshot rm pulled --yes", "stop dev3", "rm dev2 --yes"];
    let mut run_commands = BTreeSet::new();
    for line in STORY.into_iter().chain(more) {
        // The first word that is not an option or its value is the command.
        result(&world, line);
        run_commands.insert(schema::command(&line.split(' ').collect::<Vec<_>>()));
    }
    let missing: Vec<String> =
        schema::commands().into_iter().filter(|command| !run_commands.contains(command)).collect();
    assert_eq!(missing, NOT_HERE, "commands without --json");
}

#[test]
fn commands_without_a_result_refuse_json() {
    for line in ["exec --json dev -- true", "completions bash --json", "snapshot cat dev:/x --json"] {
        let run = World::new().run(line).code(2);
        assert_eq!(stdout(&run), "", "{line}");
    }
}

#[test]
fn one_vm_is_an_object_and_several_are_an_array() {
    let world = World::new();
    for vm in ["a", "b", "c"] {
        world.vm(vm).stopped();
    }
    for (line, state) in [("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopped")] {
        let one = result(&world, &format!("{line} a"));
        assert_eq!((&one["vm"], &one["state"]), (&json!("a"), &json!(state)), "{line}");
        let both = result(&world, &format!("{line} b c"));
        assert_eq!((&both[0]["vm"], &both[1]["vm"], &both[1]["state"]), (&json!("b"), &json!("c"), &json!(state)));
    }
    let all = result(&world, "rm --all --yes");
    assert_eq!((&all[0]["state"], &all[2]["vm"]), (&json!("deleted"), &json!("c")));
}

#[test]
fn each_failure_of_several_is_in_the_array_and_on_stderr() {
    let world = World::new();
    world.vm("a").stopped();
    for line in ["start a nosuch", "stop a nosuch", "freeze a nosuch", "freeze a nosuch --dry-run"] {
        let run = run(&world, line).code(3);
        let all: Value = serde_json::from_str(&stdout(&run)).unwrap();
        assert_eq!((&all[0]["vm"], &all[0]["error"], &all[1]["vm"]), (&json!("a"), &Value::Null, &json!("nosuch")));
        assert_eq!(all[1]["error"]["code"], "not-found", "{line}");
        let errors: Vec<Value> = lines(&run).into_iter().filter(|line| line.get("error").is_some()).collect();
        assert_eq!((&errors[0]["error"]["vm"], errors.len()), (&json!("nosuch"), 2), "{line}");
        assert_eq!(errors[1]["error"]["code"], "some-failed", "{line}");
    }
}

#[test]
fn stdout_is_empty_if_the_only_vm_fails() {
    let world = World::new();
    for line in ["start nosuch", "freeze nosuch", "rm nosuch --yes", "snapshot rm nosuch --yes", "thaw nosuch"] {
        let run = run(&world, line);
        assert_eq!(stdout(&run), "", "{line}");
        assert_eq!(error(run, 4)["code"], "not-found", "{line}");
    }
}

#[test]
fn a_freeze_that_is_not_confirmed_names_its_vm() {
    let world = World::new();
    world.vm("dev").running();
    assert_eq!(error(run(&world, "freeze dev"), 6)["vm"], "dev");
    assert_eq!(error(run(&world, "cp nosuch dev:/root/x"), 4)["vm"], "dev");
}

#[test]
fn a_declined_fallback_of_live_keeps_the_results_of_the_others() {
    let world = World::new();
    world.vm("a").running();
    world.vm("b").running();
    let stderr = "Error: config operation failed: checkpoint machine: this profile does not support gpu";
    world.fault(json!({"on": "machine checkpoint", "nth": 2, "do": {"fail": {"status": 1, "stderr": stderr}}}));
    let run = run(&world, "freeze a b --live=auto -j 1").code(3);
    let all: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!((&all[0]["live"], &all[1]["error"]["code"]), (&json!(true), &json!("not-confirmed")), "{all}");
}

#[test]
fn a_failed_restart_is_reported_with_the_snapshot() {
    let world = World::new();
    world.vm("dev").running();
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    let run = run(&world, "freeze dev --yes --restart");
    let value: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!((&value["error"]["code"], &value["vm"]), (&json!("not-restarted"), &json!("dev")));
    assert!(value["reference"].as_str().unwrap().starts_with("dev@"));
    error(run, 12);
}

#[test]
fn prune_reports_why_each_stays_and_which_are_removed() {
    let world = World::new();
    world.vm("dev").stopped();
    for _ in 0..3 {
        world.run("freeze dev").success();
    }
    let plan = result(&world, "snapshot prune --keep-last 1 --dry-run");
    let done = result(&world, "snapshot prune --keep-last 1 --yes");
    for (keys, removed) in [(&plan, false), (&done, true)] {
        assert_eq!((&keys[0]["keep"], &keys[0]["reasons"]), (&json!(true), &json!(["last"])));
        for gone in &keys.as_array().unwrap()[1..] {
            assert_eq!(
                (&gone["keep"], &gone["removed"], &gone["reasons"]),
                (&json!(false), &json!(removed), &json!([]))
            );
        }
    }
    let there: Vec<Value> = result(&world, "snapshot ls").as_array().unwrap().clone();
    assert_eq!(there.len(), 1);
    assert_eq!(done[0]["reference"], format!("dev@{}", there[0]["id"].as_str().unwrap()));
}

#[test]
fn warnings_are_in_the_result_and_on_stderr() {
    let world = World::new();
    world.vm("dev").with("--net").stopped();
    world.run("freeze dev").success();
    let run = run(&world, "thaw dev dev2").success();
    let value: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let warning = value["warnings"][0].as_str().unwrap();
    let line = lines(&run).into_iter().find(|line| line["event"] == "warning").expect("a warning");
    assert_eq!((&line["message"], &line["vm"]), (&json!(warning), &json!("dev2")));
}

// ---------------------------------------------------------------------------------------------------- errors

#[test]
fn a_wrong_command_line_is_an_error_like_any_other() {
    let world = World::new();
    for (line, message, hint) in [
        ("freez dev", "unrecognized subcommand 'freez'", "'freeze'"),
        ("freeze dev --frce", "unexpected argument '--frce' found", "'--force'"),
        ("freeze", "the following required arguments were not provided: <NAMES>...", ""),
        ("create a/b", "invalid value 'a/b' for '<NAME>'", ""),
        ("start --jobs 0 dev", "invalid value '0' for '--jobs <N>'", ""),
        ("ls --progress=json -q", "cannot be used with", ""),
        ("cp a b", "one side must be VM:PATH", ""),
        ("", "requires a subcommand", ""),
        ("snapshot", "no command was given", "--help"),
    ] {
        for format in ["--error-format json", "--error-format=json"] {
            let run = world.run(&format!("{format} {line}"));
            assert_eq!(stderr(&run).lines().count(), 1, "{line}: {}", stderr(&run));
            let error = error(run, 2);
            assert_eq!(error["code"], "usage", "{line}");
            assert!(error["message"].as_str().unwrap().contains(message), "{line}: {error}");
            assert!(error["hint"].as_str().unwrap_or_default().contains(hint), "{line}: {error}");
        }
    }
}

#[test]
fn json_after_two_dashes_belongs_to_the_guest() {
    let world = World::new();
    let run = world.run("exec --frob dev -- --error-format json").code(2);
    assert!(stderr(&run).starts_with("error: unexpected argument"), "{}", stderr(&run));
}

#[test]
fn help_and_version_stay_text() {
    for line in ["--error-format json --help", "--error-format json --version", "freeze --help --error-format json"] {
        let run = World::new().run(line).success();
        assert!(stdout(&run).lines().count() >= 1 && stderr(&run).is_empty(), "{line}");
    }
}

#[test]
fn did_you_mean_is_the_hint() {
    let world = World::new();
    world.vm("webserver").stopped();
    let error = error(run(&world, "start webservr"), 4);
    assert!(error["hint"].as_str().unwrap().starts_with("did you mean webserver?"), "{error}");
    assert_eq!((&error["vm"], &error["state"]), (&json!("webservr"), &Value::Null));
}

#[test]
fn what_the_engine_says_can_neither_forge_a_line_nor_move_the_cursor() {
    let world = World::new();
    world.vm("dev").stopped();
    let evil = "Error: \u{1b}[2J\u{9b}\u{202e}\"}}\n{\"error\":{\"code\":\"forged\"}}\r";
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": evil}}}));
    let run = run(&world, "start dev");
    assert!(!stderr(&run).contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']), "{}", stderr(&run));
    assert!(lines(&run).iter().all(|line| line["error"]["code"] != "forged"));
    assert!(error(run, 1)["message"].as_str().unwrap().contains("forged"));
}

#[test]
fn errors_are_text_by_default() {
    for line in ["start nosuch --json", "start nosuch --progress=json", "start nosuch --error-format text"] {
        let run = World::new().run(line).code(4);
        assert!(stderr(&run).contains("error: there is no VM named 'nosuch'"), "{line}: {}", stderr(&run));
    }
}

// -------------------------------------------------------------------------------------------------- progress

#[test]
fn each_phase_of_several_vms_has_a_start_and_an_end() {
    let world = World::new();
    let vms = ["a", "b", "c", "d"];
    for vm in vms {
        world.vm(vm).running();
    }
    let run = run(&world, "freeze --all -j 4 --yes --restart").success();
    let events = lines(&run);
    for vm in vms {
        let of_it: Vec<&Value> = events.iter().filter(|event| event["vm"] == vm).collect();
        let phases = |kind: &str| -> Vec<&str> {
            let all = of_it.iter().filter(|event| event["event"] == kind);
            all.map(|event| event["phase"].as_str().unwrap()).collect()
        };
        assert_eq!(phases("started"), ["trim", "stop", "pack", "store", "write", "restart"], "{vm}");
        assert_eq!(phases("finished"), phases("started"), "{vm}");
        let packed = of_it.iter().find(|event| event["event"] == "finished" && event["phase"] == "pack").unwrap();
        assert!(packed["bytes"].as_u64().unwrap() > 0 && packed["ok"] == true, "{packed}");
        let steps = of_it.iter().filter(|event| event["event"] == "progress");
        assert!(steps.clone().any(|step| step["message"] == "compressing"), "{vm}");
    }
}

#[test]
fn a_failed_phase_finishes_with_ok_false() {
    let world = World::new();
    world.vm("dev").running();
    world.fault(json!({"on": "pack create", "do": {"fail": {"status": 1, "stderr": "Error: no"}}}));
    let run = run(&world, "freeze dev --yes").code(1);
    let ended = |phase: &str| {
        let is_it = |event: &&Value| event["event"] == "finished" && event["phase"] == phase;
        lines(&run).iter().find(is_it).unwrap()["ok"].clone()
    };
    assert_eq!((ended("stop"), ended("pack"), ended("restart")), (json!(true), json!(false), json!(true)));
}

#[test]
fn what_a_hook_prints_is_an_event_and_its_failure_an_error() {
    let world = World::new();
    world.vm("dev").stopped();
    let run =
        run(&world, "freeze dev --pre-freeze 'host:echo one; echo two >&2' --post-freeze 'host:echo no >&2; false'");
    let value: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(value["error"]["code"], "post-hook-failed");
    let lines = lines(&run);
    let printed: Vec<&str> =
        lines.iter().filter(|line| line["event"] == "output").map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(printed, ["one", "two"]);
    let ended: Vec<&Value> = lines
        .iter()
        .filter(|line| line["event"] == "finished" && line["phase"] == "hook")
        .map(|line| &line["ok"])
        .collect();
    assert_eq!(ended, [&json!(true), &json!(false)]);
    error(run, 15);
}

#[test]
fn a_signal_is_an_event_and_then_an_error() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().fault(json!({"on": "pack create", "at": "half", "do": "hang"}));
    let freeze = world.spawn(&format!("freeze dev --yes {FOR_PROGRAMS}"));
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    freeze.signal(Signal::TERM);
    let run = freeze.wait();
    assert!(lines(&run).iter().any(|line| line["event"] == "interrupted"), "{}", stderr(&run));
    assert_eq!(error(run, 143)["code"], "interrupted");
}

#[test]
fn a_second_signal_is_an_error_that_says_what_is_left() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().fault(json!([
        {"on": "pack create", "at": "half", "do": "hang"},
        {"on": "machine start", "do": "hang"},
    ]));
    let freeze = world.spawn(&format!("freeze dev --yes {FOR_PROGRAMS}"));
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    freeze.signal(Signal::INT);
    wait_until("it starts the VM again", || world.commands().contains(&"machine start".to_owned()));
    let error = error(freeze.signal_until_it_ends(Signal::INT), 130);
    assert!(error["message"].as_str().unwrap().contains("'dev' may be stopped"), "{error}");
}

#[test]
fn the_engine_s_commands_are_events_with_verbose() {
    let world = World::new();
    let run = run(&world, "ls -v").success();
    let is_listing = |line: &Value| line["message"].as_str().is_some_and(|text| text.ends_with("machine ls --json"));
    assert!(lines(&run).iter().any(|line| line["event"] == "command" && is_listing(line)), "{}", stderr(&run));
}

#[test]
fn a_program_that_reads_the_terminal_is_asked_no_question() {
    let world = World::new();
    world.vm("dev").stopped();
    let mut session = Session::start(world.line(&format!("rm dev {FOR_PROGRAMS}")));
    assert_eq!(session.wait(), Some(6));
    session.wait_for("not-confirmed");
    let screen = session.screen();
    assert!(screen.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{screen}");
    assert_eq!(world.state("dev"), "stopped");
}

#[test]
fn a_terminal_is_not_drawn_on() {
    let world = World::new();
    world.vm("dev").stopped();
    let mut session = Session::start(world.line("start dev -q"));
    session.wait();
    let mut session = Session::start(world.line("stop dev --progress=json --json"));
    assert_eq!(session.wait(), Some(0));
    session.wait_for("\"stopped\"");
    assert!(!session.screen().contains('\u{1b}'), "{:?}", session.screen());
}

#[test]
fn closed_pipes_cause_no_panic() {
    let world = World::new();
    world.vm("dev").stopped();
    let mut command = world.line(&format!("start dev {FOR_PROGRAMS}"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(0));
}

// --------------------------------------------------------------------------------------------------- schemas

#[test]
fn every_schema_is_valid_and_describes_every_key() {
    for (name, schema) in schema::all() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        assert_eq!(schema["$id"], format!("urn:bottle-freeze:{name}"));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_closed(name, schema);
    }
}

/// Every object is closed, and every key of it is described. (A snapshot.json may come from a later bottle-freeze.)
fn assert_closed(name: &str, schema: &Value) {
    if let Some(keys) = schema.get("properties").filter(|_| schema["type"] == "object") {
        let is_open = keys.get("tool_version").is_some();
        assert_eq!(schema["additionalProperties"], json!(is_open), "{name}: {schema:#}");
        for (key, value) in keys.as_object().unwrap() {
            let described = ["description", "$ref", "const"].iter().any(|word| value.get(word).is_some());
            assert!(described, "{name}: {key} is not described");
        }
    }
    let inner = schema.as_object().into_iter().flat_map(|all| all.values());
    let items = schema.as_array().into_iter().flatten();
    inner.chain(items).for_each(|inner| assert_closed(name, inner));
}

#[test]
fn every_schema_belongs_to_a_command_and_is_in_the_man_page() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man/bottle-freeze-json.7")).unwrap();
    let page = page.replace("\\-", "-");
    let mut used: BTreeSet<String> = schema::commands().iter().map(|command| schema::of_command(&[command])).collect();
    used.extend(["error", "progress", "freeze-dry-run", "snapshot"].map(str::to_owned));
    for name in schema::all().keys() {
        assert!(used.contains(name), "{name} is the schema of no command");
        assert!(page.contains(&format!("{name}.json")), "man 7 bottle-freeze-json does not name {name}.json");
    }
    let error = &schema::all()["error"]["$defs"]["PrintedError"]["properties"]["code"]["enum"];
    for code in error.as_array().unwrap() {
        assert!(page.contains(&format!("\n{}\t", code.as_str().unwrap())), "the man page lacks {code}");
    }
    for phase in schema::all()["progress"]["properties"]["phase"]["enum"].as_array().unwrap() {
        assert!(page.contains(phase.as_str().unwrap()), "the man page lacks the phase {phase}");
    }
}

#[test]
fn every_snapshot_json_on_disk_matches_its_schema() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --yes -t ready --label a=b --launcher").success();
    world.run("freeze dev --yes").success();
    let folder = world.path("home/library/snapshots/dev");
    for id in names_in(&folder) {
        let text = fs::read(folder.join(&id).join("snapshot.json")).unwrap();
        schema::assert_valid("snapshot", &serde_json::from_slice(&text).unwrap(), &[&id]);
    }
}

#[test]
fn stdout_is_a_single_document_whatever_goes_to_stderr() {
    let world = World::new();
    world.vm("dev").running();
    let run = finish(world.line("freeze dev --yes --json -v")).success();
    assert!(serde_json::from_str::<Value>(&stdout(&run)).is_ok());
    assert!(stderr(&run).contains("+ "), "{}", stderr(&run));
}
