//! `make install` and `make uninstall` add and remove the same files, and the shells find them.

use crate::support::{World, finish, stdout};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `make TARGET` with the program as built for this test.
fn make(world: &World, target: &str) {
    let release = world.path("target/release");
    if !release.exists() {
        std::fs::create_dir_all(&release).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_bottle-freeze"), release.join("bottle-freeze")).unwrap();
    }
    let mut make = Command::new("make");
    make.args(["--silent", target, "PREFIX=/usr"]).arg(format!("DESTDIR={}", world.path("root").display()));
    // A cargo that builds nothing: the program exists already.
    let cargo = world.path("bin/cargo");
    std::fs::create_dir_all(world.path("bin")).unwrap();
    std::fs::write(&cargo, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).unwrap();
    make.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    make.env("CARGO_TARGET_DIR", world.path("target"));
    let output = make.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let (folders, mut all): (Vec<_>, Vec<_>) = entries.map(|entry| entry.path()).partition(|path| path.is_dir());
    all.extend(folders.iter().flat_map(|folder| files(folder)));
    all
}

#[test]
fn what_is_installed_is_found_and_uninstalled() {
    let world = World::new();
    make(&world, "install");
    let usr = world.path("root/usr");
    for file in [
        "bin/bottle-freeze",
        "share/man/man1/bottle-freeze-doctor.1",
        "share/man/man5/bottle-freeze-snapshot.5",
        "share/man/man7/bottle-freeze-json.7",
    ] {
        assert!(usr.join(file).is_file(), "{file}");
    }
    let version = Command::new(usr.join("bin/bottle-freeze")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("bottle-freeze {}\n", env!("CARGO_PKG_VERSION")));
    for script in ["bash-completion/completions/bottle-freeze", "zsh/site-functions/_bottle-freeze"] {
        let script = std::fs::read_to_string(usr.join("share").join(script)).unwrap();
        assert!(script.contains("COMPLETE="), "it does not ask the program: {script}");
    }
    // What Debian's bash-completion and zsh do with such files, wherever they are.
    let share = usr.join("share").display().to_string();
    std::fs::write(world.path("home/.bashrc"), format!("source {share}/bash-completion/completions/bottle-freeze"))
        .unwrap();
    let zsh = format!("fpath=({share}/zsh/site-functions $fpath); autoload -Uz compinit && compinit -u");
    std::fs::write(world.path("home/.zshrc"), zsh).unwrap();
    for shell in ["bash", "zsh", "fish"] {
        if Command::new(shell).args(["-c", "exit"]).status().is_err() {
            println!("NOT RUN: {shell} is not installed");
            continue;
        }
        let mut doctor = world.line("doctor");
        doctor.env("SHELL", shell).env("XDG_DATA_DIRS", usr.join("share")).env("LC_ALL", "C.UTF-8");
        doctor.env("PATH", format!("{}:/usr/bin:/bin", usr.join("bin").display()));
        let printed = stdout(&finish(doctor));
        assert!(printed.contains("✓ completion  works"), "{shell}: {printed}");
    }
    make(&world, "uninstall");
    let left = files(&world.path("root"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_install_says_where_things_went_and_without_a_build_what_to_do() {
    let world = World::new();
    let install = || {
        let mut install = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("man/install"));
        install.arg(world.path("usr")).env("CARGO_TARGET_DIR", world.path("target")).env_remove("DESTDIR");
        install.output().unwrap()
    };
    let refused = install();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("run `make build`"), "{refused:?}");
    assert!(files(&world.path("usr")).is_empty());
    std::fs::create_dir_all(world.path("target/release")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_bottle-freeze"), world.path("target/release/bottle-freeze")).unwrap();
    let done = install();
    let said = String::from_utf8_lossy(&done.stdout);
    let bin = world.path("usr/bin").display().to_string();
    assert!(said.contains(&format!("installed: {bin}/bottle-freeze")), "{said}");
    assert!(said.contains(&format!("export PATH=\"{bin}:$PATH\"")), "{said}");
}
