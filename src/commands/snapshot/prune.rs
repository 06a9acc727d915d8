//! `snapshot prune`: what no policy keeps is removed, and each snapshot is told why it stays.

use super::{list_tags, no_snapshots, warn_of};
use crate::app::App;
use crate::commands::args::Wait;
use crate::commands::batch::{self, Done};
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{
    Entry, Lock, Metadata, NewestOf, Policy, Reach, Removal, Stored, Tag, TagList, Unit, store, sweep_library,
};
use crate::operations::resolve::Asked;
use crate::operations::{lock, verify};
use crate::smolvm::Name;
use crate::terminal::with;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
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

/// Why a snapshot stays that no policy keeps.
const TAGGED: &str = "it has a tag";

pub fn run(app: &App, args: &Args) -> Result<()> {
    let policy = policy(args);
    if policy.is_empty() {
        let what = "nothing is removed without a policy";
        return Err(Failure::new(Status::Usage, what).hint("say what to keep, such as --keep-last 3"));
    }
    let (all, broken) = store::list(args.vm.as_ref().map(Name::as_str))?;
    let broken = warn_of(app, broken, |one, warnings| {
        json!({
            "reference": one.reference(), "bytes": one.bytes(), "keep": true, "reasons": ["it cannot be read"],
            "removed": false, "warnings": warnings,
        })
    });
    let mut vms: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for one in all.into_iter().rev() {
        vms.entry(one.metadata.vm.clone()).or_default().push(one);
    }
    let (mut all, mut anchors) = (Vec::new(), BTreeMap::new());
    for (vm, newest_first) in vms {
        let (sorted, whole) = sort_out(app, args, &policy, newest_first);
        anchors.extend(whole.map(|whole| (vm, whole)));
        all.extend(sorted);
    }
    if all.is_empty() {
        app.terminal.note(&no_snapshots(args.vm.as_ref()));
    }
    if !args.dry_run {
        sweep_library();
    }
    let going = all.iter().filter(|one| one.1.is_empty()).map(|one| Asked::from(Entry::from(one.0.clone())));
    let going: Vec<Asked<Entry>> = going.collect();
    if going.is_empty() || args.dry_run {
        report(app, &all, &[], broken);
        return Ok(());
    }
    let list: Vec<String> = going.iter().map(ToString::to_string).collect();
    app.confirm(&format!("Remove {}?", list.join(", ")), args.yes, "nothing was removed")?;
    let results = batch::one_by_one(app, batch::SNAPSHOTS, &going, |app, asked, _| {
        let one = asked.get()?;
        // Without the newest that is whole, more would be lost than was decided.
        let anchor = anchors.get(one.vm());
        let _anchor = anchor.map(|whole| keep_newest(app, whole)).transpose()?;
        let removal = lock::remove(app, one, args.wait.wait)?;
        match &removal {
            Removal::Removed => app.terminal.result(asked, &format!("removed {asked}")),
            Removal::Tagged(tags) => {
                app.terminal.note(&format!("keep {asked} (it was given the tag {} meanwhile)", list_tags(tags)));
            }
        }
        Ok(removal)
    });
    report(app, &all, &results, broken);
    batch::verdict(batch::SNAPSHOTS, &going, results)
}

/// Keeps the newest snapshot that is whole from being removed meanwhile.
fn keep_newest(app: &App, whole: &Stored) -> Result<Option<Lock>> {
    if whole.is_gone() {
        let what = format!("{}, the newest that is whole, was removed or replaced meanwhile", whole.reference());
        return Err(Failure::new(Status::BadState, what).state("it was not removed").hint("run the prune again"));
    }
    lock::reading(app, whole)
}

/// For programs: of each snapshot whether the policy keeps it, and what became of it.
fn report(app: &App, all: &[(Stored, Vec<String>)], results: &[Result<Done<Removal>>], broken: Vec<Value>) {
    let (mut results, tagged) = (results.iter(), vec![TAGGED.to_owned()]);
    let mut entry = |(one, reasons): &(Stored, Vec<String>)| {
        let result = reasons.is_empty().then(|| results.next()).flatten();
        let removal = result.and_then(|result| result.as_ref().ok()).map(|done| &done.result);
        let reasons = if matches!(removal, Some(Removal::Tagged(_))) { &tagged } else { reasons };
        let entry = json!({
            "reference": one.reference(), "bytes": one.bytes(), "keep": !reasons.is_empty(), "reasons": reasons,
            "removed": removal == Some(&Removal::Removed), "warnings": [],
        });
        match result {
            Some(Ok(done)) => with(entry, "warnings", json!(done.warnings)),
            Some(Err(failure)) => {
                let error = json!(failure.error());
                with(with(entry, "warnings", json!(failure.warnings)), "error", error)
            }
            None => entry,
        }
    };
    app.terminal.report(&all.iter().map(&mut entry).chain(broken).collect::<Vec<_>>());
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

/// Prints which of one VM's snapshots stay. All of them, and why they do (those that go have no reason); and the newest
/// that is whole.
fn sort_out(
    app: &App,
    args: &Args,
    policy: &Policy,
    newest_first: Vec<Stored>,
) -> (Vec<(Stored, Vec<String>)>, Option<Stored>) {
    let metadata: Vec<&Metadata> = newest_first.iter().map(|one| &one.metadata).collect();
    let mut reasons = policy.reasons(&metadata, &TimeZone::system(), Timestamp::now());
    for (metadata, reasons) in metadata.iter().zip(&mut reasons) {
        if reasons.is_empty() && metadata.tags.iter().any(|tag| !args.tag.contains(tag)) {
            reasons.push(TAGGED.to_owned());
        }
    }
    let mut whole = None;
    // Whatever the policy says: the newest that is whole stays.
    if reasons.iter().any(Vec::is_empty) {
        let is_whole = |one: &Stored| {
            let check = || lock::reading(app, one).and_then(|_held| verify::snapshot(app, &one.folder, &one.metadata));
            app.terminal.during("check", &format!("checking {}", one.reference()), check).is_ok()
        };
        whole = newest_first.iter().position(is_whole);
        if let Some(reasons) = whole.and_then(|at| reasons.get_mut(at)).filter(|reasons| reasons.is_empty()) {
            reasons.push("the newest that is whole".to_owned());
        }
    }
    for (one, reasons) in newest_first.iter().zip(&reasons) {
        if !reasons.is_empty() {
            app.terminal.note(&format!("keep {} ({})", one.reference(), reasons.join(", ")));
        } else if args.dry_run {
            app.terminal.result(one.reference(), &format!("would remove {}", one.reference()));
        } else {
            app.terminal.note(&format!("remove {}", one.reference()));
        }
    }
    let whole = whole.and_then(|at| newest_first.get(at).cloned());
    (newest_first.into_iter().zip(reasons).collect(), whole)
}
