//! The assets of an artifact: one zstd frame with a tar of the guest's system, an image's layers and the disks, all as the
//! engine writes them. A disk is a sparse file that has a tar of its folder behind an empty file system.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use tar::{Archive, Builder, Header};

/// What is behind the file system of each disk, and at its end.
const LABEL: &[u8] = b"fake-smolvm disk";
/// An ext4 of 256 KiB with empty folders `upper`, `work` and `workspace`: `mke2fs -t ext4 -b 1024
/// -N 16 -O ^has_journal,^resize_inode -d FOLDER`, without `lost+found`. What reads files of disks finds none there.
const FILE_SYSTEM: &[u8] = include_bytes!("empty.ext4.zst");
/// What is all zeros is a hole.
const BLOCK: usize = 4096;
/// Where the tar of a disk begins, after a hole; before its end is another.
const HOLE: u64 = 1 << 20;
/// The folder that holds an image's layers, and the `/workspace` of its VM in there.
const LAYERS: &str = "layers";
pub const SEED: &str = "layers/workspace-seed/workspace.tar";
const GUEST: &str = "agent-rootfs.tar";
const OVERLAY: &str = "overlay.raw";
const STORAGE: &str = "storage.ext4";
const RAM: &str = "checkpoint/memory.bin";

/// The folder in the staging folder of a pack that holds the files to pack.
pub fn staged(staging: &Path) -> PathBuf {
    staging.join("staging")
}

/// Stages the disks of a bare VM.
pub fn stage_disks(staging: &Path, root: &Path, workspace: Option<&Path>) -> Result<()> {
    let folder = stage_guest(staging)?;
    write_disk(&folder.join(OVERLAY), Some(root))?;
    write_disk(&folder.join(STORAGE), workspace)
}

/// Stages the RAM of a running VM: a MiB that stays as it is, a hole, and one that changes.
pub fn stage_ram(staging: &Path) -> Result<()> {
    let path = staged(staging).join(RAM);
    fs::create_dir_all(path.with_file_name(""))?;
    let mut ram = File::create_new(path)?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    io::copy(&mut io::repeat(1).take(HOLE), &mut ram)?;
    ram.seek(SeekFrom::Start(2 * HOLE))?;
    ram.write_all(&time.to_le_bytes())?;
    Ok(())
}

/// Stages a VM of an image: a layer with the image and all changes, and an empty disk.
pub fn stage_image(staging: &Path, root: &Path, workspace: Option<&Path>) -> Result<()> {
    let folder = stage_guest(staging)?;
    write_tar(&mut File::create_new(folder.join(layer()))?, root)?;
    if let Some(workspace) = workspace {
        let seed = folder.join(SEED);
        fs::create_dir_all(seed.with_file_name(""))?;
        write_tar(&mut File::create_new(seed)?, workspace)?;
    }
    write_disk(&folder.join(STORAGE), None)
}

/// The path of the layer of an image.
pub fn layer() -> String {
    format!("{LAYERS}/{}.tar", "fa4e".repeat(16))
}

/// Makes the folder, with what every artifact has.
fn stage_guest(staging: &Path) -> Result<PathBuf> {
    let folder = staged(staging);
    fs::create_dir_all(folder.join(LAYERS))?;
    let mut guest = Builder::new(File::create_new(folder.join(GUEST))?);
    for (path, content) in [("bin/sh", "not a shell"), ("sbin/init", "not an init")] {
        let mut header = Header::new_gnu();
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        guest.append_data(&mut header, path, content.as_bytes())?;
    }
    guest.finish()?;
    Ok(folder)
}

/// A disk with that in it; a template if there is nothing.
fn write_disk(path: &Path, folder: Option<&Path>) -> Result<()> {
    let mut disk = File::create_new(path)?;
    for (block, at) in zstd::decode_all(FILE_SYSTEM)?.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if block.iter().any(|byte| *byte != 0) {
            disk.seek(SeekFrom::Start(at))?;
            disk.write_all(block)?;
        }
    }
    disk.seek(SeekFrom::Start(HOLE / 2))?;
    disk.write_all(LABEL)?;
    if let Some(folder) = folder {
        disk.seek(SeekFrom::Start(HOLE))?;
        write_tar(&mut disk, folder)?;
        let end = disk.stream_position()?;
        disk.seek(SeekFrom::Start(end.next_multiple_of(HOLE) + HOLE))?;
        disk.write_all(LABEL)?;
    }
    Ok(())
}

/// Writes a folder that may be missing: links stay links, and an unchanged folder gives the same bytes.
fn write_tar(to: &mut File, folder: &Path) -> Result<()> {
    let mut tar = Builder::new(to);
    tar.follow_symlinks(false);
    if folder.is_dir() {
        add_all(&mut tar, folder, Path::new(""))?;
    }
    Ok(tar.finish()?)
}

fn add_all(tar: &mut Builder<&mut File>, folder: &Path, name: &Path) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = name.join(entry.file_name());
        tar.append_path_with_name(entry.path(), &name)?;
        if entry.file_type()?.is_dir() {
            add_all(tar, &entry.path(), &name)?;
        }
    }
    Ok(())
}

/// The assets, compressed in `$TMPDIR` before they are written out.
pub fn compress(staging: &Path, scratch: &Path) -> Result<Vec<u8>> {
    let (folder, file) = (staged(staging), scratch.join("assets.tar.zst"));
    let mut tar = Builder::new(zstd::Encoder::new(File::create(&file)?, 3)?);
    tar.append_path_with_name(folder.join(GUEST), GUEST)?;
    tar.append_dir_all(LAYERS, folder.join(LAYERS))?;
    for disk in [OVERLAY, STORAGE, RAM] {
        if folder.join(disk).exists() {
            tar.append_path_with_name(folder.join(disk), disk)?;
        }
    }
    tar.into_inner()?.finish()?;
    Ok(fs::read(file)?)
}

/// Unpacks the assets, in as many frames as there are, into the folders of a VM's disks.
pub fn unpack(assets: &[u8], disks: &Path) -> Result<()> {
    let mut tar = Archive::new(zstd::Decoder::new(assets)?);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let is_disk = [OVERLAY, STORAGE].contains(&name.as_str());
        let target = match name.as_str() {
            OVERLAY => "root",
            STORAGE | SEED => "workspace",
            layer if layer.starts_with(LAYERS) && !layer.ends_with('/') => "root",
            _ => continue,
        };
        if !is_disk || skip_to_tar(&mut entry)? {
            Archive::new(entry).unpack(disks.join(target))?;
        }
    }
    Ok(())
}

/// Whether a disk holds a tar: it is read up to there.
fn skip_to_tar(disk: &mut impl Read) -> io::Result<bool> {
    let mut start = Vec::new();
    disk.take(HOLE).read_to_end(&mut start)?;
    let (_, middle) = start.split_at(start.len() / 2);
    Ok(middle.starts_with(LABEL) && start.len() as u64 == HOLE)
}
