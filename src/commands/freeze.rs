//! `freeze`: VM → snapshot.

use crate::app::App;
use crate::commands::args::{Wait, duration, label};
use crate::commands::batch::{self, VMS};
use crate::commands::retention::Retention;
use crate::commands::vms;
use crate::completion::Offer;
use crate::error::{Failure, Result};
use crate::library::{KEY, Policy, Tag};
use crate::operations::freeze::{self, Context, Frozen, Hook, Job, Live, Request, Restart};
use crate::operations::several::once;
use crate::operations::{packed, prune};
use crate::quoted::quoted;
use crate::report;
use crate::smolvm::{Disks, Machine, Name, Smolvm, State};
use crate::terminal::Warnings;
use clap::ValueHint;
use clap::builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;
use std::time::Duration;

/// The headings of its options.
const WHAT: &str = "What is frozen";
const WHERE: &str = "Where to";
const RUNNING: &str = "While it runs";
const KEPT: &str = "What is kept";
const HOOKS: &str = "Hooks";

/// Freeze VMs into snapshots
///
/// Without -o, the snapshot goes into the library (see `bottle-freeze snapshot`). A running VM is stopped first, after you
/// confirm. At every instant, OUT is either exactly what it was before, or a whole, verified snapshot. Unless the freeze
/// succeeds, the VM is left as it was found. Nothing else stays behind.
///
/// OUT is X.smolmachine (with --live: X.checkpoint), or a name without such an ending for a launcher, a program that runs
/// the VM, and NAME.smolmachine beside it.
///
/// With --live, the VM goes on after a short pause. --live=auto freezes the ordinary way, after you confirm, where that is not
/// possible.
///
/// With --if-changed, the VM is stopped to find out. If no file and no setting has changed, the newest snapshot is printed
/// instead; it gets the tags, also those of older snapshots, but not the note or the labels.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze freeze dev -t ready -m 'toolchain and database set up'\n  \
    bottle-freeze freeze dev --yes --restart\n  bottle-freeze freeze --all -j 4 --yes\n  \
    bottle-freeze freeze dev --live\n  \
    bottle-freeze freeze --all -y --restart --if-changed --keep-daily 7\n  \
    bottle-freeze freeze dev --pre-freeze 'guest:pg_ctl stop -D /data'\n  \
    bottle-freeze freeze dev --post-freeze 'host:logger \"$BOTTLE_FREEZE_SNAPSHOT\"'\n  \
    bottle-freeze freeze dev -o dev.smolmachine --yes --force")]
