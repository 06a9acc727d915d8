//! TAB: what it offers for each argument, also in real shells, and that completing does nothing else.
//!
//! Candidates that come too late are not offered, and the machine may be busy: each test asks again until they are. A
//! shell that is not installed is reported as NOT RUN; with `CI` or `BOTTLE_FREEZE_FAULTS=long` that is a failure.

use crate::support::chaos::is_long;
use crate::support::pty::Session;
use crate::support::{World, finish, is_alive, names_in, stderr, stdout, wait_until};
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Words that a shell would execute.
const EVIL: [&str; 9] =
    ["$(touch pwned)", "`touch pwned`", "x;touch pwned", "x\ntouch pwned", "x y", "'x", "\"x", "-x", "x\u{1b}[2J"];

/// The candidates for the last word of the line, in the way fish asks for them.
fn offered(world: &World, line: &str) -> Vec<String> {
    let mut command = world.command(["--", "bottle-freeze"]);
    command.args(line.split(' ')).env("COMPLETE", "fish");
    let run = finish(command).success();
    assert_eq!(stderr(&run), "", "{line}");
    stdout(&run).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// Asks until these are offered.
fn assert_offers(world: &World, line: &str, expected: &[&str]) {
    let (began, mut all) = (Instant::now(), offered(world, line));
    while all != expected && began.elapsed() < Duration::from_secs(10) {
        all = offered(world, line);
    }
    assert_eq!(all, expected, "{line}");
}

fn running_and_stopped() -> World {
    let world = World::new();
    world.vm("dev").running();
    world.vm("web").stopped();
    world
}

/// A library with two snapshots of `dev`, the older one tagged, and one of `web`; returns their ids, newest first.
fn library() -> (World, Vec<String>) {
    let world = World::new();
    for (vm, flags) in [("dev", "-t ready -m 'all set up'"), ("web", ""), ("dev", "-t v1.0")] {
        if world.state(vm) == "missing" {
            world.vm(vm).with("--image alpine:3.20").stopped();
        }
        world.run(&format!("freeze {vm} {flags}")).success();
    }
    let listed: Vec<Value> = serde_json::from_str(&stdout(&world.run("snapshot ls --json"))).unwrap();
    let ids = listed.iter().rev().map(|one| format!("{}@{}", one["vm"].as_str().unwrap(), one["id"].as_str().unwrap()));
    let ids = ids.collect();
    world.forget_calls();
    (world, ids)
}

// ------------------------------------------------------------------------------------------------ what is offered

#[test]
fn start_offers_stopped_vms_and_stop_offers_running_ones() {
    let world = running_and_stopped();
    world.vm("new").created();
    assert_offers(&world, "start ", &["new", "web"]);
    assert_offers(&world, "start n", &["new"]);
    for line in ["stop ", "exec ", "exec -it "] {
        assert_offers(&world, line, &["dev"]);
    }
}

#[test]
fn freeze_and_rm_offer_every_vm() {
    let world = running_and_stopped();
    for line in ["freeze ", "rm ", "rm dev ", "freeze --yes "] {
        assert_offers(&world, line, &["dev", "web"]);
    }
    assert_offers(&world, "rm w", &["web"]);
}

#[test]
fn cp_offers_vms_and_files() {
    let world = running_and_stopped();
    world.write("report.html", "");
    assert_offers(&world, "cp ", &["dev:", "web:", "report.html"]);
    assert_offers(&world, "cp report.html ", &["dev:", "web:", "report.html"]);
    assert_offers(&world, "cp r", &["report.html"]);
}

#[test]
fn a_snapshot_is_offered_by_its_vm_its_tags_and_its_id() {
    let (world, ids) = library();
    let [newest, web, oldest] = &ids[..] else { panic!("{ids:?}") };
    world.write("old.smolmachine", "");
    world.write("notes.txt", "");
    let all = ["dev", "web", "dev@v1.0", "dev@ready", newest, web, oldest];
    let with_files = [&all[..], &["old.smolmachine"]].concat();
    for line in ["thaw ", "create new --from ", "thaw --replace "] {
        assert_offers(&world, line, &with_files);
    }
    assert_offers(&world, "create new --from=dev@r", &["--from=dev@ready"]);
    for command in ["show", "verify", "tag", "rm", "export"] {
        assert_offers(&world, &format!("snapshot {command} "), &all);
    }
    assert_offers(&world, "thaw dev@re", &["dev@ready"]);
    assert_offers(&world, "verify ", &with_files);
    assert_offers(&world, "snapshot push ", &with_files);
    assert_offers(&world, "verify n", &[]);
    assert_eq!(world.all_calls(), [[""; 0]; 0], "the engine was called for what the library knows");
}

#[test]
fn a_damaged_snapshot_is_offered_for_its_removal() {
    let (world, ids) = library();
    let [damaged, web, oldest] = &ids[..] else { panic!("{ids:?}") };
    let folder = world.path("home/library/snapshots").join(damaged.replace('@', "/"));
    fs::write(folder.join("snapshot.json"), "").unwrap();
    let all = ["web", "dev", "dev@ready", web, oldest];
    assert_offers(&world, "snapshot show ", &all);
    assert_offers(&world, "snapshot rm ", &[&all[..], &[damaged.as_str()]].concat());
    assert_offers(&world, &format!("snapshot rm {damaged}"), &[damaged]);
}

/// A library with one snapshot of `dev`, which has these files.
fn with_files(files: &[&str]) -> World {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    for file in files {
        world.write_guest("dev", &format!("root/{file}"), "x");
    }
    world.run("freeze dev -t ready").success();
    world.forget_calls();
    world
}

#[test]
fn files_in_a_snapshot_are_offered() {
    let world = with_files(&["srv/app/main.rs", "srv/app/main.c", "srv/apple", "root/notes"]);
    let id = format!("dev@{}", names_in(&world.path("home/library/snapshots/dev"))[0]);
    std::os::unix::fs::symlink("app", world.path("fake/vms/dev/disk/root/srv/link")).unwrap();
    world.run("freeze dev -t links").success();
    world.forget_calls();
    let before = tree(&world.path("home"));
    for (line, expected) in [
        ("snapshot cat dev@re", &["dev@ready:"][..]),
        ("snapshot cat dev@ready:/s", &["dev@ready:/srv/"]),
        ("snapshot cat dev@ready:/srv/", &["dev@ready:/srv/app/", "dev@ready:/srv/apple"]),
        ("snapshot cat dev:/srv/app/m", &["dev:/srv/app/main.c", "dev:/srv/app/main.rs"]),
        ("snapshot cat dev@links:/srv/l", &["dev@links:/srv/link/"]),
        ("snapshot cat dev@links:/srv/link/main.r", &["dev@links:/srv/link/main.rs"]),
        ("snapshot cat dev@ready:srv/apple", &["dev@ready:srv/apple"]),
        ("snapshot cat dev@ready:/nosuch/x", &[]),
        ("snapshot cat nosuch:/", &[]),
        ("snapshot files dev@ready /srv/ap", &["/srv/app/", "/srv/apple"]),
        ("snapshot files dev@ready -l root/", &["root/notes"]),
        ("snapshot files nosuch /", &[]),
        ("cp dev@re", &["dev@ready:"]),
        ("cp dev@ready:/root/", &["dev@ready:/root/notes"]),
        ("cp dev:/root/", &[]),
    ] {
        assert_offers(&world, line, expected);
    }
    assert_offers(&world, &format!("cp {id}:/root/n"), &[&format!("{id}:/root/notes")]);
    assert!(offered(&world, "snapshot cat d").contains(&"dev:".to_owned()));
    assert!(offered(&world, "snapshot files dev ").iter().all(|path| path.starts_with('/')));
    assert_eq!(tree(&world.path("home")), before, "completion wrote something");
    assert!(world.all_calls().iter().all(|argv| argv == &["machine", "ls", "--json"]), "{:?}", world.all_calls());
}

#[test]
fn hostile_files_in_a_snapshot_are_offered_only_if_they_fit_on_one_line() {
    let world = with_files(&EVIL.map(|evil| evil.replace("touch ", "touch_")).each_ref().map(String::as_str));
    let mut all = Vec::new();
    wait_until("files are offered", || {
        all = offered(&world, "snapshot cat dev:/");
        !all.is_empty()
    });
    assert!(all.contains(&"dev:/$(touch_pwned)".to_owned()) && all.contains(&"dev:/-x".to_owned()), "{all:?}");
    assert!(!all.iter().any(|one| one.contains('\u{1b}')), "{all:?}");
    assert!(offered(&world, "snapshot files dev -").iter().all(|one| one != "-x"), "a file looks like an option");
}

#[test]
fn tags_and_frozen_vms_are_offered() {
    let (world, _) = library();
    for line in ["snapshot ls --tag ", "snapshot prune --keep-tag ", "snapshot tag dev@ready ", "freeze dev -t "] {
        assert_offers(&world, line, &["ready", "v1.0"]);
    }
    for line in ["snapshot ls ", "snapshot prune ", "snapshot import x.tar --as ", "snapshot pull ghcr.io/a/b --as "] {
        assert_offers(&world, line, &["dev", "web"]);
    }
}

#[test]
fn the_library_that_the_line_names_is_looked_into() {
    let (world, _) = library();
    world.run("freeze web -t other --home keep").success();
    for line in ["--home keep thaw o", "thaw --home=keep --net o", "snapshot --home ../work/keep show o"] {
        assert_offers(&world, line, &[]);
        assert_offers(&world, &line.replace(" o", " web@o"), &["web@other"]);
    }
    fs::rename(world.path("work/keep"), world.path("home/keep")).unwrap();
    assert_offers(&world, "snapshot ls --home ~/keep --tag ", &["other"]);
    assert_offers(&world, "thaw web@o --home ~/keep", &["~/keep/"]);
    assert_offers(&world, "snapshot ls --tag ", &["ready", "v1.0"]);
}

#[test]
fn images_seen_before_are_offered() {
    let (world, _) = library();
    world.vm("db").with("--image ghcr.io/org/postgres:17").created();
    for line in ["create new --image ", "pack "] {
        assert_offers(&world, line, &["alpine:3.20", "ghcr.io/org/postgres:17"]);
    }
    world.smolvm("machine delete -f --name web");
    world.smolvm("machine delete -f --name dev");
    assert_offers(&world, "pack a", &["alpine:3.20"]);
}

#[test]
fn a_dash_offers_options_without_calling_the_engine() {
    let world = running_and_stopped();
    let all = offered(&world, "start --");
    assert!(all.contains(&"--no-wait".to_owned()) && !all.contains(&"web".to_owned()), "{all:?}");
    assert_offers(&world, "snapshot ls --sort ", &["age", "size", "vm"]);
    let all = offered(&world, "sna");
    assert_eq!(all, ["snapshot"]);
    assert_eq!(world.all_calls(), [[""; 0]; 0]);
}

#[test]
fn five_hundred_vms_are_all_offered() {
    let world = World::new();
    world.vm("dev").stopped();
    let one = world.list().remove(0);
    let many: Vec<Value> = (0..500)
        .map(|number| {
            let mut vm = one.clone();
            vm["name"] = json!(format!("vm-{number:03}"));
            vm
        })
        .collect();
    world.fault(json!({"on": "machine ls", "do": {"print": Value::Array(many).to_string()}}));
    let names: Vec<String> = (0..500).map(|number| format!("vm-{number:03}")).collect();
    assert_offers(&world, "start ", &names.iter().map(String::as_str).collect::<Vec<_>>());
}

// --------------------------------------------------------------------------------------------- and nothing else done

#[test]
fn completion_runs_one_machine_ls_and_writes_nothing() {
    let world = running_and_stopped();
    let everything = || {
        let mut all: Vec<_> = ["home", "work", "tmp"].iter().flat_map(|folder| tree(&world.path(folder))).collect();
        all.sort();
        all
    };
    let before = everything();
    for line in ["freeze ", "create x --image ", "cp ", "thaw ", "snapshot ls --tag "] {
        world.forget_calls();
        offered(&world, line);
        assert!(world.all_calls().iter().all(|argv| argv == &["machine", "ls", "--json"]), "{:?}", world.all_calls());
        assert!(world.all_calls().len() <= 1, "{line}: {:?}", world.all_calls());
        assert_eq!(everything(), before, "{line}");
    }
}

fn tree(folder: &Path) -> Vec<String> {
    let below = |name: String| {
        let path = folder.join(name);
        let mut all = if path.is_dir() { tree(&path) } else { Vec::new() };
        all.push(path.display().to_string());
        all
    };
    names_in(folder).into_iter().flat_map(below).collect()
}

#[test]
fn an_engine_that_hangs_is_killed_and_nothing_is_offered() {
    let world = running_and_stopped();
    world.fault(json!({"on": "machine ls", "do": "hang"}));
    // On a busy machine it may be killed before it logs its call.
    wait_until("the engine was called", || {
        let began = Instant::now();
        assert_eq!(offered(&world, "freeze "), [""; 0]);
        assert!(began.elapsed() < Duration::from_secs(5), "completion waited for it");
        !world.call_log().is_empty()
    });
    for call in world.call_log() {
        let pid = i32::try_from(call["pid"].as_i64().unwrap()).unwrap();
        wait_until("the engine is gone", || !is_alive(pid));
    }
}

#[test]
fn completion_is_silent_about_an_engine_that_fails_lies_or_is_missing() {
    let world = running_and_stopped();
    for fault in [
        json!({"fail": {"status": 1, "stderr": "Error: database is locked"}}),
        json!({"kill": 9}),
        json!("half_json"),
        json!({"print": "no VMs"}),
        json!({"print_bytes": 100 << 20}),
    ] {
        world.fault(json!({"on": "machine ls", "do": fault}));
        assert_eq!(offered(&world, "freeze "), [""; 0], "{fault}");
    }
    let ask = |engine: &Path| {
        let mut command = world.command(["--", "bottle-freeze", "freeze", "d"]);
        let run = finish({
            command.env("COMPLETE", "fish").env("SMOLVM", engine);
            command
        });
        assert_eq!((stdout(&run.success()), names_in(&world.path("work"))), (String::new(), Vec::new()));
    };
    ask(Path::new("/nowhere/smolvm"));
    ask(Path::new("/dev/null"));
    let python = world.path("tmp/smolvm");
    fs::write(&python, "#!/usr/bin/env python3\nopen('pwned', 'w')\n").unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    ask(&python);
}

#[test]
fn completion_is_silent_without_a_library_a_home_or_a_folder() {
    let world = World::new();
    fs::create_dir_all(world.path("home/library/snapshots/dev/00000000")).unwrap();
    fs::write(world.path("home/library/snapshots/dev/00000000/snapshot.json"), "{").unwrap();
    assert_eq!(offered(&world, "thaw d"), [""; 0]);
    let mut command = world.command(["--", "bottle-freeze", "thaw", "d"]);
    command.env("COMPLETE", "fish").env_remove("HOME").env_remove("BOTTLE_FREEZE_HOME");
    assert_eq!(stderr(&finish(command).success()), "");
    // The folder is removed while in use: neither files nor folders can be listed.
    let script = "mkdir gone && cd gone && rmdir ../gone && COMPLETE=fish exec \"$0\" -- bottle-freeze cp x";
    let line = world.line("");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).arg(line.get_program()).current_dir(world.path("work"));
    command.env_clear().envs(line.get_envs().filter_map(|(key, value)| Some((key, value?))));
    assert_eq!(stderr(&finish(command).success()), "");
}

