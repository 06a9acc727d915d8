//! Periods as in `restic forget`: how far back `--keep-within` reaches, and the hour, day, week, month or year of a
//! snapshot.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

/// How far back from the newest snapshot: `1y5m7d2h`. A month is a calendar month, not thirty days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    years: u32,
    months: u32,
    days: u32,
    hours: u32,
}

impl std::str::FromStr for Reach {
    type Err = &'static str;

    /// Parses restic's form: numbers with the units `y`, `m` (months), `d` and `h`. If a unit occurs twice, the last one
    /// counts.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "use years, months, days and hours, like 1y5m7d2h, 6m or 30d";
        let (mut reach, mut rest) = (Self::default(), text.trim());
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(FORM)?;
            let number = rest.get(..digits).and_then(|number| number.parse().ok()).ok_or(FORM)?;
            let mut chars = rest.get(digits..).unwrap_or_default().chars();
            match chars.next() {
                Some('y') => reach.years = number,
                Some('m') => reach.months = number,
                Some('d') => reach.days = number,
                Some('h') => reach.hours = number,
                _ => return Err(FORM),
            }
            rest = chars.as_str();
        }
        if reach == Self::default() { Err(FORM) } else { Ok(reach) }
    }
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        parts.iter().filter(|(number, _)| *number > 0).try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

impl Reach {
    /// The time this far before `end`, by the clock and calendar of `zone`; at least [`Timestamp::MIN`].
    pub fn before(self, end: Timestamp, zone: &TimeZone) -> Timestamp {
        self.by_calendar(zone.to_datetime(end))
            .and_then(|local| at(local, zone))
            .and_then(|moment| moment.checked_sub(SignedDuration::from_hours(self.hours.into())))
            .unwrap_or(Timestamp::MIN)
    }

    /// Like Go's `AddDate`, which restic uses: a day that a month lacks is a day of the next month (a month before March 31
    /// is March 3).
    fn by_calendar(self, end: DateTime) -> Result<DateTime, jiff::Error> {
        let month = i64::from(end.month()) - 1 - i64::from(self.months);
        let year = i64::from(end.year()) - i64::from(self.years) + month.div_euclid(12);
        let first = DateTime::new(
            // A year outside the calendar is outside of `Timestamp` too.
            i16::try_from(year).unwrap_or(i16::MIN),
            i8::try_from(month.rem_euclid(12) + 1).unwrap_or(1),
            1,
            end.hour(),
            end.minute(),
            end.second(),
            end.subsec_nanosecond(),
        )?;
        first.checked_add(Span::new().try_days(i64::from(end.day()) - 1 - i64::from(self.days))?)
    }
}

/// The time at which clocks in `zone` show `local`. If they show it twice or never, the time that Go chooses.
fn at(local: DateTime, zone: &TimeZone) -> Result<Timestamp, jiff::Error> {
    let nearly = zone.to_offset(Offset::UTC.to_timestamp(local)?);
    zone.to_offset(nearly.to_timestamp(local)?).to_timestamp(local)
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// An hour on the clock.
    Hour,
    /// From midnight.
    Day,
    /// From Monday (ISO 8601).
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Unit {
    /// What restic calls the newest snapshot of such a unit.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        }
    }

    /// A number that is the same for all times within one such unit, by the clocks of `zone`.
    pub fn number(self, moment: Timestamp, zone: &TimeZone) -> i64 {
        let local = zone.to_datetime(moment);
        let (year, month) = (i64::from(local.year()), i64::from(local.month()));
        let day = || (year * 100 + month) * 100 + i64::from(local.day());
        match self {
            Self::Hour => day() * 100 + i64::from(local.hour()),
            Self::Day => day(),
            Self::Week => {
                let week = local.date().iso_week_date();
                i64::from(week.year()) * 100 + i64::from(week.week())
            }
            Self::Month => year * 100 + month,
            Self::Year => year,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(reach: &str, end: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        reach.parse::<Reach>().unwrap().before(end.parse().unwrap(), &zone).to_string()
    }

    #[test]
    fn a_reach_is_written_as_it_is_read() {
        for text in ["1y5m7d2h", "6m", "30d", "4294967295h"] {
            assert_eq!(text.parse::<Reach>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_month_is_a_calendar_month() {
        assert_eq!(before("6m", "2026-11-26T10:00:00Z", "UTC"), "2026-05-26T10:00:00Z");
        assert_eq!(before("1y5m7d2h", "2026-03-08T01:30:00Z", "UTC"), "2024-09-30T23:30:00Z");
        assert_eq!(before("1m", "2026-03-31T10:00:00Z", "UTC"), "2026-03-03T10:00:00Z");
        assert_eq!(before("13m", "2024-02-29T10:00:00Z", "UTC"), "2023-01-29T10:00:00Z");
    }

    #[test]
    fn a_day_ends_at_the_same_time_when_clocks_change() {
        assert_eq!(before("1d", "2026-03-29T10:00:00Z", "Europe/Berlin"), "2026-03-28T11:00:00Z");
        assert_eq!(before("24h", "2026-03-29T10:00:00Z", "Europe/Berlin"), "2026-03-28T10:00:00Z");
    }

    #[test]
    fn a_very_long_reach_reaches_all() {
        for reach in ["9000y", "4294967295y", "4294967295m", "4294967295d", "4294967295h", "20000y"] {
            assert!(before(reach, "2026-03-29T10:00:00Z", "Europe/Berlin").starts_with('-'), "{reach}");
        }
    }

    #[test]
    fn only_the_units_of_restic_are_parsed() {
        for text in ["", "0d", "6months", "30", "5x", "-5d", "+5d", "1y 2m", "99999999999d", "d", "２d", "1é"] {
            assert!(text.parse::<Reach>().is_err(), "{text}");
        }
        assert_eq!("3d5d".parse::<Reach>(), "5d".parse());
        assert_eq!(" 5d ".parse::<Reach>(), "5d".parse());
    }

    #[test]
    fn a_week_starts_on_monday_and_may_belong_to_another_year() {
        let week = |moment: &str| Unit::Week.number(moment.parse().unwrap(), &TimeZone::UTC);
        assert_eq!((week("2026-11-22T12:00:00Z"), week("2026-11-23T12:00:00Z")), (202_647, 202_648));
        assert_eq!((week("2024-12-30T12:00:00Z"), week("2021-01-01T12:00:00Z")), (202_501, 202_053));
    }

    #[test]
    fn a_day_depends_on_the_zone() {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let day = |moment: &str| Unit::Day.number(moment.parse().unwrap(), &zone);
        assert_eq!((day("2026-11-22T14:59:59Z"), day("2026-11-22T15:00:00Z")), (20_261_122, 20_261_123));
    }
}
