//! Every argument and its help text; no behavior.

// `[:TAG]` in a help text is no link.
#![allow(rustdoc::broken_intra_doc_links)]

use crate::library::{Reach, Tag, TagList};
use crate::smolvm::{Name, Reference, Version};
use clap::builder::{Resettable, StyledStr};
use clap::{ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Freeze smolvm microVMs into snapshots, and thaw them again
///
/// A snapshot is one frozen state of one VM. It never changes after it is written, and an old snapshot stays until the new
/// one is whole and verified.
#[derive(Debug, Parser)]
#[allow(clippy::struct_excessive_bools)]
#[command(name = "bottle-freeze", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:\n  bottle-freeze create dev\n  bottle-freeze start dev\n  \
    bottle-freeze exec -it dev -- sh\n  bottle-freeze freeze dev -t ready\n  bottle-freeze thaw dev@ready tuesday")]
pub struct Cli {
    /// The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]
    #[arg(long, global = true, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub smolvm: Option<PathBuf>,
    /// Print only errors and the bare result: the name of each VM, snapshot or file, one per line
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print each engine command before it runs, with environment values masked
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Print the result as a single JSON value (see bottle-freeze-json(7))
    #[arg(long, global = true)]
    pub json: bool,
    /// Print errors as text, or as JSON, one object per line
    #[arg(long, global = true, value_enum, value_name = "text|json", default_value_t = ErrorFormat::Text)]
    #[arg(hide_possible_values = true)]
    pub error_format: ErrorFormat,
    /// Print progress and warnings to suit the terminal or log, or as JSON, one object per line
    #[arg(long, global = true, value_enum, value_name = "auto|json", default_value_t = ProgressFormat::Auto)]
    #[arg(hide_possible_values = true, conflicts_with = "quiet")]
    pub progress: ProgressFormat,
    /// Never prompt; behave as if there were no terminal
    #[arg(long, global = true)]
    pub no_input: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ErrorFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressFormat {
    /// Drawn on a terminal, in lines elsewhere.
    Auto,
    /// For programs.
    Json,
}

impl Cli {
    /// Whether errors must be JSON, found in a command line that may not parse.
    pub fn asks_for_json_errors(words: impl Iterator<Item = OsString>) -> bool {
        let words: Vec<OsString> = words.take_while(|word| word != "--").collect();
        let apart = words.windows(2).any(|two| two == ["--error-format", "json"]);
        apart || words.iter().any(|word| word == "--error-format=json")
    }
}

/// One subcommand each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a VM: bare, from an image, or from a snapshot
    ///
    /// A snapshot is checked before the engine is called. The VM gets the snapshot's cpus and memory, but no network unless
    /// you enable it here.
    Create(Deferred<Create>),
    /// Start VMs and wait until they run commands
    Start(Deferred<Start>),
    /// Stop VMs
    Stop(Deferred<Stop>),
    /// Run a command in a VM
    ///
    /// Exits with the command's own status: 128 + N if signal N killed it, 124 if --timeout passed, 127 if the guest has no
    /// such command, 125 if bottle-freeze or the engine failed.
    Exec(Deferred<Exec>),
    /// Copy a file between the host and a VM
    ///
    /// One side is VM:PATH, the other a path on the host. A file on the host is replaced only when the copy is complete.
    Cp(Deferred<Cp>),
    /// List VMs
    #[command(visible_alias = "list")]
    Ls(Deferred<Ls>),
    /// Freeze VMs into snapshots
    ///
    /// Without -o, the snapshot goes into the library (see `bottle-freeze snapshot`). A running VM is stopped first, after you
    /// confirm. At every instant, OUT is either exactly what it was before, or a whole, verified snapshot. Unless the freeze
    /// succeeds, the VM is left as it was found. Nothing else stays behind.
    Freeze(Deferred<Freeze>),
    /// Make a VM from a snapshot, as it was frozen, and start it
    ///
    /// The snapshot is checked first. The VM gets the cpus, memory, disk sizes, environment, labels and ports that it was
    /// frozen with. It gets its network if all of its limits are known, as they are for VMs that bottle-freeze made.
    Thaw(Deferred<Thaw>),
    /// Save the RAM of running VMs and shut them down until you resume them
    ///
    /// A paused VM cannot be frozen: its RAM would be lost.
    Pause(Deferred<Pause>),
    /// Continue paused VMs
    Resume(Deferred<Resume>),
    /// List, check, tag, remove and share the snapshots in the library
    #[command(subcommand)]
    Snapshot(Deferred<Snapshot>),
    /// Delete VMs and their disks
    ///
    /// Snapshots stay.
    Rm(Deferred<Rm>),
    /// Pack an image into a file from which you can make VMs
    Pack(Deferred<Pack>),
    /// Check that snapshots are whole
    ///
    /// Reads each file once and checks its footer, CRC-32 and manifest, and the SHA-256 recorded in a snapshot.json beside it.
    /// Needs no engine.
    Verify(Deferred<Verify>),
    /// Check that freezing works here, and print how to fix what does not
    ///
    /// Prints one line each for the engine, KVM, the library, free space, leftovers of killed commands, and shell completion.
    /// Each is tried: the engine freezes an empty VM in a temporary home, which is then removed (1 s, 125 MB), and your shell
    /// completes a command. Exits with 0 if a freeze would work, otherwise with the status that it would fail with. Without
    /// KVM no VM starts, but stopped VMs can be frozen: that is a warning.
    Doctor(Deferred<Doctor>),
    /// Install smolvm engines and choose one
    ///
    /// The chosen engine is used unless --smolvm or $SMOLVM names another, or one is on PATH.
    #[command(subcommand)]
    Engine(Deferred<Engine>),
    /// Print the shell completion script
    ///
    /// It completes the names of VMs, snapshots, tags and images too.
    Completions(Deferred<Completions>),
}

/// The arguments or subcommands of a command. clap builds their tables only if this command is called: building those of all
/// commands takes 0.2 ms, a fifth of a short run.
#[derive(Debug)]
pub struct Deferred<T>(pub T);

/// The command's description is part of its parent's help, so it exists before the rest is built.
fn described(command: clap::Command, augment: fn(clap::Command) -> clap::Command) -> clap::Command {
    let kept = |text: Option<&StyledStr>| text.cloned().map_or(Resettable::Reset, Resettable::Value);
    let (about, long) = (kept(command.get_about()), kept(command.get_long_about()));
    augment(command).about(about).long_about(long)
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.defer(|command| described(command, T::augment_args))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command.defer(|command| described(command, T::augment_args_for_update))
    }
}

