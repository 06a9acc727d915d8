mod owners;

use super::*;
use crate::overlay::Marks;
use crate::signals::Interrupted;
use crate::signals::Signals;
use crate::smolvm::disk::{Disk, DiskError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

#[derive(Debug)]
struct Failed(String);

impl From<DiskError> for Failed {
    fn from(error: DiskError) -> Self {
        Self(error.to_string())
    }
}

impl From<Interrupted> for Failed {
    fn from(_: Interrupted) -> Self {
        Self("interrupted".into())
    }
}

fn corpus(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/image").join(name);
    zstd::decode_all(&*fs::read(path).unwrap()).unwrap()
}

/// The tar of these folders of the corpus, or why there is none. `change` may change the disk before.
fn tar_of(folders: &[&str], change: impl Fn(&mut Vec<u8>)) -> Result<Vec<u8>, String> {
    marked_tar_of(folders, Marks::Trusted, change)
}

/// The same of layers with these marks.
fn marked_tar_of(folders: &[&str], marks: Marks, change: impl Fn(&mut Vec<u8>)) -> Result<Vec<u8>, String> {
    let mut bytes = corpus("disk.zst");
    change(&mut bytes);
    tar_of_disk(&bytes, folders, marks)
}

/// The same of a disk.
fn tar_of_disk(bytes: &[u8], folders: &[&str], marks: Marks) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage.raw");
    fs::write(&path, bytes).unwrap();
    let disk = Disk::open(&path).unwrap();
    let files = Files::open(&path, &disk).map_err(|error| error.to_string())?;
    let layers: Vec<_> =
        folders.iter().map(|folder| Layer::Disk(&files, files.folder(folder).unwrap(), marks)).collect();
    flattened(&layers)
}

