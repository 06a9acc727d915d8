//! Hostile output of an engine neither moves the cursor, nor forges a line, nor exhausts the memory, nor reveals a
//! secret.

use crate::support::chaos::within;
use crate::support::{World, finish, names_in, stderr, stdout};
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The memory that bottle-freeze may use, in MiB, whatever the engine prints.
const MEMORY: u64 = 150;
const EVIL: &str = "x\u{1b}[2J\u{9b}2J\u{202e}\u{7}\r\nerror: forged\n  help: forged";

#[test]
fn hostile_fields_of_a_vm_neither_move_the_cursor_nor_forge_a_line() {
    for key in ["state", "image"] {
        let world = World::new();
        world.vm("dev").running();
        let mut list = world.list();
        list[0][key] = json!(EVIL);
        list[0]["labels"] = json!({EVIL: EVIL});
        world.warm().fault(json!({"on": "machine ls", "do": {"print": Value::Array(list).to_string()}}));
        for line in ["ls", "ls --json", "ls -q", "freeze dev -o x.smolmachine", "rm dev", "stop dev"] {
            let run = world.run(line);
            let said = format!("{}{}", stdout(&run), stderr(&run));
            assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}', '\r']), "{key}, {line}: {said:?}");
            let forged = |said: &str| said.starts_with("error: forged") || said.starts_with("  help: forged");
            assert!(!said.lines().any(forged), "{key}, {line}: {said}");
        }
    }
}

#[test]
fn an_engine_message_cannot_pass_for_ours() {
    let world = World::new();
    world.vm("dev").stopped();
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": EVIL}}}));
    let said = stderr(&world.run("start dev").code(1));
    assert!(said.contains("forged") && !said.contains('\u{1b}'), "{said:?}");
    assert!(
        !said.lines().any(|line| line.starts_with("error: forged") || line.starts_with("  help: forged")),
        "{said}"
    );
}

#[test]
fn an_endless_list_takes_no_memory() {
    for list in [json!({"print_bytes": 100 << 20}), json!({"print": "[".repeat(7 << 20)})] {
        let world = World::new();
        world.warm().fault(json!({"on": "machine ls", "do": list}));
        finish(within(MEMORY, &world.line("ls"))).code(1).stderr(contains("could not parse the output"));
    }
}

#[test]
fn a_long_list_of_small_entries_takes_no_memory() {
    let world = World::new();
    world.vm("dev").stopped();
    let mut list = world.list();
    for (key, many) in [("labels", "\"a\":[0,0,0]".to_owned()), ("allowed_cidrs", vec!["\"\""; 2 << 20].join(","))] {
        let (open, close) = if key == "labels" { ('{', '}') } else { ('[', ']') };
        list[0][key] = Value::Null;
        let text = Value::Array(list.clone()).to_string();
        let text = text.replace(&format!("\"{key}\":null"), &format!("\"{key}\":{open}{many}{close}"));
        world.warm().fault(json!({"on": "machine ls", "do": {"print": text}}));
        let status = finish(within(MEMORY, &world.line("ls"))).get_output().status.code();
        assert!([Some(0), Some(1)].contains(&status), "{key}: {status:?}");
        world.clear_faults();
    }
}

#[test]
fn numbers_out_of_range_are_one_clear_error() {
    let world = World::new();
    world.vm("dev").stopped();
    let list = world.list();
    for (key, number) in
        [("cpus", "1e30"), ("cpus", "-1"), ("memory_mib", "1.5"), ("created_at", "1e400"), ("pid", "1e12")]
    {
        let mut list = list.clone();
        list[0][key] = json!("HERE");
        let text = Value::Array(list).to_string().replace("\"HERE\"", number);
        world.warm().fault(json!({"on": "machine ls", "do": {"print": text}}));
        let run = world.run("ls").code(1);
        assert_eq!(stderr(&run).matches("error: ").count(), 1, "{key}: {number}: {}", stderr(&run));
        world.clear_faults();
    }
}

#[test]
fn a_foreign_process_id_is_neither_waited_for_nor_killed() {
    let world = World::new();
    world.vm("dev").running();
    for pid in [-1, 0, 1] {
        let mut list = world.list();
        list[0]["pid"] = json!(pid);
        let nth = json!({"on": "machine ls", "nth": 1, "do": {"print": Value::Array(list).to_string()}});
        world.warm().fault(nth);
        world.run("freeze dev -o x.smolmachine --yes --force --restart");
        world.clear_faults();
    }
    world.run("verify x.smolmachine").success();
}

#[test]
fn endless_output_of_an_engine_takes_no_memory() {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm().fault(json!({"on": "pack create", "do": {"print_bytes": 100 << 20}}));
    finish(within(MEMORY, &world.line("freeze dev -o x.smolmachine"))).code(1);
    world.assert_clean(&[]);
}

#[test]
fn a_secret_that_the_engine_repeats_is_masked() {
    let world = World::new();
    let said = "Error: bad env TOKEN=hunter2 hunter2more and \"hunter2\\nline\"";
    world.warm().fault(json!({"on": "machine create", "do": {"fail": {"status": 1, "stderr": said}}}));
    let run =
        finish(world.command(["create", "dev", "-e", "TOKEN=hunter2", "-e", "B=hunter2more", "-e", "C=hunter2\nline"]));
    let said = stderr(&run.code(1));
    assert!(said.contains("***") && !said.contains("hunter2") && !said.contains("more"), "{said}");
}

#[test]
fn private_files_are_readable_only_by_their_owner() {
    let world = World::new();
    world.vm("dev").stopped();
    world.fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let _freeze = world.spawn("freeze dev -o x.smolmachine");
    crate::support::wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let lock = world.vm_lock("dev");
    assert_eq!((mode(lock.parent().unwrap().to_owned()), mode(lock)), (0o700, 0o600));
    for folder in ["home/library", "home/library/work"] {
        assert_eq!(mode(world.path(folder)), 0o700, "{folder}");
        for file in names_in(&world.path(folder)).iter().filter(|name| name.contains(['.', '-'])) {
            assert_eq!(mode(world.path(folder).join(file)), 0o600, "{folder}/{file}");
        }
    }
    let private = names_in(&world.path("work"));
    assert_eq!(mode(world.path("work").join(&private[0])), 0o700, "{private:?}");
}