impl<T: Subcommand> Subcommand for Deferred<T> {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        command.defer(|command| described(command, T::augment_subcommands))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        command.defer(|command| described(command, T::augment_subcommands_for_update))
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Arguments of [`Command::Create`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze create dev --cpus 2 --mem 2048\n  \
    bottle-freeze create web --image alpine:3.20 --allow-cidr 10.0.0.0/8\n  \
    bottle-freeze create dev2 --from dev.smolmachine --net")]
pub struct Create {
    /// Name of the new VM
    pub name: Name,
    /// OCI image, `docker save` archive or unpacked rootfs folder to make it from
    #[arg(short = 'I', long, conflicts_with = "from")]
    pub image: Option<String>,
    /// Snapshot to make it from: a .smolmachine file, or from the library VM (its newest), VM@TAG or VM@ID
    #[arg(long, value_name = "SNAPSHOT", value_hint = ValueHint::FilePath)]
    pub from: Option<OsString>,
    /// Virtual CPUs [default: the engine's or the snapshot's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory in MiB [default: the engine's or the snapshot's]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub mem: Option<u64>,
    /// Size of the storage disk in GiB [default: the engine's, 20]
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub storage: Option<u64>,
    /// Size of the overlay disk in GiB [default: the engine's, 10]
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub overlay: Option<u64>,
    /// Enable the network, without limits
    #[arg(long)]
    pub net: bool,
    /// Enable the network, limited to this CIDR block (repeatable)
    #[arg(long, value_name = "CIDR")]
    pub allow_cidr: Vec<String>,
    #[command(flatten)]
    pub env: Env,
    /// Mount a host folder (repeatable)
    #[arg(long, value_name = "HOST:GUEST[:ro]")]
    pub volume: Vec<String>,
    /// Publish a port (repeatable)
    #[arg(short, long, value_name = "HOST[:GUEST]")]
    pub port: Vec<String>,
    /// Attach a label (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// Folder in the guest in which its commands start
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
}

/// Environment variables for a guest.
#[derive(Debug, Args)]
pub struct Env {
    /// Set a variable; without `=VALUE`, use its value in this environment (repeatable)
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,
    /// Read variables from a file of KEY=VALUE lines (repeatable)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_file: Vec<PathBuf>,
}

/// Arguments of [`Command::Start`].
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bottle-freeze start dev\n  bottle-freeze start --no-wait web db\n  bottle-freeze start --label team=a"
)]
pub struct Start {
    #[command(flatten)]
    pub vms: Vms,
    /// Do not wait until the VM runs commands
    #[arg(long)]
    pub no_wait: bool,
    /// Longest time to wait until the VM runs commands; includes pulling an image
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub wait: Wait,
}

