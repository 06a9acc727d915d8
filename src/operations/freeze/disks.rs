//! Step 5 of a freeze, without the engine: the chunks of a snapshot from the disks of the VM.

use super::context::{Context, Freeze};
use super::pattern;
use super::plan::{Step, reads_disks};
use super::source::Source;
use super::stopped::Stopped;
use super::take::{MAY_BE_IN_IT, Written};
use super::unread::{Unread, only_engine};
use crate::error::{Failure, Result, Status};
use crate::library::store::{self, Runtime, StoreError};
use crate::library::{DisksRead, Staging, Trim, Way};
use crate::operations::{disks, packed};
use crate::smolvm::{Disk, DiskError, Disks, Fact, Known, Machine, Name, State, check_bare};
use std::io;
use std::path::Path;
use std::time::SystemTime;

impl Freeze<'_> {
    /// Takes the disks of the VM apart. Nothing is written if only the engine can pack it: then the reason is returned, and
    /// printed with --verbose. If the VM is to be started again, they are cloned where the file system can do that, and it is
    /// started before they are read; `before` is how they were. Also returns what is known of their free blocks.
    ///
    /// # Errors
    /// A process has the disks open, a disk cannot be read, or the chunks cannot be written.
    pub fn read_disks(
        &self,
        staging: &Staging,
        before: Option<&(&Path, Disks)>,
        vm: &mut Stopped,
    ) -> Result<std::result::Result<(Written, FreeBlocks), Unread>> {
        let app = self.cx.app;
        // It was listed before it was stopped.
        let mut listed = self.vm.clone();
        if listed.state.is_up() {
            listed.state = State::Stopped;
            if let Some(folder) = &self.disks {
                disks::check_unused(self.cx.engine, &self.job.name, &listed.state, folder)?;
            }
        }
        let (began, mut free) = (SystemTime::now(), FreeBlocks::default());
        let (runtime, mut source) = match self.source(&listed, &mut free) {
            Ok(found) => found,
            Err(why) => return Ok(Err(self.unread(why.into()))),
        };
        // A clone is the snapshot, whatever the VM does with its own disks then.
        let is_cloned = vm.is_to_restart() && clone(&mut source, staging.path());
        if is_cloned {
            self.check_untouched(before)?;
            vm.restart();
        }
        let folder = staging.make_snapshot().map_err(|error| Failure::not_writable(&staging.snapshot(), &error))?;
        let text = format!("reading the disks of {}", self.job.name);
        let now = if is_cloned { None } else { DisksRead::now(source.as_read()) };
        let last = self.last_with_disks(source.disks(), now.as_ref());
        let write = |runtime: &Runtime| {
            let read = |on_bytes: &dyn Fn(u64)| source.write(&folder, runtime, last.as_ref(), &app.signals, on_bytes);
            app.terminal.counted("read", &text, || source.data_bytes(last.as_ref()), read)
        };
        match self.over_runtime(&folder, runtime, write)? {
            Ok((index, recorded, added)) => {
                let read = now.filter(|_| source.is_as_opened()).and_then(|now| now.settled(began));
                let (index, secrets) = (Box::new(index), source.secrets());
                Ok(Ok((Written::Chunks { index, recorded, added, secrets, way: Way::Disks, read }, free)))
            }
            Err(unread) => {
                clear(&folder);
                if is_cloned {
                    return Err(too_late(&self.job.name, &unread.why));
                }
                Ok(Err(self.unread(unread)))
            }
        }
    }

    /// Prints why the disks are not read, with --verbose.
    fn unread(&self, unread: Unread) -> Unread {
        self.cx.app.terminal.detail(&only_engine(&self.job.name, &unread.why));
        unread
    }

    /// Writes the chunks to this folder, over what the engine adds. If that is damaged in the library, it is made again, and all
    /// is written once more: the disks, or their clones, are still open. Or why only the engine can pack the VM.
    fn over_runtime<T>(
        &self,
        folder: &Path,
        runtime: &Runtime,
        write: impl Fn(&Runtime) -> std::result::Result<T, StoreError>,
    ) -> Result<std::result::Result<T, Unread>> {
        let Context { app, engine, .. } = self.cx;
        let written = match write(runtime) {
            Err(error) if is_of(&error, runtime) => {
                app.terminal.detail(&format!("{DAMAGED}, and is made again"));
                clear(folder);
                let again = pattern::again(app, engine, runtime);
                app.signals.check()?;
                match again {
                    Ok(runtime) => write(&runtime),
                    Err(failure) => return Ok(Err(format!("{DAMAGED}, and cannot be made again: {failure}").into())),
                }
            }
            written => written,
        };
        written.map(Ok).or_else(|error| why_only_engine(error, runtime).map(Err))
    }

    /// What is read of the VM, and what the engine adds; or why only the engine can pack it.
    fn source(&self, vm: &Machine, free: &mut FreeBlocks) -> std::result::Result<(&Runtime, Source), String> {
        let engine = self.cx.engine;
        let folder = self.disks.as_deref().ok_or("its disks were not found")?;
        let record = engine.record(&self.job.name).ok_or("what smolvm recorded of it cannot be read")?;
        let pattern = self.pattern.as_deref().ok_or("it has no pattern")?;
        let (runtime, trial) = pattern.as_ref().map_err(String::clone)?;
        let mut open = |path: &Path| self.open(path, free);
        let (record, template, version) = (&record, runtime.index.manifest.get(), engine.version());
        let known = Known { vm, record, trial, template, folder, engine: engine.path(), version };
        Ok((runtime, Source::of(&known, !self.cx.request.no_workspace, &mut open)?))
    }

    /// Opens a disk. What its file system does not use is left out, if the user wants that and it is known.
    fn open(&self, path: &Path, free: &mut FreeBlocks) -> std::result::Result<Disk, DiskError> {
        let mut disk = Disk::open(path)?;
        if self.cx.request.no_trim {
            return Ok(disk);
        }
        let (terminal, disk_name) = (&self.cx.app.terminal, path.display());
        match disk.trim() {
            Ok(bytes) => {
                terminal.detail(&format!("{} of {disk_name} are free, and are left out", packed::size(bytes)));
                free.bytes = free.bytes.saturating_add(bytes);
            }
            Err(error) => {
                terminal.detail(&format!("all data of {disk_name} is kept: {error}"));
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                free.kept.push(format!("{file} ({error})"));
            }
        }
        Ok(disk)
    }

    /// Warns if the engine packs disks as they are, from which what was deleted would have been left out.
    pub fn warn_of_pack(&self) {
        let (request, version) = (self.cx.request, self.cx.engine.version());
        let would_be_read = reads_disks(request) && (self.plan.has(&Step::ReadDisks) || check_bare(version).is_err());
        let is_kept = !self.plan.has(&Step::Trim) && !request.no_trim && self.vm.image.is_none();
        if would_be_read && is_kept && version.has(Fact::StopFlushes) {
            self.warn_once(&format!("{MAY_BE_IN_IT}: smolvm packs its disks as they are"));
        }
    }

    /// What became of the free blocks of disks that were read. Warns if they are kept, unless the engine always leaves its disks
    /// so: then it would at each freeze.
    pub fn trim_of(&self, free: &FreeBlocks) -> Trim {
        if self.vm.image.is_some() {
            return Trim::default();
        }
        let is_trimmed = !self.cx.request.no_trim && free.kept.is_empty();
        if !free.kept.is_empty() && self.cx.engine.version().has(Fact::StopFlushes) {
            let kept = free.kept.join(" and ");
            self.warn_once(&format!("{MAY_BE_IN_IT}: no free block is left out of {kept}"));
        }
        Trim { trimmed: Some(is_trimmed), trimmed_bytes: Some(free.bytes).filter(|bytes| *bytes > 0) }
    }
}

