//! `--pre-freeze` and `--post-freeze`: commands around a freeze, in the guest or on the host.

use crate::support::{Running, World, is_alive, stderr, stdout, wait_until};
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::json;
use std::fs;

/// Writes down the state of the VM, and the variables of the hook.
const NOTE: &str =
    r#"--post-freeze 'host:echo "after $BOTTLE_FREEZE_VM $BOTTLE_FREEZE_STATUS $BOTTLE_FREEZE_SNAPSHOT" >> log'"#;

fn running() -> World {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    world
}

#[test]
fn hooks_run_around_the_freeze_in_the_order_they_are_given() {
    let world = running();
    let pre = "--pre-freeze 'host:echo before $BOTTLE_FREEZE_VM $BOTTLE_FREEZE_STATUS >> log' --pre-freeze 'guest:echo in >> /root/log'";
    let post = "--post-freeze 'guest:echo out >> /root/log' --post-freeze 'host:sleep 0; echo last >> log'";
    let said = stdout(&world.run(&format!("freeze dev --yes --restart {pre} {NOTE} {post}")).success());
    let reference = said.split_whitespace().find(|word| word.starts_with("dev@")).unwrap().to_owned();
    assert_eq!(world.read("log"), format!("before dev\nafter dev 0 {reference}\nlast\n"));
    assert_eq!(world.read_guest("dev", "root/log").unwrap(), "in\nout\n");
    assert_eq!(
        world.commands()[..6],
        ["machine ls", "machine data-dir", "machine exec", "machine exec", "machine exec", "machine stop"]
    );
    // What the guest did before is in the snapshot, what it did afterwards is not.
    world.run("thaw dev dev2").success();
    assert_eq!(world.read_guest("dev2", "root/log").unwrap(), "in\n");
}

#[test]
fn a_hook_on_the_host_gets_the_library_that_an_option_names() {
    let world = running();
    let note = r#"--post-freeze 'host:cd /; echo "$BOTTLE_FREEZE_HOME" >> "$OLDPWD/log"'"#;
    world.run(&format!("freeze dev --yes --home keep {note}")).success();
    assert_eq!(fs::canonicalize(world.read("log").trim()).unwrap(), fs::canonicalize(world.path("work/keep")).unwrap());
}

#[test]
fn a_hook_gets_the_path_of_the_output() {
    let world = running();
    world.run(&format!("freeze dev --yes -o 'my x.smolmachine' {NOTE}")).success();
    assert_eq!(world.read("log"), format!("after dev 0 {}\n", world.path("work/my x.smolmachine").display()));
}

#[test]
fn a_hook_that_fails_before_the_freeze_ends_it_with_nothing_changed() {
    for (hook, why) in [
        ("host:echo reason >&2; exit 3", "reason"),
        ("guest:echo reason >&2; exit 3", "reason"),
        ("host:kill -9 $$", "SIGKILL"),
        ("host:no-such-command", "no-such-command"),
    ] {
        let world = running();
        let line = format!(
            "freeze dev --yes -o x.smolmachine --pre-freeze '{hook}' --pre-freeze 'host:echo no >> log' {NOTE}"
        );
        let said = stderr(&world.run(&line).code(14));
        assert!(said.contains("a --pre-freeze command of 'dev' failed") && said.contains(why), "{said}");
        assert!(said.contains("'dev' is running as before") && said.contains("is as it was"), "{said}");
        assert_eq!(world.state("dev"), "running");
        assert!(!world.commands().contains(&"machine stop".to_owned()));
        assert_eq!(world.read("log"), "after dev 14 \n");
        world.assert_clean(&["log"]);
    }
}

#[test]
fn a_hook_that_fails_after_the_freeze_has_its_own_status() {
    let world = running();
    let said = stderr(&world.run(&format!("freeze dev --yes --post-freeze 'host:exit 3' {NOTE}")).code(15));
    assert!(said.contains("a --post-freeze command of 'dev' failed") && said.contains("is whole"), "{said}");
    assert!(world.read("log").starts_with("after dev 0 dev@"), "the next hook runs anyway");
    world.run("snapshot verify dev").success();
}

