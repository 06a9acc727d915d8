//! What a freeze says: of what would be done, of what was done, and of what failed.

use super::Args;
use super::{Freeze, FreezeTarget, smolfile};
use crate::app::App;
use crate::commands::batch;
use crate::error::{Failure, Result};
use crate::library::{Metadata, Staging};
use crate::operations::{packed, workspace};
use crate::quoted::quoted;
use crate::smolvm::artifact::Artifact;
use crate::smolvm::{CHECKPOINT_SUFFIX, Exec, Name, State};
use crate::terminal::{About, JsonPath, with};
use serde::Serialize;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::time::Duration;

/// What a freeze made, as `--json` prints it.
#[derive(Serialize)]
pub struct Report {
    vm: String,
    /// `VM@ID`, if it is in the library, and all that is recorded of it.
    pub reference: Option<String>,
    snapshot: Option<Metadata>,
    sidecar: JsonPath,
    launcher: Option<JsonPath>,
    bytes: u64,
    crc32: String,
    seconds: f64,
    /// Whether it holds the VM's RAM, and the VM ran on.
    live: bool,
    /// How long the VM was down, or paused for a live one; null if it was not running.
    downtime_seconds: Option<f64>,
    engine_version: String,
}

/// What became of the freeze of one VM.
pub struct Outcome {
    /// The VM.
    pub name: Name,
    /// If there is a snapshot.
    pub report: Option<Report>,
    /// Also of a VM that was frozen and does not start again.
    pub failure: Option<Failure>,
    /// All of them, also those that came when it was frozen.
    pub warnings: Vec<String>,
}

impl Outcome {
    /// It failed, as one of so many: then this is told at once.
    pub fn failed(target: &FreezeTarget, failure: Failure, of: usize) -> Self {
        let failure = failure.after(target.warnings.list()).about(Some(About::Vm(target.name.to_string())));
        if of > 1 {
            batch::tell(&target.app, &failure);
        }
        Self { failure: Some(failure), ..Self::planned(target) }
    }

    /// Nothing was to be done, and could be.
    pub fn planned(target: &FreezeTarget) -> Self {
        Self { name: target.name.clone(), report: None, failure: None, warnings: target.warnings.list() }
    }

    fn json(&self) -> Value {
        let Some(report) = &self.report else {
            let failed = |failure| batch::failed("vm", self.name.as_str(), failure);
            return self.failure.as_ref().map_or_else(|| json!({"vm": self.name.as_str()}), failed);
        };
        let value = with(json!(report), "warnings", json!(self.warnings));
        match &self.failure {
            Some(failure) => with(value, "error", json!(failure.problem())),
            None => value,
        }
    }
}

/// Prints what was made: one object if one VM was named, otherwise an array with an entry of each.
pub fn print_json(app: &App, outcomes: &[Outcome], is_one: bool) {
    if is_one {
        outcomes
            .iter()
            .filter(|outcome| outcome.report.is_some())
            .for_each(|outcome| app.terminal.print_json(&outcome.json()));
    } else {
        app.terminal.print_json(&outcomes.iter().map(Outcome::json).collect::<Vec<_>>());
    }
}

/// Prints the engine commands that would run, one a line, or as JSON like what was made.
pub fn show_plans(app: &App, ready: &[Freeze], failed: &[Outcome], is_one: bool) {
    let plans = ready.iter().map(|freeze| (freeze, freeze.plan()));
    if !app.terminal.json {
        return app.terminal.lines(plans.flat_map(|(_, plan)| plan));
    }
    let plans =
        plans.map(|(freeze, plan)| json!({"vm": freeze.vm.name, "commands": plan, "warnings": freeze.foreseen}));
    if is_one {
        plans.for_each(|plan| app.terminal.print_json(&plan));
    } else {
        let mut all: Vec<Value> = plans.chain(failed.iter().map(Outcome::json)).collect();
        all.sort_by(|a, b| a["vm"].as_str().cmp(&b["vm"].as_str()));
        app.terminal.print_json(&all);
    }
}

