//! What is read from a VM's disks and its record is what the real engine packs: members bit by bit, manifest key by key. No VM
//! is booted: a start that fails leaves the disks as the engine makes them.

use crate::conformance::{Engine, on_real_engines};
use bottle_freeze::engine::{
    Direct, Disk, Fact, Known, Machine, Member, Name, Part, Record, direct, read_disk, take_apart,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

// ----------------------------------------------------------------------------------------------------- content

/// The content of a member, as the hashes of its blocks that are not zero.
#[derive(Debug, Default, PartialEq)]
struct Content {
    size: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
    /// The last block, as far as it is known.
    block: Vec<u8>,
}

impl Content {
    const BLOCK: u64 = 256 * KIB;

    fn add(&mut self, part: Part<'_>) {
        match part {
            Part::Member(_) => panic!("a member in a member"),
            Part::Data(mut bytes) => {
                while !bytes.is_empty() {
                    let (now, later) = bytes.split_at(bytes.len().min(self.room()));
                    self.block.extend_from_slice(now);
                    self.end_block();
                    bytes = later;
                }
            }
            Part::Zeros(mut count) => {
                while count > 0 && !self.block.is_empty() {
                    let now = self.room().min(usize::try_from(count).unwrap());
                    self.block.resize(self.block.len() + now, 0);
                    self.end_block();
                    count -= now as u64;
                }
                if count > 0 {
                    self.size += count / Self::BLOCK * Self::BLOCK;
                    self.block.resize(usize::try_from(count % Self::BLOCK).unwrap(), 0);
                }
            }
        }
    }

    fn room(&self) -> usize {
        usize::try_from(Self::BLOCK).unwrap() - self.block.len()
    }

    fn end_block(&mut self) {
        if self.room() == 0 {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.block.iter().any(|byte| *byte != 0) {
            self.blocks.insert(self.size, Sha256::digest(&self.block).to_vec());
        }
        self.size += self.block.len() as u64;
        self.block.clear();
    }
}

/// An artifact, taken apart.
struct Parts {
    members: BTreeMap<String, Content>,
    manifest: String,
}

fn parts(artifact: &Path) -> Parts {
    let (mut members, mut current) = (BTreeMap::<String, Content>::new(), String::new());
    let (_, manifest) = take_apart(artifact, &mut |part| {
        if let Part::Member(member) = part {
            if let Some(last) = members.get_mut(&current) {
                last.end();
            }
            current.clone_from(&member.path);
            members.insert(current.clone(), Content::default());
        } else {
            members.get_mut(&current).unwrap().add(part);
        }
        Ok(())
    })
    .unwrap();
    members.values_mut().for_each(Content::end);
    Parts { members, manifest }
}

fn content(disk: &Disk) -> Content {
    let mut content = Content::default();
    read_disk(disk, &mut |part| content.add(part)).unwrap();
    content.end();
    content
}

// --------------------------------------------------------------------------------------------------------- VMs

fn data_dir(engine: &Engine, name: &str) -> PathBuf {
    PathBuf::from(engine.smolvm(&format!("machine data-dir --name {name}")).succeeds().stdout.trim())
}

/// A VM with the disks that the engine makes for it.
fn vm(engine: &Engine, name: &str, flags: &str) -> PathBuf {
    engine.smolvm(&format!("machine create --name {name} {flags}")).succeeds();
    engine.make_disks(name);
    engine.smolvm(&format!("machine stop --name {name}")).succeeds();
    data_dir(engine, name)
}

/// A VM with disks that are then made by hand.
fn vm_without_disks(engine: &Engine, name: &str, flags: &str) -> PathBuf {
    engine.smolvm(&format!("machine create --name {name} {flags}")).succeeds();
    let folder = data_dir(engine, name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn record(engine: &Engine, name: &str) -> Record {
    Record::read(&engine.path(".local/share/smolvm"), &name.parse::<Name>().unwrap()).unwrap()
}

fn pack(engine: &Engine, name: &str, flags: &str) -> PathBuf {
    engine.smolvm(&format!("pack create --from-vm {name} --output {name} {flags}")).succeeds();
    fs::remove_file(engine.path(name)).unwrap();
    engine.path(&format!("{name}.smolmachine"))
}

/// An empty VM, as `try_to_pack` makes it.
struct Trial {
    record: Record,
    parts: Parts,
}

impl Trial {
    fn of(engine: &Engine) -> Self {
        let folder = vm_without_disks(engine, "trial", "--cpus 1 --mem 128");
        for disk in ["overlay.raw", "storage.raw"] {
            File::create(folder.join(disk)).unwrap().set_len(MIB).unwrap();
        }
        Self { record: record(engine, "trial"), parts: parts(&pack(engine, "trial", "")) }
    }

    /// What is read of the VM.
    fn read(&self, engine: &Engine, name: &str) -> Direct {
        let listed: Machine = serde_json::from_value(engine.listed(name).unwrap()).unwrap();
        let (folder, version) = (data_dir(engine, name), engine.version.parse().unwrap());
        let (record, trial, template) = (&record(engine, name), &self.record, &self.parts.manifest);
        let program = Path::new("smolvm");
        let known = Known { vm: &listed, record, trial, template, folder: &folder, engine: program, version };
        direct(&known, &mut Disk::open).unwrap_or_else(|why| panic!("{} {name}: {why}", engine.label()))
    }

    /// Freezes the VM both ways, and compares. The engine is asked for a closed network and true CPUs and memory, as by a
    /// freeze.
    fn compare(&self, engine: &Engine, name: &str) {
        let (about, direct, vm) =
            (format!("{} {name}", engine.label()), self.read(engine, name), engine.listed(name).unwrap());
        fs::write(engine.path("closed.smolfile"), "net = false\n").unwrap();
        let flags = format!("--cpus {} --mem {} --smolfile closed.smolfile", vm["cpus"], vm["memory_mib"]);
        let artifact = pack(engine, name, &flags);
        assert_eq!(shape(&direct.manifest), shape(&manifest(&artifact)), "{about}");
        if direct.secrets.is_empty() {
            self.compare_members(&about, &direct.disks, parts(&artifact).members);
        }
    }

    fn compare_members(&self, about: &str, disks: &[(Member, Disk)], mut packed: BTreeMap<String, Content>) {
        for (member, disk) in disks {
            let expected = packed.remove(&member.path).unwrap_or_else(|| panic!("{about}: no {}", member.path));
            assert_eq!((member.size, disk.size()), (expected.size, expected.size), "{about}: {}", member.path);
            assert!(content(disk) == expected, "{about}: {} differs", member.path);
        }
        // The others are those of the empty VM.
        assert_eq!(packed.len() + disks.len(), self.parts.members.len(), "{about}");
        for (path, content) in &packed {
            let empty = &self.parts.members[path];
            // Older engines pack a new file system, with its own UUID, instead of the storage disk.
            let is_same = if path == "storage.ext4" { empty.size == content.size } else { empty == content };
            assert!(is_same, "{about}: {path} differs");
        }
    }
}

/// The manifest of an artifact, which `take_apart` refuses if it has references to secrets.
fn manifest(artifact: &Path) -> String {
    let bytes = fs::read(artifact).unwrap();
    let footer = &bytes[bytes.len() - 64..];
    let number = |at: usize| usize::try_from(u64::from_le_bytes(footer[at..at + 8].try_into().unwrap())).unwrap();
    String::from_utf8(bytes[number(36)..number(36) + number(44)].to_vec()).unwrap()
}

/// The lines of a manifest, but for the time, and for the references to secrets and their names.
fn shape(manifest: &str) -> Vec<&str> {
    let (mut lines, mut in_secrets) = (Vec::new(), false);
    for line in manifest.lines() {
        let is = |key: &str| line.trim_start().starts_with(key);
        if in_secrets {
            in_secrets = !["  },", "  ],"].contains(&line);
        } else if is("\"secret_refs\"") || is("\"bottle_freeze_secrets\"") {
            in_secrets = true;
        } else if !is("\"created\"") {
            lines.push(line);
        }
    }
    lines
}

// ------------------------------------------------------------------------------------------------------- disks

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A file system with some files.
fn ext4(path: &Path, mib: u64) {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).arg(files).arg(path).arg(format!("{mib}M")));
}

/// The same, as a crash leaves it: with blocks in its journal.
fn dirty_ext4(path: &Path, mib: u64) {
    ext4(path, mib);
    let script = path.with_extension("script");
    fs::write(&script, "jo\njw -b 2000-2100 /dev/urandom\njc\n").unwrap();
    run(Command::new("debugfs").arg("-w").arg("-f").arg(&script).arg(path));
    fs::remove_file(script).unwrap();
    let header = Command::new("dumpe2fs").arg("-h").arg(path).output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&header).contains("needs_recovery"), "the journal of {} is clean", path.display());
}

