//! `--if-changed`: no snapshot is made if the newest one of the VM holds the same.

use super::context::Freeze;
use super::take::{Finished, Kept};
use crate::contents::Contents;
use crate::error::Result;
use crate::library::store::{self, Index};
use crate::library::{FileHash, KEY, Metadata, Staging, Stored, catalog, layout};
use crate::operations::tags;
use crate::smolvm::artifact::Artifact;
use std::path::Path;

/// The newest snapshot of a VM, which holds the same as what was taken.
pub struct Same {
    newest: Stored,
    index: Index,
    /// Whether it has the same chunks, and not only the same files.
    pub has_same_chunks: bool,
}

impl Freeze<'_> {
    /// With `--if-changed`: the newest snapshot of the VM, if it holds the same as what was taken.
    ///
    /// # Errors
    /// A signal came, or what was taken cannot be read.
    pub fn find_same(
        &self,
        staging: &Staging,
        finished: &Finished,
        workspace: Option<&FileHash>,
    ) -> Result<Option<Same>> {
        let Kept::InChunks { contents, .. } = &finished.kept else { return Ok(None) };
        let newest = self.cx.request.if_changed.then(|| catalog::find(self.job.name.as_str()).ok()).flatten();
        let Some(newest) = newest else { return Ok(None) };
        let Ok(_held) = newest.hold() else { return Ok(None) };
        let taken = self.metadata(staging, finished, workspace.cloned(), None)?;
        let index = newest.index().filter(|_| is_described_the_same(&taken, &newest.metadata));
        let Some(index) = index else { return Ok(None) };
        let has_same_chunks = index.has_same_content(contents);
        // What was deleted may be in one of them only.
        let is_same = has_same_chunks
            || taken.trim.trimmed == newest.metadata.trim.trimmed
                && self.has_same_files((&staging.snapshot(), contents), (&newest.folder, &index));
        let is_whole = is_same && index.has_all_objects(&newest.folder, contents);
        self.cx.app.signals.check()?;
        Ok(is_whole.then_some(Same { newest, index, has_same_chunks }))
    }

    /// Gives it the tags, if it still is the newest one. The caller has the lock of the VM's snapshots.
    ///
    /// # Errors
    /// It cannot get them.
    pub fn keep_same(&self, same: &Same) -> Result<Option<(Metadata, Artifact)>> {
        let (request, name) = (self.cx.request, self.job.name.as_str());
        let is_newest = |now: &Stored| now.reference() == same.newest.reference();
        let Some(newest) = catalog::find(name).ok().filter(is_newest).and_then(|_| same.newest.reload()) else {
            return Ok(None);
        };
        let artifact = same.index.artifact()?;
        if request.note.is_some() || !request.labels.is_empty() {
            let reference = newest.reference();
            self.job.warnings.warn(format!("{reference} did not get the note and the labels: it was made before"));
        }
        if request.tags.is_empty() {
            return Ok(Some((newest.metadata, artifact)));
        }
        Ok(Some((tags::change(&newest, &request.tags, &[], request.moves_tags())?, artifact)))
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

/// Whether the newest snapshot has the settings and the other files of what was taken, and is found by its key.
fn is_described_the_same(taken: &Metadata, newest: &Metadata) -> bool {
    let others = |metadata: &Metadata| {
        let mut files = metadata.files.clone();
        files.remove(layout::INDEX);
        files
    };
    let key = taken.labels.get(KEY);
    let has_key = key.is_none_or(|key| newest.labels.get(KEY) == Some(key));
    has_key && taken.machine == newest.machine && others(taken) == others(newest)
}
