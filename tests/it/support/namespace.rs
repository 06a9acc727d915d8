//! Runs a test in its own mount namespace: no other process sees its mounts, and they are gone with the test.

use super::chaos::is_long;
use super::fake;
use std::fs;
use std::path::Path;
use std::process::Command;

const INSIDE: &str = "BOTTLE_FREEZE_TEST_INSIDE";
/// No test takes longer, in seconds.
const LIMIT: &str = "1200";

/// Runs the test, of which this is the whole body, in a process whose mounts no other process sees.
pub fn in_a_namespace<F: Fn()>(test: F) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    if !unshare(&["sh", "-c", "mount -t tmpfs none /mnt"]).status().is_ok_and(|status| status.success()) {
        assert!(!is_long(), "nothing can be mounted here");
        return println!("NOT RUN: nothing can be mounted here");
    }
    let name = std::any::type_name::<F>();
    let name = name.split("::").skip(1).take(2).collect::<Vec<_>>().join("::");
    let this = std::env::current_exe().unwrap();
    // One that hangs fails, and what it printed is seen.
    let mut command =
        unshare(&["timeout", "--kill-after=5", LIMIT, this.to_str().unwrap(), "--exact", &name, "--nocapture"]);
    let output = command.env(INSIDE, "1").env("FAKE_SMOLVM_BIN", fake::fake_smolvm()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn unshare(words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.arg(if rustix::process::geteuid().is_root() { "-m" } else { "-rm" }).args(words);
    command
}

/// Mounts a disk of that size there (`size=1m,nr_inodes=100`), or resizes it.
pub fn disk(folder: &Path, options: &str) {
    fs::create_dir_all(folder).unwrap();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let is_there = mounts.lines().any(|line| line.split(' ').nth(1) == folder.to_str());
    let options = if is_there { format!("remount,{options}") } else { options.to_owned() };
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder).status().unwrap();
    assert!(mounted.success());
}
