//! Freezes an image VM from its disk, without the engine and its helper VM: what `pack create --from-vm` would write, where
//! that is known.
//!
//! It is known of VMs that root made from an artifact or a folder: their one layer is a folder on this host, and the changes
//! are on a disk of the VM. All files that the guest sees become one layer again. (For other users the engine does not unpack
//! an artifact's layer, because it may not change owners.)

use super::Known;
use super::known::{check_files, check_vm, disk_file};
use super::manifest::{Asset, Layer as LayerAsset, Manifest};
use crate::ext4::FileSystem;
use crate::signals::{Interrupted, Signals};
use crate::smolvm::artifact::{CONTENT_LIMIT, Member, MemberKind};
use crate::smolvm::disk::{Disk, DiskError};
use crate::smolvm::facts::Fact;
use crate::smolvm::image::{Files, Flat, Layer, Listing, Written, flatten};
use crate::smolvm::record::Record;
use crate::smolvm::version::Version;
use rustix::process::{getegid, geteuid};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the folder of an artifact's content is, in the folder of a VM that was made from it; or it is there itself.
const CONTENT: [&str; 2] = [".pack-shared", "pack"];
/// How the engine calls a folder of this host that a VM was made from.
const FOLDER_IMAGE: &str = "local-dir:";
/// The empty disk that an artifact has for the changes.
const TEMPLATE: &str = "storage-template.ext4";
/// The name of a layer until its content is known.
const UNNAMED: &str = "layers/new.tar";
/// The folder of `/workspace` in an artifact.
const SEED: &str = "layers/workspace-seed";
/// What is in the folder of the changes: they, what overlayfs works with, and the container that ran.
const CHANGES: [&[u8]; 6] = [b"upper", b"work", b"merged", b"bundle", b"main_container_id", b"tmp"];
/// On the disk of a VM that has the artifact's `/workspace`.
const SEEDED: &str = "workspace/.smolvm-workspace-seeded";
/// `/workspace` on the disk.
const WORKSPACE: &str = "workspace";

/// What the engine would pack of an image VM.
#[derive(Debug)]
pub struct DirectImage {
    manifest: Manifest,
    /// The variables whose references to secrets were left out.
    pub secrets: Vec<String>,
    /// The file of the disk with the changes, and the disk.
    path: PathBuf,
    storage: Disk,
    /// The folder of the changes there.
    changes: String,
    /// The folder of the layer below.
    base: PathBuf,
    template: Disk,
    /// When the disk was changed.
    modified: u64,
}

/// Whether an image VM with this record may be frozen without the engine, or why not, as a sentence.
///
/// # Errors
/// Why only the engine can pack it.
pub fn check_image(record: &Record, version: Version) -> Result<(), String> {
    if !version.has(Fact::KnownImages) || !cfg!(target_os = "linux") {
        return Err(format!("bottle-freeze does not know the image VMs of smolvm {version}"));
    }
    if !geteuid().is_root() {
        return Err("it is an image VM, and smolvm does not run as root".to_owned());
    }
    let is_known = record.get("source_smolmachine").is_string() || folder_image(record).is_some();
    if is_known { Ok(()) } else { Err("it is made from neither an artifact nor a folder".to_owned()) }
}

fn folder_image(record: &Record) -> Option<&str> {
    record.get("image").as_str()?.strip_prefix(FOLDER_IMAGE)
}

impl DirectImage {
    /// As for bare VMs: see [`direct`](super::direct).
    ///
    /// # Errors
    /// Why only the engine can pack it, as a sentence.
    pub fn open(known: &Known<'_>) -> Result<Self, String> {
        let Known { vm, record, trial, template, folder, version } = *known;
        check_image(record, version)?;
        check_vm(vm, record, trial)?;
        check_files(folder)?;
        let mut manifest = Manifest::of_trial(template)?;
        let secrets = manifest.set(vm, record.settings()?);
        let path = disk_file(folder, "storage")?;
        let text = |error: DiskError| error.to_string();
        let storage = Disk::open(&path).map_err(text)?;
        let modified = path.symlink_metadata().map_err(|error| error.to_string())?.mtime();
        let empty = storage.lowest();
        if empty.file_name() != Some(OsStr::new(TEMPLATE)) {
            return Err("its storage disk is not based on the engine's template".to_owned());
        }
        let (template, base) = (Disk::open(empty).map_err(text)?, base(record, folder)?);
        let changes = format!("overlays/persistent-{}", vm.name);
        let modified = u64::try_from(modified).unwrap_or(0);
        let image = Self { manifest, secrets, path, storage, changes, base, template, modified };
        // Beside the layer.
        image.check_disk(&image.base.with_file_name("workspace-seed").join("workspace.tar"))?;
        Ok(image)
    }

