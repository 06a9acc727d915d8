//! `snapshot prune`: what no policy keeps is removed, and each snapshot is told why it stays.

use super::each::{self, Done};
use super::snapshot::{NO_SNAPSHOTS, warn_of};
use super::{App, Failure, Result, Status, lock, verify};
use crate::cli;
use crate::smolvm::end_helpers;
use crate::snapshot::{Metadata, NewestOf, Policy, Stored, Unit, library, sweep_library};
use crate::ui::Problem;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use std::collections::BTreeMap;

pub fn run(app: &App, args: &cli::SnapshotPrune) -> Result<()> {
    let policy = policy(args);
    if policy.is_empty() {
        let what = "nothing is removed without a policy";
        return Err(Failure::new(Status::Usage, what).mend("say what to keep, such as --keep-last 3"));
    }
    let (all, broken) = library::list(args.vm.as_ref().map(crate::smolvm::Name::as_str))?;
    warn_of(&broken);
    let mut vms: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for one in all.into_iter().rev() {
        vms.entry(one.metadata.vm.clone()).or_default().push(one);
    }
    let mut all = Vec::new();
    for newest_first in vms.into_values() {
        all.extend(sort_out(app, args, &policy, newest_first));
    }
    if all.is_empty() {
        app.ui.note(NO_SNAPSHOTS);
    }
    if !args.dry_run {
        sweep_library(&end_helpers);
    }
    let list: Vec<String> = all.iter().filter(|one| one.1.is_empty()).map(|one| one.0.reference()).collect();
    if list.is_empty() || args.dry_run {
        report(app, &all, &[]);
        return Ok(());
    }
    app.confirm(&format!("Remove {}?", list.join(", ")), args.yes, "nothing was removed")?;
    let results = each::one_by_one(each::SNAPSHOTS, &list, |reference, _| {
        let one = library::find(reference)?;
        let _lock = lock::library(app, &one.metadata.vm)?;
        one.remove()?;
        app.ui.result(reference, &format!("removed {reference}"));
        Ok(())
    });
    report(app, &all, &results);
    each::verdict(each::SNAPSHOTS, &list, results)
}

/// For programs: of each snapshot whether the policy keeps it, and what became of it.
fn report(app: &App, all: &[(Stored, Vec<String>)], results: &[Result<Done<()>>]) {
    let mut results = results.iter();
    let entry = |(one, reasons): &(Stored, Vec<String>)| {
        let result = reasons.is_empty().then(|| results.next()).flatten();
        let mut entry = json!({
            "reference": one.reference(), "bytes": one.bytes(), "keep": !reasons.is_empty(), "reasons": reasons,
            "removed": result.is_some_and(Result::is_ok), "warnings": [],
        });
        match result {
            Some(Ok(done)) => entry["warnings"] = json!(done.warnings),
            Some(Err(failure)) => {
                entry["warnings"] = json!(failure.warnings);
                entry["error"] = json!(Problem { warnings: &[], ..failure.problem() });
            }
            None => {}
        }
        entry
    };
    app.ui.report(&all.iter().map(entry).collect::<Vec<_>>());
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

/// Tells of one VM's snapshots which stay; all of them, and why they do: those that go have no reason.
fn sort_out(
    app: &App,
    args: &cli::SnapshotPrune,
    policy: &Policy,
    newest_first: Vec<Stored>,
) -> Vec<(Stored, Vec<String>)> {
    let metadata: Vec<&Metadata> = newest_first.iter().map(|one| &one.metadata).collect();
    let mut reasons = policy.reasons(&metadata, &TimeZone::system(), Timestamp::now());
    for (metadata, reasons) in metadata.iter().zip(&mut reasons) {
        if reasons.is_empty() && metadata.tags.iter().any(|tag| !args.tag.contains(tag)) {
            reasons.push("it has a tag".to_owned());
        }
    }
    // Whatever the policy says: the newest that is whole stays.
    if reasons.iter().any(Vec::is_empty) {
        let is_whole = |one: &Stored| {
            let check = || verify::snapshot(&one.folder, &one.metadata);
            app.ui.during("check", &format!("checking {}", one.reference()), check).is_ok()
        };
        if let Some(at) = newest_first.iter().position(is_whole).filter(|at| reasons[*at].is_empty()) {
            reasons[at].push("the newest that is whole".to_owned());
        }
    }
    for (one, reasons) in newest_first.iter().zip(&reasons) {
        if !reasons.is_empty() {
            app.ui.note(&format!("keep {} ({})", one.reference(), reasons.join(", ")));
        } else if args.dry_run {
            app.ui.result(one.reference(), &format!("would remove {}", one.reference()));
        } else {
            app.ui.note(&format!("remove {}", one.reference()));
        }
    }
    newest_first.into_iter().zip(reasons).collect()
}
