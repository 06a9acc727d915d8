//! Only what was named and confirmed is removed: ids take precedence over tags, and an answer applies to what was
//! shown.

use crate::support::pty::Session;
use crate::support::{World, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// The snapshots of `dev`, oldest first: `VM@ID`.
fn references(world: &World) -> Vec<String> {
    stdout(&world.run("snapshot ls dev -q")).lines().map(str::to_owned).collect()
}

/// A stopped VM with this many snapshots.
fn world_with(count: usize) -> (World, Vec<String>) {
    let world = World::new();
    world.vm("dev").stopped();
    for number in 0..count {
        world.run(&format!("freeze dev -m {number}")).success();
    }
    let all = references(&world);
    (world, all)
}

fn folder(world: &World, reference: &str) -> PathBuf {
    world.path("home/library/snapshots").join(reference.replace('@', "/"))
}

/// Changes a snapshot.json, as an older version or another run would write it.
fn edit(world: &World, reference: &str, change: impl FnOnce(&mut Value)) {
    let file = folder(world, reference).join("snapshot.json");
    let mut metadata: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut metadata);
    fs::write(file, metadata.to_string()).unwrap();
}

/// Runs the command on a terminal until it asks its question.
fn asked(world: &World, line: &str) -> Session {
    let session = Session::start(world.line(line));
    session.wait_for("[y/N]");
    session
}

// -------------------------------------------------------------------------------------------------- ids and tags

#[test]
fn a_tag_that_could_be_an_id_is_refused() {
    let (world, all) = world_with(2);
    let id = all[0].replace("dev@", "");
    for tag in [id.as_str(), "00000000", "deadbeef", "20261126"] {
        world.run(&format!("freeze dev -t {tag}")).code(2).stderr(contains("could be the id of a snapshot"));
        world.run(&format!("snapshot tag dev {tag}")).code(2).stderr(contains("could be the id of a snapshot"));
        world.run(&format!("snapshot tag dev {tag} --force")).code(2);
    }
    // `git rev-parse --short HEAD` and `date +%y%m%d`.
    for tag in ["deadbee", "261127", "2026"] {
        world.run(&format!("snapshot tag dev {tag}")).success();
        assert!(stdout(&world.run(&format!("snapshot show dev@{tag} --json"))).contains("\"note\": \"1\""));
    }
    for tag in ["x.smolmachine", "x.checkpoint"] {
        world.run(&format!("snapshot tag dev {tag}")).code(2).stderr(contains("could be a file"));
    }
    for tag in ["v1", "2026-11-26", "abc", "1", "DEADBEEF", "deadbeef0"] {
        world.run(&format!("snapshot tag dev {tag}")).success();
    }
    assert_eq!(references(&world), all);
}

#[test]
fn an_id_takes_precedence_over_a_tag_of_an_older_version() {
    let (world, all) = world_with(3);
    let (old, newest) = (&all[0], &all[2]);
    let id = old.replace("dev@", "");
    edit(&world, newest, |metadata| metadata["tags"] = json!([id]));
    assert!(stdout(&world.run(&format!("snapshot show {old} --json"))).contains("\"note\": \"0\""));
    world.run("snapshot prune dev --keep-last 2 --yes").success();
    assert_eq!(references(&world), all[1..]);
    // The tag can be listed, kept and removed.
    world.run(&format!("snapshot ls --tag {id} -q")).success().stdout(contains(newest));
    world.run(&format!("snapshot prune dev --keep-tag {id} --tag {id} --dry-run")).success();
    world.run(&format!("snapshot tag dev --remove {id}")).success();
    world.run(&format!("snapshot show dev@{id}")).code(4);
}

#[test]
fn a_tag_comes_before_a_short_beginning_of_an_id() {
    let (world, all) = world_with(2);
    let shown = |name: &str| stdout(&world.run(&format!("snapshot show {name} --json")).success());
    let short = &all[0]["dev@".len()..][..3];
    assert!(shown(&format!("dev@{short}")).contains("\"note\": \"0\""));
    world.run(&format!("snapshot tag {} {short}", all[1])).success();
    assert!(shown(&format!("dev@{short}")).contains("\"note\": \"1\""));
    assert!(shown(&all[0][.."dev@".len() + 4]).contains("\"note\": \"0\""));
}

