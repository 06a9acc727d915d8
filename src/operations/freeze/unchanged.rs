//! `--if-changed`: no snapshot is made if the newest one of the VM holds the same.

use super::context::Freeze;
use super::take::Kept;
use crate::contents::Contents;
use crate::error::Result;
use crate::library::store::{self, Index};
use crate::library::{KEY, Metadata, Staging, Stored, catalog, layout};
use crate::operations::tags;
use crate::smolvm::artifact::Artifact;
use std::path::Path;

impl Freeze<'_> {
    /// With `--if-changed`: the newest snapshot of the VM and its artifact, if they hold the same as what was taken. It gets
    /// the tags. The caller has the lock of the VM's snapshots.
    ///
    /// # Errors
    /// It cannot get the tags.
    pub fn unchanged(&self, staging: &Staging, new: &Kept, taken: &Metadata) -> Result<Option<(Metadata, Artifact)>> {
        let request = self.cx.request;
        let find = || {
            let newest = catalog::find(self.job.name.as_str()).ok().filter(|_| request.if_changed)?;
            let index = self.same_index(&staging.snapshot(), new, taken, &newest)?;
            Some((newest, index))
        };
        let Some((newest, index)) = find() else { return Ok(None) };
        let artifact = index.artifact()?;
        if request.note.is_some() || !request.labels.is_empty() {
            let reference = newest.reference();
            self.job.warnings.warn(format!("{reference} did not get the note and the labels: it was made before"));
        }
        if request.tags.is_empty() {
            return Ok(Some((newest.metadata, artifact)));
        }
        let metadata = tags::change(&newest, &request.tags, &[], request.moves_tags())?;
        Ok(Some((metadata, artifact)))
    }

    /// The index of the newest snapshot, if it holds the same as what was `taken` in this folder, and is not damaged as far as
    /// its names show.
    fn same_index(&self, folder: &Path, new: &Kept, taken: &Metadata, newest: &Stored) -> Option<Index> {
        let Kept::InChunks { contents, .. } = new else { return None };
        let others = |metadata: &Metadata| {
            let mut files = metadata.files.clone();
            files.remove(layout::INDEX);
            files
        };
        // It would not be found by its key.
        let key = taken.labels.get(KEY);
        if key.is_some_and(|key| newest.metadata.labels.get(KEY) != Some(key)) {
            return None;
        }
        if taken.machine != newest.metadata.machine || others(taken) != others(&newest.metadata) {
            return None;
        }
        let index = newest.index()?;
        let is_same =
            index.has_same_content(contents) || self.has_same_files((folder, contents), (&newest.folder, &index));
        (is_same && index.has_all_objects(&newest.folder)).then_some(index)
    }

    /// Whether the disks of two snapshots hold the same files. A start of the VM changes what its file systems note of
    /// themselves: when they were mounted, and how often.
    fn has_same_files(&self, new: (&Path, &Index), old: (&Path, &Index)) -> bool {
        let (kept, signals) = (store::Kept::default(), &self.cx.app.signals);
        // A saved `/workspace` was compared.
        let open = |(folder, index): (&Path, &Index)| Contents::of_chunks(folder, index, None, &kept, signals);
        let are_same = || open(new)?.has_same_files(&open(old)?);
        new.1.has_same_settings(old.1) && are_same().unwrap_or(false)
    }
}
