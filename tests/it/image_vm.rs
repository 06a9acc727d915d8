//! Image VMs are frozen from their disk: what their guest sees, in one layer.

use crate::full_disk::fill;
use crate::leftovers::{left, wait_for_the_dead};
use crate::support::chaos::{Random, is_long};
use crate::support::library::snapshots;
use crate::support::namespace::{disk, in_a_namespace};
use crate::support::{World, finish, names_in, random_bytes, real, stderr, stdout};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const CLUSTER: usize = 64 << 10;
/// The engine's default.
const DISK: u64 = 20 << 30;

/// A disk of the engine: these bytes over a template.
fn qcow2(disk: &[u8], template: &Path) -> Vec<u8> {
    let name = template.as_os_str().as_bytes();
    let mut bytes = vec![0; 3 * CLUSTER];
    let mut put = |at: usize, new: &[u8]| bytes[at..at + new.len()].copy_from_slice(new);
    let length = u32::try_from(name.len()).unwrap();
    for (at, word) in [(4, 3_u32), (16, length), (20, 16), (36, 40), (96, 4), (100, 104), (104, 0xe279_2aca), (108, 3)]
    {
        put(at, &word.to_be_bytes());
    }
    for (at, long) in [(8, 512), (24, DISK), (40, CLUSTER as u64)] {
        put(at, &long.to_be_bytes());
    }
    put(0, b"QFI\xfb");
    put(112, b"raw");
    put(512, name);
    put(CLUSTER, &((1 << 63) | (2 * CLUSTER as u64)).to_be_bytes());
    for number in 0..disk.len().div_ceil(CLUSTER) {
        put(2 * CLUSTER + 8 * number, &((1 << 63) | ((3 + number) * CLUSTER) as u64).to_be_bytes());
    }
    bytes.extend(disk);
    bytes
}

/// Changes the disk of the VM, as its guest does.
fn change(world: &World, commands: &[&str]) {
    let (raw, template) = (world.path("storage.raw"), world.path("storage-template.ext4"));
    for command in commands {
        let done = Command::new("debugfs").args(["-w", "-R", command]).arg(&raw).output().unwrap();
        assert!(done.status.success(), "debugfs {command}: {done:?}");
    }
    fs::write(disks(world).join("storage.qcow2"), qcow2(&fs::read(raw).unwrap(), &template)).unwrap();
}

/// The folder of its disks.
fn disks(world: &World) -> PathBuf {
    disks_of(world, "dev")
}

fn disks_of(world: &World, vm: &str) -> PathBuf {
    let folder = String::from_utf8(real::smolvm(world, &format!("machine data-dir --name {vm}")).stdout).unwrap();
    PathBuf::from(folder.trim_end())
}

/// Whether there is a real engine, and its image VMs are known here. (The tests change owners.)
fn is_known_here(world: &World) -> bool {
    let is_root = fs::metadata(world.path("")).unwrap().uid() == 0;
    if !cfg!(target_os = "linux") || !is_root {
        println!("NOT RUN: not Linux, or not root");
        return false;
    }
    real::is_asked_for()
}

/// A disk of the corpus.
fn corpus(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/image").join(name).with_extension("zst");
    zstd::decode_all(&*fs::read(path).unwrap()).unwrap()
}

/// A VM `dev` of a folder, made by the real engine. Its disk has the changes of the corpus. Nothing if there is no engine, or
/// such VMs are not known here.
fn image_vm(world: &World) -> bool {
    if !is_known_here(world) {
        return false;
    }
    fs::create_dir_all(world.path("work/rootfs/opt/replaced/old")).unwrap();
    world.write("rootfs/base", "of the folder");
    world.write("rootfs/opt/file", "removed in the guest");
    world.write("rootfs/opt/replaced/old/f", "replaced in the guest");
    real::smolvm(world, "machine create --name dev --image ./rootfs --cpus 1 --mem 256");
    let folder = disks(world);
    fs::create_dir_all(&folder).unwrap();
    let sparse = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_len(DISK).unwrap();
    let template = world.path("storage-template.ext4");
    fs::write(&template, "template").unwrap();
    sparse(&template);
    fs::write(world.path("storage.raw"), corpus("disk")).unwrap();
    fs::write(folder.join("overlay.raw"), "overlay").unwrap();
    change(world, &[]);
    true
}

