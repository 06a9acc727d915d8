//! Finds the layers in a snapshot.

use super::bytes::{Bytes, Plain, Qcow2};
use super::empty::WORKSPACE;
use super::error::ContentsError;
use super::layer::{Key, Layer, Lazy, OVERLAY};
use super::sparse;
use super::tar::MEMORY;
use super::tree::Contents;
use crate::ext4::{FileSystem, Inode, Kind, ROOT};
use crate::library::store::{Index, Kept, Source};
use crate::overlay::MOST_LAYERS;
use crate::signals::Signals;
use crate::smolvm::LONGEST_CHAIN;
use crate::smolvm::artifact::{self, ArtifactError, Part};
use serde::Deserialize;
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// What a manifest says of the files that a snapshot is made of.
#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(default)]
    mode: String,
    assets: Assets,
    #[serde(default)]
    checkpoint: Option<Checkpoint>,
}

#[derive(Debug, Deserialize)]
struct Assets {
    #[serde(default)]
    agent_rootfs: Option<Asset>,
    #[serde(default)]
    layers: Vec<Asset>,
    #[serde(default)]
    storage_template: Option<Asset>,
    #[serde(default)]
    overlay_template: Option<Asset>,
    #[serde(default)]
    workspace_seed: Option<Asset>,
}

#[derive(Debug, Deserialize)]
struct Asset {
    path: String,
}

/// A running VM.
#[derive(Debug, Deserialize)]
struct Checkpoint {
    #[serde(default)]
    disks: Vec<Disk>,
}

#[derive(Debug, Deserialize)]
struct Disk {
    role: String,
    files: Vec<DiskFile>,
}

/// A file of a disk, over those that follow.
#[derive(Debug, Deserialize)]
struct DiskFile {
    asset: Asset,
    format: String,
}

/// The mode of a bare VM.
const BARE: &str = "vm";

impl Manifest {
    fn read(text: &str) -> Result<Self, ContentsError> {
        serde_json::from_str(text)
            .map_err(|error| ContentsError::damaged("its manifest", format!("cannot be read: {error}")))
    }
}

/// Finds a member by its path.
type Members<'a> = &'a mut dyn FnMut(&str) -> Option<Bytes>;

impl Contents {
    /// The files in the snapshot in this folder, whose artifact is in chunks. `workspace` is its saved `/workspace`, if that is
    /// in a file of its own. Objects that are read are `kept`.
    ///
    /// # Errors
    /// They cannot be read, are damaged, or are not where they are known to be.
    pub fn of_chunks(
        folder: &Path,
        index: &Index,
        workspace: Option<&Path>,
        kept: &Kept,
        signals: &Signals,
    ) -> Result<Self, ContentsError> {
        let source = Source::new(folder, kept, signals);
        let mut member = |path: &str| index.member(path).map(|entry| Bytes::Chunks(source.content(entry)));
        Self::of_members(index.manifest.get(), workspace, signals, &mut member)
    }

    /// The files that the VM had when it was made: of the image, as they were kept, with the `/workspace` that it was made with,
    /// or of a bare VM the engine's small system. Nothing if the snapshot does not have them.
    ///
    /// # Errors
    /// See [`Self::of_chunks`].
    pub fn of_image(
        folder: &Path,
        index: &Index,
        kept: &Kept,
        signals: &Signals,
    ) -> Result<Option<Self>, ContentsError> {
        let [tar, _] = Index::IMAGE;
        let manifest = Manifest::read(index.manifest.get())?;
        let engine = manifest.assets.agent_rootfs.filter(|_| manifest.mode == BARE);
        let kept_as = |path: &str| index.base.iter().find(|entry| entry.member.path == path);
        let own = kept_as(tar);
        let Some(entry) = own.or_else(|| index.member(&engine?.path)) else { return Ok(None) };
        let (source, left) = (Source::new(folder, kept, signals), Rc::new(Cell::new(MEMORY)));
        let tar = |entry| Lazy::tar(Bytes::Chunks(source.content(entry)), &left);
        let mut layers = vec![tar(entry)];
        let mut mounts = Vec::new();
        if own.is_some() {
            let workspace = kept_as(Index::WORKSPACE);
            mounts.push((&b"workspace"[..], workspace.map(|_| (layers.len(), Key::Number(0)))));
            layers.extend(workspace.map(tar));
        }
        Self::new(layers, vec![(0, Key::Number(0))], mounts, None).map(|contents| Some(contents.until(signals)))
    }

    /// The files in an artifact that is one file. It is decompressed once, into files without a name in the folder `private`:
    /// no place in it can be read alone.
    ///
    /// # Errors
    /// See [`Self::of_chunks`]; there is no room for its disks.
    pub fn of_artifact(
        path: &Path,
        workspace: Option<&Path>,
        private: &Path,
        signals: &Signals,
    ) -> Result<Self, ContentsError> {
        let mut unpacked = Unpacked { folder: private, files: HashMap::new(), last: None, signals };
        let taken = artifact::take_apart(path, signals, |_| None, &mut |part| unpacked.part(part));
        let ended = taken.and_then(|(_, manifest)| unpacked.end().map(|()| manifest).map_err(ArtifactError::Copy));
        let manifest = ended.map_err(|error| ContentsError::Artifact { path: path.to_owned(), error })?;
        Self::of_members(&manifest, workspace, signals, &mut |path| unpacked.files.remove(path).map(Bytes::File))
    }

