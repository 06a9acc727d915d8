//! The smolvm engine: the only code that knows its command line, its files and its lies.
//!
//! [`Smolvm`] has one method per engine command, named after it. A method whose name ends in `_call` gives the
//! command line without running it, for `--dry-run`. This room never prints, and knows nothing of snapshots.
//!
//! # What holds
//! - An exit status 0 is only a claim: what the engine says it did is looked for in its own list, or in the file it wrote.
//! - Everything was learnt by running engines from 0.8.0 to 1.32.2. A fact that holds for some of them is a predicate of
//!   [`Version`], which tells where it was first seen; nothing else compares versions.
//! - No value can pass for a flag: each is one word with its flag (`--name=NAME`), and a [`Name`] is checked before it is one.
//! - Secrets are in the engine's environment where it takes them from there, and masked wherever a command line is shown.
//! - A command runs in a process group of its own, which a signal ends; one that changes anything dies with this process.
//!   What it prints is bounded.
//!
//! # Where what is
//! - [`Call`] (`process`) is one command line, `run` follows it while it runs; [`EngineError`] is why it did not do its work.
//! - `locate` finds the engine and remembers its version, `fingerprint` knows for how long; `install` gets one from PyPI;
//!   `hypervisor` looks at KVM.
//! - [`Machine`] is a VM as the engine lists it, and `answer` asks a guest that seems silent again; [`Disks`] are its disks on the host.
//! - [`artifact`] reads and verifies a `.smolmachine` file, [`follow()`] while it is written; `rider` puts a `snapshot.json` into
//!   one; [`Reference`] is its name in a registry.
//! - `create` makes a VM, or leaves none; `guest_env` keeps the values of a guest's variables out of every command line.
//! - `trial` packs an empty VM, `whole` looks at the engine's files: whether a freeze works.
//! - `manifest` refuses what `machine create --from` refuses; [`secrets`] are taken out of a pack; [`settings`] says what a VM
//!   made from an artifact has of the settings of the packed one, and which option gives it the others.
//! - `lifeline`, `leftovers` and `users`: what the engine leaves running or lying, and whose it is.

mod answer;
pub mod artifact;
mod call;
mod create;
#[cfg(test)]
mod facts;
mod fingerprint;
#[cfg(test)]
mod fuzz;
mod guest_env;
mod host;
pub mod installed;
pub mod locate;
mod machine;
mod reference;
pub mod secrets;
pub mod settings;
mod state;
mod supervise;
mod trial;
mod version;
mod whole;

pub use artifact::hash_while_written::{StreamedHash, follow};
pub use call::{Call, EngineError, Outcome, Watch};
pub use host::parent_death::end_helpers;
pub use host::processes::processes_using;
pub use host::{Disks, Leftover, hypervisor, leftovers};
pub use locate::EngineSource;
pub use machine::{Machine, Name, State};
pub use reference::Reference;
pub use version::Version;
pub use whole::{broken_files, empty_program};

use crate::{home, signals};
use rustix::fs::{FlockOperation, flock};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The longest that a quick command (ls, create of a bare VM, delete …) may take before it counts as hung.
const QUICK: Duration = Duration::from_secs(120);
/// The first and the longest pause between two tries of something that needs a moment.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long a guest may take to write its files to disk before it is stopped.
const SYNC: Duration = Duration::from_secs(5);
/// How the name of what `machine checkpoint` writes must end: the only way that all versions take (`.checkpoint` from
/// 1.27.3 on).
pub const CHECKPOINT_SUFFIX: &str = "smolcheckpoint";
/// How long a change is tried again that another engine command stood in the way of.
const RETRY: Duration = Duration::from_secs(20);

type Result<T> = std::result::Result<T, EngineError>;

/// An environment variable for a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// What `machine create` makes a VM of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The engine's own small Linux.
    Bare,
    /// An OCI image, or an unpacked rootfs folder.
    Image(String),
    /// A `.smolmachine` file.
    Artifact(PathBuf),
}

