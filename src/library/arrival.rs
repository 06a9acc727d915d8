//! Snapshots from elsewhere: their `snapshot.json` was written by another host, and is checked when it arrives. What it
//! would open on this host must be confirmed when it is thawed.

use super::lineage::is_reference;
use super::metadata::{Configuration, Metadata};
use super::origin::Origin;
use crate::clock;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// How many seconds the clock of another host may be ahead.
const CLOCKS_DIFFER: u64 = 5 * 60;
/// The most that an engine gives a VM.
const CPUS: u32 = 1024;
const MEMORY_MIB: u64 = 16 << 20;
const DISK_GB: u64 = 64 << 10;

impl Metadata {
    /// Whether it is known to be frozen here. (0.1.0 recorded no origin.)
    pub fn is_own(&self) -> bool {
        self.origin.as_ref().is_some_and(Origin::is_here)
    }

    /// Where it comes from, as the rest of a sentence.
    pub fn origin_phrase(&self) -> String {
        match &self.origin {
            Some(Origin { kind, from: Some(from), .. }) => format!("was {kind} from {from}"),
            Some(Origin { kind, .. }) => format!("was {kind}"),
            None => "was made by an earlier version of bottle-freeze, here or elsewhere".into(),
        }
    }

    /// Sets its origin, and replaces a time in the future by now. Returns whether the time was replaced.
    ///
    /// # Errors
    /// Its configuration is not possible.
    pub fn arrive(&mut self, origin: Origin) -> Result<bool, String> {
        self.origin = Some(origin);
        self.parent = self.parent.take().filter(|parent| is_reference(parent));
        self.check_sizes()?;
        self.check_texts()?;
        let latest = clock::seconds(SystemTime::now()).saturating_add(CLOCKS_DIFFER);
        let created = self.created.parse().ok().map(Timestamp::as_second);
        let is_past = created.and_then(|second| u64::try_from(second).ok()).is_some_and(|second| second <= latest);
        if !is_past {
            self.created = clock::rfc3339_millis(SystemTime::now());
        }
        Ok(!is_past)
    }

    fn check_sizes(&self) -> Result<(), String> {
        let machine = &self.machine;
        let disks = [machine.storage_gb, machine.overlay_gb];
        if !(1..=CPUS).contains(&machine.cpus) {
            return Err(format!("its VM has {} cpus", machine.cpus));
        }
        if !(1..=MEMORY_MIB).contains(&machine.memory_mib) {
            return Err(format!("its VM has {} MiB of memory", machine.memory_mib));
        }
        match disks.into_iter().flatten().find(|disk| !(1..=DISK_GB).contains(disk)) {
            Some(disk) => Err(format!("its VM has a disk of {disk} GiB")),
            None => Ok(()),
        }
    }

    /// Refuses control characters in what reaches the engine, a question or a warning. The value of a label and a setting
    /// (a command) may have them, as in a VM, except for NUL, which no argument of a program can hold.
    fn check_texts(&self) -> Result<(), String> {
        let machine = &self.machine;
        if let Some((key, value)) = machine.labels.iter().find(|(key, value)| !is_label(key, value)) {
            return Err(format!("its VM has the label \"{}={}\"", key.escape_debug(), value.escape_debug()));
        }
        let others = Configuration { labels: BTreeMap::new(), settings: BTreeMap::new(), ..machine.clone() };
        let (others, settings) = (serde_json::json!(others), serde_json::json!(machine.settings));
        match text_with(&others, char::is_control).or_else(|| text_with(&settings, |char| char == '\0')) {
            Some(text) => Err(format!("its VM has the setting \"{}\"", text.escape_debug())),
            None => Ok(()),
        }
    }
}

/// Whether a VM can have this label.
fn is_label(key: &str, value: &str) -> bool {
    !key.is_empty() && !key.contains('=') && !key.contains(char::is_control) && !value.contains('\0')
}

/// The first text in this value with such a character.
fn text_with(value: &Value, is_bad: fn(char) -> bool) -> Option<&str> {
    match value {
        Value::String(text) => text.contains(is_bad).then_some(text),
        Value::Array(list) => list.iter().find_map(|one| text_with(one, is_bad)),
        Value::Object(keys) => {
            let of = |key, one| if str::contains(key, is_bad) { Some(key) } else { text_with(one, is_bad) };
            keys.iter().find_map(|(key, one)| of(key.as_str(), one))
        }
        _ => None,
    }
}
