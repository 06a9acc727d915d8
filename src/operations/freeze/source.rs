//! What a freeze without the engine reads: the disks of a bare VM, or the files of an image VM.

use crate::library::FileHash;
use crate::library::store::{self, Feed, Runtime, StoreError, Writer};
use crate::signals::Signals;
use crate::smolvm::artifact::Part;
use crate::smolvm::{Direct, DirectImage, Disk, Known, Open, direct};
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

    /// About how many bytes are read.
    pub fn data_bytes(&self, last: Option<&store::Index>) -> u64 {
        let of_disk = |disk: &Disk| disk.data_bytes().unwrap_or(0);
        match self {
            Self::Bare(direct) => direct.disks.iter().map(|(_, disk)| of_disk(disk)).fold(0, u64::saturating_add),
            Self::Image(image, _) => {
                let tars = last.into_iter().flat_map(|last| &last.members).map(|entry| &entry.member);
                let tars = tars.filter(|member| member.path.starts_with("layers/")).map(|member| member.size);
                tars.fold(0, u64::saturating_add).max(of_disk(image.storage()))
            }
        }
    }

    /// Writes the chunks and the index: the VM's own members from it, all others from the runtime. `on_bytes` gets the bytes
    /// that were read.
    ///
    /// # Errors
    /// It cannot be read, has something unknown, the chunks cannot be written, or a signal came.
    pub fn write(
        &self,
        folder: &Path,
        runtime: &Runtime,
        last: Option<&store::Index>,
        signals: &Signals,
        on_bytes: &dyn Fn(u64),
    ) -> Result<(store::Index, FileHash, store::Added), StoreError> {
        let (members, added, manifest) = Writer::run(folder, signals, |feed| -> Result<String, StoreError> {
            if let Some(last) = last {
                feed.trust(last);
            }
            let to = To { feed, runtime, signals, on_bytes };
            match self {
                Self::Bare(direct) => to.write_disks(direct),
                Self::Image(image, with_workspace) => to.write_files(image, *with_workspace),
            }
        })?;
        let index = store::Index::new(manifest, members)?;
        let recorded = index.write(folder)?;
        Ok((index, recorded, added))
    }
}

/// Where it is written.
struct To<'t, 'w> {
    feed: &'t mut Feed<'w>,
    runtime: &'t Runtime,
    signals: &'t Signals,
    on_bytes: &'t dyn Fn(u64),
}

impl To<'_, '_> {
    /// Writes a bare VM. Returns the manifest.
    fn write_disks(mut self, direct: &Direct) -> Result<String, StoreError> {
        for entry in &self.runtime.index.members {
            match direct.disks.iter().find(|(member, _)| member.path == entry.member.path) {
                Some((member, disk)) => {
                    self.feed.part(Part::Member(member))?;
                    disk.read(self.signals, &mut |part| self.part(part))?;
                }
                None => self.feed.known(entry, &self.runtime.folder)?,
            }
        }
        Ok(direct.manifest.clone())
    }

    /// Writes an image VM. Returns the manifest.
    fn write_files(mut self, image: &DirectImage, with_workspace: bool) -> Result<String, StoreError> {
        let (mut layer, mut workspace, (template, disk)) = (None, None, image.template());
        for entry in &self.runtime.index.members {
            match entry.member.path.as_str() {
                "overlay.raw" => {}
                "layers/" => {
                    self.feed.known(entry, &self.runtime.folder)?;
                    self.feed.part(Part::Member(&image.layer()))?;
                    let written = image.read(self.signals, &mut |part| self.part(part))?;
                    self.feed.end_as(DirectImage::layer_path(&written))?;
                    layer = Some(written);
                    if with_workspace && image.has_workspace()? {
                        let [folder, tar] = image.seed();
                        self.feed.part(Part::Member(&folder))?;
                        self.feed.part(Part::Member(&tar))?;
                        workspace = Some(image.read_workspace(self.signals, &mut |part| self.part(part))?);
                        self.feed.end_as(tar.path)?;
                    }
                }
                path if path == template.path => {
                    self.feed.part(Part::Member(&template))?;
                    disk.read(self.signals, &mut |part| self.part(part))?;
                    self.feed.part(Part::Zeros(template.size.saturating_sub(disk.size())))?;
                }
                _ => self.feed.known(entry, &self.runtime.folder)?,
            }
        }
        let layer =
            layer.ok_or_else(|| StoreError::Content("the engine's artifacts have no folder of layers".into()))?;
        image.manifest(&layer, workspace.as_ref()).map_err(StoreError::Content)
    }

    fn part(&mut self, part: Part<'_>) -> Result<(), StoreError> {
        if let Part::Data(bytes) = part {
            (self.on_bytes)(bytes.len() as u64);
        }
        self.feed.part(part)
    }
}
