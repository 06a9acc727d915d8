//! The engine's version is the version of the engine that actually runs, however it is installed.

use crate::support::{World, fake, finish, stderr};
use predicates::str::contains;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes a script to this path.
fn script(world: &World, path: &str, text: &str) -> PathBuf {
    let file = world.path(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// `bottle-freeze` with a line of arguments, on that engine.
fn line(world: &World, engine: &Path, line: &str) -> Command {
    let mut command = world.line(line);
    command.env("SMOLVM", engine);
    command
}

/// A shim that chooses the version by a file in the working folder, as asdf and mise do.
fn shim(world: &World) -> PathBuf {
    let text = "#!/bin/sh\nFAKE_SMOLVM_VERSION=$(cat .tool-versions) exec FAKE \"$@\"\n";
    script(world, "bin/smolvm", &text.replace("FAKE \"", &format!("{} \"", fake::fake_smolvm().display())))
}

/// The engine, laid out as by its own installer.
fn official(world: &World) -> PathBuf {
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/official-wrapper.sh");
    let engine = script(world, "smolvm/smolvm", &fs::read_to_string(wrapper).unwrap());
    fs::create_dir_all(world.path("smolvm/lib")).unwrap();
    fs::copy(fake::fake_smolvm(), world.path("smolvm/smolvm-bin")).unwrap();
    engine
}

#[test]
fn an_engine_behind_a_shim_is_asked_each_time() {
    let world = World::new();
    let (shim, snapshot) = (shim(&world), world.snapshot("x.smolmachine"));
    fs::write(world.path("work/.tool-versions"), "1.32.2").unwrap();
    finish(line(&world, &shim, "ls")).success();
    fs::write(world.path("work/.tool-versions"), "1.4.0").unwrap();
    let create = format!("create dev --from {} --allow-cidr 10.0.0.0/8", snapshot.display());
    finish(line(&world, &shim, &create)).code(13).stderr(contains("allow list"));
    assert_eq!(world.state("dev"), "missing");
}

#[test]
fn the_official_wrapper_costs_no_call_and_a_new_engine_is_noticed() {
    let world = World::new();
    let engine = official(&world);
    for calls in [&["--version", "machine ls"][..], &["machine ls"]] {
        world.forget_calls();
        finish(line(&world, &engine, "ls")).success();
        assert_eq!(world.commands(), calls);
    }
    // The same length and modification time, as a package manager may write it.
    let program = world.path("smolvm/smolvm-bin");
    let written = fs::metadata(&program).unwrap().modified().unwrap();
    let new = world.path("smolvm/new");
    fs::copy(&program, &new).unwrap();
    fs::File::options().write(true).open(&new).unwrap().set_modified(written).unwrap();
    fs::rename(&new, &program).unwrap();
    world.forget_calls();
    finish(line(&world, &engine, "ls")).success();
    assert_eq!(world.commands(), ["--version", "machine ls"]);
}

#[test]
fn a_wrapper_that_differs_in_one_word_is_asked_each_time() {
    let world = World::new();
    let engine = official(&world);
    let text =
        fs::read_to_string(&engine).unwrap().replace("$SCRIPT_DIR/smolvm-bin", "${OTHER:-$SCRIPT_DIR/smolvm-bin}");
    fs::write(&engine, text).unwrap();
    for _ in 0..2 {
        world.forget_calls();
        finish(line(&world, &engine, "ls")).success();
        assert_eq!(world.commands(), ["--version", "machine ls"]);
    }
}

#[test]
fn a_link_to_the_engine_costs_no_call() {
    let world = World::new();
    fs::create_dir_all(world.path("bin")).unwrap();
    std::os::unix::fs::symlink(official(&world), world.path("bin/smolvm")).unwrap();
    finish(line(&world, &world.path("bin/smolvm"), "ls")).success();
    world.forget_calls();
    finish(line(&world, &world.path("bin/smolvm"), "ls")).success();
    assert_eq!(world.commands(), ["machine ls"]);
}

/// A shim behind which the engine changes right after its version was asked: `then` runs all other commands.
fn changing(world: &World, now: &str, then: &str, says_so: bool) -> PathBuf {
    let fake = fake::fake_smolvm();
    let later = if says_so { "[ -e asked ] && version=THEN; touch asked" } else { ":" };
    let text = format!(
        "#!/bin/sh\nversion={now}\nif [ \"$1\" = --version ]; then {later}; else version=THEN; fi\n\
         FAKE_SMOLVM_VERSION=$version exec {} \"$@\"\n",
        fake.display()
    );
    script(world, "bin/smolvm", &text.replace("THEN", then))
}

#[test]
fn a_vm_with_more_network_than_requested_is_deleted() {
    // An engine that claims to list every allow list, or not; actually it drops them.
    for (now, says_so) in [("1.32.2", false), ("1.27.2", true), ("1.19.0", true), ("1.8.0", true)] {
        for line in
            ["create dev --from x.smolmachine --allow-cidr 10.0.0.0/8", "thaw ./x.smolmachine dev --allow-cidr ::1"]
        {
            let world = World::new();
            world.snapshot("x.smolmachine");
            let engine = changing(&world, now, "1.4.0", says_so);
            let said = stderr(&finish(self::line(&world, &engine, line)).code(1));
            assert!(said.contains("more network than was asked for") && said.contains("'dev' was deleted"), "{said}");
            assert_eq!(world.state("dev"), "missing", "{now}: {line}");
        }
    }
}

#[test]
fn a_vm_with_the_requested_network_stays() {
    for version in ["1.8.0", "1.19.0", "1.27.0", "1.27.2", "1.32.2"] {
        let world = World::with_engine(version);
        world.snapshot("x.smolmachine");
        for (name, flags) in [("a", "--allow-cidr 10.0.0.0/8 --allow-cidr 1.1.1.1"), ("b", "--net"), ("c", "")] {
            world.run(&format!("create {name} --from x.smolmachine {flags}")).success();
            world.run(&format!("create {name}{name} {flags}")).success();
            assert_eq!(world.record(name)["network"], name != "c", "{version}: {flags}");
        }
    }
}
