//! Each fact of [`Version`] that shows without a booted VM, on real engines on both sides of its line: a wrong number fails
//! here. `BOTTLE_FREEZE_REAL_ENGINES` names the folder of the engines; `make facts` gets them and runs this.

use super::Version;
use super::artifact;
use crate::signals::Signals;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A real engine with a HOME of its own.
struct Real {
    program: PathBuf,
    version: Version,
    home: tempfile::TempDir,
}

/// What is true of an engine, by trying it.
type Probe = fn(&Real) -> bool;
/// What is said of its version.
type Claim = fn(Version) -> bool;

const FACTS: [(&str, Claim, Probe); 13] = [
    ("names_are_flags", Version::names_are_flags, |it| it.ends_well("machine create --name a")),
    ("inherits_env_by_name", Version::inherits_env_by_name, |it| {
        it.command("machine create --name a --env MARKED").env("MARKED", "by-the-host").output().unwrap();
        it.has_stored("by-the-host")
    }),
    ("takes_env_from_a_smolfile", |_| true, takes_env_from_a_smolfile),
    ("takes_secret_env", Version::takes_secret_env, |it| it.has_option("machine exec", "--secret-env")),
    ("stop_tells_the_truth", Version::stop_tells_the_truth, |it| !it.ends_well("machine stop --name nope")),
    ("restores_allow_list", Version::restores_allow_list, restores_allow_list),
    ("reports_allow_list", Version::reports_allow_list, |it| {
        assert!(it.ends_well("machine create --name a --allow-cidr 10.11.0.0/16"));
        it.prints("machine ls --json").contains("10.11.0.0/16")
    }),
    ("edits_allow_list", Version::edits_allow_list, |it| it.has_option("machine update", "--allow-cidr")),
    ("checkpoints", Version::checkpoints, |it| it.has_option("machine", "checkpoint ")),
    ("pauses", Version::pauses, |it| it.has_option("machine", "pause ")),
    ("takes_staging_dir", Version::takes_staging_dir, |it| it.has_option("pack create", "--staging-dir")),
    ("takes_labels", Version::takes_labels, |it| it.has_option("machine create", "--label")),
    ("packs_image_workspace", Version::packs_image_workspace, |it| it.has_option("pack create", "--include-workspace")),
];

/// Those that take their time.
const SLOW_FACTS: [(&str, Claim, Probe); 3] = [
    ("packs_bare_workspace", Version::packs_bare_workspace, packs_bare_workspace),
    ("packs_local_images", Version::packs_local_images, packs_local_images),
    ("allows_parallel_changes", Version::allows_parallel_changes, allows_parallel_changes),
];

impl Real {
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(line.split(' ')).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("TMPDIR", self.home.path()).env("SMOLVM_USAGE_DIR", "");
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn ends_well(&self, line: &str) -> bool {
        self.run(line).status.success()
    }

    fn prints(&self, line: &str) -> String {
        String::from_utf8_lossy(&self.run(line).stdout).into_owned()
    }

    fn has_option(&self, command: &str, option: &str) -> bool {
        let help = self.prints(&format!("{command} --help"));
        help.lines().any(|line| line.trim_start().trim_start_matches("-s, ").starts_with(option))
    }

    /// Whether the engine's database holds this text.
    fn has_stored(&self, text: &str) -> bool {
        let folder = self.home.path().join(".local/share/smolvm/server");
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.into_iter().any(|file| {
            let bytes = fs::read(file.path()).unwrap_or_default();
            memchr::memmem::find(&bytes, text.as_bytes()).is_some()
        })
    }

    /// Gives a VM both its disks, as if it had been started once.
    fn make_disks(&self, name: &str) {
        let folder = PathBuf::from(self.prints(&format!("machine data-dir --name {name}")).trim());
        fs::create_dir_all(&folder).unwrap();
        for disk in ["overlay.raw", "storage.raw"] {
            let made = Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(folder.join(disk)).arg("64M").output();
            assert!(made.expect("mke2fs, to make disks for a real engine").status.success());
        }
    }