/// What is known of the blocks that no file uses.
#[derive(Default)]
pub struct FreeBlocks {
    /// Bytes of those that are left out.
    bytes: u64,
    /// The disks of which none is left out, and why.
    kept: Vec<String>,
}

/// The failure if only the engine can pack the VM, which runs again by now.
fn too_late(name: &Name, why: &str) -> Failure {
    let what = format!("only the engine can pack '{name}': {why}");
    Failure::new(Status::Failed, what).hint("freeze it again, with --engine-pack")
}

/// What is wrong with a runtime.
const DAMAGED: &str = "what the engine adds is damaged in the library";

/// Whether a chunk of the runtime is damaged.
fn is_of(error: &StoreError, runtime: &Runtime) -> bool {
    matches!(error, StoreError::Damaged { folder, .. } if *folder == runtime.folder)
}

/// Why only the engine can pack the VM, if what failed is no more than that.
fn why_only_engine(error: StoreError, runtime: &Runtime) -> Result<Unread> {
    let is_denied = |error: &DiskError| match error {
        DiskError::Unreadable { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        DiskError::Unknown { .. } => false,
    };
    match error {
        StoreError::Content(why) => Ok(format!("its disks do not fit into a list of chunks: {why}").into()),
        StoreError::Disk(error @ DiskError::Unknown { .. }) => Ok(error.to_string().into()),
        // A file of an image on this host, such as one that root made.
        StoreError::Disk(error) if is_denied(&error) => {
            Ok(Unread { why: error.to_string(), hint: Some("give your user read access to all files of the image") })
        }
        error if is_of(&error, runtime) => {
            runtime.remove();
            Ok(DAMAGED.to_owned().into())
        }
        error => Err(error.into()),
    }
}

/// Clones the disks of a bare VM, if all of them can be cloned, and read to the end.
fn clone(source: &mut Source, folder: &Path) -> bool {
    let Source::Bare(direct) = source else { return false };
    direct.disks.iter_mut().all(|(_, disk)| disk.clone_into(folder).is_ok() && disk.data_bytes().is_ok())
}

/// Removes the chunks that were written in vain.
fn clear(folder: &Path) {
    // A rest stays in the private folder, which is removed in the end.
    let _ = store::remove_objects(folder);
    let _ = std::fs::remove_dir_all(folder);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::store::Index;
    use serde_json::value::RawValue;
    use std::path::PathBuf;

    fn why(source: io::ErrorKind) -> Result<Unread> {
        let index = Index::new("{}".into(), Vec::new()).unwrap();
        let record = RawValue::from_string("{}".into()).unwrap();
        let runtime = Runtime { folder: PathBuf::from("runtime"), index, record };
        let path = PathBuf::from("/rootfs/etc/shadow");
        why_only_engine(StoreError::Disk(DiskError::Unreadable { path, source: source.into() }), &runtime)
    }

    #[test]
    fn a_file_of_an_image_that_this_user_may_not_read_is_left_to_the_engine_or_named_with_a_hint() {
        let unread = why(io::ErrorKind::PermissionDenied).unwrap();
        assert_eq!(unread.why, "cannot read /rootfs/etc/shadow: permission denied");
        let name = "dev".parse().unwrap();
        let failed = unread.explain(&name, Failure::new(Status::Failed, "no VM starts here").hint("load the module"));
        let what =
            "only the engine can pack 'dev' (cannot read /rootfs/etc/shadow: permission denied): no VM starts here";
        assert_eq!(failed.what, what);
        assert_eq!(failed.hint.unwrap(), "give your user read access to all files of the image; or load the module");
        let full = unread.explain(&name, Failure::new(Status::NotWritable, "no space"));
        assert_eq!((full.what.as_str(), full.hint), ("no space", None));
        assert_eq!(why(io::ErrorKind::InvalidData).err().unwrap().status, Status::Failed);
    }
}
