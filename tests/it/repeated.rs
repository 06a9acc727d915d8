//! A repeatable option that is given twice with the same value counts once, in every command.

use crate::support::{World, names_in, stderr, stdout};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A command with each of its repeatable options at the place of the %, and the command after which it runs again.
const OPTIONS: [(&str, &str, &str); 42] = [
    ("create new %", "--allow-cidr 10.0.0.0/8", "rm new --yes"),
    ("create new %", "--volume /tmp:/mnt", "rm new --yes"),
    ("create new %", "--port 8080:80", "rm new --yes"),
    ("create new %", "--label a=b", "rm new --yes"),
    ("create new %", "--env A=b", "rm new --yes"),
    ("create new %", "--env-file env", "rm new --yes"),
    ("exec % up -- true", "--env A=b", ""),
    ("exec % up -- true", "--env-file env", ""),
    ("freeze % --yes --quiet", "--vm-label team=down", ""),
    ("freeze dev --force --quiet %", "--tag new", ""),
    ("freeze dev --quiet %", "--label a=b", ""),
    ("freeze dev --keep-last 99 --quiet %", "--keep-tag ready", ""),
    ("pause %", "--label team=up", "resume up"),
    ("resume %", "--label team=up", ""),
    ("stop %", "--label team=up", "start up"),
    ("start %", "--label team=down", "stop dev"),
    ("rm % --yes", "--label team=gone", "create gone --label team=gone"),
    ("thaw dev@ready new %", "--allow-cidr 10.0.0.0/8", "rm new --yes"),
    ("thaw dev@ready new %", "--volume /tmp:/mnt", "rm new --yes"),
    ("thaw dev@ready new %", "--port 8080:80", "rm new --yes"),
    ("thaw dev@ready new %", "--port auto", "rm new --yes"),
    ("thaw dev@ready new %", "--label a=b", "rm new --yes"),
    ("thaw dev@ready new %", "--env A=b", "rm new --yes"),
    ("thaw dev@ready new %", "--env-file env", "rm new --yes"),
    ("schedule dev --every 1d %", "--keep-tag ready", "schedule dev --remove"),
    ("snapshot tag dev@ready %", "--remove other", "snapshot tag dev@ready other"),
    ("snapshot prune --dry-run --keep-last 99 --quiet %", "--label a=nothing", ""),
    ("snapshot prune --dry-run --keep-last 99 --quiet %", "--tag ready", ""),
    ("snapshot prune --dry-run --keep-last 99 --quiet %", "--keep-tag ready", ""),
    ("snapshot export dev@ready -o new.tar --force %", "--recipient KEY", ""),
    ("snapshot export dev@ready -o new.tar --force %", "--recipients-file keys", ""),
    ("snapshot export dev@ready -o new.tar --force %", "--recipient KEY --recipients-file keys", ""),
    ("snapshot export image@ready -o new.tar --force %", "--scrub history", ""),
    ("snapshot push image@ready registry.test:5000/x:y --yes %", "--scrub history", ""),
    ("snapshot import dev.tar --as new %", "--identity IDENTITY", "snapshot rm new --yes"),
    ("rollback dev@ready --yes --quiet %", "--allow-cidr 10.0.0.0/8", "rollback dev@ready --yes --quiet --no-start"),
    ("rollback dev@ready --yes --quiet %", "--volume /tmp:/mnt", "rollback dev@ready --yes --quiet --no-start"),
    ("rollback dev@ready --yes --quiet %", "--port 8080:80", "rollback dev@ready --yes --quiet --no-start"),
    ("rollback dev@ready --yes --quiet %", "--port auto", "rollback dev@ready --yes --quiet --no-start"),
    // Once is enough for what a hook does, but its author may want it twice.
    ("freeze", "--pre-freeze", ""),
    ("freeze", "--post-freeze", ""),
    // It takes the place of the same variable before it.
    ("thaw dev@ready new %", "--env A=c --env A=b", "rm new --yes"),
];

/// A file in `tests/corpus/keys`.
fn key(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/keys").join(name).display().to_string()
}

fn world() -> World {
    let world = World::new();
    world.vm("dev").with("--label team=down").stopped();
    world.vm("image").with("--image alpine:3.20").stopped();
    world.vm("gone").with("--label team=gone").stopped();
    world.vm("up").with("--label team=up").running();
    world.run("freeze dev -t ready -t other").success();
    world.run("freeze image -t ready").success();
    world.run("snapshot export dev@ready -o dev.tar").success();
    world.write("env", "B=c\n");
    fs::copy(key("native.pub"), world.path("work/keys")).unwrap();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    world
}

/// What a command printed, and how it had the engine make a VM: without ids, private names and numbers, which differ
/// between any two runs.
fn shape(world: &World, line: &str) -> String {
    world.forget_calls();
    let run = world.run(line).success();
    let is_made = |call: &&Vec<String>| call.starts_with(&["machine".into(), "create".into()]);
    let made: Vec<String> = world.calls().iter().filter(is_made).map(|call| call.join(" ")).collect();
    let text = format!("{}{}{}", stdout(&run), stderr(&run), made.join("\n"));
    let text = without(&without(&text, "@", 8), ".bottle-freeze-", 6);
    text.split(|letter: char| letter.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}

/// The text without the hexadecimal digits of such a length that follow `before`.
fn without(text: &str, before: &str, length: usize) -> String {
    let mut parts = text.split(before);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let id = part.get(..length).filter(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        all + before + id.map_or(part, |_| &part[length..])
    })
}

#[test]
fn an_option_given_twice_counts_once_in_every_command() {
    let world = world();
    let public = fs::read_to_string(key("native.pub")).unwrap();
    for (line, option, again) in OPTIONS.into_iter().filter(|(line, ..)| line.contains('%')) {
        let option = option.replace("KEY", public.trim()).replace("IDENTITY", &key("native"));
        let [once, twice] = [option.clone(), format!("{option} {option}")].map(|options| {
            let shape = shape(&world, &line.replace('%', &options));
            if !again.is_empty() {
                world.run(again).success();
            }
            shape
        });
        assert_eq!(once, twice, "{line} {option}");
    }
}

#[test]
fn one_recipient_by_a_word_and_in_a_file_is_one() {
    let world = world();
    let public = fs::read_to_string(key("native.pub")).unwrap();
    let line = format!("snapshot export dev@ready -o new.tar -r {} -R keys", public.trim());
    assert!(stdout(&world.run(&line).success()).contains("encrypted for one recipient"));
}

#[test]
fn every_repeatable_option_is_given_twice_here() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let mut repeatable = BTreeSet::new();
    for name in names_in(&pages).into_iter().filter(|name| name.ends_with(".1")) {
        let command = name.trim_start_matches("bottle-freeze-").trim_end_matches(".1").to_owned();
        let page = fs::read_to_string(pages.join(&name)).unwrap().replace("\\-", "-");
        // Each option begins a paragraph, and the line after that has its names.
        for option in page.split("\n.TP\n").skip(1).filter(|option| option.contains("repeatable")) {
            let names = option.lines().next().unwrap();
            let long = names.split("--").nth(1).unwrap();
            let long: String =
                long.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '-').collect();
            repeatable.insert((command.clone(), format!("--{long}")));
        }
    }
    assert!(repeatable.len() > 30, "{repeatable:?}");
    repeatable.retain(|(command, long)| {
        let is_of = |line: &str| line.replace(' ', "-").starts_with(command);
        !OPTIONS.iter().any(|(line, option, _)| is_of(line) && option.split(' ').any(|word| word == long))
    });
    assert!(repeatable.is_empty(), "add them to this file: {repeatable:?}");
}
