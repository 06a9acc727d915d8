//! Replaces a VM by the one that a thaw makes: it is frozen into the library first.

use super::Thaw;
use crate::error::{Failure, Result, Status};
use crate::library::{self, Creation, Lock, Tag, undo};
use crate::operations::state::state_now;
use crate::operations::{freeze, lock, tags};
use crate::smolvm::{Disks, Machine};

impl Thaw<'_> {
    /// Freezes the VM of that name, which is `there`, and deletes it. The snapshot that holds it now, and the lock of its name.
    ///
    /// # Errors
    /// The VM is still there, in the state that the failure says.
    pub(super) fn replace(&self, there: &Machine) -> Result<(String, Lock)> {
        let Self { app, engine, request, warnings, .. } = self;
        let name = &self.plan.name;
        let now = engine.machine_listed(name)?;
        if now.created_at != there.created_at || (now.state.is_up() && !there.state.is_up()) {
            return Err(self.is_another(&now).and_state("nothing was changed"));
        }
        let snapshot = request.snapshot.to_string_lossy();
        let (how, undo): (_, Vec<Tag>) = if request.undoable {
            ("a rollback to", undo::new_tag(name.as_str())?.into_iter().collect())
        } else {
            ("a thaw of", Vec::new())
        };
        let described = (format!("replaced by {how} {snapshot}"), undo.clone());
        let frozen = freeze::into_library(app, engine, name, described, warnings);
        let (kept, disks) = frozen.map_err(|failure| match failure.status {
            Status::NotConfirmed => failure.hint(format!("stop it first, with `bottle-freeze stop {name}`")),
            Status::Locked => failure.hint(lock::LATER),
            _ => failure,
        })?;
        match self.delete(there, disks.as_ref()) {
            Ok(lock) => Ok((kept, lock)),
            Err(failure) => {
                let failure = failure.and_state(format!("it was frozen as {kept}"));
                Err(if self.is_still(there) { self.without_undo(&kept, &undo, failure) } else { failure })
            }
        }
    }

    /// Deletes the VM that was frozen, if it is still that one, with these disks. The lock of its name.
    fn delete(&self, there: &Machine, disks: Option<&Disks>) -> Result<Lock> {
        let Self { app, engine, .. } = self;
        let name = &self.plan.name;
        let lock = lock::name(app, engine, name)?;
        let now = engine.machine_listed(name)?;
        // Another program may have started and stopped it since.
        let are_same = |disks: &Disks| {
            let folder = engine.machine_data_dir(name).ok();
            folder.and_then(|folder| Disks::read(&folder).ok()).is_some_and(|now| disks.are_untouched_in(&now))
        };
        if now.state.is_up() || now.created_at != there.created_at || !disks.is_none_or(are_same) {
            return Err(self.is_another(&now));
        }
        app.terminal.phase("delete", &format!("deleting {name}"), || engine.machine_delete(name)).map_err(|error| {
            let failure = Failure::from(error);
            state_now(engine, name).into_iter().fold(failure, Failure::state)
        })?;
        Creation::forget(name.as_str());
        library::remove_artifact(name.as_str());
        Ok(lock)
    }

    fn is_another(&self, now: &Machine) -> Failure {
        let what = format!("'{}' was started or replaced by another command in the meantime", self.plan.name);
        Failure::new(Status::Failed, what).hint("try again").state(format!("it is {}", now.state))
    }

    /// Whether the VM that was to be deleted is there.
    fn is_still(&self, there: &Machine) -> bool {
        // The engine is asked after a signal, too.
        let _cleanup = self.engine.signals().recovering();
        self.engine.machine_listed(&self.plan.name).is_ok_and(|now| now.created_at == there.created_at)
    }

    /// Removes the tag by which `rollback --undo` would return to a VM that was not replaced.
    fn without_undo(&self, kept: &str, undo: &[Tag], failure: Failure) -> Failure {
        let _cleanup = self.engine.signals().recovering();
        match tags::remove(self.app, kept, undo) {
            Ok(()) => failure,
            Err(error) => failure.and_state(format!("its tag could not be removed: {error}")),
        }
    }

    /// Adds to the failure to make the new VM how the replaced one, which is `kept`, comes back.
    pub(super) fn with_way_back(&self, failure: Failure, kept: &str) -> Failure {
        let name = &self.plan.name;
        let failure = failure.and_state(format!("the VM that was there is kept as {kept}"));
        let back = if self.request.undoable {
            format!("bring it back with `bottle-freeze rollback {name} --undo`")
        } else {
            format!("bring it back with `bottle-freeze thaw {kept}`")
        };
        // The engine is asked after a signal, too.
        let _cleanup = self.engine.signals().recovering();
        let is_there = self.leaves(&failure) && self.engine.machine_listed(name).is_ok();
        match failure.hint.clone().filter(|_| is_there) {
            Some(hint) if self.request.undoable => failure.hint(format!("{hint}, or {back}")),
            Some(_) => failure,
            None => failure.hint(back),
        }
    }
}
