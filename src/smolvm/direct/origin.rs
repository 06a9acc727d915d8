//! Where the layers of a VM's image are: in a folder of this host, or on the VM's own disk, where its guest unpacked them.
//!
//! | The VM was made from | its layers |
//! | --- | --- |
//! | a folder | the folder itself |
//! | an artifact | `layers/DIGEST` in the artifact's content on this host |
//! | an archive (`docker save`) | `image-archives/packed_layers/0000_rootfs` on the disk: all layers in one |
//! | an image of a registry | `layers/DIGEST` on the disk, as the manifest there lists them |

use crate::overlay::{MOST_LAYERS, Marks};
use crate::smolvm::disk::DiskError;
use crate::smolvm::image::{Files, Layer};
use crate::smolvm::record::Record;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// In the folder of a VM that was made from an artifact: the file that says where the artifact's content is.
const SHARED: &str = ".pack-shared";
/// There too: the content itself, where VMs do not share it.
pub const OWN: &str = "pack";
/// In the content, which of its layers are used.
pub const ORDER: &str = "layer-order";
/// How the engine calls a folder of this host that a VM was made from, and an archive.
pub const FOLDER: &str = "local-dir:";
pub const ARCHIVE: &str = "local:";
/// Where a guest unpacks an archive.
const ARCHIVES: &str = "image-archives/packed_layers";
/// The largest file with settings of an image.
const LARGEST: u64 = 4 << 20;

/// The image of a VM.
#[derive(Debug)]
pub struct Origin {
    /// Its layers.
    pub layers: Layers,
    /// What it sets. The engine packs that of a registry's image only; that of an artifact is in the VM's record.
    pub settings: ImageSettings,
    /// The tar with the `/workspace` of the artifact that the VM was made from, if that has one.
    pub workspace: Option<PathBuf>,
    /// How its guest marks what it hides.
    pub marks: Marks,
}

/// Where the layers of an image are.
#[derive(Debug)]
pub enum Layers {
    /// One, in this folder of this host.
    Host(PathBuf),
    /// In these folders of the VM's disk, the uppermost first.
    Disk(Vec<String>),
}

impl Layers {
    /// The layers, the uppermost first; `disk` has those that are on the disk.
    ///
    /// # Errors
    /// The disk does not have one, or cannot be read.
    pub fn of<'d>(&self, disk: &'d Files<'d>) -> Result<Vec<Layer<'d>>, DiskError> {
        match self {
            Self::Host(folder) => Ok(vec![Layer::Host(folder.clone())]),
            Self::Disk(folders) => {
                folders.iter().map(|folder| Ok(Layer::Disk(disk, disk.folder(folder)?, Marks::Trusted))).collect()
            }
        }
    }
}

/// The folder of the only layer of a VM that was made from an artifact, if this `folder` of the VM leads to one.
pub fn unpacked_layer(folder: &Path) -> Option<PathBuf> {
    match Origin::artifact(folder).ok()?.layers {
        Layers::Host(layer) => Some(layer),
        Layers::Disk(_) => None,
    }
}

/// The folder of an artifact's content that the folder of a VM leads to.
pub fn shared_content(folder: &Path) -> Option<PathBuf> {
    let path = fs::read(folder.join(SHARED)).ok()?;
    Some(PathBuf::from(OsStr::from_bytes(path.trim_ascii_end())))
}

/// The manifest of an image, and its settings.
#[derive(Deserialize)]
struct Manifest {
    config: Blob,
    layers: Vec<Blob>,
}

#[derive(Deserialize)]
struct Blob {
    digest: String,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    config: Option<ImageSettings>,
}

/// What an image sets of a VM.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageSettings {
    /// Variables, as `KEY=VALUE`.
    pub env: Option<Vec<String>>,
    /// The user of its commands; may be empty.
    pub user: Option<String>,
}

impl Origin {
    /// Looks the image up of the VM with this record, this folder and these files on its disk.
    ///
    /// # Errors
    /// Why it is not known, as a sentence.
    pub fn of(record: &Record, folder: &Path, disk: &Files<'_>) -> Result<Self, String> {
        if record.is_of_artifact() {
            return Self::artifact(folder);
        }
        let image = record.get("image").as_str().ok_or("bottle-freeze does not know its image")?;
        if let Some(folder) = image.strip_prefix(FOLDER) {
            return Self::on_host(Path::new(folder));
        }
        if image.starts_with(ARCHIVE) { Self::archive(disk) } else { Self::registry(disk) }
    }

    fn new(layers: Layers) -> Self {
        Self { layers, settings: ImageSettings::default(), workspace: None, marks: Marks::Trusted }
    }

