//! `snapshot prune`: what no policy keeps is removed, and each snapshot is told why it stays.

use crate::app::App;
use crate::cli;
use crate::commands::batch::{self, Done};
use crate::commands::snapshot::{list_tags, no_snapshots, warn_of};
use crate::commands::verify;
use crate::error::{Failure, Result, Status};
use crate::library::{Entry, Lock, Metadata, NewestOf, Policy, Removal, Stored, Unit, store, sweep_library};
use crate::operations::lock;
use crate::operations::resolve::Asked;
use crate::smolvm::end_helpers;
use crate::terminal::{Problem, with};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why a snapshot stays that no policy keeps.
const TAGGED: &str = "it has a tag";

pub fn run(app: &App, args: &cli::SnapshotPrune) -> Result<()> {
    let policy = policy(args);
    if policy.is_empty() {
        let what = "nothing is removed without a policy";
        return Err(Failure::new(Status::Usage, what).hint("say what to keep, such as --keep-last 3"));
    }
    let (all, broken) = store::list(args.vm.as_ref().map(crate::smolvm::Name::as_str))?;
    let broken = warn_of(broken, |one, warnings| {
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
        sweep_library(&end_helpers);
    }
    let going = all.iter().filter(|one| one.1.is_empty()).map(|one| Asked::from(Entry::from(one.0.clone())));
    let going: Vec<Asked<Entry>> = going.collect();
    if going.is_empty() || args.dry_run {
        report(app, &all, &[], broken);
        return Ok(());
    }
    let list: Vec<String> = going.iter().map(ToString::to_string).collect();
    app.confirm(&format!("Remove {}?", list.join(", ")), args.yes, "nothing was removed")?;
    let results = batch::one_by_one(batch::SNAPSHOTS, &going, |asked, _| {
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
                let error = json!(Problem { warnings: &[], ..failure.problem() });
                with(with(entry, "warnings", json!(failure.warnings)), "error", error)
            }
            None => entry,
        }
    };
    app.terminal.report(&all.iter().map(&mut entry).chain(broken).collect::<Vec<_>>());
}

fn policy(args: &cli::SnapshotPrune) -> Policy {
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
    args: &cli::SnapshotPrune,
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
            let check = || lock::reading(app, one).and_then(|_held| verify::snapshot(&one.folder, &one.metadata));
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
