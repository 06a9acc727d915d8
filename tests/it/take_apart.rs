//! An artifact is taken apart into parts from which the same tar can be made again, or it is refused.

use bottle_freeze::engine::{
    Artifact, ArtifactError, END, Member, MemberKind, Part, footer, headers, padding, take_apart, verify,
};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

// ------------------------------------------------------------------------------------------- together again

/// A member, the pieces of data of a sparse file, and all its data.
struct Taken {
    member: Member,
    data: Vec<(u64, u64)>,
    bytes: Vec<u8>,
    /// The place in the file.
    at: u64,
}

impl Taken {
    fn add(&mut self, part: &Part<'_>) {
        match part {
            Part::Data(bytes) => {
                let length = bytes.len() as u64;
                match self.data.last_mut().filter(|(offset, length)| offset + length == self.at) {
                    Some((_, known)) => *known += length,
                    None => self.data.push((self.at, length)),
                }
                self.bytes.extend(*bytes);
                self.at += length;
            }
            Part::Zeros(length) => self.at += length,
            Part::Member(_) => panic!("a member in a member"),
        }
    }

    /// As it is in a tar.
    fn tar(&self) -> Vec<u8> {
        assert_eq!(self.at, self.member.size, "{:?}", self.member);
        [&headers(&self.member, &self.data)[..], &self.bytes, &vec![0; padding(&self.member, &self.data)]].concat()
    }
}

/// The artifact, its manifest, and the tar that its parts make.
fn tar_again(path: &Path) -> Result<(Artifact, String, Vec<u8>), ArtifactError> {
    let mut all: Vec<Taken> = Vec::new();
    let (artifact, manifest) = take_apart(path, &mut |part| {
        match part {
            Part::Member(member) => {
                let member = member.clone();
                all.push(Taken { member, data: Vec::new(), bytes: Vec::new(), at: 0 });
            }
            part => all.last_mut().expect("a member before its content").add(&part),
        }
        Ok(())
    })?;
    let tar = all.iter().map(Taken::tar).chain([END.to_vec()]).collect::<Vec<_>>().concat();
    Ok((artifact, manifest, tar))
}

/// Takes an artifact apart, and puts it together again.
#[track_caller]
pub fn assert_same_again(path: &Path) {
    let (artifact, manifest, tar) = tar_again(path).unwrap_or_else(|error| panic!("{} {error}", path.display()));
    let bytes = fs::read(path).unwrap();
    let assets = bytes.len() - 64 - manifest.len();
    assert!(zstd::decode_all(&bytes[..assets]).unwrap() == tar, "{}: another tar", path.display());
    assert_eq!(&bytes[assets..bytes.len() - 64], manifest.as_bytes());
    let lengths = (assets as u64, manifest.len() as u64);
    assert_eq!(bytes[bytes.len() - 64..], footer(lengths.0, lengths.1, artifact.crc32));
    assert_eq!((artifact.bytes, artifact.crc32), {
        let verified = verify(path).unwrap();
        (verified.bytes, verified.crc32)
    });
}

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/artifact");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn artifacts_of_real_engines_give_the_same_tar_again() {
    let corpus = corpus();
    assert!(corpus.len() > 2, "{corpus:?}");
    for path in &corpus {
        assert_same_again(path);
    }
}

// --------------------------------------------------------------------------------------------- other artifacts

/// Writes an artifact with these assets and the manifest of a real one.
fn written(folder: &TempDir, assets: &[u8]) -> PathBuf {
    let manifest = take_apart(&corpus()[0], &mut |_| Ok(())).unwrap().1;
    let path = folder.path().join("a.smolmachine");
    let content = [assets, manifest.as_bytes()].concat();
    let end = footer(assets.len() as u64, manifest.len() as u64, crc32fast::hash(&content));
    fs::write(&path, [content, end.to_vec()].concat()).unwrap();
    verify(&path).expect("only the assets are unusual");
    path
}

fn compressed(tar: &[u8]) -> Vec<u8> {
    zstd::encode_all(tar, 3).unwrap()
}

fn member(path: &str, kind: MemberKind, size: u64) -> Member {
    Member { path: path.into(), kind, mode: 0o100_644, uid: 1000, gid: 100, mtime: 1_700_000_000, size }
}