/// Bytes that do not repeat.
fn noise(count: u64) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = vec![0; usize::try_from(count).unwrap()];
    for part in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // No byte is zero.
        part.copy_from_slice(&(state | 0x0101_0101_0101_0101).to_le_bytes()[..part.len()]);
    }
    bytes
}

/// A file without a hole, but for the last bytes.
fn full(path: &Path, mib: u64) {
    let file = File::create(path).unwrap();
    file.set_len(mib * MIB).unwrap();
    file.write_all_at(&noise(mib * MIB - 3000), 0).unwrap();
}

/// A file in which every other block is a hole, and some data is zeros.
fn fragmented(path: &Path, mib: u64) {
    let file = File::create(path).unwrap();
    file.set_len(mib * MIB).unwrap();
    let noise = noise(4 * KIB);
    for block in (0..mib * 256 - 100).step_by(2) {
        let block_is_zero = block % 32 == 0;
        let data = if block_is_zero { vec![0; 4096] } else { noise.clone() };
        file.write_all_at(&data, block * 4 * KIB).unwrap();
    }
    file.write_all_at(&vec![0; 40_960], (mib - 1) * MIB + 500_000).unwrap();
}

/// Writes clusters into a qcow2 file that the engine made, as a VM does: those of a new second table for each 512 MiB, over
/// data, over holes, one of zeros, and a last one that ends with the file.
fn write_clusters(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let read = |at: u64| {
        let mut word = [0; 8];
        file.read_exact_at(&mut word, at).unwrap();
        u64::from_be_bytes(word)
    };
    let (cluster, size, first) = (64 * KIB, read(24), read(40));
    let mut end = file.metadata().unwrap().len().next_multiple_of(cluster);
    let data = noise(cluster);
    let mut write = |bytes: &[u8]| {
        file.write_all_at(bytes, end).unwrap();
        end = (end + bytes.len() as u64).next_multiple_of(cluster);
        end - cluster
    };
    for table in [0, 1, size / (512 * MIB) - 1] {
        let second = write(&vec![0; 65_536]);
        file.write_all_at(&(second | 1 << 63).to_be_bytes(), first + 8 * table).unwrap();
        for (entry, bytes) in
            [(0, &data[..]), (1, &data), (5, &vec![0; 65_536]), (700, &data), (701, &data), (8000, &data)]
        {
            let offset = write(bytes);
            file.write_all_at(&(offset | 1 << 63).to_be_bytes(), second + 8 * entry).unwrap();
        }
        file.write_all_at(&1_u64.to_be_bytes(), second + 8 * 2).unwrap();
        let last = write(&data[..1000]);
        file.write_all_at(&(last | 1 << 63).to_be_bytes(), second + 8 * 8100).unwrap();
    }
}

