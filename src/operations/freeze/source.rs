//! What a freeze without the engine reads: the disks of a bare VM, or the files of an image VM.

use super::image::ImageWriter;
use crate::library::FileHash;
use crate::library::store::{self, Feed, Runtime, StoreError, Writer};
use crate::signals::Signals;
use crate::smolvm::artifact::Part;
use crate::smolvm::{Direct, DirectImage, Disk, Known, Open, direct};
use std::path::{Path, PathBuf};

/// What a freeze without the engine reads.
pub enum Source {
    /// The disks of a bare VM.
    Bare(Direct),
    /// The files of an image VM, and whether `/workspace` is one of them.
    Image(Box<DirectImage>, bool),
}

impl Source {
    /// What is read of the VM; the disks of a bare one are opened by `open`.
    ///
    /// # Errors
    /// Why only the engine can pack it, as a sentence.
    pub fn of(known: &Known<'_>, with_workspace: bool, open: Open) -> Result<Self, String> {
        if known.vm.image.is_some() {
            return Ok(Self::Image(Box::new(DirectImage::open(known)?), with_workspace));
        }
        direct(known, open).map(Self::Bare)
    }

    /// The variables whose references to secrets are left out.
    pub fn secrets(self) -> Vec<String> {
        match self {
            Self::Bare(direct) => direct.secrets,
            Self::Image(image, _) => image.secrets,
        }
    }

    /// About how many bytes are read.
    pub fn data_bytes(&self, last: Option<&store::Index>) -> u64 {
        let of_disk = |disk: &Disk| disk.data_bytes().unwrap_or(0);
        match self {
            Self::Bare(direct) => direct.disks.iter().map(|(_, disk)| of_disk(disk)).fold(0, u64::saturating_add),
            Self::Image(image, _) => {
                let is_layer = |entry: &&store::Entry| entry.member.path.starts_with("layers/");
                let tars = last.into_iter().flat_map(|last| last.members.iter().filter(is_layer).chain(&last.base));
                let tars = tars.map(|entry| entry.member.size);
                tars.fold(0, u64::saturating_add).max(of_disk(image.storage()))
            }
        }
    }

    /// Writes the chunks and the index: the VM's own members from it, all others from the runtime. `last` is a snapshot of the
    /// VM: its folder and index. `on_bytes` gets the bytes that were read.
    ///
    /// # Errors
    /// It cannot be read, has something unknown, the chunks cannot be written, or a signal came.
    pub fn write(
        &self,
        folder: &Path,
        runtime: &Runtime,
        last: Option<&(PathBuf, store::Index)>,
        signals: &Signals,
        on_bytes: &dyn Fn(u64),
    ) -> Result<(store::Index, FileHash, store::Added), StoreError> {
        let (index, added) = match self {
            Self::Bare(direct) => {
                let (members, added, ()) = Writer::run(folder, signals, |feed| {
                    if let Some((_, index)) = last {
                        feed.trust(index);
                    }
                    write_disks(direct, feed, runtime, signals, on_bytes)
                })?;
                (store::Index::new(direct.manifest.clone(), members)?, added)
            }
            Self::Image(image, with_workspace) => {
                let with_workspace = *with_workspace;
                ImageWriter { image, with_workspace, folder, runtime, signals, on_bytes }
                    .write(last.map(|(folder, index)| (folder.as_path(), index)))?
            }
        };
        let recorded = index.write(folder)?;
        Ok((index, recorded, added))
    }
}

/// Writes the members of a bare VM.
fn write_disks(
    direct: &Direct,
    feed: &mut Feed<'_>,
    runtime: &Runtime,
    signals: &Signals,
    on_bytes: &dyn Fn(u64),
) -> Result<(), StoreError> {
    for entry in &runtime.index.members {
        match direct.disks.iter().find(|(member, _)| member.path == entry.member.path) {
            Some((member, disk)) => {
                feed.part(Part::Member(member))?;
                disk.read(signals, &mut |part| {
                    if let Part::Data(bytes) = part {
                        on_bytes(bytes.len() as u64);
                    }
                    feed.part(part)
                })?;
            }
            None => feed.known(entry, &runtime.folder)?,
        }
    }
    Ok(())
}
