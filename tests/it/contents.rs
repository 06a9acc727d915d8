//! `snapshot files`, `snapshot cat`, `snapshot diff`: what is in a snapshot, without an engine.

use crate::support::chaos::{Random, is_long, within};
use crate::support::guest_files::{Bare, artifact, artifact_with_holes, bare, corpus, folder, import, tar_of};
use crate::support::namespace::{disk, in_a_namespace};
use crate::support::resealed::FileSystem;
use crate::support::{World, finish, names_in, random_bytes, stderr, stdout};
use predicates::str::contains;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

fn json(world: &World, line: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(&format!("{line} --json")).success())).expect(line)
}

/// The paths in a list.
fn paths(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

#[test]
fn files_are_listed_as_the_guest_sees_them() {
    let world = World::new();
    let artifact = bare("overlay").artifact();
    let one = import(&world, "dev", &artifact);
    world.write("dev.smolmachine", &artifact);
    world.forget_calls();
    for snapshot in [one.as_str(), "dev", "./dev.smolmachine"] {
        let all = json(&world, &format!("snapshot files {snapshot} -r"));
        let expected = [
            "/bin",
            "/bin/sh",
            "/etc",
            "/etc/apk",
            "/etc/apk/world",
            "/etc/new",
            "/etc/passwd",
            "/gone-below",
            "/gone-below/below",
            "/root",
            "/root/bad\u{fffd}",
            "/root/deep",
            "/root/deep/a",
            "/root/deep/a/b",
            "/root/deep/a/b/c",
            "/root/esc\u{1b}[2J",
            "/root/fifo",
            "/root/hard",
            "/root/link",
            "/root/long",
            "/root/loop",
            "/root/null",
            "/root/out",
            "/root/short",
            "/root/sparse",
            "/root/suid",
            "/root/text",
            "/root/ä日",
            "/storage",
            "/storage/containers",
            "/storage/lost+found",
            "/workspace",
            "/workspace/report",
            "/workspace/sub",
            "/workspace/sub/x",
        ];
        assert_eq!(paths(&all), expected, "{snapshot}");
    }
    assert_eq!(world.calls().len(), 0, "an engine was called");
    let file = |path: &str| json(&world, &format!("snapshot files dev {path}"))[0].clone();
    let text = file("/root/text");
    assert_eq!((&text["bytes"], &text["links"], &text["mode"]), (&8.into(), &2.into(), &"0644".into()));
    assert_eq!(text["attributes"], serde_json::json!({"user.color": "726564"}));
    let suid = file("root/suid");
    assert_eq!((&suid["mode"], &suid["uid"], &suid["gid"]), (&"4755".into(), &5.into(), &6.into()));
    assert_eq!(file("/root/sparse")["bytes"], 3_221_225_475_u64);
    let links = json(&world, "snapshot files dev /root");
    let target =
        |path: &str| links.as_array().unwrap().iter().find(|file| file["path"] == path).unwrap()["target"].clone();
    assert_eq!(target("/root/link"), "/etc/passwd");
    assert_eq!(target("/root/long"), "x".repeat(100));
    let null = links.as_array().unwrap().iter().find(|file| file["path"] == "/root/null").unwrap();
    assert_eq!((&null["kind"], &null["device"]), (&"character-device".into(), &serde_json::json!([1, 3])));
    let bad = links.as_array().unwrap().iter().find(|file| file["path"] == "/root/bad\u{fffd}").unwrap();
    assert_eq!(bad["path_bytes"], "2f726f6f742f626164ff");
}

#[test]
fn a_long_list_is_that_of_ls() {
    let world = World::new();
    import(&world, "dev", &bare("overlay").artifact());
    let text = stdout(&world.run("snapshot files dev /workspace -l").success());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("-rw-r--r--     0     0           5 2026-11-27 "), "{text}");
    assert!(lines[1].starts_with("drwxr-xr-x ") && lines[1].ends_with(" /workspace/sub"), "{text}");
    let text = stdout(&world.run("snapshot files dev /root -l").success());
    assert!(text.contains(" /root/link -> /etc/passwd\n") && text.contains("-rwsr-xr-x     5     6 "), "{text}");
    let text = stdout(&world.run("snapshot files dev /root/link -l").success());
    assert!(text.starts_with("lrwxrwxrwx ") && text.ends_with(" /root/link -> /etc/passwd\n"), "{text}");
}

#[test]
fn the_content_of_a_file_is_printed_and_no_link_leads_out() {
    let world = World::new();
    let one = import(&world, "dev", &bare("overlay").artifact());
    let cat = |path: &str| stdout(&world.run(&format!("snapshot cat {one}:{path}")).success());
    assert_eq!(cat("/root/text"), "one\ntwo\n");
    assert_eq!(cat("root/short/b/c"), "c");
    // Of the snapshot, not of this host.
    for path in ["/root/link", "/root/out", "/root/../../../etc/passwd", "/etc/passwd"] {
        assert_eq!(cat(path), "root:x:0:0\nuser:x:1:1\n", "{path}");
    }
    assert_eq!(cat("/workspace/report"), "done\n");
    assert_eq!(cat("/storage/workspace/report"), "done\n");
    assert_eq!(cat("/bin/sh"), "#!");
    for path in ["/etc/motd", "/old/file", "/etc/apk/repositories", "/root/loop", "/nothing", "/root/text/x"] {
        world.run(&format!("snapshot cat {one}:{path}")).code(4);
    }
    let hint = |line: &str, code: i32| stderr(&world.run(line).code(code));
    let folder = hint(&format!("snapshot cat {one}:/root"), 1);
    assert!(
        folder.contains("is a folder") && folder.contains(&format!("`bottle-freeze snapshot files {one} /root`")),
        "{folder}"
    );
    assert!(hint(&format!("snapshot cat {one}:/root/null"), 1).contains("is a device, a FIFO or a socket"));
    let missing = hint(&format!("snapshot cat {one}:/root/deep/nosuch/x"), 4);
    assert!(missing.contains(&format!("`bottle-freeze snapshot files {one} /root/deep`")), "{missing}");
    let dangling = hint(&format!("snapshot cat {one}:/root/long"), 4);
    assert!(dangling.contains("is a link to ") && dangling.contains("xxx\", which is not there"), "{dangling}");
    for path in ["/root/loop", "/root/loop/x"] {
        let circle = hint(&format!("snapshot cat {one}:{path}"), 4);
        assert!(circle.contains(&format!("{path:?} in {one} leads through a loop of symbolic links, or ")), "{circle}");
    }
    let other = hint(&format!("snapshot files {one}:/root"), 4);
    assert!(other.contains(&format!("`bottle-freeze snapshot files {one} /root`")), "{other}");
    world.run("snapshot cat dev").code(2);
    world.run("snapshot cat nosuch:/etc/passwd").code(4);
}