#[test]
fn a_foreign_variable_changes_nothing() {
    let world = World::new();
    for value in ["", "0", "1", "yes", "tcsh"] {
        let mut command = world.line("ls");
        command.env("COMPLETE", value);
        finish(command).success().stdout(contains("no VMs"));
    }
}

// ---------------------------------------------------------------------------------------------------- hostile names

#[test]
fn hostile_names_of_an_engine_are_not_offered() {
    let world = running_and_stopped();
    let mut list = world.list();
    for evil in EVIL {
        let mut vm = list[0].clone();
        vm["name"] = json!(evil);
        vm["image"] = json!(evil);
        list.push(vm);
    }
    list[0]["state"] = json!("running\t\u{1b}[2J\n$(touch pwned)");
    world.fault(json!({"on": "machine ls", "do": {"print": Value::Array(list).to_string()}}));
    assert_offers(&world, "freeze ", &["dev", "web"]);
    assert_offers(&world, "cp ", &["dev:", "web:"]);
    assert_offers(&world, "create x --image x", &[]);
}

#[test]
fn hostile_names_of_a_library_are_not_offered() {
    let (world, ids) = library();
    let (vm, id) = ids[1].split_once('@').unwrap();
    let folder = world.path("home/library/snapshots").join(vm).join(id);
    let text = fs::read_to_string(folder.join("snapshot.json")).unwrap();
    for (number, evil) in EVIL.iter().filter(|evil| !evil.contains('\n')).enumerate() {
        for (vm, id) in [("evil", *evil), (*evil, "00000000")] {
            let folder = world.path("home/library/snapshots").join(vm).join(id);
            fs::create_dir_all(&folder).unwrap();
            let mut metadata: Value = serde_json::from_str(&text).unwrap();
            (metadata["vm"], metadata["id"]) = (json!(vm), json!(id));
            metadata["machine"]["image"] = json!(evil);
            fs::write(folder.join("snapshot.json"), metadata.to_string()).unwrap();
        }
        // A note may contain anything; it is shown on one line.
        let mut metadata: Value = serde_json::from_str(&text).unwrap();
        metadata["note"] = json!(format!("{number}\n{evil}\tz"));
        fs::write(folder.join("snapshot.json"), metadata.to_string()).unwrap();
        assert_offers(&world, "thaw w", &["web", &ids[1]]);
    }
    assert_offers(&world, "thaw e", &[]);
    assert_offers(&world, "pack a", &["alpine:3.20"]);
}

