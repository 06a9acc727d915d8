//! Steps 5 and 6 of a freeze: what is written into the private folder, and whether that can be believed.

use super::context::Freeze;
use super::plan::{IN_ARTIFACT, ORDINARY, Step};
use super::stopped::Stopped;
use super::unread::Unread;
use crate::error::{Failure, Result, Status};
use crate::library::store::{self, Added, Index, StoreError};
use crate::library::{DisksRead, FileHash, InChunks, Staging, Trim, Way, layout};
use crate::operations::start::check_packing;
use crate::operations::{fidelity, packed, workspace};
use crate::smolvm::artifact::{Artifact, ArtifactError};
use crate::smolvm::secrets;
use crate::smolvm::{
    CHECKPOINT_SUFFIX, CheckpointOptions, Disks, EngineError, Fact, PackOptions, PackStep, Reason, StreamedHash,
    end_helpers, follow,
};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a warning begins where something deleted is not left out.
pub const MAY_BE_IN_IT: &str = "what was deleted in it may be in the snapshot";
/// The name of the engine's store in the private folder.
const ENGINE_STORE: &str = "store";

/// What was taken.
pub struct Taken<'a> {
    /// The folder of the VM's disks, and how they were just before; `None` if the engine does not say, or the VM runs on.
    pub disks: Option<(&'a Path, Disks)>,
    /// Whether the VM runs again, and its disks were checked before.
    is_restarted: bool,
    /// How long the VM was paused, if it runs on.
    pub paused: Option<Duration>,
    /// What became of what was deleted.
    trim: Trim,
    /// What is in the private folder.
    written: Written,
}

pub enum Written {
    /// The engine's artifact; its hash, if all of it was read while it was written.
    Artifact(Option<StreamedHash>),
    /// Its chunks, and the file that lists them.
    Chunks {
        index: Box<Index>,
        recorded: FileHash,
        added: Added,
        secrets: Vec<String>,
        way: Way,
        read: Option<DisksRead>,
    },
}

/// What was taken and checked.
pub struct Finished {
    /// The artifact.
    pub artifact: Artifact,
    /// What became of what was deleted.
    pub trim: Trim,
    /// The variables whose references to secrets were removed.
    pub secrets: Vec<String>,
    /// How it is kept.
    pub kept: Kept,
}

/// How an artifact is kept.
pub enum Kept {
    /// As one file.
    Whole(FileHash),
    /// In chunks.
    InChunks {
        /// The file that lists them.
        index: FileHash,
        /// What that file lists.
        contents: Box<Index>,
        /// For the snapshot.json.
        artifact: InChunks,
        /// How it was made.
        way: Way,
        /// The disks of which it is known what they were.
        read: Option<DisksRead>,
    },
}

