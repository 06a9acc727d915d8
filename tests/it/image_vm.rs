//! A VM that was made from a folder, by root, is frozen from its disk: what its guest sees, in one layer.

use crate::support::{World, finish, real, stderr, stdout};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

/// A VM `dev` of a folder, made by the real engine. Its disk has the changes of the corpus. Nothing if there is no engine, or
/// such VMs are not known here.
fn image_vm(world: &World) -> bool {
    let is_root = fs::metadata(world.path("")).unwrap().uid() == 0;
    if std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES").is_none() || !cfg!(target_os = "linux") || !is_root {
        println!("NOT RUN: no real engine, not Linux, or not root");
        return false;
    }
    fs::create_dir_all(world.path("work/rootfs/opt/replaced/old")).unwrap();
    world.write("rootfs/base", "of the folder");
    world.write("rootfs/opt/file", "removed in the guest");
    world.write("rootfs/opt/replaced/old/f", "replaced in the guest");
    real::smolvm(world, "machine create --name dev --image ./rootfs --cpus 1 --mem 256");
    let folder = String::from_utf8(real::smolvm(world, "machine data-dir --name dev").stdout).unwrap();
    let folder = PathBuf::from(folder.trim_end());
    fs::create_dir_all(&folder).unwrap();
    let sparse = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_len(DISK).unwrap();
    let template = world.path("storage-template.ext4");
    fs::write(&template, "template").unwrap();
    sparse(&template);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/image/disk.zst");
    let disk = zstd::decode_all(&*fs::read(corpus).unwrap()).unwrap();
    fs::write(folder.join("overlay.raw"), "overlay").unwrap();
    fs::write(folder.join("storage.qcow2"), qcow2(&disk, &template)).unwrap();
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
    let shared = world.path("home/.cache/smolvm/vms/_shared");
    let content = fs::read_dir(shared).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let layers = fs::read_dir(content.join("layers")).unwrap().map(|entry| entry.unwrap().path());
    let layer = layers.into_iter().find(|path| path.join("base").exists()).unwrap();
    let file = |path: &str| fs::read_to_string(layer.join(path)).ok();
    assert_eq!(file("base").as_deref(), Some("of the folder"));
    assert_eq!(file("opt/renamed").as_deref(), Some("opt/rename-me\n"));
    assert_eq!(file("opt/replaced/new").as_deref(), Some("new\n"));
    assert_eq!((file("opt/file"), file("opt/replaced/old/f")), (None, None));
    assert!(content.join("layers/workspace-seed/workspace.tar").exists());
}

#[test]
fn a_dry_run_says_what_only_the_engine_can_pack() {
    let world = World::new();
    if !image_vm(&world) {
        return;
    }
    real::smolvm(&world, "machine create --name web --image alpine --net");
    let run = |line: &str| finish(real::line(&world, line)).success();
    assert!(stdout(&run("freeze dev --dry-run --json")).contains("\"way\": \"disks\""));
    let web = run("freeze web --dry-run --json --verbose");
    assert!(stdout(&web).contains("\"way\": \"engine\""));
    let why = "the engine packs 'web': it is made from neither an artifact nor a folder";
    assert!(stderr(&web).contains(why), "{}", stderr(&web));
}
