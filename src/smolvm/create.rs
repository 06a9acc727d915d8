//! `machine create`: makes the VM that was asked for, or none.
//!
//! An engine that is killed while it creates has made no VM yet: the record is the last thing that it writes (killed at
//! four moments each, the oldest and the newest engine). But it may have just written it, and another command may have
//! made a VM of that name. So a signal stops the engine where it is, and then the list shows who has the name.

use super::call::Call;
use super::command::Command;
use super::engine::{QUICK, Smolvm};
use super::error::{EngineError, Result};
use super::facts::Fact;
use super::guest_env::EnvVar;
use super::machine::{Machine, Name};
use super::outcome::Outcome;
use super::retry;
use crate::clock;
use crate::signals::Interrupted;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How long the list may take while an engine is stopped that may hold the database.
const LOOK: Duration = Duration::from_secs(10);

/// What `machine create` makes a VM of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// The engine's own small Linux.
    #[default]
    Bare,
    /// An OCI image, or an unpacked rootfs folder.
    Image(String),
    /// A `.smolmachine` file.
    Artifact(PathBuf),
}

/// The options of a new VM. Empty and `None` leave it to the engine (or the artifact).
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// What it is made of.
    pub source: Source,
    /// Virtual CPUs.
    pub cpus: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Storage disk in GiB.
    pub storage_gb: Option<u64>,
    /// Overlay disk in GiB.
    pub overlay_gb: Option<u64>,
    /// Outbound network.
    pub net: bool,
    /// The only networks it may reach.
    pub allow_cidrs: Vec<String>,
    /// Environment of its commands; stored in clear in the engine's database.
    pub env: Vec<EnvVar>,
    /// `HOST:GUEST[:ro]` mounts.
    pub volumes: Vec<String>,
    /// Published ports.
    pub ports: Vec<String>,
    /// `KEY=VALUE` labels.
    pub labels: Vec<String>,
    /// Working folder of its commands.
    pub workdir: Option<String>,
    /// Other options, with their values: see [`settings`](super::settings).
    pub settings: Vec<(&'static str, Option<String>)>,
}

impl CreateOptions {
    /// A VM of `source`, without other options.
    pub fn of(source: Source) -> Self {
        Self { source, ..Self::default() }
    }

    fn is_from_artifact(&self) -> bool {
        matches!(self.source, Source::Artifact(_))
    }

    /// Adds the options but the environment to the command line.
    fn add_to(&self, mut call: Call) -> Call {
        match &self.source {
            Source::Bare => {}
            Source::Image(image) => call = call.value("--image", image),
            Source::Artifact(path) => call = call.value("--from", path),
        }
        for (flag, number) in [
            ("--cpus", self.cpus.map(u64::from)),
            ("--mem", self.memory_mib),
            ("--storage", self.storage_gb),
            ("--overlay", self.overlay_gb),
        ] {
            if let Some(number) = number {
                call = call.value(flag, number.to_string());
            }
        }
        if self.net || !self.allow_cidrs.is_empty() {
            call = call.arg("--net");
        }
        for (flag, values) in [
            ("--allow-cidr", &self.allow_cidrs),
            ("--volume", &self.volumes),
            ("--port", &self.ports),
            ("--label", &self.labels),
        ] {
            call = values.iter().fold(call, |call, value| call.value(flag, value));
        }
        // Beside --from, no engine uses it.
        if let (Some(workdir), false) = (&self.workdir, self.is_from_artifact()) {
            call = call.value("--workdir", workdir);
        }
        self.settings.iter().fold(call, |call, (flag, value)| match value {
            Some(value) => call.value(flag, value),
            None => call.arg(flag),
        })
    }
}

/// What an interrupted engine left.
enum Left {
    /// No VM of its own.
    Nothing,
    /// The VM that it made.
    Own(Box<Machine>),
    /// Perhaps a VM: there is one of that name, or the list could not be read.
    Perhaps,
}