#[test]
fn hostile_files_are_offered_only_if_they_fit_on_one_line() {
    let world = World::new();
    for evil in EVIL {
        world.write(evil, "");
    }
    assert_offers(&world, "cp ", &["\"x", "$(touch pwned)", "'x", "`touch pwned`", "x y", "x;touch pwned"]);
    assert_offers(&world, "cp x", &["x y", "x;touch pwned"]);
    assert_offers(&world, "verify x", &[]);
    for evil in EVIL {
        fs::create_dir(world.path("home").join(evil)).unwrap();
    }
    assert_offers(&world, "ls --home ../home/x", &["../home/x y/", "../home/x;touch pwned/"]);
}

#[test]
fn powershell_gets_quotes_where_it_would_execute() {
    let world = World::new();
    world.vm("dev").running();
    world.write("x $(y) 'z\u{2019}", "");
    wait_until("it is quoted", || {
        let mut command = world.command(["--", "bottle-freeze", "cp", "x"]);
        command.env("COMPLETE", "powershell");
        let said = stdout(&finish(command).success());
        assert!(["", "'x $(y) ''z\u{2019}\u{2019}'\n"].contains(&said.as_str()), "{said}");
        !said.is_empty()
    });
}

// -------------------------------------------------------------------------------------------------- the shells

