//! The command lines of the commands of a freeze: `--dry-run` prints them, and the methods of [`Smolvm`] run them.

use super::call::Call;
use super::engine::Smolvm;
use super::facts::Fact;
use super::machine::Name;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// How long a guest may take to trim its disks.
const TRIM: Duration = Duration::from_secs(30);

/// A command of the engine.
#[derive(Debug, Clone, Copy)]
pub enum Command<'a> {
    /// List the VMs.
    List,
    /// Find the folder of the VM's disks.
    DataDir(&'a Name),
    /// Run a command in the guest.
    Exec(&'a Name, &'a Exec),
    /// Start the VM.
    Start(&'a Name),
    /// Stop the VM.
    Stop(&'a Name),
    /// Pack the VM.
    Pack(&'a Name, &'a PackOptions<'a>),
    /// Save the running VM, in this folder, into this file.
    Checkpoint(&'a Name, CheckpointOptions<'a>),
}

/// A command for a guest.
#[derive(Debug, Clone, Default)]
pub struct Exec {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Whether it reads the stdin of this process.
    pub stdin: bool,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Its working folder.
    pub workdir: Option<String>,
    /// When the engine kills it.
    pub timeout: Option<Duration>,
}

impl Exec {
    /// A command without arguments.
    pub fn of(command: &str) -> Self {
        Self { command: vec![command.into()], ..Self::default() }
    }

    /// Has the disks drop what their file systems do not use. What was deleted a moment ago is free only after a sync.
    pub fn trim() -> Self {
        let command = ["sh", "-c", "sync; fstrim -a"].map(Into::into).into();
        Self { command, timeout: Some(TRIM), ..Self::default() }
    }
}

/// How `machine checkpoint` saves a running VM.
#[derive(Debug, Clone, Copy)]
pub struct CheckpointOptions<'a> {
    /// The folder for everything the engine writes.
    pub folder: &'a Path,
    /// The file to write, which must end in [`CHECKPOINT_SUFFIX`](super::CHECKPOINT_SUFFIX).
    pub output: &'a Path,
    /// The folder in which the engine looks for chunks, and adds others. Then `output` becomes a folder with links to them.
    pub store: Option<&'a Path>,
}

/// How `pack create` packs.
#[derive(Debug, Clone)]
pub struct PackOptions<'a> {
    /// The folder for everything the engine writes: staging, temporary files, and the result.
    pub folder: &'a Path,
    /// The launcher to write, inside that folder; the sidecar goes beside it.
    pub launcher: &'a Path,
    /// Virtual CPUs for the manifest.
    pub cpus: Option<u32>,
    /// MiB of memory for the manifest.
    pub memory_mib: Option<u64>,
    /// A Smolfile that overrides what the engine would record.
    pub smolfile: Option<&'a Path>,
    /// Whether to pack `/workspace` too (image VMs, if the engine can).
    pub include_workspace: bool,
}

impl Smolvm {
    /// The command line of a command.
    pub fn command_line(&self, command: Command) -> Call {
        match command {
            Command::List => machine_ls_of(self.path()),
            Command::DataDir(name) => self.named(self.call("machine data-dir").changes_nothing(), name),
            Command::Exec(name, exec) => with_command(self.exec_flags(name, exec), exec),
            Command::Start(name) => self.call("machine start").value("--name", name.as_str()),
            Command::Stop(name) => self.call("machine stop").value("--name", name.as_str()),
            Command::Pack(name, options) => {
                self.pack_flags(self.call("pack create").value("--from-vm", name.as_str()), options)
            }
            Command::Checkpoint(name, CheckpointOptions { folder, output, store }) => {
                let call = self.call("machine checkpoint").value("--name", name.as_str()).value("--output", output);
                let call = match store {
                    Some(store) => call.value("--store", store),
                    None => call.value("--staging-dir", folder),
                };
                call.env("TMPDIR", folder).folder(folder)
            }
        }
    }

    pub(super) fn exec_flags(&self, name: &Name, exec: &Exec) -> Call {
        let mut call = self.call("machine exec").value("--name", name.as_str());
        if exec.tty {
            call = call.arg("-t");
        }
        // Without `-i` the engine holds all output back until the end, and with `--stream` it ends a command that prints
        // more than 11 MiB; with `-i` and an empty stdin it does neither.
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

    pub(super) fn pack_flags(&self, call: Call, options: &PackOptions<'_>) -> Call {
        // Old engines take their launcher from ./target/release if there is one, so the working folder is our own.
        let mut call = call.value("--output", options.launcher).env("TMPDIR", options.folder).folder(options.folder);
        if self.version().has(Fact::StagingDir) {
            call = call.value("--staging-dir", options.folder);
        }
        if let Some(cpus) = options.cpus {
            call = call.value("--cpus", cpus.to_string());
        }
        if let Some(memory) = options.memory_mib {
            call = call.value("--mem", memory.to_string());
        }
        if let Some(smolfile) = options.smolfile {
            call = call.value("--smolfile", smolfile);
        }
        if options.include_workspace && self.version().has(Fact::ImageWorkspace) {
            call = call.arg("--include-workspace");
        }
        call
    }
}

/// `machine ls` of the engine at this path.
pub fn machine_ls_of(engine: &Path) -> Call {
    Call::new(engine, "machine ls").arg("--json").changes_nothing()
}

/// Adds the guest's own words, after all flags.
pub(super) fn with_command(call: Call, exec: &Exec) -> Call {
    exec.command.iter().fold(call.arg("--"), Call::arg)
}