/// The only failure, or a summary of them.
///
/// # Errors
/// If there is one at all.
pub fn verdict(mut outcomes: Vec<Outcome>) -> Result<()> {
    if let [one] = &mut outcomes[..] {
        return one.failure.take().map_or(Ok(()), |failure| Err(failure.about(Some(About::Vm(one.name.to_string())))));
    }
    let of = outcomes.len();
    let failures = outcomes.into_iter().filter_map(|one| Some((one.name.to_string(), one.failure?)));
    batch::summary("VMs", of, &failures.collect::<Vec<_>>())
}

impl Freeze<'_> {
    /// The engine commands that would run, as for a shell.
    fn plan(&self) -> Vec<String> {
        let (vm, engine, name, is_up) = (&self.vm, self.engine, self.name, self.stops());
        let exec = |command: &Exec| engine.machine_exec_call(name, command);
        let folder = Staging::future(self.output.folder());
        let (launcher, smolfile) = (folder.join("snapshot"), smolfile(vm, &folder));
        let packing = self.packing(&folder, &launcher, smolfile.as_deref());
        let looks = || Some(engine.machine_ls_call());
        let restarts = is_up && self.args.restart;
        let [pre, post] = self.planned_hooks(self.live || restarts);
        let (head, plan) = (
            [looks(), Some(engine.machine_data_dir_call(name))],
            [
                self.saves_workspace().then(|| exec(&workspace::save_command())),
                (is_up && vm.state == State::Running).then(|| exec(&Exec::of("sync"))),
                is_up.then(|| engine.machine_stop_call(name)),
                (is_up && !engine.version().stop_tells_the_truth()).then(looks).flatten(),
                Some(if self.live {
                    engine.machine_checkpoint_call(
                        name,
                        &folder,
                        &folder.join("live").with_extension(CHECKPOINT_SUFFIX),
                    )
                } else {
                    engine.pack_create_from_vm_call(name, &packing)
                }),
                looks(),
                restarts.then(|| engine.machine_start_call(name)),
                restarts.then(|| exec(&Exec::of("true"))),
            ],
        );
        let (head, plan) = (head.into_iter().flatten(), plan.into_iter().flatten());
        head.chain(pre).chain(plan).chain(post).map(|call| call.shell_line()).collect()
    }

    /// What was made.
    pub fn report(&self, artifact: &Artifact, snapshot: Option<Metadata>, down: Option<Duration>) -> Report {
        Report {
            vm: self.vm.name.clone(),
            reference: snapshot.as_ref().map(|snapshot| format!("{}@{}", snapshot.vm, snapshot.id)),
            snapshot,
            sidecar: JsonPath(self.output.sidecar().into()),
            launcher: self.output.launcher().map(|path| JsonPath(path.into())),
            bytes: artifact.bytes,
            crc32: format!("{:08x}", artifact.crc32),
            seconds: self.started.elapsed().as_secs_f64(),
            live: self.live,
            downtime_seconds: down.map(|down| down.as_secs_f64()),
            engine_version: self.engine.version().to_string(),
        }
    }
}

impl Report {
    /// The snapshot's `VM@ID`, or its file.
    pub fn name(&self) -> OsString {
        self.reference.as_ref().map_or_else(|| self.sidecar.0.clone().into(), Into::into)
    }

    /// Says it to people.
    pub fn print(&self, app: &App, args: &Args) {
        let (vm, size) = (&self.vm, packed::size(self.bytes));
        let name = self.name().to_string_lossy().into_owned();
        let hint = match self.downtime_seconds {
            Some(_) if !args.restart && !self.live => {
                format!("it is stopped, start it with: bottle-freeze start {vm}")
            }
            _ => format!("thaw it with: bottle-freeze thaw {}", quoted(&name)),
        };
        let word = if self.live { "paused" } else { "down" };
        let down = self.downtime_seconds.map(|down| format!(", {word} for {down:.1} s")).unwrap_or_default();
        let text = format!("froze {vm} as {name} ({size}, {:.1} s{down}); {hint}", self.seconds);
        app.terminal.result(self.name(), &text);
    }
}
