//! The same expectations for the fake engine and for real ones.
//!
//! The fake always plays every version below. If `BOTTLE_FREEZE_REAL_ENGINES` names a folder that contains
//! `VERSION/smolvm` and its libraries (`tests/engines/fetch` makes one), the real engines run as well, each in a
//! private HOME. No VM is booted, so no KVM is needed; `mke2fs` makes the disks, `sqlite3` the odd states. If the two
//! disagree, the fake is wrong.

use crate::support::fake;
#[cfg(target_os = "linux")]
use crate::support::{is_alive, signal, wait_until};
use crate::take_apart::assert_same_again;
use bottle_freeze::engine::{Fact, Part, Version, take_apart};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(target_os = "linux")]
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The folder of an engine's libraries.
const LIBRARIES: &str = "SMOLVM_LIB_DIR";

const VERSIONS: [&str; 8] = ["1.4.0", "1.14.0", "1.14.3", "1.18.2", "1.19.0", "1.27.3", "1.28.1", "1.32.2"];

// ---------------------------------------------------------------------------------------------- the engines

/// A fresh engine without any VM.
pub struct Engine {
    pub version: &'static str,
    /// The folder of a real engine; None for the fake.
    pub real: Option<PathBuf>,
    home: TempDir,
}

/// Runs the test on every engine, each time from scratch.
fn on_every_engine(test: impl Fn(&Engine)) {
    on_engines(|_| true, test);
}

pub fn on_engines(wanted: impl Fn(&Engine) -> bool, test: impl Fn(&Engine)) {
    let real = std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES").map(PathBuf::from);
    for version in VERSIONS {
        let real = real.as_ref().map(|dir| dir.join(version)).filter(|dir| dir.join("smolvm").exists());
        for real in std::iter::once(None).chain(real.map(Some)) {
            let engine = Engine { version, real, home: TempDir::new().unwrap() };
            if wanted(&engine) {
                test(&engine);
            }
        }
    }
}

/// Runs the test on the real engines.
pub fn on_real_engines(test: impl Fn(&Engine)) {
    on_engines(|engine| engine.real.is_some(), test);
}

impl Engine {
    pub fn has(&self, fact: Fact) -> bool {
        self.version.parse::<Version>().unwrap().has(fact)
    }