impl Smolvm {
    /// `machine create`. When a signal interrupts it, the VM that it made is deleted.
    ///
    /// # Errors
    /// [`EngineError::TooOld`] before anything is run, and [`EngineError::LeftPerhaps`] when a signal came and nothing
    /// shows whose VM it is that now has the name.
    pub fn machine_create(&self, name: &Name, options: &CreateOptions) -> Result<()> {
        let call = self.machine_create_call(name, options)?;
        let (began, mut left) = (SystemTime::now(), Left::Nothing);
        let mut look = |output: &str| left = self.left_by(name, output, began);
        let made = self.create(&call, &mut look).map_err(|error| self.explain(name, error));
        if let Err(EngineError::Interrupted(interrupted)) = made {
            return Err(self.clean_up(name, left, interrupted));
        }
        made?;
        if !self.version().has(Fact::ParallelChanges) && self.machine_listed(name).is_err() {
            return Err(call.not_done(format!("there is no VM '{name}'")));
        }
        Ok(())
    }

    /// Whether [`Self::machine_create`] can pass these options on.
    ///
    /// # Errors
    /// [`EngineError::TooOld`] or [`EngineError::Exposes`].
    pub fn can_create(&self, name: &Name, options: &CreateOptions) -> Result<()> {
        self.machine_create_call(name, options).map(drop)
    }

    /// Gives a VM that was made from an artifact its working folder, which `machine create` ignores then. (`machine update` works in 1.4.0
    /// and later; older ones were not tried.)
    pub fn machine_set_workdir(&self, name: &Name, workdir: &str) -> Result<()> {
        let call = self.named(self.call("machine update").value("--workdir", workdir), name);
        self.run_change(&call, name, Some(QUICK)).map(drop)
    }

    /// The command line of [`Self::machine_create`], or what this engine cannot do of it.
    fn machine_create_call(&self, name: &Name, options: &CreateOptions) -> Result<Call> {
        let from_artifact = options.is_from_artifact();
        if !options.allow_cidrs.is_empty() {
            self.require(Fact::EnforcesAllowList)?;
            if from_artifact {
                self.require(Fact::AllowListBesideFrom)?;
            }
        }
        if !options.labels.is_empty() {
            self.require(Fact::Labels)?;
        }
        let call = options.add_to(self.call("machine create"));
        Ok(self.named(self.env_of_create(call, &options.env, from_artifact)?, name))
    }

    fn create(&self, call: &Call, look: &mut dyn FnMut(&str)) -> Result<Outcome> {
        let _turn = self.turn(QUICK)?;
        // Without a limit: unpacking an artifact, or an image, takes as long as it is large.
        retry::transient(|| {
            self.announce(call);
            self.check(call, call.capture_until_looked(self.signals(), look)?)
        })
    }

    /// What the engine, which is stopped for the moment, made, by its `output` and the list.
    fn left_by(&self, name: &Name, output: &str, began: SystemTime) -> Left {
        let _cleanup = self.signals().recovering();
        let listed = self.command_line(Command::List).capture(self.signals(), Some(LOOK), None);
        let machines: Option<Vec<Machine>> = listed.ok().and_then(|list| serde_json::from_slice(&list.stdout).ok());
        let Some(machines) = machines else { return Left::Perhaps };
        let is_new = |vm: &Machine| vm.created_at.is_none_or(|at| at >= clock::seconds(began));
        let Some(vm) = machines.into_iter().find(|vm| vm.name == name.as_str()) else { return Left::Nothing };
        let has_made = output.lines().any(|line| line.trim() == format!("Created machine: {name}"));
        // An engine that has reserved the name keeps it until it exits: no other command can have made this VM.
        let has_name = self.version().has(Fact::ReservesNames) && output.contains("Extracting .smolmachine assets");
        match is_new(&vm) {
            false => Left::Nothing,
            true if has_made || has_name => Left::Own(Box::new(vm)),
            true => Left::Perhaps,
        }
    }

    /// Deletes the VM that the interrupted engine made, if it is still that one.
    fn clean_up(&self, name: &Name, left: Left, interrupted: Interrupted) -> EngineError {
        let _cleanup = self.signals().recovering();
        let perhaps = EngineError::LeftPerhaps { name: name.to_string(), interrupted };
        match left {
            Left::Nothing => interrupted.into(),
            Left::Perhaps => perhaps,
            Left::Own(vm) => match self.machine_listed(name) {
                Ok(now) if now == *vm && self.machine_delete(name).is_ok() => interrupted.into(),
                Err(EngineError::NoSuchVm(_)) => interrupted.into(),
                _ => perhaps,
            },
        }
    }
}
