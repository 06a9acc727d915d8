//! Snapshots whose disks hold real file systems: made without an engine, as an engine would pack them.

use super::World;
use bottle_freeze::engine::{END, Member, MemberKind, footer, headers, padding};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a bare VM consists of.
pub struct Bare {
    /// The tar of the engine's small system.
    pub base: Vec<u8>,
    /// The disk with what was changed.
    pub overlay: Vec<u8>,
    /// The disk with `/workspace`.
    pub storage: Vec<u8>,
}

impl Bare {
    /// Its artifact.
    pub fn artifact(&self) -> Vec<u8> {
        let asset = |path: &str, content: &[u8]| json!({"path": path, "size": content.len()});
        let members =
            [("agent-rootfs.tar", &self.base), ("overlay.raw", &self.overlay), ("storage.ext4", &self.storage)];
        let manifest = json!({
            "mode": "vm", "image": "vm://dev", "digest": "none", "platform": "linux/amd64", "host_platform": "linux/amd64",
            "cpus": 1, "mem": 512, "image_size": 0, "network": false, "gpu": false,
            "created": "2026-11-27T00:00:00Z", "smolvm_version": "1.32.2",
            "assets": {
                "libraries": [], "layers": [],
                "agent_rootfs": asset("agent-rootfs.tar", &self.base),
                "overlay_template": asset("overlay.raw", &self.overlay),
                "storage_template": asset("storage.ext4", &self.storage),
            },
        });
        artifact(&members.map(|(path, content)| (path, content.as_slice())), &manifest)
    }
}

/// An artifact with these members.
pub fn artifact(members: &[(&str, &[u8])], manifest: &Value) -> Vec<u8> {
    let whole: Vec<_> = members.iter().map(|(path, content)| (*path, *content, content.len() as u64)).collect();
    artifact_with_holes(&whole, manifest)
}

/// The same of members with so many bytes: what is more than their content is a hole.
pub fn artifact_with_holes(members: &[(&str, &[u8], u64)], manifest: &Value) -> Vec<u8> {
    let mut tar = Vec::new();
    for &(path, content, size) in members {
        let data = [(0, content.len() as u64)];
        let (kind, data) =
            if size > data[0].1 { (MemberKind::Sparse, &data[..]) } else { (MemberKind::File, &data[..0]) };
        let member = Member { path: path.to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, size };
        tar.extend(headers(&member, data));
        tar.extend(content);
        tar.resize(tar.len() + padding(&member, data), 0);
    }
    tar.extend(END);
    let assets = zstd::encode_all(&*tar, 1).unwrap();
    let manifest = manifest.to_string();
    let bytes = [&*assets, manifest.as_bytes()].concat();
    let footer = footer(assets.len() as u64, manifest.len() as u64, crc32fast::hash(&bytes));
    [&*bytes, &footer].concat()
}

/// Puts a snapshot with this artifact into the library, as one of that VM. Returns its `VM@ID`.
pub fn import(world: &World, vm: &str, artifact: &[u8]) -> String {
    let pattern = world.path("work/pattern.tar");
    if !pattern.exists() {
        world.vm("pattern").stopped();
        world.run("freeze pattern").success();
        world.run("snapshot export pattern -o pattern.tar").success();
    }
    let mut tar = tar::Archive::new(fs::File::open(&pattern).unwrap());
    let mut metadata = String::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap() == Path::new("snapshot.json") {
            entry.read_to_string(&mut metadata).unwrap();
        }
    }
    let mut metadata: Value = serde_json::from_str(&metadata).unwrap();
    let sha256 = base16ct::lower::encode_string(&Sha256::digest(artifact));
    let number = super::library::snapshots(world).len();
    metadata["id"] = json!(&sha256[..8]);
    metadata["created"] = json!(format!("2026-11-27T00:00:{number:02}.000Z"));
    metadata["files"] = json!({"vm.smolmachine": {"bytes": artifact.len(), "sha256": sha256}});
    let exported = world.path("work/imported.tar");
    let mut tar = tar::Builder::new(fs::File::create(&exported).unwrap());
    for (name, content) in [("snapshot.json", metadata.to_string().as_bytes()), ("vm.smolmachine", artifact)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, content).unwrap();
    }
    tar.into_inner().unwrap();
    let run = world.run(&format!("snapshot import imported.tar --as {vm} --quiet")).success();
    super::stdout(&run).trim().to_owned()
}

/// A file system of the corpus.
pub fn corpus(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/ext4").join(format!("{name}.zst"));
    zstd::decode_all(&*fs::read(path).unwrap()).unwrap()
}

/// A tar of these files and folders, which end with a slash.
pub fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        let is_folder = path.ends_with('/');
        header.set_entry_type(if is_folder { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_size(content.len() as u64);
        header.set_mode(if is_folder { 0o755 } else { 0o644 });
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// The folder of a snapshot in the library.
pub fn folder(world: &World, reference: &str) -> PathBuf {
    world.path("home/library/snapshots").join(reference.replace('@', "/"))
}

/// The engine's small system: some files in it are hidden by the disk.
fn base() -> Vec<u8> {
    tar_of(&[
        ("bin/", ""),
        ("bin/sh", "#!"),
        ("etc/", ""),
        ("etc/motd", "hidden"),
        ("etc/passwd", "root:x:0:0\n"),
        ("etc/apk/", ""),
        ("etc/apk/repositories", "hidden"),
        ("gone-below/", ""),
        ("gone-below/below", "b"),
        ("old/", ""),
        ("old/file", "hidden"),
        ("root/", ""),
    ])
}

/// A bare VM whose disk with what was changed is this file system of the corpus.
pub fn bare(overlay: &str) -> Bare {
    Bare { base: base(), overlay: corpus(overlay), storage: corpus("storage") }
}
