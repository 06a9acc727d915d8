//! Every argument and its help text; no behaviour.

// `[:TAG]` in a help text is no link.
#![allow(rustdoc::broken_intra_doc_links)]

use crate::smolvm::{Name, Reference, Version};
use crate::snapshot::{Reach, Tag, TagList};
use clap::builder::{Resettable, StyledStr};
use clap::{ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Freezes smolvm microVMs into snapshots, and thaws them again
///
/// A snapshot is one frozen state of one VM, never changed after it is written. Until the new one is whole and
/// verified, the old one stays.
#[derive(Debug, Parser)]
#[allow(clippy::struct_excessive_bools)]
#[command(name = "bottle-freeze", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:\n  bottle-freeze create dev\n  bottle-freeze start dev\n  \
    bottle-freeze exec -it dev -- sh\n  bottle-freeze freeze dev -t ready\n  bottle-freeze thaw dev@ready tuesday")]
pub struct Cli {
    /// The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one of `bottle-freeze engine`]
    #[arg(long, global = true, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub smolvm: Option<PathBuf>,
    /// Print only errors and the bare result, one a line: the VM, the snapshot or the file that was made, changed or removed
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print each engine command as it is run, env values masked
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Print the result as one JSON value: man 7 bottle-freeze-json tells of each
    #[arg(long, global = true)]
    pub json: bool,
    /// How errors are written: for people, or as JSON, one object a line
    #[arg(long, global = true, value_enum, value_name = "text|json", default_value_t = ErrorFormat::Text)]
    #[arg(hide_possible_values = true)]
    pub error_format: ErrorFormat,
    /// How progress and warnings are written: as suits the terminal or the log, or as JSON, one object a line
    #[arg(long, global = true, value_enum, value_name = "auto|json", default_value_t = ProgressFormat::Auto)]
    #[arg(hide_possible_values = true, conflicts_with = "quiet")]
    pub progress: ProgressFormat,
    /// Never ask: where a question would be asked, do as without a terminal
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
    /// Whether errors are to be JSON, told of a command line that may not be understood.
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
    /// A snapshot is checked before the engine is called. A VM made from one has the snapshot's cpus and memory, and no
    /// network unless it is given here.
    Create(Deferred<Create>),
    /// Start VMs, and wait until they execute commands
    Start(Deferred<Start>),
    /// Stop VMs
    Stop(Deferred<Stop>),
    /// Run a command in a VM
    ///
    /// Exits with the command's own status: 128 + N when signal N killed it, 124 when --timeout passed, 127 when the guest
    /// has no such command, 125 when bottle-freeze or the engine failed.
    Exec(Deferred<Exec>),
    /// Copy a file between the host and a VM
    ///
    /// One side is VM:PATH, the other a path on the host. A file that is copied to the host replaces the one there only
    /// when it is whole.
    Cp(Deferred<Cp>),
    /// List VMs
    #[command(visible_alias = "list")]
    Ls(Deferred<Ls>),
    /// Freeze VMs into snapshots
    ///
    /// Without -o the snapshot is kept in the library: see `bottle-freeze snapshot`. A running VM is stopped first, after a
    /// question. At every instant, what is at OUT is either exactly what it was before
    /// or a whole, verified snapshot; whatever happens, the VM is left as it was found unless the freeze succeeded; and nothing
    /// else stays behind.
    Freeze(Deferred<Freeze>),
    /// Make a VM from a snapshot, as it was frozen, and start it
    ///
    /// The snapshot is checked first. The VM gets the cpus, memory, disk sizes, environment, labels and ports that it was
    /// frozen with, and its network if all of its limits are known: those of a VM that bottle-freeze made are.
    Thaw(Deferred<Thaw>),
    /// Save the RAM of running VMs, and end them until they are resumed
    ///
    /// A paused VM cannot be frozen: its RAM would be lost.
    Pause(Deferred<Pause>),
    /// Let paused VMs go on
    Resume(Deferred<Resume>),
    /// List, check, name, remove and share the snapshots of the library
    #[command(subcommand)]
    Snapshot(Deferred<Snapshot>),
    /// Delete VMs and their disks
    ///
    /// Snapshots stay.
    Rm(Deferred<Rm>),
    /// Pack an image into a file that VMs can be made from
    Pack(Deferred<Pack>),
    /// Check that snapshots are whole
    ///
    /// Reads each file once, from beginning to end: footer, CRC-32 and manifest, and the SHA-256 that a snapshot.json beside
    /// it records. No engine is needed.
    Verify(Deferred<Verify>),
    /// Check that freezing works here, and print how to fix what does not
    ///
    /// A line each for the engine, KVM, the library, free space, what killed commands have left behind, and shell completion.
    /// Each is tried: the engine freezes an empty VM in a temporary home of its own, which is removed (1 s, 125 MB), and the
    /// user's shell completes a command. Exits with 0 only if a freeze would work, otherwise with the status that it would fail
    /// with. Without KVM no VM starts, but a stopped one can be frozen: that is a warning.
    Doctor(Deferred<Doctor>),
    /// Install smolvm engines, and choose between them
    ///
    /// The one in use is used where --smolvm and $SMOLVM name no other, and there is none on PATH.
    #[command(subcommand)]
    Engine(Deferred<Engine>),
    /// Print what a shell sources, to complete by TAB
    ///
    /// The names of VMs, snapshots, tags and images are offered too.
    Completions(Deferred<Completions>),
}

/// The arguments or subcommands of a command, of which clap makes all its tables only when it is the one that was called.
/// (All those of all commands take it 0.2 ms, a fifth of a short run.)
#[derive(Debug)]
pub struct Deferred<T>(pub T);

/// The command's own description stands in its parent's help, and is there before the rest.
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
    /// Make it from this OCI image, `docker save` archive or unpacked rootfs folder
    #[arg(short = 'I', long, conflicts_with = "from")]
    pub image: Option<String>,
    /// Make it from this snapshot: a .smolmachine file, or of the library VM (its newest), VM@TAG, VM@ID
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
    /// Give it the whole network
    #[arg(long)]
    pub net: bool,
    /// Let it reach only this network (repeatable)
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
    /// Folder in the guest where its commands start
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
}