#[test]
fn hooks_run_after_a_failed_freeze_and_their_failure_is_a_warning() {
    let world = running();
    world.fault(json!({"on": "pack create", "at": "half", "do": {"fail": {"status": 1, "stderr": "Error: no pack"}}}));
    let guest = "--post-freeze 'guest:echo out > /root/log'";
    let said = stderr(&world.run(&format!("freeze dev --yes {NOTE} --post-freeze 'host:exit 3' {guest}")).code(1));
    assert!(said.contains("no pack") && said.contains("warning: a --post-freeze command"), "{said}");
    assert_eq!(world.read("log"), "after dev 1 \n");
    assert_eq!(world.read_guest("dev", "root/log").unwrap(), "out\n", "the VM is running again by then");
}

#[test]
fn hooks_get_the_status_of_a_failed_restart() {
    let world = running();
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: no start"}}}));
    let said = stderr(&world.run(&format!("freeze dev --yes --restart {NOTE} --post-freeze guest:true")).code(12));
    assert!(world.read("log").starts_with("after dev 12 dev@"), "{said}");
    assert!(said.contains("'dev' is stopped, so this --post-freeze command is not run in it: true"), "{said}");
}

#[test]
fn a_hook_for_a_guest_that_does_not_run_is_skipped_with_a_warning() {
    let world = World::new();
    world.vm("dev").stopped();
    world.warm();
    let said = stderr(&world.run("freeze dev --pre-freeze guest:false --post-freeze guest:false").success());
    assert!(said.contains("'dev' is stopped, so this --pre-freeze command is not run in it: false"), "{said}");
    assert!(said.contains("so this --post-freeze command is not run in it: false"), "{said}");
    assert!(!world.commands().contains(&"machine exec".to_owned()));
}

#[test]
fn no_hook_runs_when_the_freeze_was_refused_or_not_confirmed() {
    let world = running();
    let hooks = format!("--pre-freeze 'host:echo before >> log' {NOTE}");
    world.run(&format!("freeze dev {hooks}")).code(6);
    world.run(&format!("freeze nosuch --yes {hooks}")).code(4);
    world.run(&format!("freeze dev --yes -o /nosuch/x.smolmachine {hooks}")).code(8);
    world.run(&format!("freeze dev --yes --dry-run {hooks}")).success();
    world.assert_clean(&[]);
}

#[test]
fn a_hook_that_times_out_is_killed_with_all_its_processes() {
    let deaf = "trap \"\" TERM; sleep 600 & echo $! > child; wait";
    let deaf_child = "sh -c \"trap \\\"\\\" TERM; echo \\$\\$ > child; sleep 600\" & wait";
    let both = [deaf, deaf_child].map(|hook| {
        let world = running();
        let limit = "--hook-timeout 300ms";
        let freeze =
            world.spawn(&format!("freeze dev --yes -o x.smolmachine {limit} --pre-freeze 'host:{hook}' {NOTE}"));
        (world, freeze)
    });
    for (world, freeze) in both {
        let said = stderr(&freeze.wait().code(14));
        assert!(said.contains("did not end within 300ms") && said.contains("--hook-timeout"), "{said}");
        let child: i32 = world.read("child").trim().parse().unwrap();
        wait_until("its children have ended", || !is_alive(child));
        assert_eq!((world.state("dev").as_str(), world.read("log").as_str()), ("running", "after dev 14 \n"));
    }
}