fn file(path: &str, content: &[u8]) -> Vec<u8> {
    let member = member(path, MemberKind::File, content.len() as u64);
    [&headers(&member, &[])[..], content, &vec![0; padding(&member, &[])]].concat()
}

/// A sparse file with this map, whatever it claims, and as much data as it has.
fn sparse(size: u64, map: &[(u64, u64)]) -> Vec<u8> {
    let member = member("overlay.raw", MemberKind::Sparse, size);
    let data = map.iter().fold(0_u64, |sum, (_, length)| sum.wrapping_add(*length)).min(1 << 20);
    let data = vec![7; usize::try_from(data).unwrap()];
    [&headers(&member, map)[..], &data, &vec![0; padding(&member, map)]].concat()
}

fn ended(members: &[u8]) -> Vec<u8> {
    [members, &END].concat()
}

/// Takes it apart, which fails for a reason with these words.
#[track_caller]
fn assert_unknown(assets: &[u8], words: &str) {
    let folder = TempDir::new().unwrap();
    match tar_again(&written(&folder, assets)) {
        Err(ArtifactError::Unknown(why)) => assert!(why.contains(words), "{why:?} instead of {words:?}"),
        other => panic!("{:?} instead of {words:?}", other.map(|(artifact, ..)| artifact)),
    }
}

#[test]
fn assets_may_be_many_frames() {
    let folder = TempDir::new().unwrap();
    let map: Vec<(u64, u64)> = (0..200).map(|number| (number * 8192 + 4096, 512)).chain([(1 << 33, 1000)]).collect();
    let disk = sparse(20 << 30, &map);
    let all = ended(&[file("agent-rootfs.tar", b"x"), disk, file("empty", b""), file("block", &[1; 512])].concat());
    for size in [1, 511, 512, 513, 100_000] {
        let frames: Vec<u8> = all.chunks(size).flat_map(compressed).collect();
        assert_same_again(&written(&folder, &frames));
    }
}

#[test]
fn a_folder_may_have_a_slash_at_its_end() {
    let folder = TempDir::new().unwrap();
    let header = |path| headers(&member(path, MemberKind::Folder, 0), &[]);
    let folders = [header("layers/"), header("layers/workspace-seed"), header("layers/workspace-seed/x/")].concat();
    assert_same_again(&written(&folder, &compressed(&ended(&folders))));
    assert_unknown(&compressed(&ended(&header("layers//"))), "plain relative path");
    assert_unknown(&compressed(&ended(&header("/"))), "plain relative path");
}

#[test]
fn a_disk_may_be_one_hole_or_have_none() {
    let folder = TempDir::new().unwrap();
    for (size, map) in [(1 << 40, &[][..]), (1000, &[(0, 1000)]), (0, &[])] {
        assert_same_again(&written(&folder, &compressed(&ended(&sparse(size, map)))));
    }
}

#[test]
fn the_callers_error_ends_it() {
    let ended = take_apart(&corpus()[0], &mut |_| Err(ArtifactError::Refused("enough".into())));
    assert!(matches!(ended, Err(ArtifactError::Refused(why)) if why == "enough"));
}

#[test]
fn a_damaged_artifact_is_called_damaged_and_not_unknown() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("damaged");
    let whole = fs::read(&corpus()[0]).unwrap();
    for at in (0..whole.len() - 64).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(matches!(tar_again(&path), Err(ArtifactError::Damaged(_))), "byte {at}");
    }
}

