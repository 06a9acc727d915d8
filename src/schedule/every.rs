//! How often: what systemd, launchd and cron can all do.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A number of minutes that divides an hour, of hours that divides a day, a day or a week; in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Every(u64);

impl std::str::FromStr for Every {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "use 1d, 7d, hours that divide a day (1h, 6h, 12h), or minutes that divide an hour (15m, 30m)";
        let time = humantime::parse_duration(text).map_err(|_| FORM)?;
        let seconds = time.as_secs();
        let is_whole = time.subsec_nanos() == 0;
        let divides = |unit: u64, whole: u64| seconds >= unit && seconds % unit == 0 && whole % seconds == 0;
        let is_possible = divides(MINUTE, HOUR) || divides(HOUR, DAY) || seconds == 7 * DAY;
        if is_whole && is_possible { Ok(Self(seconds)) } else { Err(FORM) }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = humantime::format_duration(self.period()).to_string();
        f.pad(&text.replace("days", "d").replace("day", "d").replace(' ', ""))
    }
}

impl Every {
    /// The time between two runs.
    pub fn period(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// For `OnCalendar=` of systemd.time(7).
    pub fn calendar(self) -> String {
        match self.0 {
            seconds if seconds < HOUR => format!("*:0/{}", seconds / MINUTE),
            HOUR => "hourly".to_owned(),
            seconds if seconds < DAY => format!("0/{}:00", seconds / HOUR),
            DAY => "daily".to_owned(),
            _ => "weekly".to_owned(),
        }
    }

    /// For crontab(5).
    pub fn cron(self) -> String {
        match self.0 {
            MINUTE => "* * * * *".to_owned(),
            seconds if seconds < HOUR => format!("*/{} * * * *", seconds / MINUTE),
            HOUR => "0 * * * *".to_owned(),
            seconds if seconds < DAY => format!("0 */{} * * *", seconds / HOUR),
            DAY => "0 0 * * *".to_owned(),
            _ => "0 0 * * 1".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_schedulers_can_do_is_parsed() {
        for (text, shown, calendar, cron) in [
            ("15m", "15m", "*:0/15", "*/15 * * * *"),
            ("60min", "1h", "hourly", "0 * * * *"),
            ("6h", "6h", "0/6:00", "0 */6 * * *"),
            ("1d", "1d", "daily", "0 0 * * *"),
            ("24h", "1d", "daily", "0 0 * * *"),
            ("1week", "7d", "weekly", "0 0 * * 1"),
        ] {
            let every: Every = text.parse().unwrap();
            assert_eq!(
                (every.to_string(), every.calendar(), every.cron()),
                (shown.into(), calendar.into(), cron.into())
            );
        }
    }

    #[test]
    fn what_one_of_them_cannot_do_is_refused() {
        for text in ["", "daily", "7m", "5h", "2d", "30s", "90m", "1h30m", "1d1ms", "0s", "1month", "-1d"] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }
}
