//! Each row of the table of facts, tried on real engines on both sides of its line.
//!
//! `tests/corpus/facts.txt` holds what was measured, a fact a line: `Labels 1.7.7:no 1.8.0:yes`. The table must agree with it
//! (`make test`), and it with the real engines (`make facts`, and `make conformance` as far as it has them).
//! `BOTTLE_FREEZE_BLESS=Labels,Pause make facts` measures these rows on every engine that is there, and records them.

use bottle_freeze::engine::{Fact, Proof, Version};
use serde_json::Value;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

// ------------------------------------------------------------------------------------------- what was measured

type Answers = BTreeMap<Version, bool>;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/facts.txt")
}

fn measured() -> BTreeMap<String, Answers> {
    let answer = |word: &str| {
        let (version, answer) = word.split_once(':').unwrap_or_else(|| panic!("VERSION:yes or VERSION:no, not {word}"));
        (version.parse().unwrap(), answer == "yes")
    };
    let line = |line: &str| {
        let (name, answers) = line.split_once(' ').unwrap_or_else(|| panic!("NAME and answers, not {line}"));
        (name.to_owned(), answers.split(' ').map(answer).collect())
    };
    fs::read_to_string(corpus()).unwrap().lines().map(line).collect()
}

/// What is wrong with a row, by what was measured.
fn contradiction(fact: Fact, answers: &Answers) -> Option<String> {
    let name = fact.name();
    if let Some((version, answer)) = answers.iter().find(|(version, answer)| version.has(fact) != **answer) {
        return Some(format!("{name}: smolvm {version} was measured: {answer}"));
    }
    let is_measured = |line: Version| answers.contains_key(&line) && answers.range(..line).next().is_some();
    let lines = [Some(fact.since()), fact.until()];
    let missing = lines.into_iter().flatten().find(|line| !is_measured(*line))?;
    Some(format!(
        "{name}: smolvm {missing} and the wheel before it were not both measured: BOTTLE_FREEZE_BLESS={name} make facts"
    ))
}

#[test]
fn each_row_agrees_with_what_was_measured_on_both_sides_of_its_line() {
    let mut measured = measured();
    let probed = Fact::ALL.iter().filter(|fact| fact.proof() == Proof::Probe);
    let wrong: Vec<_> =
        probed.filter_map(|fact| contradiction(*fact, &measured.remove(fact.name()).unwrap_or_default())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(measured.is_empty(), "rows that are not in the table, or not proven by a probe: {:?}", measured.keys());
}

// ---------------------------------------------------------------------------------------------------- an engine

/// A real engine.
struct Real {
    program: PathBuf,
    version: Version,
    help: RefCell<BTreeMap<String, String>>,
    packed: OnceCell<Packed>,
}

/// The artifact of a bare VM with 3 CPUs and 700 MiB of memory.
struct Packed {
    home: TempDir,
    artifact: PathBuf,
}

/// The engine in a home of its own.
struct Home<'a> {
    real: &'a Real,
    folder: TempDir,
}