    /// The same of an artifact with this manifest and members.
    ///
    /// # Errors
    /// See [`Self::of_chunks`].
    fn of_members(
        manifest: &str,
        workspace: Option<&Path>,
        signals: &Signals,
        member: Members<'_>,
    ) -> Result<Self, ContentsError> {
        let manifest = Manifest::read(manifest)?;
        let contents = match manifest.mode.as_str() {
            BARE => of_bare(&manifest, saved(workspace, signals)?, member),
            _ => of_image(&manifest, saved(workspace, signals)?, member),
        };
        Ok(contents?.until(signals))
    }
}

/// The members of an artifact in files, as far as they hold files of the VM.
struct Unpacked<'a> {
    folder: &'a Path,
    files: HashMap<String, Plain>,
    /// The last one, as far as it was read.
    last: Option<(String, Plain)>,
    signals: &'a Signals,
}

impl Unpacked<'_> {
    fn part(&mut self, part: Part<'_>) -> Result<(), ArtifactError> {
        match (part, &mut self.last) {
            (Part::Member(member), _) => {
                self.end().map_err(ArtifactError::Copy)?;
                let ends = [".tar", ".raw", ".ext4"].iter().any(|ending| member.path.ends_with(ending));
                if ends || member.path.starts_with("checkpoint/disks/") {
                    let file = tempfile::tempfile_in(self.folder).map_err(ArtifactError::Copy)?;
                    let plain = Plain { file, size: 0, data: 0, signals: self.signals.clone() };
                    self.last = Some((member.path.clone(), plain));
                }
            }
            (Part::Data(bytes), Some((_, plain))) => {
                // A hostile artifact is small, and has any number of zeros.
                let written = sparse::write(&plain.file, plain.size, bytes).map_err(ArtifactError::Copy)?;
                plain.size = plain.size.saturating_add(bytes.len() as u64);
                plain.data = plain.data.saturating_add(written);
            }
            (Part::Zeros(count), Some((_, plain))) => plain.size = plain.size.saturating_add(count),
            (Part::Data(_) | Part::Zeros(_), None) => {}
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some((path, plain)) = self.last.take() {
            plain.file.set_len(plain.size)?;
            self.files.insert(path, plain);
        }
        Ok(())
    }
}

fn missing(path: &str) -> ContentsError {
    ContentsError::damaged(path, "is missing in the snapshot")
}

/// The tar with the saved `/workspace`.
fn saved(workspace: Option<&Path>, signals: &Signals) -> Result<Option<Bytes>, ContentsError> {
    let Some(path) = workspace else { return Ok(None) };
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    Ok(Some(Bytes::File(Plain { file, size: bytes, data: bytes, signals: signals.clone() })))
}

/// The engine's small system, over it what was changed, and `/workspace`: saved, or else on the disk for it.
fn of_bare(manifest: &Manifest, saved: Option<Bytes>, member: Members<'_>) -> Result<Contents, ContentsError> {
    let overlay = disk(manifest, "overlay", member)?;
    let storage = disk(manifest, "storage", member)?;
    let Asset { path } = manifest.assets.agent_rootfs.as_ref().ok_or_else(|| missing("agent-rootfs.tar"))?;
    let left = Rc::new(Cell::new(MEMORY));
    let base = Lazy::tar(member(path).ok_or_else(|| missing(path))?, &left);
    let (mut layers, mut members, mut hidden) = (Vec::new(), Vec::new(), None);
    let (mut root, mut mounts) = (Vec::new(), Vec::new());
    if let Some(disk) = overlay {
        // A VM that was never started has no such folder.
        if let Some(upper) = folder(&disk, "overlay", b"upper")? {
            // Nothing can be mounted over it then.
            if upper.kind != Kind::Folder {
                return Err(ContentsError::damaged("the disk 'overlay'", "has no folder with what was changed"));
            }
            root.push((layers.len(), Key::Inode(Rc::new(upper))));
            members.push(disk_member(manifest, "overlay"));
            layers.push(Lazy::ready(Layer::Disk(Box::new(disk), OVERLAY)));
        }
    }
    let engine = layers.len();
    root.push((engine, Key::Number(0)));
    members.push(path.clone());
    layers.push(base);
    if let Some(disk) = storage {
        let of_disk = |error| ContentsError::of_disk("the disk 'storage'", error);
        let all = Key::Inode(Rc::new(disk.inode(ROOT).map_err(of_disk)?));
        // What is saved is put over it.
        if let Some(workspace) = folder(&disk, "storage", b"workspace")?.filter(|_| saved.is_none()) {
            hidden = Some((layers.len(), workspace.number));
            mounts.push((&b"workspace"[..], Some((layers.len(), Key::Inode(Rc::new(workspace))))));
        }
        mounts.push((&b"storage"[..], Some((layers.len(), all))));
        members.push(disk_member(manifest, "storage"));
        layers.push(Lazy::ready(Layer::Disk(Box::new(disk), "the disk 'storage'")));
    }
    if let Some(saved) = saved {
        mounts.push((&b"workspace"[..], Some((layers.len(), Key::Number(0)))));
        members.push(WORKSPACE.to_owned());
        layers.push(Lazy::tar(saved, &left));
    }
    Ok(Contents::new(layers, root, mounts, hidden)?.with_members(Some(engine), members))
}

