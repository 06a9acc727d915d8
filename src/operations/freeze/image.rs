//! Step 5 of a freeze of an image VM, without the engine: its artifact, and what is kept of its image. Of both, files of this
//! host that are as they were at the last freeze are not read.

use super::last::over_last;
use crate::ext4::ReadAt;
use crate::library::store::{Added, Before, Feed, Index, Kept, Runtime, Source, Splice, StoreError, Writer};
use crate::signals::Signals;
use crate::smolvm::artifact::{CONTENT_LIMIT, Part};
use crate::smolvm::{DirectImage, Flat, Listing};
use std::path::Path;

/// The most bytes of the list of files that is kept of an image.
const LONGEST: u64 = 128 << 20;

/// Writes the chunks of an image VM.
pub struct ImageWriter<'t> {
    /// The VM.
    pub image: &'t DirectImage,
    /// Whether `/workspace` is in the snapshot.
    pub with_workspace: bool,
    /// The folder of the snapshot.
    pub folder: &'t Path,
    /// What the engine adds.
    pub runtime: &'t Runtime,
    pub signals: &'t Signals,
    /// Gets the bytes that were written.
    pub on_bytes: &'t dyn Fn(u64),
}

/// The tar of an image that was written before, and where its files are in it.
type Known = (Option<Before>, Listing);

impl ImageWriter<'_> {
    /// Writes them: what the snapshot `last` has of the image is read there.
    ///
    /// # Errors
    /// Files cannot be read, something is not known, the chunks cannot be written, or a signal came.
    pub fn write(&self, last: Option<(&Path, &Index)>) -> Result<(Index, Added), StoreError> {
        over_last(self.folder, last.map(|(folder, _)| folder), |is_whole| self.write_over(last.filter(|_| is_whole)))
    }

    fn write_over(&self, last: Option<(&Path, &Index)>) -> Result<(Index, Added), StoreError> {
        let trusted = last.map(|(_, index)| index);
        let known = last.and_then(|(folder, index)| self.known(folder, index)).unwrap_or_default();
        let (base, added, files) = Writer::run(self.folder, self.signals, |feed| {
            if let Some(index) = trusted {
                feed.trust(index);
            }
            self.write_base(feed, known)
        })?;
        let before = base.first().map(|tar| Before::new(self.folder, tar, self.signals));
        let (members, more, (sha256, workspace)) = Writer::run(self.folder, self.signals, |feed| {
            if let Some(index) = trusted {
                feed.trust(index);
            }
            self.write_members(feed, (before, files))
        })?;
        let path = DirectImage::layer_path(&sha256);
        let no_folder = || StoreError::Content("the engine's artifacts have no folder of layers".into());
        let layer = members.iter().find(|entry| entry.member.path == path).ok_or_else(no_folder)?;
        let manifest = self.image.manifest((&sha256, layer.member.size), workspace).map_err(StoreError::Content)?;
        Ok((Index::new(manifest, members)?.with_base(base)?, added.and(more)))
    }

    /// What a snapshot has of the image, if it has that.
    fn known(&self, folder: &Path, index: &Index) -> Option<Known> {
        let [tar, files] = Index::IMAGE.map(|path| index.base.iter().find(|entry| entry.member.path == path));
        let (tar, files) = (tar?, files.filter(|files| files.member.size <= LONGEST)?);
        let mut bytes = vec![0; usize::try_from(files.member.size).ok()?];
        Source::new(folder, &Kept::default(), self.signals).content(files).read_at(0, &mut bytes).ok()?;
        Some((Some(Before::new(folder, tar, self.signals)), Listing::read(&bytes, tar.member.size)))
    }

    /// Writes what is kept of the image, and the `/workspace` that the VM was made with. Returns where the image's files are.
    fn write_base(&self, feed: &mut Feed<'_>, (before, known): Known) -> Result<Listing, StoreError> {
        let [tar, files] = Index::IMAGE;
        let mut splice = Splice::new(feed, &self.image.file(tar, CONTENT_LIMIT), before)?;
        let written = self.image.read_base(&known, self.signals, &mut |part| self.add(&mut splice, &part))?;
        splice.end_as(tar.to_owned())?;
        feed.part(Part::Member(&self.image.file(files, written.files.size())))?;
        written.files.parts().try_for_each(|part| feed.part(Part::Data(&part)))?;
        if self.with_workspace && self.image.has_seed() {
            let mut splice = Splice::new(feed, &self.image.file(Index::WORKSPACE, CONTENT_LIMIT), None)?;
            self.image.read_seed(self.signals, &mut |data| self.add(&mut splice, &Flat::Data(data)))?;
            splice.end_as(Index::WORKSPACE.to_owned())?;
        }
        Ok(written.files)
    }

    /// Writes the members of the artifact. Returns the SHA-256 of the layer, and the bytes of `/workspace`.
    fn write_members(&self, feed: &mut Feed<'_>, known: Known) -> Result<(String, Option<u64>), StoreError> {
        let (image, signals, folder) = (self.image, self.signals, &self.runtime.folder);
        let ((template, disk), mut known, mut layer) = (image.template(), Some(known), (String::new(), None));
        for entry in &self.runtime.index.members {
            match entry.member.path.as_str() {
                "overlay.raw" => {}
                "layers/" => {
                    feed.known(entry, folder)?;
                    let (before, files) = known.take().unwrap_or_default();
                    let mut splice = Splice::new(feed, &image.layer(), before)?.hashed();
                    image.read(&files, signals, &mut |part| self.add(&mut splice, &part))?;
                    layer = (splice.end_by(DirectImage::layer_path)?, self.write_workspace(feed)?);
                }
                path if path == template.path => {
                    feed.part(Part::Member(&template))?;
                    disk.read(signals, &mut |part| feed.part(part))?;
                    feed.part(Part::Zeros(template.size.saturating_sub(disk.size())))?;
                }
                _ => feed.known(entry, folder)?,
            }
        }
        Ok(layer)
    }

    fn write_workspace(&self, feed: &mut Feed<'_>) -> Result<Option<u64>, StoreError> {
        if !self.with_workspace || !self.image.has_workspace()? {
            return Ok(None);
        }
        let [folder, tar] = self.image.seed();
        feed.part(Part::Member(&folder))?;
        let mut splice = Splice::new(feed, &tar, None)?;
        let written = self.image.read_workspace(self.signals, &mut |part| self.add(&mut splice, &part))?;
        splice.end_as(tar.path)?;
        Ok(Some(written.bytes))
    }

    fn add(&self, splice: &mut Splice<'_, '_>, part: &Flat<'_>) -> Result<(), StoreError> {
        match *part {
            Flat::Data(data) => {
                (self.on_bytes)(data.len() as u64);
                splice.data(data)
            }
            Flat::Same { at, bytes } => {
                (self.on_bytes)(bytes);
                splice.same(at, bytes)
            }
        }
    }
}