#[test]
fn it_is_frozen_without_the_engine_and_the_engine_takes_what_was_written() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let run = |line: &str| finish(real::line(&world, line)).success();
    let printed = stderr(&run("freeze dev --yes --verbose"));
    assert!(!printed.contains("--from-vm=dev"), "{printed}");
    assert!(stdout(&run("freeze dev --yes --if-changed --json")).contains("\"unchanged\": true"));
    run("snapshot verify --all");
    run("thaw dev again --no-start");
    let [layer, layers] = unpacked(&world);
    let file = |path: &str| fs::read_to_string(layer.join(path)).ok();
    assert_eq!(file("base").as_deref(), Some("of the folder"));
    assert_eq!(file("opt/renamed").as_deref(), Some("opt/rename-me\n"));
    assert_eq!(file("opt/replaced/new").as_deref(), Some("new\n"));
    assert_eq!((file("opt/file"), file("opt/replaced/old/f")), (None, None));
    assert!(layers.join("workspace-seed/workspace.tar").exists());
    assert!(stdout(&run("freeze dev --dry-run --json")).contains("\"way\": \"disks\""));
}

/// The layer that the engine unpacked for VMs made from an artifact, and the folder of the artifact's layers.
fn unpacked(world: &World) -> [PathBuf; 2] {
    let shared = world.path("home/.cache/smolvm/vms/_shared");
    let content = fs::read_dir(shared).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let layers = content.join("layers");
    let mut all = fs::read_dir(&layers).unwrap().map(|entry| entry.unwrap().path());
    [all.find(|path| path.join("root").exists()).unwrap(), layers]
}

/// Makes a VM whose disk has the images of the corpus, freezes and thaws it, and returns the layer.
fn refrozen(world: &World, image: &str) -> PathBuf {
    world.write("image.tar", "an archive");
    real::smolvm(world, &format!("machine create --name dev --image {image} --cpus 1 --mem 256 --storage 2"));
    let folder = disks(world);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("overlay.raw"), "overlay").unwrap();
    fs::write(folder.join("storage.raw"), corpus("origins")).unwrap();
    let run = |line: &str| finish(real::line(world, line)).success();
    let printed = stderr(&run("freeze dev --yes --verbose"));
    assert!(!printed.contains("--from-vm=dev"), "{printed}");
    assert!(stdout(&run("freeze dev --yes --if-changed --json")).contains("\"unchanged\": true"));
    assert!(stdout(&run("snapshot diff dev --image")).contains("/root/mine"));
    run("snapshot verify --all");
    run("thaw dev again --no-start");
    let [layer, _] = unpacked(world);
    assert_eq!(fs::read_to_string(layer.join("root/mine")).unwrap(), "mine\n");
    layer
}

#[test]
fn the_image_of_a_registry_is_on_the_disk_with_all_its_layers() {
    let world = World::new();
    if !is_known_here(&world) {
        return;
    }
    let layer = refrozen(&world, "127.0.0.1:5000/img:2 --net");
    let file = |path: &str| fs::read_to_string(layer.join(path)).ok();
    assert_eq!((file("etc/os").as_deref(), file("opt/old/n").as_deref()), (Some("two\n"), Some("new\n")));
    assert_eq!((file("etc/gone"), file("opt/old/f")), (None, None));
    let meta = fs::metadata(layer.join("bin/sh")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (7, 8));
}

#[test]
fn the_image_of_an_archive_is_on_the_disk() {
    let world = World::new();
    if is_known_here(&world) {
        let layer = refrozen(&world, "./image.tar");
        assert_eq!(fs::read_to_string(layer.join("etc/os")).unwrap(), "arch\n");
    }
}

/// Files of the image that are larger than the rest.
fn large_image(world: &World, mib: usize) {
    for number in 0..mib {
        world.write(&format!("rootfs/opt/large-{number:02}"), random_bytes(1 << 20));
    }
    // What changed just before it is read, is not known to be the same later.
    std::thread::sleep(Duration::from_millis(3100));
}