/// Environment variables for a guest.
#[derive(Debug, Args)]
pub struct Env {
    /// Set a variable; without `=VALUE` it is taken from this environment (repeatable)
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
    /// Do not wait until commands can be executed
    #[arg(long)]
    pub no_wait: bool,
    /// How long it may take until commands can be executed, pulling an image included
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
    /// The VMs that have this label (repeatable; all of them then)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "names")]
    pub label: Vec<(String, String)>,
    /// How many at a time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// What to do when another bottle-freeze is at work.
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once
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
    /// Pass on this command's standard input
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Folder in the guest to run it in
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    #[command(flatten)]
    pub env: Env,
    /// Kill it after this time (2s, 5m …)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// VM to run it in
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
    /// Where to
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
    /// Freeze the VMs that have this label (repeatable; all of them then)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "names")]
    pub vm_label: Vec<(String, String)>,
    /// How many at a time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Do not stop it: its RAM and its processes are kept too, and it goes on after a short pause. With `auto`, it is
    /// frozen in the ordinary way, after a question, where that cannot be done
    #[arg(long, value_enum, value_name = "auto", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pub live: Option<Live>,
    /// File to write instead of keeping the snapshot in the library: X.smolmachine writes the snapshot (with
    /// --live: X.checkpoint); any other name writes a launcher and, beside it, NAME.smolmachine
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Name the snapshot, in the library (repeatable)
    #[arg(short, long, value_name = "TAG", conflicts_with = "output")]
    pub tag: Vec<Tag>,
    /// Say what it is, in the library
    #[arg(short = 'm', long, value_name = "NOTE", conflicts_with = "output")]
    pub note: Option<String>,
    /// Attach a label to the snapshot, in the library (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "output")]
    pub label: Vec<(String, String)>,
    /// Keep the launcher in the library too
    #[arg(long, conflicts_with_all = ["output", "live"])]
    pub launcher: bool,
    /// Stop a running VM without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Freeze a VM that does not answer: what its guest has not written to disk is lost. --yes alone does not agree to that
    #[arg(long)]
    pub allow_unresponsive: bool,
    /// Replace the files at OUT, or take a tag from the snapshot that has it
    #[arg(short, long)]
    pub force: bool,
    /// Start the VM again afterwards, if this freeze stopped it
    #[arg(long, conflicts_with = "no_restart")]
    pub restart: bool,
    /// Leave the VM stopped, even if the freeze fails
    #[arg(long)]
    pub no_restart: bool,
    /// Leave /workspace out (VMs made from an image; engines that cannot pack it)
    #[arg(long)]
    pub no_workspace: bool,
    /// Run this before, when the question is answered and nothing was stopped yet; if it fails, nothing is frozen
    /// (repeatable). guest:COMMAND is run in the VM, if that runs, host:COMMAND here; both by `sh -c`
    #[arg(long = "pre-freeze", value_name = "WHERE:COMMAND", value_parser = hook)]
    pub before: Vec<Hook>,
    /// Run this afterwards, also when the freeze failed or was interrupted (repeatable); in the VM only if that runs then.
    /// Here it finds `$BOTTLE_FREEZE_VM`, `$BOTTLE_FREEZE_SNAPSHOT` (empty: none) and `$BOTTLE_FREEZE_STATUS`
    #[arg(long = "post-freeze", value_name = "WHERE:COMMAND", value_parser = hook)]
    pub after: Vec<Hook>,
    /// How long each of these commands may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub hook_timeout: Duration,
    /// How long stopping the VM may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub stop_timeout: Duration,
    /// Freeze although there may not be room enough for it
    #[arg(long)]
    pub no_space_check: bool,
    #[command(flatten)]
    pub wait: Wait,
    /// Print the engine commands that would run, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A command around a freeze, and where it is run.
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
    /// A freeze of this VM, nothing else asked.
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
    /// Name of the new VM [default: the frozen one's if that is free, or NAME-2, NAME-3 …]
    pub name: Option<Name>,
    /// Start it, and wait until it executes commands (the default)
    #[arg(long, conflicts_with = "no_start")]
    pub start: bool,
    /// Do not start it
    #[arg(long)]
    pub no_start: bool,
    /// Put it in the place of the VM of that name, which is frozen into the library first, after a question
    #[arg(long)]
    pub replace: bool,
    /// With --replace: do not ask
    #[arg(short, long, requires = "replace")]
    pub yes: bool,
    /// Virtual CPUs [default: as frozen]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory in MiB [default: as frozen]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub mem: Option<u64>,
    /// Give it the whole network
    #[arg(long)]
    pub net: bool,
    /// Let it reach only this network (repeatable) [default: as frozen]
    #[arg(long, value_name = "CIDR")]
    pub allow_cidr: Vec<String>,
    /// Publish this port, and none of the recorded ones (repeatable) [default: as frozen]
    #[arg(short, long, value_name = "HOST[:GUEST]")]
    pub port: Vec<String>,
    /// How long it may take until commands can be executed
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
    /// Only of this VM
    pub vm: Option<Name>,
    /// Only with this tag
    #[arg(long, value_name = "TAG", value_parser = Tag::existing)]
    pub tag: Option<Tag>,
    /// Only with this label
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub label: Option<(String, String)>,
    /// By what to sort
    #[arg(long, value_enum, default_value_t = SnapshotOrder::Age)]
    pub sort: SnapshotOrder,
}