/// Disks with one byte.
fn tiny_disks(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for disk in ["overlay.raw", "storage.raw"] {
        let file = File::create(folder.join(disk)).unwrap();
        file.set_len(2 * MIB).unwrap();
        file.write_all_at(b"a", MIB).unwrap();
    }
}

// ------------------------------------------------------------------------------------------------------- tests

/// The disks of each kind, read and packed.
#[test]
fn the_disks_of_each_kind_are_read_as_they_are_packed() {
    type Make = fn(&Path, u64);
    let kinds = [
        ("files", ext4 as Make),
        ("dirty", dirty_ext4 as Make),
        ("full", full as Make),
        ("fragmented", fragmented as Make),
    ];
    on_real_engines(|engine| {
        let trial = Trial::of(engine);
        for (name, make) in kinds {
            let folder = vm_without_disks(engine, name, "--cpus 2 --mem 300");
            make(&folder.join("overlay.raw"), 48);
            make(&folder.join("storage.raw"), 32);
            trial.compare(engine, name);
        }
        let folder = vm_without_disks(engine, "grown", "");
        for disk in ["overlay.raw", "storage.raw"] {
            ext4(&folder.join(disk), 32);
            File::options().write(true).open(folder.join(disk)).unwrap().set_len(200 * MIB).unwrap();
        }
        trial.compare(engine, "grown");
    });
}

/// The disks that the engine makes for a VM, and for one that is made from an artifact.
#[test]
fn the_disks_that_an_engine_makes_are_read_as_they_are_packed() {
    on_real_engines(|engine| {
        let trial = Trial::of(engine);
        // Engines without qcow2 read all 30 GiB of disks of the default size.
        let first = vm(engine, "first", "");
        let has_qcow2 = first.join("overlay.qcow2").exists();
        if has_qcow2 {
            trial.compare(engine, "first");
            write_clusters(&first.join("overlay.qcow2"));
            write_clusters(&first.join("storage.qcow2"));
            trial.compare(engine, "first");
        }
        vm(engine, "small", "--storage 1 --overlay 1");
        trial.compare(engine, "small");
        let folder = vm_without_disks(engine, "source", "");
        ext4(&folder.join("overlay.raw"), 32);
        ext4(&folder.join("storage.raw"), 32);
        let artifact = pack(engine, "source", "");
        let thawed = vm(engine, "thawed", &format!("--storage 1 --overlay 1 --from {}", artifact.display()));
        if has_qcow2 || thawed.join("overlay.raw").exists() {
            trial.compare(engine, "thawed");
        } else {
            // These engines start a VM to pack a qcow2 disk. It is the artifact's.
            let read = trial.read(engine, "thawed");
            trial.compare_members(&format!("{} thawed", engine.label()), &read.disks, parts(&artifact).members);
        }
    });
}

