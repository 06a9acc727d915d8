//! The arguments of `freeze`.

use crate::commands::args::{Wait, duration, label};
use crate::completion::Offer;
use crate::library::Tag;
use crate::smolvm::Name;
use clap::{ValueEnum, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// Freeze VMs into snapshots
///
/// Without -o, the snapshot goes into the library (see `bottle-freeze snapshot`). A running VM is stopped first, after you
/// confirm. At every instant, OUT is either exactly what it was before, or a whole, verified snapshot. Unless the freeze
/// succeeds, the VM is left as it was found. Nothing else stays behind.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze freeze dev -t ready -m 'toolchain and database set up'\n  \
    bottle-freeze freeze dev --yes --restart\n  bottle-freeze freeze --all -j 4 --yes\n  \
    bottle-freeze freeze dev --live\n  \
    bottle-freeze freeze dev --pre-freeze 'guest:pg_ctl stop -D /data'\n  \
    bottle-freeze freeze dev --post-freeze 'host:logger \"$BOTTLE_FREEZE_SNAPSHOT\"'\n  \
    bottle-freeze freeze dev -o dev.smolmachine --yes --force")]
#[allow(clippy::struct_excessive_bools)]
pub struct Args {
    /// VMs to freeze
    #[arg(required_unless_present_any = ["all", "vm_label"], add = Offer::Vms(|_| true))]
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
    #[arg(short, long, value_name = "TAG", conflicts_with = "output", add = Offer::Tags)]
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

impl Args {
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

/// Reads `guest:COMMAND` and `host:COMMAND`.
fn hook(text: &str) -> Result<Hook, &'static str> {
    match text.split_once(':') {
        Some(("guest", command)) if !command.trim().is_empty() => Ok(Hook::Guest(command.to_owned())),
        Some(("host", command)) if !command.trim().is_empty() => Ok(Hook::Host(command.to_owned())),
        _ => Err("a hook is guest:COMMAND or host:COMMAND"),
    }
}