/// An order of snapshots.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SnapshotOrder {
    /// The oldest first
    Age,
    /// The largest last
    Size,
    /// By the name of the VM, the oldest first
    Vm,
}

/// Print all that is recorded of a snapshot, as JSON
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
    /// All of the library
    #[arg(long)]
    pub all: bool,
}

/// Name a snapshot, or take names away
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot tag dev@1a2b3c4d ready\n  \
    bottle-freeze snapshot tag dev@ready --remove ready")]
pub struct SnapshotTag {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    pub snapshot: String,
    /// Names to give it
    #[arg(required_unless_present = "remove")]
    pub tags: Vec<Tag>,
    /// Names to take from it (repeatable)
    #[arg(long, value_name = "TAG", value_parser = Tag::existing)]
    pub remove: Vec<Tag>,
    /// Take a name from the snapshot that has it
    #[arg(short, long)]
    pub force: bool,
}

/// Remove snapshots, after a question
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

/// Remove the snapshots that no --keep option keeps, after a question
///
/// Each VM's snapshots are looked at on their own, and each --keep option means what it means to `restic forget` (0.14). N may
/// be `unlimited`. A DURATION has years, months, days and hours (1y5m7d2h) and is counted back from the newest snapshot that
/// is not in the future. Hours, days, weeks (from Monday), months and years are those of this machine's time zone ($TZ).
///
/// What differs from restic on purpose: snapshots with a tag stay, unless --tag names each of their tags (in restic --tag
/// selects). The newest one of a VM that is whole stays. --keep-last counts in the order in which snapshots were made, also
/// where the clock has gone back. restic uses the time zone in which a snapshot was made. restic 0.17 and later also keep the
/// oldest snapshot while there are fewer than N.
#[allow(clippy::doc_markdown, reason = "a variable, in a help text")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot prune dev --keep-last 3 --keep-weekly 8 --dry-run\n  \
    bottle-freeze snapshot prune --keep-within 6m --keep-yearly unlimited --yes")]
pub struct SnapshotPrune {
    /// Only of this VM
    pub vm: Option<Name>,
    /// Keep the N that were made last
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_last: usize,
    /// Keep the newest of each of the last N hours that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_hourly: usize,
    /// Keep the newest of each of the last N days that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_daily: usize,
    /// Keep the newest of each of the last N weeks that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_weekly: usize,
    /// Keep the newest of each of the last N months that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_monthly: usize,
    /// Keep the newest of each of the last N years that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_yearly: usize,
    /// Keep those made within this time before the newest (30d, 6m, 1y5m7d2h)
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
    /// Keep those with this tag (repeatable); with all tags of a list TAG,TAG; without any tag ('')
    #[arg(long, value_name = "TAGS")]
    pub keep_tag: Vec<TagList>,
    /// Remove snapshots even if they have this tag (repeatable)
    #[arg(long, value_name = "TAG", value_parser = Tag::existing)]
    pub tag: Vec<Tag>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub wait: Wait,
}