#[test]
fn what_is_only_in_the_journal_is_read_from_there() {
    let world = World::new();
    let one = import(&world, "dev", &bare("journal").artifact());
    let cat = |path: &str| world.run(&format!("snapshot cat {one}:{path}")).success().get_output().stdout.clone();
    assert_eq!(cat("/etc/new"), b"jour");
    assert_eq!(&cat("/etc/passwd")[..11], b"\xc0\x3b\x39\x98escaped");
}

#[test]
fn a_file_in_a_layer_of_an_image_hides_no_other() {
    // As for the engine: the marks of other programs are files, and any guest can make one.
    let world = World::new();
    let below = tar_of(&[("a/", ""), ("a/key", "k"), ("a/old", "o")]);
    let above = tar_of(&[("a/", ""), ("a/.wh.key", ""), ("a/.wh..wh..opq", ""), ("a/.wh.new", ""), ("a/new", "n")]);
    let layer = |name: &str| serde_json::json!({"path": format!("layers/{name}.tar"), "size": 1, "digest": name});
    let manifest = |layers: &[Value]| {
        serde_json::json!({
            "mode": "container", "image": "x", "digest": "none", "platform": "linux/amd64", "cpus": 1, "mem": 512,
            "assets": {
                "libraries": [], "layers": layers, "agent_rootfs": {"path": "agent-rootfs.tar", "size": 1},
            },
        })
    };
    let base = tar_of(&[("etc/", "")]);
    let members = [("agent-rootfs.tar", &*base), ("layers/1.tar", &*below), ("layers/2.tar", &*above)];
    world.write("x.smolmachine", artifact(&members, &manifest(&[layer("1"), layer("2")])));
    let all = json(&world, "snapshot files ./x.smolmachine /a");
    assert_eq!(paths(&all), ["/a/.wh..wh..opq", "/a/.wh.key", "/a/.wh.new", "/a/key", "/a/new", "/a/old"]);
    // More layers than overlayfs takes.
    world.write("many.smolmachine", artifact(&members, &manifest(&vec![layer("1"); 501])));
    world.run("snapshot files ./many.smolmachine").code(10);
}

/// A tar whose last file claims that many bytes, in its header or before it.
fn claiming(bytes: u64, is_extended: bool) -> Vec<u8> {
    let mut tar = tar::Builder::new(tar_of(&[("root/", "")]));
    tar.get_mut().truncate(512);
    if is_extended {
        tar.append_pax_extensions([("size", bytes.to_string().as_bytes())]).unwrap();
    }
    let mut all = tar.into_inner().unwrap();
    all.truncate(all.len() - 1024);
    let mut last = tar_of(&[("root/.bash_history", "ls\n")]);
    if !is_extended {
        let mut header = tar::Header::from_byte_slice(&last[..512]).clone();
        header.set_size(bytes);
        header.set_cksum();
        last[..512].copy_from_slice(header.as_bytes());
    }
    all.extend(last);
    all
}

#[test]
fn a_file_that_claims_more_than_its_tar_has_is_damage() {
    // The search for an end of it filled the memory: seen by random changes of a tar, one run in about twenty.
    let world = World::new();
    for bytes in [1 << 13, 1 << 40, (1 << 63) - 1] {
        for is_extended in [false, true] {
            let manifest = serde_json::json!({
                "mode": "container", "image": "x", "digest": "none", "platform": "linux/amd64", "cpus": 1, "mem": 512,
                "assets": {
                    "libraries": [], "layers": [{"path": "layers/1.tar", "size": 1, "digest": "1"}],
                    "agent_rootfs": {"path": "agent-rootfs.tar", "size": 1},
                },
            });
            let layer = claiming(bytes, is_extended);
            let image =
                artifact(&[("agent-rootfs.tar", &*tar_of(&[("etc/", "")])), ("layers/1.tar", &*layer)], &manifest);
            let mut bare = bare("overlay");
            bare.base = layer;
            for (vm, artifact) in [("image", image), ("bare", bare.artifact())] {
                let one = import(&world, &format!("{vm}-{bytes}-{is_extended}"), &artifact);
                for line in ["snapshot files", "snapshot cat :/root/.bash_history", "cp :/root to"] {
                    let line = if line.contains(':') {
                        line.replace(':', &format!("{one}:"))
                    } else {
                        format!("{line} {one}")
                    };
                    world.run(&line).code(10).stderr(contains("ends before a file in it does"));
                }
                world.run(&format!("snapshot export {one} -o x.tar --force --scrub history")).code(5);
            }
        }
    }
}

#[test]
fn a_file_in_a_hole_of_its_tar_takes_no_room_and_no_memory() {
    // An artifact of 1 KB: a hole costs nothing in it. It was copied out as zeros, and made empty piece by piece.
    let (world, size) = (World::new(), 1_u64 << 40);
    let manifest = serde_json::json!({
        "mode": "container", "image": "x", "digest": "none", "platform": "linux/amd64", "cpus": 1, "mem": 512,
        "assets": {
            "libraries": [], "layers": [{"path": "layers/1.tar", "size": 1, "digest": "1"}],
            "agent_rootfs": {"path": "agent-rootfs.tar", "size": 1},
        },
    });
    let (layer, base) = (claiming(size, false), tar_of(&[("etc/", "")]));
    for (file, first) in [("one", b'l'), ("other", b'L')] {
        let mut layer = layer[..2048].to_vec();
        layer[1024] = first;
        let members = [("agent-rootfs.tar", &*base, base.len() as u64), ("layers/1.tar", &*layer, size + 4096)];
        world.write(&format!("{file}.smolmachine"), artifact_with_holes(&members, &manifest));
    }
    let one = import(&world, "dev", &fs::read(world.path("work/one.smolmachine")).unwrap());
    for from in ["./one.smolmachine", &one] {
        world.run(&format!("cp {from}:/root/.bash_history to")).success();
        let meta = fs::metadata(world.path("work/to")).unwrap();
        fs::remove_file(world.path("work/to")).unwrap();
        assert_eq!((meta.len(), meta.blocks() < 10_000), (size, true), "{from}");
        world
            .run(&format!("snapshot diff ./other.smolmachine {from}"))
            .success()
            .stdout(contains("/root/.bash_history"));
        world.run(&format!("snapshot diff ./one.smolmachine {from}")).success();
    }
    let limited = within(2000, &world.line(&format!("snapshot export {one} -o x.tar --scrub history")));
    finish(limited).code(5).stderr(contains("has too much in the files that are to be emptied"));
}