/// What no file uses is left out of a snapshot: the VM that the engine makes from it has the same file systems.
#[test]
fn a_vm_from_a_snapshot_without_deleted_files_has_the_same_file_systems() {
    on_real_engines(|engine| {
        let folder = vm_without_disks(engine, "dev", "");
        let disks = ["overlay", "storage"].map(|disk| folder.join(disk).with_extension("raw"));
        for disk in &disks {
            ext4(disk, 48);
            run(Command::new("debugfs").args(["-w", "-R", "rm same_vm.rs"]).arg(disk));
        }
        let frozen = engine.bottle_freeze("freeze dev --verbose").succeeds();
        assert!(frozen.stderr.contains("are free, and are left out"), "{}: {frozen:?}", engine.label());
        let exported = engine.path("dev.tar");
        engine.bottle_freeze(&format!("snapshot export dev -o {}", exported.display())).succeeds();
        run(Command::new("tar").arg("-xf").arg(&exported).arg("-C").arg(engine.path("")));
        let artifact = engine.path("vm.smolmachine");
        let thawed = vm(engine, "thawed", &format!("--storage 1 --overlay 1 --from {}", artifact.display()));
        let packs_both = engine.has(Fact::BareWorkspace);
        for (disk, name) in disks.iter().zip(["overlay", "storage"]).take(if packs_both { 2 } else { 1 }) {
            let mut expected = Disk::open(disk).unwrap();
            assert!(expected.trim().unwrap() > 10_000, "{}: {name}", engine.label());
            let files = ["raw", "qcow2"].map(|ending| thawed.join(name).with_extension(ending));
            let made = Disk::open(files.iter().find(|file| file.exists()).unwrap()).unwrap();
            assert!(content(&made) == content(&expected), "{}: {name} differs", engine.label());
        }
    });
}

