//! Help for the user: examples, the likely next command, and "did you mean".

use crate::support::{World, finish, stdout};
use std::fs;
use std::path::Path;

#[test]
fn a_success_ends_with_the_likely_next_command_and_that_works() {
    let world = World::new();
    for (line, next) in [
        ("create dev", "start dev"),
        ("start dev", "exec -it dev -- sh"),
        ("pause dev", "resume dev"),
        ("resume dev", "exec -it dev -- sh"),
        ("stop dev", "start dev"),
        ("start dev", "exec -it dev -- sh"),
        ("freeze dev --yes", "start dev"),
        ("freeze dev -t ready", "thaw dev@"),
        ("start dev", "exec -it dev -- sh"),
        ("freeze dev --yes --restart", "thaw dev@"),
        ("freeze dev --live", "thaw dev@"),
        ("freeze dev --yes --restart -o 'my dev.smolmachine'", "thaw '/"),
        ("snapshot tag dev@ready again", "thaw dev@again"),
        ("thaw dev@ready tuesday", "exec -it tuesday -- sh"),
        ("thaw dev@ready wednesday --no-start", "start wednesday"),
        ("snapshot export dev@ready -o 'my dev.tar'", "snapshot import 'my dev.tar'"),
        ("snapshot import 'my dev.tar' --as other", "thaw other@"),
        ("pack alpine -o alpine.smolmachine", "create NAME --from /"),
    ] {
        let said = stdout(&world.run(line).success());
        let next_line = said.trim_end().rsplit_once(": bottle-freeze ").unwrap_or_else(|| panic!("{line}: {said}")).1;
        assert!(next_line.starts_with(next), "{line}: {said}");
        world.run(&format!("{next_line} --help").replace("-- sh --help", "--help")).success();
    }
}

/// What a command prints at 80 columns.
fn help(world: &World, line: &str) -> String {
    let mut command = world.line(line);
    command.env("COLUMNS", "80");
    stdout(&finish(command).success())
}

/// The words of each command: `freeze`, `snapshot ls`.
fn all_commands() -> Vec<String> {
    fn below(command: &clap::Command, words: &str, all: &mut Vec<String>) {
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let words = format!("{words} {}", command.get_name());
            below(command, &words, all);
            all.push(words.trim().to_owned());
        }
    }
    let (mut top, mut all) = (bottle_freeze::command(), vec![String::new()]);
    top.build();
    below(&top, "", &mut all);
    all
}

#[test]
fn the_short_help_of_every_command_fits_a_screen() {
    let world = World::new();
    for command in all_commands() {
        let short = help(&world, &format!("{command} -h"));
        let widest = short.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(short.lines().count() < 24 && widest <= 80, "{command}: {} lines\n{short}", short.lines().count());
        assert!(short.contains("with --help all commands and options, and examples"), "{command}: {short}");
        let long = help(&world, &format!("{command} --help"));
        assert!(long.contains("Examples:") && !short.contains("Examples:"), "{command}: {long}");
    }
}

#[test]
fn the_program_lists_its_commands_in_groups() {
    let world = World::new();
    for line in ["--help", "help", "-h"] {
        let help = help(&world, line);
        let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("{line}: {text} is not in {help}"));
        let places =
            ["\nVMs:\n", "  start ", "\nSnapshots:\n", "  freeze ", "\nSet-up:\n", "  doctor ", "\nGlobal options:\n"];
        assert!(places.windows(2).all(|two| at(two[0]) < at(two[1])), "{line}: {help}");
        assert!(!help.contains("Commands:"), "{line}: {help}");
    }
    let (long, short) = (help(&world, "--help"), help(&world, "-h"));
    for command in all_commands().iter().filter(|command| !command.is_empty() && !command.contains(' ')) {
        assert_eq!(long.matches(&format!("\n  {command} ")).count(), 1, "{command}: {long}");
        let (groups, _) = short.split_once("\nGlobal options:").unwrap();
        let names = groups.lines().filter(|line| line.starts_with("  ")).flat_map(|line| {
            let is_list = line.split_whitespace().next().is_some_and(|word| word.ends_with(','));
            line.trim().split(if is_list { ", " } else { " " }).take(if is_list { usize::MAX } else { 1 })
        });
        assert_eq!(names.filter(|name| name == command).count(), 1, "{command}: {short}");
    }
}