/// Several VMs.
#[derive(Debug, Args)]
pub struct Vms {
    /// Names of VMs
    #[arg(required_unless_present_any = ["all", "label"])]
    pub names: Vec<Name>,
    /// All VMs
    #[arg(long, conflicts_with_all = ["names", "label"])]
    pub all: bool,
    /// Select VMs with this label (repeatable; a VM must have all of them)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "names")]
    pub label: Vec<(String, String)>,
    /// Number of VMs to work on at the same time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// What to do while another bottle-freeze is at work.
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration)]
    pub wait: Duration,
}

/// Arguments of [`Command::Stop`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze stop dev\n  bottle-freeze stop --all")]
pub struct Stop {
    #[command(flatten)]
    pub vms: Vms,
    #[command(flatten)]
    pub wait: Wait,
}

/// Arguments of [`Command::Pause`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze pause dev\n  bottle-freeze pause --all")]
pub struct Pause {
    #[command(flatten)]
    pub vms: Vms,
    #[command(flatten)]
    pub wait: Wait,
}

/// Arguments of [`Command::Resume`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze resume dev\n  bottle-freeze resume --label team=a")]
pub struct Resume {
    #[command(flatten)]
    pub vms: Vms,
    #[command(flatten)]
    pub wait: Wait,
}

/// Arguments of [`Command::Exec`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze exec dev -- uname -a\n  bottle-freeze exec -it dev -- sh\n  \
    bottle-freeze exec -e TOKEN --timeout 5m dev -- ./deploy.sh\n  tar -c src | bottle-freeze exec -i dev -- tar -x -C /root")]
pub struct Exec {
    /// Pass standard input to the command
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Folder in the guest in which to run the command
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    #[command(flatten)]
    pub env: Env,
    /// Kill the command after this time (2s, 5m …)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// VM in which to run the command
    pub name: Name,
    /// Command and arguments
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Arguments of [`Command::Cp`].
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bottle-freeze cp .bashrc dev:/root/.bashrc\n  bottle-freeze cp dev:/workspace/report.html ."
)]
pub struct Cp {
    /// File to copy
    #[arg(value_hint = ValueHint::FilePath)]
    pub source: OsString,
    /// Where to copy it
    #[arg(value_hint = ValueHint::FilePath)]
    pub target: OsString,
}

/// Arguments of [`Command::Ls`].
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bottle-freeze ls\n  bottle-freeze ls --json | jq -r '.[] | select(.state == \"running\") | .name'"
)]
pub struct Ls {}

/// Arguments of [`Command::Freeze`].
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  bottle-freeze freeze dev -t ready -m 'toolchain and database set up'\n  \
    bottle-freeze freeze dev --yes --restart\n  bottle-freeze freeze --all -j 4 --yes\n  \
    bottle-freeze freeze dev --live\n  \
    bottle-freeze freeze dev --pre-freeze 'guest:pg_ctl stop -D /data'\n  \
    bottle-freeze freeze dev --post-freeze 'host:logger \"$BOTTLE_FREEZE_SNAPSHOT\"'\n  \
    bottle-freeze freeze dev -o dev.smolmachine --yes --force")]