/// If deleted files travel although they should not, there is a warning; on engines that leave every disk so, there is none.
#[test]
fn a_snapshot_says_what_became_of_deleted_files() {
    on_real_engines(|engine| {
        let folder = vm_without_disks(engine, "dev", "");
        for disk in ["overlay.raw", "storage.raw"] {
            ext4(&folder.join(disk), 48);
            run(Command::new("debugfs").args(["-w", "-R", "rm same_vm.rs"]).arg(folder.join(disk)));
        }
        let json =
            |words: &str| -> Value { serde_json::from_str(&engine.bottle_freeze(words).succeeds().stdout).unwrap() };
        let warnings = |frozen: &Value| {
            let all = frozen["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned);
            all.filter(|text| text.contains("what was deleted")).collect::<Vec<_>>()
        };
        let assert_recorded = |frozen: &Value| {
            let shown = json("snapshot show dev --json");
            for key in ["trimmed", "trimmed_bytes"] {
                assert_eq!((&frozen[key], &frozen[key]), (&frozen["snapshot"][key], &shown[key]), "{}", engine.label());
            }
        };
        let clean = json("freeze dev --json");
        assert_eq!((&clean["trimmed"], warnings(&clean).len()), (&json!(true), 0), "{}: {clean}", engine.label());
        assert!(clean["trimmed_bytes"].as_u64().unwrap() > 10_000, "{}: {clean}", engine.label());
        assert_recorded(&clean);
        engine.bottle_freeze("snapshot show dev").succeeds().says("left out");
        let kept = json("freeze dev --no-trim --json");
        assert_eq!((&kept["trimmed"], &kept["trimmed_bytes"]), (&json!(false), &Value::Null), "{}", engine.label());
        assert_eq!(warnings(&kept), [""; 0], "{}", engine.label());
        assert_recorded(&kept);
        dirty_ext4(&folder.join("overlay.raw"), 48);
        let dirty = json("freeze dev --json");
        assert_eq!(dirty["trimmed"], false, "{}: {dirty}", engine.label());
        assert_recorded(&dirty);
        engine.bottle_freeze("snapshot show dev").succeeds().says("may be in it");
        let file = "overlay.raw (its file system was not unmounted cleanly)";
        let warns = engine.has(Fact::StopFlushes);
        assert_eq!(warnings(&dirty).len(), usize::from(warns), "{}: {dirty}", engine.label());
        assert!(warnings(&dirty).iter().all(|text| text.ends_with(file)), "{}: {dirty}", engine.label());
        assert_eq!(dirty["warnings"], dirty["snapshot"]["warnings"], "{}", engine.label());
        // Of every night, people see it once.
        for _ in 0..2 {
            let again = engine.bottle_freeze("freeze dev").succeeds();
            assert!(!again.stderr.contains("what was deleted"), "{}: {again:?}", engine.label());
        }
        // Only the engine can pack it.
        File::create(folder.join("unknown")).unwrap();
        let packed = json("freeze dev --json");
        assert_eq!(packed["trimmed"], false, "{}: {packed}", engine.label());
        assert_eq!(warnings(&packed).len(), usize::from(warns), "{}: {packed}", engine.label());
        assert!(warnings(&packed).iter().all(|text| text.ends_with("as they are")), "{}: {packed}", engine.label());
    });
}

/// Settings that a pack holds, and settings that it does not hold.
#[test]
fn the_settings_of_a_vm_are_in_the_manifest_as_in_a_pack() {
    const OPTIONS: [&str; 16] = [
        "--user 1000",
        "--label a=b",
        "--port 8080:80",
        "--volume /tmp:/mnt",
        "--allow-cidr 10.0.0.0/8",
        "--dns 1.1.1.1",
        "--ssh-agent",
        "--gpu",
        "--cuda",
        "--block-io async",
        "--disk-durability deferred",
        "--shm-size 64m",
        "--nested",
        "--stop-on-exit",
        "--stop-signal SIGINT",
        "--docker-socket",
    ];
    let smolfile = "entrypoint = [\"/bin/echo\", \"a\"]\ncmd = [\"\\u00e9 \\\"\"]\nenv = [\"A=1\", \"B=x = y\"]\n\
                    workdir = \"/root\"\ninit = [\"true\"]\n[restart]\npolicy = \"always\"\n[health]\nexec = [\"true\"]\n";
    on_real_engines(|engine| {
        let trial = Trial::of(engine);
        fs::write(engine.path("settings"), smolfile).unwrap();
        let help = engine.smolvm("machine create --help").succeeds().stdout;
        // Not every engine has every option.
        let known = OPTIONS.iter().filter(|option| help.contains(option.split(' ').next().unwrap()));
        let known = known.copied().collect::<Vec<_>>().join(" ");
        for (name, flags) in [
            ("all", format!("--smolfile settings --cpus 3 --mem 700 {known}")),
            ("secret", "--secret-env S=HOME --env C=2 --workdir /tmp --net".to_owned()),
            ("command", "-- sleep 10".to_owned()),
        ] {
            tiny_disks(&vm_without_disks(engine, name, &flags));
            trial.compare(engine, name);
        }
    });
}

/// What an engine adds to every artifact: packed before the first freeze, and again if it cannot be used.
#[test]
fn an_engine_packs_an_empty_vm_once() {
    on_real_engines(|engine| {
        for name in ["first", "second"] {
            tiny_disks(&vm_without_disks(engine, name, ""));
        }
        let trials = || {
            let frozen = engine.bottle_freeze("freeze first second --jobs 2 --verbose").succeeds();
            assert!(!frozen.stderr.contains("the engine packs"), "{frozen:?}");
            frozen.stderr.matches("packing an empty VM").count()
        };
        assert_eq!((trials(), trials()), (1, 0), "{}", engine.label());
        let runtimes = engine.path(".local/share/bottle-freeze/store/runtimes");
        for file in ["record.json", "index.json"] {
            let runtime = fs::read_dir(&runtimes).unwrap().next().unwrap().unwrap().path();
            fs::write(runtime.join(file), "{}").unwrap();
            assert_eq!((trials(), trials()), (1, 0), "{}: {file}", engine.label());
        }
        let runtime = fs::read_dir(&runtimes).unwrap().next().unwrap().unwrap().path();
        for object in fs::read_dir(runtime.join("objects")).unwrap() {
            // In all its places: it is one file.
            fs::write(object.unwrap().path(), "damaged").unwrap();
        }
        assert_eq!((trials(), trials()), (1, 0), "{}: a chunk", engine.label());
        engine.bottle_freeze("snapshot verify first").succeeds();
    });
}