    pub fn label(&self) -> String {
        format!("{} smolvm {}", if self.real.is_some() { "real" } else { "fake" }, self.version)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn command(&self) -> Command {
        let mut command = if let Some(dir) = &self.real {
            let mut command = Command::new(dir.join("smolvm"));
            command.env(LIBRARIES, dir).env("SMOLVM_AGENT_ROOTFS", dir.join("agent-rootfs"));
            command
        } else {
            let mut command = Command::new(fake::fake_smolvm());
            command.env("FAKE_SMOLVM_VERSION", self.version).env("FAKE_SMOLVM_DIR", self.path("fake"));
            command
        };
        fs::create_dir_all(self.path("tmp")).unwrap();
        command
            .env("HOME", self.home.path())
            .env("TMPDIR", self.path("tmp"))
            .env("SMOLVM_USAGE_DIR", "")
            // A VMM of its own user cannot open what root owns.
            .env("SMOLVM_VM_UID_DROP", "off")
            // No proxy of this machine answers for a registry that does not exist.
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .env_remove("SMOLVM_MACHINE_NAME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_DATA_HOME")
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `smolvm` with these arguments.
    pub fn smolvm(&self, words: &str) -> Outcome {
        self.run(words, self.command())
    }

    /// Starts a VM so that the engine makes its disks. Where the VMM of root may not open /dev/kvm, it ends at once: with it, and
    /// without a working KVM, a boot ends after 30 s.
    pub fn make_disks(&self, name: &str) {
        let mut command = self.command();
        command.env("SMOLVM_VM_UID_DROP", "on");
        self.run(&format!("machine start --name {name}"), command);
    }

    /// Runs `bottle-freeze` with these arguments, on this engine.
    pub fn bottle_freeze(&self, words: &str) -> Outcome {
        self.bottle_freeze_by(Path::new(self.command().get_program()), words)
    }

    /// The same behind a script, which has no libkrun beside it: then nothing is known of the hypervisor, and a start is
    /// tried where none works.
    #[cfg(target_os = "linux")]
    fn bottle_freeze_behind_a_script(&self, words: &str) -> Outcome {
        let script = self.path("smolvm-script");
        let engine = self.command();
        let folder = engine.get_envs().find(|(name, _)| *name == LIBRARIES).and_then(|(_, folder)| folder);
        let folder = folder.map(|folder| format!("export {LIBRARIES}='{}'\n", Path::new(folder).display()));
        let program = Path::new(engine.get_program()).display();
        fs::write(&script, format!("#!/bin/sh\n{}exec '{program}' \"$@\"\n", folder.unwrap_or_default())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        self.bottle_freeze_by(&script, words)
    }

    fn bottle_freeze_by(&self, program: &Path, words: &str) -> Outcome {
        let engine = self.command();
        let mut tool = Command::new(env!("CARGO_BIN_EXE_bottle-freeze"));
        tool.env("SMOLVM", program).current_dir(self.home.path()).stdin(Stdio::null());
        for (key, value) in engine.get_envs() {
            match value {
                Some(value) => tool.env(key, value),
                None => tool.env_remove(key),
            };
        }
        tool.env_remove("BOTTLE_FREEZE_HOME");
        if program != Path::new(engine.get_program()) {
            tool.env_remove(LIBRARIES);
        }
        self.run(words, tool)
    }

    fn run(&self, words: &str, mut command: Command) -> Outcome {
        let output = command.args(words.split_whitespace()).output().unwrap();
        Outcome {
            call: format!("{}: {:?} {words}", self.label(), command.get_program()),
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn list(&self) -> Vec<Value> {
        let listed = self.smolvm("machine ls --json").succeeds();
        serde_json::from_str(&listed.stdout).unwrap_or_else(|error| panic!("{listed:?}: {error}"))
    }

    pub fn listed(&self, name: &str) -> Option<Value> {
        self.list().into_iter().find(|vm| vm["name"] == name)
    }

    /// A bare VM with files on both disks, as if it had been started once.
    pub fn seeded_vm(&self, flags: &str) {
        self.seeded_vm_in(flags, &[]);
    }

    /// The same, created with these environment variables.
    pub fn seeded_vm_in(&self, flags: &str, variables: &[(&str, &str)]) {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        self.run(&format!("machine create --name=bare {flags}"), command).succeeds();
        let dir = self.smolvm("machine data-dir --name bare").succeeds();
        let dir = Path::new(dir.stdout.trim());
        if self.real.is_some() {
            fs::create_dir_all(dir).unwrap();
            for disk in ["overlay.raw", "storage.raw"] {
                // `cp` keeps the holes.
                let copied = Command::new("cp").arg(ext4_image()).arg(dir.join(disk)).status().unwrap();
                assert!(copied.success());
            }
        } else {
            fs::create_dir_all(dir.join("disk/root")).unwrap();
            fs::create_dir_all(dir.join("disk/workspace")).unwrap();
            fs::write(dir.join("disk/root/kept"), vec![b'k'; 10_000]).unwrap();
        }
    }

    /// Has the boot of a VM take long: half a minute with a real engine without KVM.
    #[cfg(target_os = "linux")]
    fn slow_boot(&self) {
        if self.real.is_none() {
            let slow = json!([{"on": "machine start", "at": "boot", "do": "hang"}]);
            fs::write(self.path("fake/faults.json"), slow.to_string()).unwrap();
        }
    }

    /// The VMM that has both disks of the VM `bare` open. The engine and a VMM that begins look into one of them for
    /// a moment: seen on 1.32.2, where a loaded machine shows it.
    #[cfg(target_os = "linux")]
    fn vmm(&self) -> Option<i32> {
        let folder = self.smolvm("machine data-dir --name bare").succeeds();
        let disks = ["overlay.raw", "storage.raw"].map(|disk| Path::new(folder.stdout.trim()).join(disk));
        let has_open = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let open: Vec<PathBuf> = open.filter_map(|open| fs::read_link(open.path()).ok()).collect();
            String::from_utf8_lossy(&line).contains("_boot-vm") && disks.iter().all(|disk| open.contains(disk))
        };
        names_in(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok()).find(has_open)
    }

    /// Writes a state into the engine's own record. Returns false if that is impossible: a real engine without
    /// `sqlite3`.
    fn forge(&self, name: &str, state: &str, pid: u32) -> bool {
        if self.real.is_none() {
            let file = self.path("fake/vms").join(name).join("record.json");
            let mut record: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            record["state"] = json!(state);
            record["pid"] = json!(pid);
            fs::write(file, record.to_string()).unwrap();
            return true;
        }
        let sql = format!(
            "update vms set data = cast(json_set(data, '$.state', '{state}', '$.pid', {pid}) as blob) \
             where name = '{name}'"
        );
        let database = self.path(".local/share/smolvm/server/smolvm.db");
        Command::new("sqlite3").arg(database).arg(sql).status().is_ok_and(|status| status.success())
    }
}

/// A small file system that contains a file.
fn ext4_image() -> PathBuf {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    let image = IMAGE.get_or_init(|| {
        let dir = TempDir::new_in(scratch()).unwrap();
        fs::create_dir_all(dir.path().join("content/root")).unwrap();
        fs::write(dir.path().join("content/root/kept"), "kept").unwrap();
        let made = Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-d"])
            .arg(dir.path().join("content"))
            .arg(dir.path().join("image"))
            .arg("64M")
            .stdout(Stdio::null())
            .status()
            .expect("mke2fs, to make disks for the real engines");
        assert!(made.success());
        let image = scratch().join("disk.ext4");
        fs::rename(dir.path().join("image"), &image).unwrap();
        image
    });
    image.clone()
}

// -------------------------------------------------------------------------------------------- outcomes

#[derive(Debug)]
pub struct Outcome {
    /// Only printed when a test fails.
    #[allow(dead_code)]
    call: String,
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    #[track_caller]
    fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no '{text}' on stdout: {self:#?}");
        self
    }

    #[track_caller]
    fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no '{text}' on stderr: {self:#?}");
        self
    }

    /// A failure of the engine itself: exit 1, and an error with these words.
    #[track_caller]
    fn fails(self, text: &str) -> Self {
        self.exits(1).complains("Error: ").complains(text)
    }

    /// Refused by the parser: exit 2, and an error with these words.
    #[track_caller]
    fn misused(self, text: &str) -> Self {
        let outcome = self.exits(2).complains(text);
        assert!(outcome.stdout.is_empty(), "{outcome:#?}");
        outcome
    }
}

// ------------------------------------------------------------------------------------------------- artifacts

/// An artifact, parsed according to its specification, independently of any other code.
struct Artifact {
    bytes: Vec<u8>,
    /// Bytes of the assets.
    assets: usize,
    manifest: Value,
}

impl Artifact {
    #[track_caller]
    fn read(file: &Path) -> Self {
        let bytes = fs::read(file).unwrap();
        let footer = &bytes[bytes.len() - 64..];
        let word = |at: usize| usize::try_from(u64::from_le_bytes(footer[at..at + 8].try_into().unwrap())).unwrap();
        let (assets, manifest) = (word(28), word(44));
        assert_eq!(&footer[..8], b"SMOLPACK");
        assert_eq!(footer[8..12], 1u32.to_le_bytes());
        assert_eq!((word(12), word(20)), (0, 0), "stub size and offset of the assets");
        assert_eq!(word(36), assets, "the manifest follows the assets");
        assert_eq!(assets + manifest + 64, bytes.len());
        assert_eq!(footer[52..56], crc32fast::hash(&bytes[..assets + manifest]).to_le_bytes(), "CRC");
        assert_eq!(footer[56..], [0; 8]);
        let manifest = serde_json::from_slice(&bytes[assets..assets + manifest]).unwrap();
        Self { bytes, assets, manifest }
    }
}

/// A good artifact of this engine, from a VM with an open network, or a network closed by a Smolfile. Packed once, and
/// copied into the folder of the engine that asks.
fn artifact(engine: &Engine, network: bool) -> PathBuf {
    let file = engine.path(if network { "open.smolmachine" } else { "closed.smolmachine" });
    fs::copy(packed_once(engine, network), &file).unwrap();
    file
}

fn packed_once(engine: &Engine, network: bool) -> PathBuf {
    static PACKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = format!("{} {network}.smolmachine", engine.label());
    let file = scratch().join(&key);
    if packed.contains(&key) {
        return file;
    }
    let own = Engine { version: engine.version, real: engine.real.clone(), home: TempDir::new_in(scratch()).unwrap() };
    own.seeded_vm("--cpus=2 --mem=512 --net --allow-cidr=10.0.0.0/8 -e A=b");
    fs::write(own.path("Smolfile"), "net = false\n").unwrap();
    let closed = if network { "" } else { "--smolfile=Smolfile" };
    own.smolvm(&format!("pack create --from-vm=bare --output=out --cpus=2 --mem=512 {closed}")).succeeds();
    fs::rename(own.path("out.smolmachine"), &file).unwrap();
    packed.insert(key);
    file
}

/// A folder for files that all tests of a run share; the next run replaces it. (A static is never dropped.)
fn scratch() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    fs::create_dir_all(&dir).unwrap();
    dir
}

// ------------------------------------------------------------------------------------------------- the tests

#[test]
fn version_prints_the_name_and_number_on_stdout() {
    on_every_engine(|engine| {
        let said = engine.smolvm("--version").succeeds();
        assert_eq!(said.stdout, format!("smolvm {}\n", engine.version), "{said:?}");
        assert_eq!(said.stderr, "", "{said:?}");
    });
}

#[test]
fn no_machines_is_an_empty_array() {
    on_every_engine(|engine| {
        assert_eq!(engine.smolvm("machine ls --json").succeeds().stdout.trim(), "[]");
        engine.smolvm("machine list").succeeds().says("No machines found");
    });
}

#[test]
fn a_bare_machine_has_the_defaults() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds().says("Created machine: dev");
        let vm = engine.listed("dev").unwrap();
        let wanted = json!({"name": "dev", "state": "created", "cpus": 4, "memory_mib": 8192, "pid": null,
            "storage_gb": null, "overlay_gb": null, "network": false, "image": null, "mounts": 0, "ports": 0,
            "ephemeral": false, "entrypoint": [], "cmd": []});
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(vm.get(key), Some(value), "{}: {key} in {vm:#}", engine.label());
        }
        assert!(vm["created_at"].as_u64().unwrap() > 1_700_000_000, "{}", engine.label());
        assert_eq!(vm.get("allowed_cidrs"), None, "{}", engine.label());
        assert_eq!(vm.get("labels"), engine.has(Fact::Labels).then_some(&json!({})), "{}", engine.label());
    });
}