/// Freezes it. Returns what was printed as JSON.
fn freeze(world: &World) -> Value {
    let run = finish(real::line(world, "freeze dev --yes --json")).success();
    serde_json::from_str(&stdout(&run)).unwrap()
}

/// What the newest snapshot consists of.
fn index(world: &World, frozen: &Value) -> Value {
    let folder = frozen["reference"].as_str().unwrap().replace('@', "/");
    let index = world.path("home/library/snapshots").join(folder).join("index.json");
    serde_json::from_slice(&fs::read(index).unwrap()).unwrap()
}

/// The members of a snapshot, without times.
fn members(index: &Value) -> Vec<(Value, Value)> {
    let members = index["members"].as_array().unwrap().iter();
    members.map(|member| (member["path"].clone(), member["chunks"].clone())).collect()
}

#[test]
fn what_was_changed_since_it_was_made_is_listed_without_its_image() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let one = freeze(&world)["reference"].as_str().unwrap().to_owned();
    fs::remove_dir_all(world.path("work/rootfs")).unwrap();
    let text = stdout(&finish(real::line(&world, "snapshot diff dev --image")).success());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("the image of {one} -> {one}"));
    for line in ["-  /opt/file", "+  /opt/renamed", "-  /opt/replaced/old", "+  /opt/replaced/new"] {
        assert!(lines.contains(&line), "{line}: {text}");
    }
    assert!(!text.contains("/base"), "{text}");
    let text = stdout(&finish(real::line(&world, "snapshot diff dev --image --patch")).success());
    assert!(text.contains("\n--- a/opt/file\n") && text.contains("\n-removed in the guest\n"), "{text}");
    let json: Value =
        serde_json::from_str(&stdout(&finish(real::line(&world, "snapshot diff dev --image --json")).success()))
            .unwrap();
    assert_eq!(json["old"], format!("the image of {one}"));
}

#[test]
fn the_next_freeze_takes_what_did_not_change_from_the_last_one() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    large_image(&world, 12);
    let first = freeze(&world);
    let again = freeze(&world);
    assert_eq!(members(&index(&world, &first)), members(&index(&world, &again)));
    assert_eq!(again["snapshot"]["artifact"]["added"], 0, "{} {}", index(&world, &first), index(&world, &again));
    world.write("new", random_bytes(300_000));
    let upper = "overlays/persistent-dev/upper";
    let new = world.path("work/new");
    change(&world, &[&format!("write {} {upper}/opt/large-05", new.display()), &format!("rm {upper}/opt/renamed")]);
    fs::remove_file(world.path("work/rootfs/opt/large-07")).unwrap();
    let changed = freeze(&world);
    let added = changed["snapshot"]["artifact"]["added"].as_u64().unwrap();
    assert!((300_000..4_000_000).contains(&added), "{added}");
    finish(real::line(&world, "snapshot verify --all")).success();
    // As a library reads it that knows nothing of it.
    let mut fresh = real::line(&world, "freeze dev --yes --json");
    fresh.env("BOTTLE_FREEZE_HOME", world.path("home/fresh"));
    let fresh: Value = serde_json::from_str(&stdout(&finish(fresh).success())).unwrap();
    let folder = fresh["reference"].as_str().unwrap().replace('@', "/");
    let of_fresh = fs::read(world.path("home/fresh/snapshots").join(folder).join("index.json")).unwrap();
    let of_fresh: Value = serde_json::from_slice(&of_fresh).unwrap();
    assert_eq!(members(&of_fresh), members(&index(&world, &changed)));
}

/// A program that maps a file, writes to it, and writes again when a line comes.
const MAPPING: &str = "import mmap, sys
with open(sys.argv[1], 'r+b') as file: page = mmap.mmap(file.fileno(), 4096)
for text in (b'first-', b'second'):
    page[:6] = text
    print(flush=True)
    sys.stdin.readline()";

