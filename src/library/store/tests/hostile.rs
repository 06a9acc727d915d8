//! An index or an object that lies.

use super::super::frame::{CHUNK, FRAME};
use super::super::{StoreError, write_artifact};
use super::*;
use crate::library::hash::{FileHash, hash_reader};
use crate::smolvm::artifact::{CONTENT_LIMIT, MEMBERS};
use proptest::prelude::*;
use std::os::unix::fs::symlink;

fn read(folder: &Path, text: &str) -> Result<Index, StoreError> {
    let recorded: FileHash = hash_reader(text.as_bytes()).unwrap();
    fs::write(folder.join("index.json"), text).unwrap();
    Index::read(folder, &recorded)
}

fn index(members: &str) -> String {
    format!("{{\"version\":1,\"manifest\":{MANIFEST},\"members\":[{members}]}}")
}

fn member(path: &str, kind: &str, size: u64, chunks: &str) -> String {
    format!(
        r#"{{"path":{path:?},"kind":"{kind}","mode":420,"uid":0,"gid":0,"mtime":0,"size":{size},"chunks":[{chunks}]}}"#
    )
}

#[test]
fn an_index_that_lies_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = "ab".repeat(32);
    let object = |length: u64, bytes: u64| format!("[\"{name}\",{length},{bytes},1]");
    read(folder.path(), &index(&member("a/b", "file", 5, &object(5, 3)))).unwrap();
    let whole_blocks = format!("{},[null,1024],{}", object(512, 3), object(5, 3).replace("ab", "cd"));
    read(folder.path(), &index(&member("b", "sparse", 1541, &whole_blocks))).unwrap();
    let lies = [
        member("../b", "file", 5, &object(5, 3)),
        member("/b", "file", 5, &object(5, 3)),
        member("a//b", "file", 5, &object(5, 3)),
        member("b", "file", 6, &object(5, 3)),
        member("b", "file", 0, &object(0, 3)),
        member("b", "file", 5, &object(5, 2 << 20)),
        member("b", "file", 2 << 20, &object(2 << 20, 3)),
        member("b", "file", 4, &format!("[null,{}],[null,5]", u64::MAX)),
        member("b", "file", 0, "[null,0]"),
        member("b", "folder", 5, &object(5, 3)),
        member("b", "link", 5, &object(5, 3)),
        member("b", "sparse", u64::MAX, &format!("[null,{}]", u64::MAX)),
        member("b", "sparse", 10, &[object(5, 3), object(5, 3)].join(",")),
        member("b", "sparse", 1029, &format!("{},[null,1024]", object(5, 3))),
        [member("b", "file", 0, ""), member("b", "file", 0, "")].join(","),
        member("b", "file", 10, &[object(5, 3), object(5, 4)].join(",")),
        member("b", "file", 5, "[\"../../../etc/passwd\",5,3,1]"),
        member("b", "file", 5, "[]"),
        member("b", "file", 5, "[null]"),
        member("b", "file", 5, "[null,5,3]"),
        member("b", "file", 5, &object(5, 3).replace(",1]", "]")),
        member("b", "file", 5, &object(5, 3).replace(",1]", ",1,1]")),
        member("b", "file", 5, &object(5, 3).replace(",1]", ",-1]")),
        member("b", "file", 5, &object(5, 3).replace('[', "{").replace(']', "}")),
        member("b", "file", 5, &object(5, 3)).replace("\"uid\"", "\"more\":[],\"uid\""),
        member("b", "file", 900_000, &vec!["[null,1]"; 900_000].join(",")),
        member("b", "file", 5, &object(5, 3).to_uppercase()),
        (0..10_001).map(|at| member(&at.to_string(), "file", 0, "")).collect::<Vec<_>>().join(","),
    ];
    for lie in lies {
        let result = read(folder.path(), &index(&lie));
        assert!(matches!(result, Err(StoreError::Index { .. })), "{lie}: {result:?}");
    }
    let newer = index("").replace("\"version\":1", "\"version\":2");
    assert!(read(folder.path(), &newer).unwrap_err().to_string().contains("its version is 2"));
}

#[test]
fn the_manual_page_has_the_limits_that_are_checked() {
    let page = include_str!("../../../../man/bottle-freeze-snapshot.5");
    let limits = [
        ("LENGTH of 1 to 1,048,576", CHUNK == 1_048_576),
        ("FRAME_BYTES of 1 to 1,064,960", FRAME == 1_064_960),
        ("members of an artifact|10,000", MEMBERS == 10_000),
        ("together|16 TiB", CONTENT_LIMIT == 16 << 40),
    ];
    for (text, is_so) in limits {
        assert!(is_so && page.contains(text), "{text}");
    }
}