fn flattened(layers: &[Layer<'_>]) -> Result<Vec<u8>, String> {
    flattened_over(layers, &Listing::default(), &[]).map(|(tar, ..)| tar)
}

/// The tar of layers over a known one, where its files are, and how many bytes were read.
fn flattened_over(layers: &[Layer<'_>], known: &Listing, old: &[u8]) -> Result<(Vec<u8>, Listing, usize), String> {
    let (mut tar, mut read) = (Vec::new(), 0);
    // As if all files had been there for a while.
    let host = Host::at(SystemTime::now() + Duration::from_secs(10));
    let written = flatten(layers, known, host, &Signals::default(), &mut |part| {
        match part {
            Flat::Data(data) => {
                read += data.len();
                tar.extend_from_slice(data);
            }
            Flat::Same { at, bytes } => {
                let at = usize::try_from(at).unwrap();
                tar.extend_from_slice(&old[at..at + usize::try_from(bytes).unwrap()]);
            }
        }
        Ok::<_, Failed>(())
    });
    let written = written.map_err(|Failed(why)| why)?;
    assert_eq!(written.bytes, tar.len() as u64);
    Ok((tar, written.files, read))
}

/// All that a tar says of its members, by path. The first of several names for one file depends on the order: they are a group.
fn members(tar: &[u8]) -> BTreeMap<Vec<u8>, String> {
    let (mut all, mut groups) = (BTreeMap::new(), BTreeMap::<Vec<u8>, Vec<String>>::new());
    let mut links = Vec::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path_bytes().into_owned();
        let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
        let name = String::from_utf8_lossy(&path).into_owned();
        if entry.header().entry_type() == tar::EntryType::Link {
            groups.entry(target.clone()).or_default().push(name);
            links.push((path, target));
            continue;
        }
        let (header, mut content) = (entry.header().clone(), Vec::new());
        let time = header.as_old().mtime;
        let device = [header.device_major(), header.device_minor()].map(|number| number.ok().flatten().unwrap_or(0));
        entry.read_to_end(&mut content).unwrap();
        let owner = [header.uid().unwrap(), header.gid().unwrap()];
        let hash = crc32fast::hash(&content);
        let kind = header.entry_type();
        let target = target.as_slice().escape_ascii();
        let mode = header.mode().unwrap();
        all.insert(path.clone(), format!("{kind:?} {mode:o} {owner:?} {time:?} {device:?} {target} {hash:x}"));
        groups.entry(path).or_default().push(name);
    }
    for (path, target) in links {
        let same = all[&target].clone();
        all.insert(path, same);
    }
    for names in groups.values_mut() {
        names.sort();
    }
    let group = |path: &[u8]| groups.values().find(|names| names.contains(&String::from_utf8_lossy(path).into_owned()));
    all.into_iter().map(|(path, text)| (path.clone(), format!("{text} {:?}", group(&path)))).collect()
}

#[test]
fn a_guest_s_files_are_those_that_its_kernel_shows() {
    let tar = tar_of(&["overlays/persistent-dev/upper", "lower"], |_| {}).unwrap();
    let expected = corpus("guest.tar.zst");
    let (one, other) = (members(&tar), members(&expected));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (path, member) in &other {
        assert_eq!(&one[path], member, "{}", path.escape_ascii());
    }
    assert_eq!((one.len(), tar.len()), (53, expected.len()));
}

#[test]
fn a_renamed_folder_lies_over_the_one_that_it_was() {
    let folders = ["overlays/persistent-dev/upper", "middle", "lower"];
    let tar = tar_of_disk(&corpus("renamed.zst"), &folders, Marks::Trusted).unwrap();
    assert_eq!(members(&tar), members(&corpus("renamed.tar.zst")));
    let why = |folders: &[&str], old: &[u8], new: &[u8]| {
        let mut disk = corpus("renamed.zst");
        let places: Vec<_> = disk.windows(old.len()).enumerate().filter(|(_, bytes)| *bytes == old).collect();
        let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for at in places {
            disk[at..at + new.len()].copy_from_slice(new);
        }
        tar_of_disk(&disk, folders, Marks::Trusted).err().unwrap_or_default()
    };
    // Paths that no kernel takes, and what the guest's kernel makes in the uppermost layer only.
    for (old, new) in [(&b"/opt/gone/deep"[..], &b"/opt//one/deep"[..]), (b"/opt/under", b"opt//under")] {
        let why = why(&folders, old, new);
        assert!(why.ends_with("has a file with an unknown attribute of overlayfs"), "{why}");
    }
    let upper = folders[0];
    let twice = why(&[upper, upper, "middle", "lower"], b"/opt/gone/deep", b"/srv/new/under");
    assert!(twice.ends_with("has a folder that was renamed in two layers"), "{twice}");
}

#[test]
fn folders_of_this_host_are_layers_too() {
    let lower = tempfile::tempdir().unwrap();
    let make = |folder: &TempDir, path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    let program = make(&lower, "bin/program", "one");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(&program, lower.path().join("bin/same")).unwrap();
    std::os::unix::fs::symlink("../bin/program", lower.path().join("link")).unwrap();
    let upper = tempfile::tempdir().unwrap();
    make(&upper, "bin/new", "two");
    let layers = [&upper, &lower].map(|folder| Layer::Host(folder.path().to_owned()));
    let tar = flattened(&layers).unwrap();
    let members = members(&tar);
    let names: Vec<_> = members.keys().map(|name| std::ffi::OsStr::from_bytes(name).to_str().unwrap()).collect();
    assert_eq!(names, ["./", "./bin/", "./bin/new", "./bin/program", "./bin/same", "./link"]);
    assert!(members[&b"./bin/program"[..]].contains(" 4755 ") && members[&b"./bin/same"[..]].contains("bin/program"));
    let missing = flattened(&[Layer::Host(lower.path().join("missing"))]).unwrap_err();
    assert!(missing.starts_with("cannot read ") && missing.contains("missing"), "{missing}");
}

#[test]
fn a_renamed_folder_is_looked_up_on_this_host_name_by_name() {
    let lower = tempfile::tempdir().unwrap();
    fs::create_dir_all(lower.path().join("a/b")).unwrap();
    fs::write(lower.path().join("a/file"), "text").unwrap();
    std::os::unix::fs::symlink("b", lower.path().join("a/link")).unwrap();
    let layer = Layer::Host(lower.path().to_owned());
    let (top, mut names) = (layer.root().unwrap(), 0);
    let mut found = |path: &[u8]| {
        let found = layer.folder_at::<DiskError>(&top, path, &mut || {
            names += 1;
            Ok(())
        });
        let (folder, hides) = found.unwrap();
        (folder.map(|folder| folder.number), hides)
    };
    let number = std::os::unix::fs::MetadataExt::ino(&fs::metadata(lower.path().join("a/b")).unwrap());
    assert_eq!(found(b"/a/b"), (Some(number), false));
    assert_eq!((found(b"/a/c/d/e"), found(b"none")), ((None, false), (None, false)));
    assert_eq!((found(b"/a/file"), found(b"/a/link/x")), ((None, true), (None, true)), "links are not followed");
    assert_eq!(names, 9, "none is looked up below what is not there");
    let interrupted = layer.folder_at(&top, b"/a/b", &mut || Err(Failed("interrupted".into())));
    assert_eq!(interrupted.unwrap_err().0, "interrupted");
}

#[test]
fn a_file_that_this_host_did_not_change_is_not_read_again() {
    let base = tempfile::tempdir().unwrap();
    let path = |name: &str| base.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("file"), "text").unwrap();
    let open = fs::File::open(path("file")).unwrap();
    if !crate::files::notes_changes(&open, &crate::files::stamp(&open.metadata().unwrap())) {
        println!("NOT RUN: on this file system a change may leave no trace");
        return;
    }
    let file =
        &Layer::Host(base.path().to_owned()).entries(&Layer::Host(base.path().to_owned()).root().unwrap()).unwrap()[0]
            .1;
    let id = |seconds| Host::at(SystemTime::now() + Duration::from_secs(seconds)).id(b"header", file, true);
    assert!(id(0).is_none() && id(10).is_some(), "what changed just before may change again at the same time");
    fs::remove_file(path("file")).unwrap();
    let names = ["folder/one", "folder/other", "large", "later"];
    for name in names {
        fs::write(path(name), name.repeat(10_000)).unwrap();
    }
    fs::hard_link(path("large"), path("hard")).unwrap();
    let layer = || [Layer::Host(base.path().to_owned())];
    let (old, listing, _) = flattened_over(&layer(), &Listing::default(), &[]).unwrap();
    let parts: Vec<u8> = listing.parts().flatten().collect();
    assert_eq!((Listing::read(&parts, old.len() as u64), parts.len() as u64), (listing.clone(), listing.size()));
    assert!(Listing::read(&parts, 0).size() == 0, "what is not in the tar is not known");
    let (same, _, read) = flattened_over(&layer(), &listing, &old).unwrap();
    assert!(same == old && read < 11_000, "{read}");
    // The same size, and the same time to the second: only the inode shows it.
    let time = fs::metadata(path("large")).unwrap().modified().unwrap();
    fs::write(path("large"), "LARGE".repeat(10_000)).unwrap();
    fs::File::options().write(true).open(path("large")).unwrap().set_modified(time).unwrap();
    fs::remove_file(path("folder/one")).unwrap();
    fs::write(path("new"), "new").unwrap();
    let (new, _, read) = flattened_over(&layer(), &listing, &old).unwrap();
    assert!(new == flattened(&layer()).unwrap() && read < 70_000, "{read}");
    // As another folder: nothing of it is known.
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("folder")).unwrap();
    fs::copy(path("folder/other"), copy.path().join("folder/other")).unwrap();
    fs::File::options().write(true).open(copy.path().join("folder/other")).unwrap().set_modified(time).unwrap();
    let (_, _, read) = flattened_over(&[Layer::Host(copy.path().to_owned())], &listing, &old).unwrap();
    assert!(read > 100_000, "{read}");
}

