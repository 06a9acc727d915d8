//! What goes in comes out.

use super::super::{Index, StoreError, Writer, write_artifact};
use super::*;
use crate::smolvm::artifact;
use proptest::prelude::*;

#[test]
fn an_artifact_put_together_has_the_content_that_was_stored() {
    let library = Library::new();
    let sources = [
        Source::new("agent-rootfs.tar", MemberKind::File, vec![Ok(noise(1, 3 * MIB)), Err(2 << 20), Ok(noise(2, 77))]),
        Source::new("layers/", MemberKind::Folder, vec![]),
        Source::new("empty", MemberKind::File, vec![]),
        Source::new("small", MemberKind::File, vec![Ok(b"small".to_vec()), Err(513)]),
        disk(vec![Err(5 << 20), Ok(noise(3, 10)), Err(70), Ok(noise(4, 2 * MIB)), Err(1 << 20), Ok(noise(5, 4097))]),
        Source::new("storage.ext4", MemberKind::Sparse, vec![Ok(noise(3, 10)), Err(3 << 20)]),
    ];
    let (index, added) = library.freeze("one", &sources).unwrap();
    let frames = index.objects().iter().map(|(_, _, bytes)| u64::from(*bytes)).sum::<u64>();
    assert_eq!(frames, added.bytes);
    library.verify("one", &index).unwrap();
    let path = library.artifact("one", &index);
    let found = contents(&path);
    for (source, (member, content)) in sources.iter().zip(&found) {
        assert_eq!((&source.member, &source.content() == content), (member, true), "{member:?}");
    }
    let (expected, found) = (index.artifact().unwrap(), artifact::verify(&path, &Signals::default()).unwrap());
    assert_eq!((expected.bytes, expected.crc32), (found.bytes, found.crc32));
}

#[test]
fn what_the_store_has_is_linked() {
    let library = Library::new();
    let sources = [disk(vec![Ok(noise(1, 5 * MIB)), Err(9 << 20), Ok(noise(2, 100))])];
    let (index, added) = library.freeze("one", &sources).unwrap();
    assert_eq!((added.objects, added.is_unshared), (6, false));
    let (again, added) = library.freeze("two", &sources).unwrap();
    assert_eq!((added.objects, added.bytes, &again.members), (0, 0, &index.members));
    assert_eq!(library.names("store"), library.names("one/objects"));
    assert_eq!(unique_bytes(&library.folder("one")), 0);
}

#[test]
fn the_same_index_gives_the_same_artifact() {
    let library = Library::new();
    let sources = [disk(vec![Ok(noise(1, MIB)), Err(3 << 20), Ok(noise(2, 100))])];
    let (index, _) = library.freeze("one", &sources).unwrap();
    let first = fs::read(library.artifact("one", &index)).unwrap();
    let recorded = index.write(&library.folder("one")).unwrap();
    let index = Index::read(&library.folder("one"), &recorded).unwrap();
    assert!(fs::read(library.artifact("one", &index)).unwrap() == first);
}

#[test]
fn a_byte_added_to_a_tar_changes_few_chunks() {
    let library = Library::new();
    let content = noise(1, 20 * MIB);
    let tar = |content: Vec<u8>| Source::new("layers/x.tar", MemberKind::File, vec![Ok(content)]);
    let (_, first) = library.freeze("one", &[tar(content.clone())]).unwrap();
    let (_, second) = library.freeze("two", &[tar([&content[..MIB], b"!", &content[MIB..]].concat())]).unwrap();
    assert!(first.objects > 40 && second.objects <= 2, "{first:?} {second:?}");
}

#[test]
fn a_disk_is_cut_at_each_mib_and_its_zeros_are_not_stored() {
    let library = Library::new();
    for kind in [MemberKind::Sparse, MemberKind::File] {
        let parts =
            vec![Ok(noise(1, 10)), Err((2 << 20) - 10), Ok(vec![0; 3 * MIB]), Ok(noise(2, MIB + 1)), Ok(vec![0; 5])];
        let (index, _) = library.freeze("one", &[Source::new("storage.ext4", kind, parts)]).unwrap();
        let lengths: Vec<_> = index.members[0].chunks.iter().map(|chunk| (chunk.length(), is_zeros(chunk))).collect();
        let mib = 1 << 20;
        assert_eq!(lengths, [(mib, false), (4 * mib, true), (mib, false), (6, false)]);
        fs::remove_dir_all(library.folder("one")).unwrap();
    }
}

fn is_zeros(chunk: &Chunk) -> bool {
    matches!(chunk, Chunk::Zeros(..))
}

#[test]
fn known_members_are_linked_from_another_folder() {
    let library = Library::new();
    let sources = [Source::new("agent-rootfs.tar", MemberKind::File, vec![Ok(noise(1, 2 * MIB)), Err(5 << 20)])];
    let (template, first) = library.freeze("template", &sources).unwrap();
    // The store forgets them.
    fs::remove_dir_all(library.folder("store")).unwrap();
    fs::create_dir(library.folder("store")).unwrap();
    let known = |name| {
        Writer::run_in(library.store(), &library.folder(name), &Signals::default(), |feed| {
            feed.known(&template.members[0], &library.folder("template"))
        })
        .unwrap()
    };
    let (members, added, ()) = known("one");
    assert_eq!((&members, added), (&template.members, first));
    assert_eq!(known("two").1, Added::default());
    assert_eq!(library.names("store"), library.names("template/objects"));
    library.verify("one", &Index::new(MANIFEST.into(), members).unwrap()).unwrap();
}