#[allow(clippy::struct_excessive_bools)]
pub struct Freeze {
    /// VMs to freeze
    #[arg(required_unless_present_any = ["all", "vm_label"])]
    pub names: Vec<Name>,
    /// Freeze all VMs
    #[arg(long, conflicts_with_all = ["names", "vm_label"])]
    pub all: bool,
    /// Freeze VMs with this label (repeatable; a VM must have all of them)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "names")]
    pub vm_label: Vec<(String, String)>,
    /// Number of VMs to work on at the same time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Freeze without stopping: keep RAM and processes too; the VM goes on after a short pause. With `auto`, freeze the
    /// ordinary way, after you confirm, if that is not possible
    #[arg(long, value_enum, value_name = "auto", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pub live: Option<Live>,
    /// Write the snapshot to a file instead of the library: X.smolmachine (with --live: X.checkpoint), or any other name for a
    /// launcher and NAME.smolmachine beside it
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Tag for the snapshot in the library (repeatable)
    #[arg(short, long, value_name = "TAG", conflicts_with = "output")]
    pub tag: Vec<Tag>,
    /// Note to store with the snapshot
    #[arg(short = 'm', long, value_name = "NOTE", conflicts_with = "output")]
    pub note: Option<String>,
    /// Label to store with the snapshot (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "output")]
    pub label: Vec<(String, String)>,
    /// Store the launcher in the library too
    #[arg(long, conflicts_with_all = ["output", "live"])]
    pub launcher: bool,
    /// Stop a running VM without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Freeze a VM that does not answer, and lose what its guest has not written to disk; --yes does not confirm this
    #[arg(long)]
    pub allow_unresponsive: bool,
    /// Replace existing files at OUT, and move tags from other snapshots
    #[arg(short, long)]
    pub force: bool,
    /// Start the VM again, if this freeze stopped it
    #[arg(long, conflicts_with = "no_restart")]
    pub restart: bool,
    /// Leave the VM stopped even if the freeze fails
    #[arg(long)]
    pub no_restart: bool,
    /// Leave out /workspace (VMs made from an image; engines that cannot pack it)
    #[arg(long)]
    pub no_workspace: bool,
    /// Run this command after you confirm and before the VM stops; if it fails, nothing is frozen (repeatable).
    /// guest:COMMAND runs in the VM, if that is running, host:COMMAND on this host; both by `sh -c`
    #[arg(long = "pre-freeze", value_name = "WHERE:COMMAND", value_parser = hook)]
    pub before: Vec<Hook>,
    /// Run this command at the end, also after a failure or an interrupt (repeatable); in the VM only if that is running.
    /// On the host it gets `$BOTTLE_FREEZE_VM`, `$BOTTLE_FREEZE_SNAPSHOT` (empty if there is none) and `$BOTTLE_FREEZE_STATUS`
    #[arg(long = "post-freeze", value_name = "WHERE:COMMAND", value_parser = hook)]
    pub after: Vec<Hook>,
    /// Time limit for each hook
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub hook_timeout: Duration,
    /// Time limit for stopping the VM
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub stop_timeout: Duration,
    /// Freeze even if there may not be enough space
    #[arg(long)]
    pub no_space_check: bool,
    #[command(flatten)]
    pub wait: Wait,
    /// Print the engine commands that would run, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A command around a freeze, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// In the VM.
    Guest(String),
    /// On this host.
    Host(String),
}

/// Whether a VM is frozen while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Live {
    /// Or not at all.
    #[value(hide = true)]
    Always,
    /// Where the engine and the VM can.
    Auto,
}

impl Freeze {
    /// A freeze of this VM with default options.
    pub fn of(name: Name) -> Self {
        Self {
            names: vec![name],
            all: false,
            vm_label: Vec::new(),
            jobs: None,
            live: None,
            output: None,
            tag: Vec::new(),
            note: None,
            label: Vec::new(),
            launcher: false,
            yes: false,
            allow_unresponsive: false,
            force: false,
            restart: false,
            no_restart: false,
            no_workspace: false,
            before: Vec::new(),
            after: Vec::new(),
            hook_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(60),
            no_space_check: false,
            wait: Wait { wait: Duration::ZERO },
            dry_run: false,
        }
    }
}

/// Arguments of [`Command::Thaw`].
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)]
#[command(
    after_help = "Examples:\n  bottle-freeze thaw dev\n  bottle-freeze thaw dev@ready dev-tuesday --no-start\n  \
    bottle-freeze thaw dev@ready --replace\n  \
    bottle-freeze thaw dev.smolmachine"
)]
pub struct Thaw {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file
    #[arg(value_hint = ValueHint::FilePath)]
    pub snapshot: OsString,
    /// Name of the new VM [default: the frozen VM's name if that is free, or NAME-2, NAME-3 …]
    pub name: Option<Name>,
    /// Start it and wait until it runs commands (the default)
    #[arg(long, conflicts_with = "no_start")]
    pub start: bool,
    /// Do not start it
    #[arg(long)]
    pub no_start: bool,
    /// Replace the VM of that name; it is frozen into the library first (asks for confirmation)
    #[arg(long)]
    pub replace: bool,
    /// With --replace, do not ask
    #[arg(short, long, requires = "replace")]
    pub yes: bool,
    /// Virtual CPUs [default: as frozen]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory in MiB [default: as frozen]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub mem: Option<u64>,
    /// Enable the network, without limits
    #[arg(long)]
    pub net: bool,
    /// Enable the network, limited to this CIDR block (repeatable) [default: as frozen]
    #[arg(long, value_name = "CIDR")]
    pub allow_cidr: Vec<String>,
    /// Publish this port, and none of the recorded ones (repeatable) [default: as frozen]
    #[arg(short, long, value_name = "HOST[:GUEST]")]
    pub port: Vec<String>,
    /// Longest time to wait until the VM runs commands
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
}

