//! `--scrub`: a push or an export of a copy in which some files are empty. The snapshot itself stays as it is.

use crate::support::guest_files::{Bare, corpus, import, tar_of};
use crate::support::{World, finish, names_in, random_bytes, stderr, stdout};
use bottle_freeze::engine::{Part, take_apart};
use predicates::str::contains;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What must not be left anywhere.
const MARKER: &str = "MARKER-OF-A-SECRET-7f3a9c";

fn run(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(run.status.success(), "{program} {arguments:?}: {run:?}");
    String::from_utf8(run.stdout).unwrap()
}

/// A private key, in parts, so that no search for secrets finds this file.
fn private_key() -> String {
    let body: String = random_bytes(300).iter().map(|byte| char::from(b'A' + byte % 26)).collect();
    format!("-----BEGIN OPENSSH PRIVATE {k}-----\n{MARKER}{body}\n-----END OPENSSH PRIVATE {k}-----\n", k = "KEY")
}

/// The secrets of a VM, by their paths.
fn secrets() -> Vec<(&'static str, Vec<u8>)> {
    let history = format!("echo {MARKER}\n").repeat(2000);
    vec![
        ("etc/ssh/ssh_host_ed25519_key", private_key().into()),
        ("etc/machine-id", format!("{MARKER}\n").into()),
        ("root/.bash_history", history.into()),
        ("root/.ssh/authorized_keys", format!("ssh-ed25519 AAAA {MARKER}\n").into()),
        ("root/.ssh/id_ed25519", private_key().into()),
        ("root/.netrc", format!("machine x password {MARKER}\n").into()),
    ]
}

const ALL: &str = "ssh-host-keys,machine-id,history,authorized-keys,private-keys,credentials";

