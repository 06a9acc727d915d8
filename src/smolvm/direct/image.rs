//! Freezes an image VM from its disk, without the engine and its helper VM: what `pack create --from-vm` would write, where
//! that is known.
//!
//! The changes are on a disk of the VM, and the layers of its image there or on this host: see [`origin`](super::origin). All
//! files that the guest sees become one layer.

use super::Known;
use super::known::{check_files, check_vm, disk_file};
use super::manifest::{Asset, Layer as LayerAsset, Manifest};
use super::origin::{Layers, Origin};
use crate::files;
use crate::overlay::Marks;
use crate::signals::{Interrupted, Signals};
use crate::smolvm::artifact::{CONTENT_LIMIT, Member, MemberKind};
use crate::smolvm::disk::{Disk, DiskError, STORAGE_TEMPLATE};
use crate::smolvm::facts::Fact;
use crate::smolvm::image::{Files, Flat, Host, Layer, Listing, Written, flatten};
use crate::smolvm::machine::Machine;
use crate::smolvm::record::Record;
use crate::smolvm::version::Version;
use crate::smolvm::whole::storage_template;
use rustix::process::{getegid, geteuid};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The name of a layer until its content is known.
const UNNAMED: &str = "layers/new.tar";
/// The folder of `/workspace` in an artifact.
const SEED: &str = "layers/workspace-seed";
/// What is in the folder of the changes: they, what overlayfs works with, the container that ran, and the name of its image.
const CHANGES: [&[u8]; 7] = [b"upper", b"work", b"merged", b"bundle", b"main_container_id", b"image_ref", b"tmp"];
/// Those of them that its guest makes when it has done all else that a first start does.
const STARTED: [&[u8]; 2] = [b"bundle", b"main_container_id"];
/// On the disk of a VM that has the artifact's `/workspace`. If a user removes it, the next start puts the files of the artifact
/// there again; a snapshot holds what is there now.
const SEEDED: &str = "workspace/.smolvm-workspace-seeded";
/// `/workspace` on the disk.
const WORKSPACE: &str = "workspace";
/// Why a disk is not read that a first start did not fill.
const UNFINISHED: &str = "its first start did not finish";
/// Bytes of a file that are read at once.
const BUFFER: usize = 1 << 20;

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
    /// How its guest marks what they hide.
    marks: Marks,
    /// The layers below.
    layers: Layers,
    /// The tar with the `/workspace` that it was made with, if it was.
    seed: Option<PathBuf>,
    template: Disk,
    /// When the disk was changed.
    modified: u64,
}

/// Whether image VMs of this engine may be frozen without it.
///
/// # Errors
/// Why only the engine can pack them, as a sentence.
pub fn check_image(version: Version) -> Result<(), String> {
    if !version.has(Fact::KnownImages) || !cfg!(target_os = "linux") {
        return Err(format!("bottle-freeze does not know the image VMs of smolvm {version}"));
    }
    Ok(())
}

impl DirectImage {
    /// As for bare VMs: see [`direct`](super::direct).
    ///
    /// # Errors
    /// Why only the engine can pack it, as a sentence.
    pub fn open(known: &Known<'_>) -> Result<Self, String> {
        let Known { vm, record, trial, template, folder, engine, version } = *known;
        check_image(version)?;
        check_vm(vm, record, trial)?;
        let mut manifest = Manifest::of_trial(template)?;
        let Found { path, storage, changes, origin } = Found::of(vm, record, folder)?;
        let Origin { layers, settings, workspace: seed, marks } = origin;
        let modified = path.symlink_metadata().map_err(|error| error.to_string())?.mtime();
        let is_template = storage.lowest().file_name() == Some(OsStr::new(STORAGE_TEMPLATE));
        // A disk of a size of its own, or with an image that the engine pulled before, is based on none.
        let empty = if is_template { Some(storage.lowest().to_owned()) } else { storage_template(engine) };
        let empty = empty.ok_or("the engine's template for its disk was not found")?;
        let template = Disk::open(&empty).map_err(|error| error.to_string())?;
        let secrets = manifest.set(vm, record.settings()?, settings);
        let modified = u64::try_from(modified).unwrap_or(0);
        Ok(Self { manifest, secrets, path, storage, changes, marks, layers, seed, template, modified })
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
        let files = Files::open(&self.path, &self.storage)?;
        flatten(&self.layers.of(&files)?, known, Host::at(SystemTime::now()), signals, on_part)
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
        let files = Files::open(&self.path, &self.storage)?;
        let mut layers = Vec::new();
        if let Some(changes) = files.find(&format!("{}/upper", self.changes))? {
            // The engine leaves out an empty one: the uppermost folder is that of the layer then.
            if !files.names(&changes)?.is_empty() {
                layers.push(Layer::Disk(&files, changes, self.marks));
            }
        }
        layers.extend(self.layers.of(&files)?);
        flatten(&layers, known, Host::at(SystemTime::now()), signals, on_part)
    }