/// Subcommands of [`Command::Snapshot`].
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot ls\n  bottle-freeze snapshot verify --all\n  \
    bottle-freeze snapshot prune dev --keep-last 3 --dry-run")]
pub enum Snapshot {
    Ls(SnapshotLs),
    Show(SnapshotShow),
    Verify(SnapshotVerify),
    Tag(SnapshotTag),
    Rm(SnapshotRm),
    Prune(SnapshotPrune),
    Push(SnapshotPush),
    Pull(SnapshotPull),
    Export(SnapshotExport),
    Import(SnapshotImport),
}

/// List snapshots
#[derive(Debug, Args)]
#[command(
    visible_alias = "list",
    after_help = "Examples:\n  bottle-freeze snapshot ls\n  \
    bottle-freeze snapshot ls dev --tag ready -q"
)]
pub struct SnapshotLs {
    /// Only snapshots of this VM
    pub vm: Option<Name>,
    /// Only snapshots with this tag
    #[arg(long, value_name = "TAG", value_parser = Tag::existing)]
    pub tag: Option<Tag>,
    /// Only snapshots with this label
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub label: Option<(String, String)>,
    /// Sort order
    #[arg(long, value_enum, default_value_t = SnapshotOrder::Age)]
    pub sort: SnapshotOrder,
}

/// An order of snapshots.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SnapshotOrder {
    /// Oldest first
    Age,
    /// Largest last
    Size,
    /// By name of the VM, oldest first
    Vm,
}

/// Print everything recorded about a snapshot, as JSON
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot show dev\n  \
    bottle-freeze snapshot show dev@ready | jq .machine")]
pub struct SnapshotShow {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    pub snapshot: String,
}

/// Check that snapshots are whole: SHA-256, footer, CRC-32, manifest
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot verify dev@ready\n  bottle-freeze snapshot verify --all")]
pub struct SnapshotVerify {
    /// Snapshots: VM (its newest), VM@TAG or VM@ID
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub snapshots: Vec<String>,
    /// Check all snapshots in the library
    #[arg(long)]
    pub all: bool,
}

/// Add tags to a snapshot, or remove them
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot tag dev@1a2b3c4d ready\n  \
    bottle-freeze snapshot tag dev@ready --remove ready")]
pub struct SnapshotTag {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    pub snapshot: String,
    /// Tags to add
    #[arg(required_unless_present = "remove")]
    pub tags: Vec<Tag>,
    /// Tag to remove (repeatable)
    #[arg(long, value_name = "TAG", value_parser = Tag::existing)]
    pub remove: Vec<Tag>,
    /// Move a tag that another snapshot has
    #[arg(short, long)]
    pub force: bool,
}

/// Remove snapshots (asks for confirmation)
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot rm dev@1a2b\n  \
    bottle-freeze snapshot rm dev@old web@old --yes")]
pub struct SnapshotRm {
    /// Snapshots: VM@TAG or VM@ID, or VM (its newest)
    #[arg(required = true)]
    pub snapshots: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub wait: Wait,
}

/// Remove the snapshots that no --keep option keeps (asks for confirmation)
///
/// The policy applies to each VM separately, and the --keep options work as in `restic forget` (0.14). N may be `unlimited`.
/// A DURATION has years, months, days and hours (1y5m7d2h) and counts back from the newest snapshot that is not in the
/// future. Hours, days, weeks (from Monday), months and years are in this machine's time zone ($TZ).
///
/// Deliberate differences from restic: snapshots with a tag stay, unless --tag names each of their tags (in restic, --tag
/// selects snapshots). The newest whole snapshot of each VM stays. --keep-last counts in the order in which the snapshots were
/// made, even if the clock went back. restic uses the time zone in which a snapshot was made. restic 0.17 and later also keep
/// the oldest snapshot while there are fewer than N.
#[allow(clippy::doc_markdown, reason = "a variable, in a help text")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot prune dev --keep-last 3 --keep-weekly 8 --dry-run\n  \
    bottle-freeze snapshot prune --keep-within 6m --keep-yearly unlimited --yes")]