#[test]
fn a_guest_hook_that_times_out_is_killed_too() {
    let world = running();
    let said = stderr(&world.run("freeze dev --yes --hook-timeout 300ms --pre-freeze 'guest:sleep 600'").code(14));
    assert!(said.contains("did not end within 300ms"), "{said}");
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn an_interrupt_ends_a_hook_and_post_freeze_hooks_still_run() {
    for place in ["host", "guest"] {
        let world = running();
        let file = world.path("work/began").display().to_string();
        let hook = format!("--pre-freeze '{place}:echo > {file}; sleep 600'");
        let freeze = world.spawn(&format!("freeze dev --yes -o x.smolmachine {hook} {NOTE}"));
        interrupt_at(&world, &freeze, "began");
        let ended = freeze.wait().code(130);
        assert!(stderr(&ended).contains("'dev' is running as before"), "{}", stderr(&ended));
        assert_eq!(world.read("log"), "after dev 130 \n");
        assert_eq!(world.state("dev"), "running");
        world.assert_clean(&["began", "log"]);
    }
}

#[test]
fn an_interrupt_during_or_after_the_freeze_skips_no_hook() {
    let world = running();
    world.fault(json!({"on": "pack create", "at": "half", "do": "hang"}));
    let freeze = world.spawn(&format!("freeze dev --yes {NOTE}"));
    wait_until("it packs", || world.commands().contains(&"pack create".to_owned()));
    freeze.signal(Signal::TERM);
    freeze.wait().code(143);
    assert_eq!(world.read("log"), "after dev 143 \n");

    let world = running();
    let freeze = world.spawn(&format!("freeze dev --yes --post-freeze 'host:echo > began; sleep 600' {NOTE}"));
    interrupt_at(&world, &freeze, "began");
    let ended = freeze.wait().code(130);
    assert!(stderr(&ended).contains("is whole"), "{}", stderr(&ended));
    assert!(world.read("log").starts_with("after dev 0 dev@"), "{}", stderr(&ended));
}

#[test]
fn a_vm_whose_turn_never_came_has_no_hooks() {
    let world = running();
    world.vm("later").running();
    let hook = "--pre-freeze 'host:echo > began; sleep 600'";
    let freeze = world.spawn(&format!("freeze dev later --yes -j 1 {hook} {NOTE}"));
    interrupt_at(&world, &freeze, "began");
    freeze.wait().code(130);
    assert_eq!(world.read("log"), "after dev 130 \n");
    assert_eq!((world.state("dev").as_str(), world.state("later").as_str()), ("running", "running"));
}

#[test]
fn a_second_interrupt_reports_that_the_hooks_did_not_run() {
    let world = running();
    let log = world.path("log");
    let hook = "--pre-freeze 'host:trap \"\" TERM; echo > began; sleep 600'";
    let mut freeze = world.line(&format!("freeze dev --yes {hook} --post-freeze host:true"));
    let mut freeze = freeze.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let pid = i32::try_from(freeze.id()).unwrap();
    let interrupt = || crate::support::signal(pid, Signal::INT);
    let said = || fs::read_to_string(&log).unwrap();
    wait_until("the hook runs", || fs::exists(world.path("work/began")).unwrap());
    interrupt();
    wait_until("the first one is handled", || said().contains("cleaning up"));
    // Within a second, it counts as the same one.
    wait_until("a later one ends it", || {
        interrupt();
        !crate::support::is_alive(pid)
    });
    assert_eq!(freeze.wait().unwrap().code(), Some(130));
    assert!(said().contains("--post-freeze was not run to its end for 'dev'"), "{}", said());
}

#[test]
fn a_live_freeze_and_each_of_several_freezes_run_hooks() {
    let world = running();
    world.vm("other").running();
    let hooks = "--pre-freeze 'guest:echo in >> /root/log' --post-freeze 'guest:echo out >> /root/log'";
    world.run(&format!("freeze dev other --live -j 2 {hooks} {NOTE}")).success();
    let log = world.read("log");
    assert!(log.contains("after dev 0 dev@") && log.contains("after other 0 other@"), "{log}");
    for vm in ["dev", "other"] {
        assert_eq!(world.read_guest(vm, "root/log").unwrap(), "in\nout\n");
    }
    // A failing hook affects only its own VM.
    let hook = r#"--pre-freeze 'host:[ "$BOTTLE_FREEZE_VM" = dev ]'"#;
    let said = stderr(&world.run(&format!("freeze dev other --yes -j 2 {hook}")).code(3));
    assert!(said.contains("1 of 2 VMs failed: other (a --pre-freeze command of 'other' failed"), "{said}");
    assert_eq!((world.state("dev").as_str(), world.state("other").as_str()), ("stopped", "running"));
}

#[test]
fn output_of_hooks_is_escaped_on_stderr_unless_quiet() {
    let world = World::new();
    // A VM made by smolvm itself causes a warning.
    world.vm("dev").made_here().running();
    let hook = r#"--pre-freeze 'host:printf "one\033[2J\n"; echo two >&2'"#;
    let run = world.run(&format!("freeze dev --yes --restart {hook}")).success();
    assert!(stderr(&run).contains("dev: one\\u{1b}[2J\n") && stderr(&run).contains("dev: two\n"), "{}", stderr(&run));
    let run = world.run(&format!("freeze dev --yes --quiet {hook}")).success();
    assert!(stdout(&run).starts_with("dev@") && stdout(&run).lines().count() == 1, "{}", stdout(&run));
    assert_eq!(stderr(&run), "");
}

#[test]
fn a_hook_reads_no_input_and_a_name_is_not_part_of_its_command() {
    let world = World::new();
    world.vm("dev").stopped();
    let hook = "--pre-freeze 'host:cat > input; env | grep ^BOTTLE_FREEZE_VM= > env'";
    crate::support::finish_with_stdin(world.line(&format!("freeze dev {hook}")), "input").success();
    assert_eq!((world.read("input").as_str(), world.read("env").as_str()), ("", "BOTTLE_FREEZE_VM=dev\n"));
}

#[test]
fn a_hook_must_say_where_it_runs() {
    let world = running();
    for hook in ["sync-db", "guest:", "host: ", "vm:true", ":true"] {
        let line = format!("freeze dev --yes --pre-freeze '{hook}'");
        world.run(&line).code(2).stderr(contains("guest:COMMAND or host:COMMAND"));
    }
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_dry_run_shows_the_hooks_where_they_would_run() {
    for version in ["0.8.0", "1.19.0", "1.32.2"] {
        for (line, state) in [
            ("freeze dev --yes --restart", "running"),
            ("freeze dev --yes", "running"),
            ("freeze dev --yes -o x.smolmachine", "running"),
            ("freeze dev", "stopped"),
            ("freeze dev --live", "running"),
        ] {
            if line.contains("--live") && version != "1.32.2" {
                continue;
            }
            let world = World::with_engine(version);
            let vm = world.vm("dev");
            if state == "running" {
                vm.running();
            } else {
                vm.stopped();
            }
            // A hook on the host is logged like the engine's calls.
            let hooks = "--pre-freeze 'guest:echo a b' --pre-freeze 'host:true 1' \
                --post-freeze 'guest:true 2' --post-freeze 'host:true 3'";
            let planned = stdout(&world.warm().run(&format!("{line} {hooks} --dry-run")).success());
            assert_eq!(world.commands(), ["machine ls"]);
            world.forget_calls();
            let printed = stderr(&world.run(&format!("{line} {hooks} --verbose")).success());
            let made: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix("+ ")).map(normalized).collect();
            assert_eq!(planned.lines().map(normalized).collect::<Vec<_>>(), made, "{version}: {line}");
        }
    }
}

// ------------------------------------------------------------------------------------------------- helpers

/// The same line for every private folder and every snapshot.
fn normalized(line: &str) -> String {
    let mut words = shlex::split(line).unwrap();
    for word in &mut words {
        if let Some(at) = word.find(".bottle-freeze-") {
            let end = word[at..].find('/').map_or(word.len(), |end| at + end);
            word.replace_range(at..end, "PRIVATE");
        } else if let Some(at) = word.find("BOTTLE_FREEZE_SNAPSHOT=dev@") {
            word.truncate(at);
        }
    }
    words.join(" ")
}

/// Interrupts the freeze when a hook has created that file.
fn interrupt_at(world: &World, freeze: &Running, file: &str) {
    let path = world.path("work").join(file);
    wait_until("the hook runs", || fs::exists(&path).unwrap());
    freeze.signal(Signal::INT);
}