#[test]
fn the_script_for_each_shell_asks_the_program() {
    let world = World::new();
    for (shell, word) in [
        ("bash", "complete -o nospace"),
        ("zsh", "compdef _bottle_freeze bottle-freeze"),
        ("fish", "complete --keep-order"),
        ("elvish", "edit:completion:arg-completer"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = stdout(&world.run(&format!("completions {shell}")).success());
        assert!(script.contains(word) && script.contains(env!("CARGO_BIN_EXE_bottle-freeze")), "{shell}: {script}");
        let mut command = world.line("");
        command.env("COMPLETE", shell);
        assert_eq!(stdout(&finish(command).success()).trim_end(), script.trim_end(), "{shell}");
    }
}

#[test]
fn elvish_and_powershell_get_answers() {
    let world = running_and_stopped();
    let ask = |shell: &str| {
        let mut command = world.command(["--", "bottle-freeze", "start", ""]);
        command.env("COMPLETE", shell).env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_INDEX", "2");
        stdout(&finish(command).success())
    };
    wait_until("elvish gets an answer", || ask("elvish") == "web\n");
    wait_until("PowerShell gets an answer", || ask("powershell") == "web\tstopped, bare\n");
}

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// An interactive shell that has sourced its script, in which `bottle-freeze` writes down its arguments.
struct Shell<'a> {
    world: &'a World,
    name: &'static str,
    session: Session,
}