#[test]
fn a_machine_is_listed_as_requested() {
    on_every_engine(|engine| {
        let label = if engine.has(Fact::Labels) { "--label a=b" } else { "" };
        let flags = "--cpus 2 --mem 1024 --storage 5 --overlay 3 --net -e A=b -p 8080:80 -v /tmp:/mnt:ro -w /x";
        let cidrs = "--allow-cidr 10.0.0.0/8 --allow-cidr 1.1.1.1";
        engine
            .smolvm(&format!("machine create --name full {flags} {cidrs} {label}"))
            .succeeds()
            .says("  CPUs: 2, Memory: 1024 MiB\n  Mounts: 1\n  Ports: 1\n");
        let vm = engine.listed("full").unwrap();
        let wanted = json!({"cpus": 2, "memory_mib": 1024, "storage_gb": 5, "overlay_gb": 3, "network": true,
            "mounts": 1, "ports": 1});
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(vm.get(key), Some(value), "{}: {key} in {vm:#}", engine.label());
        }
        let cidrs = json!(["10.0.0.0/8", "1.1.1.1/32"]);
        assert_eq!(vm.get("allowed_cidrs"), engine.has(Fact::ListsAllowList).then_some(&cidrs), "{}", engine.label());
        let labels = json!({"a": "b"});
        assert_eq!(vm.get("labels"), engine.has(Fact::Labels).then_some(&labels), "{}", engine.label());
    });
}

#[test]
fn every_flag_can_be_joined_to_its_value() {
    on_every_engine(|engine| {
        let flags = "--cpus=2 --mem=1024 --storage=5 --overlay=3 --env=A=b --volume=/tmp:/mnt --port=80:80";
        engine.smolvm(&format!("machine create --name=dev {flags} --workdir=/x --allow-cidr=::1/128")).succeeds();
        let vm = engine.listed("dev").unwrap();
        assert_eq!((&vm["cpus"], &vm["network"]), (&json!(2), &json!(true)), "{}", engine.label());
        engine.smolvm("machine stop --name=dev").succeeds();
        engine.smolvm("machine exec --name=dev --timeout=2s -- true").fails("is not running");
        engine.smolvm("machine delete --force --name=dev").succeeds();
    });
}

#[test]
fn an_allow_list_implies_the_network() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev --allow-cidr 10.0.0.0/8").succeeds();
        assert_eq!(engine.listed("dev").unwrap()["network"], true, "{}", engine.label());
    });
}

#[test]
fn newer_engines_sort_machines_by_name() {
    on_engines(
        |engine| engine.has(Fact::SortsList),
        |engine| {
            for name in ["b", "c", "a"] {
                engine.smolvm(&format!("machine create --name {name}")).succeeds();
            }
            let names: Vec<Value> = engine.list().into_iter().map(|vm| vm["name"].clone()).collect();
            assert_eq!(names, ["a", "b", "c"], "{}", engine.label());
        },
    );
}

#[test]
fn a_name_can_be_taken_only_once() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev --cpus 2").succeeds();
        engine
            .smolvm("machine create --name dev --cpus 3")
            .fails("config operation failed: create machine: machine 'dev' already exists or is being created");
        assert_eq!(engine.list().len(), 1, "{}", engine.label());
        assert_eq!(engine.listed("dev").unwrap()["cpus"], 2, "{}", engine.label());
    });
}

#[test]
fn bad_names_are_refused_and_good_ones_are_not() {
    let long = "a".repeat(129);
    let bad = [
        ("", "cannot be empty"),
        ("a.b", "contains invalid character: '.'"),
        ("a/b", "cannot contain path separators"),
        ("../x", "must start with a letter or digit"),
        ("-x", "must start with a letter or digit (got: \"-x\")"),
        ("_x", "must start with a letter or digit"),
        (".x", "must start with a letter or digit"),
        ("é", "must start with a letter or digit (got: \"é\")"),
        ("a-", "cannot end with a hyphen (got: \"a-\")"),
        ("a--b", "cannot contain consecutive hyphens"),
        ("a.--b", "contains invalid character: '.'"),
        (&long, "too long: 129 characters (max 128)"),
    ];
    on_every_engine(|engine| {
        for (name, why) in bad {
            engine
                .smolvm(&format!("machine create --name={name}"))
                .fails(&format!("config operation failed: create machine: machine name {why}"));
        }
        assert_eq!(engine.list().len(), 0, "{}", engine.label());
        for name in ["x", "9", "a_b-C", "a_", "default", &"a".repeat(128)] {
            engine.smolvm(&format!("machine create --name={name}")).succeeds();
        }
    });
}

#[test]
fn a_machine_without_a_name_gets_one() {
    on_every_engine(|engine| {
        engine.smolvm("machine create").succeeds().says("Created machine: vm-");
        assert_eq!(engine.list().len(), 1, "{}", engine.label());
    });
}

#[test]
fn invalid_arguments_are_usage_errors() {
    on_every_engine(|engine| {
        engine.smolvm("frob").misused("error: unrecognized subcommand 'frob'");
        engine.smolvm("").misused("Usage: smolvm");
        engine.smolvm("machine").misused("Usage: smolvm machine");
        engine.smolvm("machine frob").misused("error: unrecognized subcommand 'frob'");
        engine.smolvm("machine create dev").misused("error: unexpected argument 'dev' found");
        engine.smolvm("machine delete dev").misused("error: unexpected argument 'dev' found");
        engine.smolvm("machine create --name --").misused("a value is required for '--name <NAME>'");
        engine.smolvm("machine create --name a --name b").misused("'--name <NAME>' cannot be used multiple times");
        engine.smolvm("machine create --name a --cpus x").misused("invalid value 'x' for '--cpus <N>'");
        engine
            .smolvm("machine create --name a --allow-cidr bogus")
            .misused("invalid CIDR 'bogus': expected format like 10.0.0.0/8 or 1.1.1.1");
        engine.smolvm("machine delete -f").misused("--name <NAME>");
        engine.smolvm("machine data-dir").misused("--name <NAME>");
        engine.smolvm("machine exec --name a").misused("<COMMAND>...");
        engine.smolvm("machine exec -n a -- true").misused("error: unexpected argument '-n' found");
        engine
            .smolvm("machine exec --name a --timeout zz -- true")
            .misused("invalid value 'zz' for '--timeout <DURATION>': expected number at 0");
        engine
            .smolvm("machine create --name a --image alpine --from x")
            .misused("the argument '--image <IMAGE>' cannot be used with '--from <PATH>'");
        engine.smolvm("pack create --from-vm a").misused("--output <PATH>");
        engine.smolvm("pack create -o x").misused("--image <IMAGE>");
        assert_eq!(engine.list().len(), 0, "{}", engine.label());
    });
}