pub struct SnapshotPrune {
    /// Only snapshots of this VM
    pub vm: Option<Name>,
    /// Keep the N newest
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_last: usize,
    /// Keep the newest of each of the last N hours that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_hourly: usize,
    /// Keep the newest of each of the last N days that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_daily: usize,
    /// Keep the newest of each of the last N weeks that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_weekly: usize,
    /// Keep the newest of each of the last N months that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_monthly: usize,
    /// Keep the newest of each of the last N years that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_yearly: usize,
    /// Keep all snapshots within this time before the newest (30d, 6m, 1y5m7d2h)
    #[arg(long, value_name = "DURATION")]
    pub keep_within: Option<Reach>,
    /// Keep the newest of each hour within this time before the newest
    #[arg(long, value_name = "DURATION")]
    pub keep_within_hourly: Option<Reach>,
    /// Keep the newest of each day within this time before the newest
    #[arg(long, value_name = "DURATION")]
    pub keep_within_daily: Option<Reach>,
    /// Keep the newest of each week within this time before the newest
    #[arg(long, value_name = "DURATION")]
    pub keep_within_weekly: Option<Reach>,
    /// Keep the newest of each month within this time before the newest
    #[arg(long, value_name = "DURATION")]
    pub keep_within_monthly: Option<Reach>,
    /// Keep the newest of each year within this time before the newest
    #[arg(long, value_name = "DURATION")]
    pub keep_within_yearly: Option<Reach>,
    /// Keep snapshots with this tag, with all tags of a list TAG,TAG, or without any tag ('') (repeatable)
    #[arg(long, value_name = "TAGS")]
    pub keep_tag: Vec<TagList>,
    /// Also remove snapshots with this tag (repeatable)
    #[arg(long, value_name = "TAG", value_parser = Tag::existing)]
    pub tag: Vec<Tag>,
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub wait: Wait,
}

/// Push a snapshot to a registry (asks for confirmation)
///
/// The engine does the transfer, with its own credentials (`docker login`, `smolvm config registries`). It pushes the artifact
/// with its snapshot.json in the manifest: `snapshot pull` restores both, and `smolvm pack pull` gives an artifact that the
/// engine accepts as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot push dev@ready ghcr.io/team/dev:ready\n  \
    bottle-freeze snapshot push dev localhost:5000/dev:tuesday --yes")]
pub struct SnapshotPush {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file
    #[arg(value_hint = ValueHint::FilePath)]
    pub snapshot: OsString,
    /// Destination HOST/NAME[:TAG]; without HOST, the engine's own registry, registry.smolmachines.com
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Pull a snapshot from a registry into the library, and check it
///
/// It also pulls what `smolvm pack push` pushed: then snapshot.json holds only what the artifact itself records.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot pull ghcr.io/team/dev:ready\n  \
    bottle-freeze snapshot pull localhost:5000/dev:tuesday --as dev2")]
pub struct SnapshotPull {
    /// Source HOST/NAME[:TAG] or HOST/NAME@DIGEST
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// Store it as a snapshot of this VM [default: the VM that was frozen]
    #[arg(long = "as", value_name = "VM")]
    pub vm: Option<Name>,
}

/// Write a snapshot to one file, to import it on another machine
///
/// The file is a tar of the snapshot's folder: the artifact and snapshot.json.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot export dev -o dev.tar\n  \
    bottle-freeze snapshot export dev@ready -o /media/usb/dev-ready.tar --force\n  \
    bottle-freeze snapshot export dev -o - | ssh B bottle-freeze snapshot import -")]
pub struct SnapshotExport {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    pub snapshot: String,
    /// File to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Replace the file
    #[arg(short, long)]
    pub force: bool,
}

/// Import an exported snapshot into the library, and check it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot import dev-ready.tar\n  \
    bottle-freeze snapshot import dev-ready.tar --as dev2\n  \
    zstd -dc dev.tar.zst | bottle-freeze snapshot import -")]
pub struct SnapshotImport {
    /// File that `snapshot export` wrote; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Store it as a snapshot of this VM [default: the VM that was frozen]
    #[arg(long = "as", value_name = "VM")]
    pub vm: Option<Name>,
}

/// Arguments of [`Command::Rm`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze rm dev\n  bottle-freeze rm --label scratch=yes")]
pub struct Rm {
    #[command(flatten)]
    pub vms: Vms,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub wait: Wait,
}

/// Arguments of [`Command::Pack`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze pack alpine:3.20 -o alpine.smolmachine\n  \
    bottle-freeze pack ./rootfs -o base.smolmachine --cpus 2 --mem 1024")]
pub struct Pack {
    /// OCI image, `docker save` archive or unpacked rootfs folder
    pub image: String,
    /// File to write: X.smolmachine, or any other name for a launcher and NAME.smolmachine beside it
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Virtual CPUs for VMs made from it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory in MiB for VMs made from it
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub mem: Option<u64>,
    /// Replace the files at OUT
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub force: bool,
    #[command(flatten)]
    pub wait: Wait,
}

/// Arguments of [`Command::Verify`].
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bottle-freeze verify dev.smolmachine\n  bottle-freeze verify --json *.smolmachine"
)]
pub struct Verify {
    /// Snapshots to check: .smolmachine files, or from the library VM (its newest), VM@TAG or VM@ID
    #[arg(required = true, value_name = "SNAPSHOT", value_hint = ValueHint::FilePath)]
    pub snapshots: Vec<OsString>,
}

