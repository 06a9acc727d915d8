//! Which snapshots a policy keeps, and why. The rules are those of `restic forget` (tests/it/retention.rs compares the two);
//! bottle-freeze-snapshot-prune(1) lists the differences.

use super::metadata::Metadata;
use super::period::{Reach, Unit};
use super::tag::Tag;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::cmp::Reverse;

/// Tags that a snapshot must have. If the list is empty, it must have no tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagList(Vec<Tag>);

impl std::str::FromStr for TagList {
    type Err = &'static str;

    /// Parses `TAG,TAG…`, or an empty text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(|tag| Tag::existing(tag.trim())).collect::<Result<_, _>>().map(Self)
    }
}

impl std::fmt::Display for TagList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.iter().map(Tag::as_str).collect::<Vec<_>>().join(","))
    }
}

impl TagList {
    fn matches(&self, metadata: &Metadata) -> bool {
        if self.0.is_empty() { metadata.tags.is_empty() } else { self.0.iter().all(|tag| metadata.tags.contains(tag)) }
    }
}

/// A rule that keeps the newest snapshot of each hour, day ….
#[derive(Debug, Clone)]
pub struct NewestOf {
    /// The unit: hour, day ….
    pub unit: Unit,
    /// For how many units with a snapshot.
    pub count: usize,
    /// For all units within this time before the newest snapshot.
    pub within: Option<Reach>,
}

/// Which snapshots of one VM to keep. All others may be removed.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// How many of the last ones.
    pub last: usize,
    /// Those within this time before the newest.
    pub within: Option<Reach>,
    /// Those with all tags of one of these lists.
    pub tags: Vec<TagList>,
    /// The newest of each hour, day ….
    pub newest_of: Vec<NewestOf>,
}

impl Policy {
    /// Whether it keeps no snapshot at all.
    pub fn is_empty(&self) -> bool {
        let keeps_none = |one: &NewestOf| one.count == 0 && one.within.is_none();
        self.last == 0 && self.within.is_none() && self.tags.is_empty() && self.newest_of.iter().all(keeps_none)
    }

    /// The reasons to keep each snapshot of one VM, in the order of `newest_first`. One without a reason is not kept. Days
    /// and months are those of `zone`; a snapshot later than `now` does not count as the newest.
    pub fn reasons(&self, newest_first: &[&Metadata], zone: &TimeZone, now: Timestamp) -> Vec<Vec<String>> {
        let mut all: Vec<Candidate> = newest_first.iter().map(|metadata| Candidate::new(metadata)).collect();
        for one in &mut all {
            if self.tags.iter().any(|list| list.matches(one.metadata)) {
                one.reasons.push("tag".to_owned());
            }
        }
        for one in all.iter_mut().take(self.last) {
            one.reasons.push("last".to_owned());
        }
        // By the calendar, not by the order of creation: the clock may have gone back.
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

/// A snapshot, and the reasons to keep it.
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

/// Keeps the newest snapshot of each of the first `count` units with one after `begin`.
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

    /// Snapshots made at these times, newest first.
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

    /// The example of restic's manual, "Removing backup snapshots": one snapshot on each Sunday of 2014.
    #[test]
    fn the_example_of_restic_keeps_the_same_sundays() {
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
    fn a_week_starts_on_monday() {
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