impl<'a> Shell<'a> {
    /// None if the shell is not installed.
    fn start(world: &'a World, name: &'static str) -> Option<Self> {
        if Command::new(name).args(["-c", "exit"]).status().is_err() {
            assert!(!is_long() && std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{name} is not installed");
            println!("NOT RUN: {name} is not installed");
            return None;
        }
        install(world);
        Some(Self { world, name, session: session(world, name) })
    }

    /// Types the line, in which `⇥` is TAB, and runs it; repeats until the arguments are these.
    fn assert_runs(&mut self, line: &str, words: &[&str]) {
        let (began, ran) = (Instant::now(), self.world.path("home/ran"));
        let mut last = String::new();
        while began.elapsed() < PATIENCE {
            self.session.press(&format!("{}\r", line.replace('⇥', "\t")));
            if happens_soon(|| ran.exists()) {
                last = fs::read_to_string(&ran).unwrap();
                fs::remove_file(&ran).unwrap();
            } else {
                // Without the completed word, the command is incomplete.
                self.session = session(self.world, self.name);
            }
            assert!(!self.world.path("work/pwned").exists(), "{}: {line} was obeyed", self.name);
            if last.lines().eq(words.iter().copied()) {
                return;
            }
        }
        panic!("{}: {line:?} ran {last:?}, on a screen of {:?}", self.name, self.session.screen());
    }

    /// Types the line in a new shell until the screen shows all of that.
    fn assert_lists(&mut self, line: &str, shown: &[&str]) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            self.session = session(self.world, self.name);
            let before = self.session.screen().len();
            self.session.press(&line.replace('⇥', "\t"));
            let is_shown = || {
                let screen = self.session.screen();
                let new = without_escapes(screen.get(before..).unwrap_or_default());
                shown.iter().all(|text| new.contains(text))
            };
            if happens_soon(is_shown) {
                return;
            }
        }
        panic!("{}: {line:?} does not show {shown:?}: {:?}", self.name, self.session.screen());
    }
}

