//! Which snapshot another one descends from: recorded by a freeze, drawn by `snapshot ls --tree`.

use crate::support::{World, stdout};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Freezes the VM. The reference, and its parent.
fn freeze(world: &World, vm: &str) -> (String, Value) {
    let text = stdout(&world.run(&format!("freeze {vm} --json")).success());
    let report: Value = serde_json::from_str(&text).unwrap();
    (report["reference"].as_str().unwrap().to_owned(), report["snapshot"]["parent"].clone())
}

/// Gives a VM that was never started its disk.
fn stop(world: &World, vm: &str) {
    for disk in ["root", "workspace"] {
        fs::create_dir_all(world.path(&format!("fake/vms/{vm}/disk/{disk}"))).unwrap();
    }
    world.edit(vm, "state", json!("stopped"));
}

/// The table without its first and last line, and without what follows the names.
fn tree(world: &World, flags: &str) -> Vec<String> {
    let table = stdout(&world.run(format!("snapshot ls --tree {flags}").trim_end()).success());
    let rows: Vec<&str> = table.lines().collect();
    let is_wide = |at: usize| rows[0].split_at(at).1.starts_with("TAGS");
    let width = (0..rows[0].len()).find(|at| is_wide(*at)).unwrap();
    let cut = |row: &&str| row.chars().take(width).collect::<String>().trim_end().to_owned();
    rows[1..rows.len() - 1].iter().map(cut).collect()
}

fn record(world: &World, vm: &str, id: &str) -> PathBuf {
    world.path(&format!("home/library/snapshots/{vm}/{id}/snapshot.json"))
}

#[test]
fn a_snapshot_names_the_last_one_of_its_vm_or_the_one_it_was_made_from() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let (first, none) = freeze(&world, "dev");
    let (second, parent) = freeze(&world, "dev");
    assert_eq!((none, parent), (Value::Null, json!(first)));
    world.run(&format!("thaw {first} other --no-start")).success();
    world.run(&format!("create third --from {second}")).success();
    for vm in ["other", "third"] {
        stop(&world, vm);
    }
    let (third, parent) = freeze(&world, "other");
    assert_eq!(parent, json!(first));
    assert_eq!(freeze(&world, "other").1, json!(third));
    assert_eq!(freeze(&world, "third").1, json!(second));
}

#[test]
fn a_rollback_begins_a_branch() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let (first, _) = freeze(&world, "dev");
    let (second, _) = freeze(&world, "dev");
    world.run(&format!("rollback {first} --yes --no-start")).success();
    stop(&world, "dev");
    let (last, parent) = freeze(&world, "dev");
    assert_eq!(parent, json!(first));
    let kept = stdout(&world.run("snapshot ls -q").success()).lines().nth(2).unwrap().to_owned();
    let mut command = world.line("snapshot ls --tree");
    command.env("LC_ALL", "C.UTF-8");
    let drawn = stdout(&crate::support::finish(command).success());
    for line in [format!("├─ {second}"), format!("│  ↳ {kept}"), format!("└─ {last}")] {
        assert!(drawn.contains(&line), "{drawn}");
    }
    assert_eq!(tree(&world, ""), [first.clone(), format!("|- {second}"), format!("|  > {kept}"), format!("`- {last}")]);
    assert_eq!(
        stdout(&world.run("snapshot ls --tree -q").success()).lines().collect::<Vec<_>>(),
        [&*first, &*second, &*kept, &*last]
    );
    world.run(&format!("snapshot rm {first} --yes")).success();
    let gone = format!("(from {first}, which is gone)");
    assert_eq!(tree(&world, "dev"), [format!("{second} {gone}"), format!("> {kept}"), format!("{last} {gone}")]);
}

#[test]
fn a_parent_of_another_vm_is_named_where_it_is_not_shown() {
    let world = World::new();
    world.vm("dev").stopped();
    let (first, _) = freeze(&world, "dev");
    world.run(&format!("thaw {first} other --no-start")).success();
    stop(&world, "other");
    let (second, _) = freeze(&world, "other");
    assert_eq!(tree(&world, "other"), [format!("{second} (from {first})")]);
    assert_eq!(tree(&world, ""), [first, format!("> {second}")]);
}

#[test]
fn an_imported_snapshot_keeps_a_parent_that_can_be_one() {
    for (claimed, kept) in [
        (json!("old@1a2b3c4d"), json!("old@1a2b3c4d")),
        (json!("../x@1a2b3c4d"), Value::Null),
        (json!("old@\u{1b}[2J"), Value::Null),
        (json!("old"), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let world = World::new();
        world.vm("dev").stopped();
        let (first, _) = freeze(&world, "dev");
        let path = record(&world, "dev", first.split('@').next_back().unwrap());
        let mut metadata: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        metadata["parent"] = claimed;
        fs::write(&path, metadata.to_string()).unwrap();
        world.run("snapshot export dev -o dev.tar").success();
        world.run("snapshot import dev.tar --as new").success();
        let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show new --json").success())).unwrap();
        assert_eq!(shown["parent"], kept);
    }
}

#[test]
fn snapshots_that_arrive_under_another_name_descend_from_each_other() {
    let world = World::new();
    world.vm("dev").stopped();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let all = [freeze(&world, "dev").0, freeze(&world, "dev").0];
    let renamed = |vm: &str| all.clone().map(|one| one.replace("dev@", &format!("{vm}@")));
    world.run(&format!("snapshot push {} registry.test:5000/dev:1 --yes", all[1])).success();
    let there = World::new();
    for (one, file) in all.iter().zip(["first.tar", "second.tar"]) {
        world.run(&format!("snapshot export {one} -o {file}")).success();
        let file = world.path("work").join(file);
        there.run(&format!("snapshot import {} --as new", file.display())).success();
    }
    let [first, second] = renamed("new");
    assert_eq!(tree(&there, ""), [first, format!("> {second}")]);
    // A parent that the library has only under its old name is still found.
    world.run("snapshot pull registry.test:5000/dev:1 --as other").success();
    assert_eq!(tree(&world, "other"), [format!("{} (from {})", renamed("other")[1], all[0])]);
    world.run(&format!("snapshot rm {} --yes", all[0])).success();
    world.run("snapshot pull registry.test:5000/dev:1 --as third").success();
    let [first, second] = renamed("third");
    assert_eq!(tree(&world, "third"), [format!("{second} (from {first}, which is gone)")]);
}

#[test]
fn a_circle_is_shown_too() {
    let world = World::new();
    world.vm("dev").stopped();
    let all = [freeze(&world, "dev").0, freeze(&world, "dev").0];
    for (one, other) in [(&all[0], &all[1]), (&all[1], &all[0])] {
        let path = record(&world, "dev", one.split('@').next_back().unwrap());
        let mut metadata: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        metadata["parent"] = json!(other);
        fs::write(&path, metadata.to_string()).unwrap();
    }
    assert_eq!(tree(&world, ""), [format!("{} (from {})", all[0], all[1]), format!("> {}", all[1])]);
}

#[test]
fn a_record_without_lineage_is_still_read() {
    let world = World::new();
    world.run("create dev -p 8080:80").success();
    let path = world.path("home/library/vms/dev.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(record["first_sequence"].is_u64() && record.get("from").is_none(), "{record}");
    record.as_object_mut().unwrap().remove("first_sequence");
    fs::write(&path, record.to_string()).unwrap();
    stop(&world, "dev");
    let (first, _) = freeze(&world, "dev");
    assert_eq!(freeze(&world, "dev").1, json!(first));
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show dev --json").success())).unwrap();
    assert_eq!(shown["machine"]["ports"], json!(["8080:80"]));
}