#[test]
fn a_copy_outside_the_library_has_all_objects_and_the_store_gets_none() {
    let library = Library::new();
    let sources = [disk(vec![Ok(noise(1, 2 * MIB)), Err(1 << 20), Ok(noise(2, 300))])];
    let (index, _) = library.freeze("one", &sources).unwrap();
    let stored = library.names("store");
    let apart = Writer::run_apart(&library.folder("apart"), &Signals::default(), |feed| {
        feed.known(&index.members[0], &library.folder("one"))?;
        let changed = Source::new("changed", MemberKind::File, vec![Ok(noise(3, MIB))]);
        feed.part(Part::Member(&changed.member))?;
        feed.part(Part::Data(&noise(3, MIB)))
    });
    let (members, added, ()) = apart.unwrap();
    assert_eq!((added, library.names("store")), (Added::default(), stored));
    library.verify("apart", &Index::new(MANIFEST.into(), members).unwrap()).unwrap();
    assert!(library.names("apart/objects").len() > library.names("one/objects").len());
}

#[test]
fn a_member_of_another_size_than_it_says_is_an_error() {
    let library = Library::new();
    for size in [99, 101] {
        let mut source = disk(vec![Ok(noise(1, 100))]);
        source.member.size = size;
        let error = library.freeze("one", &[source]).unwrap_err();
        assert!(matches!(error, StoreError::Content(_)), "{error}");
        fs::remove_dir_all(library.folder("one")).unwrap();
    }
}

#[test]
fn a_disk_that_is_full_ends_the_writer() {
    let library = Library::new();
    // Nothing can be created in a folder that is a file.
    fs::remove_dir(library.folder("store")).unwrap();
    fs::write(library.folder("store"), "").unwrap();
    let error = library.freeze("one", &[disk(vec![Ok(noise(1, 40 * MIB))])]).unwrap_err();
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
}

#[test]
fn a_signal_ends_the_writer_and_every_reader() {
    let (library, signals) = (Library::new(), Signals::default());
    let source = disk(vec![Ok(noise(1, 3 * MIB))]);
    let (index, _) = library.freeze("one", std::slice::from_ref(&source)).unwrap();
    let written = Writer::run_in(library.store(), &library.folder("two"), &signals, |feed| {
        feed.part(Part::Member(&source.member))?;
        signals.arrive(15);
        feed.part(Part::Data(&source.content()))
    });
    assert!(matches!(written, Err(StoreError::Interrupted(_))));
    let verified = verify::verify_in(None, &library.folder("one"), &index, &Seen::default(), &signals);
    assert!(matches!(verified, Err(StoreError::Interrupted(_))));
    let made = write_artifact(&library.folder("one"), &index, &mut Vec::new(), &signals);
    assert!(matches!(made, Err(StoreError::Interrupted(_))));
}

#[test]
fn without_hard_links_each_snapshot_has_its_own_objects() {
    let library = Library::new();
    // Another file system.
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let sources = [disk(vec![Ok(noise(1, 2 * MIB))])];
    for name in ["one", "two"] {
        let store = Objects::at(elsewhere.path().to_owned());
        let (members, added, ()) = library.write(store, name, &sources).unwrap();
        assert_eq!((added.objects, added.is_unshared), (2, true));
        library.verify(name, &Index::new(MANIFEST.into(), members).unwrap()).unwrap();
        assert_eq!(unique_bytes(&library.folder(name)), added.bytes);
    }
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

/// A file's content, in parts.
fn parts() -> impl Strategy<Value = Vec<Result<Vec<u8>, u64>>> {
    let part = prop_oneof![
        (0_u64..4, 1..MIB + 9).prop_map(|(seed, bytes)| Ok(noise(seed, bytes))),
        (1..3_u64 << 20).prop_map(Err),
        (1..9_u64).prop_map(Err),
        Just(Ok(vec![0; MIB])),
    ];
    prop::collection::vec(part, 0..5)
}

fn sources() -> impl Strategy<Value = Vec<Source>> {
    let kinds = prop::sample::select(vec![MemberKind::File, MemberKind::Sparse, MemberKind::Folder]);
    let files = prop::collection::vec((kinds, parts(), prop::sample::select(vec!["", ".tar", ".raw"])), 0..4);
    files.prop_map(|files| {
        let source = |(number, (kind, parts, ending)): (usize, _)| match kind {
            MemberKind::Folder => Source::new(&format!("{number}/"), kind, vec![]),
            _ => Source::new(&format!("{number}{ending}"), kind, parts),
        };
        files.into_iter().enumerate().map(source).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn whatever_is_stored_comes_out_again(sources in sources()) {
        let library = Library::new();
        let (index, _) = library.freeze("one", &sources).unwrap();
        let folder = library.folder("one");
        let recorded = index.write(&folder).unwrap();
        let index = Index::read(&folder, &recorded).unwrap();
        let path = library.artifact("one", &index);
        let expected: Vec<_> = sources.iter().map(|source| (source.member.clone(), source.content())).collect();
        prop_assert!(contents(&path) == expected);
        let (expected, found) = (index.artifact().unwrap(), artifact::verify(&path, &Signals::default()).unwrap());
        prop_assert_eq!((expected.bytes, expected.crc32), (found.bytes, found.crc32));
    }
}