/// How a new VM shall be. Empty and `None` leave it to the engine (or the artifact).
#[derive(Debug, Clone)]
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
    /// Environment of its commands; lies in clear in the engine's database.
    pub env: Vec<EnvVar>,
    /// `HOST:GUEST[:ro]` mounts.
    pub volumes: Vec<String>,
    /// Published ports.
    pub ports: Vec<String>,
    /// `KEY=VALUE` labels.
    pub labels: Vec<String>,
    /// Working folder of its commands.
    pub workdir: Option<String>,
    /// Other options, with their values: see [`settings`].
    pub settings: Vec<(&'static str, Option<String>)>,
}

impl CreateOptions {
    /// A VM of this, nothing else asked.
    pub fn of(source: Source) -> Self {
        Self {
            source,
            cpus: None,
            memory_mib: None,
            storage_gb: None,
            overlay_gb: None,
            net: false,
            allow_cidrs: Vec::new(),
            env: Vec::new(),
            volumes: Vec::new(),
            ports: Vec::new(),
            labels: Vec::new(),
            workdir: None,
            settings: Vec::new(),
        }
    }
}

/// A command for a guest.
#[derive(Debug, Clone, Default)]
pub struct Exec {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Whether this process's stdin reaches it.
    pub stdin: bool,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Its working folder.
    pub workdir: Option<String>,
    /// When the engine kills it (status 124).
    pub timeout: Option<Duration>,
}

impl Exec {
    /// A command without arguments.
    pub fn of(command: &str) -> Self {
        Self { command: vec![command.into()], ..Self::default() }
    }
}

/// How `pack create` shall pack.
#[derive(Debug, Clone)]
pub struct PackOptions<'a> {
    /// The folder that holds everything the engine writes: staging, temporary files, and the result.
    pub folder: &'a Path,
    /// The launcher to write, inside that folder; the sidecar is beside it.
    pub launcher: &'a Path,
    /// Virtual CPUs for the manifest.
    pub cpus: Option<u32>,
    /// MiB of memory for the manifest.
    pub memory_mib: Option<u64>,
    /// A Smolfile that overrides what the engine would record.
    pub smolfile: Option<&'a Path>,
    /// Ask for `/workspace` too (image VMs, where the engine can).
    pub include_workspace: bool,
}

/// The VMs, as `machine ls --json` tells them within `limit`, for whom a late answer is worth no more than none. Its
/// version is not asked: all engines answer alike. Nothing is written, and nothing else is run.
pub fn machine_ls_at_once(asked: Option<&Path>, limit: Duration) -> Option<Vec<Machine>> {
    let (path, _) = locate::find(asked).ok().filter(|(path, _)| !locate::is_python(path))?;
    serde_json::from_slice(&machine_ls_of(&path).capture_at_once(limit)?).ok()
}

fn machine_ls_of(engine: &Path) -> Call {
    Call::new(engine, "machine ls").arg("--json").changes_nothing()
}

/// A found and recognised engine.
pub struct Smolvm {
    path: PathBuf,
    source: EngineSource,
    version: Version,
    tell: Box<dyn Fn(&Call) + Send + Sync>,
}

impl Smolvm {
    /// Finds the engine (`asked`, then `$SMOLVM`, then `PATH`, then the installed one) and learns its version. `tell` hears every command
    /// just before it runs.
    ///
    /// # Errors
    /// No engine, not runnable, not smolvm, or older than 0.8.0.
    pub fn find(asked: Option<&Path>, tell: Box<dyn Fn(&Call) + Send + Sync>) -> Result<Self> {
        let (path, source) = locate::find(asked)?;
        let version = locate::version(&path, &*tell)?;
        Ok(Self { path, source, version, tell })
    }

    /// The executable, and where it was found.
    pub fn place(&self) -> (&Path, EngineSource) {
        (&self.path, self.source)
    }

    /// Its version, and so what it can do.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The folder of its state: see [`state::folder`].
    pub fn state_folder(&self) -> PathBuf {
        state::folder(self.version)
    }

    /// Whether the engine at this path is still of this version. Asked anew where files do not decide which engine runs.
    pub fn is_unchanged(&self) -> bool {
        locate::version(&self.path, &*self.tell).is_ok_and(|version| version == self.version)
    }

