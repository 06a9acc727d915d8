//! `snapshot prune`: remove the snapshots that the policy does not keep.

use super::print::{described, label_name, list_tags, must_exist, no_snapshots, none_with, warn_about};
use crate::app::App;
use crate::commands::args::{Wait, label, size};
use crate::commands::batch::{self, SNAPSHOTS};
use crate::commands::retention::Retention;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{Entry, Removal, Tag, catalog, sweep_all};
use crate::operations::packed;
use crate::operations::prune::{Decided, Decisions, Rules, TAGGED};
use crate::operations::resolve::Asked;
use crate::operations::several::distinct;
use crate::report::{Done, Pruned};
use crate::smolvm::Name;

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
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze snapshot prune dev --keep-last 3 --keep-weekly 8 --dry-run\n  \
    bottle-freeze snapshot prune --keep-within 6m --keep-yearly unlimited --yes\n  \
    bottle-freeze snapshot prune --max-size 20G"
)]
pub struct Args {
    /// Only snapshots of this VM
    #[arg(add = Offer::FrozenVms)]
    pub vm: Option<Name>,
    /// Only snapshots with this label (repeatable; a snapshot must have all of them)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
    #[command(flatten)]
    pub keep: Retention,
    /// Also remove the oldest of those that are left, until the library takes at most SIZE (20G, 500M)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_size: Option<u64>,
    /// Also remove snapshots with this tag (repeatable)
    #[arg(long, value_name = "TAG", value_parser = Tag::existing, add = Offer::Tags)]
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

pub fn run(app: &App, args: &Args) -> Result<()> {
    let rules = Rules { policy: args.keep.policy(), tags: args.tag.clone(), max_bytes: args.max_size };
    if rules.policy.is_empty() && rules.max_bytes.is_none() {
        let failure =
            Failure::new(Status::Usage, "no --keep option and no --max-size: nothing is removed without a policy");
        return Err(failure.hint("name what to keep, such as --keep-last 3"));
    }
    let (mut listed, broken) = catalog::list(args.vm.as_ref().map(Name::as_str))?;
    if let (Some(vm), true) = (&args.vm, listed.is_empty() && broken.is_empty()) {
        must_exist(app, vm)?;
    }
    let broken = warn_about(app, broken, |one, warnings| {
        let reasons = vec!["it cannot be read".to_owned()];
        Pruned { warnings, ..Pruned::kept(one.reference(), one.bytes(), reasons) }
    });
    let has_any = !listed.is_empty();
    listed.retain(|one| args.label.iter().all(|(key, value)| one.metadata.labels.get(key) == Some(value)));
    let decisions = Decisions::make(app, &rules, listed)?;
    print(app, args, &decisions.all);
    if decisions.all.is_empty() {
        let labels: Vec<String> = args.label.iter().map(label_name).collect();
        let vm = args.vm.as_ref();
        app.terminal.note(&if has_any { none_with(vm, &distinct(&labels)) } else { no_snapshots(vm) });
    }
    if !args.dry_run {
        sweep_all();
    }
    let going: Vec<Asked<Entry>> = decisions.going().map(|one| Asked::from(Entry::from(one.clone()))).collect();
    if going.is_empty() || args.dry_run {
        report(app, &decisions.all, &[], broken);
        return Ok(());
    }
    let list: Vec<String> = decisions.going().map(described).collect();
    app.confirm(&format!("Remove {}?", list.join(", ")), args.yes, "nothing was removed")?;
    let results = remove(app, args, &going, &decisions);
    report(app, &decisions.all, &results, broken);
    batch::verdict(&SNAPSHOTS, &going, results)
}

/// Prints what is kept, and what is removed.
fn print(app: &App, args: &Args, decided: &[Decided]) {
    for Decided { one, reasons } in decided {
        if !reasons.is_empty() {
            app.terminal.note(&format!("keep {} ({})", one.reference(), reasons.join(", ")));
        } else if args.dry_run {
            app.terminal.result(one.reference(), &format!("would remove {}", one.reference()));
        } else {
            app.terminal.note(&format!("remove {}", one.reference()));
        }
    }
}

fn remove(app: &App, args: &Args, going: &[Asked<Entry>], decisions: &Decisions) -> Vec<Result<Done<Removal>>> {
    batch::each(app, &SNAPSHOTS, 1, going, |app, asked, _| {
        let removal = decisions.remove(app, asked.get()?, args.wait.wait)?;
        match &removal {
            Removal::Removed(freed) => {
                app.terminal.result(asked, &format!("removed {asked} ({} freed)", packed::size(*freed)));
            }
            Removal::Tagged(tags) => {
                app.terminal.note(&format!("keep {asked} (it got the tag {} in the meantime)", list_tags(tags)));
            }
        }
        Ok(removal)
    })
}

/// Prints as JSON: each snapshot with what was decided and done. `results` has an entry for each without a reason.
fn report(app: &App, all: &[Decided], results: &[Result<Done<Removal>>], broken: Vec<Pruned>) {
    let mut results = results.iter();
    let pruned = all.iter().map(|Decided { one, reasons }| {
        let decided = Pruned::kept(one.reference(), one.bytes(), reasons.clone());
        if !reasons.is_empty() {
            return decided;
        }
        match results.next() {
            None => Pruned { keep: false, ..decided },
            Some(Ok(Done { result: Removal::Removed(freed), warnings })) => {
                Pruned { keep: false, removed: true, freed: Some(*freed), warnings: warnings.clone(), ..decided }
            }
            Some(Ok(Done { result: Removal::Tagged(_), warnings })) => {
                Pruned { reasons: vec![TAGGED.to_owned()], warnings: warnings.clone(), ..decided }
            }
            Some(Err(failure)) => {
                Pruned { keep: false, warnings: failure.warnings.clone(), error: Some(failure.error()), ..decided }
            }
        }
    });
    app.terminal.report(&pruned.chain(broken).collect::<Vec<_>>());
}