/// Arguments of [`Command::Doctor`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze doctor\n  bottle-freeze doctor --fix\n  \
    bottle-freeze doctor --json | jq '.checks[] | select(.verdict != \"ok\")'")]
pub struct Doctor {
    /// Remove leftovers of killed commands that no process uses
    ///
    /// bottle-freeze leaves private folders .bottle-freeze-XXXXXX, in the library and wherever a command worked. smolvm leaves
    /// folders pack-staging-XXXXXX in its cache, and folders .tmpXXXXXX in $TMPDIR that hold only an assets.tar.zst or a
    /// libs.tar.zst. A folder is removed only if it was untouched for a minute, no process has a file in it open, works in it
    /// or has it as TMPDIR, and no pack is running that could use it.
    #[arg(long)]
    pub fix: bool,
}

/// Subcommands of [`Command::Engine`].
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  bottle-freeze engine install\n  bottle-freeze engine ls\n  \
    bottle-freeze engine use 1.32.2")]
pub enum Engine {
    Install(EngineInstall),
    #[command(visible_alias = "list")]
    Ls(EngineLs),
    Use(EngineUse),
    Rm(EngineRm),
}

/// Download an engine from PyPI
///
/// It comes with the package `smolmachines`, whose SHA-256 is checked. The first engine you install is chosen for use.
/// $PIP_INDEX_URL names a mirror (with the JSON API of PEP 691), $HTTPS_PROXY a proxy, $SSL_CERT_FILE the certificates to
/// trust.
#[allow(clippy::doc_markdown, reason = "variables, in a help text")]
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "Examples:\n  bottle-freeze engine install\n  bottle-freeze engine install --version 1.32.2"
)]
pub struct EngineInstall {
    /// Version to install [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = engine_version)]
    pub version: Option<Version>,
}

/// List the installed engines
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze engine ls\n  bottle-freeze engine ls --json")]
pub struct EngineLs {}

/// Choose the installed engine to use
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze engine use 1.32.2")]
pub struct EngineUse {
    /// Version to use
    #[arg(id = "engine", value_name = "VERSION", value_parser = engine_version)]
    pub version: Version,
}

/// Remove installed engines
///
/// VMs and snapshots stay. A running engine is not removed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze engine rm 1.4.0\n  bottle-freeze engine rm 1.4.0 1.19.0")]
pub struct EngineRm {
    /// Versions to remove
    #[arg(value_name = "VERSION", required = true, value_parser = engine_version)]
    pub versions: Vec<Version>,
}

/// Arguments of [`Command::Completions`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  source <(bottle-freeze completions bash)\n  \
    source <(bottle-freeze completions zsh)\n  bottle-freeze completions fish | source")]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Reads `KEY=VALUE`.
fn label(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    if key.is_empty() { Err("a label is KEY=VALUE") } else { Ok((key.to_owned(), value.to_owned())) }
}

/// Reads `guest:COMMAND` and `host:COMMAND`.
fn hook(text: &str) -> Result<Hook, &'static str> {
    match text.split_once(':') {
        Some(("guest", command)) if !command.trim().is_empty() => Ok(Hook::Guest(command.to_owned())),
        Some(("host", command)) if !command.trim().is_empty() => Ok(Hook::Host(command.to_owned())),
        _ => Err("a hook is guest:COMMAND or host:COMMAND"),
    }
}

/// Reads a number of snapshots. restic 0.14 reads -1 as none, and later versions refuse it.
fn count(text: &str) -> Result<usize, &'static str> {
    match text {
        "unlimited" => Ok(usize::MAX),
        _ => text.parse().map_err(|_| "it must be a whole number, or `unlimited`"),
    }
}

