//! What a freeze without the engine reads: the disks of a bare VM, or the files of an image VM.

use super::bare::BareWriter;
use super::image::ImageWriter;
use super::last::Last;
use crate::library::store::{self, Runtime, StoreError};
use crate::library::{DiskRead, FileHash};
use crate::signals::Signals;
use crate::smolvm::artifact::Member;
use crate::smolvm::{Direct, DirectImage, Disk, Known, Open, direct};
use std::collections::BTreeMap;
use std::path::Path;

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

    /// The disks of a bare VM, and their members of the artifact.
    pub fn disks(&self) -> &[(Member, Disk)] {
        let Self::Bare(direct) = self else { return &[] };
        &direct.disks
    }

    /// What they were when they were opened, where each change of their files leaves a trace.
    pub fn as_read(&self) -> BTreeMap<String, DiskRead> {
        let read = |disk: &Disk| Some(DiskRead { is_trimmed: disk.is_trimmed(), files: disk.stamps()? });
        self.disks().iter().filter_map(|(member, disk)| Some((member.path.clone(), read(disk)?))).collect()
    }

    /// Whether their files are still what they were when they were opened.
    pub fn is_as_opened(&self) -> bool {
        self.disks().iter().all(|(_, disk)| disk.is_as_opened())
    }

    /// About how many bytes are read.
    pub fn data_bytes(&self, last: Option<&Last>) -> u64 {
        let of_disk = |disk: &Disk| disk.data_bytes().unwrap_or(0);
        match self {
            Self::Bare(direct) => direct.disks.iter().map(|(_, disk)| of_disk(disk)).fold(0, u64::saturating_add),
            Self::Image(image, _) => {
                let is_layer = |entry: &&store::Entry| entry.member.path.starts_with("layers/");
                let tars = last.into_iter().map(|last| &last.index);
                let tars = tars.flat_map(|last| last.members.iter().filter(is_layer).chain(&last.base));
                let tars = tars.map(|entry| entry.member.size);
                tars.fold(0, u64::saturating_add).max(of_disk(image.storage()))
            }
        }
    }

    /// Writes the chunks and the index: the VM's own members from it, all others from the runtime. `last` is a snapshot of the
    /// VM. `on_bytes` gets the bytes that were read.
    ///
    /// # Errors
    /// It cannot be read, has something unknown, the chunks cannot be written, or a signal came.
    pub fn write(
        &self,
        folder: &Path,
        runtime: &Runtime,
        last: Option<&Last>,
        signals: &Signals,
        on_bytes: &dyn Fn(u64),
    ) -> Result<(store::Index, FileHash, store::Added), StoreError> {
        let (index, added) = match self {
            Self::Bare(direct) => BareWriter { direct, folder, runtime, signals, on_bytes }.write(last)?,
            Self::Image(image, with_workspace) => {
                let (with_workspace, last) = (*with_workspace, last.map(|last| (last.folder.as_path(), &last.index)));
                ImageWriter { image, with_workspace, folder, runtime, signals, on_bytes }.write(last)?
            }
        };
        let recorded = index.write(folder)?;
        Ok((index, recorded, added))
    }
}