#[test]
fn what_differs_is_listed() {
    let world = World::new();
    let old = import(&world, "dev", &bare("overlay").artifact());
    let mut changed = bare("journal");
    changed.base =
        tar_of(&[("bin/", ""), ("bin/sh", "##"), ("etc/", ""), ("root/", ""), ("old", "x"), ("added", "new\n")]);
    let new = import(&world, "dev", &changed.artifact());
    let text = stdout(&world.run(&format!("snapshot diff {old} {new} --patch")).success());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("{old} -> {new}"));
    for line in ["+  /added", "M  /bin/sh", "M  /etc/new", "M  /etc/passwd  (not text)", "-  /gone-below/below"]
        .map(|line| format!("diff {line}"))
    {
        assert!(lines.contains(&&*line), "{line}: {text}");
    }
    for line in ["--- a/etc/new", "+jour"] {
        assert!(lines.contains(&line), "{line}: {text}");
    }
    assert!(!text.contains("/workspace") && !text.contains("/root"), "{text}");
    assert_eq!(lines.last(), Some(&"1 new (4 B), 1 gone (1 B), 3 changed"));
    let all = json(&world, &format!("snapshot diff {old} {new}"));
    assert_eq!((&all["added"], &all["removed"], &all["changed"]), (&1.into(), &1.into(), &3.into()));
    assert_eq!(all["files"][0]["change"], "added");
    assert_eq!(all["files"][1]["differs"], serde_json::json!(["content"]));
    let stat = stdout(&world.run(&format!("snapshot diff {old} {new} --stat")).success());
    assert_eq!(stat.lines().count(), 2, "{stat}");
    // One that has no parent is compared with the newest.
    let text = stdout(&world.run(&format!("snapshot diff {old}")).success());
    assert!(text.starts_with(&format!("{old} -> {new} (to the newest)\n")), "{text}");
    world.run("snapshot diff dev").code(2);
    let same = stdout(&world.run(&format!("snapshot diff {old} {old}")).success());
    assert!(same.ends_with("0 new (0 B), 0 gone (0 B), 0 changed\n"), "{same}");
}

#[test]
fn a_bare_vm_is_compared_with_the_engine_s_small_system() {
    let world = World::new();
    let artifact = bare("overlay").artifact();
    let one = import(&world, "dev", &artifact);
    let text = stdout(&world.run("snapshot diff dev --image").success());
    assert!(text.starts_with(&format!("the image of {one} -> {one}\n")), "{text}");
    for begin in ["+  /etc/new", "-  /etc/motd", "-  /old", "M  /etc/passwd", "+  /workspace/report"] {
        assert!(text.lines().any(|line| line.starts_with(begin)), "{begin}: {text}");
    }
    assert!(!text.contains("/bin/sh"), "{text}");
    world.write("dev.smolmachine", &artifact);
    // What the hint says works.
    let hint = "make a VM of it, and freeze that: `bottle-freeze thaw ./dev.smolmachine VM`";
    world.run("snapshot diff ./dev.smolmachine --image").code(4).stderr(predicates::str::contains(hint));
    world.run("thaw ./dev.smolmachine new").success();
    world.run("freeze new --yes").success();
    world.run("snapshot diff new --image").success();
    world.run("snapshot diff dev dev --image").code(2);
}

