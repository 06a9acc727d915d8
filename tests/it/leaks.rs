//! Before a snapshot leaves this machine, it is searched for secrets.

use crate::support::forged::with_manifest;
use crate::support::guest_files::{Bare, bare, import};
use crate::support::pty::Session;
use crate::support::resealed::FileSystem;
use crate::support::{World, finish, random_bytes, seeded, stderr};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A value that nothing may print.
const VALUE: &str = "q7Zt3vBn8XwLr5Kd2Hs9";

/// A world with a registry and a snapshot of a VM with an image, with these files in it.
fn world(files: &[(&str, String)]) -> World {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    world.write_guest("dev", "root/etc/motd", "welcome");
    for (path, text) in files {
        world.write_guest("dev", &format!("root{path}"), text);
    }
    world.run("freeze dev -t ready").success();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    world
}

fn secrets() -> Vec<(&'static str, String)> {
    vec![
        ("/root/.netrc", format!("machine example.org login me password {VALUE}\n")),
        ("/root/.bash_history", format!("login --password {VALUE}\n")),
        ("/srv/app/.env", format!("API_TOKEN={VALUE}\n")),
        ("/srv/app/.env.example", "API_TOKEN=\n".into()),
    ]
}

const PUSH: &str = "snapshot push dev registry.test:5000/dev:r1 --yes";
const EXPORT: &str = "snapshot export dev -o dev.tar";

#[test]
fn a_clean_snapshot_leaves_without_a_question() {
    let world = world(&[("/root/notes", "nothing to hide".into())]);
    for line in [PUSH, EXPORT] {
        let report = finish(world.line(&format!("{line} --json"))).success();
        let report: Value = serde_json::from_slice(&report.get_output().stdout).unwrap();
        assert_eq!((&report["findings"], &report["found"]), (&json!([]), &json!(0)), "{line}");
    }
}