/// The layers of an image, the last of which is the uppermost, and `/workspace`: saved, in the artifact, or else empty. What the
/// image itself has there, no guest sees: the engine mounts a folder of the VM's disk over it.
fn of_image(manifest: &Manifest, saved: Option<Bytes>, member: Members<'_>) -> Result<Contents, ContentsError> {
    if manifest.checkpoint.is_some() {
        return Err(ContentsError::damaged("a running VM of an image", "has its files where they are not read"));
    }
    if manifest.assets.layers.is_empty() {
        return Err(ContentsError::damaged("the artifact", "has no layer of an image, and is not of a bare VM"));
    }
    if manifest.assets.layers.len() > MOST_LAYERS {
        return Err(ContentsError::damaged("the artifact", "has too many layers"));
    }
    let (mut layers, mut members) = (Vec::new(), Vec::new());
    let left = Rc::new(Cell::new(MEMORY));
    for layer in manifest.assets.layers.iter().rev() {
        layers.push(Lazy::tar(member(&layer.path).ok_or_else(|| missing(&layer.path))?, &left));
        members.push(layer.path.clone());
    }
    let root = (0..layers.len()).map(|layer| (layer, Key::Number(0))).collect();
    let workspace = match (saved, &manifest.assets.workspace_seed) {
        (Some(saved), _) => Some((saved, WORKSPACE.to_owned())),
        (None, Some(Asset { path })) => Some((member(path).ok_or_else(|| missing(path))?, path.clone())),
        (None, None) => None,
    };
    let mount = (&b"workspace"[..], workspace.as_ref().map(|_| (layers.len(), Key::Number(0))));
    if let Some((workspace, path)) = workspace {
        members.push(path);
        layers.push(Lazy::tar(workspace, &left));
    }
    Ok(Contents::new(layers, root, vec![mount], None)?.with_members(None, members))
}

/// The file system of a disk, if the snapshot has it.
fn disk(manifest: &Manifest, role: &str, member: Members<'_>) -> Result<Option<FileSystem<Bytes>>, ContentsError> {
    let Some(bytes) = disk_bytes(manifest, role, member)? else { return Ok(None) };
    let data = bytes.data();
    let of_disk = |error| ContentsError::of_disk(&format!("the disk '{role}'"), error);
    FileSystem::open(bytes, data).map(Some).map_err(of_disk)
}

/// The path of the member with a disk; empty if it is not in one, or of a running VM.
fn disk_member(manifest: &Manifest, role: &str) -> String {
    let assets = &manifest.assets;
    let asset = if role == "overlay" { &assets.overlay_template } else { &assets.storage_template };
    asset.as_ref().filter(|_| manifest.checkpoint.is_none()).map(|asset| asset.path.clone()).unwrap_or_default()
}

fn disk_bytes(manifest: &Manifest, role: &str, member: Members<'_>) -> Result<Option<Bytes>, ContentsError> {
    if let Some(checkpoint) = &manifest.checkpoint {
        let disk = checkpoint.disks.iter().find(|disk| disk.role == role).ok_or_else(|| missing(role))?;
        if disk.files.len() > LONGEST_CHAIN {
            return Err(ContentsError::damaged(role, "is a disk of too many files"));
        }
        let mut below = None;
        for DiskFile { asset, format } in disk.files.iter().rev() {
            let bytes = member(&asset.path).ok_or_else(|| missing(&asset.path))?;
            below = Some(match format.as_str() {
                "qcow2" => Bytes::Qcow2(Box::new(Qcow2::open(bytes, below)?)),
                "raw" => bytes,
                _ => return Err(ContentsError::damaged(&asset.path, "is a disk in a format that is not known here")),
            });
        }
        return Ok(below);
    }
    let assets = &manifest.assets;
    let asset = if role == "overlay" { &assets.overlay_template } else { &assets.storage_template };
    let bytes = |asset: &Asset| member(&asset.path).ok_or_else(|| missing(&asset.path));
    asset.as_ref().map(bytes).transpose()
}

/// A folder with this name in the uppermost one of a disk.
fn folder(disk: &FileSystem<Bytes>, role: &str, name: &[u8]) -> Result<Option<Inode>, ContentsError> {
    let find = || {
        let number = disk.lookup(&disk.inode(ROOT)?, name)?;
        number.map(|number| disk.inode(number)).transpose()
    };
    find().map_err(|error| ContentsError::of_disk(&format!("the disk '{role}'"), error))
}