    /// `machine ls --json`, sorted by name. A list that cannot be read is an error, never an empty one.
    pub fn machine_ls(&self) -> Result<Vec<Machine>> {
        let call = self.machine_ls_call();
        let outcome = self.run_ok(&call, Some(QUICK), None)?;
        let mut machines: Vec<Machine> = serde_json::from_slice(&outcome.stdout)
            .map_err(|error| EngineError::Unreadable { command: call.shell_line(), why: error.to_string() })?;
        machines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(machines)
    }

    /// The command line of [`Self::machine_ls`].
    pub fn machine_ls_call(&self) -> Call {
        machine_ls_of(&self.path)
    }

    /// One VM as it is listed. One `ls`: `status` of an old engine makes disks for a VM that has none. Its state may be
    /// wrong for a moment: [`Self::machine`] is for decisions.
    pub fn machine_listed(&self, name: &Name) -> Result<Machine> {
        let mut machines = self.machine_ls()?;
        match machines.iter().position(|machine| machine.name == name.as_str()) {
            Some(at) => Ok(machines.swap_remove(at)),
            None => Err(EngineError::no_such_vm(name, &machines)),
        }
    }

    /// Whether the VM's VMM lives, be its guest silent for the moment.
    pub fn machine_is_running(&self, name: &Name) -> Result<bool> {
        Ok(self.machine_listed(name)?.state.is_up())
    }

    /// The command line of [`Self::machine_create`], or why this engine must not be asked.
    pub fn machine_create_call(&self, name: &Name, recipe: &CreateOptions) -> Result<Call> {
        let mut call = self.call("machine create");
        let from_artifact = matches!(recipe.source, Source::Artifact(_));
        if !recipe.allow_cidrs.is_empty() {
            if !self.version.enforces_allow_list() {
                return Err(self.too_old("does not enforce an allow list; 1.1.3 does"));
            }
            if from_artifact && !self.version.restores_allow_list() {
                return Err(self.too_old("drops the allow list of a VM made from an artifact; 1.8.0 keeps it"));
            }
        }
        if !recipe.labels.is_empty() && !self.version.takes_labels() {
            return Err(self.too_old("has no labels; 1.8.0 has"));
        }
        match &recipe.source {
            Source::Bare => {}
            Source::Image(image) => call = call.value("--image", image),
            Source::Artifact(path) => call = call.value("--from", path),
        }
        for (flag, number) in [
            ("--cpus", recipe.cpus.map(u64::from)),
            ("--mem", recipe.memory_mib),
            ("--storage", recipe.storage_gb),
            ("--overlay", recipe.overlay_gb),
        ] {
            if let Some(number) = number {
                call = call.value(flag, number.to_string());
            }
        }
        if recipe.net || !recipe.allow_cidrs.is_empty() {
            call = call.arg("--net");
        }
        for (flag, values) in [
            ("--allow-cidr", &recipe.allow_cidrs),
            ("--volume", &recipe.volumes),
            ("--port", &recipe.ports),
            ("--label", &recipe.labels),
        ] {
            for value in values {
                call = call.value(flag, value);
            }
        }
        if let Some(workdir) = &recipe.workdir {
            call = call.value("--workdir", workdir);
        }
        for (flag, value) in &recipe.settings {
            call = match value {
                Some(value) => call.value(flag, value),
                None => call.arg(flag),
            };
        }
        Ok(self.named(self.env_of_create(call, &recipe.env, from_artifact)?, name))
    }