#[test]
fn secrets_do_not_leave_unless_that_is_allowed() {
    let world = world(&secrets());
    for line in [PUSH, EXPORT] {
        let run = world.run(line).code(6);
        let said = stderr(&run);
        for part in
            ["/root/.netrc: passwords", "/root/.bash_history: a history", "/srv/app/.env: variables", "3 things"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(said.contains("--allow-secrets") && !said.contains(VALUE) && !said.contains("example"), "{said}");
        assert!(!world.path("work/dev.tar").exists());
        assert!(!world.commands().iter().any(|call| call == "pack push"), "{:?}", world.commands());
    }
    for line in [PUSH, EXPORT] {
        let run = finish(world.line(&format!("{line} --allow-secrets --json"))).success();
        let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        let found: Vec<_> = report["findings"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
        assert_eq!(found, ["credentials", "credentials", "history"]);
        assert_eq!(report["found"], 3);
        assert!(!report.to_string().contains(VALUE));
    }
}

/// The refusal names the options that help, and only those that the command has.
#[test]
fn a_refusal_names_what_helps() {
    let token = ["ghp_", "q7Zt3vBn8XwLr5Kd2Hs9q7Zt3vBn8XwLr5Kd"].concat();
    let world = world(&secrets());
    let said = |line: &str| stderr(&world.run(line).code(6));
    let (push, export) = (said(PUSH), said(EXPORT));
    assert!(push.contains("; --scrub history,credentials leaves it out\n") && !push.contains("--recipient"), "{push}");
    assert!(export.contains("; --scrub history,credentials leaves it out\n"), "{export}");
    assert!(export.contains("--recipient encrypts") && !export.contains("--yes"), "{export}");
    let part = said(&format!("{EXPORT} --scrub history"));
    assert!(part.contains("; --scrub history,credentials leaves it out\n"), "{part}");
    world.run(&format!("{EXPORT} --scrub history,credentials")).success();
    world.write_guest("dev", "root/srv/notes", format!("token {token}\n"));
    world.run("freeze dev").success();
    let part = said(PUSH);
    assert!(part.contains("; --scrub history,credentials leaves out all but tokens\n"), "{part}");
    let none = said(&format!("{PUSH} --scrub history,credentials"));
    assert!(none.contains("; --scrub cannot remove tokens\n"), "{none}");
    // A file cannot be scrubbed.
    world.run("freeze dev -o x.smolmachine").success();
    let file = said("snapshot push ./x.smolmachine registry.test:5000/dev:r1 --yes");
    assert!(file.contains("--allow-secrets") && !file.contains("--scrub"), "{file}");
}

#[test]
fn what_is_encrypted_leaves_with_a_warning() {
    let world = world(&secrets());
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/keys/ed25519.pub");
    let line = format!("snapshot export dev -o dev.age -R {}", key.display());
    world.run(&line).success().stderr(contains("warning: it holds 3 things").and(contains("/root/.netrc")));
}

#[test]
fn the_question_is_asked_on_a_terminal_and_yes_does_not_answer_it() {
    let world = world(&secrets());
    for (answer, status) in [("n", 6), ("y", 0)] {
        let mut push = Session::start(world.line(PUSH));
        push.wait_for("Let them leave this machine?");
        push.press(answer);
        assert_eq!(push.wait(), Some(status), "{answer:?}: {}", push.all_printed());
    }
}

#[test]
fn the_file_of_an_export_is_checked_before_the_search_and_the_question() {
    let world = world(&secrets());
    world.write("dev.tar", "kept");
    fs::create_dir(world.path("work/folder")).unwrap();
    let lines = [("dev.tar", 7), ("nodir/dev.tar", 8), ("folder", 7), ("folder/", 7), ("/dev/null", 7)];
    for (file, status) in lines {
        for scrub in ["", "--scrub history"] {
            let said = stderr(&world.run(&format!("snapshot export dev -o {file} {scrub}")).code(status));
            assert!(!said.contains("secret") && said.contains(file.trim_end_matches('/')), "{file}: {said}");
        }
    }
    assert_eq!(fs::read_to_string(world.path("work/dev.tar")).unwrap(), "kept");
    // With --force it is not an obstacle, and stays as it is without a yes.
    world.run(&format!("{EXPORT} --force")).code(6);
    assert_eq!(fs::read_to_string(world.path("work/dev.tar")).unwrap(), "kept");
    assert_eq!(crate::support::names_in(&world.path("work")), ["dev.tar", "folder"]);
}

#[test]
fn variables_of_the_vm_are_searched_too() {
    let world = World::new();
    world.vm("dev").with(&format!("-e API_TOKEN={VALUE} -e EDITOR=vi")).stopped();
    world.run("freeze dev").success();
    let run = world.run(EXPORT).code(6);
    let said = stderr(&run);
    assert!(said.contains("API_TOKEN: the value of a variable") && !said.contains("EDITOR"), "{said}");
    assert!(!said.contains(VALUE), "{said}");
}

#[test]
fn the_command_the_labels_and_the_note_are_searched_too() {
    let world = World::new();
    world.vm("dev").with(&format!("--image alpine:3.20 --label db-pass={VALUE} --label team=a")).stopped();
    let note = format!("server --password {VALUE}");
    finish(world.command(["freeze", "dev", "-m", &note])).success();
    let said = stderr(&world.run(EXPORT).code(6));
    for part in ["snapshot.json: note: a secret value", "snapshot.json: machine.labels.db-pass: a label", "2 things"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains(VALUE), "{said}");
}

#[test]
fn names_of_files_are_escaped_and_long_lists_are_cut() {
    let mut files: Vec<(String, String)> =
        (0..30).map(|number| (format!("/srv/{number:02}/.netrc"), "machine x password y".into())).collect();
    files.push(("/srv/\u{1b}[2J\nerror: forged/.netrc".into(), "machine x password y".into()));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let world = world(&files);
    let said = stderr(&world.run(EXPORT).code(6));
    assert!(said.contains("31 things") && said.contains("and 11 more"), "{said}");
    let all = stderr(&world.run(&format!("{EXPORT} --allow-secrets --json")).success());
    for said in [said, all] {
        assert!(!said.contains('\u{1b}') && !said.contains("\nerror: forged"), "{said}");
    }
}

#[test]
fn a_disk_that_cannot_be_read_must_be_allowed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o vm.smolmachine").success();
    let artifact = fs::read(world.path("work/vm.smolmachine")).unwrap();
    let no_disk = |manifest: &mut Value| manifest["assets"]["overlay_template"]["path"] = json!("agent-rootfs.tar");
    world.write("x.smolmachine", with_manifest(&artifact, no_disk));
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let push = |file: &str| world.run(&format!("snapshot push {file} registry.test:5000/dev:r1 --yes"));
    push("./vm.smolmachine").success();
    push("./x.smolmachine").code(6).stderr(contains("files that cannot be searched"));
}

#[test]
fn programs_and_long_files_are_searched_by_their_names_only() {
    let world = world(&[]);
    world.write_guest("dev", "root/root/program", [b"\0", &random_bytes(1000)[..]].concat());
    world.write_guest("dev", "root/root/.bash_history", vec![b'x'; 2 << 20]);
    world.write_guest("dev", "root/srv/.env", vec![b'#'; 2 << 20]);
    world.run("freeze dev -t ready --force").success();
    let said = contains("/root/.bash_history")
        .and(contains("/srv/.env: too long to be searched; a file of this name may hold secrets"));
    world.run(EXPORT).code(6).stderr(said.and(contains("program").not()));
}

/// Each name is looked up in folders with thousands of others.
#[test]
fn thousands_of_links_on_a_disk_are_followed() {
    if !crate::trim::has_tools() {
        return;
    }
    let world = World::new();
    let (files, image) = (world.path("files"), world.path("image"));
    for folder in ["work", "upper/root/links", "upper/srv/files"] {
        fs::create_dir_all(files.join(folder)).unwrap();
    }
    for number in 0..3000 {
        fs::write(files.join(format!("upper/srv/files/{number}")), "x").unwrap();
        symlink(format!("/srv/files/{number}"), files.join(format!("upper/root/links/{number}"))).unwrap();
    }
    fs::write(files.join("upper/srv/netrc"), format!("machine x password {VALUE}\n")).unwrap();
    symlink("/srv/netrc", files.join("upper/root/.netrc")).unwrap();
    let arguments = ["-q", "-t", "ext4", "-N", "8000", "-d", files.to_str().unwrap(), image.to_str().unwrap(), "64M"];
    assert!(Command::new("mke2fs").args(arguments).status().unwrap().success());
    let one = import(&world, "dev", &Bare { overlay: fs::read(image).unwrap(), ..bare("overlay") }.artifact());
    let said = stderr(&world.run(&format!("snapshot export {one} -o x.tar")).code(6));
    assert!(said.contains("/root/.netrc") && !said.contains("cannot be searched"), "{said}");
}

/// A command of a hook that was not run is in a warning.
#[test]
fn a_secret_in_a_recorded_warning_is_found() {
    let world = World::new();
    world.vm("dev").running();
    let hook =
        format!("guest:curl -H 'Authorization: Bearer ghp_{}' https://x", "Zt3vBn8XwLr5Kd2Hs9Qp7Mf4Gc6Jy1Ta0Ru5");
    let mut command = world.line("freeze dev --yes");
    command.args(["--post-freeze", &hook]);
    finish(command).success();
    world.run("snapshot export dev -o x.tar").code(6).stderr(contains("snapshot.json: warnings"));
}

/// Dotfiles are often kept elsewhere, and links lead to them.
#[test]
fn a_file_is_known_by_the_links_that_lead_to_it_too() {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    for (path, text) in [
        ("workspace/dotfiles/netrc", format!("machine x password {VALUE}\n")),
        ("workspace/dotfiles/vimrc", "set ruler\n".into()),
        ("workspace/ssh/authorized_keys", "ssh-ed25519 AAAA me@host\n".into()),
        ("root/srv/gh/hosts.yml", format!("github.com:\n    oauth_token: {VALUE}\n")),
        ("root/srv/stores/key", "\0".into()),
        ("root/root/.bash_history", "ls\n".into()),
        ("root/srv/config/a/b", "x".into()),
    ] {
        world.write_guest("dev", path, text);
    }
    for (path, target) in [
        // By a link to it, and to a folder that it is in.
        ("root/root/.netrc", "/workspace/dotfiles/netrc"),
        ("root/root/.vimrc", "/workspace/dotfiles/vimrc"),
        ("root/root/.ssh", "../workspace/ssh"),
        // By two links, one after the other, and one in the other.
        ("root/home/me/keys", "/home/me/store"),
        ("root/home/me/store", "/srv/stores"),
        ("root/home/me/app.p12", "keys/key"),
        ("root/root/.config", "/srv/config"),
        ("root/srv/config/gh", "/srv/gh"),
        // It is found by its own path already.
        ("root/home/me/.zsh_history", "/root/.bash_history"),
        // To nothing, out of the VM, in circles.
        ("root/home/me/.netrc", "/nowhere"),
        ("root/home/me/.zhistory", "/dev/null"),
        ("root/home/me/.aws", "../../../../../../../../etc/ssl"),
        ("root/home/me/.kube", ".kube"),
        ("root/home/me/.docker", "/home"),
        ("root/srv/config/a/circle", "/srv/circle"),
        ("root/srv/circle/back", "/srv/config/a"),
    ] {
        world.link_guest("dev", path, target);
    }
    world.run("freeze dev -t ready").success();
    let run = finish(world.line(&format!("{EXPORT} --allow-secrets --json"))).success();
    let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let found = report["findings"].as_array().unwrap();
    let found: Vec<_> =
        found.iter().map(|one| (one["kind"].as_str().unwrap(), one["path"].as_str().unwrap())).collect();
    let expected = [
        ("credentials", "/home/me/app.p12"),
        ("credentials", "/root/.config/gh/hosts.yml"),
        ("credentials", "/root/.netrc"),
        ("history", "/root/.bash_history"),
        ("authorized-keys", "/root/.ssh/authorized_keys"),
    ];
    assert_eq!(found, expected, "{report}");
    assert_eq!(report["found"], json!(expected.len()));
}

/// A file system with a file of 2 MiB that was deleted.
fn with_deleted(folder: &Path) -> Vec<u8> {
    let (files, image) = (folder.join("disk"), folder.join("disk.raw"));
    fs::create_dir_all(files.join("upper/etc")).unwrap();
    fs::create_dir_all(files.join("work")).unwrap();
    fs::write(files.join("deleted"), random_bytes(2 << 20)).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        assert!(Command::new(program).args(arguments).arg(&image).output().unwrap().status.success(), "{arguments:?}");
    };
    fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
    run("mke2fs", &["-q", "-t", "ext4", "-d", files.to_str().unwrap()]);
    run("debugfs", &["-w", "-R", "rm deleted"]);
    fs::read(image).unwrap()
}

