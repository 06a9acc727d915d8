//! Freezes VMs: VM → snapshot, and nothing lost whatever happens on the way.
//!
//! A [`Request`] says what the user asks for. [`plan::Plan`] says what that means for one VM: its steps and warnings, or why
//! it is refused. [`plans()`] gives these steps as commands, and [`freeze()`] runs them.

mod ask;
mod hooks;
mod plan;
mod prepare;
mod publish;
mod request;
mod run;
mod stopped;
mod take;

pub use prepare::plans;
pub use request::{Hook, Live, Request, Restart};
pub use run::freeze;

use crate::app::App;
use crate::error::{Failure, Result};
use crate::library::{Lock, Target};
use crate::report;
use crate::smolvm::{Machine, Name, Smolvm};
use crate::terminal::{About, Warnings};
use plan::Plan;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a VM may take to stop when it is frozen to be replaced.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

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
    name: Name,
    /// What was printed about it.
    pub warnings: Warnings,
    /// What it prints, and what its engine runs, is about this VM.
    app: App,
    engine: Smolvm,
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
    fn about(&self, failure: Failure) -> Failure {
        failure.about(Some(About::Vm(self.name.to_string())))
    }
}

/// The freeze of one VM.
struct Freeze<'a> {
    cx: Context<'a>,
    job: &'a Job,
    began: Instant,
    vm: Machine,
    plan: Plan,
    /// The id of the snapshot, if it is for the library.
    id: String,
    target: Target,
    /// The folder of the VM's disks, if the engine says which.
    disks: Option<PathBuf>,
    /// Of the VM, and of the target.
    locks: Vec<Lock>,
}

/// A frozen VM.
pub struct Frozen {
    /// What was made.
    pub report: report::Frozen,
    /// What failed after the snapshot was published.
    pub failure: Option<Failure>,
}

impl Frozen {
    /// What was made, or the failure; and the failure, whatever was made.
    pub fn split(frozen: Result<Self>) -> (Result<report::Frozen>, Result<()>) {
        match frozen {
            Ok(Self { report, failure }) => (Ok(report), failure.map_or(Ok(()), Err)),
            Err(failure) => (Err(failure.clone()), Err(failure)),
        }
    }

    /// The snapshot's `VM@ID`, or its file.
    pub fn name(&self) -> OsString {
        self.report.reference.as_ref().map_or_else(|| self.report.sidecar.0.clone().into(), Into::into)
    }
}

impl Context<'_> {
    /// Reports the failure of a VM, and adds the warnings about it.
    fn failed(&self, job: &Job, failure: Failure) -> Failure {
        let failure = job.about(failure.after(job.warnings.list()));
        (self.report)(Err(&failure));
        failure
    }
}

/// Freezes a VM into the library, without a question. The snapshot's `VM@ID`.
///
/// # Errors
/// There is no snapshot, or a signal came after it was made.
pub fn into_library(app: &App, engine: &Smolvm, name: &Name, note: String, warnings: &Warnings) -> Result<String> {
    let request = Request { note: Some(note), yes: true, stop_timeout: STOP_TIMEOUT, ..Request::default() };
    let job = Job::new(app, engine, name.clone(), true);
    let results = freeze(Context { app, engine, request: &request, report: &|_| {} }, &[&job]);
    warnings.keep(job.warnings.list());
    let mut reference = String::new();
    for frozen in results?.into_values() {
        let Frozen { report, failure } = frozen?;
        failure.map_or(Ok(()), Err)?;
        reference = report.reference.unwrap_or_default();
    }
    app.terminal.note(&format!("froze {name} as {reference}"));
    Ok(reference)
}
