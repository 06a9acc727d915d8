//! Starts, stops, pauses, resumes and deletes VMs.

use super::command::Command;
use super::engine::{QUICK, Smolvm};
use super::error::{EngineError, Reason, Result};
use super::facts::Fact;
use super::machine::{Name, State};
use super::outcome::Outcome;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Smolvm {
    /// `machine data-dir`: the folder of the VM's disks on the host.
    pub fn machine_data_dir(&self, name: &Name) -> Result<PathBuf> {
        let call = self.command_line(Command::DataDir(name));
        let outcome = self.run_ok(&call, Some(QUICK), None).map_err(|error| self.explain(name, error))?;
        let folder = Path::new(OsStr::from_bytes(outcome.stdout.trim_ascii()));
        if folder.is_absolute() {
            return Ok(folder.to_owned());
        }
        Err(EngineError::Unreadable { command: call.shell_line(), why: "it is no absolute path".into() })
    }

    /// `machine start`, ended after `limit`; does nothing if the VM runs. Returns whether the engine took a VMM for dead
    /// and ended it first.
    pub fn machine_start(&self, name: &Name, limit: Duration) -> Result<bool> {
        self.run_change(&self.command_line(Command::Start(name)), name, Some(limit))
            .map(|outcome| ended_a_vmm(&outcome))
    }

    /// `machine stop`, ended after `limit`; does nothing if the VM is stopped. Returns whether the engine took its VMM for
    /// dead and ended it without a shutdown.
    pub fn machine_stop(&self, name: &Name, limit: Option<Duration>) -> Result<bool> {
        let call = self.command_line(Command::Stop(name));
        let outcome = self.run_change(&call, name, limit)?;
        if !self.version().has(Fact::ReportsMissing) {
            let state = self.machine_listed(name)?.state;
            if state.is_up() {
                return Err(call.not_done(format!("'{name}' is {state}")));
            }
        }
        Ok(ended_a_vmm(&outcome))
    }

    /// `machine delete -f`: removes the VM and its disks. Stops it first if this engine would leave its VMM alive.
    pub fn machine_delete(&self, name: &Name) -> Result<()> {
        if !self.version().has(Fact::DeleteStops) && self.machine_is_running(name)? {
            self.machine_stop(name, Some(QUICK))?;
        }
        let call = self.named(self.call("machine delete").arg("--force"), name);
        self.run_change(&call, name, Some(QUICK))?;
        if !self.version().has(Fact::ParallelChanges) && self.machine_listed(name).is_ok() {
            return Err(call.not_done(format!("'{name}' is still there")));
        }
        Ok(())
    }

    /// `machine pause`: saves a running VM's RAM, and ends its VMM.
    pub fn machine_pause(&self, name: &Name) -> Result<()> {
        match self.pause_or_resume("machine pause", name) {
            // The engine takes a VM that does not answer for a moment for one that does not run.
            Err(refused) if refused.reason() == Reason::WrongState => match self.machine(name)? {
                vm if vm.state == State::Running && !vm.given_up => self.pause_or_resume("machine pause", name),
                _ => Err(refused),
            },
            result => result,
        }
    }

    /// `machine resume`: a paused VM runs on.
    pub fn machine_resume(&self, name: &Name) -> Result<()> {
        self.pause_or_resume("machine resume", name)
    }

    fn pause_or_resume(&self, command: &str, name: &Name) -> Result<()> {
        self.require(Fact::Pause)?;
        self.run_change(&self.call(command).value("--name", name.as_str()), name, None).map(drop)
    }
}

/// Whether a start or a stop found a VM whose guest did not answer, and ended it as it was: data that the guest had not
/// written to disk is lost.
fn ended_a_vmm(outcome: &Outcome) -> bool {
    outcome.text().contains(" alive but agent unresponsive); cleaning up.")
}
