//! File systems and tars in snapshots, changed at random, with checksums that fit: listing, reading, comparing, copying out and
//! scrubbing never panic, never use memory or time without bound, and never write outside of the folder that they got.
//! `BOTTLE_FREEZE_FAULTS=long` runs each for half a minute; `SEED` repeats a run.

use crate::fuzz::{Change, change, explore, memory::peak_of, number, twist, twisted_tar};
use crate::support::guest_files::{Bare, artifact, corpus, tar_of};
use crate::support::names_in;
use crate::support::resealed::FileSystem;
use crate::trim::has_tools;
use bottle_freeze::inside::{
    Contents, ContentsError, Edits, ExtractError, Item, Kind, MemberEdits, ReadAt, extract, free, open,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// File systems with one group of blocks.
const SYSTEMS: [&str; 9] =
    ["overlay", "journal", "deep", "dirty2", "dirty3", "simple", "indirect", "inline", "storage"];
/// The most memory: decompressing takes a part of it.
const MEMORY: usize = 96 << 20;
/// The most time, on a machine that does much else.
const TIME: Duration = Duration::from_secs(60);

struct Bytes(Vec<u8>);

impl ReadAt for Bytes {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = start.checked_add(buffer.len()).and_then(|end| self.0.get(start..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// How a file system is changed.
#[derive(Debug, Clone)]
struct Damage {
    /// In one of its parts.
    parts: Vec<(Index, Index, Bits)>,
    /// Anywhere.
    anywhere: Vec<Change>,
    is_sealed: bool,
}

#[derive(Debug, Clone)]
enum Bits {
    Flip(u8),
    Number(u64, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let small = prop_oneof![0..20_u64, prop::sample::select(vec![0x7fff, 0x8000, 0x8001, 0xffff, 0xf30a, 0xffff_ffff])];
    let bits = prop_oneof![
        2 => (0..8_u8).prop_map(Bits::Flip),
        3 => (prop_oneof![small, 0..5000_u64, number()], prop::sample::select(vec![1, 2, 4])).prop_map(|(n, size)| Bits::Number(n, size)),
    ];
    let part = (any::<Index>(), any::<Index>(), bits);
    (prop::collection::vec(part, 0..5), prop::collection::vec(change(), 0..2), prop::bool::weighted(0.8)).prop_map(
        |(parts, anywhere, is_sealed)| Damage {
            parts,
            anywhere: if is_sealed { Vec::new() } else { anywhere },
            is_sealed,
        },
    )
}

impl Damage {
    fn apply(&self, system: &FileSystem) -> Vec<u8> {
        let mut bytes = system.bytes.clone();
        for (part, at, bits) in &self.parts {
            let place = system.parts().nth(part.index(system.parts().len())).unwrap();
            let at = place.start + at.index(place.len());
            match bits {
                Bits::Flip(bit) => bytes[at] ^= 1 << bit,
                Bits::Number(number, size) => {
                    let at = at / size * size;
                    bytes[at..at + size].copy_from_slice(&number.to_le_bytes()[..*size]);
                }
            }
        }
        if self.is_sealed {
            system.seal(&mut bytes);
        }
        self.anywhere.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }
}

/// A VM with this file system on both disks: what is in `upper`, and what is in `/storage`.
fn bare(system: &[u8]) -> Bare {
    let base = tar_of(&[("etc/", ""), ("etc/hosts", "x"), ("root/", "")]);
    Bare { base, overlay: system.to_vec(), storage: system.to_vec() }
}

/// Reads everything in a snapshot, as far as it can be read.
fn read_all(contents: &Contents) -> Result<u64, ContentsError> {
    let mut count = 0;
    contents.walk(b"/", contents.root(), &mut |path, item| {
        count += 1;
        let _ = contents.attributes(item);
        let _ = contents.find(path, true);
        if item.kind() == Kind::Link {
            let _ = contents.link(item);
        }
        if item.kind() == Kind::File {
            let _ = contents.content(item).and_then(|content| {
                let mut buffer = vec![0; 64 << 10];
                content.read_at(0, &mut buffer)?;
                content.read_at(content.size.saturating_sub(1000), &mut buffer)
            });
        }
        Ok::<(), ContentsError>(())
    })?;
    Ok(count)
}

/// What makes all files empty, and removes the rests of others.
fn scrub(contents: &Contents) -> Result<MemberEdits, ContentsError> {
    let (mut edits, mut files) = (MemberEdits::new(), Vec::<Item>::new());
    contents.walk(b"/", contents.root(), &mut |_, item| {
        if item.kind() == Kind::File && !contents.is_of_engine(item) {
            files.push(item.clone());
        }
        Ok::<(), ContentsError>(())
    })?;
    files.iter().try_for_each(|file| contents.empty(file, &mut edits))?;
    contents.clear_unused(&mut edits)?;
    edits.values_mut().for_each(Edits::sort);
    Ok(edits)
}

fn is_clean(file: &Path) -> bool {
    // What is damaged at random may keep it busy without an end.
    Command::new("timeout").args(["--kill-after=5", "60", "e2fsck", "-fn"]).arg(file).output().unwrap().status.success()
}

/// Copies everything out, and checks that nothing else was written.
fn copy_out(contents: &Contents, folder: &Path) -> Result<(), TestCaseError> {
    let private = folder.join("private");
    let _ = fs::remove_dir_all(&private);
    fs::create_dir(&private).unwrap();
    if let Err(ExtractError::Interrupted(_)) = extract(contents, &private, OsStr::new("copy")) {
        prop_assert!(false, "interrupted");
    }
    let names = names_in(&private);
    prop_assert!(names.is_empty() || names == ["copy"], "{:?}", names);
    let mut names = names_in(folder);
    names.sort();
    prop_assert_eq!(names, ["outside", "private", "x.smolmachine"]);
    prop_assert_eq!(names_in(&folder.join("outside")), ["kept"]);
    prop_assert_eq!(fs::read_to_string(folder.join("outside/kept")).unwrap(), "kept");
    fs::remove_dir_all(&private).unwrap();
    Ok(())
}

/// A folder with a file that must not change, next to where everything is written.
fn playground() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("outside")).unwrap();
    fs::write(folder.path().join("outside/kept"), "kept").unwrap();
    folder
}

/// Opens this artifact, reads it, compares it with another one, copies it out, and scrubs it.
fn use_all(folder: &Path, artifact: &[u8], other: Option<&Contents>) -> Result<Option<MemberEdits>, TestCaseError> {
    let (file, began) = (folder.join("x.smolmachine"), Instant::now());
    fs::write(&file, artifact).unwrap();
    let ((opened, edits), memory) = peak_of(|| {
        let Ok(contents) = open(&file, folder) else { return (None, None) };
        let _ = read_all(&contents);
        if let Some(other) = other {
            let _ = contents.diff(other, &mut |_| Ok::<(), ContentsError>(()));
        }
        let edits = scrub(&contents).ok();
        (Some(contents), edits)
    });
    prop_assert!(memory < MEMORY, "{} bytes of memory", memory);
    if let Some(contents) = opened {
        copy_out(&contents, folder)?;
    }
    prop_assert!(began.elapsed() < TIME, "{:?}", began.elapsed());
    Ok(edits)
}

#[test]
fn a_changed_file_system_is_read_and_scrubbed_in_bounds_or_refused() {
    let (folder, checks) = (playground(), has_tools());
    let systems: Vec<FileSystem> = SYSTEMS.iter().map(|name| FileSystem::new(corpus(name))).collect();
    let file = folder.path().join("x.smolmachine");
    let others: Vec<Option<Contents>> = systems
        .iter()
        .map(|system| {
            fs::write(&file, bare(&system.bytes).artifact()).unwrap();
            // What is as in ext2 is refused.
            open(&file, folder.path()).ok()
        })
        .collect();
    let elsewhere = TempDir::new().unwrap();
    let image = elsewhere.path().join("image");
    let cases = (0..systems.len(), damage());
    explore(60, &cases, |(which, damage)| {
        let bytes = damage.apply(&systems[which]);
        let free = free(&Bytes(bytes.clone()), bytes.len() as u64).unwrap_or_default();
        let is_sorted = free.windows(2).all(|pair| pair[0].end <= pair[1].start);
        prop_assert!(is_sorted && free.last().is_none_or(|last| last.end <= bytes.len() as u64));
        let edits = use_all(folder.path(), &bare(&bytes).artifact(), others[which].as_ref())?;
        let Some(edits) = edits.filter(|_| checks) else { return Ok(()) };
        fs::write(&image, &bytes).unwrap();
        if is_clean(&image) {
            for member in ["overlay.raw", "storage.ext4"] {
                let Some(edits) = edits.get(member) else { continue };
                let mut scrubbed = bytes.clone();
                edits.apply(0, &mut scrubbed);
                fs::write(&image, &scrubbed).unwrap();
                prop_assert!(is_clean(&image), "{} is not clean after the scrub", member);
            }
        }
        Ok(())
    });
}

#[test]
fn a_changed_tar_is_read_and_scrubbed_in_bounds_or_refused() {
    let folder = playground();
    let tars: Vec<Vec<u8>> = crate::fuzz::corpus("tar").iter().map(|tar| zstd::decode_all(&**tar).unwrap()).collect();
    let image = |tar: &[u8]| {
        let manifest = json!({
            "mode": "container", "image": "x", "digest": "none", "platform": "linux/amd64", "cpus": 1, "mem": 512,
            "assets": {
                "libraries": [], "layers": [{"path": "layers/x.tar", "size": tar.len(), "digest": "x"}],
                "agent_rootfs": {"path": "agent-rootfs.tar", "size": 1},
            },
        });
        artifact(&[("agent-rootfs.tar", &tar_of(&[("etc/", "")])), ("layers/x.tar", tar)], &manifest)
    };
    let file = folder.path().join("x.smolmachine");
    let others: Vec<Contents> = tars
        .iter()
        .map(|tar| {
            fs::write(&file, image(tar)).unwrap();
            open(&file, folder.path()).unwrap()
        })
        .collect();
    let cases = (0..tars.len(), twisted_tar());
    explore(100, &cases, |(which, (changes, in_headers))| {
        let mut tar = tars[which].clone();
        twist(&mut tar, &changes, &in_headers);
        let Some(edits) = use_all(folder.path(), &image(&tar), Some(&others[which]))? else { return Ok(()) };
        for edits in edits.values() {
            edits.apply(0, &mut tar);
        }
        fs::write(&file, image(&tar)).unwrap();
        let contents = open(&file, folder.path()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let walked = contents.walk(b"/", contents.root(), &mut |_, item| {
            let is_empty = item.kind() != Kind::File || item.metadata.size == 0;
            if is_empty { Ok(()) } else { Err(ContentsError::damaged("a file", "is not empty after the scrub")) }
        });
        walked.map_err(|error| TestCaseError::fail(error.to_string()))
    });
}
