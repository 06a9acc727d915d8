//! The newest real engine, for what a fake one cannot show. No VM is booted, so no KVM is needed.

use super::{World, random_bytes};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether tests on real engines were asked for, as `make conformance` does.
pub fn is_asked_for() -> bool {
    let is_asked_for = std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES").is_some();
    if !is_asked_for {
        println!("NOT RUN on the real engine: BOTTLE_FREEZE_REAL_ENGINES is not set");
    }
    is_asked_for
}

/// Where `tests/engines/fetch` has put it.
pub fn engine() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/fetch");
    let root = Command::new(fetched).arg("--root").output().unwrap();
    let engine = Path::new(String::from_utf8(root.stdout).unwrap().trim()).join("1.32.2/bin/smolvm");
    assert!(engine.exists(), "no real engine: run `tests/engines/fetch 1.32.2`");
    engine
}

/// `bottle-freeze` with a line of arguments, on the real engine, not yet run.
pub fn line(world: &World, line: &str) -> Command {
    let mut command = world.line(line);
    command.env("SMOLVM", engine()).env("SMOLVM_USAGE_DIR", "");
    command
}

/// Runs the engine in the home of this world.
pub fn smolvm(world: &World, line: &str) -> Output {
    let mut command = Command::new(engine());
    command.env("HOME", world.path("home")).env("TMPDIR", world.path("tmp")).env("SMOLVM_USAGE_DIR", "");
    let output = command.args(line.split(' ')).current_dir(world.path("work")).output().unwrap();
    assert!(output.status.success(), "smolvm {line}: {output:?}");
    output
}

/// A VM that has both disks, as if it had been started once, with this many incompressible MiB on one.
pub fn vm(world: &World, name: &str, mib: usize) {
    vm_with(world, name, "--cpus 1 --mem 256", mib);
}

/// The same with other flags for its creation.
pub fn vm_with(world: &World, name: &str, flags: &str, mib: usize) {
    smolvm(world, &format!("machine create --name {name} {flags}"));
    let printed = smolvm(world, &format!("machine data-dir --name {name}")).stdout;
    let folder = PathBuf::from(String::from_utf8(printed).unwrap().trim());
    let content = world.path("content/root");
    fs::create_dir_all(&content).unwrap();
    fs::create_dir_all(&folder).unwrap();
    fs::write(content.join("random"), random_bytes(mib << 20)).unwrap();
    for disk in ["overlay.raw", "storage.raw"] {
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-t", "ext4", "-d"]).arg(world.path("content")).arg(folder.join(disk)).arg("256M");
        assert!(mke2fs.stdout(Stdio::null()).status().expect("mke2fs, to make disks for a real engine").success());
        fs::remove_dir_all(&content).unwrap();
        fs::create_dir_all(&content).unwrap();
    }
    fs::remove_dir_all(world.path("content")).unwrap();
}

/// Writes a file with so many random bytes to the overlay disk of such a VM, in the place of the last one: what no file
/// uses is not frozen.
pub fn change(world: &World, name: &str, bytes: usize) {
    let printed = smolvm(world, &format!("machine data-dir --name {name}")).stdout;
    let disk = PathBuf::from(String::from_utf8(printed).unwrap().trim()).join("overlay.raw");
    let new = world.path("tmp/changed");
    fs::write(&new, random_bytes(bytes)).unwrap();
    for command in ["rm changed", &format!("write {} changed", new.display())] {
        let done = Command::new("debugfs").args(["-w", "-R", command]).arg(&disk).output().unwrap();
        assert!(done.status.success(), "debugfs {command}: {done:?}");
    }
    fs::remove_file(new).unwrap();
}

/// Packs such a VM with the engine's own `pack create` into `artifact`.
pub fn pack(world: &World, artifact: &Path) {
    vm(world, "packed", 1);
    smolvm(world, &format!("pack create --from-vm packed --output {}", world.path("tmp/packed").display()));
    fs::rename(world.path("tmp/packed.smolmachine"), artifact).unwrap();
    fs::remove_file(world.path("tmp/packed")).unwrap();
}