/// A file system with these files in `upper`, made in this folder. A history in pieces, a hard link and the rests of a deleted
/// file are in it, too.
fn disk(at: &Path, options: &[&str]) -> Vec<u8> {
    let (folder, image) = (at.join("disk"), at.join("disk.raw"));
    for (path, content) in secrets() {
        let path = folder.join("upper").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::create_dir_all(folder.join("upper/home/a")).unwrap();
    fs::create_dir_all(folder.join("work")).unwrap();
    fs::write(folder.join("upper/etc/motd"), "kept").unwrap();
    fs::write(folder.join("upper/home/a/kept"), random_bytes(200_000)).unwrap();
    let pieces = fs::File::create(folder.join("upper/home/a/.zsh_history")).unwrap();
    for number in 0..40 {
        pieces.write_all_at(MARKER.as_bytes(), number * 20_000).unwrap();
    }
    fs::hard_link(folder.join("upper/root/.bash_history"), folder.join("upper/home/a/also")).unwrap();
    let image = image.to_str().unwrap();
    run("mke2fs", &[&["-q", "-t", "ext4", "-d", folder.to_str().unwrap()], options, &[image, "64M"]].concat());
    let deleted = at.join("deleted");
    fs::write(&deleted, MARKER.repeat(10_000)).unwrap();
    run("debugfs", &["-w", "-R", &format!("write {} upper/deleted", deleted.display()), image]);
    run("debugfs", &["-w", "-R", "rm upper/deleted", image]);
    // Its blocks, or some of them, are reserved by another file and never written.
    run("debugfs", &["-w", "-R", "write /dev/null upper/reserved", image]);
    run("debugfs", &["-w", "-R", "fallocate upper/reserved 0 200", image]);
    let bytes = fs::read(image).unwrap();
    fs::remove_dir_all(folder).unwrap();
    bytes
}

/// The members of the artifact in an export, by their paths.
fn members(export: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = export.with_extension("d");
    fs::create_dir(&folder).unwrap();
    tar::Archive::new(fs::File::open(export).unwrap()).unpack(&folder).unwrap();
    let (mut all, mut last) = (BTreeMap::<String, Vec<u8>>::new(), String::new());
    take_apart(&folder.join("vm.smolmachine"), &mut |part| {
        match part {
            Part::Member(member) => last.clone_from(&member.path),
            Part::Data(data) => all.entry(last.clone()).or_default().extend(data),
            Part::Zeros(count) => {
                let content = all.entry(last.clone()).or_default();
                content.resize(content.len() + usize::try_from(count).unwrap(), 0);
            }
        }
        Ok(())
    })
    .unwrap();
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

fn export(world: &World, reference: &str, scrub: &str) -> Value {
    let line = format!("snapshot export {reference} -o x.tar --force --json --scrub {scrub}");
    serde_json::from_slice(&finish(world.line(&line)).success().get_output().stdout).unwrap()
}

#[test]
fn nothing_is_left_of_what_was_scrubbed_from_a_disk() {
    let variants: [&[&str]; 4] = [
        &[],
        &["-b", "1024", "-O", "^has_journal"],
        &["-O", "^metadata_csum,^64bit", "-I", "128"],
        &["-b", "4096", "-O", "bigalloc,^resize_inode", "-C", "16384"],
    ];
    for options in variants {
        let world = World::new();
        let overlay = disk(&world.path(""), options);
        let engine = tar_of(&[("etc/", ""), ("etc/hosts", "")]);
        let bare = Bare { base: engine, overlay: overlay.clone(), storage: corpus("storage") };
        let one = import(&world, "dev", &bare.artifact());
        let before = names_in(&world.path("home/library/store/objects"));
        let report = export(&world, &one, ALL);
        assert_eq!((&report["found"], &report["scrubbed"]), (&0.into(), &7.into()), "{options:?}: {report}");
        let image = world.path("work/scrubbed.raw");
        for (path, content) in members(&world.path("work/x.tar")) {
            assert!(!holds(&content, MARKER), "{options:?}: {path} holds a secret");
            if path == "overlay.raw" {
                fs::write(&image, &content).unwrap();
                run("e2fsck", &["-fn", image.to_str().unwrap()]);
                for (path, _) in secrets() {
                    let text = run("debugfs", &["-R", &format!("cat upper/{path}"), image.to_str().unwrap()]);
                    assert_eq!(text, "", "{options:?}: {path}");
                }
                let text = run("debugfs", &["-R", "cat upper/etc/motd", image.to_str().unwrap()]);
                assert_eq!(text, "kept");
            }
        }
        // The snapshot is as it was, and nothing of the copy stays.
        world.run(&format!("snapshot verify {one}")).success();
        assert_eq!(names_in(&world.path("home/library/store/objects")), before);
        world.run(&format!("snapshot export {one} -o whole.tar --allow-secrets")).success();
        assert!(members(&world.path("work/whole.tar"))["overlay.raw"] == overlay, "the snapshot was changed");
        // What was not scrubbed is found.
        let said = stderr(&world.run(&format!("snapshot export {one} -o y.tar --scrub history")).code(6));
        assert!(said.contains("/root/.ssh/id_ed25519") && !said.contains("_history"), "{said}");
    }
}

#[test]
fn nothing_is_left_of_what_was_scrubbed_from_a_tar() {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    for (path, content) in secrets() {
        world.write_guest("dev", &format!("root/{path}"), content);
    }
    world.write_guest("dev", "root/etc/motd", "kept");
    world.write_guest("dev", "root/root/.sh_history", "x");
    world.write_guest("dev", "workspace/.env", format!("TOKEN={MARKER}\n"));
    // As after a power cut; its place in the tar begins with zeros.
    world.write_guest("dev", "root/root/.ash_history", [vec![0; 300_000], MARKER.into()].concat());
    world.run("freeze dev").success();
    let report = export(&world, "dev", ALL);
    assert_eq!((&report["found"], &report["scrubbed"]), (&0.into(), &9.into()), "{report}");
    for (path, content) in members(&world.path("work/x.tar")) {
        assert!(!holds(&content, MARKER), "{path} holds a secret");
    }
    world.run("snapshot import x.tar --as new").success();
    world.run("thaw new again").success();
    assert_eq!(world.read_guest("again", "root/etc/motd").as_deref(), Some("kept"));
    for (path, _) in secrets() {
        assert_eq!(world.read_guest("again", &format!("root/{path}")).as_deref(), Some(""), "{path}");
    }
    assert_eq!(world.read_guest("again", "workspace/.env").as_deref(), Some(""));
    assert_eq!(world.read_guest("again", "root/root/.ash_history").as_deref(), Some(""));
}

#[test]
fn a_library_can_have_a_snapshot_and_a_scrubbed_copy_of_it() {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    world.write_guest("dev", "root/root/.bash_history", MARKER);
    world.run("freeze dev -t ready").success();
    let other = export(&world, "dev", "history,machine-id")["reference"].clone();
    let copy = export(&world, "dev", "history")["reference"].as_str().unwrap().to_owned();
    assert_ne!(other, copy);
    let text = stdout(&world.run("snapshot export dev -o y.tar --scrub history").success());
    let parent = stdout(&world.run("snapshot show dev@ready --quiet").success()).trim().to_owned();
    assert!(text.starts_with(&format!("exported {copy} (a copy of {parent} without history) as y.tar")), "{text}");
    assert!(text.contains("; 1 file is empty in it (history); elsewhere: "), "{text}");
    let report = export(&world, "dev", "credentials,history");
    export(&world, "dev", "history");
    let emptied = serde_json::json!([{"kind": "history", "path": "/root/.bash_history"}]);
    assert_eq!((&report["emptied"], &report["parent"]), (&emptied, &parent.as_str().into()));
    let text = stdout(&world.run("snapshot export dev -o z.tar --scrub credentials --allow-secrets").success());
    assert!(text.contains("; it had no file to empty; elsewhere: "), "{text}");
    let whole = finish(world.line("snapshot export dev -o z.tar --force --allow-secrets --json")).success();
    let whole: Value = serde_json::from_slice(&whole.get_output().stdout).unwrap();
    assert_eq!((&whole["emptied"], &whole["parent"]), (&serde_json::json!([]), &Value::Null));
    // The same copy is the same snapshot.
    world.run("snapshot import x.tar").success();
    world.run("snapshot import y.tar").code(7).stderr(contains(&copy));
    let shown = stdout(&world.run(&format!("snapshot show {copy}")).success());
    assert!(shown.contains("without   history\n") && shown.contains(&parent), "{shown}");
    let shown: Value =
        serde_json::from_str(&stdout(&world.run(&format!("snapshot show {copy} --json")).success())).unwrap();
    assert_eq!((&shown["scrubbed"], &shown["parent"]), (&serde_json::json!(["history"]), &parent.as_str().into()));
    let differs = stdout(&world.run(&format!("snapshot diff {copy}")).success());
    assert!(differs.contains("(from its parent)") && differs.contains("/root/.bash_history"), "{differs}");
    // The tag stays with the snapshot, which is the newest.
    assert_eq!(shown["tags"], serde_json::json!([]));
    assert_eq!(stdout(&world.run("snapshot show dev --quiet").success()).trim(), parent);
    assert_eq!(stdout(&world.run("snapshot show dev@ready --quiet").success()).trim(), parent);
}

#[test]
fn a_workspace_beside_the_artifact_is_shown_searched_and_scrubbed() {
    for image in ["", "--image alpine:3.20"] {
        let world = World::with_engine("1.4.0");
        world.vm("dev").with(image).running();
        world.write_guest("dev", "workspace/.bash_history", MARKER.repeat(100));
        world.write_guest("dev", "workspace/kept", "kept");
        world.run("freeze dev --yes").success();
        world.run("snapshot files dev /workspace").success().stdout("/workspace/.bash_history\n/workspace/kept\n");
        world.run("snapshot cat dev:/workspace/kept").success().stdout("kept");
        world.run("snapshot export dev -o y.tar").code(6).stderr(contains("/workspace/.bash_history"));
        if image.is_empty() {
            // A disk of the stand-in begins with something else than its file system, and so cannot be scrubbed.
            continue;
        }
        let report = export(&world, "dev", "history");
        assert_eq!((&report["found"], &report["scrubbed"]), (&0.into(), &1.into()), "{report}");
        assert!(!holds(&fs::read(world.path("work/x.tar")).unwrap(), MARKER), "a secret is left");
        world.run("snapshot import x.tar --as new").success();
        world.run("snapshot verify new").success();
        world.run("thaw new again").success();
        assert_eq!(world.read_guest("again", "workspace/.bash_history").as_deref(), Some(""));
        assert_eq!(world.read_guest("again", "workspace/kept").as_deref(), Some("kept"));
    }
}

#[test]
fn a_scrubbed_copy_is_pushed() {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    world.write_guest("dev", "root/root/.bash_history", MARKER);
    world.run("freeze dev").success();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let push = "snapshot push dev registry.test:5000/dev:r1 --yes";
    world.run(push).code(6).stderr(contains(".bash_history"));
    // What can be printed is the snapshot, not the copy.
    let run = world.run(&format!("{push} --scrub history")).success();
    assert!(stdout(&run).contains("; 1 file is empty in it (history); elsewhere: "), "{run}");
    let said = stderr(&run);
    assert!(said.contains("its snapshot.json is pushed too: the VM's configuration\n"), "{said}");
    assert!(!said.contains(".bash_history") && !said.contains("snapshot show"), "{said}");
    world.run("snapshot pull registry.test:5000/dev:r1 --as new").success();
    world.run("thaw new again").success();
    assert_eq!(world.read_guest("again", "root/root/.bash_history").as_deref(), Some(""));
}

#[test]
fn what_cannot_be_scrubbed_is_refused() {
    let world = World::new();
    world.vm("up").running();
    world.run("freeze up --live").success();
    let file: PathBuf = world.snapshot("x.smolmachine");
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let live = world.run("snapshot export up -o x.tar --scrub history --allow-secrets").code(5);
    assert!(stderr(&live).contains("RAM"), "{}", stderr(&live));
    let push = format!("snapshot push {} registry.test:5000/x:1 --yes --scrub history", file.display());
    world.run(&push).code(2).stderr(contains("only a snapshot in the library"));
    world.run("snapshot export up -o x.tar --scrub nonsense").code(2).stderr(contains("ssh-host-keys"));
    // A journal that must be replayed.
    let mut overlay = disk(&world.path(""), &["-O", "^metadata_csum"]);
    overlay[1024 + 0x60] |= 4;
    let bare = Bare { base: tar_of(&[("etc/", "")]), overlay, storage: corpus("storage") };
    let one = import(&world, "dev", &bare.artifact());
    let said = stderr(&world.run(&format!("snapshot export {one} -o x.tar --scrub history")).code(5));
    assert!(said.contains("nothing left this machine") && said.contains("start and stop the VM"), "{said}");
    assert!(!world.path("work/x.tar").exists());
}

/// The root of a list of extents of an inode begins so, with the number of them after that.
const ROOT: u32 = 0xf30a;

/// A file system with a history that is long and lies in one place, with extents of these lengths: the kernel writes such of
/// 32,768 blocks, mke2fs and debugfs do not.
fn disk_with_long_history(at: &Path, options: &[&str], size: &str, lengths: &[u32]) -> Vec<u8> {
    let (folder, image, history) = (at.join("disk"), at.join("disk.raw"), at.join("history"));
    fs::create_dir_all(folder.join("upper/root")).unwrap();
    fs::create_dir_all(folder.join("work")).unwrap();
    let blocks: u32 = lengths.iter().sum();
    let length = blocks as usize * 1024;
    fs::write(&history, &MARKER.repeat(length / MARKER.len() + 1)[..length]).unwrap();
    let (folder, image) = (folder.to_str().unwrap(), image.to_str().unwrap());
    run("mke2fs", &[&["-q", "-t", "ext4", "-b", "1024", "-d", folder], options, &[image, size]].concat());
    let debugfs = |line: &str| run("debugfs", &["-w", "-R", line, image]);
    if size == "160M" {
        // The copies of the superblock are in the first 80 MiB.
        debugfs("write /dev/null upper/filler");
        debugfs("fallocate upper/filler 0 80000");
    }
    debugfs(&format!("write {} upper/root/.bash_history", history.display()));
    let place =
        |block: u32| -> u32 { debugfs(&format!("bmap upper/root/.bash_history {block}")).trim().parse().unwrap() };
    let (first, last) = (place(0), place(blocks - 1));
    assert_eq!(last - first, blocks - 1, "it does not lie in one place");
    let count = u32::try_from(lengths.len()).unwrap();
    let mut words = vec![(0, ROOT | count << 16)];
    for (number, length) in lengths.iter().enumerate() {
        let before: u32 = lengths[..number].iter().sum();
        words.extend([(3 * number + 3, before), (3 * number + 4, *length), (3 * number + 5, first + before)]);
    }
    for (at, word) in words {
        let at = match at {
            12 => "IND".to_owned(),
            13 => "DIND".to_owned(),
            14 => "TIND".to_owned(),
            _ => at.to_string(),
        };
        debugfs(&format!("sif upper/root/.bash_history block[{at}] {word}"));
    }
    run("e2fsck", &["-fn", image]);
    fs::read(image).unwrap()
}

/// An extent of 32,768 blocks has no bit left that marks it as unwritten: it becomes two, for which an inode may have no room.
#[test]
fn a_long_file_on_a_disk_is_emptied_or_named() {
    let (long, full) = (&[32768, 2048][..], &[32768, 1, 1, 2046][..]);
    let clusters = ["-O", "bigalloc,^resize_inode", "-C", "16384"];
    let variants: [(&[&str], &str, &[u32], bool); 4] = [
        (&[], "160M", long, true),
        (&[], "160M", full, true),
        (&clusters, "64M", long, true),
        (&clusters, "64M", full, false),
    ];
    for (options, size, lengths, is_emptied) in variants {
        let world = World::new();
        let overlay = disk_with_long_history(&world.path(""), options, size, lengths);
        let bare = Bare { base: tar_of(&[("etc/", "")]), overlay, storage: corpus("storage") };
        let one = import(&world, "dev", &bare.artifact());
        if !is_emptied {
            let said = stderr(&world.run(&format!("snapshot export {one} -o x.tar --scrub history")).code(5));
            assert!(said.contains("\"/root/.bash_history\" in ") && said.contains("cannot be made empty"), "{said}");
            assert!(said.contains("empty or remove it in the VM") && !said.contains("start and stop"), "{said}");
            assert!(!world.path("work/x.tar").exists());
            continue;
        }
        let report = export(&world, &one, "history");
        assert_eq!((&report["found"], &report["scrubbed"]), (&0.into(), &1.into()), "{lengths:?}: {report}");
        let overlay = &members(&world.path("work/x.tar"))["overlay.raw"];
        assert!(!holds(overlay, MARKER), "{options:?} {lengths:?}: a secret is left");
        let image = world.path("work/scrubbed.raw");
        fs::write(&image, overlay).unwrap();
        run("e2fsck", &["-fn", image.to_str().unwrap()]);
        assert_eq!(run("debugfs", &["-R", "cat upper/root/.bash_history", image.to_str().unwrap()]), "");
    }
}

/// The place of its content is filled with comments, none of them longer than programs read.
#[test]
fn a_long_file_in_a_tar_is_emptied() {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    world.write_guest("dev", "root/root/.bash_history", MARKER.repeat((66 << 20) / MARKER.len()));
    world.write_guest("dev", "root/root/kept", "kept");
    world.run("freeze dev").success();
    let report = export(&world, "dev", "history");
    assert_eq!((&report["found"], &report["scrubbed"]), (&0.into(), &1.into()), "{report}");
    let members = members(&world.path("work/x.tar"));
    assert!(members.values().all(|content| !holds(content, MARKER)), "a secret is left");
    let layer = members
        .iter()
        .find(|(path, _)| path.starts_with("layers/") && Path::new(path).extension().is_some_and(|end| end == "tar"))
        .unwrap()
        .1;
    let (mut comments, mut kept) = (0, String::new());
    for entry in tar::Archive::new(&layer[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if entry.header().entry_type() == tar::EntryType::XGlobalHeader {
            assert!(content.len() <= 1 << 20, "{}", content.len());
            let begin = format!("{} comment=", content.len());
            assert!(content.is_empty() || content.starts_with(begin.as_bytes()) && content.ends_with(b"\n"));
            comments += 1;
        } else if entry.path().unwrap().ends_with("root/kept") {
            kept = String::from_utf8(content).unwrap();
        }
    }
    assert_eq!((comments > 100, kept.as_str()), (true, "kept"));
}

#[test]
fn what_a_link_leads_to_is_emptied() {
    let world = World::new();
    world.vm("dev").with("--image alpine:3.20").stopped();
    world.write_guest("dev", "workspace/dotfiles/netrc", format!("machine x password {MARKER}\n"));
    world.write_guest("dev", "workspace/ssh/authorized_keys", format!("ssh-ed25519 AAAA {MARKER}\n"));
    world.write_guest("dev", "root/srv/typed", format!("echo {MARKER}\n"));
    world.link_guest("dev", "root/root/.netrc", "/workspace/dotfiles/netrc");
    world.link_guest("dev", "root/root/.ssh", "../workspace/ssh");
    world.link_guest("dev", "root/root/.bash_history", "/srv/typed");
    world.link_guest("dev", "root/root/.zsh_history", "/dev/null");
    world.run("freeze dev").success();
    let report = export(&world, "dev", "credentials,history,authorized-keys");
    assert_eq!((&report["found"], &report["scrubbed"]), (&0.into(), &3.into()), "{report}");
    let paths: Vec<_> = report["emptied"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/root/.ssh/authorized_keys", "/root/.netrc", "/root/.bash_history"]);
    for (path, content) in members(&world.path("work/x.tar")) {
        assert!(!holds(&content, MARKER), "{path} holds a secret");
    }
}
