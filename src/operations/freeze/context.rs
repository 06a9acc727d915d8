//! What a freeze works on, and what it gives back.

use super::pattern::Pattern;
use super::plan::Plan;
use super::request::Request;
use super::unread::Unread;
use crate::app::App;
use crate::error::{Failure, Result};
use crate::library::{Lock, Target};
use crate::report;
use crate::smolvm::{Disks, Machine, Name, Smolvm};
use crate::terminal::{About, Warnings};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

/// What all freezes of one command share.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The terminal.
    pub app: &'a App,
    /// The engine.
    pub engine: &'a Smolvm,
    /// What the user asks for.
    pub request: &'a Request,
    /// Gets the result of each VM as soon as there is one.
    pub report: &'a (dyn Fn(Result<&Frozen, &Failure>) + Sync),
}

/// A VM to freeze, and the warnings about it.
pub struct Job {
    pub name: Name,
    /// What was printed about it.
    pub warnings: Warnings,
    /// What it prints, and what its engine runs, is about this VM.
    pub app: App,
    pub engine: Smolvm,
}

impl Job {
    /// The VM of that name; its warnings name it, unless it is the only one.
    pub fn new(app: &App, engine: &Smolvm, name: Name, is_one: bool) -> Self {
        let app = app.about(Some(About::Vm(name.to_string())));
        let terminal = &app.terminal;
        let warnings = if is_one { Warnings::new(terminal) } else { Warnings::about(terminal, name.as_str()) };
        Self { warnings, engine: app.share(engine), name, app }
    }

    /// Programs read that the failure is about this VM.
    pub fn about(&self, failure: Failure) -> Failure {
        failure.about(Some(About::Vm(self.name.to_string())))
    }
}

/// The freeze of one VM.
pub struct Freeze<'a> {
    pub cx: Context<'a>,
    pub job: &'a Job,
    pub began: Instant,
    pub vm: Machine,
    pub plan: Plan,
    /// Why it is planned that the engine packs it, unless the user wants that.
    pub unread: Option<Unread>,
    /// The id of the snapshot, if it is for the library.
    pub id: String,
    pub target: Target,
    /// The folder of the VM's disks, if the engine says which.
    pub disks: Option<PathBuf>,
    /// What the engine adds to every artifact, if the disks are to be read.
    pub pattern: Option<Pattern>,
    /// Of the VM, and of the target.
    pub locks: Vec<Lock>,
}

/// A frozen VM.
pub struct Frozen {
    /// What was made.
    pub report: report::Frozen,
    /// What failed after the snapshot was published.
    pub failure: Option<Failure>,
    /// The disks that are in it, as far as that is known.
    pub disks: Option<Disks>,
}

impl Frozen {
    /// What was made, or the failure; and the failure, whatever was made.
    pub fn split(frozen: Result<Self>) -> (Result<report::Frozen>, Result<()>) {
        match frozen {
            Ok(Self { report, failure, .. }) => (Ok(report), failure.map_or(Ok(()), Err)),
            Err(failure) => (Err(failure.clone()), Err(failure)),
        }
    }

    /// The snapshot's `VM@ID`, or its file.
    pub fn name(&self) -> OsString {
        let file = || self.report.sidecar.as_ref().map(|sidecar| sidecar.0.clone().into());
        self.report.reference.as_ref().map(OsString::from).or_else(file).unwrap_or_default()
    }
}

impl Context<'_> {
    /// Reports the failure of a VM, and adds the warnings about it.
    pub fn failed(&self, job: &Job, failure: Failure) -> Failure {
        let failure = job.about(failure.after(job.warnings.list()));
        (self.report)(Err(&failure));
        failure
    }
}