#[command(mut_args(|arg| if arg.get_id().as_str().starts_with("keep_") { arg.hide_short_help(true) } else { arg }))]
#[allow(clippy::struct_excessive_bools)]
pub struct Args {
    /// VMs to freeze
    #[arg(required_unless_present_any = ["all", "vm_label"], add = Offer::Vms(|_| true))]
    pub names: Vec<Name>,
    /// Freeze all VMs
    #[arg(long, conflicts_with_all = ["names", "vm_label"], help_heading = WHAT)]
    pub all: bool,
    /// Freeze VMs with this label (repeatable; a VM must have all of them)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "names", help_heading = WHAT, hide_short_help = true)]
    pub vm_label: Vec<(String, String)>,
    /// Number of VMs to work on at the same time [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    #[arg(help_heading = WHAT, hide_short_help = true, env = "BOTTLE_FREEZE_JOBS")]
    pub jobs: Option<u16>,
    /// Keep RAM and processes too, without stopping the VM
    #[arg(long, value_parser = live(), value_name = "auto", num_args = 0..=1, require_equals = true, default_missing_value = "always", help_heading = WHAT, hide_possible_values = true)]
    pub live: Option<Live>,
    /// Write the snapshot to a file instead of the library
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::FilePath, conflicts_with = "Retention", help_heading = WHERE)]
    pub output: Option<PathBuf>,
    /// Tag for the snapshot in the library (repeatable)
    #[arg(short, long, value_name = "TAG", conflicts_with = "output", add = Offer::Tags, help_heading = WHERE)]
    pub tag: Vec<Tag>,
    /// Note to store with the snapshot
    #[arg(short = 'm', long, value_name = "NOTE", conflicts_with = "output", help_heading = WHERE)]
    pub note: Option<String>,
    /// Label to store with the snapshot (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "output", help_heading = WHERE, hide_short_help = true)]
    pub label: Vec<(String, String)>,
    /// Store the launcher in the library too
    #[arg(long, conflicts_with_all = ["output", "live"], help_heading = WHERE, hide_short_help = true)]
    pub launcher: bool,
    /// Make no snapshot if the newest one holds the same
    #[arg(long, conflicts_with_all = ["output", "live", "launcher"], help_heading = WHAT)]
    pub if_changed: bool,
    /// Have the engine pack the disks, also where bottle-freeze can read them itself, which is much faster
    #[arg(long, conflicts_with = "live", help_heading = WHAT, hide_short_help = true)]
    pub engine_pack: bool,
    /// Stop a running VM without asking
    #[arg(short, long, help_heading = RUNNING)]
    pub yes: bool,
    /// Freeze a VM that does not answer, and lose what its guest has not written to disk; --yes does not confirm this
    #[arg(long, help_heading = RUNNING, hide_short_help = true)]
    pub allow_unresponsive: bool,
    /// Replace files at OUT, and move tags from other snapshots
    #[arg(short, long, help_heading = WHERE, hide_short_help = true)]
    pub force: bool,
    /// Start the VM again, if this freeze stopped it
    #[arg(long, conflicts_with = "no_restart", help_heading = RUNNING)]
    pub restart: bool,
    /// Leave the VM stopped even if the freeze fails
    #[arg(long, help_heading = RUNNING, hide_short_help = true)]
    pub no_restart: bool,
    /// Leave out /workspace (VMs made from an image; engines that cannot pack it)
    #[arg(long, help_heading = WHAT, hide_short_help = true)]
    pub no_workspace: bool,
    /// Keep what the disks hold of deleted files
    #[arg(long, help_heading = WHAT, hide_short_help = true)]
    pub no_trim: bool,
    /// Run this command after you confirm and before the VM stops; if it fails, nothing is frozen (repeatable).
    /// guest:COMMAND runs in the VM, if that is running, host:COMMAND on this host; both by `sh -c`
    #[arg(long = "pre-freeze", value_name = "WHERE:COMMAND", help_heading = HOOKS, hide_short_help = true)]
    pub before: Vec<Hook>,
    /// Run this command at the end, also after a failure or an interrupt (repeatable); in the VM only if that is running.
    /// On the host it gets `$BOTTLE_FREEZE_VM`, `$BOTTLE_FREEZE_SNAPSHOT` (empty if there is none) and `$BOTTLE_FREEZE_STATUS`
    #[arg(long = "post-freeze", value_name = "WHERE:COMMAND", help_heading = HOOKS, hide_short_help = true)]
    pub after: Vec<Hook>,
    /// Time limit for each hook
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    #[arg(help_heading = HOOKS, hide_short_help = true, env = "BOTTLE_FREEZE_HOOK_TIMEOUT")]
    pub hook_timeout: Duration,
    /// Time limit for stopping the VM
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    #[arg(help_heading = RUNNING, hide_short_help = true, env = "BOTTLE_FREEZE_STOP_TIMEOUT")]
    pub stop_timeout: Duration,
    /// Freeze even if there may not be enough space
    #[arg(long, help_heading = WHERE, hide_short_help = true)]
    pub no_space_check: bool,
    /// Store the snapshot under this key, for `thaw --key`: the label key=KEY
    #[arg(long, value_name = "KEY", conflicts_with = "output", value_parser = NonEmptyStringValueParser::new(), help_heading = WHERE, hide_short_help = true)]
    pub key: Option<String>,
    #[command(flatten, next_help_heading = KEPT)]
    pub keep: Retention,
    #[command(flatten, next_help_heading = RUNNING)]
    pub wait: Wait,
    /// Print the engine commands, and change nothing
    #[arg(long, help_heading = WHAT, hide_short_help = true)]
    pub dry_run: bool,
}

/// Reads `--live` and `--live=auto`.
fn live() -> impl TypedValueParser<Value = Live> {
    let auto = PossibleValue::new("auto").help("Where the engine and the VM can");
    let values = PossibleValuesParser::new([PossibleValue::new("always").hide(true), auto]);
    values.map(|text| if text == "auto" { Live::Auto } else { Live::Always })
}

