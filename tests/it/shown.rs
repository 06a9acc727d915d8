//! What people read: which snapshot, how old, what stays, and nothing on success that a log does not need.

use crate::support::pty::Session;
use crate::support::{World, finish, stderr, stdout};
use predicates::str::contains;
use serde_json::Value;

/// A world with the snapshot `dev@ready`, and its name `dev@ID`.
fn world() -> (World, String) {
    let world = World::new();
    world.run("create dev --cpus 2 --mem 1G --allow-cidr 10.0.0.0/8 -p 8080:80 -e TOKEN=hunter2").success();
    world.run("start dev").success();
    let run = world.run("-q freeze dev -y --restart -t ready -m 'set up' --label team=a").success();
    let reference = stdout(&run).trim().to_owned();
    (world, reference)
}

// --------------------------------------------------------------------------------------------------------- snapshots

#[test]
fn a_snapshot_is_shown_in_lines_for_people_and_as_json_for_programs() {
    let (world, reference) = world();
    let shown = stdout(&world.run("snapshot show dev").success());
    for line in [
        format!("snapshot  {reference}"),
        "tags      ready".into(),
        "VM        dev".into(),
        "note      set up".into(),
        "labels    team=a".into(),
        "holds     disks".into(),
        "machine   2 CPUs, 1024 MiB memory".into(),
        "network   only 10.0.0.0/8".into(),
        "ports     8080:80".into(),
        "variables TOKEN".into(),
        format!("thaw with bottle-freeze thaw {reference}"),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    for (label, part) in [("frozen", "s ago)"), ("size", "B; removing it frees "), ("made by", "smolvm 1.32.2")] {
        assert!(shown.lines().any(|line| line.starts_with(label) && line.contains(part)), "{label}: {shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains('{'), "{shown}");
    assert_eq!(stdout(&world.run("snapshot show dev -q").success()).trim(), reference);
    let json: Value = serde_json::from_str(&stdout(&world.run("snapshot show dev --json").success())).unwrap();
    assert_eq!(json["machine"]["cpus"], 2);
    let line = shown.lines().last().unwrap().strip_prefix("thaw with bottle-freeze ").unwrap();
    world.run(&format!("{line} again --no-start")).success();
}

#[test]
fn a_snapshot_from_elsewhere_says_where_it_came_from() {
    let (world, reference) = world();
    world.run("snapshot export dev -o x.tar --allow-secrets").success();
    world.run("snapshot import x.tar --as other").success();
    world.run("snapshot show other").success().stdout(contains("from      imported from x.tar"));
    world.run("thaw dev next --no-start").success();
    world.run("start next").success();
    world.run("freeze next -y").success();
    world.run("snapshot show next").success().stdout(contains(format!("from      {reference}")));
}

#[test]
fn hostile_text_in_a_snapshot_is_shown_in_its_line() {
    let (world, _) = world();
    finish(world.command(["freeze", "dev", "-y", "-m", "one\nthaw with rm -rf\u{1b}[2J"])).success();
    let shown = stdout(&world.run("snapshot show dev").success());
    assert!(shown.contains("note      one\\nthaw with") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn lists_have_the_date_and_the_age_of_each_snapshot() {
    let (world, reference) = world();
    let table = stdout(&world.run("snapshot ls").success());
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..2], [&*reference, "ready"], "{table}");
    assert!(row[2].len() == 10 && row[2].matches('-').count() == 2 && row[3].contains(':'), "{table}");
    assert!(row[4].ends_with('s'), "{table}");
    let id = reference.strip_prefix("dev@").unwrap();
    let run = world.run("ls").success();
    assert!(stdout(&run).lines().nth(1).unwrap().contains(&format!("{id}, ")), "{}", stdout(&run));
    assert!(stdout(&run).contains("s ago"), "{}", stdout(&run));
    world.run("create new").success();
    let all = stdout(&world.run("ls").success());
    let row = all.lines().find(|line| line.starts_with("new")).unwrap();
    assert_eq!(row.split_whitespace().nth(2), Some("-"), "{all}");
}

#[test]
fn the_name_of_no_vm_is_an_error_and_a_vm_without_snapshots_is_none() {
    let (world, _) = world();
    for line in
        ["snapshot ls dve", "snapshot ls dve --json", "snapshot ls dve -q", "snapshot prune dve --keep-last 1 -y"]
    {
        let run = world.run(line).code(4).stdout("");
        assert!(stderr(&run).contains("did you mean dev?"), "{line}: {}", stderr(&run));
    }
    world.run("create new").success();
    world.run("snapshot ls new").success().stdout(contains("no snapshots of new"));
    world.run("snapshot ls new --json").success().stdout("[]\n");
    // A VM that is gone, and its snapshots are not.
    world.run("rm dev -y").success();
    world.run("snapshot ls dev").success();
}

// --------------------------------------------------------------------------------------------------------------- VMs

#[test]
fn a_deletion_says_which_snapshots_stay() {
    let (world, reference) = world();
    world.run("create new").success();
    world.run("rm dev").code(6).stderr(contains(format!("Its snapshot {reference} (ready, ")));
    world.run("rm new").code(6).stderr(contains("disks and all? It has no snapshot."));
    let both = stderr(&world.run("rm dev new").code(6));
    assert!(
        both.contains(&format!("dev: its snapshot {reference} (")) && both.contains("; new: it has no snapshot."),
        "{both}"
    );
    world.run("rm new -y").success().stdout("deleted new; it has no snapshot\n");
    let newest = stdout(&world.run("-q freeze dev -y").success()).trim().to_owned();
    let run = world.run("rm dev -y").success();
    run.stdout(format!("deleted dev; its 2 snapshots stay, the newest is {newest}\n"));
}

#[test]
fn a_thaw_says_which_snapshot_it_took() {
    let (world, reference) = world();
    world.run("thaw ready new").success().stdout(contains(format!("thawed {reference} as new; ")));
    world.run("freeze dev -y -o kept.smolmachine").success();
    world.run("thaw kept.smolmachine").success().stdout(contains("kept.smolmachine as kept; "));
}

#[test]
fn the_question_says_how_the_vm_is_left() {
    let (world, _) = world();
    let stays = "'dev' is running. Stop it and freeze it? It stays stopped (--restart starts it again).";
    world.run("freeze dev").code(6).stderr(contains(stays));
    world.run("freeze dev --restart").code(6).stderr(contains("freeze it? It starts again after that."));
    world.run("create two").success();
    world.run("start two").success();
    world.run("freeze --all").code(6).stderr(contains("freeze them? They stay stopped (--restart starts them again)."));
    // Nothing is to be stopped.
    world.run("stop --all").success();
    world.run("freeze dev").success();
}

// ------------------------------------------------------------------------------------------------------------- quiet

#[test]
fn a_success_off_a_terminal_is_one_line_for_each_vm() {
    let (world, reference) = world();
    for line in [
        "freeze dev -y",
        "start dev",
        "stop dev",
        "start dev",
        &format!("thaw {reference} new"),
        "create third",
        "start third",
        "stop third",
        "freeze third",
        "snapshot export third -o x.tar",
        "snapshot import x.tar --as other",
    ] {
        let run = world.run(line).success();
        assert_eq!((stderr(&run).as_str(), stdout(&run).lines().count()), ("", 1), "{line}: {}", stdout(&run));
    }
    for option in ["--verbose", "--progress=plain"] {
        world
            .run(&format!("freeze dev -y {option}"))
            .success()
            .stderr(contains("\nwriting the snapshot of dev to disk\n"));
        world.run(&format!("thaw dev x {option}")).success().stderr(contains("creating x\n"));
        world.run("rm x -y").success();
    }
    world.run("freeze dev -q --progress=plain").code(2);
}

#[test]
fn plain_progress_draws_nothing_on_a_terminal() {
    let (world, _) = world();
    let mut session = Session::start(world.line("--progress=plain freeze dev -y"));
    assert_eq!(session.wait(), Some(0));
    let screen = session.all_printed();
    assert!(screen.contains("stopping dev\r\n") && !screen.contains("\u{1b}["), "{screen:?}");
}
