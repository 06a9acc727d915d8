//! What is in a snapshot of the library.

use super::{World, names_in};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The names in the folder of a snapshot whose artifact is in chunks.
pub const IN_CHUNKS: [&str; 3] = ["index.json", "objects", "snapshot.json"];
/// The name of an artifact that is one file.
pub const ARTIFACT: &str = "vm.smolmachine";

/// The artifact of a snapshot in the library, as an export holds it.
pub fn artifact(world: &World, reference: &str) -> Vec<u8> {
    let path = world.path("exported.tar");
    world.run(&format!("snapshot export {reference} -o {} --allow-secrets", path.display())).success();
    let mut tar = tar::Archive::new(File::open(&path).unwrap());
    let mut members = tar.entries().unwrap().map(Result::unwrap);
    let mut member = members.find(|member| member.path().unwrap() == Path::new(ARTIFACT)).expect("an artifact");
    let mut bytes = Vec::new();
    member.read_to_end(&mut bytes).unwrap();
    fs::remove_file(path).unwrap();
    bytes
}

/// The objects in the folder of a snapshot.
pub fn objects(snapshot: &Path) -> Vec<PathBuf> {
    let folder = snapshot.join("objects");
    names_in(&folder).iter().map(|name| folder.join(name)).collect()
}

/// The objects that the library has.
pub fn stored_objects(world: &World) -> Vec<PathBuf> {
    objects(&world.path("home/library/store"))
}

/// The snapshots of the library, by `VM@ID`, and their folders.
pub fn snapshots(world: &World) -> BTreeMap<String, PathBuf> {
    let visible = |folder: &Path| names_in(folder).into_iter().filter(|name| !name.starts_with('.'));
    let library = world.path("home/library/snapshots");
    let of = |vm: String| {
        let folder = library.join(&vm);
        visible(&folder).map(move |id| (format!("{vm}@{id}"), folder.join(id))).collect::<Vec<_>>()
    };
    visible(&library).flat_map(of).collect()
}

/// The names of the objects in an index.
pub fn named_objects(snapshot: &Path) -> BTreeSet<String> {
    let index: Value = serde_json::from_slice(&fs::read(snapshot.join("index.json")).unwrap()).unwrap();
    let members = index["members"].as_array().unwrap().iter();
    let chunks = members.filter_map(|member| member["chunks"].as_array()).flatten();
    chunks.filter_map(|chunk| chunk[0].as_str().map(str::to_owned)).collect()
}

/// Reads objects without bottle-freeze, each once.
#[derive(Default)]
pub struct Reader(HashSet<(u64, String)>);

impl Reader {
    /// Whether the snapshot in this folder is whole.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&mut self, snapshot: &Path) -> Result<(), String> {
        let read = |name: &str| fs::read(snapshot.join(name)).map_err(|error| format!("{name}: {error}"));
        let metadata: Value = serde_json::from_slice(&read("snapshot.json")?).map_err(|error| error.to_string())?;
        if metadata["files"]["index.json"]["sha256"] != sha256(&read("index.json")?) {
            return Err("its index is another".into());
        }
        for name in named_objects(snapshot) {
            self.check_object(&snapshot.join("objects").join(name))?;
        }
        Ok(())
    }

    /// Whether an object has the content that its name says.
    ///
    /// # Errors
    /// Why it has not.
    pub fn check_object(&mut self, path: &Path) -> Result<(), String> {
        let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let inode = fs::metadata(path).map_err(wrong)?.ino();
        if self.0.contains(&(inode, name.clone())) {
            return Ok(());
        }
        let content = zstd::decode_all(&*fs::read(path).map_err(wrong)?).map_err(wrong)?;
        if sha256(&content) != name {
            return Err(format!("{} has another content", path.display()));
        }
        self.0.insert((inode, name));
        Ok(())
    }
}

/// The SHA-256 of these bytes, as the library writes it.
pub fn sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

/// Flips one bit in the largest object that no other snapshot has, or else in the largest. The store has the same file, so
/// there is no other copy.
pub fn damage(snapshot: &Path) {
    let objects = objects(snapshot);
    let size = |path: &&PathBuf| fs::metadata(path).map(|meta| (meta.nlink() == 2, meta.len())).unwrap();
    let largest = objects.iter().max_by_key(size).expect("an object");
    let mut bytes = fs::read(largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest, bytes).unwrap();
}

/// Makes it a snapshot as bottle-freeze 0.1.0 wrote them: its artifact is one file.
pub fn make_old(world: &World, snapshot: &Path) {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let artifact = artifact(world, &format!("{}@{}", name(snapshot.parent().unwrap()), name(snapshot)));
    let file = snapshot.join("snapshot.json");
    let mut metadata: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let sha256 = sha256(&artifact);
    metadata["format"] = json!(1);
    metadata["files"][ARTIFACT] = json!({"bytes": artifact.len(), "sha256": sha256});
    metadata["files"].as_object_mut().unwrap().remove("index.json").expect("an index");
    for key in ["artifact", "way"] {
        metadata.as_object_mut().unwrap().remove(key).expect("a key of format 2");
    }
    fs::write(snapshot.join(ARTIFACT), artifact).unwrap();
    fs::write(file, metadata.to_string()).unwrap();
    fs::remove_file(snapshot.join("index.json")).unwrap();
    fs::remove_dir_all(snapshot.join("objects")).unwrap();
    for object in stored_objects(world) {
        if fs::metadata(&object).unwrap().nlink() == 1 {
            fs::remove_file(object).unwrap();
        }
    }
}
