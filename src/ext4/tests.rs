use super::fields::u32_at;
use super::free::MOST;
use super::superblock::Superblock;
use super::*;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

impl ReadAt for Vec<u8> {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(at).unwrap();
        let bytes = start.checked_add(buffer.len()).and_then(|end| self.get(start..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

const IMAGES: [&str; 5] = ["plain", "groups", "clusters", "old", "bare"];

fn corpus(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/ext4").join(name)).unwrap()
}

fn image(name: &str) -> Vec<u8> {
    zstd::decode_all(&*corpus(&format!("{name}.zst"))).unwrap()
}

fn free_of(image: &Vec<u8>) -> Result<Vec<Range<u64>>, String> {
    free(image, image.len() as u64).map_err(|error| error.to_string())
}

/// Changes bytes of an image. Why it is refused then; empty if it is not.
fn refusal(name: &str, at: usize, bytes: &[u8]) -> String {
    let mut image = image(name);
    image[at..at + bytes.len()].copy_from_slice(bytes);
    free_of(&image).err().unwrap_or_default().replace("its file system ", "")
}

#[test]
fn what_is_free_is_what_dumpe2fs_calls_free() {
    let text = String::from_utf8(corpus("free.txt")).unwrap();
    for line in text.lines() {
        let (name, ranges) = line.split_once(' ').unwrap();
        let range = |text: &str| text.split_once('-').map(|(a, b)| a.parse().unwrap()..b.parse().unwrap()).unwrap();
        let expected: Vec<Range<u64>> = ranges.split(',').map(range).collect();
        assert_eq!(free_of(&image(name)), Ok(expected), "{name}");
    }
    assert_eq!(text.lines().count(), IMAGES.len());
}

#[test]
fn nothing_is_free_if_anything_is_not_understood() {
    // In the superblock of a file system without checksums.
    let cases: [(&str, usize, &[u8]); 18] = [
        ("is not ext4", 0x38, b"\0\0"),
        ("has an unknown revision", 0x4c, &[0]),
        ("was not unmounted cleanly", 0x3a, &[0]),
        ("was not unmounted cleanly", 0x3a, &[3]),
        ("was not unmounted cleanly", 0x3a, &[5]),
        ("was not unmounted cleanly", 0xe8, &[12]),
        ("was not unmounted cleanly", 0x60, &[0x6]),
        ("has an unknown feature", 0x60, &[0xa]),
        ("has an unknown feature", 0x62, &[0x80]),
        ("has an unknown feature", 0x67, &[1]),
        ("has an unknown feature", 0x5f, &[1]),
        ("has blocks of an unknown size", 0x18, &[7]),
        ("has clusters of an unknown size", 0x1c, &[5]),
        ("has a layout that is not known", 0x14, &[1]),
        ("has a layout that is not known", 0x20, &[0, 0, 0, 0]),
        ("has a layout that is not known", 0x28, &[0, 0, 0, 0]),
        ("has a layout that is not known", 0x58, &[0, 0]),
        ("has a layout that is not known", 0x4, &[0xff, 0xff, 0xff, 0xff]),
    ];
    for (why, at, bytes) in cases {
        assert_eq!(refusal("bare", 1024 + at, bytes), why, "{at:#x}");
    }
    assert_eq!(refusal("plain", 1024 + 0x175, &[2]), "has an unknown kind of checksum");
    assert_eq!(refusal("plain", 510, &[0x55, 0xaa]), "is not at the beginning of its disk");
    assert_eq!(refusal("plain", 1024 + 0x78, b"x"), "has a damaged superblock");
    let image = image("plain");
    assert!(free(&image, image.len() as u64 - 1).unwrap_err().to_string().contains("is larger than its disk"));
    assert!(matches!(free(&image[..3000].to_vec(), 3000), Err(Ext4Error::Unknown(_) | Ext4Error::Unreadable(_))));
}

/// Where the first description of a group is.
fn descriptions(name: &str) -> usize {
    if ["groups", "old", "clusters"].contains(&name) { 2048 } else { 4096 / if name == "bare" { 2 } else { 1 } }
}

#[test]
fn damaged_groups_and_bitmaps_are_refused() {
    for name in ["plain", "groups", "clusters", "old"] {
        assert_eq!(refusal(name, descriptions(name) + 0xc, &[0xff]), "has a damaged description of a group", "{name}");
    }
    // No checksums: only what it says twice can be compared.
    let at = descriptions("bare");
    assert_eq!(refusal("bare", at + 0xc, &[0xff]), "has a group that does not agree with its bitmap");
    assert_eq!(refusal("bare", at + 3, &[0xff]), "has a group with tables outside of it");
    assert_eq!(refusal("bare", at + 8, &[3]), "has tables that lie over one another");
    let word = |image: &[u8], at: usize| usize::try_from(u32_at(image, at)).unwrap();
    let bitmap = 2048 * word(&image("bare"), at);
    assert_eq!(refusal("bare", bitmap, &[0xf0]), "has a bitmap that calls its own tables free");
    let bitmap = 4096 * word(&image("plain"), descriptions("plain"));
    assert_eq!(refusal("plain", bitmap + 200, &[0x55]), "has a damaged bitmap");
}

#[test]
fn a_journal_with_anything_in_it_is_refused() {
    let whole = image("plain");
    let magic = [0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4];
    let journal = whole.chunks(4096).position(|block| block.starts_with(&magic)).unwrap() * 4096;
    assert_eq!(refusal("plain", journal + 0x1f, &[1]), "has a journal that must be replayed");
    assert_eq!(refusal("plain", journal + 0x23, &[1]), "has a journal that must be replayed");
    assert_eq!(refusal("plain", journal, &[0]), "has a journal that is not known");
    let superblock = Superblock::read(&whole).unwrap();
    let groups = superblock.read_groups(&whole).unwrap();
    let inode = usize::try_from(groups[0].inode_table * 4096 + 7 * superblock.inode_size).unwrap();
    assert_eq!(refusal("plain", inode + 0x2e, &[1]), "has a journal that is not known");
    assert_eq!(refusal("plain", inode + 0x3c, &[0; 4]), "has a journal that is not known");
}

/// Whatever a guest wrote: no panic, and nothing outside of the disk or twice.
#[test]
fn no_byte_of_a_description_makes_more_free_than_there_is() {
    for name in IMAGES {
        let mut image = image(name);
        let expected = free_of(&image).unwrap();
        let from_1024 = 1024..1024 + 0x280;
        for at in from_1024.chain(descriptions(name)..descriptions(name) + 512) {
            for change in [0xff, 0x01, 0x80] {
                image[at] ^= change;
                let free = free_of(&image);
                image[at] ^= change;
                let Ok(free) = free else { continue };
                let mut end = 0;
                for range in free.iter().cloned() {
                    assert!(range.start >= end && range.end > range.start, "{name} {at:#x}");
                    end = range.end;
                }
                assert!(end <= image.len() as u64, "{name} {at:#x}");
                // What has checksums is the same, or refused.
                assert!(!["plain", "groups", "clusters"].contains(&name) || free == expected, "{name} {at:#x}");
            }
        }
    }
}

#[test]
fn places_that_files_share_are_cleared_once_and_too_many_are_refused() {
    let places = |from: u64, to: u64| (from..to).map(|number| number * 8192..number * 8192 + 4096);
    let (mut edits, most) = (Edits::default(), MOST as u64);
    for to in [most, most, 1] {
        edits.add(places(0, to)).unwrap();
    }
    // The last one did not fit before the others were merged.
    assert_eq!(edits.zeros.len(), MOST + 1);
    let refused = edits.add(places(most, 2 * most)).unwrap_err().to_string();
    assert_eq!(refused, "its file system has too many pieces to be cleared");
}

#[test]
fn lists_of_extents_are_read_up_to_the_end_of_a_file_and_not_without_end() {
    let system = FileSystem::open(image("deep"), 0).unwrap();
    // It has lists of two levels: one, and five below.
    let mut file = system.inode(21).unwrap();
    let lists = |file: &Inode| {
        let before = system.list_bytes.get();
        let extents = system.extents(file).unwrap();
        ((before - system.list_bytes.get()) / 1024, extents)
    };
    let (count, whole) = lists(&file);
    assert_eq!(count, 6);
    let short = whole.iter().map(|extent| extent.at + 1).find(|size| *size > 100 * 1024).unwrap();
    file.raw[4..8].copy_from_slice(&u32::try_from(short).unwrap().to_le_bytes());
    let (count, begin) = lists(&file);
    assert_eq!(count, 2);
    let is_before = |extent: &&Extent| extent.at < short;
    assert_eq!(begin.len(), whole.iter().filter(is_before).count());
    assert_eq!(begin[..begin.len() - 1], whole[..begin.len() - 1]);
    system.list_bytes.set(5 * 1024);
    let read = || system.extents(&file).map(|_| ()).map_err(|error| error.to_string());
    let refused = "its file system has lists of extents that are larger than itself";
    assert_eq!([read(), read(), read()], [Ok(()), Ok(()), Err(refused.to_owned())]);
}