    /// Whether the disk has what is expected, and nothing else. `seed` is the artifact's `/workspace`, if it has one: only a
    /// start brings that to the disk.
    fn check_disk(&self, seed: &Path) -> Result<(), String> {
        let names = self.with_files(|files| match files.find(&self.changes)? {
            Some(_) if seed.exists() && files.find(SEEDED)?.is_none() => Ok(None),
            Some(folder) => files.names(&folder).map(Some),
            None => Ok::<_, DiskError>(None),
        });
        let names = names.map_err(|error| error.to_string())?.ok_or("its first start did not finish")?;
        match names.iter().find(|name| !CHANGES.contains(&name.as_slice())) {
            Some(name) => Err(format!("its disk has an unknown folder: {}", String::from_utf8_lossy(name))),
            None => Ok(()),
        }
    }

    /// The member of the artifact for all its files; its name follows from its content, as its size does.
    pub fn layer(&self) -> Member {
        self.file(UNNAMED, CONTENT_LIMIT)
    }

    /// The path of the layer whose content has this SHA-256.
    pub fn layer_path(sha256: &str) -> String {
        format!("layers/{sha256}.tar")
    }

    /// The members for `/workspace`: its folder, and its tar, the size of which follows from its content.
    pub fn seed(&self) -> [Member; 2] {
        let folder = self.member(SEED.to_owned(), MemberKind::Folder, 0);
        [folder, self.file(&format!("{SEED}/workspace.tar"), CONTENT_LIMIT)]
    }

    /// A member that is a file with so many bytes.
    pub fn file(&self, path: &str, size: u64) -> Member {
        self.member(path.to_owned(), MemberKind::File, size)
    }

    /// The disk with the changes.
    pub fn storage(&self) -> &Disk {
        &self.storage
    }

    /// The member for the empty disk, and that.
    pub fn template(&self) -> (Member, &Disk) {
        let path = self.manifest.assets.storage_template.path.clone();
        (self.member(path, MemberKind::Sparse, self.template.logical_size()), &self.template)
    }

    fn member(&self, path: String, kind: MemberKind, size: u64) -> Member {
        let mode = if kind == MemberKind::Folder { 0o40_755 } else { 0o100_644 };
        Member { path, kind, mode, uid: geteuid().as_raw(), gid: getegid().as_raw(), mtime: self.modified, size }
    }