/// Reads `1.32.2`.
fn engine_version(text: &str) -> Result<Version, &'static str> {
    let version = text.parse::<Version>().ok().filter(|version| version.to_string() == text);
    version.ok_or("a version is three numbers, such as 1.32.2")
}

/// Reads `90s`, `5m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{CommandFactory, Parser};
    use clap_complete::Shell;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Every generated file and what it has to hold.
    fn files() -> Vec<(PathBuf, Vec<u8>)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bottle-freeze", &mut script);
            files.push((root.join("completions").join(format!("bottle-freeze.{shell}")), script));
        }
        let mut top = Cli::command().disable_help_subcommand(true);
        top.build();
        man_pages(&top, &root.join("man"), &mut files);
        files
    }

    /// The man page of a command, and those of its subcommands.
    fn man_pages(command: &clap::Command, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
        let name = command.get_display_name().unwrap_or("bottle-freeze").to_owned();
        let man = clap_mangen::Man::new(command.clone().name(name.clone()));
        let mut page = Vec::new();
        man.render(&mut page).unwrap();
        if name == "bottle-freeze" {
            page.extend_from_slice(include_bytes!("../man/exit-status.roff"));
        }
        files.push((folder.join(format!("{name}.1")), page));
        for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
            man_pages(subcommand, folder, files);
        }
    }

    #[test]
    fn generated_completions_and_man_pages_are_up_to_date() {
        for (path, content) in files() {
            if std::env::var_os("BOTTLE_FREEZE_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &content).unwrap();
            }
            let stale = fs::read(&path).ok().as_ref() != Some(&content);
            assert!(!stale, "{} is stale: run `make docs`", path.display());
        }
    }

    #[test]
    fn every_help_has_examples_that_are_understood() {
        let mut top = Cli::command();
        top.build();
        let mut commands = vec![&top];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().filter(|command| command.get_name() != "help"));
            let name = command.get_display_name().unwrap_or("bottle-freeze");
            let path = name.trim_start_matches("bottle-freeze").trim_start_matches('-').replace('-', " ");
            let help = command.get_after_help().unwrap_or_default().to_string();
            let Some(examples) = help.strip_prefix("Examples:\n") else { panic!("{name} has no examples: {help}") };
            for line in examples.lines() {
                assert!(line.starts_with("  ") && line.chars().count() <= 80, "{name}: {line}");
                let (_, words) = line.split_once("bottle-freeze ").unwrap();
                let words = words.split([')', '|']).next().unwrap();
                let words = shlex::split(&format!("bottle-freeze {words}")).unwrap();
                assert!(Cli::try_parse_from(&words).is_ok(), "{name}: {line}");
                assert!(words[1..].join(" ").starts_with(&path), "{name}: {line}");
            }
        }
    }

    #[test]
    fn the_arguments_contradict_nothing() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_line_in_the_documents_is_understood() {
        let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let workflow = read("examples/github-actions.yml").replace("$SNAPSHOT", "ghcr.io/team/dev:ready");
        let page = read("man/bottle-freeze-json.7").replace("\\-", "-");
        let readme = read("README.md");
        let code = readme.split("```").skip(1).step_by(2).collect::<Vec<_>>().join("\n");
        let [workflow, page, code] = [&workflow, &page, &code].map(|text| typed(text));
        let counts = [&workflow, &page, &code].map(Vec::len);
        assert!(counts.iter().zip([8, 5, 20]).all(|(count, least)| *count >= least), "{counts:?}");
        for line in [workflow, page, code].concat() {
            let words = shlex::split(&line).expect(&line);
            let is_ours = |word: &String| !["|", ">", "2>>", "2>&1"].contains(&word.as_str());
            // The last one may end a `$(…)`.
            let words = words.iter().map(|word| word.trim_end_matches(')').to_owned()).take_while(is_ours);
            if let Err(error) = Cli::try_parse_from(words) {
                assert!(!error.use_stderr(), "{line}: {error}");
            }
        }
    }

    /// The lines of a shell that call this program.
    fn typed(text: &str) -> Vec<String> {
        let begins = |line: &str| line.starts_with("bottle-freeze ") || line.starts_with("$ bottle-freeze ");
        let lines = text.lines().map(str::trim_start).filter_map(|line| {
            let substituted = line.split_once("$(bottle-freeze ").and_then(|(_, rest)| rest.split(')').next());
            let substituted = substituted.map(|rest| format!("bottle-freeze {rest}"));
            substituted.or_else(|| begins(line).then(|| line.trim_start_matches("$ ").to_owned()))
        });
        lines.collect()
    }
}