impl Freeze<'_> {
    /// Saves `/workspace`, where the engine's pack cannot carry it. The VM runs for that.
    pub fn save_workspace(&self, staging: &Staging) -> Result<Option<FileHash>> {
        let is_saved = self.plan.has(&Step::SaveWorkspace);
        is_saved.then(|| workspace::save(self.cx.app, self.cx.engine, &self.job.name, staging)).transpose()
    }

    /// Has the guest drop what was deleted, where the engine takes its disks as they are. It runs for that. Returns whether it
    /// did.
    pub fn trim_guest(&self) -> Result<bool> {
        let (Self { cx, job, .. }, name) = (self, &self.job.name);
        if !self.plan.has(&Step::Trim) {
            return Ok(false);
        }
        let text = format!("trimming the disks of {name}");
        let failed = cx.app.terminal.phase("trim", &text, || cx.engine.machine_trim(name))?;
        if let Some(why) = &failed {
            job.warnings.warn(format!("{MAY_BE_IN_IT}: '{name}' did not trim its disks ({why})"));
        }
        Ok(failed.is_none())
    }

    /// 5. Take the disks, or the state of a VM that runs on. Its guest may have trimmed them.
    pub fn take(&self, staging: &Staging, vm: &mut Stopped, is_trimmed: bool) -> Result<Taken<'_>> {
        if self.plan.is_live() {
            return self.checkpoint(staging);
        }
        // An artifact of a VM made from an image has no disks.
        let trim = Trim { trimmed: self.vm.image.is_none().then_some(is_trimmed), trimmed_bytes: None };
        let disks = self.disks.as_deref().and_then(|folder| Some((folder, Disks::read(folder).ok()?)));
        let reads = self.plan.has(&Step::ReadDisks);
        let read = reads.then(|| self.read_disks(staging, disks.as_ref(), vm)).transpose()?;
        let (written, trim) = match read {
            Some(Ok((written, free))) => (written, self.trim_of(&free)),
            Some(Err(unread)) => (self.pack_unread(staging, &unread)?, trim),
            None => {
                self.warn_of_pack();
                (self.pack(staging)?, trim)
            }
        };
        Ok(Taken { disks, is_restarted: vm.is_restarted(), paused: None, trim, written })
    }

    /// Has the engine pack what could not be read. What it packs of an image, it packs in a VM.
    fn pack_unread(&self, staging: &Staging, unread: &Unread) -> Result<Written> {
        self.warn_of_pack();
        if self.vm.image.is_none() {
            return self.pack(staging);
        }
        let packed = check_packing(self.cx.engine).and_then(|()| self.pack(staging));
        packed.map_err(|failure| unread.explain(&self.job.name, failure))
    }

    fn pack(&self, staging: &Staging) -> Result<Written> {
        let (name, terminal) = (&self.job.name, &self.cx.app.terminal);
        let smolfile = self.smolfile(staging.path());
        if let Some(path) = &smolfile {
            std::fs::write(path, "net = false\n").map_err(|error| Failure::not_writable(path, &error))?;
        }
        let launcher = staging.launcher();
        let options = self.pack_options(staging.path(), &launcher, smolfile.as_deref());
        let mut progress = terminal.progress("pack", &format!("packing {name}"), Some(staging.path()));
        let mut on_step = |step| packed::show_step(&mut progress, step);
        let mut pack = || self.cx.engine.pack_create_from_vm(name, &options, &mut on_step);
        let (packed, followed) = if self.cx.request.keeps_whole() {
            follow(&staging.sidecar(), &self.cx.app.signals, pack)
        } else {
            // Read when it is taken apart.
            (pack(), None)
        };
        progress.end(packed.is_ok());
        if packed.is_err() {
            end_helpers(staging.path());
        }
        match packed {
            Ok(()) => self.take_apart(staging, followed),
            Err(error) if error.reason() == Reason::NeverStarted => {
                let what = format!("'{name}' has no disk yet: it was never started");
                Err(Failure::new(Status::BadState, what).hint(format!("start it with `bottle-freeze start {name}`")))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn checkpoint(&self, staging: &Staging) -> Result<Taken<'_>> {
        let (name, terminal) = (&self.job.name, &self.cx.app.terminal);
        let (saved, store) = (checkpoint_path(staging.path()), self.make_engine_store(staging)?);
        let options = CheckpointOptions { folder: staging.path(), output: &saved, store: store.as_deref() };
        let text = format!("saving {name}, which is paused");
        let mut progress = terminal.progress("checkpoint", &text, Some(staging.path()));
        let mut on_step = |step: Option<PackStep>| {
            packed::show_step(&mut progress, step.filter(|step| *step == PackStep::Resumed));
        };
        let mut save = || self.cx.engine.machine_checkpoint(name, options, &mut on_step);
        let (paused, followed) =
            if self.cx.request.keeps_whole() { follow(&saved, &self.cx.app.signals, save) } else { (save(), None) };
        progress.end(paused.is_ok());
        let paused = paused?;
        let written = if store.is_some() {
            self.take_in(staging, &saved)?
        } else {
            // If there is nothing after all, the check fails.
            let _ = std::fs::rename(&saved, staging.sidecar());
            self.take_apart(staging, followed)?
        };
        // The engine copies the files of its disks, with what it has freed in them.
        let trim = Trim::default();
        Ok(Taken { disks: None, is_restarted: false, paused, trim, written })
    }

    /// The store in the private folder that the engine gets for the chunks of a running VM, if it can use one.
    pub fn engine_store(&self, folder: &Path) -> Option<PathBuf> {
        let has_one = !self.cx.request.keeps_whole() && self.cx.engine.version().has(Fact::StoresAnyVm);
        has_one.then(|| folder.join(ENGINE_STORE))
    }

    /// Makes it, with the chunks of the last snapshot of the VM. None on a file system without hard links, which the
    /// engine needs.
    fn make_engine_store(&self, staging: &Staging) -> Result<Option<PathBuf>> {
        let Some(store) = self.engine_store(staging.path()) else { return Ok(None) };
        let objects = store.join(layout::OBJECTS);
        std::fs::create_dir_all(&objects).map_err(|error| Failure::not_writable(&objects, &error))?;
        if !staging.can_link(&objects) {
            return Ok(None);
        }
        if let Some((last, index)) = self.last().and_then(|last| last.index().map(|index| (last, index))) {
            store::lend(&last.folder, &index, &store);
        }
        Ok(Some(store))
    }

    /// Takes the chunks that the engine wrote of a running VM.
    fn take_in(&self, staging: &Staging, saved: &Path) -> Result<Written> {
        let folder = staging.make_snapshot().map_err(|error| Failure::not_writable(&staging.snapshot(), &error))?;
        let (app, text) = (self.cx.app, format!("storing the snapshot of {}", self.job.name));
        let last = self.last_index();
        let take_in = || store::take_in(&folder, saved, None, last.as_ref(), &app.signals);
        let taken = app.terminal.phase("store", &text, take_in);
        let (index, recorded, added) = taken.map_err(not_stored)?;
        let (index, secrets) = (Box::new(index), Vec::new());
        Ok(Written::Chunks { index, recorded, added, secrets, way: Way::Engine, read: None })
    }

    /// Takes what the engine packed apart, unless it is kept as a file.
    fn take_apart(&self, staging: &Staging, followed: Option<StreamedHash>) -> Result<Written> {
        let (app, sidecar) = (self.cx.app, staging.sidecar());
        if self.cx.request.keeps_whole() {
            return Ok(Written::Artifact(followed));
        }
        let folder = staging.make_snapshot().map_err(|error| Failure::not_writable(&staging.snapshot(), &error))?;
        let (text, mut secrets) = (format!("storing the snapshot of {}", self.job.name), Vec::new());
        let last = self.last_index();
        let apart = app.terminal.phase("store", &text, || {
            store::take_apart(&folder, &sidecar, last.as_ref(), &app.signals, |manifest| {
                let (manifest, names) = secrets::without(manifest)?;
                secrets = names;
                Some(manifest)
            })
        });
        let Some((index, recorded, added)) = apart.map_err(not_stored)? else {
            let _ = std::fs::remove_dir_all(folder);
            return Ok(Written::Artifact(None));
        };
        // Its chunks are on the disk, and it may be as large again.
        let _ = std::fs::remove_file(&sidecar);
        Ok(Written::Chunks { index: Box::new(index), recorded, added, secrets, way: Way::Engine, read: None })
    }

    /// How the engine packs the VM.
    pub fn pack_options<'p>(
        &self,
        folder: &'p Path,
        launcher: &'p Path,
        smolfile: Option<&'p Path>,
    ) -> PackOptions<'p> {
        PackOptions {
            folder,
            launcher,
            cpus: Some(self.vm.cpus),
            memory_mib: Some(self.vm.memory_mib),
            smolfile,
            include_workspace: self.vm.image.is_some() && !self.cx.request.no_workspace,
        }
    }

    /// The file that closes the network in the artifact. A pack says only "network: yes or no": one that says yes would
    /// open all of it to a VM that had limits.
    pub fn smolfile(&self, folder: &Path) -> Option<PathBuf> {
        self.vm.network.then(|| folder.join("closed.smolfile"))
    }

    /// 6. Verify: the artifact is whole, and the VM was not touched meanwhile.
    pub fn check(&self, staging: &Staging, taken: Taken) -> Result<Finished> {
        let (text, mut losses) = (format!("checking the snapshot of {}", self.job.name), Vec::new());
        let trim = taken.trim;
        let finished = match taken.written {
            Written::Artifact(followed) => {
                let check = || packed::check(self.cx.app, staging, followed);
                let secrets::Finished { artifact, sha256, secrets } =
                    self.cx.app.terminal.phase("check", &text, check)?;
                let kept = Kept::Whole(FileHash { bytes: artifact.bytes, sha256 });
                Finished { artifact, trim, secrets, kept }
            }
            Written::Chunks { index, recorded, added, secrets, way, read } => {
                let unshared = "its chunks are not shared: the file system of the library has no hard links";
                losses.extend(added.is_unshared.then(|| unshared.to_owned()));
                let artifact = index.artifact()?;
                let in_chunks = InChunks::new(&artifact, added);
                let kept = Kept::InChunks { index: recorded, contents: index, artifact: in_chunks, way, read };
                Finished { artifact, trim, secrets, kept }
            }
        };
        let recorded = &finished.artifact.manifest;
        let live = self.plan.is_live();
        // A live one has the network that the VM had, and all its limits.
        let opens = recorded.network && !live;
        if opens
            || (u32::from(recorded.cpus), recorded.mem) != (self.vm.cpus, self.vm.memory_mib)
            || recorded.is_live() != live
        {
            let what = "the engine recorded another network, CPU count or memory size than it was given";
            return Err(Failure::new(Status::Failed, what));
        }
        if recorded.lacks_image() {
            let what = format!("'{}' cannot be frozen live: {IN_ARTIFACT}", self.job.name);
            return Err(Failure::new(Status::BadState, what).hint(ORDINARY));
        }
        if !taken.is_restarted {
            self.check_untouched(taken.disks.as_ref())?;
        }
        if !finished.secrets.is_empty() {
            losses.push(fidelity::secrets_left_out(&finished.secrets));
        }
        for foreseen in &losses {
            self.warn_once(foreseen);
        }
        Ok(finished)
    }

    pub fn check_untouched(&self, disks: Option<&(&Path, Disks)>) -> Result<()> {
        let (name, live) = (&self.job.name, self.plan.is_live());
        let now = self.cx.engine.machine_listed(name).map_err(|error| {
            let failure = match error {
                EngineError::NoSuchVm(_) => {
                    Failure::new(Status::Failed, format!("'{name}' was deleted while it was packed"))
                }
                error => error.into(),
            };
            failure.state("the snapshot was thrown away, because the VM may have changed while it was packed")
        })?;
        let is_same = if live { self.vm.goes_on_in(&now) } else { self.vm.is_untouched_in(&now) };
        let are_untouched =
            |(folder, before): &(&Path, Disks)| Disks::read(folder).is_ok_and(|now| before.are_untouched_in(&now));
        if is_same && disks.is_none_or(are_untouched) {
            return Ok(());
        }
        let how = if live { "stopped" } else { "started" };
        Err(Failure::new(Status::Failed, format!("'{name}' was {how} or replaced while it was packed"))
            .state(format!("the snapshot was thrown away; it is {}", now.state))
            .hint("freeze it again"))
    }
}

/// What the engine wrote is not whole, or its chunks cannot be written.
fn not_stored(error: StoreError) -> Failure {
    match error {
        StoreError::Artifact { error, .. } => packed::not_whole(&error),
        StoreError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            packed::not_whole(&source.into())
        }
        StoreError::Damaged { .. } | StoreError::Index { .. } => {
            packed::not_whole(&ArtifactError::Damaged(error.to_string()))
        }
        error => error.into(),
    }
}

/// Where the engine writes the state of a VM that runs on.
pub fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join("live").with_extension(CHECKPOINT_SUFFIX)
}
