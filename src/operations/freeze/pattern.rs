//! Step 2 of a freeze from the disks: an artifact of the same engine, as the pattern of the new one.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::library_staging;
use crate::library::store::{self, Runtime, Seen, StoreError};
use crate::operations::packed;
use crate::smolvm::{Record, Smolvm};
use crate::threads;
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What an engine adds to every artifact, and its record of an empty VM; or why only the engine can pack. All VMs of one
/// command share it.
pub type Pattern = Arc<std::result::Result<(Runtime, Record), String>>;

/// The key of the engine's runtime, which another thread finds out meanwhile: that looks at each file of the guest's system.
pub struct Key(Option<JoinHandle<Option<String>>>);

impl Key {
    /// Begins to find it out.
    pub fn of(app: &App, engine: &Smolvm) -> Self {
        let engine = app.share(engine);
        Self(threads::start(move || engine.runtime_key()).ok())
    }

    fn get(self, engine: &Smolvm) -> Option<String> {
        match self.0.map(JoinHandle::join) {
            Some(Ok(key)) => key,
            _ => engine.runtime_key(),
        }
    }
}

/// What this engine adds to every artifact, and its record of an empty VM; packed once. Or why there is none.
///
/// # Errors
/// A signal arrived.
pub fn pattern(app: &App, engine: &Smolvm, key: Key) -> Result<Pattern> {
    let found = match key.get(engine) {
        None => Err("its program does not say which engine it runs".to_owned()),
        Some(key) => match find(&key) {
            None => {
                make(app, engine, &key).map_err(|failure| format!("its pack of an empty VM cannot be used: {failure}"))
            }
            Some(found) => Ok(found),
        },
    };
    app.signals.check()?;
    Ok(Arc::new(found))
}

/// The engine's record of an empty VM, if one was packed before.
pub fn known_record(engine: &Smolvm, key: Key) -> Option<Record> {
    Record::parse(Runtime::find(&key.get(engine)?)?.record.get())
}

/// What this engine adds, made again because a chunk of it is damaged in the library; once for all VMs of this command.
///
/// # Errors
/// The engine cannot pack an empty VM, the library cannot be read or written, or a signal arrived.
pub fn again(app: &App, engine: &Smolvm, damaged: &Runtime) -> Result<Runtime> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(now) = Runtime::find(damaged.key()) {
        match store::verify(&now.folder, &now.index, &Seen::default(), &app.signals) {
            Err(StoreError::Damaged { .. }) => now.remove(),
            // The freeze of another VM has made it, or the store had the chunk.
            whole => return Ok(whole.map(|()| now)?),
        }
    }
    make(app, engine, damaged.key()).map(|(runtime, _)| runtime)
}

fn find(key: &str) -> Option<(Runtime, Record)> {
    let runtime = Runtime::find(key)?;
    let record = Record::parse(runtime.record.get());
    if record.is_none() {
        runtime.remove();
    }
    Some((runtime, record?))
}

/// Has the engine pack an empty VM, and keeps what is in the artifact.
fn make(app: &App, engine: &Smolvm, key: &str) -> Result<(Runtime, Record)> {
    let unknown = |what: &str| Failure::new(Status::Failed, format!("bottle-freeze does not know {what}"));
    let staging = library_staging()?;
    let _leaves = packed::leaves(app, &staging);
    let trial = app
        .terminal
        .phase("trial", "packing an empty VM, once for this engine", || engine.try_to_pack(staging.path()))?;
    let record = trial.record.ok_or_else(|| unknown("the engine's record of it"))?.to_json();
    let record = RawValue::from_string(record).map_err(|error| Failure::new(Status::Failed, error.to_string()))?;
    let folder = staging.make_snapshot().map_err(|error| Failure::not_writable(&staging.snapshot(), &error))?;
    let apart = store::take_apart(&folder, &trial.artifact, None, &app.signals, |_| None)?;
    let (_, recorded, _) = apart.ok_or_else(|| unknown("what is in it"))?;
    Runtime::add(key, &folder, recorded, record)?;
    find(key).ok_or_else(|| unknown("what was kept of it"))
}