#[test]
fn nothing_is_removed_if_one_of_several_names_is_wrong() {
    let (world, all) = world_with(2);
    world.vm("web").stopped();
    for (line, state) in [
        ("snapshot rm dev nosuch --yes", "nothing was removed"),
        ("snapshot rm dev dev@nosuch web@nosuch --yes --json", "nothing was removed"),
        ("rm dev nosuch --yes", "nothing was deleted"),
        ("rm nosuch web --yes --json", "nothing was deleted"),
    ] {
        let run = world.run(line).code(4);
        assert_eq!(stdout(&run), "", "{line}");
        assert!(stderr(&run).contains(state), "{line}: {}", stderr(&run));
    }
    let said = stderr(&world.run("snapshot rm nosuch dev@none --yes").code(4));
    assert!(said.contains("'nosuch'") && said.contains("'dev@none'"), "{said}");
    assert_eq!((references(&world), world.state("dev"), world.state("web")), (all, "stopped".into(), "stopped".into()));
}

#[test]
fn a_question_says_the_age_and_the_tags_of_what_goes() {
    let (world, all) = world_with(2);
    world.run(&format!("snapshot tag {} good old", all[0])).success();
    let days_ago = humantime::format_rfc3339_seconds(SystemTime::now() - Duration::from_secs(3 * 86_400)).to_string();
    edit(&world, &all[0], |metadata| metadata["created"] = json!(days_ago));
    let old = format!("{} (good, old, 3days old)", all[0]);
    for (line, text) in [
        (format!("snapshot rm {}", all[0]), format!("Remove {old}?")),
        ("snapshot prune --keep-last 1 --tag good --tag old".to_owned(), format!("Remove {old}?")),
        ("rm dev".to_owned(), format!("the newest is {} (", all[1])),
    ] {
        let mut session = asked(&world, &line);
        let screen = session.screen().replace(['\r', '\n'], "");
        assert!(screen.contains(&text), "{line}: {screen}");
        session.press("n");
        assert_eq!(session.wait(), Some(6), "{line}");
    }
}

#[test]
fn latest_is_no_tag() {
    let (world, all) = world_with(2);
    for line in ["freeze dev -t latest", "snapshot tag dev latest"] {
        world.run(line).code(2).stderr(contains("VM@latest is the newest snapshot of a VM"));
    }
    // An older version allowed it.
    edit(&world, &all[0], |metadata| metadata["tags"] = json!(["latest", "good"]));
    assert!(stdout(&world.run("snapshot show dev@latest --json")).contains("\"note\": \"0\""));
    world.run("snapshot export dev@latest -o x.tar").success();
    let run = world.run("snapshot import x.tar --as other").success();
    run.stderr(contains("the tag latest is left out"));
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show other --json"))).unwrap();
    assert_eq!(shown["tags"], json!(["good"]));
    world.run("snapshot tag dev@latest --remove latest").success();
    assert!(stdout(&world.run("snapshot show dev@latest --json")).contains("\"note\": \"1\""));
}

#[test]
fn a_tag_that_begins_another_snapshot_s_id_is_ambiguous() {
    let (world, all) = world_with(2);
    let begin = &all[0]["dev@".len()..][..4];
    edit(&world, &all[1], |metadata| metadata["tags"] = json!([begin]));
    for line in ["snapshot rm dev@X --yes", "snapshot show dev@X", "thaw dev@X", "snapshot tag dev@X other"] {
        let refused = world.run(&line.replace('X', begin)).code(2);
        assert!(all.iter().all(|one| stderr(&refused).contains(one)), "{line}: {}", stderr(&refused));
    }
    assert_eq!(references(&world), all);
    // Within one snapshot, the two agree.
    world.run(&format!("snapshot rm {} --yes", all[0])).success();
    world.run(&format!("snapshot show dev@{begin}")).success();
}

