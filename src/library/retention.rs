//! Which snapshots a policy keeps, and why: the rules of `restic forget` (tests/it/retention.rs compares the two). Hours, days,
//! weeks, months and years are those of one time zone; see bottle-freeze-snapshot-prune(1) for what differs on purpose.

use super::period::{Reach, Unit};
use super::{Metadata, Tag};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::cmp::Reverse;

/// Tags that a snapshot must all have. None of them: it must have no tag at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagList(Vec<Tag>);

impl std::str::FromStr for TagList {
    type Err = &'static str;

    /// Reads `TAG,TAG…`, or nothing.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(|tag| Tag::existing(tag.trim())).collect::<Result<_, _>>().map(Self)
    }
}

impl TagList {
    fn matches(&self, metadata: &Metadata) -> bool {
        if self.0.is_empty() { metadata.tags.is_empty() } else { self.0.iter().all(|tag| metadata.tags.contains(tag)) }
    }
}

/// Which snapshots that are the newest of their hour, day … are kept.
#[derive(Debug, Clone)]
pub struct NewestOf {
    /// Of each of what.
    pub unit: Unit,
    /// Of so many of them that have a snapshot.
    pub count: usize,
    /// Of those within this time before the newest snapshot.
    pub within: Option<Reach>,
}

/// What to keep of one VM's snapshots. What nothing here keeps may be removed.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// So many of those that were made last.
    pub last: usize,
    /// Those within this time before the newest.
    pub within: Option<Reach>,
    /// Those with all tags of one of these lists.
    pub tags: Vec<TagList>,
    /// The newest of each hour, day ….
    pub newest_of: Vec<NewestOf>,
}

impl Policy {
    /// Whether it keeps nothing, whatever there is.
    pub fn is_empty(&self) -> bool {
        let keeps_none = |one: &NewestOf| one.count == 0 && one.within.is_none();
        self.last == 0 && self.within.is_none() && self.tags.is_empty() && self.newest_of.iter().all(keeps_none)
    }

    /// Why each of one VM's snapshots is kept, in the order of `made_last_first`; one without a reason is not kept.
    /// Days and months are those of `zone`; a snapshot that is later than `now` does not count as the newest.
    pub fn reasons(&self, made_last_first: &[&Metadata], zone: &TimeZone, now: Timestamp) -> Vec<Vec<String>> {
        let mut all: Vec<Candidate> = made_last_first.iter().map(|metadata| Candidate::new(metadata)).collect();
        for one in &mut all {
            if self.tags.iter().any(|list| list.matches(one.metadata)) {
                one.reasons.push("tag".to_owned());
            }
        }
        for one in all.iter_mut().take(self.last) {
            one.reasons.push("last".to_owned());
        }
        // The clock may have gone back: a day is one of the calendar, in whatever order its snapshots were made.
        let mut by_time: Vec<&mut Candidate> = all.iter_mut().collect();
        by_time.sort_by_key(|one| Reverse(one.time));
        let newest = by_time.iter().map(|one| one.time).find(|time| *time < now).unwrap_or(Timestamp::MIN);
        let begin = |reach: Reach| reach.before(newest, zone);
        if let Some(begin) = self.within.map(begin) {
            for one in by_time.iter_mut().filter(|one| one.time > begin) {
                one.reasons.push("within".to_owned());
            }
        }
        for rule in &self.newest_of {
            let (unit, word) = (|one: &Candidate| rule.unit.number(one.time, zone), rule.unit.word());
            keep_newest_of_each(&mut by_time, unit, word, rule.count, Timestamp::MIN);
            if let Some(begin) = rule.within.map(begin) {
                keep_newest_of_each(&mut by_time, unit, &format!("{word} within"), usize::MAX, begin);
            }
        }
        all.into_iter().map(|one| one.reasons).collect()
    }
}

/// A snapshot that is looked at.
struct Candidate<'a> {
    metadata: &'a Metadata,
    time: Timestamp,
    reasons: Vec<String>,
}

impl<'a> Candidate<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        Self { metadata, time: metadata.time(), reasons: Vec::new() }
    }
}