/// The kernel sets the time of a change once for what is written to a page that is mapped.
#[test]
fn what_a_program_writes_to_a_mapped_file_of_the_image_is_not_missed() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    world.write("rootfs/opt/mapped", vec![b'x'; 4096]);
    let mut program = Command::new("python3");
    program.args(["-c", MAPPING]).arg(world.path("work/rootfs/opt/mapped"));
    let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (program.stdin.take().unwrap(), BufReader::new(program.stdout.take().unwrap()));
    let mut written = || output.read_line(&mut String::new()).unwrap();
    written();
    std::thread::sleep(Duration::from_millis(3100));
    freeze(&world);
    writeln!(input).unwrap();
    written();
    freeze(&world);
    let text = stdout(&finish(real::line(&world, "snapshot cat dev:/opt/mapped")).success());
    assert!(text.starts_with("second"), "{text:.10}");
    drop(input);
    program.wait().unwrap();
    assert_eq!(freeze(&world)["snapshot"]["artifact"]["added"].as_u64().map(|added| added < 10_000), Some(true));
}

#[test]
fn a_device_in_the_workspace_is_kept_also_if_it_would_hide_a_file_in_a_layer() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let script = world.path("tmp/script");
    fs::write(&script, "cd workspace\nmknod gone c 0 0\nmknod null c 1 3\n").unwrap();
    let mut debugfs = Command::new("debugfs");
    assert!(debugfs.args(["-w", "-f"]).arg(script).arg(world.path("storage.raw")).output().unwrap().status.success());
    change(&world, &[]);
    freeze(&world);
    let text = stdout(&finish(real::line(&world, "snapshot files dev /workspace -l")).success());
    assert!(text.contains("gone") && text.contains("null"), "{text}");
}

#[test]
fn a_folder_that_was_moved_and_has_a_link_in_its_place_is_the_image() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let first = freeze(&world);
    fs::rename(world.path("work/rootfs"), world.path("work/moved")).unwrap();
    symlink("moved", world.path("work/rootfs")).unwrap();
    assert_eq!(members(&index(&world, &first)), members(&index(&world, &freeze(&world))));
}

#[test]
fn without_the_objects_of_its_image_a_snapshot_can_be_exported_and_thawed() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let (first, run) = (freeze(&world), |line: &str| finish(real::line(&world, line)));
    let folder = first["reference"].as_str().unwrap().replace('@', "/");
    let objects = world.path("home/library/snapshots").join(folder).join("objects");
    let index = index(&world, &first);
    let names = |key: &str| -> BTreeSet<String> {
        let chunks = index[key].as_array().unwrap().iter().filter_map(|member| member["chunks"].as_array()).flatten();
        chunks.filter_map(|chunk| Some(chunk[0].as_str()?.to_owned())).collect()
    };
    let only_base: Vec<String> = names("base").difference(&names("members")).cloned().collect();
    assert!(!only_base.is_empty());
    for name in &only_base {
        fs::write(objects.join(name), "damaged").unwrap();
    }
    run("snapshot verify --all").code(10);
    run("snapshot export dev -o dev.tar --allow-secrets").success();
    run("thaw dev again --no-start").success();
}

#[test]
fn what_is_kept_of_its_image_is_shown_beside_its_size() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    // The guest has deleted it.
    world.write("rootfs/opt/file", random_bytes(3 << 20));
    freeze(&world);
    let run = |line: &str| stdout(&finish(real::line(&world, line)).success());
    let text = run("snapshot show dev");
    let rest = text.split_once(", and 3.0").expect(&text).1;
    assert!(rest.contains(" of its image for the next freeze; removing it frees "), "{text}");
    let json: Value = serde_json::from_str(&run("snapshot show dev --json")).unwrap();
    let [bytes, unique] = ["bytes", "unique_bytes"].map(|key| json[key].as_u64().unwrap());
    let removed: Value = serde_json::from_str(&run("snapshot rm dev --yes --json")).unwrap();
    assert_eq!(removed["freed"].as_u64(), Some(unique), "{bytes}");
}