#[test]
fn what_deleted_files_left_on_a_disk_is_a_warning() {
    let world = World::new();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let kept = Bare { overlay: with_deleted(&world.path("")), ..bare("overlay") };
    let holds = "warning: the disk 'overlay' holds";
    for (disks, said) in [
        (bare("overlay"), None),
        (kept, Some((holds, "of deleted files; --scrub leaves them out"))),
        (
            bare("journal"),
            Some(("warning: the disk 'overlay' was not unmounted cleanly", "deleted files may be left on it")),
        ),
    ] {
        let one = import(&world, "dev", &disks.artifact());
        let run = world.run(&format!("snapshot export {one} -o x.tar --force")).success();
        match said {
            Some((first, second)) => assert!(stderr(&run).contains(first) && stderr(&run).contains(second), "{run}"),
            None => assert!(!stderr(&run).contains("deleted"), "{run}"),
        }
        // Of a file there is no copy that --scrub could make.
        world.write("x.smolmachine", disks.artifact());
        let push = world.run("snapshot push ./x.smolmachine registry.test:5000/dev:r1 --yes").success();
        assert!(!stderr(&push).contains("--scrub"), "{push}");
        if stderr(&run).contains(holds) {
            world.run(&format!("snapshot export {one} -o x.tar --force --scrub history")).success().stderr("");
        }
    }
}