/// How long to keep trying.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the condition becomes true soon.
fn happens_soon(condition: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !condition() && began.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(3));
    }
    condition()
}

/// The shell, ready for a line.
fn session(world: &World, name: &str) -> Session {
    let (flags, script): (&[&str], _) = match name {
        "bash" => (&["--norc", "--noprofile", "-i"], "source <(bottle-freeze completions bash); PS1='REA''DY> '"),
        "zsh" => (
            &["-f", "-i"],
            "autoload -U compinit; compinit -u -D; source <(bottle-freeze completions zsh); PS1='REA''DY> '",
        ),
        _ => (
            &["--no-config", "-i"],
            "set -g fish_autosuggestion_enabled 0; bottle-freeze completions fish | source; \
             function fish_prompt; echo 'REA''DY> '; end",
        ),
    };
    session_with(world, name, flags, script)
}

/// The shell as its user runs it, with the start files in the home of this world.
fn own_session(world: &World, name: &str) -> Session {
    let (flags, script): (&[&str], _) = match name {
        "bash" => (&["--noprofile", "-i"], "PS1='REA''DY> '"),
        "zsh" => (&["-i"], "PS1='REA''DY> '"),
        _ => (&["-i"], "set -g fish_autosuggestion_enabled 0; function fish_prompt; echo 'REA''DY> '; end"),
    };
    session_with(world, name, flags, script)
}