#[test]
fn a_damaged_snapshot_does_not_spoil_the_next_one() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    large_image(&world, 4);
    let first = freeze(&world);
    let folder = first["reference"].as_str().unwrap().replace('@', "/");
    let objects = world.path("home/library/snapshots").join(folder).join("objects");
    let image = index(&world, &first)["base"].clone();
    let chunks = image.as_array().unwrap().iter().flat_map(|member| member["chunks"].as_array().unwrap());
    for name in chunks.filter_map(|chunk| chunk[0].as_str()) {
        let mut bytes = fs::read(objects.join(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // In all its places: it is one file.
        fs::write(objects.join(name), bytes).unwrap();
    }
    finish(real::line(&world, "snapshot verify --all")).code(10);
    let again = freeze(&world);
    assert_eq!(members(&index(&world, &first)), members(&index(&world, &again)));
    // What the next one wrote anew, the damaged one takes.
    finish(real::line(&world, "snapshot verify --all")).success();
}

/// What the engine and the disks of the VM are, and which snapshots there are.
fn state(world: &World) -> (Vec<u8>, BTreeMap<String, Vec<u8>>, Vec<String>) {
    let files = names_in(&disks(world)).into_iter().filter(|name| !["pack.lock", "vm.lock"].contains(&name.as_str()));
    let files = files.map(|name| (name.clone(), fs::read(disks(world).join(name)).unwrap_or_default())).collect();
    (real::smolvm(world, "machine ls --json").stdout, files, snapshots(world).into_keys().collect())
}

/// A freeze that runs.
fn begin(world: &World) -> Child {
    let mut command = real::line(world, "freeze dev --yes --quiet");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn killed_at_any_moment_it_leaves_every_snapshot_whole_and_the_vm_as_it_was() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    large_image(&world, 6);
    freeze(&world);
    let mut random = Random::new();
    for round in 0..if is_long() { 60 } else { 8 } {
        world.write("new", random_bytes(1 << 20));
        world.write(&format!("rootfs/opt/large-{:02}", round % 6), random_bytes(1 << 20));
        let new = world.path("work/new");
        change(&world, &[&format!("write {} overlays/persistent-dev/upper/new-{round}", new.display())]);
        let (before, mut running) = (state(&world), begin(&world));
        std::thread::sleep(Duration::from_millis(random.below(400)));
        running.kill().unwrap();
        running.wait().unwrap();
        let after = state(&world);
        assert_eq!((&before.0, before.1 == after.1), (&after.0, true), "round {round}");
        assert!(before.2.iter().all(|one| after.2.contains(one)), "round {round}: {:?}", after.2);
        finish(real::line(&world, "snapshot verify --all")).success();
    }
    wait_for_the_dead(&world);
    freeze(&world);
    let left = left(&world);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn on_a_disk_of_any_fullness_it_succeeds_or_loses_nothing() {
    in_a_namespace(|| {
        let world = World::new();
        let library = world.path("home/library");
        disk(&library, "size=400m");
        if !image_vm(&world) {
            return;
        }
        large_image(&world, 3);
        freeze(&world);
        let mut random = Random::new();
        let mut done = Vec::new();
        for kib in [0, 4, 40, 300, random.between(300, 2000), random.between(2000, 5000), 30_000] {
            for number in 0..2 {
                world.write(&format!("rootfs/opt/large-{number:02}"), random_bytes(1 << 20));
            }
            fill(&library);
            let filler = fs::File::options().write(true).open(library.join("filler")).unwrap();
            let bytes = filler.metadata().unwrap().len();
            filler.set_len(bytes.saturating_sub(kib << 10)).unwrap();
            let before = state(&world);
            let run = finish(real::line(&world, "freeze dev --yes --no-space-check"));
            fs::remove_file(library.join("filler")).unwrap();
            let (after, printed) = (state(&world), stderr(&run));
            done.push(run.get_output().status.success());
            if run.get_output().status.success() {
                assert_eq!(after.2.len(), before.2.len() + 1, "{kib} KiB: {printed}");
            } else {
                run.code(8);
                assert!(before == after && printed.contains("free some"), "{kib} KiB: {printed}");
            }
            finish(real::line(&world, "snapshot verify --all")).success();
        }
        assert!(!done[0] && done[done.len() - 1], "{done:?}");
    });
}

/// What a guest sees of the files below a folder: kind, owner, mode, content or target, and which names are one file.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let (mut all, mut files, mut folders) = (BTreeMap::new(), BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for name in names_in(&next) {
            let path = next.join(name);
            let meta = fs::symlink_metadata(&path).unwrap();
            let inside = path.strip_prefix(folder).unwrap().to_owned();
            let content = if meta.is_dir() {
                folders.push(path);
                "folder".to_owned()
            } else if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                let first = files.entry(meta.ino()).or_insert_with(|| inside.clone());
                let first = if meta.nlink() > 1 { first.clone() } else { PathBuf::new() };
                format!("{:08x} {}", crc32fast::hash(&fs::read(&path).unwrap()), first.display())
            };
            // smolvm drops the bits for set-user-id when it unpacks an image, also one that it packed itself.
            all.insert(inside, format!("{:o} {}:{} {content}", meta.mode() & 0o777, meta.uid(), meta.gid()));
        }
    }
    all
}