#[test]
fn what_deleted_files_left_in_a_snapshot_that_is_one_file_is_a_warning_too() {
    let world = World::new();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let kept = Bare { overlay: with_deleted(&world.path("")), ..bare("overlay") };
    // Unmounted cleanly, with a feature of tomorrow.
    let mut unknown = bare("overlay");
    let system = FileSystem::new(unknown.overlay.clone());
    unknown.overlay[1024 + 0x5f] |= 0x40;
    system.seal(&mut unknown.overlay);
    for (disks, said) in [
        (&kept, "the disk 'overlay' holds 2."),
        (
            &unknown,
            "the disk 'overlay': its file system has an unknown feature: what deleted files left on it is not known",
        ),
        (&bare("journal"), "the disk 'overlay' was not unmounted cleanly: deleted files may be left on it"),
    ] {
        world.write("dev.smolmachine", disks.artifact());
        let line = "snapshot push ./dev.smolmachine registry.test:5000/dev:x --yes --allow-secrets --quiet";
        let text = stderr(&world.run(line).success());
        assert!(text.contains(&format!("warning: {said}")), "{said}: {text}");
    }
    let one = import(&world, "dev", &unknown.artifact());
    let text = stderr(&world.run(&format!("snapshot export {one} -o x.tar")).success());
    assert!(text.contains("the disk 'overlay': its file system has an unknown feature"), "{text}");
}

/// What the search misses, as the manual says: what is written in no known way.
const MISSED: [&str; 2] = ["/root/notes.txt", "/srv/app/program"];

#[test]
fn secrets_are_found_in_a_seeded_system_and_nothing_else() {
    let secrets = seeded::secrets();
    let files: Vec<_> = secrets.iter().map(|(path, text, _)| (*path, text.clone())).chain(seeded::decoys()).collect();
    let run = world(&files).run(&format!("{EXPORT} --allow-secrets --json")).success();
    let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let found = report["findings"].as_array().unwrap();
    let found: BTreeMap<_, _> = found.iter().map(|one| (one["path"].as_str().unwrap(), &one["kind"])).collect();
    let missed: BTreeSet<_> = secrets.iter().map(|(path, ..)| *path).filter(|path| !found.contains_key(path)).collect();
    let expected: BTreeMap<_, _> = secrets.iter().map(|(path, _, kind)| (*path, *kind)).collect();
    let alarms: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    let (all, decoys) = (secrets.len(), files.len() - secrets.len());
    println!("secrets: {} of {all} found, missed: {missed:?}", all - missed.len());
    println!("decoys and other files: {} of {decoys} found: {alarms:?}", alarms.len());
    assert_eq!(missed, MISSED.into());
    assert_eq!(alarms, [] as [&&str; 0]);
    for (path, kind) in found {
        assert_eq!(kind, expected[path], "{path}");
    }
}
