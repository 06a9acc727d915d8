//! Step 7 of a freeze: from one instant to the next, the new snapshot stands where the old one stood, or in the library.

use super::context::{Freeze, Frozen};
use super::take::{Finished, Kept};
use super::unchanged::Same;
use crate::clock;
use crate::error::Result;
use crate::library::{self, Configuration, FORMAT, FileHash, Metadata, Origin, Staging, Stored, Trim, catalog, layout};
use crate::operations::tags::free_tags;
use crate::operations::{lock, packed};
use crate::report::{self, JsonPath};
use crate::smolvm::artifact::Artifact;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// A published snapshot.
pub struct Published {
    /// Its artifact.
    pub artifact: Artifact,
    /// What the library records of it, if it is in the library.
    pub metadata: Option<Metadata>,
    /// What became of what was deleted.
    pub trim: Trim,
    /// How long the VM was down for it, or paused.
    pub downtime: Option<Duration>,
    /// Whether it was there before, and nothing has changed.
    pub unchanged: bool,
}

impl Published {
    /// The result of the freeze.
    pub fn frozen(self, freeze: &Freeze) -> Frozen {
        let Self { artifact, metadata, trim, downtime, unchanged } = self;
        let is_file = metadata.as_ref().is_none_or(|metadata| !metadata.is_in_chunks());
        let report = report::Frozen {
            vm: freeze.vm.name.clone(),
            reference: metadata.as_ref().map(|metadata| format!("{}@{}", metadata.vm, metadata.id)),
            unchanged,
            pruned: None,
            engine_version: metadata
                .as_ref()
                .map_or_else(|| freeze.cx.engine.version().to_string(), |metadata| metadata.engine_version.clone()),
            snapshot: metadata,
            sidecar: is_file.then(|| JsonPath(freeze.target.sidecar().into())),
            launcher: freeze.target.launcher().map(|path| JsonPath(path.into())),
            bytes: artifact.bytes,
            crc32: format!("{:08x}", artifact.crc32),
            seconds: freeze.began.elapsed().as_secs_f64(),
            live: freeze.plan.is_live(),
            downtime_seconds: downtime.map(|downtime| downtime.as_secs_f64()),
            trim,
            warnings: Vec::new(),
            error: None,
        };
        Frozen { report, failure: None, disks: None }
    }
}