    fn artifact(folder: &Path) -> Result<Self, String> {
        let shared = shared_content(folder).filter(|content| content.is_dir());
        let layers = shared.unwrap_or_else(|| folder.join(OWN)).join("layers");
        let order = layers.join(ORDER);
        let order = fs::read_to_string(&order).map_err(|error| format!("cannot read {}: {error}", order.display()))?;
        let [layer] = order.lines().filter(|name| is_digest(name)).collect::<Vec<_>>()[..] else {
            return Err("it does not have exactly one layer".to_owned());
        };
        let workspace = Some(layers.join("workspace-seed/workspace.tar")).filter(|tar| tar.exists());
        Ok(Self { workspace, marks: marks(&layers)?, ..Self::on_host(&layers.join(layer))? })
    }

    fn on_host(layer: &Path) -> Result<Self, String> {
        // A folder that was moved may have a link in its place.
        let folder = layer.canonicalize().ok().filter(|folder| folder.is_dir());
        folder.map(|folder| Self::new(Layers::Host(folder))).ok_or_else(|| missing(&layer.display()))
    }

    fn archive(disk: &Files<'_>) -> Result<Self, String> {
        // Its guest writes that when all is unpacked.
        if read(disk, &format!("{ARCHIVES}/.extracted"))?.is_none() {
            return Err("its disk has no complete layer of its archive".to_owned());
        }
        Ok(Self::new(Layers::Disk(vec![format!("{ARCHIVES}/0000_rootfs")])))
    }

    fn registry(disk: &Files<'_>) -> Result<Self, String> {
        let folder = disk.find("manifests").map_err(|error| error.to_string())?;
        let names = folder.map_or(Ok(Vec::new()), |folder| disk.names(&folder)).map_err(|error| error.to_string())?;
        let names: Vec<_> = names.iter().filter_map(|name| std::str::from_utf8(name).ok()).collect();
        let [manifest] = names.into_iter().filter_map(|name| name.strip_suffix(".json")).collect::<Vec<_>>()[..] else {
            return Err("its disk does not have exactly one image".to_owned());
        };
        let manifest: Manifest = parse(disk, &format!("manifests/{manifest}.json"))?;
        if manifest.layers.len() > MOST_LAYERS {
            return Err(format!("its image has more than {MOST_LAYERS} layers"));
        }
        let mut layers = Vec::new();
        for layer in manifest.layers.iter().rev() {
            let digest = layer.hex()?;
            if disk.find(&format!("layers/{digest}.ok")).map_err(|error| error.to_string())?.is_none() {
                return Err(missing(&format!("layers/{digest} of its disk")));
            }
            layers.push(format!("layers/{digest}"));
        }
        let Config { config } = parse(disk, &format!("configs/{}.json", manifest.config.hex()?))?;
        Ok(Self { settings: config.unwrap_or_default(), ..Self::new(Layers::Disk(layers)) })
    }
}

impl Blob {
    /// The digest without its kind, which the guest names files by.
    fn hex(&self) -> Result<&str, String> {
        let hex = self.digest.strip_prefix("sha256:").filter(|hex| is_digest(hex));
        hex.ok_or_else(|| format!("its image has an unknown digest: {}", self.digest))
    }
}