/// Gives the marks of opaque folders this name.
fn rename(new: &str) -> impl Fn(&mut Vec<u8>) {
    let new = format!("overlay.{new}");
    move |bytes| {
        // The name of an attribute, without "trusted.".
        let places: Vec<_> = bytes.windows(14).enumerate().filter(|(_, name)| name == b"overlay.opaque").collect();
        let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at - 16] = u8::try_from(new.len()).unwrap();
            bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        }
    }
}

#[test]
fn what_overlayfs_may_mean_is_not_guessed() {
    let error = tar_of(&["overlays/persistent-dev/upper", "lower"], rename("nlink")).unwrap_err();
    assert!(error.ends_with("has a file with an unknown attribute of overlayfs"), "{error}");
}

#[test]
fn a_mark_of_linux_that_hides_nothing_does_not_keep_an_image_vm_from_a_freeze() {
    let paths = |change: &dyn Fn(&mut Vec<u8>)| {
        let tar = tar_of(&["overlays/persistent-dev/upper", "lower"], change);
        members(&tar.unwrap()).into_keys().collect::<Vec<_>>()
    };
    // As if no folder were opaque.
    let shown = paths(&|bytes| mark_as_user(bytes));
    for name in ["origin", "protattr"] {
        assert_eq!(paths(&rename(name)), shown, "{name}");
    }
}

