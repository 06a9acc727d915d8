//! Where a snapshot comes from. The record of one from elsewhere was written elsewhere: what cannot be true is refused when
//! it arrives, and what it opens must be confirmed when it is thawed.

use super::metadata::{Configuration, Metadata};
use crate::clock;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// How a snapshot came into this library. Written when it arrives, whatever its own record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// frozen (here), imported or pulled.
    pub kind: String,
    /// The file, or the name in a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When it arrived.
    #[schemars(extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

const FROZEN: &str = "frozen";
/// How many seconds later than here it may be where a snapshot was made.
const CLOCKS_DIFFER: u64 = 5 * 60;
/// More than these no engine gives a VM.
const CPUS: u32 = 1024;
const MEMORY_MIB: u64 = 16 << 20;
const DISK_GB: u64 = 64 << 10;

impl Origin {
    /// Of a snapshot that is frozen here.
    pub fn here() -> Self {
        Self { kind: FROZEN.into(), from: None, at: None }
    }

    /// Of one that comes from elsewhere now; `kind` is `imported` or `pulled`.
    pub fn elsewhere(kind: &str, from: &str) -> Self {
        Self { kind: kind.into(), from: Some(from.into()), at: Some(now()) }
    }
}

impl Metadata {
    /// Whether it was frozen here. Of those that 0.1.0 kept it is not known.
    pub fn is_own(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.kind == FROZEN)
    }

    /// Where it comes from, as the rest of a sentence.
    pub fn whereabouts(&self) -> String {
        match &self.origin {
            Some(Origin { kind, from: Some(from), .. }) => format!("was {kind} from {from}"),
            Some(Origin { kind, .. }) => format!("was {kind}"),
            None => "was made by an earlier bottle-freeze, here or elsewhere".into(),
        }
    }

    /// Gives it its origin, and a time that has passed by now: whether that had to be changed.
    ///
    /// # Errors
    /// What it says of its VM cannot be true.
    pub fn arrive(&mut self, origin: Origin) -> Result<bool, String> {
        self.origin = Some(origin);
        self.check_sizes()?;
        self.check_texts()?;
        let latest = clock::seconds(SystemTime::now()).saturating_add(CLOCKS_DIFFER);
        let created = self.created.parse().ok().map(Timestamp::as_second);
        let is_past = created.and_then(|second| u64::try_from(second).ok()).is_some_and(|second| second <= latest);
        if !is_past {
            self.created = now();
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

    /// What reaches the engine, a question or a warning has no control characters. The value of a label and a setting (a
    /// command) may have some, as those of a VM may; but no program is given a NUL.
    fn check_texts(&self) -> Result<(), String> {
        let machine = &self.machine;
        if let Some((key, value)) = machine.labels.iter().find(|(key, value)| !is_label(key, value)) {
            return Err(format!("its VM has the label \"{}={}\"", key.escape_debug(), value.escape_debug()));
        }
        let others = Configuration { labels: BTreeMap::new(), settings: BTreeMap::new(), ..machine.clone() };
        let (others, settings) = (serde_json::json!(others), serde_json::json!(machine.settings));
        match text(&others, char::is_control).or_else(|| text(&settings, |char| char == '\0')) {
            Some(text) => Err(format!("its VM has the setting \"{}\"", text.escape_debug())),
            None => Ok(()),
        }
    }
}

/// Whether an engine can give a VM this label.
fn is_label(key: &str, value: &str) -> bool {
    !key.is_empty() && !key.contains('=') && !key.contains(char::is_control) && !value.contains('\0')
}

/// A text with such a character that is somewhere in this value.
fn text(value: &Value, is_bad: fn(char) -> bool) -> Option<&str> {
    match value {
        Value::String(text) => text.contains(is_bad).then_some(text),
        Value::Array(list) => list.iter().find_map(|one| text(one, is_bad)),
        Value::Object(keys) => {
            let of = |key, one| if str::contains(key, is_bad) { Some(key) } else { text(one, is_bad) };
            keys.iter().find_map(|(key, one)| of(key.as_str(), one))
        }
        _ => None,
    }
}

fn now() -> String {
    clock::rfc3339_millis(SystemTime::now())
}
