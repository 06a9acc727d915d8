//! Finds the fake engine, building it if necessary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of the `fake-smolvm` binary: `$FAKE_SMOLVM_BIN`, or built once per test process, next to this test.
pub fn fake_smolvm() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| match std::env::var_os("FAKE_SMOLVM_BIN") {
            Some(path) => PathBuf::from(path),
            None => build(),
        })
        .clone()
}

/// Into the target folder and profile of the running test, where cargo has built most of it already.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    // TARGET/PROFILE/deps/TEST, where the folder of the dev profile is called debug.
    let profile_dir = test.ancestors().nth(2).expect("a profile folder above the test");
    let target_dir = profile_dir.parent().expect("a target folder above the profile");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "-p", "fake-smolvm", "--quiet", "--profile", profile, "--target-dir"])
        .arg(target_dir)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .expect("run cargo to build the fake engine");
    assert!(built.success(), "cargo could not build the fake engine");
    profile_dir.join("fake-smolvm")
}
