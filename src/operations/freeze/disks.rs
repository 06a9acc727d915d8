//! Step 5 of a freeze, without the engine: the chunks of a snapshot from the disks of the VM.

use super::context::Freeze;
use super::take::Written;
use crate::app::App;
use crate::error::{Failure, Result};
use crate::library::store::{self, Runtime, StoreError, Writer};
use crate::library::{Staging, Way, library_staging};
use crate::operations::packed;
use crate::smolvm::artifact::Part;
use crate::smolvm::{Direct, DiskError, Name, Record, Smolvm, State, direct};
use std::path::Path;

impl Freeze<'_> {
    /// Takes the disks of the VM apart. Nothing is written if only the engine can pack it; why, is printed with --verbose.
    ///
    /// # Errors
    /// A disk cannot be read, or the chunks cannot be written.
    pub fn read_disks(&self, staging: &Staging) -> Result<Option<Written>> {
        let app = self.cx.app;
        let only_engine = |why: String| {
            app.terminal.detail(&only_engine(&self.job.name, &why));
            None
        };
        let Some((runtime, direct)) = self.direct()?.map_err(only_engine).ok() else { return Ok(None) };
        let folder = staging.make_snapshot().map_err(|error| Failure::not_writable(&staging.snapshot(), &error))?;
        let text = format!("reading the disks of {}", self.job.name);
        match app.terminal.phase("read", &text, || write(&folder, &runtime, &direct, app)) {
            Ok((index, added)) => {
                Ok(Some(Written::Chunks { index: Box::new(index), added, secrets: direct.secrets, way: Way::Disks }))
            }
            Err(StoreError::Disk(DiskError::Unknown { path, why })) => {
                clear(&folder);
                Ok(only_engine(format!("{} {why}", path.display())))
            }
            Err(StoreError::Damaged { folder: damaged, .. }) if damaged == runtime.folder => {
                clear(&folder);
                runtime.remove();
                Ok(only_engine("what the engine adds is damaged in the library".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the engine would pack, and what it adds; or why only the engine can pack it.
    fn direct(&self) -> Result<std::result::Result<(Runtime, Direct), String>> {
        let (app, engine) = (self.cx.app, self.cx.engine);
        let Some(folder) = &self.disks else { return Ok(Err("its disks were not found".to_owned())) };
        let Some(record) = engine.record(&self.job.name) else {
            return Ok(Err("what smolvm recorded of it cannot be read".to_owned()));
        };
        let runtime = runtime(app, engine)?;
        // It was listed before it was stopped.
        let mut vm = self.vm.clone();
        if vm.state.is_up() {
            vm.state = State::Stopped;
        }
        Ok(runtime.and_then(|(runtime, trial)| {
            let template = runtime.index.manifest.get();
            let direct = direct(&vm, &record, &trial, template, folder, engine.version())?;
            Ok((runtime, direct))
        }))
    }
}

/// The message that a VM is packed by the engine after all, and why.
pub fn only_engine(name: &Name, why: &str) -> String {
    format!("the engine packs '{name}': {why}")
}

/// Removes the chunks that were written in vain.
fn clear(folder: &Path) {
    // A rest stays in the private folder, which is removed in the end.
    let _ = store::remove_objects(folder);
    let _ = std::fs::remove_dir_all(folder);
}

/// Writes the chunks and the index: disks from the VM, all else from the runtime.
fn write(
    folder: &Path,
    runtime: &Runtime,
    direct: &Direct,
    app: &App,
) -> std::result::Result<(store::Index, store::Added), StoreError> {
    let signals = &app.signals;
    let (members, added, ()) = Writer::run(folder, signals, |feed| -> std::result::Result<(), StoreError> {
        for entry in &runtime.index.members {
            match direct.disks.iter().find(|(member, _)| member.path == entry.member.path) {
                Some((member, disk)) => {
                    feed.part(Part::Member(member))?;
                    disk.read::<StoreError>(signals, &mut |part| feed.part(part))?;
                }
                None => feed.known(entry, &runtime.folder)?,
            }
        }
        Ok(())
    })?;
    Ok((store::Index::new(direct.manifest.clone(), members)?, added))
}

/// What this engine adds to every artifact, and its record of an empty VM; packed once. Or why there is none.
fn runtime(app: &App, engine: &Smolvm) -> Result<std::result::Result<(Runtime, Record), String>> {
    let Some(key) = engine.runtime_key() else {
        return Ok(Err("its program does not say which engine it runs".to_owned()));
    };
    let found = match Runtime::find(&key) {
        None => make_runtime(app, engine, &key)?,
        found => found,
    };
    let record = found.as_ref().and_then(|runtime| Record::parse(runtime.record.get()));
    Ok(found.zip(record).ok_or_else(|| "its pack of an empty VM cannot be used".to_owned()))
}

/// Has the engine pack an empty VM, and keeps what is in the artifact.
fn make_runtime(app: &App, engine: &Smolvm, key: &str) -> Result<Option<Runtime>> {
    let staging = library_staging()?;
    let _leaves = packed::leaves(app, &staging);
    let trial =
        app.terminal.phase("trial", "packing an empty VM, once for this engine", || engine.try_to_pack(staging.path()));
    app.signals.check()?;
    let Some((artifact, record)) = trial.ok().and_then(|trial| Some((trial.artifact, trial.record?))) else {
        return Ok(None);
    };
    let folder = staging.make_snapshot().map_err(|error| Failure::not_writable(&staging.snapshot(), &error))?;
    let Some((index, _)) = store::take_apart(&folder, &artifact, &app.signals, |_| None)? else { return Ok(None) };
    let record = serde_json::value::RawValue::from_string(record.to_json());
    let record = record.map_err(|error| Failure::new(crate::error::Status::Failed, error.to_string()))?;
    Runtime::add(key, &folder, index.write(&folder)?, record)?;
    Ok(Runtime::find(key))
}
