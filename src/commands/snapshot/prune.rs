//! `snapshot prune`: remove the snapshots that the policy does not keep.

use super::print::{list_tags, no_snapshots, warn_about};
use crate::app::App;
use crate::commands::args::Wait;
use crate::commands::batch::{self, SNAPSHOTS};
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::store::Seen;
use crate::library::{
    Entry, Lock, Metadata, NewestOf, Policy, Reach, Removal, Stored, Tag, TagList, Unit, catalog, sweep_all,
};
use crate::operations::resolve::Asked;
use crate::operations::{lock, packed, verify};
use crate::report::{Done, Pruned};
use crate::smolvm::Name;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

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
#[command(after_help = "Examples:\n  bottle-freeze snapshot prune dev --keep-last 3 --keep-weekly 8 --dry-run\n  \
    bottle-freeze snapshot prune --keep-within 6m --keep-yearly unlimited --yes")]
pub struct Args {
    /// Only snapshots of this VM
    #[arg(add = Offer::FrozenVms)]
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
    #[arg(long, value_name = "TAGS", add = Offer::Tags)]
    pub keep_tag: Vec<TagList>,
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

/// Reads a number of snapshots. restic 0.14 reads -1 as none, and later versions refuse it.
fn count(text: &str) -> Result<usize, &'static str> {
    match text {
        "unlimited" => Ok(usize::MAX),
        _ => text.parse().map_err(|_| "it must be a whole number, or `unlimited`"),
    }
}

/// Why a snapshot is kept that the policy does not keep.
const TAGGED: &str = "it has a tag";

/// A snapshot, and why it is kept. Without a reason it is removed.
struct Decided {
    one: Stored,
    reasons: Vec<String>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let policy = policy(args);
    if policy.is_empty() {
        let failure = Failure::new(Status::Usage, "no --keep option: nothing is removed without a policy");
        return Err(failure.hint("name what to keep, such as --keep-last 3"));
    }
    let (all, broken) = catalog::list(args.vm.as_ref().map(Name::as_str))?;
    let broken = warn_about(app, broken, |one, warnings| {
        let reasons = vec!["it cannot be read".to_owned()];
        Pruned { warnings, ..Pruned::kept(one.reference(), one.bytes(), reasons) }
    });
    let mut vms: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for one in all.into_iter().rev() {
        vms.entry(one.metadata.vm.clone()).or_default().push(one);
    }
    let (mut all, mut newest_whole) = (Vec::new(), BTreeMap::new());
    for (vm, newest_first) in vms {
        let (decided, whole) = decide(app, args, &policy, newest_first);
        print(app, args, &decided);
        newest_whole.extend(whole.map(|whole| (vm, whole)));
        all.extend(decided);
    }
    if all.is_empty() {
        app.terminal.note(&no_snapshots(args.vm.as_ref()));
    }
    if !args.dry_run {
        sweep_all();
    }
    let going = all.iter().filter(|decided| decided.reasons.is_empty());
    let going: Vec<Asked<Entry>> = going.map(|decided| Asked::from(Entry::from(decided.one.clone()))).collect();
    if going.is_empty() || args.dry_run {
        report(app, &all, &[], broken);
        return Ok(());
    }
    let list: Vec<String> = going.iter().map(ToString::to_string).collect();
    app.confirm(&format!("Remove {}?", list.join(", ")), args.yes, "nothing was removed")?;
    let results = remove(app, args, &going, &newest_whole);
    report(app, &all, &results, broken);
    batch::verdict(&SNAPSHOTS, &going, results)
}

fn policy(args: &Args) -> Policy {
    let newest_of = [
        (Unit::Hour, args.keep_hourly, args.keep_within_hourly),
        (Unit::Day, args.keep_daily, args.keep_within_daily),
        (Unit::Week, args.keep_weekly, args.keep_within_weekly),
        (Unit::Month, args.keep_monthly, args.keep_within_monthly),
        (Unit::Year, args.keep_yearly, args.keep_within_yearly),
    ];
    Policy {
        last: args.keep_last,
        within: args.keep_within,
        tags: args.keep_tag.clone(),
        newest_of: newest_of.map(|(unit, count, within)| NewestOf { unit, count, within }).into(),
    }
}

/// Decides about the snapshots of one VM. Also returns the newest that is whole, if one is removed: whatever the policy
/// says, that one is kept.
fn decide(app: &App, args: &Args, policy: &Policy, newest_first: Vec<Stored>) -> (Vec<Decided>, Option<Stored>) {
    let metadata: Vec<&Metadata> = newest_first.iter().map(|one| &one.metadata).collect();
    let reasons = policy.reasons(&metadata, &TimeZone::system(), Timestamp::now());
    let decided = newest_first.into_iter().zip(reasons).map(|(one, mut reasons)| {
        if reasons.is_empty() && one.metadata.tags.iter().any(|tag| !args.tag.contains(tag)) {
            reasons.push(TAGGED.to_owned());
        }
        Decided { one, reasons }
    });
    let mut decided: Vec<Decided> = decided.collect();
    if decided.iter().all(|decided| !decided.reasons.is_empty()) {
        return (decided, None);
    }
    let newest = decided.iter_mut().find(|decided| is_whole(app, &decided.one)).map(|decided| {
        if decided.reasons.is_empty() {
            decided.reasons.push("the newest that is whole".to_owned());
        }
        decided.one.clone()
    });
    (decided, newest)
}

fn is_whole(app: &App, one: &Stored) -> bool {
    let verify = |_held| verify::snapshot(app, &one.folder, &one.metadata, &Seen::default());
    let check = || lock::reading(app, one).and_then(verify);
    app.terminal.during("check", &format!("checking {}", one.reference()), check).is_ok()
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

fn remove(
    app: &App,
    args: &Args,
    going: &[Asked<Entry>],
    newest_whole: &BTreeMap<String, Stored>,
) -> Vec<Result<Done<Removal>>> {
    batch::each(app, &SNAPSHOTS, 1, going, |app, asked, _| {
        let one = asked.get()?;
        let _held = newest_whole.get(one.vm()).map(|whole| hold(app, whole)).transpose()?;
        let removal = lock::remove(app, one, args.wait.wait)?;
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

/// Keeps the newest whole snapshot from being removed. If it is gone, more would be lost than was decided.
fn hold(app: &App, whole: &Stored) -> Result<Option<Lock>> {
    if whole.is_gone() {
        let what = format!("{}, the newest that is whole, was removed or replaced in the meantime", whole.reference());
        return Err(Failure::new(Status::BadState, what).state("it was not removed").hint("run the prune again"));
    }
    lock::reading(app, whole)
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
