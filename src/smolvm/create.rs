//! `machine create`: the VM that was asked for, or none.
//!
//! An engine that is killed while it creates has made no VM yet: the record is the last thing that it writes (1.4.0 and
//! 1.32.2, killed at four moments each). But it may have just written it, and another command may have made a VM of that
//! name. So a signal stops the engine where it is, and then the list shows who has the name.

use super::call::{Call, EngineError, Outcome};
use super::{CreateOptions, Machine, Name, QUICK, Result, Smolvm, again_while_passing, change_lock, not_done};
use crate::{clock, signals};
use std::time::{Duration, SystemTime};

/// How long the list may take while an engine is stopped that may hold the database.
const LOOK: Duration = Duration::from_secs(10);

/// What an interrupted engine has left.
enum Left {
    /// No VM that it has made.
    Nothing,
    /// The VM that it has made.
    Own(Box<Machine>),
    /// Perhaps a VM: there is one of that name, or the list could not be read.
    Perhaps,
}

impl Smolvm {
    /// `machine create`. When a signal interrupts it, the VM that it has made is deleted.
    ///
    /// # Errors
    /// [`EngineError::LeftPerhaps`] when a signal came, and nothing shows whose VM it is that has the name now.
    pub fn machine_create(&self, name: &Name, recipe: &CreateOptions) -> Result<()> {
        let call = self.machine_create_call(name, recipe)?;
        let (began, mut left) = (SystemTime::now(), Left::Nothing);
        let mut look = |said: &str| left = self.left_by(name, said, began);
        let made = self.create(&call, &mut look).map_err(|error| self.explain(name, error));
        if let Err(EngineError::Interrupted(signal)) = made {
            return Err(self.clean_up(name, left, signal));
        }
        made?;
        if !self.version.allows_parallel_changes() && self.machine_listed(name).is_err() {
            return Err(not_done(&call, format!("there is no VM '{name}'")));
        }
        Ok(())
    }

    fn create(&self, call: &Call, look: &mut dyn FnMut(&str)) -> Result<Outcome> {
        let _turn = if self.version.allows_parallel_changes() { None } else { change_lock(QUICK)? };
        // No limit: unpacking an artifact, or an image, takes as long as it is large.
        again_while_passing(|| {
            (self.tell)(call);
            self.judge(call, call.capture_until_looked(look)?)
        })
    }

    /// What the engine, stopped for the moment, has made, from what it `said` and what is listed.
    fn left_by(&self, name: &Name, said: &str, began: SystemTime) -> Left {
        signals::recover();
        let listed = self.machine_ls_call().capture(Some(LOOK), None);
        let machines: Option<Vec<Machine>> = listed.ok().and_then(|list| serde_json::from_slice(&list.stdout).ok());
        let Some(machines) = machines else { return Left::Perhaps };
        let is_new = |vm: &Machine| vm.created_at.is_none_or(|at| at >= clock::seconds(began));
        let Some(vm) = machines.into_iter().find(|vm| vm.name == name.as_str()) else { return Left::Nothing };
        let has_made = said.lines().any(|line| line.trim() == format!("Created machine: {name}"));
        // An engine that has the name gives it up only when it is gone: no other command can have made this VM.
        let has_name = self.version.reserves_before_extracting() && said.contains("Extracting .smolmachine assets");
        match is_new(&vm) {
            false => Left::Nothing,
            true if has_made || has_name => Left::Own(Box::new(vm)),
            true => Left::Perhaps,
        }
    }

    /// Deletes the VM that the interrupted engine has made, if it is still that one.
    fn clean_up(&self, name: &Name, left: Left, signal: i32) -> EngineError {
        signals::recover();
        let perhaps = EngineError::LeftPerhaps { name: name.to_string(), signal };
        match left {
            Left::Nothing => EngineError::Interrupted(signal),
            Left::Perhaps => perhaps,
            Left::Own(vm) => match self.machine_listed(name) {
                Ok(now) if now == *vm && self.machine_delete(name).is_ok() => EngineError::Interrupted(signal),
                Err(EngineError::NoSuchVm(_)) => EngineError::Interrupted(signal),
                _ => perhaps,
            },
        }
    }
}