#[test]
fn flags_do_not_exist_before_their_version() {
    let flags = [
        ("machine create --label a=b", "--label", Fact::Labels),
        ("machine ls -q", "-q", Fact::QuietList),
        ("pack create --from-vm nope -o x --include-workspace", "--include-workspace", Fact::ImageWorkspace),
        ("machine stop --timeout 3", "--timeout", Fact::StopTimeout),
        ("--error-format json machine ls", "--error-format", Fact::ErrorFormat),
    ];
    on_every_engine(|engine| {
        for (call, flag, fact) in flags {
            let outcome = engine.smolvm(call);
            if engine.has(fact) {
                assert_ne!(outcome.status, 2, "{outcome:#?}");
            } else {
                outcome.misused(&format!("error: unexpected argument '{flag}' found"));
            }
        }
        for command in ["pause", "resume"] {
            let outcome = engine.smolvm(&format!("machine {command} --name nope"));
            if engine.has(Fact::Pause) {
                outcome.fails("vm not found: nope");
            } else {
                outcome.misused(&format!("error: unrecognized subcommand '{command}'"));
            }
        }
    });
}

#[test]
fn resources_and_mounts_are_checked() {
    on_every_engine(|engine| {
        engine
            .smolvm("machine create --name a --cpus 0")
            .fails("config operation failed: validate resources: CPU count must be at least 1");
        engine
            .smolvm("machine create --name a --volume=/no/such/folder:/mnt")
            .fails("mount source not found: /no/such/folder");
        engine.smolvm("machine create --name a -v bogus").fails("invalid mount path: invalid format 'bogus'");
        assert_eq!(engine.list().len(), 0, "{}", engine.label());
    });
}

#[test]
fn an_image_needs_a_network_in_some_versions() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name net --image alpine --net").succeeds();
        assert_eq!(engine.listed("net").unwrap()["image"], "alpine", "{}", engine.label());
        let outcome = engine.smolvm("machine create --name dev --image alpine");
        if engine.has(Fact::NetForImages) {
            outcome.fails("image 'alpine' must be pulled from a registry, but this machine has no network");
        } else {
            outcome.succeeds();
        }
    });
}

#[test]
fn stopping_a_stopped_machine_is_not_a_failure() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds();
        engine.smolvm("machine stop --name dev").succeeds().says("Machine 'dev' is not running (state: created)");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_that_is_ended_leaves_its_vmm_and_a_stop_by_newer_engines_ends_it() {
    on_every_engine(|engine| {
        engine.seeded_vm("--cpus 1 --mem 256");
        engine.slow_boot();
        let mut start = engine.command();
        start.args(["machine", "start", "--name=bare"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut start = start.spawn().unwrap();
        let mut vmm = None;
        wait_until("the VMM boots", || {
            vmm = engine.vmm();
            vmm.is_some()
        });
        let vmm = vmm.expect("a VMM that boots");
        signal(i32::try_from(start.id()).unwrap(), Signal::TERM);
        start.wait().unwrap();
        assert_eq!(engine.listed("bare").unwrap()["state"], "created");
        assert!(is_alive(vmm), "{}", engine.label());
        let outcome = engine.smolvm("machine stop --name bare").succeeds().says("is not running (state: created)");
        let is_ended = engine.has(Fact::EndsOrphans);
        assert_eq!(is_alive(vmm), !is_ended, "{outcome:#?}");
        if is_ended {
            outcome.complains(&format!("Killing orphaned _boot-vm process (PID {vmm}) for machine 'bare'"));
        }
        signal(vmm, Signal::KILL);
        wait_until("the VMM has ended", || !is_alive(vmm));
    });
}

/// A start that is ended before it has written the VMM's number down: seen with 1.28.1 on a loaded machine.
#[cfg(target_os = "linux")]
#[test]
fn bottle_freeze_ends_a_vmm_that_smolvm_does_not_know() {
    on_every_engine(|engine| {
        engine.seeded_vm("--cpus 1 --mem 256");
        engine.slow_boot();
        let mut start = engine.command();
        start.args(["machine", "start", "--name=bare"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut start = start.spawn().unwrap();
        wait_until("the VMM boots", || engine.vmm().is_some());
        signal(i32::try_from(start.id()).unwrap(), Signal::TERM);
        start.wait().unwrap();
        let folder = engine.smolvm("machine data-dir --name bare").succeeds();
        for number in ["agent.pid", "vmm.pid"] {
            let _ = fs::remove_file(Path::new(folder.stdout.trim()).join(number));
        }
        engine.bottle_freeze("stop bare").succeeds();
        assert_eq!(engine.vmm(), None, "{}", engine.label());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn bottle_freeze_ends_what_an_ended_start_left() {
    on_every_engine(|engine| {
        engine.seeded_vm("--cpus 1 --mem 256");
        engine.slow_boot();
        let outcome = engine
            .bottle_freeze_behind_a_script("start bare --timeout 100ms")
            .exits(1)
            .complains("did not start within 100ms");
        assert_eq!(engine.vmm(), None, "{outcome:#?}");
        outcome.complains("'bare' is created");
    });
}

#[test]
fn a_missing_machine_is_not_found() {
    on_every_engine(|engine| {
        for call in [
            "machine stop --name nope",
            "machine start --name nope",
            "machine delete --name nope",
            "machine delete -f --name nope",
            "machine exec --name nope -- true",
            "machine cp /etc/hosts nope:/root/x",
            "machine cp nope:/root/x x",
            "machine data-dir --name nope",
            "machine status --name nope",
        ] {
            engine.smolvm(call).fails("Error: vm not found: nope");
        }
        engine
            .smolvm("machine status --json --name nope")
            .fails("config operation failed: machine status: machine 'nope' not found");
        engine
            .smolvm("machine update --name nope --no-net")
            .fails("config operation failed: update: machine 'nope' not found");
        engine
            .smolvm("pack create --from-vm nope -o out")
            .fails("agent operation failed: pack from VM: VM 'nope' not found");
        assert!(!engine.path("out").exists(), "{}", engine.label());
    });
}

#[test]
fn delete_forgets_a_machine() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds();
        engine.smolvm("machine create --name other").succeeds();
        engine.smolvm("machine delete -f --name dev").succeeds().says("Deleted machine: dev");
        engine.smolvm("machine rm -f -n other").succeeds().says("Deleted machine: other");
        assert_eq!(engine.list().len(), 0, "{}", engine.label());
    });
}

#[test]
fn delete_without_force_and_without_a_terminal_deletes_nothing() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds();
        let outcome = engine.smolvm("machine delete --name dev");
        if engine.has(Fact::DeleteAsks) {
            outcome.fails("needs confirmation but stdin is not a terminal");
        } else {
            outcome.succeeds().says("Cancelled").complains("Delete machine 'dev'? [y/N]");
        }
        assert!(engine.listed("dev").is_some(), "{}", engine.label());
    });
}

#[test]
fn exec_and_cp_need_a_running_machine() {
    on_every_engine(|engine| {
        let advice = if engine.has(Fact::StartHint) {
            "is not running. Start it with 'smolvm machine start --name dev'"
        } else {
            "is not running. Use 'smolvm machine start --name dev' first."
        };
        let error = format!("Error: agent operation failed: connect: machine 'dev' {advice}");
        engine.smolvm("machine create --name dev").succeeds();
        for call in [
            "machine exec --name dev -- true",
            "machine exec --name dev -i -- true",
            "machine exec --name dev --stream --secret-env=A=HOME -e B -- true",
            "machine cp /etc/hosts dev:/root/x",
            "machine cp dev:/root/x x",
        ] {
            let outcome = engine.smolvm(call).fails(&error);
            assert_eq!(outcome.stdout, "", "{outcome:?}");
        }
        assert!(!engine.path("x").exists(), "{}", engine.label());
    });
}

#[test]
fn cp_needs_one_side_in_a_machine() {
    on_every_engine(|engine| {
        engine
            .smolvm("machine cp a b")
            .fails("config operation failed: cp: one of SRC or DST must use machine:path syntax");
    });
}

#[test]
fn status_prints_the_state_and_the_same_json() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds();
        engine.smolvm("machine status --name dev").succeeds().says("Machine 'dev': created");
        let status = engine.smolvm("machine status --json --name dev").succeeds();
        let status: Value = serde_json::from_str(&status.stdout).unwrap();
        assert_eq!(Some(status), engine.listed("dev"), "{}", engine.label());
    });
}

