//! `--if-changed`: no snapshot is made if the newest one of the VM holds the same.

use super::context::Freeze;
use super::take::Kept;
use crate::error::Result;
use crate::library::store::Index;
use crate::library::{KEY, Metadata, Stored, catalog, layout};
use crate::operations::tags;
use crate::smolvm::artifact::Artifact;

impl Freeze<'_> {
    /// With `--if-changed`: the newest snapshot of the VM and its artifact, if they hold the same as what was taken. It gets
    /// the tags. The caller has the lock of the VM's snapshots.
    ///
    /// # Errors
    /// It cannot get the tags.
    pub fn unchanged(&self, new: &Kept, taken: &Metadata) -> Result<Option<(Metadata, Artifact)>> {
        let request = self.cx.request;
        let find = || {
            let newest = catalog::find(self.job.name.as_str()).ok().filter(|_| request.if_changed)?;
            let index = same_index(new, taken, &newest)?;
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
        let metadata = tags::change(&newest, &request.tags, &[], request.force)?;
        Ok(Some((metadata, artifact)))
    }
}

/// The index of the newest snapshot, if it holds the same as what was `taken`, and is not damaged as far as its names show.
fn same_index(new: &Kept, taken: &Metadata, newest: &Stored) -> Option<Index> {
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
    (index.has_same_content(contents) && index.has_all_objects(&newest.folder)).then_some(index)
}