impl Real {
    fn new(version: Version) -> Option<Self> {
        let root = PathBuf::from(std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES")?);
        let program = root.join(version.to_string()).join("bin/smolvm");
        let real = Self { program, version, help: RefCell::default(), packed: OnceCell::new() };
        real.program.exists().then_some(real)
    }

    /// All that are there.
    fn all() -> Vec<Self> {
        let Some(root) = std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES") else { return Vec::new() };
        let names = fs::read_dir(root).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let versions: BTreeSet<Version> = names.filter_map(|name| name.parse().ok()).collect();
        versions.into_iter().filter_map(Self::new).collect()
    }

    fn command(&self, home: &Path, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(line.split_whitespace()).current_dir(home).stdin(Stdio::null());
        command.env("HOME", home).env("TMPDIR", home).env("SMOLVM_USAGE_DIR", "");
        command.env_remove("XDG_CACHE_HOME").env_remove("XDG_DATA_HOME").env_remove("SMOLVM_MACHINE_NAME");
        command
    }

    fn home(&self) -> Home<'_> {
        Home { real: self, folder: TempDir::new().unwrap() }
    }

    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| {
            let it = self.home();
            it.succeeds("machine create --name packed --cpus 3 --mem 700");
            it.make_disks("packed");
            let artifact = it.pack("packed").unwrap();
            Packed { home: it.folder, artifact }
        })
    }

    /// The manifest of the artifact.
    fn manifest(&self) -> Value {
        let bytes = fs::read(&self.packed().artifact).unwrap();
        let footer = &bytes[bytes.len() - 64..];
        let number = |at: usize| usize::try_from(u64::from_le_bytes(footer[at..at + 8].try_into().unwrap())).unwrap();
        serde_json::from_slice(&bytes[number(36)..number(36) + number(44)]).unwrap()
    }

    fn has_option(&self, command: &str, option: &str) -> bool {
        let mut all = self.help.borrow_mut();
        let help = all.entry(command.to_owned()).or_insert_with(|| self.home().prints(&format!("{command} --help")));
        let is_it = |line: &str| {
            let line = line.trim_start();
            let long = line.split_once(", ").filter(|(short, _)| short.len() == 2).map_or(line, |(_, long)| long);
            long.split([' ', '[', '<']).next() == Some(option)
        };
        help.lines().any(is_it)
    }
}