    /// Passes a tar of the image's own files to `on_part`. Those that a `known` tar has are not read.
    ///
    /// # Errors
    /// They cannot be read, something is not known, a signal came, or `on_part` failed.
    pub fn read_base<E: From<DiskError> + From<Interrupted>>(
        &self,
        known: &Listing,
        signals: &Signals,
        on_part: &mut dyn FnMut(Flat<'_>) -> Result<(), E>,
    ) -> Result<Written, E> {
        flatten(&[Layer::Host(self.base.clone())], known, signals, on_part)
    }

    /// The same of all files that the guest sees.
    ///
    /// # Errors
    /// As [`read_base`](Self::read_base).
    pub fn read<E: From<DiskError> + From<Interrupted>>(
        &self,
        known: &Listing,
        signals: &Signals,
        on_part: &mut dyn FnMut(Flat<'_>) -> Result<(), E>,
    ) -> Result<Written, E> {
        self.with_files(|files| {
            let mut layers = Vec::new();
            if let Some(changes) = files.find(&format!("{}/upper", self.changes))? {
                // The engine leaves out an empty one: the uppermost folder is that of the layer then.
                if !files.names(&changes)?.is_empty() {
                    layers.push(Layer::Disk(files, changes));
                }
            }
            layers.push(Layer::Host(self.base.clone()));
            flatten(&layers, known, signals, on_part)
        })
    }

    /// Whether there is anything in `/workspace`.
    ///
    /// # Errors
    /// The disk cannot be read, or something is not known.
    pub fn has_workspace(&self) -> Result<bool, DiskError> {
        self.with_files(|files| match files.find(WORKSPACE)? {
            Some(folder) => Ok(!files.names(&folder)?.is_empty()),
            None => Ok(false),
        })
    }

    /// Passes a tar of `/workspace` to `on_part`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_workspace<E: From<DiskError> + From<Interrupted>>(
        &self,
        signals: &Signals,
        on_part: &mut dyn FnMut(Flat<'_>) -> Result<(), E>,
    ) -> Result<Written, E> {
        self.with_files(|files| {
            let folder = Layer::Disk(files, files.folder(WORKSPACE)?);
            flatten(&[folder], &Listing::default(), signals, on_part)
        })
    }

    /// The manifest of an artifact with one layer, of this SHA-256 and so many bytes, and with a `/workspace` of so many.
    ///
    /// # Errors
    /// None that is known.
    pub fn manifest(&self, (sha256, size): (&str, u64), workspace: Option<u64>) -> Result<String, String> {
        let (path, digest) = (Self::layer_path(sha256), format!("sha256:{sha256}"));
        let [_, seed] = self.seed();
        let mut manifest = self.manifest.clone();
        "container".clone_into(&mut manifest.mode);
        manifest.image_size = size;
        let assets = &mut manifest.assets;
        assets.layers = vec![LayerAsset { digest, path, size }];
        assets.storage_template.size = self.template.logical_size();
        (assets.storage_logical_size, assets.overlay_template, assets.overlay_logical_size) = (None, None, None);
        assets.workspace_seed = workspace.map(|size| Asset { path: seed.path, size });
        manifest.text()
    }

    fn with_files<T, E: From<DiskError>>(&self, read: impl FnOnce(&Files<'_>) -> Result<T, E>) -> Result<T, E> {
        let system = FileSystem::open(self.storage.random()?, self.storage.size());
        let system = system.map_err(|error| Files::error_of(&self.path, error))?;
        read(&Files { path: self.path.clone(), system })
    }
}

/// The folder of the layer of the image.
fn base(record: &Record, folder: &Path) -> Result<PathBuf, String> {
    if !record.get("source_smolmachine").is_string() {
        let image = folder_image(record).ok_or("bottle-freeze does not know its image")?;
        return is_there(image.into());
    }
    let [shared, own] = CONTENT.map(|name| folder.join(name));
    let content = match fs::read(&shared) {
        Ok(path) => PathBuf::from(OsStr::from_bytes(path.trim_ascii_end())),
        Err(_) => own,
    };
    let layers = content.join("layers");
    let order = layers.join("layer-order");
    let order = fs::read_to_string(&order).map_err(|error| format!("cannot read {}: {error}", order.display()))?;
    let is_plain = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let [layer] = order.lines().filter(is_plain).collect::<Vec<_>>()[..] else {
        return Err("it does not have exactly one layer".to_owned());
    };
    is_there(layers.join(layer))
}

fn is_there(layer: PathBuf) -> Result<PathBuf, String> {
    if layer.is_dir() { Ok(layer) } else { Err(format!("its layer is not in {}", layer.display())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NEWEST: Version = Version(1, 32, 2);

    fn record(json: &Value) -> Record {
        Record::parse(&json.to_string()).unwrap()
    }

    #[test]
    fn only_vms_of_one_layer_on_this_host_are_known() {
        let why = |json: Value, version| check_image(&record(&json), version).err().unwrap_or_default();
        let artifact = json!({"image": "alpine", "source_smolmachine": "/a.smolmachine"});
        let unknown = "bottle-freeze does not know the image VMs of smolvm 1.31.5";
        assert_eq!(why(artifact.clone(), Version(1, 31, 5)), unknown);
        let (no_root, other) =
            ("it is an image VM, and smolvm does not run as root", "it is made from neither an artifact nor a folder");
        let expected = |why| if geteuid().is_root() { why } else { no_root };
        if cfg!(target_os = "linux") {
            assert_eq!(why(artifact, NEWEST), expected(""));
            assert_eq!(why(json!({"image": "local-dir:/rootfs"}), NEWEST), expected(""));
            assert_eq!(why(json!({"image": "alpine"}), NEWEST), expected(other));
            assert_eq!(why(json!({"image": "local:0123"}), NEWEST), expected(other));
        }
    }

    #[test]
    fn the_layer_is_where_the_engine_unpacked_it() {
        let (folder, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (vm, layers) = (folder.path(), shared.path().join("layers"));
        let artifact = record(&json!({"source_smolmachine": "/a.smolmachine"}));
        let at = |record| base(record, vm);
        assert!(at(&artifact).unwrap_err().starts_with("cannot read "), "{:?}", at(&artifact));
        fs::write(vm.join(".pack-shared"), format!("{}\n", shared.path().display())).unwrap();
        fs::create_dir(&layers).unwrap();
        fs::write(layers.join("layer-order"), "0a1b\n0c2d\n").unwrap();
        assert_eq!(at(&artifact).unwrap_err(), "it does not have exactly one layer");
        fs::write(layers.join("layer-order"), "0a1b\n").unwrap();
        assert_eq!(at(&artifact).unwrap_err(), format!("its layer is not in {}", layers.join("0a1b").display()));
        fs::create_dir(layers.join("0a1b")).unwrap();
        assert_eq!(at(&artifact).unwrap(), layers.join("0a1b"));
        let image = record(&json!({"image": format!("local-dir:{}", vm.display())}));
        assert_eq!(at(&image).unwrap(), vm);
    }
}