/// What a guest does with its files, on the folder of the changes and on what it sees.
struct Guest {
    upper: PathBuf,
    seen: PathBuf,
}

impl Guest {
    fn remove(&self, path: &str) {
        let there = self.seen.join(path);
        if there.is_dir() { fs::remove_dir_all(there) } else { fs::remove_file(there) }.unwrap();
        let hidden = self.upper.join(path);
        fs::create_dir_all(hidden.parent().unwrap()).unwrap();
        let _ = fs::remove_dir_all(&hidden).or_else(|_| fs::remove_file(&hidden));
        let made = Command::new("mknod").arg(hidden).args(["c", "0", "0"]).status().unwrap();
        assert!(made.success());
    }

    fn write(&self, path: &str, content: &[u8], mode: u32) {
        for folder in [&self.upper, &self.seen] {
            let file = folder.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&file);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    fn link(&self, path: &str, other: &str) {
        for folder in [&self.upper, &self.seen] {
            fs::hard_link(folder.join(path), folder.join(other)).unwrap();
        }
    }

    /// A folder with one file, in the place of whatever was there.
    fn replace(&self, path: &str, content: &[u8]) {
        self.remove(path);
        fs::remove_file(self.upper.join(path)).unwrap();
        self.write(&format!("{path}/new"), content, 0o600);
        let folder = self.upper.join(path);
        rustix::fs::setxattr(folder, "trusted.overlay.opaque", b"y", rustix::fs::XattrFlags::empty()).unwrap();
    }

    /// Puts its changes on the disk of a VM.
    fn stop(&self, world: &World, vm: &str) {
        let (root, raw) = (world.path("storage"), world.path("storage.raw"));
        let changes = root.join(format!("overlays/persistent-{vm}"));
        fs::create_dir_all(&changes).unwrap();
        fs::rename(&self.upper, changes.join("upper")).unwrap();
        let _ = fs::remove_file(&raw);
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-t", "ext4", "-d"]).args([&root, &raw]).arg("64M");
        assert!(mke2fs.stdout(Stdio::null()).status().unwrap().success());
        fs::remove_dir_all(root).unwrap();
        let disk = qcow2(&fs::read(raw).unwrap(), &world.path("storage-template.ext4"));
        fs::write(disks_of(world, vm).join("storage.qcow2"), disk).unwrap();
    }
}

#[test]
fn over_five_generations_what_is_deleted_stays_deleted_and_what_is_replaced_stays_replaced() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let (image, seen) = (world.path("work/rootfs"), world.path("seen"));
    fs::remove_dir_all(&image).unwrap();
    // Small files, as of a program with many modules.
    let modules = if is_long() { 2000 } else { 60 };
    for number in 0..modules {
        let folder = format!("rootfs/srv/modules/module-{number}/lib");
        fs::create_dir_all(world.path("work").join(&folder)).unwrap();
        for file in 0..10 {
            world.write(&format!("{folder}/{file}.js"), format!("exports.{number} = {file};\n").repeat(file * 9));
        }
    }
    fs::create_dir_all(image.join("bin")).unwrap();
    world.write("rootfs/bin/su", "set-user-id");
    fs::set_permissions(image.join("bin/su"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(image.join("bin/su"), image.join("bin/sudo")).unwrap();
    std::os::unix::fs::symlink("su", image.join("bin/link")).unwrap();
    world.write("rootfs/bin/own", "of another user");
    std::os::unix::fs::chown(image.join("bin/own"), Some(70_000), Some(5)).unwrap();
    assert!(Command::new("cp").arg("-a").args([&image, &seen]).status().unwrap().success());
    let mut random = Random::new();
    let mut left: Vec<u64> = (0..modules).collect();
    for generation in 1..=5 {
        let vm = if generation == 1 { "dev".to_owned() } else { format!("dev-{generation}") };
        let guest = Guest { upper: world.path("upper"), seen: seen.clone() };
        for kind in 0..12 {
            let at = usize::try_from(random.below(left.len() as u64)).unwrap();
            let module = format!("srv/modules/module-{}", left.swap_remove(at));
            let content = random_bytes(5000);
            match kind % 6 {
                0 => guest.remove(&module),
                1 => guest.remove(&format!("{module}/lib/3.js")),
                2 => guest.replace(&module, &content),
                3 => guest.replace(&format!("{module}/lib/5.js"), &content),
                4 => guest.write(&format!("{module}/lib/new"), &content, 0o4711),
                _ => {
                    guest.write(&format!("{module}/lib/1.js"), &content, 0o640);
                    guest.link(&format!("{module}/lib/1.js"), &format!("{module}/lib/hard"));
                }
            }
        }
        guest.stop(&world, &vm);
        let printed = stderr(&finish(real::line(&world, &format!("freeze {vm} --yes --verbose"))).success());
        assert!(!printed.contains(&format!("--from-vm={vm}")), "{printed}");
        let next = format!("dev-{}", generation + 1);
        finish(real::line(&world, &format!("thaw {vm} {next} --no-start"))).success();
        let shared = fs::read_to_string(disks_of(&world, &next).join(".pack-shared")).unwrap();
        let layers = Path::new(shared.trim_end()).join("layers");
        let order = fs::read_to_string(layers.join("layer-order")).unwrap();
        let (found, expected) = (tree(&layers.join(order.trim_end())), tree(&seen));
        let differs = expected.iter().find(|(path, file)| found.get(*path) != Some(file));
        assert_eq!((differs, found.len()), (None, expected.len()), "generation {generation}");
    }
    finish(real::line(&world, "snapshot verify --all")).success();
}

#[test]
fn an_image_that_is_gone_is_named_and_the_vm_and_its_snapshots_stay() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    freeze(&world);
    let before = state(&world);
    let (folder, moved) = (world.path("work/rootfs"), world.path("work/moved"));
    fs::rename(&folder, &moved).unwrap();
    for line in ["freeze dev --yes", "freeze dev --dry-run"] {
        let said = stderr(&finish(real::line(&world, line)).code(5));
        assert!(said.contains(&format!("there is no folder {}", folder.display())), "{line}: {said}");
        assert!(said.contains("nothing was changed"), "{line}: {said}");
        assert_eq!(state(&world), before, "{line}");
    }
    fs::rename(&moved, &folder).unwrap();
    freeze(&world);
}

#[test]
fn a_thawed_vm_has_the_times_of_its_folders_so_its_first_snapshot_adds_its_changes_only() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let image = world.path("work/rootfs");
    fs::create_dir_all(image.join("srv/deep/er/est")).unwrap();
    fs::create_dir_all(world.path("outside/folder")).unwrap();
    symlink(world.path("outside"), image.join("srv/link")).unwrap();
    let guest = |vm: &str| {
        let guest = Guest { upper: world.path("upper"), seen: world.path("seen") };
        guest.write("root/new", vm.as_bytes(), 0o644);
        guest.stop(&world, vm);
    };
    guest("dev");
    large_image(&world, 6);
    let times = |folder: &Path| {
        let tree = tree(folder).into_keys().filter(|path| path.starts_with("srv") && folder.join(path).is_dir());
        tree.map(|path| (path.clone(), fs::symlink_metadata(folder.join(path)).unwrap().mtime())).collect::<Vec<_>>()
    };
    for (number, folder) in ["srv/deep/er/est", "srv/deep/er", "srv/deep", "srv"].into_iter().enumerate() {
        let touched = Command::new("touch").args(["-d", &format!("@{number}0000")]).arg(image.join(folder)).status();
        assert!(touched.unwrap().success());
    }
    freeze(&world);
    let run = |line: &str| stdout(&finish(real::line(&world, line)).success());
    let before = fs::metadata(world.path("outside/folder")).unwrap().mtime();
    run("thaw dev again --no-start");
    let [layer, _] = unpacked(&world);
    assert_eq!(times(&layer), times(&image));
    assert_eq!(fs::metadata(world.path("outside/folder")).unwrap().mtime(), before);
    guest("again");
    let json = run("freeze again --yes --json");
    let frozen: Value = serde_json::from_str(&json).unwrap();
    let added = frozen["snapshot"]["artifact"]["added"].as_u64().unwrap();
    assert!(added < 2 << 20, "{added} bytes: {json}");
}