/// How a guest marks what it hides of these layers. The engine writes that down where it unpacks an artifact: who is not root
/// cannot keep marks of `trusted.`, and the guest then mounts all with `userxattr`.
fn marks(layers: &Path) -> Result<Marks, String> {
    let path = layers.join("opaque-xattr");
    match fs::read_to_string(&path) {
        Ok(text) if text.trim() == "user" => Ok(Marks::User),
        Ok(text) if text.trim() == "trusted" => Ok(Marks::Trusted),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Marks::Trusted),
        Ok(_) => Err(format!("{} is in an unknown form", path.display())),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

pub fn is_digest(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn missing(place: &dyn std::fmt::Display) -> String {
    format!("its layer is not in {place}")
}

fn parse<T: DeserializeOwned>(disk: &Files<'_>, path: &str) -> Result<T, String> {
    let json = read(disk, path)?.ok_or_else(|| format!("its disk has no {path}"))?;
    serde_json::from_slice(&json).map_err(|error| format!("its disk has an unknown {path}: {error}"))
}

fn read(disk: &Files<'_>, path: &str) -> Result<Option<Vec<u8>>, String> {
    disk.read(path, LARGEST).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smolvm::disk::Disk;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    /// A VM with the disk of the corpus.
    struct Vm {
        folder: TempDir,
        disk: Vec<u8>,
    }

    impl Vm {
        fn new() -> Self {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/image/origins.zst");
            let disk = zstd::decode_all(&*fs::read(corpus).unwrap()).unwrap();
            Self { folder: tempfile::tempdir().unwrap(), disk }
        }

        /// Replaces a text on the disk by another of the same length.
        fn replace(&mut self, old: &str, new: &str) {
            assert_eq!(old.len(), new.len());
            let at = self.disk.windows(old.len()).position(|bytes| bytes == old.as_bytes()).unwrap();
            self.disk[at..at + new.len()].copy_from_slice(new.as_bytes());
        }

        fn origin(&self, record: &Value) -> Result<Origin, String> {
            let path = self.folder.path().join("storage.raw");
            fs::write(&path, &self.disk).unwrap();
            let disk = Disk::open(&path).unwrap();
            let files = Files::open(&path, &disk).unwrap();
            Origin::of(&Record::parse(&record.to_string()).unwrap(), self.folder.path(), &files)
        }

        fn why(&self, record: &Value) -> String {
            self.origin(record).unwrap_err()
        }
    }

    fn on_disk(origin: &Origin) -> Vec<&str> {
        match &origin.layers {
            Layers::Disk(folders) => folders.iter().map(String::as_str).collect(),
            Layers::Host(folder) => panic!("{}", folder.display()),
        }
    }

    #[test]
    fn the_layers_of_a_registry_s_image_are_on_the_disk_the_uppermost_first() {
        let (mut vm, record) = (Vm::new(), json!({"image": "127.0.0.1:5000/img:2"}));
        let origin = vm.origin(&record).unwrap();
        assert_eq!(on_disk(&origin), ["layers/bb02", "layers/aa01"]);
        let ImageSettings { env, user } = origin.settings;
        assert_eq!((env, user.as_deref()), (Some(vec!["PATH=/bin".to_owned(), "A=image".to_owned()]), Some("7:8")));
        assert!(origin.workspace.is_none());
        vm.replace("sha256:bb02", "sha256:bb03");
        assert_eq!(vm.why(&record), "its layer is not in layers/bb03 of its disk");
        vm.replace("sha256:bb03", "sha256:../x");
        assert_eq!(vm.why(&record), "its image has an unknown digest: sha256:../x");
        vm.replace("\"layers\":[", "\"others\":[");
        let unknown = "its disk has an unknown manifests/127.0.0.1_5000_img_2.json: missing field `layers`";
        assert!(vm.why(&record).starts_with(unknown), "{}", vm.why(&record));
        vm.replace("127.0.0.1_5000_img_2.json", "127.0.0.1_5000_img_2.none");
        assert_eq!(vm.why(&record), "its disk does not have exactly one image");
    }

    #[test]
    fn the_layers_of_an_archive_are_one_on_the_disk() {
        let (mut vm, record) = (Vm::new(), json!({"image": "local:0123"}));
        let origin = vm.origin(&record).unwrap();
        assert_eq!(on_disk(&origin), ["image-archives/packed_layers/0000_rootfs"]);
        assert!(origin.settings.env.is_none());
        vm.replace("image-archives", "other-archives");
        assert_eq!(vm.why(&record), "its disk has no complete layer of its archive");
    }

    #[test]
    fn the_layer_of_an_artifact_is_where_the_engine_unpacked_it() {
        let (vm, shared) = (Vm::new(), tempfile::tempdir().unwrap());
        let (folder, layers) = (vm.folder.path(), shared.path().join("layers"));
        let record = json!({"image": "alpine", "source_smolmachine": "/a.smolmachine"});
        assert!(vm.why(&record).starts_with("cannot read "), "{}", vm.why(&record));
        fs::write(folder.join(".pack-shared"), format!("{}\n", shared.path().display())).unwrap();
        fs::create_dir(&layers).unwrap();
        fs::write(layers.join("layer-order"), "aa01\ncc03\n").unwrap();
        assert_eq!(vm.why(&record), "it does not have exactly one layer");
        fs::write(layers.join("layer-order"), "cc03\n").unwrap();
        assert_eq!(vm.why(&record), format!("its layer is not in {}", layers.join("cc03").display()));
        fs::create_dir(layers.join("cc03")).unwrap();
        fs::create_dir(layers.join("workspace-seed")).unwrap();
        fs::write(layers.join("workspace-seed/workspace.tar"), "").unwrap();
        let origin = vm.origin(&record).unwrap();
        assert!(matches!(&origin.layers, Layers::Host(folder) if *folder == layers.join("cc03")), "{origin:?}");
        assert_eq!(origin.workspace, Some(layers.join("workspace-seed/workspace.tar")));
        for (text, marks) in [("user\n", Some(Marks::User)), ("trusted", Some(Marks::Trusted)), ("other", None)] {
            fs::write(layers.join("opaque-xattr"), text).unwrap();
            assert_eq!(vm.origin(&record).ok().map(|origin| origin.marks), marks, "{text}");
        }
    }

    #[test]
    fn a_folder_is_a_layer() {
        let vm = Vm::new();
        let folder = vm.folder.path();
        let origin = vm.origin(&json!({"image": format!("local-dir:{}", folder.display())})).unwrap();
        assert!(matches!(&origin.layers, Layers::Host(found) if found == folder), "{origin:?}");
        // It was moved.
        let link = folder.join("link");
        std::os::unix::fs::symlink(folder, &link).unwrap();
        let origin = vm.origin(&json!({"image": format!("local-dir:{}", link.display())})).unwrap();
        assert!(matches!(&origin.layers, Layers::Host(found) if found == folder), "{origin:?}");
        assert_eq!(vm.why(&json!({"image": "local-dir:/missing/folder"})), "its layer is not in /missing/folder");
        assert_eq!(vm.why(&json!({})), "bottle-freeze does not know its image");
    }
}