#[test]
fn an_unpacked_image_is_listed_as_a_local_one() {
    on_every_engine(|engine| {
        let folder = engine.path("rootfs");
        fs::create_dir_all(folder.join("bin")).unwrap();
        engine.smolvm(&format!("machine create --image {} --name img", folder.display())).succeeds();
        let image = engine.listed("img").unwrap()["image"].as_str().unwrap().to_owned();
        assert_eq!(image, format!("local-dir:{}", folder.display()), "{}", engine.label());
    });
}

#[test]
fn a_checkpoint_has_its_own_extension_and_needs_a_running_machine() {
    on_engines(
        |engine| engine.has(Fact::Live),
        |engine| {
            engine.smolvm("machine create --name m").succeeds();
            let save = |file: &str| {
                engine.smolvm(&format!("machine checkpoint --name m --output {}", engine.path(file).display()))
            };
            save("x.smolcheckpoint").fails("checkpoint machine: machine 'm' must be running");
            if engine.has(Fact::CheckpointEnding) {
                save("x.checkpoint").fails("must be running");
            } else {
                save("x.checkpoint").fails("output must end in .smolcheckpoint");
            }
            save("x.tar").fails("output must end in .");
            if engine.has(Fact::StoredCheckpoints) {
                let store = |more: &str| {
                    engine.smolvm(&format!("machine checkpoint --name m --output x.smolcheckpoint --store s{more}"))
                };
                store("").fails("must be running");
                store(" --staging-dir d").exits(2);
            }
        },
    );
}

#[test]
fn pause_and_resume_check_the_state() {
    on_engines(
        |engine| engine.has(Fact::Pause),
        |engine| {
            engine.smolvm("machine create --name dev").succeeds();
            engine
                .smolvm("machine pause --name dev")
                .fails("agent operation failed: checkpoint machine: machine 'dev' must be running");
            engine
                .smolvm("machine resume --name dev")
                .fails("agent operation failed: resume machine: machine is not paused");
        },
    );
}

#[test]
fn update_closes_the_network() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev --net --allow-cidr 10.0.0.0/8").succeeds();
        engine.smolvm("machine update --name dev").succeeds().says("No changes specified.");
        engine
            .smolvm("machine update --name dev --no-net --workdir=/y")
            .succeeds()
            .says("Updated machine 'dev':\n  network: disabled\n  cleared allow_cidrs\n  workdir: /y\n");
        let vm = engine.listed("dev").unwrap();
        assert_eq!((&vm["network"], vm.get("allowed_cidrs")), (&json!(false), None), "{}", engine.label());
    });
}

#[test]
fn the_environment_fills_in_a_name_in_newer_engines() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds();
        let mut command = engine.command();
        command.env("SMOLVM_MACHINE_NAME", "dev");
        let outcome = engine.run("machine delete -f", command);
        if engine.has(Fact::NameFromEnv) {
            outcome.succeeds();
            assert_eq!(engine.list().len(), 0, "{}", engine.label());
        } else {
            outcome.misused("--name <NAME>");
        }
    });
}

#[test]
fn errors_can_be_json_in_newer_engines() {
    let calls = [
        ("machine stop --name nope", "NOT_FOUND", "vm not found: nope"),
        ("machine create --name dev", "CONFIG_ERROR", "already exists"),
        ("machine exec --name dev -- true", "SMOLVM_ERROR", "is not running"),
        ("pack create --from-vm nope -o x", "SMOLVM_ERROR", "VM 'nope' not found"),
        ("machine pause --name dev", "CONFLICT", "must be running"),
        ("machine resume --name dev", "CONFLICT", "is not paused"),
    ];
    on_engines(
        |engine| engine.has(Fact::ErrorFormat),
        |engine| {
            engine.smolvm("machine create --name dev").succeeds();
            for (call, code, message) in calls {
                let outcome = engine.smolvm(&format!("--error-format json {call}")).exits(1);
                let line = outcome.stderr.lines().last().unwrap_or_default();
                let error: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{outcome:#?}"));
                assert_eq!(error["error"]["code"], code, "{outcome:#?}");
                assert!(error["error"]["message"].as_str().unwrap().contains(message), "{outcome:#?}");
            }
            engine.smolvm("--error-format=json machine frob").misused("error: unrecognized subcommand");
        },
    );
}

#[test]
fn a_machine_that_was_never_started_cannot_be_packed() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds();
        let outcome = engine.smolvm("pack create --from-vm dev -o out");
        outcome
            .fails("agent operation failed: pack from VM: overlay disk not found at ")
            .complains("The VM may not have been started yet.");
        assert!(!engine.path("out").exists() && !engine.path("out.smolmachine").exists(), "{}", engine.label());
    });
}

#[test]
fn pack_refuses_only_machines_that_look_running() {
    on_every_engine(|engine| {
        let mut vmm = Command::new("sleep").arg("600").spawn().unwrap();
        engine.seeded_vm("");
        if engine.forge("bare", "running", vmm.id()) {
            engine.smolvm("pack create --from-vm bare -o out").fails(
                "agent operation failed: pack from VM: VM 'bare' is running. \
                 Stop it first with: smolvm machine stop --name bare",
            );
            assert!(!engine.path("out").exists(), "{}", engine.label());
            // The engine ignores a live process behind any other state.
            engine.forge("bare", "unreachable", vmm.id());
            engine.smolvm("pack create --from-vm bare -o out").succeeds();
            engine.forge("bare", "failed", vmm.id());
            engine.smolvm("pack create --from-vm bare -o out").succeeds();
        }
        vmm.kill().unwrap();
        vmm.wait().unwrap();
    });
}

