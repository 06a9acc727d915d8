//! Damaged objects are found, and whole again after the next freeze.

use super::super::{Digest, StoreError, assemble, frame, write_artifact};
use super::*;
use std::os::unix::fs::MetadataExt;

/// Two snapshots that share an object, one that has it not, and the path of that object in the first.
fn shared() -> (Library, Vec<Source>, Vec<Index>, PathBuf) {
    let library = Library::new();
    let (shared, other) = (disk(vec![Ok(noise(1, MIB))]), disk(vec![Ok(noise(2, MIB))]));
    let freeze = |name, source: &Source| library.freeze(name, std::slice::from_ref(source)).unwrap().0;
    let indexes = vec![freeze("one", &shared), freeze("two", &shared), freeze("three", &other)];
    let object = library.folder("one/objects").join(&library.names("one/objects")[0]);
    (library, vec![shared, other], indexes, object)
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_is_found_in_each_snapshot_that_has_it_and_in_no_other() {
    let (library, _, indexes, object) = shared();
    flip(&object);
    for (name, index, is_whole) in [("one", 0, false), ("two", 1, false), ("three", 2, true)] {
        let verified = library.verify(name, &indexes[index]);
        assert_eq!(verified.is_ok(), is_whole, "{name}: {verified:?}");
    }
    let error = library.verify("two", &indexes[1]).unwrap_err().to_string();
    let digest = object.file_name().unwrap().to_str().unwrap();
    assert!(error.ends_with(&format!("two is damaged: 1 object is damaged ({digest})")), "{error}");
}

#[test]
fn the_next_freeze_heals_all_snapshots_that_have_the_object() {
    let (library, sources, indexes, object) = shared();
    flip(&object);
    library.verify("one", &indexes[0]).unwrap_err();
    let (_, added) = library.freeze("four", &sources[..1]).unwrap();
    assert_eq!(added.objects, 1);
    library.verify("one", &indexes[0]).unwrap();
    library.verify("two", &indexes[1]).unwrap();
    // It is one file again.
    assert_eq!(fs::metadata(object).unwrap().nlink(), 4);
}

#[test]
fn a_freeze_compares_what_it_links_and_writes_a_damaged_object_anew() {
    let (library, sources, indexes, object) = shared();
    flip(&object);
    let (index, added) = library.freeze("four", &sources[..1]).unwrap();
    assert_eq!((added.objects, &index.members), (1, &indexes[0].members));
    library.verify("four", &index).unwrap();
    assert!(contents(&library.artifact("four", &index))[0].1 == sources[0].content());
    let has_all = |name| indexes[0].has_all_objects_in(Some(&library.store()), &library.folder(name), &indexes[0]);
    assert_eq!((has_all("one"), has_all("four")), (false, true));
    library.verify("one", &indexes[0]).unwrap();
    assert!(has_all("one"));
}

#[test]
fn an_index_vouches_for_its_frames_and_for_no_others() {
    let (library, sources, indexes, object) = shared();
    let content = sources[0].content();
    let freeze = |name| {
        let written = Writer::run_in(library.store(), &library.folder(name), &Signals::default(), |feed| {
            feed.trust(&indexes[0]);
            feed.part(Part::Member(&sources[0].member)).and_then(|()| feed.part(Part::Data(&content)))
        });
        let (members, added, ()) = written.unwrap();
        assert_eq!(members, indexes[0].members);
        added.objects
    };
    assert_eq!(freeze("four"), 0);
    flip(&object);
    assert_eq!(freeze("five"), 1);
    library.verify("five", &indexes[0]).unwrap();
}

#[test]
fn a_damaged_object_of_a_known_member_ends_the_writer() {
    let (library, sources, indexes, object) = shared();
    flip(&object);
    let known = |name| {
        Writer::run_in(library.store(), &library.folder(name), &Signals::default(), |feed| {
            feed.known(&indexes[0].members[0], &library.folder("one"))
        })
    };
    let error = known("four").unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    // The content, from elsewhere, makes it whole.
    library.freeze("five", &sources[..1]).unwrap();
    library.verify("one", &indexes[0]).unwrap();
    known("six").unwrap();
}

#[test]
fn a_truncated_or_foreign_object_is_not_linked_but_written_anew() {
    for damage in [
        |path: &Path| fs::write(path, "").unwrap(),
        |path: &Path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        },
    ] {
        let (library, sources, indexes, object) = shared();
        damage(&object);
        let (index, added) = library.freeze("four", &sources[..1]).unwrap();
        assert_eq!(added.objects, 1);
        library.verify("four", &index).unwrap();
        library.verify("one", &indexes[0]).unwrap();
    }
}