/// Puts these files on the disk of a VM, beside the changes of its guest. Names that end with a slash are folders.
fn stop_with(world: &World, vm: &str, files: &[(&str, &str)]) {
    for (path, content) in files {
        let file = world.path("storage").join(path);
        if path.ends_with('/') {
            fs::create_dir_all(&file).unwrap();
        } else {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, content).unwrap();
        }
    }
    let workspace = world.path("storage/workspace");
    if workspace.exists() {
        fs::set_permissions(workspace, fs::Permissions::from_mode(0o1777)).unwrap();
    }
    let guest = Guest { upper: world.path("upper"), seen: world.path("seen") };
    guest.write("root/new", vm.as_bytes(), 0o644);
    guest.stop(world, vm);
}

#[test]
fn what_differs_from_its_image_is_not_the_workspace_that_it_was_made_with() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    let run = |line: &str| stdout(&finish(real::line(&world, line)).success());
    // What the image has there, no guest sees.
    fs::create_dir(world.path("work/rootfs/workspace")).unwrap();
    world.write("rootfs/workspace/hidden", "of the image");
    freeze(&world);
    assert_eq!(run("snapshot files dev /workspace"), "/workspace/w\n");
    let text = run("snapshot diff dev --image");
    assert!(text.contains("+  /workspace/w\n") && !text.contains("hidden"), "{text}");
    run("thaw dev again --no-start");
    let seeded = ("workspace/.smolvm-workspace-seeded", "");
    stop_with(&world, "again", &[seeded, ("workspace/w", "w\n"), ("workspace/own", "own\n")]);
    run("freeze again --yes");
    let text = run("snapshot diff again --image");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("/workspace")).collect();
    assert_eq!(lines, ["+  /workspace/.smolvm-workspace-seeded", "+  /workspace/own"], "{text}");
    run("snapshot verify --all");
    stop_with(&world, "again", &[seeded]);
    run("freeze again --yes");
    assert!(run("snapshot diff again --image").contains("-  /workspace/w\n"));
    // Left out of the snapshot, it is on neither side.
    run("freeze again --yes --no-workspace");
    assert!(!run("snapshot diff again --image").contains("/workspace"));
}

