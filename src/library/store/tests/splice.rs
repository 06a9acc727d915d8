//! What is linked from a member that was written before is what a writer would have written.

use super::super::{Before, Feed, Splice, StoreError, Writer};
use super::*;
use crate::library::store::index::Entry;
use sha2::{Digest as _, Sha256};
use std::process::Command;

/// A part of a new member: bytes, or a range of the old one.
enum New {
    Data(Vec<u8>),
    Same(usize, usize),
}

fn tar(content: Vec<u8>) -> Source {
    Source::new("layers/x.tar", MemberKind::File, vec![Ok(content)])
}

/// The new member, and the SHA-256 that the splice has taken.
fn spliced(library: &Library, name: &str, old: &Entry, new: &[New]) -> Result<(Entry, String), StoreError> {
    let signals = Signals::default();
    let before = Before::new(&library.folder("old"), old, &signals);
    let write = |feed: &mut Feed<'_>| {
        let mut splice = Splice::new(feed, &Member { size: 1 << 40, ..old.member.clone() }, Some(before))?.hashed();
        for part in new {
            match part {
                New::Data(data) => splice.data(data)?,
                New::Same(at, bytes) => splice.same(*at as u64, *bytes as u64)?,
            }
        }
        splice.end_by(|_| old.member.path.clone())
    };
    let (mut members, _, sha256) = Writer::run_in(library.store(), &library.folder(name), &signals, write)?;
    Ok((members.remove(0), sha256))
}

/// Small numbers in an order that the seed decides.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut bytes = noise(seed, 1 << 16).into_iter();
    move |below| {
        let number = (0..4).fold(0, |number, _| number << 6 | usize::from(bytes.next().unwrap_or(1)));
        number % below.max(1)
    }
}

#[test]
fn what_is_linked_is_cut_as_what_is_read() {
    for seed in 0..12 {
        let (library, mut below) = (Library::new(), numbers(seed));
        let mut old = noise(seed, 6 * MIB);
        let zeros = below(4 * MIB);
        let start = below(2 * MIB);
        old[start..start + zeros].fill(0);
        let (members, ..) = library.write(library.store(), "old", &[tar(old.clone())]).unwrap();
        let (mut new, mut content, mut at) = (Vec::new(), Vec::new(), 0);
        while at < old.len() {
            let most = [1000, MIB, 6 * MIB][below(3)];
            let bytes = (1 + below(most)).min(old.len() - at);
            match below(8) {
                0 => {}
                1 => {
                    let data = noise(seed + at as u64, bytes.min(300_000));
                    content.extend(&data);
                    new.push(New::Data(data));
                }
                _ => {
                    content.extend(&old[at..at + bytes]);
                    new.push(New::Same(at, bytes));
                }
            }
            at += bytes;
        }
        let hash = base16ct::lower::encode_string(&Sha256::digest(&content));
        let (expected, ..) = library.write(library.store(), "read", &[tar(content)]).unwrap();
        let (found, sha256) = spliced(&library, "linked", &members[0], &new).unwrap();
        assert_eq!(sha256, hash, "seed {seed}");
        assert_eq!(found, expected[0], "seed {seed}");
        assert_eq!(found.digest(), expected[0].digest());
        assert_eq!(library.names("linked/objects"), library.names("read/objects"), "seed {seed}");
    }
}

/// This test, run in a process with little memory.
const INSIDE: &str = "BOTTLE_FREEZE_TEST_INSIDE";

#[test]
fn zeros_that_are_longer_than_the_memory_are_hashed() {
    const NAME: &str = concat!(module_path!(), "::zeros_that_are_longer_than_the_memory_are_hashed");
    if std::env::var_os(INSIDE).is_none() {
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", &format!("ulimit -d {}; exec \"$0\" \"$@\"", 256 << 10)]);
        limited.arg(std::env::current_exe().unwrap()).args(["--exact", NAME.split_once("::").unwrap().1]);
        let output = limited.env(INSIDE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        return assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    }
    let (library, zeros) = (Library::new(), 512 * MIB);
    let data = noise(1, 1000);
    let (mut members, ..) = library.write(library.store(), "old", &[tar(data.clone())]).unwrap();
    let mut old = members.remove(0);
    old.chunks.insert(0, Chunk::Zeros((), zeros as u64));
    old.member.size += zeros as u64;
    let (found, sha256) = spliced(&library, "new", &old, &[New::Same(0, zeros + data.len())]).unwrap();
    let mut expected = Sha256::new();
    (0..512).for_each(|_| expected.update(vec![0_u8; MIB]));
    expected.update(&data);
    assert_eq!((found, sha256), (old, base16ct::lower::encode_string(&expected.finalize())));
}

#[test]
fn a_damaged_object_is_reported_with_its_folder() {
    let library = Library::new();
    let content = noise(1, 3 * MIB);
    let (members, ..) = library.write(library.store(), "old", &[tar(content.clone())]).unwrap();
    for name in library.names("old/objects") {
        fs::write(library.folder("old/objects").join(name), "damaged").unwrap();
    }
    let error = spliced(&library, "new", &members[0], &[New::Same(0, content.len())]).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { folder, .. } if folder == library.folder("old")));
}

#[test]
fn what_is_kept_of_an_image_is_checked_and_removed_with_its_snapshot() {
    let library = Library::new();
    let files = [tar(noise(1, MIB)), Source::new("image.tar", MemberKind::File, vec![Ok(noise(2, MIB))])];
    let (mut members, ..) = library.write(library.store(), "one", &files).unwrap();
    let base = members.split_off(1);
    let index = Index::new(MANIFEST.into(), members).unwrap().with_base(base).unwrap();
    let recorded = index.write(&library.folder("one")).unwrap();
    let read = Index::read(&library.folder("one"), &recorded).unwrap();
    assert_eq!((&read.base, read.objects()), (&index.base, index.objects()));
    let frame = |chunk: &Chunk| if let Chunk::Object(_, _, bytes, _) = chunk { u64::from(*bytes) } else { 0 };
    assert_eq!(read.image_bytes(), read.base[0].chunks.iter().map(frame).sum::<u64>());
    library.verify("one", &read).unwrap();
    assert_eq!(contents(&library.artifact("one", &read)).len(), 1);
    let of_image = read.base[0].chunks.iter().find_map(|chunk| match chunk {
        Chunk::Object(name, ..) => Some(name.to_string()),
        Chunk::Zeros(..) => None,
    });
    fs::write(library.folder("one/objects").join(of_image.unwrap()), "damaged").unwrap();
    assert!(library.verify("one", &read).is_err());
}