    /// Passes the tar with the `/workspace` that the VM was made with to `on_data`, if there is one.
    ///
    /// # Errors
    /// It cannot be read, a signal came, or `on_data` failed.
    pub fn read_seed<E: From<DiskError> + From<Interrupted>>(
        &self,
        signals: &Signals,
        on_data: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(path) = &self.seed else { return Ok(()) };
        let unreadable = |source| DiskError::Unreadable { path: path.clone(), source };
        let (mut file, mut buffer) = (files::open_existing(path).map_err(unreadable)?, vec![0; BUFFER]);
        loop {
            signals.check()?;
            let bytes = file.read(&mut buffer).map_err(unreadable)?;
            match buffer.get(..bytes) {
                Some(data) if !data.is_empty() => on_data(data)?,
                _ => return Ok(()),
            }
        }
    }

    /// Whether the VM was made with a `/workspace`.
    pub fn has_seed(&self) -> bool {
        self.seed.is_some()
    }

    /// Whether there is anything in `/workspace`.
    ///
    /// # Errors
    /// The disk cannot be read, or something is not known.
    pub fn has_workspace(&self) -> Result<bool, DiskError> {
        let files = Files::open(&self.path, &self.storage)?;
        files.find(WORKSPACE)?.map_or(Ok(false), |folder| Ok(!files.names(&folder)?.is_empty()))
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
        let files = Files::open(&self.path, &self.storage)?;
        flatten(
            &[Layer::Disk(&files, files.folder(WORKSPACE)?, Marks::None)],
            &Listing::default(),
            Host::at(SystemTime::now()),
            signals,
            on_part,
        )
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
}

/// Whether an image VM that is not up has what is known, as far as that shows without reading its files.
///
/// # Errors
/// What is not known, as a sentence.
pub fn check_found(vm: &Machine, record: &Record, folder: &Path) -> Result<(), String> {
    Found::of(vm, record, folder).map(drop)
}

/// What an image VM has in its folder, and on its disk.
struct Found {
    path: PathBuf,
    storage: Disk,
    changes: String,
    origin: Origin,
}

impl Found {
    fn of(vm: &Machine, record: &Record, folder: &Path) -> Result<Self, String> {
        check_files(folder)?;
        let path = disk_file(folder, "storage")?;
        let text = |error: DiskError| error.to_string();
        let storage = Disk::open(&path).map_err(text)?;
        let changes = format!("overlays/persistent-{}", vm.name);
        let disk = Files::open(&path, &storage).map_err(text)?;
        let origin = Origin::of(record, folder, &disk)?;
        check_disk(&disk, &changes, origin.workspace.is_some())?;
        drop(disk);
        Ok(Self { path, storage, changes, origin })
    }
}

/// Whether the disk has what is expected, and nothing else, in the folder of the changes. The `/workspace` of an artifact is
/// there after a start only: the guest puts it there first of all, and its container runs after that.
fn check_disk(disk: &Files<'_>, changes: &str, has_workspace: bool) -> Result<(), String> {
    let text = |error: DiskError| error.to_string();
    let folder = disk.find(changes).map_err(text)?.ok_or(UNFINISHED)?;
    let names = disk.names(&folder).map_err(text)?;
    let has_run = names.iter().any(|name| STARTED.contains(&name.as_slice()));
    if has_workspace && !has_run && disk.find(SEEDED).map_err(text)?.is_none() {
        return Err(UNFINISHED.to_owned());
    }
    match names.iter().find(|name| !CHANGES.contains(&name.as_slice())) {
        Some(name) => Err(format!("its disk has an unknown folder: {}", String::from_utf8_lossy(name))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proven_engines_are_known() {
        let why = |version| check_image(version).err().unwrap_or_default();
        for version in [Version(1, 31, 0), Version(1, 33, 0)] {
            assert_eq!(why(version), format!("bottle-freeze does not know the image VMs of smolvm {version}"));
        }
        if cfg!(target_os = "linux") {
            assert_eq!((why(Version(1, 31, 5)), why(Version(1, 32, 2))), (String::new(), String::new()));
        }
    }
}