fn session_with(world: &World, name: &str, flags: &[&str], script: &str) -> Session {
    let like = world.line("");
    let mut command = Command::new(name);
    command.args(flags).env_clear().envs(like.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let path = std::env::join_paths([world.path("home/bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    command.env("PATH", path).env("INPUTRC", "/dev/null").env("HISTFILE", "").current_dir(world.path("work"));
    let mut session = Session::start(command);
    session.press(&format!("{script}\r"));
    session.wait_for("READY> ");
    session
}

/// `bottle-freeze` on the PATH: completes like the real one, and writes down all other calls.
fn install(world: &World) {
    let real = env!("CARGO_BIN_EXE_bottle-freeze");
    let path = world.path("home/bin/bottle-freeze");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let script = "#!/bin/sh\nif [ -n \"$COMPLETE\" ] || [ \"$1\" = completions ]; then exec REAL \"$@\"; fi\n\
                  printf '%s\\n' \"$@\" > \"$HOME/ran.part\" && mv \"$HOME/ran.part\" \"$HOME/ran\"\n";
    fs::write(&path, script.replace("REAL", real)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn without_escapes(screen: &str) -> String {
    let mut text = String::new();
    let mut chars = screen.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            text.push(c);
        } else if chars.next() == Some('[') {
            let _ = chars.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    text
}

#[test]
fn in_each_shell_tab_completes_the_names_of_vms() {
    let world = running_and_stopped();
    for name in SHELLS {
        let Some(mut shell) = Shell::start(&world, name) else { continue };
        shell.assert_runs("bottle-freeze sta⇥w⇥", &["start", "web"]);
        shell.assert_runs("bottle-freeze start ⇥", &["start", "web"]);
        shell.assert_runs("bottle-freeze start --no-w⇥w⇥", &["start", "--no-wait", "web"]);
        shell.assert_runs("bottle-freeze exec d⇥-- true", &["exec", "dev", "--", "true"]);
        shell.assert_runs("bottle-freeze cp d⇥/root/x .", &["cp", "dev:/root/x", "."]);
        shell.assert_lists("bottle-freeze freeze ⇥⇥", &["dev", "web"]);
    }
}

#[test]
fn in_each_shell_tab_completes_snapshots_and_images() {
    let (world, _) = library();
    for name in SHELLS {
        let Some(mut shell) = Shell::start(&world, name) else { continue };
        shell.assert_runs("bottle-freeze thaw dev@r⇥tuesday", &["thaw", "dev@ready", "tuesday"]);
        shell.assert_runs("bottle-freeze create x --from=dev@r⇥", &["create", "x", "--from=dev@ready"]);
        shell.assert_runs("bottle-freeze create x --image alpine:⇥", &["create", "x", "--image", "alpine:3.20"]);
        shell.assert_runs("bottle-freeze create x --image=al⇥", &["create", "x", "--image=alpine:3.20"]);
        shell.assert_lists("bottle-freeze thaw dev@⇥⇥", &["ready", "v1.0"]);
    }
}

#[test]
fn in_each_shell_a_hostile_file_name_is_completed_as_a_name() {
    let world = running_and_stopped();
    let evil = ["a b", "c$(touch pwned)", "d;touch pwned", "e`touch pwned`", "f'\"", "g&h|i>j", "k*", "l\\m#n"];
    let evil: Vec<String> = evil.iter().map(|name| format!("{name}.smolmachine")).collect();
    for file in &evil {
        world.write(file, "");
    }
    for name in SHELLS {
        let Some(mut shell) = Shell::start(&world, name) else { continue };
        for file in &evil {
            shell.assert_runs(&format!("bottle-freeze verify {}⇥", &file[..1]), &["verify", file]);
        }
    }
}

#[test]
fn in_each_shell_tab_completes_files_in_snapshots() {
    let odd = ["a b", "c$(touch pwned)", "d:e@f=g", "h'\"", "i`touch pwned`", "k*", "l\\m#n"];
    let files = odd.map(|name| format!("srv/{name}/file"));
    let world = with_files(&files.iter().map(String::as_str).chain(["root/notes"]).collect::<Vec<_>>());
    for name in SHELLS {
        let Some(mut shell) = Shell::start(&world, name) else { continue };
        shell.assert_runs("bottle-freeze snapshot cat dev@re⇥/root/no⇥", &["snapshot", "cat", "dev@ready:/root/notes"]);
        shell.assert_runs("bottle-freeze cp dev@ready:/ro⇥no⇥ .", &["cp", "dev@ready:/root/notes", "."]);
        shell.assert_runs("bottle-freeze snapshot files dev /ro⇥-l", &["snapshot", "files", "dev", "/root/-l"]);
        // fish waits for a choice after the second TAB.
        for name in odd.into_iter().filter(|_| name != "fish") {
            let begin = name.chars().next().unwrap();
            let line = format!("bottle-freeze snapshot cat dev@ready:/srv/{begin}⇥⇥");
            shell.assert_runs(&line, &["snapshot", "cat", &format!("dev@ready:/srv/{name}/file")]);
        }
    }
}

#[test]
fn in_each_shell_a_file_is_completed_inside_quotes() {
    let world = running_and_stopped();
    world.write("my old $x.smolmachine", "");
    for name in ["bash", "zsh"] {
        let Some(mut shell) = Shell::start(&world, name) else { continue };
        for begin in ["'my o", "\"my o", "my\\ o"] {
            shell.assert_runs(&format!("bottle-freeze verify {begin}⇥"), &["verify", "my old $x.smolmachine"]);
        }
    }
}

#[test]
fn in_each_shell_hostile_and_hanging_engines_do_no_harm() {
    let world = running_and_stopped();
    let mut list = world.list();
    for evil in EVIL {
        let mut vm = list[0].clone();
        vm["name"] = json!(evil);
        list.push(vm);
    }
    for name in SHELLS {
        world.fault(json!({"on": "machine ls", "do": {"print": Value::Array(list.clone()).to_string()}}));
        let Some(mut shell) = Shell::start(&world, name) else { continue };
        shell.assert_runs("bottle-freeze stop ⇥", &["stop", "dev"]);
        world.fault(json!({"on": "machine ls", "do": "hang"}));
        shell.assert_runs("bottle-freeze stop d⇥x", &["stop", "dx"]);
    }
}

#[test]
fn doctor_reports_what_tab_does_in_each_shell() {
    let world = running_and_stopped();
    install(&world);
    // The installed one only writes down its arguments; this calls the real one.
    let doctor = |name: &str| {
        let mut command = world.line("doctor --json");
        let path = std::env::join_paths([world.path("home/bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
        let run = finish({
            command.env("SHELL", name).env("PATH", path);
            command
        });
        let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "completion").unwrap().clone()
    };
    let ran = world.path("home/ran");
    let tab = |name: &str| {
        let mut session = own_session(&world, name);
        session.press("bottle-freeze sta\tw\t\r");
        let words = happens_soon(|| ran.exists()).then(|| fs::read_to_string(&ran).unwrap());
        let _ = fs::remove_file(&ran);
        words.unwrap_or_default()
    };
    for (name, file) in [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/config.fish")] {
        let Some(_) = Shell::start(&world, name) else { continue };
        let file = world.path("home").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "# bottle-freeze completions\n").unwrap();
        let before = doctor(name);
        assert_eq!((before["verdict"].as_str(), tab(name).as_str()), (Some("warning"), "staw\n"), "{name}");
        let fix = Command::new("/bin/sh").args(["-c", before["hint"].as_str().unwrap()]).status();
        assert!(fix.unwrap().success());
        assert_eq!(doctor(name)["verdict"], "ok", "{name}: {before}");
        wait_until("TAB completes", || tab(name) == "start\nweb\n");
    }
}