#[test]
fn a_missing_object_is_linked_again() {
    let (library, _, indexes, object) = shared();
    fs::remove_file(&object).unwrap();
    library.verify("one", &indexes[0]).unwrap();
    assert!(object.is_file());
    for folder in ["one/objects", "two/objects", "store"] {
        fs::remove_file(library.folder(folder).join(object.file_name().unwrap())).unwrap();
    }
    let error = library.verify("one", &indexes[0]).unwrap_err();
    assert!(error.to_string().contains("1 object is missing"), "{error}");
}

#[test]
fn an_artifact_is_not_made_of_a_damaged_object() {
    let (library, _, indexes, object) = shared();
    flip(&object);
    let made = write_artifact(&library.folder("two"), &indexes[1], &mut Vec::new(), &Signals::default());
    assert!(matches!(made, Err(StoreError::Damaged { .. })), "{made:?}");
}

#[test]
fn an_artifact_is_made_of_what_the_store_has_even_if_the_snapshot_cannot_be_written() {
    let (library, sources, indexes, object) = shared();
    flip(&object);
    library.freeze("four", &sources[..1]).unwrap();
    let write = |store| {
        let mut to = Vec::new();
        assemble::write_artifact_in(store, &library.folder("one"), &indexes[0], &mut to, &Signals::default())
            .map(|()| to)
    };
    write(None).unwrap_err();
    // A link to the store's object cannot get the name of a folder.
    fs::remove_file(&object).unwrap();
    fs::create_dir(&object).unwrap();
    let made = write(Some(library.store())).unwrap();
    assert!(object.is_dir());
    fs::remove_dir(&object).unwrap();
    assert!(write(Some(library.store())).unwrap() == made);
    assert!(write(None).unwrap() == made);
}

#[test]
fn the_store_keeps_what_cannot_be_read_for_now() {
    let (library, _, _, object) = shared();
    let name = Digest::parse(object.file_name().unwrap().to_str().unwrap()).unwrap();
    let stored = library.store().path(&name);
    fs::remove_file(&stored).unwrap();
    fs::create_dir(&stored).unwrap();
    assert!(!library.store().heal(&name, 1 << 20, &object, &mut frame::Unpacker::new()));
    fs::remove_dir(&stored).unwrap();
    fs::write(&stored, "damaged").unwrap();
    assert!(!library.store().heal(&name, 1 << 20, &object, &mut frame::Unpacker::new()));
    assert!(stored.is_file());
}

#[test]
fn another_frame_of_the_same_content_is_accepted() {
    let (library, sources, indexes, object) = shared();
    let other = zstd::bulk::compress(&sources[0].content(), 1).unwrap();
    assert_ne!(fs::read(&object).unwrap(), other);
    fs::write(&object, other).unwrap();
    library.verify("one", &indexes[0]).unwrap();
    assert!(contents(&library.artifact("one", &indexes[0]))[0].1 == sources[0].content());
}

#[test]
fn an_object_is_read_once_for_all_snapshots() {
    let (library, _, indexes, object) = shared();
    let (seen, signals) = (Seen::default(), Signals::default());
    let verify = |name, index| verify::verify_in(None, &library.folder(name), index, &seen, &signals);
    verify("one", &indexes[0]).unwrap();
    flip(&object);
    verify("two", &indexes[1]).unwrap();
    verify::verify_in(None, &library.folder("two"), &indexes[1], &Seen::default(), &signals).unwrap_err();
}

#[test]
fn an_object_under_another_name_is_damage() {
    let (library, _, indexes, object) = shared();
    let other = library.folder("three/objects").join(&library.names("three/objects")[0]);
    let (seen, signals) = (Seen::default(), Signals::default());
    let verify = |name, index| verify::verify_in(None, &library.folder(name), index, &seen, &signals);
    verify("one", &indexes[0]).unwrap();
    fs::remove_file(&other).unwrap();
    fs::hard_link(&object, &other).unwrap();
    verify("three", &indexes[2]).unwrap_err();
}