    /// Packs the VM: the artifact, or what the engine printed.
    fn pack(&self, name: &str) -> Result<PathBuf, String> {
        let packed = self.run(&format!("pack create --from-vm {name} --output {name}-packed"));
        let file = self.home.path().join(format!("{name}-packed.smolmachine"));
        if packed.status.success() { Ok(file) } else { Err(String::from_utf8_lossy(&packed.stderr).into_owned()) }
    }
}

fn takes_env_from_a_smolfile(it: &Real) -> bool {
    let smolfile = it.home.path().join("smolfile");
    fs::write(&smolfile, "env = [\"HOME=of the \\\"guest\\\" \\u0024x\\n\"]\n").unwrap();
    let mut create = it.command("machine create --name a --net --cpus 1 --smolfile=/dev/stdin");
    assert!(create.stdin(fs::File::open(smolfile).unwrap()).output().unwrap().status.success());
    it.has_stored(r#"["HOME","of the \"guest\" $x"]"#)
}

fn restores_allow_list(it: &Real) -> bool {
    assert!(it.ends_well("machine create --name packed"));
    it.make_disks("packed");
    it.pack("packed").unwrap();
    let made = it.run("machine create --from packed-packed.smolmachine --name a --allow-cidr 10.11.0.0/16");
    assert!(made.status.success(), "{made:?}");
    it.has_stored("10.11.0.0/16")
}

fn packs_bare_workspace(it: &Real) -> bool {
    assert!(it.ends_well("machine create --name packed"));
    it.make_disks("packed");
    let file = it.pack("packed").unwrap();
    assert!(artifact::verify(&file, &Signals::default()).is_ok());
    let text = fs::read(file).unwrap();
    memchr::memmem::find(&text, b"\"storage_logical_size\"").is_some()
}

fn packs_local_images(it: &Real) -> bool {
    fs::create_dir_all(it.home.path().join("rootfs/bin")).unwrap();
    fs::write(it.home.path().join("rootfs/bin/sh"), "").unwrap();
    assert!(it.ends_well("machine create --name a --net --image ./rootfs"));
    it.make_disks("a");
    // Without KVM none succeeds: it is the reason that differs.
    it.pack("a").err().is_none_or(|said| !said.contains("local image"))
}

fn allows_parallel_changes(it: &Real) -> bool {
    assert!(it.ends_well("machine create --name first"));
    let create = |number: usize| {
        let mut command = it.command(&format!("machine create --name vm{number}"));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all: Vec<_> = (0..12).flat_map(|round| [create(2 * round), create(2 * round + 1)]).collect();
    let ends: Vec<_> = all.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(ends.iter().all(|end| end.status.signal().is_none()));
    ends.iter().all(|end| end.status.success())
}

fn engines() -> Vec<(PathBuf, Version)> {
    let Some(root) = std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES") else { return Vec::new() };
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let program = |folder: PathBuf| {
        let version = folder.file_name()?.to_str()?.parse().ok()?;
        Some((folder.join("bin/smolvm"), version))
    };
    let mut engines: Vec<_> = folders.filter_map(program).filter(|(program, _)| program.exists()).collect();
    engines.sort_by_key(|(_, version)| *version);
    engines
}

fn hold(facts: &[(&str, Claim, Probe)]) {
    let mut wrong = Vec::new();
    for (program, version) in engines() {
        for (name, claim, probe) in facts {
            let home = tempfile::tempdir().unwrap();
            let it = Real { program: program.clone(), version, home };
            let truth = probe(&it);
            println!("{} {name}: {truth}", it.version);
            if truth != claim(version) {
                wrong.push(format!("{name} is {truth} of smolvm {version}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_fact_is_true_of_each_real_engine() {
    hold(&FACTS);
}

#[test]
fn each_slow_fact_is_true_of_each_real_engine() {
    hold(&SLOW_FACTS);
}

#[test]
fn a_text_that_is_in_each_engine_tells_it_from_a_program_that_starts_one() {
    for (program, version) in engines() {
        let print = super::fingerprint::Fingerprint::of(Path::new(&program.with_file_name("../smolvm"))).unwrap();
        assert!(print.is_some_and(|print| print.is_of_an_engine()), "smolvm {version}");
    }
}