#[test]
fn a_record_that_says_running_without_a_process_is_stopped() {
    on_every_engine(|engine| {
        let mut vmm = Command::new("true").spawn().unwrap();
        vmm.wait().unwrap();
        engine.seeded_vm("");
        if engine.forge("bare", "running", vmm.id()) {
            assert_eq!(engine.listed("bare").unwrap()["state"], "stopped", "{}", engine.label());
            engine.smolvm("machine exec --name bare -- true").fails("is not running");
        }
    });
}

#[test]
fn states_are_listed_as_they_were_written() {
    on_every_engine(|engine| {
        engine.smolvm("machine create --name dev").succeeds();
        let states: &[&str] =
            if engine.has(Fact::Pause) { &["stopped", "failed", "paused", "pausing"] } else { &["stopped", "failed"] };
        for state in states {
            if !engine.forge("dev", state, 0) {
                return;
            }
            assert_eq!(engine.listed("dev").unwrap()["state"], **state, "{}", engine.label());
            if state.starts_with("paus") {
                engine.smolvm("machine start --name dev").fails("has saved execution; use resume");
            } else {
                engine
                    .smolvm("machine stop --name dev")
                    .succeeds()
                    .says(&format!("Machine 'dev' is not running (state: {state})"));
            }
        }
    });
}

#[test]
fn pack_writes_a_launcher_and_a_sidecar_and_leaves_nothing_else() {
    on_every_engine(|engine| {
        engine.seeded_vm("--cpus=3 --mem=700 --net -e A=b");
        fs::create_dir(engine.path("staging")).unwrap();
        let packed = engine
            .smolvm("pack create --from-vm=bare --output=out --staging-dir=staging")
            .succeeds()
            .says("Packing VM 'bare' snapshot...\nCollecting runtime libraries...\n")
            .says("\r⠋ Assembling packed binary\x1b[K")
            .says("Packed: out (stub: ")
            .says("Assets: out.smolmachine (");
        assert_eq!(packed.stdout.contains("Copying storage disk"), engine.has(Fact::BareWorkspace), "{packed:#?}");
        let launcher = fs::metadata(engine.path("out")).unwrap();
        assert_eq!(launcher.permissions().mode() & 0o777, 0o755, "{}", engine.label());
        for folder in ["staging", "tmp"] {
            assert_eq!(fs::read_dir(engine.path(folder)).unwrap().count(), 0, "{}", engine.label());
        }
        let manifest = Artifact::read(&engine.path("out.smolmachine")).manifest;
        let (cpus, mem) = if engine.has(Fact::PacksResources) { (3, 700) } else { (4, 8192) };
        let wanted = json!({"mode": "vm", "image": "vm://bare", "digest": "none", "network": true,
            "cpus": cpus, "mem": mem, "env": ["A=b"], "smolvm_version": engine.version});
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(manifest.get(key), Some(value), "{}: {key} in {manifest:#}", engine.label());
        }
        let entrypoint = json!(["/bin/sh"]);
        let entrypoint = (!engine.has(Fact::NoEntrypoint)).then_some(&entrypoint);
        assert_eq!(manifest.get("entrypoint"), entrypoint, "{}", engine.label());
        let storage = manifest["assets"].get("storage_logical_size").is_some();
        assert_eq!(storage, engine.has(Fact::BareWorkspace), "{}", engine.label());
        assert_eq!(manifest["assets"]["overlay_logical_size"], 64 << 20, "{}", engine.label());
        assert_eq!(engine.listed("bare").unwrap()["state"], "created", "{}", engine.label());
    });
}

#[test]
fn pack_takes_resources_and_a_closed_network_from_its_flags() {
    on_every_engine(|engine| {
        let manifest = Artifact::read(&artifact(engine, false)).manifest;
        assert_eq!(manifest["network"], false, "{}", engine.label());
        assert_eq!((&manifest["cpus"], &manifest["mem"]), (&json!(2), &json!(512)), "{}", engine.label());
        assert!(!manifest.to_string().contains("10.0.0.0"), "{}: {manifest:#}", engine.label());
        assert_eq!(Artifact::read(&artifact(engine, true)).manifest["network"], true, "{}", engine.label());
    });
}

#[test]
fn an_artifact_is_made_of_what_can_be_taken_apart() {
    on_every_engine(|engine| {
        assert_same_again(&artifact(engine, true));
        let mut paths = Vec::new();
        let taken = take_apart(&artifact(engine, true), &mut |part| {
            if let Part::Member(member) = part {
                paths.push(member.path.clone());
            }
            Ok(())
        });
        taken.unwrap();
        assert_eq!(paths, ["agent-rootfs.tar", "layers/", "overlay.raw", "storage.ext4"], "{}", engine.label());
    });
}

#[test]
fn pack_overwrites_without_asking() {
    on_every_engine(|engine| {
        engine.seeded_vm("");
        fs::write(engine.path("out"), "precious").unwrap();
        // Longer than the new file: leftover bytes at its end would show.
        let old = if engine.real.is_some() { 50_000_000 } else { 100_000 };
        fs::write(engine.path("out.smolmachine"), vec![b'x'; old]).unwrap();
        engine.smolvm("pack create --from-vm bare -o out").succeeds();
        Artifact::read(&engine.path("out.smolmachine"));
        assert!(!fs::read(engine.path("out")).unwrap().starts_with(b"precious"), "{}", engine.label());
    });
}

#[test]
fn pack_notices_a_bad_output_only_at_the_end() {
    on_every_engine(|engine| {
        engine.seeded_vm("");
        fs::create_dir(engine.path("folder")).unwrap();
        engine
            .smolvm("pack create --from-vm bare -o nowhere/out")
            .fails("agent operation failed: pack binary: I/O error: No such file or directory (os error 2)")
            .says("Assembling packed binary");
        engine
            .smolvm("pack create --from-vm bare -o folder")
            .fails("agent operation failed: pack binary: I/O error: Is a directory (os error 21)")
            .says("Assembling packed binary");
        assert!(!engine.path("folder.smolmachine").exists(), "{}", engine.label());
    });
}

#[test]
fn pack_refuses_the_name_of_an_artifact_in_newer_engines() {
    on_every_engine(|engine| {
        engine.seeded_vm("");
        let outcome = engine.smolvm("pack create --from-vm bare -o out.smolmachine");
        if engine.has(Fact::LauncherNames) {
            outcome.fails(
                "config operation failed: pack create: --output names the executable stub, not the .smolmachine \
                 sidecar (which is created automatically as '<output>.smolmachine'). Use --output out instead.",
            );
            assert!(!engine.path("out.smolmachine").exists(), "{}", engine.label());
        } else {
            outcome.succeeds();
            Artifact::read(&engine.path("out.smolmachine.smolmachine"));
        }
    });
}