/// Freezes VMs, or prints what that would do.
pub fn run(app: &App, args: Args) -> Result<()> {
    args.output.as_deref().map_or(Ok(()), packed::check_output)?;
    let engine = app.engine()?;
    let why_not = |vm: &Machine| never_started(&engine, vm);
    let names = vms::select(app, &args.names, args.all, &args.vm_label, || Ok(engine.machine_ls()?), why_not)?;
    let (is_one, several, dry_run) = (args.names.len() == 1, names.len() > 1, args.dry_run);
    let jobs: Vec<Job> = names.iter().map(|name| Job::new(app, &engine, name.clone(), !several)).collect();
    let policy = args.keep.policy();
    let request = Request::from(args);
    let report = |result: Result<&Frozen, &Failure>| match result {
        Ok(frozen) => print(app, &request, frozen),
        Err(failure) if several => batch::print_failure(app, failure),
        Err(_) => {}
    };
    let with_warnings = |failure: Failure| failure.after(jobs.iter().flat_map(|job| job.warnings.list()).collect());
    let cx = Context { app, engine: &engine, request: &request, report: &report };
    if dry_run {
        let plans = freeze::plans(cx, &jobs).map_err(with_warnings)?;
        if !app.terminal.json {
            app.terminal.lines(plans.iter().flatten().flat_map(|plan| plan.commands.clone()));
        }
        return batch::finish(app, &VMS, is_one, &names, plans);
    }
    let frozen = freeze::freeze(cx, &jobs.iter().collect::<Vec<_>>()).map_err(with_warnings)?;
    let frozen = jobs.iter().zip(frozen.into_values()).map(|(job, frozen)| Ok(prune(job, &policy, frozen?)));
    let (reports, verdicts): (Vec<_>, Vec<_>) = frozen.map(Frozen::split).unzip();
    batch::report(app, &VMS, is_one, &names, &reports);
    batch::verdict(&VMS, &names, verdicts)
}

/// Why there is nothing to freeze in a VM that was never started. One whose folder cannot be read fails when it is frozen.
fn never_started(engine: &Smolvm, vm: &Machine) -> Option<String> {
    let is_new = vm.state == State::Created;
    let folder = vm.name.parse().ok().filter(|_| is_new).and_then(|name| engine.machine_data_dir(&name).ok())?;
    let is_empty = Disks::read(&folder).is_ok_and(|disks| disks.is_empty());
    is_empty.then(|| "it was never started, so there is nothing to freeze".to_owned())
}

/// Removes the snapshots of the VM that the --keep options do not keep, if there are any.
fn prune(job: &Job, policy: &Policy, frozen: Frozen) -> Frozen {
    if policy.is_empty() || frozen.failure.as_ref().is_some_and(Failure::is_interrupted) {
        return frozen;
    }
    let warnings = Warnings::new(&job.app.terminal);
    let pruned = Some(prune::after_freeze(&job.app, job.name.as_str(), policy, &warnings));
    let warnings = [frozen.report.warnings, warnings.list()].concat();
    Frozen { report: report::Frozen { pruned, warnings, ..frozen.report }, ..frozen }
}

/// Prints the result of one VM, for people.
fn print(app: &App, request: &Request, frozen: &Frozen) {
    let (name, report) = (frozen.name(), &frozen.report);
    let (vm, size) = (&report.vm, packed::size(report.bytes));
    let shown = name.to_string_lossy();
    let hint = match report.downtime_seconds {
        Some(_) if request.restart != Restart::Always && !report.live => {
            format!("it is stopped, start it with: bottle-freeze start {vm}")
        }
        _ => format!("thaw it with: bottle-freeze thaw {}", quoted(&shown)),
    };
    // How much of it the library did not have.
    let added = report.snapshot.as_ref().and_then(|snapshot| snapshot.artifact.as_ref());
    let added = added.map(|artifact| format!(", {} new", packed::size(artifact.added))).unwrap_or_default();
    let word = if report.live { "paused" } else { "down" };
    let down = report.downtime_seconds.map(|down| format!(", {word} for {down:.1} s")).unwrap_or_default();
    let launcher = report.launcher.as_ref().filter(|_| report.reference.is_none());
    let launcher = launcher.map(|file| format!(" and the launcher {}", file.0.display())).unwrap_or_default();
    let text = if report.unchanged {
        format!("{vm} is unchanged since {shown} ({:.1} s{down}); {hint}", report.seconds)
    } else {
        format!("froze {vm} as {shown}{launcher} ({size}{added}, {:.1} s{down}); {hint}", report.seconds)
    };
    app.terminal.result(&name, &text);
}

impl From<Args> for Request {
    fn from(args: Args) -> Self {
        Self {
            jobs: args.jobs,
            live: args.live,
            output: args.output,
            tags: once(args.tag.into_iter(), |tag| tag.as_str().to_owned()),
            note: args.note,
            labels: args.label.into_iter().chain(args.key.map(|key| (KEY.to_owned(), key))).collect(),
            launcher: args.launcher,
            if_changed: args.if_changed,
            engine_pack: args.engine_pack,
            yes: args.yes,
            allow_unresponsive: args.allow_unresponsive,
            force: args.force,
            restart: match (args.restart, args.no_restart) {
                (true, _) => Restart::Always,
                (false, true) => Restart::Never,
                (false, false) => Restart::OnFailure,
            },
            no_workspace: args.no_workspace,
            no_trim: args.no_trim,
            before: args.before,
            after: args.after,
            hook_timeout: args.hook_timeout,
            stop_timeout: args.stop_timeout,
            no_space_check: args.no_space_check,
            wait: args.wait.wait,
        }
    }
}
