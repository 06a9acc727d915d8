//! Which snapshots a policy keeps, and why: restic's `forget`, word for word. Days, weeks (from Monday) and months are
//! those of UTC.

use super::{Metadata, Tag};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;

/// What to keep of one VM's snapshots. One that nothing here keeps may go.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The newest ones, so many.
    pub last: usize,
    /// The newest of each of the last days that have any, so many.
    pub daily: usize,
    /// The same of weeks.
    pub weekly: usize,
    /// The same of months.
    pub monthly: usize,
    /// Those with one of these tags.
    pub tags: Vec<Tag>,
    /// Those not older than this before the newest.
    pub within: Option<Duration>,
}

impl Policy {
    /// Whether it keeps nothing, whatever there is.
    pub fn is_empty(&self) -> bool {
        self.last + self.daily + self.weekly + self.monthly == 0 && self.tags.is_empty() && self.within.is_none()
    }

    /// Why each of one VM's snapshots is kept; the newest comes first. One without a reason is not kept.
    pub fn reasons(&self, newest_first: &[&Metadata]) -> Vec<Vec<String>> {
        let mut reasons = vec![Vec::new(); newest_first.len()];
        for reasons in reasons.iter_mut().take(self.last) {
            reasons.push("last".to_owned());
        }
        for (word, count, bucket) in [
            ("daily", self.daily, day as fn(SystemTime) -> String),
            ("weekly", self.weekly, week),
            ("monthly", self.monthly, month),
        ] {
            for at in newest_of_each(newest_first, count, bucket) {
                reasons[at].push(word.to_owned());
            }
        }
        let newest = newest_first.first().map(|metadata| time(metadata));
        for (metadata, reasons) in newest_first.iter().zip(&mut reasons) {
            if metadata.tags.iter().any(|tag| self.tags.contains(tag)) {
                reasons.push("tag".to_owned());
            }
            let age = newest.and_then(|newest| newest.duration_since(time(metadata)).ok());
            if self.within.is_some_and(|within| age.is_none_or(|age| age <= within)) {
                reasons.push("within".to_owned());
            }
        }
        reasons
    }
}

/// The first, that is the newest, of each of the first `count` buckets; and where there are fewer, the oldest of all,
/// so that the past does not shrink while the buckets fill (restic 0.17).
fn newest_of_each(newest_first: &[&Metadata], count: usize, bucket: fn(SystemTime) -> String) -> Vec<usize> {
    let (mut kept, mut last) = (Vec::new(), None);
    for (at, metadata) in newest_first.iter().enumerate() {
        let this = Some(bucket(time(metadata)));
        let is_oldest = at + 1 == newest_first.len();
        if (this != last || is_oldest) && kept.len() < count {
            kept.push(at);
            last = this;
        }
    }
    kept
}

/// When it was made. One of which this cannot be read counts as the oldest.
fn time(metadata: &Metadata) -> SystemTime {
    humantime::parse_rfc3339(&metadata.created).unwrap_or(UNIX_EPOCH)
}

fn day(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()[..10].to_owned()
}

fn month(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()[..7].to_owned()
}

/// Weeks since the one of 1970-01-01, a Thursday.
fn week(time: SystemTime) -> String {
    let days = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY;
    ((days + 3) / 7).to_string()
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

    /// The days that a policy keeps.
    fn kept(policy: &Policy, snapshots: &[Metadata]) -> Vec<String> {
        let all: Vec<&Metadata> = snapshots.iter().collect();
        let reasons = policy.reasons(&all);
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
        let daily = Policy { daily: 4, ..Policy::default() };
        assert_eq!(kept(&daily, &snapshots), ["2014-11-30", "2014-11-23", "2014-11-16", "2014-11-09"]);
        let weekly = Policy { weekly: 4, ..Policy::default() };
        assert_eq!(kept(&weekly, &snapshots), ["2014-11-30", "2014-11-23", "2014-11-16", "2014-11-09"]);
        let monthly = Policy { monthly: 4, ..Policy::default() };
        assert_eq!(kept(&monthly, &snapshots), ["2014-11-30", "2014-10-26", "2014-09-28", "2014-08-31"]);
    }

    #[test]
    fn of_several_a_day_the_newest_is_kept() {
        let snapshots = made(&["2026-11-23T18:00:00Z", "2026-11-23T09:00:00Z", "2026-11-22T23:59:59Z"]);
        let policy = Policy { daily: 2, ..Policy::default() };
        let all: Vec<&Metadata> = snapshots.iter().collect();
        assert_eq!(policy.reasons(&all), [vec!["daily"], vec![], vec!["daily"]]);
    }

    #[test]
    fn the_oldest_is_kept_while_there_are_too_few() {
        let policy = Policy { monthly: 3, ..Policy::default() };
        assert_eq!(kept(&policy, &made(&["2026-11-23", "2026-11-10", "2026-11-01"])), ["2026-11-23", "2026-11-01"]);
    }

    #[test]
    fn a_week_begins_on_monday() {
        let policy = Policy { weekly: 2, ..Policy::default() };
        // A Monday, the Sunday before, the Monday before that.
        assert_eq!(kept(&policy, &made(&["2026-11-23", "2026-11-22", "2026-11-16"])), ["2026-11-23", "2026-11-22"]);
    }

    #[test]
    fn within_is_counted_from_the_newest() {
        let policy = Policy { within: Some(Duration::from_secs(2 * DAY)), ..Policy::default() };
        assert_eq!(kept(&policy, &made(&["2020-01-10", "2020-01-08", "2020-01-07"])), ["2020-01-10", "2020-01-08"]);
    }

    #[test]
    fn reasons_add_up_and_nothing_keeps_nothing() {
        let snapshots = made(&["2026-11-23", "2026-11-22"]);
        let all: Vec<&Metadata> = snapshots.iter().collect();
        let policy = Policy { last: 1, daily: 1, monthly: 1, ..Policy::default() };
        assert_eq!(policy.reasons(&all), [vec!["last", "daily", "monthly"], vec![]]);
        assert!(Policy::default().is_empty() && !policy.is_empty());
        assert_eq!(kept(&Policy::default(), &snapshots), [""; 0]);
    }
}