#[test]
fn a_restored_machine_has_only_what_the_pack_knows() {
    on_every_engine(|engine| {
        let closed = artifact(engine, false);
        engine
            .smolvm(&format!("machine create --name r --from={}", closed.display()))
            .succeeds()
            .says("Extracting .smolmachine assets...\nCreated machine: r\n  CPUs: 2, Memory: 512 MiB\n");
        let vm = engine.listed("r").unwrap();
        let wanted = json!({"state": "created", "cpus": 2, "memory_mib": 512, "storage_gb": null,
            "overlay_gb": null, "network": false, "image": null, "mounts": 0, "ports": 0, "pid": null});
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(vm.get(key), Some(value), "{}: {key} in {vm:#}", engine.label());
        }
        assert_eq!(vm.get("allowed_cidrs"), None, "{}", engine.label());
        // An allow list is not part of a pack: one CIDR becomes the whole internet.
        let open = artifact(engine, true);
        engine.smolvm(&format!("machine create --name open --from={}", open.display())).succeeds();
        let vm = engine.listed("open").unwrap();
        assert_eq!((&vm["network"], vm.get("allowed_cidrs")), (&json!(true), None), "{}", engine.label());
    });
}

#[test]
fn flags_beside_from_change_the_restored_machine() {
    on_every_engine(|engine| {
        let from = artifact(engine, false).display().to_string();
        let flags = "--cpus 3 --mem 777 --storage 3 --overlay 2 -e X=y -p 80:80";
        engine.smolvm(&format!("machine create --name r --from={from} {flags}")).succeeds().says("  Ports: 1");
        let vm = engine.listed("r").unwrap();
        let wanted = json!({"cpus": 3, "memory_mib": 777, "storage_gb": 3, "overlay_gb": 2, "ports": 1,
            "network": false});
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(vm.get(key), Some(value), "{}: {key} in {vm:#}", engine.label());
        }
    });
}

#[test]
fn default_values_are_allowed_beside_from_in_newer_engines() {
    on_every_engine(|engine| {
        let from = artifact(engine, false).display().to_string();
        engine.smolvm(&format!("machine create --name r --from={from} --cpus 4 --mem 8192")).succeeds();
        let vm = engine.listed("r").unwrap();
        let (cpus, mem) = if engine.has(Fact::DefaultsBesideFrom) { (4, 8192) } else { (2, 512) };
        assert_eq!((&vm["cpus"], &vm["memory_mib"]), (&json!(cpus), &json!(mem)), "{}", engine.label());
    });
}

#[test]
fn an_allow_list_beside_from_is_dropped_by_older_engines() {
    on_every_engine(|engine| {
        let from = artifact(engine, false).display().to_string();
        let honored = engine.has(Fact::AllowListBesideFrom);
        for (name, flags, network) in [("r", "", honored), ("n", "--net", true)] {
            engine
                .smolvm(&format!("machine create --name {name} --from={from} {flags} --allow-cidr=10.0.0.0/8"))
                .succeeds();
            let vm = engine.listed(name).unwrap();
            assert_eq!(vm["network"], network, "{}", engine.label());
            let cidrs = json!(["10.0.0.0/8"]);
            assert_eq!(
                vm.get("allowed_cidrs"),
                engine.has(Fact::ListsAllowList).then_some(&cidrs),
                "{}",
                engine.label()
            );
        }
    });
}

#[test]
fn a_flipped_byte_is_noticed_only_by_newer_engines() {
    on_every_engine(|engine| {
        // In the manifest, because damage in the assets may also break the compression, which every version notices.
        let mut bytes = Artifact::read(&artifact(engine, true)).bytes;
        let name = bytes.windows(9).rposition(|window| window == b"vm://bare").unwrap();
        bytes[name + 8] ^= 1;
        fs::write(engine.path("bad.smolmachine"), bytes).unwrap();
        let outcome = engine.smolvm("machine create --name r --from=bad.smolmachine");
        if engine.has(Fact::ChecksCrc) {
            outcome.fails("agent operation failed: verify checkpoint checksum: checksum mismatch for bad.smolmachine");
        } else {
            outcome.succeeds();
        }
        assert_eq!(engine.listed("r").is_some(), !engine.has(Fact::ChecksCrc), "{}", engine.label());
        engine
            .smolvm("pack run --sidecar bad.smolmachine --info")
            .fails("agent operation failed: verify sidecar: checksum mismatch");
    });
}

#[test]
fn a_flipped_byte_collides_with_the_good_artifact_where_unpacks_are_shared() {
    on_engines(
        |engine| engine.has(Fact::SharedUnpacks) && !engine.has(Fact::ChecksCrc),
        |engine| {
            let good = artifact(engine, true);
            let Artifact { mut bytes, assets, .. } = Artifact::read(&good);
            bytes[assets / 3] ^= 1;
            fs::write(engine.path("bad.smolmachine"), bytes).unwrap();
            engine.smolvm(&format!("machine create --name good --from={}", good.display())).succeeds();
            engine.smolvm("machine create --name bad --from=bad.smolmachine").fails("shared pack checksum collision");
        },
    );
}

#[test]
fn a_file_that_is_not_an_artifact_is_refused() {
    on_every_engine(|engine| {
        let bytes = Artifact::read(&artifact(engine, true)).bytes;
        fs::write(engine.path("short"), &bytes[..20]).unwrap();
        fs::write(engine.path("truncated"), &bytes[..bytes.len() - 100]).unwrap();
        let reading = if engine.has(Fact::ChecksCrc) { "read checkpoint footer" } else { "read .smolmachine" };
        for (file, why) in [
            ("short", "I/O error: sidecar file too small to contain footer"),
            ("truncated", "invalid magic: expected SMOLPACK"),
        ] {
            engine
                .smolvm(&format!("machine create --name r --from={file}"))
                .fails(&format!("agent operation failed: {reading}: {why}"));
        }
        engine
            .smolvm("machine create --name r --from=missing")
            .fails("config operation failed: create from .smolmachine: file not found: missing");
        assert_eq!(engine.list().len(), 0, "{}", engine.label());
        // The name is free again.
        engine.smolvm("machine create --name r").succeeds();
    });
}

#[test]
fn an_artifact_describes_itself() {
    on_every_engine(|engine| {
        let file = artifact(engine, false);
        engine
            .smolvm(&format!("pack run --sidecar {} --info", file.display()))
            .succeeds()
            .says("Mode:       vm\nImage:      vm://bare\n")
            .says("CPUs:       2\nMemory:     512 MiB\n")
            .says("Checksum:   ");
    });
}