/// Makes marks of `trusted.` on a disk those of `user.`.
fn mark_as_user(bytes: &mut [u8]) {
    let places: Vec<_> = bytes.windows(14).enumerate().filter(|(_, name)| name == b"overlay.opaque").collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        // The number of the prefix.
        assert_eq!(bytes[at - 15], 4);
        bytes[at - 15] = 1;
    }
}

#[test]
fn an_attribute_that_anybody_can_set_hides_files_only_if_the_guest_mounts_by_it() {
    let folders = ["overlays/persistent-dev/upper", "lower"];
    let paths = |tar: Result<Vec<u8>, String>| members(&tar.unwrap()).into_keys().collect::<Vec<_>>();
    let hidden = paths(tar_of(&folders, |_| {}));
    let shown = paths(tar_of(&folders, |bytes| mark_as_user(bytes)));
    assert!(hidden.iter().all(|path| shown.contains(path)) && hidden.len() < shown.len());
    assert_eq!(paths(marked_tar_of(&folders, Marks::User, |bytes| mark_as_user(bytes))), hidden);
    assert_eq!(paths(marked_tar_of(&folders, Marks::User, |_| {})), shown);
}

#[test]
fn a_folder_that_is_no_layer_keeps_what_would_hide_files() {
    let tar = members(&marked_tar_of(&["overlays/persistent-dev/upper"], Marks::None, |_| {}).unwrap());
    let kept = tar.values().filter(|member| member.starts_with("Char ")).count();
    let layer = members(&tar_of(&["overlays/persistent-dev/upper"], |_| {}).unwrap());
    let devices = layer.values().filter(|member| member.starts_with("Char ")).count();
    assert!(kept > devices, "{tar:?}");
}

#[test]
fn a_layer_that_is_no_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    assert!(flattened(&[Layer::Host(link)]).unwrap_err().ends_with("is not a folder"));
}

#[test]
fn a_socket_with_two_names_is_left_out_under_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(path("a")).unwrap();
    fs::hard_link(path("a"), path("b")).unwrap();
    fs::write(path("c"), "text").unwrap();
    let tar = flattened(&[Layer::Host(folder.path().to_owned())]).unwrap();
    assert_eq!(members(&tar).into_keys().collect::<Vec<_>>(), [&b"./"[..], b"./c"]);
}

#[test]
fn a_damaged_disk_is_an_error_or_gives_a_tar() {
    for seed in 0_usize..40 {
        let damage = |bytes: &mut Vec<u8>| {
            let mut random = Sha256::digest(seed.to_le_bytes());
            for _ in 0..20 {
                random = Sha256::digest(random);
                let at = u32::from_le_bytes(*random.first_chunk().unwrap()) as usize % (1 << 20);
                bytes[at] ^= random[4];
            }
        };
        let _ = tar_of_any(damage);
    }
}

/// As `tar_of`, of the whole disk.
fn tar_of_any(change: impl Fn(&mut Vec<u8>)) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage.raw");
    let mut bytes = corpus("disk.zst");
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let disk = Disk::open(&path).map_err(|error| error.to_string())?;
    let files = Files::open(&path, &disk).map_err(|error| error.to_string())?;
    let folder = |path: &str| files.folder(path).map_err(|error| error.to_string());
    let layers = [folder("overlays/persistent-dev/upper")?, folder("lower")?]
        .map(|inode| Layer::Disk(&files, inode, Marks::Trusted));
    flattened(&layers)
}

#[test]
fn folders_in_one_another_with_too_many_files_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut inner = folder.path().to_owned();
    for _ in 0..2 {
        // The first by name.
        inner.push("0");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("first"), "").unwrap();
        for number in 0..50_000 {
            fs::hard_link(inner.join("first"), inner.join(format!("link-{number}"))).unwrap();
        }
    }
    let why = flattened(&[Layer::Host(folder.path().to_owned())]).unwrap_err();
    assert!(why.contains("has more than 100,000 files in a folder and those above it"), "{why}");
}

#[test]
fn a_disk_that_ends_before_its_files_is_one_for_the_engine() {
    let why = tar_of_any(|disk| disk.truncate(disk.len() / 8)).unwrap_err();
    assert!(why.contains("has files beyond its end"), "{why}");
}
