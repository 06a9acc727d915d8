//! The `--keep` options: which snapshots of a VM stay.

use crate::completion::Offer;
use crate::library::{NewestOf, Policy, Reach, TagList, Unit};
use crate::operations::several::once;

/// Which snapshots stay. They work as in `restic forget`.
#[derive(Debug, Clone, Default, clap::Args)]
#[allow(clippy::struct_field_names, reason = "options are named after the fields")]
pub struct Retention {
    /// Keep the N newest
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_last: usize,
    /// Keep the newest of each of the last N hours that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true, hide_short_help = true)]
    pub keep_hourly: usize,
    /// Keep the newest of each of the last N days that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_daily: usize,
    /// Keep the newest of each of the last N weeks that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true)]
    pub keep_weekly: usize,
    /// Keep the newest of each of the last N months that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true, hide_short_help = true)]
    pub keep_monthly: usize,
    /// Keep the newest of each of the last N years that have a snapshot
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 0, hide_default_value = true, hide_short_help = true)]
    pub keep_yearly: usize,
    /// Keep all snapshots within this time before the newest (30d, 6m, 1y5m7d2h)
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    pub keep_within: Option<Reach>,
    /// Keep the newest of each hour within this time before the newest
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    pub keep_within_hourly: Option<Reach>,
    /// Keep the newest of each day within this time before the newest
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    pub keep_within_daily: Option<Reach>,
    /// Keep the newest of each week within this time before the newest
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    pub keep_within_weekly: Option<Reach>,
    /// Keep the newest of each month within this time before the newest
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    pub keep_within_monthly: Option<Reach>,
    /// Keep the newest of each year within this time before the newest
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    pub keep_within_yearly: Option<Reach>,
    /// Keep snapshots with this tag, with all tags of a list TAG,TAG, or without any tag ('') (repeatable)
    #[arg(long, value_name = "TAGS", add = Offer::Tags, hide_short_help = true)]
    pub keep_tag: Vec<TagList>,
}

const UNLIMITED: &str = "unlimited";

/// Reads a number of snapshots. restic 0.14 reads -1 as none, and later versions refuse it.
fn count(text: &str) -> Result<usize, &'static str> {
    match text {
        UNLIMITED => Ok(usize::MAX),
        _ => text.parse().map_err(|_| "it must be a whole number, or `unlimited`"),
    }
}

impl Retention {
    /// As they are given on a command line.
    pub fn words(&self) -> Vec<String> {
        let number =
            |count: usize| (count > 0).then(|| if count == usize::MAX { UNLIMITED.into() } else { count.to_string() });
        let reach = |reach: Option<Reach>| reach.map(|reach| reach.to_string());
        let options = [
            ("last", number(self.keep_last)),
            ("hourly", number(self.keep_hourly)),
            ("daily", number(self.keep_daily)),
            ("weekly", number(self.keep_weekly)),
            ("monthly", number(self.keep_monthly)),
            ("yearly", number(self.keep_yearly)),
            ("within", reach(self.keep_within)),
            ("within-hourly", reach(self.keep_within_hourly)),
            ("within-daily", reach(self.keep_within_daily)),
            ("within-weekly", reach(self.keep_within_weekly)),
            ("within-monthly", reach(self.keep_within_monthly)),
            ("within-yearly", reach(self.keep_within_yearly)),
        ];
        let tags = once(self.keep_tag.iter().map(ToString::to_string), Clone::clone);
        let tags = tags.into_iter().map(|tags| ("tag", Some(tags)));
        let word = |(name, value): (&str, Option<String>)| Some(format!("--keep-{name}={}", value?));
        options.into_iter().chain(tags).filter_map(word).collect()
    }

    /// The policy that they make.
    pub fn policy(&self) -> Policy {
        let newest_of = [
            (Unit::Hour, self.keep_hourly, self.keep_within_hourly),
            (Unit::Day, self.keep_daily, self.keep_within_daily),
            (Unit::Week, self.keep_weekly, self.keep_within_weekly),
            (Unit::Month, self.keep_monthly, self.keep_within_monthly),
            (Unit::Year, self.keep_yearly, self.keep_within_yearly),
        ];
        Policy {
            last: self.keep_last,
            within: self.keep_within,
            tags: self.keep_tag.clone(),
            newest_of: newest_of.map(|(unit, count, within)| NewestOf { unit, count, within }).into(),
        }
    }
}