#[test]
fn an_unreachable_registry_is_reported_in_words_that_we_know() {
    on_every_engine(|engine| {
        artifact(engine, true);
        let unreachable = "HTTP request failed: error sending request for url (http://127.0.0.1:1/v2/team/dev/";
        for call in ["push --file=open.smolmachine", "pull --output=pulled", "inspect"] {
            engine.smolvm(&format!("pack {call} -- 127.0.0.1:1/team/dev:t")).fails(unreachable);
        }
        engine.smolvm("pack push --file=nosuch -- 127.0.0.1:1/dev:t").fails("push: file not found: nosuch");
        fs::write(engine.path("no-artifact"), [0; 100]).unwrap();
        engine.smolvm("pack push --file=no-artifact -- 127.0.0.1:1/dev:t").fails("invalid magic: expected SMOLPACK");
        engine.smolvm("pack push -- 127.0.0.1:1/dev:t").misused("--file");
        engine.smolvm("pack push --file=open.smolmachine").misused("<REFERENCE>");
        engine.smolvm("pack pull --output=pulled").misused("<REFERENCE>");
        for call in ["push ./open.smolmachine 127.0.0.1:1/team/dev:t --yes", "pull 127.0.0.1:1/team/dev:t"] {
            engine
                .bottle_freeze(&format!("snapshot {call}"))
                .exits(1)
                .complains("check that 127.0.0.1:1 can be reached");
        }
        assert!(!engine.path("pulled").exists(), "{}", engine.label());
        assert!(names_in(&engine.path("tmp")).is_empty(), "{}", engine.label());
    });
}

#[test]
fn a_taken_name_is_noticed_before_the_artifact_is_read() {
    on_every_engine(|engine| {
        let file = artifact(engine, false);
        engine.smolvm("machine create --name r").succeeds();
        engine
            .smolvm(&format!("machine create --name r --from={}", file.display()))
            .fails("machine 'r' already exists");
    });
}

/// No real engine with the old command line is available, so these two tests check only the fake.
fn fake_of(version: &'static str) -> Engine {
    Engine { version, real: None, home: TempDir::new().unwrap() }
}

#[test]
fn names_are_positional_in_the_oldest_engines() {
    for version in ["0.8.0", "1.0.1"] {
        let engine = fake_of(version);
        engine.smolvm("machine create --name dev").misused("unexpected argument '--name' found");
        engine.smolvm("machine create --cpus 2 dev").succeeds();
        assert_eq!(engine.listed("dev").unwrap()["cpus"], 2);
        engine.smolvm("machine data-dir dev").succeeds();
        engine.smolvm("machine update --cpus 3 dev").succeeds();
        engine.smolvm("machine stop --name dev").succeeds();
        engine.smolvm("machine delete --name dev").misused("unexpected argument '--name' found");
        engine.smolvm("machine delete -f dev").succeeds();
        assert_eq!(engine.list().len(), 0);
    }
    let engine = fake_of("1.0.1");
    engine.smolvm("machine create dev --cpus 2").succeeds();
    let vm = engine.listed("dev").unwrap();
    assert_eq!((&vm["cpus"], &vm["cmd"]), (&json!(4), &json!(["--cpus", "2"])));
}

#[test]
fn the_oldest_engine_exits_with_0_when_it_did_nothing() {
    let engine = fake_of("0.8.0");
    engine.smolvm("machine stop --name nope").succeeds().says("Machine 'nope' not found or not running");
    engine.smolvm("machine create dev").succeeds();
    engine.smolvm("machine start --name dev").succeeds();
    let pid = engine.listed("dev").unwrap()["pid"].to_string();
    engine.smolvm("machine delete -f dev").succeeds();
    assert_eq!(engine.list().len(), 0);
    let alive = Command::new("kill").args(["-0", &pid]).status().unwrap();
    assert!(alive.success(), "the VMM survives its record");
}

// ---------------------------------------------------------------------------- bottle-freeze on every engine

#[test]
fn bottle_freeze_manages_a_machine_on_every_engine() {
    on_every_engine(|engine| {
        let label = if engine.has(Fact::Labels) { "--label team=a" } else { "" };
        fs::create_dir_all(engine.path("shared")).unwrap();
        let shared = engine.path("shared");
        let words = format!(
            "create dev --cpus 2 --mem 512 --storage 3 --overlay 4 --allow-cidr 10.0.0.0/8 -e A=b -e PATH=/bin \
             -p 18080:80 -w /root --volume {}:/mnt/shared:ro {label}",
            shared.display()
        );
        engine.bottle_freeze(&words).succeeds().says("created dev");
        let vm = engine.listed("dev").unwrap();
        for (key, value) in [("cpus", 2), ("memory_mib", 512), ("storage_gb", 3), ("overlay_gb", 4), ("mounts", 1)] {
            assert_eq!(vm[key], value, "{}: {key}", engine.label());
        }
        assert_eq!((&vm["network"], &vm["ports"]), (&json!(true), &json!(1)), "{}", engine.label());
        let listed: Value = serde_json::from_str(&engine.bottle_freeze("ls --json").succeeds().stdout).unwrap();
        assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&json!("dev"), &json!("created")));
        engine.bottle_freeze("create dev").exits(16).complains("already exists");
        engine.bottle_freeze("stop dev").succeeds();
        engine.bottle_freeze("freeze dev -o new.smolmachine").exits(5).complains("never started");
        // Up to 1.14.0, this creates disks for a VM that has none.
        engine.bottle_freeze("exec dev -- true").exits(125).complains("bottle-freeze start dev");
        for missing in ["stop nope", "start nope", "rm --yes nope", "freeze nope -o x", "cp nope:/a b"] {
            engine.bottle_freeze(missing).exits(4).complains("nope");
        }
        engine.bottle_freeze("rm dev").exits(6);
        engine.bottle_freeze("rm --yes dev").succeeds();
        assert!(engine.list().is_empty(), "{}", engine.label());
    });
}

#[test]
fn bottle_freeze_freezes_and_restores_a_machine_on_every_engine() {
    on_every_engine(|engine| {
        engine.seeded_vm("--cpus=2 --mem=512 --net --allow-cidr=10.0.0.0/8 -e A=b");
        let before: BTreeSet<_> = names_in(engine.home.path());
        engine.bottle_freeze("freeze bare -o one.smolmachine").succeeds().says("froze bare");
        let packed = Artifact::read(&engine.path("one.smolmachine")).manifest;
        assert_eq!((&packed["cpus"], &packed["mem"]), (&json!(2), &json!(512)), "{}", engine.label());
        assert_eq!(packed["network"], false, "{}: the network is closed", engine.label());
        let after = names_in(engine.home.path());
        let new: Vec<_> = after.difference(&before).filter(|name| !name.starts_with('.')).collect();
        assert_eq!(new, ["one.smolmachine"], "{}: nothing else is left behind", engine.label());

        engine.bottle_freeze("freeze bare -o one.smolmachine").exits(7).complains("--force");
        engine.bottle_freeze("freeze bare -o one.smolmachine --force").succeeds();
        engine.bottle_freeze("create again --from one.smolmachine").succeeds();
        let vm = engine.listed("again").unwrap();
        assert_eq!((&vm["cpus"], &vm["network"]), (&json!(2), &json!(false)), "{}", engine.label());

        let mut bytes = fs::read(engine.path("one.smolmachine")).unwrap();
        bytes[1000] ^= 1;
        fs::write(engine.path("bad.smolmachine"), bytes).unwrap();
        engine.bottle_freeze("create bad --from bad.smolmachine").exits(10).complains("damaged");
        engine.bottle_freeze("rm --yes bare again").succeeds();
        assert!(engine.list().is_empty(), "{}", engine.label());
    });
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