#[test]
fn an_index_takes_little_more_memory_than_its_text_and_a_manifest_has_any_brackets() {
    let folder = tempfile::tempdir().unwrap();
    let env = "{[".repeat(1_000_000);
    let text = index("").replace("\"cpus\"", &format!("\"env\": [\"A={env}\"], \"cpus\""));
    assert!(read(folder.path(), &text).unwrap().manifest.get().contains(&env));
    // The shortest text of a chunk is much shorter than that of an object.
    let object = |at: u32| format!("[\"{at:064x}\",1,1,1],[null,1]");
    let objects: Vec<_> = (0..1000).map(object).collect();
    let text = index(&member("b", "file", 2000, &objects.join(",")));
    let index = read(folder.path(), &text).unwrap();
    assert!(index.members[0].chunks.capacity() * size_of::<Chunk>() <= text.len() * 6 / 5);
}

#[test]
fn an_index_that_was_changed_or_replaced_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let recorded = hash_reader(index("").as_bytes()).unwrap();
    fs::write(folder.path().join("index.json"), index("") + " ").unwrap();
    let error = Index::read(folder.path(), &recorded).unwrap_err();
    assert!(matches!(error, StoreError::Index { .. }), "{error}");
    fs::rename(folder.path().join("index.json"), folder.path().join("other")).unwrap();
    symlink("other", folder.path().join("index.json")).unwrap();
    let error = Index::read(folder.path(), &recorded).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
}

#[test]
fn a_bomb_or_a_link_in_place_of_an_object_is_damage() {
    let library = Library::new();
    let (index, _) = library.freeze("one", &[disk(vec![Ok(noise(1, 1000))])]).unwrap();
    fs::remove_dir_all(library.folder("store")).unwrap();
    let object = library.folder("one/objects").join(&library.names("one/objects")[0]);
    let bomb = zstd::bulk::compress(&vec![0; 64 * MIB], 3).unwrap();
    let long = vec![7; 3 * MIB];
    let put = |bytes: &[u8]| fs::write(&object, bytes).unwrap();
    let link = || {
        fs::remove_file(&object).unwrap();
        symlink("/etc/passwd", &object).unwrap();
    };
    for damage in [&(|| put(&bomb)) as &dyn Fn(), &|| put(&long), &|| put(b""), &link] {
        damage();
        let error = library.verify("one", &index).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        let made = write_artifact(&library.folder("one"), &index, &mut Vec::new(), &Signals::default());
        assert!(matches!(made, Err(StoreError::Damaged { .. })), "{made:?}");
    }
}

#[test]
fn many_zeros_in_a_file_take_little_memory_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let text = index(&member("b", "file", 1 << 40, &format!("[null,{}]", 1_u64 << 40)));
    let artifact = read(folder.path(), &text).unwrap().artifact().unwrap();
    assert!(artifact.bytes < 100 << 20, "{}", artifact.bytes);
}

#[test]
fn what_lies_between_objects_is_cut_at_each_mebibyte() {
    let (folder, zeros) = (tempfile::tempdir().unwrap(), MIB - 1);
    let file = |at: u32| member(&at.to_string(), "file", zeros as u64, &format!("[null,{zeros}]"));
    let index = read(folder.path(), &index(&(0..3).map(file).collect::<Vec<_>>().join(","))).unwrap();
    let mut made = Vec::new();
    write_artifact(folder.path(), &index, &mut made, &Signals::default()).unwrap();
    let files = index.members.iter().map(|Entry { member, .. }| {
        [artifact::headers(member, &[]), vec![0; zeros + artifact::padding(member, &[])]].concat()
    });
    let tar = files.chain([artifact::END.to_vec()]).collect::<Vec<_>>().concat();
    let frames = tar.chunks(MIB).map(|part| zstd::bulk::compress(part, 3).unwrap());
    assert!(made.starts_with(&frames.collect::<Vec<_>>().concat()));
}

/// What may stand in place of a byte.
const BYTES: &[u8] = b"0919,[]{}\"nul./-a\0\xff";

proptest! {
    #[test]
    fn an_index_with_changed_bytes_is_refused_or_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(BYTES)), 1..6),
    ) {
        let (folder, name) = (tempfile::tempdir().unwrap(), "ab".repeat(32));
        let members = [
            member("layers/", "folder", 0, ""),
            member("a.tar", "file", 1_048_581, &format!("[\"{name}\",5,30,1234],[null,1048576]")),
            member("overlay.raw", "sparse", 2_097_157, &format!("[null,2097152],[\"{name}\",5,30,1234]")),
        ];
        let mut text = index(&members.join(",")).into_bytes();
        for (at, byte) in changes {
            *at.get_mut(&mut text) = byte;
        }
        let recorded = hash_reader(&text[..]).unwrap();
        fs::write(folder.path().join("index.json"), &text).unwrap();
        if let Ok(index) = Index::read(folder.path(), &recorded) {
            let _ = index.artifact();
            let verified = verify::verify_in(None, folder.path(), &index, &Seen::default(), &Signals::default());
            prop_assert_eq!(verified.is_ok(), index.objects().is_empty());
        }
    }
}