impl Home<'_> {
    fn run(&self, line: &str) -> Output {
        self.real.command(self.folder.path(), line).output().unwrap()
    }

    fn ends_well(&self, line: &str) -> bool {
        self.run(line).status.success()
    }

    fn succeeds(&self, line: &str) {
        let output = self.run(line);
        assert!(output.status.success(), "smolvm {}: {line}: {output:?}", self.real.version);
    }

    fn prints(&self, line: &str) -> String {
        String::from_utf8_lossy(&self.run(line).stdout).into_owned()
    }

    fn complains(&self, line: &str, text: &str) -> bool {
        String::from_utf8_lossy(&self.run(line).stderr).contains(text)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn list(&self) -> Vec<Value> {
        serde_json::from_str(&self.prints("machine ls --json")).unwrap()
    }

    /// What the list has under that key of a VM made with these flags.
    fn listed(&self, flags: &str, key: &str) -> Option<Value> {
        self.succeeds(&format!("machine create --name a {flags}"));
        self.list().swap_remove(0).get(key).cloned()
    }

    /// The same of a VM made from an artifact; nothing if the engine does not take the flags.
    fn listed_beside_from(&self, flags: &str, key: &str) -> Option<Value> {
        let artifact = self.real.packed().artifact.display();
        if !self.ends_well(&format!("machine create --name a --from {artifact} {flags}")) {
            return None;
        }
        self.list().swap_remove(0).get(key).cloned()
    }

    /// Whether the engine's database holds this text.
    fn has_stored(&self, text: &str) -> bool {
        let files = fs::read_dir(self.path(".local/share/smolvm/server")).into_iter().flatten().flatten();
        files.into_iter().any(|file| contains(&fs::read(file.path()).unwrap_or_default(), text))
    }

    fn data_dir(&self, name: &str) -> PathBuf {
        PathBuf::from(self.prints(&format!("machine data-dir --name {name}")).trim())
    }

    /// Gives a VM both its disks, as if it had been started once.
    fn make_disks(&self, name: &str) {
        let folder = self.data_dir(name);
        fs::create_dir_all(&folder).unwrap();
        for disk in ["overlay.raw", "storage.raw"] {
            let made = Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(folder.join(disk)).arg("64M").output();
            assert!(made.expect("mke2fs, to make disks for a real engine").status.success());
        }
    }

    /// Packs the VM: the artifact, or what the engine printed.
    fn pack(&self, name: &str) -> Result<PathBuf, String> {
        let packed = self.run(&format!("pack create --from-vm {name} --output {name}-packed"));
        let file = self.path(&format!("{name}-packed.smolmachine"));
        if packed.status.success() { Ok(file) } else { Err(String::from_utf8_lossy(&packed.stderr).into_owned()) }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether a folder has a file whose name ends like this.
fn holds(folder: &Path, ending: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().ends_with(ending))
}

// ------------------------------------------------------------------------------------------------------- probes

/// The option or the subcommand that shows a fact.
fn option(fact: Fact) -> Option<(&'static str, &'static str)> {
    Some(match fact {
        Fact::ImageWorkspace => ("pack create", "--include-workspace"),
        Fact::Live => ("machine", "checkpoint"),
        Fact::Pause => ("machine", "pause"),
        Fact::StoredCheckpoints => ("machine checkpoint", "--store"),
        Fact::EditsAllowList => ("machine update", "--allow-cidr"),
        Fact::Cascade => ("machine delete", "--cascade"),
        Fact::ExecUser => ("machine exec", "--user"),
        Fact::QuietList => ("machine ls", "--quiet"),
        Fact::StopTimeout => ("machine stop", "--timeout"),
        Fact::ErrorFormat => ("machine ls", "--error-format"),
        Fact::StateDir => ("machine ls", "--state-dir"),
        Fact::Labels => ("machine create", "--label"),
        Fact::Sockets => ("machine create", "--mount-socket"),
        Fact::VmNetworks => ("machine create", "--network"),
        Fact::Nested => ("machine create", "--nested"),
        Fact::Credentials => ("machine create", "--credential"),
        Fact::HostProxy => ("machine create", "--use-host-proxy"),
        Fact::StopOnExit => ("machine create", "--stop-on-exit"),
        Fact::CacheDisk => ("machine create", "--cache-disk"),
        Fact::StopSignal => ("machine create", "--stop-signal"),
        Fact::ShmSize => ("machine create", "--shm-size"),
        Fact::AutoGraph => ("machine create", "--auto-graph"),
        Fact::SystemMounts => ("machine create", "--allow-system-mounts"),
        Fact::GuestUser => ("machine create", "--user"),
        Fact::Rewinds => ("machine create", "--at"),
        Fact::HostPatterns => ("machine create", "--allow-host-pattern"),
        Fact::RestoreCache => ("machine create", "--restore-cache-gib"),
        Fact::Identity => ("machine create", "--keep-identity"),
        Fact::PrivateRules => ("machine create", "--block-private"),
        Fact::Keychain => ("machine create", "--secret-keychain"),
        Fact::DenyRules => ("machine create", "--deny-cidr"),
        Fact::UdpRules => ("machine create", "--allow-udp"),
        _ => return None,
    })
}

/// Whether the fact is true of the engine, by trying it.
fn probe(fact: Fact, real: &Real) -> bool {
    if let Some((command, option)) = option(fact) {
        return real.has_option(command, option);
    }
    let it = real.home();
    match fact {
        Fact::BlockIo => it.listed_beside_from("--block-io async", "block_io") == Some("async".into()),
        Fact::Durability => {
            it.listed_beside_from("--disk-durability deferred", "disk_durability") == Some("deferred".into())
        }
        Fact::DnsOptions => it
            .listed_beside_from("--net --dns-option timeout:1", "dns_options")
            .is_some_and(|options| options.to_string().contains("timeout:1")),
        Fact::ExtraDisks => it.listed("", "disks").is_some(),
        Fact::DisksBesideFrom => {
            fs::write(it.path("a.img"), vec![0; 1 << 20]).unwrap();
            let flags = format!("--disk {}", it.path("a.img").display());
            it.listed_beside_from(&flags, "disks").is_some_and(|disks| disks.to_string().contains("a.img"))
        }
        Fact::ListsAllowList => it.listed("--allow-cidr 10.11.0.0/16", "allowed_cidrs").is_some(),
        Fact::ListsDns => it.listed("--net --dns 9.9.9.9", "dns").is_some(),
        Fact::Forkpoints => it.listed("", "forkpoint_held").is_some(),
        Fact::ListsCuda => it.listed("", "cuda").is_some(),
        Fact::Branches => it.listed("", "branchable").is_some(),
        Fact::Detached => it.listed("", "detached").is_some(),
        Fact::OwnDiskFolders => it.ends_well("machine create --name a -v /var/lib/own"),
        Fact::NetForImages => !it.ends_well("machine create --name a --image alpine"),
        Fact::StagedMounts => it.complains("machine create --name a -v bogus", "staged"),
        Fact::NoEntrypoint => real.manifest().get("entrypoint").is_none(),
        Fact::PacksResources => real.manifest()["cpus"] == 3,
        Fact::BareWorkspace => real.manifest()["assets"].get("storage_logical_size").is_some(),
        Fact::PackLock => holds(&real.packed().home.path().join(".cache/smolvm"), ".lock"),
        _ => probe_of_a_vm(fact, &it),
    }
}

/// The same, of those that need a VM first.
fn probe_of_a_vm(fact: Fact, it: &Home<'_>) -> bool {
    it.succeeds("machine create --name first");
    match fact {
        Fact::AllowListBesideFrom => {
            it.listed_beside_from("--allow-cidr 10.11.0.0/16", "name");
            it.has_stored("10.11.0.0/16")
        }
        Fact::LocalImages => packs_local_images(it),
        Fact::DefaultsBesideFrom => {
            it.make_disks("first");
            it.succeeds("pack create --from-vm first --output small --cpus 2 --mem 512");
            it.succeeds("machine create --name a --from small.smolmachine --cpus 4 --mem 8192");
            it.list().iter().any(|vm| vm["name"] == "a" && vm["cpus"] == 4)
        }
        Fact::ParallelChanges => allows_parallel_changes(it),
        Fact::LauncherNames => {
            it.complains("pack create --from-vm first -o x.smolmachine", "names the executable stub")
        }
        Fact::SharedUnpacks => {
            it.listed_beside_from("", "name");
            it.path(".cache/smolvm/vms/_shared").is_dir()
        }
        Fact::DisksOnStart => {
            it.run("machine status --name first");
            !holds(&it.data_dir("first"), ".raw") && !holds(&it.data_dir("first"), ".qcow2")
        }
        Fact::DeleteAsks => !it.ends_well("machine delete --name first"),
        Fact::ChecksCrc => {
            let mut bytes = fs::read(&it.real.packed().artifact).unwrap();
            let at = bytes.windows(9).rposition(|window| window == b"vm://pack").unwrap();
            bytes[at + 8] ^= 1;
            fs::write(it.path("bad.smolmachine"), bytes).unwrap();
            !it.ends_well("machine create --name a --from bad.smolmachine")
        }
        Fact::SortsList => {
            "e a d c b".split(' ').for_each(|name| it.succeeds(&format!("machine create --name {name}")));
            it.list().windows(2).all(|pair| pair[0]["name"].as_str() < pair[1]["name"].as_str())
        }
        Fact::NameFromEnv => {
            let mut status = it.real.command(it.folder.path(), "machine status");
            let output = status.env("SMOLVM_MACHINE_NAME", "first").output().unwrap();
            contains(&output.stdout, "first")
        }
        Fact::CheckpointEnding => {
            it.complains("machine checkpoint --name first -o x.checkpoint", "checkpoint machine: machine 'first'")
        }
        Fact::StartHint => it.complains("machine exec --name first -- true", "Start it with"),
        _ => panic!("{} has no probe", fact.name()),
    }
}

fn packs_local_images(it: &Home<'_>) -> bool {
    fs::create_dir_all(it.path("rootfs/bin")).unwrap();
    fs::write(it.path("rootfs/bin/sh"), "").unwrap();
    it.succeeds("machine create --name a --net --image ./rootfs");
    it.make_disks("a");
    // Without KVM none succeeds: only the reason differs.
    it.pack("a").err().is_none_or(|text| !text.contains("local image"))
}

fn allows_parallel_changes(it: &Home<'_>) -> bool {
    let create = |number: usize| {
        let mut command = it.real.command(it.folder.path(), &format!("machine create --name vm{number}"));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all: Vec<_> = (0..24).map(create).collect();
    let ends: Vec<_> = all.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(ends.iter().all(|end| end.status.signal().is_none()));
    ends.iter().all(|end| end.status.success())
}

fn probed() -> impl Iterator<Item = Fact> {
    Fact::ALL.iter().copied().filter(|fact| fact.proof() == Proof::Probe)
}

#[test]
fn real_engines_do_what_was_measured() {
    if let Ok(names) = std::env::var("BOTTLE_FREEZE_BLESS") {
        return bless(&names);
    }
    let (measured, mut wrong) = (measured(), Vec::new());
    for real in Real::all() {
        for fact in probed() {
            let Some(answer) = measured.get(fact.name()).and_then(|answers| answers.get(&real.version)) else {
                continue;
            };
            if probe(fact, &real) != *answer {
                wrong.push(format!("{} is {} of smolvm {}", fact.name(), !answer, real.version));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Older engines than the first wheel lack these; every wheel has them.
#[test]
fn every_real_engine_does_what_only_older_ones_do_not() {
    for real in Real::all() {
        let it = real.home();
        it.succeeds("machine create --name flag");
        assert!(real.version.has(Fact::NameFlags));
        let mut by_name = real.command(it.folder.path(), "machine create --name a --env MARKED");
        by_name.env("MARKED", "by-the-host").output().unwrap();
        assert_eq!(it.has_stored("by-the-host"), real.version.has(Fact::EnvByName), "smolvm {}", real.version);
        assert_eq!(!it.ends_well("machine stop --name nope"), real.version.has(Fact::ReportsMissing));
        assert_eq!(real.has_option("machine exec", "--secret-env"), real.version.has(Fact::SecretEnv));
        assert_eq!(real.has_option("pack create", "--staging-dir"), real.version.has(Fact::StagingDir));
        assert!(takes_env_from_a_smolfile(&it), "smolvm {}", real.version);
    }
}

fn takes_env_from_a_smolfile(it: &Home<'_>) -> bool {
    fs::write(it.path("smolfile"), "env = [\"HOME=of the \\\"guest\\\" \\u0024x\\n\"]\n").unwrap();
    let mut create = it.real.command(it.folder.path(), "machine create --name b --net --cpus 1 --smolfile=/dev/stdin");
    assert!(create.stdin(fs::File::open(it.path("smolfile")).unwrap()).output().unwrap().status.success());
    it.has_stored(r#"["HOME","of the \"guest\" $x"]"#)
}

/// So that its version is remembered: see `engine_version`.
#[test]
fn every_real_engine_is_recognized_by_a_text_in_its_program() {
    for real in Real::all() {
        let it = real.home();
        let mut list = Command::new(env!("CARGO_BIN_EXE_bottle-freeze"));
        list.arg("ls").env("HOME", it.folder.path()).env("SMOLVM", real.program.with_file_name("../smolvm"));
        list.env_remove("XDG_CACHE_HOME").env_remove("XDG_DATA_HOME").env_remove("BOTTLE_FREEZE_HOME");
        assert!(list.output().unwrap().status.success(), "smolvm {}", real.version);
        assert!(holds(&it.path(".cache/bottle-freeze"), ".json"), "smolvm {}", real.version);
    }
}

/// Measures these facts on each engine that is there, and records the engines on both sides of each line.
fn bless(names: &str) {
    let (engines, mut measured) = (Real::all(), measured());
    for fact in probed().filter(|fact| names.split(',').any(|name| name == fact.name())) {
        let answers: Vec<_> = engines.iter().map(|real| (real.version, probe(fact, real))).collect();
        let lines = answers.windows(2).filter(|pair| pair[0].1 != pair[1].1);
        measured.insert(fact.name().to_owned(), lines.flatten().copied().collect());
    }
    let word = |(version, answer): (&Version, &bool)| format!("{version}:{}", if *answer { "yes" } else { "no" });
    let line = |fact: Fact| {
        let answers = measured.get(fact.name())?.iter().map(word).collect::<Vec<_>>();
        Some(format!("{} {}\n", fact.name(), answers.join(" ")))
    };
    fs::write(corpus(), probed().filter_map(line).collect::<String>()).unwrap();
}