#[test]
fn a_tag_that_could_be_an_id_is_not_imported() {
    let (world, all) = world_with(2);
    edit(&world, &all[1], |metadata| metadata["tags"] = json!([all[0].replace("dev@", ""), "good", "x.checkpoint"]));
    world.run(&format!("snapshot export {} -o x.tar", all[1])).success();
    let run = world.run("snapshot import x.tar --as other").success();
    run.stderr(contains("could be the id of a snapshot").and(contains("could be a file")));
    let shown = stdout(&world.run("snapshot show other --json"));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["tags"], json!(["good"]));
}

#[test]
fn only_a_canonical_id_is_imported() {
    let (world, all) = world_with(1);
    for id in ["ready", "1", "DEADBEEF", "deadbeef0", "deadbee"] {
        let (vm, source) = (world.path("home/library/snapshots/dev"), folder(&world, &all[0]));
        let copy = vm.join(id);
        assert!(Command::new("cp").arg("-r").arg(source).arg(&copy).status().unwrap().success());
        edit(&world, &format!("dev@{id}"), |metadata| metadata["id"] = json!(id));
        world.run(&format!("snapshot export dev@{id} -o x.tar --force")).success();
        world.run("snapshot import x.tar --as other").code(10).stderr(contains("its VM or its id is not valid"));
        world.run(&format!("snapshot rm dev@{id} --yes")).success();
    }
    assert_eq!(references(&world), all);
}

// ------------------------------------------------------------------------------------- while a question is open

#[test]
fn a_tag_that_moves_while_the_question_is_open_removes_nothing_else() {
    let (world, all) = world_with(2);
    world.run(&format!("snapshot tag {} v1", all[0])).success();
    let mut question = asked(&world, "snapshot rm dev@v1");
    assert!(question.screen().contains(&all[0]), "{}", question.screen());
    world.run(&format!("snapshot tag {} v1 --force", all[1])).success();
    question.press("y");
    assert_eq!(question.wait(), Some(0), "{}", question.screen());
    assert_eq!(references(&world), all[1..]);
}

#[test]
fn a_newer_snapshot_is_not_removed_in_place_of_the_shown_one() {
    let (world, all) = world_with(1);
    let mut question = asked(&world, "snapshot rm dev");
    world.run("freeze dev").success();
    question.press("y");
    assert_eq!(question.wait(), Some(0), "{}", question.screen());
    let left = references(&world);
    assert!(left.len() == 1 && left != all, "{left:?}");
}

#[test]
fn a_snapshot_that_is_tagged_while_the_question_is_open_stays() {
    for line in ["snapshot prune dev --keep-last 1", "snapshot rm ONE TWO"] {
        let (world, all) = world_with(3);
        let mut question = asked(&world, &line.replace("ONE", &all[0]).replace("TWO", &all[1]));
        world.run(&format!("snapshot tag {} keep", all[0])).success();
        question.press("y");
        let status = if line.contains("prune") { 0 } else { 3 };
        assert_eq!(question.wait(), Some(status), "{}", question.screen());
        let printed = question.all_printed();
        assert!(printed.contains("got the tag keep in the meantime"), "{printed}");
        assert_eq!(references(&world), [all[0].clone(), all[2].clone()]);
    }
}

#[test]
fn a_snapshot_that_replaced_the_shown_one_stays() {
    for line in ["snapshot rm ONE", "snapshot prune dev --keep-last 1"] {
        let (world, all) = world_with(2);
        world.run(&format!("snapshot export {} -o x.tar", all[0])).success();
        let mut question = asked(&world, &line.replace("ONE", &all[0]));
        world.run(&format!("snapshot rm {} --yes", all[0])).success();
        world.run("snapshot import x.tar").success();
        question.press("y");
        assert_eq!(question.wait(), Some(4), "{}", question.screen());
        let printed = question.all_printed();
        assert!(printed.contains("removed or replaced in the meantime"), "{printed}");
        assert_eq!(references(&world), all);
    }
}