#[test]
fn other_tars_are_unknown() {
    let plain = file("agent-rootfs.tar", b"content");
    let with_type = |kind| {
        let mut header = tar::Header::from_byte_slice(&plain[..512]).clone();
        header.set_entry_type(kind);
        header.set_cksum();
        ended(&[header.as_bytes(), &plain[512..]].concat())
    };
    for kind in *b"123467xgLKVA" {
        assert_unknown(&compressed(&with_type(tar::EntryType::new(kind))), "smolvm does not write");
    }
    assert_unknown(&compressed(&with_type(tar::EntryType::Directory)), "a size in it");
    let changed = |at: usize, byte| {
        let mut tar = ended(&plain);
        tar[at] = byte;
        compressed(&tar)
    };
    assert_unknown(&changed(0, b'A'), "header that smolvm does not write");
    assert_unknown(&changed(300, b'u'), "header that smolvm does not write");
    assert_unknown(&changed(108, b'9'), "smolvm does not write");
    assert_unknown(&changed(156, 0), "header that smolvm does not write");
    assert_unknown(&changed(600, 1), "between its members");
    for path in ["/etc/passwd", "../x", "a/../b", "a//b", "./a", "", "a/", "."] {
        assert_unknown(&compressed(&ended(&file(path, b""))), "plain relative path");
    }
    assert_unknown(&compressed(&plain), "no end");
    assert_unknown(&compressed(&[&plain[..], &END[..512]].concat()), "no end");
    assert_unknown(&compressed(&[&ended(&plain)[..], &[0; 512]].concat()), "does not end");
    assert_unknown(&compressed(&[&END, &plain[..]].concat()), "does not end");
    assert_unknown(&compressed(&plain[..520]), "no end");
    assert_unknown(&[], "incomplete frame");
    assert_unknown(b"this is not zstd", "cannot be decompressed");
    let whole = compressed(&ended(&plain));
    assert_unknown(&whole[..whole.len() - 1], "cannot be decompressed");
    assert_unknown(&[&whole[..], b"more"].concat(), "cannot be decompressed");
}

#[test]
fn maps_of_holes_that_lie_are_unknown() {
    let lies: [(u64, &[(u64, u64)]); 8] = [
        // Put together again, it would be one piece: found by a changed tar.
        (4096, &[(0, 512), (512, 512)]),
        (4096, &[(0, 0), (512, 512)]),
        (4096, &[(0, 1024), (512, 1024)]),
        (4096, &[(2048, 512), (0, 512)]),
        (4096, &[(4096, 512)]),
        (4096, &[(u64::MAX - 100, 512)]),
        (4096, &[(0, u64::MAX)]),
        (100, &[(0, 4096)]),
    ];
    for (size, map) in lies {
        assert_unknown(&compressed(&ended(&sparse(size, map))), "contradicts itself");
    }
    assert_unknown(&compressed(&ended(&sparse(u64::MAX, &[]))), "cannot be true");
    assert_unknown(&compressed(&ended(&file("short", &[1; 5000])[..1024])), "no end");
}

#[test]
fn bombs_are_stopped() {
    let many: Vec<u8> = (0..10_001).flat_map(|number| file(&number.to_string(), b"")).collect();
    assert_unknown(&compressed(&ended(&many)), "members");
    let holes: Vec<(u64, u64)> = (0..300_000).map(|number| (number * 1024, 512)).collect();
    assert_unknown(&compressed(&sparse(1 << 40, &holes)[..300_000 / 21 * 512]), "too many holes");
    // A window that needs 64 MiB of memory.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(26).unwrap();
    std::io::Write::write_all(&mut encoder, &ended(&file("x", b"x"))).unwrap();
    assert_unknown(&encoder.finish().unwrap(), "cannot be decompressed");
    // 2 GiB of one byte in 66 kB.
    let bomb = member("bomb", MemberKind::File, 2 << 30);
    let piece = compressed(&vec![7; 1 << 20]);
    let frames = [compressed(&headers(&bomb, &[])), piece.repeat(2048), compressed(&END)].concat();
    let folder = TempDir::new().unwrap();
    let mut taken = 0;
    let result = take_apart(&written(&folder, &frames), &mut |part| {
        taken += if let Part::Data(data) = part { data.len() } else { 0 };
        Ok(())
    });
    assert!(matches!(result, Err(ArtifactError::Unknown(why)) if why.contains("larger than its compressed size")));
    assert!(taken <= (1 << 30) + frames.len() * 64, "{taken} bytes");
    // Zeros that are data take time.
    let bomb = member("bomb", MemberKind::File, 3 << 29);
    let zeros = compressed(&vec![0; 1 << 20]).repeat(512);
    assert_unknown(&[compressed(&headers(&bomb, &[])), piece.repeat(1024), zeros].concat(), "its compressed size");
    assert_unknown(&compressed(&ended(&sparse(10 << 40, &[]).repeat(2))), "bytes of content");
}
