//! Times in RFC 3339, even if the clock is wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999, the last in RFC 3339. The crate panics on a later one.
const LAST: u64 = 253_402_300_799;

/// The time in RFC 3339, in milliseconds.
#[allow(clippy::disallowed_methods, reason = "the time is within the range")]
pub fn rfc3339_millis(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(within_rfc3339(time)).to_string()
}

/// The time in RFC 3339, in seconds.
#[allow(clippy::disallowed_methods, reason = "the time is within the range")]
pub fn rfc3339_seconds(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(within_rfc3339(time)).to_string()
}

/// How long ago that was, in the largest unit; nothing if it is in the future.
pub fn age(time: SystemTime) -> Option<String> {
    let age = Duration::from_secs(time.elapsed().ok()?.as_secs());
    Some(humantime::format_duration(age).to_string().split(' ').next().unwrap_or_default().to_owned())
}

/// Whole seconds since 1970; 0 before.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The nearest time that RFC 3339 can express: a clock may be wrong by decades.
fn within_rfc3339(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(Duration::from_secs(LAST));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_by_decades_gives_a_valid_time() {
        let at = |seconds: u64| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap();
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(86_400)).unwrap();
        assert_eq!(rfc3339_millis(before), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_millis(at(LAST + 1)), "9999-12-31T23:59:59.000Z");
        assert_eq!(rfc3339_seconds(at(1_700_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!((seconds(before), seconds(at(7))), (0, 7));
    }
}
