//! VMs as `machine ls --json` reports them.

use super::settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The sizes in GiB of disks that the engine lists as null.
pub const DEFAULT_STORAGE: u64 = 20;
pub const DEFAULT_OVERLAY: u64 = 10;

/// Whether this is the engine's word for an image on the host (`local:`, `local-dir:` …).
pub fn is_local_image(image: &str) -> bool {
    image.starts_with("local:") || image.starts_with("local-")
}

/// A VM's state, in the engine's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum State {
    /// Never started, or its first start failed.
    Created,
    /// The VMM lives and the guest's agent answers.
    Running,
    /// Shut down.
    Stopped,
    /// The last start failed.
    Failed,
    /// The VMM lives and the guest's agent is silent.
    Unreachable,
    /// `machine pause` saved its RAM.
    Paused,
    /// On the way to `Paused`.
    Pausing,
    /// The base of live branches.
    Frozen,
    /// A word that no known engine uses.
    Other(String),
}

impl From<String> for State {
    fn from(word: String) -> Self {
        match word.as_str() {
            "created" => Self::Created,
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            "failed" => Self::Failed,
            "unreachable" => Self::Unreachable,
            "paused" => Self::Paused,
            "pausing" => Self::Pausing,
            "frozen" => Self::Frozen,
            _ => Self::Other(word),
        }
    }
}

impl From<State> for String {
    fn from(state: State) -> Self {
        state.to_string()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::Paused => "paused",
            Self::Pausing => "pausing",
            Self::Frozen => "frozen",
            Self::Other(word) => word,
        })
    }
}

impl State {
    /// Whether a VMM is alive and holds the disks.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Running | Self::Unreachable)
    }
}

/// A VM, as the engine reports it: the keys that every engine reports, and some that later ones added. Unknown keys are
/// ignored: every few releases bring one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The VM's name.
    pub name: String,
    /// Its state, in the engine's words: created, running, stopped, failed, unreachable, paused, pausing, frozen, or a new
    /// one of a later engine.
    #[schemars(with = "String")]
    pub state: State,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Size of the storage disk in GiB; null is the default.
    pub storage_gb: Option<u64>,
    /// Size of the overlay disk in GiB; null is the default.
    pub overlay_gb: Option<u64>,
    /// Whether the guest has any network.
    pub network: bool,
    /// The image it was made from; null for a bare VM.
    pub image: Option<String>,
    /// Number of mounted host folders.
    #[serde(default)]
    pub mounts: u64,
    /// Number of published ports.
    #[serde(default)]
    pub ports: u64,
    /// The process id of its VMM, if one was recorded; the process may be gone.
    pub pid: Option<i32>,
    /// When it was created, in seconds since 1970.
    pub created_at: Option<u64>,
    /// Whether the engine deletes it when it stops.
    #[serde(default)]
    pub ephemeral: bool,
    /// The networks that the guest may reach, if they are limited and the engine reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_cidrs: Option<Vec<String>>,
    /// Hosts that the guest may reach in addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Its labels, if the engine has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether the engine lists it as unreachable although its guest answers, and will not stop doing so: the engine does
    /// not pause or save it while it runs, and stops it without a shutdown.
    #[serde(skip)]
    #[schemars(skip)]
    pub given_up: bool,
    /// The other keys.
    #[serde(flatten, skip_serializing)]
    #[schemars(skip)]
    pub(super) other: BTreeMap<String, Value>,
}

impl Machine {
    /// Its settings that are not the default, by their keys: see `SETTINGS`.
    pub fn settings(&self) -> BTreeMap<String, Value> {
        let mut settings = settings::of(&self.other);
        let hosts = self.allowed_hosts.as_ref().filter(|hosts| !hosts.is_empty());
        settings.extend(hosts.map(|hosts| ("allowed_hosts".to_owned(), hosts.clone().into())));
        settings
    }

    /// Whether the VM was made from an image on the host, not in a registry.
    pub fn has_local_image(&self) -> bool {
        self.image.as_deref().is_some_and(is_local_image)
    }

    /// Size of the storage disk in GiB.
    pub fn storage_gib(&self) -> u64 {
        self.storage_gb.unwrap_or(DEFAULT_STORAGE)
    }

    /// Size of the overlay disk in GiB.
    pub fn overlay_gib(&self) -> u64 {
        self.overlay_gb.unwrap_or(DEFAULT_OVERLAY)
    }

    /// Whether `later` is the same VM, and ran all the time.
    pub fn goes_on_in(&self, later: &Self) -> bool {
        later.state.is_up() && later.pid == self.pid && self.created_at == later.created_at
    }

    /// Whether `later` is the same VM, and was not started.
    pub fn is_untouched_in(&self, later: &Self) -> bool {
        let no_new_vmm = later.pid.is_none() || later.pid == self.pid;
        !later.state.is_up() && no_new_vmm && self.created_at == later.created_at
    }
}

/// A VM name by the engine's own rule, the same in all versions: 1–128 of `[A-Za-z0-9_-]`, beginning with a letter or digit,
/// without `--` inside and `-` at the end. So it cannot pass for a flag or leave its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = text.bytes().next().ok_or("a VM name cannot be empty")?;
        if text.len() > 128 {
            return Err("a VM name has at most 128 characters");
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err("a VM name holds only letters, digits, '-' and '_'");
        }
        if !first.is_ascii_alphanumeric() {
            return Err("a VM name begins with a letter or a digit");
        }
        if text.ends_with('-') || text.contains("--") {
            return Err("a VM name has no '-' at its end and no '--' inside");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_engine_s_rule() {
        let longest = "a".repeat(128);
        for good in ["dev", "default", "a", "9", "a_b-c", "A_", longest.as_str()] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(129);
        for bad in ["", "-a", "_a", "a-", "a--b", "a.b", "a b", "../x", "--image=x", "é", "a\n", too_long.as_str()] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_state_keeps_its_word() {
        assert_eq!(State::from("melting".to_owned()).to_string(), "melting");
    }
}