#[test]
fn prune_removes_nothing_if_a_snapshot_that_it_keeps_is_gone() {
    let (world, all) = world_with(3);
    let mut question = asked(&world, "snapshot prune dev --keep-last 1");
    world.run(&format!("snapshot rm {} --yes", all[2])).success();
    question.press("y");
    assert_eq!(question.wait(), Some(3), "{}", question.screen());
    let printed = question.all_printed();
    let named = format!("{}, the newest that is whole, was removed or replaced in the meantime", all[2]);
    assert!(printed.contains(&named) && printed.contains("it was not removed"), "{printed}");
    assert_eq!(references(&world), all[..2]);
}

#[test]
fn the_question_mentions_no_stop_of_a_stopped_vm() {
    let (world, all) = world_with(1);
    for (state, words) in
        [("stopped", "is stopped. Freeze it into"), ("running", "is running. Stop it, freeze it into")]
    {
        if state == "running" {
            world.run("start dev").success();
        }
        let mut question = asked(&world, &format!("thaw {} dev --replace", all[0]));
        question.press("n");
        assert_eq!(question.wait(), Some(6), "{}", question.screen());
        let printed = question.all_printed();
        assert!(printed.contains(words), "{printed}");
    }
}

#[test]
fn a_vm_that_replaced_the_shown_one_is_not_deleted() {
    let world = World::new();
    for name in ["dev", "other"] {
        world.vm(name).stopped();
        world.edit(name, "created_at", json!(1_700_000_000));
    }
    let mut question = asked(&world, "rm dev other");
    world.edit("dev", "created_at", json!(1_700_000_009));
    question.press("y");
    assert_eq!(question.wait(), Some(3), "{}", question.screen());
    let printed = question.all_printed();
    assert!(printed.contains("'dev' was replaced in the meantime"), "{printed}");
    assert_eq!((world.state("dev").as_str(), world.state("other").as_str()), ("stopped", "missing"));
}

#[test]
fn a_vm_that_is_started_while_the_question_is_open_is_not_deleted() {
    let world = World::new();
    world.vm("dev").stopped();
    let mut question = asked(&world, "rm dev");
    world.run("start dev").success();
    question.press("y");
    assert_eq!(question.wait(), Some(5), "{}", question.screen());
    let printed = question.all_printed();
    assert!(printed.contains("'dev' was started in the meantime"), "{printed}");
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_vm_that_replaced_the_one_to_be_replaced_is_not_even_stopped() {
    let (world, _) = world_with(1);
    world.edit("dev", "created_at", json!(1_700_000_000));
    let mut question = asked(&world, "thaw dev dev --replace");
    world.smolvm("machine start --name dev");
    world.edit("dev", "created_at", json!(1_700_000_009));
    question.press("y");
    assert_eq!(question.wait(), Some(1), "{}", question.screen());
    let printed = question.all_printed();
    assert!(printed.contains("replaced"), "{printed}");
    assert_eq!(world.state("dev"), "running");
    assert_eq!(references(&world).len(), 1);
}

#[test]
fn a_file_that_is_exchanged_while_a_question_about_it_is_open_is_not_pushed() {
    let (world, _) = world_with(0);
    world.run("freeze dev -o shown.smolmachine").success();
    world.run("freeze dev -o other.smolmachine").success();
    let mut question = asked(&world, "snapshot push ./shown.smolmachine registry.test:5000/dev:r1");
    fs::rename(world.path("work/other.smolmachine"), world.path("work/shown.smolmachine")).unwrap();
    question.press("y");
    assert_eq!(question.wait(), Some(1), "{}", question.screen());
    let printed = question.all_printed();
    assert!(printed.contains("was changed or replaced after it was checked"), "{printed}");
    assert!(printed.contains("nothing was pushed"), "{printed}");
    assert!(!world.commands().contains(&"pack push".to_owned()));
}