/// Keeps the newest of each of the first `count` units that have one after `begin`.
fn keep_newest_of_each(
    by_time: &mut [&mut Candidate],
    unit: impl Fn(&Candidate) -> i64,
    reason: &str,
    count: usize,
    begin: Timestamp,
) {
    let (mut left, mut last) = (count, None);
    for one in by_time.iter_mut().filter(|one| one.time > begin) {
        let this = Some(unit(one));
        if left > 0 && this != last {
            one.reasons.push(reason.to_owned());
            (left, last) = (left - 1, this);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Snapshots of these moments, the newest first.
    fn made(times: &[&str]) -> Vec<Metadata> {
        let one = |time: &&str| {
            let created = if time.len() == 10 { format!("{time}T12:00:00Z") } else { (*time).to_owned() };
            serde_json::from_value(serde_json::json!({
                "format": 1, "id": "0", "vm": "dev", "created": created, "engine_version": "", "tool_version": "",
                "machine": {"cpus": 1, "memory_mib": 1, "network": false}, "files": {},
            }))
            .unwrap()
        };
        times.iter().map(one).collect()
    }

    fn each(unit: Unit, count: usize) -> Policy {
        Policy { newest_of: vec![NewestOf { unit, count, within: None }], ..Policy::default() }
    }

    fn reasons(policy: &Policy, newest_first: &[&Metadata]) -> Vec<Vec<String>> {
        policy.reasons(newest_first, &TimeZone::UTC, Timestamp::now())
    }

    /// The days that a policy keeps.
    fn kept(policy: &Policy, snapshots: &[Metadata]) -> Vec<String> {
        let all: Vec<&Metadata> = snapshots.iter().collect();
        let reasons = reasons(policy, &all);
        all.iter()
            .zip(reasons)
            .filter(|(_, why)| !why.is_empty())
            .map(|(one, _)| one.created[..10].to_owned())
            .collect()
    }

    /// restic's manual, "Removing backup snapshots": one snapshot on each Sunday of 2014, and what is kept of them.
    #[test]
    fn restic_s_example_of_sundays_keeps_the_same() {
        let sundays = [
            "2014-11-30",
            "2014-11-23",
            "2014-11-16",
            "2014-11-09",
            "2014-11-02",
            "2014-10-26",
            "2014-10-19",
            "2014-10-12",
            "2014-10-05",
            "2014-09-28",
            "2014-09-21",
            "2014-09-14",
            "2014-09-07",
            "2014-08-31",
            "2014-08-24",
            "2014-08-17",
            "2014-08-10",
            "2014-08-03",
        ];
        let snapshots = made(&sundays);
        let daily = each(Unit::Day, 4);
        assert_eq!(kept(&daily, &snapshots), ["2014-11-30", "2014-11-23", "2014-11-16", "2014-11-09"]);
        let weekly = each(Unit::Week, 4);
        assert_eq!(kept(&weekly, &snapshots), ["2014-11-30", "2014-11-23", "2014-11-16", "2014-11-09"]);
        let monthly = each(Unit::Month, 4);
        assert_eq!(kept(&monthly, &snapshots), ["2014-11-30", "2014-10-26", "2014-09-28", "2014-08-31"]);
    }

    #[test]
    fn of_several_a_day_the_newest_is_kept() {
        let snapshots = made(&["2026-11-23T18:00:00Z", "2026-11-23T09:00:00Z", "2026-11-22T23:59:59Z"]);
        let policy = each(Unit::Day, 2);
        let all: Vec<&Metadata> = snapshots.iter().collect();
        assert_eq!(reasons(&policy, &all), [vec!["daily"], vec![], vec!["daily"]]);
    }

    #[test]
    fn a_week_begins_on_monday() {
        let policy = each(Unit::Week, 2);
        // A Monday, the Sunday before, the Monday before that.
        assert_eq!(kept(&policy, &made(&["2026-11-23", "2026-11-22", "2026-11-16"])), ["2026-11-23", "2026-11-22"]);
    }

    #[test]
    fn within_is_counted_from_the_newest() {
        let policy = Policy { within: Some("2d".parse().unwrap()), ..Policy::default() };
        assert_eq!(kept(&policy, &made(&["2020-01-10", "2020-01-09", "2020-01-08"])), ["2020-01-10", "2020-01-09"]);
    }

    #[test]
    fn reasons_add_up_and_nothing_keeps_nothing() {
        let snapshots = made(&["2026-11-23", "2026-11-22"]);
        let all: Vec<&Metadata> = snapshots.iter().collect();
        let policy = Policy {
            last: 1,
            newest_of: [each(Unit::Day, 1), each(Unit::Month, 1)].map(|one| one.newest_of).concat(),
            ..Policy::default()
        };
        assert_eq!(reasons(&policy, &all), [vec!["last", "daily", "monthly"], vec![]]);
        assert!(Policy::default().is_empty() && !policy.is_empty());
        assert_eq!(kept(&Policy::default(), &snapshots), [""; 0]);
    }
}