#[test]
fn damage_is_found_when_it_is_read() {
    let world = World::new();
    let one = import(&world, "dev", &bare("overlay").artifact());
    let objects = folder(&world, &one).join("objects");
    for name in names_in(&objects) {
        let mut bytes = fs::read(objects.join(&name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // In all its places: it is one file.
        fs::write(objects.join(&name), bytes).unwrap();
    }
    world.run("snapshot files dev -r").code(10);
    world.run("snapshot cat dev:/root/text").code(10);
    world.run("snapshot diff dev dev").code(10);
}

#[test]
fn a_file_system_that_lies_is_refused_and_the_file_is_named() {
    let world = World::new();
    world.write("whole.smolmachine", bare("overlay").artifact());
    let lies = |of: &str, only_content: bool, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bare = bare("overlay");
        let system = FileSystem::new(bare.overlay.clone());
        change(&mut bare.overlay);
        // The work of a forger.
        system.seal(&mut bare.overlay);
        world.write("lies.smolmachine", bare.artifact());
        let lines = [
            "snapshot files ./lies.smolmachine -r",
            "snapshot files ./lies.smolmachine -r --json",
            "cp ./lies.smolmachine:/ copy",
            "snapshot diff ./lies.smolmachine ./whole.smolmachine",
            "snapshot diff ./whole.smolmachine ./lies.smolmachine --patch",
        ];
        for line in &lines[if only_content { 2 } else { 0 }..] {
            let stderr = stderr(&world.run(line).code(10));
            let begin = format!("{of} in ./lies.smolmachine cannot be read: ");
            assert!(stderr.contains(&begin), "{line}: {stderr}");
        }
    };
    lies("error: the files", false, &|disk| disk[0x438] = 0);
    // The name of a file, in the block of its folder.
    let at = |disk: &[u8], what: &[u8]| disk.windows(what.len()).position(|bytes| bytes == what).unwrap();
    lies("error: \"/root\"", false, &|disk| {
        let name = at(disk, b"\x04\x02deep") + 2;
        disk[name] = b'/';
    });
    lies("error: \"/root\"", false, &|disk| {
        let name = at(disk, b"\x04\x01hard") + 2;
        disk[name..name + 4].copy_from_slice(b"text");
    });
    // A folder in itself.
    lies("error: \"/root/deep\"", false, &|disk| {
        let name = at(disk, b"\x04\x02deep") + 2;
        // The first entry of a folder, `.`, has its own number.
        let root = at(disk, b"bad\xff") - 8 - 24;
        let number: [u8; 4] = disk[root..root + 4].try_into().unwrap();
        disk[name - 8..name - 4].copy_from_slice(&number);
    });
    // Content that is not on the disk, of the file with that mode and owner.
    lies("error: \"/root/suid\"", true, &|disk| {
        let inode = at(disk, b"\xed\x89\x05\0");
        disk[inode + 60..inode + 64].copy_from_slice(&[0xf0, 0xff, 0xff, 0xff]);
    });
    let cat = stderr(&world.run("snapshot cat ./lies.smolmachine:/root/suid").code(10));
    assert!(cat.contains("\"/root/suid\" in ./lies.smolmachine cannot be read: "), "{cat}");
    // All around it can be copied.
    world.run("cp ./lies.smolmachine:/root/deep .").success();
}

/// The engine's small system with these files, a link to `target`, and a file with that mode and attribute.
fn system_with(files: &[(&str, &str)], target: &str, mode: u32, attribute: &str) -> Vec<u8> {
    // Without the end of the other one.
    let mut all = tar_of(files);
    all.truncate(all.len() - 1024);
    let mut tar = tar::Builder::new(all);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    tar.append_link(&mut header, "a-link", target).unwrap();
    tar.append_pax_extensions([("SCHILY.xattr.security.capability", attribute.as_bytes())]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(mode);
    tar.append_data(&mut header, "tool", "x".as_bytes()).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn what_an_agent_did_is_all_in_the_difference_and_no_file_can_fake_it() {
    let world = World::new();
    let with = |base: Vec<u8>| Bare { base, ..bare("overlay") }.artifact();
    let before: &[(&str, &str)] = &[("crlf", "x\r\ny\r\n"), ("program", "a\0b"), ("large", &"a".repeat(1 << 20))];
    let after: &[(&str, &str)] = &[
        ("crlf", "x\ny\r\n"),
        ("program", "a\0c"),
        ("large", &"b".repeat((1 << 20) + 1)),
        ("fake", "  /etc/shadow\n"),
        ("a\nM  /etc/passwd", ""),
        ("two words", "1\n"),
    ];
    let old = import(&world, "dev", &with(system_with(before, "/old", 0o755, "1")));
    let new = import(&world, "dev", &with(system_with(after, "/new one", 0o4755, "2")));
    let plain = stdout(&world.run(&format!("snapshot diff {old} {new}")).success());
    let text = stdout(&world.run(&format!("snapshot diff {old} {new} --patch")).success());
    for line in [
        "M  /a-link  (target /old -> '/new one')",
        "M  /tool  (mode 0755 -> 4755, attributes security.capability)",
        "+  \"/a\\nM  /etc/passwd\"",
        "M  /crlf",
    ] {
        assert!(plain.lines().any(|one| one == line), "{line}: {plain}");
        assert!(text.lines().any(|one| one == format!("diff {line}")), "{line}: {text}");
    }
    for line in ["diff M  /program  (not text)", "diff M  /large  (over 1 MiB)", "+  /etc/shadow", "+++ b/two words\t"]
    {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(text.contains("\n-x\r\n+x\n y\r\n"), "{text:?}");
    let files = json(&world, &format!("snapshot diff {old} {new} --patch"))["files"].clone();
    let file = |path: &str| files.as_array().unwrap().iter().find(|file| file["path"] == path).unwrap().clone();
    assert_eq!(
        (&file("/a-link")["old"]["target"], &file("/a-link")["new"]["target"]),
        (&"/old".into(), &"/new one".into())
    );
    assert_eq!(file("/tool")["attributes"], serde_json::json!(["security.capability"]));
    assert!(file("/program").get("patch").is_none());
    assert_eq!((&file("/program")["no_patch"], &file("/large")["no_patch"]), (&"not-text".into(), &"too-large".into()));
    assert!(file("/crlf").get("no_patch").is_none());
}

/// The engine's small system with these files: their names, kinds, and targets or device numbers.
fn system_of(files: &[(&str, tar::EntryType, &str, u32)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, target, minor) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(0);
        header.set_mode(0o755);
        header.set_device_major(7).unwrap();
        header.set_device_minor(*minor).unwrap();
        if target.is_empty() {
            tar.append_data(&mut header, name, &[][..]).unwrap();
        } else {
            tar.append_link(&mut header, name, target).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

#[test]
fn another_kind_of_file_and_another_device_are_described() {
    use tar::EntryType::{Block, Char, Directory, Fifo, Regular, Symlink};
    let world = World::new();
    let with = |base: Vec<u8>| Bare { base, ..bare("overlay") }.artifact();
    let before = [
        ("a", Directory, "", 0),
        ("b", Symlink, "/x", 0),
        ("c", Fifo, "", 0),
        ("d", Char, "", 1),
        ("e", Char, "", 1),
        ("f", Regular, "", 0),
    ];
    let after = [
        ("a", Symlink, "/y", 0),
        ("b", Directory, "", 0),
        ("c", Regular, "", 0),
        ("d", Char, "", 2),
        ("e", Block, "", 1),
        ("f", Char, "", 3),
    ];
    let old = import(&world, "dev", &with(system_of(&before)));
    let new = import(&world, "dev", &with(system_of(&after)));
    for (begin, option) in [("", ""), ("diff ", " --patch")] {
        let text = stdout(&world.run(&format!("snapshot diff {old} {new}{option}")).success());
        for line in [
            "M  /a  (folder -> link, target /y",
            "M  /b  (link -> folder",
            "M  /c  (FIFO -> file)",
            "M  /d  (device 7:1 -> 7:2)",
            "M  /e  (character device 7:1 -> block device 7:1)",
            "M  /f  (file -> character device 7:3)",
        ] {
            assert!(text.lines().any(|one| one.starts_with(&format!("{begin}{line}"))), "{line}: {text}");
        }
    }
    let all = json(&world, &format!("snapshot diff {old} {new} --patch"));
    let device = all["files"].as_array().unwrap().iter().find(|file| file["path"] == "/d").unwrap();
    assert_eq!(device["differs"], serde_json::json!(["content"]));
    let numbers = (&device["old"]["device"], &device["new"]["device"]);
    assert_eq!(numbers, (&serde_json::json!([7, 1]), &serde_json::json!([7, 2])));
}

/// Text files that differ: their content before and after. Only LF ends a line.
const TEXTS: [(&str, &str); 5] = [
    ("one\r\ntwo\nthree", "one\ntwo\nfour\r\n"),
    ("fetch 10%\rfetch 100%\nok\n", "fetch 10%\rfetch 100%\nok\nmore\n"),
    ("at the end\r", "at the\rend\r"),
    ("1\u{85}2\u{2028}3\u{c}4\u{b}5\n", "1\u{85}2\u{2028}4\u{c}4\u{b}5\n"),
    ("", "\r\r\n\r"),
];

/// An artifact with these files in it.
fn with_files<'a>(files: impl Iterator<Item = (&'a [u8], &'a str)>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, OsStr::from_bytes(name), content.as_bytes()).unwrap();
    }
    Bare { base: tar.into_inner().unwrap(), ..bare("overlay") }.artifact()
}

/// Applies what `snapshot diff --patch` printed to files with these names, that have the [`TEXTS`] before.
fn assert_applies(world: &World, names: &[&[u8]], patch: &[u8]) {
    for (program, words) in [("git", ["apply"]), ("patch", ["-p1"])] {
        let folder = world.path("work").join(format!("with-{program}"));
        let files = || names.iter().zip(TEXTS).map(|(name, texts)| (folder.join(OsStr::from_bytes(name)), texts));
        fs::create_dir(&folder).unwrap();
        files().for_each(|(file, (before, _))| fs::write(file, before).unwrap());
        fs::write(world.path("work/patch"), patch).unwrap();
        let mut command = Command::new(program);
        command.args(words).current_dir(&folder);
        let input = File::open(world.path("work/patch")).unwrap();
        let Ok(applied) = command.stdin(input).output() else {
            println!("NOT RUN: {program} is not installed");
            continue;
        };
        assert!(applied.status.success(), "{program}: {applied:?}\n{}", String::from_utf8_lossy(patch));
        for (file, (_, after)) in files() {
            assert_eq!(fs::read_to_string(&file).unwrap(), after, "{program}: {}", file.display());
        }
        assert_eq!(names_in(&folder).len(), names.len());
    }
}

#[test]
fn a_patch_makes_the_older_file_the_newer_one() {
    let world = World::new();
    let names: [&[u8]; 5] = [b"1 ", b"2", b"bad\xff", b"\xc3\xa4 b\\\"\t\x1b\x7f\xfe", b"two words"];
    let files = || names.into_iter().zip(TEXTS);
    let old = import(&world, "dev", &with_files(files().map(|(name, (before, _))| (name, before))));
    let new = import(&world, "dev", &with_files(files().map(|(name, (_, after))| (name, after))));
    let patch = world.run(&format!("snapshot diff {old} {new} -p")).success().get_output().stdout.clone();
    assert_applies(&world, &names, &patch);
    let all = json(&world, &format!("snapshot diff {old} {new} -p"));
    let patches = all["files"].as_array().unwrap().iter().map(|file| file["patch"].as_str().unwrap());
    let patches: Vec<&str> = patches.collect();
    let progress = "--- a/2\n+++ b/2\n@@ -1,2 +1,3 @@\n fetch 10%\rfetch 100%\n ok\n+more\n";
    assert_eq!(patches[1], progress);
    let world = World::new();
    assert_applies(&world, &names, patches.concat().as_bytes());
    let bad = "--- \"a/bad\\377\"\n+++ \"b/bad\\377\"\n";
    assert!(patches[2].starts_with(bad), "{patches:?}");
    assert!(String::from_utf8_lossy(&patch).contains("diff M  \"/bad\\377\"\n"));
}

#[test]
fn files_and_folders_are_copied_out() {
    let world = World::new();
    import(&world, "dev", &bare("overlay").artifact());
    world.forget_calls();
    world.run("cp dev@latest:/root/text got").success();
    assert_eq!(world.read("got"), "one\ntwo\n");
    let run = world.run("cp dev@latest:/root tree").success();
    assert_eq!(stdout(&run), "left out: 2 devices, FIFOs or sockets\n");
    let at = |name: &str| world.path("work/tree").join(name);
    let mut names = names_in(&world.path("work/tree"));
    names.sort();
    let expected =
        ["deep", "esc\u{1b}[2J", "hard", "link", "long", "loop", "out", "short", "sparse", "suid", "text", "ä日"];
    assert!(expected.iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    assert!(fs::symlink_metadata(at("").join(OsStr::from_bytes(b"bad\xff"))).is_ok());
    assert_eq!(fs::read_link(at("out")).unwrap(), Path::new("../../../../../etc/passwd"));
    assert_eq!(fs::read_to_string(at("deep/a/b/c")).unwrap(), "c");
    let meta = |name: &str| fs::symlink_metadata(at(name)).unwrap();
    assert_eq!(meta("hard").ino(), meta("text").ino());
    assert_eq!((meta("suid").mode() & 0o7777, meta("text").mode() & 0o7777), (0o755, 0o644));
    assert_eq!(meta("sparse").len(), 3_221_225_475);
    assert!(meta("sparse").blocks() < 100, "{}", meta("sparse").blocks());
    assert!((1_795_000_000..1_796_000_000).contains(&meta("text").mtime()), "{}", meta("text").mtime());
    // A link is followed, in the snapshot.
    world.run("cp dev@latest:/root/link .").success();
    assert_eq!(world.read("link"), "root:x:0:0\nuser:x:1:1\n");
    // A folder is new; a file is replaced.
    let refused = stderr(&world.run("cp dev@latest:/root tree/text").code(7));
    assert!(
        refused.contains("tree/text exists") && !refused.contains("--force") && !refused.contains("-o"),
        "{refused}"
    );
    let refused = stderr(&world.run("cp dev@latest:/ .").code(2));
    assert!(refused.contains("name one that is not there: "), "{refused}");
    world.run("cp dev@latest:/ all").success();
    assert!(world.path("work/all/root/deep").is_dir());
    world.run("cp dev@latest:/etc/new got").success();
    assert_eq!(world.read("got"), "new\n");
    world.run("cp dev@latest:/root .").success();
    assert!(world.path("work/root/deep").is_dir());
    let copied = json(&world, "cp dev@latest:/workspace copied");
    assert_eq!((&copied["bytes"], &copied["left_out"]), (&6.into(), &0.into()));
    assert_eq!(json(&world, "cp dev@latest:/root other/")["left_out"], 2);
    assert!(world.path("work/other/deep").is_dir());
    for (line, what) in
        [("cp dev@latest:/etc/new none/", "there is no folder "), ("cp dev@latest:/etc/new got/", "is not a folder")]
    {
        let refused = stderr(&world.run(line).code(4));
        assert!(refused.contains(what) && refused.contains("nothing was copied"), "{refused}");
    }
    assert_eq!(world.calls().len(), 0, "an engine was called");
    for (line, code) in [
        ("cp dev@latest:/nothing x", 4),
        ("cp dev@nosuch:/etc x", 4),
        ("cp dev@latest:/root/null x", 1),
        ("cp dev@latest:/etc missing/x", 8),
        ("cp got dev@latest:/etc/x", 2),
        ("cp dev@latest:/etc/new -", 2),
    ] {
        world.run(line).code(code);
    }
    assert!(!names_in(&world.path("work")).iter().any(|name| name.starts_with(".bottle-freeze")));
}

#[test]
fn nothing_is_written_through_a_link_that_was_just_made() {
    let world = World::new();
    // A link and a folder of one name, in a tar that is read before the disk.
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    tar.append_link(&mut header, "evil", &outside).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    tar.append_data(&mut header, "evil/file", &b"x"[..]).unwrap();
    let artifact = Bare { base: tar.into_inner().unwrap(), ..bare("overlay") }.artifact();
    world.write("evil.smolmachine", artifact);
    world.run("cp ./evil.smolmachine:/ all").success();
    assert_eq!(names_in(&outside), [""; 0]);
    assert_eq!(world.read("all/evil/file"), "x");
}

/// A disk in two files: the even clusters in a qcow2 file, the odd ones below it.
fn chain(disk: &[u8]) -> [Vec<u8>; 2] {
    const CLUSTER: usize = 65_536;
    let (mut top, mut below) = (vec![0; 3 * CLUSTER], vec![0; disk.len()]);
    let mut put = |at: usize, bytes: &[u8]| top[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb");
    for (at, word) in [(4, 3_u32), (16, 1), (20, 16), (36, 1), (96, 4), (100, 104), (104, 0xe279_2aca), (108, 3)] {
        put(at, &word.to_be_bytes());
    }
    for (at, long) in [(8, 512), (24, disk.len() as u64), (40, 65_536), (CLUSTER, (1 << 63) | (2 * CLUSTER as u64))] {
        put(at, &long.to_be_bytes());
    }
    put(112, b"raw");
    put(512, b"x");
    for (number, cluster) in disk.chunks(CLUSTER).enumerate() {
        if number % 2 == 1 {
            below[number * CLUSTER..][..cluster.len()].copy_from_slice(cluster);
            continue;
        }
        let entry = (1 << 63) | top.len() as u64;
        top[2 * CLUSTER + 8 * number..][..8].copy_from_slice(&entry.to_be_bytes());
        top.extend(cluster);
    }
    [top, below]
}

/// A file of a disk in an artifact of a running VM.
fn disk_file(path: &str, format: &str) -> Value {
    serde_json::json!({"asset": {"path": path}, "format": format})
}

/// An artifact of a running VM: with these files of its first disk, the members that they name, and the rest of `whole`.
fn live(whole: &Bare, files: &[Value], disks: &[(&str, &[u8])]) -> Vec<u8> {
    let manifest = serde_json::json!({
        "mode": "vm", "image": "vm://dev", "digest": "none", "platform": "linux/amd64", "cpus": 1, "mem": 512,
        "assets": {"libraries": [], "layers": [], "agent_rootfs": {"path": "agent-rootfs.tar", "size": 1}},
        "checkpoint": {"disks": [
            {"role": "overlay", "files": files},
            {"role": "storage", "files": [disk_file("checkpoint/disks/storage/0", "raw")]},
        ]},
    });
    let rest = [("agent-rootfs.tar", &*whole.base), ("checkpoint/disks/storage/0", &*whole.storage)];
    artifact(&[disks, &rest].concat(), &manifest)
}

const TOP: &str = "checkpoint/disks/overlay/0";
const BELOW: &str = "checkpoint/disks/overlay/1";

#[test]
fn the_disks_of_a_running_vm_are_read_as_they_lie_over_one_another() {
    let world = World::new();
    let whole = bare("journal");
    let [top, below] = chain(&whole.overlay);
    let files = [disk_file(TOP, "qcow2"), disk_file(BELOW, "raw")];
    let disks = [(TOP, &*top), (BELOW, &*below)];
    world.write("live.checkpoint", live(&whole, &files, &disks));
    world.write("dev.smolmachine", whole.artifact());
    let lists =
        ["./live.checkpoint", "./dev.smolmachine"].map(|file| json(&world, &format!("snapshot files {file} -r")));
    assert_eq!(lists[0], lists[1]);
    assert_eq!(stdout(&world.run("snapshot cat ./live.checkpoint:/etc/new").success()), "jour");
    let text = stdout(&world.run("snapshot diff ./live.checkpoint ./dev.smolmachine").success());
    assert!(text.ends_with("0 new (0 B), 0 gone (0 B), 0 changed\n"), "{text}");
    // A disk below itself, again and again; and one that is missing.
    world.write("deep.checkpoint", live(&whole, &vec![files[0].clone(); 10_000], &disks));
    world.run("snapshot files ./deep.checkpoint").code(10);
    world.write("short.checkpoint", live(&whole, &files, &disks[..1]));
    world.run("snapshot files ./short.checkpoint").code(10);
}

#[test]
fn a_disk_of_a_running_vm_that_contradicts_itself_is_damage() {
    let world = World::new();
    let whole = bare("overlay");
    let [top, below] = chain(&whole.overlay);
    let beyond = ((1_u64 << 63) | (1 << 40)).to_be_bytes();
    // Its version, its first table, and a table of the second level: the entries of its first and its last cluster with data.
    for (at, bytes) in
        [(4, &[0, 0, 0, 9][..]), (40, &beyond), (65_536, &beyond), (131_072, &beyond), (131_272, &beyond)]
    {
        let mut top = top.clone();
        top[at..at + bytes.len()].copy_from_slice(bytes);
        let files = [disk_file(TOP, "qcow2"), disk_file(BELOW, "raw")];
        world.write("live.checkpoint", live(&whole, &files, &[(TOP, &top), (BELOW, &below)]));
        let run = world.run("cp ./live.checkpoint:/ copy");
        let said = stderr(&run);
        assert_eq!(run.get_output().status.code(), Some(10), "{at}: {said}");
        assert!(said.contains("cannot be read: a disk "), "{at}: {said}");
    }
}

/// Compared as wholes: byte by byte, a large disk takes half a minute without optimization.
fn is_zero(block: &[u8]) -> bool {
    block.chunks(4096).all(|chunk| *chunk == [0; 4096][..chunk.len()])
}

/// The disk in this file as one of a running VM: what is zeros is not in it.
fn sparse_qcow2(image: &Path) -> Vec<u8> {
    const CLUSTER: usize = 65_536;
    let file = File::open(image).unwrap();
    let size = file.metadata().unwrap().len();
    let tables = usize::try_from(size.div_ceil(512 << 20)).unwrap();
    let mut top = vec![0; (2 + tables) * CLUSTER];
    let mut put = |at: usize, bytes: &[u8]| top[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb");
    for (at, word) in [(4, 3_u32), (16, 1), (20, 16), (36, u32::try_from(tables).unwrap()), (96, 4), (100, 104)] {
        put(at, &word.to_be_bytes());
    }
    for (at, word) in [(104, 0xe279_2aca_u32), (108, 3)] {
        put(at, &word.to_be_bytes());
    }
    for (at, long) in [(8, 512), (24, size), (40, CLUSTER as u64)] {
        put(at, &long.to_be_bytes());
    }
    put(112, b"raw");
    put(512, b"x");
    for table in 0..tables {
        put(CLUSTER + 8 * table, &((1 << 63) | ((2 + table) * CLUSTER) as u64).to_be_bytes());
    }
    let mut cluster = vec![0; CLUSTER];
    for number in 0..usize::try_from(size).unwrap() / CLUSTER {
        file.read_exact_at(&mut cluster, (number * CLUSTER) as u64).unwrap();
        if !is_zero(&cluster) {
            let entry = (1 << 63) | top.len() as u64;
            top[2 * CLUSTER + 8 * number..][..8].copy_from_slice(&entry.to_be_bytes());
            top.extend(&cluster);
        }
    }
    top
}

#[test]
fn a_large_file_of_zeros_of_a_running_vm_is_copied_as_a_hole() {
    if !crate::trim::has_tools() {
        return;
    }
    let world = World::new();
    let (source, image) = (world.path("source"), world.path("image"));
    fs::create_dir_all(source.join("upper")).unwrap();
    let (mixed, data) = (File::create(source.join("upper/mixed")).unwrap(), random_bytes(65_536));
    mixed.set_len(4 << 20).unwrap();
    (0..16).for_each(|number| mixed.write_all_at(&data, number << 18).unwrap());
    let run = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let (from, to) = (source.to_str().unwrap(), image.to_str().unwrap());
    let plain = "^metadata_csum,^uninit_bg,^has_journal";
    run("mke2fs", &["-q", "-t", "ext4", "-b", "4096", "-O", plain, "-N", "400", "-d", from, to, "2G"]);
    // Written, as zeros: data for the file system, nothing for the disk.
    let lines = "write /dev/null upper/zeros\nsif upper/zeros size 1610612736\nfallocate upper/zeros 0 393215\n\
                 fallocate upper/mixed 0 1023\n";
    let script = world.write("script", lines);
    run("debugfs", &["-w", "-f", script.to_str().unwrap(), to]);
    written(&image);
    let top = sparse_qcow2(&image);
    let whole = bare("overlay");
    world.write("live.checkpoint", live(&whole, &[disk_file(TOP, "qcow2")], &[(TOP, &top)]));
    world.run("cp ./live.checkpoint:/zeros zeros").success();
    let copy = fs::metadata(world.path("work/zeros")).unwrap();
    assert_eq!(copy.len(), 1_610_612_736);
    assert!(copy.blocks() < 1000, "{} blocks", copy.blocks());
    world.run("cp ./live.checkpoint:/mixed mixed").success();
    assert!(fs::read(world.path("work/mixed")).unwrap() == fs::read(source.join("upper/mixed")).unwrap());
    let copy = fs::metadata(world.path("work/mixed")).unwrap();
    assert!(copy.blocks() < 6000, "{} blocks", copy.blocks());
}

/// Marks the extents of its files as written. They are in lists of their own, or in inodes.
fn written(image: &Path) {
    let mut bytes = fs::read(image).unwrap();
    let lists: Vec<usize> =
        memchr::memmem::find_iter(&bytes, b"\x0a\xf3").filter(|at| at % 4 == 0 && bytes[at + 6] == 0).collect();
    for at in lists {
        for entry in 0..usize::from(bytes[at + 2]) {
            let length = at + 12 + 12 * entry + 4;
            let blocks = u16::from_le_bytes([bytes[length], bytes[length + 1]]);
            if blocks > 0x8000 {
                bytes[length + 1] -= 0x80;
            }
        }
    }
    // Holes stay holes.
    let file = File::options().write(true).open(image).unwrap();
    for (number, block) in bytes.chunks(4096).enumerate() {
        if !is_zero(block) {
            file.write_all_at(block, (number * 4096) as u64).unwrap();
        }
    }
}

#[test]
fn zeros_in_a_snapshot_that_is_one_file_take_no_space() {
    in_a_namespace(|| {
        let world = World::new();
        let mut bare = bare("overlay");
        bare.overlay.resize(400 << 20, 0);
        world.write("dev.smolmachine", bare.artifact());
        disk(&world.path("home/library"), "size=64m");
        disk(&world.path("tmp"), "size=64m");
        world.run("snapshot files ./dev.smolmachine").success();
    });
}

#[test]
fn folders_deeper_than_a_path_can_be_are_copied_with_their_modes() {
    let world = World::new();
    let deep = vec!["d".repeat(200); 30].join("/");
    let mut tar = tar::Builder::new(Vec::new());
    for (path, kind, mode) in [
        (format!("{deep}/closed/"), tar::EntryType::Directory, 0o500),
        (format!("{deep}/closed/file"), tar::EntryType::Regular, 0o400),
        (format!("{deep}/closed/inner/"), tar::EntryType::Directory, 0o111),
        ("closed/".to_owned(), tar::EntryType::Directory, 0o555),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(mode);
        tar.append_data(&mut header, path, &b""[..]).unwrap();
    }
    let base = tar.into_inner().unwrap();
    world.write("deep.smolmachine", Bare { base, ..bare("overlay") }.artifact());
    world.run("cp ./deep.smolmachine:/ all").success();
    let found = |words: &[&str]| {
        let output = Command::new("find").arg("all").args(words).current_dir(world.path("work")).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::len).collect::<Vec<_>>()
    };
    let long = "all//closed".len() + deep.len();
    assert_eq!(found(&["-name", "closed", "-perm", "500"]), [long]);
    assert_eq!(found(&["-name", "inner", "-perm", "111"]), [long + "/inner".len()]);
    assert_eq!(found(&["-name", "closed", "-perm", "555"]), ["all/closed".len()]);
    found(&["-type", "d", "-execdir", "chmod", "700", "{}", "+"]);
}

#[test]
fn a_long_target_of_a_link_is_cut_in_a_message() {
    let world = World::new();
    let base = system_of(&[("a", tar::EntryType::Symlink, &"x/".repeat(2000), 0)]);
    world.write("long.smolmachine", Bare { base, ..bare("overlay") }.artifact());
    let stderr = stderr(&world.run("snapshot cat ./long.smolmachine:/a").code(4));
    assert!(stderr.contains(&format!("is a link to \"{}…\", which is not there", "x/".repeat(50))), "{stderr}");
}

/// Renames an attribute with the value `y`, without its prefix.
fn rename_attribute(disk: &mut [u8], old: &[u8], new: &[u8]) {
    set_attribute(disk, old, new, b'y');
}

/// The same, with this value.
fn set_attribute(disk: &mut [u8], old: &[u8], new: &[u8], value: u8) {
    let system = FileSystem::new(disk.to_vec());
    let at = disk.windows(old.len()).position(|bytes| bytes == old).unwrap();
    let entry = at - 16;
    disk[entry] = u8::try_from(new.len()).unwrap();
    disk[at..at + new.len()].copy_from_slice(new);
    // It is the first one in its inode.
    let value_at = entry + usize::from(u16::from_le_bytes([disk[entry + 2], disk[entry + 3]]));
    assert_eq!(disk[value_at], b'y');
    disk[value_at] = value;
    system.seal(disk);
}

#[test]
fn what_lies_elsewhere_is_refused_and_not_read_as_zeros() {
    let world = World::new();
    let mut bare = bare("overlay");
    rename_attribute(&mut bare.overlay, b"overlay.opaque", b"overlay.metacopy");
    world.write("moved.smolmachine", bare.artifact());
    world.run("snapshot files ./moved.smolmachine /etc/apk").code(10);
}

#[test]
fn a_mark_of_linux_that_hides_nothing_is_no_damage() {
    let world = World::new();
    // `protattr` is what `chattr +i` leaves.
    for mark in ["origin", "impure", "upper", "protattr"] {
        let mut bare = bare("overlay");
        rename_attribute(&mut bare.overlay, b"overlay.opaque", format!("overlay.{mark}").as_bytes());
        world.write("marked.smolmachine", bare.artifact());
        let all = json(&world, "snapshot files ./marked.smolmachine /etc/apk");
        assert_eq!(paths(&all), ["/etc/apk/repositories", "/etc/apk/world"], "{mark}");
        let parent = json(&world, "snapshot files ./marked.smolmachine /etc");
        assert_eq!(
            (&parent[0]["path"], &parent[0]["attributes"]),
            (&"/etc/apk".into(), &serde_json::json!({})),
            "{mark}"
        );
    }
}

#[test]
fn an_unknown_mark_of_overlayfs_is_refused_and_not_guessed() {
    let world = World::new();
    let refuses = |mark: &str, value: u8| {
        let mut bare = bare("overlay");
        let mark = format!("overlay.{mark}");
        set_attribute(&mut bare.overlay, b"overlay.opaque", mark.as_bytes(), value);
        world.write("marked.smolmachine", bare.artifact());
        let stderr = stderr(&world.run("snapshot files ./marked.smolmachine /etc/apk").code(10));
        assert!(stderr.contains("has a file with an unknown attribute of overlayfs"), "{mark}: {stderr}");
    };
    // With `index=on`, which the engine does not use, other names of a file show its new content, too.
    for mark in ["nlink", "whiteout", "opaqux"] {
        refuses(mark, b'y');
    }
    // Of files that are whiteouts by an attribute; and no path.
    refuses("opaque", b'x');
    refuses("redirect", b'/');
}

#[test]
fn a_renamed_folder_has_the_files_of_the_one_below() {
    let world = World::new();
    let mut bare = bare("overlay");
    // The mark becomes that of a folder that was renamed: from `r`, a name in the same folder.
    rename_attribute(&mut bare.overlay, b"overlay.opaque", b"overlay.redirect");
    bare.base =
        tar_of(&[("etc/", ""), ("etc/y/", ""), ("etc/y/renamed", "r"), ("etc/apk/", ""), ("etc/apk/hidden", "")]);
    world.write("moved.smolmachine", bare.artifact());
    let all = json(&world, "snapshot files ./moved.smolmachine /etc/apk");
    assert_eq!(paths(&all), ["/etc/apk/renamed", "/etc/apk/world"]);
}

/// What is below a folder of this host: path, and kind, mode, content or target.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut all, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = match meta.file_type() {
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_vec(),
                kind if kind.is_file() => fs::read(&path).unwrap(),
                _ => Vec::new(),
            };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            let mode = if meta.is_symlink() { 0 } else { meta.mode() & 0o777 };
            all.insert(path.strip_prefix(folder).unwrap().to_owned(), ((meta.mode() & 0o170_000) | mode, content));
        }
    }
    all
}

/// Makes a random tree of files.
fn grow(folder: &Path, random: &mut Random) {
    let mut folders = vec![folder.to_owned()];
    for number in 0..300 {
        let above = folders[usize::try_from(random.below(folders.len() as u64)).unwrap()].clone();
        let names =
            [format!("f{number}"), format!("ä日{number}"), format!("a b\n{number}"), format!("{number}\u{1b}[2J")];
        let path = above.join(&names[usize::try_from(random.below(4)).unwrap()]);
        match random.below(8) {
            0 | 1 => {
                fs::create_dir(&path).unwrap();
                folders.push(path);
            }
            2 => symlink(format!("../{number}/{}", "x".repeat(usize::try_from(random.below(120)).unwrap())), &path)
                .unwrap(),
            3 => {
                let file = File::create(&path).unwrap();
                file.write_all_at(b"end", random.below(1 << 22)).unwrap();
            }
            _ => {
                fs::write(&path, random_bytes(usize::try_from(random.below(20_000)).unwrap())).unwrap();
                fs::set_permissions(
                    &path,
                    fs::Permissions::from_mode(0o600 | u32::try_from(random.below(64)).unwrap()),
                )
                .unwrap();
                if random.below(4) == 0 {
                    fs::hard_link(&path, folder.join(format!("hard{number}"))).unwrap();
                }
            }
        }
    }
    fs::create_dir(folder.join("many")).unwrap();
    (0..1500).for_each(|number| fs::write(folder.join(format!("many/{number}")), number.to_string()).unwrap());
    let deep = (0..60).fold(folder.to_owned(), |path, number| path.join(format!("deep{number}")));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "b").unwrap();
}

#[test]
fn random_trees_are_those_that_debugfs_shows() {
    let mut random = Random::new();
    if !crate::trim::has_tools() {
        return;
    }
    for round in 0..if is_long() { 3 } else { 2 } {
        let world = World::new();
        let (source, image) = (world.path("source"), world.path("image"));
        fs::create_dir_all(source.join("upper")).unwrap();
        grow(&source.join("upper"), &mut random);
        let run = |program: &str, words: &[&str]| {
            let output = Command::new(program).args(words).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        let block = ["1024", "2048", "4096"][usize::try_from(random.below(3)).unwrap()];
        let (from, to) = (source.to_str().unwrap(), image.to_str().unwrap());
        run("mke2fs", &["-q", "-t", "ext4", "-b", block, "-N", "4000", "-d", from, to, "48M"]);
        let mut seen = Vec::new();
        for step in ["old", "new"] {
            if step == "new" {
                let script =
                    world.write("script", "rm /upper/many/7\nmkdir /upper/made\nsif /upper/many/8 mode 0100640\n");
                run("debugfs", &["-w", "-f", script.to_str().unwrap(), to]);
            }
            let base = tar_of(&[("only-below", "x")]);
            world.write(
                &format!("{step}.smolmachine"),
                Bare { base, overlay: fs::read(&image).unwrap(), storage: corpus("storage") }.artifact(),
            );
            let dump = world.path(&format!("{step}.dump"));
            fs::create_dir(&dump).unwrap();
            run("debugfs", &["-R", &format!("rdump /upper {}", dump.display()), to]);
            world.run(&format!("cp ./{step}.smolmachine:/ {step}.copy")).success();
            let mut copy = tree(&world.path(&format!("work/{step}.copy")));
            copy.retain(|path, _| {
                !path.starts_with("storage") && !path.starts_with("workspace") && path != Path::new("only-below")
            });
            let dumped = tree(&dump.join("upper"));
            let differs = dumped.iter().find(|(path, file)| copy.get(*path) != Some(file)).map(|(path, _)| path);
            assert_eq!((differs, copy.len()), (None, dumped.len()), "round {round}");
            seen.push(dumped);
        }
        let text = json(&world, "snapshot diff ./old.smolmachine ./new.smolmachine");
        assert_eq!(paths(&text["files"]), ["/made", "/many/7", "/many/8"], "round {round}");
        assert_eq!(seen[0].len(), seen[1].len());
    }
}

#[test]
fn a_damaged_file_system_ends_with_status_10_or_is_read() {
    let mut random = Random::new();
    let world = World::new();
    let system = FileSystem::new(corpus("journal"));
    let whole = &system.bytes;
    // Where there is anything to damage.
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for round in 0..if is_long() { 400 } else { 20 } {
        let mut overlay = whole.clone();
        for _ in 0..random.between(1, 6) {
            let near = used[usize::try_from(random.below(used.len() as u64)).unwrap()];
            let at = (near + usize::try_from(random.below(8)).unwrap()).min(overlay.len() - 1);
            overlay[at] = [0, 1, 0x7f, 0x80, 0xff, overlay[at] ^ 1][usize::try_from(random.below(6)).unwrap()];
        }
        // Superblock and groups are whole, so that most damage is behind them. A forger makes checksums that fit.
        overlay[..2048].copy_from_slice(&whole[..2048]);
        if random.below(2) == 0 {
            system.seal(&mut overlay);
        }
        world.write("damaged.smolmachine", Bare { overlay, ..bare("journal") }.artifact());
        for line in ["snapshot files ./damaged.smolmachine -r --json", "cp ./damaged.smolmachine:/ copy"] {
            let status = world.run(line).get_output().status.code();
            // A damaged size may be too large for this host's file system.
            assert!(matches!(status, Some(0 | 8 | 10)), "round {round}: {line}: {status:?}");
        }
        let copy = world.path("work/copy");
        assert!(!copy.exists() || copy.is_dir(), "round {round}: all files are in a folder");
        let _ = fs::remove_dir_all(copy);
    }
}