#[test]
fn a_workspace_that_its_guest_cleaned_is_frozen_as_it_is() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    freeze(&world);
    let run = |line: &str| finish(real::line(&world, line)).success();
    run("thaw dev again --no-start");
    // Its first start was ended before its guest had all files: what it would hold, only the artifact has.
    stop_with(&world, "again", &[("overlays/persistent-again/work/", "")]);
    let planned = run("freeze again --dry-run --json --verbose");
    assert!(stdout(&planned).contains("\"way\": \"engine\""), "{}", stdout(&planned));
    assert!(stderr(&planned).contains("its first start did not finish"), "{}", stderr(&planned));
    // A container ran in it, and `git clean` removed what says that it has the files.
    stop_with(&world, "again", &[("overlays/persistent-again/bundle/", ""), ("workspace/own", "own\n")]);
    assert!(stdout(&run("freeze again --dry-run --json")).contains("\"way\": \"disks\""));
    let printed = stderr(&run("freeze again --yes --verbose"));
    assert!(!printed.contains("--from-vm=again"), "{printed}");
    assert_eq!(stdout(&run("snapshot files again /workspace")), "/workspace/own\n");
}

#[test]
fn a_dry_run_shows_what_of_a_stopped_vm_only_the_engine_can_pack() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    change(&world, &["mkdir overlays/persistent-dev/other"]);
    let planned = finish(real::line(&world, "freeze dev --dry-run --json --verbose")).success();
    assert!(stdout(&planned).contains("\"way\": \"engine\""), "{}", stdout(&planned));
    assert!(stderr(&planned).contains("its disk has an unknown folder: other"), "{}", stderr(&planned));
}