    /// `machine data-dir`: the folder of the VM's disks on the host.
    pub fn machine_data_dir(&self, name: &Name) -> Result<PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let call = self.machine_data_dir_call(name);
        let outcome = self.run_ok(&call, Some(QUICK), None).map_err(|error| self.explain(name, error))?;
        let folder = Path::new(OsStr::from_bytes(outcome.stdout.trim_ascii()));
        if folder.is_absolute() {
            return Ok(folder.to_owned());
        }
        Err(EngineError::Unreadable { command: call.shell_line(), why: "it is no absolute path".into() })
    }

    /// The command line of [`Self::machine_data_dir`].
    pub fn machine_data_dir_call(&self, name: &Name) -> Call {
        self.named(self.call("machine data-dir").changes_nothing(), name)
    }

    /// `machine start`, ended after `limit`. That it runs already is no error. Whether the engine took it for dead, and
    /// ended it first.
    pub fn machine_start(&self, name: &Name, limit: Duration) -> Result<bool> {
        self.run_change(&self.machine_start_call(name), name, Some(limit)).map(|outcome| says_ended(&outcome))
    }

    /// The command line of [`Self::machine_start`].
    pub fn machine_start_call(&self, name: &Name) -> Call {
        self.call("machine start").value("--name", name.as_str())
    }

    /// `exec sync`: the guest writes its files to disk. Whether it has, within five seconds; one that has no such command
    /// is left alone.
    pub fn machine_sync(&self, name: &Name) -> Result<bool> {
        match self.machine_exec(name, &Exec::of("sync"), SYNC) {
            Ok(outcome) => Ok(outcome.status.success() || says_no_such_command(&outcome.stderr)),
            Err(EngineError::TimedOut { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `machine stop`, ended after `limit`. That it is stopped already is no error. Whether the engine took it for dead,
    /// and ended it without a shutdown.
    pub fn machine_stop(&self, name: &Name, limit: Option<Duration>) -> Result<bool> {
        let call = self.machine_stop_call(name);
        let outcome = self.run_change(&call, name, limit)?;
        if !self.version.stop_tells_the_truth() {
            let state = self.machine_listed(name)?.state;
            if state.is_up() {
                return Err(not_done(&call, format!("'{name}' is {state}")));
            }
        }
        Ok(says_ended(&outcome))
    }

    /// The command line of [`Self::machine_stop`].
    pub fn machine_stop_call(&self, name: &Name) -> Call {
        self.call("machine stop").value("--name", name.as_str())
    }

    /// `machine delete -f`: the VM and its disks are gone. With an engine that would leave its VMM alive it is stopped
    /// first.
    pub fn machine_delete(&self, name: &Name) -> Result<()> {
        if !self.version.delete_stops_first() && self.machine_is_running(name)? {
            self.machine_stop(name, Some(QUICK))?;
        }
        let call = self.named(self.call("machine delete").arg("--force"), name);
        self.run_change(&call, name, Some(QUICK))?;
        if !self.version.allows_parallel_changes() && self.machine_listed(name).is_ok() {
            return Err(not_done(&call, format!("'{name}' is still there")));
        }
        Ok(())
    }

    /// `machine exec`, its output kept: status, stdout, stderr. The engine itself is ended after `limit`.
    pub fn machine_exec(&self, name: &Name, exec: &Exec, limit: Duration) -> Result<Outcome> {
        let call = self.machine_exec_call(name, exec);
        (self.tell)(&call);
        call.capture(Some(limit), None)
    }

    /// `machine exec` with `from` as the guest's standard input, its standard output written into `to` as it comes. It
    /// is ended when it prints nothing for `idle`; one that fails is an error.
    pub fn machine_exec_transfer(
        &self,
        name: &Name,
        exec: &Exec,
        from: Option<File>,
        to: &mut dyn Write,
        idle: Option<Duration>,
    ) -> Result<Outcome> {
        let call = self.machine_exec_call(name, exec);
        (self.tell)(&call);
        let outcome = call.transfer(from, to, idle)?;
        if outcome.status.success() { Ok(outcome) } else { Err(call.failure(&outcome)) }
    }

    /// `machine exec` with these variables, its output passed on as it comes.
    ///
    /// # Errors
    /// Among others [`EngineError::Exposes`]: nothing was run then.
    pub fn machine_exec_streamed(&self, name: &Name, exec: &Exec, env: &[EnvVar]) -> Result<Outcome> {
        let call = with_command(self.env_of_exec(self.exec_flags(name, exec), env)?, exec);
        (self.tell)(&call);
        call.stream(exec.stdin)
    }

    /// The command line of an exec.
    pub fn machine_exec_call(&self, name: &Name, exec: &Exec) -> Call {
        with_command(self.exec_flags(name, exec), exec)
    }

    fn exec_flags(&self, name: &Name, exec: &Exec) -> Call {
        let mut call = self.call("machine exec").value("--name", name.as_str());
        if exec.tty {
            call = call.arg("-t");
        }
        // Without `-i` the engine holds all output back until the end, and with `--stream` it ends a command that
        // prints more than 11 MiB (1.4.0 and 1.32.2); with `-i` and an empty stdin it does neither.
        if exec.stdin || !exec.tty {
            call = call.arg("-i");
        }
        if let Some(workdir) = &exec.workdir {
            call = call.value("--workdir", workdir);
        }
        if let Some(timeout) = exec.timeout {
            call = call.value("--timeout", humantime::format_duration(timeout).to_string().replace(' ', ""));
        }
        call
    }

    /// Polls `exec true` with a growing delay until the guest executes it.
    ///
    /// # Errors
    /// [`EngineError::NotReady`] with the engine's last words when `limit` has passed.
    pub fn wait_exec_ready(&self, name: &Name, limit: Duration) -> Result<()> {
        let (started, mut pause) = (Instant::now(), PAUSES.0);
        loop {
            let left = limit.saturating_sub(started.elapsed());
            let Err(last) = self.executes(name, left.max(PAUSES.1))? else { return Ok(()) };
            let over = started.elapsed().saturating_add(pause) >= limit;
            if over || (last.contains("is not running") && !self.machine_is_running(name)?) {
                let limit = started.elapsed().max(PAUSES.0);
                return Err(EngineError::NotReady { name: name.to_string(), waited: limit, last });
            }
            std::thread::sleep(pause);
            pause = (pause.saturating_mul(2)).min(PAUSES.1);
        }
    }

    /// `machine cp` of one file; one side is `VM:PATH`. An empty path copies nothing.
    pub fn machine_cp(&self, from: &OsStr, to: &OsStr) -> Result<()> {
        if from.is_empty() || to.is_empty() {
            return Ok(());
        }
        self.run_ok(&self.call("machine cp").arg("--").arg(from).arg(to), None, None).map(drop)
    }

    /// `pack create --image`.
    pub fn pack_create(&self, image: &str, packing: &PackOptions<'_>, watch: Watch<'_>) -> Result<()> {
        self.retry_transient(&self.pack_create_call(image, packing), None, Some(watch)).map(drop)
    }

    /// The command line of [`Self::pack_create`].
    pub fn pack_create_call(&self, image: &str, packing: &PackOptions<'_>) -> Call {
        self.packing(self.call("pack create").value("--image", image), packing)
    }

    /// `pack create --from-vm`: the VM must not run; the engine does not see to that.
    pub fn pack_create_from_vm(&self, name: &Name, packing: &PackOptions<'_>, watch: Watch<'_>) -> Result<()> {
        let call = self.pack_create_from_vm_call(name, packing);
        self.retry_transient(&call, None, Some(watch)).map(drop).map_err(|error| self.explain(name, error))
    }

    /// The command line of [`Self::pack_create_from_vm`].
    pub fn pack_create_from_vm_call(&self, name: &Name, packing: &PackOptions<'_>) -> Call {
        self.packing(self.call("pack create").value("--from-vm", name.as_str()), packing)
    }

    /// `machine checkpoint`: saves a running VM, RAM included, into the file `output`, which must end in
    /// [`CHECKPOINT_SUFFIX`]. All that the engine writes meanwhile is in `folder`. How long the VM was paused for it, if
    /// the engine tells.
    ///
    /// # Errors
    /// Among others [`EngineError::is_unsupported`]: nothing was changed then.
    pub fn machine_checkpoint(
        &self,
        name: &Name,
        folder: &Path,
        output: &Path,
        watch: Watch<'_>,
    ) -> Result<Option<Duration>> {
        let call = self.machine_checkpoint_call(name, folder, output);
        let outcome = self.run_ok(&call, None, Some(watch)).map_err(|error| self.explain(name, error))?;
        Ok(source_pause(&outcome.text()))
    }

    /// The command line of [`Self::machine_checkpoint`].
    pub fn machine_checkpoint_call(&self, name: &Name, folder: &Path, output: &Path) -> Call {
        let call = self.call("machine checkpoint").value("--name", name.as_str()).value("--output", output);
        call.value("--staging-dir", folder).env("TMPDIR", folder).folder(folder)
    }

    /// `machine pause`: saves a running VM's RAM, and ends its VMM.
    pub fn machine_pause(&self, name: &Name) -> Result<()> {
        match self.pause_or_resume("machine pause", name) {
            // To the engine a VM that does not answer for a moment does not run.
            Err(refused) if refused.is_in_another_state() => match self.machine(name)? {
                vm if vm.state == State::Running && !vm.given_up => self.pause_or_resume("machine pause", name),
                _ => Err(refused),
            },
            result => result,
        }
    }

    /// `machine resume`: a paused VM goes on.
    pub fn machine_resume(&self, name: &Name) -> Result<()> {
        self.pause_or_resume("machine resume", name)
    }

    fn pause_or_resume(&self, command: &str, name: &Name) -> Result<()> {
        if !self.version.pauses() {
            return Err(self.too_old("cannot pause a VM; 1.18.0 can"));
        }
        self.run_change(&self.call(command).value("--name", name.as_str()), name, None).map(drop)
    }

    fn packing(&self, call: Call, packing: &PackOptions<'_>) -> Call {
        // Up to 1.9.3 the engine takes its launcher from ./target/release if there is one: a folder of our own.
        let mut call = call.value("--output", packing.launcher).env("TMPDIR", packing.folder).folder(packing.folder);
        if self.version.takes_staging_dir() {
            call = call.value("--staging-dir", packing.folder);
        }
        if let Some(cpus) = packing.cpus {
            call = call.value("--cpus", cpus.to_string());
        }
        if let Some(memory) = packing.memory_mib {
            call = call.value("--mem", memory.to_string());
        }
        if let Some(smolfile) = packing.smolfile {
            call = call.value("--smolfile", smolfile);
        }
        if packing.include_workspace && self.version.packs_image_workspace() {
            call = call.arg("--include-workspace");
        }
        call
    }

    /// `pack push`: the artifact, bit by bit, and its manifest in clear. The tag appears or moves when all else is there
    /// (a connection that was cut left no tag: 1.4.0, 1.19.0, 1.32.2). Any file that ends like an artifact is taken, its
    /// checksum is not looked at.
    ///
    /// # Errors
    /// Also a reference by digest: the engine would push to the tag `latest` (1.4.0 to 1.32.2).
    pub fn pack_push(&self, artifact: &Path, to: &Reference, watch: Watch<'_>) -> Result<()> {
        self.run_ok(&self.pack_push_call(artifact, to), None, Some(watch)).map(drop)
    }

    /// The command line of [`Self::pack_push`].
    pub fn pack_push_call(&self, artifact: &Path, to: &Reference) -> Call {
        self.call("pack push").value("--file", artifact).arg("--").arg(to.to_string())
    }

    /// `pack pull` into the file `artifact`; all else that the engine writes lies in `folder`. That keeps its cache of
    /// downloads out of this: what lies there is given out without a look at its digest (1.4.0, 1.19.0, 1.32.2), it
    /// is readable for all, and it stays.
    pub fn pack_pull(&self, from: &Reference, artifact: &Path, folder: &Path, watch: Watch<'_>) -> Result<()> {
        self.run_ok(&self.pack_pull_call(from, artifact, folder), None, Some(watch)).map(drop)
    }

    /// The command line of [`Self::pack_pull`].
    pub fn pack_pull_call(&self, from: &Reference, artifact: &Path, folder: &Path) -> Call {
        let call = self.call("pack pull").value("--output", artifact).arg("--").arg(from.to_string());
        call.env("TMPDIR", folder).env("XDG_CACHE_HOME", folder)
    }

    fn call(&self, subcommand: &str) -> Call {
        Call::new(&self.path, subcommand)
    }

    /// The name at the end, positional up to 1.0.1: there 1.0.0 and 1.0.1 take what follows it as the workload.
    fn named(&self, call: Call, name: &Name) -> Call {
        if self.version.names_are_flags() { call.value("--name", name.as_str()) } else { call.arg(name.as_str()) }
    }

    fn too_old(&self, cannot: &str) -> EngineError {
        EngineError::TooOld { version: self.version, cannot: cannot.to_owned() }
    }

    /// Runs `call`; anything but an exit 0 is an error.
    fn run_ok<'a>(&self, call: &'a Call, limit: Option<Duration>, watch: Option<Watch<'a>>) -> Result<Outcome> {
        (self.tell)(call);
        self.judge(call, call.capture(limit, watch)?)
    }

    /// The outcome of `call`, if it is a success.
    fn judge(&self, call: &Call, outcome: Outcome) -> Result<Outcome> {
        if outcome.status.success() {
            return Ok(outcome);
        }
        if outcome.status.code() == Some(2) {
            // A usage error: perhaps another engine than the remembered one stands at this path now.
            locate::forget(&self.path);
        }
        Err(call.failure(&outcome))
    }

    /// Runs a command that changes the VM, and tries it again while another one stands in its way.
    fn run_change(&self, call: &Call, name: &Name, limit: Option<Duration>) -> Result<Outcome> {
        let _turn = if self.version.allows_parallel_changes() { None } else { change_lock(limit.unwrap_or(QUICK))? };
        self.retry_transient(call, limit, None).map_err(|error| self.explain(name, error))
    }

    /// The error, as what it means for the VM `name`.
    fn explain(&self, name: &Name, error: EngineError) -> EngineError {
        let said = error.stderr();
        if said.contains("vm not found") || said.contains(&format!("VM '{name}' not found")) {
            EngineError::no_such_vm(name, &self.machine_ls().unwrap_or_default())
        } else if said.contains("already exists") {
            EngineError::NameTaken(name.to_string())
        } else {
            error
        }
    }

    /// Runs `call` again when it failed for a reason that passes.
    fn retry_transient(&self, call: &Call, limit: Option<Duration>, mut watch: Option<Watch<'_>>) -> Result<Outcome> {
        again_while_passing(|| self.run_ok(call, limit, watch.as_mut().map(|watch| &mut **watch as Watch<'_>)))
    }
}

/// Runs what failed for a reason that passes again: three times at least, and for [`RETRY`].
fn again_while_passing(mut run: impl FnMut() -> Result<Outcome>) -> Result<Outcome> {
    let (started, mut pause, mut tries) = (Instant::now(), PAUSES.0, 1);
    loop {
        match run() {
            Err(error) if error.is_passing() && (tries < 3 || started.elapsed().saturating_add(pause) < RETRY) => {
                std::thread::sleep(pause);
                (pause, tries) = ((pause.saturating_mul(2)).min(PAUSES.1), tries + 1);
            }
            result => return result,
        }
    }
}

/// The guest's own words, after all flags.
fn with_command(call: Call, exec: &Exec) -> Call {
    exec.command.iter().fold(call.arg("--"), Call::arg)
}

/// Before 1.19.0 two changes at once spoil each other: ours take turns. Who cannot lock, or has waited for `limit`, goes
/// on, and retries.
fn change_lock(limit: Duration) -> Result<Option<File>> {
    let began = Instant::now();
    let make = || {
        let folder = home::cache_folder()?;
        fs::create_dir_all(&folder).ok()?;
        home::open(&folder.join("engine.lock")).ok()
    };
    let Some(file) = make() else { return Ok(None) };
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < limit => {}
            Err(_) => return Ok(None),
        }
        if let Some(signal) = signals::pending() {
            return Err(EngineError::Interrupted(signal));
        }
        std::thread::sleep(PAUSES.0);
    }
}

/// Reads `… (35 MiB written, 35.392s total, 6.265s source pause)` (1.32.2).
fn source_pause(text: &str) -> Option<Duration> {
    let before = text.split(" source pause").next().filter(|before| before.len() < text.len())?;
    let seconds = before.rsplit(' ').next()?.trim_start_matches('(').strip_suffix('s')?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}

fn not_done(call: &Call, instead: String) -> EngineError {
    EngineError::NotDone { command: call.shell_line(), instead }
}

/// Whether a start or a stop found a VM whose guest did not answer, and ended it as it was: what the guest had not written
/// to disk is lost (1.4.0, 1.32.2).
fn says_ended(outcome: &Outcome) -> bool {
    outcome.text().contains(" alive but agent unresponsive); cleaning up.")
}

/// Whether an exec failed because the guest has no such command (bare VM: exit 1, image VM: exit 255).
pub fn says_no_such_command(stderr: &str) -> bool {
    let last = stderr.lines().last().unwrap_or_default();
    let bare = last.starts_with("Error: ")
        && ["failed to spawn command: No such file", "exec interactive: No such file", "streaming exec: No such file"]
            .iter()
            .any(|text| last.contains(text));
    bare || (last.starts_with("executable file `") && last.contains("` not found in $PATH"))
}

/// Whether an exec's last words are the engine's own failure, not the guest command's.
pub fn says_engine_failed(stderr: &str) -> bool {
    const OWN: [&str; 6] = [
        "Error: vm not found: ",
        "Error: agent operation failed: ",
        "Error: config operation failed: ",
        "Error: database operation failed: ",
        "Error: io operation failed: ",
        "error: streaming output exceeded ",
    ];
    let last = stderr.lines().last().unwrap_or_default();
    OWN.iter().any(|own| last.starts_with(own))
}

impl EngineError {
    fn stderr(&self) -> &str {
        if let Self::Failed { stderr, .. } = self { stderr } else { "" }
    }

    /// Whether the next try may well succeed: an engine before 1.19.0 was disturbed by another, a VMM that was
    /// stopped a moment ago is not quite gone, or a VM (the helper that packs an image VM: once in four times in the
    /// lab) left its boot without an error.
    fn is_passing(&self) -> bool {
        const PASSING: [&str; 3] = [
            "database is locked",
            "refusing a second launch",
            "boot process exited (code 0) before the agent was ready",
        ];
        PASSING.iter().any(|passing| self.stderr().contains(passing))
    }

    /// Whether the engine failed for want of disk space.
    pub fn is_no_space(&self) -> bool {
        self.stderr().contains("No space left on device") || self.stderr().contains("os error 28")
    }

    /// Whether the engine wrote more into a file than the process may (`ulimit -f`): it says so, or was killed for it.
    pub fn is_file_too_large(&self) -> bool {
        let Self::Failed { how, stderr, .. } = self else { return false };
        how.ends_with("SIGXFSZ") || stderr.contains("File too large") || stderr.contains("os error 27")
    }

    /// Whether the engine refused a VM whose execution `machine pause` saved.
    pub fn is_paused(&self) -> bool {
        self.stderr().contains("saved execution")
    }

    /// Whether the engine refused to use a VM that does not run, or to resume one that is not paused.
    pub fn is_in_another_state(&self) -> bool {
        const REFUSALS: [&str; 3] = ["' is not running", "' must be running", "machine is not paused"];
        REFUSALS.iter().any(|refusal| self.stderr().contains(refusal))
    }

    /// Whether the engine refused to save a running VM of this kind: one with image layers or folders of the host, say.
    pub fn is_unsupported(&self) -> bool {
        self.stderr().contains("does not support")
    }

    /// Whether the engine refused to pack a VM that has no disk yet.
    pub fn is_never_started(&self) -> bool {
        let said = self.stderr();
        said.contains("may not have been started") || said.contains("never been started")
    }

    /// Whether the registry has nothing of that name or tag. (These four: 1.4.0 to 1.32.2.)
    pub fn is_not_in_registry(&self) -> bool {
        self.stderr().contains("blob not found: ")
    }

    /// Whether the registry wants to know who asks, or refuses the one who does.
    pub fn is_access_denied(&self) -> bool {
        ["registry authentication failed", "registry returned 401", "registry returned 403"]
            .iter()
            .any(|denied| self.stderr().contains(denied))
    }

    /// Whether the registry gave something else than its own digest says.
    pub fn is_damaged_in_registry(&self) -> bool {
        self.stderr().contains("digest mismatch: expected ")
    }

    /// Whether no registry answered, or the connection was lost.
    pub fn is_connection_lost(&self) -> bool {
        self.stderr().contains("HTTP request failed: ")
    }
}
