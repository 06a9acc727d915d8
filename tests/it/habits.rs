//! What people write who know docker, podman, restic, gh or multipass: it works, or the error says what does.

use crate::support::{World, stderr, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::json;

/// The tips of a command line that is refused.
fn tips(world: &World, line: &str) -> Vec<String> {
    let said = stderr(&world.run(line).code(2));
    said.lines().filter_map(|line| Some(line.trim_start().strip_prefix("tip: ")?.to_owned())).collect()
}

// --------------------------------------------------------------------------------------------------------- commands

#[test]
fn a_word_of_another_program_is_answered_with_the_command_that_does_it() {
    let world = World::new();
    for (line, command) in [
        ("restore dev", "thaw"),
        ("delete dev", "rm"),
        ("remove dev", "rm"),
        ("snapshots", "snapshot ls"),
        ("images", "snapshot ls"),
        ("prune --keep-last 3", "snapshot prune"),
        ("push dev reg/dev", "snapshot push"),
        ("pull reg/dev", "snapshot pull"),
        ("tag dev ready", "snapshot tag"),
        ("export dev", "snapshot export"),
        ("import dev.tar", "snapshot import"),
        ("import dev.smolmachine", "thaw"),
        ("inspect dev", "snapshot show"),
        ("show dev", "snapshot show"),
        ("info dev", "ls"),
        ("status", "ls"),
        ("get vms", "ls"),
        ("history dev", "snapshot ls --tree"),
        ("stats", "snapshot ls"),
        ("rmi dev@a", "snapshot rm"),
        ("version", "--version"),
        ("restart dev", "stop VM && bottle-freeze start VM"),
        ("reboot dev", "stop VM && bottle-freeze start VM"),
        ("rename dev web", "freeze VM && bottle-freeze thaw VM NEW"),
        ("mv dev web", "freeze VM && bottle-freeze thaw VM NEW"),
        ("run dev ls", "exec VM -- COMMAND"),
        ("run -it alpine:3.20 sh", "create VM --image IMAGE"),
        ("run dev@ready", "thaw"),
        ("run dev.smolmachine", "thaw"),
        ("up dev", "start"),
        ("down dev", "stop"),
        ("kill dev", "stop"),
        ("check dev@ready", "verify"),
        ("copy a dev:/a", "cp"),
        ("commit dev", "freeze"),
        ("save dev", "freeze"),
        ("backup dev", "freeze"),
        ("ps", "ls"),
        ("shell dev", "exec -it VM -- sh"),
        ("ssh dev", "exec -it VM -- sh"),
        ("-q help restore", "thaw"),
        ("--home x restore dev", "thaw"),
        ("snapshot delete dev@a", "snapshot rm"),
        ("snapshot remove dev@a", "snapshot rm"),
        ("snapshot create dev", "freeze"),
        ("snapshot restore dev@a", "thaw"),
        ("snapshot inspect dev@a", "snapshot show"),
        ("snapshot rename dev@a b", "snapshot tag"),
        ("snapshot history dev", "snapshot ls --tree"),
        ("engine update", "engine install"),
    ] {
        assert_eq!(tips(&world, line), [format!("use 'bottle-freeze {command}'")], "{line}");
    }
    assert_eq!(tips(&world, "logs dev"), ["use 'smolvm machine logs --name VM'"]);
    let run = world.run("--error-format=json restore dev").code(2);
    assert!(stderr(&run).contains("\"hint\":\"use 'bottle-freeze thaw'\""), "{}", stderr(&run));
}

#[test]
fn only_a_typo_is_answered_with_a_similar_command() {
    let world = World::new();
    for (line, similar) in [
        ("frezee dev", "freeze"),
        ("thwa dev", "thaw"),
        ("snapshto ls", "snapshot"),
        ("snapshot shoow", "show"),
        ("completion bash", "completions"),
    ] {
        assert_eq!(tips(&world, line), [format!("a similar subcommand exists: '{similar}'")], "{line}");
    }
    for line in ["frobnicate dev", "login", "build .", "snapshot frobnicate", "engine frob"] {
        let said = stderr(&world.run(line).code(2));
        assert!(!said.contains("tip:") && !said.contains("\n\n\n"), "{line}: {said}");
    }
}

#[test]
fn a_schedule_in_the_words_of_a_group_of_commands_is_answered_with_ours() {
    let world = World::new();
    for (line, instead) in [
        ("schedule rm dev", "dev --remove"),
        ("schedule remove dev", "dev --remove"),
        ("schedule delete dev", "dev --remove"),
        ("schedule add dev", "dev --every 1d"),
        ("schedule create dev --every 1h", "dev --every 1d"),
        ("schedule show dev", "dev"),
        ("schedule ls dev", "dev"),
        ("schedule dev 1d", "dev --every 1d"),
        ("schedule dev daily", "dev --every 1d"),
    ] {
        assert_eq!(tips(&world, line), [format!("use 'bottle-freeze schedule {instead}'")], "{line}");
    }
    for word in ["ls", "list", "show", "status"] {
        world.run(&format!("schedule {word}")).code(4).stderr(contains("`bottle-freeze schedule` lists all"));
    }
    world.run("schedule dev").code(4).stderr(contains("make one with `bottle-freeze schedule dev --every 1d`"));
}

// ---------------------------------------------------------------------------------------------------------- options

#[test]
fn an_unknown_option_is_never_said_to_be_a_value() {
    let world = World::new();
    for (line, similar) in [
        ("freeze dev --message hello", Some("--note")),
        ("freeze dev --mesage hello", None),
        ("freeze dev --tags a", Some("--tag")),
        ("freeze dev --file x", Some("--output")),
        ("thaw dev --memory 1G", Some("--mem")),
        ("thaw dev --publish 1:2", Some("--port")),
        ("create dev --disk=20G", Some("--storage")),
        ("rm -f dev", Some("--yes")),
        ("rm dev --force", Some("--yes")),
        ("ls --format json", Some("--json")),
        ("rollback dev -n 3", None),
        ("snapshot rm dev --frobnicate", None),
        ("cp dev@v1:/root . -x", None),
        ("exec --frobnicate dev ls", None),
    ] {
        let tips: Vec<_> = tips(&world, line).into_iter().filter(|tip| !tip.starts_with("options for")).collect();
        let expected = similar.map(|similar| format!("a similar argument exists: '{similar}'"));
        assert_eq!(tips, expected.into_iter().collect::<Vec<_>>(), "{line}");
    }
}

// ------------------------------------------------------------------------------------------------------------ values

#[test]
fn a_size_is_understood_with_its_unit() {
    let world = World::new();
    world.run("create dev --mem 1G --storage 20G --overlay 4096M").success();
    let record = world.record("dev");
    assert_eq!([&record["mem"], &record["storage"], &record["overlay"]], [&json!(1024), &json!(20), &json!(4)]);
    world.run("freeze dev").code(5);
    world.run("start dev").success();
    world.run("freeze dev -y").success();
    world.run("thaw dev dev2 --mem 2GiB").success();
    assert_eq!(world.record("dev2")["mem"], 2048);
    for line in ["create x --mem 1.5G", "create x --mem 1X", "create x --storage 1M", "create x --mem 0G"] {
        world.run(line).code(2).stderr(contains("a size is a whole number of"));
    }
}

#[test]
fn a_snapshot_a_file_or_an_image_in_place_of_a_vm_is_answered_with_where_it_belongs() {
    let world = World::new();
    for (line, tip) in [
        ("freeze dev@v1", "use '-t v1' to tag the snapshot"),
        ("freeze dev:v1", "use '-t v1' to tag the snapshot"),
        ("freeze dev out.smolmachine", "use '-o out.smolmachine' to write the snapshot to a file"),
        ("freeze dev ./out.checkpoint --live", "use '-o ./out.checkpoint' to write the snapshot to a file"),
        ("rm dev@v1", "use 'bottle-freeze snapshot rm dev@v1' for a snapshot"),
        ("start dev@v1", "use 'bottle-freeze thaw dev@v1' to make a VM of a snapshot"),
        ("start dev.smolmachine", "use 'bottle-freeze thaw dev.smolmachine' to make a VM of a snapshot"),
        ("create alpine:3.20", "use '--image alpine:3.20' after the name of the new VM"),
        ("create dev.smolmachine", "use '--from dev.smolmachine' after the name of the new VM"),
        ("snapshot ls dev@v1", "use 'bottle-freeze snapshot show dev@v1' for one snapshot"),
    ] {
        assert_eq!(tips(&world, line), [tip], "{line}");
    }
    assert_eq!(tips(&world, "freeze 'dev@$(reboot)'"), [""; 0]);
}

#[test]
fn folders_are_copied_without_an_option() {
    for option in ["-r", "-a", "--recursive"] {
        let tips = tips(&World::new(), &format!("cp {option} dev@v1:/root ."));
        assert_eq!(tips, ["folders of a snapshot are copied without an option"], "{option}");
    }
}

#[test]
fn a_command_in_a_vm_needs_no_dashes_before_it() {
    let world = World::new();
    world.vm("dev").running();
    assert_eq!(stdout(&world.run("exec dev echo a").success()), "a\n");
    assert_eq!(stdout(&world.run("exec dev -- echo a").success()), "a\n");
    assert_eq!(stdout(&world.run("exec dev sh -c 'echo $0 $1' -i --help").success()), "-i --help\n");
    assert_eq!(stdout(&world.run("exec dev echo -- b").success()), "-- b\n");
    assert_eq!(stdout(&world.run("exec dev -e A=1 sh -c 'echo $A'").success()), "1\n");
    world.run("exec dev").code(2);
    world.run("exec dev -x").code(2).stderr(contains("come after it").and(contains("use '-- -x'").not()));
}

// -------------------------------------------------------------------------------------------------------- references

#[test]
fn a_snapshot_is_found_by_its_id_or_tag_alone_and_by_latest() {
    let world = World::new();
    world.vm("dev").stopped();
    world.vm("web").stopped();
    let frozen = |line: &str| stdout(&world.run(line).success()).trim().to_owned();
    let (first, ready, newest) =
        (frozen("-q freeze dev -t both"), frozen("-q freeze dev -t ready"), frozen("-q freeze dev"));
    frozen("-q freeze web -t both");
    let id = |reference: &str| reference.split_once('@').unwrap().1.to_owned();
    let found = |name: &str| stdout(&world.run(&format!("-q verify {name}")).success()).trim().to_owned();
    for (name, reference) in [
        (id(&first), &first),
        (id(&first)[..6].to_owned(), &first),
        ("ready".into(), &ready),
        ("dev@latest".into(), &newest),
        ("dev".into(), &newest),
    ] {
        assert_eq!(found(&name), *reference, "{name}");
        world.run(&format!("thaw {name} x")).success().stdout(contains(reference));
        world.run("rm x -y").success();
    }
    world.run("thaw both").code(2).stderr(contains("'both' is ambiguous: dev@").and(contains("web@")));
    // A VM that has snapshots comes before a tag.
    world.run("snapshot tag web dev").success();
    assert_eq!(found("dev"), newest);
    for name in ["nosuch", "nosuch@latest", "0", &id(&first)[..3], "read"] {
        world.run(&format!("thaw {name}")).code(4);
    }
}

#[test]
fn a_rollback_to_a_tag_alone_is_answered_with_the_whole_name() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    world.run("rollback ready --yes").code(4).stderr(contains("did you mean dev@"));
    assert_eq!(world.state("ready"), "missing");
}