impl Freeze<'_> {
    /// Has all files on the disk before they get their names.
    pub fn flush(&self, staging: &Staging) -> Result<()> {
        let text = format!("writing the snapshot of {} to disk", self.job.name);
        Ok(self.cx.app.terminal.phase("write", &text, || self.target.flush(staging))?)
    }

    /// 7. Publish.
    pub fn publish(
        &self,
        staging: &Staging,
        finished: Finished,
        workspace: Option<FileHash>,
        downtime: Option<Duration>,
        same: Option<Same>,
    ) -> Result<Published> {
        if self.cx.request.output.is_some() {
            self.cx.app.signals.check()?;
            self.target.publish(staging)?;
            let Finished { artifact, trim, .. } = finished;
            return Ok(Published { artifact, metadata: None, trim, downtime, unchanged: false });
        }
        let metadata = self.metadata(staging, &finished, workspace, downtime)?;
        self.cx.app.signals.check()?;
        let _lock = lock::library(self.cx.app, self.job.name.as_str())?;
        let Finished { artifact, trim, kept, .. } = finished;
        let kept_same = same.as_ref().map(|same| self.keep_same(same)).transpose()?.flatten();
        let is_as_read = kept_same.is_none() || same.is_some_and(|same| same.has_same_chunks);
        let published = if let Some((metadata, artifact)) = kept_same {
            let trim = metadata.trim;
            Published { artifact, metadata: Some(metadata), trim, downtime, unchanged: true }
        } else {
            let metadata = Some(self.publish_in_library(staging, metadata)?);
            Published { artifact, metadata, trim, downtime, unchanged: false }
        };
        let read = if let Kept::InChunks { read, .. } = kept { read } else { None };
        if let (Some(read), Some(metadata)) = (read.filter(|_| is_as_read), &published.metadata) {
            // Without it, the next freeze takes longer.
            let _ = read.write(metadata);
        }
        Ok(published)
    }

    /// The caller has the lock of the VM's snapshots.
    fn publish_in_library(&self, staging: &Staging, mut metadata: Metadata) -> Result<Metadata> {
        let (vm, request) = (self.job.name.as_str(), self.cx.request);
        let (all, _) = catalog::list(Some(vm))?;
        metadata.sequence = Some(catalog::next_sequence(&all));
        metadata.parent = library::parent(&all, vm, self.vm.created_at);
        if !request.moves_tags() {
            free_tags(vm, &self.id, &request.tags, false)?;
        }
        self.target.publish_snapshot(staging, &metadata)?;
        // Only now: a tag of two snapshots is the newer one's, a tag of none would be lost.
        if request.moves_tags() {
            if let Err(failure) = free_tags(vm, &self.id, &request.tags, true) {
                self.job.warnings.warn(format!("an older snapshot keeps its tag: {failure}"));
            }
        }
        Ok(metadata)
    }

    /// Records the warnings that came after the snapshot was published in it too: of a hook that was skipped, or of a VM that did
    /// not start again. If this fails, the report has them. What is recorded then.
    pub fn record_late_warnings(&self, published: Metadata) -> Metadata {
        let warnings = self.job.warnings.list();
        if published.warnings == warnings {
            return published;
        }
        let record = || {
            let _lock = lock::library(self.cx.app, &published.vm).ok()?;
            // Another command may have given it a tag.
            let Stored { mut metadata, folder, .. } =
                catalog::find(&format!("{}@{}", published.vm, published.id)).ok()?;
            metadata.warnings = warnings;
            metadata.write(&folder).ok().map(|()| metadata)
        };
        record().unwrap_or(published)
    }

    /// What the library records of the snapshot.
    pub fn metadata(
        &self,
        staging: &Staging,
        finished: &Finished,
        workspace: Option<FileHash>,
        downtime: Option<Duration>,
    ) -> Result<Metadata> {
        let artifact = &finished.artifact;
        let launcher = self.cx.request.launcher.then(|| packed::hash(&staging.launcher())).transpose()?;
        let name = if self.plan.is_live() { layout::CHECKPOINT } else { layout::ARTIFACT };
        let file = match &finished.kept {
            Kept::Whole(file) => Some(file.clone()),
            Kept::InChunks { .. } => None,
        };
        let files = [(name, file), (layout::LAUNCHER, launcher), (layout::WORKSPACE, workspace)];
        let metadata = Metadata {
            platform: artifact.manifest.host_platform().map(str::to_owned),
            machine: Configuration {
                env: artifact.manifest.env_names(),
                secrets: finished.secrets.clone(),
                ..self.plan.known.clone()
            },
            files: files.into_iter().filter_map(|(name, file)| Some((name.to_owned(), file?))).collect(),
            downtime_seconds: downtime.map(|downtime| downtime.as_secs_f64()),
            trim: finished.trim,
            ..self.draft()
        };
        Ok(match &finished.kept {
            Kept::Whole(_) => metadata,
            Kept::InChunks { index, artifact, way, .. } => {
                Metadata { way: Some(*way), ..metadata.with_chunks(index.clone(), artifact.clone()) }
            }
        })
    }

    /// What is known of the snapshot before the VM is packed.
    pub fn draft(&self) -> Metadata {
        let request = self.cx.request;
        Metadata {
            format: FORMAT,
            id: self.id.clone(),
            vm: self.vm.name.clone(),
            created: clock::rfc3339_millis(SystemTime::now()),
            sequence: None,
            parent: None,
            scrubbed: Vec::new(),
            tags: request.tags.clone(),
            note: request.note.clone(),
            labels: request.labels.clone(),
            engine_version: self.cx.engine.version().to_string(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: None,
            machine: self.plan.known.clone(),
            files: BTreeMap::new(),
            artifact: None,
            way: None,
            trim: Trim::default(),
            downtime_seconds: None,
            warnings: self.job.warnings.list(),
            origin: Some(Origin::here()),
            other: serde_json::Map::new(),
        }
    }
}