#[test]
fn a_command_lists_its_own_options_first_and_in_groups() {
    let world = World::new();
    let freeze = help(&world, "freeze --help");
    let headings: Vec<&str> = freeze.lines().filter(|line| line.ends_with(':') && !line.starts_with(' ')).collect();
    let groups = [
        "Arguments:",
        "What is frozen:",
        "Where to:",
        "While it runs:",
        "Hooks:",
        "What is kept:",
        "Global options:",
        "Examples:",
    ];
    assert_eq!(headings, groups, "{freeze}");
    for command in all_commands() {
        let help = help(&world, &format!("{command} --help"));
        let global = help.find("\nGlobal options:\n").unwrap();
        for option in ["  -q, --quiet", "      --json", "  -h, --help"] {
            assert!(help.find(&format!("\n{option}")).unwrap() > global, "{command} {option}: {help}");
        }
    }
}

#[test]
fn every_help_has_examples_that_are_understood() {
    let mut top = bottle_freeze::command();
    top.build();
    let mut commands = vec![&top];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().filter(|command| command.get_name() != "help"));
        let name = command.get_display_name().unwrap_or("bottle-freeze");
        let path = name.trim_start_matches("bottle-freeze").trim_start_matches('-').replace('-', " ");
        let help = command.get_after_long_help().unwrap_or_default().to_string();
        let Some(examples) = help.strip_prefix("Examples:\n") else { panic!("{name} has no examples: {help}") };
        for line in examples.lines() {
            assert!(line.starts_with("  ") && line.chars().count() <= 80, "{name}: {line}");
            let (_, words) = line.split_once("bottle-freeze ").unwrap();
            let words = words.split([')', '|']).next().unwrap();
            let words = shlex::split(&format!("bottle-freeze {words}")).unwrap();
            assert!(bottle_freeze::command().try_get_matches_from(&words).is_ok(), "{name}: {line}");
            assert!(words[1..].join(" ").starts_with(&path), "{name}: {line}");
        }
    }
}

#[test]
fn the_arguments_contradict_nothing() {
    bottle_freeze::command().debug_assert();
}

#[test]
fn every_command_line_in_the_documents_is_understood() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let workflow = read("examples/github-actions.yml").replace("$SNAPSHOT", "ghcr.io/team/dev:ready");
    let page = read("man/bottle-freeze-json.7").replace("\\-", "-");
    let readme = [read("README.md"), read("docs/manual.md")].concat();
    let code = readme.split("```").skip(1).step_by(2).collect::<Vec<_>>().join("\n");
    let [workflow, page, code] = [&workflow, &page, &code].map(|text| typed(text));
    let counts = [&workflow, &page, &code].map(Vec::len);
    assert!(counts.iter().zip([8, 5, 20]).all(|(count, least)| *count >= least), "{counts:?}");
    for line in [workflow, page, code].concat() {
        let words = shlex::split(&line).expect(&line);
        let is_ours = |word: &String| !["|", "||", "&&", ">", "<", "2>>", "2>&1"].contains(&word.as_str());
        // The last one may end a `$(…)`.
        let words = words.iter().map(|word| word.trim_end_matches(')').to_owned()).take_while(is_ours);
        if let Err(error) = bottle_freeze::command().try_get_matches_from(words) {
            assert!(!error.use_stderr(), "{line}: {error}");
        }
    }
}

/// The lines of a shell that call this program.
fn typed(text: &str) -> Vec<String> {
    let begins = |line: &str| line.starts_with("bottle-freeze ") || line.starts_with("$ bottle-freeze ");
    let lines = text.lines().map(str::trim_start).filter_map(|line| {
        let substituted = line.split_once("$(bottle-freeze ").and_then(|(_, rest)| rest.split(')').next());
        let substituted = substituted.map(|rest| format!("bottle-freeze {rest}"));
        substituted.or_else(|| begins(line).then(|| line.trim_start_matches("$ ").to_owned()))
    });
    lines.collect()
}