/// Put a snapshot into a registry, after a question
///
/// The engine does it, and logs in as it can (`docker login`, `smolvm config registries`). What goes there is the artifact,
/// and in its manifest what snapshot.json records of it: `snapshot pull` brings back both, `smolvm pack pull` an artifact
/// that the engine takes as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot push dev@ready ghcr.io/team/dev:ready\n  \
    bottle-freeze snapshot push dev localhost:5000/dev:tuesday --yes")]
pub struct SnapshotPush {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file
    #[arg(value_hint = ValueHint::FilePath)]
    pub snapshot: OsString,
    /// Where to: HOST/NAME[:TAG]; without a HOST it is the engine's own registry, registry.smolmachines.com
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Take a snapshot from a registry into the library, after checking it
///
/// Also what `smolvm pack push` has put there: then snapshot.json holds what can be told of the artifact.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot pull ghcr.io/team/dev:ready\n  \
    bottle-freeze snapshot pull localhost:5000/dev:tuesday --as dev2")]
pub struct SnapshotPull {
    /// Where from: HOST/NAME[:TAG] or HOST/NAME@DIGEST
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// Keep it as a snapshot of this VM [default: the one it was made of]
    #[arg(long = "as", value_name = "VM")]
    pub vm: Option<Name>,
}

/// Write a snapshot into one file, to take it elsewhere
///
/// The file is a tar of the snapshot's folder: artifact and snapshot.json.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot export dev -o dev.tar\n  \
    bottle-freeze snapshot export dev@ready -o /media/usb/dev-ready.tar --force\n  \
    bottle-freeze snapshot export dev -o - | ssh B bottle-freeze snapshot import -")]
pub struct SnapshotExport {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    pub snapshot: String,
    /// File to write; `-` is the standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Replace the file
    #[arg(short, long)]
    pub force: bool,
}

/// Take an exported snapshot into the library, after checking it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot import dev-ready.tar\n  \
    bottle-freeze snapshot import dev-ready.tar --as dev2\n  \
    zstd -dc dev.tar.zst | bottle-freeze snapshot import -")]
pub struct SnapshotImport {
    /// File that `snapshot export` wrote; `-` is the standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Keep it as a snapshot of this VM [default: the one it was made of]
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
    /// Virtual CPUs of VMs made from it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory in MiB of VMs made from it
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
    /// Snapshots to check: .smolmachine files, or of the library VM (its newest), VM@TAG, VM@ID
    #[arg(required = true, value_name = "SNAPSHOT", value_hint = ValueHint::FilePath)]
    pub snapshots: Vec<OsString>,
}

/// Arguments of [`Command::Doctor`].
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze doctor\n  bottle-freeze doctor --fix\n  \
    bottle-freeze doctor --json | jq '.checks[] | select(.verdict != \"ok\")'")]
pub struct Doctor {
    /// Remove what killed commands have left behind and no process uses
    ///
    /// Of bottle-freeze these are private folders .bottle-freeze-XXXXXX, in the library and wherever a command worked.
    /// Of smolvm these are folders pack-staging-XXXXXX in the engine's cache and .tmpXXXXXX with only an assets.tar.zst or a libs.tar.zst in $TMPDIR.
    /// One goes if it was not touched for a minute, no process has anything in it open, works in it or has it as TMPDIR,
    /// and no pack runs that could use it.
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
/// It is the one in the package `smolmachines`, of which the SHA-256 is checked. The first one installed is in use.
/// $PIP_INDEX_URL names a mirror to ask instead (one that speaks JSON, PEP 691), $HTTPS_PROXY a proxy, $SSL_CERT_FILE the
/// certificates to trust.
#[allow(clippy::doc_markdown, reason = "variables, in a help text")]
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "Examples:\n  bottle-freeze engine install\n  bottle-freeze engine install --version 1.32.2"
)]
pub struct EngineInstall {
    /// Which one [default: the newest]
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
    /// Which one
    #[arg(id = "engine", value_name = "VERSION", value_parser = engine_version)]
    pub version: Version,
}

/// Remove installed engines
///
/// VMs and snapshots stay. An engine that runs is not removed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bottle-freeze engine rm 1.4.0\n  bottle-freeze engine rm 1.4.0 1.19.0")]
pub struct EngineRm {
    /// Which ones
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
        _ => Err("it must say where it is run: guest:COMMAND or host:COMMAND"),
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