#[test]
fn a_reference_of_another_form_is_answered_with_ours() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -t ready").success();
    world.run("thaw dev:ready").code(4).stderr(contains("did you mean dev@ready?"));
    world.run("snapshot rm dev:reaady -y").code(4).stderr(contains("did you mean dev@ready?"));
    world.run("thaw nosuch:tag").code(4).stderr(contains("did you mean").not());
}

#[test]
fn a_file_of_the_other_kind_is_answered_with_its_command() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    world.run("freeze dev -o x.smolmachine").success();
    world.run("snapshot export dev -o x.tar").success();
    for line in ["thaw x.tar", "verify x.tar", "create y --from x.tar"] {
        world.run(line).code(4).stderr(contains("bottle-freeze snapshot import x.tar"));
    }
    world.run("thaw ./x.tar").code(4).stderr(contains("bottle-freeze snapshot import ./x.tar"));
    world.run("thaw x.tar.zst").code(4).stderr(contains("zstd -dc x.tar.zst | bottle-freeze snapshot import -"));
    let pull = contains("pull it first: bottle-freeze snapshot pull ghcr.io/team/dev:ready");
    for line in
        ["thaw ghcr.io/team/dev:ready", "create y --from ghcr.io/team/dev:ready", "verify ghcr.io/team/dev:ready"]
    {
        world.run(line).code(4).stderr(pull.clone());
    }
    world.run("thaw ./ghcr.io/team/dev").code(4).stderr(contains("pull").not());
    world.run("snapshot import x.smolmachine").code(10).stderr(contains("bottle-freeze thaw x.smolmachine"));
}
