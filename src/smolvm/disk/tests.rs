use super::*;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

const CLUSTER: u64 = 64 << 10;
const MIB: u64 = 1 << 20;

/// The content of a disk: its data, and where.
fn content(disk: &Disk) -> Vec<(u64, Vec<u8>)> {
    let (mut at, mut all) = (0, Vec::new());
    disk.read::<anyhow::Error>(&Signals::default(), &mut |part| {
        match part {
            Part::Data(bytes) => {
                all.push((at, bytes.to_vec()));
                at += bytes.len() as u64;
            }
            Part::Zeros(bytes) => at += bytes,
            Part::Member(_) => panic!("a member in a disk"),
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(at, disk.size());
    all
}

/// The content as one vector.
fn whole(disk: &Disk) -> Vec<u8> {
    let mut all = vec![0; usize::try_from(disk.size()).unwrap()];
    for (at, bytes) in content(disk) {
        all[usize::try_from(at).unwrap()..][..bytes.len()].copy_from_slice(&bytes);
    }
    all
}

/// Why the disk is refused.
fn refusal(path: &Path) -> String {
    let error = match Disk::open(path) {
        Err(error) => error,
        Ok(disk) => panic!("{} is accepted: {disk:?}", path.display()),
    };
    error.to_string().replace(&format!("{} ", path.display()), "")
}

fn raw(path: &Path, bytes: u64, data: &[(u64, &[u8])]) {
    let file = File::create(path).unwrap();
    file.set_len(bytes).unwrap();
    for (at, data) in data {
        file.write_all_at(data, *at).unwrap();
    }
}

/// A qcow2 file, in the making.
struct Qcow2 {
    folder: TempDir,
    bytes: Vec<u8>,
}

impl Qcow2 {
    /// An empty disk over a file: header, first table, one second table.
    fn over(size: u64, below: &str, format: &str) -> Self {
        let mut qcow2 = Self { folder: TempDir::new().unwrap(), bytes: vec![0; 3 << 16] };
        qcow2.put(0, b"QFI\xfb");
        for (at, word) in [(4, 3_u32), (20, 16), (36, 1), (96, 4), (100, 104)] {
            qcow2.put(at, &word.to_be_bytes());
        }
        for (at, long) in [(24, size), (40, CLUSTER), (65_536, (1 << 63) | (2 * CLUSTER))] {
            qcow2.put(at, &long.to_be_bytes());
        }
        if !below.is_empty() {
            qcow2.put(8, &512_u64.to_be_bytes());
            qcow2.put(16, &u32::try_from(below.len()).unwrap().to_be_bytes());
            qcow2.put(512, below.as_bytes());
            qcow2.put(104, &0xe279_2aca_u32.to_be_bytes());
            qcow2.put(108, &u32::try_from(format.len()).unwrap().to_be_bytes());
            qcow2.put(112, format.as_bytes());
        }
        qcow2
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Sets the entry of a cluster.
    fn entry(&mut self, cluster: usize, entry: u64) {
        self.put(2 * 65_536 + 8 * cluster, &entry.to_be_bytes());
    }

    /// Adds data of a cluster at the end of the file.
    fn cluster(&mut self, cluster: usize, data: &[u8]) {
        self.entry(cluster, (1 << 63) | self.bytes.len() as u64);
        self.bytes.extend_from_slice(data);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self) -> PathBuf {
        fs::write(self.file("overlay.qcow2"), &self.bytes).unwrap();
        self.file("overlay.qcow2")
    }

    fn refusal(&self) -> String {
        refusal(&self.write())
    }
}

#[test]
fn the_data_of_a_disk_follows_from_what_its_file_has_not_from_its_length() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("storage.raw");
    raw(&path, 3 << 30, &[(5, b"a"), (2 << 30, b"b")]);
    let disk = Disk::open(&path).unwrap();
    assert!(disk.random().unwrap().data() <= 2 * MIB && disk.size() > 2 << 30);
}

#[test]
fn a_raw_disk_ends_after_its_last_data_and_its_holes_are_not_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("storage.raw");
    let zeros = vec![0; 300_000];
    raw(&path, 3 << 30, &[(5, b"a"), (MIB - 1, b"bc"), (700 * MIB, &zeros), (700 * MIB + 9, b"d"), (2 << 30, &zeros)]);
    let disk = Disk::open(&path).unwrap();
    assert_eq!((disk.logical_size(), disk.size()), (3 << 30, 700 * MIB + 10));
    let parts = content(&disk);
    let places: Vec<_> = parts.iter().map(|(at, bytes)| (*at, bytes.len() as u64)).collect();
    assert_eq!(places, [(0, MIB), (MIB, MIB), (700 * MIB, 10)]);
    assert_eq!(&parts[0].1[..8], b"\0\0\0\0\0a\0\0");
    assert_eq!((parts[0].1.last(), parts[1].1.first()), (Some(&b'b'), Some(&b'c')));
    assert_eq!(parts[2].1, b"\0\0\0\0\0\0\0\0\0d");
}

#[test]
fn a_disk_without_data_has_no_content() {
    let folder = TempDir::new().unwrap();
    for (bytes, data) in [(0, &b""[..]), (MIB, b""), (MIB, b"\0\0")] {
        let path = folder.path().join("storage.raw");
        raw(&path, bytes, &[(0, data)]);
        let disk = Disk::open(&path).unwrap();
        assert_eq!((disk.logical_size(), disk.size(), content(&disk).len()), (bytes, 0, 0));
    }
}

#[test]
fn a_qcow2_disk_holds_its_own_clusters_zeros_and_what_lies_below() {
    let mut qcow2 = Qcow2::over(4 * MIB + 5, "overlay-template.ext4", "raw");
    raw(&qcow2.file("overlay-template.ext4"), 8 * MIB, &[(0, &vec![1; 200_000]), (4 * MIB + 3, b"xyz")]);
    qcow2.cluster(1, &vec![2; 65_536]);
    qcow2.cluster(32, &vec![3; 65_536]);
    qcow2.entry(2, 1);
    // The file ends in its last cluster.
    qcow2.cluster(40, &[4; 100]);
    let disk = Disk::open(&qcow2.write()).unwrap();
    assert_eq!((disk.logical_size(), disk.size()), (4 * MIB + 5, 4 * MIB + 5));
    let content = whole(&disk);
    let range = |from: usize, to: usize| &content[from..to];
    assert!(range(0, 65_536).iter().all(|byte| *byte == 1));
    assert!(range(65_536, 131_072).iter().all(|byte| *byte == 2));
    assert!(range(131_072, 196_608).iter().all(|byte| *byte == 0));
    assert!(range(196_608, 200_000).iter().all(|byte| *byte == 1));
    assert!(range(200_000, 2 << 20).iter().all(|byte| *byte == 0));
    assert!(range(2 << 20, (2 << 20) + 65_536).iter().all(|byte| *byte == 3));
    assert_eq!(range(40 * 65_536 + 98, 40 * 65_536 + 102), [4, 4, 0, 0]);
    assert_eq!(range((4 << 20) + 1, (4 << 20) + 5), [0, 0, b'x', b'y']);
}

#[test]
fn a_qcow2_disk_may_be_larger_than_what_lies_below_and_lie_over_another() {
    let mut middle = Qcow2::over(2 * MIB, "overlay-template.ext4", "raw");
    raw(&middle.file("overlay-template.ext4"), MIB, &[(MIB - 1, b"a")]);
    middle.cluster(20, &vec![5; 65_536]);
    fs::create_dir(middle.file("_cow-bases")).unwrap();
    fs::write(middle.file("_cow-bases/base.qcow2"), &middle.bytes).unwrap();
    symlink("../overlay-template.ext4", middle.file("_cow-bases/overlay-template.ext4")).unwrap();
    let below = middle.file("_cow-bases/base.qcow2");
    let top = Qcow2::over(1 << 33, below.to_str().unwrap(), "qcow2");
    // 8 GiB have 16 second tables; none is here.
    let mut top = top;
    top.put(36, &16_u32.to_be_bytes());
    top.put(65_536, &[0; 8]);
    let disk = Disk::open(&top.write()).unwrap();
    assert_eq!((disk.logical_size(), disk.size()), (1 << 33, 21 * CLUSTER));
    let content = whole(&disk);
    assert_eq!((content[(1 << 20) - 1], content[1 << 20], content[20 * 65_536]), (b'a', 0, 5));
}

#[test]
fn a_qcow2_disk_without_anything_below_is_read() {
    let mut qcow2 = Qcow2::over(MIB, "", "");
    qcow2.cluster(3, b"a");
    assert_eq!(whole(&Disk::open(&qcow2.write()).unwrap())[3 * 65_536], b'a');
}

#[test]
fn a_qcow2_disk_with_unknown_features_is_refused() {
    let mut cases: Vec<(&str, usize, Vec<u8>)> = vec![
        ("is not a qcow2 file", 0, b"QFIx".to_vec()),
        ("is another version of qcow2 than 3", 7, vec![2]),
        ("has clusters of another size than 64 KiB", 23, vec![12]),
        ("is encrypted", 35, vec![1]),
        ("has snapshots inside", 63, vec![1]),
        ("is marked as corrupt", 79, vec![2]),
        ("does not say what lies below it", 104, vec![0; 8]),
        ("has an unknown extension", 112, b"vmdk".to_vec()),
        ("has an unknown extension", 104, 0x4441_5441_u32.to_be_bytes().to_vec()),
        ("has a header that is not whole", 108, vec![0xff; 4]),
        ("has a header that is not whole", 100, vec![0xff; 4]),
        ("is too short", 16, vec![0xff; 4]),
        ("has a first table in an odd place", 47, vec![1]),
        ("has a first table that is not whole", 40, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]),
        ("has a first table that is not whole", 36, vec![0xff; 4]),
        ("has a first table that is not whole", 24, vec![0xff; 8]),
        ("has a table that points outside of it", 2 * 65_536 + 2, vec![0xff, 0, 0]),
        ("has a table that points outside of it", 2 * 65_536 + 5, vec![1, 2, 0]),
        ("has an unknown mark in a table", 2 * 65_536 + 7, vec![2]),
        ("has an unknown mark in a table", 65_536 + 7, vec![1]),
        ("has compressed clusters", 2 * 65_536, vec![0x40]),
    ];
    cases.extend([1, 4, 8, 16].map(|feature| ("has an unknown feature", 79, vec![feature])));
    for (why, at, bytes) in cases {
        let mut qcow2 = Qcow2::over(MIB, "overlay-template.ext4", "raw");
        raw(&qcow2.file("overlay-template.ext4"), MIB, &[(0, b"a")]);
        qcow2.cluster(1, &vec![2; 65_536]);
        assert!(Disk::open(&qcow2.write()).is_ok());
        qcow2.put(at, &bytes);
        assert_eq!(qcow2.refusal(), why, "at {at}");
    }
}

#[test]
fn a_small_file_whose_tables_make_a_large_disk_is_refused() {
    let mut qcow2 = Qcow2::over(1 << 40, "", "");
    qcow2.put(36, &2048_u32.to_be_bytes());
    qcow2.cluster(0, &vec![0; 65_536]);
    let (table, entry) = (((1 << 63) | (2 * CLUSTER)).to_be_bytes(), ((1 << 63) | (3 * CLUSTER)).to_be_bytes());
    qcow2.put(65_536, &table.repeat(2048));
    qcow2.put(2 * 65_536, &entry.repeat(8192));
    assert_eq!(qcow2.refusal(), "has more data than its files");
}

#[test]
fn only_files_of_the_engine_may_lie_below() {
    for below in ["/etc/passwd", "_cow-bases/../secret", "image-seeds/../secret"] {
        let qcow2 = Qcow2::over(MIB, below, "raw");
        for folder in ["_cow-bases", "image-seeds"] {
            fs::create_dir(qcow2.file(folder)).unwrap();
        }
        raw(&qcow2.file("secret"), MIB, &[(0, b"a")]);
        assert!(qcow2.refusal().ends_with("is not a file of the engine"), "{}", qcow2.refusal());
    }
    let missing = Qcow2::over(MIB, "overlay-template.ext4", "raw");
    assert!(missing.refusal().starts_with("cannot read "), "{}", missing.refusal());
    let name = ".smolcheckpoint-overlay-1.qcow2";
    let circle = Qcow2::over(MIB, name, "qcow2");
    fs::write(circle.file(name), &circle.bytes).unwrap();
    assert!(circle.refusal().ends_with("lies below too many files"), "{}", circle.refusal());
}

#[test]
fn the_disks_of_a_checkpoint_lie_in_the_folder_of_the_vm_that_was_made_from_it() {
    let mut top = Qcow2::over(MIB, ".smolcheckpoint-overlay-2.qcow2", "qcow2");
    top.cluster(1, &vec![1; 65_536]);
    let mut middle = Qcow2::over(MIB, ".smolcheckpoint-overlay-1.raw", "raw");
    middle.cluster(2, &vec![2; 65_536]);
    fs::write(top.file(".smolcheckpoint-overlay-2.qcow2"), &middle.bytes).unwrap();
    raw(&top.file(".smolcheckpoint-overlay-1.raw"), MIB, &[(0, b"a"), (65_536, b"b")]);
    let content = whole(&Disk::open(&top.write()).unwrap());
    assert_eq!((content[0], content[65_536], content[2 * 65_536]), (b'a', 1, 2));
    // Where each VM is a user of its own, the engine names them by their whole path, and a home may be a link.
    let link = TempDir::new().unwrap();
    symlink(top.folder.path(), link.path().join("home")).unwrap();
    for (name, format) in
        [(".smolcheckpoint-overlay-base.raw", "raw"), (".smolcheckpoint-overlay-layer2.qcow2", "qcow2")]
    {
        fs::write(top.file(name), if format == "raw" { vec![7; 65_536] } else { middle.bytes.clone() }).unwrap();
        let over = Qcow2::over(MIB, link.path().join("home").join(name).to_str().unwrap(), format);
        fs::write(top.file("overlay.qcow2"), &over.bytes).unwrap();
        assert!(Disk::open(&top.file("overlay.qcow2")).is_ok(), "{name}");
    }
    // Elsewhere, by another name, or as a link, it is not the engine's.
    for below in ["sub/.smolcheckpoint-overlay-1.raw", ".smolcheckpoint-overlay-1.vmdk", ".smolcheckpoint-overlay-.raw"]
    {
        let top = Qcow2::over(MIB, below, "raw");
        fs::create_dir_all(top.file(below).parent().unwrap()).unwrap();
        raw(&top.file(below), MIB, &[(0, b"a")]);
        assert!(top.refusal().ends_with("is not a file of the engine"), "{below}: {}", top.refusal());
    }
    let top = Qcow2::over(MIB, ".smolcheckpoint-overlay-1.raw", "raw");
    symlink("/etc/passwd", top.file(".smolcheckpoint-overlay-1.raw")).unwrap();
    assert!(top.refusal().starts_with("cannot read "), "{}", top.refusal());
}

#[test]
fn only_a_regular_file_of_a_plausible_size_is_a_disk() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("storage.raw"), "a").unwrap();
    symlink("storage.raw", path("overlay.raw")).unwrap();
    assert!(refusal(&path("overlay.raw")).starts_with("cannot read "));
    assert_eq!(refusal(folder.path()), "is not a regular file");
    fs::write(path("overlay.qcow2"), "QFI").unwrap();
    assert_eq!(refusal(&path("overlay.qcow2")), "is too short");
    let mut qcow2 = Qcow2::over(17 << 40, "", "");
    qcow2.put(36, &(17_u32 << 11).to_be_bytes());
    qcow2.bytes.resize(1 << 20, 0);
    assert_eq!(qcow2.refusal(), "is too large");
}
